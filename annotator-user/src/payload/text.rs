//! Protocols that begin with a line of text: HTTP, SMTP, SIP, SSDP, SSH, and the letters of PowWow and IIOP.

use super::Payload;
use super::shape::{Shape, escaped};

/// Headers of an HTTP request that are read.
const HEADERS_MAX: usize = 32;

/// Methods of HTTP (RFC 9110 §9, RFC 5789, RFC 4918): other first words are another protocol.
const HTTP_METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PROPFIND"];

/// HTTP requests. `httparse` reads what there is of a cut one.
pub fn http(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    if !payload.tcp {
        return;
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(payload.bytes);
    let (Some(method), Some(target)) = (request.method, request.path) else { return };
    // A version that is not HTTP's is another protocol; all other faults lie behind what is read here.
    if matches!(parsed, Err(httparse::Error::Version)) || !HTTP_METHODS.contains(&method) {
        return;
    }
    let host = request
        .headers
        .iter()
        .take_while(|header| !header.name.is_empty())
        .find(|header| header.name.eq_ignore_ascii_case("host"));
    let target_shown = escaped(target.as_bytes());
    let detail = match host {
        Some(host) => format!("{method} {target_shown} (Host: {})", escaped(host.value)),
        None => format!("{method} {target_shown}"),
    };
    let mut shape = Shape::new("http-request", &detail).with("method", method).with("target", &target_shown);
    if let Some(host) = host {
        shape = shape.with("host", escaped(host.value));
    }
    shapes.push(shape);
    let path = target.split('?').next().unwrap_or_default();
    let lower = target.to_ascii_lowercase();
    if method == "CONNECT" || ["http://", "https://", "ftp://"].iter().any(|scheme| lower.starts_with(scheme)) {
        shapes.push(Shape::new("http-proxy-request", &detail).with("method", method).with("target", &target_shown));
    }
    if path == "/robots.txt" {
        shapes.push(Shape::new("http-robots", &detail).with("target", &target_shown));
    }
    if path == "/favicon.ico" {
        shapes.push(Shape::new("http-favicon", &detail).with("target", &target_shown));
    }
    if let (true, Some(host)) = (payload.syn, host) {
        let shape = Shape::new("http-host-out-of-connection", &detail).with("host", escaped(host.value));
        shapes.push(if payload.fast_open { shape.with("cookie", "fast-open") } else { shape });
    }
}

/// The SMTP commands that ask about addresses or offer mail (RFC 5321 §4.1). Clients may send several lines at once.
pub fn smtp(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    if !payload.tcp {
        return;
    }
    for line in payload.bytes.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        for (command, name) in [("EXPN ", "smtp-expn"), ("VRFY ", "smtp-vrfy"), ("RCPT TO:", "smtp-rcpt")] {
            let Some((start, argument)) = line.split_at_checked(command.len()) else { continue };
            if start.eq_ignore_ascii_case(command.as_bytes()) {
                let argument = escaped(argument.trim_ascii());
                shapes.push(
                    Shape::new(name, format!("{command} {argument}").replace("  ", " ")).with("argument", argument),
                );
            }
        }
    }
}

/// SIP requests (RFC 3261 §7.1): `METHOD sip:… SIP/2.0`.
pub fn sip(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    let line = first_line(payload.bytes);
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), version) = (words.next(), words.next(), words.next()) else { return };
    let is_uri = starts_with(target, b"sip:") || starts_with(target, b"sips:") || starts_with(target, b"tel:");
    let is_method = !method.is_empty() && method.iter().all(u8::is_ascii_uppercase);
    // The line may be cut before the version.
    let is_version = version.is_none_or(|version| starts_with(version, b"SIP/") || b"SIP/".starts_with(version));
    if is_uri && is_method && is_version {
        let method = escaped(method);
        let mut shape = Shape::new("sip", format!("{method} {}", escaped(target))).with("method", method);
        if let Some(agent) = header(payload.bytes, b"User-Agent:") {
            let product = agent.split(|byte| *byte == b'/').next().unwrap_or_default();
            shape = shape.with("agent", escaped(product.trim_ascii()));
        }
        let from = sip_headers(payload.bytes, b"From:", b"f:").next();
        let to = || sip_headers(payload.bytes, b"To:", b"t:").next();
        if let Some(from) = from {
            let name = from.split(|byte| *byte == b'<').next().unwrap_or_default().trim_ascii();
            shape = shape.with("caller", escaped(name).trim_matches('"'));
        }
        let caller = from.and_then(user);
        let extension = match shape.attribute("method") {
            // Both name whom it signs on (RFC 3261 §10.2), and a long way may stand before the one.
            Some("REGISTER") => caller.or_else(|| to().and_then(user)),
            // Who calls others has a number of his own.
            Some("INVITE") => caller.filter(|caller| user(target) == Some(caller)),
            // Who looks after telephones asks for all of them under one name of his own, which stands for none of them.
            _ => caller.filter(|_| user(target).is_some()),
        };
        if let Some(extension) = extension {
            shape = shape.with("extension", escaped(extension));
        }
        shapes.push(shape);
    }
}

/// Who has sent a SIP message on its way, the last of them first, as far as it was sampled (RFC 3261 §18.1.1).
fn sip_senders(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    sip_headers(bytes, b"Via:", b"v:").flat_map(|senders| senders.split(|byte| *byte == b','))
}

/// The values of a header of SIP under its name, and under the letter that stands for that (RFC 3261 §7.3.3).
fn sip_headers<'a>(bytes: &'a [u8], name: &'static [u8], letter: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    headers(bytes, name).chain(headers(bytes, letter))
}

/// By what the last sender of a SIP request knows what answers it (RFC 3261 §17.1.3).
pub fn sip_branch(bytes: &[u8]) -> Option<&[u8]> {
    let parameters = sip_senders(bytes).next()?.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    parameters.skip(1).find(|parameter| starts_with(parameter, b"branch="))
}

/// Where a SIP message comes from that was forwarded, as it says itself.
pub fn sip_origin(bytes: &[u8]) -> Option<&[u8]> {
    sip_senders(bytes).skip(1).last()?.split(|byte| *byte == b';').next().map(<[u8]>::trim_ascii)
}

/// SSDP searches (UPnP Device Architecture §1.3): HTTP's form over UDP.
pub fn ssdp(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    if payload.tcp || !starts_with(payload.bytes, b"M-SEARCH ") {
        return;
    }
    shapes.push(match header(payload.bytes, b"ST:").map(escaped) {
        Some(target) => Shape::new("ssdp-search", format!("M-SEARCH for {target}")).with("target", target),
        None => Shape::new("ssdp-search", "M-SEARCH"),
    });
}

/// The line with which both sides of SSH begin (RFC 4253 §4.2).
pub fn ssh(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    if payload.tcp && payload.bytes.starts_with(b"SSH-") {
        let banner = escaped(first_line(payload.bytes));
        let software = banner.splitn(3, '-').nth(2).unwrap_or_default().to_owned();
        shapes.push(Shape::new("ssh-banner", banner).with("software", software));
    }
}

/// PowWow's greeting.
pub fn powwow(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    if payload.tcp && payload.bytes.starts_with(b"OPNG") {
        shapes.push(Shape::new("powwow", escaped(first_line(payload.bytes))));
    }
}

/// The letters that CORBA programs carry in object references, or its message header (OMG IIOP).
pub fn iiop(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    if payload.bytes.windows(4).any(|letters| letters == b"IIOP") || payload.bytes.starts_with(b"GIOP\x01") {
        shapes.push(Shape::new("iiop", "the letters IIOP"));
    }
}

/// The user of a SIP address (RFC 3261 §19.1.1), if it is whole, which stands behind a name or alone. A password may stand behind the user.
fn user(address: &[u8]) -> Option<&[u8]> {
    let uri = address.rsplit(|byte| *byte == b'<').next()?;
    let rest = &uri[uri.iter().position(|byte| *byte == b':')? + 1..];
    let at = rest.iter().position(|byte| *byte == b'@')?;
    rest[..at].split(|byte| *byte == b':').next()
}

/// The value of a header, whose name ends with a colon.
fn header<'a>(bytes: &'a [u8], name: &'static [u8]) -> Option<&'a [u8]> {
    headers(bytes, name).next()
}

/// Its values, where it stands there several times.
fn headers<'a>(bytes: &'a [u8], name: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| starts_with(line, name)).map(|line| line[name.len()..].trim_ascii())
}

fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default()
}

fn starts_with(bytes: &[u8], start: &[u8]) -> bool {
    bytes.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}
