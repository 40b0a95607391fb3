//! Debian's kernels, reduced to what a boot needs, in `target/kernels/`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use annotator_toolchain::{
    apt::{Apt, Status, Suite},
    cache, lock, workspace,
};
use anyhow::{Context as _, Result, bail};

use super::modules;

/// A kernel of the matrix: the newest of its series that Debian has.
pub struct Kernel {
    /// How people call it.
    pub version: &'static str,
    pub suite: Suite,
}

/// From the oldest that is supported to the newest there is.
pub const KERNELS: [Kernel; 4] = [
    Kernel { version: "5.10", suite: Suite { archive: "debian-security", name: "bullseye-security" } },
    Kernel { version: "6.1", suite: Suite { archive: "debian", name: "bookworm" } },
    Kernel { version: "6.12", suite: Suite { archive: "debian", name: "bookworm-backports" } },
    Kernel { version: "newest", suite: Suite { archive: "debian", name: "trixie-backports" } },
];

/// Without drivers for hardware: small and quick to boot.
const META_PACKAGE: &str = "linux-image-cloud-amd64";
/// Until 6.18 one package holds kernel and modules, later ones are split.
const PARTS: [&str; 3] = ["linux-image-", "linux-binary-", "linux-modules-"];
const FLAVOUR: &str = "-cloud-amd64";

/// A kernel that can be booted.
pub struct Bootable {
    /// As `uname -r` says it.
    pub release: String,
    pub image: PathBuf,
    /// The folder of uncompressed modules, named so that their order is the order of loading.
    pub modules: PathBuf,
}

/// The names of the matrix, for messages.
pub fn names() -> String {
    KERNELS.map(|kernel| format!("{} ({})", kernel.version, kernel.suite.name)).join(", ")
}

/// The kernel from the cache, or from Debian.
pub fn fetch(kernel: &Kernel, update: bool) -> Result<Bootable> {
    let base = cache(&workspace()).join("kernels");
    let place = base.join(kernel.suite.name);
    let _lock = lock(&base.join("lock"))?;
    if !update && let Some(bootable) = cached(&place) {
        return Ok(bootable);
    }
    let apt = Apt::new(&base.join(format!("{}.apt", kernel.suite.name)), &[kernel.suite], Status::Empty)?;
    apt.update()?;
    let (packages, size) = packages(&apt)?;
    eprintln!(
        "Downloading {} MB from Debian {} to test on its kernel: {}",
        size.div_ceil(1_000_000),
        kernel.suite.name,
        packages.join(", ")
    );
    let partial = base.join(format!("{}.partial", kernel.suite.name));
    let unpacked = partial.join("unpacked");
    for old in [&partial, &place] {
        if old.exists() {
            fs::remove_dir_all(old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
    }
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    apt.unpack(&names, &unpacked)?;
    reduce(&unpacked, &partial).with_context(|| format!("the packages {} are not as expected", packages.join(", ")))?;
    fs::remove_dir_all(&unpacked).with_context(|| format!("cannot remove {}", unpacked.display()))?;
    fs::rename(&partial, &place)
        .with_context(|| format!("cannot rename {} to {}", partial.display(), place.display()))?;
    apt.remove()?;
    cached(&place).with_context(|| format!("{} is not complete", place.display()))
}

fn packages(apt: &Apt) -> Result<(Vec<String>, u64)> {
    let mut names = vec![META_PACKAGE.to_owned()];
    let mut found: Vec<String> = Vec::new();
    let mut size = 0;
    while let Some(name) = names.pop() {
        if found.contains(&name) {
            continue;
        }
        let package = apt.package(&name)?;
        let part = |name: &&String| name.ends_with(FLAVOUR) && PARTS.iter().any(|part| versioned(name, part));
        names.extend(package.depends.iter().filter(part).cloned());
        // The meta package holds nothing.
        if name != META_PACKAGE {
            size += package.size;
            found.push(name);
        }
    }
    Ok((found, size))
}

/// Whether `name` is `part` and a version: `linux-image-6.1…`, but not `linux-image-cloud-amd64`.
fn versioned(name: &str, part: &str) -> bool {
    name.strip_prefix(part).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// Keeps the image, the modules we need in their order, and the release's name.
fn reduce(unpacked: &Path, place: &Path) -> Result<()> {
    let tree = module_folder(unpacked)?;
    let boot = unpacked.join("boot");
    let in_boot = if boot.exists() { entries(&boot)? } else { Vec::new() };
    let is_image = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"));
    // From 6.19 on the image lies beside its modules.
    let image = in_boot.into_iter().find(is_image).unwrap_or_else(|| tree.join("vmlinuz"));
    let release = tree.file_name().unwrap_or_default().to_string_lossy().into_owned();
    modules::collect(&tree, &place.join("modules"))?;
    fs::copy(&image, place.join("vmlinuz")).with_context(|| format!("cannot copy {}", image.display()))?;
    fs::write(place.join("release"), release).with_context(|| format!("cannot write into {}", place.display()))
}

fn module_folder(unpacked: &Path) -> Result<PathBuf> {
    for lib in ["lib/modules", "usr/lib/modules"] {
        let lib = unpacked.join(lib);
        if lib.exists()
            && let Some(tree) = entries(&lib)?.into_iter().find(|dir| dir.is_dir())
        {
            return Ok(tree);
        }
    }
    bail!("there are no modules in {}", unpacked.display())
}

fn cached(place: &Path) -> Option<Bootable> {
    let modules = place.join("modules");
    if fs::read_to_string(modules.join(modules::LIST)).ok()? != modules::WANTED.join(" ") {
        return None;
    }
    Some(Bootable { release: fs::read_to_string(place.join("release")).ok()?, image: place.join("vmlinuz"), modules })
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
