//! Ordinary traffic, in which nothing may be found that is more than background.

use annotator::finding::Recognition;

use crate::traffic::*;

const HOME: &str = "192.0.2.10";

/// Findings that worry nobody.
const CALM: [&str; 12] = [
    "pattern.port-probe",
    "pattern.ftp-active-data",
    "pattern.ident-after-connect",
    "pattern.irc-proxy-check",
    "pattern.late-fin",
    "pattern.related-host",
    "pattern.never-visited",
    "pattern.traceroute",
    "pattern.traceroute-own",
    "pattern.dns-low-source",
    "pattern.self",
    "leftover.p2p",
];

#[track_caller]
fn calm(found: &[Recognition]) {
    let loud: Vec<&Recognition> = found.iter().filter(|r| !CALM.contains(&r.id.as_str())).collect();
    assert!(loud.is_empty(), "{loud:#?}");
}

fn client(i: u32) -> String {
    let [_, b, c, d] = i.wrapping_mul(2_654_435_761).to_be_bytes();
    format!("{}.{b}.{c}.{}", 20 + i % 80, d.clamp(1, 250))
}

/// Runs the scenario as a capture and as what an interface sees of it.
#[track_caller]
fn calm_both_ways(fill: impl Fn(&mut Scenario)) {
    for mut scenario in [Scenario::default(), Scenario::at(&[HOME]), live_at(HOME)] {
        fill(&mut scenario);
        calm(&scenario.recognise());
    }
}

fn live_at(address: &str) -> Scenario {
    let mut scenario = Scenario::at(&[address]);
    scenario.live = true;
    scenario
}

#[test]
fn browsing() {
    calm_both_ways(|scenario| {
        for i in 0..300 {
            let server = client(i / 4);
            scenario.connection(HOME, 32768 + 53 * i as u16, &server, [443, 443, 80, 443][i as usize % 4]).wait(0.3);
        }
    });
}

#[test]
fn a_busy_web_server() {
    calm_both_ways(|scenario| {
        for i in 0..2000 {
            scenario.connection(&client(i), 1024 + i as u16, HOME, if i % 3 == 0 { 80 } else { 443 });
        }
    });
}

#[test]
fn a_gateway_with_many_clients_behind_it() {
    calm_both_ways(|scenario| {
        for i in 0..600 {
            scenario.connection("198.51.100.1", 1024 + 7 * i, HOME, [80, 443, 993, 587][usize::from(i % 4)]);
        }
    });
}

#[test]
fn mail_with_ident() {
    calm_both_ways(|scenario| {
        for i in 0..40 {
            let server = client(i);
            scenario.connection(HOME, 40000 + i as u16, &server, 25).send(syn(&server, 50000, HOME, 113));
            scenario.send(tcp(HOME, 113, &server, 50000, RST | ACK)).wait(5.0);
        }
    });
}

#[test]
fn a_transfer_of_many_files() {
    calm_both_ways(|scenario| {
        scenario.send(syn(HOME, 40000, "198.51.100.21", 21)).send(tcp("198.51.100.21", 21, HOME, 40000, SYN | ACK));
        for i in 0..200 {
            let port = 40001 + i;
            scenario.send(syn("198.51.100.21", 20, HOME, port)).send(tcp(HOME, port, "198.51.100.21", 20, SYN | ACK));
            scenario.send(tcp("198.51.100.21", 20, HOME, port, FIN | ACK)).wait(0.5);
        }
    });
}

#[test]
fn passive_transfers_from_a_server_here() {
    calm_both_ways(|scenario| {
        scenario.connection("198.51.100.5", 40000, HOME, 21);
        for i in 0..100 {
            scenario.connection("198.51.100.5", 40001 + i, HOME, 50000 + 13 * i);
        }
    });
}

#[test]
fn a_name_server() {
    calm_both_ways(|scenario| {
        for i in 0..1500 {
            let (asker, port) = (client(i % 300), 1024 + 31 * (i as u16 % 2000));
            scenario.send(udp(&asker, port, HOME, 53, &[0, 1, 1, 0, 0, 1, 0, 0]));
            scenario.send(udp(HOME, 53, &asker, port, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
            let server = client(5000 + i % 200);
            scenario.send(udp(HOME, 2000 + port / 2, &server, 53, &[0, 1, 1, 0, 0, 1, 0, 0]));
            scenario.send(udp(&server, 53, HOME, 2000 + port / 2, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
        }
    });
}

#[test]
fn a_peer_of_a_sharing_network() {
    calm_both_ways(|scenario| {
        for i in 0..400 {
            let peer = client(i);
            scenario.connection(&peer, 20000 + i as u16, HOME, 51413);
            scenario.connection(HOME, 33000 + i as u16, &client(9000 + i), 6881 + 17 * (i as u16 % 900));
            scenario.send(udp(&peer, 6881 + i as u16, HOME, 51413, &[0; 60]));
            scenario.send(udp(HOME, 51413, &peer, 6881 + i as u16, &[0; 60]));
        }
    });
}

#[test]
fn a_monitor() {
    calm_both_ways(|scenario| {
        for _ in 0..60 {
            scenario.send(ping("198.51.100.2", HOME)).send(icmp(HOME, "198.51.100.2", 0, 0, &[0; 32]));
            for port in [22, 25, 80, 443, 587, 993, 995, 110, 143, 5432] {
                scenario.connection("198.51.100.2", 40000 + port, HOME, port);
            }
            scenario.wait(60.0);
        }
    });
}

#[test]
fn streams_calls_and_games() {
    calm_both_ways(|scenario| {
        for i in 0..2000_u16 {
            scenario.send(udp("198.51.100.30", 443, HOME, 51000 + i % 3, &[0; 1200]));
            scenario.send(udp("198.51.100.31", 20000 + 2 * (i % 4), HOME, 30000 + 2 * (i % 4), &[0; 160]));
            scenario.send(udp("198.51.100.32", 27015, HOME, 27005, &[0; 200]));
            scenario.send(udp(&client(u32::from(i % 60)), 27005, HOME, 27015, &[0; 60]));
        }
    });
}

#[test]
fn neighbours_on_a_local_network() {
    calm_both_ways(|scenario| {
        for i in 2..40 {
            let host = format!("192.0.2.{i}");
            scenario.send(udp(&host, 137, "192.0.2.255", 137, &[0; 50])).send(udp(
                &host,
                138,
                "192.0.2.255",
                138,
                &[0; 150],
            ));
            scenario.send(udp(&host, 5353, "224.0.0.251", 5353, &[0; 40]));
            scenario.send(udp(&host, 50000, "239.255.255.250", 1900, &[0; 120])).send(ping(&host, "192.0.2.1"));
        }
    });
}

#[test]
fn chat_with_its_check_for_proxies() {
    calm_both_ways(|scenario| {
        scenario.connection(HOME, 40000, "198.51.100.60", 6667).send(syn("198.51.100.60", 50000, HOME, 113));
        for port in [1080, 23, 3128, 8080, 80, 6588] {
            scenario.send(syn("198.51.100.60", 50000 + port / 7, HOME, port));
        }
    });
}
