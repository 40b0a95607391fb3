//! The classic format: a file header, then packets.
//!
//! draft-ietf-opsawg-pcap; the "modified" variant is that of A. Kuznetsov's patches to old libpcap, with eight more bytes a packet.

use super::input::Input;
use super::{Captured, Ending, FRAME_MAX, LinkType, Opened};
use crate::observation::Moment;

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
const MODIFIED_RECORD_HEADER: usize = 24;
const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

/// How a file of this format is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    big_endian: bool,
    nanoseconds: bool,
    modified: bool,
}

impl Layout {
    /// From the first four bytes of a file.
    pub fn from_magic(magic: [u8; 4]) -> Option<Self> {
        let of = |word: u32, big_endian: bool| {
            let (nanoseconds, modified) = match word {
                0xa1b2_c3d4 => (false, false),
                0xa1b2_3c4d => (true, false),
                0xa1b2_cd34 => (false, true),
                _ => return None,
            };
            Some(Layout { big_endian, nanoseconds, modified })
        };
        of(u32::from_le_bytes(magic), false).or_else(|| of(u32::from_be_bytes(magic), true))
    }

    #[inline]
    fn word(self, bytes: &[u8], at: usize) -> u32 {
        let bytes = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

/// Reads a file from its header to its end.
pub fn read(input: &mut Input, layout: Layout, sink: &mut impl FnMut(Captured<'_>)) -> Opened {
    let header = match input.peek(FILE_HEADER) {
        Ok(bytes) if bytes.len() >= FILE_HEADER => bytes,
        Ok(_) => return Opened::Refused("the file ends inside its header".into()),
        Err(error) => return Opened::Refused(error.to_string()),
    };
    // The upper half says whether frames end with their checksum.
    let number = layout.word(header, 20) as u16;
    let Some(link_type) = LinkType::from_number(number) else {
        return Opened::Refused(super::unsupported(number));
    };
    input.consume(FILE_HEADER);
    Opened::Read(records(input, layout, link_type, sink))
}

fn records(input: &mut Input, layout: Layout, link_type: LinkType, sink: &mut impl FnMut(Captured<'_>)) -> Ending {
    let header_length = if layout.modified { MODIFIED_RECORD_HEADER } else { RECORD_HEADER };
    let unit = if layout.nanoseconds { 1 } else { 1000 };
    loop {
        let bytes = match input.peek(header_length) {
            Ok(bytes) => bytes,
            Err(error) => return Ending::failed(input, &error),
        };
        if bytes.is_empty() {
            return Ending::Complete;
        }
        if bytes.len() < header_length {
            return Ending::damaged(input, "the file ends inside a packet's header");
        }
        let captured = layout.word(bytes, 8) as usize;
        if captured > FRAME_MAX {
            return Ending::damaged(input, format!("a packet claims {captured} bytes, more than any network has"));
        }
        let at =
            Moment(i64::from(layout.word(bytes, 0)) * NANOSECONDS_PER_SECOND + i64::from(layout.word(bytes, 4)) * unit);
        let whole = header_length + captured;
        let bytes = if bytes.len() < whole {
            match input.peek(whole) {
                Ok(bytes) => bytes,
                Err(error) => return Ending::failed(input, &error),
            }
        } else {
            bytes
        };
        let Some(frame) = bytes.get(header_length..whole) else {
            return Ending::damaged(input, "the file ends inside a packet");
        };
        sink(Captured { at: Some(at), link_type, frame });
        input.consume(whole);
    }
}
