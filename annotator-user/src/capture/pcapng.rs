//! The block format (draft-ietf-opsawg-pcapng): sections, interfaces, packets.
//!
//! A block that cannot be understood is stepped over by its length, so one bad block costs one packet. Where the length itself is wrong, there is
//! nothing to step by, and reading ends.

use super::input::Input;
use super::{Captured, Ending, FRAME_MAX, LinkType, Opened, unsupported};
use crate::observation::Moment;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
/// Obsolete, still found in old files.
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Type and length in front of a block, the length again behind it.
const BLOCK_HEAD: usize = 8;
const BLOCK_TAIL: usize = 4;
/// Fields of a packet block before the packet.
const PACKET_FIELDS: usize = 20;
const OPTION_TIME_RESOLUTION: u16 = 9;
const OPTION_TIME_OFFSET: u16 = 14;
/// Options and padding of a packet block come on top of its packet.
const BLOCK_MAX: usize = FRAME_MAX + (1 << 20);

/// First four bytes of a file.
pub const MAGIC: [u8; 4] = SECTION_HEADER.to_le_bytes();

/// An interface of the section.
struct Interface {
    link_type: Result<LinkType, u16>,
    snap_length: u32,
    clock: Clock,
}

/// A packet block, taken apart.
struct Block<'a> {
    interface: &'a Interface,
    at: Option<Moment>,
    frame: &'a [u8],
}

/// How an interface writes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clock {
    units_per_second: u128,
    offset_seconds: i64,
}

impl Clock {
    const MICROSECONDS: Clock = Clock { units_per_second: 1_000_000, offset_seconds: 0 };

    /// `None` for resolutions finer than 64 bits can count.
    fn units(resolution: u8) -> Option<u128> {
        let exponent = u32::from(resolution & 0x7f);
        let units = if resolution & 0x80 != 0 { 2_u128.checked_pow(exponent) } else { 10_u128.checked_pow(exponent) };
        units.filter(|units| *units <= 1 << 64)
    }

    #[inline]
    fn moment(self, high: u32, low: u32) -> Moment {
        let stamp = u64::from(high) << 32 | u64::from(low);
        let nanoseconds = match self.units_per_second {
            1_000_000 => i128::from(stamp) * 1000,
            1_000_000_000 => i128::from(stamp),
            units => (u128::from(stamp) * 1_000_000_000 / units) as i128,
        };
        let shifted = nanoseconds + i128::from(self.offset_seconds) * 1_000_000_000;
        Moment(i64::try_from(shifted).unwrap_or(if shifted < 0 { i64::MIN } else { i64::MAX }))
    }
}

/// The section being read.
struct Section {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

impl Section {
    fn u16(&self, bytes: &[u8], at: usize) -> Option<u16> {
        let field = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(field) } else { u16::from_le_bytes(field) })
    }

    #[inline]
    fn u32(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let field = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(field) } else { u32::from_le_bytes(field) })
    }

    fn i64(&self, bytes: &[u8]) -> Option<i64> {
        let field = bytes.get(..8)?.try_into().ok()?;
        Some(if self.big_endian { i64::from_be_bytes(field) } else { i64::from_le_bytes(field) })
    }

    /// Block type and length, from the first bytes of a block.
    #[inline]
    fn head(&self, bytes: &[u8]) -> Option<(u32, usize)> {
        Some((self.u32(bytes, 0)?, self.u32(bytes, 4)? as usize))
    }

    /// Adds the interface that a block describes.
    fn describe(&mut self, body: &[u8]) -> Option<()> {
        // Every packet looks its interface up; there is no use in more of them than a 16-bit field of the old packet block can name.
        if self.interfaces.len() > usize::from(u16::MAX) {
            return None;
        }
        let number = self.u16(body, 0)?;
        let snap_length = self.u32(body, 4)?;
        let mut clock = Clock::MICROSECONDS;
        let mut options = body.get(8..)?;
        while let (Some(code), Some(length)) = (self.u16(options, 0), self.u16(options, 2)) {
            let length = usize::from(length);
            let Some(value) = options.get(4..4 + length) else { break };
            match code {
                0 => break,
                OPTION_TIME_RESOLUTION => {
                    if let Some(units) = value.first().and_then(|resolution| Clock::units(*resolution)) {
                        clock.units_per_second = units;
                    }
                }
                OPTION_TIME_OFFSET => clock.offset_seconds = self.i64(value).unwrap_or_default(),
                _ => {}
            }
            let Some(rest) = options.get(4 + length.next_multiple_of(4)..) else { break };
            options = rest;
        }
        self.interfaces.push(Interface { link_type: LinkType::from_number(number).ok_or(number), snap_length, clock });
        Some(())
    }
}

/// What is not in the report, and why.
#[derive(Default)]
struct Losses {
    bad_blocks: u64,
    first_bad_block: u64,
    unsupported: u64,
    unsupported_number: u16,
    packets: u64,
}

impl Losses {
    fn ending(self, otherwise: Ending) -> Opened {
        if self.unsupported > 0 && self.packets == 0 {
            return Opened::Refused(unsupported(self.unsupported_number));
        }
        let mut notes = Vec::new();
        if self.unsupported > 0 {
            notes.push(format!("{} packets were left out: {}", self.unsupported, unsupported(self.unsupported_number)));
        }
        if self.bad_blocks > 0 {
            notes.push(format!(
                "{} damaged blocks were left out, the first at byte {}",
                self.bad_blocks, self.first_bad_block
            ));
        }
        if let Ending::Incomplete(note) = otherwise {
            notes.push(note);
        }
        Opened::Read(if notes.is_empty() { Ending::Complete } else { Ending::Incomplete(notes.join("; ")) })
    }
}

/// Reads a file from its first section to its end.
pub fn read(input: &mut Input, sink: &mut impl FnMut(Captured<'_>)) -> Opened {
    let mut section = Section { big_endian: false, interfaces: Vec::new() };
    let mut losses = Losses::default();
    let mut started = false;
    loop {
        let bytes = match input.peek(BLOCK_HEAD + 4) {
            Ok(bytes) => bytes,
            Err(error) => return losses.ending(Ending::failed(input, &error)),
        };
        if bytes.is_empty() {
            return losses.ending(Ending::Complete);
        }
        let is_section = bytes.starts_with(&MAGIC);
        if is_section {
            match bytes
                .get(BLOCK_HEAD..BLOCK_HEAD + 4)
                .map(|magic| u32::from_le_bytes(magic.try_into().unwrap_or_default()))
            {
                Some(BYTE_ORDER_MAGIC) => section = Section { big_endian: false, interfaces: Vec::new() },
                Some(magic) if magic.swap_bytes() == BYTE_ORDER_MAGIC => {
                    section = Section { big_endian: true, interfaces: Vec::new() };
                }
                _ if started => {
                    return losses.ending(Ending::damaged(input, "a section begins without its byte-order mark"));
                }
                _ => return Opened::Refused("the first section has no byte-order mark".into()),
            }
            started = true;
        }
        let (kind, length) = match section.head(bytes) {
            Some((_, length)) if length < BLOCK_HEAD + BLOCK_TAIL || !length.is_multiple_of(4) => {
                return losses.ending(Ending::damaged(input, format!("a block claims a length of {length} bytes")));
            }
            Some(head) if bytes.len() >= BLOCK_HEAD + 4 => head,
            _ => return losses.ending(Ending::damaged(input, "the file ends inside a block")),
        };
        let carries_data = matches!(kind, INTERFACE | OLD_PACKET | SIMPLE_PACKET | ENHANCED_PACKET);
        if !carries_data || length > BLOCK_MAX {
            if carries_data {
                return losses.ending(Ending::damaged(input, format!("a block claims a length of {length} bytes")));
            }
            // Statistics, names, comments, secrets: nothing that we use, at any length.
            match input.skip(length as u64) {
                Ok(skipped) if skipped == length as u64 => continue,
                Ok(_) => return losses.ending(Ending::damaged(input, "the file ends inside a block")),
                Err(error) => return losses.ending(Ending::failed(input, &error)),
            }
        }
        let bytes = match input.peek(length) {
            Ok(bytes) => bytes,
            Err(error) => return losses.ending(Ending::failed(input, &error)),
        };
        let Some(block) = bytes.get(..length) else {
            return losses.ending(Ending::damaged(input, "the file ends inside a block"));
        };
        let body = &block[BLOCK_HEAD..length - BLOCK_TAIL];
        let understood = if kind == INTERFACE {
            section.describe(body)
        } else {
            packet(&section, kind, body).map(|Block { interface, at, frame }| match interface.link_type {
                Ok(link_type) => {
                    losses.packets += 1;
                    sink(Captured { at, link_type, frame });
                }
                Err(number) => {
                    losses.unsupported += 1;
                    losses.unsupported_number = number;
                }
            })
        };
        if understood.is_none() {
            if losses.bad_blocks == 0 {
                losses.first_bad_block = input.position();
            }
            losses.bad_blocks += 1;
        }
        input.consume(length);
    }
}

/// Takes a packet block of any kind apart.
#[inline]
fn packet<'a>(section: &'a Section, kind: u32, body: &'a [u8]) -> Option<Block<'a>> {
    if kind == SIMPLE_PACKET {
        let interface = section.interfaces.first()?;
        let original = section.u32(body, 0)?;
        let limit = if interface.snap_length == 0 { u32::MAX } else { interface.snap_length };
        let frame = body.get(4..)?.get(..original.min(limit) as usize)?;
        return Some(Block { interface, at: None, frame });
    }
    let number = if kind == OLD_PACKET { u32::from(section.u16(body, 0)?) } else { section.u32(body, 0)? };
    let interface = section.interfaces.get(number as usize)?;
    let at = interface.clock.moment(section.u32(body, 4)?, section.u32(body, 8)?);
    let captured = section.u32(body, 12)? as usize;
    Some(Block { interface, at: Some(at), frame: body.get(PACKET_FIELDS..)?.get(..captured)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions() {
        assert_eq!(Clock::units(6), Some(1_000_000));
        assert_eq!(Clock::units(9), Some(1_000_000_000));
        assert_eq!(Clock::units(0x80 | 20), Some(1 << 20));
        assert_eq!(Clock::units(0x80 | 64), Some(1 << 64));
        assert_eq!(Clock::units(20), None);
        assert_eq!(Clock::units(0xff), None);
    }

    #[test]
    fn moments() {
        let binary = Clock { units_per_second: 1 << 20, offset_seconds: 100 };
        assert_eq!(binary.moment(0, 3 << 19), Moment(101_500_000_000));
        let far = Clock { units_per_second: 1, offset_seconds: i64::MAX };
        assert_eq!(far.moment(u32::MAX, u32::MAX), Moment(i64::MAX));
        let past = Clock { units_per_second: 1, offset_seconds: i64::MIN };
        assert_eq!(past.moment(0, 0), Moment(i64::MIN));
    }
}
