//! Reports for people: whether to worry, what stands out, what has changed, then the tables.

mod changed;
mod finding;
mod tables;

use annotator_common::Reason;
use jiff::tz::TimeZone;

use super::phrases::{self, answer, coverage, stretch};
use super::style::{Style, bytes, count, number, safe, seconds, wrapping};
use crate::changes::{Change, Changes};
use crate::finding::Verdict;
use crate::report::{OriginKind, Report};

pub use changed::quiet;

/// The page that a reader had before.
#[derive(Clone, Copy)]
pub struct Before<'a> {
    /// What has changed since.
    pub changes: &'a Changes<'a>,
    /// Whether the reader still has it: what it told in full needs few words then. A file has room for one page.
    pub at_hand: bool,
}

/// The report as text, with times in a time zone.
pub fn page(report: &Report, before: Option<Before<'_>>, style: Style, zone: &TimeZone) -> String {
    let mut page = Page::new(style, zone);
    page.header(report, before.is_some_and(|before| before.at_hand));
    page.answer(report);
    page.findings(report, before);
    if let Some(before) = before {
        page.changes(report, before.changes);
    }
    page.tables(report);
    page.coverage(report);
    page.text
}

/// A page that is being written.
struct Page {
    text: String,
    style: Style,
    zone: TimeZone,
}

impl Page {
    fn new(style: Style, zone: &TimeZone) -> Self {
        Page { text: String::new(), style, zone: zone.clone() }
    }

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
        let label = if label.is_empty() { String::new() } else { format!("{} ", self.style.bold(label)) };
        let margin = " ".repeat(indent);
        self.wrapped(&margin, &margin, &format!("{label}{text}"));
    }

    /// An item of a list.
    fn item(&mut self, text: &str) {
        self.wrapped("    - ", "      ", &safe(text));
    }

    /// Text as lines, the first with one margin and the others with another. It may have colours of ours in it.
    fn wrapped(&mut self, first: &str, others: &str, text: &str) {
        let options = wrapping(self.style.width).initial_indent(first).subsequent_indent(others);
        for line in textwrap::wrap(text, options) {
            self.line(&line);
        }
    }

    fn header(&mut self, report: &Report, again: bool) {
        let name = safe(&report.source.name);
        let kind = match (report.source.kind, &report.source.xdp_mode) {
            (OriginKind::Interface, Some(mode)) => format!(" (XDP {mode} mode)"),
            (OriginKind::Capture | OriginKind::Interface, _) => String::new(),
        };
        self.wrapped("", "", &self.style.bold(&format!("annotator: {name}{kind}")));
        let window = &report.window;
        let when = format!("{}, {}", stretch(window.from, window.to, &self.zone), seconds(window.seconds));
        let totals = &report.totals;
        let what = match (totals.packets, report.source.kind) {
            (0, OriginKind::Capture) => "no packets".into(),
            (0, OriginKind::Interface) => format!("{when}: no packets"),
            (packets, _) => format!("{when}: {}, {}", count(packets, "packet"), bytes(totals.bytes)),
        };
        self.paragraph(0, "", &what);
        if !again {
            for note in &report.notes {
                self.paragraph(0, "Note:", note);
            }
        }
        self.line("");
    }

    /// Should I worry?
    fn answer(&mut self, report: &Report) {
        let gravest = report.findings.first();
        let verdict = gravest.map_or(Verdict::Normal, |finding| finding.verdict);
        let answer = answer(report);
        for line in textwrap::wrap(&answer, wrapping(self.style.width)) {
            let line = self.style.verdict(verdict, &line);
            self.line(&line);
        }
        self.line("");
    }

    /// What was found, gravest first. What is as it should be, and how to read it all, comes last, a line each.
    fn findings(&mut self, report: &Report, before: Option<Before<'_>>) {
        let change = |index: usize| match before {
            Some(before) if before.at_hand => before.changes.findings.get(index).copied().unwrap_or(Change::New),
            _ => Change::New,
        };
        let (ordinary, notable): (Vec<_>, Vec<_>) =
            report.findings.iter().enumerate().partition(|(_, finding)| finding.verdict == Verdict::Normal);
        let mut told_before = false;
        for (index, finding) in notable {
            let change = change(index);
            if told_before && change != Change::None {
                self.line("");
            }
            told_before = change == Change::None;
            self.finding(finding, change);
        }
        if told_before {
            self.line("");
        }
        let (remarks, ordinary): (Vec<_>, Vec<_>) =
            ordinary.into_iter().map(|(_, finding)| finding).partition(|finding| finding.is_remark());
        self.in_short(phrases::ORDINARY, &ordinary);
        self.in_short(phrases::REMARKS, &remarks);
    }

    fn coverage(&mut self, report: &Report) {
        self.paragraph(0, "Coverage:", &coverage(report));
        for reason in Reason::ALL {
            if let Some(packets) = report.coverage.not_parsed.get(reason.name()) {
                self.paragraph(2, "", &format!("not parsed, {}: {}", reason.name(), number(*packets)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::Baseline;
    use crate::finding::{Confidence, Finding};
    use crate::observation::{Moment, Rate};
    use crate::report::{Totals, Window};

    fn finding(id: &str, verdict: Verdict) -> Finding {
        Finding {
            id: id.into(),
            title: format!("What {id} is"),
            verdict,
            confidence: Confidence::Likely,
            packets: 1234,
            sources: (1..=9).map(|last| std::net::Ipv4Addr::new(192, 0, 2, last).into()).collect(),
            explanation: "A long story. ".repeat(20),
            looks_like: "Something with \x1b[31mcolour\x07 from the network".into(),
            advice: "Run `nft add rule inet filter input icmp type echo-request limit rate 5/second accept`.".into(),
            evidence: vec!["12 of them open a connection.".into()],
            ..Finding::default()
        }
    }

    fn report_of(findings: Vec<Finding>) -> Report {
        let mut report = Report {
            totals: Totals { packets: 5, bytes: 300 },
            window: Window { from: Moment(0), to: Moment(3_600_000_000_000), seconds: 3600.0 },
            findings,
            notes: vec!["x.pcap was cut".into()],
            ..Report::empty()
        };
        report.source.name = "x.pcap".into();
        report.coverage.parsed = 5;
        report.coverage.explained_percent = 12.3;
        report
    }

    fn page_of(findings: Vec<Finding>, style: Style) -> String {
        page(&report_of(findings), None, style, &TimeZone::UTC)
    }

    #[test]
    fn the_gravest_finding_answers_first() {
        let findings =
            [("a.b", Verdict::Attack), ("c.d", Verdict::Attack), ("e", Verdict::Normal), ("zen.ttl", Verdict::Normal)]
                .map(|(id, verdict)| finding(id, verdict));
        let text = page_of(findings.into(), Style::PLAIN);
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
        let below = |title: &str| text.lines().skip_while(|line| !line.starts_with(title)).nth(1).unwrap_or_default();
        assert!(below("As it should be").contains("What e is") && below("To read it by").contains("zen.ttl"), "{text}");
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
        let quiet = page(&Report::empty(), None, Style::PLAIN, &TimeZone::UTC);
        assert!(quiet.contains("Nothing arrived"), "{quiet}");
    }

    /// An hour later, on an interface.
    fn later(mut findings: Vec<Finding>) -> Report {
        findings.push(finding("usual", Verdict::Normal));
        let mut report = report_of(findings);
        report.source.kind = OriginKind::Interface;
        report.window.to = Moment(7_200_000_000_000);
        report.rates =
            vec![Rate { from: Moment(3_600_000_000_000), seconds: 3600.0, packets: 7_200_000, bytes: 3_686_400 }];
        report
    }

    #[test]
    fn a_page_tells_what_is_known_in_few_words_and_what_has_changed() {
        let before = report_of(vec![
            finding("grows", Verdict::Attack),
            finding("goes", Verdict::Attack),
            finding("stays", Verdict::Reconnaissance),
        ]);
        let report = later(vec![
            Finding { packets: 100_000, ..finding("grows", Verdict::Attack) },
            finding("comes", Verdict::Attack),
            finding("stays", Verdict::Reconnaissance),
        ]);
        let baseline = Baseline::of(&before);
        let changes = Changes::since(&baseline, &report);
        assert!(!changes.is_quiet(&report));
        let at_hand = page(&report, Some(Before { changes: &changes, at_hand: true }), Style::PLAIN, &TimeZone::UTC);
        for told in [
            "attack, likely; 100,000 packets (before: 1,234); grows\n  From",
            "attack, likely; 1,234 packets; comes\n  A long story.",
            "reconnaissance, likely; 1,234 packets; stays; as before\n\n",
            "Since 1970-01-01 01:00:00 UTC\n  rate: 2,000 packets/s, 1.0 KiB/s; 0 packets/s, 0 B/s then\n",
            "  new: What comes is\n  grown: What grows is: 100,000 packets, 1,234 then\n  over: What goes is\n",
        ] {
            assert!(at_hand.contains(told), "{told}\n{at_hand}");
        }
        assert_eq!(at_hand.matches("story").count(), 20, "only what is new is told in full");
        // Who has only this page is told everything.
        let alone = page(&report, Some(Before { changes: &changes, at_hand: false }), Style::PLAIN, &TimeZone::UTC);
        assert!(alone.contains("over: What goes is") && alone.matches("story").count() == 60, "{alone}");
    }

    #[test]
    fn one_line_where_nothing_is_new() {
        let baseline = Baseline::of(&report_of(vec![
            finding("stays", Verdict::Attack),
            finding("goes", Verdict::Attack),
            finding("louder", Verdict::Background),
        ]));
        let report = later(vec![
            finding("stays", Verdict::Attack),
            Finding { packets: 100_000, ..finding("louder", Verdict::Background) },
        ]);
        let changes = Changes::since(&baseline, &report);
        assert!(changes.is_quiet(&report));
        assert_eq!(
            quiet(&report, &changes, Style::PLAIN, &TimeZone::UTC),
            "02:00:00 UTC x.pcap: 2,000 packets/s, 1.0 KiB/s; nothing new; 2 findings stand\n  over: What goes is\n"
        );
    }
}
