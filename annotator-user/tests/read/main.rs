//! `annotator read`, `annotator report` and `annotator export`, as a person or a script meets it: the real binary, whole files, exit codes.

mod anything;
mod captures;
mod damaged;
mod export;
mod formats;
#[path = "../../../tests/src/frames.rs"]
#[allow(dead_code, reason = "the table of frames belongs to all test crates; this one needs part of it")]
mod frames;
mod golden;
mod links;
mod output;
mod pcap;
mod report;
mod schema;
mod vantage;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What a run of the binary left behind.
pub struct Run {
    /// Exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// The report that was printed.
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

/// Runs `annotator read` with arguments, and bytes on standard input.
pub fn read_with(arguments: &[&str], stdin: &[u8]) -> Run {
    annotator("read", arguments, stdin)
}

/// Runs a subcommand of `annotator`.
pub fn annotator(command: &str, arguments: &[&str], stdin: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_annotator"))
        .arg(command)
        .args(arguments)
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built");
    // Refused files leave standard input unread; the pipe then breaks, which is no failure of the test.
    let _ = child.stdin.take().expect("piped").write_all(stdin);
    let output = child.wait_with_output().expect("the child ends");
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A folder with captures.
pub struct Folder(TempDir);

impl Folder {
    /// An empty one, removed when it is dropped.
    pub fn create() -> Self {
        Folder(TempDir::new().expect("a temporary folder"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file and returns its path.
    pub fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path: PathBuf = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("the folder is writable");
        path.to_str().expect("plain names").to_owned()
    }
}

/// Runs `annotator read --format json` on one file of these bytes.
pub fn read(bytes: &[u8]) -> Run {
    let folder = Folder::create();
    let path = folder.file("capture", bytes);
    read_with(&["--format", "json", &path], &[])
}

/// The packets of a report.
pub fn packets(report: &Value) -> u64 {
    report["totals"]["packets"].as_u64().expect("a number")
}

/// A second, in nanoseconds.
pub const SECOND: u64 = 1_000_000_000;
/// When the captures of these tests begin: 2024-01-01T00:00:00Z.
pub const START: u64 = 1_704_067_200 * SECOND;

/// Three frames, half a second apart.
pub fn three() -> Vec<(u64, Vec<u8>)> {
    let udp = frames::Ipv4::default().frame(&frames::udp_datagram(40_000, 53, b"query"));
    let syn = frames::tcp_segment(40_001, 22, annotator_common::packet::tcp::SYN, &[]);
    let tcp = frames::Ipv4 { protocol: 6, ..frames::Ipv4::default() }.frame(&syn);
    let arp = frames::ethernet(frames::MAC_BROADCAST, 0x0806, &[0; 28]);
    vec![(START, udp), (START + SECOND / 2, tcp), (START + SECOND, arp)]
}
