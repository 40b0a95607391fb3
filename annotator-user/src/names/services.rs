//! Names of services by their ports, the same on every machine.
//!
//! Two lists: what people call the ports that they meet, and the whole registry. A registered port above the reserved ones says little about a packet: any
//! program may send from it or listen there. So the registry's names of those are told only where a text says that they are the registry's.

use std::collections::HashMap;
use std::sync::LazyLock;

use annotator_common::packet::port::FIRST_CLIENT_PORT;

use crate::counters::PortProto;

/// Names of ports.
type Names = HashMap<(PortProto, u16), &'static str>;

/// The IANA registry.
const REGISTRY: &str = include_str!("../../knowledge/services.txt");

/// Ports that people meet, by the names of the IANA registry or, where the registry has another owner than the wire, by the usual one.
#[rustfmt::skip]
const USUAL: &[(u16, &str, Over)] = {
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

/// Over what a service of [`USUAL`] runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Tcp,
    Udp,
    Both,
}

static USUAL_NAMES: LazyLock<Names> = LazyLock::new(|| {
    let of = |&(port, name, over): &(u16, &'static str, Over)| {
        let protos: &[PortProto] = match over {
            Over::Tcp => &[PortProto::Tcp],
            Over::Udp => &[PortProto::Udp],
            Over::Both => &[PortProto::Tcp, PortProto::Udp],
        };
        protos.iter().map(move |&proto| ((proto, port), name))
    };
    USUAL.iter().flat_map(of).collect()
});

static REGISTERED_NAMES: LazyLock<Names> = LazyLock::new(|| {
    REGISTRY
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (port, name) = line.split_once(' ')?;
            let (port, protos): (_, &[PortProto]) = match port.split_once('/') {
                Some((port, "tcp")) => (port, &[PortProto::Tcp]),
                Some((port, _)) => (port, &[PortProto::Udp]),
                None => (port, &[PortProto::Tcp, PortProto::Udp]),
            };
            let port = port.parse().ok()?;
            Some(protos.iter().map(move |&proto| ((proto, port), name)))
        })
        .flatten()
        .collect()
});

/// What people call the service of a port; of a reserved port, what the registry calls it.
pub fn service(proto: PortProto, port: u16) -> Option<&'static str> {
    let usual = USUAL_NAMES.get(&(proto, port)).copied();
    usual.or_else(|| if port < FIRST_CLIENT_PORT { registered(proto, port) } else { None })
}

/// The same, and what the registry calls the service of any other port.
pub fn registered(proto: PortProto, port: u16) -> Option<&'static str> {
    USUAL_NAMES.get(&(proto, port)).or_else(|| REGISTERED_NAMES.get(&(proto, port))).copied()
}

/// A port with the name of its service, where it has one: "23 (telnet)".
pub fn port(proto: PortProto, port: u16) -> String {
    match service(proto, port) {
        Some(service) => format!("{port} ({service})"),
        None => port.to_string(),
    }
}

/// Names that people use for a service, and what it is called in [`USUAL`].
const ALSO_CALLED: &[(&str, &str)] = &[
    ("dhcp", "bootps"),
    ("dns", "domain"),
    ("ike", "isakmp"),
    ("postgres", "postgresql"),
    ("rdp", "ms-wbt-server"),
    ("www", "http"),
];

/// The ports of a service, by its name: the usual one, else the registry's.
pub fn service_ports(name: &str) -> Vec<(PortProto, u16)> {
    let name = ALSO_CALLED.iter().find(|(also, _)| also.eq_ignore_ascii_case(name)).map_or(name, |(_, usual)| usual);
    let of = |names: &Names| {
        let named = names.iter().filter(|(_, known)| known.eq_ignore_ascii_case(name));
        let mut ports: Vec<_> = named.map(|(key, _)| *key).collect();
        ports.sort_unstable();
        ports
    };
    let usual = of(&USUAL_NAMES);
    if usual.is_empty() { of(&REGISTERED_NAMES) } else { usual }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_whole() {
        assert!(USUAL.is_sorted_by_key(|row| row.0));
        let lines = REGISTRY.lines().filter(|line| !line.starts_with('#'));
        let ports: usize =
            lines.map(|line| if line.split(' ').next().is_some_and(|port| port.contains('/')) { 1 } else { 2 }).sum();
        assert_eq!(REGISTERED_NAMES.len(), ports, "a line was not understood, or a port is there twice");
        assert!(REGISTERED_NAMES.values().all(|name| name.bytes().all(|byte| byte.is_ascii_graphic())));
    }

    #[test]
    fn the_registry_adds_but_does_not_rename() {
        use PortProto::{Tcp, Udp};
        assert_eq!(service(Tcp, 2222), Some("ssh-alt"));
        assert_eq!(registered(Tcp, 2222), Some("ssh-alt"));
        assert_eq!(service(Tcp, 666), Some("doom"));
        assert_eq!(service(Tcp, 4711), None);
        assert_eq!(registered(Tcp, 4711), Some("trinity-dist"));
        assert_eq!(registered(Udp, 1002), None);
        assert_eq!(port(Udp, 53), "53 (domain)");
        assert_eq!(port(Udp, 4711), "4711");
    }

    #[test]
    fn services_have_ports() {
        use PortProto::{Tcp, Udp};
        assert_eq!(service_ports("DOMAIN"), [(Tcp, 53), (Udp, 53)]);
        assert_eq!(service_ports("trinity-dist"), [(Tcp, 4711), (Udp, 4711)]);
        assert!(service_ports("no-such-service").is_empty());
    }
}
