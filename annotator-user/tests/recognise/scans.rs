//! Scans by shape and kind, and what shares their outline.

use annotator::counters::PortProto;
use annotator::finding::{Confidence, Finding, Recognition, Verdict};
use annotator::knowledge::schema;
use annotator::observation::{Moment, Prefix};
use annotator::outbound::Outbound;

use crate::catalogue::PREFIX;
use crate::ordinary::calm;
use crate::traffic::*;

const HOME: &str = "93.184.216.10";
const AWAY: &str = "116.90.231.66";

/// Some well-known ports, in no order.
const PORTS: [u16; 20] =
    [80, 22, 443, 21, 25, 3389, 110, 445, 139, 143, 53, 135, 3306, 8080, 1723, 111, 995, 993, 5900, 587];

#[test]
fn many_ports_of_one_host() {
    let mut scenario = Scenario::live();
    for (i, port) in PORTS.into_iter().enumerate() {
        scenario.send(syn(AWAY, 40000 + i as u16, HOME, port));
    }
    let found = scenario.recognise();
    let scan = one(&found, "scan.vertical");
    assert_eq!(scan.also, ["scan.syn"]);
    assert_eq!(scan.packets, 20);
    assert_eq!(scan.sources, [ip(AWAY)]);
    // Some ports share a bit of the source's map, and are not sampled.
    assert!(scan.explains.len() >= 15);
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn a_scan_by_connect_shows_the_options_of_a_system() {
    let options = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
    let mut scenario = Scenario::live();
    for (i, port) in PORTS.into_iter().enumerate() {
        scenario.send(syn(AWAY, 40000 + i as u16, HOME, port).options(&options));
    }
    assert_eq!(one(&scenario.recognise(), "scan.vertical").also, ["scan.connect"]);
}

#[test]
fn one_scan_is_one_finding_however_large() {
    let mut scenario = Scenario::live();
    for port in 1..3000 {
        scenario.send(syn(AWAY, 40000, HOME, port));
    }
    let says = |scenario: &Scenario, text: &str| {
        one(&scenario.recognise(), "scan.vertical").evidence.iter().any(|line| line.contains(text))
    };
    assert_eq!(one(&scenario.recognise(), "scan.vertical").packets, 2999);
    assert!(says(&scenario, " destination ports in the samples, in order of arrival: 1, 2, 3"));
    assert!(says(&scenario, "by the counters it tried 2,999 ports: 1 to 2999."));
    // Who was seen whole takes nothing away from that; with a second one who was not, nobody can tell whose port is whose.
    scenario.send(syn("185.60.112.9", 40000, HOME, 5000));
    assert!(says(&scenario, "by the counters it tried 2,999 ports: 1 to 2999."));
    for port in 1..200 {
        scenario.send(syn("185.60.112.9", 40000, HOME, port));
    }
    let found = scenario.recognise();
    assert_eq!(found.iter().filter(|one| one.id == "scan.vertical").count(), 2);
    let told = |text: &str| found.iter().flat_map(|one| &one.evidence).any(|line| line.contains(text));
    assert!(
        !told("by the counters it tried 2,999 ports") && told("by the counters it tried at least 2,"),
        "{found:#?}"
    );
    assert!(told("by the source table it tried about"), "{found:#?}");
}

#[test]
fn a_scan_tells_how_much_there_was_of_it_beside_other_traffic() {
    let mut scenario = Scenario::at(&[HOME]).behind_much();
    for i in 0..40 {
        for client in 0..5 {
            scenario.connection(&stranger(client), 50_000 + i, HOME, 443);
        }
    }
    for port in 1..5000 {
        scenario.send(syn(AWAY, 40000, HOME, port)).send(tcp(HOME, port, AWAY, 40000, RST | ACK)).wait(-0.019);
        if port % 1000 == 80 {
            scenario.send(tcp(AWAY, 40000, HOME, port, RST));
        }
    }
    let found = scenario.recognise();
    let scan = one(&found, "scan.vertical");
    assert!(scan.facts.iter().any(|(_, fact)| fact.starts_with("at least 4,")), "{scan:#?}");
    // What a client gets besides is none of it.
    let mut both = Scenario::at(&[HOME]);
    for i in 0..150 {
        both.connection(AWAY, 50_000 + i, HOME, 443).wait(0.2);
        if i % 7 == 0 {
            let port = 1 + 13 * i;
            both.send(syn(AWAY, 40_000 + i, HOME, port)).send(tcp(HOME, port, AWAY, 40_000 + i, RST | ACK));
        }
    }
    let found = both.recognise();
    assert!((20..40).contains(&one(&found, "scan.vertical").packets), "{found:#?}");
}

#[test]
fn all_of_few_own_addresses_are_many_hosts() {
    let own = ["93.184.216.10", "93.184.216.11", "93.184.216.12"];
    let sweep = |hosts: &[&str]| {
        let mut scenario = Scenario::at(&own);
        scenario.live = true;
        for host in hosts {
            scenario.send(syn(AWAY, 40000, host, 3389)).wait(2.0);
        }
        scenario.recognise()
    };
    one(&sweep(&own), "scan.horizontal");
    none(&sweep(&own[..2]), "scan.horizontal");
    // Addresses of the other family are another matter, and who has those of the link has no more.
    let mut both = Scenario::at(&own);
    both.live = true;
    both.locality
        .addresses
        .extend(["2a00:1450::7", "fe80::7", "169.254.7.7"].map(|text| text.parse::<std::net::IpAddr>().unwrap()));
    for host in own {
        both.send(syn(AWAY, 40000, host, 3389)).wait(2.0);
    }
    one(&both.recognise(), "scan.horizontal");
    let mut couple = Scenario::at(&own[..2]);
    couple.send(syn(AWAY, 40000, own[0], 3389)).send(syn(AWAY, 40000, own[1], 3389));
    none(&couple.recognise(), "scan.horizontal");
}

/// SYNs to some ports of a host; the open ones accept, and the scanner hangs up.
fn half_open(scenario: &mut Scenario, host: &str, ports: &[u16], open: &[u16]) {
    for port in ports {
        scenario.send(syn(AWAY, 40321, host, *port));
        if open.contains(port) {
            scenario.send(tcp(host, *port, AWAY, 40321, SYN | ACK)).send(tcp(AWAY, 40321, host, *port, RST));
        } else {
            scenario.send(tcp(host, *port, AWAY, 40321, RST | ACK));
        }
    }
}

#[test]
fn a_scanner_that_hangs_up_scans() {
    let ports = [21, 22, 23, 25, 80, 110, 139, 143, 443, 445];
    let open = [22, 25, 80, 110, 443];
    let arriving = || Scenario::live_at(&[HOME]);
    // Where something stands before the hosts that answers for them.
    let all: Vec<u16> = (1..60).collect();
    let mut shielded = arriving();
    half_open(&mut shielded, HOME, &all, &all);
    assert_eq!(ids(&shielded.recognise()), ["scan.vertical", "scan.syn"]);
    shielded.live = false;
    let arrives = shielded.findings_of(&shielded.arriving(HOME), shielded.now);
    assert!(!arrives.iter().any(|finding| finding.id.starts_with("backscatter.")), "{arrives:#?}");
    for mut scenario in [Scenario::default(), Scenario::at(&[HOME]), arriving(), arriving().listening(&open)] {
        half_open(&mut scenario, HOME, &ports, &open);
        let found = scenario.recognise();
        let scan = one(&found, "scan.vertical");
        assert!(scan.evidence.iter().any(|line| line.contains("21, 22, 23, 25, 80")), "{scan:#?}");
        let tells_open = scan.evidence.iter().any(|line| line.starts_with("Open among the sampled: 22, 25"));
        assert_eq!(tells_open, !scenario.live || scenario.locality.listening.is_some(), "{scan:#?}");
        assert_eq!(found.len(), 1, "{found:#?}");
    }
}

#[test]
fn a_health_check_that_hangs_up_is_ordinary() {
    for listening in [&[][..], &[443, 8443]] {
        let mut scenario = Scenario::at(&[HOME]);
        scenario.live = !listening.is_empty();
        scenario = scenario.listening(listening);
        for _ in 0..20 {
            half_open(&mut scenario, HOME, &[443, 8443], &[443, 8443]);
            scenario.wait(2.0);
        }
        assert!(scenario.recognise().is_empty(), "{:#?}", scenario.recognise());
    }
    let mut farm = Scenario::default();
    for _ in 0..10 {
        for last in 1..=8 {
            half_open(&mut farm, &format!("93.184.216.{last}"), &[443], &[443]);
        }
        farm.wait(2.0);
    }
    assert!(farm.recognise().is_empty(), "{:#?}", farm.recognise());
}

/// `connect` to some ports of a host: the open ones are closed again properly.
fn connect(scenario: &mut Scenario, ports: impl Iterator<Item = u16>, is_open: fn(u16) -> bool) {
    for port in ports {
        let (there, back) =
            (|flags| tcp(AWAY, 40000 + port, HOME, port, flags), |flags| tcp(HOME, port, AWAY, 40000 + port, flags));
        scenario.send(there(SYN));
        if is_open(port) {
            scenario
                .send(back(SYN | ACK))
                .send(there(ACK))
                .send(there(FIN | ACK))
                .send(back(FIN | ACK))
                .send(there(ACK));
        } else {
            scenario.send(back(RST | ACK));
        }
    }
}

/// FINs that are probes end nothing, however busy the ports are.
#[test]
fn who_scans_by_syns_and_by_fins_is_no_client() {
    for (flags, id) in [(FIN, "scan.fin"), (FIN | ACK, "scan.maimon")] {
        let mut scenario = Scenario::live_at(&[HOME]);
        for i in 0..60 {
            scenario.connection(&crowd(i), 50_000, HOME, 443);
        }
        for (i, port) in PORTS.into_iter().enumerate() {
            scenario.send(syn(AWAY, 40_000, HOME, port));
            scenario.send(tcp(AWAY, 41_000, HOME, 6001 + 7 * i as u16, flags));
        }
        let found = scenario.recognise();
        one(&found, "scan.vertical");
        one(&found, id);
    }
}

#[test]
fn who_tries_the_ports_of_mail_in_vain_is_no_mail_program() {
    let mut scenario = Scenario::live_at(&[HOME]);
    for port in [25, 110, 143, 465, 587, 993, 995] {
        scenario.send(syn(AWAY, 40_000, HOME, port));
    }
    one(&scenario.recognise(), "scan.vertical");
    // A server delivers to some and finds others dead; who finds one among many searches.
    for (open, hosts, is_sweep) in [(4, 9, false), (3, 12, false), (3, 13, true), (1, 200, true)] {
        for port in [25, 993] {
            let mut server = Scenario::default();
            for i in 0..hosts {
                match i < open {
                    true => server.connection(AWAY, 40_000, &host(i), port),
                    false => server.send(syn(AWAY, 40_000, &host(i), port)),
                };
            }
            assert_eq!(ids(&server.recognise()).contains(&"scan.horizontal"), is_sweep, "{open} of {hosts}");
        }
    }
}

/// Every port that the source table can tell apart has been seen by then.
#[test]
fn a_scan_that_outlasts_the_window_is_still_found() {
    let mut scenario = Scenario::live();
    for i in 0..4800_u32 {
        scenario.send(syn(AWAY, 40000, HOME, 1 + (i * 7919 % 65_535) as u16)).wait(0.115);
    }
    one(&scenario.recognise_last(300.0), "scan.vertical");
    // Few samples of it are left; by the counters they are as many ports as ever.
    one(&scenario.recognise_last(8.0), "scan.vertical");
}

#[test]
fn a_scanner_that_ends_what_it_opened_is_no_client() {
    for mut scenario in [Scenario::at(&[HOME]), Scenario::live_at(&[HOME])] {
        connect(&mut scenario, (20..140).step_by(3), |port| port % 2 == 0);
        assert_eq!(one(&scenario.recognise(), "scan.vertical").explains.len() >= 40, !scenario.live);
    }
    for mut scenario in [Scenario::at(&[HOME]), Scenario::live_at(&[HOME])] {
        for i in 0..45 {
            scenario.connection(AWAY, 40000 + i, HOME, 443);
        }
        connect(&mut scenario, (50..8000).step_by(300), |_| false);
        one(&scenario.recognise(), "scan.vertical");
    }
    // What is refused is not used, whatever comes behind it; and hosts that refuse beginnings and ends alike end nothing.
    for last in [ACK, FIN | ACK] {
        let mut insists = Scenario::at(&[HOME]);
        for port in 20..60 {
            insists.send(syn(AWAY, 40_000, HOME, port)).send(tcp(HOME, port, AWAY, 40_000, RST | ACK));
            insists.send(tcp(AWAY, 40_000, HOME, port, last)).send(tcp(HOME, port, AWAY, 40_000, RST));
        }
        assert!(ids(&insists.recognise()).contains(&"scan.vertical"), "{last}");
    }
    // Whose connections mostly come about is one, though some do not.
    let mut client = Scenario::at(&[HOME]);
    connect(&mut client, 5000..5075, |port| port % 5 != 0);
    none(&client.recognise(), "scan.vertical");
}

/// What listens here listens at no other host of the network.
#[test]
fn a_sweep_of_the_network_is_one_whatever_listens_here() {
    for listening in [&[443][..], &[22]] {
        let mut scenario = Scenario::at(&[HOME]).listening(listening);
        scenario.locality.prefixes.push(PREFIX);
        for last in 20..100 {
            scenario.send(syn(AWAY, 40_000, &format!("93.184.216.{last}"), 22)).wait(0.5);
        }
        assert_eq!(one(&scenario.recognise(), "scan.horizontal").packets, 80);
    }
    // What does not listen here listens nowhere, as far as is known.
    let mut flood = Scenario::at(&[HOME]).listening(&[443]);
    flood.locality.prefixes.push(PREFIX);
    for i in 0..6000 {
        flood.send(udp(AWAY, 40_000, "93.184.216.77", 9999, &content(i, 600))).wait(-0.0098);
    }
    one(&flood.recognise(), "flood.udp");
}

/// A worm went from host to host, and each of those it holds tries some of the next network.
#[test]
fn hosts_of_one_private_network_share_a_sweep_of_another() {
    let told = |uses: bool| {
        let mut scenario = Scenario::default();
        for i in 0..20_u16 {
            let source = format!("10.1.1.{}", 2 + i % 5);
            if uses {
                scenario.connection(&source, 40_000 + i, "116.90.231.80", 443);
            }
            for _ in 0..2 {
                scenario.send(syn(&source, 50_000 + i, &format!("10.9.0.{}", 20 + i), 445)).wait(0.3);
            }
        }
        ids(&scenario.recognise()).contains(&"scan.distributed")
    };
    assert!(told(false));
    assert!(!told(true), "laptops of an office, some of whose servers are gone");
}

/// Programs of tunnels and games have one port at both ends.
#[test]
fn peers_that_have_the_same_port_as_others_scan_nothing() {
    for port in [41_641, 9993, 27_015] {
        let mut scenario = Scenario::live_at(&[HOME]);
        for host in 20..28 {
            for i in 0..3 {
                scenario.send(udp(AWAY, port, &format!("93.184.216.{host}"), port, &content(i, 120))).wait(0.3);
            }
        }
        assert_eq!(ids(&scenario.recognise()), Vec::<&str>::new(), "{port}");
        // Who asks each once looks for them.
        let mut search = Scenario::live_at(&[HOME]);
        for host in 20..60 {
            search.send(udp(AWAY, port, &format!("93.184.216.{host}"), port, &content(7, 30))).wait(0.3);
        }
        search.send(udp(AWAY, port, "93.184.216.20", port, &content(7, 30)));
        one(&search.recognise(), "scan.horizontal");
        let mut root = Scenario::live_at(&[HOME]);
        for host in 20..24 {
            root.send(udp(AWAY, port, &format!("93.184.216.{host}"), port, &content(7, 30))).wait(0.3);
        }
        assert_eq!(ids(&root.recognise()), Vec::<&str>::new(), "{port}");
        for (i, host) in (20..34).chain((20..34).step_by(2)).enumerate() {
            root.send(udp(AWAY, port, &format!("93.184.216.{host}"), port, &content(100 + i as u32, 30))).wait(0.3);
        }
        assert_eq!(ids(&root.recognise()), Vec::<&str>::new(), "{port}");
        let mut again = Scenario::default();
        for host in (20..40).chain((20..40).step_by(2)) {
            again.send(udp(AWAY, port, &format!("93.184.216.{host}"), port, &content(7, 30))).wait(0.3);
        }
        one(&again.recognise(), "scan.horizontal");
    }
}

/// Filters that forget who asked let through what comes from port 53, and whoever is behind them may answer it.
#[test]
fn who_comes_from_a_trusted_port_searches_though_he_is_answered() {
    for answers in [true, false] {
        let mut scenario = Scenario::at(&[HOME]);
        scenario.send(udp(AWAY, 53, HOME, 161, &[0x30, 0x26, 2, 1, 1, 4, 6]));
        if answers {
            scenario.send(udp(HOME, 161, AWAY, 53, &[0x30, 0x26, 2, 1, 1, 4, 6]));
        }
        assert!(scenario.findings().iter().any(|finding| finding.id == "source-port.53.piercing"), "{answers}");
    }
}

/// A server that takes each connection at another port, for a while.
#[test]
fn connections_at_ports_that_listened_for_a_while_are_no_scan() {
    for scenario in [Scenario::at(&[HOME]), Scenario::live_at(&[HOME])] {
        let mut scenario = scenario.listening(&[21]);
        for client in ["116.90.231.5", "185.60.112.9"] {
            for i in 0..40 {
                scenario.connection(client, 40001 + i, HOME, 21).connection(client, 50001 + i, HOME, 50000 + 13 * i);
            }
        }
        none(&scenario.recognise(), "scan.vertical");
    }
    // Who hangs up has no connection.
    let mut half_opens = Scenario::live_at(&[HOME]).listening(&[22]);
    half_open(&mut half_opens, HOME, &(50_000..50_040).collect::<Vec<_>>(), &[50_007, 50_008]);
    one(&half_opens.recognise(), "scan.vertical");
}

#[test]
fn equal_rounds_of_a_neighbour_are_checks() {
    const HERE: &str = "10.0.0.5";
    let rounds = |source: &str, ports: u16, rounds: u16, pause: f64, refuses: bool, live: bool| {
        let mut scenario = Scenario::at(&[HERE]);
        if live {
            scenario = scenario.listening(&[22]);
            scenario.live = true;
        }
        for round in 0..rounds {
            for port in 9100..9100 + ports {
                let own_port = 32768 + 31 * round + port % 30;
                scenario.send(syn(source, own_port, HERE, port));
                if refuses {
                    scenario.send(tcp(HERE, port, source, own_port, RST | ACK));
                }
            }
            scenario.wait(pause);
        }
        scenario.recognise()
    };
    for live in [true, false] {
        none(&rounds("10.0.0.201", 30, 10, 15.0, true, live), "scan.vertical");
        none(&rounds("10.0.0.201", 30, 10, 2.0, true, live), "scan.vertical");
        one(&rounds("10.0.0.201", 30, 3, 15.0, true, live), "scan.vertical");
        one(&rounds("10.0.0.201", 1000, 1, 15.0, true, live), "scan.vertical");
        one(&rounds(AWAY, 30, 10, 15.0, true, live), "scan.vertical");
        // Every night anew.
        assert!(ids(&rounds("10.0.0.201", 30, 8, 86_400.0, true, live)).contains(&"scan.vertical"));
    }
    // Whose answers are not seen may only repeat itself, if it is quick.
    none(&rounds("10.0.0.201", 30, 10, 15.0, false, false), "scan.vertical");
    one(&rounds("10.0.0.201", 30, 10, 1.0, false, false), "scan.vertical");
}

#[test]
fn a_client_that_ends_old_connections_scans_nothing() {
    let timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];
    let services = [993, 993, 587, 443, 443, 5222, 8443];
    let ends = |scenario: Scenario, own_ports: u16, options: &[u8]| {
        let mut scenario = scenario;
        for (i, port) in services.into_iter().enumerate() {
            let own = 50000 + 3 * (i as u16 % own_ports);
            scenario.send(tcp(AWAY, own, HOME, port, FIN | ACK).options(options)).send(tcp(HOME, port, AWAY, own, RST));
        }
        scenario.recognise()
    };
    let knowing = || Scenario::at(&[HOME]).listening(&services);
    for calm in [ends(knowing(), 7, &[]), ends(Scenario::live(), 7, &timestamps), ends(knowing(), 7, &timestamps)] {
        assert!(calm.is_empty(), "{calm:#?}");
    }
    one(&ends(Scenario::live(), 7, &[]), "scan.maimon");
    one(&ends(Scenario::live(), 2, &timestamps), "scan.maimon");
    let mut many = Scenario::live();
    for (i, port) in PORTS.into_iter().enumerate() {
        many.send(tcp(AWAY, 50_000 + i as u16, HOME, port, FIN | ACK).options(&timestamps));
    }
    one(&many.recognise(), "scan.maimon");
    one(&ends(Scenario::at(&[HOME]).listening(&[443]), 7, &timestamps), "scan.maimon");
}

/// What a report says, without what is ordinary and what every report says.
fn told(scenario: &Scenario) -> Vec<String> {
    let everywhere = ["perspective.", "zen.", "advice."];
    let told = scenario.findings().into_iter().filter(|finding| finding.verdict > Verdict::Normal);
    told.map(|finding| finding.id).filter(|id| !everywhere.iter().any(|prefix| id.starts_with(prefix))).collect()
}

#[test]
fn a_scan_that_goes_on_is_the_same_few_findings() {
    let kinds: [(u8, &str); 4] =
        [(SYN, "scan.vertical"), (FIN, "scan.fin"), (FIN | PSH | URG, "scan.xmas"), (0, "scan.null")];
    for (flags, id) in kinds {
        let mut scenario = Scenario::at(&[HOME]).listening(&[22, 80]);
        scenario.live = true;
        // Somebody else's visit is told whatever goes on beside it.
        scenario.send(syn("185.60.112.9", 40000, HOME, 2375));
        let mut first = Vec::new();
        for step in 0..12_u16 {
            for i in 0..60 {
                let port = 1 + 7 * (60 * step + i);
                scenario.send(tcp(AWAY, 40321, HOME, port, flags)).wait(0.15);
                if flags == SYN && [22, 80].contains(&port) {
                    scenario.send(tcp(AWAY, 40321, HOME, port, RST));
                }
            }
            let told = told(&scenario);
            assert!(told.iter().any(|told| told == id), "{told:?}");
            assert!(told.iter().any(|id| id == "port.2375"), "{told:?}");
            if step == 0 {
                first = told;
            } else {
                assert_eq!(told, first, "in interval {step}");
            }
        }
        let found = scenario.recognise();
        assert_eq!(one(&found, id).packets, 720);
    }
}

#[test]
fn datagrams_and_deliveries_that_were_not_sampled_belong_to_those_that_were() {
    let mut datagrams = Scenario::live();
    for i in 0..400 {
        datagrams.send(udp(AWAY, 40321, HOME, 1 + 13 * i, &[]));
    }
    assert_eq!(told(&datagrams), ["scan.udp"]);
    let mut files = Scenario::live();
    files.send(tcp("116.90.231.21", 21, HOME, 2630, SYN | ACK));
    for i in 0..200 {
        files.send(syn("116.90.231.21", 20, HOME, 40000 + i));
        files.send(tcp("116.90.231.21", 20, HOME, 40000 + i, FIN | ACK)).wait(0.5);
    }
    assert_eq!(told(&files), ["pattern.ftp-active-data"]);
}

#[test]
fn one_port_of_many_hosts() {
    let mut scenario = Scenario::default();
    for last in 1..=8 {
        scenario.send(syn(AWAY, 40000, &format!("93.184.216.{last}"), 22));
    }
    one(&scenario.recognise(), "scan.horizontal");
    let mut some_open = Scenario::default();
    for last in 1..=8 {
        half_open(&mut some_open, &format!("93.184.216.{last}"), &[22], if last % 2 == 0 { &[22] } else { &[] });
    }
    assert_eq!(one(&some_open.recognise(), "scan.horizontal").destinations.len(), 8);
    let mut client = Scenario::default();
    for last in 1..=8 {
        client.connection(AWAY, 40000 + last, &format!("93.184.216.{last}"), 443);
    }
    assert!(client.recognise().is_empty());
}

/// SYNs to some ports are not how connections began of which others are ended.
#[test]
fn syns_elsewhere_excuse_no_ends() {
    let mut scenario = Scenario::live();
    for i in 0..1500 {
        scenario.send(syn(AWAY, 30_000 + i, HOME, [22, 80, 443][usize::from(i % 3)])).wait(-0.008);
    }
    for port in 1000..1200 {
        scenario.send(tcp(AWAY, 40321, HOME, port, FIN | ACK));
    }
    one(&scenario.recognise(), "scan.maimon");
    let mut one_of_them = Scenario::live();
    for port in [80].into_iter().chain(1000..1200) {
        one_of_them.send(tcp(AWAY, 40321, HOME, port, FIN | ACK));
    }
    for i in 0..400 {
        one_of_them.connection(AWAY, 30_000 + i, HOME, 80);
    }
    one(&one_of_them.recognise(), "scan.maimon");
}

#[test]
fn kinds_that_no_system_sends() {
    for (flags, id) in [
        (0, "scan.null"),
        (FIN | PSH | URG, "scan.xmas"),
        (FIN, "scan.fin"),
        (FIN | ACK, "scan.maimon"),
        (ACK, "scan.ack"),
    ] {
        let mut scenario = Scenario::live();
        for port in [22, 80, 443, 3306, 110, 25, 8080] {
            scenario.send(tcp(AWAY, 40321, HOME, port, flags));
        }
        let found = scenario.recognise();
        one(&found, id);
        assert_eq!(found.len(), 1, "{found:#?}");
    }
}

/// At a port that few know of: nothing is known of how its connections began, nor whether they were used, but they are with clients.
#[test]
fn a_server_that_stops_ends_its_connections() {
    let ends = |mut scenario: Scenario, used: bool, options: &[u8], first: u16| {
        for i in 0..8 {
            let (there, back) = ((HOME, first + 3 * i), (AWAY, 6443));
            if used {
                scenario.send(with_data(tcp(there.0, there.1, back.0, back.1, PSH | ACK)));
                scenario.send(with_data(tcp(back.0, back.1, there.0, there.1, PSH | ACK))).wait(0.5);
            }
        }
        for i in 0..8 {
            scenario.send(tcp(AWAY, 6443, HOME, first + 3 * i, FIN | ACK).options(options));
        }
        scenario.recognise()
    };
    let timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];
    for scenario in [|| Scenario::at(&[HOME]), || Scenario::live_at(&[HOME])] {
        for (used, options) in [(true, &[][..]), (true, &timestamps), (false, &timestamps), (false, &[])] {
            let found = ends(scenario(), used, options, 40_000);
            assert!(found.is_empty(), "{found:#?}");
        }
        one(&ends(scenario(), false, &timestamps, 5000), "scan.maimon");
    }
    // What a client's ports refuse may be connections that are long over, if they are few.
    for (number, is_scan) in [(8, false), (200, true)] {
        let mut refused = Scenario::at(&[HOME]);
        for i in 0..number {
            refused.send(tcp(AWAY, 6443, HOME, 40_000 + i, FIN | ACK)).send(tcp(HOME, 40_000 + i, AWAY, 6443, RST));
        }
        assert_eq!(ids(&refused.recognise()).contains(&"scan.maimon"), is_scan, "{number}");
    }
    // One port of many hosts, ports of cameras and routers, and ports that only address translation takes, are searched.
    let ends = |mut scenario: Scenario, targets: &[(String, u16)]| {
        for (host, port) in targets {
            scenario.send(tcp(AWAY, 6443, host, *port, FIN | ACK));
        }
        scenario.recognise()
    };
    let at = |port: u16| (0..60).map(|i| (host(i), port)).collect::<Vec<_>>();
    assert!(ids(&ends(Scenario::default(), &at(37_777))).contains(&"scan.horizontal"));
    let mut refused = Scenario::default();
    for (host, port) in at(49_152) {
        refused.send(tcp(AWAY, 6443, &host, port, FIN | ACK)).send(tcp(&host, port, AWAY, 6443, RST));
    }
    assert!(ids(&refused.recognise()).contains(&"scan.horizontal"));
    // Small devices all take the same port first, and some have been started anew.
    assert!(ends(Scenario::default(), &at(49_153)).is_empty());
    for (every, is_search) in [(3, false), (1, true)] {
        let mut broker = Scenario::default();
        for (i, (host, port)) in at(49_153).into_iter().enumerate() {
            broker.send(tcp(AWAY, 1883, &host, port, FIN | ACK));
            if i % every == 0 {
                broker.send(tcp(&host, port, AWAY, 1883, RST));
            }
        }
        let found = broker.recognise();
        assert_eq!(!found.is_empty(), is_search, "one in {every}: {found:#?}");
    }
    let many: Vec<_> = (0..200).map(|i| (HOME.to_owned(), 40_000 + i)).collect();
    one(&ends(Scenario::live(), &many), "scan.maimon");
    // A database ends all that an application's pool has open.
    let rows = [(1433, 60, false, false), (1433, 60, true, true), (2049, 60, false, true), (1433, 200, false, true)];
    for (port, connections, refused, is_scan) in rows {
        let mut pool = Scenario::at(&[HOME]);
        for i in 0..connections {
            pool.send(tcp(AWAY, port, HOME, 49_200 + 3 * i, FIN | ACK));
            if refused {
                pool.send(tcp(HOME, 49_200 + 3 * i, AWAY, port, RST));
            }
        }
        assert_eq!(ids(&pool.recognise()).contains(&"scan.maimon"), is_scan, "{port}");
    }
    let mut stopped = Scenario::default();
    for i in 0..180 {
        stopped.send(tcp(AWAY, 1433, &host(usize::from(i % 3)), 49_200 + 3 * i, FIN | ACK));
    }
    none(&stopped.recognise(), "scan.maimon");
    let hunted = [37_215, 37_777, 52_869, 60_001].map(|port| (HOME.to_owned(), port));
    one(&ends(Scenario::live(), &hunted), "scan.maimon");
    let mut translated = Scenario::live();
    for port in [1201, 3001, 7777, 15_000] {
        translated.connection(HOME, port, "185.60.112.9", 443);
    }
    let low: Vec<_> = (0..400).map(|i| (HOME.to_owned(), 1024 + 10 * i)).collect();
    one(&ends(translated, &low), "scan.maimon");
}

#[test]
fn datagrams_to_many_ports() {
    let mut scenario = Scenario::live();
    for port in [53, 67, 69, 111, 123, 137, 161, 500, 514, 520, 623, 1434, 1900, 4500, 5353] {
        scenario.send(udp(AWAY, 40321, HOME, port, &[]));
    }
    one(&scenario.recognise(), "scan.udp");
    let mut answers = Scenario::live();
    for port in 0..40 {
        answers.send(udp(AWAY, 53, HOME, 30000 + 97 * port, &[0, 1, 0x81, 0x80, 0, 0]));
    }
    assert!(answers.recognise().is_empty());
}

#[test]
fn rows_from_a_services_port_that_nobody_asked_for() {
    let arriving = || Scenario::at(&[HOME]);
    let refused_by = |scenario: &mut Scenario, probe: Packet| {
        let refusal = match probe.protocol {
            6 => tcp(HOME, probe.destination_port(), AWAY, 80, RST),
            _ => error(HOME, 3, 3, &probe),
        };
        scenario.send(probe).send(refusal);
    };
    for mut scenario in [arriving(), Scenario::live_at(&[HOME])] {
        for i in 0..41 {
            scenario.send(udp(AWAY, 53, HOME, 30_000 + i * 7 % 41, &[]));
        }
        one(&scenario.recognise(), "scan.udp");
    }
    for mut scenario in [arriving(), Scenario::live_at(&[HOME])] {
        for i in 0..41 {
            scenario.send(tcp(AWAY, 80, HOME, 8000 + i * 7 % 41, ACK));
        }
        one(&scenario.recognise(), "scan.ack");
    }
    let refused = |probe: fn(u16) -> Packet| {
        let mut scenario = arriving();
        for i in 0..41 {
            refused_by(&mut scenario, probe(40_000 + i * 7 % 41));
        }
        scenario
    };
    // A ping that is answered invites nothing else.
    let mut greeted = refused(|port| udp(AWAY, 443, HOME, port, &[0xc3; 60]));
    greeted.send(icmp(HOME, AWAY, 0, 0, &[0; 32]));
    one(&greeted.recognise(), "scan.udp");
    one(&refused(|port| tcp(AWAY, 80, HOME, port, ACK)).recognise(), "scan.ack");
    one(&refused(|port| udp(AWAY, 53, HOME, port, &[0, 1, 1, 0, 0, 1, 0, 0])).recognise(), "scan.udp");
    // Others may have asked in our name.
    none(&refused(|port| udp(AWAY, 53, HOME, port, &[0, 1, 0x81, 0x80, 0, 1, 0, 1])).recognise(), "scan.udp");
    // The answers of a server that is late come to closed ports, too.
    for port in [53, 443] {
        let mut late = Scenario::at(&[HOME]);
        for i in 0..41 {
            late.send(udp(HOME, 40_000 + i, AWAY, port, &[0, 1, 1, 0, 0, 1, 0, 0]));
        }
        for i in 0..41 {
            refused_by(&mut late, udp(AWAY, port, HOME, 20_000 + i, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
        }
        none(&late.recognise(), "scan.udp");
    }
    // At leisure, too, where no client is; but then only a refusal tells.
    let slow = |refused: bool| {
        let mut scenario = arriving();
        for i in 0..41 {
            let probe = tcp(AWAY, 80, HOME, 8000 + i * 7 % 41, ACK);
            if refused {
                refused_by(&mut scenario, probe)
            } else {
                _ = scenario.send(probe)
            }
            scenario.wait(2.0);
        }
        ids(&scenario.recognise()).contains(&"scan.ack")
    };
    assert_eq!([slow(true), slow(false)], [true, false]);
    // What is data shows by its length, even if no more than the headers were captured.
    let mut data = Scenario::default();
    for i in 0..41 {
        data.send(with_data(tcp(AWAY, 80, HOME, 8000 + i * 7 % 41, ACK)));
    }
    calm("data of a server", &data.findings_of(&cut(data.frames(), 54), data.now));
    // A server that keeps connections alive of which a host here knows nothing any more.
    let mut lost = Scenario::at(&[HOME]);
    for i in 0..41 {
        refused_by(&mut lost, tcp("116.90.231.66", 80, HOME, 40_000 + 23 * i, ACK));
        lost.wait(2.0);
    }
    none(&lost.recognise(), "scan.ack");
    let mut acknowledges = Scenario::live_at(&[HOME]);
    for i in 0..41 {
        acknowledges.send(tcp(AWAY, 443, HOME, 40_000 + 23 * i, ACK));
    }
    none(&acknowledges.recognise(), "scan.ack");
}

#[test]
fn datagrams_to_one_port_of_many_hosts() {
    let hosts: Vec<String> = (10..18).map(|last| format!("93.184.216.{last}")).collect();
    let own: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let question = |source: &str, host: &str| udp(source, 40321, host, 161, &[0x30, 0x29]);
    for mut scenario in [Scenario::at(&own), Scenario::live_at(&own), Scenario::live_at(&own).listening(&[22])] {
        for host in own.iter().chain(&own) {
            scenario.send(question(AWAY, host));
        }
        let found = scenario.findings();
        let tells =
            |finding: &Finding| finding.id == "scan.horizontal" && finding.also.iter().any(|id| id == "scan.udp");
        assert!(found.iter().any(tells), "{found:#?}");
    }
    let sweep = |sources: &[&str], refused: bool| {
        let mut scenario = Scenario::live_at(&own);
        scenario.live = !refused;
        for source in sources {
            for host in own.iter().chain(&own) {
                let probe = udp(source, 40321, host, 5683 + 100, &[0x40, 1, 0, 1]);
                scenario.send(probe.clone());
                if refused {
                    scenario.send(error(host, 3, 3, &probe));
                }
            }
        }
        ids(&scenario.recognise()).contains(&"scan.horizontal")
    };
    let crowd = ["116.90.231.5", "185.60.112.9", "8.8.4.4", "9.9.9.9", "1.1.1.1"];
    assert!(sweep(&[AWAY], false));
    // Who comes back a minute later, and again, looks after them.
    let rounds = |pause: f64| {
        let mut scenario = Scenario::live_at(&own);
        for _ in 0..4 {
            for host in &own {
                scenario.send(question(AWAY, host));
            }
            scenario.wait(pause);
        }
        scenario.findings().iter().any(|finding| finding.id == "scan.horizontal")
    };
    assert_eq!([rounds(60.0), rounds(2.0)], [false, true]);
    // What so many ask for is a service, unless they are refused; and so may be what a neighbour asks for.
    assert!(!sweep(&crowd, false) && sweep(&crowd, true));
    assert!(!sweep(&["93.184.216.77"], false));
}

#[test]
fn clients_ask_servers_far_and_wide() {
    let asks = |packet: fn(&str, u16) -> Packet, target: fn(u32) -> String| {
        let mut scenario = Scenario::default();
        for i in 0..45 {
            for alternative in 0..3 {
                scenario.send(packet(&target(i), alternative)).wait(600.0);
            }
        }
        ids(&scenario.recognise()).iter().any(|id| id.starts_with("scan."))
    };
    let quic: fn(&str, u16) -> Packet =
        |server, i| udp(AWAY, 51_000, server, [443, 4433, 4434][usize::from(i)], &[0xc3; 1350]);
    let here: fn(u32) -> String = |i| format!("93.184.216.{}", 1 + i);
    assert!(!asks(quic, stranger) && asks(quic, here));
    assert!(asks(|host, _| udp(AWAY, 51_000, host, 161, &[0x30, 0x29]), stranger));
    assert!(asks(|host, _| syn(AWAY, 51_000, host, 23), stranger), "a device that spreads something");
}

/// Arriving packets of a monitor whose connections are too many to be sampled whole: of those with name servers only the ends are.
#[test]
fn ends_of_connections_whose_beginnings_were_not_sampled() {
    let mut monitor = Scenario::default();
    monitor.locality.prefixes = vec![PREFIX];
    for host in (100..150).map(|last| format!("93.184.216.{last}")) {
        for port in 40..60 {
            let segment = |flags| tcp(AWAY, 30_000 + port, &host, port, flags);
            monitor.send(segment(SYN)).send(segment(ACK)).send(with_data(segment(PSH | ACK)));
            monitor.send(segment(FIN | ACK)).send(segment(ACK));
        }
    }
    calm("a monitor", &monitor.findings());
}

#[test]
fn a_scanner_of_udp_ports_may_repeat_itself() {
    let scan = |each: usize, more: usize| {
        let mut scenario = Scenario::live();
        for port in (2000..4000).step_by(37) {
            for _ in 0..each {
                scenario.send(udp(AWAY, 51_000, HOME, port, &[]));
            }
        }
        for _ in 0..more {
            scenario.send(udp(AWAY, 51_000, HOME, 2000, &[]));
        }
        scenario.recognise()
    };
    for (each, more) in [(1, 300), (6, 0)] {
        one(&scan(each, more), "scan.udp");
    }
    none(&scan(60, 0), "scan.udp");
}

#[test]
fn a_long_udp_scan_is_no_stream() {
    // The table's map of ports is full after some hundreds.
    let mut scenario = Scenario::live();
    for i in 0..4000_u16 {
        scenario.send(udp(AWAY, 41000, HOME, 1 + i * 13, &[])).wait(0.002);
    }
    let found = scenario.recognise();
    assert!(one(&found, "scan.udp").packets >= 3900);
    let mut stream = Scenario::live();
    for i in 0..4000_u16 {
        stream.send(udp(AWAY, 41000, HOME, 40000 + i % 16, &[0; 160])).wait(0.02);
    }
    none(&stream.recognise(), "scan.udp");
}

#[test]
fn what_a_udp_scan_carries_belongs_to_it() {
    let questions: [(u16, &[u8]); 2] =
        [(69, b"\0\x01r7tftp.txt\0octet\0"), (1900, b"M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\n\r\n")];
    let told = |scan: bool| {
        let mut scenario = Scenario::live_at(&[HOME]);
        for (port, payload) in questions {
            scenario.send(udp(AWAY, 40321, HOME, port, payload));
        }
        for port in if scan { 20_000..20_030 } else { 0..0 } {
            scenario.send(udp(AWAY, 40321, HOME, port, &[]));
        }
        scenario.findings()
    };
    let is_payload = |finding: &Finding| finding.id.starts_with("payload.");
    assert!(told(false).iter().any(is_payload));
    let scan = told(true);
    assert!(!scan.iter().any(is_payload), "{scan:#?}");
    let scan = scan.iter().find(|finding| finding.id == "scan.udp").expect("it is found");
    assert!(scan.also.iter().any(|id| id == "payload.tftp"), "{scan:#?}");
}

#[test]
fn a_sweep_is_no_monitor() {
    let mut sweep = Scenario::default();
    for last in 1..=9 {
        sweep.send(ping(AWAY, &format!("93.184.216.{last}")));
    }
    one(&sweep.recognise(), "scan.ping-sweep");
    let answered = |source: &str| {
        let mut scenario = Scenario::default();
        for last in 1..=9 {
            let host = format!("93.184.216.{last}");
            scenario.send(ping(source, &host)).send(icmp(&host, source, 0, 0, &[0; 32]));
        }
        scenario.recognise()
    };
    one(&answered(AWAY), "scan.ping-sweep");
    assert!(answered("93.184.216.200").is_empty());
    // One of ours, and who asks hosts of ours in several networks.
    let sweeps = |source: &str, host: fn(u32) -> String| {
        let mut scenario = Scenario::default();
        scenario.locality.prefixes.push(schema::prefix("93.184.0.0/16").unwrap());
        for i in 1..=9 {
            scenario.send(ping(source, &host(i))).send(icmp(&host(i), source, 0, 0, &[0; 32]));
        }
        scenario.recognise()
    };
    let of_ours: fn(u32) -> String = |i| format!("93.184.{}.7", 200 + i);
    one(&sweeps(AWAY, of_ours), "scan.ping-sweep");
    assert!(sweeps("93.184.5.5", of_ours).is_empty() && sweeps(AWAY, stranger).is_empty());
    let mut monitor = Scenario::default();
    for _ in 0..10 {
        for last in 1..=9 {
            monitor.send(ping(AWAY, &format!("93.184.216.{last}")));
        }
        monitor.wait(60.0);
    }
    assert!(monitor.recognise().is_empty());
}

/// A host of ours, of more than the source table's maps can tell apart.
fn host(i: usize) -> String {
    format!("93.184.{}.{}", 216 + i / 250, 1 + i % 250)
}

/// The finding of a sweep, with as many packets as were sent.
fn swept(hosts: usize, id: &str, packet: impl Fn(&str) -> Packet) {
    let mut scenario = Scenario::live();
    for i in 0..hosts {
        scenario.send(packet(&host(i)));
    }
    let found = scenario.recognise();
    let sweep = one(&found, id);
    assert_eq!(sweep.packets, hosts as u64, "{hosts}: {found:#?}");
    let (_, detail) = sweep.facts.iter().find(|(name, _)| *name == "detail").expect("it says how much");
    assert_eq!(detail.contains("at least"), hosts > 100, "{detail}");
}

#[test]
fn a_sweep_is_found_however_large() {
    for hosts in [12, 200, 1500] {
        swept(hosts, "scan.ping-sweep", |host| ping(AWAY, host));
        swept(hosts, "scan.horizontal", |host| syn(AWAY, 40_321, host, 3389));
        // A scanner of telephone systems asks from the port of one.
        for port in [40_321, 5060] {
            swept(hosts, "scan.horizontal", |host| udp(AWAY, port, host, 5060, b"OPTIONS"));
        }
    }
}

/// Of a site of which only arriving packets are seen: what its time server, its telephone provider, its routers and the other end of its tunnels send to
/// many hosts.
#[test]
fn peers_of_a_site_search_nothing() {
    let with = |first: &[u8], length: usize, field: std::ops::Range<usize>| {
        let mut message = [first, &vec![0; length - first.len()]].concat();
        message[field].fill(7);
        message
    };
    let rows = [
        ((67, 68), vec![2; 240], vec![1; 240]),
        ((67, 67), vec![2; 240], vec![1; 240]),
        ((123, 123), vec![0x24; 48], vec![0x23; 24]),
        ((123, 123), with(&[0x21], 48, 24..28), with(&[0x21], 48, 40..48)),
        ((123, 123), with(&[0x23], 48, 31..32), with(&[0x23], 48, 0..0)),
        ((500, 500), with(&[1; 8], 28, 8..16), with(&[1; 8], 28, 16..28)),
        ((4500, 4500), with(&[0; 4], 32, 12..20), with(&[0; 4], 32, 4..12)),
        ((4500, 4500), vec![0xc1; 120], vec![]),
        ((4500, 4500), vec![0xff], vec![0; 32]),
        ((4500, 4500), vec![0xc1; 24], vec![0xc1; 23]),
        ((4500, 4500), vec![0xff], vec![0xff; 2]),
        ((4500, 4500), with(&[0, 0, 1], 24, 4..8), with(&[0, 0, 0, 1], 24, 4..8)),
        ((1194, 1194), vec![0x48; 90], vec![0x38; 54]),
        ((1194, 1194), with(&[0x40], 26, 1..9), with(&[0x41], 26, 1..9)),
        ((1194, 1194), vec![0x20; 14], vec![0x20; 13]),
        ((1194, 1194), vec![0x58; 60], vec![0; 14]),
        ((1812, 1645), vec![2; 40], vec![1; 40]),
        ((1701, 1701), vec![0x02; 90], with(&[0xc8, 2, 0, 60], 60, 8..60)),
        ((1701, 1701), with(&[0xc8, 2], 60, 4..6), vec![]),
        ((1701, 1701), vec![0x03; 90], vec![0x04, 2, 0, 9]),
        ((1701, 1701), vec![0x00, 2, 0, 9], vec![0x00, 1, 0, 9]),
        ((49_152, 3784), with(&[0x20, 0xc0, 3, 24], 24, 4..12), with(&[0x20, 0x40, 3, 24], 24, 4..8)),
        ((49_152, 3784), with(&[0x20, 0xc0, 3, 24], 24, 4..12), with(&[0x20, 0xc0, 3, 24], 30, 4..12)),
        ((646, 646), with(&[0, 1, 0, 30], 34, 4..8), with(&[0, 1, 0, 30], 34, 8..34)),
        ((646, 646), with(&[0, 1, 0, 30], 34, 4..8), with(&[0, 1, 0, 30], 35, 4..8)),
        ((5060, 5060), b"SIP/2.0 200 OK\r\n".to_vec(), b"OPTIONS sip:a SIP/2.0\r\n".to_vec()),
        ((5060, 5060), b"ACK sip:a SIP/2.0\r\n".to_vec(), b"BYE sip:a SIP/2.0\r\n".to_vec()),
        ((51820, 51820), with(&[4], 80, 4..80), vec![1; 148]),
        ((51820, 51820), with(&[2], 92, 4..92), with(&[2], 91, 4..91)),
        ((51820, 51820), with(&[3], 64, 4..64), vec![3; 64]),
        ((51820, 51820), with(&[4], 32, 4..32), with(&[4], 31, 4..31)),
    ];
    for ((from, to), answer, question) in rows {
        let sent = |payloads: &[&[u8]]| {
            let mut scenario = Scenario::default();
            for i in 0..20 {
                for payload in payloads {
                    scenario.send(udp(AWAY, from, &host(i), to, payload)).wait(0.7);
                }
            }
            scenario.recognise()
        };
        one(&sent(&[&question]), "scan.horizontal");
        none(&sent(&[&answer]), "scan.horizontal");
        none(&sent(&[&question, &answer]), "scan.horizontal");
    }
    // Answers to a few hosts are none to the others; who asks many is answered by most.
    let answered = |every: usize| {
        let mut scenario = Scenario::default();
        for i in 0..12 {
            scenario.send(udp(AWAY, 5060, &host(i), 5060, b"OPTIONS sip:a SIP/2.0\r\n")).wait(0.3);
            if i % every == 0 {
                scenario.send(udp(AWAY, 5060, &host(i), 5060, b"SIP/2.0 200 OK\r\n")).wait(0.3);
            }
        }
        scenario.recognise()
    };
    one(&answered(4), "scan.horizontal");
    none(&answered(3), "scan.horizontal");
    none(&answered(2), "scan.horizontal");
}

/// Who looks for telephone systems acknowledges that they refuse his call, which says nothing for him; a call that is taken up has its own acknowledgement.
#[test]
fn to_acknowledge_refusals_makes_no_peer() {
    let called = |branch: &str| {
        let mut scenario = Scenario::default();
        for i in 0..12 {
            let call = format!("INVITE sip:1@a SIP/2.0\r\nVia: SIP/2.0/UDP b;rport;branch=z9hG4bK{i}\r\n");
            let taken = format!("ACK sip:1@a SIP/2.0\r\nv: SIP/2.0/UDP b;branch=z9hG4bK{branch}{i}\r\n");
            scenario.send(udp(AWAY, 5060, &host(i), 5060, call.as_bytes())).wait(0.3);
            scenario.send(udp(AWAY, 5060, &host(i), 5060, taken.as_bytes())).wait(0.3);
        }
        scenario.recognise()
    };
    one(&called(""), "scan.horizontal");
    none(&called("new"), "scan.horizontal");
}

/// A resolver asks name servers for what they know; who wants them to search for him, asks for their program or for all that they have is none.
#[test]
fn a_resolver_asks_many_name_servers() {
    let question = |flags: u8, name: &[u8], kind: u8, class: u8| {
        let header = [0x5e, 0x11, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        [&header[..], name, &[0, 0, kind, 0, class]].concat()
    };
    let asked = |hosts: usize, questions: &[&[u8]]| {
        let mut scenario = Scenario::default();
        for i in 0..hosts {
            for question in questions {
                scenario.send(udp(AWAY, 40_321, &host(i), 53, question)).wait(0.2);
            }
        }
        scenario
    };
    let asks = |questions: &[&[u8]]| asked(12, questions);
    let own = question(0, b"\x07example", 1, 1);
    none(&asks(&[&own]).recognise(), "scan.horizontal");
    none(&asked(13, &[&own]).recognise(), "scan.horizontal");
    one(&asked(14, &[&own]).recognise(), "scan.horizontal");
    let search = question(1, b"\x07example", 1, 1);
    let others = [question(0, b"\x07example", 1, 3), question(0x80, b"\x07example", 1, 1), question(0, b"", 2, 1)];
    let any = question(0, b"\x07example", 255, 1);
    for other in others.into_iter().chain([any, question(0x08, b"\x07example", 1, 1), search]) {
        one(&asks(&[&other]).recognise(), "scan.horizontal");
        one(&asks(&[&own, &other]).recognise(), "scan.horizontal");
    }
    let mut refused = asks(&[&own]);
    refused.send(error(&host(0), 3, 3, &udp(AWAY, 40_321, &host(0), 53, &own)));
    one(&refused.recognise(), "scan.horizontal");
}

#[test]
fn who_only_repeats_his_pings_is_no_monitor() {
    let pings = |hosts: usize, rounds: usize, pause: f64| {
        let mut scenario = Scenario::default();
        for _ in 0..rounds {
            for i in 0..hosts {
                scenario.send(ping(AWAY, &host(i)));
            }
            scenario.wait(pause);
        }
        scenario
    };
    one(&pings(20, 3, 0.0).recognise(), "scan.ping-sweep");
    one(&pings(120, 4, 0.5).recognise(), "scan.ping-sweep");
    none(&pings(20, 5, 60.0).recognise(), "scan.ping-sweep");
    none(&pings(20, 90, 0.8).recognise(), "scan.ping-sweep");
    let mut one_more = pings(20, 1, 0.0);
    for _ in 0..45 {
        one_more.send(ping(AWAY, &host(0)));
    }
    one(&one_more.recognise(), "scan.ping-sweep");
    // One host after the other.
    let mut thorough = Scenario::default();
    for i in 0..30 {
        for _ in 0..4 {
            thorough.send(ping(AWAY, &host(i))).wait(1.0);
        }
    }
    one(&thorough.recognise(), "scan.ping-sweep");
}

#[test]
fn a_worm_among_neighbours_is_no_check_of_their_health() {
    let worm = |hosts: usize, ports: &[u16], rounds: usize| {
        let mut scenario = Scenario::default();
        for _ in 0..rounds {
            for port in ports {
                for i in 0..hosts {
                    let neighbour = format!("10.20.{}.{}", 1 + i / 250, 1 + i % 250);
                    let own = 40_000 + (i % 20_000) as u16;
                    scenario.send(syn("10.20.0.5", own, &neighbour, *port).ttl(64));
                    scenario.send(tcp(&neighbour, *port, "10.20.0.5", own, RST | ACK).ttl(64)).wait(0.08);
                }
            }
            scenario.wait(15.0);
        }
        scenario.recognise()
    };
    assert_eq!(one(&worm(600, &[445], 1), "scan.horizontal").packets, 600);
    one(&worm(40, &PORTS[..12], 1), "scan.horizontal");
    none(&worm(40, &[445], 10), "scan.horizontal");
    none(&worm(12, &[445, 139], 30), "scan.horizontal");
}

/// SYNs to one port of many hosts that all accept; then the scanner hangs up.
fn half_open_sweep(scenario: &mut Scenario, hosts: usize, source: &str, ttl: u8) {
    for i in 0..hosts {
        scenario.send(syn(source, 40_321, &host(i), 443).ttl(ttl));
        scenario.send(tcp(&host(i), 443, source, 40_321, SYN | ACK).ttl(64));
        scenario.send(tcp(source, 40_321, &host(i), 443, RST).ttl(ttl));
    }
}

#[test]
fn who_hangs_up_on_many_hosts_sweeps_them() {
    for (hosts, visitors) in [(60, 0), (400, 0), (400, 300)] {
        let mut scenario = Scenario::default();
        for i in 0..visitors {
            scenario.connection(&crowd(i), 50_000, &host(i as usize % 40), 443);
        }
        half_open_sweep(&mut scenario, hosts, AWAY, 52);
        let found = scenario.recognise();
        assert_eq!(one(&found, "scan.horizontal").packets, hosts as u64, "{found:#?}");
    }
    let mut balancer = Scenario::default();
    balancer.locality.prefixes.push(schema::prefix("93.184.216.0/21").unwrap());
    for _ in 0..10 {
        half_open_sweep(&mut balancer, 120, "93.184.219.3", 64);
        balancer.wait(2.0);
    }
    none(&balancer.recognise(), "scan.horizontal");
    // A program that gives up what it has used.
    let mut client = Scenario::default();
    for i in 0..60 {
        let there = |flags| tcp(AWAY, 40_321, &host(i), 443, flags);
        client.send(there(SYN)).send(tcp(&host(i), 443, AWAY, 40_321, SYN | ACK));
        for _ in 0..3 {
            client.send(with_data(there(PSH | ACK)));
        }
        client.send(there(RST | ACK));
    }
    none(&client.recognise(), "scan.horizontal");
}

/// That one of its ports has visitors says nothing of the other hosts, and the source never ends a connection.
#[test]
fn a_sweep_beside_visitors_of_its_port_is_counted() {
    for mut scenario in [Scenario::at(&[&host(0)]), Scenario::live_at(&[&host(0)])] {
        scenario.locality.prefixes.push(schema::prefix("93.184.216.0/22").unwrap());
        for i in 0..2000 {
            scenario.connection(&crowd(i), 50_000, &host(0), 443).wait(-0.1);
        }
        for i in 0..2000 {
            let port = [443, 80][i % 2];
            scenario.send(syn(AWAY, 40_321, &host(i / 2), port));
            if i == 0 {
                scenario.send(tcp(&host(0), port, AWAY, 40_321, SYN | ACK)).send(tcp(
                    AWAY,
                    40_321,
                    &host(0),
                    port,
                    RST,
                ));
            }
        }
        let found = scenario.recognise();
        assert!(one(&found, "scan.horizontal").packets.abs_diff(2000) < 10, "{found:#?}");
    }
}

#[test]
fn data_that_nobody_asked_for_opens_no_port() {
    let junk = |mut scenario: Scenario, hosts: usize, ports: &[u16], sources: usize| {
        for (i, port) in ports.iter().enumerate() {
            for host in (0..hosts).map(host) {
                scenario.send(syn(AWAY, 40_000, &host, *port));
                for k in 0..4 {
                    let source = if sources == 1 { AWAY.to_owned() } else { crowd((4 * i + k) as u32) };
                    scenario.send(with_data(tcp(&source, 40_000, &host, *port, PSH | ACK)));
                }
            }
        }
        scenario.recognise()
    };
    let here = || Scenario::live_at(&[&host(0)]);
    for sources in [1, 2] {
        one(&junk(here(), 1, &PORTS, sources), "scan.vertical");
        one(&junk(here().listening(&[22]), 1, &PORTS, sources), "scan.vertical");
        one(&junk(Scenario::default(), 60, &[3389], sources), "scan.horizontal");
    }
}

#[test]
fn a_scan_whose_packets_are_about_to_expire_is_a_scan() {
    let mut scenario = Scenario::live();
    for port in &PORTS[..12] {
        for i in 0..3 {
            scenario.send(syn(AWAY, 40_000 + i, HOME, *port).ttl(1));
        }
    }
    let found = scenario.recognise();
    assert_eq!(one(&found, "scan.vertical").packets, 36);
    none(&found, "pattern.traceroute");
}

#[test]
fn protocols_of_many_hosts() {
    let scan = |hosts: usize, times: usize, pause: f64| {
        let mut scenario = Scenario::default();
        for _ in 0..times {
            for protocol in [47, 50, 51, 88, 89, 103, 132] {
                for i in 0..hosts {
                    scenario.send(Packet::new(AWAY, &host(i), protocol, vec![0; 8])).wait(pause);
                }
            }
        }
        scenario.recognise()
    };
    for (hosts, times, pause) in [(1, 1, 0.0), (1, 6, 0.0), (1, 11, 1.0), (5, 1, 0.0), (20, 1, 0.0), (300, 1, 0.0)] {
        let found = scan(hosts, times, pause);
        let scan = one(&found, "scan.ip-protocol");
        assert_eq!(scan.packets, (7 * hosts * times) as u64, "{found:#?}");
        assert!(scan.facts.iter().any(|(_, fact)| fact.starts_with("7 IP protocols of")), "{found:#?}");
    }
    none(&scan(1, 30, 1.0), "scan.ip-protocol");
    // What others speak, and is not sampled either, is left out, and so is what else the scanner sends.
    let mut beside = Scenario::live();
    beside.send(ping(AWAY, HOME));
    for number in 0..200 {
        for _ in 0..3 {
            beside.send(Packet::new("93.184.216.1", HOME, 112, vec![0; 12]));
        }
        beside.send(Packet::new(AWAY, HOME, number + 50, vec![0; 8]));
    }
    let found = beside.recognise();
    assert!((190..=200).contains(&one(&found, "scan.ip-protocol").packets), "{found:#?}");
}

/// What else its sender did before takes no samples from a scan.
#[test]
fn protocols_after_many_pings() {
    for mut scenario in [Scenario::at(&[HOME]), Scenario::live()] {
        for i in 0..100 {
            scenario.send(icmp(AWAY, HOME, 8, 0, &[0, 1, 0, i]));
        }
        for protocol in 18..=200 {
            scenario.send(Packet::new(AWAY, HOME, protocol, Vec::new()));
        }
        one(&scenario.recognise(), "scan.ip-protocol");
    }
}

#[test]
fn protocols_one_after_the_other() {
    let mut scenario = Scenario::live();
    for protocol in [2, 4, 41, 47, 50, 89, 132] {
        scenario.send(Packet::new(AWAY, HOME, protocol, Vec::new()));
    }
    one(&scenario.recognise(), "scan.ip-protocol");
    // Some of them may be spoken here, and a scanner repeats what is lost.
    for _ in 0..10 {
        scenario.send(Packet::new("93.184.216.1", HOME, 47, vec![0; 40]));
    }
    for protocol in [2, 4, 41, 47, 50, 89, 132] {
        scenario.send(Packet::new(AWAY, HOME, protocol, Vec::new()));
    }
    one(&scenario.recognise(), "scan.ip-protocol");
    let mut tunnels = Scenario::live();
    for protocol in [47, 50, 47, 50, 51] {
        tunnels.send(Packet::new(AWAY, HOME, protocol, vec![0; 40]));
    }
    assert!(tunnels.recognise().is_empty());
    // A laboratory's router that speaks all of them now and then; empty packets of the same are probes.
    for (contents, count) in [(vec![0x45; 40], 0), (Vec::new(), 1), (vec![0; 8], 1)] {
        let mut router = Scenario::at(&[HOME]);
        for protocol in [4, 47, 50, 89, 103, 132] {
            router.send(Packet::new(AWAY, HOME, protocol, contents.clone())).wait(20.0);
        }
        assert_eq!(router.recognise().iter().filter(|found| found.id == "scan.ip-protocol").count(), count);
    }
    // A router that speaks to all, a gateway that also has connections, and what goes out.
    let mut other = Scenario::at(&[HOME]);
    for protocol in [2, 88, 89, 103, 112] {
        other.send(Packet::new("93.184.216.1", "224.0.0.5", protocol, vec![0; 40]));
        other.send(Packet::new(HOME, AWAY, protocol, vec![0; 40]));
    }
    other.connection(AWAY, 40000, HOME, 443).send(ping(AWAY, HOME)).send(udp(AWAY, 500, HOME, 500, &[0; 40]));
    for protocol in [47, 50] {
        other.send(Packet::new(AWAY, HOME, protocol, vec![0; 40]));
    }
    none(&other.recognise(), "scan.ip-protocol");
}

#[test]
fn a_scan_over_hours_is_one_scan() {
    let mut scenario = Scenario::live();
    for port in [22, 8443, 3306, 6379, 9200, 27017, 11211, 2375, 5900, 8291, 1521, 5432] {
        scenario.send(syn(AWAY, 40000, HOME, port)).wait(600.0);
    }
    let found = scenario.recognise();
    assert_eq!(one(&found, "scan.slow").packets, 12);
    let mut daily = Scenario::live();
    for _ in 0..12 {
        daily.send(syn(AWAY, 40000, HOME, 22)).wait(600.0);
    }
    none(&daily.recognise(), "scan.slow");
}

#[test]
fn no_pace_lies_between_quick_and_slow() {
    for (seconds, id) in
        [(20.0, "scan.vertical"), (290.0, "scan.vertical"), (600.0, "scan.slow"), (1700.0, "scan.slow")]
    {
        let mut scenario = Scenario::live_at(&[HOME]);
        let ports = [22, 3306, 8080, 5900, 25, 6379, 1433, 5432, 110, 143, 21, 23, 80];
        for port in if id == "scan.slow" { &ports[..10] } else { &ports } {
            scenario.send(syn(AWAY, 40000, HOME, *port)).wait(seconds / 9.0);
        }
        one(&scenario.recognise(), id);
    }
}

#[test]
fn an_interface_calls_a_pace_the_same_however_long_it_goes_on() {
    for (pause, id) in [(5.0, "scan.vertical"), (21.0, "scan.slow"), (60.0, "scan.slow")] {
        let mut scenario = Scenario::live_at(&[HOME]);
        for i in 0..(2400.0 / pause) as u32 {
            scenario.send(syn(AWAY, 40000, HOME, 1025 + (i * 7919 % 30_000) as u16)).wait(pause);
        }
        let found = scenario.recognise_last(300.0);
        let scan = one(&found, id);
        assert_eq!(ids(&found).contains(&"scan.slow"), id == "scan.slow", "{found:#?}");
        let says = scan.evidence.iter().any(|evidence| evidence.contains("longer than this looks back"));
        assert_eq!(says, id == "scan.slow", "{:#?}", scan.evidence);
    }
}

/// What a service sends back comes now and then, goes to ports that clients take, holds something, and finds somebody.
#[test]
fn datagrams_from_one_port_are_answers_or_a_scan() {
    let row = |pause: f64, payload: &[u8], port: fn(u16) -> u16| {
        let mut scenario = Scenario::live_at(&[HOME]);
        for i in 0..40 {
            scenario.send(udp(AWAY, 28960, HOME, port(i), payload)).wait(pause);
        }
        scenario
    };
    let client = |i| 33_000 + (u32::from(i) * 7919 % 27_000) as u16;
    none(&row(20.0, &[7; 60], client).recognise(), "scan.udp");
    one(&row(0.0, &[7; 60], client).recognise(), "scan.udp");
    one(&row(20.0, &[], client).recognise(), "scan.udp");
    // Of a service, also where a translator of addresses gives its clients lower ports.
    for from in [1812, 5683, 8801, 27015] {
        let mut known = Scenario::live_at(&[HOME]);
        for i in 0..40 {
            known.send(udp(AWAY, from, HOME, 1500 + 1571 * i, &[7; 60]));
        }
        none(&known.recognise(), "scan.udp");
    }
    // Unless it is known to have asked nobody.
    let mut silent = Scenario::at(&[HOME]);
    silent.connection(&stranger(3), 40_000, HOME, 443);
    for i in 0..40 {
        silent.send(udp(AWAY, 27015, HOME, 1500 + 1571 * i, &[7; 60]));
    }
    one(&silent.recognise(), "scan.udp");
    // At a pace at which few are sampled.
    let mut long = Scenario::live_at(&[HOME]);
    for i in 0..4000 {
        long.send(udp(AWAY, 28960, HOME, 33_000 + i, &[7; 60])).wait(0.09);
    }
    one(&long.recognise(), "scan.udp");
    // As `hping3 --udp -i 3 -p ++33000` sends them, each from the next port of its own.
    let mut slow = Scenario::live_at(&[HOME]);
    for i in 0..40 {
        slow.send(udp(AWAY, 2000 + i, HOME, 33_000 + i, &[7; 60])).wait(3.0);
    }
    one(&slow.recognise(), "scan.udp");
    one(&row(20.0, &[7; 60], |i| 10_000 + i).recognise(), "scan.udp");
    let mut refused = Scenario::at(&[HOME]);
    for i in 0..40 {
        let probe = udp(AWAY, 28960, HOME, client(i), &[7; 60]);
        refused.send(probe.clone()).send(error(HOME, 3, 3, &probe)).wait(20.0);
    }
    one(&refused.recognise(), "scan.udp");
    let mut known = row(20.0, &[7; 60], client);
    known.outbound = Some(Vec::new());
    one(&known.recognise(), "scan.udp");
}

/// A call goes to a port that a client took, comes again, and is not refused.
#[test]
fn messages_of_calls_excuse_no_scan() {
    let message = [&[0, 1, 0, 8][..], &[0x21, 0x12, 0xa4, 0x42], &[7; 20]].concat();
    let scans = |mut scenario: Scenario, message: &[u8], each: usize, first: u16, refused: bool| {
        for i in 0..20 {
            for _ in 0..each {
                let datagram = udp(AWAY, 50_000, HOME, first + 13 * i, message);
                scenario.send(datagram.clone());
                if refused {
                    scenario.send(error(HOME, 3, 3, &datagram));
                }
            }
        }
        // What the host sends is too much to be sampled whole.
        for i in 0..300 {
            scenario.send(udp(HOME, 39_000, "116.90.231.80", 443, &content(i, 64)));
        }
        ids(&scenario.recognise()).contains(&"scan.udp")
    };
    let capture = || Scenario::at(&[HOME]).behind_much();
    assert!(!scans(capture(), &message, 2, 40_000, false));
    assert!(scans(capture(), &message, 1, 40_000, false));
    assert!(scans(capture(), &message, 2, 2000, false));
    assert!(scans(capture(), &[&message[..], &[7; 4]].concat(), 2, 40_000, false));
    assert!(scans(capture(), &message, 2, 40_000, true));
    // Where all that it sends is known, it does not answer.
    let mut silent = capture();
    for port in 40_000..40_020 {
        silent.send(udp(AWAY, 50_000, HOME, port, &message)).send(udp(AWAY, 50_000, HOME, port, &message));
    }
    none(&silent.recognise(), "scan.udp");
    silent.connection(HOME, 40_000, "116.90.231.80", 443);
    one(&silent.recognise(), "scan.udp");
}

/// Word of what leaves this host tells of searches, too.
#[test]
fn who_was_heard_searching_gets_answers() {
    let answers = |asked: &str| {
        let mut scenario = Scenario::live_at(&[HOME]);
        for i in 0..20 {
            let at = Moment(scenario.now);
            let (local, remote) = (ip(HOME).into(), ip(asked).into());
            let search = Outbound { local, remote, protocol: 17, port: 10_001, first: at, last: at };
            scenario.outbound.get_or_insert_default().push(search);
            scenario.send(udp("93.184.216.60", 10_001, HOME, 49_152 + 131 * i, &[1; 140]).ttl(64)).wait(60.0);
        }
        ids(&scenario.recognise()).contains(&"scan.udp")
    };
    assert_eq!(["255.255.255.255", "239.1.2.3", AWAY].map(answers), [false, false, true]);
}

/// Neighbours answer searches and calls, from the ports for it or in the words for it; strangers do not.
#[test]
fn datagrams_that_look_like_answers_of_neighbours() {
    let reply = [&[9, 9, 9, 9, 0, 0, 0, 1][..], &[0; 32]].concat();
    for (source, port, payload, first) in [
        (AWAY, 5353, &[0x84; 60][..], 2000),
        (AWAY, 40321, b"HTTP/1.1 200 OK\r\n", 2000),
        (AWAY, 40321, &reply, 2000),
        ("93.184.216.77", 40321, &[7; 60], 2000),
        ("93.184.216.77", 5353, &[7; 60], 7),
        ("93.184.216.77", 5353, &[7; 60], 1024),
        ("93.184.216.77", 40321, b"HTTP/1.1 200 OK\r\n", 1024),
    ] {
        let mut scenario = Scenario::live_at(&[HOME]);
        for i in 0..40 {
            scenario.send(udp(source, port, HOME, first + 13 * i, payload).ttl(64));
        }
        assert!(ids(&scenario.recognise()).contains(&"scan.udp"), "{source} {port}");
    }
}

/// A neighbour's datagrams to services here count for no scan, nor does what else he uses; a stranger's do.
#[test]
fn what_else_a_source_uses_makes_no_scan_of_its_datagrams() {
    let client = |source: &str, ttl| {
        let mut scenario = Scenario::at(&[HOME]);
        for i in 0..40 {
            scenario.send(udp(source, 40_000 + i, HOME, [53, 123][usize::from(i % 2)], &[0x23; 48]).ttl(ttl));
            scenario.connection(source, 50_000 + i, HOME, 8000 + i % 12).wait(60.0);
        }
        scenario.findings_of(&scenario.arriving(HOME), scenario.now)
    };
    crate::ordinary::calm("a neighbour", &client("93.184.216.77", 64));
    crate::ordinary::calm("a client elsewhere", &client(AWAY, 52));
    let mut slow = Scenario::live_at(&[HOME]);
    for port in [53, 69, 111, 123, 137, 161, 500, 514, 520, 1434, 1900, 5060] {
        slow.send(udp(AWAY, 40000, HOME, port, &[])).wait(60.0);
    }
    one(&slow.recognise(), "scan.udp");
}

#[test]
fn neighbours_share_the_work() {
    let mut scenario = Scenario::live();
    for (i, port) in PORTS.into_iter().enumerate() {
        scenario.send(syn(&format!("116.90.231.{}", 10 + i % 5), 40000, HOME, port)).wait(5.0);
    }
    one(&scenario.recognise(), "scan.distributed");
    let mut clients = Scenario::live();
    for i in 0..20 {
        clients.send(syn(&format!("116.90.231.{}", 10 + i % 5), 40000 + i, HOME, [80, 443][usize::from(i % 2)]));
    }
    none(&clients.recognise(), "scan.distributed");
    let checks = |rounds: u32| {
        let mut scenario = Scenario::live();
        for _ in 0..rounds {
            for (i, port) in PORTS.into_iter().enumerate() {
                scenario.send(syn(&format!("116.90.231.{}", 10 + i % 5), 40000, HOME, port));
            }
            scenario.wait(60.0);
        }
        scenario.recognise()
    };
    one(&checks(2), "scan.distributed");
    none(&checks(5), "scan.distributed");

    let many = |same: bool| {
        let mut scenario = Scenario::live();
        for i in 0..90_u16 {
            let port = 3 * if same { i / 3 } else { i };
            scenario.send(syn(&format!("116.90.231.{}", 7 + i % 3), 40_000, HOME, 1 + port));
        }
        scenario.recognise()
    };
    let found = many(false);
    let scan = one(&found, "scan.distributed");
    assert_eq!((scan.packets, scan.sources.len(), found.len()), (90, 3, 1), "{found:#?}");
    assert_eq!(scan.confidence, Some(Confidence::Likely));
    assert_eq!(ids(&many(true)).iter().filter(|id| **id == "scan.vertical").count(), 3, "each for itself");
}

/// Strangers may share the work as well: their parts lie side by side, as the favourite ports of those who search each for himself do not.
#[test]
fn strangers_share_a_range_of_ports() {
    let share = |scenario: &mut Scenario, sources: u16, ports: &[u16], each: usize| {
        for (i, port) in ports.iter().enumerate() {
            let source = stranger((i / each) as u32 % u32::from(sources));
            scenario.send(syn(&source, 40_000 + i as u16, HOME, *port)).wait(0.2);
        }
    };
    let side_by_side: Vec<u16> = (1..=200).collect();
    let apart: Vec<u16> = (1..=200).map(|i| 20 * i).collect();
    let further_up: Vec<u16> = (1001..=1200).collect();
    let shuffled: Vec<u16> = (0..200).map(|i| 1 + i * 77 % 200).collect();
    for scenario in [Scenario::default, Scenario::live] {
        for (sources, ports, each) in [
            (20, &side_by_side, 10),
            (50, &side_by_side, 4),
            (8, &shuffled, 1),
            (5, &side_by_side, 40),
            (20, &apart, 10),
            (50, &apart, 4),
            (8, &apart, 1),
            (20, &further_up, 10),
            (100, &side_by_side, 2),
            (200, &shuffled, 1),
        ] {
            let mut scenario = scenario();
            share(&mut scenario, sources, ports, each);
            // Who looks for one port of the range has nothing to do with it, where the others look for more.
            if sources < 100 {
                scenario.send(syn(&stranger(999), 50_000, HOME, 23));
            }
            let found = scenario.recognise();
            let scan = one(&found, "scan.distributed");
            assert_eq!(
                (scan.packets, scan.facts[0].1.as_str()),
                (200, format!("{sources} sources").as_str()),
                "{found:#?}"
            );
            assert!(found.iter().all(|other| other.id != "scan.vertical"), "{found:#?}");
        }
        for (sources, ports, each) in [(3, &side_by_side, 70), (3, &apart, 70), (100, &apart, 2), (200, &apart, 1)] {
            let mut scenario = scenario();
            share(&mut scenario, sources, ports, each);
            none(&scenario.recognise(), "scan.distributed");
        }
        // Day by day everybody is asked for some port or other.
        let mut radiation = scenario();
        for (i, port) in shuffled.iter().enumerate() {
            radiation.send(syn(&stranger(i as u32), 40_000, HOME, *port)).wait(200.0);
        }
        none(&radiation.recognise(), "scan.distributed");
        // Others try some of what one tries.
        let mut alone = scenario();
        for port in 1..=500 {
            alone.send(syn(AWAY, 40_000, HOME, port)).wait(3.0);
        }
        for (i, port) in [22, 25, 53, 21, 23, 37, 7, 9, 13, 42, 43, 49].into_iter().enumerate() {
            alone.send(syn(&stranger(i as u32 / 3), 40_000, HOME, port));
        }
        none(&alone.recognise(), "scan.distributed");
        let mut same = scenario();
        for _ in 0..2 {
            share(&mut same, 20, &side_by_side, 10);
            share(&mut same, 10, &side_by_side, 20);
        }
        none(&same.recognise(), "scan.distributed");
        // Files by FTP that a firewall keeps from those who ask for them.
        let mut files = scenario();
        for i in 0..10 {
            files.connection(&stranger(i), 40_000, HOME, 21);
        }
        share(&mut files, 10, &(50_000..50_100).collect::<Vec<_>>(), 1);
        none(&files.recognise(), "scan.distributed");
    }
}

/// What was seen whole at the beginning of a capture takes nothing from what is sampled of a source behind it.
#[test]
fn a_scan_shows_behind_what_was_seen_whole() {
    let mut scenario = Scenario::default();
    for i in 0..17_000_u32 {
        let packet = if i % 2 == 0 { udp(AWAY, 40_000, HOME, 53, &[0; 30]) } else { syn(AWAY, 40_000, HOME, 80) };
        scenario.send(packet).wait(-0.0099);
    }
    for port in 1000..1200 {
        scenario.send(udp(AWAY, 40_001, HOME, port, &[])).wait(0.01);
    }
    assert!(ids(&scenario.recognise()).contains(&"scan.udp"));
}

/// Who logs in where it is let in has searched all the same.
#[test]
fn what_is_used_is_among_what_was_tried() {
    let mut worm = Scenario::default();
    for i in 0..8 {
        for login in 0..if i % 2 == 0 { 5 } else { 1 } {
            let (host, port) = (host(i), 40_000 + 100 * i as u16 + login);
            if i % 2 == 0 {
                let out = |flags| tcp(AWAY, port, &host, 23, flags);
                worm.send(out(SYN)).send(tcp(&host, 23, AWAY, port, SYN | ACK)).send(out(ACK));
                worm.send(with_data(out(PSH | ACK))).send(tcp(&host, 23, AWAY, port, FIN | ACK)).send(out(RST | ACK));
            } else {
                worm.send(syn(AWAY, port, &host, 23)).send(tcp(&host, 23, AWAY, port, RST | ACK).sequence(0));
            }
        }
    }
    one(&worm.recognise(), "scan.horizontal");
}

/// A capture that begins amid connections shows what they acknowledge, and not what they carry.
#[test]
fn acknowledgements_of_older_connections_are_no_scan() {
    let scans = |data: bool| {
        let mut scenario = Scenario::default();
        for i in 0..30 {
            let (server, port) = (stranger(i), 50_000 + i as u16);
            if data {
                scenario.send(with_data(tcp(&server, 8883, HOME, port, PSH | ACK)));
            }
            scenario.send(tcp(HOME, port, &server, 8883, ACK));
            scenario.send(syn(&server, 40_000, HOME, 80)).send(tcp(HOME, 80, &server, 40_000, RST | ACK).sequence(0));
        }
        ids(&scenario.recognise()).contains(&"scan.ack")
    };
    assert!(scans(false));
    assert!(!scans(true));
    // What is read at a site makes no connection of what comes from its port.
    let mut visited = Scenario::at(&[HOME]);
    for i in 0..6 {
        visited.connection(HOME, 50_000 + i, AWAY, 443);
    }
    for port in 1..40 {
        visited.send(tcp(AWAY, 443, HOME, port, ACK));
    }
    assert!(ids(&visited.recognise()).contains(&"scan.ack"));
}

/// A server of files answers from a port of its own, which is another for each (RFC 1350 §4).
#[test]
fn transfers_that_were_asked_for_are_no_scan() {
    let scans = |asked: u16| {
        let mut scenario = Scenario::default();
        for i in 0..40 {
            let (mine, theirs) = (2000 + 997 * i, 49_152 + 331 * i);
            scenario.send(udp(HOME, mine, AWAY, asked, b"\0\x01image.bin\0octet\0"));
            scenario.send(udp(AWAY, theirs, HOME, mine, &[&[0, 3, 0, 1][..], &[7; 512]].concat()));
        }
        ids(&scenario.recognise()).contains(&"scan.udp")
    };
    assert!(!scans(69));
    assert!(scans(6969));
    // Where only what arrives is seen, what it says tells.
    let arriving = |message: &[u8]| {
        let mut scenario = Scenario::live_at(&[HOME]);
        for i in 0..40 {
            scenario.send(udp(AWAY, 49_152 + 331 * i, HOME, 2000 + 997 * i, message));
        }
        ids(&scenario.recognise()).contains(&"scan.udp")
    };
    assert!(!arriving(&[&[0, 3, 0, 1][..], &[7; 512]].concat()));
    assert!(!arriving(&[0, 4, 0, 1]));
    assert!(arriving(&[0, 4, 0, 1, 0]) && arriving(&[0, 3]) && arriving(&[0, 5, 0, 1]));
}

/// What a source asks elsewhere, and is answered, excuses no sweep.
#[test]
fn who_has_peers_may_sweep_as_well() {
    let mut scenario = Scenario::default();
    for i in 0..45 {
        let (peer, port) = (stranger(i), 1024 + 311 * i as u16);
        for _ in 0..3 {
            scenario.send(udp(HOME, 51_413, &peer, port, &[0x40; 1200]));
            scenario.send(udp(&peer, port, HOME, 51_413, &[0x40; 1200]));
        }
    }
    for i in 100..130 {
        scenario.send(udp(HOME, 60_000, &stranger(i), 53413, &[0; 20]));
    }
    assert!(ids(&scenario.recognise()).contains(&"scan.horizontal"));
}

/// Strangers whose ports do not lie side by side share them where they begin together, write alike and find nothing.
#[test]
fn strangers_who_begin_together_share_a_scan() {
    const MAKES: [&[u8]; 4] = [&[2, 4, 5, 180], &[2, 4, 5, 180, 1, 3, 3, 7], &[4, 2, 1, 1], &[]];
    let share = |pause: f64, makes: usize, used: bool| {
        let mut scenario = Scenario::default();
        let port = |i: u32| 1 + (i * 577 % 60_000) as u16;
        for source in 0..10 {
            for i in 0..10 {
                let probe = syn(&stranger(source), 40_000, HOME, port(source * 10 + i));
                scenario.send(probe.options(MAKES[source as usize % makes])).wait(0.1);
            }
            scenario.wait(pause);
        }
        for i in 0..if used { 100 } else { 0 } {
            scenario.connection(&stranger(900 + i), 50_000, HOME, port(i));
        }
        let told = scenario.findings_of(&scenario.arriving(HOME), scenario.now);
        told.iter().any(|finding| finding.id == "scan.distributed")
    };
    assert!(share(1.0, 1, false));
    assert!(!share(1000.0, 1, false), "one after the other");
    assert!(!share(1.0, 4, false), "no more than three of a make");
    assert!(!share(1.0, 1, true), "others use these ports");
    // Of files by FTP, where a capture holds nothing but SYNs.
    let mut files = Scenario::default();
    for client in 0..5 {
        files.send(syn(&stranger(client), 39_999, HOME, 21));
        for i in 0..8 {
            files.send(syn(&stranger(client), 40_000, HOME, 50_000 + (client * 8 + i) as u16 * 31));
        }
    }
    none(&files.recognise(), "scan.distributed");
}

/// What a source did before takes nothing from what it does next: hosts that answer pings are tried, and ports by datagrams after SYNs.
#[test]
fn one_stage_after_the_other() {
    let mut welchia = Scenario::default();
    for i in 0..40 {
        welchia.send(ping(AWAY, &host(i))).wait(0.05);
    }
    for i in 0..40 {
        welchia.send(syn(AWAY, 40_000 + i as u16, &host(i), 445)).wait(0.05);
    }
    let found = welchia.recognise();
    assert_eq!(
        (one(&found, "scan.ping-sweep").packets, one(&found, "scan.horizontal").packets),
        (40, 40),
        "{found:#?}"
    );
    for mut nmap in [Scenario::at(&[HOME]), Scenario::live()] {
        for port in 1..=100 {
            nmap.send(syn(AWAY, 40_000, HOME, port));
        }
        for port in 1..=100 {
            nmap.send(udp(AWAY, 40_001, HOME, port, &[]));
        }
        let found = nmap.recognise();
        assert_eq!((one(&found, "scan.vertical").packets, one(&found, "scan.udp").packets), (100, 100), "{found:#?}");
    }
}

fn decoys(ttl: impl Fn(u8) -> u8) -> Scenario {
    let mut scenario = Scenario::live();
    for port in [22, 80, 443, 3389] {
        for (i, source) in ["116.90.231.4", "185.60.112.9", "8.8.4.4", "9.9.9.9", "1.1.1.1"].iter().enumerate() {
            scenario.send(syn(source, 50000, HOME, port).ttl(ttl(i as u8)));
        }
    }
    scenario
}

#[test]
fn decoys_come_at_once_and_their_ttls_betray_them() {
    let found = decoys(|_| 52).recognise();
    let decoy = one(&found, "pattern.decoy-scan");
    assert_eq!(decoy.confidence, Some(Confidence::Likely));
    assert_eq!(decoy.sources.len(), 5);
    assert!(decoy.evidence.iter().any(|line| line.contains("forged")), "{decoy:#?}");
    assert_eq!(found.len(), 1, "{found:#?}");
    let found = decoys(|i| 50 + 10 * i).recognise();
    assert!(one(&found, "pattern.decoy-scan").evidence.iter().any(|line| line.contains("compare")));
}

/// Probes of any kind are sent in all names.
#[test]
fn decoys_of_a_scan_without_syns() {
    for (flags, id) in [
        (FIN, "scan.fin"),
        (0, "scan.null"),
        (FIN | PSH | URG, "scan.xmas"),
        (FIN | ACK, "scan.maimon"),
        (ACK, "scan.ack"),
    ] {
        let mut scenario = Scenario::live();
        for port in (20..120).step_by(5) {
            for (i, source) in ["116.90.231.4", "185.60.112.9", "8.8.4.4", "9.9.9.9"].iter().enumerate() {
                scenario.send(tcp(source, 50000, HOME, port, flags).sequence(4_711).ttl(50 + i as u8));
            }
        }
        let found = scenario.recognise();
        let decoy = one(&found, "pattern.decoy-scan");
        assert_eq!((decoy.packets, decoy.sources.len(), found.len()), (80, 4, 1), "{id}: {found:#?}");
        assert!(decoy.also.iter().any(|also| also == id), "{id}: {decoy:#?}");
    }
}

/// Whose connection came about is there; who only lends his name may be sent anything.
#[test]
fn one_of_the_decoys_is_real() {
    let real = |packets: &[Packet]| {
        let mut scenario = decoys(|i| 50 + 10 * i);
        scenario.live = false;
        for packet in packets {
            scenario.send(packet.clone());
        }
        let found = scenario.recognise();
        one(&found, "pattern.decoy-scan").evidence.iter().any(|line| line.starts_with("8.8.4.4 was also seen"))
    };
    let stray = tcp("8.8.4.4", 4444, HOME, 8080, ACK);
    assert!(!real(std::slice::from_ref(&stray)));
    let answer = tcp(HOME, 8080, "8.8.4.4", 4444, SYN | ACK);
    assert!(real(&[syn("8.8.4.4", 4444, HOME, 8080), answer, stray]));
}

/// What an open port answers is asked by the same machine, in all names.
#[test]
fn decoys_ask_open_ports_too() {
    let mut scenario = Scenario::at(&[HOME]);
    let open = [21, 25, 53, 80, 110, 143, 443, 445, 993, 995];
    for port in open.into_iter().chain(2000..2010) {
        for source in ["116.90.231.4", "116.90.231.5", "116.90.231.6", "116.90.231.7"] {
            scenario.send(syn(source, 50000, HOME, port).sequence(4_711));
            let answer = if open.contains(&port) { SYN } else { RST };
            scenario.send(tcp(HOME, port, source, 50000, answer | ACK));
        }
    }
    let found = scenario.recognise();
    assert_eq!((one(&found, "pattern.decoy-scan").packets, found.len()), (80, 1), "{found:#?}");
}

#[test]
fn decoys_of_a_udp_scan() {
    const PORTS: [u16; 9] = [53, 67, 69, 111, 137, 500, 514, 623, 1434];
    let scan = |ports: &[u16], repeats: u16, source_port: fn(u32, u16) -> u16| {
        let mut scenario = Scenario::at(&[HOME]);
        for round in 0..repeats {
            for port in ports {
                for i in 0..10 {
                    let question = udp(&crowd(i), source_port(i, *port), HOME, *port, &[]);
                    scenario.send(question.ttl(45 + (i % 7) as u8).id((977 * i as u16).wrapping_add(round)));
                }
            }
        }
        scenario
    };
    let found = scan(&PORTS, 1, |_, _| 41000).recognise();
    let decoy = one(&found, "pattern.decoy-scan");
    assert_eq!((decoy.sources.len(), decoy.confidence), (10, Some(Confidence::Likely)));
    assert!(decoy.evidence.iter().any(|line| line.starts_with("They share source ports")), "{decoy:#?}");
    assert_eq!(found.len(), 1, "{found:#?}");
    let all: Vec<u16> = (1..300).collect();
    assert_eq!(one(&scan(&all, 1, |_, _| 41000).recognise(), "pattern.decoy-scan").sources.len(), 10);
    // Source ports that differ, or that programs agree on, do not tell who wrote them.
    for source_port in [|i, _| 41000 + 97 * i as u16, |_, port| port] {
        let found = scan(&PORTS, 1, source_port).recognise();
        assert_eq!(one(&found, "pattern.decoy-scan").confidence, None);
    }
    let clients: fn(u32, u16) -> u16 = |i, port| 41000 + 97 * i as u16 + port % 89;
    none(&scan(&[53, 123, 443], 1, clients).recognise(), "pattern.decoy-scan");
    none(&scan(&[5000, 5001, 5002, 5003], 6, clients).recognise(), "pattern.decoy-scan");
    let mut company = Scenario::live();
    for port in [53, 88, 123, 389] {
        for i in 0..8 {
            company.send(udp(&format!("10.{i}.7.9"), 50000 + port, HOME, port, &[0; 60]));
        }
    }
    none(&company.recognise(), "pattern.decoy-scan");
    // Where the ports listen, or carry connections: programs elsewhere and their database.
    let servers = [53, 88, 389, 500];
    one(&scan(&servers, 1, clients).recognise(), "pattern.decoy-scan");
    let mut listens = scan(&servers, 1, clients);
    listens.locality.listening = Some(servers.map(|port| (PortProto::Udp, port)).into());
    none(&listens.recognise(), "pattern.decoy-scan");
    let mut database = Scenario::at(&[HOME]);
    for port in [5432, 6379, 9042, 27017] {
        for i in 0..10 {
            database.connection(&crowd(i), clients(i, port), HOME, port);
        }
    }
    none(&database.recognise(), "pattern.decoy-scan");
    let mut answered = scan(&PORTS[..4], 1, clients);
    for port in &PORTS[..4] {
        answered.send(udp(HOME, *port, &crowd(3), clients(3, *port), &[0; 60]));
    }
    none(&answered.recognise(), "pattern.decoy-scan");
}

#[test]
fn who_watches_a_host_comes_back_and_decoys_only_repeat_themselves() {
    let rounds = |rounds: u32, pause: f64, mark: fn(Packet, u32) -> Packet| {
        let mut scenario = Scenario::live();
        for round in 0..rounds {
            for port in [22, 80, 443, 3306, 5432] {
                for i in 0..8 {
                    scenario.send(mark(syn(&crowd(i), 40000 + round as u16, HOME, port), 97 * (8 * round + i)));
                }
            }
            scenario.wait(pause);
        }
        scenario.recognise()
    };
    let by_eight: fn(Packet, u32) -> Packet = |syn, i| syn.sequence(1 + 77_777 * i).id(i as u16);
    let by_one: fn(Packet, u32) -> Packet = |syn, _| syn.sequence(0x1234_5678);
    none(&rounds(5, 60.0, by_eight), "pattern.decoy-scan");
    one(&rounds(5, 60.0, by_one), "pattern.decoy-scan");
    for (times, pause) in [(1, 0.0), (2, 1.0), (2, 60.0), (3, 4.0), (4, 86_400.0)] {
        one(&rounds(times, pause, by_eight), "pattern.decoy-scan");
    }
}

#[test]
fn decoys_of_one_network_are_betrayed_by_who_wrote_them() {
    let neighbours = ["116.90.231.4", "116.90.80.9", "116.90.3.22", "116.90.66.24", "116.90.1.1"];
    let scan = |mark: fn(Packet, u16, u16) -> Packet| {
        let mut scenario = Scenario::live();
        for (i, port) in [22, 80, 443, 3389].into_iter().enumerate() {
            for (j, source) in neighbours.iter().enumerate() {
                scenario.send(mark(syn(source, 50000, HOME, port), i as u16, j as u16));
            }
        }
        scenario.recognise()
    };
    let by = |found: &[Recognition], word: &str| {
        one(found, "pattern.decoy-scan").evidence.iter().any(|line| line.contains(word))
    };
    // As nmap writes them: another number for each port, the same for each decoy.
    assert!(by(&scan(|syn, i, _| syn.sequence(0x1234_5678 + u32::from(i))), "sequence numbers"));
    assert!(by(
        &scan(|syn, i, j| syn.sequence(1 + 77_777 * u32::from(5 * i + j)).id(900 + 5 * i + j)),
        "identifications"
    ));
    none(
        &scan(|syn, i, j| syn.sequence(1 + 77_777 * u32::from(5 * i + j)).id(900 + 977 * j + i)),
        "pattern.decoy-scan",
    );
    // Mirai's number is that of the target, whoever sends.
    none(&scan(|syn, i, j| syn.sequence(u32::from(ip(HOME))).id(900 + 977 * j + i)), "pattern.decoy-scan");
}

#[test]
fn a_client_whose_name_is_used_as_a_decoy_is_not_blamed() {
    let client = "116.90.231.4";
    let mut scenario = Scenario::at(&[HOME]);
    scenario.send(syn(client, 40_000, HOME, 25)).wait(3.0);
    for i in 0..30 {
        scenario.connection(client, 50_000 + i, HOME, 6000 + 7 * i);
    }
    for (i, port) in PORTS.into_iter().chain(9000..9020).enumerate() {
        for source in [client, "185.60.112.9", "8.8.4.4", "9.9.9.9", "1.1.1.1"] {
            scenario.send(syn(source, 50000, HOME, port).sequence(0x1234_5678 + i as u32));
        }
    }
    let found = scenario.recognise();
    assert_eq!(one(&found, "pattern.decoy-scan").sources.len(), 5);
    none(&found, "scan.vertical");
}

#[test]
fn strangers_hours_apart_are_no_decoys() {
    let mut scenario = Scenario::live();
    for source in ["116.90.231.4", "185.60.112.9", "8.8.4.4", "9.9.9.9", "1.1.1.1"] {
        for port in [22, 80, 443, 3389] {
            scenario.send(syn(source, 50000, HOME, port));
        }
        scenario.wait(3600.0);
    }
    none(&scenario.recognise(), "pattern.decoy-scan");
}

#[test]
fn clients_of_a_mail_server_that_is_down_are_no_decoys() {
    let tries = |ports: &[u16]| {
        let mut scenario = Scenario::live();
        for i in 0..12 {
            for port in ports {
                scenario.send(syn(&stranger(i), 40000 + i as u16 * 7, HOME, *port).ttl(45 + (i % 7) as u8));
            }
        }
        scenario.recognise()
    };
    none(&tries(&[993, 587]), "pattern.decoy-scan");
    none(&tries(&[993, 465, 443]), "pattern.decoy-scan");
    // A service that watches hosts asks from all over the world.
    none(&tries(&[22, 8080]), "pattern.decoy-scan");
    one(&tries(&[21, 22, 23]), "pattern.decoy-scan");
}

#[test]
fn a_pace_is_of_the_packets_that_are_counted() {
    let mut scenario = Scenario::live();
    for port in 1..=1000 {
        scenario.send(syn(AWAY, 40000, HOME, port)).wait(0.1);
    }
    let found = scenario.recognise();
    let scan = one(&found, "scan.vertical");
    assert_eq!(scan.packets, 1000);
    let [first, last] = [scan.extent.first, scan.extent.last].map(Option::unwrap_or_default);
    assert!((99.0..120.0).contains(&last.seconds_since(first)), "{scan:#?}");
    let per_second = |line: &String| line.ends_with("about 10 a second.") || line.ends_with("about 9 a second.");
    assert!(scan.evidence.iter().any(per_second), "{scan:#?}");
}

#[test]
fn sscan_is_known_by_its_phases() {
    let mut scenario = Scenario::live();
    for port in [23, 25, 110, 143, 80] {
        scenario.send(tcp(AWAY, port, HOME, port, ACK));
    }
    for port in [22, 23, 25, 53, 79, 110, 111, 143, 1114, 2766, 6000, 31337, 1] {
        scenario.send(syn(AWAY, 1025 + port, HOME, port));
    }
    for port in 1..=5 {
        scenario.send(tcp(AWAY, port, HOME, 80, SYN | FIN));
    }
    let found = scenario.recognise();
    let sscan = one(&found, "pattern.sscan");
    assert_eq!(sscan.facts[0], ("detail", "ACK pings, connection attempts, OS fingerprint".to_string()));
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn refusals_by_the_lowest_ports_ask_nothing() {
    let mut scenario = Scenario::at(&[HOME]);
    for port in 1..=5 {
        scenario.send(syn(AWAY, 40000, HOME, port)).send(tcp(HOME, port, AWAY, 40000, RST | ACK)).wait(30.0);
    }
    none(&scenario.recognise(), "pattern.sscan");
}

#[test]
fn each_phase_of_sscan_is_enough() {
    let mut acks = Scenario::live();
    acks.send(tcp(AWAY, 23, HOME, 23, ACK)).send(tcp(AWAY, 25, HOME, 25, ACK));
    one(&acks.recognise(), "pattern.sscan");
    let mut services = Scenario::live();
    for port in [22, 23, 25, 53, 79, 110, 111, 143, 1114, 2766, 6000, 31337, 1] {
        services.send(syn(AWAY, 1025 + port, HOME, port));
    }
    one(&services.recognise(), "pattern.sscan");
    let mut general = Scenario::live();
    for port in 1..150 {
        general.send(syn(AWAY, 41025, HOME, port));
    }
    none(&general.recognise(), "pattern.sscan");
}

#[test]
fn proxy_hunters_and_ringzero() {
    let hunt = |ports: &[u16], pause: f64| {
        let mut scenario = Scenario::live();
        for port in ports {
            scenario.send(syn(AWAY, 40000, HOME, *port)).wait(pause);
        }
        scenario.recognise()
    };
    one(&hunt(&[80, 1080, 3128, 8000, 8080, 8888], 1.0), "pattern.proxy-scan");
    let found = hunt(&[80, 8080, 3128], 5.0);
    assert_eq!(one(&found, "pattern.proxy-scan.ringzero").also, ["pattern.proxy-scan"]);
    one(&hunt(&[80, 8080, 3128], 100.0), "pattern.proxy-scan");
    none(&hunt(&[80, 8080, 443], 1.0), "pattern.proxy-scan");
    none(&hunt(&[1080, 3128, 8080, 21, 22, 25, 110], 1.0), "pattern.proxy-scan");
}

#[test]
fn an_open_port_hides_no_hunt() {
    let hunt = |ports: &[u16]| {
        let mut scenario = Scenario::at(&[HOME]).listening(&[22, 25, 80]);
        for (i, port) in ports.iter().enumerate() {
            let source_port = 2000 + i as u16;
            if *port == 80 {
                scenario.connection(AWAY, source_port, HOME, 80);
            } else {
                scenario.send(syn(AWAY, source_port, HOME, *port));
            }
            scenario.wait(4.0);
        }
        scenario.recognise()
    };
    one(&hunt(&[80, 8080, 3128]), "pattern.proxy-scan.ringzero");
    assert_eq!(one(&hunt(&[1080, 8888, 80]), "pattern.proxy-scan").packets, 3);
    let worm = hunt(&[139, 445, 80]);
    assert!(one(&worm, "worm.file-sharing").evidence.iter().any(|line| line.contains("only port 80 answered")));
    let sscan = hunt(&[22, 23, 25, 53, 79, 110, 111, 143, 1114, 2766, 6000, 31337, 1]);
    assert_eq!(one(&sscan, "pattern.sscan").explains.len(), 13);
    // Somebody who comes for the web and knocks at one door too many is still a visitor.
    none(&hunt(&[80, 22, 8080]), "pattern.proxy-scan");
    let mut proxies = Scenario::at(&[HOME]);
    for port in [3128, 8080, 8888, 80] {
        proxies.connection(AWAY, 40000 + port, HOME, port);
    }
    proxies.send(syn(AWAY, 40000, HOME, 1080));
    none(&proxies.recognise(), "pattern.proxy-scan");
}

#[test]
fn research_scanners_are_named() {
    let mut scenario = Scenario::live();
    for port in [22, 443, 5432] {
        scenario.send(syn("162.142.125.7", 40000, HOME, port));
    }
    let found = scenario.recognise();
    assert_eq!(one(&found, "research-scanner").facts[0], ("detail", "Censys".to_string()));
}

#[test]
fn our_own_attempts_are_ours() {
    let mut scenario = Scenario::at(&[HOME]);
    for port in PORTS {
        scenario.send(syn(HOME, 40000, AWAY, port)).send(tcp(AWAY, port, HOME, 40000, RST | ACK));
    }
    let found = scenario.recognise();
    let own = one(&found, "pattern.self");
    assert_eq!(own.sources, [ip(HOME)]);
    let says = |text: &str| own.evidence.iter().any(|line| line.contains(text));
    assert!(says("tried to open connections, and was refused where an answer was seen.") && !says("TTL"), "{own:#?}");
    none(&found, "scan.vertical");
    none(&found, "pattern.port-probe");
    assert!(!says("a program that spreads"), "{own:#?}");
    let mut sweep = Scenario::at(&[HOME]);
    for i in 0..60 {
        sweep.send(syn(HOME, 40000, &stranger(i), 445));
    }
    let found = sweep.recognise();
    assert!(one(&found, "pattern.self").evidence.iter().any(|line| line.starts_with("Port 445 of 60 addresses")));
}

#[test]
fn two_shared_ports_are_a_set_unless_they_are_the_webs() {
    let visits = |ports: &[u16], own_port: fn(u16) -> u16, ttl: fn(u16) -> u8| {
        let mut scenario = Scenario::live();
        for port in ports {
            for (i, source) in ["116.90.231.4", "185.60.112.9", "8.8.4.4", "9.9.9.9", "1.1.1.1"].iter().enumerate() {
                scenario.send(syn(source, own_port(i as u16), HOME, *port).ttl(ttl(i as u16)));
            }
        }
        scenario.recognise()
    };
    for own_port in [|_| 50_000, |i| 50_000 + 977 * i] {
        let found = visits(&[21, 23], own_port, |_| 52);
        assert_eq!(one(&found, "pattern.decoy-scan").confidence, Some(Confidence::Likely));
        none(&visits(&[80, 443], own_port, |_| 52), "pattern.decoy-scan");
    }
    // Of three ports, with one that comes another way.
    let found = visits(&[21, 22, 23], |i| 50_000 + 977 * i, |i| if i == 2 { 60 } else { 52 });
    let decoy = one(&found, "pattern.decoy-scan");
    assert_eq!(decoy.confidence, Some(Confidence::Likely));
    assert!(decoy.evidence.iter().any(|line| line.starts_with("All but 8.8.4.4 arrived")), "{decoy:#?}");
    let found = visits(&[21, 22, 23], |i| 50_000 + 977 * i, |i| 52 + i as u8);
    assert_eq!(one(&found, "pattern.decoy-scan").confidence, None);
}

/// Ports may be open: who connects to many, says nothing and hangs up looks for them all the same.
#[test]
fn who_only_touches_open_ports_scans_them() {
    let touches = |ports: &[u16], behind: &[u8], answers: bool, data: bool| {
        let mut scenario = Scenario::at(&[HOME]);
        for (port, own) in ports.iter().zip(40_000..) {
            let there = |flags| tcp(AWAY, own, HOME, *port, flags);
            scenario.send(there(SYN));
            if answers {
                scenario.send(tcp(HOME, *port, AWAY, own, SYN | ACK));
            }
            for flags in behind {
                let segment = there(*flags);
                let body = [segment.body.clone(), vec![b'x'; 200]].concat();
                scenario.send(if data { Packet { body, ..segment } } else { segment });
            }
            scenario.wait(0.05);
        }
        scenario.recognise()
    };
    let low: Vec<u16> = (1..=100).collect();
    let high: Vec<u16> = (0..30).map(|i| 2000 + 911 * i).collect();
    let mixed = [&low[20..30], &high[..10]].concat();
    for (ports, behind, answers) in [
        (&mixed, &[ACK, FIN | ACK, ACK][..], true),
        (&low, &[][..], true),
        (&low, &[ACK], false),
        (&low, &[ACK, RST | ACK], true),
        (&low, &[ACK, RST | ACK], false),
        (&low, &[ACK, FIN | ACK], false),
        (&low, &[ACK, FIN | ACK, ACK], true),
        (&high, &[ACK, RST | ACK], true),
    ] {
        let found = touches(ports, behind, answers, false);
        let scan = one(&found, "scan.vertical");
        let kind = if behind.is_empty() { "scan.syn" } else { "scan.connect" };
        assert_eq!((scan.packets, scan.also[0].as_str()), (ports.len() as u64, kind), "{behind:?}");
        none(&found, "pattern.sscan");
    }
    for (ports, behind, data) in [
        (&low, &[ACK, PSH | ACK, ACK, FIN | ACK, ACK][..], true),
        (&high, &[ACK, FIN | ACK, ACK], false),
        (&low[..14].to_vec(), &[ACK, FIN | ACK, ACK], false),
    ] {
        none(&touches(ports, behind, true, data), "scan.vertical");
    }
    // A capture may hold only how connections begin and end; and those of files by FTP come to many ports.
    none(&touches(&low[..29], &[FIN | ACK], true, false), "scan.vertical");
    none(&touches(&low[..29], &[RST | ACK, FIN | ACK], false, false), "scan.vertical");
    none(&touches(&low[..29], &[], true, false), "scan.vertical");
    let mut files = Scenario::at(&[HOME]);
    files.connection(AWAY, 39_999, HOME, 21);
    for i in 0..20 {
        let there = |flags| tcp(AWAY, 40_000 + i, HOME, 50_000 + 7 * i, flags);
        files.send(there(SYN)).send(there(ACK)).send(there(FIN | ACK)).send(there(RST));
    }
    none(&files.recognise(), "scan.vertical");
    // Twenty-two bytes are what a balancer asks each time.
    let mut balancer = Scenario::at(&[HOME]);
    for i in 0..20 {
        let there = |flags| tcp(AWAY, 40_000 + i, HOME, 600 + i, flags);
        let asks = Packet { body: [there(PSH | ACK).body, vec![b'x'; 22]].concat(), ..there(ACK) };
        balancer.send(there(SYN)).send(there(ACK)).send(asks).send(there(RST | ACK));
    }
    none(&balancer.recognise(), "scan.vertical");
    let mut client = Scenario::default();
    for i in 0..40 {
        let there = |flags| tcp(AWAY, 40_000 + i, &stranger(u32::from(i)), 443, flags);
        client.send(there(SYN)).send(there(ACK)).send(there(FIN | ACK)).wait(1.0);
    }
    none(&client.recognise(), "scan.horizontal");
    // Of all that is ours, one host here, one there.
    let ours = [("0.0.0.0", 2), ("64.0.0.0", 3), ("96.0.0.0", 6)];
    client.locality.prefixes.extend(ours.map(|(address, bits)| Prefix { address: ip(address).into(), bits }));
    one(&client.recognise(), "scan.horizontal");
    // Systems acknowledge with timestamps, which no sample shows; and where only beginnings and ends are, the numbers of these tell what was between them.
    let neighbours = |options: &[u8], acknowledges: bool, said: u32| {
        let mut scenario = Scenario::default();
        // One is closed, and what else the source asks for it uses.
        scenario.send(tcp(AWAY, 50_000, "93.184.216.99", 443, SYN).options(&[2, 4, 5, 180]));
        for i in 0..5 {
            let there = |flags| tcp(AWAY, 51_000 + i, HOME, 80, flags).sequence(700);
            scenario.send(there(SYN)).send(there(RST)).send(there(RST)).send(there(RST));
        }
        for i in 0..40 {
            let host = format!("93.184.216.{i}");
            let numbered = |flags, number: u32| tcp(AWAY, 40_000 + i, &host, 443, flags).sequence(9000 + number);
            let begins = [options, &[1; 8][..options.len().min(8)]].concat();
            scenario.send(numbered(SYN, 0).options(&begins));
            if acknowledges {
                scenario.send(numbered(ACK, 1).options(options));
            }
            scenario.send(numbered(if i % 3 == 0 { RST | ACK } else { FIN | ACK }, 1 + said).options(options));
            if i % 3 == 1 {
                scenario.send(numbered(RST, 2 + said));
            }
            scenario.wait(0.5);
        }
        ids(&scenario.recognise()).contains(&"scan.horizontal")
    };
    let timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    assert!(neighbours(&timestamps, true, 0) && neighbours(&[], true, 0));
    assert!(!neighbours(&timestamps, false, 90) && !neighbours(&timestamps, true, 90));
    // A probe that is repeated has another number, and a reset made by hand any.
    for end in [1001, 0] {
        let mut probes = Scenario::at(&[HOME]);
        for port in 1..40 {
            let there = |flags, number: u32| tcp(AWAY, 40_000, HOME, port, flags).sequence(number);
            let first = if end == 0 { u32::MAX - 700 } else { 1000 };
            probes.send(there(SYN, first));
            if end != 0 {
                probes.send(there(SYN, 500));
            }
            probes.send(there(RST, end));
        }
        one(&probes.recognise(), "scan.vertical");
    }
    // Each host of a network, at a port that is open there.
    let sweep = |hosts: u16, times: u16, source: &str| {
        let mut scenario = Scenario::default();
        for time in 0..times {
            for host in 0..hosts {
                let there =
                    |flags| tcp(source, 40_000 + 100 * time + host, &format!("93.184.216.{}", 50 + host), 22, flags);
                scenario.send(there(SYN)).send(there(ACK)).send(there(FIN | ACK)).send(there(ACK));
            }
            scenario.wait(60.0);
        }
        ids(&scenario.recognise()).contains(&"scan.horizontal")
    };
    assert!(sweep(40, 1, AWAY));
    assert!(!sweep(20, 1, AWAY) && !sweep(40, 4, AWAY) && !sweep(40, 1, "93.184.216.7"));
}

/// A sweep for amplifiers is a hunt for them.
#[test]
fn a_sweep_for_amplifiers_answers_to_both_names() {
    let also = |port: u16| {
        let mut scenario = Scenario::default();
        for host in 1..=100 {
            scenario.send(udp(AWAY, 40_000, &format!("93.184.216.{host}"), port, &[9; 30])).wait(0.1);
        }
        one(&scenario.recognise(), "scan.horizontal").also.contains(&"amplifier.hunt".to_owned())
    };
    assert!(also(389) && also(5353) && !also(5060));
}

/// A port below 1024 counts for three.
#[test]
fn a_mixed_scan_is_told_by_points() {
    let scan = |ports: &[u16]| {
        let mut scenario = Scenario::live_at(&[HOME]).listening(&[22]);
        for port in ports {
            scenario.send(syn(AWAY, 40_000, HOME, *port)).wait(0.3);
        }
        ids(&scenario.recognise()).contains(&"scan.vertical")
    };
    assert!(scan(&[21, 23, 25, 80, 110, 443, 3306, 5432, 8080]));
    assert!(!scan(&[21, 23, 25, 80, 443, 3306, 5432, 8080]));
    let mut down = Scenario::live_at(&[HOME]);
    for port in [21, 23, 80, 443, 515, 631, 8080, 9100, 9101] {
        down.send(syn("93.184.216.7", 40_000 + port, HOME, port).ttl(64)).wait(0.3);
    }
    none(&down.recognise(), "scan.vertical");
}
