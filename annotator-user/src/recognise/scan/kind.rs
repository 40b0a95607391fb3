//! The kind of a probe: which packet is sent to learn whether a port is open.

use std::collections::HashSet;

use annotator_common::Transport;
use annotator_common::packet::tcp::{ACK, FIN, PSH, RST, SYN, URG};

use crate::observation::Sighting;
use crate::recognise::FIRST_CLIENT_PORT;
use crate::recognise::scene::{Half, Scene, is_to_many};

/// TCP option kinds (IANA): what systems send and raw senders leave out.
const WINDOW_SCALE: u8 = 3;
const TIMESTAMPS: u8 = 8;

/// Kind of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SYN, be it made by hand or by the system's `connect`.
    Syn,
    /// FIN alone.
    Fin,
    /// No flag at all.
    Null,
    /// FIN, PSH and URG.
    Xmas,
    /// FIN and ACK out of any connection.
    Maimon,
    /// ACK out of any connection.
    Ack,
    /// A UDP datagram.
    Udp,
}

impl Kind {
    /// Id of the knowledge entry of the kind.
    pub const fn id(self) -> &'static str {
        match self {
            Kind::Syn => "scan.syn",
            Kind::Fin => "scan.fin",
            Kind::Null => "scan.null",
            Kind::Xmas => "scan.xmas",
            Kind::Maimon => "scan.maimon",
            Kind::Ack => "scan.ack",
            Kind::Udp => "scan.udp",
        }
    }

    /// What a sighting is a probe of, if it may be one. SYNs are where they are among the attempts of their source.
    pub fn of(scene: &Scene<'_>, index: usize, attempts: &HashSet<usize>) -> Option<Kind> {
        let sighting = scene.sighting(index);
        if !scene.is_inbound(sighting) || is_to_many(sighting) {
            return None;
        }
        let half = Half::of(sighting)?;
        let packet = &sighting.packet;
        if packet.transport == Transport::Udp {
            let asked = scene.carried(&half.reverse()).any();
            return (!asked && !is_server_to_client(scene, half)).then_some(Kind::Udp);
        }
        let kind = match packet.tcp_flags & (FIN | SYN | RST | PSH | ACK | URG) {
            flags if flags & SYN != 0 => return attempts.contains(&index).then_some(Kind::Syn),
            0 => return Some(Kind::Null),
            flags if flags == FIN | PSH | URG => return Some(Kind::Xmas),
            FIN => Kind::Fin,
            flags if flags == FIN | ACK => Kind::Maimon,
            ACK if sighting.payload_length() == 0 => Kind::Ack,
            _ => return None,
        };
        is_out_of_connection(scene, half, kind).then_some(kind)
    }
}

/// Whether the packet belongs to no connection that was seen, and does not go from a server's port to a client's.
fn is_out_of_connection(scene: &Scene<'_>, half: Half, kind: Kind) -> bool {
    let (there, back) = (scene.carried(&half), scene.carried(&half.reverse()));
    let plain = kind == Kind::Fin;
    let to_service = scene.thresholds.contact.is_service(half.destination_port);
    !there.syn
        && !there.syn_ack
        && !back.syn
        && !back.syn_ack
        && !back.running
        && (plain || to_service || !is_server_to_client(scene, half) || scene.only_ends(half.source))
}

/// Whether ports are those of a server that sends to its client.
fn is_server_to_client(scene: &Scene<'_>, half: Half) -> bool {
    scene.thresholds.contact.is_service(half.source_port) && half.destination_port >= FIRST_CLIENT_PORT
}

/// Whether a SYN was made by an operating system's `connect`: those carry window scaling or timestamps.
pub fn is_by_system(sighting: &Sighting) -> bool {
    let mut options = sighting.tcp_options();
    loop {
        match options {
            [WINDOW_SCALE | TIMESTAMPS, ..] => return true,
            [1, rest @ ..] => options = rest,
            [0, ..] | [] | [_] => return false,
            [_, length, ..] => match options.get(usize::from(*length).max(2)..) {
                Some(rest) => options = rest,
                None => return false,
            },
        }
    }
}
