//! What a payload was recognised as.

/// The most characters of a received text that are shown.
const SHOWN_MAX: usize = 80;

/// Every shape with its attributes: what a knowledge file may ask for.
const SHAPES: &[(&str, &[&str])] = &[
    ("dns-query", &["qtype", "qclass", "name"]),
    ("dns-answer", &["qtype", "qclass", "name", "rcode"]),
    ("dns-axfr", &["name"]),
    ("dns-version-bind", &["name"]),
    ("http-request", &["method", "target", "host"]),
    ("http-proxy-request", &["method", "target"]),
    ("http-robots", &["target"]),
    ("http-favicon", &["target"]),
    ("http-host-out-of-connection", &["host", "cookie"]),
    ("rpc-call", &["program", "procedure", "version", "wanted_program"]),
    ("smtp-expn", &["argument"]),
    ("smtp-vrfy", &["argument"]),
    ("smtp-rcpt", &["argument"]),
    ("sip", &["method", "agent", "caller", "extension"]),
    ("powwow", &[]),
    ("iiop", &[]),
    ("netbios-node-status", &[]),
    ("netbios-query", &["name"]),
    ("slammer", &[]),
    ("snmp", &["version", "community", "pdu"]),
    ("tftp-request", &["operation", "file", "mode"]),
    ("ntp-monlist", &[]),
    ("ntp", &["mode", "version"]),
    ("ntp-by-length", &[]),
    ("memcached", &["command"]),
    ("ssdp-search", &["target"]),
    ("cldap", &[]),
    ("wake-on-lan", &["address"]),
    ("ssh-banner", &["software"]),
    ("tls-client-hello", &["server_name"]),
    ("quic-initial", &["version"]),
];

/// The attributes of a shape, `None` where there is no such shape.
pub fn attributes_of(shape: &str) -> Option<&'static [&'static str]> {
    SHAPES.iter().find(|(name, _)| *name == shape).map(|(_, attributes)| *attributes)
}

/// A payload, recognised.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Name of the shape.
    pub name: &'static str,
    attributes: Vec<(&'static str, String)>,
    /// What it says, in words; escaped.
    pub detail: String,
}

impl Shape {
    /// A shape without attributes.
    pub fn new(name: &'static str, detail: impl Into<String>) -> Self {
        debug_assert!(attributes_of(name).is_some(), "{name} is not in the table of shapes");
        Shape { name, attributes: Vec::new(), detail: detail.into() }
    }

    /// Adds an attribute.
    pub fn with(mut self, attribute: &'static str, value: impl ToString) -> Self {
        debug_assert!(attributes_of(self.name).is_some_and(|known| known.contains(&attribute)));
        self.attributes.push((attribute, value.to_string()));
        self
    }

    /// The value of an attribute, where the payload has it.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// Received bytes as a text that cannot alter a terminal or a report: printable ASCII stays, all else is written as an escape, and
/// a long text is cut.
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        if text.len() >= SHOWN_MAX {
            text.push('…');
            break;
        }
        match byte {
            b'\\' => text.push_str("\\\\"),
            0x20..=0x7e => text.push(char::from(*byte)),
            _ => text.push_str(&byte.escape_ascii().to_string()),
        }
    }
    text
}

/// A text of somebody else's as it may be shown: nothing in it can alter a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
