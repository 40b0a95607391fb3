//! Aligned columns.

/// Which way a column leans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of a table, all with one cell a column.
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

/// Space between columns.
const GAP: usize = 2;

impl Table {
    /// A table without rows.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.columns.len());
        self.rows.push(cells.into());
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, head first, `width` characters at most: where they would be longer, the widest column of words gives way.
    pub fn lines(&self, width: usize) -> Vec<String> {
        let mut widths: Vec<usize> = self.columns.iter().map(|(head, _)| head.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let total: usize = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        if let Some(excess) = total.checked_sub(width) {
            let words = (0..widths.len()).filter(|column| self.columns[*column].1 == Align::Left);
            if let Some(widest) = words.max_by_key(|column| widths[*column]) {
                widths[widest] = widths[widest].saturating_sub(excess).max(4);
            }
        }
        let heads: Vec<String> = self.columns.iter().map(|(head, _)| (*head).to_owned()).collect();
        std::iter::once(&heads).chain(&self.rows).map(|row| self.line(row, &widths)).collect()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let padded = cells.iter().zip(widths).zip(&self.columns).map(|((cell, width), (_, align))| {
            let cell = shortened(cell, *width);
            match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            }
        });
        padded.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    }
}

/// At most `width` characters, the last of which says if there were more.
pub fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_give_way() {
        let mut table = Table::new(&[("name", Align::Left), ("packets", Align::Right)]);
        table.row(["a".into(), "1,000".into()]);
        table.row(["a-very-long-name-indeed".into(), "7".into()]);
        let lines = table.lines(80);
        assert_eq!(lines[1], "a                          1,000");
        assert_eq!(table.lines(20)[2], "a-very-lon…        7");
        assert!(table.lines(20).iter().all(|line| line.chars().count() <= 20));
    }
}
