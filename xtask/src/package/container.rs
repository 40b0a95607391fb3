//! A folder with a system in it, booted.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use annotator_toolchain::command;
use anyhow::{Context as _, Result, bail, ensure};

use crate::host;

/// Where the system finds the package.
pub const PACKAGE: &str = "/annotator.deb";
/// A boot takes seconds.
const BOOT: Duration = Duration::from_secs(120);
const SHUTDOWN: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(50);
/// Seconds that a command may take.
const LIMIT: &str = "90";

/// A running system. It ends with this value, or with this process.
pub struct Container {
    nspawn: Child,
    /// Its init, as this machine numbers it.
    init: String,
}

impl Container {
    /// Boots the system in `root`, which stays as it is: what is written goes to memory.
    pub fn boot(root: &Path, package: &Path) -> Result<Self> {
        host::require("systemd-nspawn", "systemd-container", "starting a system in a container")?;
        let mut nspawn = Command::new("systemd-nspawn");
        nspawn
            .args(["--quiet", "--boot", "--volatile=overlay", "--private-network", "--console=pipe"])
            // Nothing of this machine's systemd is needed.
            .args(["--register=no", "--keep-unit", "--link-journal=no"])
            // What systemd does not give to containers of itself, and BPF takes.
            .args(["--capability=CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN", "--system-call-filter=bpf perf_event_open"])
            .arg(format!("--machine=annotator-package-{}", std::process::id()))
            .arg(format!("--bind-ro={}:{PACKAGE}", package.display()))
            .arg("--directory")
            .arg(root)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let child = nspawn.spawn().with_context(|| format!("cannot start `{}`", command::line(&nspawn)))?;
        let mut container = Container { nspawn: child, init: String::new() };
        container.wait_until_up()?;
        Ok(container)
    }

    fn wait_until_up(&mut self) -> Result<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.nspawn.try_wait().context("cannot wait for systemd-nspawn")? {
                bail!("systemd-nspawn has ended ({status})");
            }
            let id = self.nspawn.id();
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
            self.init = children.trim().to_owned();
            // Until init has taken over, the child is systemd-nspawn itself.
            let name = fs::read_to_string(format!("/proc/{}/comm", self.init)).unwrap_or_default();
            if name == "systemd\n" && self.run(&["systemctl", "is-system-running", "--wait"]).is_ok() {
                return Ok(());
            }
            ensure!(start.elapsed() < BOOT, "the system does not come up");
            thread::sleep(GLANCE);
        }
    }

    /// Runs a command in the system; its output, or why it failed.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut nsenter = Command::new("nsenter");
        nsenter.args([
            "--target", &self.init, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd",
        ]);
        nsenter.args(["timeout", LIMIT]).args(arguments);
        nsenter.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        command::stdout(&mut nsenter)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // A system that does not hear this is ended below.
        let _ = self.run(&["systemctl", "poweroff"]);
        let start = Instant::now();
        while start.elapsed() < SHUTDOWN {
            if !matches!(self.nspawn.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(GLANCE);
        }
        // Nobody is left to tell that even this fails.
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
    }
}
