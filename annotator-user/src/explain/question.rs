//! What a person typed → questions.

use std::net::IpAddr;

use annotator_common::Family;

use crate::counters::PortProto;

/// The forms of a question, for messages.
pub(super) const FORMS: &str = "tcp/113, udp/137, port 31337, source-port 20, icmp 3/4, an address, a flag such as source-route, the id of \
                                a finding, the name of a service, a line of a firewall log";

/// Which end of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Destination,
    Source,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Port { proto: Option<PortProto>, side: Side, port: u16 },
    Icmp { family: Family, icmp_type: u8, code: Option<u8>, called_port: bool },
    Address(IpAddr),
    LogLine(String),
    Word(String),
    Wrong { text: String, why: String },
}

/// Splits what was typed into questions. Words may come as one argument or as several.
pub(super) fn parse(words: &[String]) -> Vec<Question> {
    if let Some(lines) = log_lines(words) {
        return lines;
    }
    let joined = words.join(" ");
    let tokens: Vec<&str> = joined
        .split(|letter: char| letter.is_whitespace() || letter == ',')
        .map(|token| token.trim_matches(['"', '\'', '?', ';']))
        .filter(|token| !token.is_empty())
        .collect();
    let mut questions = Vec::new();
    let mut rest = &tokens[..];
    while !rest.is_empty() {
        let (question, used) = one(rest);
        questions.push(question);
        rest = &rest[used.clamp(1, rest.len())..];
    }
    if questions.is_empty() {
        questions
            .push(Question::Wrong { text: joined, why: format!("Nothing was asked. What can be asked: {FORMS}.") });
    }
    questions
}

/// Lines of a firewall log, each an argument of its own or all words of one.
fn log_lines(words: &[String]) -> Option<Vec<Question>> {
    let is_log = |text: &str| super::log_line::looks_like_one(text);
    let lines: Vec<&str> = words.iter().flat_map(|word| word.lines()).filter(|line| !line.trim().is_empty()).collect();
    if !lines.is_empty() && lines.iter().all(|line| is_log(line)) {
        return Some(lines.into_iter().map(|line| Question::LogLine(line.to_owned())).collect());
    }
    let joined = words.join(" ");
    is_log(&joined).then(|| vec![Question::LogLine(joined)])
}

/// The first question of some tokens, and how many tokens it took.
fn one(tokens: &[&str]) -> (Question, usize) {
    let first = tokens[0].to_ascii_lowercase();
    let (word, attached) = match first.split_once(['/', ':']) {
        Some((word, attached))
            if !attached.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') =>
        {
            (word.to_owned(), Some(attached.to_owned()))
        }
        _ => (first.clone(), None),
    };
    match word.as_str() {
        "icmp" | "icmpv4" => return icmp(Family::V4, attached.as_deref(), tokens),
        "icmpv6" | "icmp6" => return icmp(Family::V6, attached.as_deref(), tokens),
        "tcp" => return port(Some(PortProto::Tcp), attached.as_deref(), tokens),
        "udp" => return port(Some(PortProto::Udp), attached.as_deref(), tokens),
        "port" | "dst-port" | "dport" | "dpt" => return port(None, attached.as_deref(), tokens),
        "source-port" | "src-port" | "sport" | "spt" => return source_port(attached.as_deref(), &tokens[1..], 1),
        "source" | "src" if tokens.get(1).is_some_and(|next| next.eq_ignore_ascii_case("port")) => {
            return source_port(None, &tokens[2..], 2);
        }
        _ => {}
    }
    if let Some((number, proto)) = first.split_once('/')
        && let ("tcp" | "udp", true) = (proto, number.bytes().all(|byte| byte.is_ascii_digit()))
    {
        let proto = if proto == "tcp" { PortProto::Tcp } else { PortProto::Udp };
        return (numbered(Some(proto), Side::Destination, number), 1);
    }
    if let Some(address) = address(tokens[0]) {
        return (Question::Address(address), 1);
    }
    if first.bytes().all(|byte| byte.is_ascii_digit()) {
        return (numbered(None, Side::Destination, &first), 1);
    }
    (Question::Word(tokens[0].to_owned()), 1)
}

fn address(token: &str) -> Option<IpAddr> {
    let bare = token.split('/').next().unwrap_or(token);
    bare.trim_matches(['[', ']'])
        .parse()
        .ok()
        .or_else(|| token.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()))
}

fn numbered(proto: Option<PortProto>, side: Side, number: &str) -> Question {
    match number.parse::<u16>() {
        Ok(port) => Question::Port { proto, side, port },
        Err(_) => Question::Wrong {
            text: number.to_owned(),
            why: format!("`{number}` is no port: ports are numbers from 0 to 65535."),
        },
    }
}

fn is_number(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit())
}

/// `tcp/113`, `tcp 113`, `tcp port 113`, `tcp source-port 20`, `port 31337`.
fn port(proto: Option<PortProto>, attached: Option<&str>, tokens: &[&str]) -> (Question, usize) {
    if let Some(number) = attached {
        return (numbered(proto, Side::Destination, number), 1);
    }
    let mut side = Side::Destination;
    let mut used = 1;
    while let Some(next) = tokens.get(used) {
        match next.to_ascii_lowercase().as_str() {
            "port" | "dst" | "destination" | "dport" => used += 1,
            "source-port" | "src-port" | "sport" | "source" | "src" | "from" => {
                side = Side::Source;
                used += 1;
            }
            number if is_number(number) => return (numbered(proto, side, number), used + 1),
            _ => break,
        }
    }
    (Question::Word(tokens[0].to_owned()), used)
}

fn source_port(attached: Option<&str>, rest: &[&str], used: usize) -> (Question, usize) {
    if let Some(number) = attached {
        return (numbered(None, Side::Source, number), used);
    }
    let (proto, skip) = match rest.first().map(|next| next.to_ascii_lowercase()).as_deref() {
        Some("tcp") => (Some(PortProto::Tcp), 1),
        Some("udp") => (Some(PortProto::Udp), 1),
        _ => (None, 0),
    };
    match rest.get(skip) {
        Some(number) if is_number(number) => (numbered(proto, Side::Source, number), used + skip + 1),
        _ => (
            Question::Wrong {
                text: "source-port".to_owned(),
                why: "Which source port? Write it like source-port 20.".to_owned(),
            },
            used,
        ),
    }
}

/// `icmp 3/4`, `icmp/3/4`, `icmp type 3 code 4`, `icmp 3 4`, `icmp port 11`.
fn icmp(family: Family, attached: Option<&str>, tokens: &[&str]) -> (Question, usize) {
    let mut numbers: Vec<String> =
        attached.into_iter().flat_map(|text| text.split(['/', ':'])).map(str::to_owned).collect();
    let mut called_port = false;
    let mut used = 1;
    while let Some(next) = tokens.get(used) {
        let next = next.to_ascii_lowercase();
        match next.as_str() {
            "port" => called_port = true,
            "type" | "code" => {}
            _ if numbers.is_empty() && next.split(['/', ':', '.']).all(is_number) => {
                numbers.extend(next.split(['/', ':', '.']).map(str::to_owned));
            }
            _ if numbers.len() == 1 && is_number(&next) => numbers.push(next),
            _ => break,
        }
        used += 1;
    }
    let text = tokens[..used].join(" ");
    let wrong = |why: String| (Question::Wrong { text: text.clone(), why }, used);
    let Some(icmp_type) = numbers.first() else {
        return (Question::Word(tokens[0].to_owned()), used);
    };
    let byte = |number: &String| number.parse::<u8>().ok();
    match (byte(icmp_type), numbers.get(1).map(byte), numbers.len()) {
        (Some(icmp_type), None, 1) => (Question::Icmp { family, icmp_type, code: None, called_port }, used),
        (Some(icmp_type), Some(Some(code)), 2) => {
            (Question::Icmp { family, icmp_type, code: Some(code), called_port }, used)
        }
        _ => {
            wrong(format!("`{text}` is no ICMP type and code: both are numbers from 0 to 255, written like icmp 3/4."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn questions(text: &str) -> Vec<Question> {
        parse(&[text.to_owned()])
    }

    fn port(proto: Option<PortProto>, side: Side, port: u16) -> Question {
        Question::Port { proto, side, port }
    }

    fn icmp(icmp_type: u8, code: Option<u8>, called_port: bool) -> Question {
        Question::Icmp { family: Family::V4, icmp_type, code, called_port }
    }

    #[test]
    fn ports() {
        let tcp = Some(PortProto::Tcp);
        for text in ["tcp/113", "TCP 113", "tcp port 113", "tcp:113", "113/tcp", "tcp/113?"] {
            assert_eq!(questions(text), [port(tcp, Side::Destination, 113)], "{text}");
        }
        for text in ["port 31337", "31337", "port/31337"] {
            assert_eq!(questions(text), [port(None, Side::Destination, 31337)], "{text}");
        }
        for text in ["source-port 20", "source port 20", "src-port 20", "sport/20"] {
            assert_eq!(questions(text), [port(None, Side::Source, 20)], "{text}");
        }
        assert_eq!(questions("source-port udp 53"), [port(Some(PortProto::Udp), Side::Source, 53)]);
        assert!(matches!(&questions("tcp/70000")[..], [Question::Wrong { .. }]));
        assert!(matches!(&questions("source-port")[..], [Question::Wrong { .. }]));
    }

    #[test]
    fn icmp_types() {
        for text in ["icmp 3/4", "icmp/3/4", "icmp type 3 code 4", "icmp 3 4", "icmp 3:4", "icmp.3.4 icmp 3/4"] {
            assert_eq!(questions(text).last(), Some(&icmp(3, Some(4), false)), "{text}");
        }
        assert_eq!(questions("icmp port 11"), [icmp(11, None, true)]);
        assert_eq!(questions("icmp 8"), [icmp(8, None, false)]);
        assert!(matches!(&questions("icmp 300")[..], [Question::Wrong { .. }]));
        assert!(matches!(&questions("icmp 1/2/3")[..], [Question::Wrong { .. }]));
    }

    #[test]
    fn several_at_once() {
        let words: Vec<String> = ["tcp/113", "udp", "137", "10.1.2.3,", "source-route"].map(str::to_owned).into();
        assert_eq!(
            parse(&words),
            [
                port(Some(PortProto::Tcp), Side::Destination, 113),
                port(Some(PortProto::Udp), Side::Destination, 137),
                Question::Address("10.1.2.3".parse().unwrap()),
                Question::Word("source-route".to_owned()),
            ]
        );
        assert!(matches!(&questions("  ")[..], [Question::Wrong { .. }]));
        let [one, other] = [1, 2].map(|last| format!("SRC=198.18.0.{last} PROTO=TCP DPT=23"));
        assert_eq!(questions(&format!("{one}\n \n{other}\n\n")), [Question::LogLine(one), Question::LogLine(other)]);
        assert_eq!(questions("fe80::1"), [Question::Address("fe80::1".parse().unwrap())]);
    }
}
