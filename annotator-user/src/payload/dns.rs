//! DNS (RFC 1035) over UDP and, behind two bytes of length, over TCP.
//!
//! `domain` reads the header and the questions on demand, so an answer that the sample cuts is read as far as it goes, and it follows compressed
//! names without looping.

use domain::base::iana::{Class, Opcode, Rtype};
use domain::base::{Message, Name, ParsedName, ToName};

use super::Payload;
use super::shape::{Shape, escaped};
use crate::quantity::count;

/// Questions that a message of a working program has; more is garbage.
const QUESTIONS_MAX: u16 = 4;

/// Queries and answers, zone transfers and questions for the server's version.
pub fn read(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    let bytes = if payload.tcp { payload.bytes.get(2..).unwrap_or_default() } else { payload.bytes };
    let Ok(message) = Message::from_slice(bytes) else { return };
    let header = message.header();
    let questions = message.header_counts().qdcount();
    if header.z() || !(1..=QUESTIONS_MAX).contains(&questions) {
        return;
    }
    let Some(Ok(question)) = message.question().next() else { return };
    let name = shown(question.qname());
    let (qtype, qclass) = (question.qtype(), question.qclass());
    let kind = format!("{name} {qclass} {qtype}");
    let shape = |shape_name, detail: String| {
        Shape::new(shape_name, detail).with("name", &name).with("qtype", qtype.to_int()).with("qclass", qclass.to_int())
    };
    if header.qr() {
        let rcode = header.rcode();
        let answers = count(message.header_counts().ancount().into(), "record");
        shapes.push(
            shape("dns-answer", format!("answer {rcode} with {answers} to {kind}")).with("rcode", rcode.to_int()),
        );
        return;
    }
    shapes.push(shape("dns-query", format!("question {kind}")));
    if qtype == Rtype::AXFR {
        shapes.push(Shape::new("dns-axfr", format!("transfer of the zone {name}")).with("name", &name));
    }
    let version_names = ["version.bind.", "version.server.", "id.server.", "hostname.bind."];
    if qclass == Class::CH && version_names.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        shapes.push(Shape::new("dns-version-bind", format!("question {kind}")).with("name", &name));
    }
}

/// A name with its final dot, escaped.
fn shown(name: &ParsedName<&[u8]>) -> String {
    let name: Name<Vec<u8>> = name.to_name();
    escaped(name.fmt_with_dot().to_string().as_bytes())
}

/// Whether a message asks a server for records of the Internet that it has, and for no search elsewhere: some of one name, and not of the root, which any
/// server may answer with more than it was asked.
pub fn asks_for_own_records(bytes: &[u8]) -> bool {
    let Ok(message) = Message::from_slice(bytes) else { return false };
    let header = message.header();
    let Some(Ok(question)) = message.question().next() else { return false };
    let asks = !header.qr() && !header.rd() && header.opcode() == Opcode::QUERY;
    asks && question.qclass() == Class::IN && question.qtype() != Rtype::ANY && !question.qname().is_root()
}

/// What pairs a question with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Message id.
    pub id: u16,
    /// Whether it is an answer.
    pub is_answer: bool,
    /// The question's name, escaped and in lower case.
    pub name: String,
}

impl Identity {
    /// The identity of a message over UDP.
    pub fn of(bytes: &[u8]) -> Option<Identity> {
        let message = Message::from_slice(bytes).ok()?;
        let question = message.question().next()?.ok()?;
        let header = message.header();
        Some(Identity { id: header.id(), is_answer: header.qr(), name: shown(question.qname()).to_ascii_lowercase() })
    }
}
