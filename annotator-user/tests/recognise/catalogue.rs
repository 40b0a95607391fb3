//! Every pattern as traffic that somebody could capture, with times as they are; and beside each lookalike the same without its evidence.

use std::net::{IpAddr, Ipv4Addr};

use annotator::observation::Prefix;

use crate::outages::{
    a_flood_from_forged_sources_among_visitors, a_flood_from_one_source_among_visitors, visitors_who_are_refused,
};
use crate::tools::os_detection;
use crate::traffic::*;

pub const HOME: &str = "93.184.216.10";
const AWAY: &str = "116.90.231.66";
const ELSEWHERE: &str = "185.60.112.80";
const FTP: &str = "116.90.231.21";
const MAIL: &str = "116.90.231.25";
const CHAT: &str = "116.90.231.60";
const SCAN: [u16; 20] =
    [80, 22, 443, 21, 25, 3389, 110, 445, 139, 143, 53, 135, 3306, 8080, 1723, 111, 995, 993, 5900, 587];
const SERVICES: [u16; 13] = [22, 23, 25, 53, 79, 80, 110, 111, 143, 1114, 2766, 6000, 31337];

/// The network of [`HOME`], where that matters.
pub const PREFIX: Prefix = Prefix { address: IpAddr::V4(Ipv4Addr::new(93, 184, 216, 0)), bits: 24 };

/// What is to be found: a title, the finding's id, the traffic.
pub const SCENARIOS: [(&str, &str, Fill); 66] = [
    ("Ident after our own mail", "pattern.ident-after-connect", |s| {
        s.connection(HOME, 40000, MAIL, 25).send(syn(MAIL, 51000, HOME, 113));
        s.send(tcp(HOME, 113, MAIL, 51000, RST | ACK));
    }),
    ("FTP in active mode, half an hour after logging in", "pattern.ftp-active-data", |s| {
        s.connection(HOME, 2630, FTP, 21).wait(1800.0);
        deliveries(s);
    }),
    ("FTP in active mode, quick, and refused by a firewall", "pattern.ftp-active-data", |s| {
        s.connection(HOME, 2630, FTP, 21).wait(3.0);
        for port in 2632..2652 {
            s.send(syn(FTP, 20, HOME, port)).send(tcp(HOME, port, FTP, 20, RST | ACK));
        }
    }),
    ("FTP in active mode, only the deliveries captured", "pattern.ftp-active-data", deliveries),
    ("Late ends of connections with a web server", "pattern.late-fin", |s| late_ends(s, 80)),
    ("Late ends of sessions that the capture shows", "pattern.late-fin", |s| {
        for port in 2632..2641 {
            s.send(syn(HOME, port, AWAY, 80)).send(tcp(AWAY, 80, HOME, port, SYN | ACK));
            s.send(tcp(HOME, port, AWAY, 80, ACK)).send(tcp(HOME, port, AWAY, 80, FIN | ACK)).wait(0.3);
        }
        s.wait(100.0);
        for port in 2632..2641 {
            s.send(tcp(AWAY, 80, HOME, port, FIN | ACK)).wait(0.3);
        }
    }),
    ("A neighbour of the server calls back", "pattern.related-host", |s| {
        s.connection(HOME, 40000, FTP, 80).send(syn("116.90.231.22", 1025, HOME, 2632));
    }),
    ("A site that was never visited calls back", "pattern.never-visited", |s| {
        s.connection(HOME, 40000, FTP, 80).connection(HOME, 40001, ELSEWHERE, 80);
        s.send(syn(ELSEWHERE, 1025, HOME, 2632));
    }),
    ("A chat server checks for open proxies", "pattern.irc-proxy-check", |s| {
        s.connection(HOME, 40000, CHAT, 6667).wait(20.0);
        proxy_ports(s, CHAT);
    }),
    ("One machine with two networks", "pattern.dual-homed", |s| {
        for id in [4711, 4713, 4715] {
            s.send(udp("10.1.2.3", 137, HOME, 137, &[0; 50]).id(id).ttl(112));
            s.send(udp("116.90.231.3", 137, HOME, 137, &[0; 50]).id(id + 1).ttl(112)).wait(1.5);
        }
    }),
    ("DNS questions from low ports", "pattern.dns-low-source", |s| {
        for port in [600, 731, 902] {
            s.send(udp("116.90.231.3", port, HOME, 53, &[0; 30])).wait(20.0);
        }
    }),
    ("Our own traceroute", "pattern.traceroute-own", |s| {
        for (i, router) in [ELSEWHERE, "116.90.231.1", "116.90.231.9"].iter().enumerate() {
            let probe = udp(HOME, 40000, "8.8.4.4", 33434 + 3 * i as u16, &[0; 32]);
            s.send(probe.clone().ttl(1 + i as u8)).send(error(router, 11, 0, &probe)).wait(0.1);
        }
    }),
    ("Attempts of our own that are refused", "pattern.self", |s| {
        for port in [22, 80, 443] {
            s.send(syn(HOME, 40000, AWAY, port)).send(tcp(AWAY, port, HOME, 40000, RST | ACK)).wait(1.0);
        }
    }),
    ("A knock at a closed port", "pattern.port-probe", |s| {
        s.send(syn(AWAY, 4000, HOME, 4444)).send(tcp(HOME, 4444, AWAY, 4000, RST | ACK));
    }),
    ("A scan among decoys", "pattern.decoy-scan", |s| {
        for port in [22, 80, 443, 3389] {
            for source in [AWAY, "185.60.112.9", "8.8.4.4", "9.9.9.9", "1.1.1.1"] {
                s.send(syn(source, 50000, HOME, port));
            }
        }
    }),
    ("A UDP scan among decoys", "pattern.decoy-scan", |s| {
        for port in [53, 67, 69, 111, 123, 137, 161, 500, 514] {
            for i in 0..10 {
                s.send(udp(&stranger(i), 41000, HOME, port, &[]).ttl(45 + (i % 7) as u8));
            }
        }
    }),
    ("Our address served as a decoy against many", "pattern.unreachable-unknown-host", |s| {
        for i in 0..20 {
            let (host, port) = (stranger(i), [111, 6000][i as usize % 2]);
            s.send(error(&host, 3, 1, &tcp(HOME, 45000, &host, port, SYN))).wait(0.5);
        }
    }),
    ("Our address served as a decoy", "pattern.unreachable-unknown-host", |s| {
        for port in [161, 53, 69, 514, 161] {
            s.send(error(AWAY, 3, 3, &udp(HOME, 40000, AWAY, port, &[0; 8]))).wait(2.0);
        }
    }),
    ("Traceroute", "pattern.traceroute", |s| {
        for i in 0..9 {
            s.send(udp(AWAY, 40000, HOME, 33464 + i, &[0; 32]).ttl(1 + i as u8 / 3)).wait(0.3);
        }
    }),
    ("Traceroute to one port", "pattern.traceroute", |s| {
        for ttl in 1..=6 {
            s.send(udp(AWAY, 40000, HOME, 33434, &[0; 32]).ttl(ttl)).wait(0.5);
        }
    }),
    ("Traceroute by SYNs", "pattern.traceroute", |s| {
        for ttl in 1..=3 {
            s.send(syn(AWAY, 40000, HOME, 80).ttl(ttl)).wait(0.5);
        }
    }),
    ("Traceroute by pings", "pattern.traceroute.icmp", |s| {
        for ttl in 1..=3 {
            s.send(ping(AWAY, HOME).ttl(ttl)).wait(0.5);
        }
    }),
    ("sscan", "pattern.sscan", |s| {
        for port in [23, 25, 110, 143, 80] {
            s.send(tcp(AWAY, port, HOME, port, ACK));
        }
        for port in SERVICES {
            s.send(syn(AWAY, 1025 + port, HOME, port)).wait(0.2);
        }
    }),
    ("A hunt for open proxies", "pattern.proxy-scan", |s| proxy_ports(s, AWAY)),
    ("RingZero", "pattern.proxy-scan.ringzero", |s| {
        for port in [80, 8080, 3128] {
            s.send(syn(AWAY, 40000, HOME, port)).wait(5.0);
        }
    }),
    ("Many ports of one host", "scan.vertical", |s| scan(s, 0.01)),
    ("The same, made by connect", "scan.connect", |s| {
        let options = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
        for port in SCAN {
            s.send(syn(AWAY, 40000 + port, HOME, port).options(&options));
        }
    }),
    ("A scan that takes two hours and a half", "scan.slow", |s| scan(s, 450.0)),
    ("One port of many hosts", "scan.horizontal", |s| {
        s.locality.prefixes.push(PREFIX);
        for last in 1..=8 {
            s.send(syn(AWAY, 40000, &format!("93.184.216.{last}"), 22)).wait(0.1);
        }
    }),
    ("Neighbours that share one scan", "scan.distributed", |s| {
        for (i, port) in SCAN.into_iter().enumerate() {
            s.send(syn(&format!("116.90.231.{}", 10 + i % 5), 40000, HOME, port)).wait(5.0);
        }
    }),
    ("A FIN scan", "scan.fin", |s| stealthy(s, FIN)),
    ("A scan without flags", "scan.null", |s| stealthy(s, 0)),
    ("An XMAS scan", "scan.xmas", |s| stealthy(s, FIN | PSH | URG)),
    ("A Maimon scan", "scan.maimon", |s| stealthy(s, FIN | ACK)),
    ("An ACK scan", "scan.ack", |s| stealthy(s, ACK)),
    ("A UDP scan", "scan.udp", |s| {
        for port in [53, 67, 69, 111, 123, 137, 161, 500, 514, 520, 623, 1434, 1900, 4500, 5353] {
            s.send(udp(AWAY, 40321, HOME, port, &[])).wait(0.5);
        }
    }),
    ("A ping sweep", "scan.ping-sweep", |s| {
        s.locality.prefixes.push(PREFIX);
        for last in 1..=9 {
            s.send(ping(AWAY, &format!("93.184.216.{last}")));
        }
    }),
    ("A scan of IP protocols", "scan.ip-protocol", |s| {
        for protocol in [2, 4, 41, 47, 50, 89, 132] {
            s.send(Packet::new(AWAY, HOME, protocol, Vec::new())).wait(1.0);
        }
    }),
    ("A research scanner", "research-scanner", |s| {
        for port in [22, 443, 5432] {
            s.send(syn("162.142.125.7", 40000, HOME, port)).wait(3600.0);
        }
    }),
    ("Mirai", "tool.mirai", |s| {
        for port in [23, 23, 2323] {
            s.send(syn(AWAY, 40000, HOME, port).sequence(u32::from(ip(HOME)))).wait(30.0);
        }
    }),
    ("ZMap", "tool.zmap", |s| {
        for port in [443, 8443] {
            s.send(syn(AWAY, 40000, HOME, port).id(54321)).wait(900.0);
        }
    }),
    ("masscan", "tool.masscan", |s| {
        for (port, sequence) in [(22, 0x1234_5678), (80, 0x9abc_def0)] {
            let id = (u32::from(ip(HOME)) ^ u32::from(port) ^ sequence) as u16;
            s.send(syn(AWAY, 40000, HOME, port).sequence(sequence).id(id).ttl(240).window(1024));
        }
    }),
    ("nmap", "tool.nmap", |s| {
        for port in [22, 80, 443, 8080] {
            s.send(syn(AWAY, 40000, HOME, port).window(1024).options(&[2, 4, 5, 180]).ttl(45));
        }
    }),
    ("nmap asks whether we are there", "tool.nmap-discovery", |s| {
        s.send(ping(AWAY, HOME)).send(syn(AWAY, 40000, HOME, 443)).send(tcp(AWAY, 40000, HOME, 80, ACK));
        s.send(icmp(AWAY, HOME, 13, 0, &[0; 16]));
    }),
    ("nmap asks for the system", "tool.nmap-os-detection", |s| {
        for probe in os_detection() {
            s.send(probe);
        }
    }),
    // Only the IPv4 address is known to be ours.
    ("The same over IPv6", "tool.nmap-os-detection", |s| {
        for probe in os_detection() {
            s.send(probe.over_ipv6(0x12345));
        }
    }),
    ("A share-hunting worm", "netbios.worm", |s| {
        s.send(udp(AWAY, 1025, HOME, 137, &[0; 50])).wait(2.0).send(syn(AWAY, 2000, HOME, 139));
    }),
    ("A worm that tries shares and web servers", "worm.file-sharing", |s| {
        for port in [139, 445, 80] {
            s.send(syn(AWAY, 2000, HOME, port)).wait(1.0);
        }
    }),
    ("The SQL worm, over an hour", "worm.mssql", |s| {
        for i in 0..6 {
            s.send(syn(&stranger(i), 2000, HOME, 1433)).wait(600.0);
        }
    }),
    ("A sharing network that remembers an address, over an hour", "leftover.p2p", |s| {
        for i in 0..8 {
            s.send(syn(&stranger(i), 40000, HOME, 51413)).wait(3.0);
            s.send(syn(&stranger(i), 40000, HOME, 51413)).wait(450.0);
        }
    }),
    ("Smurf", "pattern.smurf", |s| {
        s.locality.prefixes.push(PREFIX);
        for last in ["255", "0", "255", "255"] {
            s.send(ping(AWAY, &format!("93.184.216.{last}")));
        }
    }),
    ("Fraggle", "pattern.fraggle", |s| {
        s.locality.prefixes.push(PREFIX);
        for (last, port) in [(63, 7744), (128, 6537), (63, 29432), (191, 17367), (127, 17330)] {
            s.send(udp(AWAY, port, &format!("93.184.216.{last}"), 7, &[0; 20])).wait(0.5);
        }
    }),
    ("Answers to packets forged with our address", "backscatter.tcp", |s| {
        for port in [1201, 20111, 7777, 48000, 3001, 15000] {
            s.send(tcp(AWAY, 80, HOME, port, SYN | ACK)).wait(4.0);
        }
    }),
    ("A hunt for amplifiers", "amplifier.hunt", |s| {
        for port in [11211, 1900, 19] {
            s.send(udp(AWAY, 40000, HOME, port, &[0; 10])).wait(60.0);
        }
    }),
    ("Amplified answers arrive", "amplifier.answers", |s| {
        for i in 0..12 {
            s.send(udp(&stranger(i), 11211, HOME, 80, &[0; 1200]));
        }
    }),
    ("A flood from forged sources", "flood.forged-sources", |s| {
        for i in 0..3000 {
            s.send(syn(&stranger(i), 1024 + i as u16, HOME, 80)).wait(-0.009);
        }
    }),
    ("A flood from one source", "flood.syn", |s| {
        for i in 0..2000 {
            s.send(syn(AWAY, 1024 + i, HOME, 80)).wait(-0.009);
        }
    }),
    ("Datagrams in masses at a closed port", "flood.udp", |s| {
        for i in 0..4000 {
            let datagram = udp(AWAY, 40000, HOME, 9000, &[0; 64]);
            s.send(datagram.clone()).wait(-0.0095);
            if i % 1000 == 0 {
                s.send(error(HOME, 3, 3, &datagram)).wait(-0.01);
            }
        }
    }),
    ("Pings in masses", "flood.icmp", |s| {
        for _ in 0..5000 {
            s.send(ping(AWAY, HOME)).wait(-0.0098);
        }
    }),
    ("Acknowledgements in masses", "flood.ack", |s| {
        for i in 0..5000 {
            s.send(tcp(AWAY, 1024 + i, HOME, 80, ACK)).wait(-0.0099);
            s.send(tcp(HOME, 80, AWAY, 1024 + i, RST)).wait(-0.0099);
        }
    }),
    ("Echo replies that nobody asked for, in masses", "flood.echo-reply", |s| {
        for number in 0..5000 {
            s.send(icmp(&format!("198.19.7.{}", 1 + number % 20), HOME, 0, 0, &[0; 8])).wait(-0.0098);
        }
    }),
    ("A flood from one source among visitors", "flood.syn", a_flood_from_one_source_among_visitors),
    ("A flood from forged sources among visitors", "flood.forged-sources", a_flood_from_forged_sources_among_visitors),
    ("Visitors of a service that is down", "pattern.service-down", visitors_who_are_refused),
    ("Echo and chargen talk to each other", "loop.echo", |s| {
        for _ in 0..3 {
            s.send(udp(AWAY, 19, HOME, 7, &[0; 70])).send(udp(HOME, 7, AWAY, 19, &[0; 70]));
        }
    }),
    ("Fragments that overlap", "fragments.overlap", |s| {
        let piece = |offset, length, more| Packet::new(AWAY, HOME, 17, vec![0; length]).fragment(offset, more);
        s.send(piece(0, 40, true)).send(piece(24, 16, false));
    }),
];

/// What must not be found, because the evidence is missing or speaks against it.
pub const NEAR_MISSES: [(&str, &str, Fill); 11] = [
    ("Ident from a server that was never contacted", "pattern.ident-after-connect", |s| {
        s.connection(HOME, 40000, MAIL, 25).send(syn(ELSEWHERE, 51000, HOME, 113));
    }),
    ("Ident an hour after the mail", "pattern.ident-after-connect", |s| {
        s.connection(HOME, 40000, MAIL, 25).wait(3600.0).send(syn(MAIL, 51000, HOME, 113));
    }),
    ("A scan that borrows port 20", "pattern.ftp-active-data", |s| {
        for port in [22, 2632, 80, 2633, 443, 2634, 3306] {
            s.send(syn(FTP, 20, HOME, port));
        }
    }),
    ("FINs from port 80 to services", "pattern.late-fin", |s| stealthy(s, FIN)),
    ("Proxy ports, tried by a stranger while we chat", "pattern.irc-proxy-check", |s| {
        s.connection(HOME, 40000, CHAT, 6667).wait(20.0);
        proxy_ports(s, ELSEWHERE);
    }),
    ("The same ports from strangers, hours apart", "pattern.decoy-scan", |s| {
        for source in [AWAY, "185.60.112.9", "8.8.4.4", "9.9.9.9", "1.1.1.1"] {
            for port in [22, 80, 443, 3389] {
                s.send(syn(source, 50000, HOME, port));
            }
            s.wait(3600.0);
        }
    }),
    ("Strangers at a port of SubSeven", "leftover.p2p", |s| {
        for i in 0..10 {
            s.send(syn(&stranger(i), 40000, HOME, 1243)).wait(11.0);
        }
    }),
    ("A UDP scan of traceroute's ports", "pattern.traceroute", |s| {
        for i in 0..9 {
            s.send(udp(AWAY, 40000, HOME, 33464 + i, &[0; 32]).ttl(50));
        }
    }),
    ("The same knock every ten minutes", "scan.slow", |s| {
        for _ in 0..12 {
            s.send(syn(AWAY, 40000, HOME, 22)).wait(600.0);
        }
    }),
    ("One SYN with the identification 54321", "tool.zmap", |s| {
        s.send(syn(AWAY, 40000, HOME, 443).id(54321)).send(syn(AWAY, 40000, HOME, 443).id(54322));
    }),
    ("Copies of one fragment", "fragments.overlap", |s| {
        let piece = |offset, length, more| Packet::new(AWAY, HOME, 17, vec![0; length]).fragment(offset, more);
        s.send(piece(0, 40, true)).send(piece(0, 40, true)).send(piece(40, 16, false));
    }),
];

/// Deliveries of many files, a few seconds each.
fn deliveries(scenario: &mut Scenario) {
    for i in 0..12 {
        scenario.send(syn(FTP, 20, HOME, 2632 + i)).wait(4.0);
    }
}

fn late_ends(scenario: &mut Scenario, port: u16) {
    for i in 0..7 {
        scenario.send(tcp(AWAY, port, HOME, 2632 + i, FIN)).wait(15.0);
    }
}

fn proxy_ports(scenario: &mut Scenario, source: &str) {
    for port in [1080, 3128, 8080, 23, 8000, 8888] {
        scenario.send(syn(source, 50000, HOME, port)).wait(1.0);
    }
}

fn scan(scenario: &mut Scenario, pause: f64) {
    for port in SCAN {
        scenario.send(syn(AWAY, 40000 + port, HOME, port)).wait(pause);
    }
}

fn stealthy(scenario: &mut Scenario, flags: u8) {
    for port in [22, 80, 443, 3306, 110, 25, 8080] {
        scenario.send(tcp(AWAY, 40321, HOME, port, flags)).wait(0.1);
    }
}
