//! Every link type that can be read, with headers that are whole, cut, and unknown.

use crate::captures::{Pcap, Pcapng};
use crate::frames::{Ipv4, Ipv6, udp_datagram};
use crate::{START, packets, read};

/// A capture of frames of a link type.
fn capture(link_type: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let frames: Vec<_> = frames.iter().map(|frame| (START, frame.clone())).collect();
    Pcap { link_type, ..Pcap::ETHERNET }.of(&frames)
}

fn cooked(protocol: u16) -> Vec<u8> {
    let mut header = vec![0, 4, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0];
    header.extend(protocol.to_be_bytes());
    header
}

fn cooked2(protocol: u16) -> Vec<u8> {
    let mut header = protocol.to_be_bytes().to_vec();
    header.extend([0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0]);
    header
}

#[test]
fn ip_over_every_link() {
    let v4 = Ipv4::default().packet(&udp_datagram(40_000, 53, b"query"));
    let v6 = Ipv6::default().packet(&udp_datagram(40_000, 53, b"query"));
    let with = |header: &[u8], packet: &[u8]| [header, packet].concat();
    let ethernet = |ethertype: u16| with(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], &ethertype.to_be_bytes());
    let frames = [
        (1, with(&ethernet(0x0800), &v4), 4),
        (1, with(&ethernet(0x86dd), &v6), 6),
        (12, v4.clone(), 4),
        (14, v6.clone(), 6),
        (101, v4.clone(), 4),
        (101, v6.clone(), 6),
        (228, v4.clone(), 4),
        (229, v6.clone(), 6),
        (113, with(&cooked(0x0800), &v4), 4),
        (113, with(&cooked(0x86dd), &v6), 6),
        (276, with(&cooked2(0x0800), &v4), 4),
        (276, with(&cooked2(0x86dd), &v6), 6),
        (0, with(&[2, 0, 0, 0], &v4), 4),
        (0, with(&[0, 0, 0, 2], &v4), 4),
        (0, with(&[10, 0, 0, 0], &v6), 6),
        (0, with(&[24, 0, 0, 0], &v6), 6),
        (0, with(&[0, 0, 0, 28], &v6), 6),
        (0, with(&[30, 0, 0, 0], &v6), 6),
        (108, with(&[0, 0, 0, 2], &v4), 4),
        (108, with(&[0, 0, 0, 24], &v6), 6),
    ];
    for (link_type, frame, family) in frames {
        let run = read(&capture(link_type, std::slice::from_ref(&frame)));
        assert_eq!(run.code, Some(0), "link type {link_type}: {}", run.stderr);
        let report = run.report();
        let expected = serde_json::json!([{"name": "udp", "family": family, "packets": 1, "bytes": frame.len()}]);
        assert_eq!(report["protocols"], expected, "link type {link_type}");
        assert_eq!(report["flags"], serde_json::json!({}), "link type {link_type}");
    }
}

#[test]
fn headers_that_are_cut_or_unknown() {
    let reasons = |link_type, frames: &[&[u8]]| {
        let frames: Vec<_> = frames.iter().map(|frame| frame.to_vec()).collect();
        read(&capture(link_type, &frames)).report()["coverage"]["not_parsed"].clone()
    };
    for (link_type, header) in [(1, 14), (12, 1), (101, 1), (113, 16), (276, 20), (0, 4), (108, 4)] {
        let bytes = vec![2; header];
        let cut: Vec<_> = (0..header).map(|length| &bytes[..length]).collect();
        let expected = serde_json::json!({"link-truncated": header});
        assert_eq!(reasons(link_type, &cut), expected, "link type {link_type}");
    }
    assert_eq!(reasons(228, &[&[]]), serde_json::json!({"ipv4-truncated": 1}));
    assert_eq!(reasons(229, &[&[0x60; 39]]), serde_json::json!({"ipv6-truncated": 1}));
    assert_eq!(reasons(228, &[&[0x60; 60]]), serde_json::json!({"ip-version": 1}));
    assert_eq!(reasons(101, &[&[0x10; 60]]), serde_json::json!({"ip-version": 1}));
    for link_type in [0, 108] {
        assert_eq!(reasons(link_type, &[&[0, 0, 0, 99, 0x45]]), serde_json::json!({"link-unknown": 1}));
    }
}

#[test]
fn cooked_frames_that_are_not_ip() {
    let report = read(&capture(113, &[cooked(0x0806), cooked(1), cooked(4), cooked2(0x8100)])).report();
    assert_eq!(packets(&report), 4);
    let rows = report["protocols"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).map(|row| row["packets"].as_u64().unwrap());
    assert_eq!(row("arp"), Some(1));
    // Frame types of Linux below 0x0600 stand where an 802.3 length would.
    assert!(row("802.3") >= Some(2), "{rows:?}");
}

#[test]
fn links_that_cannot_be_read_are_named() {
    let run = read(&capture(127, &[vec![0; 60]]));
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("link type 127"), "{}", run.stderr);
    assert_eq!(run.stdout, "");

    let blocks = Pcapng::new(false).interface(127, 0, &[]).enhanced(0, 0, &[0; 60], &[]);
    let run = read(&blocks.bytes());
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("link type 127"), "{}", run.stderr);

    let mixed = Pcapng::new(false).interface(127, 0, &[]).interface(1, 0, &[]).enhanced(0, 0, &[0; 60], &[]).enhanced(
        1,
        0,
        &[0; 60],
        &[],
    );
    let run = read(&mixed.bytes());
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("1 packet") && run.stderr.contains("link type 127"), "{}", run.stderr);
    assert_eq!(packets(&run.report()), 1);
}
