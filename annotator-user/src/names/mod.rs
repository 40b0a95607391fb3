//! Names for numbers: protocols, EtherTypes, ICMP types and codes, services.

use std::borrow::Cow;

use annotator_common::Family;

use crate::counters::{IcmpKey, Protocol};

mod services;

pub use services::{port, registered, service, service_ports};

/// Keywords of the IANA protocol numbers, in lower case; empty where there is none.
#[rustfmt::skip]
const PROTOCOLS: [&str; 146] = [
    "hopopt", "icmp", "igmp", "ggp", "ipv4", "st", "tcp", "cbt", "egp", "igp",
    "bbn-rcc-mon", "nvp-ii", "pup", "argus", "emcon", "xnet", "chaos", "udp", "mux", "dcn-meas",
    "hmp", "prm", "xns-idp", "trunk-1", "trunk-2", "leaf-1", "leaf-2", "rdp", "irtp", "iso-tp4",
    "netblt", "mfe-nsp", "merit-inp", "dccp", "3pc", "idpr", "xtp", "ddp", "idpr-cmtp", "tp++",
    "il", "ipv6", "sdrp", "ipv6-route", "ipv6-frag", "idrp", "rsvp", "gre", "dsr", "bna",
    "esp", "ah", "i-nlsp", "swipe", "narp", "min-ipv4", "tlsp", "skip", "icmpv6", "ipv6-nonxt",
    "ipv6-opts", "", "cftp", "", "sat-expak", "kryptolan", "rvd", "ippc", "", "sat-mon",
    "visa", "ipcv", "cpnx", "cphb", "wsn", "pvp", "br-sat-mon", "sun-nd", "wb-mon", "wb-expak",
    "iso-ip", "vmtp", "secure-vmtp", "vines", "iptm", "nsfnet-igp", "dgp", "tcf", "eigrp", "ospf",
    "sprite-rpc", "larp", "mtp", "ax.25", "ipip", "micp", "scc-sp", "etherip", "encap", "",
    "gmtp", "ifmp", "pnni", "pim", "aris", "scps", "qnx", "a/n", "ipcomp", "snp",
    "compaq-peer", "ipx-in-ip", "vrrp", "pgm", "", "l2tp", "ddx", "iatp", "stp", "srp",
    "uti", "smp", "sm", "ptp", "isis", "fire", "crtp", "crudp", "sscopmce", "iplt",
    "sps", "pipe", "sctp", "fc", "rsvp-e2e-ignore", "mobility-header", "udplite", "mpls-in-ip", "manet", "hip",
    "shim6", "wesp", "rohc", "ethernet", "aggfrag", "nsh",
];

/// EtherTypes by their usual names (IEEE and IANA registries).
const ETHERTYPES: &[(u16, &str)] = &[
    (0x0806, "arp"),
    (0x0842, "wake-on-lan"),
    (0x22f0, "avtp"),
    (0x22f3, "trill"),
    (0x6003, "decnet"),
    (0x8035, "rarp"),
    (0x809b, "appletalk"),
    (0x80f3, "aarp"),
    (0x8137, "ipx"),
    (0x8808, "mac-control"),
    (0x8809, "slow-protocols"),
    (0x8847, "mpls"),
    (0x8848, "mpls-multicast"),
    (0x8863, "pppoe-discovery"),
    (0x8864, "pppoe-session"),
    (0x887b, "homeplug"),
    (0x888e, "eapol"),
    (0x8892, "profinet"),
    (0x889a, "hyperscsi"),
    (0x88a2, "ata-over-ethernet"),
    (0x88a4, "ethercat"),
    (0x88b5, "local-experimental-1"),
    (0x88b6, "local-experimental-2"),
    (0x88b8, "goose"),
    (0x88ba, "sampled-values"),
    (0x88cc, "lldp"),
    (0x88e1, "homeplug-av"),
    (0x88e5, "macsec"),
    (0x88e7, "provider-backbone-bridging"),
    (0x88f5, "mvrp"),
    (0x88f6, "mmrp"),
    (0x88f7, "ptp"),
    (0x88fb, "prp"),
    (0x8902, "cfm"),
    (0x8906, "fcoe"),
    (0x8914, "fip"),
    (0x8915, "roce"),
    (0x892f, "hsr"),
    (0x893a, "ieee1905"),
    (0x894f, "nsh"),
    (0x9000, "loopback"),
    (0x9003, "mikrotik-romon"),
];

/// The name of a row of the protocol table.
pub fn protocol(row: Protocol) -> Cow<'static, str> {
    match row {
        Protocol::Ip(_, number) => ip_protocol(number),
        Protocol::EtherType(number) => ethertype(number),
        Protocol::Ieee8023 => Cow::Borrowed("802.3"),
    }
}

/// The name of an IP protocol.
pub fn ip_protocol(number: u8) -> Cow<'static, str> {
    match PROTOCOLS.get(usize::from(number)) {
        Some(name) if !name.is_empty() => Cow::Borrowed(name),
        _ => Cow::Owned(format!("ip-proto-{number}")),
    }
}

/// Whether a row of the protocol table has a name other than its number.
pub fn is_known(row: Protocol) -> bool {
    match row {
        Protocol::Ip(_, number) => PROTOCOLS.get(usize::from(number)).is_some_and(|name| !name.is_empty()),
        Protocol::EtherType(number) => ETHERTYPES.binary_search_by_key(&number, |(known, _)| *known).is_ok(),
        Protocol::Ieee8023 => true,
    }
}

/// The name of an EtherType.
pub fn ethertype(number: u16) -> Cow<'static, str> {
    match ETHERTYPES.binary_search_by_key(&number, |(known, _)| *known) {
        Ok(found) => Cow::Borrowed(ETHERTYPES[found].1),
        Err(_) => Cow::Owned(format!("ethertype-{number:#06x}")),
    }
}

/// The name of an ICMP or ICMPv6 message (IANA ICMP parameters, ICMPv6 parameters), where the type has one.
pub fn icmp(key: IcmpKey) -> Option<&'static str> {
    match key.family {
        Family::V6 => icmpv6(key.icmp_type, key.code),
        _ => icmpv4(key.icmp_type, key.code),
    }
}

fn icmpv4(icmp_type: u8, code: u8) -> Option<&'static str> {
    Some(match (icmp_type, code) {
        (0, _) => "echo-reply",
        (3, 0) => "network-unreachable",
        (3, 1) => "host-unreachable",
        (3, 2) => "protocol-unreachable",
        (3, 3) => "port-unreachable",
        (3, 4) => "fragmentation-needed",
        (3, 5) => "source-route-failed",
        (3, 6) => "network-unknown",
        (3, 7) => "host-unknown",
        (3, 8) => "source-host-isolated",
        (3, 9) => "network-prohibited",
        (3, 10) => "host-prohibited",
        (3, 11) => "network-unreachable-for-tos",
        (3, 12) => "host-unreachable-for-tos",
        (3, 13) => "communication-prohibited",
        (3, 14) => "host-precedence-violation",
        (3, 15) => "precedence-cutoff",
        (3, _) => "destination-unreachable",
        (4, _) => "source-quench",
        (5, 0) => "redirect-network",
        (5, 1) => "redirect-host",
        (5, 2) => "redirect-network-for-tos",
        (5, 3) => "redirect-host-for-tos",
        (5, _) => "redirect",
        (6, _) => "alternate-host-address",
        (8, _) => "echo-request",
        (9, _) => "router-advertisement",
        (10, _) => "router-solicitation",
        (11, 0) => "ttl-exceeded",
        (11, 1) => "reassembly-time-exceeded",
        (11, _) => "time-exceeded",
        (12, 0) => "parameter-problem-pointer",
        (12, 1) => "parameter-problem-option-missing",
        (12, 2) => "parameter-problem-length",
        (12, _) => "parameter-problem",
        (13, _) => "timestamp-request",
        (14, _) => "timestamp-reply",
        (15, _) => "information-request",
        (16, _) => "information-reply",
        (17, _) => "address-mask-request",
        (18, _) => "address-mask-reply",
        (30, _) => "traceroute",
        (31, _) => "conversion-error",
        (32, _) => "mobile-host-redirect",
        (33, _) => "where-are-you",
        (34, _) => "here-i-am",
        (35, _) => "mobile-registration-request",
        (36, _) => "mobile-registration-reply",
        (37, _) => "domain-name-request",
        (38, _) => "domain-name-reply",
        (39, _) => "skip",
        (40, _) => "photuris",
        (42, _) => "extended-echo-request",
        (43, _) => "extended-echo-reply",
        _ => return None,
    })
}

fn icmpv6(icmp_type: u8, code: u8) -> Option<&'static str> {
    Some(match (icmp_type, code) {
        (1, 0) => "no-route",
        (1, 1) => "communication-prohibited",
        (1, 2) => "beyond-scope",
        (1, 3) => "address-unreachable",
        (1, 4) => "port-unreachable",
        (1, 5) => "source-address-policy",
        (1, 6) => "reject-route",
        (1, 7) => "source-routing-error",
        (1, _) => "destination-unreachable",
        (2, _) => "packet-too-big",
        (3, 0) => "hop-limit-exceeded",
        (3, 1) => "reassembly-time-exceeded",
        (3, _) => "time-exceeded",
        (4, 0) => "parameter-problem-header",
        (4, 1) => "parameter-problem-next-header",
        (4, 2) => "parameter-problem-option",
        (4, _) => "parameter-problem",
        (128, _) => "echo-request",
        (129, _) => "echo-reply",
        (130, _) => "mld-query",
        (131, _) => "mld-report",
        (132, _) => "mld-done",
        (133, _) => "router-solicitation",
        (134, _) => "router-advertisement",
        (135, _) => "neighbor-solicitation",
        (136, _) => "neighbor-advertisement",
        (137, _) => "redirect",
        (138, _) => "router-renumbering",
        (139, _) => "node-information-query",
        (140, _) => "node-information-response",
        (141, _) => "inverse-neighbor-solicitation",
        (142, _) => "inverse-neighbor-advertisement",
        (143, _) => "mldv2-report",
        (144, _) => "home-agent-discovery-request",
        (145, _) => "home-agent-discovery-reply",
        (146, _) => "mobile-prefix-solicitation",
        (147, _) => "mobile-prefix-advertisement",
        (148, _) => "certification-path-solicitation",
        (149, _) => "certification-path-advertisement",
        (151, _) => "multicast-router-advertisement",
        (152, _) => "multicast-router-solicitation",
        (153, _) => "multicast-router-termination",
        (155, _) => "rpl-control",
        (160, _) => "extended-echo-request",
        (161, _) => "extended-echo-reply",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_name_show_as_numbers() {
        assert_eq!(ip_protocol(6), "tcp");
        assert_eq!(ip_protocol(58), "icmpv6");
        assert_eq!(ip_protocol(132), "sctp");
        assert_eq!(ip_protocol(89), "ospf");
        assert_eq!(ip_protocol(145), "nsh");
        assert_eq!(ip_protocol(61), "ip-proto-61");
        assert_eq!(ip_protocol(255), "ip-proto-255");
        assert_eq!(ethertype(0x0806), "arp");
        assert_eq!(ethertype(0x9000), "loopback");
        assert_eq!(ethertype(0x0600), "ethertype-0x0600");
    }

    #[test]
    fn tables_are_sorted_and_without_doubles() {
        assert!(ETHERTYPES.is_sorted_by(|a, b| a.0 < b.0));
        let mut names: Vec<_> = PROTOCOLS.iter().filter(|name| !name.is_empty()).collect();
        names.sort();
        assert!(names.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn icmp_messages() {
        let key = |family, icmp_type, code| IcmpKey { family, icmp_type, code };
        assert_eq!(icmp(key(Family::V4, 3, 4)), Some("fragmentation-needed"));
        assert_eq!(icmp(key(Family::V6, 135, 0)), Some("neighbor-solicitation"));
        assert_eq!(icmp(key(Family::V4, 200, 0)), None);
    }
}
