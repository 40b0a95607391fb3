//! What the agent tells the engine: [`Settings`] before it starts, in the kernel a read-only global; [`Local`] whenever it changes, in the kernel a map.

use crate::frame::Pod;
use crate::{Address, Flags, Ticks};

/// Local addresses or prefixes of one family that the engine can hold.
pub const LOCAL_MAX: usize = 16;

/// One IPv4 prefix of the interface whose broadcast addresses are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Prefix4 {
    /// First address of the prefix, host byte order.
    pub network: u32,
    /// Ones where an address of the prefix may differ from `network`.
    pub host_mask: u32,
}

/// How generously packets are handed out as samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Budget {
    /// Samples a CPU may hand out per second (of [`Settings::second_shift`]).
    pub per_second: u32,
    /// Samples of one source per minute.
    pub per_source: u32,
    /// Samples per second for one class of readable payload.
    pub per_payload: u32,
    /// The first packets of each kind of a source that are news whatever they are, beyond what the source may have in a minute.
    pub first_packets: u32,
    /// Not 0 where what a source has done before is news again in each minute: older samples are forgotten there.
    pub each_minute: u32,
}

impl Budget {
    /// For a live interface.
    pub const LIVE: Budget =
        Budget { per_second: 2000, per_source: 48, per_payload: 64, first_packets: 8, each_minute: 1 };
    /// For a capture, where nothing waits on us.
    pub const CAPTURE: Budget =
        Budget { per_second: 65_536, per_source: 96, per_payload: 512, first_packets: 16, each_minute: 0 };
}

/// What is ours. Plain words only, so that the agent can write them over those of the BPF program's map. A packet that comes while they change may
/// be held against some of the old ones and some of the new.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Local {
    /// `1 << (low 6 bits of an address's last byte)` of every local address: most packets need no further look.
    pub bits: u64,
    /// Not 0 for the first octets of IPv4 addresses in which some range earns a source flag, or that a local address has: all others need no
    /// further look.
    pub notable_octets: [u8; 256],
    /// Local IPv4 addresses in memory order.
    pub v4: [u32; LOCAL_MAX],
    /// Local IPv6 addresses in memory order.
    pub v6: [[u32; 4]; LOCAL_MAX],
    /// Local IPv4 prefixes.
    pub prefixes: [Prefix4; LOCAL_MAX],
    /// Entries in use.
    pub v4_count: u32,
    /// Entries in use.
    pub v6_count: u32,
    /// Entries in use.
    pub prefix_count: u32,
    /// The narrowest host mask of all prefixes: an address that does not end in all zeros or all ones under it is no broadcast address.
    pub narrowest_host_mask: u32,
}

// SAFETY: integers throughout, and the assertion below shows that there is no padding.
unsafe impl Pod for Local {}

const _: () = assert!(size_of::<Local>() == 8 + 256 + 4 * LOCAL_MAX + 16 * LOCAL_MAX + 8 * LOCAL_MAX + 4 * 4);

/// In [`Settings::payload_tcp`], beside the class: whether the ends of the port's connections are sampled as payload is.
pub const PAYLOAD_ENDS: u8 = 0x80;

/// The engine's settings. Plain words only, so that the agent can write them over the BPF program's global.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Settings {
    /// Secret of a live run for the hash of the source table, so that nobody outside can aim at one of its sets. For captures it is that of
    /// [`Settings::DEFAULT`], and the same sources find room each time.
    pub seed: [u64; 2],
    /// What is ours. In the kernel a map holds it, because it changes while the program runs.
    pub local: Local,
    /// `ticks >> second_shift` advances about once a second, `ticks >> (second_shift + 6)` about once a minute.
    pub second_shift: u32,
    /// Non-zero where frames start with the IP header (tun and other devices without a link header).
    pub layer3: u32,
    /// Flags of which any makes a packet news.
    pub rare_flags: u32,
    /// See [`Budget`].
    pub budget: Budget,
    /// Per TCP destination port, as it stands in the frame (network byte order): 0, or the class of payload that the knowledge can read there, with
    /// [`PAYLOAD_ENDS`] where that says so.
    pub payload_tcp: [u8; 65536],
    /// Per UDP port, likewise; looked up for the destination and for the source.
    pub payload_udp: [u8; 65536],
}

// SAFETY: integers throughout, and the assertion below shows that there is no padding.
unsafe impl Pod for Settings {}

const _: () = assert!(size_of::<Settings>() == 16 + size_of::<Local>() + 3 * 4 + 20 + 2 * 65536);

/// First octets of the ranges that [`classify`](crate::classify::classify) knows.
const SPECIAL_OCTETS: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    let octets = [0, 10, 100, 127, 169, 172, 192, 198, 203];
    while i < octets.len() {
        table[octets[i]] = 1;
        i += 1;
    }
    let mut first = 224;
    while first < 256 {
        table[first] = 1;
        first += 1;
    }
    table
};

impl Local {
    /// Nothing is known to be ours.
    pub const NOTHING: Local = Local {
        bits: 0,
        notable_octets: SPECIAL_OCTETS,
        v4: [0; LOCAL_MAX],
        v6: [[0; 4]; LOCAL_MAX],
        prefixes: [Prefix4 { network: 0, host_mask: 0 }; LOCAL_MAX],
        v4_count: 0,
        v6_count: 0,
        prefix_count: 0,
        narrowest_host_mask: 0,
    };

    /// Adds an address that is ours. Returns whether there was room for it.
    pub fn add_address(&mut self, address: Address) -> bool {
        if address.is_v4() {
            let count = self.v4_count as usize;
            let Some(slot) = self.v4.get_mut(count) else { return false };
            *slot = address.low_word();
            self.v4_count += 1;
            self.notable_octets[address.low_word().to_ne_bytes()[0] as usize] = 1;
        } else {
            let count = self.v6_count as usize;
            let Some(slot) = self.v6.get_mut(count) else { return false };
            *slot = address.words();
            self.v6_count += 1;
        }
        self.bits |= local_bit(address.low_word());
        true
    }

    /// Adds an IPv4 prefix (network in host byte order) whose broadcast addresses become known. Prefixes of 31 and 32 bits have none
    /// (RFC 3021) and are ignored. Returns whether there was room for it.
    pub fn add_prefix(&mut self, network: u32, bits: u32) -> bool {
        if bits > 30 {
            return true;
        }
        let host_mask = u32::MAX >> bits;
        let count = self.prefix_count as usize;
        let Some(slot) = self.prefixes.get_mut(count) else { return false };
        *slot = Prefix4 { network: network & !host_mask, host_mask };
        self.prefix_count += 1;
        self.narrowest_host_mask =
            if count == 0 { host_mask } else { core::cmp::min(self.narrowest_host_mask, host_mask) };
        true
    }
}

impl Settings {
    /// Nothing is known to be ours, captures' budget, ticks of one millisecond.
    pub const DEFAULT: Settings = Settings {
        seed: [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03],
        local: Local::NOTHING,
        second_shift: 10,
        layer3: 0,
        rare_flags: crate::sample::RARE.bits(),
        budget: Budget::CAPTURE,
        payload_tcp: [0; 65536],
        payload_udp: [0; 65536],
    };

    /// Which second a tick lies in, about.
    #[inline(always)]
    pub const fn second(&self, now: Ticks) -> u32 {
        now >> (self.second_shift & 31)
    }

    /// The flags that make a packet news.
    #[inline(always)]
    pub const fn rare_flags(&self) -> Flags {
        Flags::from_bits(self.rare_flags)
    }
}

/// The bit of [`Local::bits`] for an address whose last four bytes in memory order are `low_word`.
#[inline(always)]
pub const fn local_bit(low_word: u32) -> u64 {
    1 << (low_word.to_ne_bytes()[3] & 63)
}
