//! Names for numbers: protocols, EtherTypes, ICMP types and codes, services.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use annotator_common::Family;

use crate::counters::{IcmpKey, PortProto, Protocol};

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

/// Services that are named without asking the system, the same everywhere: ports that people meet, by the names of the IANA registry or, where the
/// registry has another owner than the wire, by the usual one.
#[rustfmt::skip]
const SERVICES: &[(u16, &str, Over)] = {
    use Over::{Both, Tcp, Udp};
    &[
        (7, "echo", Both), (9, "discard", Both), (11, "systat", Both), (13, "daytime", Both), (15, "netstat", Tcp),
        (17, "qotd", Both), (19, "chargen", Both), (20, "ftp-data", Tcp), (21, "ftp", Tcp), (22, "ssh", Tcp),
        (23, "telnet", Tcp), (25, "smtp", Tcp), (37, "time", Both), (43, "whois", Tcp), (49, "tacacs", Both),
        (53, "domain", Both), (67, "bootps", Udp), (68, "bootpc", Udp), (69, "tftp", Udp), (70, "gopher", Tcp),
        (79, "finger", Tcp), (80, "http", Tcp), (80, "http3-alt", Udp), (88, "kerberos", Both), (98, "linuxconf", Tcp),
        (102, "iso-tsap", Tcp), (109, "pop2", Tcp), (110, "pop3", Tcp), (111, "sunrpc", Both), (113, "auth", Tcp),
        (119, "nntp", Tcp), (123, "ntp", Udp), (135, "epmap", Both), (137, "netbios-ns", Both),
        (138, "netbios-dgm", Both), (139, "netbios-ssn", Tcp), (143, "imap", Tcp), (161, "snmp", Udp),
        (162, "snmptrap", Udp), (177, "xdmcp", Udp), (179, "bgp", Tcp), (194, "irc", Tcp), (264, "bgmp", Tcp),
        (389, "ldap", Tcp), (389, "cldap", Udp), (427, "svrloc", Both), (443, "https", Tcp), (443, "quic", Udp),
        (445, "microsoft-ds", Both), (464, "kpasswd", Both), (465, "submissions", Tcp), (500, "isakmp", Udp),
        (502, "modbus", Tcp), (512, "exec", Tcp), (513, "login", Tcp), (513, "who", Udp), (514, "shell", Tcp),
        (514, "syslog", Udp), (515, "printer", Tcp), (517, "talk", Udp), (518, "ntalk", Udp), (520, "rip", Udp),
        (523, "ibm-db2", Both), (540, "uucp", Tcp), (546, "dhcpv6-client", Udp), (547, "dhcpv6-server", Udp),
        (548, "afp", Tcp), (554, "rtsp", Both), (587, "submission", Tcp), (623, "ipmi", Udp), (631, "ipp", Both),
        (635, "mount", Udp), (636, "ldaps", Tcp), (853, "dns-over-tls", Both), (873, "rsync", Tcp),
        (902, "vmware-auth", Tcp), (989, "ftps-data", Tcp), (990, "ftps", Tcp), (992, "telnets", Tcp),
        (993, "imaps", Tcp), (995, "pop3s", Tcp), (1080, "socks", Tcp), (1194, "openvpn", Both),
        (1433, "ms-sql-s", Tcp), (1434, "ms-sql-m", Udp), (1521, "oracle", Tcp), (1701, "l2tp", Udp),
        (1723, "pptp", Tcp), (1812, "radius", Udp), (1813, "radius-acct", Udp), (1883, "mqtt", Tcp),
        (1900, "ssdp", Udp), (2000, "cisco-sccp", Tcp), (2049, "nfs", Both), (2082, "cpanel", Tcp),
        (2083, "cpanels", Tcp), (2181, "zookeeper", Tcp), (2222, "ssh-alt", Tcp), (2323, "telnet-alt", Tcp),
        (2375, "docker", Tcp), (2376, "dockers", Tcp), (2404, "iec-104", Tcp), (3128, "squid-http", Tcp),
        (3130, "icp", Udp), (3268, "msft-gc", Tcp), (3283, "apple-remote", Both), (3306, "mysql", Tcp),
        (3389, "ms-wbt-server", Both), (3478, "stun", Both), (3544, "teredo", Udp), (3702, "ws-discovery", Both),
        (4369, "epmd", Tcp), (4500, "ipsec-nat-t", Udp), (4786, "cisco-smart-install", Tcp), (4789, "vxlan", Udp),
        (5000, "upnp", Tcp), (5004, "rtp", Udp), (5005, "rtcp", Udp), (5060, "sip", Both), (5061, "sips", Tcp),
        (5222, "xmpp-client", Tcp), (5269, "xmpp-server", Tcp), (5351, "nat-pmp", Udp), (5353, "mdns", Udp),
        (5355, "llmnr", Both), (5432, "postgresql", Tcp), (5555, "adb", Tcp), (5631, "pcanywhere", Tcp),
        (5632, "pcanywhere-status", Udp), (5671, "amqps", Tcp), (5672, "amqp", Tcp), (5683, "coap", Udp),
        (5900, "vnc", Tcp), (5901, "vnc-1", Tcp), (5984, "couchdb", Tcp), (5985, "winrm", Tcp), (5986, "winrms", Tcp),
        (6000, "x11", Tcp), (6081, "geneve", Udp), (6379, "redis", Tcp), (6443, "kubernetes", Tcp), (6667, "irc", Tcp),
        (6697, "ircs", Tcp), (6881, "bittorrent", Both), (6970, "realaudio", Udp), (7547, "cwmp", Tcp),
        (8000, "http-alt-8000", Tcp), (8008, "http-alt-8008", Tcp), (8080, "http-alt", Tcp), (8088, "radan-http", Tcp),
        (8291, "winbox", Tcp), (8333, "bitcoin", Tcp), (8443, "https-alt", Tcp), (8472, "vxlan-linux", Udp),
        (8728, "mikrotik-api", Tcp), (8883, "mqtts", Tcp), (8888, "http-alt-8888", Tcp), (9000, "cslistener", Tcp),
        (9042, "cassandra", Tcp), (9090, "prometheus", Tcp), (9092, "kafka", Tcp), (9100, "jetdirect", Tcp),
        (9200, "elasticsearch", Tcp), (9418, "git", Tcp), (10000, "webmin", Tcp), (10001, "ubiquiti", Udp),
        (10250, "kubelet", Tcp), (11211, "memcached", Both), (15672, "rabbitmq", Tcp), (17185, "vxworks-debug", Udp),
        (20000, "dnp3", Both), (22273, "wnn6", Tcp), (25565, "minecraft", Tcp), (26000, "quake", Udp),
        (27015, "source-engine", Udp), (27017, "mongodb", Tcp), (27960, "quake3", Udp), (32764, "router-backdoor", Tcp),
        (37215, "huawei-hg", Tcp), (37777, "dahua-dvr", Tcp), (41794, "crestron", Udp), (44818, "ethernet-ip", Both),
        (47808, "bacnet", Udp), (50070, "hdfs", Tcp), (51820, "wireguard", Udp), (52869, "realtek-upnp", Tcp),
        (53413, "netis-backdoor", Udp),
    ]
};

/// Over what a service of [`SERVICES`] runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Tcp,
    Udp,
    Both,
}

/// A port with the name of its service, where it has one: "23 (telnet)".
pub fn port(proto: PortProto, port: u16) -> String {
    match Services::system().name(proto, port) {
        Some(service) => format!("{port} ({service})"),
        None => port.to_string(),
    }
}

/// Names of services.
pub struct Services {
    names: HashMap<(PortProto, u16), Cow<'static, str>>,
}

impl Services {
    /// Those built in, and those of the system's services database for other ports.
    pub fn system() -> &'static Self {
        static SYSTEM: OnceLock<Services> = OnceLock::new();
        SYSTEM.get_or_init(|| {
            let database = std::fs::read("/etc/services").unwrap_or_default();
            Services::with_database(&String::from_utf8_lossy(&database))
        })
    }

    /// Those built in, and those of a services(5) file for other ports.
    pub fn with_database(database: &str) -> Self {
        let mut services = Services::built_in();
        for line in database.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let (Some(name), Some(port)) = (words.next(), words.next()) else { continue };
            let Some((port, proto)) = port.split_once('/') else { continue };
            let proto = match proto {
                "tcp" => PortProto::Tcp,
                "udp" => PortProto::Udp,
                _ => continue,
            };
            let plain = name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_graphic());
            if let (Ok(port), true) = (port.parse(), plain) {
                services.names.entry((proto, port)).or_insert_with(|| Cow::Owned(name.to_owned()));
            }
        }
        services
    }

    fn built_in() -> Self {
        let mut names = HashMap::new();
        for &(port, name, over) in SERVICES {
            if over != Over::Udp {
                names.insert((PortProto::Tcp, port), Cow::Borrowed(name));
            }
            if over != Over::Tcp {
                names.insert((PortProto::Udp, port), Cow::Borrowed(name));
            }
        }
        Services { names }
    }

    /// The name of the service of a port.
    pub fn name(&self, proto: PortProto, port: u16) -> Option<&str> {
        self.names.get(&(proto, port)).map(|name| &**name)
    }

    /// The ports of a service, by its name.
    pub fn ports(&self, name: &str) -> Vec<(PortProto, u16)> {
        let mut ports: Vec<_> =
            self.names.iter().filter(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(key, _)| *key).collect();
        ports.sort_unstable();
        ports
    }
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
        assert!(SERVICES.is_sorted_by_key(|row| row.0));
        let mut names: Vec<_> = PROTOCOLS.iter().filter(|name| !name.is_empty()).collect();
        names.sort();
        assert!(names.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn the_system_adds_but_does_not_rename() {
        let database = "ssh-renamed 22/tcp # comment\nodd 4711/udp alias\nbad\nworse x/tcp\nsctp-only 4712/sctp\n";
        let services = Services::with_database(database);
        assert_eq!(services.name(PortProto::Tcp, 22), Some("ssh"));
        assert_eq!(services.name(PortProto::Udp, 4711), Some("odd"));
        assert_eq!(services.name(PortProto::Tcp, 4711), None);
        assert_eq!(services.ports("DOMAIN"), [(PortProto::Tcp, 53), (PortProto::Udp, 53)]);
    }

    #[test]
    fn icmp_messages() {
        let key = |family, icmp_type, code| IcmpKey { family, icmp_type, code };
        assert_eq!(icmp(key(Family::V4, 3, 4)), Some("fragmentation-needed"));
        assert_eq!(icmp(key(Family::V6, 135, 0)), Some("neighbor-solicitation"));
        assert_eq!(icmp(key(Family::V4, 200, 0)), None);
    }
}
