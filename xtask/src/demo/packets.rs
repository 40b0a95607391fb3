//! The demo's packets.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};
use etherparse::{
    Icmpv4Type, IpFragOffset, IpHeaders, IpNumber, Ipv4Header, Ipv4Options, PacketBuilder, PacketBuilderStep,
    TcpOptionElement,
};

use super::stage::{OUR_CARD, THEIR_CARD};

const EVERYBODY: [u8; 6] = [0xff; 6];

/// An IPv4 header to be.
pub struct Packet {
    from: Ipv4Addr,
    to: Ipv4Addr,
    ttl: u8,
    options: Vec<u8>,
}

/// A packet from `from` to `to`, which has come some way.
pub fn packet(from: Ipv4Addr, to: Ipv4Addr) -> Packet {
    Packet { from, to, ttl: 52, options: Vec::new() }
}

impl Packet {
    /// With what is left of its time to live.
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// With IP options.
    pub fn options(mut self, options: &[u8]) -> Self {
        self.options = options.to_vec();
        self
    }

    fn builder(&self) -> Result<PacketBuilderStep<IpHeaders>> {
        let header = Ipv4Header {
            source: self.from.octets(),
            destination: self.to.octets(),
            time_to_live: self.ttl,
            options: Ipv4Options::try_from(&self.options[..]).context("IP options")?,
            dont_fragment: true,
            fragment_offset: IpFragOffset::ZERO,
            // The builder sets what comes next, and all lengths and checksums.
            protocol: IpNumber::UDP,
            ..Ipv4Header::default()
        };
        let last = self.to.octets()[3];
        let card = if last == 255 { EVERYBODY } else { OUR_CARD };
        Ok(PacketBuilder::ethernet2(THEIR_CARD, card).ip(IpHeaders::Ipv4(header, Default::default())))
    }

    /// A UDP datagram.
    pub fn udp(&self, from: u16, to: u16, payload: &[u8]) -> Result<Vec<u8>> {
        let mut frame = Vec::new();
        self.builder()?.udp(from, to).write(&mut frame, payload)?;
        Ok(frame)
    }

    /// A SYN as an operating system sends it.
    pub fn syn(&self, from: u16, to: u16, sequence: u32) -> Result<Vec<u8>> {
        use TcpOptionElement::{MaximumSegmentSize, Noop, SelectiveAcknowledgementPermitted, Timestamp, WindowScale};
        let options =
            [MaximumSegmentSize(1460), SelectiveAcknowledgementPermitted, Timestamp(sequence, 0), Noop, WindowScale(7)];
        let mut frame = Vec::new();
        let step = self.builder()?.tcp(from, to, sequence, 64_240).syn();
        step.options(&options)?.write(&mut frame, &[])?;
        Ok(frame)
    }

    /// A SYN as a scanner sends it, with one option at most.
    pub fn bare_syn(&self, from: u16, to: u16, sequence: u32, window: u16, segment: Option<u16>) -> Result<Vec<u8>> {
        let options: Vec<_> = segment.map(TcpOptionElement::MaximumSegmentSize).into_iter().collect();
        let mut frame = Vec::new();
        self.builder()?.tcp(from, to, sequence, window).syn().options(&options)?.write(&mut frame, &[])?;
        Ok(frame)
    }

    /// A ping.
    pub fn echo_request(&self, number: u16) -> Result<Vec<u8>> {
        let mut frame = Vec::new();
        self.builder()?.icmpv4_echo_request(0x1234, number).write(&mut frame, b"abcdefghijklmnopqrstuvwabcdefghi")?;
        Ok(frame)
    }

    /// An ICMP error about a packet, of which an IP header and eight bytes come back.
    pub fn icmp_error(&self, kind: Icmpv4Type, about: &[u8]) -> Result<Vec<u8>> {
        /// The Ethernet header is not part of it.
        const ETHERNET: usize = 14;
        let quoted = about.get(ETHERNET..ETHERNET + 28).context("the quoted packet is too short")?;
        let mut frame = Vec::new();
        self.builder()?.icmpv4(kind).write(&mut frame, quoted)?;
        Ok(frame)
    }
}

/// A NetBIOS question: for the addresses of a name, or (for `*`) for the names of a machine.
pub fn netbios(name: &str, broadcast: bool) -> Vec<u8> {
    const ADDRESSES: u8 = 0x20;
    const STATUS: u8 = 0x21;
    let (fill, kind) = if name == "*" { (0, STATUS) } else { (b' ', ADDRESSES) };
    let flags = if broadcast { [0x01, 0x10] } else { [0, 0] };
    let mut bytes = vec![0x13, 0x37, flags[0], flags[1], 0, 1, 0, 0, 0, 0, 0, 0, 32];
    // Sixteen bytes, each as two letters (RFC 1001).
    for index in 0..16 {
        let byte = name.as_bytes().get(index).copied().unwrap_or(if index == 15 { 0 } else { fill });
        bytes.extend([b'A' + (byte >> 4), b'A' + (byte & 15)]);
    }
    bytes.extend([0, 0, kind, 0, 1]);
    bytes
}

/// A machine asks for an address (DHCPDISCOVER).
pub fn dhcp_discover() -> Vec<u8> {
    let mut bytes = vec![1, 1, 6, 0, 0x39, 0x03, 0xf3, 0x26];
    bytes.resize(28, 0);
    bytes.extend([0x02, 0, 0, 0, 0, 0x77]);
    bytes.resize(236, 0);
    bytes.extend([99, 130, 83, 99, 53, 1, 1, 55, 3, 1, 3, 6, 255]);
    bytes.resize(300, 0);
    bytes
}

/// A question for the address of `example.org`.
pub fn dns_query() -> Vec<u8> {
    let mut bytes = vec![0x2b, 0x1d, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    bytes.extend(b"\x07example\x03org\x00\x00\x01\x00\x01");
    bytes
}

/// Its answer.
pub fn dns_answer(query: &[u8]) -> Vec<u8> {
    let mut bytes = query.to_vec();
    bytes[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1]);
    // The name of the question, an address, for an hour.
    bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 198, 19, 80, 80]);
    bytes
}
