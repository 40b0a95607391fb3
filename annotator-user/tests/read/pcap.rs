//! Classic captures, written byte by byte.

/// A classic capture to be.
#[derive(Clone, Copy, Debug)]
pub struct Pcap {
    pub big_endian: bool,
    pub nanoseconds: bool,
    pub modified: bool,
    pub link_type: u32,
}

impl Pcap {
    pub const ETHERNET: Pcap = Pcap { big_endian: false, nanoseconds: false, modified: false, link_type: 1 };

    /// The capture of frames with their times in nanoseconds.
    pub fn of(&self, frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let magic = match (self.nanoseconds, self.modified) {
            (true, _) => 0xa1b2_3c4d,
            (false, true) => 0xa1b2_cd34,
            (false, false) => 0xa1b2_c3d4,
        };
        let mut bytes = self.word(magic);
        bytes.extend(self.half(2));
        bytes.extend(self.half(4));
        for field in [0, 0, 262_144, self.link_type] {
            bytes.extend(self.word(field));
        }
        for (at, frame) in frames {
            let fraction = at % 1_000_000_000 / if self.nanoseconds { 1 } else { 1000 };
            for field in [at / 1_000_000_000, fraction, frame.len() as u64, frame.len() as u64] {
                bytes.extend(self.word(field as u32));
            }
            if self.modified {
                bytes.extend([0; 8]);
            }
            bytes.extend(frame);
        }
        bytes
    }

    fn word(&self, value: u32) -> Vec<u8> {
        word(self.big_endian, value).to_vec()
    }

    fn half(&self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }
}

/// A 32-bit field.
pub fn word(big_endian: bool, value: u32) -> [u8; 4] {
    if big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
}
