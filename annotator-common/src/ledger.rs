//! The counters, on the heap for a capture. In the kernel they lie in two array maps with one element per CPU, which the agent maps into its
//! own memory: [`Journal`] beside the source table, so that one look-up serves nearly every packet, and [`Types`] apart, because an element must
//! not exceed 4 MiB.

use crate::packet::Family;
use crate::{Flag, Flags, Packet, Reason, Sources};

/// Packets and bytes of one counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Frame bytes.
    pub bytes: u64,
}

impl core::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

impl core::ops::Add for Count {
    type Output = Count;
    fn add(mut self, other: Count) -> Count {
        self += other;
        self
    }
}

/// A counter of packets and bytes in one word, so that counting is one addition: packets in the upper 28 bits, bytes in the lower 36.
///
/// Cells are read as differences (see [`Cell::since`]): those are exact as long as fewer than 2^28 packets and 2^36 bytes (64 GiB) lie
/// between two readings, whatever the cell itself has overflowed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Cell(u64);

const BYTE_BITS: u32 = 36;

impl Cell {
    /// Packets that may lie between two readings.
    pub const MAX_PACKETS: u64 = 1 << (64 - BYTE_BITS);
    /// Bytes that may lie between two readings.
    pub const MAX_BYTES: u64 = 1 << BYTE_BITS;

    /// From the raw word.
    #[inline(always)]
    pub const fn from_word(word: u64) -> Self {
        Cell(word)
    }

    /// The raw word.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// One packet of `bytes` bytes.
    #[inline(always)]
    pub const fn packet(bytes: u32) -> Self {
        Cell((1 << BYTE_BITS) + bytes as u64)
    }

    /// Counts what another cell holds.
    #[inline(always)]
    pub const fn add(&mut self, other: Cell) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// What was counted between an earlier reading and this one.
    #[inline(always)]
    pub const fn since(self, earlier: Cell) -> Cell {
        Cell(self.0.wrapping_sub(earlier.0))
    }

    /// The sum of two cells.
    #[inline(always)]
    pub const fn plus(self, other: Cell) -> Cell {
        Cell(self.0.wrapping_add(other.0))
    }

    /// The cell read as a count; right for differences.
    #[inline(always)]
    pub const fn count(self) -> Count {
        Count { packets: self.0 >> BYTE_BITS, bytes: self.0 & (Cell::MAX_BYTES - 1) }
    }
}

const PORTS: usize = 1 << 16;
/// Ports below this are counted as TCP sources, too.
pub const LOW_PORTS: usize = 1024;
const TYPES_AND_CODES: usize = 1 << 16;
const ETHERTYPES: usize = 1 << 16;
/// Flags are counted by the combinations of eight that occur together: four additions count any set.
const FLAG_GROUPS: usize = 4;
const COMBINATIONS: usize = 256;

/// Index of IPv6 next headers in [`Journal::protocols`].
const ROW_V6: usize = 256;
/// Index of 802.3 frames.
const ROW_8023: usize = 512;
/// Index of frames that reached no protocol.
const ROW_NONE: usize = 513;
const PROTOCOL_ROWS: usize = 520;
const REASON_ROWS: usize = 16;

/// Samples and sources that did not get through, and those that did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Tally {
    /// Samples handed out.
    Samples,
    /// Packets that were news, but over budget.
    SamplesOverBudget,
    /// Packets that were news, but the ring buffer was full.
    SamplesRingFull,
    /// Sources that were given a slot of the source table (again, for those that had lost it).
    SourcesTracked,
    /// Packets whose source found no slot.
    SourcesNotTracked,
}

const TALLIES: usize = 8;

/// All counters of one CPU. Words throughout: [`Ledger::words`] reads it as such.
#[repr(C)]
pub struct Ledger {
    /// By port, protocol, flag and reason.
    pub journal: Journal,
    /// By ICMP type and EtherType.
    pub types: Types,
}

/// Counters by port, protocol, flag and reason.
#[repr(C)]
pub struct Journal {
    /// See [`Journal::settled`]. A whole cache line, so that the counters keep theirs.
    settled: [u64; 8],
    // By ports as they stand in the frame: turning them round costs the kernel more than finding the cell.
    tcp: [Cell; PORTS],
    tcp_syn: [Cell; PORTS],
    udp: [Cell; PORTS],
    udp_source: [Cell; PORTS],
    // By number.
    tcp_low_source: [Cell; LOW_PORTS],
    tcp_low_source_syn: [Cell; LOW_PORTS],
    protocols: [Cell; PROTOCOL_ROWS],
    flags: [[Cell; COMBINATIONS]; FLAG_GROUPS],
    reasons: [Cell; REASON_ROWS],
    tallies: [u64; TALLIES],
    // By port as it stands in the frame.
    tcp_fin: [u64; PORTS],
}

/// Counters by ICMP type and code, and by EtherType.
#[repr(C)]
pub struct Types {
    icmp: [Cell; TYPES_AND_CODES],
    icmpv6: [Cell; TYPES_AND_CODES],
    ethertypes: [Cell; ETHERTYPES],
}

/// What one CPU needs for nearly every packet, in one element of an array map.
#[repr(C)]
pub struct Books {
    /// The source table.
    pub sources: Sources,
    /// Counters.
    pub journal: Journal,
}

const _: () = assert!(size_of::<Ledger>() == 4_223_296 && size_of::<Types>() == 3 << 19);
// Kernels up to 6.x refuse array map values above KMALLOC_MAX_SIZE, 4 MiB with pages of 4 KiB. Elements follow each other, and each is to start
// with a cache line.
const _: () = assert!(size_of::<Books>() <= 4 << 20 && size_of::<Books>().is_multiple_of(64));
const _: () = assert!(Reason::ALL.len() < REASON_ROWS);
const _: () = assert!(Flag::ALL.len() <= FLAG_GROUPS * 8);

impl Types {
    #[inline(always)]
    pub(crate) fn count_icmp(&mut self, family: Family, icmp_type: u8, code: u8, one: Cell) {
        let index = (icmp_type as usize) << 8 | code as usize;
        match family {
            Family::V6 => self.icmpv6[index].add(one),
            _ => self.icmp[index].add(one),
        }
    }

    #[inline(always)]
    pub(crate) fn count_ethertype(&mut self, ethertype: u16, one: Cell) {
        self.ethertypes[ethertype as usize].add(one);
    }
}

impl Journal {
    /// The flags, by way of memory. What the BPF verifier knows of them ends there; else it goes through all that follows once for each
    /// combination of flags, because flags choose a counter.
    #[inline(always)]
    pub(crate) fn settled(&mut self, flags: Flags) -> Flags {
        let place = &raw mut self.settled[0];
        // SAFETY: the place is a field of ours; volatile, so that the compiler does not take the short cut.
        unsafe {
            place.write_volatile(u64::from(flags.bits()));
            Flags::from_bits(place.read_volatile() as u32)
        }
    }

    #[inline(always)]
    pub(crate) fn count_tcp(&mut self, packet: &Packet, one: Cell) {
        let ports = if packet.is_syn() { &mut self.tcp_syn } else { &mut self.tcp };
        ports[packet.wire_destination_port as usize].add(one);
    }

    /// Counts, besides, a TCP packet that ends a connection.
    #[inline(always)]
    pub(crate) fn count_tcp_fin(&mut self, packet: &Packet) {
        let ends = &mut self.tcp_fin[packet.wire_destination_port as usize];
        *ends = ends.wrapping_add(1);
    }

    /// Counts a TCP packet whose source port is below [`LOW_PORTS`].
    #[inline(always)]
    pub(crate) fn count_tcp_low_source(&mut self, packet: &Packet, one: Cell) {
        let ports = if packet.is_syn() { &mut self.tcp_low_source_syn } else { &mut self.tcp_low_source };
        if let Some(cell) = ports.get_mut(packet.source_port as usize) {
            cell.add(one);
        }
    }

    #[inline(always)]
    pub(crate) fn count_udp(&mut self, packet: &Packet, one: Cell) {
        self.udp[packet.wire_destination_port as usize].add(one);
        self.udp_source[packet.wire_source_port as usize].add(one);
    }

    #[inline(always)]
    pub(crate) fn count_ip(&mut self, family: Family, protocol: u8, one: Cell) {
        let row = if matches!(family, Family::V6) { ROW_V6 } else { 0 };
        self.protocols[row + protocol as usize].add(one);
    }

    #[inline(always)]
    pub(crate) fn count_ieee_802_3(&mut self, one: Cell) {
        self.protocols[ROW_8023].add(one);
    }

    #[inline(always)]
    pub(crate) fn count_without_protocol(&mut self, one: Cell) {
        self.protocols[ROW_NONE].add(one);
    }

    #[inline(always)]
    pub(crate) fn count_reason(&mut self, code: u8, one: Cell) {
        self.reasons[code as usize & (REASON_ROWS - 1)].add(one);
    }

    #[inline(always)]
    pub(crate) fn count_flags(&mut self, flags: Flags, one: Cell) {
        let bits = flags.bits();
        for group in 0..FLAG_GROUPS {
            let combination = bits >> (8 * group) & 0xff;
            if combination != 0 {
                self.flags[group][combination as usize].add(one);
            }
        }
    }

    /// Adds one to a tally.
    #[inline(always)]
    pub fn tally(&mut self, tally: Tally) {
        self.tallies[tally as usize] = self.tallies[tally as usize].wrapping_add(1);
    }

    /// The value of a tally.
    pub fn tallied(&self, tally: Tally) -> u64 {
        self.tallies[tally as usize]
    }
}

impl Ledger {
    /// Number of 64-bit words.
    pub const WORDS: usize = size_of::<Ledger>() / 8;

    /// TCP packets to a destination port that are not SYNs.
    pub fn tcp(&self, port: u16) -> Count {
        self.journal.tcp[port.to_be() as usize].count()
    }

    /// TCP SYNs (without ACK) to a destination port.
    pub fn tcp_syn(&self, port: u16) -> Count {
        self.journal.tcp_syn[port.to_be() as usize].count()
    }

    /// How many of the TCP packets to a destination port end a connection, see [`Packet::is_fin`].
    pub fn tcp_fin(&self, port: u16) -> u64 {
        self.journal.tcp_fin[port.to_be() as usize]
    }

    /// UDP packets to a destination port.
    pub fn udp(&self, port: u16) -> Count {
        self.journal.udp[port.to_be() as usize].count()
    }

    /// UDP packets from a source port.
    pub fn udp_source(&self, port: u16) -> Count {
        self.journal.udp_source[port.to_be() as usize].count()
    }

    /// TCP packets from a source port below [`LOW_PORTS`] that are not SYNs.
    pub fn tcp_low_source(&self, port: u16) -> Count {
        self.journal.tcp_low_source.get(port as usize).copied().unwrap_or_default().count()
    }

    /// TCP SYNs (without ACK) from a source port below [`LOW_PORTS`].
    pub fn tcp_low_source_syn(&self, port: u16) -> Count {
        self.journal.tcp_low_source_syn.get(port as usize).copied().unwrap_or_default().count()
    }

    /// ICMP ([`Family::V4`]) or ICMPv6 ([`Family::V6`]) packets of a type and code.
    pub fn icmp(&self, family: Family, icmp_type: u8, code: u8) -> Count {
        let index = (icmp_type as usize) << 8 | code as usize;
        match family {
            Family::V6 => self.types.icmpv6[index].count(),
            _ => self.types.icmp[index].count(),
        }
    }

    /// Packets of an IP protocol.
    pub fn protocol(&self, family: Family, protocol: u8) -> Count {
        let row = if matches!(family, Family::V6) { ROW_V6 } else { 0 };
        self.journal.protocols[row + protocol as usize].count()
    }

    /// Frames of an EtherType that is not followed.
    pub fn ethertype(&self, ethertype: u16) -> Count {
        self.types.ethertypes[ethertype as usize].count()
    }

    /// IEEE 802.3 frames with a length in place of the EtherType.
    pub fn ieee_802_3(&self) -> Count {
        self.journal.protocols[ROW_8023].count()
    }

    /// Frames that reached no protocol (all of them not parsed).
    pub fn without_protocol(&self) -> Count {
        self.journal.protocols[ROW_NONE].count()
    }

    /// Packets with a flag.
    pub fn flag(&self, flag: Flag) -> Count {
        let (group, bit) = (flag as usize / 8, flag as usize % 8);
        let mut sum = Count::default();
        for (combination, cell) in self.journal.flags[group].iter().enumerate() {
            if combination & (1 << bit) != 0 {
                sum += cell.count();
            }
        }
        sum
    }

    /// Packets not parsed for a reason.
    pub fn reason(&self, reason: Reason) -> Count {
        self.journal.reasons[reason.code() as usize].count()
    }

    /// The ledger as words.
    pub fn words(&self) -> &[u64; Ledger::WORDS] {
        // SAFETY: the struct is `repr(C)` and made of `u64` and of `repr(transparent)` wrappers of it; the sizes are equal by construction.
        unsafe { &*core::ptr::from_ref(self).cast() }
    }

    /// The ledger as words.
    pub fn words_mut(&mut self) -> &mut [u64; Ledger::WORDS] {
        // SAFETY: as in `words`; every bit pattern is a valid ledger.
        unsafe { &mut *core::ptr::from_mut(self).cast() }
    }
}
