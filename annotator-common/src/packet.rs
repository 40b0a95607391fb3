//! What parsing learns of a frame.

use crate::parse::Stop;
use crate::{Address, Flags, Reason};

/// How a frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// An Ethernet II or 802.3 header.
    Ethernet,
    /// No link header: an IPv4 or IPv6 packet from the first byte (tun devices, raw captures).
    RawIp,
    /// Some other link header, already decoded: the network header starts at `offset` and is of this EtherType (values below 0x600
    /// mean an 802.3 length).
    Decoded {
        /// Bytes before the network header.
        offset: u32,
        /// EtherType of what follows.
        ethertype: u16,
    },
    /// A link header that names no network protocol we know: not parsed.
    Unknown,
}

/// Which internet protocol carries the packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    /// Not IP: only the EtherType is known.
    #[default]
    None = 0,
    /// IPv4.
    V4 = 4,
    /// IPv6.
    V6 = 6,
}

impl Family {
    /// From the discriminant.
    #[inline(always)]
    pub const fn from_number(number: u32) -> Self {
        match number {
            4 => Family::V4,
            6 => Family::V6,
            _ => Family::None,
        }
    }
}

/// The transport header that was found and is long enough to be counted by its ports or its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Transport {
    /// None: another protocol, a later fragment, or a header that was cut.
    #[default]
    None,
    /// TCP, at least 14 bytes of it.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP in IPv4.
    Icmp,
    /// ICMPv6 in IPv6.
    Icmpv6,
}

impl Transport {
    /// From the discriminant.
    #[inline(always)]
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Transport::Tcp,
            2 => Transport::Udp,
            3 => Transport::Icmp,
            4 => Transport::Icmpv6,
            _ => Transport::None,
        }
    }
}

/// TCP flag bits as they stand in byte 13 of the header (RFC 9293 §3.1).
pub mod tcp {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
}

/// Ports that mean the same everywhere.
pub mod port {
    /// Domain names (RFC 1035).
    pub const DNS: u16 = 53;
    /// First port that is not a service's by custom: clients take theirs from here up.
    pub const FIRST_CLIENT_PORT: u16 = 1024;
}

/// IP protocol numbers that the engine looks into (IANA).
pub mod protocol {
    /// ICMP (RFC 792).
    pub const ICMP: u8 = 1;
    /// TCP (RFC 9293).
    pub const TCP: u8 = 6;
    /// UDP (RFC 768).
    pub const UDP: u8 = 17;
    /// ICMPv6 (RFC 4443).
    pub const ICMPV6: u8 = 58;
}

/// A frame, parsed. Offsets are bytes from the start of the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// Flags learnt from the headers so far; [`crate::classify::classify`] adds those of the addresses.
    pub flags: Flags,
    /// Why parsing stopped, as [`Reason::code`], or 0.
    pub(crate) reason_code: u8,
    /// EtherType behind the VLAN tags; below 0x600 an 802.3 length. 0 where none was reached.
    pub ethertype: u16,
    /// Which IP, once its header was whole.
    pub family: Family,
    /// IPv4 protocol, or the IPv6 next header behind the extension headers. Meaningful where `has_protocol` holds.
    pub protocol: u8,
    /// Whether `protocol` was reached.
    pub has_protocol: bool,
    /// TTL or hop limit.
    pub ttl: u8,
    /// IPv4 identification, host byte order.
    pub identification: u16,
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// Where the IP header starts.
    pub network: u32,
    /// Where the transport header starts.
    pub transport_at: u32,
    /// Where the packet ends: the frame's end or, if nearer, what the IP length says.
    pub end: u32,
    /// Which transport header was read.
    pub transport: Transport,
    /// TCP or UDP source port.
    pub source_port: u16,
    /// TCP or UDP destination port.
    pub destination_port: u16,
    /// The source port as it stands in the frame, which is all that counting needs: tables are indexed by it.
    pub(crate) wire_source_port: u16,
    /// Likewise the destination port.
    pub(crate) wire_destination_port: u16,
    /// ICMP or ICMPv6 type.
    pub icmp_type: u8,
    /// ICMP or ICMPv6 code.
    pub icmp_code: u8,
    /// TCP flag bits, see [`tcp`].
    pub tcp_flags: u8,
    /// TCP header length in bytes as the data offset says, at least 20.
    pub tcp_header: u8,
}

impl Packet {
    /// A packet that was not parsed as far as its network protocol.
    #[inline(always)]
    pub(crate) fn stopped(flags: Flags, stop: Stop) -> Self {
        Packet { flags, reason_code: stop.0, ..Packet::default() }
    }

    /// Why parsing stopped, if it did.
    #[inline(always)]
    pub const fn reason(&self) -> Option<Reason> {
        Reason::from_code(self.reason_code)
    }

    /// Whether this is a TCP SYN without ACK.
    #[inline(always)]
    pub const fn is_syn(&self) -> bool {
        self.tcp_flags & (tcp::SYN | tcp::ACK) == tcp::SYN
    }

    /// Whether this is a TCP FIN as it ends a connection: with ACK, and without what begins or resets one.
    #[inline(always)]
    pub const fn is_fin(&self) -> bool {
        self.tcp_flags & (tcp::SYN | tcp::RST | tcp::FIN | tcp::ACK) == tcp::FIN | tcp::ACK
    }

    /// Bytes behind the TCP header, up to the packet's end.
    #[inline(always)]
    pub const fn tcp_payload_len(&self) -> u32 {
        self.end.saturating_sub(self.transport_at + self.tcp_header as u32)
    }

    /// Where the payload of a TCP or UDP packet starts; for ICMP, what follows the 8 bytes of its header.
    pub const fn payload_at(&self) -> u32 {
        self.transport_at
            + match self.transport {
                Transport::Tcp => self.tcp_header as u32,
                Transport::Udp | Transport::Icmp | Transport::Icmpv6 => 8,
                Transport::None => 0,
            }
    }
}
