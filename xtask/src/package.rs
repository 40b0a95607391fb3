//! `cargo xtask package-test`: the Debian package, installed, run, queried and removed in a small Debian of its own.
//!
//! That Debian is a folder which boots in a container with systemd as its init, a network of its own and the kernel of this machine. What
//! happens in it is gone when it ends.

mod container;
mod root;

use std::{
    env, fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use annotator_toolchain::{command, workspace};
use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::{dist, host, test::Counts};
use container::Container;

/// The interface that the service watches, and who sends to it.
const NETWORK: &str = "ip link add watched type veth peer name far && ip netns add outside && ip link set far netns outside \
    && ip address add 198.18.0.10/24 dev watched && ip link set watched up \
    && ip -n outside address add 198.18.0.1/24 dev far && ip -n outside link set far up";
const CONFIGURATION: &str = "/etc/annotator/annotator.toml";
/// What systemd does at boot, but not in a container.
const BPF_FILE_SYSTEM: &str = "mount -o remount,rw /sys && mkdir -p /sys/fs/bpf && mount -t bpf -o mode=700 bpf /sys/fs/bpf \
    && mount -o remount,ro /sys";
/// What makes the service pin, as the package brings it and where it takes effect.
const PIN: [&str; 2] =
    ["/usr/share/annotator/contrib/systemd/pin.conf", "/etc/systemd/system/annotator.service.d/pin.conf"];
const REPORTS: &str = "/var/log/annotator/reports.ndjson";
const PINGS: u64 = 5;
/// Ten times the exposure that `systemd-analyze security` finds at most. What is left is mainly the network itself, which is the service's business.
const EXPOSURE: &str = "20";
/// How long anything may take that should take a second.
const PATIENCE: Duration = Duration::from_secs(30);

type Step = fn(&Container) -> Result<()>;

/// In this order: each builds on what those before it have left.
const STEPS: [(&str, Step); 11] = [
    ("it installs, and brings what it promises", installs),
    ("the unit is sound and confined", is_confined),
    ("without an interface the service does not start, and says why", needs_an_interface),
    ("the service starts when it is attached", starts),
    ("it has a user of its own and no capability left", is_unprivileged),
    ("it counts and reports", counts),
    ("it reloads", reloads),
    ("it is started again when it hangs", is_watched_over),
    ("it stops and leaves nothing attached", stops),
    ("with its drop-in it goes on counting while it is stopped", pins),
    ("removing leaves the configuration, purging leaves nothing", goes),
];

#[derive(Args, Default)]
pub struct Options {
    /// Test this package instead of building one.
    #[arg(long, value_name = "FILE")]
    package: Option<PathBuf>,
}

/// Runs the steps, and fails when one has.
pub fn run(options: &Options) -> Result<()> {
    let counts = all(options)?;
    println!("package: {} passed, {} failed", counts.passed, counts.failed);
    if counts.failed > 0 {
        bail!("the package does not do what it should");
    }
    Ok(())
}

/// The same for the test command.
pub fn all(options: &Options) -> Result<Counts> {
    let package = match &options.package {
        Some(package) => package.canonicalize().with_context(|| format!("cannot find {}", package.display()))?,
        None => dist::run()?,
    };
    if !host::is_root() {
        let ourselves = env::current_exe().context("cannot find this program")?;
        let mut again = host::as_root(&ourselves, "starting a system in a container")?;
        command::show(again.args(["package-test", "--package"]).arg(package))?;
        return Ok(Counts { passed: STEPS.len(), failed: 0 });
    }
    let root = root::Root::fetch()?;
    let container = Container::boot(root.path(), &package)?;
    Ok(steps(&container))
}

/// Stops at the first that fails.
fn steps(container: &Container) -> Counts {
    let mut counts = Counts::default();
    for (name, step) in STEPS {
        match step(container) {
            Ok(()) => {
                println!("package: {name} ... ok");
                counts.passed += 1;
            }
            Err(error) => {
                println!("package: {name} ... FAILED\n{error:#}");
                let journal = container.run(&["journalctl", "--no-pager", "--lines=40", "--unit=annotator"]);
                println!("{}", journal.unwrap_or_else(|error| format!("{error:#}")));
                counts.failed += 1;
                break;
            }
        }
    }
    counts
}

fn installs(container: &Container) -> Result<()> {
    container.run(&["dpkg", "--install", container::PACKAGE])?;
    let version = container.run(&["annotator", "--version"])?;
    ensure!(version.trim() == concat!("annotator ", env!("CARGO_PKG_VERSION")), "the version is {version}");
    ensure!(container.run(&["annotator", "explain", "tcp/113"])?.contains("ident"), "it does not know tcp/113");
    container.run(&["annotator", "config", "check"])?;
    for page in ["annotator", "annotator-run", "annotator-config-check"] {
        let page = container.run(&["zcat", &format!("/usr/share/man/man1/{page}.1.gz")])?;
        ensure!(page.contains(".SH NAME"), "not a manual page: {page}");
    }
    container.run(&["bash", "-n", "/usr/share/bash-completion/completions/annotator"])?;
    for file in ["README.md", "meanings.md", "LICENSE-MIT", "LICENSE-APACHE", "LICENSE-GPL2", "copyright"] {
        container.run(&["test", "-s", &format!("/usr/share/doc/annotator/{file}")])?;
    }
    for folder in ["contrib", "docs/schema"] {
        for file in files(&workspace().join(folder))? {
            let name = file.strip_prefix(workspace().join("docs")).or_else(|_| file.strip_prefix(workspace()))?;
            container.run(&["test", "-s", &format!("/usr/share/annotator/{}", name.display())])?;
        }
    }
    ensure!(property(container, "UnitFileState")? == "disabled", "the service is enabled before it is configured");
    ensure!(property(container, "ActiveState")? == "inactive", "the service runs before it is configured");
    Ok(())
}

fn is_confined(container: &Container) -> Result<()> {
    let said = container.run(&["systemd-analyze", "verify", "--man=no", "annotator.service"])?;
    ensure!(said.is_empty(), "{said}");
    let threshold = format!("--threshold={EXPOSURE}");
    container.run(&["systemd-analyze", "security", "--no-pager", &threshold, "annotator.service"]).map(|_| ())
}

fn needs_an_interface(container: &Container) -> Result<()> {
    ensure!(container.run(&["systemctl", "start", "annotator"]).is_err(), "it starts without an interface");
    eventually("the journal does not say what is missing", || {
        Ok(container.run(&["journalctl", "--no-pager", "--unit=annotator"])?.contains("<IFACE>"))
    })?;
    container.run(&["systemctl", "stop", "annotator"]).map(|_| ())
}

fn starts(container: &Container) -> Result<()> {
    container.run(&["sh", "-c", NETWORK])?;
    let settings = "s/^#interfaces.*/interfaces = [\"watched\"]/; s/^interval.*/interval = \"500ms\"/";
    container.run(&["sed", "-i", settings, CONFIGURATION])?;
    container.run(&["annotator", "config", "check"])?;
    container.run(&["systemctl", "enable", "--now", "annotator"])?;
    ensure!(property(container, "ActiveState")? == "active", "it is not active");
    ensure!(is_attached(container)?, "it says that it is ready and is not attached");
    Ok(())
}

fn is_unprivileged(container: &Container) -> Result<()> {
    let process = property(container, "MainPID")?;
    let status = container.run(&["cat", &format!("/proc/{process}/status")])?;
    let field = |name: &str| -> Result<Vec<&str>> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(line.with_context(|| format!("no {name} in {status}"))?.split_whitespace().collect())
    };
    ensure!(!field("Uid")?.contains(&"0"), "it runs as root");
    ensure!(field("CapPrm")? == ["0000000000000000"], "capabilities are left: {status}");
    ensure!(field("NoNewPrivs")? == ["1"], "new privileges are possible: {status}");
    Ok(())
}

fn counts(container: &Container) -> Result<()> {
    ping(container)?;
    eventually("the reports do not show the pings", || {
        let line = container.run(&["tail", "--lines=1", REPORTS])?;
        // The last line may be half written.
        let report: Value = serde_json::from_str(&line).unwrap_or_default();
        let echo_requests = report["icmp"].as_array().into_iter().flatten().find(|row| row["type"] == 8);
        Ok(echo_requests.is_some_and(|row| row["packets"] == PINGS))
    })?;
    eventually("systemctl status does not say what is seen", || {
        Ok(property(container, "StatusText")?.starts_with("watched: "))
    })
}

fn reloads(container: &Container) -> Result<()> {
    let before = property(container, "MainPID")?;
    container.run(&["systemctl", "reload", "annotator"])?;
    ensure!(property(container, "MainPID")? == before, "it was started again");
    ensure!(property(container, "ActiveState")? == "active", "it is not active");
    Ok(())
}

fn is_watched_over(container: &Container) -> Result<()> {
    let impatient = "mkdir -p /run/systemd/system/annotator.service.d && printf '[Service]\\nWatchdogSec=2s\\nRestartSec=100ms\\n' \
        > /run/systemd/system/annotator.service.d/impatient.conf && systemctl daemon-reload && systemctl restart annotator";
    container.run(&["sh", "-c", impatient])?;
    let before = property(container, "MainPID")?;
    container.run(&["kill", "-STOP", &before])?;
    eventually("it is not started again", || {
        Ok(property(container, "ActiveState")? == "active" && property(container, "MainPID")? != before)
    })?;
    // Left alone, it stays: the signs of life come.
    thread::sleep(Duration::from_secs(5));
    ensure!(property(container, "NRestarts")? == "1", "it was started again although nothing was wrong");
    ensure!(is_attached(container)?, "it is not attached");
    Ok(())
}

fn stops(container: &Container) -> Result<()> {
    container.run(&["systemctl", "stop", "annotator"])?;
    ensure!(property(container, "Result")? == "success", "it did not end well");
    ensure!(!is_attached(container)?, "it is still attached");
    Ok(())
}

fn pins(container: &Container) -> Result<()> {
    container.run(&["sh", "-c", BPF_FILE_SYSTEM])?;
    let [from, to] = PIN;
    container.run(&["install", "-D", "--mode=644", from, to])?;
    container.run(&["systemctl", "daemon-reload"])?;
    container.run(&["systemctl", "start", "annotator"])?;
    is_unprivileged(container)?;
    let before = status(container)?;
    let number = |status: &Value, name: &str| status[name].as_u64().with_context(|| format!("no {name}: {status:#}"));
    let pinned = before["pinned"].as_str().unwrap_or_default();
    ensure!(pinned.starts_with("/sys/fs/bpf/annotator/"), "not pinned where it should be: {before:#}");
    ping(container)?;
    container.run(&["systemctl", "stop", "annotator"])?;
    ensure!(is_attached(container)?, "nothing counts while it is stopped");
    ping(container)?;
    container.run(&["systemctl", "start", "annotator"])?;
    ping(container)?;
    let after = status(container)?;
    ensure!(number(&after, "link_id")? == number(&before, "link_id")?, "another link: {before:#} {after:#}");
    ensure!(number(&after, "program_id")? != number(&before, "program_id")?, "no agent has taken over: {after:#}");
    ensure!(number(&after, "packets")? >= number(&before, "packets")? + 3 * PINGS, "packets are missing: {after:#}");
    eventually("the reports do not show what came while it was stopped", || {
        Ok(container.run(&["cat", REPORTS])?.contains("taken over from an earlier agent"))
    })
}

/// What is attached to the interface.
fn status(container: &Container) -> Result<Value> {
    let status: Value = serde_json::from_str(&container.run(&["annotator", "status", "--format", "json"])?)?;
    Ok(status["attachments"][0].clone())
}

fn goes(container: &Container) -> Result<()> {
    let exists = |file: &str| container.run(&["test", "-e", file]).is_ok();
    container.run(&["systemctl", "start", "annotator"])?;
    container.run(&["dpkg", "--remove", "annotator"])?;
    ensure!(!is_attached(container)? && !exists("/sys/fs/bpf/annotator"), "it is still attached");
    ensure!(!exists("/usr/bin/annotator"), "the program is still there");
    ensure!(exists(CONFIGURATION) && exists(REPORTS), "removing has taken the configuration or the reports");
    container.run(&["dpkg", "--purge", "annotator"])?;
    for left in [CONFIGURATION, "/var/log/annotator", "/var/log/private/annotator", "/var/lib/private/annotator"] {
        ensure!(!exists(left), "{left} is left");
    }
    Ok(())
}

fn property(container: &Container, name: &str) -> Result<String> {
    let value = container.run(&["systemctl", "show", "annotator", "--value", "--property", name])?;
    Ok(value.trim().to_owned())
}

fn ping(container: &Container) -> Result<()> {
    let count = PINGS.to_string();
    let ping = ["ip", "netns", "exec", "outside", "ping", "-q", "-i", "0.2", "-c", &count, "198.18.0.10"];
    container.run(&ping).map(|_| ())
}

fn is_attached(container: &Container) -> Result<bool> {
    Ok(container.run(&["ip", "link", "show", "watched"])?.contains("xdp"))
}

/// The files below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

/// Looks again and again until it is so.
fn eventually(otherwise: &'static str, mut look: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !look()? {
        ensure!(start.elapsed() < PATIENCE, otherwise);
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
