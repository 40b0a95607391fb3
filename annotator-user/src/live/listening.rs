//! Which ports of this host somebody listens on.

use std::collections::BTreeSet;

use procfs::net::{TcpState, tcp, tcp6, udp, udp6};

use crate::counters::PortProto;

/// TCP ports in LISTEN and UDP ports that are bound without a peer, of this network namespace; `None` where the kernel does not say.
pub fn ports() -> Option<BTreeSet<(PortProto, u16)>> {
    let mut ports = BTreeSet::new();
    // A kernel without IPv6 has no tables for it.
    for entry in tcp().ok()?.into_iter().chain(tcp6().unwrap_or_default()) {
        if entry.state == TcpState::Listen {
            ports.insert((PortProto::Tcp, entry.local_address.port()));
        }
    }
    for entry in udp().ok()?.into_iter().chain(udp6().unwrap_or_default()) {
        if entry.remote_address.port() == 0 {
            ports.insert((PortProto::Udp, entry.local_address.port()));
        }
    }
    Some(ports)
}
