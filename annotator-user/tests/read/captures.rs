//! Captures, written byte by byte.

pub use crate::pcap::Pcap;
use crate::pcap::word;

/// A capture of blocks to be.
pub struct Pcapng {
    big_endian: bool,
    bytes: Vec<u8>,
}

impl Pcapng {
    pub fn new(big_endian: bool) -> Self {
        Pcapng { big_endian, bytes: Vec::new() }.section(big_endian)
    }

    /// Begins a section.
    pub fn section(mut self, big_endian: bool) -> Self {
        self.big_endian = big_endian;
        let mut body = self.word(0x1a2b_3c4d).to_vec();
        body.extend(self.half(1));
        body.extend(self.half(0));
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body)
    }

    /// Describes an interface, with options as they are.
    pub fn interface(self, link_type: u16, snap_length: u32, options: &[u8]) -> Self {
        let mut body = [self.half(link_type), [0, 0]].concat();
        body.extend(self.word(snap_length));
        body.extend(options);
        self.block(1, &body)
    }

    /// An option, padded.
    pub fn option(&self, code: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = [self.half(code), self.half(value.len() as u16)].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// A packet as files of today have it.
    pub fn enhanced(self, interface: u32, stamp: u64, frame: &[u8], options: &[u8]) -> Self {
        let mut body = Vec::new();
        for field in [interface, (stamp >> 32) as u32, stamp as u32, frame.len() as u32, frame.len() as u32] {
            body.extend(self.word(field));
        }
        body.extend(frame);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(options);
        self.block(6, &body)
    }

    /// A packet without a time; `original` is its length before it was cut to the interface's snap length.
    pub fn simple(self, original: u32, frame: &[u8]) -> Self {
        let mut body = self.word(original).to_vec();
        body.extend(frame);
        body.resize(body.len().next_multiple_of(4), 0);
        self.block(3, &body)
    }

    /// A packet as old files have it.
    pub fn old(self, interface: u16, stamp: u64, frame: &[u8]) -> Self {
        let mut body = [self.half(interface), self.half(0)].concat();
        for field in [(stamp >> 32) as u32, stamp as u32, frame.len() as u32, frame.len() as u32] {
            body.extend(self.word(field));
        }
        body.extend(frame);
        body.resize(body.len().next_multiple_of(4), 0);
        self.block(2, &body)
    }

    /// Any block.
    pub fn block(mut self, kind: u32, body: &[u8]) -> Self {
        assert!(body.len().is_multiple_of(4));
        let length = self.word(body.len() as u32 + 12);
        self.bytes.extend(self.word(kind));
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.extend(length);
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub fn word(&self, value: u32) -> [u8; 4] {
        word(self.big_endian, value)
    }

    fn half(&self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }
}

/// Bytes, compressed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}
