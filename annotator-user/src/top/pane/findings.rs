//! What it all means, gravest first.

use crate::finding::Finding;
use crate::top::listing::{Cell, Listing};
use crate::write::table::Align;

pub fn listing(findings: &[Finding]) -> Listing {
    let columns = [
        ("verdict", Align::Left),
        ("what", Align::Left),
        ("packets", Align::Right),
        ("how sure", Align::Left),
        ("from", Align::Left),
        ("id", Align::Left),
    ];
    let mut listing = Listing::new(&columns, 1, 36);
    for finding in findings {
        let from = match finding.sources.as_slice() {
            [] => "-".to_owned(),
            [only] => only.to_string(),
            [first, others @ ..] => format!("{first} +{}", others.len()),
        };
        // There may be several of an id, each about other hosts.
        let key = format!("{} {:?} {:?}", finding.id, finding.sources.first(), finding.destinations.first());
        let cells = vec![
            Cell::ranked(finding.verdict.name(), finding.verdict as u64),
            Cell::words(&finding.title),
            Cell::number(finding.packets),
            Cell::ranked(finding.confidence.name(), finding.confidence as u64),
            Cell::words(&from),
            Cell::words(&finding.id),
        ];
        listing.row(key, Some(finding.verdict), cells);
    }
    listing
}
