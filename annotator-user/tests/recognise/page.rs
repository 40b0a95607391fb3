//! `docs/recognisers.md` is what the recognisers do: scenario by scenario, and on ordinary traffic.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use annotator::capture::{self, Ending, Input, Opened};
use annotator::finding::Finding;

use crate::catalogue::{HOME, NEAR_MISSES, SCENARIOS};
use crate::ordinary::{calm, ordinary};
use crate::pcap::Pcap;
use crate::traffic::{Fill, Scenario};

const HEAD: &str = "\
# What is recognised, and when

Made by running the scenarios of `annotator-user/tests/recognise`: captures that the test code writes, and that are read and explained as by
`annotator read --local-address 93.184.216.10`. A test fails where this page is not what it finds; to write it anew:
`ANNOTATOR_BLESS=1 cargo test -p annotator --test recognise page`.

*Seen after* is the shortest beginning of the capture of whose report the finding is part. What every report says is left out.
";

#[test]
fn the_page_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recognisers.md");
    let page = page().expect("a string takes everything");
    if std::env::var_os("ANNOTATOR_BLESS").is_some() {
        fs::write(&path, &page).expect("docs can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/recognisers.md is out of date: ANNOTATOR_BLESS=1 cargo test -p annotator --test recognise page"
    );
}

fn page() -> Result<String, std::fmt::Error> {
    let mut page = HEAD.to_owned();
    page.push_str(
        "\n## Found\n\n| scenario | finding | verdict | packets | time | seen after packets | … and time |\n|---|---|---|---:|---:|---:|---:|\n",
    );
    for (title, id, fill) in SCENARIOS {
        let capture = Capture::of(fill);
        let finding = capture.find(capture.frames.len(), id).unwrap_or_else(|| panic!("{title}: {id} is not found"));
        let first = capture.first(id);
        let (verdict, confidence) = (finding.verdict.name(), finding.confidence.name());
        let after = capture.seconds(first);
        let (packets, time) = (capture.frames.len(), capture.seconds(capture.frames.len()));
        writeln!(page, "| {title} | `{id}` | {verdict}, {confidence} | {packets} | {time} | {first} | {after} |")?;
    }
    page.push_str("\n## Not found\n\nThe evidence is missing, or speaks against it.\n\n");
    page.push_str("| scenario | not found | found instead |\n|---|---|---|\n");
    for (title, id, fill) in NEAR_MISSES {
        let capture = Capture::of(fill);
        assert!(capture.find(capture.frames.len(), id).is_none(), "{title}: {id} is found");
        writeln!(page, "| {title} | `{id}` | {} |", told(&capture.findings(capture.frames.len())))?;
    }
    page.push_str("\n## Ordinary traffic\n\nA false finding would be one with a verdict above `background`. Each capture is read twice: with both directions, and with what\narrives alone, as an interface sees it.\n\n");
    page.push_str("| traffic | packets | time | arriving | false findings | of what arrives | told |\n|---|---:|---:|---:|---:|---:|---|\n");
    for (title, fill) in ordinary() {
        let capture = Capture::of(fill);
        let findings = capture.findings(capture.frames.len());
        calm(title, &findings);
        let (packets, time) = (capture.frames.len(), capture.seconds(capture.frames.len()));
        let arriving = capture.scenario.arriving(HOME);
        calm(title, &capture.scenario.findings_of(&arriving, capture.scenario.now));
        let told = told(&findings);
        writeln!(page, "| {title} | {packets} | {time} | {} | 0 | 0 | {told} |", arriving.len())?;
    }
    Ok(page)
}

/// Ids and verdicts, without what every report says.
fn told(findings: &[Finding]) -> String {
    let mut told = Vec::new();
    for finding in findings {
        let entry = format!("`{}` ({})", finding.id, finding.verdict.name());
        let everywhere =
            ["perspective.", "zen.", "advice.", "address.self"].iter().any(|id| finding.id.starts_with(id));
        if !everywhere && !told.contains(&entry) {
            told.push(entry);
        }
    }
    told.join(", ")
}

/// Frames as a capture file gives them back.
fn written_and_read(frames: &[(i64, Vec<u8>)]) -> anyhow::Result<Vec<(i64, Vec<u8>)>> {
    let timed: Vec<_> = frames.iter().map(|(at, frame)| (at.unsigned_abs(), frame.clone())).collect();
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&Pcap { nanoseconds: true, ..Pcap::ETHERNET }.of(&timed))?;
    let mut input = Input::open(file.path(), |_| {})?;
    let mut read = Vec::new();
    let opened = capture::read(&mut input, &mut |captured| {
        read.push((captured.at.map_or(0, |at| at.0), captured.frame.to_vec()));
    });
    anyhow::ensure!(matches!(opened, Opened::Read(Ending::Complete)), "the capture was not read to its end");
    Ok(read)
}

/// The capture of a scenario, of which beginnings can be read.
struct Capture {
    scenario: Scenario,
    frames: Vec<(i64, Vec<u8>)>,
}

impl Capture {
    fn of(fill: Fill) -> Self {
        let mut scenario = Scenario::at(&[HOME]);
        fill(&mut scenario);
        let frames = written_and_read(&scenario.frames()).expect("a capture can be written and read");
        Capture { scenario, frames }
    }

    /// When the first so many packets have come; all of them: when the capture ends.
    fn moment(&self, packets: usize) -> i64 {
        if packets == self.frames.len() { self.scenario.now } else { self.frames[packets - 1].0 }
    }

    fn findings(&self, packets: usize) -> Vec<Finding> {
        self.scenario.findings_of(&self.frames[..packets], self.moment(packets))
    }

    fn find(&self, packets: usize, id: &str) -> Option<Finding> {
        let tells = |finding: &Finding| finding.id == id || finding.also.iter().any(|also| also == id);
        self.findings(packets).into_iter().find(tells)
    }

    /// How many packets it takes: doubled until the finding is there, then halved between.
    fn first(&self, id: &str) -> usize {
        let (mut without, mut with) = (0, 1);
        while with < self.frames.len() && self.find(with, id).is_none() {
            (without, with) = (with, (with * 2).min(self.frames.len()));
        }
        while with - without > 1 {
            let middle = (without + with) / 2;
            if self.find(middle, id).is_some() { with = middle } else { without = middle }
        }
        with
    }

    fn seconds(&self, packets: usize) -> String {
        let seconds = (self.frames[packets - 1].0 - self.frames[0].0) as f64 / 1e9;
        match seconds {
            s if s < 120.0 => format!("{s:.1} s"),
            s if s < 7200.0 => format!("{:.0} min", s / 60.0),
            s => format!("{:.1} h", s / 3600.0),
        }
    }
}
