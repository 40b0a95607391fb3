//! A finding on a page: in full when it is told for the first time, in two lines when the reader knows it.

use std::net::IpAddr;

use super::Page;
use crate::changes::Change;
use crate::finding::{ADDRESSES_MAX, Finding, Verdict};
use crate::write::phrases::{local_time, stretch};
use crate::write::style::{count, number, safe};
use crate::write::table::{Align, Table};

/// Pieces of evidence that are shown.
const EVIDENCE: usize = 6;
/// Pieces of evidence that are shown of what nobody needs to act on.
const EVIDENCE_OF_CALM: usize = 3;
/// Addresses that are shown.
const ADDRESSES: usize = 4;

impl Page {
    /// A finding, as much of it as is new to the reader.
    pub(super) fn finding(&mut self, finding: &Finding, change: Change) {
        self.wrapped("", "", &self.style.bold(&safe(&finding.title)));
        self.facts(finding, change);
        match change {
            Change::New | Change::Judged(..) => {
                self.paragraph(2, "", &finding.explanation);
                self.evidence(finding);
                self.paragraph(2, "Looks like:", &finding.looks_like);
                self.paragraph(2, "What to do:", &finding.advice);
            }
            Change::Grown(_) => self.evidence(finding),
            // Such findings stand close together.
            Change::None => return,
        }
        self.line("");
    }

    /// Verdict, confidence, size and id.
    fn facts(&mut self, finding: &Finding, change: Change) {
        let verdict = self.style.verdict(finding.verdict, finding.verdict.name());
        let (judged, size, told) = match change {
            Change::Judged(verdict, confidence) => {
                (format!(" (before: {}, {})", verdict.name(), confidence.name()), String::new(), "")
            }
            Change::Grown(before) => (String::new(), format!(" (before: {})", number(before)), ""),
            Change::None => (String::new(), String::new(), "; as before"),
            Change::New => (String::new(), String::new(), ""),
        };
        self.wrapped(
            "  ",
            "  ",
            &format!(
                "{verdict}, {}{judged}; {}{size}; {}{told}",
                finding.confidence.name(),
                count(finding.packets, "packet"),
                self.style.dim(&safe(&finding.id)),
            ),
        );
    }

    fn evidence(&mut self, finding: &Finding) {
        self.paragraph(2, "", &self.who_and_when(finding));
        let is_calm = finding.verdict <= Verdict::Background;
        let shown = if is_calm { EVIDENCE_OF_CALM } else { EVIDENCE };
        for evidence in finding.evidence.iter().take(shown) {
            self.item(evidence);
        }
        if let Some(example) = finding.examples.first().filter(|_| !is_calm) {
            self.item(&format!("Packet at {}: {}.", local_time(example.at, &self.zone), example.headers));
        }
    }

    /// Who sent it, to whom and when.
    fn who_and_when(&self, finding: &Finding) -> String {
        let mut parts = Vec::new();
        if !finding.sources.is_empty() {
            parts.push(format!("from {}", addresses(&finding.sources)));
        }
        if !finding.destinations.is_empty() {
            parts.push(format!("to {}", addresses(&finding.destinations)));
        }
        let who = parts.join(" ");
        let when = match (finding.extent.first, finding.extent.last) {
            (Some(first), Some(last)) => format!("sampled {}", stretch(first, last, &self.zone)),
            _ => String::new(),
        };
        let parts: Vec<_> = [who, when].into_iter().filter(|part| !part.is_empty()).collect();
        sentence(&parts.join("; "))
    }

    /// What takes a line each: enough to find it by, if somebody is curious.
    pub(super) fn in_short(&mut self, title: &str, findings: &[&Finding]) {
        if findings.is_empty() {
            return;
        }
        let title = self.style.bold(&format!("{title} (for more: annotator explain ID)"));
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
}

fn addresses(addresses: &[IpAddr]) -> String {
    let mut names: Vec<_> = addresses.iter().take(ADDRESSES).map(ToString::to_string).collect();
    // A full list may be cut.
    match addresses.len() {
        ADDRESSES_MAX.. => names.push("and others".to_owned()),
        listed if listed > ADDRESSES => names.push(format!("{} more", listed - ADDRESSES)),
        _ => {}
    }
    names.join(", ")
}

/// Words as a sentence.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or(String::new(), |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}
