//! Every way to write the same packets down gives the same report.

use serde_json::Value;

use crate::captures::{Pcap, Pcapng, gzip};
use crate::{Folder, SECOND, START, packets, read, read_with, three};

/// The report without the name of the file.
fn nameless(bytes: &[u8]) -> Value {
    let run = read(bytes);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(run.stderr, "");
    let mut report = run.report();
    report["source"]["name"] = Value::Null;
    report
}

fn reference() -> Value {
    nameless(&Pcap::ETHERNET.of(&three()))
}

/// Three frames in blocks, with times in microseconds.
fn blocks(big_endian: bool) -> Vec<u8> {
    let mut capture = Pcapng::new(big_endian).interface(1, 0, &[]);
    for (at, frame) in three() {
        capture = capture.enhanced(0, at / 1000, &frame, &[]);
    }
    capture.bytes()
}

#[test]
fn the_report_says_what_is_in_the_capture() {
    let report = reference();
    assert_eq!(report["schema"], "annotator.report/1");
    assert_eq!(report["source"]["kind"], "capture");
    assert_eq!(report["source"]["xdp_mode"], Value::Null);
    assert_eq!(report["window"]["from"], "2024-01-01T00:00:00Z");
    assert_eq!(report["window"]["to"], "2024-01-01T00:00:01Z");
    assert_eq!(report["window"]["seconds"], 1.0);
    let bytes: usize = three().iter().map(|(_, frame)| frame.len()).sum();
    assert_eq!(report["totals"], serde_json::json!({"packets": 3, "bytes": bytes}));
    assert_eq!(report["coverage"]["parsed"], 3);
    assert_eq!(report["flags"], serde_json::json!({"ethernet-broadcast": 1}));
    let ports: Vec<_> =
        report["ports"].as_array().unwrap().iter().map(|row| (&row["proto"], &row["side"], &row["port"])).collect();
    assert_eq!(ports.len(), 3, "{ports:?}");
    let syn = report["ports"].as_array().unwrap().iter().find(|row| row["port"] == 22).unwrap();
    assert_eq!(
        (&syn["proto"], &syn["side"], &syn["service"], &syn["syn"]),
        (&"tcp".into(), &"dst".into(), &"ssh".into(), &1.into())
    );
    assert_eq!(report["sources"].as_array().unwrap().len(), 1);
    assert_eq!(report["sources"][0]["address"], "5.6.7.8");
}

#[test]
fn classic_captures_of_every_kind() {
    for big_endian in [false, true] {
        for (nanoseconds, modified) in [(false, false), (true, false), (false, true)] {
            let pcap = Pcap { big_endian, nanoseconds, modified, link_type: 1 };
            assert_eq!(nameless(&pcap.of(&three())), reference(), "{pcap:?}");
        }
    }
}

#[test]
fn the_upper_half_of_the_link_type_is_something_else() {
    let pcap = Pcap { link_type: 0x2400_0001, ..Pcap::ETHERNET };
    assert_eq!(nameless(&pcap.of(&three())), reference());
}

#[test]
fn blocks_of_either_byte_order() {
    assert_eq!(nameless(&blocks(false)), reference());
    assert_eq!(nameless(&blocks(true)), reference());
}

#[test]
fn old_packet_blocks() {
    let mut capture = Pcapng::new(false).interface(1, 0, &[]);
    for (at, frame) in three() {
        capture = capture.old(0, at / 1000, &frame);
    }
    assert_eq!(nameless(&capture.bytes()), reference());
}

#[test]
fn simple_packets_have_no_time() {
    let mut capture = Pcapng::new(false).interface(1, 60, &[]);
    for (_, frame) in three() {
        capture = capture.simple(frame.len() as u32, &frame);
    }
    // Cut to the snap length of the interface.
    capture = capture.simple(1500, &[0x55; 60]);
    let report = nameless(&capture.bytes());
    assert_eq!(packets(&report), 4);
    assert_eq!(report["window"]["seconds"], 0.0);
}

#[test]
fn time_resolutions_and_offsets() {
    let resolution = |value: u8| Pcapng::new(false).option(9, &[value]);
    let nanoseconds = Pcapng::new(false).interface(1, 0, &resolution(9));
    let binary = Pcapng::new(true).interface(1, 0, &Pcapng::new(true).option(9, &[0x80 | 10]));
    let shifted_options =
        [resolution(3), Pcapng::new(false).option(14, &(START / SECOND).to_le_bytes()), vec![0; 4]].concat();
    let shifted = Pcapng::new(false).interface(1, 0, &shifted_options);
    for (name, mut capture, units, since) in
        [("ns", nanoseconds, SECOND, 0), ("2^-10 s", binary, 1024, 0), ("ms and an offset", shifted, 1000, START)]
    {
        for (at, frame) in three() {
            let stamp = u128::from(at - since) * u128::from(units) / u128::from(SECOND);
            capture = capture.enhanced(0, stamp as u64, &frame, &[]);
        }
        assert_eq!(nameless(&capture.bytes()), reference(), "{name}");
    }
}

#[test]
fn sections_interfaces_and_blocks_of_no_interest() {
    let frames = three();
    let (first, second, third) = (&frames[0], &frames[1], &frames[2]);
    let comment = Pcapng::new(false).option(1, b"a comment");
    let capture = Pcapng::new(false)
        .block(0x0bad, &[1, 2, 3, 4])
        .interface(101, 0, &comment)
        .interface(1, 0, &[])
        // Statistics, names, and a private block.
        .block(5, &[0; 12])
        .block(4, &[0; 4])
        .block(0x8000_0001, &[0; 64])
        .enhanced(0, first.0 / 1000, &first.1[14..], &comment)
        .enhanced(1, second.0 / 1000, &second.1, &[])
        .section(true)
        .interface(1, 0, &[])
        .enhanced(0, third.0 / 1000, &third.1, &[]);
    let mut report = nameless(&capture.bytes());
    let mut expected = reference();
    // One frame went without its Ethernet header.
    let bytes = expected["totals"]["bytes"].as_u64().unwrap() - 14;
    assert_eq!(report["totals"]["bytes"], bytes);
    for report in [&mut report, &mut expected] {
        report["totals"]["bytes"] = Value::Null;
        report["protocols"] = Value::Null;
        report["ports"] = Value::Null;
        report["rates"] = Value::Null;
        for finding in report["findings"].as_array_mut().unwrap() {
            finding["examples"] = Value::Null;
        }
    }
    assert_eq!(report, expected);
}

#[test]
fn compressed_and_from_standard_input() {
    for plain in [Pcap::ETHERNET.of(&three()), blocks(false)] {
        assert_eq!(nameless(&gzip(&plain)), reference());
        // Two members one behind the other, as `cat` makes them.
        let (head, tail) = plain.split_at(40);
        assert_eq!(nameless(&[gzip(head), gzip(tail)].concat()), reference());
        for bytes in [plain.clone(), gzip(&plain)] {
            let run = read_with(&["--format", "json", "-"], &bytes);
            assert_eq!(run.code, Some(0), "{}", run.stderr);
            assert_eq!(run.report()["source"]["name"], "-");
            assert_eq!(packets(&run.report()), 3);
        }
    }
}

#[test]
fn a_capture_without_packets_is_no_failure() {
    for bytes in [Pcap::ETHERNET.of(&[]), Pcapng::new(false).bytes()] {
        let report = nameless(&bytes);
        assert_eq!(packets(&report), 0);
        assert_eq!(report["window"]["seconds"], 0.0);
    }
}

#[test]
fn several_files_make_one_report() {
    let folder = Folder::create();
    let frames = three();
    let later = folder.file("later.pcap", &Pcap::ETHERNET.of(&frames[1..]));
    let earlier = folder.file(
        "earlier.pcapng",
        &Pcapng::new(true).interface(1, 0, &[]).enhanced(0, frames[0].0 / 1000, &frames[0].1, &[]).bytes(),
    );
    let run = read_with(&["--format", "json", &later, &earlier], &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let report = run.report();
    assert_eq!(report["source"]["name"], format!("{later}, {earlier}"));
    assert_eq!(report["totals"], reference()["totals"]);
    assert_eq!(report["window"], reference()["window"]);
    assert_eq!(report["ports"], reference()["ports"]);
}

/// Not even where there are more sources than there is room for.
#[test]
fn the_same_capture_gives_the_same_report() {
    let frames: Vec<_> = (0..40_000_u32)
        .map(|i| {
            let source = i.wrapping_mul(2_654_435_761).into();
            let packet = crate::frames::Ipv4 { source, ..Default::default() };
            (START + u64::from(i) * 10_000, packet.frame(&crate::frames::udp_datagram(40_000, i as u16, b"x")))
        })
        .collect();
    let capture = Pcap::ETHERNET.of(&frames);
    assert_eq!(nameless(&capture), nameless(&capture));
}

#[test]
fn what_is_ours() {
    let folder = Folder::create();
    let at_broadcast = crate::frames::Ipv4 { destination: crate::frames::LOCAL_BROADCAST, ..Default::default() };
    let from_us = crate::frames::Ipv4 { source: crate::frames::LOCAL, ..Default::default() };
    let datagram = crate::frames::udp_datagram(40_000, 7, b"x");
    let frames = [(START, at_broadcast.frame(&datagram)), (START, from_us.frame(&datagram))];
    let path = folder.file("capture.pcap", &Pcap::ETHERNET.of(&frames));
    let flags = |arguments: &[&str]| {
        read_with(&[&["--format", "json", &path], arguments].concat(), &[]).report()["flags"].clone()
    };
    assert_eq!(flags(&[]), serde_json::json!({}));
    assert_eq!(
        flags(&["--local", "93.184.0.128/26", "--local", "2001:db8::/32", "--local-address", "93.184.0.140"]),
        serde_json::json!({"directed-broadcast": 1, "self-source": 1})
    );
    assert_eq!(flags(&["--local", "93.184.0.0/16", "--listening", "udp/7,tcp/22"]), serde_json::json!({}));
}
