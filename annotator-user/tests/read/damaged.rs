//! Files that are not captures, or not whole ones.

use std::io::Cursor;
use std::time::{Duration, Instant};

use annotator::capture::{self, Ending, Input, Opened};

use crate::captures::{Pcap, Pcapng, gzip};
use crate::{Folder, START, packets, read, read_with, three};

/// Reads a capture in this process: how it ended, and how many packets it gave.
fn read_here(bytes: Vec<u8>) -> (Opened, usize) {
    let mut packets = 0;
    let opened = capture::read(&mut Input::new(Box::new(Cursor::new(bytes))), &mut |_| packets += 1);
    (opened, packets)
}

fn blocks() -> Vec<u8> {
    let mut capture = Pcapng::new(false).interface(1, 0, &[]);
    for (at, frame) in three() {
        capture = capture.enhanced(0, at / 1000, &frame, &[]);
    }
    capture.bytes()
}

#[test]
fn cut_at_every_byte() {
    for (whole, header) in [(Pcap::ETHERNET.of(&three()), 24), (blocks(), 28)] {
        let mut last = 0;
        for length in 0..=whole.len() {
            let (opened, packets) = read_here(whole[..length].to_vec());
            assert!(packets >= last, "{length} bytes gave {packets} packets, fewer than less did");
            last = packets;
            match opened {
                Opened::Refused(_) => assert!(length < header, "refused with {length} bytes"),
                Opened::Read(Ending::Complete) => assert!(length >= header),
                Opened::Read(Ending::Incomplete(note)) => assert!(note.contains("byte"), "{note}"),
            }
        }
        assert_eq!(last, 3);
    }
}

#[test]
fn a_cut_file_gives_what_it_has_and_says_so() {
    let whole = Pcap::ETHERNET.of(&three());
    let run = read(&whole[..whole.len() - 1]);
    assert_eq!(run.code, Some(1));
    let report = run.report();
    assert_eq!(packets(&report), 2);
    assert!(run.stderr.contains("ends inside a packet"), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1);
    assert!(report["notes"][0].as_str().unwrap().contains("ends inside a packet"));
}

#[test]
fn cut_and_damaged_compression() {
    let whole = gzip(&Pcap::ETHERNET.of(&vec![(START, vec![0x55; 600]); 3000]));
    let run = read(&whole[..whole.len() / 2]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(packets(&run.report()) > 0);
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 8].fill(0xff);
    assert_ne!(read(&damaged).code, Some(0));
    let run = read(&[0x1f, 0x8b, 8, 0]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.starts_with("annotator: cannot read"), "{}", run.stderr);
}

#[test]
fn absurd_lengths_cost_neither_memory_nor_time() {
    let start = Instant::now();
    let mut long = Pcap::ETHERNET.of(&three());
    let end = long.len();
    long.extend([0, 0, 0, 0, 0, 0, 0, 0]);
    long.extend([0xff; 8]);
    let (opened, packets) = read_here(long);
    assert_eq!(packets, 3);
    let Opened::Read(Ending::Incomplete(note)) = opened else { panic!("{opened:?}") };
    assert!(note.contains(&format!("byte {end}")) && note.contains("4294967295"), "{note}");

    for (kind, length) in [(6, 0_u32), (6, 13), (6, 0xffff_fffc), (1, 0x7fff_fffc), (5, 0xffff_fffc), (5, 8)] {
        let mut bytes = blocks();
        bytes.extend(u32::to_le_bytes(kind));
        bytes.extend(length.to_le_bytes());
        bytes.extend([0; 16]);
        let (opened, packets) = read_here(bytes);
        assert_eq!(packets, 3, "block of type {kind} and length {length}");
        assert!(matches!(opened, Opened::Read(Ending::Incomplete(_))), "{opened:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_bad_block_costs_one_packet() {
    let frames = three();
    let capture = Pcapng::new(false)
        .interface(1, 0, &[])
        .enhanced(0, 0, &frames[0].1, &[])
        // An interface that is not there, a packet longer than its block, a block too short for its fields.
        .enhanced(9, 0, &frames[1].1, &[])
        .block(6, &[&[0; 12][..], &[0xff; 8]].concat())
        .block(6, &[0; 4])
        .block(1, &[])
        .block(3, &[])
        .enhanced(0, 0, &frames[2].1, &[]);
    let run = read(&capture.bytes());
    assert_eq!(run.code, Some(1));
    assert_eq!(packets(&run.report()), 2);
    assert!(run.stderr.contains("5 damaged blocks"), "{}", run.stderr);
}

#[test]
fn broken_options_do_not_cost_the_packet() {
    let frame = &three()[0].1;
    let capture = Pcapng::new(false)
        .interface(1, 0, &[9, 0, 0xff, 0xff])
        .enhanced(0, 0, frame, &[1, 0, 0xff, 0xff])
        .interface(1, 0, &[9, 0, 1, 0, 0x7f, 0, 0, 0])
        .enhanced(1, u64::MAX, frame, &[]);
    let run = read(&capture.bytes());
    assert_eq!((run.code, packets(&run.report())), (Some(0), 2), "{}", run.stderr);
}

#[test]
fn a_section_without_byte_order() {
    let mut broken = Pcapng::new(false).bytes();
    broken[8..12].fill(0);
    assert_eq!(read(&broken).code, Some(2));
    let run = read(&[blocks(), broken].concat());
    assert_eq!((run.code, packets(&run.report())), (Some(1), 3));
}

#[test]
fn absurd_times() {
    let frame = three()[0].1.clone();
    let mut capture = Pcapng::new(false).interface(1, 0, &[]);
    for stamp in [0, u64::MAX, 1, u64::MAX / 2, 5] {
        for _ in 0..100 {
            capture = capture.enhanced(0, stamp, &frame, &[]);
        }
    }
    let run = read(&capture.bytes());
    assert_eq!((run.code, packets(&run.report())), (Some(0), 500), "{}", run.stderr);
}

#[test]
fn not_captures() {
    for (bytes, word) in [
        (&b""[..], "empty"),
        (b"x", "not a capture"),
        (b"Not a capture, only text.\n", "not a capture"),
        (b"\x7fELF\x02\x01\x01\0", "not a capture"),
        (&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0], "header"),
    ] {
        let run = read(bytes);
        assert_eq!(run.code, Some(2));
        assert_eq!(run.stdout, "");
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        assert!(run.stderr.contains(word), "{}", run.stderr);
    }
}

#[test]
fn absent_files_and_directories() {
    let folder = Folder::create();
    let here = folder.path().to_str().unwrap().to_owned();
    let absent = format!("{here}/absent.pcap");
    for (path, word) in [(&here, "directory"), (&absent, "No such file")] {
        let run = read_with(&[path], &[]);
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains(word) && run.stderr.contains(path.as_str()), "{}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
    // One that is there among those that are not.
    let there = folder.file("there.pcap", &Pcap::ETHERNET.of(&three()));
    let run = read_with(&["--format", "json", &absent, &there, &here], &[]);
    assert_eq!((run.code, packets(&run.report())), (Some(1), 3));
    assert_eq!(run.stderr.lines().count(), 2, "{}", run.stderr);
    assert_eq!(run.report()["notes"].as_array().unwrap().len(), 2);
}

#[test]
fn wrong_command_lines() {
    for arguments in [
        &[][..],
        &["--format", "xml", "x"],
        &["--local", "10.0.0.0/33", "x"],
        &["--local", "10.0.0.1", "x"],
        &["--local-address", "10.0.0", "x"],
        &["--listening", "tcp/70000", "x"],
        &["--no-such-option", "x"],
    ] {
        let run = read_with(arguments, &[]);
        assert_eq!(run.code, Some(2), "{arguments:?}");
        assert!(run.stderr.contains("error") || run.stderr.contains("Usage"), "{}", run.stderr);
    }
}
