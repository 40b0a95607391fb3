//! Who sends.

use crate::report::SourceRow;
use crate::top::listing::{Cell, Listing};
use crate::write::phrases::{SOURCE_COLUMNS, about, ttl};

pub fn listing(sources: &[SourceRow]) -> Listing {
    let mut listing = Listing::new(&SOURCE_COLUMNS, 0, 26);
    for row in sources {
        let address = row.address.to_string();
        let cells = vec![
            Cell::words(&address),
            Cell::number(row.packets),
            Cell::number(row.syn),
            Cell::number(row.udp),
            Cell::number(row.icmp),
            Cell::ranked(&about(row.ports_about), row.ports_about.into()),
            Cell::ranked(&about(row.destinations_about), row.destinations_about.into()),
            Cell::ranked(&ttl(row), row.ttl_high.into()),
            Cell::number(row.rst),
            Cell::number(row.fin),
        ];
        listing.row(address, None, cells);
    }
    listing
}
