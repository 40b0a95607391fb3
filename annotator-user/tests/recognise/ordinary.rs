//! Ordinary traffic, in which nothing may be found that is more than background.

use annotator::counters::PortProto;
use annotator::finding::{Finding, Verdict};
use annotator::observation::Prefix;

use crate::at_home::AT_HOME;
use crate::catalogue::SCENARIOS;
use crate::everyday::EVERYDAY;
use crate::outages::{OPTIONS, OUTAGES};
use crate::traffic::*;
use crate::watched::WATCHED;

const HOME: &str = "93.184.216.10";
const AWAY: &str = "116.90.231.66";

/// All of it, by what it is.
pub fn ordinary() -> impl Iterator<Item = (&'static str, Fill)> {
    ORDINARY.into_iter().chain(EVERYDAY).chain(AT_HOME).chain(WATCHED).chain(OUTAGES)
}

/// People, and what serves them.
const ORDINARY: [(&str, Fill); 21] = [
    ("Browsing", browsing),
    ("A busy web server", a_busy_web_server),
    ("A NAT gateway with many clients behind it", a_gateway_with_many_clients_behind_it),
    ("Mail, with servers that ask by ident", mail_with_ident),
    ("Many files by FTP in active mode", a_transfer_of_many_files),
    ("Many files by FTP in passive mode", passive_transfers),
    ("A name server", a_name_server),
    ("A resolver that asks all over the world", a_resolver),
    ("A browser of game servers", a_browser_of_game_servers),
    ("A monitor of devices by SNMP", a_monitor_of_devices),
    ("Clocks that are asked for the time", clocks),
    ("Devices that are looked for on the local network", discovery),
    ("A Windows neighbour that looks for shares here", a_windows_neighbour),
    ("A NAT gateway whose clients browse", a_gateway_whose_clients_browse),
    ("Browsing where half of the servers are dead", browsing_dead_servers),
    ("A neighbour that pings everybody", a_neighbour_that_pings_everybody),
    ("A peer of a sharing network", a_peer_of_a_sharing_network),
    ("A monitor that asks every minute for an hour", a_monitor),
    ("Streams, calls and games", streams_calls_and_games),
    ("Neighbours on a local network", neighbours_on_a_local_network),
    ("Chat, with its check for proxies", chat_with_its_check_for_proxies),
];

/// Fails if something is found that may worry anybody.
#[track_caller]
pub fn calm(title: &str, findings: &[Finding]) {
    let loud: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict > Verdict::Background).collect();
    assert!(loud.is_empty(), "{title}: {loud:#?}");
}

/// As a capture of both directions and of what arrives, with and without word of what is ours, as part of a larger one, and as what an interface sees of it.
#[test]
fn ordinary_traffic_worries_nobody() {
    for (title, fill) in ordinary() {
        let whole = [Scenario::default(), Scenario::at(&[HOME])];
        let in_part = [Scenario::default().behind_much(), Scenario::at(&[HOME]).behind_much()];
        for mut scenario in whole.into_iter().chain(in_part).chain([Scenario::live_at(&[HOME])]) {
            fill(&mut scenario);
            calm(title, &scenario.findings());
            let arriving = scenario.arriving(HOME);
            calm(title, &scenario.findings_of(&arriving, scenario.now));
        }
    }
}

/// Some captures hold the beginning of each packet alone: the headers, all of them or not, or some of what is said.
#[test]
fn captures_of_headers_worry_nobody() {
    for (title, fill) in ordinary() {
        for mut scenario in [Scenario::default(), Scenario::default().behind_much()] {
            fill(&mut scenario);
            for length in [42, 68, 96] {
                for frames in [scenario.frames(), scenario.arriving(HOME)] {
                    let findings = scenario.findings_of(&cut(frames, length), scenario.now);
                    calm(&format!("{title}, {length} bytes"), &findings);
                }
            }
        }
    }
}

/// A system asks a dead host four times and more, so that some dead hosts get as many SYNs as all others.
#[test]
fn who_finds_some_hosts_dead_is_a_client() {
    for dead in [8, 18] {
        let mut client = Scenario::default();
        for i in 0..30 {
            let (host, port) = (format!("93.184.216.{}", 20 + i), 40_000 + 11 * i);
            if i >= dead {
                client.connection(AWAY, port, &host, 443).wait(1.0);
                continue;
            }
            for pause in [1.0, 2.0, 4.0, 8.0] {
                client.send(syn(AWAY, port, &host, 443)).wait(pause);
            }
        }
        let found = client.findings();
        let sweeps = found.iter().filter(|finding| finding.id == "scan.horizontal").count();
        assert_eq!(sweeps, usize::from(dead == 18), "{found:#?}");
    }
}

/// Some programs end their connections by a reset, and some connections are older than the capture.
#[test]
fn who_uses_most_connections_is_a_client_however_they_end() {
    let sweeps = |each: &[u8], dead: u16, resets: bool| {
        let mut client = Scenario::default();
        for port in 33_000..33_004 {
            client.send(tcp(AWAY, port, "93.184.216.19", 443, FIN | ACK).options(&OPTIONS)).wait(1.0);
        }
        for i in 0..40 {
            let (host, port) = (format!("93.184.216.{}", 20 + i), 40_000 + 11 * i);
            let there = |flags| tcp(AWAY, port, &host, 80, flags);
            client.send(there(SYN).options(&OPTIONS));
            if i < dead {
                client
                    .wait(1.0)
                    .send(there(SYN).options(&OPTIONS))
                    .wait(2.0)
                    .send(there(SYN).options(&OPTIONS))
                    .wait(4.0);
                continue;
            }
            client.send(tcp(&host, 80, AWAY, port, SYN | ACK));
            for flags in each {
                client.send(with_data(there(*flags)));
            }
            client.send(there(if resets { RST | ACK } else { FIN | ACK })).wait(1.0);
        }
        client.findings().iter().any(|finding| finding.id == "scan.horizontal")
    };
    let used = [ACK, PSH | ACK, ACK, ACK];
    assert!(!sweeps(&used, 10, true));
    assert!(!sweeps(&used, 10, false));
    assert!(sweeps(&used, 18, true), "a third and more is dead");
    assert!(sweeps(&[ACK], 10, true), "who connects and hangs up");
    // What visitors send there is none of a scanner's.
    let mut farm = Scenario::default();
    for i in 0..40 {
        let host = format!("93.184.216.{}", 20 + i);
        for port in [3389, 443] {
            farm.send(syn(AWAY, 40_000 + i, &host, port).options(&OPTIONS));
            let answers = if port == 443 { SYN | ACK } else { RST | ACK };
            farm.send(tcp(&host, port, AWAY, 40_000 + i, answers).sequence(0));
        }
        farm.send(tcp(AWAY, 40_000 + i, &host, 443, ACK)).send(tcp(AWAY, 40_000 + i, &host, 443, RST | ACK));
        for visitor in 0..8 {
            farm.connection(&crowd(u32::from(i) * 8 + visitor), 50_000, &host, 443);
        }
    }
    assert!(farm.findings().iter().any(|finding| finding.id == "scan.horizontal"));
}

/// A translator of addresses takes any port for its clients, and a privileged program one below 1024.
#[test]
fn what_a_client_takes_for_a_port_tells_nothing() {
    for mut scenario in [Scenario::default(), Scenario::at(&[HOME])] {
        for (i, port) in [79, 111, 345, 555, 600, 635].into_iter().enumerate() {
            scenario.connection(HOME, port, &stranger(i as u32), 443).wait(1.0);
            scenario.send(udp(HOME, port, "9.9.9.9", 53, &[0, 1, 1, 0, 0, 1, 0, 0]));
            scenario.send(udp("9.9.9.9", 53, HOME, port, &[0, 1, 0x81, 0x80, 0, 1, 0, 1])).wait(1.0);
        }
        let found = scenario.findings();
        let loud = found.iter().filter(|finding| finding.verdict > Verdict::Background);
        assert!(loud.clone().all(|finding| finding.sources == [ip(HOME)]), "{found:#?}");
        assert!(!scenario.locality.addresses.contains(&ip(HOME).into()) || loud.count() == 0, "{found:#?}");
    }
}

/// Where only what arrives is seen, what answers say tells.
#[test]
fn answers_to_any_port_of_a_translator_worry_nobody() {
    let told = |answer: &[u8]| {
        let mut scenario = Scenario::live_at(&[HOME]);
        for port in [79, 111, 345, 390, 512, 555, 600, 601, 635, 700, 750, 800, 850, 900, 950, 999, 1001, 1020] {
            scenario.send(udp("9.9.9.9", 53, HOME, port, answer)).wait(3.0);
            let segment = |flags| tcp("116.90.231.80", 443, HOME, port, flags);
            scenario.send(segment(SYN | ACK)).send(with_data(segment(PSH | ACK))).send(segment(FIN | ACK));
        }
        scenario.findings().iter().any(|finding| finding.verdict > Verdict::Background)
    };
    assert!(!told(&[0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1]));
    assert!(told(&[0, 1, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1]));
    let stun = |cookie: u8| [&[1, 1, 0, 12, cookie, 0x12, 0xa4, 0x42][..], &[0; 24]].concat();
    let services = [
        (123, [&[0x24; 1][..], &[1; 47]].concat(), [&[0x23; 1][..], &[1; 47]].concat()),
        (443, vec![0x47; 60], vec![0x07; 60]),
        (3478, stun(0x21), stun(0x22)),
        (51_820, [&[4, 0, 0, 0][..], &[9; 60]].concat(), [&[1, 0, 0, 0][..], &[9; 60]].concat()),
    ];
    for (service, answer, other) in services {
        for (payload, is_told) in [(answer, false), (other, true)] {
            let mut scenario = Scenario::live_at(&[HOME]);
            scenario.send(udp("9.9.9.9", service, HOME, 111, &payload));
            scenario.send(udp("9.9.9.9", service, HOME, 635, &payload));
            let is_loud = scenario.findings().iter().any(|finding| finding.verdict > Verdict::Background);
            assert_eq!(is_loud, is_told, "{service}");
        }
    }
    for service in [993, 5228] {
        let mut scenario = Scenario::live_at(&[HOME]);
        for port in [79, 555, 600, 635] {
            let segment = |flags| tcp("116.90.231.80", service, HOME, port, flags);
            scenario.send(segment(SYN | ACK)).send(with_data(segment(PSH | ACK))).send(segment(FIN | ACK));
        }
        assert!(scenario.findings().iter().all(|finding| finding.verdict <= Verdict::Background), "{service}");
    }
}

/// A browser keeps connections alive that are older than a capture.
#[test]
fn acknowledgements_of_a_clients_old_connections_scan_nothing() {
    let told = |own_port: fn(u16) -> u16, refused: bool| {
        let mut scenario = Scenario::default();
        for i in 0..12 {
            let (server, port) = (stranger(u32::from(i)), own_port(i));
            scenario.send(tcp(HOME, port, &server, 443, ACK));
            if refused {
                scenario.send(tcp(&server, 443, HOME, port, RST));
            }
            scenario.wait(2.5);
        }
        ids(&scenario.recognise()).contains(&"scan.ack")
    };
    assert!(!told(|i| 2231 + 409 * i, false));
    assert!(!told(|i| 513 + 409 * i, false), "behind a translator that takes any port");
    assert!(told(|i| 2231 + 409 * i, true) && told(|_| 40_000, false));
    // Who tries one port of a network after the other is no client of it.
    let mut sweep = Scenario::default();
    for i in 0..60 {
        sweep.send(tcp(AWAY, 2231 + i, &format!("93.184.216.{}", 20 + i), 80, ACK)).wait(0.25);
    }
    one(&sweep.recognise(), "scan.ack");
}

/// A translator that takes any port for its clients resets what comes late.
#[test]
fn resets_to_ports_below_1024_are_no_backscatter_where_clients_are_there() {
    let told = |used: u16, service: u16| {
        let mut gateway = Scenario::live_at(&[HOME]);
        for i in 0..used {
            let (server, port) = (stranger(u32::from(i)), 600 + 40 * i);
            gateway.send(tcp(&server, service, HOME, port, SYN | ACK));
            for _ in 0..3 {
                gateway.send(with_data(tcp(&server, service, HOME, port, PSH | ACK))).wait(0.5);
            }
        }
        for i in 0..30 {
            gateway.send(tcp(&stranger(100 + u32::from(i)), 443, HOME, 610 + 13 * i, RST)).wait(2.0);
        }
        ids(&gateway.recognise()).contains(&"backscatter.tcp")
    };
    assert!(!told(10, 443));
    assert!(told(0, 443));
    assert!(told(10, 2049), "files are mounted from such ports without a translator");
    // Who answers for ports at which visitors ask has forged them, or was asked by who did.
    let mut server = Scenario::live_at(&[HOME]);
    for i in 0..60 {
        let visitor = crowd(i);
        server.send(syn(&visitor, 40_000, HOME, [22, 80, 443][i as usize % 3]));
        for _ in 0..4 {
            server.send(with_data(tcp(&visitor, 40_000, HOME, [22, 80, 443][i as usize % 3], PSH | ACK)));
        }
    }
    for (i, port) in [22, 80, 443].into_iter().enumerate() {
        server.send(tcp(&stranger(i as u32), 443, HOME, port, SYN | ACK));
    }
    for i in 0..60 {
        server.send(tcp("93.184.216.99", 80, HOME, 1024 + 700 * i, SYN | ACK)).wait(1.0);
    }
    assert!(ids(&server.recognise()).contains(&"backscatter.tcp"));
}

/// A peer of a sharing network may sit at any port, that of an amplifier among them.
#[test]
fn one_peer_at_a_port_of_ill_fame_is_a_peer() {
    let loud = |ports: u16, answers: bool| {
        let mut program = Scenario::default();
        for i in 0..40 {
            let (peer, port) = (stranger(u32::from(i)), if i == 20 { 10_001 } else { 20_000 + i % ports * 311 });
            program.send(udp(HOME, 6881, &peer, port, b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae")).wait(1.0);
            if answers {
                program.send(udp(&peer, port, HOME, 6881, b"d1:rd2:id20:bbbbbbbbbbbbbbbbbbbbe"));
            }
        }
        program.findings().iter().any(|finding| finding.id == "amplifier.10001")
    };
    assert!(!loud(40, true));
    assert!(loud(40, false) && loud(3, true));
    // Something that answers at all ports makes no peer of who asks for one amplifier after the other.
    let mut honeypot = Scenario::at(&[HOME]);
    for port in
        [17, 19, 53, 69, 111, 123, 137, 161, 389, 500, 1434, 1900, 3702, 5060, 5353, 5683, 11_211, 27_015, 10_001]
    {
        honeypot.send(udp(AWAY, 40_000, HOME, port, &[9; 30])).send(udp(HOME, port, AWAY, 40_000, &[9; 80])).wait(1.0);
    }
    assert!(honeypot.findings().iter().any(|finding| finding.id == "amplifier.10001"));
}

/// A call looks for a better way as long as it goes on, and routers say of some that they lead nowhere.
#[test]
fn complaints_about_checks_of_a_call_worry_nobody() {
    let told = |media: u32| {
        let mut call = Scenario::live_at(&[HOME]);
        for i in 0..media {
            call.send(udp(AWAY, 40_000, HOME, 50_010, &content(i, 120)));
        }
        for port in [3, 53, 500] {
            let check = udp(HOME, 50_010, "100.64.3.2", port, &[0; 40]);
            call.send(error("116.90.230.1", 3, 1, &check)).wait(0.5);
        }
        ids(&call.recognise()).contains(&"pattern.unreachable-unknown-host")
    };
    assert!(!told(400));
    assert!(told(3));
    // Somebody scans in our name, from a port that is in use here.
    let mut scan = Scenario::live_at(&[HOME]);
    for i in 0..60 {
        scan.send(udp(AWAY, 443, HOME, 50_010, &content(i, 120)));
        scan.send(error("116.90.230.1", 3, 1, &udp(HOME, 50_010, "116.90.231.3", 1 + i as u16, &[0; 40])));
    }
    one(&scan.recognise(), "pattern.unreachable-unknown-host");
    // Many whom we served behind one address are gone; and somebody scans from the port at which we serve.
    let from_service = |first: u16| {
        let mut server = Scenario::live_at(&[HOME]).listening(&[]);
        server.locality.listening = Some([(PortProto::Udp, 443)].into());
        for i in 0..60 {
            server.send(udp(AWAY, 50_010, HOME, 443, &content(i, 120)));
            server.send(error("116.90.231.1", 3, 1, &udp(HOME, 443, "116.90.231.3", first + 7 * i as u16, &[0; 40])));
        }
        ids(&server.recognise()).contains(&"pattern.unreachable-unknown-host")
    };
    assert!(!from_service(40_000) && from_service(700));
}

/// A file server that asks its clients for their names answers when they ask for its own.
#[test]
fn answers_to_lookups_of_names_are_no_worm() {
    let worm = |flags: u8| {
        let mut server = Scenario::default();
        for i in 0..8 {
            let client = stranger(i);
            server.send(udp(AWAY, 137, &client, 137, &[0, 1, flags, 0, 0, 0, 0, 1])).wait(1.0);
            server.send(syn(AWAY, 40_000, &client, 445)).wait(1.0);
        }
        ids(&server.recognise()).contains(&"netbios.worm")
    };
    assert!(worm(0));
    assert!(!worm(0x84));
}

/// In a longer capture as much is kept of each source as shows that one of some dozen hosts or ports uses them, however its connections end.
#[test]
fn clients_amid_many_others_are_clients() {
    const OF_WINDOWS: [u8; 12] = [2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2];
    let timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];
    let amid_others = |ports: &[u16], fill: &dyn Fn(&mut Scenario)| {
        let mut scenario = Scenario::at(&[HOME]);
        scenario.locality.prefixes.push(Prefix { address: ip("93.184.216.0").into(), bits: 24 });
        for i in 0..2800 {
            let (visitor, host) = (crowd(i), format!("93.184.216.{}", 20 + i % 45));
            scenario.connection(&visitor, 40_000, &host, ports[i as usize % ports.len()]);
        }
        fill(&mut scenario);
        scenario
    };
    // One who sends a command of six bytes, reads the answer, and resets.
    let commands = |scenario: &mut Scenario| {
        for i in 0..40 {
            let host = format!("93.184.216.{}", 20 + i);
            let there = |flags| tcp(AWAY, 41_000 + 7 * i, &host, 6379, flags).options(&timestamps);
            let back = |flags| tcp(&host, 6379, AWAY, 41_000 + 7 * i, flags).options(&timestamps);
            let command = there(PSH | ACK);
            let command = Packet { body: [&command.body[..], b"PING\r\n"].concat(), ..command };
            scenario.send(there(SYN).options(&OPTIONS)).send(back(SYN | ACK)).send(there(ACK)).send(command);
            scenario.send(with_data(back(PSH | ACK))).send(there(ACK)).send(there(RST | ACK)).wait(0.5);
        }
    };
    let services = |scenario: &mut Scenario| {
        for i in 0..30 {
            let there = |flags, number| tcp(AWAY, 41_000 + 7 * i, HOME, 30_000 + 7 * i, flags).sequence(number);
            let back = |flags| tcp(HOME, 30_000 + 7 * i, AWAY, 41_000 + 7 * i, flags);
            scenario.send(there(SYN, 700).options(&OF_WINDOWS)).send(back(SYN | ACK)).send(there(ACK, 701));
            scenario.send(with_data(there(PSH | ACK, 701))).send(with_data(back(PSH | ACK)));
            scenario.send(there(ACK, 709)).send(there(RST, 709)).wait(0.7);
        }
    };
    let pages = |scenario: &mut Scenario| {
        for i in 0..120 {
            scenario.connection(AWAY, 41_000 + 7 * i, &format!("93.184.216.{}", 20 + i / 2), 80).wait(0.3);
        }
    };
    for (title, ports, fill) in [
        ("commands", &[443, 80][..], &commands as &dyn Fn(&mut Scenario)),
        ("services", &[443], &services),
        ("files", &[443], &|scenario| aborted_transfers(scenario, true)),
    ] {
        let scenario = amid_others(ports, fill);
        calm(title, &scenario.findings());
        calm(&format!("{title}, arriving"), &scenario.findings_of(&scenario.arriving(HOME), scenario.now));
    }
    // A capture of how connections begin and end.
    for (title, ports, fill) in
        [("pages", &[443, 80][..], &pages as &dyn Fn(&mut Scenario)), ("services", &[443], &services)]
    {
        let scenario = amid_others(ports, fill);
        let mut frames = scenario.frames();
        frames.retain(|(_, frame)| frame[47] & (SYN | FIN | RST) != 0);
        calm(&format!("{title}, beginnings and ends"), &scenario.findings_of(&frames, scenario.now));
    }
    // Where no more than a few packets of each are kept, the counters tell.
    let mut letters = Scenario::at(&[HOME]).behind_much();
    letters.locality.prefixes.push(Prefix { address: ip("93.184.216.0").into(), bits: 24 });
    for i in 0..40 {
        let host = format!("93.184.216.{}", 20 + i);
        let there = |flags| tcp(AWAY, 41_000 + 7 * i, &host, 25, flags).options(&timestamps);
        letters.send(there(SYN).options(&OPTIONS)).send(tcp(&host, 25, AWAY, 41_000 + 7 * i, SYN | ACK));
        for _ in 0..6 {
            letters.send(there(ACK)).send(with_data(there(PSH | ACK)));
        }
        letters.send(there(RST)).wait(2.0);
    }
    calm("letters", &letters.findings());
    calm("letters, headers", &letters.findings_of(&cut(letters.frames(), 54), letters.now));
    // Who says nothing, or something to one in ten, looks for them.
    for told in [0, 4] {
        let sweep = amid_others(&[443, 80], &|scenario| {
            for i in 0..40 {
                let host = format!("93.184.216.{}", 20 + i);
                let there = |flags| tcp(AWAY, 41_000 + 7 * i, &host, 22, flags);
                scenario
                    .send(there(SYN).options(&OF_WINDOWS))
                    .send(tcp(&host, 22, AWAY, 41_000 + 7 * i, SYN | ACK))
                    .send(there(ACK));
                if i < told {
                    scenario.send(with_data(there(PSH | ACK))).send(there(ACK));
                }
                scenario.send(there(RST | ACK)).wait(0.5);
            }
        });
        let mut frames = sweep.frames();
        frames.iter_mut().for_each(|(_, frame)| frame.resize(frame.len().max(60), 0));
        let found = sweep.findings_of(&frames, sweep.now);
        assert!(found.iter().any(|finding| finding.id == "scan.horizontal"), "{told}: {found:#?}");
    }
}

/// A client of FTP that has what it wanted resets the connections by which files come.
#[test]
fn files_that_are_given_up_are_no_scan() {
    let found = |says: bool, arriving: bool| {
        let mut client = Scenario::at(&[HOME]);
        aborted_transfers(&mut client, says);
        let frames = if arriving { client.arriving(HOME) } else { client.frames() };
        client.findings_of(&frames, client.now)
    };
    for arriving in [false, true] {
        calm("files", &found(true, arriving));
        let found = found(false, arriving);
        assert!(found.iter().any(|finding| finding.id == "scan.vertical"), "{arriving}: {found:#?}");
    }
}

/// Connections with thirty ports, given up, of which an FTP server tells on another, if commands come by that.
fn aborted_transfers(scenario: &mut Scenario, says: bool) {
    let timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];
    if says {
        for _ in 0..8 {
            scenario.connection(AWAY, 39_000, HOME, 21);
        }
    } else {
        scenario.send(syn(AWAY, 39_000, HOME, 21)).send(tcp(HOME, 21, AWAY, 39_000, SYN | ACK));
        scenario.send(tcp(AWAY, 39_000, HOME, 21, ACK)).send(tcp(AWAY, 39_000, HOME, 21, RST | ACK));
    }
    for i in 0..30 {
        let there = |flags| tcp(AWAY, 41_000 + 7 * i, HOME, 2000 + 911 * i, flags).options(&timestamps);
        let back = |flags| tcp(HOME, 2000 + 911 * i, AWAY, 41_000 + 7 * i, flags);
        scenario.send(there(SYN).options(&OPTIONS)).send(back(SYN | ACK)).send(there(ACK));
        if says {
            scenario.send(with_data(back(PSH | ACK))).send(there(ACK));
        }
        let end = tcp(AWAY, 41_000 + 7 * i, HOME, 2000 + 911 * i, if says { RST } else { RST | ACK });
        scenario.send(end).wait(1.0);
    }
}

/// Visitors whose connections are older than the capture give them up.
#[test]
fn resets_of_a_services_visitors_are_no_backscatter() {
    let told = |is_used: bool, from: u16, flags: u8, number: u32| {
        let mut server = Scenario::at(&[HOME]);
        server.locality.prefixes.push(Prefix { address: ip("93.184.216.0").into(), bits: 24 });
        for i in 0..40 {
            let host = format!("93.184.216.{}", 10 + i % 20);
            if is_used {
                server.connection(&crowd(500 + i), 40_000, &host, 443);
            }
            let end = tcp(&crowd(i), from + 31 * i as u16, &host, 443, flags);
            server.send(end.sequence(number)).wait(1.0);
        }
        let is_told = |frames: &[_]| {
            let found = server.findings_of(frames, server.now);
            found.iter().any(|finding| finding.id == "backscatter.tcp")
        };
        [is_told(&server.frames()), is_told(&server.arriving(HOME))]
    };
    assert_eq!(told(true, 50_000, RST | ACK, 700), [false; 2]);
    assert_eq!(told(true, 50_000, RST, 700), [false; 2]);
    assert_eq!(told(false, 50_000, RST | ACK, 700), [true; 2], "nobody uses it");
    assert_eq!(told(true, 600, RST | ACK, 700), [true; 2], "no client takes such ports");
    assert_eq!(told(true, 50_000, RST | ACK, 0), [true; 2], "they refuse");
    assert_eq!(told(true, 50_000, SYN | ACK, 700), [true; 2], "they accept");
}

/// Each finds one server dead on a day on which it uses many.
#[test]
fn clients_of_one_network_share_no_scan() {
    let shared = |used: u16, dead: u32| {
        let mut office = Scenario::default();
        for i in 0..12_u32 {
            let client = format!("116.90.231.{}", 100 + i);
            for j in 0..used {
                office.connection(&client, 40_000 + 13 * j, &stranger(50 + i * 10 + u32::from(j)), 443);
            }
            for j in 0..dead {
                let server = stranger(500 + i * dead + j);
                office.send(syn(&client, 50_000 + j as u16, &server, 443));
                office.send(tcp(&server, 443, &client, 50_000 + j as u16, RST | ACK).sequence(0)).wait(20.0);
            }
        }
        ids(&office.recognise()).contains(&"scan.distributed")
    };
    assert!(!shared(8, 1));
    assert!(shared(0, 1) && shared(2, 2));
}

/// What is missing is no sign of anything: data, the rest of a first fragment, the type of a message.
#[test]
fn what_a_capture_cut_off_is_nobodys_fault() {
    let timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];
    let mut browser = Scenario::default();
    for i in 0..40 {
        let (server, port) = (stranger(i), 40_000 + 7 * i as u16);
        let out = |flags| tcp(HOME, port, &server, 443, flags).options(&timestamps);
        let back = |flags| tcp(&server, 443, HOME, port, flags).options(&timestamps);
        browser.send(out(SYN)).send(back(SYN | ACK)).send(out(ACK));
        for _ in 0..6 {
            browser.send(with_data(out(PSH | ACK))).send(with_data(back(PSH | ACK)));
        }
        browser.send(out(RST)).wait(0.3);
    }
    for length in [54, 66] {
        calm("a browser", &browser.findings_of(&cut(browser.frames(), length), browser.now));
    }
    // A few packets that are too short make no capture of beginnings, and a tool no browser.
    let server = |i: u32| format!("93.184.216.{}", 20 + i);
    let one_option = [2, 4, 5, 0xb4];
    let as_systems = [&one_option[..], &[4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]].concat();
    for (options, short) in [(&as_systems[..], 5), (&one_option, usize::MAX)] {
        let mut sweep = Scenario::default();
        for i in 0..300 {
            let (visitor, server) = (crowd(i), server(i % 30));
            sweep.connection(&visitor, 40_000, &server, 5432);
            for _ in 0..6 {
                sweep.send(with_data(tcp(&visitor, 40_000, &server, 5432, PSH | ACK).options(&timestamps)));
            }
        }
        for i in 0..30 {
            let half_open = |flags| tcp(AWAY, 40_000, &server(i), 5432, flags);
            sweep.send(half_open(SYN).options(options));
            sweep.send(tcp(&server(i), 5432, AWAY, 40_000, SYN | ACK)).send(half_open(RST)).wait(0.1);
        }
        let mut frames = sweep.frames();
        frames.iter_mut().take(short).for_each(|(_, frame)| frame.truncate(54));
        let found = sweep.findings_of(&frames, sweep.now);
        assert!(found.iter().any(|finding| finding.id == "scan.horizontal"), "{found:#?}");
    }
    let ethernet = [0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1];
    let first = [0x45, 0, 5, 0xdc, 0, 1, 0x20, 0, 64, 17, 0, 0, 116, 90, 231, 66, 93, 184, 216, 10, 0x9c, 0x40];
    let check = [[0x60, 0, 0, 0, 0, 24, 58, 255].as_slice(), &[0; 16], &[0xff, 2], &[0; 13], &[1]].concat();
    for (kind, packet) in [([8, 0], first.to_vec()), ([0x86, 0xdd], check)] {
        let frames: Vec<_> = (0..5).map(|i| (i, [&ethernet[..], &kind, &packet].concat())).collect();
        calm("what is cut", &browser.findings_of(&frames, 5));
    }
}

/// Lengths and what is there tell on what ordinary packets look like.
#[test]
fn captures_of_headers_show_what_is_not_ordinary() {
    let magic = [vec![0xff; 6], [2, 0, 0xc0, 0xa8, 1, 0x55].repeat(16)].concat();
    let [mut other, mut late] = [magic.clone(), magic.clone()];
    other[..6].fill(0xfe);
    late.insert(0, 0);
    let neighbour = "192.168.1.20";
    let rows = [
        ((neighbour, 40000), ("192.168.1.255", 7, 0), vec![0x61; 60], 0, "pattern.fraggle"),
        ((neighbour, 40000), ("192.168.1.255", 7, 0), other, 12, "pattern.fraggle"),
        ((neighbour, 40000), ("192.168.1.255", 7, 0), late, 26, "pattern.fraggle"),
        ((neighbour, 40000), ("192.168.1.255", 7, 0), vec![0x61; 102], 102, "pattern.fraggle"),
        ((AWAY, 40000), (HOME, 123, 0), vec![0x17; 8], 0, "amplifier.123"),
        ((neighbour, 1900), ("192.168.1.10", 1000, 7), vec![0x61; 11], 0, "scan.udp"),
        ((AWAY, 40000), (HOME, 33000, 7), vec![0x61; 21], 0, "scan.udp"),
        ((AWAY, 40000), (HOME, 33000, 7), vec![0x61; 16], 0, "scan.udp"),
        ((AWAY, 40000), (HOME, 33000, 7), vec![0; 20], 20, "scan.udp"),
    ];
    for ((source, from), (target, to, step), payload, held, id) in rows {
        let mut scenario = Scenario::default();
        for i in 0..60 {
            scenario.send(udp(source, from, target, to + i / 2 * step, &payload)).wait(0.3);
        }
        let found = scenario.findings_of(&cut(scenario.frames(), 42 + held), scenario.now);
        let ids: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
        assert!(ids.contains(&id), "{} bytes from {source}, {held} held: {ids:?}", payload.len());
    }
    // A victim's name under questions that come from one port, of which only the beginning is known.
    for (step, is_hunt) in [(0, true), (1, false)] {
        let mut questions = Scenario::default();
        for i in 0..600_u16 {
            let header = [(i >> 8) as u8, i as u8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
            let question = [&header[..], b"\x07example\x03com\0\0\x10\0\x01", &[0; 11]].concat();
            questions.send(udp(AWAY, 40_000 + step * i, HOME, 53, &question)).wait(0.0001);
        }
        let found = questions.findings_of(&cut(questions.frames(), 68), questions.now);
        assert_eq!(found.iter().any(|finding| finding.id == "amplifier.hunt"), is_hunt, "{found:#?}");
    }
    let amplified = SCENARIOS.into_iter().filter(|(_, id, _)| *id == "amplifier.answers");
    for (title, id, fill) in amplified {
        let mut scenario = Scenario::default();
        fill(&mut scenario);
        let found = scenario.findings_of(&cut(scenario.frames(), 42), scenario.now);
        assert!(found.iter().any(|finding| finding.id == id), "{title}");
    }
}

fn browsing(scenario: &mut Scenario) {
    for i in 0..300 {
        let server = stranger(i / 4);
        scenario.connection(HOME, 32768 + 53 * i as u16, &server, [443, 443, 80, 443][i as usize % 4]).wait(0.3);
    }
}

fn a_busy_web_server(scenario: &mut Scenario) {
    for i in 0..2000 {
        scenario.connection(&stranger(i), 1024 + i as u16, HOME, if i % 3 == 0 { 80 } else { 443 });
    }
}

fn a_gateway_with_many_clients_behind_it(scenario: &mut Scenario) {
    for i in 0..600 {
        scenario.connection("116.90.231.1", 1024 + 7 * i, HOME, [80, 443, 993, 587][usize::from(i % 4)]);
    }
}

fn mail_with_ident(scenario: &mut Scenario) {
    for i in 0..40 {
        let server = stranger(i);
        scenario.connection(HOME, 40000 + i as u16, &server, 25).send(syn(&server, 50000, HOME, 113));
        scenario.send(tcp(HOME, 113, &server, 50000, RST | ACK)).wait(5.0);
    }
}

fn a_transfer_of_many_files(scenario: &mut Scenario) {
    scenario.send(syn(HOME, 40000, "116.90.231.21", 21)).send(tcp("116.90.231.21", 21, HOME, 40000, SYN | ACK));
    for i in 0..200 {
        let port = 40001 + i;
        scenario.send(syn("116.90.231.21", 20, HOME, port)).send(tcp(HOME, port, "116.90.231.21", 20, SYN | ACK));
        scenario.send(tcp("116.90.231.21", 20, HOME, port, FIN | ACK)).wait(0.5);
    }
}

fn passive_transfers(scenario: &mut Scenario) {
    for (client, server) in [("116.90.231.5", HOME), (HOME, "116.90.231.21")] {
        scenario.connection(client, 40000, server, 21);
        for i in 0..100 {
            scenario.connection(client, 40001 + i, server, 50000 + 13 * i);
        }
    }
}

fn a_name_server(scenario: &mut Scenario) {
    for i in 0..1500 {
        let (asker, port) = (stranger(i % 300), 1024 + 31 * (i as u16 % 2000));
        scenario.send(udp(&asker, port, HOME, 53, &[0, 1, 1, 0, 0, 1, 0, 0]));
        scenario.send(udp(HOME, 53, &asker, port, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
        let server = stranger(5000 + i % 200);
        scenario.send(udp(HOME, 2000 + port / 2, &server, 53, &[0, 1, 1, 0, 0, 1, 0, 0]));
        scenario.send(udp(&server, 53, HOME, 2000 + port / 2, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
    }
}

fn a_resolver(scenario: &mut Scenario) {
    for i in 0..900 {
        let (server, port) = (crowd(i % 400), 1024 + (i * 7919 % 60_000) as u16);
        scenario.send(udp(HOME, port, &server, 53, &[0, 1, 1, 0, 0, 1, 0, 0]));
        scenario.send(udp(&server, 53, HOME, port, &[[0x81; 600], [0x84; 600]].concat()[..500 + i as usize % 700]));
        // For whom it asks.
        if i % 10 == 0 {
            let (client, port) = (format!("93.184.216.{}", 100 + i % 7), 40_000 + i as u16);
            scenario.send(udp(&client, port, HOME, 53, &[0, 1, 1, 0, 0, 1, 0, 0]).ttl(64));
            scenario.send(udp(HOME, 53, &client, port, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
        }
    }
}

fn a_browser_of_game_servers(scenario: &mut Scenario) {
    for i in 0..600 {
        scenario.send(udp(HOME, 50123, &crowd(i), 27015, b"\xff\xff\xff\xffTSource Engine Query\0")).wait(-0.009);
        scenario.send(udp(&crowd(i), 27015, HOME, 50123, &[0xff; 400])).wait(-0.009);
    }
}

fn a_monitor_of_devices(scenario: &mut Scenario) {
    for _ in 0..30 {
        for i in 0..12 {
            let device = crowd(i);
            for _ in 0..4 {
                scenario.send(udp(HOME, 50124, &device, 161, &[0x30; 60]));
                scenario.send(udp(&device, 161, HOME, 50124, &[0x30; 1200]));
            }
        }
        scenario.wait(60.0);
    }
}

fn clocks(scenario: &mut Scenario) {
    for i in 0..300 {
        let clock = crowd(i % 30);
        scenario.send(udp(HOME, 40000 + i as u16, &clock, 123, &[0x23; 48]));
        scenario.send(udp(&clock, 123, HOME, 40000 + i as u16, &[0x24; 48])).wait(10.0);
    }
}

fn discovery(scenario: &mut Scenario) {
    for (port, from) in [(1900, 51000), (3702, 51001), (5353, 51002), (137, 51003)] {
        scenario.send(udp(HOME, from, "239.255.255.250", port, &[0; 120]).ttl(2));
        for i in 0..12 {
            scenario.send(udp(&format!("93.184.216.{}", 40 + i), port, HOME, from, &[0; 400]).ttl(64));
        }
    }
}

fn a_windows_neighbour(scenario: &mut Scenario) {
    let neighbour = "93.184.216.33";
    for _ in 0..3 {
        scenario.send(udp(neighbour, 137, HOME, 137, &[0; 50]).ttl(128)).wait(1.5);
    }
    for port in [445, 139, 80] {
        for _ in 0..3 {
            scenario.send(syn(neighbour, 50000 + port, HOME, port).ttl(128)).wait(0.5);
            scenario.send(tcp(HOME, port, neighbour, 50000 + port, RST | ACK));
        }
    }
}

fn a_gateway_whose_clients_browse(scenario: &mut Scenario) {
    for i in 0..400_u32 {
        let port = 1024 + (i * 7919 % 64_000) as u16;
        scenario.connection(HOME, port, &crowd(i % 30), 443);
        if i % 10 == 0 {
            let refused = crowd(100 + i % 20);
            scenario.send(syn(HOME, port, &refused, 443)).send(tcp(&refused, 443, HOME, port, RST | ACK).sequence(0));
        }
    }
}

fn browsing_dead_servers(scenario: &mut Scenario) {
    for i in 0..120_u16 {
        let (server, port) = (crowd(u32::from(i) / 8), 33_000 + 5 * i);
        if i / 8 % 2 == 0 {
            scenario.connection(HOME, port, &server, 443);
        } else {
            let question = syn(HOME, port, &server, [80, 443][usize::from(i % 2)]);
            scenario.send(question.clone()).send(error("185.60.112.1", 3, u8::from(i % 3 > 0), &question)).wait(1.0);
        }
    }
}

fn a_neighbour_that_pings_everybody(scenario: &mut Scenario) {
    for _ in 0..6 {
        scenario.send(ping("93.184.216.9", "93.184.216.255").ttl(64));
        for i in [1, 2, 3, 10] {
            scenario.send(icmp(&format!("93.184.216.{i}"), "93.184.216.9", 0, 0, &[0; 32]).ttl(64));
        }
        scenario.wait(1.0);
    }
}

fn a_peer_of_a_sharing_network(scenario: &mut Scenario) {
    for i in 0..400 {
        let peer = stranger(i);
        scenario.connection(&peer, 20000 + i as u16, HOME, 51413);
        scenario.connection(HOME, 33000 + i as u16, &stranger(9000 + i), 6881 + 17 * (i as u16 % 900));
        scenario.send(udp(&peer, 6881 + i as u16, HOME, 51413, &[0; 60]));
        scenario.send(udp(HOME, 51413, &peer, 6881 + i as u16, &[0; 60]));
    }
}

fn a_monitor(scenario: &mut Scenario) {
    for _ in 0..60 {
        scenario.send(ping("116.90.231.2", HOME)).send(icmp(HOME, "116.90.231.2", 0, 0, &[0; 32]));
        for port in [22, 25, 80, 443, 587, 993, 995, 110, 143, 5432] {
            scenario.connection("116.90.231.2", 40000 + port, HOME, port);
        }
        scenario.wait(60.0);
    }
}

fn streams_calls_and_games(scenario: &mut Scenario) {
    for i in 0..2000_u16 {
        scenario.send(udp("116.90.231.30", 443, HOME, 51000 + i % 3, &[0; 1200]));
        scenario.send(udp("116.90.231.31", 20000 + 2 * (i % 4), HOME, 30000 + 2 * (i % 4), &[0; 160]));
        scenario.send(udp("116.90.231.32", 27015, HOME, 27005, &[0; 200]));
        scenario.send(udp(&stranger(u32::from(i % 60)), 27005, HOME, 27015, &[0; 60]));
    }
}

fn neighbours_on_a_local_network(scenario: &mut Scenario) {
    for i in 2..40 {
        let host = format!("93.184.216.{i}");
        scenario.send(udp(&host, 137, "93.184.216.255", 137, &[0; 50])).send(udp(
            &host,
            138,
            "93.184.216.255",
            138,
            &[0; 150],
        ));
        scenario.send(udp(&host, 5353, "224.0.0.251", 5353, &[0; 40]));
        scenario.send(udp(&host, 50000, "239.255.255.250", 1900, &[0; 120])).send(ping(&host, "93.184.216.1"));
    }
}

fn chat_with_its_check_for_proxies(scenario: &mut Scenario) {
    scenario.connection(HOME, 40000, "116.90.231.60", 6667).send(syn("116.90.231.60", 50000, HOME, 113));
    for port in [1080, 23, 3128, 8080, 80, 6588] {
        scenario.send(syn("116.90.231.60", 50000 + port / 7, HOME, port));
    }
}
