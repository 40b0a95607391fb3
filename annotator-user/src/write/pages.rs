//! Pages for people, one after the other: below the last on standard output, in place of the last in a file.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::Result;
use jiff::tz::TimeZone;

use super::output;
use super::style::Style;
use super::text::{self, Before};
use crate::changes::{Baseline, Changes};
use crate::live::sinks::Sink;
use crate::report::Report;

/// Writes reports as text, and says what has changed from one to the next.
pub struct Pages {
    file: Option<PathBuf>,
    /// What was told last of each interface, by its name.
    told: HashMap<String, Baseline>,
}

impl Pages {
    /// Opens the place. Fails where a file cannot be written to, before anything else is done.
    pub fn open(file: Option<PathBuf>) -> Result<Self> {
        file.as_deref().map_or(Ok(()), output::check_replaceable)?;
        Ok(Pages { file, told: HashMap::new() })
    }

    /// A page, or a line where there is nothing new; and what is known to the reader then.
    fn below(report: &Report, told: Option<&Baseline>) -> (String, Baseline) {
        let (style, zone) = (Style::of_stdout(), TimeZone::system());
        let Some(told) = told else {
            return (text::page(report, None, style, &zone), Baseline::of(report));
        };
        let changes = Changes::since(told, report);
        if changes.is_quiet(report) {
            return (text::quiet(report, &changes, style, &zone), told.after(report));
        }
        let before = Before { changes: &changes, at_hand: true };
        (format!("\n{}", text::page(report, Some(before), style, &zone)), Baseline::of(report))
    }

    /// A page that stands alone.
    fn instead(report: &Report, told: Option<&Baseline>) -> String {
        let changes = told.map(|told| Changes::since(told, report));
        let before = changes.as_ref().map(|changes| Before { changes, at_hand: false });
        text::page(report, before, Style::PLAIN, &TimeZone::system())
    }
}

impl Sink for Pages {
    fn take(&mut self, report: &Report) -> Result<()> {
        let told = self.told.get(&report.source.name);
        let next = match &self.file {
            Some(path) => {
                output::replace(path, Self::instead(report, told))?;
                Baseline::of(report)
            }
            None => {
                let (text, next) = Self::below(report, told);
                output::print(text)?;
                next
            }
        };
        self.told.insert(report.source.name.clone(), next);
        Ok(())
    }

    fn may_recover(&self) -> bool {
        self.file.is_some()
    }
}
