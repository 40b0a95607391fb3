//! A private apt: its own sources, lists, cache and status in a folder of ours.
//!
//! It fetches packages of any Debian suite without root and without a change to the system. What it fetches is checked
//! against the archive's signatures, as always with apt.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::command::{capture, stdout};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const MIRROR_VARIABLE: &str = "ANNOTATOR_DEBIAN_MIRROR";

/// One line of a source list.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// The archive below the mirror: `debian` or `debian-security`.
    pub archive: &'static str,
    /// `bookworm`, `bookworm-security`, …
    pub name: &'static str,
}

/// Which packages apt believes to be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Those of this machine: [`Apt::missing`] then lists what the machine lacks.
    System,
    /// None at all: other suites are looked at without regard to this machine.
    Empty,
}

/// Where Debian's archives are.
struct Mirrors {
    /// Addresses of archives that this machine uses, each with a slash at its end.
    used: Vec<String>,
    /// The folder that the archives lie in, where they are not among those used.
    base: String,
}

impl Mirrors {
    /// What the environment names, else the mirrors of the machine's own apt.
    fn find() -> Result<Self> {
        if let Ok(base) = env::var(MIRROR_VARIABLE) {
            return Ok(Self { used: Vec::new(), base: base.trim_end_matches('/').to_owned() });
        }
        let targets =
            stdout(Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]))?;
        let used: Vec<_> = targets.lines().map(str::to_owned).collect();
        let Some(base) = used.iter().find_map(|uri| uri.strip_suffix("/debian/")) else {
            bail!(
                "this machine's apt names no Debian mirror; name one, as in: {MIRROR_VARIABLE}=http://mirror.example"
            );
        };
        Ok(Self { base: base.to_owned(), used })
    }

    /// The address of an archive: `debian` or `debian-security`.
    fn archive(&self, name: &str) -> String {
        let used = self.used.iter().find(|uri| uri.trim_end_matches('/').ends_with(&format!("/{name}")));
        used.cloned().unwrap_or_else(|| format!("{}/{name}", self.base))
    }
}

/// A private apt configuration in a folder.
#[derive(Debug)]
pub struct Apt {
    dir: PathBuf,
}

/// A package that would be downloaded.
#[derive(Clone, Debug)]
pub struct Package {
    /// The package's name.
    pub name: String,
    /// Its version in the archive.
    pub version: String,
    /// Size of the download in bytes.
    pub size: u64,
    /// The packages named in its `Depends`, first alternatives only.
    pub depends: Vec<String>,
}

impl Apt {
    /// Writes the configuration below `dir`; nothing is fetched yet.
    pub fn new(dir: &Path, suites: &[Suite], status: Status) -> Result<Self> {
        if crate::command::on_path("apt-get").is_none() || crate::command::on_path("dpkg-deb").is_none() {
            bail!("apt-get and dpkg-deb are not here: packages can be fetched on Debian only");
        }
        if !Path::new(KEYRING).exists() {
            bail!(
                "{KEYRING} is missing, and with it the keys of the Debian archive; install it: sudo apt-get install debian-archive-keyring"
            );
        }
        let dir = std::path::absolute(dir)?;
        for sub in ["lists/partial", "cache/archives/partial", "etc", "state"] {
            let sub = dir.join(sub);
            fs::create_dir_all(&sub).with_context(|| format!("cannot create {}", sub.display()))?;
        }
        let mirrors = Mirrors::find()?;
        let sources: String = suites
            .iter()
            .map(|suite| format!("deb [signed-by={KEYRING}] {} {} main\n", mirrors.archive(suite.archive), suite.name))
            .collect();
        let apt = Self { dir };
        apt.write("etc/sources.list", &sources)?;
        apt.write("state/empty", "")?;
        apt.write("etc/apt.conf", &apt.configuration(status)?)?;
        Ok(apt)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let file = self.dir.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// The machine's own `Acquire` settings (proxies, clocks that are off) and our folders. The machine's hooks stay out.
    fn configuration(&self, status: Status) -> Result<String> {
        let system = stdout(Command::new("apt-config").arg("dump"))?;
        let mut text: String = system
            .lines()
            .filter(|line| line.starts_with("Acquire::") && !line.starts_with("Acquire::IndexTargets"))
            .flat_map(|line| [line, "\n"])
            .collect();
        let dir = self.dir.display();
        let status = match status {
            Status::System => "/var/lib/dpkg/status".to_owned(),
            Status::Empty => format!("{dir}/state/empty"),
        };
        text += &format!(
            "Dir::Etc::main \"/dev/null\";\n\
             Dir::Etc::parts \"/dev/null\";\n\
             Dir::Etc::preferences \"/dev/null\";\n\
             Dir::Etc::preferencesparts \"/dev/null\";\n\
             Dir::Etc::sourcelist \"{dir}/etc/sources.list\";\n\
             Dir::Etc::sourceparts \"/dev/null\";\n\
             Dir::State \"{dir}/state\";\n\
             Dir::State::lists \"{dir}/lists\";\n\
             Dir::State::status \"{status}\";\n\
             Dir::Cache \"{dir}/cache\";\n\
             Acquire::Languages \"none\";\n\
             Acquire::Retries \"3\";\n\
             APT::Install-Recommends \"false\";\n\
             APT::Sandbox::User \"\";\n\
             Debug::NoLocking \"true\";\n"
        );
        Ok(text)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.dir.join("etc/apt.conf")).env("LC_ALL", "C");
        command
    }

    /// Fetches the package lists.
    pub fn update(&self) -> Result<()> {
        // Without Error-Mode, apt-get update succeeds when it could not fetch anything.
        capture(self.command("apt-get").args(["-q", "-o", "APT::Update::Error-Mode=any", "update"]))
            .with_context(|| format!("cannot fetch Debian's package lists; is the network there? {MIRROR_VARIABLE} chooses another mirror"))?;
        Ok(())
    }

    /// The archive's newest version of a package.
    pub fn package(&self, name: &str) -> Result<Package> {
        let text = stdout(self.command("apt-cache").args(["show", "--no-all-versions", name]))
            .with_context(|| format!("the Debian archive has no package {name}"))?;
        let fields: BTreeMap<&str, &str> =
            text.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(": ")).collect();
        let field =
            |key| fields.get(key).copied().with_context(|| format!("apt-cache shows no {key} for package {name}"));
        Ok(Package {
            name: field("Package")?.to_owned(),
            version: field("Version")?.to_owned(),
            size: field("Size")?.parse().with_context(|| format!("package {name}: Size is not a number"))?,
            depends: fields.get("Depends").map(|list| names(list)).unwrap_or_default(),
        })
    }

    /// The names in the archive that match a regular expression.
    pub fn names(&self, pattern: &str) -> Result<Vec<String>> {
        let text = stdout(self.command("apt-cache").args(["search", "--names-only", pattern]))?;
        Ok(text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
    }

    /// `package` and those of its dependencies that the machine does not have.
    pub fn missing(&self, package: &str) -> Result<Vec<String>> {
        let text = stdout(self.command("apt-get").args(["install", "--simulate", "--yes", package]))?;
        Ok(text
            .lines()
            .filter_map(|line| line.strip_prefix("Inst "))
            .filter_map(|line| line.split_whitespace().next())
            .map(str::to_owned)
            .collect())
    }

    /// Downloads packages and unpacks them into `root`. A download that was cut short is taken up again.
    pub fn unpack(&self, packages: &[&str], root: &Path) -> Result<()> {
        let debs = self.dir.join("debs");
        fs::create_dir_all(&debs).with_context(|| format!("cannot create {}", debs.display()))?;
        fs::create_dir_all(root).with_context(|| format!("cannot create {}", root.display()))?;
        for package in packages {
            let uris = stdout(self.command("apt-get").args(["download", "--print-uris", "-qq", package]))?;
            let file = uris
                .split_whitespace()
                .nth(1)
                .with_context(|| format!("apt-get names no file for package {package}"))?;
            capture(self.command("apt-get").args(["download", "-q", package]).current_dir(&debs))
                .with_context(|| format!("cannot download package {package}"))?;
            let deb = debs.join(file);
            capture(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(root)).with_context(|| {
                format!("cannot unpack {} into {}; is the disk full?", deb.display(), root.display())
            })?;
        }
        Ok(())
    }

    /// The list of its sources, which tools that bring an apt of their own take.
    pub fn sources(&self) -> PathBuf {
        self.dir.join("etc/sources.list")
    }

    /// Removes everything this configuration has put on the disk.
    pub fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.dir).with_context(|| format!("cannot remove {}", self.dir.display()))
    }
}

/// `a (>= 1), b | c` names `a` and `b`.
fn names(list: &str) -> Vec<String> {
    list.split(',')
        .filter_map(|one| one.split(['|', '(', ':']).next())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn dependencies_are_read_from_a_control_field() {
        assert_eq!(names("libc6 (>= 2.34), gcc | clang, python3:any"), ["libc6", "gcc", "python3"]);
    }
}
