//! Services here that are down, whose clients try again, and floods that look like these or hide among clients.

use annotator::finding::Recognition;

use crate::catalogue::{HOME, PREFIX};
use crate::traffic::*;

const AWAY: &str = "116.90.231.66";
/// Largest segment, selective acknowledgements, timestamps and window scale, as Linux sends them.
pub const OPTIONS: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];

/// Ordinary traffic with something that is broken here.
pub const OUTAGES: [(&str, Fill); 6] = [
    ("Visitors of a web server that was stopped", visitors_who_are_refused),
    ("Visitors of a web server that hangs", visitors_without_answer),
    ("Programs whose database was stopped", programs_that_are_refused),
    ("Programs that find their database again", programs_that_find_their_database_again),
    ("Open connections with a server that hangs", connections_without_answer),
    ("Devices that find their broker again", devices_that_find_their_broker_again),
];

/// A packet some seconds from now.
fn later(scenario: &mut Scenario, seconds: f64, packet: Packet) {
    scenario.wait(seconds).send(packet).wait(-0.01 - seconds);
}

/// The SYN of a client's system, which takes one port after the other.
pub fn ask(client: &str, i: u32, port: u16) -> Packet {
    let own_port = 32_768 + (i % 28_000) as u16;
    syn(client, own_port, HOME, port).sequence(i * 40_503).options(&OPTIONS).ttl(40 + (i % 24) as u8)
}

fn refusal(syn: &Packet) -> Packet {
    tcp(HOME, syn.destination_port(), &syn.source.to_string(), syn.source_port(), RST | ACK).sequence(0)
}

pub fn visitors_who_are_refused(scenario: &mut Scenario) {
    for i in 0..900 {
        let question = ask(&crowd(i), i, 443);
        for try_again in 0..1 + i % 3 {
            later(scenario, f64::from(try_again) * 0.5, question.clone());
            later(scenario, f64::from(try_again) * 0.5 + 0.001, refusal(&question));
        }
        scenario.wait(0.01);
    }
    scenario.wait(5.0);
}

fn visitors_without_answer(scenario: &mut Scenario) {
    scenario.send(udp(HOME, 123, AWAY, 123, &[0x23; 48]));
    for i in 0..600 {
        let question = ask(&crowd(i), i, 443);
        for pause in [0.0, 1.0, 3.0, 7.0] {
            later(scenario, pause, question.clone());
        }
        scenario.wait(0.02);
    }
    scenario.wait(10.0);
}

fn programs_that_are_refused(scenario: &mut Scenario) {
    scenario.locality.prefixes.push(PREFIX);
    for i in 0..900 {
        let question = ask(&format!("93.184.216.{}", 20 + i % 3), i, 5432).ttl(64);
        later(scenario, 0.0002, refusal(&question));
        scenario.send(question).wait(0.007);
    }
}

fn programs_that_find_their_database_again(scenario: &mut Scenario) {
    scenario.locality.prefixes.push(PREFIX);
    let program = |i: u32| format!("93.184.216.{}", 20 + i % 20);
    for i in 0..2000 {
        let question = ask(&program(i), i, 5432).ttl(64);
        later(scenario, 0.0002, refusal(&question));
        scenario.send(question).wait(-0.005);
    }
    for i in 0..200 {
        scenario.connection(&program(i), 61_000 + (i / 20) as u16, HOME, 5432);
    }
}

fn connections_without_answer(scenario: &mut Scenario) {
    scenario.send(udp(HOME, 123, AWAY, 123, &[0x23; 48]));
    let timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];
    for i in 0..1500 {
        let own_port = 32_768 + (i * 7919 % 28_000) as u16;
        let data = tcp(&crowd(i), own_port, HOME, 443, PSH | ACK).options(&timestamps).ttl(40 + (i % 24) as u8);
        let data = with_data(data.sequence(i * 40_503));
        later(scenario, 1.0, data.clone());
        scenario.send(data).wait(-0.0075);
    }
    scenario.wait(5.0);
}

/// All at once, and to stay; but the one that looks whether the broker is up.
fn devices_that_find_their_broker_again(scenario: &mut Scenario) {
    let timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];
    for i in 0..2500 {
        let question = ask(&crowd(i), i, 8883);
        let there = |flags| tcp(&crowd(i), 32_768 + i as u16, HOME, 8883, flags).options(&timestamps).ttl(question.ttl);
        let back = |flags| tcp(HOME, 8883, &crowd(i), 32_768 + i as u16, flags).options(&timestamps);
        scenario.send(question.clone()).send(back(SYN | ACK)).send(there(ACK));
        for _ in 0..2 {
            scenario.send(with_data(there(PSH | ACK))).send(with_data(back(PSH | ACK)));
        }
        scenario.wait(-0.067);
    }
    for i in 0..15 {
        scenario.connection("116.90.231.9", 40_000 + i, HOME, 8883);
    }
}

/// As a capture of both directions and of what arrives, and as what an interface sees.
fn readings(fill: impl Fn(&mut Scenario)) -> [Vec<Recognition>; 2] {
    [Scenario::at(&[HOME]).behind_much(), Scenario::live_at(&[HOME])].map(|mut scenario| {
        fill(&mut scenario);
        scenario.recognise()
    })
}

/// How many SYNs there are.
fn syns(fill: Fill) -> u64 {
    let mut scenario = Scenario::at(&[HOME]);
    fill(&mut scenario);
    scenario.frames().iter().filter(|(_, frame)| frame.get(14 + 20 + 13) == Some(&SYN)).count() as u64
}

#[test]
fn a_service_that_is_down_is_what_to_look_at() {
    for (fill, says) in [
        (visitors_who_are_refused as Fill, "refuses"),
        (visitors_without_answer, "does not answer"),
        (programs_that_are_refused, "refuses"),
    ] {
        let [both, arriving] = readings(fill);
        let down = one(&both, "pattern.service-down");
        assert!(down.facts[0].1.ends_with(says), "{down:#?}");
        assert_eq!(down.packets, syns(fill), "{down:#?}");
        assert!(one(&arriving, "pattern.service-down").facts[0].1.ends_with("refuses or does not answer"));
        assert_eq!((both.len(), arriving.len()), (1, 1), "{both:#?} {arriving:#?}");
    }
}

/// What it is answered itself, as a client of others, at the same port of theirs, are no answers of its own.
#[test]
fn a_service_that_hangs_while_it_asks_others() {
    let [both, arriving] = readings(|scenario| {
        for i in 0..600 {
            scenario.connection(HOME, 40_000 + i, &crowd(9000 + u32::from(i) % 40), 443).wait(-0.09);
        }
        visitors_without_answer(scenario);
    });
    for found in [both, arriving] {
        assert_eq!(
            one(&found, "pattern.service-down").facts[0].1,
            format!("port 443 of {HOME} refuses or does not answer")
        );
        assert_eq!(found.len(), 1, "{found:#?}");
    }
}

/// A flood by a simple tool beside them is one.
#[test]
fn refused_visitors_hide_no_flood() {
    for found in readings(|scenario| {
        let start = scenario.now;
        visitors_who_are_refused(scenario);
        scenario.now = start;
        for i in 0..3000 {
            scenario.send(syn(&stranger(i), 1024 + i as u16, HOME, 443).ttl(51)).wait(-0.005);
        }
    }) {
        let flood = one(&found, "flood.forged-sources");
        assert!((2900..3300).contains(&flood.packets), "{flood:#?}");
        one(&found, "pattern.service-down");
    }
}

/// What clients do, and what a flood leaves out of it.
#[test]
fn a_flood_at_a_closed_port_is_no_service_that_is_down() {
    let flood = |source: fn(u32) -> String, change: fn(Packet, u32) -> Packet, pause: f64| {
        readings(move |scenario| {
            for i in 0..3000 {
                let question = change(ask(&source(i), i, 443), i);
                later(scenario, 0.0002, refusal(&question));
                scenario.send(question).wait(pause - 0.01);
            }
        })
        .map(|found| ids(&found).into_iter().map(String::from).collect::<Vec<_>>())
    };
    let same = |packet: Packet, _: u32| packet;
    let any_port = |mut packet: Packet, i: u32| {
        packet.body[..2].copy_from_slice(&(1 + (i * 40_503) as u16).to_be_bytes());
        packet
    };
    let any_own_port = |mut packet: Packet, i: u32| {
        packet.body[..2].copy_from_slice(&(32_768 + (i * 7919 % 28_000) as u16).to_be_bytes());
        packet
    };
    let bare = |packet: Packet, i: u32| syn(&packet.source.to_string(), 32_768 + i as u16 % 20_000, HOME, 443);
    for found in flood(crowd, same, 0.001) {
        assert_eq!(found, ["flood.forged-sources", "flood.syn"], "each comes once");
    }
    for (what, flood) in [
        ("too fast", flood(|_| AWAY.into(), same, 0.001)),
        ("from any port", flood(|i| crowd(i % 40), any_port, 0.001)),
        ("from any port of its own", flood(|i| crowd(i % 40), any_own_port, 0.002)),
        ("all together too fast", flood(|i| crowd(i % 400), same, 0.0005)),
        ("without options", flood(|i| crowd(i % 40), bare, 0.001)),
    ] {
        for found in flood {
            assert_eq!(found, ["flood.syn"], "{what}");
        }
    }
}

/// From one port of their own after the other come clients that are refused: where something listens, they would repeat themselves.
#[test]
fn what_listens_does_not_refuse() {
    let told = |listening: u16| {
        let mut scenario = Scenario::live_at(&[HOME]).listening(&[listening]);
        for i in 0..3000 {
            scenario.send(ask(&crowd(i % 40), i, 443)).wait(-0.008);
        }
        ids(&scenario.recognise()).into_iter().map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(told(22), ["pattern.service-down"]);
    assert_eq!(told(443), ["flood.syn"]);
    let mut hangs = Scenario::live_at(&[HOME]).listening(&[443]);
    visitors_without_answer(&mut hangs);
    one(&hangs.recognise(), "pattern.service-down");
}

/// Connections of visitors, a hundred a second.
fn visitors(scenario: &mut Scenario, number: u32) {
    visitors_at(scenario, number, 100.0);
}

pub fn visitors_at(scenario: &mut Scenario, number: u32, rate: f64) {
    let start = scenario.now;
    for i in 0..number {
        let question = ask(&crowd(50_000 + i), i, 443);
        let (visitor, port) = (question.source.to_string(), question.source_port());
        let there = |flags| tcp(&visitor, port, HOME, 443, flags).ttl(question.ttl);
        let back = |flags| tcp(HOME, 443, &visitor, port, flags);
        scenario.send(question.clone()).send(back(SYN | ACK)).send(there(ACK));
        for _ in 0..8 {
            scenario.send(with_data(there(PSH | ACK))).send(with_data(back(PSH | ACK)));
        }
        scenario.send(there(FIN | ACK)).send(back(FIN | ACK)).send(there(ACK)).wait(1.0 / rate - 0.22);
    }
    scenario.now = start;
}

/// The sender's own system resets what is answered.
pub fn a_flood_from_one_source_among_visitors(scenario: &mut Scenario) {
    visitors(scenario, 400);
    for i in 0..3000 {
        let there = |flags| tcp(AWAY, 1024 + i, HOME, 443, flags);
        later(scenario, 0.0001, tcp(HOME, 443, AWAY, 1024 + i, SYN | ACK));
        later(scenario, 0.0002, there(RST));
        scenario.send(there(SYN)).wait(-0.009);
    }
}

pub fn a_flood_from_forged_sources_among_visitors(scenario: &mut Scenario) {
    visitors(scenario, 400);
    for i in 0..3000 {
        let ttl = [47, 113, 239][i as usize % 3];
        scenario.send(syn(&crowd(i), 1024 + i as u16, HOME, 443).ttl(ttl)).wait(-0.009);
    }
}

#[test]
fn a_flood_is_seen_among_visitors() {
    for found in readings(a_flood_from_one_source_among_visitors) {
        let flood = one(&found, "flood.syn");
        assert_eq!((flood.sources.as_slice(), flood.packets), ([ip(AWAY).into()].as_slice(), 3000));
    }
    for found in readings(a_flood_from_forged_sources_among_visitors) {
        let flood = one(&found, "flood.forged-sources");
        assert_eq!(flood.packets, 3000);
        assert!(flood.also.contains(&"flood.syn".to_string()));
    }
}

/// Who captures only how connections begin and end has no flood.
#[test]
fn beginnings_and_ends_alone_are_connections() {
    let told = |is_wanted: fn(u8) -> bool| {
        let mut scenario = Scenario::at(&[HOME]);
        visitors(&mut scenario, 3000);
        let mut frames = scenario.frames();
        frames.retain(|(_, frame)| is_wanted(frame[14 + 20 + 13]));
        let findings = scenario.findings_of(&frames, scenario.now);
        findings.iter().any(|finding| finding.id.starts_with("flood."))
    };
    assert!(!told(|flags| flags & (SYN | FIN) != 0));
    assert!(told(|flags| flags & FIN == 0 && flags & ACK == 0));
}

/// SYNs with the options and TTLs of real systems, each from another source.
fn careful_flood(scenario: &mut Scenario, each: &[u8]) {
    for i in 0..3000 {
        let question = ask(&crowd(i), i, 443);
        for flags in each {
            let more = tcp(&crowd(i), 32_768 + i as u16, HOME, 443, *flags).sequence(i * 40_503 + 1).ttl(question.ttl);
            later(scenario, 0.0003, more);
        }
        scenario.send(question).wait(-0.009);
    }
}

/// What comes besides is of a few who are busy, or of no connection at all.
#[test]
fn other_packets_at_the_port_hide_no_flood() {
    let others: [Fill; 3] = [
        |scenario| visitors(scenario, 300),
        |scenario| {
            visitors(scenario, 20);
            let start = scenario.now;
            for i in 0..20_000_u32 {
                let port = 32_768 + (i % 20) as u16;
                scenario.send(with_data(tcp(&crowd(50_000 + i % 20), port, HOME, 443, PSH | ACK))).wait(-0.0099);
            }
            scenario.now = start;
        },
        |scenario| {
            let start = scenario.now;
            for i in 0..4000 {
                scenario.send(tcp(AWAY, 4000, HOME, 443, ACK).sequence(i)).wait(-0.0093);
            }
            scenario.now = start;
        },
    ];
    for (which, fill) in others.into_iter().enumerate() {
        for found in readings(|scenario| {
            fill(scenario);
            careful_flood(scenario, &[]);
        }) {
            let flood = one(&found, "flood.forged-sources");
            assert!((3000..3060).contains(&flood.packets), "{which}: {flood:#?}");
            none(&found, "pattern.port-probe");
        }
    }
}

/// A connection brings more than that behind its SYN.
#[test]
fn one_packet_more_makes_no_client() {
    for flags in [ACK, RST | ACK, FIN | ACK] {
        for found in readings(|scenario| careful_flood(scenario, &[flags])) {
            assert_eq!(one(&found, "flood.forged-sources").packets, 3000, "{flags}");
        }
        for found in readings(|scenario| {
            for i in 0..3000 {
                later(scenario, 0.0003, tcp(AWAY, 1024 + i, HOME, 443, flags));
                scenario.send(syn(AWAY, 1024 + i, HOME, 443).options(&OPTIONS)).wait(-0.009);
            }
        }) {
            assert_eq!(one(&found, "flood.syn").packets, 3000, "{flags}");
        }
    }
    for found in readings(|scenario| {
        for i in 0..60 {
            let there = |flags| tcp(AWAY, 40_000, &format!("93.184.216.{i}"), 3389, flags);
            scenario.locality.prefixes = vec![PREFIX];
            scenario.send(there(SYN)).send(there(FIN));
        }
    }) {
        one(&found, "scan.horizontal");
    }
}

/// Half of the sources repeat themselves, and each SYN is answered.
#[test]
fn a_port_that_answers_is_not_down() {
    for sources in [300, 2000] {
        let mut scenario = Scenario::at(&[HOME]);
        for i in 0..sources {
            let question = ask(&crowd(i), i, 443);
            let port = 32_768 + i as u16;
            for pause in [0.0, 1.0].into_iter().take(1 + i as usize % 2) {
                later(&mut scenario, pause, question.clone());
                later(&mut scenario, pause + 0.0001, tcp(HOME, 443, &crowd(i), port, SYN | ACK));
            }
            scenario.wait(0.004);
        }
        let found = scenario.recognise();
        none(&found, "pattern.service-down");
        one(&found, "flood.forged-sources");
    }
}

#[test]
fn a_service_that_begins_to_hang_is_no_flood() {
    for found in readings(|scenario| {
        visitors(scenario, 300);
        scenario.wait(4.0);
        visitors_without_answer(scenario);
    }) {
        one(&found, "pattern.service-down");
        assert!(!found.iter().any(|one| one.id.starts_with("flood.")), "{found:#?}");
    }
}

/// Hours before and after it somebody came as well.
#[test]
fn a_long_capture_hides_no_flood() {
    let told = |flood: &dyn Fn(&mut Scenario), caller: &str| {
        readings(|scenario| {
            scenario.send(syn(caller, 4000, HOME, 443).options(&OPTIONS)).wait(40_000.0);
            flood(scenario);
            scenario.wait(40_000.0).send(syn(caller, 4001, HOME, 443).options(&OPTIONS));
        })
    };
    for found in told(&|scenario| careful_flood(scenario, &[]), AWAY) {
        one(&found, "flood.forged-sources");
    }
    let from_one = |scenario: &mut Scenario| {
        for i in 0..3000 {
            scenario.send(syn(AWAY, 1024 + i, HOME, 443).options(&OPTIONS)).wait(-0.009);
        }
    };
    for found in told(&from_one, AWAY) {
        one(&found, "flood.syn");
    }
}

/// With options of a real system, and alone at the port: the resets tell.
#[test]
fn resets_of_the_senders_system_are_no_connections() {
    let flood = |answers: &'static [u8]| {
        readings(move |scenario| {
            visitors(scenario, 20);
            for i in 0..3000 {
                for flags in answers {
                    later(scenario, 0.0002, tcp(AWAY, 1024 + i, HOME, 443, *flags));
                }
                scenario.send(syn(AWAY, 1024 + i, HOME, 443).options(&OPTIONS)).wait(-0.009);
            }
        })
        .map(|found| ids(&found).contains(&"flood.syn"))
    };
    assert_eq!(flood(&[RST]), [true, true]);
    assert_eq!(flood(&[RST | ACK]), [true, true], "nothing was acknowledged before");
    assert_eq!(flood(&[ACK, RST | ACK]), [false, false], "a program that gives its connections up");
}

/// Before and after it so much came that what belongs to connections is more than all SYNs: while it goes on nothing does.
#[test]
fn a_busy_server_hides_no_short_flood() {
    let told = |flood: &dyn Fn(&mut Scenario)| {
        [Scenario::at(&[HOME]), Scenario::at(&[HOME]).behind_much()].map(|mut scenario| {
            visitors_at(&mut scenario, 3000, 10.0);
            scenario.wait(200.0);
            flood(&mut scenario);
            scenario.recognise().into_iter().filter(|found| found.id.starts_with("flood.")).collect::<Vec<_>>()
        })
    };
    for found in told(&|scenario| careful_flood(scenario, &[])) {
        let flood = one(&found, "flood.forged-sources");
        assert!((2950..=3050).contains(&flood.packets), "{flood:#?}");
    }
    // Where nothing is heard, the server answers again.
    for found in told(&|scenario| {
        for i in 0..3000 {
            let question = ask(&crowd(i), i, 443);
            for after in [0.0001, 1.0, 3.0, 7.0] {
                later(scenario, after, tcp(HOME, 443, &crowd(i), question.source_port(), SYN | ACK));
            }
            scenario.send(question).wait(-0.009);
        }
    }) {
        one(&found, "flood.forged-sources");
    }
    // More than the source table has room for.
    for found in told(&|scenario| {
        for i in 0..12_000 {
            scenario.send(ask(&crowd(i), i, 443)).wait(-0.00995);
        }
    }) {
        let flood = one(&found, "flood.forged-sources");
        assert!((11_000..=12_600).contains(&flood.packets), "{flood:#?}");
    }
    let mut few = Scenario::at(&[HOME]);
    visitors_at(&mut few, 3000, 10.0);
    few.wait(200.0);
    careful_flood(&mut few, &[]);
    let found = few.recognise_of_few(7);
    assert!((2950..=3050).contains(&one(&found, "flood.forged-sources").packets), "{found:#?}");
    for found in told(&|scenario| {
        for i in 0..3000 {
            scenario.send(ask(&crowd(i % 60), 7 * i, 443)).wait(-0.009);
        }
    }) {
        assert_eq!(one(&found, "flood.syn").packets, 3000);
    }
    let visitors_who_stay = |scenario: &mut Scenario| {
        for i in 0..20_000 {
            let question = ask(&crowd(i), i, 443);
            let there = |flags| tcp(&crowd(i), question.source_port(), HOME, 443, flags).ttl(question.ttl);
            later(scenario, 0.0001, tcp(HOME, 443, &crowd(i), question.source_port(), SYN | ACK));
            for after in [0.0003, 0.0004, 0.0005] {
                later(scenario, after, with_data(there(PSH | ACK)));
                later(scenario, after, with_data(tcp(HOME, 443, &crowd(i), question.source_port(), PSH | ACK)));
            }
            scenario.send(question.clone()).wait(-0.0095);
        }
    };
    assert!(told(&visitors_who_stay).concat().is_empty());
    let more_than_it_can_serve = |scenario: &mut Scenario| {
        for again in [0.0, 1.0, 3.0] {
            for i in 0..1000 {
                let (after, question) = (again + 0.001 * f64::from(i), ask(&crowd(i), i, 443));
                if i % 10 == 0 {
                    let own_port = question.source_port();
                    later(scenario, after + 0.0001, tcp(HOME, 443, &crowd(i), own_port, SYN | ACK));
                }
                later(scenario, after, question);
            }
        }
    };
    assert!(told(&more_than_it_can_serve).concat().is_empty());
}

/// Where clients come the same way as the flood, they are still not counted with it.
#[test]
fn visitors_are_not_counted_with_the_flood() {
    for found in readings(|scenario| {
        visitors(scenario, 400);
        for i in 0..3000 {
            scenario.send(syn(&crowd(i), 1024 + i as u16, HOME, 443).options(&OPTIONS).ttl(51)).wait(-0.009);
        }
    }) {
        let flood = one(&found, "flood.forged-sources");
        assert!((3000..3060).contains(&flood.packets), "{flood:#?}");
    }
}

/// Nor where there are more of them than samples and the source table have room for: the ends of their connections are counted. Without options the SYNs of a
/// flood stand out among any number of visitors.
#[test]
fn visitors_of_whom_nothing_is_known_are_not_counted_with_the_flood() {
    for (number, packets, bare) in [(2000, 20_000, false), (8000, 3000, true), (20_000, 3000, true)] {
        for found in readings(|scenario| {
            visitors_at(scenario, number, 500.0);
            for i in 0..packets {
                let question = ask(&crowd(i), i % 50_000, 443);
                let question = if bare { syn(&made_up(i), 1024 + i as u16, HOME, 443).ttl(50) } else { question };
                scenario.send(question).wait(-0.0098);
            }
        }) {
            let flood = one(&found, "flood.forged-sources");
            assert!(flood.packets.abs_diff(packets.into()) <= u64::from(packets / 100), "{packets}: {flood:#?}");
            assert!(flood.also.contains(&"flood.syn".to_string()), "{flood:#?}");
        }
    }
}

/// Of the second port of a sweep hardly anything is sampled, and that is not to say that all of it goes to one host.
#[test]
fn a_sweep_is_no_flood() {
    for found in readings(|scenario| {
        scenario.locality.prefixes.push(annotator::observation::Prefix { bits: 20, ..PREFIX });
        for i in 0..4096_u32 {
            let host = format!("93.184.{}.{}", 208 + i % 2048 / 256, i % 256);
            scenario.send(syn(AWAY, 40_000, &host, [80, 443][i as usize / 2048])).wait(-0.0095);
        }
    }) {
        none(&found, "flood.syn");
        assert!(one(&found, "scan.horizontal").packets > 4000, "{found:#?}");
    }
}

#[test]
fn many_connections_that_stay_are_no_flood() {
    let timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];
    for found in readings(move |scenario| {
        for i in 0..1000 {
            let own_port = 20_000 + i;
            let there = |flags| tcp("116.90.231.9", own_port, HOME, 443, flags).options(&timestamps);
            scenario.send(syn("116.90.231.9", own_port, HOME, 443).options(&OPTIONS)).send(there(ACK));
            for _ in 0..4 {
                scenario.send(with_data(there(PSH | ACK)));
            }
            scenario.wait(-0.05);
        }
    }) {
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// Forged addresses include private ones, and forged identifications are near each other by chance.
#[test]
fn a_flood_is_no_machine_with_two_networks() {
    for found in readings(|scenario| {
        for i in 0..3000 {
            scenario.send(syn(&made_up(i), 1024 + i as u16, HOME, 80).id(i as u16)).wait(-0.009);
        }
    }) {
        none(&found, "pattern.dual-homed");
        one(&found, "flood.forged-sources");
    }
}

/// A flood that fills the queue of half-open connections need not be fast: one SYN in a hundred milliseconds does.
#[test]
fn a_slow_flood_fills_the_backlog() {
    let flood = |caller: fn(u32) -> String, answers: &'static [f64], then: &dyn Fn(&mut Scenario, u32)| {
        let mut scenario = Scenario::at(&[HOME]);
        for i in 0..400 {
            let question = ask(&caller(i), 211 * i, 443);
            let own_port = question.source_port();
            for after in answers {
                let answer = tcp(HOME, 443, &caller(i), own_port, SYN | ACK).options(&OPTIONS);
                later(&mut scenario, after + 0.0002, answer);
            }
            then(&mut scenario, i);
            scenario.send(question).wait(0.09);
            scenario.send(syn(HOME, 40_000 + i as u16, AWAY, 443).options(&OPTIONS)).wait(-0.01);
        }
        let found = scenario.recognise();
        let floods = found.iter().filter(|one| one.id.starts_with("flood."));
        floods.map(|one| (one.id.clone(), one.packets)).collect::<Vec<_>>()
    };
    let (nothing, in_vain) = (|_: &mut Scenario, _| {}, &[0.0, 1.0, 3.0, 7.0]);
    assert_eq!(flood(crowd, in_vain, &nothing), [("flood.forged-sources".into(), 400)]);
    assert_eq!(flood(|_| AWAY.into(), in_vain, &nothing), [("flood.syn".into(), 400)]);
    assert_eq!(flood(crowd, &[], &nothing), [], "nobody knows whether they are half-open");
    assert_eq!(flood(crowd, &[0.0], &nothing), [], "a capture of what begins connections, and of nothing else");
    let resets = |scenario: &mut Scenario, i| {
        later(scenario, 0.001, tcp(&crowd(i), 32_768 + (211 * i % 28_000) as u16, HOME, 443, RST));
    };
    assert_eq!(flood(crowd, in_vain, &resets), [], "scanners");
    let again = |scenario: &mut Scenario, i| later(scenario, 1.0, ask(&crowd(i), 211 * i, 443));
    assert_eq!(flood(crowd, in_vain, &again), [], "clients to whom the answers do not come");
}
