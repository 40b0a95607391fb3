//! Those who watch services here, and what comes in masses because it is wanted.

use crate::catalogue::HOME;
use crate::traffic::*;

const AWAY: &str = "116.90.231.77";

/// All of it, by what it is.
pub const WATCHED: [(&str, Fill); 9] = [
    ("A monitor elsewhere that asks by SNMP", a_monitor_elsewhere),
    ("A provider that looks whether the telephone system is there", a_provider_of_calls),
    ("A monitor, devices and a telephone elsewhere, for the first time", those_who_begin),
    ("Old mail software that asks the name server for everything", any_questions),
    ("A film over QUIC", a_film),
    ("A tunnel at full speed", a_full_tunnel),
    ("Two hundred calls at once", two_hundred_calls),
    ("A game that is played far away", a_streamed_game),
    ("Somebody who pings five times a second", a_patient_ping),
];

/// An SNMP request (RFC 1157) with a community, for a row of a table.
pub fn snmp(community: &str, row: u8) -> Vec<u8> {
    let mut message = vec![0x30, 27 + community.len() as u8, 2, 1, 1, 4, community.len() as u8];
    message.extend(community.as_bytes());
    message.extend([0xa0, 20, 2, 1, 7, 2, 1, 0, 2, 1, 0, 0x30, 9, 0x30, 7, 6, 3, 0x2b, 6, row, 5, 0]);
    message
}

/// A SIP message (RFC 3261) as exchanges send it to see whether a line is alive.
pub fn options(caller: &str) -> Vec<u8> {
    format!("OPTIONS sip:{HOME}:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {AWAY}:5060\r\nFrom: {caller}<sip:trunk@{AWAY}>\r\n")
        .into()
}

/// A DNS question for all records of a name.
pub fn any_question(id: u16, name: &str) -> Vec<u8> {
    let mut question = id.to_be_bytes().to_vec();
    question.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        question.push(label.len() as u8);
        question.extend(label.as_bytes());
    }
    question.extend([0, 0, 255, 0, 1]);
    question
}

fn a_monitor_elsewhere(scenario: &mut Scenario) {
    for round in 0..60 {
        for row in 0..20 {
            let port = 40000 + round;
            scenario.send(udp(AWAY, port, HOME, 161, &snmp("public", row)));
            scenario.send(udp(HOME, 161, AWAY, port, &snmp("public", row)));
        }
        scenario.wait(59.6);
    }
}

fn a_provider_of_calls(scenario: &mut Scenario) {
    for _ in 0..40 {
        scenario.send(udp(AWAY, 5060, HOME, 5060, &options("\"asterisk\" ")));
        scenario.send(udp(HOME, 5060, AWAY, 5060, b"SIP/2.0 200 OK\r\n")).wait(30.0);
    }
}

fn those_who_begin(scenario: &mut Scenario) {
    for (row, pdu) in (0..40).zip([0xa0, 0xa1].into_iter().cycle()) {
        let mut question = snmp("public", row);
        question[13] = pdu;
        scenario.send(udp(AWAY, 40_000, HOME, 161, &question)).send(udp(HOME, 161, AWAY, 40_000, &question));
    }
    for (number, device) in (0..5).map(|number| (number, stranger(number))) {
        scenario.send(udp(&device, 50_000, HOME, 514, format!("<134>router: link {number} is up").as_bytes()));
        let mut trap = snmp("report", number as u8);
        trap[13] = 0xa7;
        scenario.send(udp(&device, 50_001, HOME, 162, &trap));
    }
    for number in 1..5 {
        let question = [0x16, 2, 0, number, 0, 0, 0, number, 0, 0, 0, 0];
        scenario.send(udp(AWAY, 40_001, HOME, 123, &question)).send(udp(HOME, 123, AWAY, 40_001, &[0x96; 300]));
    }
    let telephone = crowd(1);
    for (request, answer) in [("REGISTER", "401 Unauthorized"), ("REGISTER", "200 OK"), ("INVITE", "180 Ringing")] {
        let request = format!("{request} sip:{HOME} SIP/2.0\r\nFrom: <sip:100@{HOME}>\r\n");
        scenario.send(udp(&telephone, 5062, HOME, 5060, request.as_bytes()));
        scenario.send(udp(HOME, 5060, &telephone, 5062, format!("SIP/2.0 {answer}\r\n").as_bytes()));
    }
}

fn any_questions(scenario: &mut Scenario) {
    scenario.locality.listening = Some([(annotator::counters::PortProto::Udp, 53)].into());
    for i in 0..60 {
        let (resolver, port) = (crowd(i % 10), 20_000 + 331 * i as u16);
        scenario.send(udp(
            &resolver,
            port,
            HOME,
            53,
            &any_question(port, ["example.com", "example.net"][i as usize % 2]),
        ));
        scenario.send(udp(HOME, 53, &resolver, port, &[0x81; 400])).wait(2.0);
    }
}

fn a_film(scenario: &mut Scenario) {
    for i in 0..6000 {
        scenario.send(udp(AWAY, 443, HOME, 51000, &content(i, 1200))).wait(-0.0097);
        if i % 10 == 0 {
            scenario.send(udp(HOME, 51000, AWAY, 443, &content(i, 40))).wait(-0.01);
        }
    }
}

fn a_full_tunnel(scenario: &mut Scenario) {
    scenario.locality.listening = Some([(annotator::counters::PortProto::Tcp, 22)].into());
    for i in 0..6000 {
        scenario.send(udp(AWAY, 51820, HOME, 51820, &content(i, 1400))).wait(-0.0097);
        scenario.send(udp(HOME, 51820, AWAY, 51820, &content(i, 90))).wait(-0.01);
    }
}

fn two_hundred_calls(scenario: &mut Scenario) {
    for i in 0..100 {
        for call in 0..200 {
            scenario.send(udp(AWAY, 30000 + 2 * call, HOME, 10000 + 2 * call, &content(i, 172))).wait(-0.01);
            scenario.send(udp(HOME, 10000 + 2 * call, AWAY, 30000 + 2 * call, &content(i, 172))).wait(-0.01);
        }
        scenario.wait(0.02);
    }
}

fn a_streamed_game(scenario: &mut Scenario) {
    for i in 0..6000 {
        scenario.send(udp(AWAY, 49003, HOME, 55123 + i % 3, &content(i.into(), 1300))).wait(-0.0096);
        if i % 20 == 0 {
            scenario.send(udp(HOME, 55123 + i % 3, AWAY, 49003, &content(i.into(), 60))).wait(-0.01);
        }
    }
}

fn a_patient_ping(scenario: &mut Scenario) {
    for _ in 0..600 {
        scenario.send(ping(AWAY, HOME)).send(icmp(HOME, AWAY, 0, 0, &[0; 32])).wait(0.18);
    }
}
