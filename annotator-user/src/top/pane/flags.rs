//! Properties of packets, most packets first.

use std::collections::BTreeMap;

use crate::top::listing::{Cell, Listing};
use crate::write::table::Align;

pub fn listing(flags: &BTreeMap<&'static str, u64>) -> Listing {
    let mut rows: Vec<_> = flags.iter().collect();
    rows.sort_by_key(|(_, packets)| std::cmp::Reverse(**packets));
    let mut listing = Listing::new(&[("flag", Align::Left), ("packets", Align::Right)], 0, 20);
    for (name, packets) in rows {
        listing.row((*name).to_owned(), None, vec![Cell::words(name), Cell::number(*packets)]);
    }
    listing
}
