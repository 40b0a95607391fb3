//! `cargo xtask dist`: what is handed out, in `target/dist/`: a static program in an archive, a Debian package, and checksums of both.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use annotator_toolchain::{cache, command, lock, workspace};
use anyhow::{Context as _, Result};

use crate::{host, setup};

const TARGET: &str = "x86_64-unknown-linux-gnu";
const PROFILE: &str = "dist";
/// The last that was tried.
const CARGO_DEB_VERSION: &str = "~3.8";
/// Beside the program and what is made from its command line, the archive holds these.
const ALONGSIDE: [&str; 7] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-GPL2",
    "LICENSE-MIT",
    "packaging/annotator.service",
    "packaging/annotator.toml",
];

/// Builds everything and returns the Debian package.
pub fn run() -> Result<PathBuf> {
    setup::run()?;
    let place = cache(&workspace()).join("dist");
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| format!("cannot remove {}", place.display()))?;
    }
    let stage = place.join("stage");
    fs::create_dir_all(&stage).with_context(|| format!("cannot create {}", stage.display()))?;
    lay_out(&stage)?;
    let version = env!("CARGO_PKG_VERSION");
    let package = format!("annotator_{version}-1_amd64.deb");
    pack_debian(&place.join(&package))?;
    let archive = format!("annotator-{version}-x86_64-linux.tar.gz");
    pack_archive(&stage, &place.join(&archive))?;
    let sums = command::stdout(Command::new("sha256sum").args([&package, &archive]).current_dir(&place))?;
    write(&place.join("SHA256SUMS"), &sums)?;
    eprintln!("In {}:\n{sums}", place.display());
    Ok(place.join(package))
}

/// Compiles programs as they are handed out, linked statically, and returns where they are.
pub fn compile(which: &[&str]) -> Result<PathBuf> {
    let target = cache(&workspace()).join("dist-build");
    let mut cargo = host::cargo(&["build"]);
    cargo
        .args(which)
        // With a target named, flags do not reach build scripts and macros.
        .args(["--profile", PROFILE, "--target", TARGET, "--target-dir"])
        .arg(&target)
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static")
        .env("CARGO_BUILD_BUILD_DIR", &target);
    command::show(&mut cargo)?;
    Ok(target.join(TARGET).join(PROFILE))
}

/// Builds the static program, and puts it, manual pages and completions into a folder.
fn lay_out(stage: &Path) -> Result<()> {
    let built = compile(&["--package", "annotator", "--package", "annotator-packaging", "--bins"])
        .context("cannot build the static program")?;
    let program = built.join("annotator");
    fs::copy(&program, stage.join("annotator")).with_context(|| format!("cannot copy {}", program.display()))?;
    command::capture(Command::new(built.join("annotator-packaging")).arg(stage))?;
    let pages = fs::read_dir(stage.join("man"))
        .context("there are no manual pages")?
        .map(|page| Ok(page?.path()))
        .collect::<Result<Vec<_>>>()?;
    command::capture(Command::new("gzip").args(["-9", "-n"]).args(pages))?;
    Ok(())
}

fn pack_debian(package: &Path) -> Result<()> {
    let mut deb = Command::new(cargo_deb()?);
    deb.current_dir(workspace())
        .args(["deb", "--quiet", "--no-build", "--no-strip", "--package", "annotator", "--output"])
        .arg(package);
    command::capture(&mut deb).context("cannot make the Debian package")?;
    Ok(())
}

/// `cargo-deb`, which is built at first use.
fn cargo_deb() -> Result<PathBuf> {
    let root = cache(&workspace()).join("cargo-deb");
    let program = root.join("bin/cargo-deb");
    let _lock = lock(&cache(&workspace()).join("cargo-deb.lock"))?;
    if !program.exists() {
        eprintln!("Building cargo-deb {CARGO_DEB_VERSION}, a minute or two: it makes the Debian package");
        fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
        command::capture(&mut command::cargo_install(&root, "cargo-deb", CARGO_DEB_VERSION))
            .context("cannot build cargo-deb; is the crate registry reachable?")?;
        fs::remove_dir_all(root.join("build")).context("cannot remove what building cargo-deb left")?;
    }
    Ok(program)
}

fn pack_archive(stage: &Path, archive: &Path) -> Result<()> {
    for file in ALONGSIDE {
        let from = workspace().join(file);
        let name = from.file_name().context("a file has a name")?;
        fs::copy(&from, stage.join(name)).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    let mut tar = Command::new("tar");
    tar.arg("--create").arg("--gzip").arg("--file").arg(archive);
    tar.args(["--owner=0", "--group=0", "--sort=name", "--transform=s,^[.],annotator,", "--directory"])
        .arg(stage)
        .arg(".");
    command::capture(&mut tar)?;
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
