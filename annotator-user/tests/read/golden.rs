//! Whole reports, compared with what they were. `UPDATE_GOLDEN=1 cargo test` writes them anew; the difference is then for the reader of the commit.

use std::path::Path;

use annotator_common::Link;
use serde_json::Value;

use crate::captures::Pcap;
use crate::{Folder, SECOND, START, frames, read_with};

/// A capture of the named frames that begin in a certain way, a tenth of a second apart.
fn capture(link_type: u32, link: Link) -> Vec<u8> {
    let frames = frames::all().into_iter().filter(|frame| frame.link == link).enumerate();
    let frames: Vec<_> = frames.map(|(index, frame)| (START + index as u64 * SECOND / 10, frame.bytes)).collect();
    Pcap { link_type, nanoseconds: true, ..Pcap::ETHERNET }.of(&frames)
}

/// The counted part of a report. What it means has tests of its own, and services depend on the system's database.
fn counted(bytes: &[u8]) -> Value {
    let folder = Folder::create();
    let path = folder.file("capture.pcap", bytes);
    let locality =
        ["--local", "93.184.0.128/26", "--local-address", "93.184.0.140", "--local-address", "2a00:1450::99"];
    let run = read_with(&[&["--format", "json", &path][..], &locality].concat(), &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let mut report = run.report();
    report["source"]["name"] = "capture.pcap".into();
    report["coverage"]["explained_percent"] = Value::Null;
    report["coverage"]["samples"] = Value::Null;
    report["findings"] = Value::Null;
    for row in report["ports"].as_array_mut().expect("an array") {
        row["service"] = Value::Null;
    }
    report
}

fn compare(name: &str, report: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read/golden").join(name);
    let text = serde_json::to_string_pretty(report).expect("serialisable") + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).expect("the source tree is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (now, then)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(now, then, "{name}, line {}", number + 1);
    }
    assert_eq!(text.lines().count(), expected.lines().count(), "{name}");
}

#[test]
fn named_ethernet_frames() {
    compare("ethernet.json", &counted(&capture(1, Link::Ethernet)));
}

#[test]
fn named_raw_frames() {
    compare("raw.json", &counted(&capture(101, Link::RawIp)));
}

/// The report adds up to what the table of frames says of each.
#[test]
fn the_golden_report_is_the_sum_of_its_frames() {
    let report = counted(&capture(1, Link::Ethernet));
    let frames: Vec<_> = frames::all().into_iter().filter(|frame| frame.link == Link::Ethernet).collect();
    assert_eq!(report["totals"]["packets"], frames.len());
    assert_eq!(report["totals"]["bytes"], frames.iter().map(|frame| frame.bytes.len()).sum::<usize>());
    for flag in annotator_common::Flag::ALL {
        let with = frames.iter().filter(|frame| frame.flags.contains(flag)).count();
        assert_eq!(report["flags"][flag.name()].as_u64().unwrap_or(0), with as u64, "{}", flag.name());
    }
    for reason in annotator_common::Reason::ALL {
        let with = frames.iter().filter(|frame| frame.reason == Some(*reason)).count();
        let not_parsed = &report["coverage"]["not_parsed"];
        assert_eq!(not_parsed[reason.name()].as_u64().unwrap_or(0), with as u64, "{}", reason.name());
    }
}
