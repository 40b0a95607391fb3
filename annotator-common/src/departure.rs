//! Whom this host contacts, by the packets that leave it: what the egress program tells the agent.

use crate::packet::port::FIRST_CLIENT_PORT;
use crate::packet::{protocol, tcp};
use crate::{Address, Packet, Transport};

/// ICMP echo request (RFC 792).
const ECHO_REQUEST: u8 = 8;
/// ICMPv6 echo request (RFC 4443).
const ECHO_REQUEST_V6: u8 = 128;

/// Somebody whom an address of this host contacts, and at which service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Peer {
    /// Who contacts.
    pub local: Address,
    /// Who is contacted.
    pub remote: Address,
    /// At which port; 0 for protocols without ports.
    pub port: u16,
    /// By which IP protocol.
    pub protocol: u8,
    /// Zeros: the kernel compares keys of maps byte by byte.
    padding: [u8; 5],
}

/// A contact, with its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Departure {
    /// Who contacts whom.
    pub peer: Peer,
    /// When, by the kernel's monotonic clock.
    pub nanoseconds: u64,
}

const _: () = assert!(size_of::<Peer>() == 40);
const _: () = assert!(size_of::<Departure>() == 48);

impl Peer {
    /// Whom a packet that leaves this host contacts: by the SYN that opens a connection, by a datagram, by a ping. `None` for what goes on
    /// or answers; that a datagram answers shows in that it goes from a service's port to a client's.
    #[inline(always)]
    pub fn of(packet: &Packet) -> Option<Peer> {
        let (protocol, port) = match packet.transport {
            Transport::Tcp if packet.is_syn() && packet.tcp_flags & tcp::RST == 0 => {
                (protocol::TCP, packet.destination_port)
            }
            Transport::Udp
                if packet.source_port >= FIRST_CLIENT_PORT || packet.destination_port < FIRST_CLIENT_PORT =>
            {
                (protocol::UDP, packet.destination_port)
            }
            Transport::Icmp if packet.icmp_type == ECHO_REQUEST => (protocol::ICMP, 0),
            Transport::Icmpv6 if packet.icmp_type == ECHO_REQUEST_V6 => (protocol::ICMPV6, 0),
            _ => return None,
        };
        Some(Peer { local: packet.source, remote: packet.destination, port, protocol, padding: [0; 5] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(transport: Transport, source_port: u16, destination_port: u16) -> Packet {
        Packet { transport, source_port, destination_port, ..Packet::default() }
    }

    fn port(packet: &Packet) -> Option<u16> {
        Peer::of(packet).map(|peer| peer.port)
    }

    #[test]
    fn a_syn_contacts_and_what_follows_does_not() {
        let tcp = |tcp_flags| Packet { tcp_flags, ..packet(Transport::Tcp, 40_000, 21) };
        assert_eq!(port(&tcp(tcp::SYN)), Some(21));
        for flags in [tcp::SYN | tcp::ACK, tcp::ACK, tcp::RST, tcp::SYN | tcp::RST, tcp::FIN | tcp::ACK, 0] {
            assert_eq!(port(&tcp(flags)), None, "{flags:#x}");
        }
    }

    #[test]
    fn a_datagram_contacts_unless_it_answers() {
        assert_eq!(port(&packet(Transport::Udp, 40_000, 53)), Some(53));
        assert_eq!(port(&packet(Transport::Udp, 40_000, 51_820)), Some(51_820));
        assert_eq!(port(&packet(Transport::Udp, 123, 123)), Some(123));
        assert_eq!(port(&packet(Transport::Udp, 53, 40_000)), None);
    }

    #[test]
    fn a_ping_contacts_and_its_answer_does_not() {
        let icmp = |transport, icmp_type| Packet { icmp_type, ..packet(transport, 0, 0) };
        assert_eq!(Peer::of(&icmp(Transport::Icmp, 8)).map(|peer| peer.protocol), Some(protocol::ICMP));
        assert_eq!(Peer::of(&icmp(Transport::Icmpv6, 128)).map(|peer| peer.protocol), Some(protocol::ICMPV6));
        assert_eq!(port(&icmp(Transport::Icmp, 0)), None);
        assert_eq!(port(&icmp(Transport::Icmpv6, 8)), None);
        assert_eq!(port(&packet(Transport::None, 0, 0)), None);
    }
}
