//! Patterns that look like attacks and are none, and the same packets without the evidence.

use annotator::finding::{Confidence, Recognition, Verdict};

use crate::traffic::*;

const HOME: &str = "93.184.216.10";

#[test]
fn udp_traceroute_tells_the_hops() {
    let mut scenario = Scenario::default();
    for i in 0..9 {
        scenario.send(udp("116.90.231.7", 40000, HOME, 33464 + i, &[0; 32]).ttl(1 + i as u8 / 3));
    }
    let found = scenario.recognise();
    let traceroute = one(&found, "pattern.traceroute");
    assert_eq!(traceroute.facts[0], ("hops", "10".to_string()));
    assert_eq!(traceroute.sources, [ip("116.90.231.7")]);
    assert_eq!(traceroute.explains.len(), 9);
}

#[test]
fn udp_scan_of_the_same_ports_is_no_traceroute() {
    let mut scenario = Scenario::default();
    for i in 0..9 {
        scenario.send(udp("116.90.231.7", 40000, HOME, 33464 + i, &[0; 32]).ttl(50));
    }
    none(&scenario.recognise(), "pattern.traceroute");
}

/// As paris-traceroute does, so that all probes take the same way.
#[test]
fn traceroute_to_one_port_shows_by_its_ttls() {
    let to_one_port = |probe: &dyn Fn() -> Packet, ttls: &[u8]| {
        let mut scenario = Scenario::live();
        for ttl in ttls {
            scenario.send(probe().ttl(*ttl)).wait(0.5);
        }
        scenario.recognise()
    };
    let datagram = || udp("116.90.231.7", 40000, HOME, 33434, &[0; 32]);
    let question = || syn("116.90.231.7", 40000, HOME, 80);
    for ttls in [&[1, 2, 3, 4, 5, 6][..], &[1, 1, 1], &[2, 2, 2, 3, 3, 3]] {
        assert_eq!(one(&to_one_port(&datagram, ttls), "pattern.traceroute").explains.len(), ttls.len());
        one(&to_one_port(&question, ttls), "pattern.traceroute");
    }
    // With `-U` all datagrams go to the port of DNS.
    let to_dns = || udp("116.90.231.7", 40000, HOME, 53, &[0; 32]);
    one(&to_one_port(&to_dns, &[1, 1, 1, 2, 2, 2]), "pattern.traceroute");
    none(&to_one_port(&to_dns, &[1, 1, 1, 1]), "pattern.traceroute");
    for ttls in [&[52, 52, 52, 52][..], &[50, 51, 52, 53], &[4, 4, 4, 4], &[5, 4, 3, 2, 1], &[3, 1, 4, 2, 5, 1, 4]] {
        none(&to_one_port(&datagram, ttls), "pattern.traceroute");
        none(&to_one_port(&question, ttls), "pattern.traceroute");
    }
}

#[test]
fn ping_traceroute_shows_by_its_ttls() {
    let mut scenario = Scenario::default();
    for ttl in 1..=3 {
        scenario.send(ping("116.90.231.7", HOME).ttl(ttl));
    }
    assert_eq!(one(&scenario.recognise(), "pattern.traceroute.icmp").also, ["pattern.traceroute"]);
    let findings = scenario.findings();
    assert!(!findings.iter().any(|one| ["icmp.8", "ip.low-ttl"].contains(&one.id.as_str())), "{findings:#?}");
    let mut pings = Scenario::default();
    for _ in 1..=5 {
        pings.send(ping("116.90.231.7", HOME).ttl(52));
    }
    none(&pings.recognise(), "pattern.traceroute");
    // A program that goes on measuring counts from the beginning each time.
    let again = |ttls: &[u8]| {
        let mut scenario = Scenario::default();
        for ttl in ttls.iter().cycle().take(24) {
            scenario.send(ping("116.90.231.7", HOME).ttl(*ttl)).wait(0.5);
        }
        ids(&scenario.recognise()).contains(&"pattern.traceroute.icmp")
    };
    assert!(again(&[1, 2]) && again(&[1, 2, 3, 4]));
    assert!(!again(&[3, 1, 4, 2]));
    // Behind more pings than would tell anything new.
    let mut later = Scenario::default();
    for _ in 0..200 {
        later.send(ping("116.90.231.7", HOME).ttl(52)).wait(1.0);
    }
    for ttl in 1..=8 {
        later.send(ping("116.90.231.7", HOME).ttl(ttl));
    }
    one(&later.recognise(), "pattern.traceroute.icmp");
}

#[test]
fn own_traceroute_shows_by_the_routers_that_complain() {
    let mut scenario = Scenario::live();
    for (i, router) in ["185.60.112.1", "116.90.231.1", "116.90.231.9"].iter().enumerate() {
        let probe = udp(HOME, 40000, "8.8.4.4", 33434 + i as u16 * 3, &[0; 32]);
        scenario.send(error(router, 11, 0, &probe));
    }
    scenario.send(error("8.8.4.4", 3, 3, &udp(HOME, 40000, "8.8.4.4", 33443, &[0; 32])));
    let found = scenario.recognise();
    assert_eq!(one(&found, "pattern.traceroute-own").facts[0], ("hops", "4".to_string()));
    let mut single = Scenario::live();
    single.send(error("185.60.112.1", 11, 0, &udp(HOME, 40000, "8.8.4.4", 9999, &[0; 32])));
    none(&single.recognise(), "pattern.traceroute-own");
    let mut answered = Scenario::at(&[HOME]);
    for port in 33434..33450 {
        let probe = udp("8.8.4.4", 40000, HOME, port, &[0; 32]).ttl(1 + ((port - 33434) / 3) as u8);
        answered.send(probe.clone()).send(error(HOME, 3, 3, &probe));
    }
    let found = answered.recognise();
    one(&found, "pattern.traceroute");
    none(&found, "pattern.traceroute-own");
}

fn mget(scenario: &mut Scenario) {
    for i in 0..12 {
        scenario.send(syn("116.90.231.21", 20, HOME, 2632 + i)).wait(0.4);
    }
}

#[test]
fn ftp_data_is_certain_when_the_control_connection_was_seen() {
    let mut scenario = Scenario::default();
    scenario.connection(HOME, 2630, "116.90.231.21", 21);
    mget(&mut scenario);
    let found = scenario.recognise();
    let data = one(&found, "pattern.ftp-active-data");
    assert_eq!(data.confidence, Some(Confidence::Certain));
    assert_eq!(data.explains.len(), 12);
    assert_eq!(data.examples.len(), 3);
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn ftp_data_is_likely_from_answers_and_possible_from_rising_ports() {
    let mut answered = Scenario::live();
    answered.send(tcp("116.90.231.21", 21, HOME, 2630, SYN | ACK));
    mget(&mut answered);
    assert_eq!(one(&answered.recognise(), "pattern.ftp-active-data").confidence, Some(Confidence::Likely));
    // The server asks by ident, and brings its mail.
    let mut alone = Scenario::live();
    alone.send(syn("116.90.231.21", 51_000, HOME, 113)).connection("116.90.231.21", 40_000, HOME, 25);
    mget(&mut alone);
    assert_eq!(one(&alone.recognise(), "pattern.ftp-active-data").confidence, Some(Confidence::Possible));
}

#[test]
fn what_this_host_was_seen_to_open_is_certain() {
    let hint = |found: &[Recognition], id: &str| one(found, id).evidence.iter().any(|line| line.contains("--egress"));
    let mut watched = Scenario::live();
    watched.open(HOME, "116.90.231.21", 21).wait(600.0);
    watched.send(tcp("116.90.231.21", 21, HOME, 2630, FIN | ACK)).wait(1.0);
    mget(&mut watched);
    let found = watched.recognise();
    assert_eq!(one(&found, "pattern.ftp-active-data").confidence, Some(Confidence::Certain));
    assert!(!hint(&found, "pattern.ftp-active-data"));
    watched.outbound = None;
    let found = watched.recognise();
    assert_eq!(one(&found, "pattern.ftp-active-data").confidence, Some(Confidence::Likely));
    assert!(hint(&found, "pattern.ftp-active-data"));

    let mut mail = Scenario::live();
    mail.open(HOME, "116.90.231.25", 25).send(syn("116.90.231.25", 51000, HOME, 113));
    assert_eq!(one(&mail.recognise(), "pattern.ident-after-connect").confidence, Some(Confidence::Certain));
    mail.outbound = Some(Vec::new());
    none(&mail.recognise(), "pattern.ident-after-connect");

    let mut chat = Scenario::live();
    chat.open(HOME, "116.90.231.66", 6667).wait(2.0);
    for port in [1080, 3128, 8080, 23] {
        chat.send(syn("116.90.231.66", 50000 + port, HOME, port));
    }
    assert_eq!(one(&chat.recognise(), "pattern.irc-proxy-check").confidence, Some(Confidence::Certain));
}

#[test]
fn a_scan_from_port_20_is_no_ftp() {
    let from_20 = |ports: &[u16]| {
        let mut scenario = Scenario::live();
        for port in ports {
            scenario.send(syn("116.90.231.21", 20, HOME, *port));
        }
        scenario.recognise()
    };
    one(&from_20(&[2632, 2633, 2634, 2635]), "pattern.ftp-active-data");
    // Beside services, too few, out of order, and far from each other.
    for ports in
        [&[22, 2632, 80, 2633, 443, 2634, 3306][..], &[2632], &[2632, 2634, 2633, 2635], &[2632, 4632, 6632, 8632]]
    {
        none(&from_20(ports), "pattern.ftp-active-data");
    }
}

/// A control connection, and then SYNs of the server to some ports, from some port, with a pause between them.
fn after_login(source_port: impl Fn(u16) -> u16, ports: impl Iterator<Item = u16>, pause: f64) -> Scenario {
    let mut scenario = Scenario::default();
    scenario.connection(HOME, 2630, "116.90.231.21", 21).wait(30.0);
    for (i, port) in ports.enumerate() {
        scenario.send(syn("116.90.231.21", source_port(i as u16), HOME, port)).wait(pause);
    }
    scenario
}

#[test]
fn an_ftp_session_excuses_no_scan() {
    let row = || (0..300).map(|i| 1024 + 7 * i);
    let found = after_login(|i| 40000 + i, row(), 0.0).recognise();
    none(&found, "pattern.ftp-active-data");
    assert_eq!(one(&found, "scan.vertical").sources, [ip("116.90.231.21")]);
    let found = after_login(|_| 20, row(), 0.0).recognise();
    none(&found, "pattern.ftp-active-data");
    one(&found, "scan.vertical");
    let services = [22, 23, 80, 443, 1433, 3306, 5900, 6000, 8080];
    for source_port in [20, 40000] {
        let found = after_login(|_| source_port, services.into_iter(), 1.0).recognise();
        none(&found, "pattern.ftp-active-data");
    }
}

#[test]
fn deliveries_from_another_port_than_20_are_only_possible() {
    let found = after_login(|i| 40000 + i, 50000..50006, 1.0).recognise();
    assert_eq!(one(&found, "pattern.ftp-active-data").confidence, Some(Confidence::Possible));
    // Nobody waits for data at the port of a service, or refuses what he has asked for.
    none(&after_login(|i| 40000 + i, [8080, 5432, 3306].into_iter(), 1.0).recognise(), "pattern.ftp-active-data");
    let mut refused = after_login(|i| 40000 + i, 50000..50006, 1.0);
    for i in 0..6 {
        refused.send(tcp(HOME, 50000 + i, "116.90.231.21", 40000 + i, RST | ACK));
    }
    none(&refused.recognise(), "pattern.ftp-active-data");
}

#[test]
fn deliveries_and_a_scan_by_one_host_are_told_apart() {
    let mut scenario = after_login(|_| 20, 2632..2638, 1.0);
    for port in [21, 22, 23, 25, 80, 110, 139, 143, 443, 445] {
        scenario.send(syn("116.90.231.21", 41000, HOME, port));
    }
    let found = scenario.recognise();
    assert_eq!(one(&found, "pattern.ftp-active-data").explains.len(), 6);
    one(&found, "scan.vertical");
}

#[test]
fn a_long_row_of_deliveries_is_announced_or_slow() {
    let mut announced = after_login(|_| 20, 40000..40060, 0.0);
    for _ in 0..60 {
        announced.send(with_data(tcp("116.90.231.21", 21, HOME, 2630, PSH | ACK)));
    }
    one(&announced.recognise(), "pattern.ftp-active-data");
    one(&after_login(|_| 20, 40000..40060, 0.8).recognise(), "pattern.ftp-active-data");
    none(&after_login(|_| 20, 40000..40060, 0.0).recognise(), "pattern.ftp-active-data");
}

#[test]
fn deliveries_that_were_ordered_may_be_quick_or_refused() {
    let refuse = |scenario: &mut Scenario, ports: std::ops::Range<u16>| {
        for port in ports {
            scenario.send(tcp(HOME, port, "116.90.231.21", 20, RST | ACK));
        }
    };
    let data = |found: &[Recognition]| one(found, "pattern.ftp-active-data").confidence;
    let mut ordered = after_login(|_| 20, 2632..2652, 0.01);
    assert_eq!(data(&ordered.recognise()), Some(Confidence::Certain));
    refuse(&mut ordered, 2632..2652);
    let found = ordered.recognise();
    assert_eq!(data(&found), Some(Confidence::Certain));
    assert_eq!(found.len(), 1, "{found:#?}");
    // Behind a firewall that drops them they come twice.
    let twice = after_login(|_| 20, (2632..2670).flat_map(|port| [port, port]), 0.0);
    assert_eq!(data(&twice.recognise()), Some(Confidence::Certain));
    // More than anybody orders, of one port, or of services.
    for found in [
        after_login(|_| 20, 2000..3000, -0.009).recognise(),
        after_login(|_| 20, std::iter::repeat_n(2632, 40), 0.0).recognise(),
        after_login(|_| 20, [1433, 3306, 5432, 8080, 9200].into_iter(), 1.0).recognise(),
    ] {
        none(&found, "pattern.ftp-active-data");
    }
    // An answer from port 21 alone is soon forged.
    let mut answered = Scenario::live();
    answered.send(tcp("116.90.231.21", 21, HOME, 2630, SYN | ACK)).wait(1.0);
    for port in 2632..2652 {
        answered.send(syn("116.90.231.21", 20, HOME, port));
    }
    one(&answered.recognise(), "scan.vertical");
    // But it may answer for files at the pace of files.
    let mut files = Scenario::live();
    files.send(tcp("116.90.231.21", 21, HOME, 2630, SYN | ACK)).wait(1.0);
    for port in 2632..2682 {
        files.send(syn("116.90.231.21", 20, HOME, port)).wait(0.04);
    }
    one(&files.recognise(), "pattern.ftp-active-data");
    // Of so many files the control connection would tell.
    let untold = |others: bool| {
        let mut scenario = Scenario::default();
        for port in 2632..2732 {
            scenario.send(syn("116.90.231.21", 20, HOME, port)).wait(0.1);
        }
        if others {
            scenario.send(tcp("116.90.231.99", 443, HOME, 50_000, SYN | ACK));
        }
        ids(&scenario.recognise()).contains(&"pattern.ftp-active-data")
    };
    assert!(untold(false) && !untold(true));

    let unseen = |ports: std::ops::Range<u16>, pause: f64, refused: bool| {
        let mut scenario = Scenario::at(&[HOME]);
        for port in ports.clone() {
            scenario.send(syn("116.90.231.21", 20, HOME, port)).wait(pause);
        }
        if refused {
            refuse(&mut scenario, ports);
        }
        scenario.recognise()
    };
    assert_eq!(data(&unseen(2632..2652, 0.09, false)), Some(Confidence::Possible));
    assert_eq!(data(&unseen(2632..2641, 0.8, true)), Some(Confidence::Possible));
    none(&unseen(2632..2652, 0.8, true), "pattern.ftp-active-data");
    none(&unseen(2632..2652, 0.02, false), "pattern.ftp-active-data");
}

#[test]
fn ident_follows_a_connection() {
    let mut scenario = Scenario::default();
    scenario.connection(HOME, 40000, "116.90.231.25", 25).send(syn("116.90.231.25", 51000, HOME, 113));
    let found = scenario.recognise();
    assert_eq!(one(&found, "pattern.ident-after-connect").confidence, Some(Confidence::Certain));
    none(&found, "pattern.port-probe");
    scenario.send(tcp(HOME, 113, "116.90.231.25", 51000, RST | ACK));
    assert_eq!(one(&scenario.recognise(), "pattern.ident-after-connect").explains.len(), 2);
    let mut neighbour = Scenario::live();
    neighbour.send(tcp("116.90.231.25", 25, HOME, 40000, SYN | ACK)).send(syn("116.90.231.26", 51000, HOME, 113));
    let found = neighbour.recognise();
    assert_eq!(one(&found, "pattern.ident-after-connect").also, ["pattern.related-host"]);
}

#[test]
fn the_questions_of_many_servers_are_one_finding() {
    let mut scenario = Scenario::at(&[HOME]);
    for i in 0..50 {
        let server = stranger(i as u32);
        scenario.send(tcp(&server, 25, HOME, 51000 + i, SYN | ACK)).wait(0.2);
        scenario.send(syn(&server, 45000 + i, HOME, 113)).wait(0.8);
    }
    let found = scenario.recognise();
    let ident = one(&found, "pattern.ident-after-connect");
    assert_eq!((ident.packets, ident.sources.len()), (50, 16));
    assert_eq!(ident.confidence, Some(Confidence::Likely));
    assert!(ident.evidence.iter().any(|line| line.starts_with("50 servers")), "{ident:#?}");
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn ident_out_of_the_blue_is_a_probe() {
    let mut stranger = Scenario::live();
    stranger.send(tcp("116.90.231.25", 25, HOME, 40000, SYN | ACK)).send(syn("185.60.112.26", 51000, HOME, 113));
    let found = stranger.recognise();
    none(&found, "pattern.ident-after-connect");
    one(&found, "pattern.port-probe");
    let mut late = Scenario::live();
    late.send(tcp("116.90.231.25", 25, HOME, 40000, SYN | ACK)).wait(3600.0);
    late.send(syn("116.90.231.25", 51000, HOME, 113));
    none(&late.recognise(), "pattern.ident-after-connect");
}

#[test]
fn ident_after_data_that_only_the_counters_know() {
    let mut scenario = Scenario::live();
    for _ in 0..4 {
        scenario.send(with_data(tcp("116.90.231.25", 25, HOME, 40000, PSH | ACK)));
    }
    scenario.send(syn("116.90.231.25", 51000, HOME, 113));
    assert_eq!(one(&scenario.recognise(), "pattern.ident-after-connect").confidence, Some(Confidence::Possible));
}

#[test]
fn chat_servers_check_their_guests() {
    let mut scenario = Scenario::live();
    scenario.send(tcp("116.90.231.66", 6667, HOME, 40000, SYN | ACK));
    for port in [1080, 3128, 8080, 23] {
        scenario.send(syn("116.90.231.66", 50000 + port, HOME, port));
    }
    let found = scenario.recognise();
    assert_eq!(one(&found, "pattern.irc-proxy-check").explains.len(), 4);
    none(&found, "pattern.proxy-scan");
    let mut stranger = Scenario::live();
    stranger.send(tcp("116.90.231.66", 6667, HOME, 40000, SYN | ACK));
    stranger.send(syn("185.60.112.9", 50000, HOME, 1080));
    none(&stranger.recognise(), "pattern.irc-proxy-check");
}

/// A stray packet from the port of a service makes nobody its client who refuses it, or is known to have asked for nothing.
#[test]
fn a_packet_that_nobody_asked_for_is_no_contact() {
    const CALLER: &str = "116.90.231.66";
    let found = |port: u16, watched: bool, refused: bool, calls: &[u16]| {
        let mut scenario = if watched { Scenario::live_at(&[HOME]) } else { Scenario::at(&[HOME]) };
        scenario.outbound = watched.then(Vec::new);
        scenario.send(udp(HOME, 40_000, "9.9.9.9", 53, &[0; 30]));
        scenario.send(tcp(CALLER, port, HOME, 45_000, ACK));
        if refused {
            scenario.send(tcp(HOME, 45_000, CALLER, port, RST));
        }
        for call in calls {
            scenario.send(syn(CALLER, 40_000 + call, HOME, *call)).send(tcp(
                HOME,
                *call,
                CALLER,
                40_000 + call,
                RST | ACK,
            ));
        }
        ids(&scenario.recognise()).join(" ")
    };
    for (watched, refused) in [(false, true), (false, false), (true, false)] {
        let told = |port: u16, calls: &[u16]| found(port, watched, refused, calls);
        assert_eq!(told(6667, &[80, 1080, 3128, 8080]), "pattern.proxy-scan");
        assert_eq!(told(25, &[113]), "pattern.port-probe");
        assert_eq!(told(443, &[22, 3389, 5900]), "pattern.port-probe");
    }
}

#[test]
fn a_scan_is_not_excused_by_the_question_that_it_holds() {
    let scan = |own: u16, ports: &[u16]| {
        let mut scenario = Scenario::default();
        scenario.connection(HOME, 45000, "116.90.231.66", own).wait(5.0);
        for port in ports {
            scenario.send(syn("116.90.231.66", 4000 + port, HOME, *port)).wait(0.3);
        }
        scenario.recognise()
    };
    let services = [21, 22, 23, 25, 79, 80, 110, 111, 113, 143, 443, 445];
    let found = scan(80, &services);
    none(&found, "pattern.ident-after-connect");
    assert_eq!(one(&found, "scan.vertical").explains.len(), 12);
    let many: Vec<u16> = (1..60).chain([1080, 3128, 8080, 80]).collect();
    let found = scan(6667, &many);
    none(&found, "pattern.irc-proxy-check");
    one(&found, "scan.vertical");
    // A thorough check, with ident before it, is still a check.
    let check = [113, 1080, 3128, 8080, 23, 80, 81, 808, 1081, 6588, 8000, 8001, 8081, 8118, 8888, 9050];
    let found = scan(6667, &check);
    one(&found, "pattern.irc-proxy-check");
    one(&found, "pattern.ident-after-connect");
}

#[test]
fn late_fins_are_no_fin_scan() {
    let mut scenario = Scenario::live();
    for i in 0..7 {
        scenario.send(tcp("116.90.231.80", 80, HOME, 2632 + i, FIN)).wait(1.0);
    }
    let found = scenario.recognise();
    let late = one(&found, "pattern.late-fin");
    assert_eq!((late.explains.len(), late.confidence), (7, Some(Confidence::Likely)));
    none(&found, "scan.fin");
    // That the client asked the server is known, or its ports fall.
    for (opened, sure) in [(true, Confidence::Certain), (false, Confidence::Possible)] {
        let mut falling = Scenario::live();
        if opened {
            falling.open(HOME, "116.90.231.80", 80).wait(5.0);
        }
        for i in 0..7 {
            falling.send(tcp("116.90.231.80", 80, HOME, 2650 - i, FIN | ACK)).wait(1.0);
        }
        assert_eq!(one(&falling.recognise(), "pattern.late-fin").confidence, Some(sure));
    }
}

/// Nine short sessions with a web server, ended by the client or not, and by the server after a pause; both directions or what arrives.
fn ends_after(arriving: bool, closed: bool, pause: f64, flags: u8) -> Vec<Recognition> {
    const SERVER: &str = "116.90.231.80";
    let mut scenario = Scenario::at(&[HOME]);
    let mut send = |packet: Packet| _ = (!arriving || packet.source == ip(SERVER)).then(|| scenario.send(packet));
    let out = |port: u16, flags: u8| tcp(HOME, port, SERVER, 80, flags);
    let back = |port: u16, flags: u8| tcp(SERVER, 80, HOME, port, flags);
    for port in 2632..2641 {
        let requests = [out(port, SYN), back(port, SYN | ACK), out(port, ACK)];
        let data = [with_data(out(port, PSH | ACK)), with_data(back(port, PSH | ACK))];
        requests.into_iter().chain(data).chain(closed.then(|| out(port, FIN | ACK))).for_each(&mut send);
    }
    scenario.wait(pause);
    for port in 2632..2641 {
        scenario.send(back(port, flags));
    }
    scenario.recognise()
}

#[test]
fn ends_of_sessions_that_are_over_are_late() {
    for (arriving, sure) in [(false, Confidence::Certain), (true, Confidence::Likely)] {
        for pause in [5.0, 60.0, 119.0] {
            for flags in [FIN, FIN | ACK, RST, RST | ACK] {
                let found = ends_after(arriving, true, pause, flags);
                let late = one(&found, "pattern.late-fin");
                assert_eq!((late.packets, late.confidence), (9, Some(sure)));
                assert_eq!(found.len(), 1, "{found:#?}");
            }
        }
        // At once, or hours later, as idle connections end.
        assert!(ends_after(arriving, true, 0.0, FIN | ACK).is_empty());
        assert!(ends_after(arriving, true, 7200.0, FIN | ACK).is_empty());
    }
    // The client has kept them open.
    assert!(ends_after(false, false, 60.0, FIN | ACK).is_empty());
}

/// As in the source: the capture holds the sessions, which both ended, and of each more than tells anything new.
#[test]
fn ends_of_sessions_that_both_closed_are_late() {
    for arriving in [false, true] {
        let mut scenario = Scenario::at(&[HOME]);
        for port in 2632..2732 {
            scenario.connection(HOME, port, "116.90.231.80", 80);
        }
        scenario.wait(90.0);
        for port in 2632..2732 {
            scenario.send(tcp("116.90.231.80", 80, HOME, port, FIN)).wait(0.1);
        }
        let frames = if arriving { scenario.arriving(HOME) } else { scenario.frames() };
        let findings = scenario.findings_of(&frames, scenario.now);
        let late = findings.iter().find(|finding| finding.id == "pattern.late-fin").expect("the late ends are told");
        assert_eq!((late.packets, late.verdict), (100, Verdict::BenignLookalike));
        assert!(findings.iter().all(|finding| finding.verdict <= Verdict::BenignLookalike), "{findings:#?}");
    }
}

#[test]
fn a_busy_clients_late_fins_come_in_their_order_and_slowly() {
    let ends = |flags: u8, pause: f64, port: fn(u16) -> u16| {
        let mut scenario = Scenario::live();
        for i in 0..25 {
            scenario.send(tcp("116.90.231.80", 80, HOME, port(i), flags)).wait(pause);
        }
        scenario.recognise()
    };
    let rising = |i: u16| 2632 + i;
    for flags in [FIN, FIN | ACK, RST, RST | ACK] {
        let found = ends(flags, 3.0, rising);
        assert_eq!(one(&found, "pattern.late-fin").packets, 25);
        assert_eq!(found.len(), 1, "{found:#?}");
    }
    // As many as a browser's and faster, in the same order.
    for flags in [FIN | ACK, RST] {
        for pause in [0.09, 1.0] {
            let found = ends(flags, pause, rising);
            assert_eq!((one(&found, "pattern.late-fin").packets, found.len()), (25, 1), "{found:#?}");
        }
    }
    for found in [ends(FIN, 0.0, rising), ends(FIN, 3.0, |i| 2632 + i * 7 % 25), ends(FIN, 3.0, |i| 2000 + 97 * i)] {
        none(&found, "pattern.late-fin");
        one(&found, "scan.fin");
    }
}

/// Each end is repeated until it is acknowledged; of so many not all are sampled.
#[test]
fn repeated_late_fins_are_no_scan() {
    let mut scenario = Scenario::live();
    for pause in [3.0, 6.0, 12.0, 24.0, 0.0] {
        for port in 2632..2652 {
            scenario.send(tcp("116.90.231.80", 443, HOME, port, FIN | ACK)).wait(0.1);
        }
        scenario.wait(pause);
    }
    let found = scenario.recognise();
    assert_eq!((one(&found, "pattern.late-fin").packets, found.len()), (100, 1), "{found:#?}");
}

#[test]
fn a_fin_scan_from_a_web_servers_port_is_no_late_fin() {
    for (flags, id) in [(FIN, "scan.fin"), (FIN | ACK, "scan.maimon")] {
        for mut scenario in [Scenario::live(), Scenario::at(&[HOME])] {
            // That somebody once visited the server excuses nothing.
            scenario.connection(HOME, 40000, "116.90.231.80", 80);
            let mut scan = |source: &str| {
                for i in 0..200 {
                    scenario.send(tcp(source, 80, HOME, 1024 + 37 * i, flags));
                }
                scenario.recognise()
            };
            none(&scan("116.90.231.80"), "pattern.late-fin");
            let found = scan("116.90.231.81");
            none(&found, "pattern.late-fin");
            assert!(ids(&found).contains(&id), "{found:#?}");
        }
    }
    let mut mixed = Scenario::live();
    for port in [2632, 22, 2633, 25, 2634, 80, 2635, 443] {
        mixed.send(tcp("116.90.231.80", 80, HOME, port, FIN | ACK));
    }
    none(&mixed.recognise(), "pattern.late-fin");
    let from_443 = |pings: usize, flags: u8, ports: &[u16], pause: f64| {
        let mut scenario = Scenario::live();
        for _ in 0..pings {
            scenario.send(ping("116.90.231.80", HOME));
        }
        for port in ports {
            scenario.send(tcp("116.90.231.80", 443, HOME, *port, flags)).wait(pause);
        }
        scenario.recognise()
    };
    // Services, one after the other, or more of them than are sampled; nmap asks first whether the host is there.
    let row: Vec<u16> = (5000..5025).collect();
    for pings in [0, 1] {
        for (flags, ports, pause, id) in [
            (FIN | ACK, &[1433, 3306, 5432, 6379, 8080, 9200, 27017, 47123][..], 0.0, "scan.maimon"),
            (FIN, &row[..10], 0.0, "scan.fin"),
            (FIN, &row, 0.0, "scan.fin"),
            (FIN | PSH | URG, &row[..10], 0.4, "scan.xmas"),
        ] {
            let found = from_443(pings, flags, ports, pause);
            none(&found, "pattern.late-fin");
            one(&found, id);
        }
    }
    one(&from_443(0, FIN | ACK, &[40100, 40101, 40105, 40110, 40112], 0.0), "pattern.late-fin");
    // Services are tried by whatever carries nothing; where address translation takes any port, data come to theirs, too.
    let beside = |flags: u8, tried: fn(Packet) -> Packet| {
        let mut scenario = Scenario::live();
        for port in [22, 25, 80, 443, 445] {
            scenario.send(tried(tcp("116.90.231.80", 443, HOME, port, flags))).wait(0.5);
        }
        for i in 0..18 {
            scenario.send(tcp("116.90.231.80", 443, HOME, 40_000 + 31 * i, FIN | ACK)).wait(0.5);
        }
        scenario.recognise()
    };
    none(&beside(ACK, |packet| packet), "pattern.late-fin");
    none(&beside(0, |packet| packet), "pattern.late-fin");
    one(&beside(PSH | ACK, with_data), "pattern.late-fin");
    one(&beside(SYN | ACK, |packet| packet), "pattern.late-fin");
    let mut prober = Scenario::live();
    for i in 0..7 {
        prober.send(tcp("116.90.231.80", 80, HOME, 2632 + i, FIN | ACK));
    }
    for port in [21, 22, 23, 25, 80, 110, 139, 143, 443, 445] {
        prober.send(syn("116.90.231.80", 41000, HOME, port));
    }
    none(&prober.recognise(), "pattern.late-fin");
}

#[test]
fn fins_in_haste_to_ports_of_no_client_are_no_late_fins() {
    const SERVER: &str = "116.90.231.80";
    let ends = |pause: f64, before: fn(&mut Scenario)| {
        let mut scenario = Scenario::live();
        before(&mut scenario);
        for port in [1711, 2049, 3000, 4500, 5901, 7777, 9999, 12000, 15123, 20111, 25000, 31000] {
            scenario.send(tcp(SERVER, 80, HOME, port, FIN | ACK)).wait(pause);
        }
        scenario.recognise()
    };
    let found = ends(0.0, |_| {});
    none(&found, "pattern.late-fin");
    one(&found, "scan.maimon");
    // As their time comes; of connections that were opened, or carried something; and where address translation takes any port.
    one(&ends(5.0, |_| {}), "pattern.late-fin");
    one(&ends(0.0, |scenario| _ = scenario.open(HOME, SERVER, 80)), "pattern.late-fin");
    one(
        &ends(0.0, |scenario| {
            for port in [1711, 2049, 3000, 4500, 5901, 7777, 9999, 12000] {
                scenario.send(with_data(tcp(SERVER, 80, HOME, port, PSH | ACK)));
            }
        }),
        "pattern.late-fin",
    );
    one(
        &ends(0.0, |scenario| {
            for port in [1201, 3001, 7777, 15000] {
                scenario.connection(HOME, port, "185.60.112.9", 443);
            }
        }),
        "pattern.late-fin",
    );
}

#[test]
fn refusals_are_no_late_ends() {
    let mut refused = Scenario::live();
    for i in 0..7 {
        refused.send(tcp("116.90.231.80", 80, HOME, 12000 + 511 * i, RST | ACK).sequence(0)).wait(5.0);
    }
    assert!(refused.recognise().is_empty(), "{:#?}", refused.recognise());
    let mut reset = Scenario::live();
    for i in 0..7 {
        let flags = if i % 2 == 0 { RST } else { RST | ACK };
        reset.send(tcp("116.90.231.80", 80, HOME, 40000 + i, flags)).wait(1.0);
    }
    assert_eq!(one(&reset.recognise(), "pattern.late-fin").packets, 7);
}

#[test]
fn fins_to_services_are_no_late_fins() {
    let mut scenario = Scenario::live();
    for port in [22, 80, 443, 25, 110, 143] {
        scenario.send(tcp("116.90.231.80", 80, HOME, port, FIN));
    }
    none(&scenario.recognise(), "pattern.late-fin");
    // Those to the ports beside them are no better; one that serves several hosts is none of this.
    let ends = |services_of: &str| {
        let mut scenario = Scenario::live();
        for (i, port) in (2632..2640).enumerate() {
            scenario.send(tcp("116.90.231.80", 80, HOME, port, FIN)).wait(1.0);
            if i % 4 == 0 {
                scenario.send(tcp("116.90.231.80", 80, services_of, 22 + i as u16, FIN)).wait(1.0);
            }
        }
        ids(&scenario.recognise()).contains(&"pattern.late-fin")
    };
    assert_eq!([ends(HOME), ends("93.184.216.11")], [false, true]);
}

#[test]
fn a_neighbour_of_the_server_calls_back() {
    let mut scenario = Scenario::default();
    scenario.connection(HOME, 40000, "116.90.231.21", 80).send(syn("116.90.231.22", 1025, HOME, 2632));
    one(&scenario.recognise(), "pattern.related-host");
    let mut stranger = Scenario::default();
    stranger.connection(HOME, 40000, "116.90.231.21", 80).send(syn("185.60.112.22", 1025, HOME, 2632));
    none(&stranger.recognise(), "pattern.related-host");
}

#[test]
fn a_site_never_visited_calls_back() {
    let mut scenario = Scenario::default();
    scenario.connection(HOME, 40000, "116.90.231.21", 80).connection(HOME, 40001, "185.60.112.80", 80);
    scenario.send(syn("185.60.112.80", 1025, HOME, 2632));
    assert_eq!(one(&scenario.recognise(), "pattern.never-visited").confidence, Some(Confidence::Likely));
    let mut ident = Scenario::default();
    ident.connection(HOME, 40000, "116.90.231.21", 80).connection(HOME, 40001, "185.60.112.80", 80);
    ident.send(syn("185.60.112.80", 1025, HOME, 113));
    assert_eq!(one(&ident.recognise(), "pattern.ident-after-connect").also, ["pattern.never-visited"]);
}

#[test]
fn who_calls_back_on_and_on_wants_something_else() {
    let calls = |caller: &str, times: u16, pause: f64| {
        let mut scenario = Scenario::default();
        scenario.connection(HOME, 40000, "116.90.231.21", 80).connection(HOME, 40001, "185.60.112.80", 80);
        for i in 0..times {
            scenario.send(syn(caller, 1025 + i, HOME, 3389)).send(tcp(HOME, 3389, caller, 1025 + i, RST | ACK));
            scenario.wait(pause);
        }
        scenario.recognise()
    };
    for (caller, id) in [("116.90.231.22", "pattern.related-host"), ("185.60.112.80", "pattern.never-visited")] {
        one(&calls(caller, 7, 1.0), id);
        let hammers = calls(caller, 300, 0.1);
        none(&hammers, id);
        one(&hammers, "pattern.port-probe");
        let floods = calls(caller, 2500, -0.019);
        none(&floods, id);
        one(&floods, "flood.syn");
    }
}

#[test]
fn one_machine_with_two_networks() {
    let twin = |id: u16, ttl: u8| {
        let mut scenario = Scenario::live();
        scenario.send(udp("10.1.2.3", 137, HOME, 137, &[0; 50]).id(4711).ttl(112));
        scenario.send(udp("116.90.231.3", 137, HOME, 137, &[0; 50]).id(id).ttl(ttl));
        scenario.recognise()
    };
    let again = |source: &str, id: u16| udp(source, 137, HOME, 137, &[0; 50]).id(id).ttl(112);
    let mut series = Scenario::live();
    for second in 0..5 {
        series.send(again("10.1.2.3", 4711 + 2 * second)).send(again("116.90.231.3", 4712 + 2 * second)).wait(1.0);
    }
    let found = series.recognise();
    assert_eq!(one(&found, "pattern.dual-homed").packets, 10);
    one(&twin(4712, 112), "pattern.dual-homed");
    one(&twin(4711_u16.swap_bytes().wrapping_add(1).swap_bytes(), 112), "pattern.dual-homed");
    none(&twin(4712, 113), "pattern.dual-homed");
    none(&twin(9000, 112), "pattern.dual-homed");
    let mut pings = Scenario::live();
    for i in 0..5 {
        for (source, id) in [("10.0.0.5", 4000), ("94.20.30.40", 4001)] {
            pings.send(ping(source, HOME).ttl(113).id(id + 7 * i));
        }
    }
    let found = pings.findings();
    assert!(found.iter().any(|finding| finding.id == "pattern.dual-homed"), "{found:#?}");
    assert!(!found.iter().any(|finding| finding.id == "address.private-source"), "{found:#?}");
}

#[test]
fn dns_from_low_ports_comes_through_a_gateway() {
    let mut scenario = Scenario::live();
    for port in [600, 731, 902] {
        scenario.send(udp("116.90.231.3", port, HOME, 53, &[0; 30]));
    }
    one(&scenario.recognise(), "pattern.dns-low-source");
    let findings = scenario.findings();
    assert!(!findings.iter().any(|finding| finding.id.starts_with("source-port.low")), "{findings:#?}");
    let mut ordinary = Scenario::live();
    for port in [53, 53, 41000, 52000] {
        ordinary.send(udp("116.90.231.3", port, HOME, 53, &[0; 30]));
    }
    none(&ordinary.recognise(), "pattern.dns-low-source");
}

#[test]
fn smurf_uses_us_against_its_source() {
    let mut scenario = Scenario::live();
    for last in ["255", "0", "255", "255"] {
        scenario.send(ping("116.90.231.3", &format!("93.184.216.{last}")));
    }
    one(&scenario.recognise(), "pattern.smurf");
    for _ in 0..500 {
        scenario.send(ping("116.90.231.3", "93.184.216.255"));
    }
    assert_eq!(one(&scenario.recognise(), "pattern.smurf").packets, 504);
    let pings = |hosts: &[&str]| {
        let mut scenario = Scenario::live();
        hosts.iter().for_each(|host| _ = scenario.send(ping("116.90.231.3", host)));
        scenario.recognise()
    };
    one(&pings(&["255.255.255.255"; 4]), "pattern.smurf");
    // A sweep passes these, too.
    none(
        &pings(&["93.184.216.254", "93.184.216.255", "93.184.217.0", "93.184.217.1", "93.184.217.255"]),
        "pattern.smurf",
    );
    let mut sweep = Scenario::live();
    for last in 245..=255 {
        sweep.send(ping("116.90.231.3", &format!("93.184.216.{last}")));
    }
    none(&sweep.recognise(), "pattern.smurf");
}

#[test]
fn a_neighbour_pings_everybody() {
    let pings = |source: &str, number: u32, pause: f64| {
        let mut scenario = Scenario::live();
        for _ in 0..number {
            scenario.send(ping(source, "93.184.216.255").ttl(64)).wait(pause - 0.01);
        }
        scenario.recognise().iter().map(|found| found.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(pings("93.184.216.9", 8, 1.0), ["icmp.8.broadcast.neighbour"]);
    assert_eq!(pings("93.184.216.9", 1, 1.0), ["icmp.8.broadcast.neighbour"]);
    assert_eq!(pings("93.184.216.9", 500, 0.01), ["pattern.smurf"]);
    assert_eq!(pings("116.90.231.3", 8, 1.0), ["pattern.smurf"]);
    assert_eq!(pings("127.0.0.1", 8, 1.0), ["pattern.smurf"]);
    let mut own = Scenario::at(&[HOME]);
    for _ in 0..500 {
        own.send(ping(HOME, "93.184.216.255").ttl(64));
    }
    assert_eq!(ids(&own.recognise()), ["icmp.8.broadcast.neighbour"]);
}

#[test]
fn fraggle_aims_at_the_ends_of_subnets() {
    let mut scenario = Scenario::live();
    for (last, port) in [(63, 7744), (128, 6537), (63, 29432), (191, 17367), (127, 17330)] {
        scenario.send(udp("116.90.231.65", port, &format!("93.184.216.{last}"), 7, &[0; 20]));
    }
    one(&scenario.recognise(), "pattern.fraggle");
    // From a service that answers as well it is no loop of two: it goes to all.
    let mut echo = Scenario::live();
    for last in [63, 128, 63, 191, 127] {
        echo.send(udp("116.90.231.65", 7, &format!("93.184.216.{last}"), 7, &[0; 20]));
    }
    assert_eq!(ids(&echo.recognise()), ["pattern.fraggle"]);
    let mut single = Scenario::live();
    for port in [7744, 6537, 29432] {
        single.send(udp("116.90.231.65", port, "93.184.216.77", 7, &[0; 20]));
    }
    none(&single.recognise(), "pattern.fraggle");
    for hosts in [[63; 7], [60, 61, 62, 63, 64, 95, 96]] {
        let mut other = Scenario::live();
        hosts.iter().for_each(|last| {
            other.send(udp("116.90.231.65", 7744, &format!("93.184.216.{last}"), 7, &[0; 20]));
        });
        none(&other.recognise(), "pattern.fraggle");
    }
}

#[test]
fn a_knock_at_a_closed_port_is_background() {
    let mut refused = Scenario::default();
    refused.send(syn("116.90.231.3", 4000, HOME, 4444)).send(tcp(HOME, 4444, "116.90.231.3", 4000, RST | ACK));
    let found = refused.recognise();
    let probe = one(&found, "pattern.port-probe");
    assert_eq!(probe.confidence, Some(Confidence::Certain));
    assert_eq!(probe.examples.first(), Some(&0));
    let mut closed = Scenario::live().listening(&[22]);
    closed.send(syn("116.90.231.3", 4000, HOME, 4444));
    assert_eq!(one(&closed.recognise(), "pattern.port-probe").confidence, Some(Confidence::Certain));
    let mut complained = Scenario::default();
    let knock = syn("116.90.231.3", 4000, HOME, 4444);
    complained.send(knock.clone()).send(error(HOME, 3, 3, &knock));
    assert_eq!(one(&complained.recognise(), "pattern.port-probe").confidence, Some(Confidence::Certain));
    let mut open = Scenario::live().listening(&[22]);
    open.send(syn("116.90.231.3", 4000, HOME, 22));
    none(&open.recognise(), "pattern.port-probe");
    let mut connection = Scenario::default();
    connection.connection("116.90.231.3", 4000, HOME, 4444);
    assert!(connection.recognise().is_empty());
}

/// Connections of ours that came about are no failed attempts.
#[test]
fn attempts_of_our_own_are_counted_without_what_came_about() {
    let mut scenario = Scenario::at(&[HOME]);
    for i in 0..60 {
        scenario.send(syn(HOME, 40_000, &stranger(i), 8080));
    }
    for i in 0..600 {
        scenario.connection(HOME, 41_000 + i, &stranger(1000), 443);
    }
    let packets = one(&scenario.recognise(), "pattern.self").packets;
    assert!((60..70).contains(&packets), "{packets}");
}
