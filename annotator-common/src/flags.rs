//! The flags that a packet can earn, each with the name that reports use.

macro_rules! flags {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// One property of a packet. The discriminant is its bit in [`Flags`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Flag { $($(#[$doc])* $variant,)* }

        impl Flag {
            /// Every flag, in the order of its bits.
            pub const ALL: &'static [Flag] = &[$(Flag::$variant,)*];

            /// The name used in reports and in the knowledge files.
            pub const fn name(self) -> &'static str {
                match self { $(Flag::$variant => $name,)* }
            }
        }
    };
}

flags! {
    /// Destination MAC address all ones.
    EthernetBroadcast = "ethernet-broadcast",
    /// Destination MAC address with the group bit, but not all ones.
    EthernetMulticast = "ethernet-multicast",
    /// At least one tag of EtherType 0x8100, 0x88a8 or 0x9100.
    Vlan = "vlan",
    /// IPv4 destination 255.255.255.255 (RFC 919).
    LimitedBroadcast = "limited-broadcast",
    /// IPv4 destination that is, or ends like, the broadcast or all-zeros address of a subnet (RFC 919, RFC 2644).
    DirectedBroadcast = "directed-broadcast",
    /// Destination in 224/4 or ff00::/8.
    Multicast = "multicast",
    /// Source in 10/8, 172.16/12, 192.168/16 (RFC 1918) or fc00::/7 (RFC 4193).
    PrivateSource = "private-source",
    /// Source in 100.64/10 (RFC 6598).
    SharedSource = "shared-source",
    /// Source in 127/8, or ::1.
    LoopbackSource = "loopback-source",
    /// Source in 169.254/16 (RFC 3927) or fe80::/10.
    LinkLocalSource = "link-local-source",
    /// Source 0.0.0.0 or ::.
    ZeroSource = "zero-source",
    /// Source in a range kept for examples (RFC 5737, RFC 3849, RFC 9637).
    DocumentationSource = "documentation-source",
    /// Source that no host can have: 0/8 except 0.0.0.0, 224/4, 240/4, ff00::/8.
    ReservedSource = "reserved-source",
    /// Source that is an address of the interface itself.
    SelfSource = "self-source",
    /// IPv4 option 131 (LSRR) or 137 (SSRR), RFC 791.
    SourceRoute = "source-route",
    /// IPv4 option 7, RFC 791.
    RecordRoute = "record-route",
    /// IPv4 header longer than 20 bytes.
    IpOptions = "ip-options",
    /// TCP or UDP source port below 1024.
    LowSourcePort = "low-source-port",
    /// TTL or hop limit of 5 or less.
    LowTtl = "low-ttl",
    /// A fragment: more fragments follow, or the offset is not 0.
    Fragment = "fragment",
    /// A fragment with offset 0.
    FirstFragment = "first-fragment",
    /// A first fragment that ends inside its transport header, or a fragment at offset 1 (RFC 1858).
    TinyFragment = "tiny-fragment",
    /// Any IPv6 extension header.
    Ipv6Extension = "ipv6-extension",
    /// IPv6 routing header of type 0 (deprecated by RFC 5095).
    RoutingHeader0 = "routing-header-0",
    /// TCP with both SYN and FIN.
    SynFin = "syn-fin",
    /// TCP with none of FIN, SYN, RST, PSH, ACK, URG.
    NullScan = "null-scan",
    /// TCP with FIN, PSH and URG and none of SYN, RST, ACK.
    XmasScan = "xmas-scan",
    /// TCP SYN without ACK that carries data.
    SynWithPayload = "syn-with-payload",
    /// IPv4 total length (IPv6: payload length) shorter than the header or longer than the frame.
    BadLength = "bad-length",
    /// Source address equal to the destination address.
    Land = "land",
}

/// The condition, which seldom holds: most packets have no flag, and the compiler keeps their way straight.
#[inline(always)]
pub(crate) const fn rarely(condition: bool) -> bool {
    if condition {
        core::hint::cold_path();
    }
    condition
}

/// A set of [`Flag`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Flags(u32);

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);

    /// A set from its bits, of which those without a flag are kept as they are.
    #[inline(always)]
    pub const fn from_bits(bits: u32) -> Self {
        Flags(bits)
    }

    /// The bits, flag `f` at `1 << f as u32`.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Adds a flag.
    #[inline(always)]
    pub const fn insert(&mut self, flag: Flag) {
        self.0 |= 1 << flag as u32;
    }

    /// Adds a flag where `condition` holds.
    #[inline(always)]
    pub const fn insert_if(&mut self, flag: Flag, condition: bool) {
        if rarely(condition) {
            self.insert(flag);
        }
    }

    /// Adds every flag of another set.
    #[inline(always)]
    pub const fn union(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether the flag is in the set.
    #[inline(always)]
    pub const fn contains(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u32) != 0
    }

    /// Whether any flag of `other` is in the set.
    #[inline(always)]
    pub const fn intersects(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set is empty.
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// A set of the given flags.
    pub const fn of(flags: &[Flag]) -> Flags {
        let mut set = Flags::NONE;
        let mut i = 0;
        while i < flags.len() {
            set.insert(flags[i]);
            i += 1;
        }
        set
    }

    /// The flags of the set, in the order of their bits.
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::ALL.iter().copied().filter(move |flag| self.contains(*flag))
    }
}
