//! Records for machines, one a line, one behind the other: whole reports, or findings when they are new or have changed.

use anyhow::Result;
use gethostname::gethostname;

use super::lines::{LineFile, Rotation};
use super::{ecs, json, output};
use crate::changes::Told;
use crate::cli::WriteOptions;
use crate::live::sinks::Sink;
use crate::report::Report;

/// Writes reports or findings as JSON, one a line.
pub struct Records {
    form: Form,
    /// Standard output, where there is no file.
    file: Option<LineFile>,
}

enum Form {
    Reports,
    Findings { told: Told, hostname: String },
}

impl Records {
    /// Opens the place. Fails where a file cannot be written to, before anything else is done.
    pub fn open(options: &WriteOptions, rotation: Rotation) -> Result<Self> {
        let form = match options.findings {
            true => Form::Findings { told: Told::default(), hostname: gethostname().to_string_lossy().into_owned() },
            false => Form::Reports,
        };
        let file = options.output.file().map(|path| LineFile::open(path, rotation)).transpose()?;
        Ok(Records { form, file })
    }
}

impl Sink for Records {
    fn take(&mut self, report: &Report) -> Result<()> {
        let lines = match &mut self.form {
            Form::Reports => vec![json::line(report)?],
            Form::Findings { told, hostname } => {
                let line = |(finding, change)| ecs::line(report, finding, change, Some(hostname));
                told.news(report).into_iter().map(line).collect::<Result<_>>()?
            }
        };
        match &mut self.file {
            // Each is taken in hand: what cannot be written now is written later.
            Some(file) => lines.into_iter().map(|line| file.append(line)).fold(Ok(()), Result::and),
            None if lines.is_empty() => Ok(()),
            None => output::print(lines.concat()),
        }
    }

    fn may_recover(&self) -> bool {
        self.file.is_some()
    }

    fn reopen(&mut self) -> Result<()> {
        self.file.as_mut().map_or(Ok(()), LineFile::reopen)
    }
}
