//! The keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::theme::Theme;

/// Columns that the keys take.
const KEYS: usize = 18;

const HELP: [(&str, &str); 14] = [
    ("q, Ctrl-C", "quit"),
    ("Tab, ←→, 1 to 6", "another table"),
    ("↑↓, jk, PgUp PgDn", "move; Home and End go to the ends"),
    ("Enter", "explain what is selected; Esc returns"),
    ("/", "filter: rows that hold all the words"),
    ("Esc", "no filter"),
    ("s, S", "sort by the next column, the previous one"),
    ("r", "turn the order round"),
    ("p, Space", "pause the picture; counting goes on"),
    ("i, I", "next interface, previous one"),
    (", .", "in a capture: back and on in time"),
    ("< >", "the same, ten steps at once"),
    ("c", "coverage: what the figures leave out"),
    ("?, h, F1", "these keys; any key returns"),
];

/// Draws them, as many as fit.
pub fn draw(frame: &mut Frame, area: Rect, theme: Theme) {
    let lines = HELP.iter().map(|(keys, what)| {
        Line::from(vec![Span::styled(format!("{keys:<KEYS$} "), theme.strong()), Span::raw(*what)])
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), area);
}
