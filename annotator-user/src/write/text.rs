//! Reports for people: whether to worry, what stands out, then the tables.

use std::fmt::Write;

use annotator_common::Reason;
use jiff::tz::TimeZone;

use super::phrases::{about, answer, coverage, local_time, stretch, ttl};
use super::style::{Style, bytes, count, number, safe, seconds};
use super::table::{Align, Table};
use crate::finding::{Finding, Verdict};
use crate::report::{OriginKind, PortRow, Report, SourceRow};

/// Rows of a table that are shown.
const ROWS: usize = 10;
/// Pieces of evidence that are shown of a finding.
const EVIDENCE: usize = 6;
/// Addresses that are shown of a finding.
const ADDRESSES: usize = 4;

/// The report as text, with times in a time zone.
pub fn page(report: &Report, style: Style, zone: &TimeZone) -> String {
    let mut page = Page { text: String::new(), style };
    page.header(report, zone);
    page.answer(report);
    let (ordinary, notable): (Vec<_>, Vec<_>) =
        report.findings.iter().partition(|finding| finding.verdict == Verdict::Normal);
    for finding in notable {
        page.finding(finding, zone);
    }
    page.ordinary(&ordinary);
    page.tables(report);
    page.coverage(report);
    page.text
}

struct Page {
    text: String,
    style: Style,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A paragraph, every line of which is indented; the first begins with `label`.
    fn paragraph(&mut self, indent: usize, label: &str, text: &str) {
        let text = safe(text);
        if text.trim().is_empty() {
            return;
        }
        let margin = " ".repeat(indent);
        // Commands are to be copied from here: no break at a hyphen.
        let options = textwrap::Options::new(self.style.width)
            .initial_indent(&margin)
            .subsequent_indent(&margin)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let labelled = format!("{label}{text}");
        for (index, line) in textwrap::wrap(&labelled, options).iter().enumerate() {
            let line = if index == 0 && !label.is_empty() {
                line.replacen(label.trim_end(), &self.style.bold(label.trim_end()), 1)
            } else {
                line.to_string()
            };
            self.line(&line);
        }
    }

    fn header(&mut self, report: &Report, zone: &TimeZone) {
        let name = safe(&report.source.name);
        let kind = match (report.source.kind, &report.source.xdp_mode) {
            (OriginKind::Capture, _) => String::new(),
            (OriginKind::Interface, Some(mode)) => format!(" (XDP {mode} mode)"),
            (OriginKind::Interface, None) => String::new(),
        };
        let mut when = stretch(report.window.from, report.window.to, zone);
        if report.totals.packets == 0 {
            when = "no packets".into();
        }
        let sums = format!("{}, {}", count(report.totals.packets, "packet"), bytes(report.totals.bytes));
        let title = self.style.bold(&format!("annotator: {name}{kind}"));
        self.line(&title);
        if report.totals.packets > 0 {
            self.paragraph(0, "", &format!("{when}, {}: {sums}", seconds(report.window.seconds)));
        } else {
            self.paragraph(0, "", &when);
        }
        for note in &report.notes {
            self.paragraph(0, "Note: ", note);
        }
        self.line("");
    }

    /// Should I worry?
    fn answer(&mut self, report: &Report) {
        let gravest = report.findings.first();
        let verdict = gravest.map_or(Verdict::Normal, |finding| finding.verdict);
        let answer = answer(report);
        for line in textwrap::wrap(&answer, self.style.width) {
            let line = self.style.verdict(verdict, &line);
            self.line(&line);
        }
        self.line("");
    }

    fn finding(&mut self, finding: &Finding, zone: &TimeZone) {
        let verdict = self.style.verdict(finding.verdict, finding.verdict.name());
        let title = self.style.bold(&safe(&finding.title));
        for line in textwrap::wrap(&title, self.style.width) {
            self.line(&line);
        }
        let facts = format!(
            "{verdict}, {}; {}; {}",
            finding.confidence.name(),
            count(finding.packets, "packet"),
            self.style.dim(&safe(&finding.id))
        );
        self.line(&format!("  {facts}"));
        self.paragraph(2, "", &finding.explanation);
        self.paragraph(2, "", &who_and_when(finding, zone));
        for evidence in finding.evidence.iter().take(EVIDENCE) {
            self.paragraph(4, "- ", evidence);
        }
        if let Some(example) = finding.examples.first() {
            self.paragraph(4, "- ", &format!("Packet at {}: {}.", local_time(example.at, zone), example.headers));
        }
        self.paragraph(2, "Looks like: ", &finding.looks_like);
        self.paragraph(2, "What to do: ", &finding.advice);
        self.line("");
    }

    /// What is as it should be takes a line each: enough to find it by, if somebody is curious.
    fn ordinary(&mut self, findings: &[&Finding]) {
        if findings.is_empty() {
            return;
        }
        let title = self.style.bold("As it should be (for more: annotator explain ID)");
        self.line(&title);
        let mut table = Table::new(&[("what", Align::Left), ("id", Align::Left), ("packets", Align::Right)]);
        for finding in findings {
            table.row([safe(&finding.title), safe(&finding.id), number(finding.packets)]);
        }
        for line in table.lines(self.style.width - 2).iter().skip(1) {
            self.line(&format!("  {line}"));
        }
        self.line("");
    }

    fn table(&mut self, title: &str, table: &Table, left_out: usize) {
        if table.is_empty() {
            return;
        }
        let title = self.style.bold(title);
        self.line(&title);
        for (index, line) in table.lines(self.style.width - 2).iter().enumerate() {
            let line = if index == 0 { self.style.dim(line) } else { line.clone() };
            self.line(&format!("  {line}"));
        }
        if left_out > 0 {
            let rest = self.style.dim(&format!("  and {} more", number(left_out as u64)));
            self.line(&rest);
        }
        self.line("");
    }

    fn tables(&mut self, report: &Report) {
        self.ports(&report.ports);
        self.icmp(report);
        self.flags(report);
        self.protocols(report);
        self.sources(&report.sources);
    }

    fn ports(&mut self, ports: &[PortRow]) {
        let (to, from): (Vec<_>, Vec<_>) = ports.iter().partition(|row| row.side == "dst");
        for (title, rows) in [("Destination ports", to), ("Source ports", from)] {
            let mut table = Table::new(&[
                ("port", Align::Left),
                ("service", Align::Left),
                ("packets", Align::Right),
                ("bytes", Align::Right),
                ("SYN", Align::Right),
            ]);
            for row in rows.iter().take(ROWS) {
                table.row([
                    format!("{}/{}", row.proto, row.port),
                    safe(row.service.as_deref().unwrap_or("-")),
                    number(row.packets),
                    bytes(row.bytes),
                    if row.proto == "tcp" { number(row.syn) } else { String::new() },
                ]);
            }
            self.table(title, &table, rows.len().saturating_sub(ROWS));
        }
    }

    fn icmp(&mut self, report: &Report) {
        let mut table = Table::new(&[
            ("type/code", Align::Left),
            ("name", Align::Left),
            ("packets", Align::Right),
            ("bytes", Align::Right),
        ]);
        for row in report.icmp.iter().take(ROWS) {
            let protocol = if row.family == 6 { "icmpv6" } else { "icmp" };
            table.row([
                format!("{protocol} {}/{}", row.icmp_type, row.code),
                row.name.unwrap_or("-").to_owned(),
                number(row.packets),
                bytes(row.bytes),
            ]);
        }
        self.table("ICMP", &table, report.icmp.len().saturating_sub(ROWS));
    }

    fn flags(&mut self, report: &Report) {
        let mut rows: Vec<_> = report.flags.iter().collect();
        rows.sort_by_key(|(_, packets)| std::cmp::Reverse(**packets));
        let mut table = Table::new(&[("flag", Align::Left), ("packets", Align::Right)]);
        for (name, packets) in rows.iter().take(2 * ROWS) {
            table.row([(**name).to_owned(), number(**packets)]);
        }
        self.table("Flags", &table, rows.len().saturating_sub(2 * ROWS));
    }

    fn protocols(&mut self, report: &Report) {
        let mut table = Table::new(&[
            ("protocol", Align::Left),
            ("over", Align::Left),
            ("packets", Align::Right),
            ("bytes", Align::Right),
        ]);
        for row in report.protocols.iter().take(ROWS) {
            let over = match row.family {
                4 => "IPv4",
                6 => "IPv6",
                _ => "-",
            };
            table.row([row.name.to_string(), over.to_owned(), number(row.packets), bytes(row.bytes)]);
        }
        self.table("Protocols", &table, report.protocols.len().saturating_sub(ROWS));
    }

    fn sources(&mut self, sources: &[SourceRow]) {
        let mut table = Table::new(&[
            ("source", Align::Left),
            ("packets", Align::Right),
            ("SYN", Align::Right),
            ("UDP", Align::Right),
            ("ICMP", Align::Right),
            ("ports", Align::Right),
            ("hosts", Align::Right),
            ("TTL", Align::Right),
        ]);
        for row in sources.iter().take(ROWS) {
            table.row([
                row.address.to_string(),
                number(row.packets),
                number(row.syn),
                number(row.udp),
                number(row.icmp),
                about(row.ports_about),
                about(row.destinations_about),
                ttl(row),
            ]);
        }
        self.table("Sources (without established TCP data)", &table, sources.len().saturating_sub(ROWS));
    }

    fn coverage(&mut self, report: &Report) {
        self.paragraph(0, "Coverage: ", &coverage(report));
        for reason in Reason::ALL {
            if let Some(packets) = report.coverage.not_parsed.get(reason.name()) {
                self.paragraph(2, "", &format!("not parsed, {}: {}", reason.name(), number(*packets)));
            }
        }
    }
}

/// Who sent it, to whom and when.
fn who_and_when(finding: &Finding, zone: &TimeZone) -> String {
    let list = |addresses: &[std::net::IpAddr]| {
        let mut names: Vec<_> = addresses.iter().take(ADDRESSES).map(ToString::to_string).collect();
        if addresses.len() > ADDRESSES {
            names.push(format!("{} more", addresses.len() - ADDRESSES));
        }
        names.join(", ")
    };
    let mut parts = Vec::new();
    if !finding.sources.is_empty() {
        parts.push(format!("from {}", list(&finding.sources)));
    }
    if !finding.destinations.is_empty() {
        parts.push(format!("to {}", list(&finding.destinations)));
    }
    let mut text = parts.join(" ");
    if let (Some(first), Some(last)) = (finding.extent.first, finding.extent.last) {
        let _ = write!(text, "{}{}", if text.is_empty() { "" } else { "; " }, stretch(first, last, zone));
    }
    sentence(&text)
}

/// Words as a sentence.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or(String::new(), |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::Counters;
    use crate::extent::Extent;
    use crate::finding::Confidence;
    use crate::observation::{Locality, Moment, Observations};
    use crate::report::Origin;

    fn finding(id: &str, verdict: Verdict) -> Finding {
        Finding {
            id: id.into(),
            also: Vec::new(),
            title: format!("What {id} is"),
            verdict,
            confidence: Confidence::Likely,
            packets: 1234,
            sources: (1..=9).map(|last| std::net::Ipv4Addr::new(192, 0, 2, last).into()).collect(),
            destinations: Vec::new(),
            extent: Extent::default(),
            explanation: "A long story. ".repeat(20),
            looks_like: "Something with \x1b[31mcolour\x07 from the network".into(),
            advice: "Run `nft add rule inet filter input icmp type echo-request limit rate 5/second accept`.".into(),
            evidence: vec!["From 10:00 to 10:05.".into()],
            examples: Vec::new(),
            sightings: Vec::new(),
            references: Vec::new(),
        }
    }

    fn page_of(findings: Vec<Finding>, style: Style) -> String {
        let counters =
            Counters { without_protocol: annotator_common::Count { packets: 5, bytes: 300 }, ..Counters::default() };
        let observations = Observations {
            from: Moment(0),
            to: Moment(3_600_000_000_000),
            live: false,
            counters: &counters,
            rates: &[],
            sources: &[],
            sources_dropped: 0,
            sightings: &[],
            locality: &Locality::default(),
            outbound: None,
        };
        let origin = Origin { kind: OriginKind::Capture, name: "x.pcap".into(), xdp_mode: None };
        let report = Report::new(origin, &observations, findings, 12.3, vec!["x.pcap was cut".into()]);
        page(&report, style, &TimeZone::UTC)
    }

    #[test]
    fn the_gravest_finding_answers_first() {
        let findings =
            vec![finding("a.b", Verdict::Attack), finding("c.d", Verdict::Attack), finding("e", Verdict::Normal)];
        let text = page_of(findings, Style::PLAIN);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "annotator: x.pcap");
        assert_eq!(lines[1], "1970-01-01 00:00:00 to 01:00:00 UTC, 60 min 0 s: 5 packets, 300 B");
        assert_eq!(lines[2], "Note: x.pcap was cut");
        assert_eq!(lines[4], "Yes, look at this: What a.b is. There is one more finding of this kind.");
        assert_eq!(lines[6], "What a.b is");
        assert_eq!(lines[7], "  attack, likely; 1,234 packets; a.b");
        assert!(text.contains("From 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4, 5 more."));
        assert!(text.contains("echo-request limit"), "commands stay whole");
        assert_eq!(text.matches("story").count(), 40, "ordinary findings take one line");
        assert!(text.contains("Coverage: 100% parsed, 12.3% explained"));
    }

    #[test]
    fn nothing_from_the_network_acts_on_the_terminal_and_lines_fit() {
        let text = page_of(vec![finding("a", Verdict::ThirdParty)], Style::PLAIN);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn colours_only_where_they_are_understood() {
        let style = Style { width: 100, colour: true };
        let coloured = page_of(vec![finding("a", Verdict::Attack)], style);
        assert!(coloured.contains("\x1b[1;31mYes, look at this"));
        let plain: String = page_of(vec![finding("a", Verdict::Attack)], Style { colour: false, ..style });
        let mut stripped = coloured;
        while let Some(start) = stripped.find("\x1b[") {
            let end = start + stripped[start..].find('m').unwrap();
            stripped.replace_range(start..=end, "");
        }
        assert_eq!(stripped, plain);
    }

    #[test]
    fn no_packets() {
        let quiet = answer_of_nothing();
        assert!(quiet.contains("Nothing arrived"), "{quiet}");
    }

    fn answer_of_nothing() -> String {
        let observations = Observations {
            from: Moment(0),
            to: Moment(0),
            live: true,
            counters: &Counters::default(),
            rates: &[],
            sources: &[],
            sources_dropped: 0,
            sightings: &[],
            locality: &Locality::default(),
            outbound: None,
        };
        let origin = Origin { kind: OriginKind::Interface, name: "eth0".into(), xdp_mode: Some("native".into()) };
        page(&Report::new(origin, &observations, Vec::new(), 100.0, Vec::new()), Style::PLAIN, &TimeZone::UTC)
    }
}
