//! The real `annotator` binary, started, watched and ended by tests.

use std::{
    ffi::OsStr,
    io::{self, Read},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use annotator::live::egress::{PROGRAM, Way};
use annotator_testnet::Namespace;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use aya::programs::{SchedClassifier, TcAttachType};
use serde_json::Value;

/// Environment variable that names a binary to test instead of the one that cargo builds.
const BINARY: &str = "ANNOTATOR_BINARY";
/// How long anything may take that should take a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(20);
const GLANCE: Duration = Duration::from_millis(5);

/// The `annotator` binary, as freshly built as these tests.
pub fn binary() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os(BINARY) {
        Some(path) => path.into(),
        None => build().expect("cannot build annotator"),
    })
}

/// Cargo builds the binaries of a package for that package's own tests only, so this asks it to.
fn build() -> Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package=annotator", "--bin=annotator", "--message-format=json"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "cargo build: {}", output.status);
    let built = String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    built.context("cargo names no executable")
}

/// A command that runs the binary where the tests run.
pub fn annotator<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).env_remove("RUST_LOG");
    command
}

/// Runs a command to its end, which must come soon.
pub fn finish(command: &mut Command) -> Result<Finished> {
    Running::start(command)?.wait()
}

/// A process whose output is being read. Ends with this value.
pub struct Running {
    child: Child,
    stdout: JoinHandle<io::Result<String>>,
    stderr: JoinHandle<io::Result<String>>,
}

impl Running {
    /// Starts a command.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let stdout = read(child.stdout.take().context("no standard output")?);
        let stderr = read(child.stderr.take().context("no standard error")?);
        Ok(Running { child, stdout, stderr })
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: libc::c_int) -> Result<()> {
        // SAFETY: no pointers; the child has not been waited for, so the id is still its own.
        match unsafe { libc::kill(self.child.id().cast_signed(), signal) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()).context("cannot send a signal"),
        }
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<Finished> {
        let waited = eventually("the process does not end", || self.child.try_wait().context("cannot wait"));
        if waited.is_err() {
            self.child.kill()?;
        }
        let text = |reader: JoinHandle<io::Result<String>>| -> Result<String> {
            Ok(reader.join().map_err(|_| anyhow!("a reader panicked"))??)
        };
        let (stdout, stderr) = (text(self.stdout)?, text(self.stderr)?);
        let status = waited.with_context(|| format!("it has said:\n{stderr}"))?;
        Ok(Finished { status, stdout, stderr })
    }

    /// Asks it to end, as Ctrl-C does, and waits for its end.
    pub fn interrupt(self) -> Result<Finished> {
        self.signal(libc::SIGINT)?;
        self.wait()
    }
}

fn read(mut pipe: impl Read + Send + 'static) -> JoinHandle<io::Result<String>> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text)
    })
}

/// What is left of a process.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Finished {
    /// Its reports (NDJSON, or one document).
    pub fn reports(&self) -> Result<Vec<Value>> {
        let stream = serde_json::Deserializer::from_str(&self.stdout).into_iter();
        stream.collect::<Result<_, _>>().with_context(|| format!("not JSON: {}", self.stdout))
    }

    /// The last report on an interface. The window of a run this short holds all of it.
    pub fn last_report(&self, interface: &str) -> Result<Value> {
        let of_interface = |report: &Value| report["source"]["name"] == interface;
        let last = self.reports()?.into_iter().rfind(of_interface);
        last.with_context(|| format!("no report on {interface}; {}: {}", self.status, self.stderr))
    }

    /// Fails unless it ended well and had nothing to complain of.
    pub fn expect_success(self) -> Result<Self> {
        ensure!(self.status.success(), "{}: {}", self.status, self.stderr);
        ensure!(self.stderr.is_empty(), "complained: {}", self.stderr);
        Ok(self)
    }

    /// Fails unless it ended by itself, with this exit code and one message, which holds all of `parts`.
    pub fn expect_failure(self, code: i32, parts: &[&str]) -> Result<Self> {
        ensure!(self.status.code() == Some(code), "{}, not exit code {code}: {}", self.status, self.stderr);
        for part in parts {
            ensure!(self.stderr.contains(part), "`{part}` is not in the message: {}", self.stderr);
        }
        ensure!(self.stderr.starts_with("annotator: ") || self.stderr.starts_with("error: "), "{}", self.stderr);
        ensure!(!self.stderr.contains("panicked"), "{}", self.stderr);
        Ok(self)
    }

    /// The signal that ended it.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }
}

/// An XDP program on a device, as `ip` sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// `native` or `generic`.
    pub mode: &'static str,
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
}

/// The XDP program on a device.
pub fn attachment(namespace: &Namespace, device: &str) -> Result<Option<Attachment>> {
    let output = namespace.command("ip").args(["-details", "-json", "link", "show", "dev", device]).output();
    let output = output.context("cannot start `ip`, of the package iproute2")?;
    ensure!(output.status.success(), "ip link: {}", String::from_utf8_lossy(&output.stderr));
    let links: Value = serde_json::from_slice(&output.stdout).context("ip link")?;
    let xdp = &links[0]["xdp"];
    if xdp.is_null() {
        return Ok(None);
    }
    // IFLA_XDP_ATTACHED of linux/if_link.h.
    let mode = match xdp["mode"].as_u64() {
        Some(1) => "native",
        Some(2) => "generic",
        _ => bail!("ip link: {xdp}"),
    };
    let name = xdp["prog"]["name"].as_str().unwrap_or_default().to_owned();
    Ok(Some(Attachment { mode, id: xdp["prog"]["id"].as_u64().context("a program without id")?, name }))
}

/// The ways in which the agent's egress program is attached to a device, once for each attachment.
pub fn egress_attachments(namespace: &Namespace, device: &str) -> Result<Vec<Way>> {
    let links = namespace.enter(|| SchedClassifier::query_tcx(device, TcAttachType::Egress));
    let (_, links) = links.context("asking for tcx programs")?;
    let tcx = links.iter().filter(|program| program.name_as_str() == Some(PROGRAM)).map(|_| Way::Tcx);
    let output = namespace.command("tc").args(["-json", "filter", "show", "dev", device, "egress"]).output();
    let output = output.context("cannot start `tc`, of the package iproute2")?;
    // A device without clsact is an error to it.
    let filters: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let is_ours = |filter: &&Value| filter["options"]["bpf_name"] == PROGRAM;
    Ok(tcx.chain(filters.iter().filter(is_ours).map(|_| Way::Clsact)).collect())
}

/// A running agent.
pub struct Agent {
    running: Running,
}

impl Agent {
    /// Starts `annotator run DEVICES… OPTIONS…` with JSON on standard output, and waits until it counts.
    pub fn start(namespace: &Namespace, devices: &[&str], options: &[&str]) -> Result<Self> {
        let mut command = namespace.command(binary());
        command.env_remove("RUST_LOG").arg("run").args(devices).args(options);
        for (name, usual) in [("--format", "json"), ("--interval", "300ms")] {
            if !options.iter().any(|option| option.starts_with(name)) {
                command.args([name, usual]);
            }
        }
        let mut running = Running::start(&mut command)?;
        for device in devices {
            let attached = eventually("the agent does not attach", || {
                if running.has_ended()? {
                    return Err(anyhow!("the agent has ended"));
                }
                let watches_egress = options.iter().any(|option| option.starts_with("--egress"));
                if watches_egress && egress_attachments(namespace, device)?.is_empty() {
                    return Ok(None);
                }
                attachment(namespace, device)
            });
            if let Err(error) = attached {
                running.child.kill()?;
                return Err(error.context(running.wait()?.stderr));
            }
        }
        Ok(Agent { running })
    }

    /// Its process.
    pub fn process(&self) -> &Running {
        &self.running
    }

    /// Ends it as Ctrl-C does.
    pub fn interrupt(self) -> Result<Finished> {
        self.running.interrupt()
    }

    /// Waits for it to end by itself.
    pub fn wait(self) -> Result<Finished> {
        self.running.wait()
    }
}

/// Looks again and again until there is something to see.
pub fn eventually<T>(otherwise: &'static str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(seen) = look()? {
            return Ok(seen);
        }
        ensure!(start.elapsed() < PATIENCE, otherwise);
        thread::sleep(GLANCE);
    }
}
