//! Frames, field by field.

use std::net::IpAddr;

/// Somebody out there.
pub const STRANGER: &str = "198.18.7.9";
/// The reader.
pub const US: &str = "198.19.1.20";

/// TCP flags.
pub mod flag {
    /// FIN
    pub const FIN: u8 = 1;
    /// SYN
    pub const SYN: u8 = 2;
    /// RST
    pub const RST: u8 = 4;
    /// PSH
    pub const PSH: u8 = 8;
    /// ACK
    pub const ACK: u8 = 16;
}

/// An IP packet in an Ethernet frame. Checksums are left at zero: nothing here reads them.
#[derive(Clone, Debug)]
pub struct Packet {
    source: IpAddr,
    destination: IpAddr,
    ethernet: [u8; 6],
    ttl: u8,
    identification: u16,
    options: Vec<u8>,
    protocol: u8,
    body: Vec<u8>,
    time: Option<f64>,
}

impl Packet {
    /// A packet with a body behind its IP header.
    pub fn new(protocol: u8, body: Vec<u8>) -> Self {
        Packet {
            source: STRANGER.parse().expect("an address"),
            destination: US.parse().expect("an address"),
            ethernet: [2, 0, 0, 0, 0, 1],
            ttl: 52,
            identification: 0x1234,
            options: Vec::new(),
            protocol,
            body,
            time: None,
        }
    }

    /// From this address.
    pub fn from(mut self, address: &str) -> Self {
        self.source = address.parse().expect("an address");
        self
    }

    /// To this address; the other is brought into the same family.
    pub fn to(mut self, address: &str) -> Self {
        self.destination = address.parse().expect("an address");
        self
    }

    /// To the Ethernet broadcast address.
    pub fn ethernet_broadcast(mut self) -> Self {
        self.ethernet = [0xff; 6];
        self
    }

    /// Whether it is from this address.
    pub fn is_from(&self, address: &str) -> bool {
        self.source.to_string() == address
    }

    /// At this time, in seconds.
    pub fn at(mut self, seconds: f64) -> Self {
        self.time = Some(seconds);
        self
    }

    /// When it arrives, if that matters.
    pub fn time(&self) -> Option<f64> {
        self.time
    }

    /// With this TTL.
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// With this IPv4 identification.
    pub fn identification(mut self, identification: u16) -> Self {
        self.identification = identification;
        self
    }

    /// With this TCP acknowledgement number.
    pub fn acknowledging(mut self, number: u32) -> Self {
        self.body[8..12].copy_from_slice(&number.to_be_bytes());
        self
    }

    /// Says that the TCP header is so many bytes long.
    pub fn tcp_header(mut self, bytes: usize) -> Self {
        self.body[12] = (bytes as u8 / 4) << 4;
        self
    }

    /// With these IPv4 options, filled up to four bytes.
    pub fn options(mut self, options: &[u8]) -> Self {
        self.options = options.to_vec();
        self.options.resize(options.len().next_multiple_of(4), 0);
        self
    }

    /// The frame.
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = self.ethernet.to_vec();
        frame.extend([2, 0, 0, 0, 0, 2]);
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                frame.extend([0x08, 0x00]);
                let header = 20 + self.options.len();
                let length = (header + self.body.len()) as u16;
                frame.push(0x40 | (header / 4) as u8);
                frame.push(0);
                frame.extend(length.to_be_bytes());
                frame.extend(self.identification.to_be_bytes());
                frame.extend([0x40, 0]);
                frame.extend([self.ttl, self.protocol, 0, 0]);
                frame.extend(source.octets());
                frame.extend(destination.octets());
                frame.extend(&self.options);
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
                frame.extend((self.body.len() as u16).to_be_bytes());
                frame.extend([self.protocol, self.ttl]);
                frame.extend(source.octets());
                frame.extend(destination.octets());
            }
            _ => panic!("source and destination are of different families"),
        }
        frame.extend(&self.body);
        frame
    }
}

/// TCP with flags and payload.
pub fn tcp(source: u16, destination: u16, flags: u8, payload: &[u8]) -> Packet {
    let mut body = Vec::new();
    body.extend(source.to_be_bytes());
    body.extend(destination.to_be_bytes());
    body.extend(0x0102_0304_u32.to_be_bytes());
    body.extend(0_u32.to_be_bytes());
    body.extend([0x50, flags]);
    body.extend(64240_u16.to_be_bytes());
    body.extend([0, 0, 0, 0]);
    body.extend(payload);
    Packet::new(6, body)
}

/// A SYN from a port of today's clients.
pub fn syn(destination: u16) -> Packet {
    tcp(41234, destination, flag::SYN, &[])
}

/// UDP.
pub fn udp(source: u16, destination: u16, payload: &[u8]) -> Packet {
    let mut body = Vec::new();
    body.extend(source.to_be_bytes());
    body.extend(destination.to_be_bytes());
    body.extend((8 + payload.len() as u16).to_be_bytes());
    body.extend([0, 0]);
    body.extend(payload);
    Packet::new(17, body)
}

/// UDP from a port of today's clients, with a payload that says nothing.
pub fn datagram(destination: u16) -> Packet {
    udp(41234, destination, &[0x5a; 12])
}

/// ICMP.
pub fn icmp(kind: u8, code: u8, rest: &[u8]) -> Packet {
    let mut body = vec![kind, code, 0, 0, 0, 0, 0, 0];
    body.extend(rest);
    Packet::new(1, body)
}

/// An ICMP error about a packet.
pub fn icmp_about(kind: u8, code: u8, original: Packet) -> Packet {
    // Only the IP header and eight bytes are quoted (RFC 792).
    let frame = original.frame();
    icmp(kind, code, &frame[14..frame.len().min(14 + 28)])
}
