//! Whatever is asked of it wrongly, `annotator` says what is wrong and what to do, once, and ends with a proper exit code: 2 where nothing
//! could be done, 1 where something was left out. Takes root, and the `ip` command.

use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use annotator_testnet::{Namespace, Tun};
use annotator_tests::agent::{Agent, annotator, attachment, binary, eventually, finish};
use annotator_tests::veth::{HERE, Wire};
use annotator_tests::{captures::pcap, frames};
use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

const NOTHING_DONE: i32 = 2;
const LEFT_OUT: i32 = 1;

/// A folder with captures in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Result<Self> {
        Ok(Folder(tempfile::tempdir()?))
    }

    fn file(&self, name: &str, content: &[u8]) -> Result<PathBuf> {
        let path = self.0.path().join(name);
        fs::write(&path, content)?;
        Ok(path)
    }
}

fn two_frames() -> Vec<u8> {
    let frame = frames::Ipv4::default().frame(&frames::udp_datagram(40_000, 4_000, b"payload!"));
    pcap(&[frame.clone(), frame])
}

/// `annotator read` of a file, with JSON on standard output.
fn read(path: &Path) -> Command {
    let mut command = annotator(["read", "--format=json"]);
    command.arg(path);
    command
}

/// `annotator run` in a namespace, which must not last.
fn run(namespace: &Namespace, arguments: &[&str]) -> Command {
    let mut command = namespace.command(binary());
    command.env_remove("RUST_LOG").args(["run", "--duration=10s"]).args(arguments);
    command
}

/// Takes all capabilities from a command.
fn without_capabilities(command: &mut Command) -> &mut Command {
    // SAFETY: the closure makes nothing but system calls, as it must between fork and exec.
    unsafe {
        command.pre_exec(|| {
            // What is not in the bounding set is not given back by executing as root. The first unknown number ends the list.
            for capability in 0.. {
                if libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 {
                    let error = io::Error::last_os_error();
                    return if error.raw_os_error() == Some(libc::EINVAL) { Ok(()) } else { Err(error) };
                }
            }
            Ok(())
        })
    }
}

#[test]
fn a_file_that_cannot_be_read() -> Result<()> {
    let folder = Folder::new()?;
    let absent = folder.0.path().join("absent.pcap");
    finish(&mut read(&absent))?.expect_failure(NOTHING_DONE, &["absent.pcap", "No such file"])?;
    finish(&mut read(folder.0.path()))?.expect_failure(NOTHING_DONE, &["irectory"])?;
    let empty = folder.file("empty.pcap", b"")?;
    finish(&mut read(&empty))?.expect_failure(NOTHING_DONE, &["empty.pcap", "empty"])?;
    let text = folder.file("text.pcap", b"This is not a capture, whatever its name says.\n")?;
    finish(&mut read(&text))?.expect_failure(NOTHING_DONE, &["text.pcap", "capture"])?;
    let head = folder.file("head.pcap", &two_frames()[..10])?;
    finish(&mut read(&head))?.expect_failure(NOTHING_DONE, &["head.pcap"])?;
    Ok(())
}

#[test]
fn a_file_that_is_damaged() -> Result<()> {
    let folder = Folder::new()?;
    let whole = two_frames();
    let cut = folder.file("cut.pcap", &whole[..whole.len() - 7])?;
    let mut absurd = whole.clone();
    // The captured length of the second frame.
    let at = 24 + (whole.len() - 24) / 2 + 8;
    absurd[at..at + 4].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let absurd = folder.file("absurd.pcap", &absurd)?;
    for path in [cut, absurd] {
        let name = path.file_name().context("no name")?.to_string_lossy().into_owned();
        let finished = finish(&mut read(&path))?.expect_failure(LEFT_OUT, &[&name])?;
        let report = finished.reports()?.pop().context("no report")?;
        ensure!(report["totals"]["packets"] == 1, "what could be read is reported: {}", finished.stdout);
    }
    Ok(())
}

#[test]
fn one_file_of_several() -> Result<()> {
    let folder = Folder::new()?;
    let good = folder.file("good.pcap", &two_frames())?;
    let absent = folder.0.path().join("absent.pcap");
    let finished = finish(read(&good).arg(&absent))?.expect_failure(LEFT_OUT, &["absent.pcap"])?;
    ensure!(finished.reports()?[0]["totals"]["packets"] == 2, "{}", finished.stdout);
    Ok(())
}

#[test]
fn an_output_that_cannot_be_written() -> Result<()> {
    let folder = Folder::new()?;
    let good = folder.file("good.pcap", &two_frames())?;
    for output in ["/nowhere/report.json", "/dev/full"] {
        let finished = finish(read(&good).args(["--output", output]))?;
        finished.expect_failure(NOTHING_DONE, &[output])?;
    }
    let full = OpenOptions::new().write(true).open("/dev/full")?;
    let finished = read(&good).stdout(full).stderr(Stdio::piped()).output()?;
    let said = String::from_utf8(finished.stderr)?;
    ensure!(finished.status.code() == Some(NOTHING_DONE), "{}: {said}", finished.status);
    ensure!(said.contains("standard output") && said.lines().count() == 1, "{said}");
    Ok(())
}

#[test]
fn a_live_output_that_cannot_be_opened_is_refused_before_attaching() -> Result<()> {
    let wire = Wire::new(1500)?;
    finish(&mut run(&wire.here, &[HERE, "--output=/nowhere/report"]))?
        .expect_failure(NOTHING_DONE, &["/nowhere/report"])?;
    ensure!(attachment(&wire.here, HERE)?.is_none(), "still attached");
    Ok(())
}

#[test]
fn a_full_disk_is_said_once_and_does_not_end_a_run() -> Result<()> {
    let wire = Wire::new(1500)?;
    let agent = Agent::start(&wire.here, &[HERE], &["--output=/dev/full", "--interval=50ms", "--duration=1s"])?;
    let finished = agent.wait()?.expect_failure(NOTHING_DONE, &["/dev/full", "No space left"])?;
    ensure!(finished.stderr.matches("goes on").count() == 1, "{}", finished.stderr);
    ensure!(attachment(&wire.here, HERE)?.is_none(), "still attached");
    Ok(())
}

#[test]
fn a_closed_pipe_ends_it_quietly() -> Result<()> {
    let folder = Folder::new()?;
    let good = folder.file("good.pcap", &two_frames())?;
    let wire = Wire::new(1500)?;
    for mut command in [read(&good), run(&wire.here, &[HERE, "--interval=50ms", "--format=json"])] {
        let (reader, writer) = io::pipe()?;
        drop(reader);
        let finished = command.stdout(writer).stdin(Stdio::null()).stderr(Stdio::piped()).output()?;
        ensure!(finished.status.success(), "{}", finished.status);
        ensure!(finished.stderr.is_empty(), "{}", String::from_utf8_lossy(&finished.stderr));
    }
    ensure!(attachment(&wire.here, HERE)?.is_none(), "still attached");
    Ok(())
}

#[test]
fn a_closed_standard_error_ends_nothing() -> Result<()> {
    let folder = Folder::new()?;
    let cut = folder.file("cut.pcap", &two_frames()[..100])?;
    let (reader, writer) = io::pipe()?;
    drop(reader);
    let finished = read(&cut).stderr(writer).output()?;
    ensure!(finished.status.code() == Some(LEFT_OUT), "{}", finished.status);
    ensure!(!finished.stdout.is_empty(), "the report is missing");
    Ok(())
}

#[test]
fn places_that_take_no_page() -> Result<()> {
    let wire = Wire::new(1500)?;
    let folder = Folder::new()?;
    let folder = folder.0.path().to_string_lossy();
    for (place, why) in [("/nowhere/page.html", "No such file"), (&*folder, "it is a folder"), ("-", "name a file")] {
        finish(&mut run(&wire.here, &[HERE, "--html", place]))?.expect_failure(NOTHING_DONE, &[why])?;
    }
    ensure!(attachment(&wire.here, HERE)?.is_none(), "still attached");
    Ok(())
}

#[test]
fn an_interface_that_does_not_exist() -> Result<()> {
    let wire = Wire::new(1500)?;
    // What there is is listed.
    finish(&mut run(&wire.here, &["nosuch0"]))?.expect_failure(NOTHING_DONE, &["nosuch0", HERE])?;
    finish(&mut run(&wire.here, &["a-name-longer-than-any-interface-has"]))?
        .expect_failure(NOTHING_DONE, &["a-name-longer-than-any-interface-has"])?;
    finish(&mut run(&wire.here, &[""]))?.expect_failure(NOTHING_DONE, &["interface"])?;
    // One wrong name, and the other interface is let go.
    finish(&mut run(&wire.here, &[HERE, "nosuch0"]))?.expect_failure(NOTHING_DONE, &["nosuch0"])?;
    ensure!(attachment(&wire.here, HERE)?.is_none(), "still attached");
    Ok(())
}

#[test]
fn an_interface_named_twice_is_watched_once() -> Result<()> {
    let wire = Wire::new(1500)?;
    let finished = Agent::start(&wire.here, &[HERE, HERE], &["--interval=1h"])?.interrupt()?.expect_success()?;
    ensure!(finished.reports()?.len() == 1, "{}", finished.stdout);
    Ok(())
}

#[test]
fn a_device_of_a_kind_that_cannot_be_watched() -> Result<()> {
    /// Wireless frames with a radiotap header.
    const IEEE80211_RADIOTAP: u16 = 803;
    let namespace = Namespace::new()?;
    let _tun = Tun::disguised(&namespace, "monitor", IEEE80211_RADIOTAP)?;
    finish(&mut run(&namespace, &["monitor"]))?.expect_failure(NOTHING_DONE, &["monitor", "803", "Ethernet"])?;
    ensure!(attachment(&namespace, "monitor")?.is_none(), "still attached");
    Ok(())
}

#[test]
fn native_mode_where_there_is_none() -> Result<()> {
    let namespace = Namespace::new()?;
    let _tun = Tun::new(&namespace, "tun")?;
    for device in ["lo", "tun"] {
        let finished = finish(&mut run(&namespace, &[device, "--xdp-mode=native"]))?;
        finished.expect_failure(NOTHING_DONE, &[device, "--xdp-mode generic"])?;
    }
    Ok(())
}

#[test]
fn no_rights() -> Result<()> {
    let wire = Wire::new(1500)?;
    let words = ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "sudo"];
    let finished = finish(without_capabilities(&mut run(&wire.here, &[HERE])))?;
    finished.expect_failure(NOTHING_DONE, &words)?;

    // Somebody else may not be able to reach the folder of the build.
    let folder = Folder::new()?;
    fs::set_permissions(folder.0.path(), Permissions::from_mode(0o755))?;
    let copy = folder.0.path().join("annotator");
    fs::copy(binary(), &copy)?;
    let capture = folder.file("good.pcap", &two_frames())?;
    let nobody = |arguments: &[&str]| {
        const NOBODY: u32 = 65_534;
        let mut command = Command::new(&copy);
        command.args(arguments).current_dir("/").env_remove("RUST_LOG").uid(NOBODY).gid(NOBODY);
        command
    };
    finish(&mut nobody(&["run", "lo"]))?.expect_failure(NOTHING_DONE, &words)?;
    // Captures take no rights.
    let capture = capture.to_string_lossy();
    finish(&mut nobody(&["read", &capture]))?.expect_success()?;
    Ok(())
}

#[test]
fn command_lines_that_make_no_sense() -> Result<()> {
    for (arguments, words) in [
        (&["run", "lo", "--interval", "0"][..], &["--interval", "longer than zero"][..]),
        (&["run", "lo", "--window", "0s"], &["--window", "longer than zero"]),
        (&["run", "lo", "--duration=-1s"], &["--duration"]),
        (&["run", "lo", "--interval", "soon"], &["--interval", "10s"]),
        (&["run", "lo", "--interval", "99999999999h"], &["--interval"]),
        (&["run", "lo", "--format", "xml"], &["xml", "json"]),
        (&["run", "lo", "--xdp-mode", "offload"], &["offload", "native"]),
        (&["run", "lo", "--local", "10.0.0.0/40"], &["--local", "32"]),
        (&["run"], &["IFACE"]),
        (&["read"], &["FILE"]),
        (&["report", "capture.pcap"], &["--html"]),
        (&["explain"], &["WHAT"]),
        (&["frobnicate"], &["frobnicate"]),
    ] {
        let finished = finish(&mut annotator(arguments))?;
        finished.expect_failure(NOTHING_DONE, words).with_context(|| arguments.join(" "))?;
    }
    Ok(())
}

#[test]
fn rules_that_cannot_be_read() -> Result<()> {
    let wire = Wire::new(1500)?;
    let folder = Folder::new()?;
    let broken = folder.file("broken.toml", b"[[entry]\nid = 1\n")?;
    let broken = broken.to_string_lossy();
    for (rules, word) in [("/nowhere/rules.toml", "No such file"), (&*broken, "broken.toml")] {
        let finished = finish(&mut run(&wire.here, &[HERE, "--rules", rules]))?;
        finished.expect_failure(NOTHING_DONE, &[rules, word])?;
    }
    ensure!(attachment(&wire.here, HERE)?.is_none(), "still attached");
    Ok(())
}

#[test]
fn a_capture_from_a_pipe_that_ends_early() -> Result<()> {
    let folder = Folder::new()?;
    let whole = two_frames();
    let cut = folder.file("cut.pcap", &whole[..whole.len() - 1])?;
    let output = annotator(["read", "--format=json", "-"]).stdin(fs::File::open(&cut)?).output()?;
    ensure!(output.status.code() == Some(LEFT_OUT), "{}", output.status);
    let output = annotator(["read", "-"]).stdin(Stdio::null()).output()?;
    ensure!(output.status.code() == Some(NOTHING_DONE), "{}", output.status);
    Ok(())
}

#[test]
fn a_second_interrupt_while_it_ends_changes_nothing() -> Result<()> {
    let wire = Wire::new(1500)?;
    let agent = Agent::start(&wire.here, &[HERE], &[])?;
    for _ in 0..2 {
        agent.process().signal(libc::SIGINT)?;
    }
    agent.interrupt()?.expect_success()?;
    eventually("still attached", || Ok(attachment(&wire.here, HERE)?.is_none().then_some(())))
}
