//! `annotator export`: the packets that say something, with what was found.

use std::fs::File;

use pcap_file::DataLink;
use pcap_file::pcapng::{Block, PcapNgReader, blocks::enhanced_packet::EnhancedPacketOption};

use crate::captures::Pcap;
use crate::{Folder, annotator, frames, packets, read_with, three};

/// Time, length on the wire, bytes and comments of each packet; and the kinds of links.
type Exported = (Vec<(u64, u32, Vec<u8>, Vec<String>)>, Vec<DataLink>);

fn exported(path: &str) -> Exported {
    let mut reader = PcapNgReader::new(File::open(path).unwrap()).unwrap();
    let (mut packets, mut links) = (Vec::new(), Vec::new());
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::InterfaceDescription(interface) => links.push(interface.linktype),
            Block::EnhancedPacket(packet) => {
                let comments = packet.options.iter().filter_map(|option| match option {
                    EnhancedPacketOption::Comment(text) => Some(text.to_string()),
                    _ => None,
                });
                let at = packet.timestamp.as_nanos() as u64;
                packets.push((at, packet.original_len, packet.data.to_vec(), comments.collect()));
            }
            other => panic!("{other:?}"),
        }
    }
    (packets, links)
}

#[test]
fn packets_come_with_what_was_found() {
    let folder = Folder::create();
    let frames = three();
    let capture = folder.file("capture.pcap", &Pcap::ETHERNET.of(&frames));
    let output = folder.file("out.pcapng", b"what was there before");
    let run = annotator("export", &[&capture, "--output", &output], &[]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", ""));
    let (packets, links) = exported(&output);
    assert_eq!(links, [DataLink::ETHERNET]);
    let report = read_with(&["--format", "json", &capture], &[]).report();
    let titles: Vec<_> = report["findings"].as_array().unwrap().iter().map(|f| f["title"].as_str().unwrap()).collect();
    assert_eq!(packets.len() as u64, report["coverage"]["samples"].as_u64().unwrap());
    for (at, length, bytes, comments) in &packets {
        assert!(frames.contains(&(*at, bytes.clone())), "{at}");
        assert_eq!(*length as usize, bytes.len());
        assert!(comments.iter().all(|comment| titles.iter().any(|title| comment.starts_with(title))), "{comments:?}");
    }
    let told: Vec<&String> = packets.iter().flat_map(|(.., comments)| comments).collect();
    assert!(told.iter().any(|comment| comment.contains("What to do: ")), "{told:?}");
    let first = titles.iter().find(|title| told.iter().any(|comment| comment.starts_with(**title)));
    let in_full = told.iter().filter(|c| c.starts_with(first.unwrap()) && c.contains("What to do: ")).count();
    assert_eq!(in_full, 1, "told in full once: {told:?}");
}

#[test]
fn what_is_exported_can_be_read_again() {
    let folder = Folder::create();
    let ip: Vec<_> = three().into_iter().map(|(at, frame)| (at, frame[14..].to_vec())).collect();
    let cooked: Vec<_> =
        ip.iter().map(|(at, packet)| (*at, [&[0; 14][..], &[8, 0], packet.as_slice()].concat())).collect();
    for (link_type, frames, kind) in [(101, ip, DataLink::RAW), (113, cooked, DataLink::ETHERNET)] {
        let capture = folder.file("capture.pcap", &Pcap { link_type, ..Pcap::ETHERNET }.of(&frames));
        let output = folder.file("out.pcapng", &[]);
        assert_eq!(annotator("export", &[&capture, "--output", &output], &[]).code, Some(0));
        let (packets, links) = exported(&output);
        assert_eq!(links, [kind]);
        let (once, again) =
            (read_with(&["--format", "json", &capture], &[]), read_with(&["--format", "json", &output], &[]));
        assert_eq!(again.report()["totals"]["packets"], packets.len());
        assert_eq!(again.report()["findings"][0]["id"], once.report()["findings"][0]["id"]);
    }
}

#[test]
fn long_frames_are_cut_and_say_so() {
    let folder = Folder::create();
    let frame = frames::Ipv4::default().frame(&frames::udp_datagram(40_000, 4_000, &[7; 1200]));
    let capture = folder.file("capture.pcap", &Pcap::ETHERNET.of(&[(0, frame.clone())]));
    let output = folder.file("out.pcapng", &[]);
    assert_eq!(annotator("export", &[&capture, "--output", &output], &[]).code, Some(0));
    let (packets, _) = exported(&output);
    let (_, length, bytes, _) = &packets[0];
    assert_eq!(*length as usize, frame.len());
    assert!(bytes.len() < frame.len() && frame.starts_with(bytes));
}

#[test]
fn bad_input() {
    let folder = Folder::create();
    let capture = folder.file("capture.pcap", &Pcap::ETHERNET.of(&three()));
    let cut = folder.file("cut.pcap", &Pcap::ETHERNET.of(&three())[..100]);
    for output in ["/dev/full", "/nowhere/out.pcapng", "/"] {
        let run = annotator("export", &[&capture, "--output", output], &[]);
        assert_eq!(run.code, Some(2), "{output}");
        assert!(run.stderr.contains(output) && run.stderr.lines().count() == 1, "{}", run.stderr);
    }
    let output = folder.file("out.pcapng", &[]);
    let run = annotator("export", &[&cut, "--output", &output], &[]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("cut.pcap"), "{}", run.stderr);
    let again = read_with(&["--format", "json", &output], &[]);
    assert!(packets(&again.report()) > 0, "what could be read is exported");
}
