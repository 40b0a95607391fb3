//! Pins: what stays in the kernel when the agent ends, and how the next one finds it.
//!
//! `DIR/v1/eth0/` on a BPF file system holds the link of one interface, its maps, and what has been reported of them. The version is that of the
//! memory's layout ([`LAYOUT`]): memory of another one is never adopted. The folder is locked while an agent is at work. The link is pinned last, so
//! a folder without one was never complete. The program itself is not kept: each agent puts its own in the place of the last one's.

use std::ffi::CString;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use annotator_common::{Count, LAYOUT};
use anyhow::{Context, Result, anyhow, bail, ensure};
use aya::EbpfLoader;
use aya::programs::links::PinnedLink;

use super::attach::Mode;
use super::handover::Handover;
use super::interface::{self, Interface};
use super::kernel::{Ledgers, possible_cpus, shapes};
use super::{holders, watched};
use crate::counters::Counters;
use crate::quantity::count;

/// Where pins lie unless told otherwise.
pub const DEFAULT_DIR: &str = "/sys/fs/bpf/annotator";

/// The folder of an interface's pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// The version of the layout that its memory has.
    pub version: String,
    /// The interface's name.
    pub interface: String,
}

/// A pinned attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The link's id.
    pub link: u32,
    /// The program's id.
    pub program: u32,
    /// The interface's index, 0 where the interface is gone.
    pub index: u32,
}

/// How much was counted since a program was attached.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// When that was, in nanoseconds of the monotonic clock.
    pub since: i64,
    /// What an agent has reported.
    pub reported: Count,
    /// What none has reported yet.
    pub unreported: Count,
}

impl Folder {
    /// This version's folder for an interface.
    pub fn of(dir: &Path, interface: &str) -> Self {
        let version = format!("v{LAYOUT}");
        // A BPF file system refuses names with dots, and the kernel interfaces with colons.
        let path = dir.join(&version).join(interface.replace('.', ":"));
        Folder { path, version, interface: interface.to_owned() }
    }

    /// The folders of all interfaces and versions.
    pub fn all(dir: &Path) -> Result<Vec<Folder>> {
        let mut folders = Vec::new();
        // Others may keep pins of their own beside ours.
        let is_version = |name: &String| name.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok());
        for version in entries(dir)?.into_iter().filter(is_version) {
            for interface in entries(&dir.join(&version))? {
                let path = dir.join(&version).join(&interface);
                folders.push(Folder { path, version: version.clone(), interface: interface.replace(':', ".") });
            }
        }
        folders.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(folders)
    }

    /// The attachment that is pinned in it, if one is.
    pub fn pinned(&self) -> Result<Option<Pinned>> {
        let path = self.link();
        if !path.try_exists().with_context(|| format!("looking for {}", path.display()))? {
            return Ok(None);
        }
        let cannot = || format!("{} is not an attachment that annotator has pinned", path.display());
        let link = PinnedLink::from_pin(&path).with_context(cannot)?;
        let info = aya::programs::links::FdLink::from(link);
        let (link, program) = info.info().map(|info| (info.id(), info.program_id())).with_context(cannot)?;
        let held = holders::own()?.into_iter().find(|held| held.link == link).with_context(cannot)?;
        Ok(Some(Pinned { link, program, index: held.interface.with_context(cannot)? }))
    }

    /// What its maps say.
    pub fn counted(&self) -> Result<Counted> {
        let handover = Handover::open(&self.handover(), possible_cpus()?)?;
        let reported = handover.read();
        let mut now = watched::ledger();
        Ledgers::pinned(|name| self.map(name))?.sum_into(&mut now);
        let mut difference = reported.ledger;
        for (word, now) in difference.words_mut().iter_mut().zip(now.words()) {
            *word = now.wrapping_sub(*word);
        }
        Ok(Counted {
            since: handover.attached_at(),
            reported: reported.total,
            unreported: Counters::from_difference(&difference).total(),
        })
    }

    /// Keeps others from using it until the result is dropped.
    pub fn lock(&self) -> Result<File> {
        let tried = || format!("locking {}", self.path.display());
        let file = File::open(&self.path).with_context(tried)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "the pins of {} in {} are in use{}; stop that agent first",
                self.interface,
                self.path.display(),
                self.user()
            ),
            Err(TryLockError::Error(error)) => return Err(error).with_context(tried),
        }
        // Whoever had the lock until now may have removed the folder.
        let (locked, there) = (file.metadata().with_context(tried)?, fs::metadata(&self.path).with_context(tried)?);
        ensure!(locked.ino() == there.ino(), "{} was just removed; try again", self.path.display());
        Ok(file)
    }

    /// Removes it with all that is pinned in it. What nobody else holds ends: the link detaches.
    pub fn remove(&self) -> Result<()> {
        self.clear()?;
        let cannot = || format!("cannot remove {}", self.path.display());
        fs::remove_dir(&self.path).with_context(cannot)?;
        for parent in self.path.ancestors().skip(1).take(2) {
            match fs::remove_dir(parent) {
                Ok(()) => {}
                // What others have pinned, or a folder that somebody has made for us, stays.
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => break,
                Err(error) => {
                    log::debug!("{} stays: {error}", parent.display());
                    break;
                }
            }
        }
        Ok(())
    }

    fn clear(&self) -> Result<()> {
        for name in entries(&self.path)? {
            let path = self.path.join(name);
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    /// Which process has the link open, as far as one can see.
    fn user(&self) -> String {
        let link = self.pinned().ok().flatten();
        let held = holders::all().unwrap_or_default();
        let ours = std::process::id().cast_signed();
        link.and_then(|link| held.into_iter().find(|held| held.link == link.link && held.process != ours))
            .map_or_else(String::new, |held| format!(" by process {} ({})", held.process, held.name))
    }

    fn create(&self) -> Result<()> {
        match DirBuilder::new().recursive(true).mode(0o700).create(&self.path) {
            Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => Err(anyhow!(error).context(format!(
                "cannot pin in {}; make its BPF file system writable with: mount -o remount,rw /sys/fs/bpf",
                self.path.display()
            ))),
            other => other.with_context(|| format!("cannot make the folder {}", self.path.display())),
        }
    }

    fn link(&self) -> PathBuf {
        self.path.join("link")
    }

    fn handover(&self) -> PathBuf {
        self.path.join("handover")
    }

    fn map(&self, name: &str) -> PathBuf {
        self.path.join(name.to_lowercase())
    }
}

/// The pins of an interface under watch, locked for this process.
pub struct Pins {
    folder: Folder,
    cpus: u32,
    /// What is left to the next agent.
    pub handover: Handover,
    /// Where the program that goes on counting runs, if there is one.
    pub running: Option<Mode>,
    /// What the reader of a report should know of pins that were found.
    pub note: Option<String>,
    /// Whether they stay when this value goes.
    kept: bool,
    _lock: File,
}

impl Pins {
    /// Finds what an agent before this one has left, or makes place for pins. `seed` is used where nothing was left.
    pub fn open(dir: &Path, interface: &Interface, seed: [u64; 2]) -> Result<Self> {
        let name = &interface.name;
        require_bpf_file_system(dir)?;
        let folder = Folder::of(dir, name);
        if let Some(other) =
            Folder::all(dir)?.iter().find(|one| one.interface == *name && one.version != folder.version)
        {
            bail!(
                "{name} is pinned in {} by an annotator whose counters are laid out otherwise ({}, this one has {}), so they cannot be taken \
                 over. To end that: annotator detach {name} --pin={}",
                other.path.display(),
                other.version,
                folder.version,
                dir.display()
            );
        }
        folder.create()?;
        let lock = folder.lock()?;
        let advice =
            || format!("nothing was taken over; to remove it: annotator detach {name} --pin={}", dir.display());
        let (cpus, mut note) = (possible_cpus()?, None);
        if let Some(pinned) = folder.pinned().with_context(advice)? {
            if pinned.index != 0 {
                let Some(program) = interface.xdp.iter().find(|program| program.id == pinned.program) else {
                    bail!(
                        "{} is the attachment to another interface, which has the index {}; {}",
                        folder.link().display(),
                        pinned.index,
                        advice()
                    );
                };
                let handover = open_all(&folder, cpus).with_context(advice)?;
                return Ok(Pins { folder, cpus, handover, running: Some(program.mode), note, kept: true, _lock: lock });
            }
            let unreported = folder.counted().map_or(0, |counted| counted.unreported.packets);
            note = Some(format!(
                "{name}: {} was the attachment to an earlier interface of this name, which is gone, and was removed; {} that it \
                 had counted never got into a report",
                folder.path.display(),
                count(unreported, "packet")
            ));
        }
        folder.clear()?;
        let received = interface::received(name).unwrap_or_default();
        let handover = Handover::create(&folder.handover(), cpus, seed, received)?;
        Ok(Pins { folder, cpus, handover, running: None, note, kept: false, _lock: lock })
    }

    /// Has an object use the pinned maps, or pin those that it makes.
    pub fn place(&self, loader: &mut EbpfLoader<'_>) {
        for shape in shapes(self.cpus) {
            loader.map_pin_path(shape.name, self.folder.map(shape.name));
        }
    }

    /// Where the link is pinned.
    pub fn link(&self) -> PathBuf {
        self.folder.link()
    }

    /// Leaves the pins to the next agent.
    pub fn keep(&mut self) {
        self.kept = true;
    }

    /// Removes the pins: the interface is gone.
    pub fn discard(&mut self) -> Result<()> {
        self.kept = true;
        self.folder.remove()
    }
}

impl Drop for Pins {
    /// Where the start failed halfway, nothing is left behind.
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = self.folder.remove()
        {
            log::warn!("{error:#}");
        }
    }
}

/// Opens what must be there beside a link.
fn open_all(folder: &Folder, cpus: u32) -> Result<Handover> {
    for shape in shapes(cpus) {
        shape.open(&folder.map(shape.name))?;
    }
    Handover::open(&folder.handover(), cpus)
}

/// Names in a folder; none where there is no folder.
fn entries(folder: &Path) -> Result<Vec<String>> {
    let reading = || format!("reading {}", folder.display());
    let listed = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        other => other.with_context(reading)?,
    };
    listed.map(|entry| Ok(entry.with_context(reading)?.file_name().to_string_lossy().into_owned())).collect()
}

/// Fails where the folder is not, or would not be, on a BPF file system: nothing can be pinned elsewhere.
fn require_bpf_file_system(dir: &Path) -> Result<()> {
    let there = dir.ancestors().find(|one| one.exists()).unwrap_or(Path::new("/"));
    let path = CString::new(there.as_os_str().as_bytes()).context("a folder's name cannot hold a zero byte")?;
    let mut found = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: a terminated string, and a place that is large enough.
    if unsafe { libc::statfs(path.as_ptr(), found.as_mut_ptr()) } != 0 {
        return Err(std::io::Error::last_os_error())
            .with_context(|| format!("looking at the file system of {}", there.display()));
    }
    // SAFETY: the call has filled it.
    let kind = unsafe { found.assume_init() }.f_type;
    if kind == libc::BPF_FS_MAGIC {
        return Ok(());
    }
    // Not where it would hide what is there.
    let place = if dir.starts_with("/sys/fs/bpf") { Path::new("/sys/fs/bpf") } else { dir }.display();
    bail!(
        "nothing can be pinned in {}: that is not on a BPF file system. To mount one: mkdir -p {place} && mount -t bpf bpf {place}",
        dir.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_after_version_and_interface() {
        let folder = Folder::of(Path::new("/bpf"), "eth0.100");
        assert_eq!(folder.path, Path::new(&format!("/bpf/v{LAYOUT}/eth0:100")));
        assert_eq!(folder.interface, "eth0.100");
    }
}
