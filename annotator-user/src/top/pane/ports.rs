//! Ports at either end.

use crate::report::PortRow;
use crate::top::listing::{Cell, Listing};
use crate::write::table::Align;

pub fn listing(ports: &[PortRow]) -> Listing {
    let columns = [
        ("port", Align::Left),
        ("side", Align::Left),
        ("service", Align::Left),
        ("packets", Align::Right),
        ("bytes", Align::Right),
        ("SYN", Align::Right),
    ];
    let mut listing = Listing::new(&columns, 2, 12);
    for row in ports {
        let (side, asked) = match row.side {
            "src" => ("from", format!("source-port {} {}", row.proto, row.port)),
            _ => ("to", format!("{}/{}", row.proto, row.port)),
        };
        let cells = vec![
            // Ports are looked for from the lowest on, and others rank from the highest.
            Cell::ranked(&format!("{}/{}", row.proto, row.port), u64::from(u16::MAX - row.port)),
            Cell::words(side),
            Cell::words(row.service.as_deref().unwrap_or("-")),
            Cell::number(row.packets),
            Cell::bytes(row.bytes),
            if row.proto == "tcp" { Cell::number(row.syn) } else { Cell::ranked("", 0) },
        ];
        listing.row(asked, None, cells);
    }
    listing
}
