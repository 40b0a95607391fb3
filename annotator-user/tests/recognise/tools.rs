//! Tools by the marks that they leave, and packets that carry them by chance.

use annotator::finding::{Confidence, Verdict};

use crate::traffic::*;

const HOME: &str = "93.184.216.10";
const AWAY: &str = "116.90.231.66";

fn mirai(target: &str) -> Packet {
    syn(AWAY, 40000, target, 23).sequence(u32::from(ip(target)))
}

#[test]
fn mirai_writes_the_target_into_the_sequence_number() {
    let mut scenario = Scenario::live();
    scenario.send(mirai(HOME)).send(mirai("93.184.216.11"));
    one(&scenario.recognise(), "tool.mirai");
    let mut once = Scenario::live();
    once.send(mirai(HOME)).send(syn(AWAY, 40000, HOME, 2323));
    none(&once.recognise(), "tool.mirai");
}

/// The hosts are not new by then.
#[test]
fn mirai_shows_behind_other_searches_of_the_same_hosts() {
    let mut scenario = Scenario::default();
    let hosts = || (1..=60).map(|last| format!("93.184.216.{last}"));
    for host in hosts() {
        scenario.send(syn(AWAY, 40_000, &host, 23).sequence(7));
    }
    scenario.wait(5.0);
    for host in hosts() {
        scenario.send(mirai(&host));
    }
    one(&scenario.recognise(), "tool.mirai");
}

#[test]
fn mirai_that_leaves_is_ours() {
    let probe = |source: &str, i: u32| {
        let target = stranger(i);
        syn(source, 40000, &target, 23).sequence(u32::from(ip(&target)))
    };
    for source in [HOME, "192.168.7.20"] {
        let mut scenario = Scenario::at(&[HOME]);
        for i in 0..4 {
            scenario.send(probe(source, i));
        }
        let found = scenario.recognise();
        let mirai = one(&found, "tool.mirai.from-here");
        let sure = if source == HOME { None } else { Some(Confidence::Possible) };
        assert_eq!((mirai.sources.as_slice(), mirai.confidence), ([ip(source).into()].as_slice(), sure));
        none(&found, "tool.mirai");
        none(&found, "pattern.self");
    }
    let mut once = Scenario::at(&[HOME]);
    once.send(probe(HOME, 1));
    none(&once.recognise(), "tool.mirai.from-here");
}

/// That a packet has an address of here does not make it come from here.
#[test]
fn mirai_from_here_by_its_address_alone_is_possible() {
    let told = |source: &str, ttl: u8, answered: bool| {
        let mut scenario = Scenario::at(&[HOME]);
        for i in 0..2 {
            let probe = |flags: u8| tcp(source, 40000 + i, HOME, 23, flags).ttl(ttl);
            scenario.send(probe(SYN).sequence(u32::from(ip(HOME))));
            if answered {
                scenario.send(tcp(HOME, 23, source, 40000 + i, SYN | ACK)).send(probe(ACK));
            }
        }
        one(&scenario.recognise(), "tool.mirai.from-here").confidence
    };
    assert_eq!(told("10.9.8.7", 45, false), Some(Confidence::Possible));
    assert_eq!(told("10.9.8.7", 64, false), None);
    assert_eq!(told("10.9.8.7", 45, true), None);
}

#[test]
fn mirai_behind_address_translation_needs_the_public_address() {
    let mut scenario = Scenario::live();
    for _ in 0..2 {
        scenario.send(syn(AWAY, 40000, "10.0.0.5", 23).sequence(u32::from(ip(HOME))));
    }
    none(&scenario.recognise(), "tool.mirai");
    scenario.locality.addresses = vec![ip(HOME).into()];
    one(&scenario.recognise(), "tool.mirai");
}

#[test]
fn zmap_writes_54321() {
    let mut scenario = Scenario::live();
    scenario.send(syn(AWAY, 40000, HOME, 443).id(54321)).send(syn(AWAY, 40000, "93.184.216.11", 443).id(54321));
    one(&scenario.recognise(), "tool.zmap");
    let mut chance = Scenario::live();
    chance.send(syn(AWAY, 40000, HOME, 443).id(54321)).send(syn(AWAY, 40000, HOME, 443).id(54322));
    none(&chance.recognise(), "tool.zmap");
    for (icmp_type, is_found) in [(8, true), (0, false)] {
        let mut pings = Scenario::live();
        for host in [HOME, "93.184.216.11"] {
            pings.send(icmp(AWAY, host, icmp_type, 0, &[0; 8]).id(54321));
        }
        assert_eq!(ids(&pings.recognise()).contains(&"tool.zmap"), is_found, "{icmp_type}");
    }
}

#[test]
fn newer_zmap_copies_linux_but_for_one_bit() {
    let options = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
    let probe = |port: u16| syn(AWAY, 40000, HOME, port).window(65_535).options(&options).id(port);
    let told = |change: fn(Packet) -> Packet| {
        let mut scenario = Scenario::live();
        for port in [22, 80, 443] {
            scenario.send(change(probe(port)));
        }
        scenario.recognise()
    };
    assert_eq!(one(&told(|syn| syn), "tool.zmap-4.1").confidence, Some(Confidence::Possible));
    // Linux, and Linux without path MTU discovery.
    none(&told(|syn| syn.dont_fragment()), "tool.zmap-4.1");
    none(&told(|syn| syn.window(64_240)), "tool.zmap-4.1");
}

#[test]
fn masscan_derives_the_identification() {
    let probe = |port: u16, sequence: u32| {
        let id = (u32::from(ip(HOME)) ^ u32::from(port) ^ sequence) as u16;
        syn(AWAY, 40000, HOME, port).sequence(sequence).id(id).ttl(240).window(1024)
    };
    let mut scenario = Scenario::live();
    scenario.send(probe(22, 0x1234_5678)).send(probe(80, 0x9abc_def0));
    one(&scenario.recognise(), "tool.masscan");
    let mut chance = Scenario::live();
    chance.send(probe(22, 0x1234_5678)).send(probe(80, 0x9abc_def0).id(99));
    none(&chance.recognise(), "tool.masscan");
    // Systems forbid that their packets are fragmented, whatever identification they have.
    let mut systems = Scenario::default();
    for i in 0..3_u32 {
        let host = format!("93.184.216.{}", 10 + i);
        let id = (u32::from(ip(&host)) ^ 443 ^ 77) as u16;
        systems.send(syn(AWAY, 40_000, &host, 443).sequence(77).id(id).dont_fragment());
    }
    none(&systems.recognise(), "tool.masscan");
    let segment_size = [2, 4, 5, 180];
    for (ttl, window, options, version) in [
        (240, 1024, &[][..], "masscan up to 1.3.2"),
        (240, 1025, &segment_size, "masscan since late 2023"),
        (60, 1024, &[], "masscan, with changed settings"),
        (240, 1025, &[], "masscan, with changed settings"),
        (240, 1024, &segment_size, "masscan, with changed settings"),
    ] {
        let mut scenario = Scenario::live();
        for (port, sequence) in [(22, 0x1234_5678), (80, 0x9abc_def0)] {
            scenario.send(probe(port, sequence).ttl(ttl).window(window).options(options));
        }
        assert_eq!(one(&scenario.recognise(), "tool.masscan").facts[0].1, version);
    }
}

/// Who forges decoys writes each packet once for all: one that bears the mark by chance bears it in every name.
#[test]
fn a_mark_that_all_decoys_share_is_chance() {
    let told = |own_port: bool| {
        let mut scenario = Scenario::live();
        for source in 0..8 {
            let port = if own_port { 40000 + source } else { 40000 };
            for service in [22, 80, 443] {
                let id = if service == 80 { (u32::from(ip(HOME)) ^ 80 ^ 0x1234_5678) as u16 } else { 99 };
                scenario.send(syn(&stranger(source.into()), port, HOME, service).sequence(0x1234_5678).id(id));
            }
        }
        scenario.recognise()
    };
    none(&told(false), "tool.masscan");
    assert_eq!(one(&told(true), "tool.masscan").packets, 8);
}

#[test]
fn nmap_has_few_windows_and_one_option() {
    let told = |change: fn(Packet) -> Packet| {
        let mut scenario = Scenario::live();
        for port in [22, 80, 443, 8080] {
            scenario.send(change(syn(AWAY, 40000, HOME, port).window(1024).options(&[2, 4, 5, 180]).ttl(45)));
        }
        ids(&scenario.recognise()).contains(&"tool.nmap")
    };
    assert!(told(|syn| syn));
    // Small systems write as few options, too.
    for system in [|syn: Packet| syn.dont_fragment(), |syn: Packet| syn.window(5840), |syn: Packet| syn.ttl(62)] {
        assert!(!told(system));
    }
}

/// What nmap's OS detection sends, but for its pings.
pub fn os_detection() -> impl Iterator<Item = Packet> {
    let options = [3, 3, 10, 1, 2, 4, 1, 9, 8, 10, 255, 255, 255, 255, 0, 0, 0, 0, 4, 2];
    let probes = [(SYN, 1), (SYN, 63), (SYN, 4), (SYN, 16), (SYN, 512), (0, 128), (FIN | SYN | PSH | URG, 256)];
    probes.into_iter().enumerate().map(move |(i, (flags, window))| {
        tcp(AWAY, 40000 + i as u16, HOME, 80, flags).window(window).options(&options).ttl(37 + i as u8)
    })
}

#[test]
fn nmap_asks_which_system_it_is() {
    let mut scenario = Scenario::live();
    for probe in os_detection() {
        scenario.send(probe);
    }
    one(&scenario.recognise(), "tool.nmap-os-detection");
    let grave = scenario.findings().into_iter().filter(|finding| finding.verdict > Verdict::Background);
    assert_eq!(grave.map(|finding| finding.id).collect::<Vec<_>>(), ["tool.nmap-os-detection"]);
    // As nmap does it by default, behind a scan of the same ports.
    let mut scan = Scenario::live();
    for port in [80, 22, 443, 21, 25, 3389, 110, 445, 139, 143, 53, 135, 3306, 8080, 1723, 111] {
        scan.send(syn(AWAY, 40000, HOME, port).window(1024).options(&[2, 4, 5, 180]).ttl(45));
    }
    for probe in os_detection() {
        scan.send(probe.ttl(45));
    }
    one(&scan.recognise(), "tool.nmap-os-detection");
    let found = scan.findings();
    assert!(found.iter().all(|finding| finding.id != "ip.syn-fin"), "{found:#?}");
    let mut client = Scenario::live();
    for window in [1, 63, 64_240] {
        client.send(syn(AWAY, 40000, HOME, 80).window(window));
    }
    none(&client.recognise(), "tool.nmap-os-detection");
}

#[test]
fn nmap_writes_alike_over_ipv6() {
    const LABEL: u32 = 0x12345;
    let mut detection = Scenario::live();
    // An echo request with code 9, and one behind a routing header of type 0.
    let header = [58, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0];
    detection.send(Packet::new(AWAY, HOME, 58, vec![128, 9, 0, 0, 0, 0, 0, 0]).over_ipv6(LABEL));
    detection.send(Packet::new(AWAY, HOME, 43, header.to_vec()).over_ipv6(LABEL));
    for probe in os_detection() {
        detection.send(probe.over_ipv6(LABEL));
    }
    let found = detection.recognise();
    assert_eq!(one(&found, "tool.nmap-os-detection").explains.len(), 9);
    let grave = detection.findings().into_iter().filter(|finding| finding.verdict > Verdict::Background);
    assert_eq!(grave.map(|finding| finding.id).collect::<Vec<_>>(), ["tool.nmap-os-detection"]);

    let (mut scan, mut flow) = (Scenario::live(), Scenario::live());
    for port in [22, 80, 443, 8080] {
        scan.send(syn(AWAY, 40000, HOME, port).window(1024).options(&[2, 4, 5, 180]).ttl(45).over_ipv6(0));
        // A system may draw that label, too.
        flow.send(udp(AWAY, 40000, HOME, port, &[0; 30]).over_ipv6(LABEL));
    }
    one(&scan.recognise(), "tool.nmap");
    none(&flow.recognise(), "tool.nmap-os-detection");
}

#[test]
fn a_mark_that_many_sources_show_once_is_no_chance() {
    let mut scenario = Scenario::live();
    for i in 1..=6 {
        scenario.send(udp(&format!("116.90.231.{i}"), 40000, HOME, 47808, &[0; 17]).id(54321));
        scenario.send(udp(&format!("185.60.112.{i}"), 40000, HOME, 47808, &[0; 17]));
    }
    assert_eq!(one(&scenario.recognise(), "tool.zmap").packets, 6);
    // Two of thousands have it by chance.
    let ask: fn(&str) -> Packet = |source| syn(source, 40000, HOME, 443);
    for question in [ask, |source| udp(source, 40000, HOME, 443, &[0xc3; 60])] {
        let mut clients = Scenario::at(&[HOME]);
        for i in 0..2500 {
            clients.send(question(&crowd(i)).id(if i % 1300 == 7 { 54321 } else { i as u16 }));
        }
        none(&clients.recognise(), "tool.zmap");
    }
}

/// Answers, what leaves and what goes by bear the marks by chance, and over IPv6 there is no bit that Linux could set.
#[test]
fn only_questions_to_us_bear_marks() {
    const LINUX: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
    let zmap = |packet: Packet| packet.id(54321);
    let new_zmap = |packet: Packet| packet.window(65_535).options(&LINUX);
    let masscan = |packet: Packet| {
        let (port, sequence) = (u32::from(packet.body[3]), 0x1234_5678);
        let id = (u32::from(packet.destination) ^ port ^ sequence) as u16;
        packet.sequence(sequence).id(id)
    };
    let mirai = |packet: Packet| {
        let target = u32::from(packet.destination);
        packet.sequence(target)
    };
    let nmap = |packet: Packet| packet.window(1024).options(&[2, 4, 5, 180]).ttl(45);
    let asks = |source: &str, target: &str, i: u16, flags: u8| tcp(source, 40000, target, 20 + i, flags);
    for (id, mark) in [
        ("tool.zmap", &zmap as &dyn Fn(Packet) -> Packet),
        ("tool.zmap-4.1", &new_zmap),
        ("tool.masscan", &masscan),
        ("tool.mirai", &mirai),
        ("tool.nmap", &nmap),
    ] {
        let told = |made: &dyn Fn(u16) -> Packet| {
            let mut scenario = Scenario::at(&[HOME]);
            for i in 0..6 {
                scenario.send(mark(made(i)));
            }
            scenario.recognise()
        };
        one(&told(&|i| asks(AWAY, HOME, i, SYN)), id);
        none(&told(&|i| asks(AWAY, HOME, i, SYN | ACK)), id);
        none(&told(&|i| asks(HOME, AWAY, i, SYN)), id);
        none(&told(&|i| asks(AWAY, "203.119.8.1", i, SYN)), id);
        if id != "tool.nmap" {
            none(&told(&|i| asks(AWAY, HOME, i, SYN).over_ipv6(0)), id);
        }
    }
}

/// All at once, and to the same host; one of the two knocks may be lost.
#[test]
fn nmap_asks_whether_a_host_is_there() {
    let (echo, time) = (ping(AWAY, HOME), icmp(AWAY, HOME, 13, 0, &[0; 16]));
    let (https, http) = (syn(AWAY, 40000, HOME, 443), tcp(AWAY, 40000, HOME, 80, ACK));
    let elsewhere = icmp(AWAY, "93.184.216.11", 13, 0, &[0; 16]);
    let ours: Vec<Packet> = [&echo, &time, &https]
        .map(|packet| Packet { source: packet.destination, destination: packet.source, ..packet.clone() })
        .into();
    let neighbours: Vec<Packet> =
        [&echo, &time, &https].map(|packet| Packet { source: ip("93.184.216.77"), ..packet.clone() }).into();
    let other_knocks = [syn(AWAY, 40000, HOME, 80), tcp(AWAY, 40000, HOME, 443, ACK), tcp(AWAY, 40000, HOME, 80, RST)];
    for (title, packets, pause, is_found) in [
        ("all", vec![&echo, &time, &https, &http], 0.1, true),
        ("without HTTP", vec![&echo, &time, &https], 0.1, true),
        ("without HTTPS", vec![&echo, &time, &http], 0.1, true),
        ("without the time", vec![&echo, &https, &http], 0.1, false),
        ("without a ping", vec![&time, &https, &http], 0.1, false),
        ("other knocks", [&echo, &time].into_iter().chain(&other_knocks).collect(), 0.1, false),
        ("of two hosts", vec![&echo, &elsewhere, &https, &http], 0.1, false),
        ("one by one", vec![&echo, &time, &https, &http], 3.0, false),
        ("of a neighbour", neighbours.iter().collect(), 0.1, true),
        ("from here", ours.iter().collect(), 0.1, false),
    ] {
        let mut scenario = Scenario::at(&[HOME]);
        for packet in packets {
            scenario.send(packet.clone()).wait(pause);
        }
        let found = scenario.recognise();
        assert_eq!(ids(&found).contains(&"tool.nmap-discovery"), is_found, "{title}: {found:#?}");
    }
}

/// What is said of nmap's packets says nothing of options.
#[test]
fn nmap_is_told_without_options_too() {
    let found = |window: u16, ttl: u8| {
        let mut scenario = Scenario::live();
        for port in 1..=20 {
            scenario.send(syn(AWAY, 43_210, HOME, port).window(window).ttl(ttl).sequence(77)).wait(0.1);
        }
        scenario.recognise()
    };
    assert_eq!(one(&found(1024, 47), "tool.nmap").confidence, Some(Confidence::Possible));
    for other in [found(1024, 240), found(512, 47)] {
        none(&other, "tool.nmap");
    }
}
