//! What has changed since the reader last looked: a section of a page, or the one line that stands for a page when nothing has.

use jiff::tz::TimeZone;

use super::Page;
use crate::changes::{Change, Changes, Pace};
use crate::finding::{Finding, Verdict};
use crate::report::Report;
use crate::write::phrases::{clock_time, local_time};
use crate::write::style::{Style, bytes, count, number, safe};

/// Changes of a kind that are listed.
const LISTED: usize = 10;
/// A rate that is so many times what it was, or of which it was so many times, is told beside what it was.
const RATE: f64 = 2.0;

/// In place of a page on which nothing would be new: time, rates, how much stands, and what is over.
pub fn quiet(report: &Report, changes: &Changes<'_>, style: Style, zone: &TimeZone) -> String {
    let mut page = Page::new(style, zone);
    let stand = report.findings.iter().filter(|finding| is_told(finding)).count() as u64;
    let stand = match stand {
        0 => "nothing found".into(),
        1 => "1 finding stands".into(),
        many => format!("{} stand", count(many, "finding")),
    };
    let (time, name) = (clock_time(report.window.to, zone), safe(&report.source.name));
    page.paragraph(0, "", &format!("{time} {name}: {}; nothing new; {stand}", pace(changes.pace.1)));
    for finding in changes.gone.iter().filter(|finding| is_told(finding)) {
        page.paragraph(2, "over:", &finding.title);
    }
    page.text
}

impl Page {
    /// What has changed.
    pub(super) fn changes(&mut self, report: &Report, changes: &Changes<'_>) {
        let title = format!("Since {}", local_time(changes.since, &self.zone));
        self.line(&self.style.bold(&title));
        self.rate(changes.pace);
        let changed = || changes.findings.iter().zip(&report.findings).filter(|(_, finding)| is_told(finding));
        let told = |wanted: fn(&Change) -> bool| -> Vec<String> {
            changed()
                .filter(|(change, _)| wanted(change))
                .map(|(change, finding)| described(*change, finding))
                .collect()
        };
        self.listed("new:", &told(|change| *change == Change::New));
        self.listed("judged anew:", &told(|change| matches!(change, Change::Judged(..))));
        self.listed("grown:", &told(|change| matches!(change, Change::Grown(_))));
        let gone: Vec<_> =
            changes.gone.iter().filter(|finding| is_told(finding)).map(|finding| finding.title.clone()).collect();
        self.listed("over:", &gone);
        self.line("");
    }

    fn rate(&mut self, (before, now): (Pace, Pace)) {
        let has_changed = |before: f64, now: f64| now.max(before) >= RATE * now.min(before) && now != before;
        let mut text = pace(now);
        if has_changed(before.packets, now.packets) || has_changed(before.bytes, now.bytes) {
            text = format!("{text}; {} then", pace(before));
        }
        self.paragraph(2, "rate:", &text);
    }

    fn listed(&mut self, label: &str, texts: &[String]) {
        for text in texts.iter().take(LISTED) {
            self.paragraph(2, label, text);
        }
        if texts.len() > LISTED {
            self.paragraph(2, label, &format!("{} more", number((texts.len() - LISTED) as u64)));
        }
    }
}

/// What is as it should be comes and goes without mention.
fn is_told(finding: &Finding) -> bool {
    finding.verdict > Verdict::Normal
}

fn described(change: Change, finding: &Finding) -> String {
    let title = &finding.title;
    match change {
        Change::New | Change::None => title.clone(),
        Change::Grown(before) => format!("{title}: {} packets, {} then", number(finding.packets), number(before)),
        Change::Judged(verdict, confidence) => format!(
            "{title}: {}, {}; {}, {} then",
            finding.verdict.name(),
            finding.confidence.name(),
            verdict.name(),
            confidence.name()
        ),
    }
}

fn pace(pace: Pace) -> String {
    let packets = match pace.packets {
        few if few > 0.0 && few < 0.1 => "under 0.1".into(),
        few if few > 0.0 && few < 10.0 => format!("{few:.1}"),
        many => number(many.round() as u64),
    };
    format!("{packets} packets/s, {}/s", bytes(pace.bytes.round() as u64))
}
