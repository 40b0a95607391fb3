//! What was given tells more than what was asked for.

use annotator::counters::PortProto;
use annotator::finding::{Finding, Verdict};
use annotator::observation::Locality;

use crate::frames::{self, Packet, flag};
use crate::single::dns;
use crate::stimulus::{findings, findings_live, findings_live_since, tells};

/// The ids of what worries somebody.
fn loud(found: &[Finding]) -> Vec<&str> {
    let loud = found.iter().filter(|finding| finding.verdict > Verdict::Background);
    loud.map(|finding| finding.id.as_str()).collect()
}

/// A transfer, after which its asker acknowledges so many bytes.
fn transfer(bytes: u32) -> Vec<Packet> {
    asked(40000, 252, bytes)
}

/// The same from a port, of another type.
fn asked(port: u16, qtype: u16, bytes: u32) -> Vec<Packet> {
    const FIRST: u32 = u32::MAX - 100;
    let question = dns(0, qtype, 1, "example.com");
    let question = [&(question.len() as u16).to_be_bytes()[..], &question].concat();
    let sent = |flags: u8, payload: &[u8], acknowledged: u32| {
        frames::tcp(port, 53, flags, payload).acknowledging(FIRST.wrapping_add(acknowledged))
    };
    vec![
        frames::tcp(port, 53, flag::SYN, &[]),
        sent(flag::ACK, &[], 0),
        sent(flag::PSH | flag::ACK, &question, 0),
        sent(flag::FIN | flag::ACK, &[], bytes),
    ]
}

/// As an interface sees it: the one who got a zone acknowledges it.
#[test]
fn a_zone_that_was_given_is_a_secondarys_or_an_open_door() {
    let given = findings(&transfer(40_000), &Locality::default());
    assert!(tells(&given, "payload.dns-axfr.served"), "{given:?}");
    assert_eq!(loud(&given), [""; 0]);
    let small = findings(&transfer(200), &Locality::default());
    assert!(tells(&small, "payload.dns-axfr.served"), "{small:?}");
    for refused in [0, 31, 150] {
        assert_eq!(loud(&findings(&transfer(refused), &Locality::default())), ["payload.dns-axfr"], "{refused}");
    }
    let mut reset = transfer(0);
    reset.push(frames::tcp(40000, 53, flag::RST | flag::ACK, &[]).acknowledging(40_000));
    assert_eq!(loud(&findings(&reset, &Locality::default())), ["payload.dns-axfr"], "a number in a reset is free");
    let heard = |length: usize| {
        let answer =
            |flags: u8, payload: &[u8]| frames::tcp(53, 40000, flags, payload).from(frames::US).to(frames::STRANGER);
        let answers = vec![answer(flag::SYN | flag::ACK, &[]), answer(flag::PSH | flag::ACK, &vec![0x85; length])];
        loud(&findings(&[transfer(40_000), answers].concat(), &Locality::default())).join(" ")
    };
    assert_eq!(heard(31), "payload.dns-axfr", "and so is any other that is more than was sent");
    assert_eq!(heard(1200), "");
}

/// A secondary that got the zone once has it later, too, where the end of the connection is not there; one whose connections never showed what they
/// brought comes at even intervals.
#[test]
fn secondaries_come_again() {
    let later = |transfer: Vec<Packet>, from: &'static str, at: f64| {
        transfer.into_iter().map(move |packet| packet.from(from).at(at))
    };
    let round = |number: u32| f64::from(number * 1000 + number * number % 7 * 100);
    let rounds = |qtype: fn(u32) -> u16| -> Vec<_> {
        let transfer = |number: u32| {
            let mut packets = asked(40000 + number as u16, qtype(number), 9000);
            packets.truncate(if number < 11 { 4 } else { 3 });
            packets
        };
        (0..12).flat_map(|number| later(transfer(number), frames::STRANGER, round(number))).collect()
    };
    let many = rounds(|_| 252);
    // What has changed tells as much as all of it; what anybody may ask by TCP does not.
    let (changes, texts) = (|number| if number < 11 { 251 } else { 252 }, |number| if number < 11 { 16 } else { 252 });
    for look in [findings, findings_live] {
        assert_eq!(loud(&look(&many, &Locality::default())), [""; 0]);
        assert_eq!(loud(&look(&rounds(changes), &Locality::default())), [""; 0]);
        assert_eq!(loud(&look(&rounds(texts), &Locality::default())), ["payload.dns-axfr"]);
    }
    // The end is there in a window of its own, however many came before.
    let found = findings_live_since(round(10) - 1.0, &many[..4 * 11], &Locality::default());
    assert!(tells(&found, "payload.dns-axfr.served"), "{found:?}");
    assert_eq!(loud(&found), [""; 0]);
    let refused = later(transfer(31), "198.18.99.9", 20_000.0);
    let found = findings(&many.into_iter().chain(refused).collect::<Vec<_>>(), &Locality::default());
    let accused = found.iter().find(|finding| finding.id == "payload.dns-axfr").expect("it is told");
    assert_eq!((accused.packets, accused.sources.len()), (1, 1), "who is refused is another");
    let polls = |moment: fn(u32) -> f64| {
        let poll = |number| frames::udp(40000, 53, &dns(0, 6, 1, "example.com")).at(moment(number));
        let transfer = later(transfer(9000)[..3].to_vec(), frames::STRANGER, moment(29) + 1.0);
        findings(&(0..30).map(poll).chain(transfer).collect::<Vec<_>>(), &Locality::default())
    };
    assert!(tells(&polls(|number| f64::from(number * 900)), "payload.dns-axfr.regular"));
    assert_eq!(loud(&polls(|number| f64::from(number * number * 9))), ["payload.dns-axfr"]);
}

/// Who asks a proxy for a way to elsewhere, and gets so many bytes.
#[test]
fn a_proxy_that_carries_data_is_in_use() {
    let told = |bytes: u32| {
        let sent = |flags: u8, payload: &[u8], acknowledged: u32| {
            frames::tcp(40000, 3128, flags, payload).acknowledging(acknowledged)
        };
        let request = sent(flag::PSH | flag::ACK, b"CONNECT www.example.org:443 HTTP/1.1\r\n\r\n", 1);
        let packets = [frames::tcp(40000, 3128, flag::SYN, &[]), request, sent(flag::FIN | flag::ACK, &[], 1 + bytes)];
        loud(&findings(&packets, &Locality::default())).join(" ")
    };
    assert_eq!((told(40_000).as_str(), told(4000).as_str()), ("", "payload.http-proxy"));
}

/// A neighbour who uses what runs at a port has not looked for a back door; a stranger may have found it.
#[test]
fn ports_in_use_are_no_back_doors() {
    let told = |port: u16, from: &str, flags: &[u8]| {
        let send = |flags: &u8| frames::tcp(40000, port, *flags, &[]).from(from).to("192.168.1.2");
        let packets: Vec<_> = flags.iter().map(send).collect();
        loud(&findings(&packets, &Locality::default())).join(" ")
    };
    let used = [flag::SYN, flag::ACK, flag::PSH | flag::ACK, flag::FIN | flag::ACK, flag::ACK];
    for port in [635, 12345] {
        assert_eq!(told(port, "192.168.1.20", &used), "");
        assert_ne!(told(port, "192.168.1.20", &[flag::SYN, flag::ACK, flag::RST]), "");
        assert_ne!(told(port, frames::STRANGER, &used), "");
    }
}

/// Monitoring asks the same at even intervals, and rests in between. Who repeats it in haste does not.
#[test]
fn monitors_rest_in_between() {
    let version = dns(0, 16, 3, "version.bind");
    let control = [0x16, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let rows: [(u16, &[u8], &str, &str); 2] = [
        (53, &version, "payload.dns-version-bind.regular", "payload.dns-version-bind"),
        (123, &control, "payload.ntp-control.regular", "amplifier.hunt"),
    ];
    for (port, question, monitor, other) in rows {
        let told = |gap: u32| {
            let ask = |number: u32| frames::udp(40000, port, question).at(f64::from(number * gap));
            findings(&(0..12).map(ask).collect::<Vec<_>>(), &Locality::default())
        };
        assert!(tells(&told(300), monitor), "{:?}", told(300));
        assert_eq!((loud(&told(300)), loud(&told(2))), (vec![], vec![other]));
    }
}

/// Of many answers to one port some bear the same number; where a server has two addresses, they do so each time.
#[test]
fn answers_that_meet_by_chance_have_no_two_sources() {
    let answer = |from: u32, id: u16| {
        let answer = [&id.to_be_bytes()[..], &dns(0x8180, 1, 1, "example.com")[2..]].concat();
        frames::udp(53, 40000, &answer).from(&format!("198.18.{}.{}", from / 250, from % 250))
    };
    let told = |packets: &[Packet]| tells(&findings(packets, &Locality::default()), "payload.dns-unexpected-source");
    // The last five bear the numbers of five before them.
    let number = |from: u32| (from - if from < 895 { 0 } else { 5 }) as u16;
    let flood: Vec<_> = (0..900).map(|from| answer(from, number(from))).collect();
    assert!(!told(&flood));
    assert!(told(&[answer(1, 7), answer(2, 7)]));
    assert!(told(&(0..40).flat_map(|id| [answer(1, id), answer(2, id)]).collect::<Vec<_>>()));
}

/// Telephones sign on again and again, also to an exchange that is down, and offices for all of theirs. Who names one extension after the other, or tries
/// passwords, does not.
#[test]
fn telephones_sign_on_and_scanners_guess() {
    type From = fn(u32) -> (u16, u32);
    let told = |count: u32, gap: f64, method: &str, called: &str, from: From| {
        // A long way stands before the sender, who is not sampled then.
        let way = if called == "far" { "x".repeat(180) } else { String::new() };
        let name = if ["To", "f", "t"].contains(&called) { called } else { "From" };
        let called = if ["To", "f", "t", "far"].contains(&called) { "" } else { called };
        let send = |number: u32| {
            let (port, own) = from(number);
            let called = called.replace("own", &own.to_string());
            let from = format!("{name}: \"x:y\" <sip:{own}:secret@198.19.1.20>\r\n");
            let text = format!("{method} sip:{called}198.19.1.20 SIP/2.0\r\nVia: {way}\r\n{from}\r\n");
            frames::udp(port, 5060, text.as_bytes()).at(f64::from(number) * gap)
        };
        loud(&findings(&(0..count).map(send).collect::<Vec<_>>(), &Locality::default())).join(" ")
    };
    let telephones: [(&str, u32, f64, From); 5] = [
        ("telephones of an office, each of which gives its password", 80, 0.05, |i| {
            (20_000 + i as u16 / 2, 100 + i / 2)
        }),
        ("an exchange for its telephones", 80, 0.05, |i| (5060, 100 + i / 2)),
        ("an exchange that renews for them", 80, 4.0, |i| (5060, 100 + i)),
        ("two lines, without an answer", 22, 1.4, |i| (5060, 100 + i % 2)),
        ("one that renews", 100, 3.0, |_| (5060, 100)),
    ];
    for (who, count, gap, from) in telephones {
        assert_eq!(told(count, gap, "REGISTER", "", from), "", "{who}");
    }
    assert_eq!(told(80, 0.05, "REGISTER", "far", |i| (5060, 100 + i / 2)), "", "one whose senders lie too far");
    let (one, many): (From, From) = (|_| (5060, 100), |i| (5060, 100 + i));
    assert_eq!(told(40, 0.1, "INVITE", "7@", many), "", "calls of many");
    assert_eq!(told(40, 0.1, "OPTIONS", "100@", one), "", "is the line alive?");
    for method in ["NOTIFY", "MESSAGE", "SUBSCRIBE"] {
        assert_eq!(told(40, 0.1, method, "7@", many), "", "{method} of many");
    }
    for (method, called, count, from) in [
        ("REGISTER", "", 40, many),
        ("OPTIONS", "own@", 40, many),
        ("INVITE", "own@", 40, many),
        ("REGISTER", "", 40, one),
        ("REGISTER", "To", 40, one),
        ("REGISTER", "f", 40, one),
        ("REGISTER", "t", 40, one),
    ] {
        assert_eq!(told(count, 0.1, method, called, from), "payload.sip.guesses", "{method} {called}");
    }
}

/// A proxy signs on for telephones that need not say their password each time, an exchange looks after those behind it. Who guesses can say that he is a
/// proxy, but not that he is let in.
#[test]
fn proxies_and_exchanges_name_many_extensions_once() {
    type Number = fn(u32) -> u32;
    let (same, each): (Number, Number) = (|_| 0, |i| i);
    // The request, whom it names, who forwarded it for whom, and how it is answered.
    let told = |line: &str, name: Number, branch: Number, forwards: &str, origin: Number, answer: &str| {
        let exchange = |number: u32| {
            let (at, name, branch) = (f64::from(number) * 0.5, name(number), branch(number));
            let forwards = forwards.replace("own", &origin(number).to_string()).replace("each", &number.to_string());
            let sent = format!("Via: SIP/2.0/UDP a{number};rport;branch=z9hG4bK{branch}{forwards}\r\n");
            let line = line.replace("own", &number.to_string());
            let request = format!("{line} SIP/2.0\r\n{sent}From: <sip:{name}@x>\r\n");
            let answers = (!answer.is_empty()).then(|| {
                let answer = format!("SIP/2.0 {answer}\r\n{sent}");
                frames::udp(5060, 5060, answer.as_bytes()).from(frames::US).to(frames::STRANGER).at(at + 0.1)
            });
            [frames::udp(5060, 5060, request.as_bytes()).at(at)].into_iter().chain(answers)
        };
        loud(&findings(&(0..40).flat_map(exchange).collect::<Vec<_>>(), &Locality::default())).join(" ")
    };
    const SIGN_ON: &str = "REGISTER sip:x";
    const ASK: &str = "OPTIONS sip:own@x";
    const FOR: &str = "\r\nVia: SIP/2.0/UDP 10.0.0.own;branch=z9hG4bKeach";
    const FOR_TOO: &str = ", SIP/2.0/UDP 10.0.0.own;branch=z9hG4bKeach";
    let calm: [(&str, &str, Number, &str, &str); 6] = [
        ("one that asks an exchange that is busy", SIGN_ON, each, FOR, "503 Service Unavailable"),
        ("a proxy", SIGN_ON, each, FOR, ""),
        ("one that writes it in a line", SIGN_ON, each, FOR_TOO, ""),
        ("one that is let in", SIGN_ON, each, FOR, "200 OK"),
        ("one that hides for whom", SIGN_ON, each, "", "200 OK"),
        ("an exchange", ASK, same, "", ""),
    ];
    for (who, line, name, forwards, answer) in calm {
        assert_eq!(told(line, name, each, forwards, each, answer), "", "{who}");
    }
    let guesses: [(&str, &str, Number, Number, &str, Number, &str); 8] = [
        ("who asks where all is granted", ASK, each, each, "", each, "200 OK"),
        ("who hides for whom, and is not seen to be let in", SIGN_ON, each, each, "", each, ""),
        ("who is refused", SIGN_ON, each, each, "", each, "403 Forbidden"),
        ("who says that he is a proxy, and is refused", SIGN_ON, each, each, FOR, each, "404 Not Found"),
        ("of whom a proxy forwards all", SIGN_ON, each, each, FOR, same, ""),
        ("who says each time what was once let in", SIGN_ON, each, same, "", each, "200 OK"),
        ("passwords by a proxy", SIGN_ON, same, each, FOR, each, "200 OK"),
        ("who asks under another name each time", ASK, each, each, "", each, ""),
    ];
    for (who, line, name, branch, forwards, origin, answer) in guesses {
        assert_eq!(told(line, name, branch, forwards, origin, answer), "payload.sip.guesses", "{who}");
    }
}

/// Services with clients far away that are asked from outside: what listens, or answers, is used; of others nothing is known.
#[test]
fn services_that_listen_have_clients() {
    let ldap: &[u8] = &[0x30, 0x0c, 2, 1, 1, 0x63, 7, 4, 0, 0x0a, 1, 0, 0x0a, 1];
    let control: &[u8] = &[0x16, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let rows = [
        (frames::udp(40000, 389, ldap), "payload.cldap.served", "payload.cldap"),
        (frames::udp(40000, 5683, &[0x40, 1, 0, 1]), "amplifier.5683.served", "amplifier.5683"),
        (frames::udp(40000, 123, control), "payload.ntp-control.query", ""),
        (frames::tcp(40000, 11211, flag::PSH | flag::ACK, b"stats\r\n"), "payload.memcached.tcp", ""),
    ];
    for (question, client, unknown) in rows {
        let told = |listening: Option<Vec<u16>>| {
            let listening = listening.map(|ports| ports.into_iter().map(|port| (PortProto::Udp, port)).collect());
            findings(std::slice::from_ref(&question), &Locality { listening, ..Locality::default() })
        };
        let served = told(Some(vec![123, 389, 5683]));
        assert!(tells(&served, client), "{client} is not among {served:?}");
        assert_eq!((loud(&served).join(" ").as_str(), loud(&told(None)).join(" ").as_str()), ("", unknown));
    }
}

/// A game's port that answers is in use, whoever was here before: here, elsewhere, or on loan for another question.
#[test]
fn what_is_in_use_is_no_leftover() {
    let ours = |port, to, payload: &[u8]| frames::udp(port, to, payload).from(frames::US).to(frames::STRANGER);
    let question = frames::udp(40000, 27015, &[0xff; 25]);
    assert!(tells(&findings(std::slice::from_ref(&question), &Locality::default()), "leftover.27015"));
    let told = |packets: &[Packet], id| {
        let found = findings(packets, &Locality::default());
        assert!(tells(&found, id), "{found:?}");
        assert!(!found.iter().any(|finding| finding.verdict == Verdict::BenignLookalike), "{found:?}");
    };
    // The answer to another client speaks for this one as well.
    told(
        &[question.clone(), ours(27015, 40000, &[0xff; 90]), frames::udp(40001, 27015, &[0xff; 25])],
        "leftover.in-use",
    );
    told(&[ours(40000, 7777, &[0xff; 25]), frames::udp(7777, 40000, &[0xff; 90])], "leftover.in-use");
    told(&[frames::udp(26950, 53, &dns(0, 1, 1, "example.com")), ours(53, 26950, &[0x81; 60])], "leftover.in-use");
}
