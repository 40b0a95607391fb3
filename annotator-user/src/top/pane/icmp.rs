//! ICMP types and codes.

use crate::report::IcmpRow;
use crate::top::listing::{Cell, Listing};
use crate::write::table::Align;

pub fn listing(rows: &[IcmpRow]) -> Listing {
    let columns =
        [("type/code", Align::Left), ("name", Align::Left), ("packets", Align::Right), ("bytes", Align::Right)];
    let mut listing = Listing::new(&columns, 1, 20);
    for row in rows {
        let protocol = if row.family == 6 { "icmpv6" } else { "icmp" };
        let asked = format!("{protocol} {}/{}", row.icmp_type, row.code);
        let cells = vec![
            Cell::words(&asked),
            Cell::words(row.name.unwrap_or("-")),
            Cell::number(row.packets),
            Cell::bytes(row.bytes),
        ];
        listing.row(asked, None, cells);
    }
    listing
}
