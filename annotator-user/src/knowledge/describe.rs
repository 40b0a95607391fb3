//! A [`Match`] in words.

use super::schema::{Destination, Embedded, FamilyNumber, Match, PayloadMatch, Prefixes, Segment, Source, Wanted};

impl Match {
    /// When it holds, in words: "udp to port 137 from port 137".
    pub fn describe(&self) -> String {
        let mut words = Vec::new();
        match (self.family, self.proto) {
            (Some(family), Some(proto)) => words.push(format!("{proto} over {}", name(family))),
            (Some(family), None) => words.push(name(family).to_owned()),
            (None, Some(proto)) => words.push(proto.to_string()),
            (None, None) => {}
        }
        let sets = [
            (self.dst_port.as_ref(), "to port"),
            (self.dst_port_not.as_ref(), "to other ports than"),
            (self.src_port.as_ref(), "from port"),
            (self.src_port_not.as_ref(), "from other ports than"),
        ];
        words.extend(sets.into_iter().filter_map(|(set, phrase)| Some(format!("{phrase} {}", set?))));
        words.extend(self.icmp_type.as_ref().map(|set| format!("type {set}")));
        words.extend(self.icmp_code.as_ref().map(|set| format!("code {set}")));
        words.extend(self.segment.map(|segment| match segment {
            Segment::Syn => "SYN".to_owned(),
            Segment::SynAck => "SYN-ACK".to_owned(),
            Segment::Fin => "FIN".to_owned(),
            Segment::Rst => "RST".to_owned(),
            Segment::Ack => "ACK without SYN, FIN and RST".to_owned(),
            Segment::Any => "whatever its flags".to_owned(),
        }));
        words.extend(self.src.as_ref().map(|source| match source {
            Source::Local => "from the local network".to_owned(),
            Source::Home => "from an address or a network of ours".to_owned(),
            Source::In(prefixes) => format!("from {}", list(prefixes)),
        }));
        words.extend(self.dst.as_ref().map(|destination| match destination {
            Destination::Broadcast => "to a broadcast address".to_owned(),
            Destination::LimitedBroadcast => "to 255.255.255.255".to_owned(),
            Destination::DirectedBroadcast => "to a subnet's broadcast address".to_owned(),
            Destination::Multicast => "to a multicast address".to_owned(),
            Destination::Unicast => "to a single host".to_owned(),
            Destination::In(prefixes) => format!("to {}", list(prefixes)),
        }));
        for (flags, phrase) in [(self.flags.0, "with"), (self.flags_not.0, "without")] {
            let names: Vec<&str> = flags.iter().map(annotator_common::Flag::name).collect();
            if !names.is_empty() {
                words.push(format!("{phrase} {}", names.join(", ")));
            }
        }
        words.extend(self.payload.as_ref().map(PayloadMatch::describe));
        words.extend(self.embedded.as_ref().map(Embedded::describe));
        words.extend(self.answered.map(|answered| {
            let both = if answered { "where the other side answers" } else { "where no answer is seen" };
            both.to_owned()
        }));
        words.extend(self.asked.map(|asked| {
            let first = if asked { "that was asked for" } else { "that nobody was seen asking for" };
            first.to_owned()
        }));
        words.extend(self.listening.map(|listening| {
            let here = if listening { "where a program listens" } else { "where nothing listens" };
            here.to_owned()
        }));
        words.extend(self.regular.map(|regular| {
            let pace = if regular { "the same again and again, at even intervals" } else { "not at even intervals" };
            pace.to_owned()
        }));
        words.extend(self.received.map(|bytes| format!("whose source acknowledges {bytes} bytes and more in return")));
        words.extend(self.guesses.map(|guesses| {
            let whom = if guesses { "from one who guesses" } else { "from one who does not guess" };
            whom.to_owned()
        }));
        words.join(" ")
    }
}

impl PayloadMatch {
    fn describe(&self) -> String {
        let mut text = format!("whose payload is {}", self.shape);
        for (attribute, wanted) in &self.attributes {
            text.push_str(&format!(", {} {}", attribute.replace('_', " "), wanted.describe()));
        }
        text
    }
}

impl Wanted {
    fn describe(&self) -> String {
        match self {
            Wanted::Number(number) => number.to_string(),
            Wanted::Text(text) => text.clone(),
            Wanted::AnyOf(any) => any.iter().map(Wanted::describe).collect::<Vec<_>>().join(" or "),
        }
    }
}

impl Embedded {
    fn describe(&self) -> String {
        let mut words = vec!["about a packet".to_owned()];
        words.extend(self.proto.map(|proto| format!("of {proto}")));
        words.extend(self.src_port.as_ref().map(|set| format!("from port {set}")));
        words.extend(self.dst_port.as_ref().map(|set| format!("to port {set}")));
        words.join(" ")
    }
}

fn name(family: FamilyNumber) -> &'static str {
    match family {
        FamilyNumber::V4 => "IPv4",
        FamilyNumber::V6 => "IPv6",
    }
}

fn list(prefixes: &Prefixes) -> String {
    let texts: Vec<String> = prefixes.0.iter().map(|prefix| format!("{}/{}", prefix.address, prefix.bits)).collect();
    texts.join(", ")
}
