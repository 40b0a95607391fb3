//! One row told in full: a finding with its evidence, or what the knowledge says of a port, an address, a flag.

use jiff::tz::TimeZone;

use super::listing::{Listing, Row};
use super::pane::Pane;
use crate::example::Example;
use crate::explain;
use crate::finding::{Finding, Verdict};
use crate::knowledge::Knowledge;
use crate::knowledge::lookup::Told;
use crate::quantity::{count, number};
use crate::recognise::words;
use crate::report::Report;
use crate::write::phrases::{coverage, local_time, stretch};
use crate::write::style::safe;

/// Bytes in a line of a packet.
const BYTES_A_LINE: usize = 16;

/// What an item of a list begins with.
pub const ITEM: &str = "- ";

/// How a paragraph is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// The name of what follows.
    Title,
    /// Its verdict.
    Verdict(Verdict),
    /// Sentences.
    Plain,
    /// What is there for the curious.
    Aside,
}

/// A paragraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paragraph {
    /// How it is meant.
    pub tone: Tone,
    /// Columns to the left of it.
    pub indent: usize,
    /// What it begins with, where that is to stand out.
    pub label: &'static str,
    /// Its text; nothing in it acts on a terminal.
    pub text: String,
}

/// A page to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What it says. An empty text is an empty line.
    pub paragraphs: Vec<Paragraph>,
}

impl Page {
    /// Adds a paragraph, if it has something to say.
    pub fn add(&mut self, tone: Tone, indent: usize, label: &'static str, text: &str) {
        if !text.trim().is_empty() {
            self.paragraphs.push(Paragraph { tone, indent, label, text: safe(text) });
        }
    }

    /// An empty line, where there is none yet.
    pub fn gap(&mut self) {
        if self.paragraphs.last().is_none_or(|last| last.text.is_empty()) {
            return;
        }
        self.paragraphs.push(Paragraph { tone: Tone::Plain, indent: 0, label: "", text: String::new() });
    }

    /// A row of a pane's table in full.
    pub fn of(
        report: &Report,
        pane: Pane,
        listing: &Listing,
        row: &Row,
        knowledge: &Knowledge,
        zone: &TimeZone,
    ) -> Self {
        let mut page = Page::default();
        match (pane, report.findings.get(row.index)) {
            (Pane::Findings, Some(finding)) => page.finding(finding, zone),
            _ => {
                page.figures(listing, row);
                if pane == Pane::Sources {
                    page.findings_about(report, &row.key);
                }
                page.known_of(pane, row, knowledge);
            }
        }
        page
    }

    /// What a report can and cannot say.
    pub fn of_coverage(report: &Report) -> Self {
        let mut page = Page::default();
        page.add(Tone::Title, 0, "", "What this report can and cannot say");
        page.gap();
        page.add(Tone::Plain, 0, "Coverage: ", &coverage(report));
        for (reason, packets) in &report.coverage.not_parsed {
            page.add(Tone::Plain, 2, "", &format!("not parsed, {reason}: {}", number(*packets)));
        }
        for note in &report.notes {
            page.add(Tone::Plain, 0, "Note: ", note);
        }
        page
    }

    fn finding(&mut self, finding: &Finding, zone: &TimeZone) {
        self.add(Tone::Title, 0, "", &finding.title);
        let facts = format!(
            "{}, {}; {}; {}",
            finding.verdict.name(),
            finding.confidence.name(),
            count(finding.packets, "packet"),
            std::iter::once(&finding.id).chain(&finding.also).cloned().collect::<Vec<_>>().join(", ")
        );
        self.add(Tone::Verdict(finding.verdict), 0, "", &facts);
        self.gap();
        self.add(Tone::Plain, 0, "", &finding.explanation);
        self.add(Tone::Plain, 0, "From: ", &words::list(&finding.sources, usize::MAX));
        self.add(Tone::Plain, 0, "To: ", &words::list(&finding.destinations, usize::MAX));
        if let (Some(first), Some(last)) = (finding.extent.first, finding.extent.last) {
            self.add(Tone::Plain, 0, "When: ", &stretch(first, last, zone));
        }
        self.gap();
        for evidence in &finding.evidence {
            self.add(Tone::Plain, 2, ITEM, evidence);
        }
        for example in &finding.examples {
            self.example(example, zone);
        }
        self.gap();
        self.add(Tone::Plain, 0, "Looks like: ", &finding.looks_like);
        self.add(Tone::Plain, 0, "What to do: ", &finding.advice);
        self.add(Tone::Aside, 0, "Sources: ", &finding.references.join("; "));
    }

    fn example(&mut self, example: &Example, zone: &TimeZone) {
        let line = format!("Packet at {}: {}.", local_time(example.at, zone), example.headers);
        self.add(Tone::Plain, 2, ITEM, &line);
        for (line, bytes) in example.bytes.chunks(BYTES_A_LINE).enumerate() {
            let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            self.add(Tone::Aside, 4, "", &format!("{:04x}  {}", line * BYTES_A_LINE, hex.join(" ")));
        }
    }

    fn figures(&mut self, listing: &Listing, row: &Row) {
        let cells = listing.columns.iter().zip(&row.cells).filter(|(_, cell)| !cell.text.is_empty());
        let figures: Vec<String> = cells.map(|(column, cell)| format!("{} {}", column.head, cell.text)).collect();
        self.add(Tone::Title, 0, "", &row.key);
        self.add(Tone::Aside, 0, "", &figures.join(", "));
    }

    fn known_of(&mut self, pane: Pane, row: &Row, knowledge: &Knowledge) {
        // A protocol is asked for by its name alone, whatever carries it.
        let asked = if pane == Pane::Protocols { row.cells[0].text.clone() } else { row.key.clone() };
        for answer in explain::explain(knowledge, &[asked]).answers {
            self.gap();
            if !answer.known && matches!(pane, Pane::Flags | Pane::Protocols) {
                self.add(Tone::Plain, 0, "", "The knowledge says nothing of it alone.");
                continue;
            }
            for note in &answer.notes {
                self.add(Tone::Plain, 0, "", note);
            }
            for told in &answer.told {
                self.told(told);
            }
        }
    }

    fn findings_about(&mut self, report: &Report, address: &str) {
        let is_it = |finding: &&Finding| {
            finding.sources.iter().chain(&finding.destinations).any(|one| one.to_string() == address)
        };
        for finding in report.findings.iter().filter(is_it) {
            self.gap();
            self.add(Tone::Verdict(finding.verdict), 0, "", &format!("{}: {}", finding.verdict.name(), finding.title));
            self.add(Tone::Plain, 2, "", &finding.explanation);
        }
    }

    fn told(&mut self, told: &Told) {
        self.gap();
        self.add(Tone::Title, 0, "", &told.title);
        let facts = format!("{}, {}; {}", told.verdict.name(), told.confidence.name(), told.id);
        self.add(Tone::Verdict(told.verdict), 0, "", &facts);
        self.add(Tone::Plain, 0, "", &told.explanation);
        self.add(Tone::Plain, 0, "When: ", &told.when.join("; "));
        self.add(Tone::Plain, 0, "Looks like: ", &told.looks_like);
        self.add(Tone::Plain, 0, "What to do: ", &told.advice);
        for variant in &told.variants {
            let when = if variant.when.is_empty() { "otherwise".into() } else { variant.when.join("; or ") };
            let facts = format!("{} [{}], {when}.", variant.title.trim_end_matches('.'), variant.verdict.name());
            self.add(Tone::Plain, 2, "Or: ", &facts);
        }
        self.add(Tone::Aside, 0, "Sources: ", &told.references.join("; "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::tests::{finding, report};

    fn text(page: &Page) -> String {
        page.paragraphs.iter().map(|paragraph| format!("{}{}\n", paragraph.label, paragraph.text)).collect()
    }

    fn page_of(pane: Pane, index: usize) -> String {
        let report = report();
        let knowledge = Knowledge::load(&[]).unwrap();
        let listing = pane.listing(&report);
        text(&Page::of(&report, pane, &listing, &listing.rows[index], &knowledge, &TimeZone::UTC))
    }

    #[test]
    fn a_finding_has_its_evidence_and_its_packets() {
        let page = page_of(Pane::Findings, 0);
        for part in [
            "attack, likely; 1,234 packets; worm.test",
            "From: 192.0.2.1",
            "- Evidence with \u{fffd}[31mcolour",
            "What to do: ",
        ] {
            assert!(page.contains(part), "{part} is missing:\n{page}");
        }
        assert!(page.contains("0000  45 00"), "{page}");
    }

    #[test]
    fn a_port_is_looked_up() {
        let page = page_of(Pane::Ports, 0);
        assert!(page.starts_with("tcp/23\nport tcp/23, side to, service telnet"), "{page}");
        assert!(page.contains("What to do: "), "{page}");
    }

    #[test]
    fn a_source_has_its_findings() {
        let page = page_of(Pane::Sources, 0);
        assert!(page.contains(&format!("attack: {}", finding().title)), "{page}");
    }

    #[test]
    fn what_is_not_known_is_said() {
        let page = page_of(Pane::Protocols, 1);
        assert!(page.contains("The knowledge says nothing"), "{page}");
    }
}
