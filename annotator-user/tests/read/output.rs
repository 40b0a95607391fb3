//! Where reports go, and what happens when they cannot.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::captures::Pcap;
use crate::{Folder, annotator, packets, read_with, three};

#[test]
fn text_for_a_pipe_is_plain_and_narrow() {
    let folder = Folder::create();
    let path = folder.file("capture.pcap", &Pcap::ETHERNET.of(&three()));
    let run = read_with(&[&path], &[]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let lines: Vec<_> = run.stdout.lines().collect();
    assert!(lines[0].contains("capture.pcap"), "{}", run.stdout);
    assert!(lines[1].contains("3 packets") && lines[1].contains("UTC"), "{}", run.stdout);
    assert!(run.stdout.contains("tcp/22") && run.stdout.contains("Coverage: 100% parsed"), "{}", run.stdout);
    assert!(!run.stdout.contains('\x1b'));
    assert!(lines[1..].iter().all(|line| line.chars().count() <= 80), "{}", run.stdout);
}

#[test]
fn names_cannot_reach_the_terminal() {
    let folder = Folder::create();
    let path = folder.file("a\x1b[31m\u{202e}b.pcap", &Pcap::ETHERNET.of(&three()));
    let run = read_with(&[&path], &[]);
    assert_eq!(run.code, Some(0));
    assert!(!run.stdout.contains(['\x1b', '\u{202e}']), "{}", run.stdout);
}

#[test]
fn a_file_is_replaced_by_either_format() {
    let folder = Folder::create();
    let capture = folder.file("capture.pcap", &Pcap::ETHERNET.of(&three()));
    let output = folder.file("report", b"what was there before");
    for format in ["text", "json", "json"] {
        let run = read_with(&["--format", format, "--output", &output, &capture], &[]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{}", run.stderr);
    }
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&output).unwrap()).unwrap();
    assert_eq!(packets(&report), 3);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left lying about");
}

#[test]
fn a_dash_is_standard_output() {
    let folder = Folder::create();
    let capture = folder.file("capture.pcap", &Pcap::ETHERNET.of(&three()));
    for arguments in [["read", "--format=json"], ["read", "--findings"], ["export", "--local=192.0.2.0/24"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_annotator"));
        command.args(arguments).arg(&capture).current_dir(folder.path());
        let unnamed = command.output().unwrap();
        let named = command.args(["--output", "-"]).output().unwrap();
        assert!(named.status.success() && !named.stdout.is_empty());
        assert_eq!(named.stdout, unnamed.stdout);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a file has been made");
}

#[test]
fn output_that_cannot_be_written() {
    let folder = Folder::create();
    let capture = folder.file("capture.pcap", &Pcap::ETHERNET.of(&three()));
    for output in ["/dev/full", "/nowhere/report", "/"] {
        let run = read_with(&["--output", output, &capture], &[]);
        assert_eq!(run.code, Some(2), "{output}");
        assert!(run.stderr.contains(output), "{}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
}

#[test]
fn a_full_standard_output_is_an_error() {
    let folder = Folder::create();
    let capture = folder.file("capture.pcap", &Pcap::ETHERNET.of(&three()));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_annotator")).args(["read", &capture]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));
}

#[test]
fn a_closed_pipe_is_not() {
    let folder = Folder::create();
    let capture = folder.file("capture.pcap", &Pcap::ETHERNET.of(&three()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_annotator"))
        .args(["read", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Nobody reads any more when the report is written.
    drop(child.stdout.take());
    std::io::copy(&mut std::fs::File::open(capture).unwrap(), &mut child.stdin.take().unwrap()).unwrap();
    let mut complaints = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
    assert_eq!((child.wait().unwrap().code(), complaints.as_str()), (Some(0), ""));
}

#[test]
fn a_capture_is_not_overwritten_with_what_is_found_in_it() {
    let folder = Folder::create();
    let bytes = Pcap::ETHERNET.of(&three());
    let capture = folder.file("capture.pcap", &bytes);
    let link = folder.path().join("link").to_str().unwrap().to_owned();
    std::os::unix::fs::symlink(&capture, &link).unwrap();
    for (command, option) in [("read", "--output"), ("report", "--html"), ("export", "--output")] {
        let run = annotator(command, &[&capture, option, &link], &[]);
        assert_eq!(run.code, Some(2), "{command}");
        assert!(run.stderr.contains(&capture) && run.stderr.lines().count() == 1, "{}", run.stderr);
        assert_eq!(std::fs::read(&capture).unwrap(), bytes, "{command}");
    }
}

#[test]
fn names_cannot_reach_the_terminal_by_an_error() {
    let run = read_with(&["no\x1b[31msuch.pcap"], &[]);
    assert_eq!(run.code, Some(2));
    assert!(!run.stderr.contains('\x1b'), "{}", run.stderr);
}
