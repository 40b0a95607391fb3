//! Finds, fetches and runs the compiler and linker that build the BPF program.
//!
//! Rust's stable releases carry no `core` for `bpfel-unknown-none`, and `bpf-linker` wants the LLVM of its compiler. This
//! crate is the only place that knows where such a pair comes from. [`Toolchain::find`] looks, in this order, at
//!
//! 1. what `ANNOTATOR_BPF_TOOLCHAIN` names: a folder made by `cargo xtask setup`, or `system`, or `nightly`;
//! 2. `target/bpf-toolchain/` of the workspace, which `cargo xtask setup` fills;
//! 3. Debian's `rustc-web` with its BPF target, installed;
//! 4. rustup's nightly with `rust-src`, which compiles `core` itself.
//!
//! [`ebpf::build`] compiles the BPF program with what was found.

pub mod apt;
pub mod command;
pub mod ebpf;
pub mod fetch;

use std::{
    env,
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

/// The target every BPF program is built for.
pub const TARGET: &str = "bpfel-unknown-none";
/// Chooses a toolchain by hand.
pub const TOOLCHAIN_VARIABLE: &str = "ANNOTATOR_BPF_TOOLCHAIN";
/// Chooses a `bpf-linker` by hand.
pub const LINKER_VARIABLE: &str = "ANNOTATOR_BPF_LINKER";
/// The command that mends a missing toolchain.
pub const REMEDY: &str = "cargo xtask setup";

/// Names the file whose presence says that a fetched set is complete; it holds the versions.
const STAMP: &str = "complete";

/// Where a toolchain comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A folder that [`fetch::fetch`] made.
    Fetched(PathBuf),
    /// Debian's `rustc-web`, installed.
    System,
    /// rustup's nightly, which builds `core` from `rust-src`.
    Nightly,
}

/// A compiler for the BPF target and its linker, found and tried.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// Where it comes from.
    pub origin: Origin,
    /// The `bpf-linker` in use.
    pub linker: PathBuf,
    rustc: PathBuf,
    /// Shared libraries that rustc and bpf-linker need and the system may lack.
    libraries: Vec<PathBuf>,
}

/// Whether the kernel may be asked to read words that are not aligned.
///
/// It may on every machine that XDP is fast on, but the compiler's switch for it is not stable; without it such reads become
/// byte loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unaligned {
    /// One load for each word.
    Allowed,
    /// Byte by byte, with stable compiler flags alone.
    Avoided,
}

impl Toolchain {
    /// The toolchain to use for the workspace at `workspace`, or why there is none.
    pub fn find(workspace: &Path) -> Result<Self> {
        if let Some(choice) = env::var_os(TOOLCHAIN_VARIABLE).filter(|choice| !choice.is_empty()) {
            return Self::chosen(&choice).with_context(|| {
                format!(
                    "{TOOLCHAIN_VARIABLE} is `{}`, and that does not work; correct or unset it",
                    choice.to_string_lossy()
                )
            });
        }
        let fetched = fetch::folder(workspace);
        let attempts: [(&str, Result<Self>); 3] = [
            ("fetched by set-up", Self::fetched(&fetched)),
            ("Debian's rustc-web, installed", Self::system()),
            ("rustup's nightly", Self::nightly()),
        ];
        let mut reasons = String::new();
        for (name, attempt) in attempts {
            match attempt {
                Ok(toolchain) => return Ok(toolchain),
                Err(error) => reasons += &format!("\n  {name}: {error:#}"),
            }
        }
        bail!("no compiler for BPF programs was found. To fetch one into target/ run: {REMEDY}\nTried:{reasons}")
    }

    fn chosen(choice: &OsString) -> Result<Self> {
        match choice.to_str() {
            Some("system") => Self::system(),
            Some("nightly") => Self::nightly(),
            _ => Self::fetched(Path::new(choice)),
        }
    }

    fn fetched(dir: &Path) -> Result<Self> {
        if !dir.join(STAMP).exists() {
            bail!("{} is not a complete set", dir.display());
        }
        let libraries = fetch::libraries(dir)?;
        Self {
            origin: Origin::Fetched(dir.to_owned()),
            linker: linker_or(dir.join("bin/bpf-linker")),
            rustc: dir.join("usr/bin/rustc"),
            libraries,
        }
        .tried()
    }

    fn system() -> Result<Self> {
        let core = Path::new("/usr/lib/rustlib").join(TARGET);
        if !core.exists() {
            bail!("{} does not exist", core.display());
        }
        Self {
            origin: Origin::System,
            linker: installed_linker()?,
            rustc: "/usr/bin/rustc".into(),
            libraries: Vec::new(),
        }
        .tried()
    }

    fn nightly() -> Result<Self> {
        let mut rustup = Command::new("rustup");
        rustup.args(["which", "--toolchain", "nightly", "rustc"]).env_remove("RUSTUP_TOOLCHAIN");
        let rustc = PathBuf::from(command::stdout(&mut rustup)?.trim());
        let sysroot = rustc.ancestors().nth(2).unwrap_or(Path::new("/"));
        if !sysroot.join("lib/rustlib/src/rust/library/core").exists() {
            bail!("nightly has no rust-src: rustup component add rust-src --toolchain nightly");
        }
        Self { origin: Origin::Nightly, linker: installed_linker()?, rustc, libraries: Vec::new() }.tried()
    }

    /// Starts both programs once: a missing library or a wrong architecture should show here, not in the middle of a build.
    fn tried(self) -> Result<Self> {
        for program in [&self.rustc, &self.linker] {
            let mut command = Command::new(program);
            self.clean(&mut command);
            command::capture(command.arg("--version"))?;
        }
        Ok(self)
    }

    /// `cargo SUBCOMMAND` for a package of the BPF side, with the compiler, flags and libraries of this toolchain.
    ///
    /// The caller adds `--manifest-path` and the rest.
    pub fn cargo(&self, subcommand: &str, unaligned: Unaligned) -> Command {
        let mut command = Command::new(self.cargo_program());
        self.clean(&mut command);
        command.arg(subcommand).args(["--target", TARGET]);
        if self.origin == Origin::Nightly {
            command.args(["-Z", "build-std=core"]);
        }
        command
            .env("RUSTC", &self.rustc)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags(unaligned).join("\u{1f}"));
        command
    }

    /// `cargo clippy` for the BPF side, if this toolchain has a clippy.
    pub fn clippy(&self) -> Option<Command> {
        let program = self.rustc.with_file_name("cargo-clippy");
        if !program.exists() {
            return None;
        }
        let mut command = Command::new(program);
        let cargo = self.cargo("clippy", Unaligned::Allowed);
        command.args(cargo.get_args());
        for (key, value) in cargo.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command.env("CARGO", self.cargo_program());
        Some(command)
    }

    /// The cargo that is running is new enough for every origin but nightly, where `-Z build-std` wants a cargo of its age.
    fn cargo_program(&self) -> OsString {
        match self.origin {
            Origin::Nightly => self.rustc.with_file_name("cargo").into(),
            _ => env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
        }
    }

    fn flags(&self, unaligned: Unaligned) -> Vec<String> {
        let mut flags = vec![
            // Of all CPU levels 3 is the newest that Linux 5.10 takes.
            "-Ctarget-cpu=v3".to_owned(),
            "-Cdebuginfo=2".to_owned(),
            format!("-Clinker={}", self.linker.display()),
            "-Clink-arg=--btf".to_owned(),
        ];
        if unaligned == Unaligned::Allowed {
            flags.push("-Ctarget-feature=+allows-misaligned-mem-access".to_owned());
        }
        flags
    }

    /// Takes out of the environment what the outer cargo has put there for the host's compiler, and adds our libraries.
    fn clean(&self, command: &mut Command) {
        for (key, _) in env::vars_os() {
            let Some(name) = key.to_str() else { continue };
            let foreign = matches!(
                name,
                "RUSTC"
                    | "RUSTDOC"
                    | "RUSTFLAGS"
                    | "RUSTUP_TOOLCHAIN"
                    | "RUSTC_WRAPPER"
                    | "RUSTC_WORKSPACE_WRAPPER"
                    | "CARGO_TARGET_DIR"
            ) || name == "CARGO_ENCODED_RUSTFLAGS"
                || name == "CLIPPY_ARGS"
                || ["CARGO_BUILD_", "CARGO_FEATURE_", "CARGO_CFG_", "CARGO_PROFILE_", "CARGO_PKG_", "CARGO_MANIFEST_"]
                    .iter()
                    .any(|prefix| name.starts_with(prefix));
            if foreign {
                command.env_remove(&key);
            }
        }
        if !self.libraries.is_empty() {
            let given = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
            let all = self.libraries.iter().cloned().chain(env::split_paths(&given).filter(|dir| dir != Path::new("")));
            // The only way to fail is a colon in a path, and then the programs could not have been found either.
            if let Ok(joined) = env::join_paths(all) {
                command.env("LD_LIBRARY_PATH", joined);
            }
        }
    }

    /// The files whose change makes another build necessary.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.linker.clone()];
        files.push(match &self.origin {
            Origin::Fetched(dir) => dir.join(STAMP),
            _ => self.rustc.clone(),
        });
        files
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Fetched(dir) => write!(f, "fetched set in {}", dir.display())?,
            Origin::System => write!(f, "Debian's rustc-web")?,
            Origin::Nightly => write!(f, "rustup's nightly with -Z build-std=core")?,
        }
        write!(f, ", linker {}", self.linker.display())
    }
}

fn linker_or(default: PathBuf) -> PathBuf {
    env::var_os(LINKER_VARIABLE).map_or(default, PathBuf::from)
}

fn installed_linker() -> Result<PathBuf> {
    let linker = linker_or(PathBuf::new());
    if linker != Path::new("") {
        return Ok(linker);
    }
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    home.map(|home| home.join("bin/bpf-linker"))
        .filter(|file| file.is_file())
        .or_else(|| command::on_path("bpf-linker"))
        .with_context(|| "bpf-linker is not installed: cargo install bpf-linker")
}

/// The root of the workspace this crate was compiled in.
pub fn workspace() -> PathBuf {
    // This crate is xtask/toolchain.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// The workspace's own folder for what is fetched and kept.
pub fn cache(workspace: &Path) -> PathBuf {
    workspace.join("target")
}

/// A lock that keeps two set-ups from working on the same folder; released when dropped.
pub fn lock(file: &Path) -> Result<fs::File> {
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    let open = fs::File::options()
        .create(true)
        .append(true)
        .open(file)
        .with_context(|| format!("cannot open {}", file.display()))?;
    if open.try_lock().is_err() {
        eprintln!("waiting for another set-up that holds {}", file.display());
        open.lock().with_context(|| format!("cannot lock {}", file.display()))?;
    }
    Ok(open)
}
