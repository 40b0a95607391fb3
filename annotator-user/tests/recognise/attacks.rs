//! Worms, floods, amplifiers, loops, fragments, and what reaches bystanders.

use annotator::counters::PortProto;
use annotator::finding::{Confidence, Finding, Verdict};
use annotator::observation::Moment;
use annotator::outbound::Outbound;

use crate::traffic::*;
use crate::watched::{any_question, snmp};

const HOME: &str = "93.184.216.10";
const AWAY: &str = "116.90.231.66";

#[test]
fn share_worms_look_up_the_name_first() {
    let mut scenario = Scenario::live();
    scenario.send(udp(AWAY, 1025, HOME, 137, &[0; 50])).wait(2.0).send(syn(AWAY, 2000, HOME, 139));
    one(&scenario.recognise(), "netbios.worm");
    let mut lookup = Scenario::live();
    lookup.send(udp(AWAY, 137, HOME, 137, &[0; 50])).send(udp(AWAY, 137, HOME, 137, &[0; 50]));
    none(&lookup.recognise(), "netbios.worm");
    let mut neighbour = Scenario::live();
    neighbour.send(udp("192.168.1.5", 137, "192.168.1.9", 137, &[0; 50])).send(syn(
        "192.168.1.5",
        2000,
        "192.168.1.9",
        445,
    ));
    none(&neighbour.recognise(), "netbios.worm");
}

#[test]
fn windows_neighbours_look_for_shares() {
    let neighbour = |hosts: u8| {
        let mut scenario = Scenario::default();
        for host in 0..hosts {
            let target = format!("192.168.7.{}", 20 + host);
            scenario.send(udp("192.168.7.9", 137, &target, 137, &[0; 50]).ttl(128));
            for port in [445, 139, 80] {
                scenario.send(syn("192.168.7.9", 50000 + port, &target, port).ttl(128));
                scenario.send(tcp(&target, port, "192.168.7.9", 50000 + port, RST | ACK)).wait(1.0);
            }
        }
        scenario.recognise()
    };
    none(&neighbour(2), "worm.file-sharing");
    assert!(ids(&neighbour(8)).contains(&"worm.file-sharing"));
}

#[test]
fn share_worms_try_shares_and_web_servers() {
    let mut scenario = Scenario::live();
    for port in [139, 445, 80] {
        scenario.send(syn(AWAY, 2000, HOME, port));
    }
    one(&scenario.recognise(), "worm.file-sharing");
    let mut server = Scenario::live().listening(&[80, 139, 445]);
    for port in [139, 445, 80] {
        server.send(syn(AWAY, 2000, HOME, port));
    }
    assert!(server.recognise().is_empty());
    let mut web = Scenario::live().listening(&[80]);
    for port in [139, 445, 80] {
        web.send(syn(AWAY, 2000, HOME, port));
    }
    web.send(tcp(AWAY, 2000, HOME, 80, ACK)).send(with_data(tcp(AWAY, 2000, HOME, 80, PSH | ACK)));
    one(&web.recognise(), "worm.file-sharing");
}

#[test]
fn the_sql_worm_has_many_sources() {
    let sources = |number: u32| {
        let mut scenario = Scenario::live();
        for i in 0..number {
            scenario.send(syn(&stranger(i), 2000, HOME, 1433));
        }
        scenario.recognise()
    };
    one(&sources(6), "worm.mssql");
    none(&sources(2), "worm.mssql");
    // It draws its targets by lot, so that each of a site's hosts meets other sources.
    let over_site = |hosts_of_each: u32| {
        let mut scenario = Scenario::live();
        for i in 0..40 {
            for j in 0..hosts_of_each {
                scenario.send(syn(&stranger(i), 2000, &format!("93.184.216.{}", 20 + i * 7 % 100 + j), 1433)).wait(3.0);
            }
        }
        scenario.recognise()
    };
    assert_eq!(one(&over_site(2), "worm.mssql").packets, 80);
    none(&over_site(6), "worm.mssql");
}

#[test]
fn a_worm_that_leaves_is_not_told_as_one_that_arrives() {
    let worm: Vec<u8> = [4].into_iter().chain([1; 375]).collect();
    let told = |mut scenario: Scenario, source: &str, target: &str| {
        scenario.send(udp(source, 1100, target, 1434, &worm));
        scenario.findings().into_iter().find(|finding| finding.id.starts_with("worm.slammer")).expect("it is a worm")
    };
    let left = |finding: &Finding| finding.evidence.iter().any(|line| line.contains("sent from here"));
    let here = told(Scenario::at(&[HOME]), HOME, AWAY);
    assert_eq!((here.id.as_str(), left(&here)), ("worm.slammer.from-here", true));
    let neighbour = told(Scenario::live(), "192.168.7.20", AWAY);
    assert_eq!((neighbour.id.as_str(), left(&neighbour)), ("worm.slammer.from-here", false));
    let arrives = told(Scenario::at(&[HOME]), AWAY, HOME);
    assert_eq!((arrives.id.as_str(), left(&arrives)), ("worm.slammer", false));
}

#[test]
fn a_sharing_network_remembers_an_address() {
    let knocks = |port: u16, listening: &[u16]| {
        let mut scenario = Scenario::live().listening(listening);
        for i in 0..8 {
            scenario.send(syn(&stranger(i), 40000, HOME, port)).wait(3.0).send(syn(&stranger(i), 40000, HOME, port));
        }
        scenario.recognise()
    };
    let found = knocks(51413, &[22]);
    assert_eq!(one(&found, "leftover.p2p").explains.len(), 16);
    none(&knocks(51413, &[51413]), "leftover.p2p");
    none(&knocks(3389, &[22]), "leftover.p2p");
    // Neighbours may share the work of a scan.
    let mut few = Scenario::live().listening(&[22]);
    for i in 0..6 {
        few.send(syn(&format!("116.90.{}.66", 231 + i), 40000, HOME, 51413)).wait(90.0);
    }
    let sure = |scenario: &Scenario| one(&scenario.recognise(), "leftover.p2p").confidence;
    assert_eq!([found[0].confidence, sure(&few)], [Some(Confidence::Likely), Some(Confidence::Possible)]);
    // A service that was away for a moment.
    let mut started = Scenario::at(&[HOME]);
    for i in 0..8 {
        started.send(syn(&stranger(i), 40000, HOME, 5222)).send(tcp(HOME, 5222, &stranger(i), 40000, RST | ACK));
    }
    assert_eq!(ids(&started.recognise()), ["leftover.p2p"]);
    started.connection(&stranger(0), 40001, HOME, 5222);
    assert!(started.recognise().is_empty());
}

#[test]
fn ports_that_have_an_entry_keep_it_however_many_want_them() {
    for (port, id) in [(1243, "port.1243"), (13223, "port.13223"), (54283, "trojan.54283"), (1100, "port.remapped")] {
        let mut scenario = Scenario::live();
        for i in 0..10 {
            scenario.send(syn(&stranger(i), 40000, HOME, port)).wait(11.0);
        }
        let findings = scenario.findings();
        let told = findings
            .iter()
            .find(|one| one.id == id || one.also.iter().any(|also| also == id))
            .unwrap_or_else(|| panic!("no {id} among {findings:#?}"));
        assert_eq!(told.packets, 10);
        assert!(!findings.iter().any(|one| one.id == "leftover.p2p"), "{findings:#?}");
    }
}

#[test]
fn unreachables_from_strangers_are_about_a_scan_of_someone_else() {
    let mut scenario = Scenario::default();
    scenario.connection(HOME, 50000, "185.60.112.80", 443);
    for port in [161, 53, 69, 514, 161] {
        scenario.send(error(AWAY, 3, 3, &udp(HOME, 40000, AWAY, port, &[0; 8])));
    }
    let found = scenario.recognise();
    assert_eq!(one(&found, "pattern.unreachable-unknown-host").confidence, Some(Confidence::Likely));
    let mut ours = Scenario::default();
    for port in [161, 69, 514] {
        let question = udp(HOME, 40000, AWAY, port, &[0; 8]);
        ours.send(question.clone()).send(error(AWAY, 3, 3, &question));
    }
    none(&ours.recognise(), "pattern.unreachable-unknown-host");
    // Ours to who scans us, in a capture of ICMP alone.
    let mut leaving = Scenario::at(&[HOME]);
    for port in [161, 69, 514] {
        leaving.send(error(HOME, 3, 3, &udp(AWAY, 40000, HOME, port, &[0; 8])));
    }
    none(&leaving.recognise(), "pattern.unreachable-unknown-host");
    // About a traceroute of ours, by a firewall that does not say "port unreachable".
    let mut traced = Scenario::live();
    for port in 33437..33440 {
        traced.send(error(AWAY, 3, 10, &udp(HOME, 40000, AWAY, port, &[0; 32])));
    }
    none(&traced.recognise(), "pattern.unreachable-unknown-host");
}

/// As far as the samples tell: what the quoted packets want, whether we are seen to send, and what else the host sends.
#[test]
fn complaints_of_one_host() {
    let complaints = |heard: bool, quoted: fn(u16) -> Packet, ports: &[u16]| {
        let mut scenario = Scenario::at(&[HOME]);
        scenario.send(syn(AWAY, 4000, HOME, 22));
        if heard {
            scenario.connection(HOME, 50000, "185.60.112.80", 443);
        }
        for port in ports {
            scenario.send(error(AWAY, 3, 3, &quoted(*port)));
        }
        let found = scenario.recognise();
        let told = found.iter().find(|one| one.id != "pattern.port-probe");
        told.map_or_else(String::new, |told| format!("{} {:?}", told.id, told.confidence))
    };
    let scan: fn(u16) -> Packet = |port| udp(HOME, 40000, AWAY, port, &[0; 8]);
    let flood: fn(u16) -> Packet = |port| udp(HOME, port, AWAY, 80, &[0; 8]);
    assert_eq!(complaints(true, scan, &[161, 69, 514]), "pattern.unreachable-unknown-host Some(Likely)");
    assert_eq!(complaints(false, scan, &[161, 69, 514]), "pattern.unreachable-unknown-host Some(Possible)");
    assert_eq!(complaints(true, scan, &[80, 443, 8080]), "pattern.unreachable-unknown-host Some(Likely)");
    assert_eq!(complaints(false, scan, &[80, 443, 8080]), "");
    assert_eq!(complaints(true, flood, &[40001, 40002, 40003]), "backscatter.icmp None");
}

#[test]
fn unreachables_from_many_strangers() {
    let mut scenario = Scenario::live();
    for (i, port) in [21, 23, 25, 110, 143].into_iter().enumerate() {
        let target = format!("185.60.112.{}", i + 1);
        scenario.send(error(&target, 3, 3, &tcp(HOME, 40000, &target, port, SYN)));
    }
    assert_eq!(one(&scenario.recognise(), "pattern.unreachable-unknown-host").confidence, Some(Confidence::Possible));
    let mut dead = Scenario::live();
    for (host, port) in [("185.60.112.1", 22), ("116.90.231.1", 3306)] {
        dead.send(error(host, 3, 1, &syn(HOME, 40000 + port, host, port)));
    }
    assert!(dead.recognise().is_empty());
    let mut peers = Scenario::live();
    for i in 1..9 {
        let peer = format!("185.60.112.{i}");
        peers.send(udp(&peer, 6881 + i, HOME, 51413, &[0; 60]));
        peers.send(error(&peer, 3, 3, &udp(HOME, 51413, &peer, 6881 + i, &[0; 60])));
    }
    assert!(peers.recognise().is_empty());
}

#[test]
fn unreachables_about_one_silent_port_of_ours() {
    let complaints = |protocol: u8, port: fn(u16) -> u16, hosts: u16, alive: bool| {
        let mut scenario = Scenario::live();
        for i in 0..20 {
            let target = stranger(u32::from(i % hosts));
            let about = match protocol {
                6 => tcp(HOME, 45000, &target, port(i), SYN),
                _ => udp(HOME, 45000, &target, port(i), &[0; 8]),
            };
            scenario.send(error(&target, 3, if protocol == 6 { 1 } else { 3 }, &about)).wait(0.5);
        }
        if alive {
            scenario.send(udp(AWAY, 6881, HOME, 45000, &[0; 60])).send(tcp(AWAY, 6881, HOME, 45000, SYN | ACK));
        }
        scenario.recognise().into_iter().filter(|one| one.id == "pattern.unreachable-unknown-host").collect::<Vec<_>>()
    };
    let alternating = |i: u16| [111, 6000][usize::from(i % 2)];
    for protocol in [6, 17] {
        for port in [alternating, |i| 1000 + 311 * i] {
            let found = complaints(protocol, port, 20, false);
            assert_eq!(one(&found, "pattern.unreachable-unknown-host").packets, 20);
        }
        assert!(complaints(protocol, |i| 1000 + 311 * i, 20, true).is_empty(), "a program that somebody answers");
        assert!(complaints(protocol, |_| 6881, 20, false).is_empty(), "one service of many hosts");
    }
}

#[test]
fn late_answers_of_our_name_server_are_no_decoys() {
    let mut scenario = Scenario::live();
    for port in [40001, 40002, 40003, 40004] {
        scenario.send(error(AWAY, 3, 3, &udp(HOME, 53, AWAY, port, &[0; 8])));
    }
    assert!(scenario.recognise().is_empty());
}

#[test]
fn backscatter_goes_where_no_client_was() {
    let mut scenario = Scenario::live();
    for port in [1201, 20111, 7777, 48000, 3001, 15000] {
        scenario.send(tcp(AWAY, 80, HOME, port, SYN | ACK));
    }
    let found = scenario.recognise();
    let evidence = one(&found, "backscatter.tcp").evidence.join(" ");
    assert!(evidence.starts_with(&format!("SYN-ACKs come from port 80 of {AWAY}, ")), "{evidence}");
    assert!(evidence.contains(" 6 destination ports, in order of arrival: 1201, 20111, "), "{evidence}");
    assert_eq!(found.len(), 1, "{found:#?}");
    let mut clients = Scenario::live();
    for port in [40000, 40010, 51000, 52000] {
        clients.send(tcp(AWAY, 443, HOME, port, SYN | ACK));
    }
    assert!(clients.recognise().is_empty());
    // No client has asked from so many addresses at once.
    let mut telescope = Scenario::live();
    for last in 10..16 {
        telescope.send(tcp(AWAY, 443, &format!("93.184.216.{last}"), 40_000, SYN | ACK));
        telescope.send(udp(
            "185.60.112.80",
            53,
            &format!("93.184.216.{last}"),
            40_000,
            &[0, 1, 0x81, 0x82, 0, 1, 0, 0],
        ));
    }
    assert_eq!(ids(&telescope.recognise()), ["backscatter.dns", "backscatter.tcp"]);
    // A resolver that finds what it is asked for serves them all.
    let mut office = Scenario::live();
    for i in 0..60 {
        let client = format!("93.184.216.{}", 10 + i % 6);
        office.send(udp("185.60.112.80", 53, &client, 40_000 + 7 * i, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
    }
    assert!(office.recognise().is_empty());
    let mut bombed = Scenario::live();
    for i in 0..60 {
        let client = format!("93.184.216.{}", 10 + i % 6);
        let answer = [&[0, 1, 0x81, 0x80, 0, 1, 0, 9][..], &[7; 1200]].concat();
        bombed.send(udp("185.60.112.80", 53, &client, 40_000 + 7 * i, &answer));
    }
    assert!(!bombed.recognise().is_empty());
    let mut high = Scenario::live();
    for port in [35080, 11092, 46048, 60312, 55381, 2656, 64092, 56809, 48094, 40001] {
        high.send(tcp(AWAY, 80, HOME, port, SYN | ACK));
    }
    assert_eq!(one(&high.recognise(), "backscatter.tcp").confidence, Some(Confidence::Possible));
    for port in [35080, 11092, 46048, 60312, 55381, 2656, 64092] {
        high.send(with_data(tcp(AWAY, 80, HOME, port, PSH | ACK)));
    }
    assert!(high.recognise().is_empty(), "these go on");
    // Whoever is seen to send would be seen to ask.
    let mut heard = Scenario::at(&[HOME]);
    heard.send(udp(HOME, 40_000, "9.9.9.9", 53, &[0; 30]));
    for port in [40_000, 40_010, 51_000, 52_000] {
        heard.send(tcp(AWAY, 443, HOME, port, SYN | ACK)).send(tcp(AWAY, 443, HOME, port + 1, RST | ACK).sequence(0));
    }
    let found = heard.recognise();
    let answers = one(&found, "backscatter.tcp");
    assert_eq!(answers.confidence, Some(Confidence::Likely));
    assert!(
        answers.evidence.iter().any(|line| line.starts_with("Of those sampled 4 SYN-ACKs and 4 resets")),
        "{answers:#?}"
    );
    // A host that sends datagrams, and no question to any name server, is answered what somebody else asked.
    for (sends, is_told) in [(1, true), (8, false), (400, false)] {
        let mut server = Scenario::at(&[HOME]).behind_much();
        for i in 0..400 {
            let port = 20_000 + 97 * i;
            server.connection(&crowd(i.into()), port, HOME, 443);
            if i % sends == 0 && sends < 400 {
                server.send(udp(&crowd(i.into()), port, HOME, 443, &content(i.into(), 60)));
                server.send(udp(HOME, 443, &crowd(i.into()), port, &content(i.into(), 60)));
            }
            if i % 4 == 0 {
                server.send(udp(AWAY, 53, HOME, 1201 + 131 * i, &[0, 1, 0x81, 0x82, 0, 1, 0, 0]));
            }
        }
        assert_eq!(ids(&server.recognise()).contains(&"backscatter.dns"), is_told, "{sends}");
    }
    // One packet in our name makes nothing known of what we ask.
    let mut resolver = Scenario::live_at(&[HOME]);
    resolver.live = false;
    resolver.send(syn(HOME, 80, HOME, 80));
    for i in 0..200_u16 {
        resolver.send(udp(&crowd(i.into()), 40_000, HOME, 53, &[0, 1, 1, 0, 0, 1, 0, 0]));
        for server in 0..2 {
            let server = stranger(u32::from(i) / 10 + server);
            resolver.send(udp(&server, 53, HOME, 20_000 + 97 * i, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
        }
    }
    none(&resolver.recognise(), "backscatter.dns");
    // Of a host whose few questions are answered by another, a thousand answers are to somebody else's.
    let mut visited = Scenario::at(&[HOME]);
    for i in 0..900_u16 {
        visited.connection(&crowd(i.into()), 40_000, HOME, 443);
        if i % 300 == 0 {
            let (asks, answers) = ([0, 1, 1, 0, 0, 1, 0, 0], [0, 1, 0x81, 0x80, 0, 1, 0, 1]);
            visited.send(udp(HOME, 30_000 + i, "9.9.9.9", 53, &asks)).send(udp(
                "9.9.9.9",
                53,
                HOME,
                30_000 + i,
                &answers,
            ));
        }
        visited.send(udp(AWAY, 53, HOME, 1024 + 61 * i, &[0, 1, 0x81, 0x83, 0, 1, 0, 0]));
    }
    assert_eq!(one(&visited.behind_much().recognise(), "backscatter.dns").sources, [std::net::IpAddr::V4(ip(AWAY))]);
    // A server that was started anew knows nothing of what its visitors still send, which is data.
    let restarted = |data: u16, is_visited: bool, first: u16| {
        let mut server = Scenario::default();
        for i in 0..300 {
            let (visitor, port) = (crowd(i), first + 89 * i as u16);
            if i % 10 == 0 && is_visited {
                server.send(tcp(&visitor, port, AWAY, 443, FIN | ACK)).send(tcp(AWAY, 443, &visitor, port, RST));
                continue;
            }
            for _ in 0..data {
                server.send(with_data(tcp(&visitor, port, AWAY, 443, PSH | ACK)));
            }
            server.send(tcp(AWAY, 443, &visitor, port, RST)).wait(0.2);
        }
        ids(&server.recognise()).contains(&"backscatter.tcp")
    };
    assert!(!restarted(1, true, 33_000));
    assert!(restarted(0, true, 33_000) && restarted(1, false, 33_000));
    assert!(restarted(1, true, 2000), "ports that no client takes");
    // One reply to somebody else hides none of those that nobody asked for.
    let mut replies = Scenario::at(&[HOME]);
    for i in 0..60 {
        replies.connection(&crowd(i), 40_000, HOME, 443).send(icmp(&stranger(i), HOME, 0, 0, &[0; 32]));
    }
    replies.send(icmp(AWAY, "93.184.216.99", 0, 0, &[0; 32]));
    assert!(one(&replies.recognise(), "backscatter.icmp").packets >= 59);
    // What a server here answers to whom it does not see ask.
    let mut leaving = Scenario::at(&[HOME]);
    for i in 0..30 {
        let port = 1201 + 1000 * i;
        leaving.send(tcp(HOME, 443, &crowd(i.into()), port, SYN | ACK));
        leaving.send(udp(HOME, 53, &crowd(i.into()), port, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
    }
    assert!(leaving.recognise().is_empty(), "{:#?}", leaving.recognise());
}

/// Clients that are gone when the answer comes complain of it.
#[test]
fn complaints_about_answers() {
    let told = |asked: u16| {
        let mut scenario = Scenario::live_at(&[HOME]);
        for i in 0..6 {
            scenario.send(udp(AWAY, 40_000 + 97 * i, HOME, asked, &[0x23; 48]));
            scenario.send(error(AWAY, 3, 3, &udp(HOME, 123, AWAY, 40_000 + 97 * i, &[0x24; 48])));
        }
        ids(&scenario.recognise()).contains(&"pattern.unreachable-unknown-host")
    };
    assert_eq!([told(123), told(124)], [false, true]);
}

/// Of a flood far away each victim may answer us once; a browser is answered by many servers, too, at the ports that clients take.
#[test]
fn backscatter_of_many_victims_is_told_once() {
    let answers = |ports: fn(u16) -> u16| {
        let mut scenario = Scenario::live();
        for victim in 0..40 {
            scenario.send(tcp(&format!("45.{victim}.9.1"), 80, HOME, ports(victim), SYN | ACK)).wait(5.0);
        }
        scenario.recognise()
    };
    let found = answers(|victim| 1100 + 1600 * victim);
    assert_eq!((one(&found, "backscatter.tcp").packets, found.len()), (40, 1), "{found:#?}");
    assert_eq!(ids(&answers(|victim| 33000 + 700 * victim)), Vec::<&str>::new());
}

#[test]
fn a_reset_of_ours_asks_for_nothing() {
    let answers = |asked: bool| {
        let mut scenario = Scenario::at(&[HOME]);
        for i in 0..20 {
            let port = 1024 + 1500 * i;
            if asked {
                scenario.send(syn(HOME, port, AWAY, 80));
            }
            scenario.send(tcp(AWAY, 80, HOME, port, SYN | ACK)).send(tcp(HOME, port, AWAY, 80, RST));
        }
        scenario.recognise()
    };
    one(&answers(false), "backscatter.tcp");
    none(&answers(true), "backscatter.tcp");
}

/// Address translation takes any port; that the connections go on tells them from answers that nobody asked for.
#[test]
fn a_gateway_takes_any_port() {
    let answers = |then: Option<u8>| {
        let mut scenario = Scenario::live();
        for port in [1201, 20111, 7777, 48000, 3001, 15000] {
            scenario.send(tcp(AWAY, 443, HOME, port, SYN | ACK));
            if let Some(flags) = then {
                scenario.send(with_data(tcp(AWAY, 443, HOME, port, flags)));
            }
            scenario.send(error("185.60.112.1", 3, 1, &tcp(HOME, port + 1, "185.60.112.9", 443, SYN)));
        }
        scenario.recognise().iter().map(|found| found.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(answers(Some(PSH | ACK)), Vec::<String>::new());
    assert!(!answers(Some(FIN | ACK)).contains(&"backscatter.tcp".into()));
    assert_eq!(answers(None), ["backscatter.icmp", "backscatter.tcp"]);
}

#[test]
fn complaints_to_a_gateway_whose_other_connections_come_about() {
    let complaints = |answered: bool| {
        let mut scenario = Scenario::live();
        for i in 0..40_u16 {
            let port = [22, 25, 443, 993][usize::from(i) % 4];
            let (ours, server) = (40000 + 7 * i, format!("185.60.112.{}", i + 1));
            if answered {
                scenario.send(tcp(&server, port, HOME, ours, SYN | ACK)).send(tcp(&server, port, HOME, ours, ACK));
            }
            scenario.send(error(
                "185.60.112.1",
                3,
                1,
                &tcp(HOME, ours + 1, &format!("116.90.231.{}", i + 1), port, SYN),
            ));
        }
        ids(&scenario.recognise()).contains(&"pattern.unreachable-unknown-host")
    };
    assert!(!complaints(true));
    assert!(complaints(false));
}

/// What runs since before the capture is not sampled, and what came before it is not known.
#[test]
fn complaints_about_what_a_capture_does_not_show() {
    let told = |sent: bool, gap: f64, connections: u16| {
        let mut scenario = Scenario::at(&[HOME]);
        scenario.connection(HOME, 50_000, AWAY, 443).wait(30.0).connection(HOME, 50_001, AWAY, 443).wait(gap);
        for i in 0..6 {
            let old = tcp(HOME, 45_000 + i % connections, &stranger(7), 5432, PSH | ACK);
            if sent {
                scenario.send(with_data(old.clone()));
            }
            scenario.send(error("185.60.112.1", 3, 1, &old)).wait(0.2);
        }
        scenario.connection(HOME, 50_002, AWAY, 443);
        let found = scenario.recognise();
        ids(&found).iter().any(|id| ["pattern.unreachable-unknown-host", "backscatter.icmp"].contains(id))
    };
    assert!(!told(true, 15.0, 1) && !told(true, 15.0, 6));
    assert!(!told(false, 600.0, 1));
    assert!(told(false, 15.0, 1) && told(false, 15.0, 6));
}

/// Of clients beyond those for whom there is room, not the questions are sampled, but the answers.
#[test]
fn a_server_answers_clients_for_whom_there_is_no_room() {
    let mut scenario = Scenario::default();
    for i in 0..15_000 {
        let (client, port) = (made_up(i), 1024 + (i * 577 % 60_000) as u16);
        scenario.send(syn(&client, port, HOME, 443)).send(tcp(HOME, 443, &client, port, SYN | ACK)).wait(-0.019);
    }
    none(&scenario.recognise(), "backscatter.tcp");
}

/// Some of the ports that are answered are also those of clients of ours.
#[test]
fn backscatter_shows_beside_visitors() {
    let mut scenario = Scenario::at(&[HOME]);
    for i in 0..60 {
        let port = 1201 + 997 * i;
        if i % 4 == 0 {
            scenario.connection(&stranger(i.into()), port, HOME, 443).connection(&stranger(i.into()), port, HOME, 80);
        }
        scenario.send(tcp(AWAY, 80, HOME, port, SYN | ACK));
    }
    assert_eq!(one(&scenario.recognise(), "backscatter.tcp").packets, 60);
}

/// A flood under forged names may go through servers all over the world, or be one of pings.
#[test]
fn answers_that_a_capture_shows_to_be_unasked() {
    let told = |servers: u32, asks: bool, shows: bool| {
        let mut scenario = Scenario::at(&[HOME]);
        for i in 0..20 {
            let (server, port) = (stranger(i % servers), 1201 + 997 * i as u16);
            if shows {
                scenario.send(udp(HOME, 55_000, AWAY, 53, &[0; 30])).send(udp(AWAY, 53, HOME, 55_000, &[0; 60]));
            }
            if asks {
                scenario.send(udp(HOME, port, &server, 53, &[0; 30])).send(ping(HOME, "93.184.216.255"));
            }
            scenario.send(udp(&server, 53, HOME, port, &[7, i as u8, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]));
            scenario.send(icmp("116.90.231.99", HOME, 0, 0, &[0, i as u8, 0, 7])).wait(1.5);
        }
        let mut ids: Vec<String> = scenario.recognise().into_iter().map(|one| one.id).collect();
        ids.retain(|id| id.starts_with("backscatter"));
        ids
    };
    assert_eq!(told(20, false, true), ["backscatter.dns", "backscatter.icmp"]);
    assert!(told(20, true, true).is_empty());
    assert!(told(20, false, false).is_empty());
    // What a resolver asked before the capture began is answered in it.
    let mut resolver = Scenario::at(&[HOME]);
    for i in 0..200 {
        let (server, port) = (stranger(i), 1201 + 97 * i as u16);
        if i >= 12 {
            resolver.send(udp(HOME, port, &server, 53, &[0; 30]));
        }
        resolver.send(udp(&server, 53, HOME, port, &[7, i as u8, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0])).wait(0.2);
    }
    none(&resolver.recognise(), "backscatter.dns");
    // A smurf's repliers are many, and each says little.
    let mut smurf = Scenario::at(&[HOME]);
    smurf.connection(HOME, 40_000, AWAY, 443);
    for i in 0..40 {
        smurf.send(icmp(&stranger(i), HOME, 0, 0, &[0; 8])).wait(0.5);
    }
    assert_eq!(one(&smurf.recognise(), "backscatter.icmp").packets, 40);
}

/// Where a capture shows what we send, the ports from which nothing left tell, whatever is quoted.
#[test]
fn complaints_show_beside_our_own_traffic() {
    let complaints = |protocol: u8, sent: bool, pause: f64| {
        let mut scenario = Scenario::at(&[HOME]);
        for i in 0..20 {
            let target = stranger(u32::from(i) + 300);
            scenario.connection(HOME, 50_000 + i, &stranger(i.into()), 443);
            scenario.send(udp(HOME, 55_000 + i, AWAY, 53, &[0; 30])).send(udp(AWAY, 53, HOME, 55_000 + i, &[0; 60]));
            let about = match protocol {
                6 => tcp(HOME, 1201 + 997 * i, &target, [21, 80][usize::from(i % 2)], SYN),
                _ => udp(HOME, 1201 + 997 * i, &target, [137, 161][usize::from(i % 2)], &[0; 8]),
            };
            if sent {
                scenario.send(about.clone());
            }
            scenario.send(error(&target, 3, if protocol == 6 { 1 } else { 3 }, &about)).wait(pause);
        }
        let found = scenario.recognise();
        let told = found.iter().find(|one| one.id == "pattern.unreachable-unknown-host");
        told.map(|one| (one.packets, one.confidence))
    };
    for protocol in [6, 17] {
        assert_eq!(complaints(protocol, false, 5.0), Some((20, Some(Confidence::Likely))));
        assert_eq!(complaints(protocol, true, 5.0), None);
        // It may have been sent before the capture began.
        assert_eq!(complaints(6, false, 0.2), None);
    }
}

#[test]
fn complaints_about_connections_of_our_own() {
    let complaints = |ports: &[u16]| {
        let mut scenario = Scenario::live();
        for (i, port) in ports.iter().enumerate() {
            scenario.send(error("185.60.112.1", 3, 1, &tcp(HOME, 33000 + 3 * i as u16, AWAY, *port, SYN)));
        }
        ids(&scenario.recognise()).contains(&"pattern.unreachable-unknown-host")
    };
    assert!(!complaints(&[443, 80, 443, 80, 8080]), "a browser");
    assert!(!complaints(&[993, 587, 993, 143, 465]), "a mail program");
    assert!(complaints(&[25, 80, 25, 80, 143, 25]), "nobody's set of ports");
    let mut pings = Scenario::live();
    for _ in 0..6 {
        pings.send(error("185.60.112.1", 3, 1, &ping(HOME, AWAY)));
    }
    none(&pings.recognise(), "pattern.unreachable-unknown-host");
    let mut peers = Scenario::live();
    for i in 0..30 {
        let peer = crowd(i);
        peers.send(error(&peer, 3, 1, &tcp(HOME, 33000 + 3 * i as u16, &peer, 10_000 + 997 * i as u16, SYN)));
    }
    assert!(peers.recognise().is_empty());
}

#[test]
fn complaints_about_a_flood_elsewhere() {
    let mut scenario = Scenario::live();
    for port in [1201, 20111, 7777, 48000, 3001] {
        scenario.send(error("185.60.112.1", 3, 1, &tcp(HOME, port, AWAY, 80, SYN)));
    }
    one(&scenario.recognise(), "backscatter.icmp");
    let mut down = Scenario::live();
    for port in [40001, 41002, 42003, 43004] {
        down.send(error("185.60.112.1", 3, 1, &tcp(HOME, port, AWAY, 80, SYN)));
    }
    none(&down.recognise(), "backscatter.icmp");
}

/// Resolvers ask from any port, and are told of every server that is out of reach.
#[test]
fn complaints_to_a_resolver_are_no_flood_elsewhere() {
    let complaints = |port: u16| {
        let mut scenario = Scenario::live_at(&[HOME]);
        for own_port in [1201, 20111, 7777, 48000, 3001] {
            scenario.send(error("185.60.112.1", 3, 1, &udp(HOME, own_port, AWAY, port, &[0; 30]))).wait(20.0);
        }
        ids(&scenario.recognise()).contains(&"backscatter.icmp")
    };
    assert!(!complaints(53));
    assert!(complaints(9999));
}

/// Who is scanned under decoys refuses them, too, and is told so by their routers.
#[test]
fn complaints_about_our_own_refusals_are_no_flood_elsewhere() {
    let complaints = |asked: bool| {
        let mut scenario = Scenario::at(&[HOME]);
        for port in [22, 80, 443, 1433, 3389] {
            let refusal = tcp(HOME, port, AWAY, 40000, RST | ACK);
            if asked {
                scenario.send(syn(AWAY, 40000, HOME, port)).send(refusal.clone());
            }
            scenario.send(error("185.60.112.1", 3, 0, &refusal));
        }
        ids(&scenario.recognise()).contains(&"backscatter.icmp")
    };
    assert!(!complaints(true));
    assert!(complaints(false));
}

/// Of a busy host not every packet is sampled; the counters know what it asked for.
#[test]
fn answers_to_forged_packets_show_beside_our_own_traffic() {
    let told = |asked: bool| {
        let mut scenario = Scenario::at(&[HOME]);
        let ask = |scenario: &mut Scenario, server: &str, port: u16, asked: bool| {
            if asked {
                scenario.send(udp(HOME, port, server, 53, &[0, 1, 1, 0, 0, 1, 0, 0]));
            }
            scenario.send(udp(server, 53, HOME, port, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
        };
        for i in 0..200 {
            ask(&mut scenario, "9.9.9.9", 33_000 + i, true);
            scenario.connection(HOME, 40_000 + i, &stranger(i.into()), 443).wait(0.1);
        }
        for i in 0..30 {
            ask(&mut scenario, AWAY, 1201 + i * 1000, asked);
            if asked {
                scenario.send(syn(HOME, 51_000, "45.9.9.1", 1 + i * 7));
            }
            scenario.send(tcp("45.9.9.1", 1 + i * 7, HOME, 51_000, RST | ACK)).wait(0.1);
        }
        let mut ids: Vec<String> = scenario.recognise().into_iter().map(|found| found.id).collect();
        ids.retain(|id| id.starts_with("backscatter"));
        ids
    };
    assert_eq!(told(false), ["backscatter.dns", "backscatter.tcp"]);
    assert_eq!(told(true), [""; 0]);
}

#[test]
fn answers_of_name_servers_that_nobody_asked() {
    let mut scenario = Scenario::default();
    scenario.connection(HOME, 50000, "185.60.112.80", 443);
    for port in [1201, 20111, 7777, 48000] {
        scenario.send(udp(AWAY, 53, HOME, port, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
    }
    none(&scenario.recognise(), "backscatter.dns");
    // Its questions would be seen.
    scenario.send(udp(HOME, 30_000, "9.9.9.9", 53, &[0; 20]));
    one(&scenario.recognise(), "backscatter.dns");
    let mut asked = Scenario::default();
    for port in [1201, 20111, 7777, 48000] {
        asked.send(udp(HOME, port, AWAY, 53, &[0; 20]));
        asked.send(udp(AWAY, 53, HOME, port, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
    }
    assert!(asked.recognise().is_empty());
    let mut questions = Scenario::default();
    questions.send(udp(HOME, 30_000, "9.9.9.9", 53, &[0; 20]));
    for port in [1201, 20111, 7777, 48000] {
        questions.send(udp(AWAY, 53, HOME, port, &[0, 1, 1, 0, 0, 1, 0, 0]));
    }
    none(&questions.recognise(), "backscatter.dns");
}

#[test]
fn a_flood_from_forged_sources() {
    let mut scenario = Scenario::live();
    for i in 0..3000 {
        scenario.send(syn(&stranger(i), 1024 + i as u16, HOME, 80).ttl(50)).wait(-0.009);
    }
    let found = scenario.recognise();
    let flood = one(&found, "flood.forged-sources");
    assert_eq!(flood.packets, 3000);
    assert_eq!(flood.also, ["flood.syn"]);
    assert!(flood.sources.len() <= 16);
    assert_eq!(found.len(), 1, "{:#?}", ids(&found));
}

#[test]
fn a_flood_from_one_source() {
    let mut scenario = Scenario::live();
    // What else its sender does takes a share of the samples.
    for port in [22, 25, 443] {
        scenario.send(syn(AWAY, 1023, HOME, port));
    }
    for i in 0..2000 {
        scenario.send(syn(AWAY, 1024 + i, HOME, 80)).wait(-0.009);
    }
    assert_eq!(one(&scenario.recognise(), "flood.syn").packets, 2000);
}

/// Who filters a capture for SYNs does not see what becomes of them: neither how busy a server is nor whether it is flooded.
#[test]
fn syns_alone_may_be_of_a_busy_server() {
    let told = |filtered: bool, options: &[u8]| {
        let mut scenario = Scenario::at(&[HOME]);
        for i in 0..6000 {
            scenario.send(syn(&stranger(i), 1024 + i as u16, HOME, 80).options(options)).wait(-0.009);
        }
        if !filtered {
            scenario.send(tcp(&stranger(0), 1024, HOME, 80, ACK));
        }
        one(&scenario.recognise(), "flood.forged-sources").confidence
    };
    let system = &[2, 4, 5, 180, 1, 3, 3, 7];
    let (possible, likely) = (Some(Confidence::Possible), Some(Confidence::Likely));
    assert_eq!((told(true, system), told(false, system), told(true, &[])), (possible, likely, likely));
}

/// A mass of datagrams or pings, at so many a second for some seconds.
fn masses(packet: impl Fn(u32) -> Packet, rate: u32, scenario: &mut Scenario) {
    for i in 0..4 * rate {
        scenario.send(packet(i)).wait(1.0 / f64::from(rate) - 0.01);
    }
}

#[test]
fn a_flood_of_pings() {
    let pings = |rate: u32| {
        let mut scenario = Scenario::live();
        scenario.send(ping(AWAY, HOME)).wait(120.0);
        masses(|_| ping(AWAY, HOME), rate, &mut scenario);
        let tells_pings = scenario.findings().iter().any(|finding| finding.id == "icmp.8");
        assert_eq!(tells_pings, rate < 1000, "pings are told once");
        [scenario.recognise(), scenario.recognise_seldom()]
    };
    for found in pings(5000) {
        assert_eq!((one(&found, "flood.icmp").packets, found.len()), (20_001, 1), "{found:#?}");
    }
    for found in pings(100) {
        assert_eq!(ids(&found), Vec::<&str>::new());
    }
    // Under forged addresses, and answered all the same.
    let mut answered = Scenario::at(&[HOME]);
    for i in 0..3000 {
        let source = made_up(i);
        answered.send(ping(&source, HOME).ttl(52)).send(icmp(HOME, &source, 0, 0, &[0; 32])).wait(-0.0195);
    }
    assert_eq!(one(&answered.recognise(), "flood.forged-sources").packets, 3000);
    // A crowd that measures how far it is.
    let mut measured = Scenario::at(&[HOME]);
    for i in 0..900 {
        let source = crowd(i);
        let ttl = 40 + (i.wrapping_mul(2_654_435_761) >> 28) as u8;
        measured.send(ping(&source, HOME).ttl(ttl)).send(icmp(HOME, &source, 0, 0, &[0; 32])).wait(-0.0195);
    }
    none(&measured.recognise(), "flood.forged-sources");
    let mut ours = Scenario::at(&[HOME]);
    masses(|_| ping(HOME, AWAY), 5000, &mut ours);
    none(&ours.recognise(), "flood.icmp");
}

/// Those of a download come as fast, and nobody resets them.
#[test]
fn a_flood_of_acknowledgements() {
    let flood = |target: &str, flags: u8, answer: u8, rate: u32| {
        let mut scenario = Scenario::at(&[HOME]);
        let sender = if target == HOME { AWAY } else { HOME };
        for i in 0..4 * rate {
            let port = 1024 + i as u16;
            scenario.send(tcp(sender, port, target, 80, flags)).wait(-0.0099);
            scenario.send(tcp(target, 80, sender, port, answer)).wait(1.0 / f64::from(rate) - 0.0101);
        }
        scenario.recognise()
    };
    let found = flood(HOME, ACK, RST, 2000);
    assert_eq!((one(&found, "flood.ack").packets, found.len()), (8000, 1), "{found:#?}");
    none(&flood(HOME, ACK, ACK, 2000), "flood.ack");
    none(&flood(HOME, ACK, RST, 200), "flood.ack");
    none(&flood(AWAY, ACK, RST, 2000), "flood.ack");
    // A balancer ends the connections that it has kept.
    none(&flood(HOME, FIN | ACK, FIN | ACK, 10_000), "flood.ack");
}

/// Where what leaves is not seen: clients begin what they end, be it long ago, and who is answered is a client.
#[test]
fn a_flood_of_segments_of_any_kind() {
    let flood = |kinds: &[u8], port: u16, packets: u32| {
        let mut scenario = Scenario::live();
        // It looks first whether the port is there.
        scenario.send(syn(AWAY, 1023, HOME, port)).send(udp(AWAY, 1023, HOME, port, &[]));
        for i in 0..packets {
            for flags in kinds {
                scenario.send(tcp(AWAY, (1024 + i) as u16, HOME, port, *flags)).wait(-0.01);
            }
            scenario.wait(0.0005);
        }
        scenario.recognise()
    };
    for (flags, packets) in [(FIN, 8000), (SYN | ACK, 8000), (RST, 40_000), (RST | ACK, 40_000), (FIN | ACK, 40_000)] {
        assert_eq!(one(&flood(&[flags], 80, packets), "flood.ack").packets, u64::from(packets), "{flags}");
    }
    // As `hping3 -F -d 64 --flood` sends them.
    let mut filled = Scenario::live();
    masses(|i| with_data(tcp(AWAY, 1024 + i as u16, HOME, 80, FIN)), 2000, &mut filled);
    assert_eq!(one(&filled.recognise(), "flood.ack").packets, 8000);
    // What no system sends is a flood at any port, once there is too much of it for a scan.
    for flags in [0, FIN, PSH, FIN | PSH | URG] {
        assert_eq!(one(&flood(&[flags], 9000, 300), "flood.ack").packets, 300, "{flags}");
        none(&flood(&[flags], 9000, 200), "flood.ack");
    }
    none(&flood(&[FIN | ACK], 80, 8000), "flood.ack");
    none(&flood(&[SYN, ACK, FIN | ACK], 80, 40_000), "flood.ack");
    none(&flood(&[ACK], 80, 40_000), "flood.ack");
    none(&flood(&[SYN | ACK], 40_000, 8000), "flood.ack");
}

/// One flood is told once, with all that belongs to it and nothing else of its sender's, however many addresses of a site it goes to.
#[test]
fn a_flood_of_many_neighbours() {
    let flood = |packet: &dyn Fn(u32, &str) -> Packet| {
        let mut scenario = Scenario::live();
        scenario.send(udp(AWAY, 500, HOME, 500, &[0; 40]));
        for i in 0..9000 {
            scenario.send(packet(i, &format!("93.184.216.{}", 10 + i % 9))).wait(-0.0095);
        }
        scenario.recognise()
    };
    for (found, id) in [
        (flood(&|_, host| ping(AWAY, host)), "flood.icmp"),
        (flood(&|i, host| syn(AWAY, 1024 + i as u16, host, 443)), "flood.syn"),
        (flood(&|i, host| tcp(AWAY, 1024 + i as u16, host, 443, FIN)), "flood.ack"),
    ] {
        let flood = one(&found, id);
        assert_eq!((flood.packets, flood.destinations.len(), found.len()), (9000, 9, 1), "{found:#?}");
    }
    let mut sites = Scenario::live();
    masses(|i| ping(AWAY, ["93.184.216.10", "93.184.217.10"][i as usize % 2]), 5000, &mut sites);
    let found = sites.recognise();
    assert_eq!((found.len(), found.iter().map(|one| one.packets).sum::<u64>()), (2, 20_000), "{found:#?}");
}

/// Many hosts answer in masses what nobody here asked, as far as is known; who pings them has an answer of each.
#[test]
fn echo_replies_in_masses() {
    let replies = |hosts: u32, rate: u32, mut scenario: Scenario| {
        masses(|i| icmp(&format!("198.19.7.{}", 1 + i % hosts), HOME, 0, 0, &[0; 8]), rate, &mut scenario);
        scenario.recognise()
    };
    let found = replies(20, 1000, Scenario::live());
    let smurf = one(&found, "flood.echo-reply");
    assert_eq!((smurf.packets, smurf.confidence, found.len()), (4000, Some(Confidence::Possible), 1), "{found:#?}");
    let heard = || {
        let mut scenario = Scenario::at(&[HOME]);
        scenario.send(syn(HOME, 40000, AWAY, 443));
        scenario
    };
    assert_eq!(one(&replies(2, 1000, heard()), "flood.echo-reply").confidence, None, "as the entry has it");
    assert_eq!(ids(&replies(200, 100, Scenario::live())), Vec::<&str>::new(), "one host after the other");
    assert_eq!(ids(&replies(1, 1000, Scenario::live())), Vec::<&str>::new(), "ping -f");
    let mut asked = heard();
    masses(|i| ping(HOME, &format!("198.19.7.{}", 1 + i % 20)), 1000, &mut asked);
    none(&replies(20, 1000, asked), "flood.echo-reply");
}

/// Only where it is known that nobody wants them: a port that listens, one that programs take for themselves, a tunnel's, one behind us, and that of a
/// program by which a line is measured may be wanted.
#[test]
fn a_flood_of_datagrams_to_a_closed_port() {
    let flood = |to: &str, listening: u16, source_port: u16, port: u16| {
        let mut scenario = Scenario::at(&[HOME]);
        scenario.live = true;
        scenario.locality.listening = Some([(PortProto::Udp, listening)].into());
        masses(|i| udp(AWAY, source_port, to, port, &content(i, 64)), 2000, &mut scenario);
        scenario.recognise()
    };
    let found = flood(HOME, 53, 40_000, 9000);
    assert_eq!((one(&found, "flood.udp").packets, found.len()), (8000, 1), "{found:#?}");
    one(&flood(HOME, 53, 443, 9000), "flood.udp");
    for (to, listening, source_port, port) in [
        (HOME, 9000, 40_000, 9000),
        (HOME, 53, 443, 51_000),
        (HOME, 53, 40_000, 51_000),
        (HOME, 53, 9000, 9000),
        (HOME, 53, 40_000, 443),
        ("93.184.216.11", 53, 40_000, 9000),
    ] {
        assert!(flood(to, listening, source_port, port).is_empty(), "{source_port} to {port} of {to}");
    }
    // A capture shows it, if somebody behind us wants them.
    let mut captured = Scenario::at(&[HOME]);
    captured.locality.listening = Some([(PortProto::Udp, 53)].into());
    masses(|i| udp(AWAY, 40_000, HOME, 443, &content(i, 64)), 2000, &mut captured);
    one(&captured.recognise(), "flood.udp");
    let mut crowd_behind = Scenario::at(&[HOME]).listening(&[22]);
    crowd_behind.live = true;
    masses(|i| udp(&crowd(i % 20), 40_000, HOME, 9000, &content(i, 64)), 2000, &mut crowd_behind);
    none(&crowd_behind.recognise(), "flood.udp");
    let measured = |port: u16, caller: &str, called: u16, listening: u16| {
        let mut scenario = Scenario::live_at(&[HOME]).listening(&[listening]);
        scenario.send(syn(caller, 41_000, HOME, called));
        masses(|i| udp(AWAY, 40_000, HOME, port, &content(i, 64)), 2000, &mut scenario);
        ids(&scenario.recognise()).contains(&"flood.udp")
    };
    for port in [5201, 5202] {
        assert!(!measured(port, AWAY, port, port), "{port}");
    }
    for (port, caller, called, listening) in [
        (5201, "116.90.231.99", 5201, 5201),
        (25565, AWAY, 25565, 25565),
        (5201, AWAY, 443, 443),
        (5201, AWAY, 5201, 22),
    ] {
        assert!(measured(port, caller, called, listening), "{caller} called {called}, and {listening} listens");
    }
    let mut refused = Scenario::at(&[HOME]);
    let datagram = udp(AWAY, 40_000, HOME, 51_000, &content(1, 64));
    masses(|_| datagram.clone(), 2000, &mut refused);
    none(&refused.recognise(), "flood.udp");
    refused.send(error(HOME, 3, 3, &datagram));
    one(&refused.recognise(), "flood.udp");
    refused.wait(-3.0).send(udp(HOME, 51_000, AWAY, 40_000, &[0; 64]));
    none(&refused.recognise(), "flood.udp");
}

/// Whatever service may be at the port, and whether it answers or not: nobody asks anything so. One in each of many hosts is a scan, and what says something may
/// be meant.
#[test]
fn a_flood_of_datagrams_with_nothing_in_them() {
    let flood = |port: u16, hosts: u32, payload: &dyn Fn(u32) -> Vec<u8>| {
        let mut scenario = Scenario::live();
        let host = |i: u32| format!("93.184.216.{}", 10 + i % hosts);
        masses(|i| udp(AWAY, 1024 + i as u16, &host(i), port, &payload(i)), 2000, &mut scenario);
        scenario.recognise()
    };
    for port in [53, 123, 161, 443, 9000] {
        for payload in [&b"XXXXXXXXXXXXXXXXXXXXXXXX"[..], b""] {
            let found = flood(port, 1, &|_| payload.to_vec());
            assert_eq!((one(&found, "flood.udp").packets, found.len()), (8000, 1), "{port}: {found:#?}");
        }
        none(&flood(port, 1, &|i| content(i, 24)), "flood.udp");
    }
    none(&flood(161, 200, &|_| Vec::new()), "flood.udp");
    none(&flood(443, 1, &|i| [&[4; 16][..], &content(i, 16)].concat()), "flood.udp");
    none(&flood(19, 1, &|_| vec![1]), "flood.udp");
    // Who measures a line, from here or near by.
    for (source, target) in [(HOME, AWAY), ("93.184.216.30", HOME)] {
        let mut measured = Scenario::at(&[HOME]);
        masses(|_| udp(source, 40_000, target, 5001, &[0; 1400]), 2000, &mut measured);
        none(&measured.recognise(), "flood.udp");
    }
    // Who answers may be flooded; who asked, if for nothing but zeros, is not.
    let with_ours = |ours: f64| {
        let mut scenario = Scenario::at(&[HOME]);
        let start = scenario.now;
        scenario.wait(ours).send(udp(HOME, 53, AWAY, 1024, &[0; 12]));
        scenario.now = start;
        masses(|i| udp(AWAY, 1024 + i as u16, HOME, 53, &[88; 64]), 2000, &mut scenario);
        scenario.recognise()
    };
    one(&with_ours(0.02), "flood.udp");
    none(&with_ours(-0.02), "flood.udp");
}

/// A refusal shows that an answer is none, unless the port was seen to take part: of a host that asks many, not every question is sampled.
#[test]
fn a_flood_from_the_port_of_a_service() {
    let refused = |questions: u32| {
        let mut scenario = Scenario::at(&[HOME]);
        for i in 0..questions {
            scenario.send(udp(HOME, 1024 + (i * 7919 % 64_000) as u16, &stranger(i), 443, &[0; 64])).wait(-0.0095);
            if i % 20 == 0 {
                scenario.send(udp(HOME, 51_000, AWAY, 443, &[0; 64])).wait(-0.0095);
            }
        }
        let datagram = udp(AWAY, 443, HOME, 51_000, &content(1, 1200));
        masses(|_| datagram.clone(), 2000, &mut scenario);
        scenario.send(error(HOME, 3, 3, &datagram));
        ids(&scenario.recognise()).contains(&"flood.udp")
    };
    assert!(refused(0));
    assert!(!refused(4000), "somebody left while a film went on");
}

#[test]
fn a_flood_of_datagrams_to_any_port() {
    let flood = |rate: u32, bytes: usize, port: fn(u32) -> u32| {
        let mut scenario = Scenario::live();
        masses(|i| udp(AWAY, 40_000, HOME, port(i) as u16, &vec![0; bytes]), rate, &mut scenario);
        scenario.recognise()
    };
    let by_chance = |i: u32| (u64::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_pow(3) >> 40) as u32;
    let once = |i: u32| i * 40_503;
    let to_clients = |i: u32| 33_000 + i * 7919 % 32_000;
    none(&flood(2000, 1000, to_clients), "flood.udp");
    let found = flood(2000, 1000, by_chance);
    assert_eq!((one(&found, "flood.udp").verdict, found[0].packets), (None, 8000));
    assert_eq!(one(&flood(2000, 1000, once), "flood.udp").verdict, None);
    assert_eq!(one(&flood(2000, 20, by_chance), "flood.udp").verdict, None);
    assert_eq!(one(&flood(2000, 20, once), "flood.udp").verdict, Some(Verdict::Reconnaissance));
    none(&flood(200, 1000, by_chance), "flood.udp");
    for ports in [600, 1200] {
        let mut scan = Scenario::live();
        for port in 1..ports {
            scan.send(udp(AWAY, 40_000, HOME, 7 * port, &[])).wait(-0.0095);
        }
        let found = scan.recognise();
        one(&found, "scan.udp");
        none(&found, "flood.udp");
    }
}

/// Whether the address is known to be ours or not: the finding that it may be ourselves does not stand beside the one that it is an attack.
#[test]
fn a_land_packet_is_one_story() {
    for mut scenario in [Scenario::default(), Scenario::at(&[HOME])] {
        scenario.send(syn(HOME, 80, HOME, 80));
        let findings = scenario.findings();
        let tells = |id: &str| findings.iter().filter(|one| one.id == id || one.also.iter().any(|a| a == id)).count();
        assert_eq!((tells("ip.land"), tells("pattern.self")), (1, 1), "{findings:#?}");
        assert!(!findings.iter().any(|one| one.id == "pattern.self" || one.id == "address.self"), "{findings:#?}");
    }
}

#[test]
fn a_machine_may_speak_with_itself() {
    let there = |flags| tcp(HOME, 40000, HOME, 8080, flags).ttl(64);
    let back = |flags| tcp(HOME, 8080, HOME, 40000, flags).ttl(64);
    let mut answered = Scenario::default();
    answered.send(there(SYN)).send(back(SYN | ACK)).send(there(ACK)).send(back(FIN | ACK));
    let mut over_lo = Scenario::default();
    over_lo.send(syn(HOME, 40000, HOME, 8080)).send(ping(HOME, HOME));
    let mut frames = over_lo.frames();
    for (_, frame) in &mut frames {
        frame[..12].fill(0);
    }
    let over_lo = over_lo.findings_of(&frames, over_lo.now);
    for findings in [answered.findings(), over_lo] {
        assert!(findings.iter().any(|one| one.id == "pattern.self" && one.verdict == Verdict::Normal), "{findings:#?}");
        assert!(!findings.iter().any(|one| one.id == "ip.land" || one.verdict > Verdict::Background), "{findings:#?}");
    }
}

/// Neither another port, nor what looks like an answer, nor that the address is known to be ours makes them our own.
#[test]
fn floods_under_our_own_address_are_not_from_us() {
    let mut same_port = Scenario::live();
    same_port.send(syn(HOME, 139, HOME, 139));
    let mut answered = Scenario::live();
    let mut captured = Scenario::at(&[HOME]);
    for i in 0..3000 {
        captured.send(syn(HOME, 1024 + i, HOME, 80).ttl(50)).wait(-0.0095);
        answered.send(syn(HOME, 81, HOME, 80).ttl(50)).send(tcp(HOME, 80, HOME, 81, SYN | ACK).ttl(50));
    }
    for scenario in [same_port, answered, captured] {
        let findings = scenario.findings();
        assert!(findings.iter().any(|one| one.id == "ip.land" && one.verdict == Verdict::Attack), "{findings:#?}");
        assert!(!findings.iter().any(|one| one.id == "pattern.self"), "{findings:#?}");
    }
}

#[test]
fn the_scanner_is_seen_through_the_flood() {
    let mut scenario = Scenario::live();
    for i in 0..3000 {
        scenario.send(syn(&stranger(i), 1024 + i as u16, HOME, 80)).wait(-0.009);
        if i % 100 == 0 {
            scenario.send(syn(AWAY, 50000, HOME, 100 + i as u16));
        }
    }
    let found = scenario.recognise();
    one(&found, "flood.forged-sources");
    assert_eq!(one(&found, "scan.vertical").sources, [ip(AWAY)]);
}

/// Makes the packet of a stranger, by its number, to somebody.
type Make = fn(u32, &str) -> Packet;

/// Whatever they carry, and wherever they go.
const MADE_UP: [(&str, Make); 6] = [
    ("UDP", |i, source| udp(source, 1024 + i as u16, HOME, 1 + (i * 7) as u16, &[])),
    ("pings", |_, source| ping(source, HOME)),
    ("ACKs", |i, source| tcp(source, 1024 + i as u16, HOME, 80, ACK)),
    ("SYNs", |i, source| syn(source, 1024 + i as u16, HOME, 1 + (i * 7) as u16)),
    ("fragments", |i, source| Packet::new(source, HOME, 17, vec![0; 40]).id(i as u16).fragment(1480, true)),
    ("other protocols", |i, source| Packet::new(source, HOME, 64 + (i % 64) as u8, vec![0; 40])),
];

#[test]
fn a_flood_from_forged_sources_over_anything() {
    for (what, packet) in MADE_UP {
        let mut scenario = Scenario::live();
        for i in 0..3000 {
            scenario.send(packet(i, &made_up(i)).ttl(30 + (i % 30) as u8)).wait(-0.009);
            if i % 100 == 0 {
                scenario.send(syn(AWAY, 50000, HOME, 100 + i as u16));
            }
        }
        let found = scenario.recognise();
        let flood = one(&found, "flood.forged-sources");
        assert_eq!(flood.packets, 3000, "{what}");
        assert_eq!(flood.also.contains(&"flood.syn".to_string()), what == "SYNs");
        assert_eq!(one(&found, "scan.vertical").sources, [ip(AWAY)], "{what}");
        let findings = scenario.findings();
        let grave: Vec<&str> =
            findings.iter().filter(|one| one.verdict > Verdict::Background).map(|one| one.id.as_str()).collect();
        assert_eq!(grave, ["flood.forged-sources", "scan.vertical"], "{what}");
    }
}

/// Ends of connections that nobody had take nothing from a flood, nor do visitors whom the source table knows.
#[test]
fn forged_ends_and_visitors_excuse_no_flood() {
    let mut mixed = Scenario::live();
    for i in 0..12_000 {
        let flags = [SYN, ACK, FIN | ACK][i as usize % 3];
        mixed.send(tcp(&made_up(i), 1024 + i as u16, HOME, 80, flags).ttl(50)).wait(-0.0099);
    }
    let found = mixed.recognise();
    let told: u64 = found.iter().filter(|one| one.id == "flood.forged-sources").map(|one| one.packets).sum();
    assert!(told.abs_diff(12_000) < 2_400, "{told}");
    let mut beside = Scenario::at(&[HOME]);
    crate::outages::visitors_at(&mut beside, 2000, 100.0);
    for i in 0..5_000 {
        beside.send(tcp(&made_up(i), 1024 + i as u16, HOME, 443, ACK).ttl(50)).wait(-0.0095);
    }
    assert!(beside.recognise().iter().any(|one| one.id == "flood.forged-sources"));
}

/// Visitors at one port, of whom the source table has lost many, excuse nothing at another.
#[test]
fn visitors_excuse_no_flood_elsewhere() {
    let mut scenario = Scenario::live_at(&[HOME]);
    for i in 0..30_000 {
        let question = crate::outages::ask(&crowd(i), i, 443);
        let (visitor, port) = (question.source.to_string(), question.source_port());
        let timestamps: &[u8] = if i % 10 < 7 { &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1] } else { &[] };
        let there = |flags| tcp(&visitor, port, HOME, 443, flags).options(timestamps).ttl(question.ttl);
        scenario.send(question.clone()).send(there(ACK));
        for _ in 0..3 {
            scenario.send(with_data(there(PSH | ACK)));
        }
        scenario.send(there(FIN | ACK)).send(there(ACK)).wait(-0.069);
    }
    scenario.wait(-15.0);
    for i in 0..10_000 {
        scenario.send(tcp(&made_up(i), 1024 + i as u16, HOME, 25, ACK).ttl(50)).wait(-0.0098);
    }
    one(&scenario.recognise(), "flood.forged-sources");
}

/// Ends of connections that were begun before this looks are no part of a flood, nor do they say that nobody visits.
#[test]
fn ends_of_older_connections_belong_to_no_flood() {
    let mut scenario = Scenario::at(&[HOME]);
    crate::outages::visitors_at(&mut scenario, 2000, 200.0);
    let start = scenario.now;
    for i in 0..3000 {
        let end = crate::outages::ask(&crowd(90_000 + i), i, 443);
        scenario.send(tcp(&end.source.to_string(), end.source_port(), HOME, 443, FIN | ACK).ttl(end.ttl)).wait(-0.0067);
    }
    scenario.now = start;
    for i in 0..3000 {
        scenario.send(tcp(&made_up(i), 1024 + i as u16, HOME, 443, SYN).ttl(50)).wait(-0.009);
    }
    let found = scenario.recognise();
    let told: u64 = found.iter().filter(|one| one.id == "flood.forged-sources").map(|one| one.packets).sum();
    assert!(told.abs_diff(3000) < 300, "{told}");
}

/// Nothing else speaks for what was only counted.
#[test]
fn what_was_not_sampled_of_a_flood_is_told_with_it() {
    for (what, packet) in MADE_UP.into_iter().filter(|(what, _)| ["UDP", "ACKs", "SYNs"].contains(what)) {
        let mut scenario = Scenario::live();
        for i in 0..12_000 {
            scenario.send(packet(i, &made_up(i)).ttl(50)).wait(-0.0099);
        }
        let findings = scenario.findings();
        let flood = findings.iter().find(|one| one.id == "flood.forged-sources").expect("it is a flood");
        assert!(flood.packets.abs_diff(12_000) < 120, "{what}: {flood:#?}");
        let others = findings
            .iter()
            .filter(|one| ["port.", "leftover.", "trojan.", "quiet."].iter().any(|id| one.id.starts_with(id)));
        assert_eq!(others.map(|one| one.id.as_str()).collect::<Vec<_>>(), Vec::<&str>::new(), "{what}");
    }
}

/// Who sent what was not sampled is not said to be one of those who were.
#[test]
fn sources_of_whom_nothing_was_sampled_are_told_of() {
    let told = |sources: u32| {
        let mut scenario = Scenario::live();
        for i in 0..4000 {
            let ttl = 40 + (i % sources % 24) as u8;
            scenario.send(udp(&crowd(i % sources), 40_000, HOME, 161, &snmp("public", 1)).ttl(ttl)).wait(-0.0099);
        }
        let findings = scenario.findings();
        let lines = findings.iter().flat_map(|finding| &finding.evidence);
        lines
            .filter_map(|line| line.strip_suffix(" packets came from other sources, of whom nothing was sampled."))
            .count()
    };
    assert_eq!(told(4000), 1);
    assert_eq!(told(100), 0);
}

#[test]
fn forged_sources_show_by_the_way_they_come() {
    let flood = |ttl: fn(u32) -> u8, pause: f64| {
        let mut scenario = Scenario::live();
        for i in 0..1000 {
            scenario.send(udp(&crowd(i), 1024 + i as u16, HOME, 9000, &[0; 30]).ttl(ttl(i))).wait(pause - 0.01);
        }
        ids(&scenario.recognise()).contains(&"flood.forged-sources")
    };
    assert!(flood(|_| 50, 0.001));
    assert!(!flood(|_| 50, 0.01));
    assert!(!flood(|i| 40 + (i % 24) as u8, 0.001));
}

/// However many come: a /8 has no more than 256 networks. But where people live, they have neighbours.
#[test]
fn forged_sources_need_not_be_of_all_the_world() {
    let flood = |source: fn(u32) -> String| {
        let mut scenario = Scenario::live();
        for i in 0..12_000 {
            scenario.send(udp(&source(i), 1024 + i as u16, HOME, 9000, &[0; 30]).ttl(50)).wait(-0.0099);
        }
        scenario.recognise()
    };
    let of_a_slash_8 = |i: u32| {
        let [_, b, c, d] = i.wrapping_mul(2_654_435_761).to_be_bytes();
        format!("77.{b}.{c}.{d}")
    };
    assert_eq!(one(&flood(of_a_slash_8), "flood.forged-sources").packets, 12_000);
    none(&flood(|i| format!("77.{}.{}.{}", i % 60, i / 60, 1 + i % 250)), "flood.forged-sources");
    none(&flood(|i| format!("77.{}.{}.{}", i % 240, i / 240 % 4, 1 + i % 250)), "flood.forged-sources");
}

#[test]
fn floods_of_two_sites_share_what_was_not_sampled() {
    let mut scenario = Scenario::live();
    for i in 0..30_000 {
        let target = if i % 3 == 0 { "93.184.217.10" } else { HOME };
        scenario.send(udp(&made_up(i), 1024 + i as u16, target, 9000, &[0; 30]).ttl(50)).wait(-0.0099);
    }
    let found = scenario.recognise();
    let mut packets: Vec<u64> = found.iter().map(|one| one.packets).collect();
    packets.sort();
    assert_eq!(ids(&found), ["flood.forged-sources"; 2]);
    assert!(packets[0].abs_diff(10_000) < 1000 && packets[1].abs_diff(20_000) < 1000, "{packets:?}");
    assert!(packets.iter().sum::<u64>() <= 30_000, "{packets:?}");
}

#[test]
fn a_crowd_at_a_busy_server_hides_no_flood() {
    let flood = |clients_ttl: fn(u32) -> u8, clients: u32| {
        let mut scenario = Scenario::live_at(&[HOME]);
        for i in 0..clients {
            let client = crowd(10_000 + i);
            let there = |flags| tcp(&client, 40000, HOME, 443, flags).ttl(clients_ttl(i));
            scenario.send(there(SYN)).send(there(ACK));
            for _ in 0..20 {
                scenario.send(with_data(there(PSH | ACK)));
            }
            scenario.send(there(FIN | ACK));
        }
        for i in 0..300 {
            scenario.send(syn(&crowd(i), 1024 + i as u16, HOME, 443).ttl(50)).wait(-0.008);
        }
        ids(&scenario.recognise()).contains(&"flood.forged-sources")
    };
    assert!(flood(|i| 40 + (i % 24) as u8, 100));
    assert!(flood(|_| 50, 5), "a few connections of one's own");
    assert!(flood(|_| 50, 100), "clients come the same way, but nothing else while it goes on");
}

/// Who is asked from here, as the egress program knows, is no stranger.
#[test]
fn those_whom_we_asked_make_no_forged_flood() {
    let told = |asked: bool| {
        let mut peers = Scenario::live_at(&[HOME]);
        for i in 0..900 {
            let (peer, port) = (crowd(i), 20_000 + i as u16);
            if asked {
                let (now, [local, remote]) = (Moment(peers.now), [HOME, &peer].map(|host| ip(host).into()));
                let contact = Outbound { local, remote, protocol: 17, port, first: now, last: now };
                peers.outbound.get_or_insert_default().push(contact);
            }
            peers.send(udp(&peer, port, HOME, 6881, b"d1:rd2:id20:bbbbbbbbbbbbbbbbbbbbe")).wait(-0.009);
        }
        ids(&peers.recognise()).contains(&"flood.forged-sources")
    };
    assert!(told(false));
    assert!(!told(true));
}

/// What ntpd says of itself nobody asks of thirty servers.
#[test]
fn few_private_answers_of_time_servers_are_enough() {
    let told = |mode: u8| {
        let mut scenario = Scenario::live_at(&[HOME]);
        for i in 0..300_u16 {
            let answer = [&[0xd0 | mode, i as u8, 3, 42][..], &[0; 436]].concat();
            scenario.send(udp(&stranger(u32::from(i) % 30), 123, HOME, 1201 + 131 * i, &answer));
        }
        ids(&scenario.recognise()).contains(&"amplifier.answers")
    };
    assert!(told(7));
    assert!(!told(6), "asked for by who looks after many clocks");
    let mut flood = Scenario::live_at(&[HOME]);
    for i in 0..5000_u16 {
        let answer = [&[0xd7, i as u8, 3, 42][..], &[0; 436]].concat();
        flood.send(udp(AWAY, 123, HOME, 1201 + 7 * i, &answer)).wait(-0.009);
    }
    one(&flood.recognise(), "amplifier.answers");
}

/// Clients take any port, those of amplifiers among them, and a translator of addresses takes all.
#[test]
fn answers_to_clients_hunt_no_amplifiers() {
    let hunts = |asked: bool, from: u16, port: u16, answer: &[u8]| {
        let mut scenario = if asked { Scenario::at(&[HOME]) } else { Scenario::live_at(&[HOME]) };
        for _ in 0..12 {
            if asked {
                scenario.send(udp(HOME, port, AWAY, from, &[7; 40]));
            }
            scenario.send(udp(AWAY, from, HOME, port, answer)).wait(0.5);
        }
        let found = scenario.findings();
        found.iter().any(|finding| finding.verdict > Verdict::Background)
    };
    let stats = b"\0\x01\0\0\0\x01\0\0stats\r\n";
    for (port, request) in [
        (1900, &b"M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\n\r\n"[..]),
        (3702, b"<:/>"),
        (10001, &[1, 0, 0, 0]),
        (11211, stats),
        (1900, b"m-search * HTTP/1.1\r\n"),
        (3702, b"\xef\xbb\xbf<?xml"),
        (10001, &[2, 8, 0, 0]),
        (11211, b"gets a b c\r\n"),
    ] {
        assert!(!hunts(true, 28_960, port, &[7; 90]), "{port} asked for it");
        for from in [443, 3478, 8801, 27_015] {
            let answer = [&[0x47; 60][..], b"<...>"].concat();
            assert!(!hunts(false, from, port, &answer), "{from} answers {port}");
            assert!(hunts(false, from, port, request), "{from} asks {port}");
        }
        assert!(hunts(false, 28_960, port, &[7; 90]), "{port}");
    }
}

#[test]
fn amplifiers_are_hunted() {
    let mut scenario = Scenario::live();
    for port in [11211, 1900, 19] {
        scenario.send(udp(AWAY, 40000, HOME, port, &[0; 10]));
    }
    assert_eq!(one(&scenario.recognise(), "amplifier.hunt").verdict, None);
    scenario.send(udp(AWAY, 40000, HOME, 123, &[0x17, 0, 3, 42, 0, 0, 0, 0]));
    scenario.locality.listening = Some([(PortProto::Tcp, 22)].into());
    let findings = scenario.findings();
    let hunt = findings.iter().find(|finding| finding.id == "amplifier.hunt").expect("it is a hunt");
    for id in ["amplifier.11211", "amplifier.1900", "port.19", "payload.ntp-monlist"] {
        assert!(hunt.also.contains(&id.to_string()), "{id}: {hunt:#?}");
    }
    assert!(findings.iter().all(|finding| finding.verdict <= Verdict::Background), "{findings:#?}");
    assert_eq!(one(&scenario.recognise(), "amplifier.hunt").verdict, Some(Verdict::Background));
    let mut scan = Scenario::live();
    for port in [7, 53, 69, 111, 123, 161, 500, 514, 520, 631, 1434, 1900, 4500, 5353, 49152, 50000] {
        scan.send(udp(AWAY, 40000, HOME, port, &[]));
    }
    none(&scan.recognise(), "amplifier.hunt");
    let mut clock = Scenario::live();
    for _ in 0..9 {
        clock.send(udp(AWAY, 40000, HOME, 123, &[0x23; 48])).wait(64.0);
    }
    assert!(clock.recognise().is_empty());
}

/// What honest clients ask as well is a hunt only if one question comes faster than anybody repeats it.
#[test]
fn questions_of_honest_clients() {
    let hunt = |pause: f64, question: fn(u8) -> (u16, Vec<u8>)| {
        let mut scenario = Scenario::live();
        scenario.locality.listening = Some([53, 123, 161].map(|port| (PortProto::Udp, port)).into());
        for i in 0..20 {
            let (port, payload) = question(i);
            scenario.send(udp(AWAY, 40_000, HOME, port, &payload)).wait(pause);
        }
        scenario.recognise().into_iter().find(|found| found.id == "amplifier.hunt").map(|found| found.confidence)
    };
    let any = |i: u8| (53, any_question(u16::from(i), "example.com"));
    assert_eq!(hunt(0.1, any), Some(Some(Confidence::Certain)));
    assert_eq!(hunt(10.0, any), None);
    assert_eq!(hunt(0.1, |_| (161, snmp("public", 1))), Some(Some(Confidence::Certain)));
    assert_eq!(hunt(0.1, |i| (161, snmp("public", i))), None, "a table");
    let control = |number: u8| (123, vec![0x16, 2, 0, number, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(hunt(0.1, |_| (123, vec![0x16, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])), Some(Some(Confidence::Certain)));
    assert_eq!(hunt(0.1, control), None, "ntpq");
    assert_eq!(hunt(0.1, |i| (161, snmp(&format!("secret{i:02}"), 1))), None, "guesses");
}

/// Neighbours, who is answered, and who asks a name server for little are clients, as long as they do not ask one thing without pause.
#[test]
fn one_question_without_pause() {
    let hunt = |from: &str, pause: f64, answered: bool, question: fn(u16) -> (u16, Vec<u8>)| {
        let mut scenario = Scenario::at(&[HOME]);
        for i in 0..700 {
            let (port, payload) = question(i);
            scenario.send(udp(from, 40_000 + i, HOME, port, &payload).ttl(64));
            if answered {
                scenario.send(udp(HOME, port, from, 40_000 + i, &[0x30; 1200]));
            }
            scenario.wait(pause);
        }
        let found = scenario.recognise();
        found.iter().find(|found| found.id == "amplifier.hunt").map(|hunt| hunt.packets)
    };
    let text =
        |i: u16| (53, [&i.to_be_bytes()[..], b"\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x10\0\x01"].concat());
    let others = |i: u16| {
        let name = format!("\x01\0\0\x01\0\0\0\0\0\0\x07name{i:03}\x07example\x03com\0\0\x01\0\x01");
        (53, [&i.to_be_bytes()[..], name.as_bytes()].concat())
    };
    let bulk = |_| (161, snmp("public", 1));
    for (from, answered, question) in [
        (AWAY, false, text as fn(u16) -> (u16, Vec<u8>)),
        (AWAY, true, text),
        (AWAY, true, bulk),
        ("93.184.216.30", true, bulk),
        ("93.184.216.30", false, |_| (11211, b"\0\x01\0\0\0\x01\0\0stats\r\n".to_vec())),
    ] {
        assert_eq!(hunt(from, 0.0, answered, question), Some(700), "{from} {answered}");
        assert_eq!(hunt(from, 0.2, answered, question), None, "{from} {answered}");
    }
    assert_eq!(hunt(AWAY, 0.0, true, others), None, "a resolver");
    assert_eq!(hunt("93.184.216.30", 0.0, true, text), None, "a client of ours without a memory");
}

/// Whose questions are not in the capture is a resolver all the same.
#[test]
fn long_answers_of_name_servers_to_who_was_not_heard_asking() {
    let told = |asks: bool| {
        let mut scenario = Scenario::at(&[HOME]);
        scenario.send(ping(HOME, AWAY));
        if asks {
            scenario.send(udp(HOME, 30_000, AWAY, 53, &[0; 30])).send(udp(AWAY, 53, HOME, 30_000, &[0x84; 100]));
        }
        for i in 0..44 {
            scenario.send(udp(&crowd(i), 53, HOME, 20_000 + 331 * i as u16, &[0x84; 1200])).wait(20.0);
        }
        ids(&scenario.recognise()).contains(&"amplifier.answers")
    };
    assert!(!told(false));
    assert!(told(true));
}

#[test]
fn amplified_answers_arrive() {
    let mut scenario = Scenario::live();
    for i in 0..12 {
        scenario.send(udp(&stranger(i), 11211, HOME, 80, &[0; 1200]));
    }
    one(&scenario.recognise(), "amplifier.answers");
    let mut clock = Scenario::live();
    for i in 0..12 {
        clock.send(udp(&stranger(i), 123, HOME, 123, &[0x24; 48]));
        clock.send(udp(&stranger(i), 53, HOME, 40000 + i as u16, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
    }
    assert!(clock.recognise().is_empty());
}

/// Without sight of what is sent from here, of services that have clients everywhere only what no client asks for.
#[test]
fn amplified_answers_of_services_that_are_asked_far_away() {
    let answers = |port: u16, to: fn(u16) -> u16, each: u16, bytes: usize| {
        let mut scenario = Scenario::live();
        for i in 0..40 * each {
            scenario.send(udp(&crowd(u32::from(i % 40)), port, HOME, to(i), &vec![0x84; bytes])).wait(-0.009);
        }
        ids(&scenario.recognise()).contains(&"amplifier.answers")
    };
    let own = |i: u16| 20_000 + 331 * (i % 100);
    assert!(!answers(53, own, 5, 900), "a resolver");
    assert!(answers(53, |_| 443, 1, 900), "to a port of servers");
    assert!(answers(53, |_| 40_000, 1, 900), "alike");
    assert!(answers(53, own, 20, 1300), "more than anybody asks");
    assert!(!answers(161, |_| 50_123, 10, 1000), "a monitor");
    assert!(answers(161, |_| 50_123, 50, 1000), "more than anybody asks");
    assert!(answers(1900, own, 1, 400), "far away");
    let of_one = |port: u16, packets: u16, pause: f64, bytes: usize| {
        let mut scenario = Scenario::live();
        for i in 0..packets {
            scenario.send(udp(AWAY, port, HOME, own(i), &vec![0x84; bytes])).wait(pause);
        }
        scenario.recognise()
    };
    for (port, packets, pause, bytes) in [(11211, 100, 0.01, 1300), (1900, 100, 0.01, 300), (53, 2000, -0.009, 1300)] {
        assert_eq!(ids(&of_one(port, packets, pause, bytes)), ["amplifier.answers"], "{port}");
    }
    for (port, packets, pause, bytes) in [
        (11211, 100, 1.0, 1300),
        (10_001, 2000, -0.009, 1300),
        (53, 2000, -0.009, 500),
        (53, 2000, 0.005, 1300),
        (161, 2000, -0.009, 1300),
    ] {
        none(&of_one(port, packets, pause, bytes), "amplifier.answers");
    }
    let mut asked = Scenario::default();
    asked.send(udp(HOME, 50_000, "239.255.255.250", 1900, &[0; 120]));
    for i in 0..12 {
        asked.send(udp(&crowd(i), 1900, HOME, 50_000, &[0; 400]));
    }
    none(&asked.recognise(), "amplifier.answers");
}

#[test]
fn echo_and_chargen_talk_to_each_other() {
    let mut scenario = Scenario::default();
    for _ in 0..3 {
        scenario.send(udp(AWAY, 19, HOME, 7, &[0; 70])).send(udp(HOME, 7, AWAY, 19, &[0; 70]));
    }
    assert_eq!(one(&scenario.recognise(), "loop.echo").confidence, Some(Confidence::Certain));
    let mut echo = Scenario::live();
    echo.send(udp(AWAY, 40000, HOME, 7, &[0; 70])).send(udp(AWAY, 40000, HOME, 7, &[0; 70]));
    none(&echo.recognise(), "loop.echo");
}

fn piece(offset: u16, length: usize, more: bool, id: u16) -> Packet {
    Packet::new(AWAY, HOME, 17, vec![0; length]).id(id).fragment(offset, more)
}

#[test]
fn fragments_that_overlap() {
    let mut scenario = Scenario::live();
    scenario.send(piece(0, 40, true, 1)).send(piece(24, 16, false, 1));
    let evidence = one(&scenario.recognise(), "fragments.overlap").evidence.join(" ");
    assert!(evidence.contains("Identification 0x0001: bytes 0-39, 24-39 (last)."), "{evidence}");
    let mut copies = Scenario::live();
    copies.send(piece(0, 40, true, 1)).send(piece(0, 40, true, 1)).send(piece(40, 16, false, 1));
    assert!(copies.recognise().is_empty());
}

/// Behind extension headers that every router reads, too.
#[test]
fn fragments_over_ipv6() {
    let overlap = |identification: [u32; 2], offset: u16, before: &[u8]| {
        let mut scenario = Scenario::default();
        for ((offset, more), identification) in [(0, 1), (offset, 0)].into_iter().zip(identification) {
            let header =
                [&[17, 0][..], &(offset | more).to_be_bytes(), &identification.to_be_bytes(), &[0; 40]].concat();
            let chain = [before, &header].concat();
            let protocol = if before.is_empty() { 44 } else { 0 };
            scenario.send(Packet::new(AWAY, HOME, protocol, chain).over_ipv6(0));
        }
        let found = scenario.recognise();
        found.into_iter().find(|found| found.id == "fragments.overlap").map(|found| found.evidence.join(" "))
    };
    let two_headers = [&[60, 0, 1, 4, 0, 0, 0, 0][..], &[44, 1, 1, 12], &[0; 12]].concat();
    for before in [&[][..], &[44, 0, 1, 4, 0, 0, 0, 0], &two_headers] {
        let told = overlap([9, 9], 24, before).expect("it overlaps");
        assert!(told.contains("Identification 0x0009: bytes 0-39, 24-63 (last)."), "{told}");
        assert_eq!(overlap([9, 9], 40, before), None);
        assert_eq!(overlap([9, 10], 24, before), None);
    }
}

#[test]
fn fragments_that_never_become_whole() {
    let mut scenario = Scenario::live();
    for id in 0..4 {
        scenario.send(piece(0, 40, true, id));
    }
    scenario.wait(60.0);
    one(&scenario.recognise(), "fragments.incomplete");
    let mut whole = Scenario::live();
    for id in 0..4 {
        whole.send(piece(40, 16, false, id)).send(piece(0, 40, true, id));
    }
    whole.wait(60.0);
    assert!(whole.recognise().is_empty());
    let mut hollow = Scenario::live();
    for id in 0..4 {
        hollow.send(piece(0, 40, true, id)).send(piece(80, 16, false, id));
    }
    none(&hollow.recognise(), "fragments.incomplete");
    one(&hollow.wait(60.0).recognise(), "fragments.incomplete");
}

/// The source sends so much else that not all of it is sampled: what is missing is known by the counters.
#[test]
fn first_pieces_without_the_rest() {
    let pieces = |rest: bool| {
        let mut scenario = Scenario::default();
        for id in 0..40 {
            scenario.send(udp(AWAY, 4000, HOME, 5000, &[1; 1472]).id(id).fragment(0, true));
            if rest {
                scenario.send(piece(1480, 800, false, id));
            }
        }
        for _ in 0..200 {
            scenario.send(udp(AWAY, 4001, HOME, 5000, &[0; 60]));
        }
        ids(&scenario.recognise()).contains(&"fragments.incomplete")
    };
    assert!(pieces(false));
    assert!(!pieces(true));
}

#[test]
fn what_we_ask_is_not_asked_of_us() {
    let mut scenario = Scenario::at(&[HOME]);
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x03com\0\0\x01\0\x01";
    scenario.send(udp(HOME, 40000, AWAY, 53, question));
    let tells = |findings: &[annotator::finding::Finding]| {
        findings.iter().any(|one| one.id == "payload.dns-query" || one.also.iter().any(|id| id == "payload.dns-query"))
    };
    assert!(!tells(&scenario.findings()));
    scenario.send(udp(AWAY, 40000, HOME, 53, question));
    assert!(tells(&scenario.findings()));
}

#[test]
fn whatever_arrives_the_findings_are_few() {
    let mut scenario = Scenario::live();
    for i in 0..400 {
        for port in [1201, 20111, 7777] {
            scenario.send(tcp(&stranger(i), 80, HOME, port, SYN | ACK));
        }
    }
    let found = scenario.recognise();
    assert!(found.len() <= 32, "{}", found.len());
    assert_eq!(found.iter().map(|r| r.packets).sum::<u64>(), 1200);
}

#[test]
fn what_is_too_much_to_tell_one_by_one_is_told_as_one() {
    let mut scenario = Scenario::live();
    for i in 0..40 {
        for port in 0..60 - i as u16 {
            scenario.send(syn(&stranger(i), 40_000, HOME, 20 + 3 * port)).wait(0.09);
        }
        scenario.wait(3600.0);
    }
    let findings: Vec<Finding> = scenario.findings().into_iter().filter(|one| one.id == "scan.vertical").collect();
    let [rest] = findings.iter().filter(|one| one.title.ends_with("(9 smaller ones)")).collect::<Vec<_>>()[..] else {
        panic!("{findings:#?}")
    };
    let lasted = rest.extent.last.zip(rest.extent.first).map_or(0.0, |(last, first)| last.seconds_since(first));
    assert_eq!((findings.len(), rest.packets, rest.sources.len()), (32, (21..=29).sum(), 9), "{rest:#?}");
    assert!((8.0 * 3600.0..8.1 * 3600.0).contains(&lasted), "{rest:#?}");
    // What was not sampled of the rest belongs to it as well.
    let mut large = Scenario::live();
    for i in 0..40 {
        for port in 0..600 {
            large.send(syn(&stranger(i), 40_000, HOME, 2000 + 3 * port)).wait(-0.009);
        }
        large.wait(60.0);
    }
    let told = large.findings().into_iter().filter(|one| one.verdict > Verdict::Normal).map(|one| one.id);
    assert_eq!(told.collect::<std::collections::BTreeSet<_>>(), ["scan.vertical".to_string()].into());
}

/// Where a network is known to be meant, so are those that it may be made of.
#[test]
fn smurf_tries_where_subnets_end() {
    let pings = |lasts: [u8; 4]| {
        let mut scenario = Scenario::at(&[HOME]);
        scenario.locality.prefixes.push(crate::catalogue::PREFIX);
        for i in 0..40 {
            scenario.send(ping(AWAY, &format!("93.184.216.{}", lasts[i % 4]))).wait(0.1);
        }
        scenario.recognise()
    };
    assert_eq!(one(&pings([63, 127, 191, 255]), "pattern.smurf").packets, 40);
    none(&pings([63, 127, 191, 64]), "pattern.smurf");
    none(&pings([61, 127, 11, 255]), "pattern.smurf");
}

/// What comes to a port at which nothing listens reaches no victim.
#[test]
fn a_question_to_a_closed_amplifier_is_background() {
    let search = b"M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\n\r\n";
    for (listening, verdict) in
        [(None, Verdict::ThirdParty), (Some(1900), Verdict::ThirdParty), (Some(9), Verdict::Background)]
    {
        let mut scenario = Scenario::at(&[HOME]);
        scenario.locality.listening = listening.map(|port| [(PortProto::Udp, port)].into());
        scenario.send(udp(AWAY, 40_000, HOME, 1900, search));
        let findings = scenario.findings();
        let told = findings.iter().find(|finding| finding.id == "amplifier.1900").expect("it is told");
        assert_eq!(told.verdict, verdict, "{listening:?}");
    }
    // What listens here says nothing of a neighbour.
    let mut mirror = Scenario::at(&[HOME]).listening(&[22]);
    mirror.locality.prefixes.push(crate::catalogue::PREFIX);
    for _ in 0..5 {
        mirror.send(udp(AWAY, 40_000, "93.184.216.77", 1900, search)).wait(1.0);
    }
    assert!(mirror.findings().iter().any(|finding| finding.verdict == Verdict::ThirdParty));
}

/// Answers of time servers to what their operators ask are answers, and those of any amplifier are no search for others.
#[test]
fn amplified_answers_search_for_nothing() {
    let answers = |from: u16, to: u16, payload: fn(u32) -> Vec<u8>, servers: u32| {
        let mut scenario = Scenario::live_at(&[HOME]);
        for i in 0..300 {
            scenario.send(udp(&stranger(i % servers), from, HOME, to, &payload(i)));
        }
        scenario.recognise()
    };
    let private = |i: u32| [&[0xd7, i as u8, 3, 42][..], &[0; 436]].concat();
    let any = |i: u32| content(i.wrapping_mul(2_654_435_761), 1200);
    let short = |i: u32| content(i, 90);
    for (from, to, payload, servers) in [
        (123, 123, private as fn(u32) -> Vec<u8>, 30),
        (11_211, 123, any, 30),
        (11_211, 1900, any, 30),
        (1900, 40_000, short, 30),
        (389, 40_000, any, 50),
    ] {
        let found = answers(from, to, payload, servers);
        one(&found, "amplifier.answers");
        none(&found, "amplifier.hunt");
    }
    let says = |begin: &[u8], from: u16, bytes: usize, pause: f64| {
        let mut scenario = Scenario::live_at(&[HOME]);
        for i in 0..3000 {
            let payload = [begin, &content(i, bytes)[begin.len()..]].concat();
            scenario.send(udp(AWAY, from, HOME, 40_000, &payload)).wait(pause);
        }
        ids(&scenario.recognise()).contains(&"amplifier.answers")
    };
    let flood = |from: u16, bytes: usize, pause: f64| says(&[], from, bytes, pause);
    assert!(flood(389, 1200, -0.009) && flood(1900, 90, -0.009));
    assert!(!flood(389, 1200, 0.0) && !flood(389, 90, -0.009), "a client at work");
    assert!(says(&[0, 0, 0x84, 0], 5353, 90, -0.009) && says(b"<?xml", 3702, 90, -0.009));
    assert!(says(&[], 5353, 2, -0.009), "captured to the header");
    assert!(!says(&[0x40], 5353, 90, -0.009) && !says(&[0x40], 3702, 90, -0.009), "a client's port by chance");
    none(&answers(161, 40_000, any, 50), "amplifier.answers");
    none(&answers(389, 40_000, short, 50), "amplifier.answers");
    let asks = answers(123, 123, |i| [&[0x17, i as u8, 3, 42][..], &[0; 4]].concat(), 1);
    one(&asks, "amplifier.hunt");
    // A victim's port may be any.
    let forged = |i: u32| [&[0x17, 0, 3, 42][..], &vec![0; 4 + i as usize % 2]].concat();
    for port in [53, 389, 11_211] {
        one(&answers(port, 123, forged, 1), "amplifier.hunt");
    }
}

/// Two pieces for the same place that say different things cannot both be meant.
#[test]
fn pieces_for_the_same_place_overlap_where_they_differ() {
    let overlaps = |other: u8, pause: f64| {
        let mut scenario = Scenario::live_at(&[HOME]);
        for id in 0..5 {
            let piece = |offset, more, fill| Packet::new(AWAY, HOME, 17, vec![fill; 64]).id(id).fragment(offset, more);
            scenario.send(piece(0, true, 1)).send(piece(64, true, 2)).wait(pause);
            scenario.send(piece(64, true, other)).send(piece(128, false, 4)).wait(1.0);
        }
        ids(&scenario.recognise()).contains(&"fragments.overlap")
    };
    assert!(overlaps(3, 0.0));
    assert!(!overlaps(2, 0.0), "a copy");
    assert!(!overlaps(3, 5.0), "another datagram with the same number");
    let mut twins = Scenario::live_at(&[HOME]);
    for id in 0..5 {
        for fill in [1, 2] {
            for (offset, more) in [(0, true), (64, false)] {
                twins.send(Packet::new(AWAY, HOME, 17, vec![fill; 64]).id(id).fragment(offset, more));
            }
        }
    }
    none(&twins.recognise(), "fragments.overlap");
}

/// A scan of all ports in a hurry is a scan by UDP, too.
#[test]
fn a_hasty_scan_by_udp_answers_to_both_names() {
    let mut scenario = Scenario::live_at(&[HOME]);
    for port in 1..=3000 {
        scenario.send(udp(AWAY, 40_000, HOME, port, &[])).wait(-0.0092);
    }
    let found = scenario.recognise();
    assert!(ids(&found).contains(&"scan.udp"), "{found:#?}");
}

/// Who pings keeps an identifier, and counts; a flood in our name is answered by chance numbers.
#[test]
fn echo_replies_of_no_session_are_backscatter() {
    let reply = |number: [u8; 4]| {
        let mut reply = icmp(AWAY, HOME, 0, 0, &[0; 32]);
        reply.body[4..8].copy_from_slice(&number);
        reply
    };
    let told = |number: fn(u32) -> [u8; 4], pause: f64| {
        let mut scenario = Scenario::at(&[HOME]);
        for i in 0..60 {
            scenario.send(reply(number(i))).wait(pause);
        }
        ids(&scenario.recognise()).contains(&"backscatter.icmp")
    };
    fn drawn(i: u32) -> [u8; 4] {
        i.wrapping_mul(2_654_435_761).to_be_bytes()
    }
    assert!(told(drawn, 0.1));
    assert!(told(|i| [drawn(i)[0], drawn(i)[1], 0, i as u8], 0.1), "who forges may count as well");
    assert!(!told(drawn, 1.0), "many who ping behind one address");
    let mut bursts = Scenario::at(&[HOME]);
    for i in 0..60 {
        bursts.send(reply(drawn(i))).wait(if i == 30 { 3000.0 } else { 0.0 });
    }
    one(&bursts.recognise(), "backscatter.icmp");
    for (rounds, step) in [(4, 1), (2, 1), (3, 3)] {
        let mut on_the_minute = Scenario::at(&[HOME]);
        for i in 0..15 * rounds {
            let (user, round) = (i % 15, i / 15);
            let [first, second, ..] = drawn(i);
            let [.., high, low] = (4001 * user + step * round).to_be_bytes();
            on_the_minute.send(reply([first, second, high, low])).wait(if user == 14 { 59.0 } else { 0.05 });
        }
        none(&on_the_minute.recognise(), "backscatter.icmp");
    }
    assert!(!told(|i| [0, 7, 0, i as u8], 0.1), "one session");
    assert!(!told(|i| [i as u8, 7, 0, 1], 0.1), "a session for each");
}

/// Packets of ours that nobody here sent come from ports that nobody here takes, and their complaints from everywhere.
#[test]
fn expired_packets_from_any_port_are_no_traceroute_of_ours() {
    let complaints = |port: fn(u16) -> u16| {
        let mut scenario = Scenario::live_at(&[HOME]);
        for i in 0..40 {
            let sent = syn(HOME, port(i), AWAY, 80);
            scenario.send(error(&stranger(i.into()), 11, 0, &sent)).wait(0.2);
        }
        scenario.recognise()
    };
    let drawn = complaints(|i| 1024 + 1543 * i);
    assert_eq!(one(&drawn, "backscatter.icmp").packets, 40);
    none(&drawn, "pattern.traceroute-own");
    one(&complaints(|i| 40_000 + i), "pattern.traceroute-own");
}
