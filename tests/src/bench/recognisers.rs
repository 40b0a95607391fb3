//! The recognisers under a million sources, with a scanner among them: time, memory, and whether the scanner is found.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Instant;

use annotator::capture::{Captured, LinkType, Observer};
use annotator::observation::{Locality, Moment};
use annotator::recognise::{Thresholds, recognise};
use annotator_common::Settings;
use anyhow::{Context as _, Result};

use super::{capture, frames, report::Recognisers};

const SOURCES: u32 = 1_000_000;
const MICROSECONDS_BETWEEN: u64 = 100;
/// One packet in so many is the scanner's.
const SCANNER_EVERY: u32 = 2000;
const SCANNER: Ipv4Addr = Ipv4Addr::new(9, 9, 9, 9);
/// Where a frame has its source address and its destination port.
const SOURCE_AT: usize = 26;
const PORT_AT: usize = 36;

/// Measures on a capture that is made for it.
pub fn measure(agent: &Path) -> Result<Recognisers> {
    let file = capture::Scratch::new("sources");
    capture::write(&file.0, traffic()).with_context(|| format!("writing {}", file.0.display()))?;
    let rss_mib = capture::read(agent, &file.0)?;

    let mut observer = Observer::new(Box::new(Settings::DEFAULT)).begin_whole();
    for (at, frame) in traffic() {
        let at = Some(Moment(at as i64 * 1000));
        observer.observe(Captured { at, link_type: LinkType::Ethernet, frame: &frame });
    }
    let gathered = observer.finish();
    let start = Instant::now();
    let found = recognise(&gathered.observations(false, &Locality::default()), &Thresholds::default());
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    let is_scan = |id: &str| id.starts_with("scan.");
    let scanner_found = found.iter().any(|one| is_scan(&one.id) && one.sources.contains(&IpAddr::V4(SCANNER)));
    Ok(Recognisers { sources: SOURCES, sightings: gathered.sightings.len(), milliseconds, rss_mib, scanner_found })
}

/// One SYN of each source to one port, and now and then one of the scanner's to its next port.
fn traffic() -> impl Iterator<Item = (u64, Vec<u8>)> {
    let syn = frames::tcp_v4(frames::SYN, 0);
    (0..SOURCES).map(move |number| {
        let mut frame = syn.clone();
        let source = if number % SCANNER_EVERY == 0 {
            frame[PORT_AT..PORT_AT + 2].copy_from_slice(&((number / SCANNER_EVERY) as u16 + 1).to_be_bytes());
            SCANNER.octets()
        } else {
            // An odd factor makes each number another, in networks that earn no flag.
            let [_, b, c, d] = number.wrapping_mul(0x9e37_79b1).to_be_bytes();
            [20 + (number % 64) as u8, b, c, d]
        };
        frame[SOURCE_AT..SOURCE_AT + 4].copy_from_slice(&source);
        (u64::from(number) * MICROSECONDS_BETWEEN, frame)
    })
}
