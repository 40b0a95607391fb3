//! Every stimulus brings its finding, through the whole engine; every near miss does not.
//!
//! `cargo xtask coverage TABLE` runs `the_table_is_met` on a table of ids.

mod coverage;
mod frames;
mod home;
mod patterns;
mod served;
mod single;
mod stimulus;

use std::net::IpAddr;

use annotator::counters::PortProto;
use annotator::finding::{Confidence, Finding, Verdict};
use annotator::observation::Locality;

use stimulus::{Stimulus, counts_one_as_many, findings, findings_live, findings_unsampled, has_placeholder, tells};

fn table() -> Vec<Stimulus> {
    let mut table = single::table();
    table.extend(patterns::table());
    table
}

#[test]
fn stimuli_bring_their_findings() {
    let mut failures = Vec::new();
    for stimulus in table() {
        let found = findings(&stimulus.packets, &Locality::default());
        if !tells(&found, stimulus.id) {
            let ids: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
            failures.push(format!("{} is not among {ids:?}", stimulus.id));
        }
        for finding in &found {
            for text in [&finding.title, &finding.explanation, &finding.looks_like, &finding.advice] {
                if has_placeholder(text) {
                    failures.push(format!("{}: an unfilled placeholder in: {text}", finding.id));
                }
            }
            for told in finding.evidence.iter().chain([&finding.title]).filter(|told| counts_one_as_many(told)) {
                failures.push(format!("{}: one of many in: {told}", finding.id));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Questions and answers of DHCP come from low ports alike, and are told apart: what they have in common is counted to neither.
#[test]
fn what_is_told_in_two_places_is_counted_once() {
    let question = || frames::udp(68, 67, &[1; 240]).from("0.0.0.0").to("255.255.255.255");
    let answer = || frames::udp(67, 68, &[2; 240]).from("192.168.1.1").to("255.255.255.255");
    let found = findings(&[question(), answer(), answer(), question(), answer()], &Locality::default());
    let packets = |id: &str| found.iter().find(|finding| finding.id.starts_with(id)).map(|finding| finding.packets);
    assert_eq!((packets("port.67"), packets("port.68")), (Some(2), Some(3)), "{found:#?}");
}

#[test]
fn one_is_told_as_one() {
    let mut answer = single::dns(0x8180, 1, 1, "example.com");
    answer[7] = 1;
    let found = findings(&[frames::udp(53, 40000, &answer).ttl(63)], &Locality::default());
    let told: Vec<&String> = found.iter().flat_map(|finding| finding.evidence.iter().chain([&finding.title])).collect();
    for expected in ["answer NOERROR with 1 record to", "likely 1 hop from 64"] {
        assert!(told.iter().any(|told| told.contains(expected)), "{expected} is not in {told:#?}");
    }
    assert!(!told.iter().any(|told| counts_one_as_many(told)), "{told:#?}");
}

#[test]
fn near_misses_do_not() {
    let mut failures = Vec::new();
    for stimulus in table().iter().filter(|stimulus| !stimulus.near_miss.is_empty()) {
        let found = findings(&stimulus.near_miss, &Locality::default());
        if tells(&found, stimulus.id) {
            failures.push(format!("{} out of a near miss: {:?}", stimulus.id, stimulus.near_miss));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// An interface sees arriving packets alone and knows its own address and what listens.
#[test]
fn interfaces_tell_the_same() {
    let locality = Locality {
        addresses: vec![frames::US.parse().unwrap()],
        prefixes: Vec::new(),
        listening: Some([(PortProto::Tcp, 22), (PortProto::Tcp, 80), (PortProto::Udp, 53)].into()),
    };
    let mut failures = Vec::new();
    for stimulus in single::table() {
        // What leaves us is not seen on arrival.
        let arriving: Vec<_> = stimulus.packets.into_iter().filter(|packet| !packet.is_from(frames::US)).collect();
        let found = findings_live(&arriving, &locality);
        if !tells(&found, stimulus.id) && stimulus.id != "payload.dns-unexpected-source" {
            let ids: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
            failures.push(format!("{} is not among {ids:?}", stimulus.id));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What our own connections bring back is no probe of the ports that they come to.
#[test]
fn answers_are_no_probes() {
    let mut packets = Vec::new();
    for port in [31337, 12345, 27374, 1433, 5900, 3389, 33440, 27015, 1434, 32771, 41508, 47808] {
        packets.push(frames::tcp(443, port, frames::flag::SYN | frames::flag::ACK, &[]));
        packets.push(frames::tcp(443, port, frames::flag::ACK | frames::flag::PSH, b"data"));
        packets.push(frames::tcp(443, port, frames::flag::FIN | frames::flag::ACK, &[]));
        packets.push(frames::udp(443, port, &[0x40; 40]));
        packets.push(frames::udp(53, port, &single::dns(0x8180, 1, 1, "example.com")));
        packets.push(frames::udp(123, port, &[0x24; 48]));
        packets.push(frames::udp(3478, port, &[1; 28]));
    }
    for found in [findings(&packets, &Locality::default()), findings_live(&packets, &Locality::default())] {
        let loud: Vec<&str> = found
            .iter()
            .filter(|finding| {
                finding.verdict >= Verdict::Unknown
                    || finding.id.starts_with("port.") && !finding.id.ends_with(".answer")
            })
            .map(|finding| finding.id.as_str())
            .collect();
        assert!(loud.is_empty(), "{loud:?}");
    }
}

/// Ids that accuse somebody.
fn loud(found: &[Finding]) -> Vec<&str> {
    found.iter().filter(|finding| finding.verdict >= Verdict::ThirdParty).map(|finding| finding.id.as_str()).collect()
}

fn us() -> Locality {
    Locality { addresses: vec![frames::US.parse().unwrap()], ..Locality::default() }
}

/// Our refusals come from the ports that were tried, most of them unsampled.
#[test]
fn our_own_refusals_accuse_nobody() {
    let mut packets = Vec::new();
    let refuse = frames::flag::RST | frames::flag::ACK;
    for port in (1..=1024).rev() {
        let at = f64::from(port) * -0.001;
        packets.push(frames::syn(port).at(2.0 + at));
        packets.push(frames::tcp(port, 41234, refuse, &[]).from(frames::US).to(frames::STRANGER).at(2.0 + at));
    }
    for locality in [us(), Locality::default()] {
        let found = findings(&packets, &locality);
        let scanner: IpAddr = frames::STRANGER.parse().unwrap();
        let accuses = |finding: &&Finding| finding.verdict >= Verdict::ThirdParty;
        let others = found.iter().filter(accuses).find(|finding| finding.sources != [scanner]);
        assert!(others.is_none(), "{others:?}");
        assert!(!tells(&found, "source-port.1-5"), "{locality:?}");
    }
}

/// A neighbour's broadcast and a stranger's probe stand in one row of the counters.
#[test]
fn what_was_only_counted_accuses_nobody() {
    let device = |i: u8, port| frames::datagram(port).from(&format!("198.18.7.{i}"));
    let packets: Vec<_> = (2..26).map(|i| device(i, if i % 2 == 0 { 10001 } else { 5683 })).collect();
    assert_eq!(loud(&findings(&packets, &us())), ["amplifier.10001", "amplifier.5683"]);
    let found = findings_unsampled(&packets, &us());
    assert_eq!(loud(&found), [""; 0]);
    let counted = found.iter().find(|finding| finding.id == "amplifier.10001").expect("it is told");
    assert_eq!((counted.packets, counted.sources.len()), (12, 0));
}

/// Datagrams between equal ports stand in both rows of the port, and neither takes them for the answers to the other.
#[test]
fn what_was_only_counted_between_equal_ports_is_told() {
    let packets = vec![frames::udp(500, 500, &[0; 60]); 7];
    for locality in [us(), Locality::default()] {
        let found = findings_unsampled(&packets, &locality);
        let counted = |finding: &&Finding| finding.evidence.iter().any(|line| line.contains("udp port 500"));
        let told: Vec<_> = found.iter().filter(counted).map(|one| (one.packets, one.confidence)).collect();
        assert_eq!(told, [(7, Confidence::Possible)], "{found:?}");
        assert_eq!(loud(&found), [""; 0]);
    }
}

/// A game has one port at either end: what both rows of it count is told once.
#[test]
fn what_two_rows_count_is_told_once() {
    let [between_equals, asked] = [27015, 40000].map(|port| frames::udp(port, 27015, &[0xff; 20]));
    let packets = [vec![between_equals; 3], vec![asked; 2]].concat();
    let found = findings(&packets, &Locality::default());
    let told = found.iter().find(|finding| finding.id == "leftover.27015").map(|finding| finding.packets);
    assert_eq!(told, Some(5), "{found:?}");
}

/// Who was asked answers to the port that asked, whatever it may be known for.
#[test]
fn answers_follow_who_spoke_first() {
    let asked = |port: u16, peer: &str| {
        [
            frames::udp(32790, port, &[0x5a; 12]).from(frames::US).to(peer),
            frames::udp(port, 32790, &[0x5a; 12]).from(peer).to(frames::US),
        ]
    };
    let packets: Vec<_> = (1..30).flat_map(|peer| asked(6000 + peer, &format!("198.18.7.{peer}"))).collect();
    let found = findings(&packets, &us());
    assert!(!tells(&found, "port.32770"), "{found:?}");
    let unasked: Vec<_> = packets.into_iter().filter(|packet| !packet.is_from(frames::US)).collect();
    assert!(tells(&findings(&unasked, &us()), "port.32770"));
}

/// An SNMP request with a community.
fn snmp(community: &[u8]) -> Vec<u8> {
    let mut message = vec![0x30, 27 + community.len() as u8, 2, 1, 1, 4, community.len() as u8];
    message.extend(community);
    message.extend([0xa0, 20, 2, 1, 7, 2, 1, 0, 2, 1, 0, 0x30, 9, 0x30, 7, 6, 3, 0x2b, 6, 1, 5, 0]);
    message
}

/// Monitoring and telephones, by who speaks and whether they are answered.
#[test]
fn monitoring_and_telephones_are_ordinary() {
    let options = b"OPTIONS sip:ping@198.19.1.20 SIP/2.0\r\n".to_vec();
    let register = b"REGISTER sip:198.19.1.20 SIP/2.0\r\n".to_vec();
    // Who asks, port and payload; what it is from the local network, answered, and neither.
    let table = [
        (161, snmp(b"public"), ["payload.snmp.local", "payload.snmp.answered", "payload.snmp.default-community"]),
        (161, snmp(b"s3cr3t"), ["payload.snmp.local", "payload.snmp.answered", "payload.snmp"]),
        (161, b"\x30\x29".to_vec(), ["port.161.local", "port.161.answered", "port.161"]),
        (5060, options, ["payload.sip.local", "payload.sip.answered", "payload.sip"]),
        (5060, register, ["payload.sip.local", "payload.sip", "payload.sip"]),
    ];
    for (port, payload, [local, answered, neither]) in table {
        let question = frames::udp(40000, port, &payload);
        let answer = frames::udp(port, 40000, b"0").from(frames::US).to(frames::STRANGER);
        let unreachable = frames::icmp_about(3, 3, question.clone()).from(frames::US).to(frames::STRANGER);
        for (packets, id) in [
            (vec![question.clone().from("10.0.0.9").to("10.0.0.5")], local),
            (vec![question.clone(), answer], answered),
            (vec![question.clone(), unreachable], neither),
            (vec![question], neither),
        ] {
            let found = findings(&packets, &us());
            assert!(tells(&found, id), "{port}: {id} is not among {found:?}");
            assert_eq!(loud(&found), [""; 0], "{port}: {id}");
        }
    }
}

/// Of arriving packets alone: who comes at even intervals watches, who asks for little may be a client, and who guesses, or says what he is, is neither.
#[test]
fn searches_tell_themselves() {
    let at = |port: u16, seconds: f64, payload: &[u8]| frames::udp(40000, port, payload).at(seconds);
    let every = |port: u16, pause: f64, payload: &[u8]| -> Vec<_> {
        (0..12).map(|i| at(port, f64::from(i) * pause, payload)).collect()
    };
    let communities = |pause: f64, community: &dyn Fn(u32) -> String| -> Vec<_> {
        (0..12).map(|i| at(161, f64::from(i) * pause, &snmp(community(i).as_bytes()))).collect()
    };
    let options =
        |caller: &str| format!("OPTIONS sip:100@198.19.1.20 SIP/2.0\r\nFrom: {caller}<sip:a@b>\r\n").into_bytes();
    let scanner = b"OPTIONS sip:100@198.19.1.20 SIP/2.0\r\nUser-Agent: sipcli/v1.8\r\n";
    let register = b"REGISTER sip:198.19.1.20 SIP/2.0\r\n";
    let mut set = snmp(b"private");
    set[14] = 0xa3;
    let answered = |questions: Vec<frames::Packet>| -> Vec<_> {
        let answer =
            |at: usize| frames::udp(161, 40000, b"0").from(frames::US).to(frames::STRANGER).at(at as f64 + 0.1);
        questions.into_iter().enumerate().flat_map(|(at, question)| [question, answer(at)]).collect()
    };
    let table = [
        (every(161, 60.0, &snmp(b"public")), "payload.snmp.regular", false),
        (every(161, 0.5, &snmp(b"public")).split_off(6), "payload.snmp.default-community", false),
        (communities(1.0, &|i| ["read", "write"][i as usize % 2].into()), "payload.snmp", false),
        (communities(1.0, &|i| format!("read@{i}")), "payload.snmp", false),
        (communities(1.0, &|i| format!("secret{}", i % 3)), "payload.snmp.guesses", true),
        (communities(60.0, &|i| format!("secret{i}")), "payload.snmp.guesses", true),
        (answered(communities(1.0, &|i| format!("secret{i}"))), "payload.snmp.guesses", true),
        (vec![at(161, 0.0, &snmp(b"private"))], "payload.snmp.write-community", true),
        (every(161, 60.0, &snmp(b"private")), "payload.snmp.regular", false),
        (every(161, 60.0, &set), "payload.snmp.write-community", true),
        (every(5060, 30.0, &options("\"trunk\" ")), "payload.sip.regular", false),
        (every(5060, 30.0, &options("\"sipvicious\"")), "payload.sip.scanner", true),
        (every(5060, 30.0, scanner), "payload.sip.scanner", true),
        (every(5060, 30.0, register), "payload.sip", false),
    ];
    for (packets, id, is_loud) in table {
        let found = findings(&packets, &us());
        assert!(tells(&found, id), "{id} is not among {found:?}");
        assert_eq!(!loud(&found).is_empty(), is_loud, "{id}");
    }
}

/// A name server gets such questions from everybody; one that is none gets them from those who look for one, who learn nothing where none listens.
#[test]
fn a_name_server_is_asked_for_everything() {
    let question = frames::udp(40000, 53, &single::dns(0x0100, 255, 1, "example.com"));
    let told = |ports: Option<&[u16]>| {
        let listening = ports.map(|ports| ports.iter().map(|port| (PortProto::Udp, *port)).collect());
        findings_live(std::slice::from_ref(&question), &Locality { listening, ..us() })
    };
    assert_eq!(loud(&told(Some(&[53]))), [""; 0]);
    assert_eq!(loud(&told(None)), ["payload.dns-any"]);
    let in_vain = told(Some(&[161]));
    assert_eq!(loud(&in_vain), [""; 0]);
    assert!(tells(&in_vain, "payload.dns-any"));
    let answer = frames::udp(53, 40000, &[0x81; 100]).from(frames::US).to(frames::STRANGER);
    assert_eq!(loud(&findings(&[question.clone(), answer], &us())), [""; 0]);
}

/// Machines of one network mount each other's directories, also where its addresses are public.
#[test]
fn a_neighbours_mount_is_answered() {
    let call = |from: &str, to: &str, ttl| {
        let question = frames::udp(789, 20048, &single::rpc(100_005, 1, 0)).from(from).to(to).ttl(ttl);
        let answer = frames::udp(20048, 789, &[0; 24]).from(to).to(from).ttl(64);
        loud(&findings(&[question, answer], &Locality::default())).join(" ")
    };
    assert_eq!(call("139.25.22.2", "139.25.22.102", 64), "");
    assert_eq!(call("10.0.0.2", "10.0.0.102", 64), "");
    assert_eq!(call("139.25.22.2", "139.25.22.102", 52), "payload.rpc-program.100005");
}

/// On the local network a look-up of one RPC service is told once, by what was asked.
#[test]
fn a_neighbours_mount_is_told_once() {
    let question = frames::udp(789, 111, &single::rpc(100_000, 3, 100_003)).from("10.0.0.20").to("10.0.0.5");
    let found = findings(&[question], &Locality::default());
    assert_eq!(loud(&found), [""; 0]);
    assert!(!found.iter().any(|finding| finding.id.starts_with("port.111")), "{found:?}");
    assert!(tells(&found, "payload.rpc-getport") && tells(&found, "port.111.local"), "{found:?}");
}

/// Of a port of which nothing particular is known, nothing is said where the packet is explained otherwise.
#[test]
fn ranges_are_silent_beside_what_explains() {
    let mdns = frames::udp(5353, 5353, &single::dns(0, 1, 12, "_ipp._tcp.local")).from("10.0.0.9").to("224.0.0.251");
    for (packet, id) in [
        (frames::udp(123, 123, &[0x24; 48]), "quiet.123"),
        (frames::udp(27015, 34567, &[0xff; 20]), "leftover.27015"),
        (frames::udp(4000, 1030, &[2; 20]), "leftover.icq"),
        (mdns, "quiet.5353"),
    ] {
        let found = findings(&[packet], &Locality::default());
        assert!(tells(&found, id), "{found:?}");
        assert!(!found.iter().any(|finding| finding.id.starts_with("range.")), "{id}: {found:?}");
    }
}

/// By way of whom a packet should go stands in the evidence.
#[test]
fn routes_are_evidence() {
    let routed = frames::syn(80).options(&[131, 7, 4, 198, 18, 7, 1]);
    let found = findings(&[routed], &Locality::default());
    let finding = found.iter().find(|finding| finding.id == "ip.source-route").expect("it is told");
    let expected = "Read in it: loose source route (option 131) by way of 198.18.7.1.";
    assert!(finding.evidence.iter().any(|sentence| sentence == expected), "{:?}", finding.evidence);
}

/// Connections and questions of ours to where a stranger comes to, too, most of them unsampled, are no visits.
#[test]
fn what_leaves_us_is_nobodys_visit() {
    let version = single::dns(0x100, 16, 3, "version.bind");
    let mut packets = vec![frames::syn(22), frames::udp(40000, 53, &version)];
    for i in 0..200_u16 {
        let away = |packet: frames::Packet| packet.from(frames::US).to(&format!("198.18.7.{}", i % 250));
        packets.push(away(frames::tcp(41000 + i, 22, frames::flag::SYN, &[])));
        packets.push(away(frames::udp(41000 + i, 53, &version)));
    }
    let found = findings(&packets, &us());
    for id in ["port.22", "port.53", "payload.dns-version-bind"] {
        let finding = found.iter().find(|finding| finding.id == id).expect(id);
        assert_eq!((finding.packets, finding.sources.len()), (1, 1), "{finding:?}");
    }
}

/// The most that a window holds, of every kind at once.
#[test]
fn a_full_window_is_told_in_time() {
    let mut packets = Vec::new();
    for i in 0..60_000_u32 {
        let source = std::net::Ipv4Addr::from(0x2000_0000 + i % 40_000 * 65_537).to_string();
        let port = (i * 7919 % 65_536) as u16;
        let packet = match i % 4 {
            0 => frames::syn(port),
            1 => frames::datagram(port),
            2 => frames::icmp_about((i % 3) as u8 + 3, (i % 16) as u8, frames::udp(port, 53, &[0; 8])),
            _ => frames::syn(23),
        };
        packets.push(packet.from(&source).at(f64::from(i) * 0.0001));
    }
    let start = std::time::Instant::now();
    let found = findings(&packets, &Locality::default());
    let took = start.elapsed();
    assert!(took.as_secs() < 60, "{took:?}");
    assert!(tells(&found, "port.23") && found.len() < 400, "{}", found.len());
    println!("{took:?} for {} findings", found.len());
}
