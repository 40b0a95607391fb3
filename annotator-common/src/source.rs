//! The source table: how each sender behaves, in bounded memory that a flood of forged senders cannot empty.
//!
//! 4096 sets of four ways. A way has a 32-bit tag word, kept apart from the 64-byte slot so that a look at a set reads one cache line:
//!
//! | bits  | meaning |
//! |-------|---------|
//! | 16-31 | tag: 16 bits of the address's hash |
//! | 8-15  | weight: how often the source came back, saturating; 0 = free |
//! | 0-7   | epoch: the minute in which it was seen last, modulo 256 |
//!
//! A way not seen for [`STALE_EPOCHS`] minutes is free. When a set is full, a new source must have come before (the doorkeeper remembers 16 bits
//! of its hash), and then takes a share of the lightest way's weight with probability 2^-weight, as in HeavyKeeper (Gong et al., ATC 2018):
//! a sender that keeps coming is not displaced by senders that come once. The hash is seeded, live for each run.

use crate::Address;
use crate::flags::rarely;

/// Sets of the table.
pub const SETS: usize = 1 << SET_BITS;
const SET_BITS: u32 = 12;
/// Ways of a set.
pub const WAYS: usize = 4;
/// Sources that the table of one CPU can hold.
pub const CAPACITY: usize = SETS * WAYS;
const DOORS: usize = 1 << DOOR_BITS;
const DOOR_BITS: u32 = 16;
/// Minutes without a packet after which a way may be reused.
pub const STALE_EPOCHS: u8 = 5;
/// Weight at which a source counts as settled: displacing it takes about 2^17 attempts.
const WEIGHT_MAX: u16 = 16;
/// `ticks >> (second_shift + EPOCH_SHIFT)` is the minute.
pub const EPOCH_SHIFT: u32 = 6;

/// Time as the engine counts it: kernel jiffies, or milliseconds of a capture; wraps.
pub type Ticks = u32;

/// What a source was seen doing: bits of [`Source::kinds`].
pub mod kinds {
    /// A TCP packet other than below.
    pub const TCP: u8 = 1;
    /// A TCP SYN without ACK.
    pub const SYN: u8 = 1 << 1;
    /// A TCP SYN with ACK: an answer.
    pub const SYN_ACK: u8 = 1 << 2;
    /// UDP.
    pub const UDP: u8 = 1 << 3;
    /// ICMP or ICMPv6.
    pub const ICMP: u8 = 1 << 4;
    /// A fragment.
    pub const FRAGMENT: u8 = 1 << 5;
    /// Another protocol.
    pub const OTHER: u8 = 1 << 6;
    /// A packet with a rare flag.
    pub const RARE: u8 = 1 << 7;
}

/// One source. Counts wrap and are read as differences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Source {
    /// Its address.
    pub address: Address,
    /// When it got this slot.
    pub first: Ticks,
    /// When it was seen last.
    pub last: Ticks,
    /// Packets since `first`, without established TCP data, which is not tracked.
    pub packets: u32,
    /// SYNs without ACK.
    pub syn: u32,
    /// Destination ports: bit `hash(port)` of 64. [`distinct`] reads it.
    pub ports: u64,
    /// Destination addresses, likewise.
    pub destinations: u64,
    /// Packets with RST.
    pub rst: u16,
    /// Packets with FIN.
    pub fin: u16,
    /// ICMP packets.
    pub icmp: u16,
    /// UDP packets.
    pub udp: u16,
    /// Lowest TTL seen.
    pub ttl_low: u8,
    /// Highest TTL seen.
    pub ttl_high: u8,
    /// What it was seen doing, see [`kinds`].
    pub kinds: u8,
    /// Samples handed out of it in the minute `sampled_epoch`.
    pub sampled: u8,
    /// The minute, modulo 256.
    pub sampled_epoch: u8,
    /// IP protocols without ports and other than ICMP: bit `hash(protocol)` of 8.
    pub protocols: u8,
    /// What it addressed in the minute `sampled_epoch`: bit `hash(port, address)` of 16.
    pub recent: u16,
}

const _: () = assert!(size_of::<Source>() == 64);

/// What a look at a way reads.
#[derive(Clone, Copy)]
#[repr(C)]
struct Mark {
    /// Weight in the upper half, epoch in the lower.
    state: u16,
    tag: u16,
}

/// The table of one CPU.
#[repr(C)]
pub struct Sources {
    marks: [[Mark; WAYS]; SETS],
    slots: [[Source; WAYS]; SETS],
    doors: [u16; DOORS],
    /// Samples handed out per class of payload: the second, and how many in it.
    payload_grants: [[u32; 2]; 256],
    /// Samples handed out: the second, and how many in it.
    grants: [u32; 2],
    /// State of the generator that decides whether a way decays.
    random: u32,
    reserved: [u32; 13],
}

const _: () = assert!(size_of::<Sources>() == SETS * WAYS * (4 + 64) + DOORS * 2 + 2048 + 64);

/// Hash of an address under a seed. Only its upper half is good; set, door and tag are taken from there.
#[inline(always)]
pub fn hash(address: &Address, seed: &[u64; 2]) -> u64 {
    let [high, low] = address.halves();
    if address.is_v4() {
        // Multiply-shift with a secret multiplier: strongly universal for 32-bit keys and up to 32 bits of result (Dietzfelbinger, 1996).
        return (address.low_word() as u64).wrapping_mul(seed[1]).wrapping_add(seed[0]);
    }
    let mut hash = (low ^ seed[0]).wrapping_mul(0x9fb2_1c65_1e98_df25);
    hash ^= hash >> 32;
    hash ^= (high ^ seed[1]).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^= hash >> 29;
    hash.wrapping_add(seed[1]).wrapping_mul(0xa076_1d64_78bd_642f)
}

/// Index of the set.
#[inline(always)]
const fn set_of(hash: u64) -> usize {
    (hash >> (64 - SET_BITS)) as usize
}

/// Index of the door: each set has its own few.
#[inline(always)]
const fn door_of(hash: u64) -> usize {
    (hash >> (64 - DOOR_BITS)) as usize
}

/// What tells the sources of a set and of a door apart.
#[inline(always)]
pub const fn tag_of(hash: u64) -> u16 {
    (hash >> 32) as u16 | 1
}

/// The bit of [`Source::ports`] or [`Source::destinations`] for a value.
#[inline(always)]
pub const fn bit_of(value: u32) -> u64 {
    1 << (spread(value) >> 26)
}

/// Multiplies by the golden ratio, which keeps apart what comes in a row: the ports of a scan each get a bit of their own, as long as there are some.
#[inline(always)]
const fn spread(value: u32) -> u32 {
    value.wrapping_mul(0x9e37_79b1)
}

/// The bit of [`Source::protocols`] for an IP protocol.
#[inline(always)]
pub const fn protocol_bit(protocol: u8) -> u8 {
    1 << (spread(protocol as u32) >> 29)
}

/// The bit of [`Source::recent`] for a port and an address, of which either may be 0.
#[inline(always)]
pub const fn recent_bit(port: u32, address: u32) -> u16 {
    1 << (spread(port.wrapping_add(address)) >> 28)
}

/// How many distinct values set the bits of a 64-bit map, by linear counting (Whang et al., 1990): for values drawn by lot exact for few and
/// within a fifth up to about 150, for values in a row up to three times too high; a full map means "more than 250".
pub fn distinct(bits: u64) -> u32 {
    /// `64 * ln(64 / zeros)`, rounded, for 0 to 64 bits set.
    const TABLE: [u16; 65] = [
        0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 15, 16, 17, 18, 20, 21, 23, 24, 25, 27, 29, 30, 32, 33, 35, 37, 39,
        40, 42, 44, 46, 48, 51, 53, 55, 58, 60, 63, 66, 68, 71, 74, 78, 81, 85, 89, 93, 97, 102, 107, 113, 119, 126,
        133, 142, 151, 162, 177, 196, 222, 266, 266,
    ];
    u32::from(TABLE[bits.count_ones() as usize])
}

/// What became of a source.
pub enum Place<'a> {
    /// It has a slot.
    Known(&'a mut Source),
    /// It was given a slot, which is empty.
    Fresh(&'a mut Source),
    /// It has none.
    Refused,
}

/// The indices of the set to which an index below [`CAPACITY`] belongs: a source lies in the same set of every CPU's table.
pub const fn set_around(index: usize) -> core::ops::Range<usize> {
    let first = index / WAYS * WAYS;
    first..first + WAYS
}

impl Sources {
    /// Finds the slot of a source, or gives it one.
    #[inline(always)]
    pub fn place(&mut self, address: &Address, seed: &[u64; 2], now: Ticks, epoch: u8) -> Place<'_> {
        let hash = hash(address, seed);
        let (set, tag) = (set_of(hash), tag_of(hash));
        for way in 0..WAYS {
            let mark = &mut self.marks[set][way];
            if mark.tag == tag && self.slots[set][way].address == *address {
                if rarely(mark.state != state(WEIGHT_MAX, epoch)) {
                    mark.state = state(core::cmp::min(mark.weight() + 1, WEIGHT_MAX), epoch);
                }
                return Place::Known(&mut self.slots[set][way]);
            }
        }
        let Some(way) = self.make_room(hash, epoch) else { return Place::Refused };
        self.marks[set][way] = Mark { state: state(1, epoch), tag };
        let slot = &mut self.slots[set][way];
        start(slot, address, now);
        Place::Fresh(slot)
    }

    /// A way for a source that has none.
    #[inline(always)]
    fn make_room(&mut self, hash: u64, epoch: u8) -> Option<usize> {
        let marks = &mut self.marks[set_of(hash)];
        for (way, mark) in marks.iter().enumerate() {
            if mark.weight() == 0 || epoch.wrapping_sub(mark.state as u8) > STALE_EPOCHS {
                return Some(way);
            }
        }
        // Asked first, because in a flood it turns nearly all away.
        let door = &mut self.doors[door_of(hash)];
        let mark = tag_of(hash);
        if *door != mark {
            *door = mark;
            return None;
        }
        let mut lightest = 0;
        let mut lightest_weight = u16::MAX;
        for (way, mark) in marks.iter().enumerate() {
            if mark.weight() < lightest_weight {
                lightest_weight = mark.weight();
                lightest = way;
            }
        }
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if (self.random >> 8) & ((1 << (lightest_weight & 31)) - 1) != 0 {
            return None;
        }
        if lightest_weight > 1 {
            marks[lightest & (WAYS - 1)].state -= 1 << 8;
            return None;
        }
        Some(lightest & (WAYS - 1))
    }

    /// Takes a sample from this second's budget.
    #[inline(always)]
    pub fn grant(&mut self, second: u32, limit: u32) -> bool {
        grant(&mut self.grants, second, limit)
    }

    /// Takes a sample from this second's budget of a class of payload.
    #[inline(always)]
    pub fn grant_payload(&mut self, class: u8, second: u32, limit: u32) -> bool {
        grant(&mut self.payload_grants[class as usize], second, limit)
    }

    /// Whether a tag word belongs to an address: how a reader that runs beside the kernel tells a whole slot from one being replaced.
    pub fn tag_matches(word: u32, address: &Address, seed: &[u64; 2]) -> bool {
        word >> 16 == u32::from(tag_of(hash(address, seed)))
    }

    /// Tag word and slot at an index below [`CAPACITY`].
    pub fn entry(&self, index: usize) -> (u32, &Source) {
        let (set, way) = (index / WAYS, index % WAYS);
        let Mark { state, tag } = self.marks[set][way];
        (u32::from(tag) << 16 | u32::from(state), &self.slots[set][way])
    }
}

impl Mark {
    #[inline(always)]
    const fn weight(self) -> u16 {
        self.state >> 8
    }
}

#[inline(always)]
const fn state(weight: u16, epoch: u8) -> u16 {
    weight << 8 | epoch as u16
}

#[inline(always)]
fn grant(state: &mut [u32; 2], second: u32, limit: u32) -> bool {
    if state[0] != second {
        state[0] = second;
        state[1] = 0;
    }
    let granted = state[1] < limit;
    state[1] = state[1].wrapping_add(granted as u32);
    granted
}

/// Clears a slot for a new source, word by word: a struct assignment becomes a byte loop on the BPF target.
#[inline(always)]
fn start(slot: &mut Source, address: &Address, now: Ticks) {
    slot.address = *address;
    slot.first = now;
    slot.last = now;
    slot.packets = 0;
    slot.syn = 0;
    slot.ports = 0;
    slot.destinations = 0;
    slot.rst = 0;
    slot.fin = 0;
    slot.icmp = 0;
    slot.udp = 0;
    slot.ttl_low = u8::MAX;
    slot.ttl_high = 0;
    slot.kinds = 0;
    slot.sampled = 0;
    slot.sampled_epoch = 0;
    slot.protocols = 0;
    slot.recent = 0;
}
