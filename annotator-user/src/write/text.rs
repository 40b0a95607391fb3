//! Reports for people.

use crate::report::Report;

/// The report as text.
pub fn page(report: &Report) -> String {
    format!("{} packets\n", report.totals.packets)
}
