//! Where reports go: standard output, a file that is replaced.

use std::ffi::OsString;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

/// Where something is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output, which the command line calls `-`.
    StandardOutput,
    /// A file.
    File(PathBuf),
}

impl Target {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Target::StandardOutput => None,
            Target::File(path) => Some(path),
        }
    }
}

impl From<OsString> for Target {
    fn from(name: OsString) -> Self {
        if name == "-" { Target::StandardOutput } else { Target::File(name.into()) }
    }
}

/// Prints to standard output. A closed pipe is an error of kind `BrokenPipe` for the caller to meet.
pub fn print(contents: impl AsRef<[u8]>) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(contents.as_ref()).and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Puts something in place of what a file held, or prints it.
pub fn put(target: &Target, contents: impl AsRef<[u8]>) -> Result<()> {
    match target {
        Target::StandardOutput => print(contents),
        Target::File(path) => replace(path, contents),
    }
}

/// Replaces what a file holds, all at once: a reader sees the old text or the new, and an error leaves the old. Devices and pipes cannot be replaced and
/// are written to.
pub fn replace(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    let contents = contents.as_ref();
    let failed = || format!("cannot write to {}", path.display());
    // A link stays a link: what it points to is replaced.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(path).is_ok_and(|data| !data.is_file()) {
        return OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut file| file.write_all(contents))
            .with_context(failed);
    }
    let folder = folder(path);
    let mode = fs::metadata(path).map_or(0o666, |data| data.permissions().mode() & 0o777);
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".annotator-")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder)?;
        file.write_all(contents)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(failed)
}

/// Whether [`replace`] could put something there; changes nothing.
pub fn check_replaceable(path: &Path) -> Result<()> {
    if path == Path::new("-") {
        bail!("what is replaced again and again cannot go to standard output; name a file instead of `-`");
    }
    let failed = || format!("cannot write to {}", path.display());
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(path) {
        Ok(data) if data.is_dir() => Err(anyhow!("it is a folder; name a file in it")).with_context(failed),
        Ok(data) if !data.is_file() => Ok(()),
        _ => tempfile::tempfile_in(folder(path)).map(drop).with_context(failed),
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Fails where a file that is to be replaced is one of those that are to be read.
pub fn check_apart(path: &Path, inputs: &[PathBuf]) -> Result<()> {
    let identity =
        |path: &Path| fs::metadata(path).ok().filter(|data| data.is_file()).map(|data| (data.dev(), data.ino()));
    let Some(output) = identity(path) else { return Ok(()) };
    match inputs.iter().find(|input| identity(input) == Some(output)) {
        Some(input) => bail!(
            "{} would be overwritten with what is found in it ({}); name another file to write to",
            input.display(),
            path.display()
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.txt");
        replace(&path, "one").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        replace(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_dash_is_standard_output() {
        assert_eq!(Target::from(OsString::from("-")), Target::StandardOutput);
        assert_eq!(Target::from(OsString::from("./-")).file(), Some(Path::new("./-")));
        assert!(check_replaceable(Path::new("-")).is_err());
    }

    #[test]
    fn errors_name_the_file() {
        for path in ["/dev/full", "/nowhere/report.json"] {
            let error = format!("{:#}", replace(Path::new(path), "text").unwrap_err());
            assert!(error.contains(path), "{error}");
        }
    }
}
