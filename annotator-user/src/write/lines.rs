//! A file that grows by whole lines: rotated when it is full, opened again when somebody has moved it away.
//!
//! What cannot be written waits and is tried again with the next line, so a full disk costs nothing that fits into memory. A line that could be written
//! in part only is taken back, so a reader never meets half of one.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bytesize::ByteSize;
use clap::Args;

use crate::quantity::count;

/// Bytes that wait at most for a disk to have room again.
const WAITING_MAX: usize = 16 << 20;

/// When a file is full, and how many such files stay.
#[derive(Clone, Copy, Debug, Args)]
pub struct Rotation {
    /// Start a new file where --output would grow beyond this: 64MiB, 1GB. Lines stay whole.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub rotate_size: Option<ByteSize>,
    /// Full files that stay: FILE.1, the youngest, to FILE.N.
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rotate_keep: u32,
}

fn size(text: &str) -> Result<ByteSize, String> {
    match text.parse() {
        Ok(ByteSize(0)) => Err("must be larger than zero; write it like 64MiB or 1GB".into()),
        Ok(size) => Ok(size),
        Err(_) => Err("not a size; write it like 64MiB or 1GB".into()),
    }
}

/// A file that grows by whole lines.
pub struct LineFile {
    path: PathBuf,
    file: File,
    /// Devices and pipes take what they are given: it cannot be taken back.
    is_regular: bool,
    /// Where a line ends that could be written in part only and not yet be taken back.
    torn_at: Option<u64>,
    rotation: Rotation,
    waiting: VecDeque<String>,
    /// Lines that found no room among those that wait.
    lost: u64,
}

impl LineFile {
    /// Opens a file to append to, and makes it if need be. What it holds stays; a last line without an end gets one.
    pub fn open(path: &Path, rotation: Rotation) -> Result<Self> {
        let file = append_to(path)?;
        let is_regular = file.metadata().is_ok_and(|data| data.is_file());
        if rotation.rotate_size.is_some() && !is_regular {
            bail!("cannot rotate {}: it is not a plain file; leave out --rotate-size", path.display());
        }
        // A link stays a link: what it points to is rotated.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut opened =
            LineFile { path, file, is_regular, torn_at: None, rotation, waiting: VecDeque::new(), lost: 0 };
        opened.end_last_line()?;
        Ok(opened)
    }

    /// Adds a line, after those that wait. Where that fails, it waits too.
    pub fn append(&mut self, line: String) -> Result<()> {
        self.waiting.push_back(line);
        self.write_waiting()
    }

    /// Writes what waits, as far as that is possible now.
    fn write_waiting(&mut self) -> Result<()> {
        let mut rotated = Ok(());
        while let Some(line) = self.waiting.pop_front() {
            let written = self.mend().and_then(|()| {
                if rotated.is_ok() {
                    // A file that cannot be rotated goes on growing: too long is better than lost.
                    rotated = self.rotate_before(&line);
                }
                self.write(&line)
            });
            if let Err(error) = written {
                self.waiting.push_front(line);
                self.make_room();
                return Err(error).with_context(|| format!("cannot append to {}", self.path.display()));
            }
        }
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            log::warn!("could not keep {} for {} until there was room", count(lost, "line"), self.path.display());
        }
        rotated.with_context(|| format!("cannot rotate {}", self.path.display()))
    }

    /// Opens the file again by its name: somebody has moved it away. Where that fails, the lines go where they went.
    pub fn reopen(&mut self) -> Result<()> {
        let file = append_to(&self.path)?;
        self.is_regular = file.metadata().is_ok_and(|data| data.is_file());
        self.file = file;
        self.torn_at = None;
        self.end_last_line()
    }

    /// Takes half a line back that could not be taken back when it was written.
    fn mend(&mut self) -> io::Result<()> {
        if let Some(end) = self.torn_at {
            self.file.set_len(end)?;
            self.torn_at = None;
        }
        Ok(())
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        if !self.is_regular {
            return self.file.write_all(line.as_bytes());
        }
        let end = self.file.metadata()?.len();
        self.file.write_all(line.as_bytes()).inspect_err(|_| {
            self.torn_at = self.file.set_len(end).is_err().then_some(end);
        })
    }

    /// Lets go of the oldest lines that wait, where they are too many.
    fn make_room(&mut self) {
        let mut bytes: usize = self.waiting.iter().map(String::len).sum();
        while bytes > WAITING_MAX {
            let Some(oldest) = self.waiting.pop_front() else { break };
            bytes -= oldest.len();
            self.lost += 1;
        }
    }

    fn rotate_before(&mut self, line: &str) -> io::Result<()> {
        let Some(ByteSize(full)) = self.rotation.rotate_size else { return Ok(()) };
        let data = self.file.metadata()?;
        if data.len() == 0 || data.len() + line.len() as u64 <= full {
            return Ok(());
        }
        let is_here = fs::metadata(&self.path).is_ok_and(|here| (here.dev(), here.ino()) == (data.dev(), data.ino()));
        if is_here {
            // The new file comes first: a folder that takes none keeps its old ones.
            let folder = self.path.parent().unwrap_or(Path::new("/"));
            let mode = Permissions::from_mode(data.permissions().mode() & 0o777);
            let fresh = tempfile::Builder::new().prefix(".annotator-").permissions(mode).tempfile_in(folder)?;
            for number in (1..self.rotation.rotate_keep).rev() {
                move_if_there(&self.numbered(number), &self.numbered(number + 1))?;
            }
            move_if_there(&self.path, &self.numbered(1))?;
            fresh.persist(&self.path)?;
        }
        self.file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        name.into()
    }

    /// Whoever wrote to the file before may have been killed in the middle of a line.
    fn end_last_line(&mut self) -> Result<()> {
        if !self.is_regular {
            return Ok(());
        }
        let mut last = [b'\n'];
        // What may be written to but not read is taken as it is.
        if let Ok(mut file) = File::open(&self.path)
            && file.seek(SeekFrom::End(-1)).is_ok()
        {
            file.read_exact(&mut last).with_context(|| format!("cannot read {}", self.path.display()))?;
        }
        if last != [b'\n'] {
            self.append("\n".into())?;
        }
        Ok(())
    }
}

fn append_to(path: &Path) -> Result<File> {
    let open = OpenOptions::new().append(true).create(true).open(path);
    open.with_context(|| format!("cannot append to {}", path.display()))
}

fn move_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Drop for LineFile {
    fn drop(&mut self) {
        let written = self.write_waiting();
        let lost = self.lost + self.waiting.len() as u64;
        if let Err(error) = written
            && lost > 0
        {
            log::error!("{error:#}; what is lost: {}", count(lost, "line"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: Rotation = Rotation { rotate_size: None, rotate_keep: 5 };
    const TINY: Rotation = Rotation { rotate_size: Some(ByteSize(8)), rotate_keep: 2 };

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn lines_are_appended_to_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "whole\nhalf").unwrap();
        let mut lines = LineFile::open(&path, ENDLESS).unwrap();
        lines.append("1\n".into()).unwrap();
        lines.append("2\n".into()).unwrap();
        assert_eq!(text(&path), "whole\nhalf\n1\n2\n");
    }

    #[test]
    fn a_full_file_is_rotated_between_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let mut lines = LineFile::open(&path, TINY).unwrap();
        for line in ["aaa\n", "bbb\n", "ccc\n", "longer than a file\n", "ddd\n", "eee\n", "f\n"] {
            lines.append(line.into()).unwrap();
        }
        assert_eq!(names(folder.path()), ["log", "log.1", "log.2"]);
        assert_eq!(text(&path), "f\n");
        assert_eq!(text(&folder.path().join("log.1")), "ddd\neee\n");
        assert_eq!(text(&folder.path().join("log.2")), "longer than a file\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("log"), folder.path().join("moved"));
        let mut lines = LineFile::open(&path, TINY).unwrap();
        lines.append("1\n".into()).unwrap();
        fs::rename(&path, &moved).unwrap();
        lines.append("2\n".into()).unwrap();
        lines.reopen().unwrap();
        lines.append("3\n".into()).unwrap();
        assert_eq!((text(&moved), text(&path)), ("1\n2\n".into(), "3\n".into()));
        // Without a word, it is noticed when the file is full.
        fs::rename(&path, &moved).unwrap();
        lines.append("44444\n".into()).unwrap();
        lines.append("55555\n".into()).unwrap();
        assert_eq!((text(&moved), text(&path)), ("3\n44444\n".into(), "55555\n".into()));
    }

    #[test]
    fn what_cannot_be_written_waits_within_bounds() {
        let mut lines = LineFile::open(Path::new("/dev/full"), ENDLESS).unwrap();
        for _ in 0..5 {
            let error = lines.append(format!("{}\n", "x".repeat(4 << 20))).unwrap_err();
            assert!(format!("{error:#}").contains("/dev/full"), "{error:#}");
        }
        assert_eq!((lines.waiting.len(), lines.lost), (3, 2));
    }

    #[test]
    fn sizes() {
        assert_eq!(size("64MiB"), Ok(ByteSize::mib(64)));
        assert_eq!(size("1 GB"), Ok(ByteSize::gb(1)));
        assert_eq!(size("1000"), Ok(ByteSize(1000)));
        for wrong in ["0", "", "-1", "big", "1 XB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_opened_is_named() {
        for (path, rotation) in [("/nowhere/log", ENDLESS), ("/dev/null", TINY), ("/", ENDLESS)] {
            let error = LineFile::open(Path::new(path), rotation).map(|_| ()).unwrap_err();
            assert!(format!("{error:#}").contains(path), "{error:#}");
        }
    }
}
