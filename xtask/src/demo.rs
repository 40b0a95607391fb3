//! `cargo xtask demo`: a network of our own, traffic of every kind, and the agent's explanation of it.
//!
//! The network consists of namespaces without names, which end with this process, in whatever way it ends.

mod packets;
mod scenes;
mod stage;

use std::{
    env,
    io::{IsTerminal as _, stdout},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use annotator_toolchain::command;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::{build, host};
use scenes::SCENES;
use stage::{DEVICE, Stage};

/// From one summary to the next; a scene fits in between.
const INTERVAL: Duration = Duration::from_secs(8);
const GLANCE: Duration = Duration::from_millis(20);
/// How long the agent may take to attach.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Args)]
pub struct Options {
    /// Use this agent instead of building one.
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
}

/// Sets up, shows, cleans up.
pub fn run(options: &Options) -> Result<()> {
    let agent = match &options.agent {
        Some(agent) => agent.clone(),
        None => {
            build::run()?;
            host::artifacts()?.join("release/annotator")
        }
    };
    if !host::is_root() {
        let ourselves = env::current_exe().context("cannot find this program")?;
        let mut again = host::as_root(&ourselves, "making a network of its own and attaching to it")?;
        // In our place, so that signals reach it.
        let error = again.arg("demo").arg("--agent").arg(agent).exec();
        return Err(error).with_context(|| format!("cannot start `{}`", command::line(&again)));
    }
    play(&agent)
}

fn play(agent: &Path) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot listen for signals")?;
    }
    let stage = Stage::build(Arc::clone(&stop))?;
    heading("A network of our own");
    println!(
        "Two network namespaces without names, a cable between them. Ours has the\n\
         address {}; the other one plays the rest of the world. Nothing leaves\n\
         this machine, and all of it ends with this program. Ctrl-C ends it early.\n",
        stage::WE
    );
    let whole = INTERVAL * SCENES.len() as u32 + INTERVAL / 4;
    let mut command = stage.ours.command(agent);
    command.args(["run", DEVICE]).args(["--interval", &seconds(INTERVAL)]);
    // Shorter than the interval, so that each summary is about its own scene.
    command.args(["--window", &seconds(INTERVAL * 3 / 4), "--duration", &seconds(whole)]);
    println!("$ {}\n", shown(&command));
    let mut agent = Agent(command.spawn().with_context(|| format!("cannot start {}", agent.display()))?);
    agent.wait_until_attached(&stop)?;

    let start = Instant::now();
    let count = SCENES.len();
    for (index, scene) in SCENES.iter().enumerate() {
        heading(&format!("Scene {} of {count}: {}", index + 1, scene.title));
        for act in scene.acts {
            println!("  - {}", act.line);
            (act.play)(&stage).with_context(|| format!("playing: {}", act.line))?;
        }
        println!();
        let end = start + INTERVAL * (index as u32 + 1) + INTERVAL / 8;
        while Instant::now() < end && !stop.load(Ordering::Relaxed) {
            if let Some(status) = agent.0.try_wait()? {
                bail!("the agent has ended early ({status})");
            }
            std::thread::sleep(GLANCE);
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    let status = agent.end(&stop)?;
    if !status.success() {
        bail!("the agent ended with {status}");
    }
    heading(if stop.load(Ordering::Relaxed) { "Interrupted" } else { "The end" });
    println!(
        "The agent is detached, the network is gone. To see what arrives at a card of\n\
         yours (its name from `ip link`):\n\n  cargo xtask run -- eth0\n"
    );
    Ok(())
}

/// The running agent; ends with this value.
struct Agent(Child);

impl Agent {
    /// Once attached, the agent gives up its capabilities.
    fn wait_until_attached(&mut self, stop: &AtomicBool) -> Result<()> {
        let start = Instant::now();
        let status = format!("/proc/{}/status", self.0.id());
        while !stop.load(Ordering::Relaxed) {
            if let Some(status) = self.0.try_wait()? {
                bail!("the agent could not start ({status})");
            }
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            if text.lines().any(|line| line == "CapEff:\t0000000000000000") {
                break;
            }
            if start.elapsed() > PATIENCE {
                bail!("the agent does not attach");
            }
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// Waits for its end, which it is told to come to when we are.
    fn end(&mut self, stop: &AtomicBool) -> Result<ExitStatus> {
        let mut told = false;
        loop {
            if let Some(status) = self.0.try_wait().context("cannot wait for the agent")? {
                return Ok(status);
            }
            if stop.load(Ordering::Relaxed) && !told {
                self.tell()?;
                told = true;
            }
            std::thread::sleep(GLANCE);
        }
    }

    fn tell(&self) -> Result<()> {
        // SAFETY: no pointers; the child has not been waited for, so the id is still its own.
        match unsafe { libc::kill(self.0.id().cast_signed(), SIGTERM) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()).context("cannot stop the agent"),
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // On errors only; otherwise it has ended, and this says so.
        if self.tell().is_ok() {
            let _ = self.0.wait();
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

/// The command as somebody would type it who has the agent on the path.
fn shown(command: &Command) -> String {
    let line = command::line(command);
    let (program, arguments) = line.split_once(' ').unwrap_or((&line, ""));
    format!("{} {arguments}", program.rsplit('/').next().unwrap_or(program))
}

fn heading(text: &str) {
    if stdout().is_terminal() && env::var_os("NO_COLOR").is_none() {
        println!("\n\x1b[1;7m {text:<78} \x1b[0m\n");
    } else {
        println!("\n==== {text} ====\n");
    }
}
