//! Questions, and which entries must answer them.

use annotator::explain::{explain, rules};
use annotator::knowledge::Knowledge;

fn knowledge() -> Knowledge {
    Knowledge::load(&[]).expect("the built-in knowledge is good")
}

/// What was typed, and the id that must come first; an empty id where nothing is known.
const QUESTIONS: &[(&str, &str)] = &[
    ("tcp/113", "port.113"),
    ("113/tcp", "port.113"),
    ("udp/137", "port.137"),
    ("port 31337", "port.31337"),
    ("31337", "port.31337"),
    ("tcp 1524", "port.1524"),
    ("icmp 3/4", "icmp.3.4"),
    ("icmp type 3 code 3", "icmp.3.3"),
    ("icmp 3/13", "icmp.3.13"),
    ("icmp 8", "icmp.8"),
    ("icmp port 11", "icmp.11.0"),
    ("icmpv6 135", "icmpv6.135"),
    ("10.1.2.3", "address.private-source"),
    ("192.168.0.0/16", "address.private-source"),
    ("169.254.1.1", "address.link-local"),
    ("127.0.0.1", "address.loopback-source"),
    ("255.255.255.255", "address.limited-broadcast"),
    ("224.0.0.251", "address.multicast"),
    ("0.0.0.0", "address.zero-source"),
    ("fe80::1", "address.link-local.v6"),
    ("192.0.2.7", "address.documentation"),
    ("source-port 20", "source-port.20"),
    ("source port 53", "source-port.53"),
    ("source-port udp 27920", "source-port.quake"),
    ("source-route", "ip.source-route"),
    ("xmas-scan", "ip.xmas-scan"),
    ("port.7.squid", "port.7.squid"),
    ("pattern.smurf", "pattern.smurf"),
    ("trojan.31337", "port.31337"),
    ("ssh", "port.22"),
    ("telnet", "port.23"),
    ("slammer", "worm.slammer"),
    ("mirai", "tool.mirai"),
    ("nmap", "tool.nmap"),
    ("traceroute", "port.33434"),
    ("stun", "quiet.3478"),
    ("dns", "port.53"),
    ("www", "port.80"),
    ("dhcp", "port.67"),
    ("rdp", "port.3389"),
    ("postgres", "port.5432"),
    ("proto=1 from=10.2.3.4:8 to=192.0.2.123:0", "address.private-source"),
    ("SRC=198.18.5.5 DST=198.18.0.9 LEN=60 TTL=52 PROTO=TCP SPT=40000 DPT=23 WINDOW=1024 SYN URGP=0", "port.23"),
    ("SRC=198.18.5.5 DST=198.18.0.9 PROTO=UDP SPT=137 DPT=137", "port.137"),
    ("port 20013", ""),
    ("tcp/70000", ""),
    ("icmp 300", ""),
    ("gibberish", ""),
    ("SRC=1.2.3.4 PROTO=TCP DPT=70000", ""),
];

#[test]
fn questions_are_answered() {
    let knowledge = knowledge();
    let mut failures = Vec::new();
    for (question, id) in QUESTIONS {
        let answers = explain(&knowledge, &[(*question).to_owned()]);
        let [answer] = &answers.answers[..] else {
            failures.push(format!("{question}: {} answers", answers.answers.len()));
            continue;
        };
        let first = answer.told.first().map(|told| told.id.as_str()).unwrap_or_default();
        if answer.known == id.is_empty() {
            failures.push(format!("{question}: known is {}", answer.known));
        }
        if answer.known && first != *id {
            failures.push(format!("{question}: {first} instead of {id}"));
        }
        if !answer.known && answer.notes.is_empty() {
            failures.push(format!("{question}: not a word of what is not known"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn icmp_is_no_port() {
    let answers = explain(&knowledge(), &["icmp".into(), "port".into(), "11".into()]);
    assert!(answers.answers[0].notes[0].contains("no ports"), "{:?}", answers.answers[0].notes);
    let line = explain(&knowledge(), &["proto=1 from=10.2.3.4:8 to=192.0.2.123:0".into()]);
    assert!(line.answers[0].notes.iter().any(|note| note.contains("type 8, code 0")), "{:?}", line.answers[0].notes);
    let ids: Vec<&str> = line.answers[0].told.iter().map(|told| told.id.as_str()).collect();
    assert!(ids.contains(&"icmp.8") && ids.contains(&"icmp.not-a-port"), "{ids:?}");
}

#[test]
fn several_questions_at_once() {
    let words = ["tcp/113", "icmp", "3/4", "10.1.2.3", "ssh"].map(str::to_owned);
    let answers = explain(&knowledge(), &words);
    let first: Vec<&str> = answers.answers.iter().map(|answer| answer.told[0].id.as_str()).collect();
    assert_eq!(first, ["port.113", "icmp.3.4", "address.private-source", "port.22"]);
}

#[test]
fn what_is_unknown_comes_with_advice() {
    let answers = explain(&knowledge(), &["tcp/20013".to_owned()]);
    let ids: Vec<&str> = answers.answers[0].told.iter().map(|told| told.id.as_str()).collect();
    assert_eq!(ids, ["range.registered", "advice.unknown-port"]);
    assert!(!answers.all_known());
}

/// A word that is in half of all titles gets names, no book.
#[test]
fn a_common_word_names_what_can_be_asked() {
    let answers = explain(&knowledge(), &["scan".to_owned()]);
    let [answer] = &answers.answers[..] else { panic!("{answers:?}") };
    assert!(answer.known && answer.told.is_empty(), "{answer:?}");
    assert!(answer.notes[0].contains("scan.vertical, scan.horizontal"), "{:?}", answer.notes);
}

/// A word of other things' titles may be the name of a service, too.
#[test]
fn the_name_of_a_service_says_so() {
    for (word, port) in [("login", "tcp/513"), ("shell", "tcp/514"), ("time", "udp/37"), ("who", "udp/513")] {
        let answers = explain(&knowledge(), &[word.to_owned()]);
        let notes = &answers.answers[0].notes;
        assert!(notes.contains(&format!("{port} is called {word}.")), "{word}: {notes:?}");
    }
}

#[test]
fn nothing_asked_is_said() {
    for nothing in ["", " "] {
        let answers = explain(&knowledge(), &[nothing.to_owned()]);
        assert!(!answers.all_known() && answers.answers[0].notes[0].contains("Nothing was asked"), "{answers:?}");
    }
}

#[test]
fn nothing_received_can_alter_a_terminal() {
    let answers = explain(&knowledge(), &["\u{1b}[31mred\u{7}".to_owned()]);
    let page = annotator::explain::page::answers(&answers);
    assert!(page.chars().all(|letter| letter == '\n' || !letter.is_control()), "{page:?}");
}

#[test]
fn answers_are_json() {
    let answers = explain(&knowledge(), &["tcp/23".to_owned()]);
    let document: serde_json::Value = serde_json::from_str(&answers.json().unwrap()).unwrap();
    assert_eq!(document["schema"], "annotator.explain/1");
    assert_eq!(document["answers"][0]["told"][0]["id"], "port.23");
}

#[test]
fn rules_are_listed_and_shown() {
    let knowledge = knowledge();
    let listed = rules::list(&knowledge);
    assert!(listed.len() > 250 && listed.iter().all(|one| one.built_in && !one.title.contains('{')));
    let (shown, unknown) = rules::show(&knowledge, &["port.23".to_owned(), "port.none".to_owned()]);
    assert_eq!((shown.len(), unknown), (1, vec!["port.none".to_owned()]));
}
