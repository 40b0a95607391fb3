//! Which processes hold BPF links, as `/proc` tells.

use std::fs;

use anyhow::{Context, Result};
use procfs::process::{FDTarget, Process, all_processes};

/// A BPF link that a process has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The process's id.
    pub process: i32,
    /// The process's name.
    pub name: String,
    /// The link's id.
    pub link: u32,
    /// The id of its program.
    pub program: u32,
    /// Index of the interface that an XDP link is attached to: 0 where that is gone, none where it is no such link.
    pub interface: Option<u32>,
}

/// All links that processes have open, as far as this process may look.
pub fn all() -> Result<Vec<Held>> {
    let processes = all_processes().context("listing processes")?;
    // Processes come and go, and those of others are closed to all but root.
    Ok(processes.flatten().filter_map(|process| held_by(&process).ok()).flatten().collect())
}

/// The links that this process has open.
pub fn own() -> Result<Vec<Held>> {
    held_by(&Process::myself()?).context("looking at the open files of this process")
}

fn held_by(process: &Process) -> Result<Vec<Held>> {
    let is_bpf = |target: &FDTarget| matches!(target, FDTarget::AnonInode(kind) if kind.starts_with("bpf"));
    let mut held = Vec::new();
    for file in process.fd()?.flatten().filter(|file| is_bpf(&file.target)) {
        let info = fs::read_to_string(format!("/proc/{}/fdinfo/{}", process.pid(), file.fd))?;
        let field = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|value| value.trim().parse().ok())
        };
        if let Some((link, program)) = field("link_id").zip(field("prog_id")) {
            let name = process.stat()?.comm;
            held.push(Held { process: process.pid(), name, link, program, interface: field("ifindex") });
        }
    }
    Ok(held)
}
