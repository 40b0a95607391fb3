//! Why a packet could not be parsed to its end.

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why parsing stopped early. Such packets are counted, by reason, and passed like all others.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            /// Every reason, in the order of the discriminants.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)*];

            /// The name used in reports.
            pub const fn name(self) -> &'static str {
                match self { $(Reason::$variant => $name,)* }
            }
        }
    };
}

reasons! {
    /// Fewer than the 14 bytes of an Ethernet header (on other links: fewer than the link's header).
    LinkTruncated = "link-truncated",
    /// A link-layer header that names no network protocol (an unknown address family on a loopback capture).
    LinkUnknown = "link-unknown",
    /// The frame ends inside a VLAN tag.
    VlanTruncated = "vlan-truncated",
    /// A third VLAN tag.
    VlanDepth = "vlan-depth",
    /// An IP version other than the EtherType (or, without one, the format) allows.
    IpVersion = "ip-version",
    /// The frame ends inside the IPv4 header.
    Ipv4Truncated = "ipv4-truncated",
    /// An IPv4 header length below 20 bytes.
    Ipv4HeaderLength = "ipv4-header-length",
    /// The frame ends inside the fixed IPv6 header.
    Ipv6Truncated = "ipv6-truncated",
    /// An IPv6 extension header is named but not all there.
    Ipv6ExtensionTruncated = "ipv6-extension-truncated",
    /// More than eight IPv6 extension headers.
    Ipv6ExtensionDepth = "ipv6-extension-depth",
    /// The packet ends before the part of its TCP, UDP or ICMP header that counting needs.
    L4Truncated = "l4-truncated",
}

impl Reason {
    /// A number for this reason, above 0.
    #[inline(always)]
    pub const fn code(self) -> u32 {
        self as u32 + 1
    }

    /// The reason with this code; `None` for 0 and for codes of no reason.
    #[inline(always)]
    pub const fn from_code(code: u8) -> Option<Reason> {
        if code == 0 || code as usize > Reason::ALL.len() { None } else { Some(Reason::ALL[code as usize - 1]) }
    }
}
