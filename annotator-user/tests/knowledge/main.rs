//! Every stimulus brings its finding, through the whole engine; every near miss does not.
//!
//! `cargo xtask coverage TABLE` runs `the_table_is_met` on a table of ids.

mod coverage;
mod frames;
mod patterns;
mod single;
mod stimulus;

use annotator::observation::Locality;

use stimulus::{Stimulus, findings, has_placeholder, tells};

fn table() -> Vec<Stimulus> {
    let mut table = single::table();
    table.extend(patterns::table());
    table
}

#[test]
fn stimuli_bring_their_findings() {
    let mut failures = Vec::new();
    for stimulus in table() {
        let found = findings(&stimulus.packets, &Locality::default());
        if !tells(&found, stimulus.id) {
            let ids: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
            failures.push(format!("{} is not among {ids:?}", stimulus.id));
        }
        for finding in &found {
            for text in [&finding.title, &finding.explanation, &finding.looks_like, &finding.advice] {
                if has_placeholder(text) {
                    failures.push(format!("{}: an unfilled placeholder in: {text}", finding.id));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn near_misses_do_not() {
    let mut failures = Vec::new();
    for stimulus in table().iter().filter(|stimulus| !stimulus.near_miss.is_empty()) {
        let found = findings(&stimulus.near_miss, &Locality::default());
        if tells(&found, stimulus.id) {
            failures.push(format!("{} out of a near miss: {:?}", stimulus.id, stimulus.near_miss));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The most that a window holds, of every kind at once.
#[test]
fn a_full_window_is_told_in_time() {
    let mut packets = Vec::new();
    for i in 0..60_000_u32 {
        let source = std::net::Ipv4Addr::from(0x2000_0000 + i % 40_000 * 65_537).to_string();
        let port = (i * 7919 % 65_536) as u16;
        let packet = match i % 4 {
            0 => frames::syn(port),
            1 => frames::datagram(port),
            2 => frames::icmp_about((i % 3) as u8 + 3, (i % 16) as u8, frames::udp(port, 53, &[0; 8])),
            _ => frames::syn(23),
        };
        packets.push(packet.from(&source).at(f64::from(i) * 0.0001));
    }
    let start = std::time::Instant::now();
    let found = findings(&packets, &Locality::default());
    let took = start.elapsed();
    assert!(took.as_secs() < 60, "{took:?}");
    assert!(tells(&found, "port.23") && found.len() < 400, "{}", found.len());
    println!("{took:?} for {} findings", found.len());
}
