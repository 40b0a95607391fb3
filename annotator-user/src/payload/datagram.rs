//! Binary protocols of which the first bytes tell enough.

use super::Payload;
use super::cursor::Cursor;
use super::shape::{Shape, escaped};

/// Bytes of Slammer's packet behind the UDP header (CERT CA-2003-04).
const SLAMMER_LENGTH: u32 = 376;

/// Bytes of an Ethernet address.
const HARDWARE_ADDRESS: usize = 6;
/// How often a magic packet repeats the address.
const MAGIC_REPEATS: usize = 16;
/// Echo and discard, to which magic packets go by custom.
const WAKING_PORTS: [u16; 2] = [7, 9];
/// Lengths of magic packets that hold nothing else: with no password, and with one.
const WAKING_LENGTHS: [u32; 3] = [102, 106, 108];

/// The worm Slammer: one packet, a request that overflows the server.
pub fn slammer(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    if !payload.tcp && payload.length == SLAMMER_LENGTH && payload.bytes.first() == Some(&0x04) {
        shapes.push(Shape::new("slammer", "376 bytes that begin with 0x04"));
    }
}

/// An element of BER (X.690): its tag and as much of its contents as there is. Lengths of more than two bytes do not occur in what is read here.
fn element<'a>(cursor: &mut Cursor<'a>) -> Option<(u8, Cursor<'a>)> {
    let tag = cursor.u8()?;
    let length = match cursor.u8()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(cursor.u8()?),
        0x82 => usize::from(cursor.be16()?),
        0x84 => cursor.be32()? as usize,
        _ => return None,
    };
    let there = length.min(cursor.0.len());
    Some((tag, Cursor(cursor.take(there)?)))
}

const BER_INTEGER: u8 = 0x02;
const BER_STRING: u8 = 0x04;
const BER_SEQUENCE: u8 = 0x30;
/// LDAP's search request (RFC 4511 §4.5.1).
const LDAP_SEARCH: u8 = 0x63;

/// SNMP with its community (RFC 1157, RFC 1901); version 3 has none.
pub fn snmp(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    let Some((version, community, pdu)) = snmp_header(payload.bytes) else { return };
    let name = match version {
        0 => "1",
        1 => "2c",
        _ => "3",
    };
    let mut shape = match community {
        Some(community) => Shape::new("snmp", format!("SNMP version {name}, community '{community}'"))
            .with("version", name)
            .with("community", community),
        None => Shape::new("snmp", format!("SNMP version {name}")).with("version", name),
    };
    if let Some(pdu) = pdu {
        shape = shape.with("pdu", pdu);
    }
    shapes.push(shape);
}

/// Version, community and what kind of message it is (RFC 1157 §4.1, RFC 3416 §3).
fn snmp_header(bytes: &[u8]) -> Option<(u8, Option<String>, Option<&'static str>)> {
    let (BER_SEQUENCE, mut message) = element(&mut Cursor(bytes))? else { return None };
    let (BER_INTEGER, version) = element(&mut message)? else { return None };
    let [version @ (0 | 1 | 3)] = *version.0 else { return None };
    if version == 3 {
        return Some((version, None, None));
    }
    let (BER_STRING, community) = element(&mut message)? else { return None };
    let pdu = message.u8().and_then(|tag| match tag {
        0xa0 => Some("get"),
        0xa1 => Some("get-next"),
        0xa2 => Some("response"),
        0xa3 => Some("set"),
        0xa4 | 0xa6 | 0xa7 => Some("trap"),
        0xa5 => Some("get-bulk"),
        0xa8 => Some("report"),
        _ => None,
    });
    Some((version, Some(escaped(community.0)), pdu))
}

/// A magic packet (AMD, Magic Packet Technology, 1995): six bytes of ones and the hardware address sixteen times, wherever in the payload.
pub fn wake_on_lan(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    let Some(address) = woken(payload.bytes, payload.length).filter(|_| !payload.tcp) else { return };
    if address.len() == HARDWARE_ADDRESS {
        let address = address.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
        shapes.push(Shape::new("wake-on-lan", format!("for {address}")).with("address", address));
    } else if WAKING_PORTS.contains(&payload.destination_port) {
        shapes.push(Shape::new("wake-on-lan", "by its length; the capture does not hold for whom"));
    }
}

/// The hardware address that a magic packet is to wake, or as much of it as a capture holds: of a packet that is cut, its beginning and its length must do.
pub fn woken(bytes: &[u8], length: u32) -> Option<&[u8]> {
    const MAGIC: usize = HARDWARE_ADDRESS * (1 + MAGIC_REPEATS);
    if bytes.len() < MAGIC && WAKING_LENGTHS.contains(&length) {
        return address_in(bytes);
    }
    bytes.windows(MAGIC).find_map(address_in)
}

fn address_in(magic: &[u8]) -> Option<&[u8]> {
    let (ones, addresses) = magic.split_at(HARDWARE_ADDRESS.min(magic.len()));
    let first = &addresses[..HARDWARE_ADDRESS.min(addresses.len())];
    let are_ones = ones.iter().all(|byte| *byte == 0xff);
    let is_repeated = addresses.chunks(HARDWARE_ADDRESS).all(|address| first.starts_with(address));
    (are_ones && is_repeated && first != [0xff; HARDWARE_ADDRESS]).then_some(first)
}

/// Searches of LDAP over UDP, with which clients find a domain controller.
pub fn cldap(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    let is_search = || {
        let (BER_SEQUENCE, mut message) = element(&mut Cursor(payload.bytes))? else { return None };
        let (BER_INTEGER, _) = element(&mut message)? else { return None };
        (message.u8()? == LDAP_SEARCH).then_some(())
    };
    if !payload.tcp && is_search().is_some() {
        shapes.push(Shape::new("cldap", "LDAP search over UDP"));
    }
}

/// TFTP read and write requests (RFC 1350).
pub fn tftp(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    let request = || {
        let mut cursor = Cursor(payload.bytes);
        let operation = match cursor.be16()? {
            1 => "read",
            2 => "write",
            _ => return None,
        };
        let mut texts = cursor.0.split(|byte| *byte == 0);
        let file = texts.next().filter(|file| !file.is_empty())?;
        let mode = texts.next()?;
        let known = ["netascii", "octet", "mail"].iter().any(|known| mode.eq_ignore_ascii_case(known.as_bytes()));
        known.then(|| (operation, escaped(file), escaped(mode)))
    };
    if let (false, Some((operation, file, mode))) = (payload.tcp, request()) {
        shapes.push(
            Shape::new("tftp-request", format!("{operation} '{file}' ({mode})"))
                .with("operation", operation)
                .with("file", file)
                .with("mode", mode),
        );
    }
}

/// A time packet (RFC 5905 §7.3); control messages have 12 bytes, private ones 8.
const NTP_LENGTH: u32 = 48;
const NTP_CONTROL: u8 = 6;
const NTP_CONTROL_LENGTH: u32 = 12;
const NTP_PRIVATE: u8 = 7;
const NTP_PRIVATE_LENGTH: u32 = 8;
/// Lengths of control messages without contents, and of time packets without and with proof of their origin (RFC 5905 §7.3, RFC 8573).
const NTP_LENGTHS: [u32; 4] = [NTP_CONTROL_LENGTH, NTP_LENGTH, 68, 72];
/// MON_GETLIST and MON_GETLIST_1 of ntpd's private mode.
const MONLIST: [u8; 2] = [20, 42];

/// NTP, with monlist told apart.
pub fn ntp(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    let Some(&first) = payload.bytes.first() else {
        if !payload.tcp && NTP_LENGTHS.contains(&payload.length) {
            let detail = format!(
                "{} bytes as in a request for the time or for the state of its server; the capture does not hold them",
                payload.length
            );
            shapes.push(Shape::new("ntp-by-length", detail));
        }
        return;
    };
    let (version, mode) = (first >> 3 & 7, first & 7);
    let shortest = match mode {
        NTP_CONTROL => NTP_CONTROL_LENGTH,
        NTP_PRIVATE => NTP_PRIVATE_LENGTH,
        _ => NTP_LENGTH,
    };
    if payload.tcp || !(1..=4).contains(&version) || payload.length < shortest {
        return;
    }
    let is_answer = mode == NTP_PRIVATE && first & 0x80 != 0;
    if mode == NTP_PRIVATE && !is_answer && payload.bytes.get(3).is_some_and(|request| MONLIST.contains(request)) {
        shapes.push(Shape::new("ntp-monlist", "private request for the list of clients (monlist)"));
        return;
    }
    const MODES: [&str; 8] =
        ["reserved", "symmetric active", "symmetric passive", "client", "server", "broadcast", "control", "private"];
    let name = MODES[usize::from(mode)];
    shapes.push(
        Shape::new("ntp", format!("NTP version {version}, mode {mode} ({name})"))
            .with("mode", mode)
            .with("version", version),
    );
}

/// Memcached's text commands; over UDP behind a header of 8 bytes whose last two are 0.
pub fn memcached(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    let text = if payload.tcp {
        payload.bytes
    } else {
        match payload.bytes.split_at_checked(8) {
            Some(([.., 0, 0], text)) => text,
            _ => return,
        }
    };
    let commands: [&[u8]; 9] =
        [b"stats", b"get ", b"gets ", b"gat ", b"set ", b"add ", b"version", b"flush_all", b"delete "];
    if let Some(command) = commands.into_iter().find(|command| text.starts_with(command)) {
        let command = escaped(command.trim_ascii());
        shapes.push(Shape::new("memcached", format!("memcached command {command}")).with("command", command));
    }
}

const TLS_HANDSHAKE: u8 = 22;
const TLS_CLIENT_HELLO: u8 = 1;
const TLS_SERVER_NAME: u16 = 0;

/// The first message of TLS (RFC 8446 §4.1.2), with the name of the server that is wanted.
pub fn tls(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    let mut cursor = Cursor(payload.bytes);
    let mut is_hello = || {
        let record = cursor.take(5)?;
        let hello = cursor.take(4)?;
        (record[0] == TLS_HANDSHAKE && record[1] == 3 && hello[0] == TLS_CLIENT_HELLO).then_some(())
    };
    if !payload.tcp || is_hello().is_none() {
        return;
    }
    shapes.push(match server_name(cursor) {
        Some(name) => Shape::new("tls-client-hello", format!("TLS for {name}")).with("server_name", name),
        None => Shape::new("tls-client-hello", "TLS client hello"),
    });
}

/// The server name of a client hello (RFC 6066 §3), where the sample reaches that far.
fn server_name(mut hello: Cursor<'_>) -> Option<String> {
    hello.take(2 + 32)?;
    let session = hello.u8()?;
    hello.take(usize::from(session))?;
    let suites = hello.be16()?;
    hello.take(usize::from(suites))?;
    let compressions = hello.u8()?;
    hello.take(usize::from(compressions))?;
    let _extensions = hello.be16()?;
    loop {
        let (kind, length) = (hello.be16()?, hello.be16()?);
        if kind == TLS_SERVER_NAME {
            hello.take(3)?;
            let length = hello.be16()?;
            return hello.take(usize::from(length)).map(escaped);
        }
        hello.take(usize::from(length))?;
    }
}

/// QUIC versions 1 and 2 (RFC 9000, RFC 9369), of which the Initial packet has another type number.
const QUIC_1: u32 = 1;
const QUIC_2: u32 = 0x6b33_43cf;

/// The packet that opens a QUIC connection.
pub fn quic(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    let version = || {
        let mut cursor = Cursor(payload.bytes);
        let first = cursor.u8()?;
        let version = cursor.be32()?;
        let kind = first >> 4 & 3;
        let is_initial = matches!((version, kind), (QUIC_1, 0) | (QUIC_2, 1));
        let id_length = cursor.u8()?;
        (first >> 6 == 3 && is_initial && id_length <= 20).then_some(version)
    };
    if let (false, Some(version)) = (payload.tcp, version()) {
        let number = if version == QUIC_1 { 1 } else { 2 };
        shapes.push(Shape::new("quic-initial", format!("QUIC version {number}")).with("version", number));
    }
}
