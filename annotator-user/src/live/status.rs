//! `annotator status`: what is attached where, by whom, and how much it has counted.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use anyhow::Result;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;

use super::attach::{self, Mode};
use super::clock::wall_offset;
use super::holders::{self, Held};
use super::interface::{self, XdpProgram};
use super::pin::{Folder, Pinned};
use super::{privileges, runtime};
use crate::cli::StatusOptions;
use crate::observation::Moment;
use crate::quantity::count;
use crate::write::phrases::local_time;
use crate::write::style::{bytes, safe};

/// Name and version of the form of [`Status`].
const SCHEMA: &str = "annotator.status/1";

/// What is attached to the interfaces of this network namespace, and what is pinned.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Status {
    /// Name and version of this form.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// XDP programs on interfaces, ours and others'.
    pub attachments: Vec<Attachment>,
    /// Pins that belong to no interface here.
    pub leftovers: Vec<Leftover>,
    #[serde(skip)]
    dir: PathBuf,
}

/// An XDP program on an interface.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Attachment {
    /// The interface.
    pub interface: String,
    /// Where the program runs.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("enum" = ["native", "generic", "offloaded"]))]
    pub xdp_mode: Mode,
    /// The program's id.
    pub program_id: u32,
    /// The program's name.
    pub program: String,
    /// Whether it is annotator's.
    pub annotator: bool,
    /// Since when it counts; another's: since when it is loaded.
    pub since: Option<Moment>,
    /// The process that holds it.
    pub process: Option<Process>,
    /// The id of the link that attaches it, which outlives a program that is replaced; known of what is pinned or held by a process.
    pub link_id: Option<u32>,
    /// Where it is pinned.
    pub pinned: Option<PathBuf>,
    /// Version of the layout of its counters.
    pub layout: Option<String>,
    /// Packets counted since it was attached; known of what is pinned.
    pub packets: Option<u64>,
    /// Bytes of them.
    pub bytes: Option<u64>,
    /// Why its counters cannot be read.
    pub problem: Option<String>,
}

/// A process that holds an attachment.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Process {
    /// Its id.
    pub id: i32,
    /// Its name.
    pub name: String,
}

/// Pins that belong to no interface here.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Leftover {
    /// Where they are.
    pub path: PathBuf,
    /// The interface that they are named after.
    pub interface: String,
    /// What is wrong.
    pub problem: String,
}

/// Looks at everything.
pub fn look(options: &StatusOptions) -> Result<Status> {
    privileges::check_looking()?;
    let mut folders: Vec<(Folder, Result<Option<Pinned>>)> =
        Folder::all(&options.pin)?.into_iter().map(|folder| (folder.pinned(), folder)).map(|(a, b)| (b, a)).collect();
    let held = holders::all()?;
    let mut attachments = Vec::new();
    for (interface, programs) in runtime()?.block_on(interface::all())? {
        for program in programs {
            let is_it =
                |pinned: &Result<Option<Pinned>>| matches!(pinned, Ok(Some(pinned)) if pinned.program == program.id);
            let pinned = folders.iter().position(|(_, pinned)| is_it(pinned)).map(|at| folders.remove(at));
            let pinned = pinned.and_then(|(folder, pinned)| Some((folder, pinned.ok()??.link)));
            attachments.push(Attachment::of(&interface, program, pinned, &held));
        }
    }
    let leftovers = folders.into_iter().map(|(folder, pinned)| Leftover::of(folder, pinned)).collect();
    Ok(Status { schema: SCHEMA, attachments, leftovers, dir: options.pin.clone() })
}

impl Attachment {
    fn of(interface: &str, XdpProgram { mode, id }: XdpProgram, pinned: Option<(Folder, u32)>, held: &[Held]) -> Self {
        let program = attach::program(id);
        let name = program.as_ref().and_then(|program| program.name_as_str()).unwrap_or_default().to_owned();
        let loaded = program.and_then(|program| program.loaded_at()?.duration_since(UNIX_EPOCH).ok());
        let holder = held.iter().find(|held| held.program == id);
        let (folder, link) = pinned.unzip();
        let mut attachment = Attachment {
            interface: interface.to_owned(),
            xdp_mode: mode,
            program_id: id,
            annotator: attach::is_ours(&name),
            program: name,
            since: loaded.map(|since| Moment(since.as_nanos() as i64)),
            process: holder.map(|held| Process { id: held.process, name: held.name.clone() }),
            link_id: link.or(holder.map(|held| held.link)),
            pinned: folder.as_ref().map(|folder| folder.path.clone()),
            layout: folder.as_ref().map(|folder| folder.version.clone()),
            packets: None,
            bytes: None,
            problem: None,
        };
        match folder.as_ref().map(Folder::counted) {
            Some(Ok(counted)) => {
                let total = counted.reported + counted.unreported;
                attachment.since = Some(Moment(counted.since + wall_offset()));
                attachment.packets = Some(total.packets);
                attachment.bytes = Some(total.bytes);
            }
            Some(Err(error)) => attachment.problem = Some(format!("{error:#}")),
            None => {}
        }
        attachment
    }

    fn text(&self) -> String {
        let mut text =
            format!("{} ({}): {}, id {}", self.interface, self.xdp_mode, safe(&self.program), self.program_id);
        if let Some(since) = self.since {
            let _ = write!(text, ", since {}", local_time(since, &TimeZone::system()));
        }
        text.push('\n');
        if let Some((packets, amount)) = self.packets.zip(self.bytes) {
            let _ = writeln!(text, "  {}, {}", count(packets, "packet"), bytes(amount));
        }
        if let Some(problem) = &self.problem {
            let _ = writeln!(text, "  its counters cannot be read: {problem}");
        }
        let process = self.process.as_ref().map(|process| format!("process {} ({})", process.id, safe(&process.name)));
        let _ = match (&self.pinned, process) {
            (Some(path), Some(process)) => writeln!(text, "  pinned in {}, used by {process}", path.display()),
            (Some(path), None) => writeln!(text, "  pinned in {}, counting for the next agent", path.display()),
            (None, Some(process)) => writeln!(text, "  held by {process}"),
            (None, None) => writeln!(text, "  held by no process that can be seen, and not pinned here"),
        };
        if !self.annotator {
            text.push_str("  not annotator's\n");
        }
        text
    }
}

impl Leftover {
    fn of(folder: Folder, pinned: Result<Option<Pinned>>) -> Self {
        let problem = match pinned {
            Ok(None) => {
                "no attachment is pinned in it: an agent was stopped while it started, or is starting".to_owned()
            }
            Ok(Some(Pinned { index: 0, .. })) => "its interface is gone".to_owned(),
            Ok(Some(pinned)) => {
                format!("it is attached to an interface with the index {} in another network namespace", pinned.index)
            }
            Err(error) => format!("{error:#}"),
        };
        Leftover { path: folder.path, interface: folder.interface, problem }
    }
}

impl Status {
    /// For people.
    pub fn text(&self) -> String {
        if self.attachments.is_empty() && self.leftovers.is_empty() {
            return format!("No interface has an XDP program, and nothing is pinned in {}.\n", self.dir.display());
        }
        let mut text: String = self.attachments.iter().map(Attachment::text).collect();
        for leftover in &self.leftovers {
            let (path, dir) = (leftover.path.display(), self.dir.display());
            let _ = writeln!(text, "{path}: {}", leftover.problem);
            let _ = writeln!(text, "  to remove it: annotator detach {} --pin={dir}", safe(&leftover.interface));
        }
        text
    }

    /// For machines.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

fn shown<S: serde::Serializer>(value: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
