//! The routes in IPv4 options (RFC 791 §3.1): by way of whom a packet should go, or went.

use std::net::Ipv4Addr;

use annotator_common::parse::options::{LOOSE_SOURCE_ROUTE, RECORD_ROUTE, STRICT_SOURCE_ROUTE};
use annotator_common::{Flag, Flags};

use super::cursor::Cursor;
use crate::observation::Sighting;

const END_OF_LIST: u8 = 0;
const NO_OPERATION: u8 = 1;
/// Bytes of an IPv4 header before its options.
const HEADER: usize = 20;
/// Bytes of a route option before its addresses: type, length, pointer.
const BEFORE_ADDRESSES: usize = 3;
/// Flags of packets that have a route.
const ROUTES: Flags = Flags::of(&[Flag::SourceRoute, Flag::RecordRoute]);

/// What each route option of a packet says: `loose source route (option 131) by way of 198.51.100.7`.
pub fn routes(sighting: &Sighting) -> Vec<String> {
    if !sighting.packet.flags.intersects(ROUTES) {
        return Vec::new();
    }
    let header = sighting.bytes.get(sighting.packet.network as usize..).unwrap_or_default();
    let length = header.first().map_or(0, |first| usize::from(first & 0xf) * 4);
    described(header.get(HEADER..length).unwrap_or_default())
}

/// Of a list of options, as far as it is sound.
fn described(options: &[u8]) -> Vec<String> {
    let mut list = Cursor(options);
    let mut found = Vec::new();
    while let Some(kind) = list.u8().filter(|kind| *kind != END_OF_LIST) {
        if kind == NO_OPERATION {
            continue;
        }
        let name = match kind {
            RECORD_ROUTE => "record route (option 7)",
            LOOSE_SOURCE_ROUTE => "loose source route (option 131)",
            STRICT_SOURCE_ROUTE => "strict source route (option 137)",
            _ => "",
        };
        let body = list.u8().and_then(|length| list.take(usize::from(length).checked_sub(2)?));
        if !name.is_empty() {
            found.push(format!("{name}{}", by_way_of(kind, body.unwrap_or_default())));
        }
        if body.is_none() {
            break;
        }
    }
    found
}

/// The addresses behind the pointer. Those that a record has room for and that no router has filled in are not listed.
fn by_way_of(kind: u8, body: &[u8]) -> String {
    let Some((pointer, addresses)) = body.split_first() else { return String::new() };
    let filled = usize::from(*pointer).saturating_sub(BEFORE_ADDRESSES + 1);
    let listed = if kind == RECORD_ROUTE { addresses.get(..filled).unwrap_or(addresses) } else { addresses };
    let addresses: Vec<String> =
        listed.as_chunks::<4>().0.iter().map(|bytes| Ipv4Addr::from(*bytes).to_string()).collect();
    if addresses.is_empty() { String::new() } else { format!(" by way of {}", addresses.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_as_far_as_they_are_sound() {
        for (options, expected) in [
            (
                &[1, 131, 11, 4, 198, 51, 100, 7, 203, 0, 113, 9][..],
                "loose source route (option 131) by way of 198.51.100.7, 203.0.113.9",
            ),
            (&[137, 7, 4, 198, 51, 100, 7, 0], "strict source route (option 137) by way of 198.51.100.7"),
            (&[7, 11, 8, 198, 51, 100, 7, 0, 0, 0, 0, 0], "record route (option 7) by way of 198.51.100.7"),
            (&[7, 7, 4, 0, 0, 0, 0, 0], "record route (option 7)"),
            (&[137, 40, 4, 198], "strict source route (option 137)"),
            (&[131, 1], "loose source route (option 131)"),
            (&[131], "loose source route (option 131)"),
            (&[68, 4, 5, 0, 0, 131, 3, 4], ""),
        ] {
            assert_eq!(described(options).join("; "), expected, "{options:?}");
        }
    }
}
