//! Where a running agent's reports go: lines that follow their schema, files that are rotated, moved away and full, and a terminal that is left in peace
//! when nothing is new. Takes root, and the `ip` command.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use annotator_common::packet::tcp::SYN;
use annotator_tests::agent::{Agent, annotator, binary, eventually, finish};
use annotator_tests::frames;
use annotator_tests::tty::{Tty, keys};
use annotator_tests::veth::{HERE, Wire};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

#[test]
fn who_sits_at_a_terminal_is_told_at_once_what_comes() -> Result<()> {
    let wire = Wire::new(1500)?;
    let mut command = wire.here.command(binary());
    command.args(["run", HERE, "--interval", "1h"]);
    let mut tty = Tty::start(&mut command, 120, 10)?;
    tty.expect(&["annotator: watching here (XDP native mode); the first summary comes in 60 min"])?;
    tty.press(keys::CTRL_C)?;
    ensure!(tty.wait()?.success(), "{}", tty.screen());
    Ok(())
}

/// SYNs from one stranger to many ports.
fn scan(wire: &Wire, ports: std::ops::Range<u16>) -> Result<()> {
    for port in ports {
        let syn = frames::tcp_segment(40_001, port, SYN, &[]);
        wire.sender.send(&frames::Ipv4 { protocol: 6, ..frames::Ipv4::default() }.frame(&syn))?;
    }
    Ok(())
}

fn values(lines: &str) -> Result<Vec<Value>> {
    ensure!(lines.is_empty() || lines.ends_with('\n'), "half a line: {lines}");
    lines.lines().map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))).collect()
}

fn expect_valid(schema: &str, values: &[Value]) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema").join(schema);
    let schema = serde_json::from_str(&fs::read_to_string(path)?)?;
    let schema = jsonschema::options().should_validate_formats(true).build(&schema)?;
    for value in values {
        let errors: Vec<_> = schema.iter_errors(value).map(|error| error.to_string()).collect();
        ensure!(errors.is_empty(), "{errors:#?}\n{value:#}");
    }
    Ok(())
}

#[test]
fn live_reports_follow_their_schema() -> Result<()> {
    let wire = Wire::new(1500)?;
    let agent = Agent::start(&wire.here, &[HERE], &[])?;
    scan(&wire, 1..200)?;
    sleep(Duration::from_secs(1));
    let reports = values(&agent.interrupt()?.expect_success()?.stdout)?;
    ensure!(!reports.is_empty(), "no report");
    expect_valid("report-1.json", &reports)
}

#[test]
fn a_finding_is_written_when_it_is_new_or_has_changed() -> Result<()> {
    let wire = Wire::new(1500)?;
    let agent = Agent::start(&wire.here, &[HERE], &["--findings"])?;
    scan(&wire, 1..40)?;
    sleep(Duration::from_secs(2));
    // Many more packets make it another finding of the same name.
    for _ in 0..20 {
        scan(&wire, 1..40)?;
    }
    sleep(Duration::from_secs(1));
    let findings = values(&agent.interrupt()?.expect_success()?.stdout)?;
    expect_valid("finding-1.json", &findings)?;
    let scans: Vec<_> = findings.iter().filter(|line| line["rule"]["id"] == "scan.vertical").collect();
    let actions: Vec<_> = scans.iter().filter_map(|line| line["event"]["action"].as_str()).collect();
    ensure!(actions.first() == Some(&"new"), "{actions:?} {findings:#?}");
    ensure!(actions.len() > 1 && actions[1..].iter().all(|action| *action != "new"), "{actions:?}");
    ensure!(actions.len() <= 4, "not every interval: {actions:?}");
    let scan = scans[0];
    ensure!(scan["source"]["ip"].is_string() && scan["network"]["transport"] == "tcp", "{scan:#}");
    ensure!(scan["observer"]["ingress"]["interface"]["name"] == HERE, "{scan:#}");
    Ok(())
}

#[test]
fn text_is_a_line_where_nothing_is_new() -> Result<()> {
    let wire = Wire::new(1500)?;
    let agent = Agent::start(&wire.here, &[HERE], &["--format=text"])?;
    scan(&wire, 1..200)?;
    sleep(Duration::from_secs(3));
    let text = agent.interrupt()?.expect_success()?.stdout;
    let pages = text.matches("annotator: here").count();
    ensure!((1..=3).contains(&pages), "{pages} pages:\n{text}");
    let quiet = text.lines().rev().take_while(|line| line.ends_with("stand") || line.ends_with("stands")).count();
    ensure!(quiet >= 4, "{quiet} lines at the end:\n{text}");
    ensure!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    Ok(())
}

#[test]
fn a_full_file_is_rotated() -> Result<()> {
    let wire = Wire::new(1500)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("reports.ndjson");
    let output = format!("--output={}", path.display());
    let options = ["--interval=50ms", "--rotate-size=8KiB", "--rotate-keep=2", &output];
    let agent = Agent::start(&wire.here, &[HERE], &options)?;
    scan(&wire, 1..5)?;
    let second = folder.path().join("reports.ndjson.2");
    eventually("two rotations", || Ok(second.exists().then_some(())))?;
    agent.interrupt()?.expect_success()?;
    let mut files: Vec<_> = fs::read_dir(folder.path())?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    ensure!(files.len() == 3, "{files:?}");
    // From the oldest to the youngest.
    files.rotate_left(1);
    files[..2].reverse();
    let mut reports = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file)?;
        let read = values(&text)?;
        ensure!(text.len() <= 8 << 10 || read.len() == 1, "{}: {} bytes", file.display(), text.len());
        reports.extend(read);
    }
    expect_without_gap(&reports)
}

/// Windows that grow from report to report, every tenth of a second or sooner, do so without a hole, even on a busy machine.
fn expect_without_gap(reports: &[Value]) -> Result<()> {
    let length = |report: &Value| report["window"]["seconds"].as_f64().context("no length");
    let at: Vec<f64> = reports.iter().map(length).collect::<Result<_>>()?;
    for pair in at.windows(2) {
        ensure!(pair[0] < pair[1] && pair[1] - pair[0] < 1.5, "a hole: {at:?}");
    }
    Ok(())
}

#[test]
fn a_file_that_was_moved_away_is_opened_again() -> Result<()> {
    let wire = Wire::new(1500)?;
    let folder = tempfile::tempdir()?;
    let (path, moved) = (folder.path().join("reports.ndjson"), folder.path().join("moved"));
    let output = format!("--output={}", path.display());
    let agent = Agent::start(&wire.here, &[HERE], &["--interval=100ms", &output])?;
    let has_lines = |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.lines().count() > 2).then_some(());
    eventually("no reports", || Ok(has_lines(&path)))?;
    fs::rename(&path, &moved)?;
    agent.process().signal(libc::SIGHUP)?;
    eventually("it is not opened again", || Ok(has_lines(&path)))?;
    agent.interrupt()?.expect_success()?;
    let mut reports = values(&fs::read_to_string(&moved)?)?;
    reports.extend(values(&fs::read_to_string(&path)?)?);
    expect_without_gap(&reports)
}

/// A file system of a few pages.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn new(size: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        mount(folder.path(), 0, size)?;
        Ok(SmallDisk { folder })
    }

    fn grow(&self, size: &str) -> Result<()> {
        mount(self.folder.path(), libc::MS_REMOUNT, size)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("reports.ndjson")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Ok(path) = CString::new(self.folder.path().as_os_str().as_bytes()) {
            // SAFETY: the path is a string that lives as long as the call.
            unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
        }
    }
}

fn mount(path: &Path, flags: libc::c_ulong, size: &str) -> Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let options = CString::new(format!("size={size}"))?;
    // SAFETY: all pointers are to strings that live as long as the call.
    let done =
        unsafe { libc::mount(c"tmpfs".as_ptr(), path.as_ptr(), c"tmpfs".as_ptr(), flags, options.as_ptr().cast()) };
    ensure!(done == 0, "cannot mount a tmpfs: {}", std::io::Error::last_os_error());
    Ok(())
}

#[test]
fn a_full_disk_is_said_once_and_costs_nothing() -> Result<()> {
    let wire = Wire::new(1500)?;
    let disk = SmallDisk::new("16k")?;
    let output = format!("--output={}", disk.file().display());
    let agent = Agent::start(&wire.here, &[HERE], &["--interval=100ms", &output])?;
    scan(&wire, 1..5)?;
    let length = || fs::metadata(disk.file()).map_or(0, |data| data.len());
    eventually("the disk does not fill", || {
        let before = length();
        sleep(Duration::from_millis(700));
        Ok((before > 0 && length() == before).then_some(()))
    })?;
    // Longer than any hole that is let pass.
    sleep(Duration::from_secs(3));
    values(&fs::read_to_string(disk.file())?)?;
    let full = length();
    disk.grow("4m")?;
    eventually("it does not go on", || Ok((length() > full).then_some(())))?;
    sleep(Duration::from_millis(500));
    let finished = agent.interrupt()?;
    ensure!(finished.status.success(), "{}", finished.stderr);
    let said: Vec<_> = finished.stderr.lines().collect();
    ensure!(said.len() == 2, "once each: {said:#?}");
    ensure!(said[0].contains("No space left") && said[0].contains("reports.ndjson"), "{said:#?}");
    ensure!(said[1].contains("works again"), "{said:#?}");
    expect_without_gap(&values(&fs::read_to_string(disk.file())?)?)
}

#[test]
fn rotation_where_there_is_nothing_to_rotate() -> Result<()> {
    for (arguments, words) in [
        (&["--rotate-size=1MiB"][..], &["--output"][..]),
        (&["--rotate-size=much", "--output=x"], &["--rotate-size", "64MiB"]),
        (&["--rotate-size=0", "--output=x"], &["--rotate-size", "zero"]),
        (&["--rotate-size=1MiB", "--rotate-keep=0", "--output=x"], &["--rotate-keep"]),
        (&["--rotate-size=1MiB", "--output=/dev/null"], &["--rotate-size", "--findings"]),
        (&["--rotate-size=1MiB", "--findings", "--output=/dev/null"], &["/dev/null", "not a plain file"]),
    ] {
        finish(&mut annotator([&["run", "lo"], arguments].concat()))?.expect_failure(2, words)?;
    }
    Ok(())
}
