//! Kernel modules: which are needed, in which order, and without compression.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

/// What the guest makes its network of, and what filters on it take.
pub const WANTED: [&str; 5] = ["veth", "tun", "8021q", "sch_ingress", "cls_bpf"];
/// The file that names the modules for which a folder was made.
pub const LIST: &str = "wanted";

/// Copies the wanted modules and all that they depend on into `place`; loading them by name order is right.
pub fn collect(tree: &Path, place: &Path) -> Result<()> {
    fs::create_dir_all(place).with_context(|| format!("cannot create {}", place.display()))?;
    let mut files = BTreeMap::new();
    find(tree, &mut files)?;
    let built_in = fs::read_to_string(tree.join("modules.builtin")).unwrap_or_default();
    let mut collection = Collection { files, built_in, done: Vec::new(), place };
    for module in WANTED {
        collection.add(module)?;
    }
    fs::write(place.join(LIST), WANTED.join(" ")).with_context(|| format!("cannot write into {}", place.display()))
}

struct Collection<'a> {
    files: BTreeMap<String, PathBuf>,
    built_in: String,
    done: Vec<String>,
    place: &'a Path,
}

impl Collection<'_> {
    fn add(&mut self, module: &str) -> Result<()> {
        let module = module.replace('-', "_");
        if self.done.contains(&module) {
            return Ok(());
        }
        let Some(file) = self.files.get(&module) else {
            if self.built_in.lines().any(|line| name(Path::new(line)).as_ref() == Some(&module)) {
                return Ok(());
            }
            bail!("the kernel has no module {module}");
        };
        let bytes = read(file)?;
        for needed in depends(&bytes) {
            self.add(&needed)?;
        }
        let copy = self.place.join(format!("{:02}-{module}.ko", self.done.len()));
        fs::write(&copy, bytes).with_context(|| format!("cannot write {}", copy.display()))?;
        self.done.push(module);
        Ok(())
    }
}

/// All modules below `dir` by name.
fn find(dir: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            find(&entry.path(), files)?;
        } else if let Some(name) = name(&entry.path()) {
            files.insert(name, entry.path());
        }
    }
    Ok(())
}

/// `veth.ko.xz` is the module `veth`; modules spell `-` as `_`.
fn name(file: &Path) -> Option<String> {
    let (name, _) = file.file_name()?.to_str()?.split_once(".ko")?;
    Some(name.replace('-', "_"))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("ko") => Ok(bytes),
        Some("xz") => {
            let mut plain = Vec::new();
            lzma_rs::xz_decompress(&mut &bytes[..], &mut plain)
                .with_context(|| format!("cannot unpack {}", file.display()))?;
            Ok(plain)
        }
        _ => bail!("cannot unpack {}: only .ko and .ko.xz are known", file.display()),
    }
}

/// The `depends=a,b` entry of a module's information section.
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(start) = module.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let value = module[start + KEY.len()..].split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(value).split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{depends, name};

    #[test]
    fn module_information_is_read() {
        assert_eq!(depends(b"x\0license=GPL\0depends=mrp,garp\0intree=Y\0"), ["mrp", "garp"]);
        assert!(depends(b"x\0depends=\0intree=Y\0").is_empty());
        assert_eq!(name("kernel/net/x/cls-a.ko.xz".as_ref()).as_deref(), Some("cls_a"));
        assert_eq!(name("modules.order".as_ref()), None);
    }
}
