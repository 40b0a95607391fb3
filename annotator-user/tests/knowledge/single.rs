//! Rows about single packets, and the few that take a handful.

use crate::frames::{Packet, datagram, flag, icmp, icmp_about, syn, tcp, udp};
use crate::stimulus::Stimulus;

/// Every row about single packets of the coverage table.
pub fn table() -> Vec<Stimulus> {
    let mut table = Vec::new();
    ranges(&mut table);
    ports(&mut table);
    source_ports(&mut table);
    trojans(&mut table);
    leftovers(&mut table);
    icmp_rows(&mut table);
    addresses(&mut table);
    payloads(&mut table);
    beside(&mut table);
    table
}

fn row(table: &mut Vec<Stimulus>, id: &'static str, packet: Packet, near_miss: Packet) {
    rows(table, id, vec![packet], vec![near_miss]);
}

fn rows(table: &mut Vec<Stimulus>, id: &'static str, packets: Vec<Packet>, near_miss: Vec<Packet>) {
    table.push(Stimulus { id, packets, near_miss });
}

fn ranges(table: &mut Vec<Stimulus>) {
    row(table, "range.well-known", syn(903), syn(23));
    row(table, "range.registered", syn(20013), syn(5900));
    row(table, "range.registered", datagram(20013), datagram(27015));
    row(table, "range.dynamic", syn(60001), syn(20013));
    row(table, "range.dynamic", datagram(60001), datagram(20013));
    row(table, "range.dynamic", tcp(443, 60001, flag::ACK, b"x"), syn(20013));
    row(table, "advice.unknown-port", syn(20013), syn(23));
}

fn ports(table: &mut Vec<Stimulus>) {
    const TCP: &[(&str, u16)] = &[
        ("port.1", 1),
        ("port.7", 7),
        ("port.11", 11),
        ("port.19", 19),
        ("port.21", 21),
        ("port.22", 22),
        ("port.23", 23),
        ("port.25", 25),
        ("port.53", 53),
        ("port.79", 79),
        ("port.80", 80),
        ("port.98", 98),
        ("port.109", 109),
        ("port.110", 110),
        ("port.111", 111),
        ("port.113", 113),
        ("port.119", 119),
        ("port.135", 135),
        ("port.139", 139),
        ("port.143", 143),
        ("port.445", 445),
        ("port.515", 515),
        ("port.600", 600),
        ("port.635", 635),
        ("port.1024", 1024),
        ("port.1025", 1025),
        ("port.1026", 1026),
        ("port.1027", 1027),
        ("port.1080", 1080),
        ("port.1114", 1114),
        ("port.1243", 1243),
        ("port.1433", 1433),
        ("port.1524", 1524),
        ("port.2049", 2049),
        ("port.2766", 2766),
        ("port.3128", 3128),
        ("port.6776", 6776),
        ("port.13223", 13223),
        ("port.17027", 17027),
        ("port.27374", 27374),
        ("port.30100", 30100),
        ("port.31337", 31337),
        ("port.32770", 32770),
        ("port.32770", 32900),
        ("port.0", 0),
        ("port.remapped", 81),
        ("port.remapped", 88),
        ("port.remapped", 8000),
        ("port.remapped", 8080),
        ("port.remapped", 8888),
        ("port.remapped", 1100),
        ("port.remapped", 42),
        ("port.remapped", 69),
        ("port.remapped", 666),
        ("port.remapped", 12345),
        ("port.remapped", 23456),
        ("port.remapped", 34567),
        ("port.remapped", 31337),
    ];
    for (id, port) in TCP {
        // The same port over another protocol, where that is another story; else a number beside it.
        row(table, id, syn(*port), syn(2));
    }
    const UDP: &[(&str, u16)] = &[
        ("port.0", 0),
        ("port.7", 7),
        ("port.19", 19),
        ("port.22.udp", 22),
        ("port.53", 53),
        ("port.67", 67),
        ("port.68", 68),
        ("port.69", 69),
        ("port.111", 111),
        ("port.135", 135),
        ("port.137", 137),
        ("port.161", 161),
        ("port.162", 162),
        ("port.177", 177),
        ("port.513", 513),
        ("port.535", 535),
        ("port.635", 635),
        ("port.1024", 1024),
        ("port.1025", 1025),
        ("port.1026", 1026),
        ("port.1027", 1027),
        ("port.1434", 1434),
        ("port.2049", 2049),
        ("port.5632", 5632),
        ("port.6970", 6970),
        ("port.6970", 7170),
        ("port.31337", 31337),
        ("port.31789", 31789),
        ("port.32770", 32800),
        ("port.33434", 33434),
        ("port.33434", 33600),
        ("port.41508", 41508),
    ];
    for (id, port) in UDP {
        row(table, id, datagram(*port), datagram(2));
    }
    row(table, "port.0", tcp(41234, 0, flag::ACK, &[]).to("0.0.0.0").ethernet_broadcast(), syn(1));
    row(table, "port.22.udp", datagram(22), syn(22));
    row(table, "port.33434", datagram(33434), datagram(33601));
    row(table, "port.6970", datagram(7000), datagram(7171));
    row(table, "port.32770", datagram(32900), datagram(32901));
    // Answers that happen to go to a port with a name.
    row(table, "port.31337", datagram(31337), udp(443, 31337, &[0x40; 30]));
    row(table, "port.27374", syn(27374), tcp(443, 27374, flag::SYN | flag::ACK, &[]));
    row(table, "port.7.squid", udp(3130, 7, &[0; 8]), udp(3131, 7, &[0; 8]));
    row(table, "port.7.fraggle", datagram(7).to("198.19.1.255"), datagram(7));
    row(table, "port.31789.scanner", udp(31790, 31789, b"A"), datagram(31789));
}

fn source_ports(table: &mut Vec<Stimulus>) {
    row(table, "source-port.low", tcp(600, 20013, flag::SYN, &[]), syn(20013));
    row(table, "source-port.low", udp(600, 20013, &[1; 9]), datagram(20013));
    row(table, "source-port.low", tcp(1023, 80, flag::SYN, &[]), tcp(1024, 80, flag::SYN, &[]));
    for port in 1..=5 {
        row(table, "source-port.1-5", tcp(port, 80, flag::SYN, &[]), tcp(6, 80, flag::SYN, &[]));
    }
    row(table, "source-port.20", tcp(20, 2632, flag::SYN, &[]), tcp(20, 23, flag::SYN, &[]));
    row(table, "source-port.53", udp(53, 40000, &[0; 20]), udp(54, 40000, &[0; 20]));
    row(table, "source-port.53", udp(53, 53, &[0; 20]), udp(40000, 53, &[0; 20]));
    row(table, "source-port.123", udp(123, 40000, &[0x24; 48]), udp(124, 40000, &[0x24; 48]));
    row(table, "source-port.123", udp(123, 123, &[0x24; 48]), udp(124, 123, &[0x24; 48]));
    row(table, "source-port.quake", udp(27910, 20013, &[0xff; 20]), udp(27909, 20013, &[0xff; 20]));
    row(table, "source-port.quake", udp(27961, 20013, &[0xff; 20]), udp(27962, 20013, &[0xff; 20]));
    row(table, "source-port.masquerade", tcp(61000, 80, flag::SYN, &[]), tcp(60999, 80, flag::SYN, &[]));
    row(table, "source-port.masquerade", udp(65095, 53, &[0; 4]), udp(65096, 53, &[0; 4]));
    row(table, "source-port.dynamic", tcp(1024, 80, flag::SYN, &[]), tcp(5001, 80, flag::SYN, &[]));
    row(table, "source-port.dynamic", udp(5000, 20013, &[0; 4]), udp(5001, 20013, &[0; 4]));
}

fn trojans(table: &mut Vec<Stimulus>) {
    const TROJANS: &[(&str, u16)] = &[
        ("trojan.555", 555),
        ("trojan.1243", 1243),
        ("trojan.3129", 3129),
        ("trojan.6670", 6670),
        ("trojan.6711", 6711),
        ("trojan.6969", 6969),
        ("trojan.21544", 21544),
        ("trojan.12345", 12345),
        ("trojan.23456", 23456),
        ("trojan.27374", 27374),
        ("trojan.30100", 30100),
        ("trojan.31789", 31789),
        ("trojan.31337", 31337),
        ("trojan.50505", 50505),
        ("trojan.2772", 2772),
        ("trojan.2773", 2773),
        ("trojan.7215", 7215),
        ("trojan.54283", 54283),
    ];
    for (id, port) in TROJANS {
        row(table, id, syn(*port), syn(port + 7));
    }
    row(table, "trojan.31337", datagram(31337), datagram(31338));
    row(table, "trojan.31789", datagram(31789), datagram(31788));
    // An answer from a server to a port that a trojan made known.
    row(table, "trojan.12345", syn(12345), tcp(443, 12345, flag::ACK, b"data"));
}

fn leftovers(table: &mut Vec<Stimulus>) {
    const GAMES: &[(&str, u16)] = &[
        ("leftover.3074", 3074),
        ("leftover.7777", 7777),
        ("leftover.7778", 7778),
        ("leftover.22450", 22450),
        ("leftover.26000", 26000),
        ("leftover.26900", 26900),
        ("leftover.26950", 26950),
        ("leftover.27015", 27015),
        ("leftover.27500", 27500),
        ("leftover.27910", 27910),
        ("leftover.28000", 28000),
        ("leftover.28000", 28008),
        ("leftover.28910", 28910),
    ];
    for (id, port) in GAMES {
        row(table, id, datagram(*port), syn(*port));
        row(table, id, udp(*port, 20013, &[0xff; 12]), udp(port - 20, 20013, &[0xff; 12]));
    }
    row(table, "leftover.icq", udp(4000, 20013, &[2; 24]), udp(4001, 20013, &[2; 24]));
}

fn icmp_rows(table: &mut Vec<Stimulus>) {
    const ROWS: &[(&str, u8, u8)] = &[
        ("icmp.0", 0, 0),
        ("icmp.3", 3, 2),
        ("icmp.3", 3, 13),
        ("icmp.3.0", 3, 0),
        ("icmp.3.1", 3, 1),
        ("icmp.3.3", 3, 3),
        ("icmp.3.4", 3, 4),
        ("icmp.4", 4, 0),
        ("icmp.5", 5, 1),
        ("icmp.8", 8, 0),
        ("icmp.9", 9, 0),
        ("icmp.11.0", 11, 0),
        ("icmp.11.1", 11, 1),
        ("icmp.12", 12, 0),
    ];
    for (id, kind, code) in ROWS {
        row(table, id, icmp(*kind, *code, &[0; 28]), icmp(13, 0, &[0; 12]));
    }
    row(
        table,
        "icmp.3.3.netbios",
        icmp_about(3, 3, udp(137, 137, &[0; 50])),
        icmp_about(3, 3, udp(137, 138, &[0; 50])),
    );
    row(table, "icmp.3.3.dns", icmp_about(3, 3, udp(53, 4000, &[0; 50])), icmp_about(3, 3, udp(54, 4000, &[0; 50])));
    row(table, "icmp.3.3.traceroute", icmp_about(3, 3, udp(4000, 33440, &[])), icmp_about(3, 3, udp(4000, 33601, &[])));
    row(table, "icmp.3.3.tcp", icmp_about(3, 3, syn(23)), icmp_about(3, 3, datagram(23)));
    row(table, "icmp.not-a-port", icmp(8, 0, &[0; 8]), syn(8));
    row(table, "advice.icmp-filter", icmp(11, 0, &[0; 28]), syn(11));
}

fn addresses(table: &mut Vec<Stimulus>) {
    let here = || datagram(20013);
    let loose: &[u8] = &[131, 7, 4, 10, 0, 0, 1, 0];
    let strict: &[u8] = &[137, 7, 4, 10, 0, 0, 1, 0];
    let record: &[u8] = &[7, 7, 4, 0, 0, 0, 0, 0];
    row(table, "ip.source-route", here().options(loose), here().options(record));
    row(table, "ip.source-route", here().options(strict), here());
    row(table, "address.limited-broadcast", here().to("255.255.255.255"), here().to("198.19.1.255"));
    for source in ["10.1.2.3", "172.31.255.1", "192.168.0.1"] {
        row(table, "address.private-source", here().from(source), here().from("172.32.0.1"));
    }
    row(
        table,
        "address.private-source.router",
        icmp(11, 0, &[0; 28]).from("10.1.1.1"),
        icmp(8, 0, &[]).from("10.1.1.1"),
    );
    row(table, "address.loopback-source", here().from("127.0.0.1"), here().from("128.0.0.1"));
    for source in ["192.0.2.1", "198.51.100.7", "203.0.113.9"] {
        row(table, "address.documentation", here().from(source), here().from("203.0.114.9"));
    }
    row(table, "address.zero-source", here().from("0.0.0.0"), here());
    row(
        table,
        "address.zero-source.dhcp",
        udp(68, 67, &[1; 240]).from("0.0.0.0").to("255.255.255.255"),
        here().from("0.0.0.0"),
    );
    row(table, "address.zero-source.port-zero", syn(0).from("0.0.0.0"), syn(1).from("0.0.0.0"));
    row(table, "address.directed-broadcast", here().to("198.19.1.255"), here().to("198.19.1.254"));
    row(table, "address.directed-broadcast", here().to("198.19.1.0"), here().to("198.19.1.1"));
    row(table, "address.link-local", here().from("169.254.3.4"), here().from("169.253.3.4"));
    row(table, "address.link-local", here().to("169.254.3.4"), here());
}

fn payloads(table: &mut Vec<Stimulus>) {
    row(table, "payload.dns-axfr", dns_over_tcp(252, 1, "example.com"), dns_over_tcp(1, 1, "example.com"));
    row(
        table,
        "payload.dns-version-bind",
        udp(4000, 53, &dns(0, 16, 3, "version.bind")),
        udp(4000, 53, &dns(0, 16, 1, "version.bind")),
    );
    let http = |port: u16, request: &str| {
        tcp(41234, port, flag::ACK | flag::PSH, format!("{request} HTTP/1.0\r\n\r\n").as_bytes())
    };
    row(
        table,
        "payload.http-proxy",
        http(8080, "GET http://www.example.com/"),
        http(8080, "GET /http://www.example.com/"),
    );
    row(table, "payload.http-proxy", http(80, "CONNECT mail.example.com:25"), http(80, "GET /"));
    row(table, "payload.http-robots-favicon", http(80, "GET /robots.txt"), http(80, "GET /robots.html"));
    row(table, "payload.http-robots-favicon", http(80, "GET /favicon.ico"), http(80, "GET /favicon"));
    const PROCEDURES: [&str; 6] = [
        "payload.rpc-null",
        "payload.rpc-set",
        "payload.rpc-unset",
        "payload.rpc-getport",
        "payload.rpc-dump",
        "payload.rpc-callit",
    ];
    for (procedure, id) in (0..).zip(PROCEDURES) {
        row(
            table,
            id,
            udp(700, 111, &rpc(100_000, procedure, 100_003)),
            udp(700, 111, &rpc(100_000, procedure + 6, 100_003)),
        );
        let mut marked = vec![0x80, 0, 0, 56];
        marked.extend(rpc(100_000, procedure, 100_003));
        row(table, id, tcp(700, 111, flag::ACK | flag::PSH, &marked), syn(111));
    }
    for program in [
        100_001,
        100_002,
        100_005,
        100_008,
        100_068,
        100_083,
        100_232,
        100_249,
        300_019,
        300_055,
        300_214,
        390_109,
        200_100_001,
    ] {
        row(
            table,
            "payload.rpc-program",
            udp(700, 111, &rpc(100_000, 3, program)),
            udp(700, 111, &rpc(100_000, 3, 100_003)),
        );
        row(table, "payload.rpc-program", udp(700, 32771, &rpc(program, 1, 0)), udp(700, 32771, &rpc(100_003, 1, 0)));
    }
    let smtp = |line: &str| tcp(41234, 25, flag::ACK | flag::PSH, format!("{line}\r\n").as_bytes());
    let magic = [vec![0xff; 6], [2, 0, 0xc0, 0xa8, 1, 0x55].repeat(16)].concat();
    row(table, "payload.wake-on-lan", udp(4000, 9, &magic), udp(4000, 9, &magic[..96]));
    row(table, "payload.smtp-relay-expn-vrfy", smtp("EXPN staff"), smtp("NOOP"));
    row(table, "payload.smtp-relay-expn-vrfy", smtp("vrfy root"), smtp("MAIL FROM:<a@example.com>"));
    row(table, "payload.smtp-relay-expn-vrfy", smtp("RCPT TO:<victim@example.org>"), smtp("DATA"));
    row(table, "payload.sip-powwow-iiop", tcp(3000, 13223, flag::ACK | flag::PSH, b"OPNG\x01\x02nobody"), syn(13223));
    row(
        table,
        "payload.sip-powwow-iiop",
        udp(535, 535, b"\0\0\0\x0aIIOP:1.0\0"),
        udp(535, 535, b"\0\0\0\x0aIIOQ:1.0\0"),
    );
    row(
        table,
        "payload.sip-powwow-iiop",
        udp(5060, 5060, b"OPTIONS sip:100@198.19.1.20 SIP/2.0\r\n"),
        udp(5060, 5060, b"\0\0\0\0"),
    );
    let question = dns(0, 1, 1, "example.com");
    let answer = dns(0x8180, 1, 1, "example.com");
    rows(
        table,
        "payload.dns-unexpected-source",
        vec![
            udp(4000, 53, &question).from("198.19.1.20").to("198.18.0.53"),
            udp(53, 4000, &answer).from("198.18.99.53"),
        ],
        vec![
            udp(4000, 53, &question).from("198.19.1.20").to("198.18.0.53"),
            udp(53, 4000, &answer).from("198.18.0.53"),
        ],
    );
    row(table, "netbios.node-status", udp(137, 137, &node_status()), udp(137, 137, &[0; 50]));
    row(table, "netbios.samba", udp(1025, 137, &node_status()), udp(1023, 137, &node_status()));
    row(table, "netbios.samba", udp(61000, 137, &node_status()), udp(61000, 138, &node_status()));
    row(table, "netbios.samba", udp(41234, 137, &node_status()), udp(137, 137, &node_status()));
    let mut worm = vec![1; 376];
    worm[0] = 4;
    row(table, "worm.slammer", udp(4000, 1434, &worm), udp(4000, 1434, &worm[..375]));
}

fn beside(table: &mut Vec<Stimulus>) {
    table.push(Stimulus { id: "perspective.not-personal", packets: vec![syn(23)], near_miss: Vec::new() });
    let counting = (0..6).map(|i| syn(80).identification(0x1000 + i)).collect();
    rows(table, "zen.ip-id", counting, vec![syn(80)]);
    let swapped = (0..6_u16).map(|i| syn(80).identification((0x0100 + i).swap_bytes())).collect();
    rows(table, "zen.ip-id.byte-swapped", swapped, vec![syn(80)]);
    table.push(Stimulus { id: "zen.ttl", packets: vec![syn(80).ttl(112)], near_miss: Vec::new() });
    let varying = vec![syn(80).ttl(50), syn(81).ttl(115), syn(82).ttl(50)];
    rows(table, "zen.ttl.varying", varying, vec![syn(80).ttl(50), syn(81).ttl(50)]);
}

/// A DNS message with one question.
pub fn dns(flags: u16, qtype: u16, qclass: u16, name: &str) -> Vec<u8> {
    let mut message = vec![0xbe, 0xef];
    message.extend(flags.to_be_bytes());
    message.extend([0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(qtype.to_be_bytes());
    message.extend(qclass.to_be_bytes());
    message
}

fn dns_over_tcp(qtype: u16, qclass: u16, name: &str) -> Packet {
    let message = dns(0, qtype, qclass, name);
    let mut payload = (message.len() as u16).to_be_bytes().to_vec();
    payload.extend(message);
    tcp(41234, 53, flag::ACK | flag::PSH, &payload)
}

/// An RPC call with empty credentials and one argument.
pub fn rpc(program: u32, procedure: u32, argument: u32) -> Vec<u8> {
    [0x1234_5678, 0, 2, program, 2, procedure, 0, 0, 0, 0, argument, 1, 17, 0]
        .into_iter()
        .flat_map(u32::to_be_bytes)
        .collect()
}

/// NetBIOS's question for the status of whatever node this is.
pub fn node_status() -> Vec<u8> {
    let mut query = vec![0x80, 0xf0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x20];
    query.extend(b"CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    query.extend([0, 0, 0x21, 0, 1]);
    query
}
