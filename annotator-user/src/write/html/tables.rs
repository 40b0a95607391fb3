//! Ports, ICMP, protocols and flags as tables with bars, and what the report can and cannot say.

use annotator_common::Reason;
use maud::{Markup, html};

use super::charts::bar;
use crate::report::Report;
use crate::write::phrases;
use crate::write::style::{bytes, number};

/// Rows of a table that are shown at once.
const ROWS: usize = 10;
/// Rows of a table that the page has at most. The JSON report is complete.
const ROWS_MAX: usize = 250;

/// A table of counts.
struct Counts {
    title: &'static str,
    /// What the first columns are.
    heads: &'static [&'static str],
    /// What the columns behind the packets are.
    more: &'static [&'static str],
    rows: Vec<Row>,
}

/// A row of it: cells before the bar, packets, cells behind them.
struct Row {
    names: Vec<String>,
    packets: u64,
    more: Vec<String>,
}

/// A section for each table that has rows.
pub fn sections(report: &Report) -> Markup {
    let tables = [ports(report, "dst"), ports(report, "src"), icmp(report), protocols(report), flags(report)];
    html! {
        @for table in tables.iter().filter(|table| !table.rows.is_empty()) {
            section {
                h2 { (table.title) }
                (rows(table, &table.rows[..table.rows.len().min(ROWS)]))
                @if let Some(rest) = table.rows.get(ROWS..).filter(|rest| !rest.is_empty()) {
                    details.more {
                        summary { (number(rest.len() as u64)) " more" }
                        (rows(table, &rest[..rest.len().min(ROWS_MAX)]))
                        @if rest.len() > ROWS_MAX {
                            p.muted { "And " (number((rest.len() - ROWS_MAX) as u64)) " more, which the JSON report has." }
                        }
                    }
                }
            }
        }
    }
}

fn rows(table: &Counts, rows: &[Row]) -> Markup {
    let largest = table.rows.iter().map(|row| row.packets).max().unwrap_or_default();
    html! {
        div.scroll tabindex="0" role="region" aria-label=(table.title) {
            table {
                thead {
                    tr {
                        @for head in table.heads { th scope="col" { (head) } }
                        td {}
                        th.number scope="col" { "packets" }
                        @for head in table.more { th.number scope="col" { (head) } }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            @for (index, name) in row.names.iter().enumerate() {
                                @if index == 0 { th scope="row" { (name) } } @else { td { (name) } }
                            }
                            (bar(row.packets, largest))
                            td.number { (number(row.packets)) }
                            @for cell in &row.more { td.number { (cell) } }
                        }
                    }
                }
            }
        }
    }
}

fn ports(report: &Report, side: &str) -> Counts {
    let rows = report.ports.iter().filter(|row| row.side == side).map(|row| Row {
        names: vec![format!("{}/{}", row.proto, row.port), row.service.clone().unwrap_or_default()],
        packets: row.packets,
        more: vec![bytes(row.bytes), if row.proto == "tcp" { number(row.syn) } else { String::new() }],
    });
    Counts {
        title: if side == "dst" { "Destination ports" } else { "Source ports" },
        heads: &["port", "service"],
        more: &["bytes", "SYN"],
        rows: rows.collect(),
    }
}

fn icmp(report: &Report) -> Counts {
    let rows = report.icmp.iter().map(|row| Row {
        names: vec![
            format!("{} {}/{}", if row.family == 6 { "icmpv6" } else { "icmp" }, row.icmp_type, row.code),
            row.name.unwrap_or_default().into(),
        ],
        packets: row.packets,
        more: vec![bytes(row.bytes)],
    });
    Counts { title: "ICMP", heads: &["type/code", "name"], more: &["bytes"], rows: rows.collect() }
}

fn protocols(report: &Report) -> Counts {
    let rows = report.protocols.iter().map(|row| Row {
        names: vec![
            row.name.to_string(),
            match row.family {
                4 => "IPv4".into(),
                6 => "IPv6".into(),
                _ => String::new(),
            },
        ],
        packets: row.packets,
        more: vec![bytes(row.bytes)],
    });
    Counts { title: "Protocols", heads: &["protocol", "over"], more: &["bytes"], rows: rows.collect() }
}

fn flags(report: &Report) -> Counts {
    let mut rows: Vec<_> = report
        .flags
        .iter()
        .map(|(name, packets)| Row { names: vec![(*name).to_owned()], packets: *packets, more: Vec::new() })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.packets));
    Counts { title: "Flags", heads: &["flag"], more: &[], rows }
}

/// What the report can and cannot say.
pub fn coverage(report: &Report) -> Markup {
    html! {
        section {
            h2 { "Coverage" }
            p { (phrases::coverage(report)) }
            @if !report.coverage.not_parsed.is_empty() {
                ul {
                    @for reason in Reason::ALL {
                        @if let Some(packets) = report.coverage.not_parsed.get(reason.name()) {
                            li { "not parsed, " (reason.name()) ": " (number(*packets)) }
                        }
                    }
                }
            }
        }
    }
}
