//! What networks are busy with besides people: tunnels, calls, upkeep, and the talk of neighbours.

use crate::catalogue::{HOME, PREFIX};
use crate::traffic::*;

const ROUTER: &str = "93.184.216.1";
const AWAY: &str = "116.90.231.77";
const EVERYBODY: &str = "255.255.255.255";

/// All of it, by what it is.
pub const EVERYDAY: [(&str, Fill); 28] = [
    ("Tunnels: WireGuard, OpenVPN, IPsec, GRE", tunnels),
    ("Browsing over QUIC", browsing_over_quic),
    ("A server that speaks QUIC", a_quic_server),
    ("Telephone calls by SIP and RTP", calls),
    ("Conferences by WebRTC", conferences),
    ("Conferences with a port for each stream", unbundled_conferences),
    ("Nodes of a cluster", nodes_of_a_cluster),
    ("Browsers that look for a way through translators", ways_through_translators),
    ("Peers of a sharing network, some of them dead", dead_peers),
    ("Connections from before the capture that their servers give up", older_connections),
    ("A node of a distributed hash table", a_node_of_a_hash_table),
    ("Addresses by DHCP", addresses_by_dhcp),
    ("Devices that send their logs", logs_of_devices),
    ("Files by NFS", files_by_nfs),
    ("A workstation in a Windows domain", a_domain_member),
    ("Names of neighbours by LLMNR, NetBIOS and mDNS", names_of_neighbours),
    ("Routers among themselves", routers),
    ("Routers that speak all there is", routers_of_a_backbone),
    ("Players on a game server here", players),
    ("Mail that comes and goes", mail),
    ("A balancer that looks whether we are well", a_balancer),
    ("Somebody here who pings and looks up", own_diagnosis),
    ("A public time server", a_public_time_server),
    ("A service that watches us from all over the world", a_watching_service),
    ("Checks of containers by their host", checks_of_containers),
    ("Strangers that a link in the news brings", a_link_in_the_news),
    ("Services elsewhere that are asked now and then", polled_services),
    ("Mail programs that look for the ports of their server", mail_programs),
];

fn both(scenario: &mut Scenario, (ours, our_port): (&str, u16), (theirs, port): (&str, u16), bytes: [usize; 2]) {
    scenario.send(udp(ours, our_port, theirs, port, &vec![0x5a; bytes[0]]).ttl(64));
    scenario.send(udp(theirs, port, ours, our_port, &vec![0xa5; bytes[1]]));
}

fn tunnels(scenario: &mut Scenario) {
    for i in 0..400 {
        both(scenario, (HOME, 51820), (AWAY, 51820), [if i % 100 == 0 { 148 } else { 1400 }, 92]);
        both(scenario, (HOME, 51820), (&crowd(i % 5), 40000 + i as u16 % 5), [120, 1400]);
        both(scenario, (HOME, 40001), ("116.90.231.78", 1194), [90, 1300]);
        both(scenario, (HOME, 4500), ("116.90.231.79", 4500), [140, 1400]);
        if i % 50 == 0 {
            both(scenario, (HOME, 500), ("116.90.231.79", 500), [400, 380]);
        }
        for protocol in [50, 47] {
            scenario.send(Packet::new(HOME, "116.90.231.80", protocol, vec![0x45; 200]));
            scenario.send(Packet::new("116.90.231.80", HOME, protocol, vec![0x45; 900]));
        }
    }
}

fn browsing_over_quic(scenario: &mut Scenario) {
    for i in 0..150 {
        let (server, port) = (crowd(i % 8), 33_000 + 7 * i as u16);
        for _ in 0..6 {
            both(scenario, (HOME, port), (&server, 443), [80, 1252]);
        }
    }
}

fn a_quic_server(scenario: &mut Scenario) {
    for i in 0..500 {
        let (client, port) = (crowd(i), 1024 + (i * 7919 % 64_000) as u16);
        scenario.send(udp(&client, port, HOME, 443, &[0xc3; 1200])).send(udp(HOME, 443, &client, port, &[0xc3; 1200]));
        scenario.send(udp(&client, port, HOME, 443, &[0x43; 60])).send(udp(HOME, 443, &client, port, &[0x43; 1200]));
    }
}

fn calls(scenario: &mut Scenario) {
    for call in 0..20 {
        both(scenario, (HOME, 5060), (AWAY, 5060), [700, 500]);
        for _ in 0..50 {
            both(scenario, (HOME, 16384 + 2 * call), (AWAY, 20000 + 4 * call), [172, 172]);
        }
        both(scenario, (HOME, 16385 + 2 * call), (AWAY, 20001 + 4 * call), [80, 80]);
    }
}

fn conferences(scenario: &mut Scenario) {
    for i in 0..40 {
        let (peer, port) = (crowd(i), 49152 + 131 * i as u16);
        both(scenario, (HOME, port), (AWAY, 3478), [20, 68]);
        for _ in 0..20 {
            both(scenario, (HOME, port), (&peer, 50000 + 211 * (i as u16 % 70)), [900, 900]);
        }
    }
}

fn unbundled_conferences(scenario: &mut Scenario) {
    let check = [&[0, 1, 0, 80, 0x21, 0x12, 0xa4, 0x42][..], &[0x5a; 92]].concat();
    for call in 0..3 {
        let peer = crowd(u32::from(call));
        for _ in 0..3 {
            for i in 0..16 {
                let port = 33_000 + 1709 * i + 401 * call;
                scenario.send(udp(&peer, 50_000 + call, HOME, port, &check));
                scenario.send(udp(HOME, port, &peer, 50_000 + call, &check));
            }
            scenario.wait(0.2);
        }
        scenario.wait(8.0);
    }
}

fn dead_peers(scenario: &mut Scenario) {
    for i in 0..120 {
        let (peer, port) = (stranger(i), if i % 2 == 0 { 6881 } else { 1024 + 311 * i as u16 });
        let question = udp(HOME, 51_413, &peer, port, b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t2:aa1:y1:qe");
        scenario.send(question.clone());
        match i % 6 {
            0 => scenario.send(error(&peer, 3, 3, &question)),
            _ => scenario.send(udp(&peer, port, HOME, 51_413, b"d1:rd2:id20:bbbbbbbbbbbbbbbbbbbbe1:t2:aa1:y1:re")),
        };
        scenario.wait(1.0);
    }
}

/// Each with a port of its own, over connections whose data is not sampled, and which the peer gives up at the end.
fn nodes_of_a_cluster(scenario: &mut Scenario) {
    let timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];
    for node in 0..3 {
        for i in 0..20 {
            let (peer, mine, port) = (crowd(node), 40_000 + i, 33_000 + 701 * i + node as u16);
            let out = |flags| tcp(&peer, mine, HOME, port, flags).options(&timestamps);
            let back = |flags| tcp(HOME, port, &peer, mine, flags).options(&timestamps);
            scenario.send(out(SYN)).send(back(SYN | ACK)).send(out(ACK));
            for _ in 0..8 {
                scenario.send(with_data(out(PSH | ACK))).send(with_data(back(PSH | ACK)));
            }
            scenario.send(out(RST));
        }
    }
}

/// Behind a translator that takes client ports from everywhere.
fn ways_through_translators(scenario: &mut Scenario) {
    for i in 0..60 {
        both(scenario, (HOME, 1024 + 977 * i), (AWAY, 19_302), [20, 32]);
    }
}

fn older_connections(scenario: &mut Scenario) {
    for i in 0..6 {
        let server = stranger(40 + u32::from(i));
        scenario.connection(HOME, 40_000 + i, &stranger(i.into()), 443).wait(20.0);
        scenario.send(tcp(&server, 443, HOME, 33_000 + 1709 * i, RST | ACK).sequence(0x5eed_0001)).wait(9.0);
    }
}

fn a_node_of_a_hash_table(scenario: &mut Scenario) {
    for i in 0..1500 {
        let (node, port) = (crowd(i * 3 % 1100), 1024 + (i * 6151 % 64_000) as u16);
        let question = udp(&node, port, HOME, 6881, b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t2:aa1:y1:qe");
        match i % 4 {
            0 => both(scenario, (HOME, 6881), (&node, port), [100, 300]),
            1 => _ = scenario.send(question),
            2 => _ = scenario.send(question).send(udp(HOME, 6881, &node, port, &[b'd'; 60])),
            _ => {
                let dead = udp(HOME, 6881, &node, port, &[b'd'; 60]);
                scenario.send(dead.clone()).send(error(&node, 3, 3, &dead));
            }
        }
    }
}

fn addresses_by_dhcp(scenario: &mut Scenario) {
    scenario.locality.prefixes.push(PREFIX);
    for _ in 0..20 {
        scenario.send(udp("0.0.0.0", 68, EVERYBODY, 67, &[1; 300]).ttl(64));
        scenario.send(udp(ROUTER, 67, EVERYBODY, 68, &[2; 300]).ttl(64)).wait(3.0);
        scenario.send(udp(HOME, 68, ROUTER, 67, &[1; 300]).ttl(64));
        scenario.send(udp(ROUTER, 67, HOME, 68, &[2; 300]).ttl(64)).wait(600.0);
    }
}

fn logs_of_devices(scenario: &mut Scenario) {
    scenario.locality.prefixes.push(PREFIX);
    for i in 0..600 {
        let device = format!("93.184.216.{}", 100 + i % 20);
        scenario.send(udp(&device, 514, HOME, 514, b"<134>Oct 11 22:14:15 switch port 3 up").ttl(64));
        scenario.send(udp(&device, 40000 + i % 20, HOME, 514, b"<134>Oct 11 22:14:15 switch port 3 up").ttl(64));
        scenario.send(udp(&device, 40000 + i % 20, HOME, 162, &[0x30; 90]).ttl(64)).wait(1.0);
    }
}

fn files_by_nfs(scenario: &mut Scenario) {
    scenario.locality.prefixes.push(PREFIX);
    for i in 0..60 {
        let client = format!("93.184.216.{}", 20 + i % 6);
        for (port, service) in [(700, 111), (701, 20048), (702, 2049)] {
            scenario.send(udp(&client, port + i, HOME, service, &[0; 80]).ttl(64));
            scenario.send(udp(HOME, service, &client, port + i, &[0; 60]).ttl(64));
        }
        scenario.connection(&client, 800 + i, HOME, 2049).connection(&client, 900 + i, HOME, 111);
        let mut first = udp(&client, 702, HOME, 2049, &[0; 1472]).id(1000 + i).fragment(0, true);
        first.body[4..6].copy_from_slice(&4440_u16.to_be_bytes());
        let rest = |offset, more| Packet::new(&client, HOME, 17, vec![0; 1480]).id(1000 + i).fragment(offset, more);
        scenario.send(first).send(rest(1480, true)).send(rest(2960, false)).wait(1.0);
    }
}

fn a_domain_member(scenario: &mut Scenario) {
    scenario.locality.prefixes.push(PREFIX);
    let controller = "93.184.216.5";
    for i in 0..60_u16 {
        both(scenario, (HOME, 50000 + i), (controller, 53), [40, 200]);
        both(scenario, (HOME, 51000 + i), (controller, 389), [120, 180]);
        both(scenario, (HOME, 52000 + i), (controller, 88), [300, 1200]);
        for (k, port) in [88, 135, 389, 445, 49670].into_iter().enumerate() {
            scenario.connection(HOME, 53000 + 8 * i + k as u16, controller, port);
        }
        scenario.connection("93.184.216.40", 50000 + i, HOME, 445).connection("93.184.216.41", 50000 + i, HOME, 3389);
        scenario.wait(10.0);
    }
}

fn names_of_neighbours(scenario: &mut Scenario) {
    scenario.locality.prefixes.push(PREFIX);
    for i in 0..200 {
        let host = format!("93.184.216.{}", 20 + i % 50);
        scenario.send(udp(&host, 50000 + i, "224.0.0.252", 5355, &[0; 30]).ttl(1));
        scenario.send(udp(&host, 5353, "224.0.0.251", 5353, &[0; 80]).ttl(255));
        scenario.send(udp(&host, 137, "93.184.216.255", 137, &[0; 50]).ttl(128));
        scenario.send(udp(&host, 50001 + i, "239.255.255.250", 3702, &[b'<'; 600]).ttl(1));
        scenario.send(udp(&host, 17500, EVERYBODY, 17500, &[b'{'; 150]).ttl(128));
        scenario.send(udp(&host, 5353, HOME, 5353, &[0x84; 200]).ttl(255));
        scenario.send(udp(&host, 5355, HOME, 50123, &[0x84; 60]).ttl(64));
        scenario.send(udp(&host, 137, HOME, 137, &[0x85; 60]).ttl(128));
    }
}

fn routers(scenario: &mut Scenario) {
    scenario.locality.prefixes.push(PREFIX);
    for _ in 0..100 {
        scenario.send(Packet::new(ROUTER, "224.0.0.18", 112, vec![0x21; 20]).ttl(255));
        scenario.send(Packet::new(ROUTER, "224.0.0.5", 89, vec![2; 44]).ttl(1));
        scenario.send(Packet::new(ROUTER, "224.0.0.1", 2, vec![0x11; 8]).ttl(1));
        scenario.send(Packet::new("93.184.216.20", "224.0.0.251", 2, vec![0x16; 8]).ttl(1));
        scenario.send(Packet::new(ROUTER, "224.0.0.13", 103, vec![0x20; 30]).ttl(1));
        scenario.send(udp(ROUTER, 520, "224.0.0.9", 520, &[2; 24]).ttl(1)).wait(1.0);
    }
}

fn routers_of_a_backbone(scenario: &mut Scenario) {
    scenario.locality.prefixes.push(PREFIX);
    for _ in 0..20 {
        for protocol in [4, 41, 46, 47, 50, 89, 103, 115] {
            scenario.send(Packet::new(ROUTER, HOME, protocol, vec![0x45; 60]).ttl(255));
            scenario.send(Packet::new(HOME, ROUTER, protocol, vec![0x45; 60]).ttl(255));
        }
        scenario.wait(10.0);
    }
}

fn players(scenario: &mut Scenario) {
    for i in 0..400 {
        let player = crowd(i);
        for _ in 0..10 {
            scenario.send(udp(&player, 27005 + i as u16 % 7, HOME, 27015, &[0; 60])).wait(-0.009);
            scenario.send(udp(HOME, 27015, &player, 27005 + i as u16 % 7, &[0; 200])).wait(-0.009);
        }
        scenario.connection(&player, 50000 + i as u16, HOME, 25565);
        scenario.send(udp(&crowd(5000 + i), 40000 + i as u16, HOME, 27015, b"\xff\xff\xff\xffTSource Engine Query\0"));
    }
}

fn mail(scenario: &mut Scenario) {
    for i in 0..200 {
        let server = crowd(i);
        scenario.connection(&server, 30000 + i as u16, HOME, 25).connection(HOME, 35000 + i as u16, &server, 25);
        let client = crowd(1000 + i % 9);
        for port in [993, 587, 465, 143] {
            scenario.connection(&client, 40000 + i as u16, HOME, port);
        }
        scenario.send(syn(&client, 41000 + i as u16, HOME, 995)).send(tcp(
            HOME,
            995,
            &client,
            41000 + i as u16,
            RST | ACK,
        ));
    }
}

fn a_balancer(scenario: &mut Scenario) {
    scenario.locality.prefixes.push(PREFIX);
    for i in 0..300 {
        let balancer = "93.184.216.3";
        for port in [80, 443, 8080] {
            let there = |flags| tcp(balancer, 20000 + i, HOME, port, flags).ttl(64);
            scenario.send(there(SYN)).send(tcp(HOME, port, balancer, 20000 + i, SYN | ACK)).send(there(RST));
        }
        scenario.send(ping(balancer, HOME)).send(icmp(HOME, balancer, 0, 0, &[0; 32])).wait(2.0);
    }
}

fn own_diagnosis(scenario: &mut Scenario) {
    for i in 0..40 {
        let target = crowd(i);
        scenario.send(ping(HOME, &target)).send(icmp(&target, HOME, 0, 0, &[0; 32]));
        for ttl in 1..6 {
            let probe = udp(HOME, 40000, &target, 33434 + u16::from(ttl), &[0; 32]).ttl(ttl);
            scenario.send(probe.clone());
            match ttl {
                5 => scenario.send(error(&target, 3, 3, &probe)),
                hop => scenario.send(error(&format!("185.60.112.{hop}"), 11, 0, &probe)),
            };
        }
    }
}

fn a_public_time_server(scenario: &mut Scenario) {
    for i in 0..3000 {
        let (client, port) = (crowd(i), if i % 2 == 0 { 123 } else { 1024 + (i * 7919 % 64_000) as u16 });
        scenario.send(udp(&client, port, HOME, 123, &[0x23; 48])).wait(-0.008);
        scenario.send(udp(HOME, 123, &client, port, &[0x24; 48])).wait(-0.009);
    }
}

fn a_watching_service(scenario: &mut Scenario) {
    for round in 0..16 {
        for i in 0..12 {
            let place = crowd(100 + i);
            for port in [22, 443, 3306, 5432, 6379, 8080] {
                let own = 30000 + 64 * round + 2 * i as u16;
                scenario.send(syn(&place, own, HOME, port));
                if port == 6379 {
                    scenario.send(tcp(HOME, port, &place, own, RST | ACK));
                } else {
                    scenario.send(tcp(HOME, port, &place, own, SYN | ACK)).send(tcp(&place, own, HOME, port, RST));
                }
            }
        }
        scenario.wait(58.0);
    }
}

fn checks_of_containers(scenario: &mut Scenario) {
    for round in 0..10 {
        for port in 9100..9130 {
            let own = 32768 + 31 * round + port % 30;
            scenario.send(syn("93.184.216.4", own, HOME, port).ttl(64));
            scenario.send(tcp(HOME, port, "93.184.216.4", own, RST | ACK));
        }
        scenario.wait(15.0);
    }
}

fn polled_services(scenario: &mut Scenario) {
    for i in 0..60 {
        for (k, service) in [1812, 3544, 6969, 7777, 27015, 41641, 47808].into_iter().enumerate() {
            let (server, port) = (crowd(k as u32), 32_768 + ((i * 7 + k as u32) * 7919 % 27_000) as u16);
            both(scenario, (HOME, port), (&server, service), [60, 100]);
        }
        scenario.wait(20.0);
    }
}

fn mail_programs(scenario: &mut Scenario) {
    for i in 0..12 {
        let program = crowd(i);
        for (k, port) in [993, 143, 995, 110, 465, 587, 25].into_iter().enumerate() {
            let own = 50_000 + k as u16;
            if matches!(port, 993 | 587) {
                scenario.connection(&program, own, HOME, port);
            } else {
                scenario.send(syn(&program, own, HOME, port)).send(tcp(HOME, port, &program, own, RST | ACK));
            }
        }
        scenario.wait(120.0);
    }
}

/// Some leave at once, others keep their connection; on the way here all are given the same TTL.
fn a_link_in_the_news(scenario: &mut Scenario) {
    let timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];
    for i in 0..600_u32 {
        let visitor =
            format!("{}.{}.7.{}", [5, 31, 46, 62, 77, 81, 91, 109, 151, 178][i as usize % 10], i / 10, 1 + i % 250);
        let port = 1024 + (i * 7919 % 64_000) as u16;
        let there = |flags| tcp(&visitor, port, HOME, 443, flags).options(&timestamps).dont_fragment();
        let back = |flags| tcp(HOME, 443, &visitor, port, flags).options(&timestamps).dont_fragment();
        scenario.send(there(SYN)).send(back(SYN | ACK)).send(there(ACK));
        for _ in 0..4 {
            scenario.send(with_data(there(PSH | ACK))).send(with_data(back(PSH | ACK)));
        }
        if i % 3 == 0 {
            scenario.send(there(FIN | ACK)).send(back(FIN | ACK)).send(there(ACK));
        }
        scenario.wait(if i % 3 == 0 { -0.137 } else { -0.107 });
    }
}
