//! Sources, and what each of them did.

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::Anchors;
use super::charts::bar;
use crate::finding::{Finding, Verdict};
use crate::recognise::words;
use crate::report::{Report, SourceRow};
use crate::write::phrases::{about, stretch, ttl};
use crate::write::style::{count, number, seconds};

/// Sources that are shown at once, and that the page has at most. The JSON report has more.
const ROWS: usize = 15;
const ROWS_MAX: usize = 250;
/// Findings that are named beside a source. Those that are as they should be are not.
const FINDINGS: usize = 3;

/// The busiest sources.
pub fn section(report: &Report, anchors: &Anchors, zone: &TimeZone) -> Markup {
    let (first, rest) = report.sources.split_at(report.sources.len().min(ROWS));
    let largest = first.first().map_or(0, |row| row.packets);
    let table = |rows: &[SourceRow]| {
        html! {
            div.scroll tabindex="0" role="region" aria-label="Sources" {
                table.sources {
                    thead {
                        tr {
                            th scope="col" { "source, and what it did" }
                            td {}
                            th.number scope="col" { "packets" }
                            th.number scope="col" { "TTL" }
                            th scope="col" { "seen" }
                        }
                    }
                    tbody { @for row in rows { (one(row, largest, report, anchors, zone)) } }
                }
            }
        }
    };
    html! {
        @if !first.is_empty() {
            section {
                h2 { "Sources" }
                p.muted { "Without established TCP data." }
                (table(first))
                @if !rest.is_empty() {
                    details.more {
                        summary { (number(rest.len() as u64)) " more" }
                        (table(&rest[..rest.len().min(ROWS_MAX)]))
                        @if rest.len() > ROWS_MAX {
                            p.muted { "And " (number((rest.len() - ROWS_MAX) as u64)) " more, which the JSON report has." }
                        }
                    }
                }
            }
        }
    }
}

fn one(row: &SourceRow, largest: u64, report: &Report, anchors: &Anchors, zone: &TimeZone) -> Markup {
    let tells =
        |(_, finding): &(usize, &Finding)| finding.verdict != Verdict::Normal && finding.sources.contains(&row.address);
    let findings: Vec<_> = report.findings.iter().enumerate().filter(tells).collect();
    html! {
        tr {
            th scope="row" {
                code { (row.address) }
                p { (behaviour(row)) }
                @if !findings.is_empty() {
                    p {
                        @for (place, (index, finding)) in findings.iter().take(FINDINGS).enumerate() {
                            @if place > 0 { "; " }
                            a href={ "#" (anchors.finding(*index)) } { (finding.title) }
                        }
                        @if findings.len() > FINDINGS { "; " (findings.len() - FINDINGS) " more" }
                    }
                }
            }
            (bar(row.packets, largest))
            td.number { (number(row.packets)) }
            td.number { (ttl(row)) }
            td { (stretch(row.first, row.last, zone)) }
        }
    }
}

/// What a source sent, to how much, and how fast.
fn behaviour(row: &SourceRow) -> String {
    let sent =
        [(row.syn, "SYN"), (row.rst, "RST"), (row.fin, "FIN"), (row.udp, "UDP packet"), (row.icmp, "ICMP packet")];
    let sent = sent.into_iter().filter(|(packets, _)| *packets > 0).map(|(packets, what)| count(packets, what));
    let sent = words::list(sent, usize::MAX);
    let sent = if sent.is_empty() { count(row.packets, "packet") } else { sent };
    let to = match (row.ports_about, row.destinations_about) {
        (0, hosts) => several(hosts, "host"),
        (ports, 0 | 1) => several(ports, "port"),
        (ports, hosts) => format!("{} of {}", several(ports, "port"), several(hosts, "host")),
    };
    let time = row.last.seconds_since(row.first);
    let time = if row.packets > 1 && time > 0.0 { format!(" in {}", seconds(time)) } else { String::new() };
    format!("{sent} to {to}{time}")
}

/// "one port", "about 24 ports".
fn several(estimate: u32, what: &str) -> String {
    if estimate <= 1 { format!("one {what}") } else { format!("{} {what}s", about(estimate)) }
}
