//! Protocols.

use crate::report::ProtocolRow;
use crate::top::listing::{Cell, Listing};
use crate::write::table::Align;

pub fn listing(rows: &[ProtocolRow]) -> Listing {
    let columns =
        [("protocol", Align::Left), ("over", Align::Left), ("packets", Align::Right), ("bytes", Align::Right)];
    let mut listing = Listing::new(&columns, 0, 12);
    for row in rows {
        let over = match row.family {
            4 => "IPv4",
            6 => "IPv6",
            _ => "-",
        };
        let cells = vec![Cell::words(&row.name), Cell::words(over), Cell::number(row.packets), Cell::bytes(row.bytes)];
        listing.row(format!("{} {over}", row.name), None, cells);
    }
    listing
}
