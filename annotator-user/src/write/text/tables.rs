//! The tables of a page: the busiest of everything that is counted.

use super::Page;
use crate::report::{PortRow, Report, SourceRow};
use crate::write::phrases::{SOURCE_COLUMNS, about, ttl};
use crate::write::style::{bytes, number, safe};
use crate::write::table::{Align, Table};

/// Rows of a table that are shown.
const ROWS: usize = 10;

impl Page {
    fn table(&mut self, title: &str, table: &Table, left_out: usize) {
        if table.is_empty() {
            return;
        }
        let title = self.style.bold(title);
        self.line(&title);
        for (index, line) in table.lines(self.style.width - 2).iter().enumerate() {
            let line = if index == 0 { self.style.dim(line) } else { line.clone() };
            self.line(&format!("  {line}"));
        }
        if left_out > 0 {
            let rest = self.style.dim(&format!("  and {} more", number(left_out as u64)));
            self.line(&rest);
        }
        self.line("");
    }

    pub(super) fn tables(&mut self, report: &Report) {
        self.ports(&report.ports);
        self.icmp(report);
        self.flags(report);
        self.protocols(report);
        self.sources(&report.sources);
    }

    fn ports(&mut self, ports: &[PortRow]) {
        let (to, from): (Vec<_>, Vec<_>) = ports.iter().partition(|row| row.side == "dst");
        for (title, rows) in [("Destination ports", to), ("Source ports", from)] {
            let mut table = Table::new(&[
                ("port", Align::Left),
                ("service", Align::Left),
                ("packets", Align::Right),
                ("bytes", Align::Right),
                ("SYN", Align::Right),
            ]);
            for row in rows.iter().take(ROWS) {
                table.row([
                    format!("{}/{}", row.proto, row.port),
                    safe(row.service.as_deref().unwrap_or("-")),
                    number(row.packets),
                    bytes(row.bytes),
                    if row.proto == "tcp" { number(row.syn) } else { String::new() },
                ]);
            }
            self.table(title, &table, rows.len().saturating_sub(ROWS));
        }
    }

    fn icmp(&mut self, report: &Report) {
        let mut table = Table::new(&[
            ("type/code", Align::Left),
            ("name", Align::Left),
            ("packets", Align::Right),
            ("bytes", Align::Right),
        ]);
        for row in report.icmp.iter().take(ROWS) {
            let protocol = if row.family == 6 { "icmpv6" } else { "icmp" };
            table.row([
                format!("{protocol} {}/{}", row.icmp_type, row.code),
                row.name.unwrap_or("-").to_owned(),
                number(row.packets),
                bytes(row.bytes),
            ]);
        }
        self.table("ICMP", &table, report.icmp.len().saturating_sub(ROWS));
    }

    fn flags(&mut self, report: &Report) {
        let mut rows: Vec<_> = report.flags.iter().collect();
        rows.sort_by_key(|(_, packets)| std::cmp::Reverse(**packets));
        let mut table = Table::new(&[("flag", Align::Left), ("packets", Align::Right)]);
        for (name, packets) in rows.iter().take(2 * ROWS) {
            table.row([(**name).to_owned(), number(**packets)]);
        }
        self.table("Flags", &table, rows.len().saturating_sub(2 * ROWS));
    }

    fn protocols(&mut self, report: &Report) {
        let mut table = Table::new(&[
            ("protocol", Align::Left),
            ("over", Align::Left),
            ("packets", Align::Right),
            ("bytes", Align::Right),
        ]);
        for row in report.protocols.iter().take(ROWS) {
            let over = match row.family {
                4 => "IPv4",
                6 => "IPv6",
                _ => "-",
            };
            table.row([row.name.to_string(), over.to_owned(), number(row.packets), bytes(row.bytes)]);
        }
        self.table("Protocols", &table, report.protocols.len().saturating_sub(ROWS));
    }

    fn sources(&mut self, sources: &[SourceRow]) {
        // What there is no room for is in the JSON report.
        let mut table = Table::new(&SOURCE_COLUMNS[..8]);
        for row in sources.iter().take(ROWS) {
            table.row([
                row.address.to_string(),
                number(row.packets),
                number(row.syn),
                number(row.udp),
                number(row.icmp),
                about(row.ports_about),
                about(row.destinations_about),
                ttl(row),
            ]);
        }
        self.table("Sources (without established TCP data)", &table, sources.len().saturating_sub(ROWS));
    }
}
