//! Rows about what many packets mean together.

use crate::frames::{Packet, STRANGER, US, datagram, flag, icmp, icmp_about, syn, tcp, udp};
use crate::single::node_status;
use crate::stimulus::Stimulus;

const SERVER: &str = "198.18.50.10";

/// Rows whose stimulus is a pattern; what a pattern only resembles is tested beside the recognisers.
pub fn table() -> Vec<Stimulus> {
    let mut table = Vec::new();
    lookalikes(&mut table);
    scans(&mut table);
    floods(&mut table);
    worms(&mut table);
    table
}

fn row(table: &mut Vec<Stimulus>, id: &'static str, packets: Vec<Packet>) {
    table.push(Stimulus { id, packets, near_miss: Vec::new() });
}

/// A host of its own number, each in another network.
fn host(number: u32) -> String {
    format!("198.{}.{}.{}", 20 + number % 30, number * 7 % 200, 10 + number % 200)
}

/// A connection that we open at a server: SYN, SYN-ACK, ACK.
fn handshake(server: &str, port: u16, at: f64) -> Vec<Packet> {
    vec![
        tcp(40001, port, flag::SYN, &[]).from(US).to(server).at(at),
        tcp(port, 40001, flag::SYN | flag::ACK, &[]).from(server).at(at + 0.02),
        tcp(40001, port, flag::ACK, &[]).from(US).to(server).at(at + 0.04),
    ]
}

fn lookalikes(table: &mut Vec<Stimulus>) {
    let mut ident = handshake(SERVER, 25, 0.0);
    ident.push(syn(113).from(SERVER).at(0.5));
    row(table, "pattern.ident-after-connect", ident);

    let mut transfer = handshake(SERVER, 21, 0.0);
    transfer.extend((0..6).map(|i| tcp(20, 2632 + i, flag::SYN, &[]).from(SERVER).at(1.0 + f64::from(i))));
    row(table, "pattern.ftp-active-data", transfer);

    let late = (0..6).map(|i| tcp(80, 41000 + i, flag::FIN | flag::ACK, &[]).from(SERVER).at(f64::from(i) * 20.0));
    row(table, "pattern.late-fin", late.collect());

    let mut related = handshake(SERVER, 80, 0.0);
    related.push(syn(8081).from("198.18.50.77").at(2.0));
    row(table, "pattern.related-host", related);

    let mut never = handshake(SERVER, 80, 0.0);
    never.extend(handshake("198.44.9.9", 80, 0.5));
    never.push(tcp(1025, 2632, flag::SYN, &[]).from("198.44.9.9").at(1.0));
    row(table, "pattern.never-visited", never);

    let mut chat = handshake(SERVER, 6667, 0.0);
    chat.extend([1080, 23, 80, 3128, 8080].map(|port| syn(port).from(SERVER)));
    row(table, "pattern.irc-proxy-check", chat);

    let twins = vec![
        udp(137, 137, &node_status()).from("192.168.7.7").ttl(116).identification(0x4001).at(0.0),
        udp(137, 137, &node_status()).from(STRANGER).ttl(116).identification(0x4002).at(0.001),
        udp(137, 137, &node_status()).from("192.168.7.7").ttl(116).identification(0x4003).at(1.5),
        udp(137, 137, &node_status()).from(STRANGER).ttl(116).identification(0x4004).at(1.501),
    ];
    row(table, "pattern.dual-homed", twins);

    let query = crate::single::dns(0x100, 1, 1, "example.com");
    row(table, "pattern.dns-low-source", (0..8).map(|i| udp(600 + i * 13, 53, &query)).collect());

    row(table, "pattern.self", vec![syn(80).from(US), syn(80).from(US)]);
    row(table, "pattern.port-probe", vec![syn(4661)]);
    let trace = (0..9_u16).map(|i| udp(41234, 33434 + i, &[0; 12]).ttl(1 + (i / 3) as u8)).collect();
    row(table, "pattern.traceroute", trace);

    let mut own: Vec<Packet> = (1..6_u32)
        .map(|hop| {
            let original = udp(50000, 33434 + hop as u16 * 3, &[0; 12]).from(US).to(SERVER);
            icmp_about(11, 0, original).from(&host(hop))
        })
        .collect();
    own.push(icmp_about(3, 3, udp(50000, 33460, &[0; 12]).from(US).to(SERVER)).from(SERVER));
    row(table, "pattern.traceroute-own", own);

    let peers = (0..20).map(|i| syn(46881).from(&host(i)).at(f64::from(i) * 3.0)).collect();
    row(table, "leftover.p2p", peers);
}

fn scans(table: &mut Vec<Stimulus>) {
    let ports = [21, 22, 23, 80, 443];
    let decoys = (0..12_u32).flat_map(|source| {
        ports.map(|port| syn(port).from(&host(source)).ttl(47).at(f64::from(source) * 0.01 + f64::from(port) * 0.002))
    });
    let mut decoys: Vec<Packet> = decoys.collect();
    decoys.sort_by(|a, b| a.time().unwrap_or_default().total_cmp(&b.time().unwrap_or_default()));
    row(table, "pattern.decoy-scan", decoys);

    let sscan = [1, 22, 23, 25, 53, 79, 110, 111, 143, 1114, 2766, 6000, 31337];
    row(table, "pattern.sscan", sscan.map(syn).to_vec());
    row(table, "pattern.proxy-scan", [80, 1080, 3128, 8000, 8080, 8888].map(syn).to_vec());

    let mut strange: Vec<Packet> = Vec::new();
    for number in 0..6_u32 {
        for port in [21, 23, 25] {
            let original = tcp(50000, port, flag::SYN, &[]).from(US).to(&host(number));
            strange.push(icmp_about(3, 3, original).from(&host(number)));
        }
    }
    row(table, "pattern.unreachable-unknown-host", strange);
}

fn floods(table: &mut Vec<Stimulus>) {
    let pings = (0..12_u8).map(|i| icmp(8, 0, &[0; 32]).to(if i % 2 == 0 { "198.19.1.255" } else { "198.19.2.255" }));
    row(table, "pattern.smurf", pings.collect());
    let ends = ["198.19.1.63", "198.19.1.127", "198.19.1.128", "198.19.1.191", "198.19.1.255"];
    row(table, "pattern.fraggle", ends.map(|end| datagram(7).to(end)).to_vec());
}

fn worms(table: &mut Vec<Stimulus>) {
    let shares = vec![udp(1026, 137, &node_status()).at(0.0), syn(139).at(1.0), syn(139).at(1.5), syn(445).at(1.6)];
    row(table, "netbios.worm", shares);
    row(table, "worm.file-sharing", vec![syn(139), syn(445), syn(80)]);
    row(table, "worm.mssql", (0..14).map(|i| syn(1433).from(&host(i))).collect());
}
