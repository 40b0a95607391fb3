//! What a running agent tells the service manager, heard on a real socket. Takes root, and the `ip` command.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use annotator_tests::agent::{Running, attachment, binary};
use annotator_tests::frames;
use annotator_tests::veth::{HERE, Wire};
use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The service manager's end.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Result<Self> {
        let folder = TempDir::new()?;
        let socket = UnixDatagram::bind(folder.path().join("notify")).context("cannot listen")?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Manager { socket, folder })
    }

    fn start(&self, wire: &Wire, device: &str) -> Result<Running> {
        let mut command = wire.here.command(binary());
        command.args(["run", device, "--interval=300ms"]);
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify")).env("WATCHDOG_USEC", "1000000");
        Running::start(command.env_remove("RUST_LOG"))
    }

    /// The next message.
    fn hear(&self) -> Result<String> {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).context("nothing is heard")?;
        Ok(String::from_utf8(bytes[..length].to_vec())?)
    }

    /// The next message that begins with one of these, and how many others came before it.
    fn await_message(&self, beginning: &str) -> Result<(String, Vec<String>)> {
        let mut others = Vec::new();
        loop {
            let message = self.hear().with_context(|| format!("waiting for {beginning}; heard {others:?}"))?;
            if message.starts_with(beginning) {
                return Ok((message, others));
            }
            others.push(message);
        }
    }
}

#[test]
fn the_manager_hears_what_becomes_of_the_agent() -> Result<()> {
    let wire = Wire::new(1500)?;
    let manager = Manager::new()?;
    let agent = manager.start(&wire, HERE)?;
    ensure!(manager.hear()? == "READY=1\n");
    ensure!(attachment(&wire.here, HERE)?.is_some(), "it says that it is ready and counts nothing");

    wire.sender.send(&frames::Ipv4::default().frame(&frames::udp_datagram(40_000, 4_000, b"payload!")))?;
    let (status, _) = manager.await_message("STATUS=")?;
    ensure!(status.contains(&format!("{HERE}: 1 packet in ")), "{status}");
    for _ in 0..2 {
        manager.await_message("WATCHDOG=1\n")?;
    }

    agent.signal(libc::SIGHUP)?;
    let (reloading, others) = manager.await_message("RELOADING=1\n")?;
    ensure!(!others.iter().any(|other| other.starts_with("READY")), "{others:?}");
    ensure!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    manager.await_message("READY=1\n")?;

    agent.signal(libc::SIGTERM)?;
    manager.await_message("STOPPING=1\n")?;
    agent.wait()?.status.success().then_some(()).context("it did not end well")
}

#[test]
fn an_agent_that_cannot_start_is_never_ready() -> Result<()> {
    let wire = Wire::new(1500)?;
    let manager = Manager::new()?;
    manager.start(&wire, "nowhere")?.wait()?.expect_failure(2, &["nowhere"])?;
    manager.socket.set_nonblocking(true)?;
    match manager.socket.recv(&mut [0; 16]) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        heard => bail!("{heard:?}"),
    }
}

#[test]
fn a_manager_that_is_gone_keeps_nobody_from_counting() -> Result<()> {
    let wire = Wire::new(1500)?;
    let manager = Manager::new()?;
    let agent = manager.start(&wire, HERE)?;
    ensure!(manager.hear()? == "READY=1\n");
    drop(manager);
    agent.signal(libc::SIGTERM)?;
    let finished = agent.wait()?;
    ensure!(finished.status.success(), "{}", finished.stderr);
    ensure!(finished.stderr.contains("cannot reach the service manager"), "{}", finished.stderr);
    Ok(())
}
