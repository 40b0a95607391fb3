//! The page of a running agent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use jiff::tz::TimeZone;

use super::{Part, page};
use crate::live::sinks::Sink;
use crate::report::Report;
use crate::write::output;

/// Replaces a page with every report; those of several interfaces are parts of one page.
pub struct LivePage {
    path: PathBuf,
    interval: Duration,
    parts: BTreeMap<String, Part>,
}

impl LivePage {
    /// Fails where the page cannot be written; it is there with the first report, and replaced at this interval.
    pub fn open(path: &Path, interval: Duration) -> Result<Self> {
        output::check_replaceable(path)?;
        Ok(LivePage { path: path.to_owned(), interval, parts: BTreeMap::new() })
    }
}

impl Sink for LivePage {
    fn take(&mut self, report: &Report) -> Result<()> {
        self.parts.insert(report.source.name.clone(), Part::new(report, &TimeZone::system()));
        output::replace(&self.path, page(self.parts.values(), Some(self.interval)))
    }

    fn may_recover(&self) -> bool {
        true
    }
}
