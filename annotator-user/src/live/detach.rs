//! `annotator detach`: ends what `run --pin` has left attached, and nothing else.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::interface::{self, XdpProgram};
use super::pin::{Folder, Pinned};
use super::{attach, holders, privileges, runtime};
use crate::cli::DetachOptions;
use crate::quantity::{count, number};
use crate::write::style::safe;

/// The kernel detaches a link some moments after its last pin is removed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was done, and what was not.
#[derive(Debug, Default)]
pub struct Detached {
    /// A sentence for each thing done.
    pub done: Vec<String>,
    /// A sentence for each thing that was left as it is.
    pub left: Vec<String>,
}

/// Detaches from the interfaces that are asked for.
pub fn run(options: &DetachOptions) -> Result<Detached> {
    // Not clap's business: a configuration file may name the interfaces.
    ensure!(options.all || !options.interfaces.is_empty(), "detach from what? Name interfaces, or say --all");
    privileges::check_looking()?;
    let folders = Folder::all(&options.pin)?;
    let mut detached = Detached::default();
    if options.all && folders.is_empty() {
        detached.done.push(format!("nothing is pinned in {}", options.pin.display()));
    }
    for folder in folders.iter().filter(|folder| options.all || options.interfaces.contains(&folder.interface)) {
        match remove(folder) {
            Ok(done) => detached.done.push(done),
            Err(error) => detached.left.push(format!("{error:#}")),
        }
    }
    let named = if options.all { &[] } else { &options.interfaces[..] };
    for interface in named {
        if !folders.iter().any(|folder| folder.interface == *interface) {
            detached.left.push(format!(
                "nothing of {interface} is pinned in {}{}",
                options.pin.display(),
                there(interface)?
            ));
        }
    }
    Ok(detached)
}

/// Removes one interface's pins.
fn remove(folder: &Folder) -> Result<String> {
    let (name, path) = (safe(&folder.interface), folder.path.display());
    let _lock = folder.lock()?;
    // What cannot be opened as an attachment holds none.
    let pinned = folder.pinned().unwrap_or_default();
    let Some(pinned) = pinned.filter(|pinned| pinned.index != 0) else {
        folder.remove()?;
        return Ok(format!("{name}: {path} is removed; nothing was attached by it"));
    };
    let program = program_name(pinned.program);
    ensure!(
        attach::is_ours(&program),
        "{name}: {path} holds the program {} (id {}), which is not annotator's; it is left alone",
        safe(&program),
        pinned.program
    );
    let counted = folder.counted();
    folder.remove()?;
    wait_for_end(pinned).with_context(|| format!("{name}: {path} is removed"))?;
    let counted = counted.map_or_else(
        |_| "its counters have another layout than this version's".to_owned(),
        |counted| {
            let total = count((counted.reported + counted.unreported).packets, "packet");
            match counted.unreported.packets {
                0 => format!("it had counted {total}, all reported"),
                unreported => format!("it had counted {total}, of which {} had not been reported", number(unreported)),
            }
        },
    );
    Ok(format!("{name}: the program {program} (id {}) is detached; {counted}", pinned.program))
}

/// Waits until no interface of this namespace has the program.
fn wait_for_end(pinned: Pinned) -> Result<()> {
    let start = Instant::now();
    let runtime = runtime()?;
    while runtime
        .block_on(interface::all())?
        .iter()
        .any(|(_, programs)| programs.iter().any(|one| one.id == pinned.program))
    {
        if start.elapsed() > PATIENCE {
            bail!("the program with the id {} is still attached; another process or pin holds it", pinned.program);
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// What is attached to an interface of which nothing is pinned.
fn there(name: &str) -> Result<String> {
    let interfaces = runtime()?.block_on(interface::all())?;
    let Some((_, programs)) = interfaces.into_iter().find(|(interface, _)| interface == name) else {
        return Ok(", and there is no such interface".to_owned());
    };
    let Some(XdpProgram { id, .. }) = programs.first().copied() else {
        return Ok(", and no XDP program is attached to it".to_owned());
    };
    let program = program_name(id);
    let holder = holders::all()?.into_iter().find(|held| held.program == id);
    let holder = holder.map(|held| format!("process {} ({})", held.process, safe(&held.name)));
    Ok(match holder {
        Some(holder) if attach::is_ours(&program) => {
            format!("; {holder} is watching it, and detaches when it is stopped")
        }
        _ if attach::is_ours(&program) => format!("; its program {program} (id {id}) is held elsewhere"),
        _ => format!("; its XDP program {} (id {id}) is not annotator's, and is left alone", safe(&program)),
    })
}

fn program_name(id: u32) -> String {
    attach::program(id).and_then(|program| program.name_as_str().map(str::to_owned)).unwrap_or_default()
}
