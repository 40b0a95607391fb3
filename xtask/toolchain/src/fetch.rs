//! Makes a toolchain out of Debian's packages and `bpf-linker`, in a folder, without root.
//!
//! A set is built beside its final place and renamed when all of it works, so what is there is always complete.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    STAMP, TARGET,
    apt::{Apt, Package, Status, Suite},
    cache, command, lock,
};

/// `rustc-web` comes as a security update: browsers need a newer Rust than the release has.
const SUITES: [Suite; 3] = [
    Suite { archive: "debian", name: "bookworm" },
    Suite { archive: "debian", name: "bookworm-updates" },
    Suite { archive: "debian-security", name: "bookworm-security" },
];
/// What to fetch; `rustc-web`'s own libraries are found through its dependencies, for their names carry versions.
const WANTED: [&str; 3] = ["rustc-web", "libstd-rust-web-dev-bpf", "rust-web-clippy"];
const FOLLOWED: [&str; 2] = ["libstd-rust-web", "libllvm"];
/// The last that the workspace's `rust-version` compiles.
const LINKER_VERSION: &str = "~0.13";

/// Where the set of a workspace lives.
pub fn folder(workspace: &Path) -> PathBuf {
    cache(workspace).join("bpf-toolchain")
}

/// Fetches and builds a set for the workspace. `say` is told what happens and why, a line at a time.
pub fn fetch(workspace: &Path, say: &dyn Fn(&str)) -> Result<()> {
    let target = cache(workspace);
    let place = folder(workspace);
    let _lock = lock(&target.join("bpf-toolchain.lock"))?;
    if place.join(STAMP).exists() {
        return Ok(());
    }
    if command::on_path("cc").is_none() {
        bail!("a C compiler is missing, which Rust needs for linking; install it: sudo apt-get install gcc libc6-dev");
    }

    say("Reading Debian's package lists");
    let apt = Apt::new(&target.join("bpf-toolchain.apt"), &SUITES, Status::System)?;
    apt.update()?;
    let packages = packages(&apt)?;
    let megabytes = packages.iter().map(|package| package.size).sum::<u64>().div_ceil(1_000_000);
    say(&format!(
        "Downloading {megabytes} MB of packages, a Rust compiler with the BPF target and its LLVM, unpacked into {}; nothing is installed:",
        place.display()
    ));
    for package in &packages {
        say(&format!("  {} {}", package.name, package.version));
    }

    let partial = target.join("bpf-toolchain.partial");
    for old in [&partial, &place] {
        remove(old)?;
    }
    let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    apt.unpack(&names, &partial)?;
    let core = partial.join("usr/lib/rustlib").join(TARGET);
    if !core.exists() {
        bail!(
            "the packages hold no {}: Debian has rearranged them; use a nightly instead: rustup toolchain install nightly --component rust-src",
            core.display()
        );
    }

    let llvm = link_llvm(&partial)?;
    say(&format!(
        "Building bpf-linker {LINKER_VERSION} with LLVM {llvm}, about a minute: it links and optimises what the compiler makes"
    ));
    install_linker(&partial, llvm)?;

    for package in ["usr/share", "usr/lib/rustlib/bpfeb-unknown-none"] {
        remove(&partial.join(package))?;
    }
    let versions: String = packages.iter().map(|package| format!("{} {}\n", package.name, package.version)).collect();
    fs::write(partial.join(STAMP), format!("{versions}bpf-linker {LINKER_VERSION} llvm {llvm}\n"))
        .with_context(|| format!("cannot write into {}", partial.display()))?;
    fs::rename(&partial, &place)
        .with_context(|| format!("cannot rename {} to {}", partial.display(), place.display()))?;
    apt.remove()?;
    Ok(())
}

fn packages(apt: &Apt) -> Result<Vec<Package>> {
    let mut names: Vec<String> = WANTED.map(str::to_owned).to_vec();
    let mut found: Vec<Package> = Vec::new();
    while let Some(name) = names.pop() {
        if found.iter().any(|package| package.name == name) {
            continue;
        }
        let package = apt.package(&name)?;
        names.extend(
            package.depends.iter().filter(|name| FOLLOWED.iter().any(|start| name.starts_with(start))).cloned(),
        );
        // LLVM needs libraries that a small machine may lack.
        if name.starts_with("libllvm") {
            names.extend(apt.missing(&name)?);
        }
        found.push(package);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The folders of a set that hold shared libraries.
pub fn libraries(set: &Path) -> Result<Vec<PathBuf>> {
    let lib = set.join("usr/lib");
    let entries = fs::read_dir(&lib).with_context(|| format!("cannot read {}", lib.display()))?;
    let mut dirs: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|dir| dir.to_string_lossy().contains("-linux-gnu"))
        .chain([set.join("lib")])
        .collect();
    dirs.sort();
    // Packages of before the merge of / and /usr.
    let old: Vec<PathBuf> =
        dirs.iter().filter_map(|dir| Some(set.join("lib").join(dir.file_name()?))).filter(|dir| dir.is_dir()).collect();
    dirs.extend(old);
    dirs.dedup();
    Ok(dirs)
}

/// Gives LLVM's library the name that a linker asks for, and returns its major version. The package that would do it,
/// `llvm-*-dev`, is a gigabyte of static archives.
fn link_llvm(set: &Path) -> Result<u32> {
    for dir in libraries(set)? {
        let Ok(entries) = fs::read_dir(&dir) else {
            continue;
        };
        for file in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let Some(version) = name.strip_prefix("libLLVM.so.") else {
                continue;
            };
            let major = version.split('.').next().and_then(|major| major.parse().ok());
            let major = major.with_context(|| format!("{} has no version in its name", file.display()))?;
            let lib = set.join("lib");
            fs::create_dir_all(&lib).with_context(|| format!("cannot create {}", lib.display()))?;
            let real = Path::new("..").join(file.strip_prefix(set)?);
            for link in ["libLLVM.so", &name] {
                std::os::unix::fs::symlink(&real, lib.join(link))
                    .with_context(|| format!("cannot link to {}", real.display()))?;
            }
            return Ok(major);
        }
    }
    bail!("the packages in {} hold no libLLVM.so: Debian has rearranged them", set.display())
}

fn install_linker(set: &Path, llvm: u32) -> Result<()> {
    let mut install = command::cargo_install(set, "bpf-linker", LINKER_VERSION);
    install
        .args(["--no-default-features", "--features", &format!("llvm-{llvm}")])
        // A path relative to itself, for the set is moved when it is complete.
        .env("RUSTFLAGS", "-Clink-arg=-Wl,-rpath,$ORIGIN/../lib")
        .env("LLVM_PREFIX", set)
        .env("LD_LIBRARY_PATH", env::join_paths(libraries(set)?)?);
    command::capture(&mut install).with_context(
        || "cannot build bpf-linker; is the crate registry reachable, and does this bpf-linker know that LLVM?",
    )?;
    remove(&set.join("build"))
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}
