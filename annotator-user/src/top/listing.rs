//! A table as a pane shows it: rows that know how to be ordered and which filter they pass.

use std::cmp::Ordering;

use crate::finding::Verdict;
use crate::quantity::number;
use crate::write::style::{bytes, safe};
use crate::write::table::Align;

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// What its head says.
    pub head: &'static str,
    /// Which way it leans.
    pub align: Align,
}

/// What a row has in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What is shown; nothing in it acts on a terminal.
    pub text: String,
    /// What it is ordered by, where that is not the text. More comes first.
    rank: Option<u64>,
}

impl Cell {
    /// Words, ordered as in a dictionary.
    pub fn words(text: &str) -> Self {
        Cell { text: safe(text), rank: None }
    }

    /// Words that stand for something greater or smaller.
    pub fn ranked(text: &str, rank: u64) -> Self {
        Cell { text: safe(text), rank: Some(rank) }
    }

    /// A number.
    pub fn number(value: u64) -> Self {
        Cell { text: number(value), rank: Some(value) }
    }

    /// A number of bytes.
    pub fn bytes(value: u64) -> Self {
        Cell { text: bytes(value), rank: Some(value) }
    }

    fn compare(&self, other: &Cell) -> Ordering {
        other.rank.cmp(&self.rank).then_with(|| self.text.cmp(&other.text))
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is about: the same in the next report, wherever the row is then.
    pub key: String,
    /// Its place in the report.
    pub index: usize,
    /// What it amounts to, for its colour.
    pub verdict: Option<Verdict>,
    /// One for each column.
    pub cells: Vec<Cell>,
}

/// By which column rows are ordered; without one they stay as the report has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The column.
    pub column: Option<usize>,
    /// Whether the last comes first.
    pub reversed: bool,
}

impl Order {
    /// The next column, or the previous one; the report's own order is one of them.
    pub fn turned(self, columns: usize, forward: bool) -> Self {
        let places = columns + 1;
        let place = self.column.map_or(0, |column| column + 1);
        let next = (place + if forward { 1 } else { places - 1 }) % places;
        Order { column: next.checked_sub(1), reversed: false }
    }
}

/// A table.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Its columns. On narrow terminals the last ones are left out.
    pub columns: Vec<Column>,
    /// The column that gives way first, and takes what is left over.
    pub flexible: usize,
    /// What that column keeps, if need be at the cost of the last ones.
    pub flexible_min: usize,
    /// Its rows.
    pub rows: Vec<Row>,
}

impl Listing {
    /// A table without rows.
    pub fn new(columns: &[(&'static str, Align)], flexible: usize, flexible_min: usize) -> Self {
        let columns = columns.iter().map(|(head, align)| Column { head, align: *align }).collect();
        Listing { columns, flexible, flexible_min, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, key: String, verdict: Option<Verdict>, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(Row { key, index: self.rows.len(), verdict, cells });
    }

    /// Leaves the rows that hold the words of a filter, in an order.
    pub fn arrange(&mut self, filter: &str, order: Order) {
        let filter = filter.to_lowercase();
        let words: Vec<&str> = filter.split_whitespace().collect();
        if !words.is_empty() {
            self.rows.retain(|row| {
                let text = row.cells.iter().fold(row.key.to_lowercase(), |mut text, cell| {
                    text.push(' ');
                    text.push_str(&cell.text.to_lowercase());
                    text
                });
                words.iter().all(|word| text.contains(word))
            });
        }
        if let Some(column) = order.column {
            self.rows.sort_by(|a, b| a.cells[column].compare(&b.cells[column]));
        }
        if order.reversed {
            self.rows.reverse();
        }
    }

    /// Where a row is now.
    pub fn position(&self, key: &str) -> Option<usize> {
        self.rows.iter().position(|row| row.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        let mut listing = Listing::new(&[("name", Align::Left), ("packets", Align::Right)], 0, 8);
        for (name, packets) in [("telnet", 7), ("domain", 900), ("http\x1b", 1000)] {
            listing.row(name.into(), None, vec![Cell::words(name), Cell::number(packets)]);
        }
        listing
    }

    fn names(listing: &Listing) -> Vec<&str> {
        listing.rows.iter().map(|row| row.cells[0].text.as_str()).collect()
    }

    #[test]
    fn numbers_go_down_and_words_up() {
        let mut by_number = listing();
        by_number.arrange("", Order { column: Some(1), reversed: false });
        assert_eq!(names(&by_number), ["http\u{fffd}", "domain", "telnet"]);
        by_number.arrange("", Order { column: Some(1), reversed: true });
        assert_eq!(names(&by_number), ["telnet", "domain", "http\u{fffd}"]);
        by_number.arrange("", Order { column: Some(0), reversed: false });
        assert_eq!(names(&by_number), ["domain", "http\u{fffd}", "telnet"]);
        assert_eq!(by_number.rows[0].index, 1, "a row knows its place in the report");
    }

    #[test]
    fn every_word_of_a_filter_has_to_be_there() {
        let mut filtered = listing();
        filtered.arrange("E 7", Order::default());
        assert_eq!(names(&filtered), ["telnet"]);
        assert_eq!(filtered.position("telnet"), Some(0));
        assert_eq!(filtered.position("domain"), None);
    }

    #[test]
    fn orders_come_round() {
        let start = Order { column: None, reversed: true };
        let first = start.turned(2, true);
        assert_eq!(first, Order { column: Some(0), reversed: false });
        assert_eq!(first.turned(2, true).turned(2, true), Order::default());
        assert_eq!(start.turned(2, false).column, Some(1));
    }
}
