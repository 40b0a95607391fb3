//! What the first bytes of a packet say.
//!
//! A decoder is a total function of bytes: whatever arrives, it answers with the [`Shape`]s that it recognised, or with none. It sees the beginning
//! of a packet only (samples are cut), so a field that lies beyond is unknown, not wrong. What a decoder reads is shown to people and
//! comes from strangers: every text is escaped where the shape is made.

mod cursor;
mod datagram;
pub mod dns;
pub mod embedded;
mod netbios;
pub mod route;
mod rpc;
mod shape;
mod text;

use annotator_common::Transport;
use annotator_common::settings::PAYLOAD_ENDS;

use crate::knowledge::schema::PayloadPorts;
use crate::observation::Sighting;

pub use datagram::woken;
pub use shape::{Shape, attributes_of, printable};
pub use text::{sip_branch, sip_origin};

/// The bytes that a decoder is given.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// What follows the TCP or UDP header, as far as it was sampled.
    pub bytes: &'a [u8],
    /// How many bytes the packet had there.
    pub length: u32,
    /// Whether the packet is TCP.
    pub tcp: bool,
    /// Whether it is a TCP SYN.
    pub syn: bool,
    /// Whether it is one with the cookie of TCP Fast Open: its sender has had a connection before, and may send data with it.
    pub fast_open: bool,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
}

/// How a protocol is read.
struct Decoder {
    /// The name that `payload-ports.toml` uses.
    protocol: &'static str,
    /// Whether its payload is so distinct that it is recognised on every port.
    anywhere: bool,
    read: fn(&Payload<'_>, &mut Vec<Shape>),
}

const DECODERS: &[Decoder] = &[
    Decoder { protocol: "dns", anywhere: false, read: dns::read },
    Decoder { protocol: "http", anywhere: true, read: text::http },
    Decoder { protocol: "smtp", anywhere: false, read: text::smtp },
    Decoder { protocol: "sip", anywhere: true, read: text::sip },
    Decoder { protocol: "ssdp", anywhere: true, read: text::ssdp },
    Decoder { protocol: "ssh", anywhere: true, read: text::ssh },
    Decoder { protocol: "powwow", anywhere: true, read: text::powwow },
    Decoder { protocol: "iiop", anywhere: true, read: text::iiop },
    Decoder { protocol: "rpc", anywhere: true, read: rpc::read },
    Decoder { protocol: "netbios", anywhere: false, read: netbios::read },
    Decoder { protocol: "slammer", anywhere: false, read: datagram::slammer },
    Decoder { protocol: "snmp", anywhere: false, read: datagram::snmp },
    Decoder { protocol: "tftp", anywhere: false, read: datagram::tftp },
    Decoder { protocol: "ntp", anywhere: false, read: datagram::ntp },
    Decoder { protocol: "memcached", anywhere: false, read: datagram::memcached },
    Decoder { protocol: "wake-on-lan", anywhere: true, read: datagram::wake_on_lan },
    Decoder { protocol: "cldap", anywhere: false, read: datagram::cldap },
    Decoder { protocol: "tls", anywhere: true, read: datagram::tls },
    Decoder { protocol: "quic", anywhere: false, read: datagram::quic },
];

/// Whether a decoder of this name exists.
pub fn is_protocol(name: &str) -> bool {
    DECODERS.iter().any(|decoder| decoder.protocol == name)
}

/// Reads payloads with the decoders that a port calls for.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    ports: Vec<PayloadPorts>,
}

impl Reader {
    /// A reader that knows which protocol lives on which port.
    pub fn new(ports: Vec<PayloadPorts>) -> Self {
        Reader { ports }
    }

    /// What the payload of a packet is.
    pub fn read(&self, sighting: &Sighting) -> Vec<Shape> {
        let mut shapes = Vec::new();
        let packet = &sighting.packet;
        let tcp = match packet.transport {
            Transport::Tcp => true,
            Transport::Udp => false,
            _ => return shapes,
        };
        let payload = Payload {
            bytes: sighting.payload(),
            length: sighting.payload_length(),
            tcp,
            syn: tcp && packet.is_syn(),
            fast_open: tcp && has_cookie(sighting),
            source_port: packet.source_port,
            destination_port: packet.destination_port,
        };
        if payload.length == 0 {
            return shapes;
        }
        for decoder in DECODERS {
            if decoder.anywhere || self.is_expected(decoder.protocol, &payload) {
                (decoder.read)(&payload, &mut shapes);
            }
        }
        shapes
    }

    fn is_expected(&self, protocol: &str, payload: &Payload<'_>) -> bool {
        self.ports.iter().filter(|ports| ports.protocol == protocol).any(|ports| {
            let set = if payload.tcp { &ports.tcp } else { &ports.udp };
            set.as_ref().is_some_and(|set| set.contains(payload.destination_port) || set.contains(payload.source_port))
        })
    }

    /// For each TCP destination port and each UDP port, 0 or the class of payload that can be read there. A class is a protocol, so that each has
    /// its own budget of samples.
    pub fn classes(&self) -> PortClasses {
        let mut classes = PortClasses { tcp: [0; 65536], udp: [0; 65536] };
        for ports in &self.ports {
            let place = DECODERS.iter().position(|decoder| decoder.protocol == ports.protocol);
            let Some(class) = place.and_then(|place| u8::try_from(place + 1).ok()) else { continue };
            let of_tcp = if ports.ends { class | PAYLOAD_ENDS } else { class };
            for (set, table, class) in [(&ports.tcp, &mut classes.tcp, of_tcp), (&ports.udp, &mut classes.udp, class)] {
                for port in set.iter().flat_map(|set| set.iter()) {
                    table[usize::from(port.to_be())] = class;
                }
            }
        }
        classes
    }
}

/// Whether a packet shows a cookie of TCP Fast Open (RFC 7413 §4.1.1). An empty option asks for one.
fn has_cookie(sighting: &Sighting) -> bool {
    const FAST_OPEN: u8 = 34;
    let is_cookie = |contents: &[u8]| (4..=16).contains(&contents.len());
    sighting.tcp_option_list().any(|(kind, contents)| kind == FAST_OPEN && contents.is_some_and(is_cookie))
}

/// The class of readable payload of every port: what the engine's settings take.
pub struct PortClasses {
    /// By TCP destination port in network byte order.
    pub tcp: [u8; 65536],
    /// By UDP port, likewise.
    pub udp: [u8; 65536],
}
