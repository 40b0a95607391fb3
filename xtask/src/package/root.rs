//! A small Debian in `target/package-root/`, made once.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use annotator_toolchain::{
    apt::{Apt, Status, Suite},
    cache, command, lock, workspace,
};
use anyhow::{Context as _, Result};

use crate::host;

/// The oldest Debian that the package is for.
const SUITE: Suite = Suite { archive: "debian", name: "bookworm" };
/// An init, what the package depends on, and what the test makes its network and traffic with.
const PACKAGES: &str = "systemd,dbus,procps,iproute2,iputils-ping";

/// The folder, for one test at a time.
pub struct Root {
    path: PathBuf,
    _lock: fs::File,
}

impl Root {
    /// From the cache, or from Debian.
    pub fn fetch() -> Result<Self> {
        let base = cache(&workspace()).join("package-root");
        let path = base.join(SUITE.name);
        let root = Self { _lock: lock(&base.join("lock"))?, path };
        // Named with its packages, so that other ones make another root.
        let stamp = base.join(format!("{}.complete", SUITE.name));
        if fs::read_to_string(&stamp).is_ok_and(|packages| packages == PACKAGES) {
            return Ok(root);
        }
        host::require("mmdebstrap", "mmdebstrap", "making a Debian to test the package in")?;
        eprintln!("Making a small Debian in {}, half a minute: the package is tested in it", root.path.display());
        if root.path.exists() {
            fs::remove_dir_all(&root.path).with_context(|| format!("cannot remove {}", root.path.display()))?;
        }
        let apt = Apt::new(&base.join("apt"), &[SUITE], Status::Empty)?;
        let mut make = Command::new("mmdebstrap");
        make.args(["--quiet", "--variant=minbase", &format!("--include={PACKAGES}"), SUITE.name]);
        command::capture(make.arg(&root.path).arg(apt.sources()))?;
        apt.remove()?;
        fs::write(&stamp, PACKAGES).with_context(|| format!("cannot write {}", stamp.display()))?;
        Ok(root)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
