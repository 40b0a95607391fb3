//! What was given tells more than what was asked for.

use annotator::finding::{Finding, Verdict};
use annotator::observation::Locality;

use crate::frames::{self, Packet, flag};
use crate::single::dns;
use crate::stimulus::{findings, tells};

/// The ids of what worries somebody.
fn loud(found: &[Finding]) -> Vec<&str> {
    let loud = found.iter().filter(|finding| finding.verdict > Verdict::Background);
    loud.map(|finding| finding.id.as_str()).collect()
}

/// A transfer, after which its asker acknowledges so many bytes.
fn transfer(bytes: u32) -> Vec<Packet> {
    const FIRST: u32 = u32::MAX - 100;
    let question = dns(0, 252, 1, "example.com");
    let question = [&(question.len() as u16).to_be_bytes()[..], &question].concat();
    let sent = |flags: u8, payload: &[u8], acknowledged: u32| {
        frames::tcp(40000, 53, flags, payload).acknowledging(FIRST.wrapping_add(acknowledged))
    };
    vec![
        frames::tcp(40000, 53, flag::SYN, &[]),
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
    for refused in [0, 31, 500] {
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

/// Who signs on, and what he is told, in turn.
fn telephone(answers: &[&str]) -> Vec<Packet> {
    let send = |method: &str| {
        let text = format!("{method} sip:198.19.1.20 SIP/2.0\r\nUser-Agent: Yealink\r\n\r\n");
        frames::udp(5062, 5060, text.as_bytes())
    };
    let answer = |status: &str| {
        let text = format!("SIP/2.0 {status}\r\n");
        frames::udp(5060, 5062, text.as_bytes()).from(frames::US).to(frames::STRANGER)
    };
    let mut packets = Vec::new();
    for status in answers {
        packets.extend([send("REGISTER"), answer("100 Trying"), answer(status)]);
    }
    packets.extend([send("OPTIONS"), answer("200 OK"), send("INVITE"), answer("200 OK")]);
    packets
}

#[test]
fn telephones_that_are_let_in_are_no_scanners() {
    let told = |answers: &[&str]| loud(&findings(&telephone(answers), &Locality::default())).join(" ");
    let password = "401 Unauthorized";
    assert_eq!(told(&[password, "200 OK", password, "200 OK"]), "");
    assert!(tells(&findings(&telephone(&[password, "200 OK"]), &Locality::default()), "payload.sip.admitted"));
    for guesses in [&[password][..], &[password, "403 Forbidden", "403 Forbidden", password, "200 OK"], &[]] {
        assert_eq!(told(guesses), "payload.sip", "{guesses:?}");
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
