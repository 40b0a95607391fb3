//! `annotator explain` and `annotator rules`: answers from the knowledge alone.

mod log_line;
mod packet;
pub mod page;
mod question;
pub mod rules;

use std::net::IpAddr;

use annotator_common::Family;
use anyhow::Result;
use serde::Serialize;

use self::question::{Question, Side};
use crate::counters::{IcmpKey, PortProto};
use crate::knowledge::Knowledge;
use crate::knowledge::lookup::Told;
use crate::knowledge::text::Facts;
use crate::names;
use crate::recognise::addresses::is_group;

/// Entries that are told of one word: more are named only.
const TOLD_OF_WORD: usize = 8;

/// Schema of the answers in JSON.
const SCHEMA: &str = "annotator.explain/1";

/// Answers to all that was asked at once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answers {
    schema: &'static str,
    /// One for each question.
    pub answers: Vec<Answer>,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// What was asked, as understood.
    pub question: String,
    /// Whether the knowledge has something to say.
    pub known: bool,
    /// What is to be said before all else: a name, a correction, what is not known.
    pub notes: Vec<String>,
    /// What the knowledge says.
    pub told: Vec<Told>,
}

impl Answers {
    /// As a JSON document.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Whether every question has an answer.
    pub fn all_known(&self) -> bool {
        self.answers.iter().all(|answer| answer.known)
    }
}

/// Answers what a person typed: ports, ICMP types, addresses, flags, ids, services, lines of firewall logs, several at once.
pub fn explain(knowledge: &Knowledge, words: &[String]) -> Answers {
    let questions = question::parse(words);
    Answers { schema: SCHEMA, answers: questions.iter().map(|question| answer(knowledge, question)).collect() }
}

fn answer(knowledge: &Knowledge, question: &Question) -> Answer {
    match question {
        Question::Port { proto, side, port } => of_port(knowledge, *proto, *side, *port),
        Question::Icmp { family, icmp_type, code, called_port } => {
            of_icmp(knowledge, *family, *icmp_type, *code, *called_port)
        }
        Question::Address(address) => of_address(knowledge, *address),
        Question::LogLine(line) => of_log_line(knowledge, line),
        Question::Word(word) => of_word(knowledge, word),
        Question::Wrong { text, why } => {
            Answer { question: text.clone(), known: false, notes: vec![why.clone()], told: Vec::new() }
        }
    }
}

fn port_facts(proto: PortProto, side: Side, port: u16) -> Facts {
    let mut facts = Facts::from([
        (if side == Side::Source { "src_port" } else { "port" }, port.to_string()),
        ("proto", proto.name().to_uppercase()),
    ]);
    if let Some(service) = names::registered(proto, port) {
        facts.push(("service", service.to_owned()));
    }
    facts
}

fn of_port(knowledge: &Knowledge, proto: Option<PortProto>, side: Side, port: u16) -> Answer {
    let protos = match &proto {
        Some(proto) => std::slice::from_ref(proto),
        None => &[PortProto::Tcp, PortProto::Udp],
    };
    let mut answer = Answer {
        question: match (proto, side) {
            (Some(proto), Side::Destination) => format!("{}/{port}", proto.name()),
            (None, Side::Destination) => format!("port {port}"),
            (Some(proto), Side::Source) => format!("source port {}/{port}", proto.name()),
            (None, Side::Source) => format!("source port {port}"),
        },
        known: false,
        notes: Vec::new(),
        told: Vec::new(),
    };
    for proto in protos {
        let facts = port_facts(*proto, side, port);
        answer.notes.extend(named(*proto, port));
        if side == Side::Destination {
            add(&mut answer.told, knowledge.told_of_port(*proto, port, &facts));
        }
    }
    let facts = port_facts(protos[0], Side::Source, port);
    add(&mut answer.told, knowledge.told_of_source_port(protos, port, side == Side::Destination, &facts));
    // A range has something to say only where no entry has.
    if answer.told.iter().any(|told| is_specific(&told.id)) {
        answer.told.retain(|told| is_specific(&told.id));
        answer.known = true;
    } else if side == Side::Destination {
        answer.notes.push(format!(
            "No rule speaks of port {port} itself; what follows is what its range says, and how to find out."
        ));
        add(&mut answer.told, knowledge.told("advice.unknown-port", &Facts::from([("port", port.to_string())])));
    } else {
        answer.known = !answer.told.is_empty();
        if !answer.known {
            answer.notes.push(format!(
                "Nothing is known of source port {port}: most programs send from whatever port the system gives them."
            ));
        }
    }
    answer
}

/// Which service a port is of, in words.
fn named(proto: PortProto, port: u16) -> Option<String> {
    let called = names::service(proto, port).map(|service| format!("called {service}"));
    let known = called.or_else(|| names::registered(proto, port).map(|service| format!("registered as {service}")));
    known.map(|known| format!("{}/{port} is {known}.", proto.name()))
}

fn is_specific(id: &str) -> bool {
    !id.starts_with("range.")
}

fn add(told: &mut Vec<Told>, more: Vec<Told>) {
    for one in more {
        if !told.iter().any(|known| known.id == one.id) {
            told.push(one);
        }
    }
}

fn of_icmp(knowledge: &Knowledge, family: Family, icmp_type: u8, code: Option<u8>, called_port: bool) -> Answer {
    let protocol = if family == Family::V6 { "ICMPv6" } else { "ICMP" };
    let asked = code.map_or(String::new(), |code| format!(" code {code}"));
    let mut notes = Vec::new();
    if called_port {
        let both = code.map_or(String::new(), |code| format!(" and {code} its code"));
        notes.push(format!("{protocol} has no ports: {icmp_type} is a type{both}."));
    }
    let name = names::icmp(IcmpKey { family, icmp_type, code: code.unwrap_or(0) });
    if let Some(name) = name {
        notes.push(format!("{protocol} type {icmp_type}{asked} is {name}."));
    }
    let mut facts = Facts::from([("type", icmp_type.to_string())]);
    facts.extend(code.map(|code| ("code", code.to_string())));
    facts.extend(name.map(|name| ("name", name.to_owned())));
    let mut told = knowledge.told_of_icmp(family, icmp_type, code, &facts);
    let known = !told.is_empty();
    if !known {
        notes.push(format!("Nothing is known of {protocol} type {icmp_type}{asked}."));
    }
    if called_port {
        add(&mut told, knowledge.told("icmp.not-a-port", &Facts::new()));
    }
    if family == Family::V4 {
        add(&mut told, knowledge.told("advice.icmp-filter", &Facts::new()));
    }
    Answer { question: format!("{protocol} type {icmp_type}{asked}"), known, notes, told }
}

fn of_address(knowledge: &Knowledge, address: IpAddr) -> Answer {
    let mut told: Vec<Told> = Vec::new();
    let mut frames = [packet::from_address(address), packet::to_address(address)];
    // Nobody sends from such an address.
    if is_group(address) {
        frames.reverse();
    }
    for frame in frames {
        let findings = packet::findings(knowledge, &frame);
        add(
            &mut told,
            findings.into_iter().filter(|finding| finding.id.starts_with("address.")).map(Told::from).collect(),
        );
    }
    // The variant that a bare packet chose is an accident: tell of the entry with all its variants.
    let ids: Vec<String> = told.iter().map(|told| told.id.clone()).collect();
    told = Vec::new();
    for id in ids {
        let entry = knowledge.entry(&id).map_or(id.clone(), |(entry, _)| entry.id.clone());
        add(&mut told, knowledge.told(&entry, &Facts::new()));
    }
    let known = !told.is_empty();
    let mut notes = Vec::new();
    if !known {
        notes.push(format!(
            "{address} lies in no special range: an ordinary public address. The knowledge is about kinds of traffic, not about who holds \
             an address; `whois {address}` tells that. It may be forged, or its owner a victim too."
        ));
    }
    Answer { question: address.to_string(), known: true, notes, told }
}

fn of_log_line(knowledge: &Knowledge, line: &str) -> Answer {
    let mut answer = Answer { question: line.to_owned(), known: false, notes: Vec::new(), told: Vec::new() };
    match log_line::parse(line) {
        Ok(entry) => {
            answer.notes = entry.notes();
            let findings = packet::findings(knowledge, &entry.packet());
            let beside =
                |id: &str| id.starts_with("zen.") || id.starts_with("perspective.") || id.starts_with("ip.bad-length");
            answer.told = findings.into_iter().filter(|finding| !beside(&finding.id)).map(Told::from).collect();
            answer.known = !answer.told.is_empty();
        }
        Err(why) => answer.notes.push(why),
    }
    answer
}

fn of_word(knowledge: &Knowledge, word: &str) -> Answer {
    let mut answer = Answer { question: word.to_owned(), known: true, notes: Vec::new(), told: Vec::new() };
    let lower = word.to_ascii_lowercase();
    answer.told = knowledge.told(&lower, &Facts::new());
    if answer.told.is_empty()
        && let Some(flag) = annotator_common::Flag::ALL.iter().find(|flag| flag.name() == lower)
    {
        answer.told = knowledge.told_of_flag(*flag, &Facts::new());
    }
    let numbers = names::service_ports(&lower);
    let mut ports: Vec<Answer> =
        numbers.iter().map(|(proto, port)| of_port(knowledge, Some(*proto), Side::Destination, *port)).collect();
    if ports.iter().any(|port| port.known) {
        ports.retain(|port| port.known);
    } else if answer.told.is_empty() {
        // The registry has given many names away: what is told of the word itself says more than the range of a port.
        answer.told = knowledge.told_of_word(&lower, &Facts::new());
        if !answer.told.is_empty() {
            answer.notes.extend(numbers.iter().filter_map(|(proto, port)| named(*proto, *port)));
        }
        if answer.told.len() > TOLD_OF_WORD {
            let ids: Vec<&str> = answer.told.iter().map(|told| told.id.as_str()).collect();
            let ids = ids.join(", ");
            answer.notes.push(format!("`{word}` occurs in what is told of many things. Ask for one of them: {ids}."));
            answer.told.clear();
            return answer;
        }
        if !answer.notes.is_empty() {
            answer.notes.push(format!("No rule speaks of that itself; what follows is where `{word}` occurs."));
        }
    }
    if answer.told.is_empty() {
        for port in ports {
            let known = |note: &String| answer.notes.contains(note);
            let notes: Vec<String> = port.notes.into_iter().filter(|note| !known(note)).collect();
            answer.notes.extend(notes);
            add(&mut answer.told, port.told);
        }
    }
    if answer.told.is_empty() {
        answer.known = false;
        answer.notes.push(format!("Nothing is known of `{word}`. What can be asked: {}.", question::FORMS));
        answer.told = knowledge.told("advice.unknown-port", &Facts::new());
    }
    answer
}
