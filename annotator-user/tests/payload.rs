//! Payload decoders meet garbage: no panic, and no finding out of thin air.

use annotator::knowledge::Knowledge;
use annotator::observation::{Moment, Sighting};
use annotator::payload::embedded::Original;
use annotator_common::{Link, News, Settings};

/// The unreachable of the firewall FAQ (1.2.0 §2.3.3), as it was captured.
const UNREACHABLE: &str = "00 00 BA 5E BA 11 00 60 97 07 C0 FF 08 00 45 00 00 38 6F DF 00 00 80 01 B4 12 0A 00 01 0B 0A 00 01 C9 03 03 C2 D2 \
                           00 00 00 00 45 00 00 47 07 F0 00 00 80 11 1B E3 0A 00 01 C9 0A 00 01 0B 08 A7 79 19 00 33 B8 36";

fn sighting(frame: &[u8], link: Link) -> Sighting {
    Sighting::new(Moment(0), News::FIRST, link, frame.len() as u32, frame, &Settings::DEFAULT)
}

/// UDP or TCP with a payload between two ports.
fn packet(protocol: u8, source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = source.to_be_bytes().to_vec();
    body.extend(destination.to_be_bytes());
    match protocol {
        6 => body.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]),
        _ => {
            body.extend((8 + payload.len() as u16).to_be_bytes());
            body.extend([0, 0]);
        }
    }
    body.extend(payload);
    let mut packet = vec![0x45, 0];
    packet.extend((20 + body.len() as u16).to_be_bytes());
    packet.extend([0, 0, 0, 0, 60, protocol, 0, 0, 198, 18, 0, 1, 198, 19, 0, 1]);
    packet.extend(body);
    packet
}

/// Numbers without an order, the same in each run.
struct Noise(u64);

impl Noise {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }
}

#[test]
fn the_dump_of_the_faq() {
    let frame: Vec<u8> = UNREACHABLE.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let sighting = sighting(&frame, Link::Ethernet);
    let original = Original::of(&sighting).expect("an ICMP error");
    assert_eq!(original.ports, Some((2215, 31001)));
    assert_eq!((original.udp_length, original.udp_checksum), (Some(51), Some(0xB836)));
    assert_eq!(original.source.to_string(), "10.0.1.201");
    assert_eq!(original.destination.to_string(), "10.0.1.11");
    let words = original.describe();
    for part in ["2215", "31001", "51", "0xB836"] {
        assert!(words.contains(part), "{words}");
    }
}

#[test]
fn garbage_on_every_port_that_is_read() {
    let knowledge = Knowledge::load(&[]).unwrap();
    let reader = knowledge.reader();
    let classes = knowledge.payload_classes();
    let mut noise = Noise(1);
    for (protocol, table) in [(6, &classes.tcp), (17, &classes.udp)] {
        for port in (0..=u16::MAX).filter(|port| table[usize::from(*port)] != 0) {
            for length in [0, 1, 2, 3, 7, 8, 11, 12, 13, 40, 64, 200] {
                let payload: Vec<u8> = (0..length).map(|_| noise.byte()).collect();
                for packet in [packet(protocol, 41234, port, &payload), packet(protocol, port, 41234, &payload)] {
                    let shapes = reader.read(&sighting(&packet, Link::RawIp));
                    let found: Vec<&str> = shapes.iter().map(|shape| shape.name).collect();
                    // One byte tells NTP's version and mode, so noise of the right length can look like it.
                    assert!(
                        found.iter().all(|name| matches!(*name, "ntp" | "dns-query" | "dns-answer")),
                        "{port}: {found:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_cut_of_every_payload() {
    let knowledge = Knowledge::load(&[]).unwrap();
    let reader = knowledge.reader();
    let payloads: &[(u8, u16, &[u8])] = &[
        (17, 53, b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07version\x04bind\x00\x00\x10\x00\x03"),
        (6, 80, b"GET http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\n\r\n"),
        (6, 25, b"EXPN staff\r\nVRFY root\r\nRCPT TO:<a@example.org>\r\n"),
        (17, 5060, b"REGISTER sip:198.19.0.1 SIP/2.0\r\nVia: x\r\n"),
        (17, 161, b"\x30\x26\x02\x01\x00\x04\x06public\xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08"),
        (17, 69, b"\x00\x01/etc/passwd\x00octet\x00"),
        (17, 1900, b"M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\n\r\n"),
        (6, 443, b"\x16\x03\x01\x00\x50\x01\x00\x00\x4c\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x00\x00\x02\x13\x01\x01\x00\x00\x10\x00\x00\x00\x0c\x00\x0a\x00\x00\x07a.b.c.d"),
        (17, 111, b"\x12\x34\x56\x78\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01\x86\xa0\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x00\xff\xff\xff\xff"),
    ];
    for (protocol, port, payload) in payloads {
        for end in 0..=payload.len() {
            reader.read(&sighting(&packet(*protocol, 41234, *port, &payload[..end]), Link::RawIp));
            // Each byte turned over, too.
            let mut damaged = payload.to_vec();
            if let Some(byte) = damaged.get_mut(end) {
                *byte ^= 0xff;
            }
            reader.read(&sighting(&packet(*protocol, 41234, *port, &damaged), Link::RawIp));
        }
        assert!(
            !reader.read(&sighting(&packet(*protocol, 41234, *port, payload), Link::RawIp)).is_empty(),
            "port {port}"
        );
    }
}

#[test]
fn names_that_point_at_themselves() {
    let knowledge = Knowledge::load(&[]).unwrap();
    for name in [&b"\xc0\x0c"[..], b"\xc0\x0e\xc0\x0c", b"\x01a\xc0\x0c", b"\xff\xff\xff", b"\x3f", b"\xc0"] {
        let mut message = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00".to_vec();
        message.extend(name);
        message.extend(b"\x00\xfc\x00\x01");
        let shapes = knowledge.reader().read(&sighting(&packet(17, 41234, 53, &message), Link::RawIp));
        assert!(shapes.iter().all(|shape| shape.name != "dns-axfr"), "{name:?}: {shapes:?}");
    }
}

#[test]
fn what_is_shown_is_escaped() {
    let knowledge = Knowledge::load(&[]).unwrap();
    let nasty = b"\x00\x01\x1b[31m\x07\r\n\xe2\x80\xae\x00octet\x00";
    let shapes = knowledge.reader().read(&sighting(&packet(17, 41234, 69, nasty), Link::RawIp));
    let [shape] = &shapes[..] else { panic!("{shapes:?}") };
    assert!(shape.detail.chars().all(|letter| letter == ' ' || letter.is_ascii_graphic()), "{}", shape.detail);
}
