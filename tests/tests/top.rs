//! `annotator top` in a real terminal, on a real wire. Takes root, and the `ip` command.

use std::{fs, path::PathBuf, process::Command};

use annotator::top::terminal::{Screen, Signals};
use annotator_testnet::netlink;
use annotator_tests::agent::{annotator, attachment, binary, eventually, finish};
use annotator_tests::frames;
use annotator_tests::tty::{Tty, keys};
use annotator_tests::veth::{HERE, Wire};
use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;

fn top(wire: &Wire, devices: &[&str]) -> Result<Tty> {
    let mut command = wire.here.command(binary());
    command.arg("top").args(devices).args(["--refresh", "200ms"]);
    let tty = Tty::start(&mut command, 100, 30)?;
    tty.expect(&["Findings"])?;
    Ok(tty)
}

fn send(wire: &Wire, times: u64) -> Result<()> {
    let frame = frames::Ipv4::default().frame(&frames::udp_datagram(40_000, 4_000, b"payload!"));
    (0..times).try_for_each(|_| wire.sender.send(&frame))
}

fn expect_detached(wire: &Wire) -> Result<()> {
    let left = attachment(&wire.here, HERE)?;
    ensure!(left.is_none(), "still attached: {left:?}");
    Ok(())
}

#[test]
fn it_shows_what_arrives_and_gives_the_terminal_back() -> Result<()> {
    let wire = Wire::new(1500)?;
    let mut tty = top(&wire, &[HERE])?;
    tty.expect(&[HERE, "XDP native mode", "q quit"])?;
    ensure!(attachment(&wire.here, HERE)?.is_some(), "it is attached");
    send(&wire, 1234)?;
    tty.press("2")?;
    tty.expect(&["udp/4000", "udp/40000", "1,234", "packets/s"])?;

    tty.press("/udp/4000 to")?;
    tty.expect(&["/udp/4000 to", "udp/4000"])?;
    tty.press(keys::ENTER)?;
    tty.press(keys::ENTER)?;
    tty.expect(&["port udp/4000, side to", "What to do:", "Esc back"])?;
    tty.press(keys::ESCAPE)?;
    tty.expect(&["port", "service", "only /udp/4000 to"])?;

    tty.resize(80, 24)?;
    let screen = tty.expect(&["udp/4000", "only /udp/4000 to"])?;
    ensure!(screen.lines().count() == 24, "{screen}");
    tty.resize(30, 8)?;
    tty.expect(&["too small", "30×8"])?;
    tty.resize(60, 12)?;
    tty.expect(&["udp/4000", HERE])?;

    tty.press("p")?;
    tty.expect(&["PAUSED"])?;
    send(&wire, 1)?;
    tty.press("p")?;
    tty.expect(&["1,235"])?;

    tty.press("q")?;
    ensure!(tty.wait()?.success(), "{}", tty.screen());
    tty.expect_restored()?;
    expect_detached(&wire)
}

#[test]
fn every_signal_and_ctrl_c_give_the_terminal_back() -> Result<()> {
    let wire = Wire::new(1500)?;
    for signal in [Some(Signal::TERM), Some(Signal::INT), Some(Signal::HUP), None] {
        let mut tty = top(&wire, &[HERE])?;
        ensure!(tty.is_taken(), "{}", tty.screen());
        match signal {
            Some(signal) => tty.signal(signal)?,
            None => tty.press(keys::CTRL_C)?,
        }
        ensure!(tty.wait()?.success(), "{signal:?}: {}", tty.screen());
        tty.expect_restored().with_context(|| format!("{signal:?}"))?;
        expect_detached(&wire)?;
    }
    Ok(())
}

#[test]
fn a_terminal_that_is_closed_ends_it() -> Result<()> {
    let wire = Wire::new(1500)?;
    let mut tty = top(&wire, &[HERE])?;
    let status = tty.hang_up()?;
    ensure!(status.code().is_some(), "it ended by itself: {status}");
    expect_detached(&wire)
}

#[test]
fn an_interface_that_goes_away_ends_it() -> Result<()> {
    let wire = Wire::new(1500)?;
    let mut tty = top(&wire, &[HERE])?;
    wire.here.enter(|| netlink::delete(HERE))?;
    ensure!(tty.wait()?.code() == Some(2), "{}", tty.screen());
    tty.expect_restored()?;
    // What was wrong is said where it stays to be read.
    tty.expect(&["annotator: here is gone: the interface was removed"])?;
    Ok(())
}

#[test]
fn interfaces_can_be_switched_between_and_lost() -> Result<()> {
    let wire = Wire::new(1500)?;
    wire.add("second", 1500)?;
    let mut tty = top(&wire, &[HERE, "second"])?;
    tty.expect(&[HERE, "1 of 2"])?;
    tty.press("i")?;
    tty.expect(&["second", "2 of 2"])?;
    wire.here.enter(|| netlink::delete("second"))?;
    tty.expect(&["GONE", "second is gone"])?;
    tty.press("i2")?;
    send(&wire, 3)?;
    tty.expect(&[HERE, "1 of 2", "udp/4000"])?;
    tty.press("q")?;
    ensure!(tty.wait()?.success(), "{}", tty.screen());
    expect_detached(&wire)
}

#[test]
fn it_runs_without_any_capability() -> Result<()> {
    let wire = Wire::new(1500)?;
    let tty = top(&wire, &[HERE])?;
    // Capabilities belong to threads.
    let tasks = format!("/proc/{}/task", tty.id());
    let mut threads = 0;
    for task in fs::read_dir(&tasks)? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        for line in status.lines().filter(|line| line.starts_with("Cap") && !line.starts_with("CapBnd")) {
            ensure!(line.ends_with("\t0000000000000000"), "{line}");
        }
        ensure!(status.contains("NoNewPrivs:\t1"), "{status}");
        threads += 1;
    }
    ensure!(threads > 0, "no threads in {tasks}");
    Ok(())
}

/// Has the test below panic where it runs in a terminal.
const PANIC: &str = "ANNOTATOR_TEST_PANIC";

#[test]
fn a_panic_gives_the_terminal_back() -> Result<()> {
    if std::env::var_os(PANIC).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let _inside = runtime.enter();
        let _screen = Screen::enter(Signals::catch()?)?;
        panic!("on purpose");
    }
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--exact", "a_panic_gives_the_terminal_back", "--nocapture"])
        .env(PANIC, "1")
        .env("RUST_BACKTRACE", "0");
    let mut tty = Tty::start(&mut command, 80, 24)?;
    ensure!(!tty.wait()?.success(), "{}", tty.screen());
    tty.expect_restored()?;
    tty.expect(&["on purpose"])?;
    Ok(())
}

/// A capture of one packet a second to port 4000, 61 of them.
fn minute(folder: &tempfile::TempDir) -> Result<PathBuf> {
    let frame = frames::Ipv4::default().frame(&frames::udp_datagram(40_000, 4_000, b"payload!"));
    let length = frame.len() as u32;
    let mut file: Vec<u8> =
        [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1].into_iter().flat_map(u32::to_le_bytes).collect();
    for second in 0..=60 {
        file.extend([1_000_000_000 + second, 0, length, length].into_iter().flat_map(u32::to_le_bytes));
        file.extend(&frame);
    }
    let path = folder.path().join("minute.pcap");
    fs::write(&path, file)?;
    Ok(path)
}

#[test]
fn a_capture_is_walked_through() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = minute(&folder)?;
    let mut tty = Tty::start(annotator(["top"]).arg(&path), 80, 24)?;
    tty.expect(&["minute.pcap", "2001-09-09 01:46:40 to 01:47:40 UTC"])?;
    tty.press("2/udp/4000\r")?;
    tty.expect(&["udp/4000   to", "61 "])?;
    // Three times ten of sixty steps back.
    tty.press("<<<")?;
    tty.expect(&["01:47:10 UTC", "30/60", "31 "])?;
    tty.press(">>>")?;
    tty.expect(&["01:47:40 UTC", "61 "])?;
    tty.press("q")?;
    ensure!(tty.wait()?.success(), "{}", tty.screen());
    tty.expect_restored()
}

#[test]
fn a_capture_comes_through_a_pipe_and_the_keys_from_the_terminal() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = minute(&folder)?;
    let mut command = Command::new("sh");
    command.args(["-c", "cat \"$1\" | \"$2\" top -", "sh"]).arg(&path).arg(binary());
    let mut tty = Tty::start(&mut command, 80, 24)?;
    tty.expect(&["2001-09-09", "Findings"])?;
    tty.press(",")?;
    tty.expect(&["standard input can be read only once"])?;
    tty.press("q")?;
    ensure!(tty.wait()?.success(), "{}", tty.screen());
    tty.expect_restored()
}

#[test]
fn what_cannot_be_shown_is_said_before_anything_is_attached() -> Result<()> {
    let wire = Wire::new(1500)?;
    let refused = |arguments: &[&str], parts: &[&str]| -> Result<()> {
        let mut command = wire.here.command(binary());
        finish(command.arg("top").args(arguments).env("TERM", "xterm"))?.expect_failure(2, parts)?;
        expect_detached(&wire)
    };
    refused(&[HERE], &["standard output is not a terminal", "annotator run here"])?;
    refused(&["/nowhere/x.pcap"], &["standard output is not a terminal", "annotator read"])?;
    refused(&["nothing"], &["nothing is neither a capture file nor an interface", HERE])?;
    refused(&[HERE, "/nowhere/x.pcap"], &["one or the other"])?;
    refused(&[], &["IFACE"])?;

    let folder = tempfile::tempdir()?;
    let text = folder.path().join("text.pcap");
    fs::write(&text, "no capture")?;
    for (path, part) in [(folder.path().join("absent.pcap"), "No such file"), (text, "not a capture")] {
        let mut tty = Tty::start(annotator(["top"]).arg(&path), 200, 24)?;
        ensure!(tty.wait()?.code() == Some(2), "{}", tty.screen());
        tty.expect(&["annotator: cannot", part])?;
        tty.expect_restored()?;
    }
    let dumb = finish(annotator(["top", "-"]).env("TERM", "dumb"))?;
    dumb.expect_failure(2, &["not a terminal"])?;
    eventually("still attached", || Ok(attachment(&wire.here, HERE)?.is_none().then_some(())))
}
