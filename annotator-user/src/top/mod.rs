//! `annotator top`: reports on a full screen, live from interfaces or of captures.
//!
//! [`state`] is what is shown and what keys do to it, [`view`] draws it, [`terminal`] takes and gives back the terminal; [`watching`] and
//! [`walking`] bring the reports.

mod detail;
mod history;
mod listing;
mod pane;
mod state;
mod target;
pub mod terminal;
mod view;
mod walk;
mod walking;
mod watching;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::cli::{CaptureOptions, WatchOptions, listening_port, positive_duration};
use crate::counters::PortProto;
use target::Targets;

/// Options of `annotator top`.
#[derive(Clone, Debug, Args)]
pub struct TopOptions {
    /// Interfaces to watch, or capture files to walk through. What has a slash in it is a file; `-` is a capture on standard input.
    #[arg(required = true, value_name = "IFACE|FILE")]
    pub targets: Vec<PathBuf>,
    /// Time between two pictures of an interface.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = positive_duration)]
    pub refresh: Duration,
    /// How interfaces are watched.
    #[command(flatten)]
    pub watching: WatchOptions,
    /// For captures: ports on which something listens, as far as you know: tcp/22,udp/53.
    #[arg(long, value_name = "PROTO/PORT", value_delimiter = ',', value_parser = listening_port)]
    pub listening: Vec<(PortProto, u16)>,
}

/// Shows what was named, until somebody quits.
pub fn run(options: &TopOptions) -> Result<()> {
    match Targets::find(&options.targets)? {
        Targets::Interfaces(interfaces) => {
            terminal::check(&format!("annotator run {}", interfaces.join(" ")))?;
            watching::run(&interfaces, options)
        }
        Targets::Captures(files) => {
            terminal::check("annotator read FILE")?;
            walking::run(&CaptureOptions {
                files,
                listening: options.listening.clone(),
                local: options.watching.local.clone(),
                rules: options.watching.rules.clone(),
            })
        }
    }
}

#[cfg(test)]
mod tests;
