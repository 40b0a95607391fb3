//! The rows of a pane, in the columns that there is room for.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::theme::Theme;
use crate::top::listing::{Listing, Row};
use crate::top::state::State;
use crate::write::table::{Align, shortened};

/// Space between columns.
const GAP: usize = 2;

/// Draws the head, and as many rows as fit around the selected one.
pub fn draw(frame: &mut Frame, area: Rect, state: &mut State, theme: Theme) {
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let height = usize::from(body.height);
    state.height = height;
    let rows = state.listing.rows.len();
    let look = state.look_mut();
    let lowest = (look.selected + 1).saturating_sub(height);
    look.first = look.first.clamp(lowest, look.selected.max(lowest)).min(rows.saturating_sub(height));

    let look = state.look();
    let listing = &state.listing;
    let shown = listing.rows.iter().enumerate().skip(look.first).take(height);
    let widths = widths(listing, look.first, height, usize::from(area.width));
    frame.render_widget(Line::styled(heads(state, &widths), theme.faint()), head);
    if rows == 0 {
        frame.render_widget(Line::styled(nothing(state), theme.faint()), body);
        return;
    }
    let lines: Vec<Line> = shown
        .map(|(index, row)| {
            let line = line(listing, row, &widths, theme);
            if index == look.selected { line.patch_style(theme.selected()) } else { line }
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), body);
}

fn nothing(state: &State) -> String {
    let filter = &state.look().filter;
    if filter.is_empty() { "nothing so far".into() } else { format!("nothing holds `{filter}`; Esc shows all again") }
}

/// The widths of the columns that are shown, all of them if possible.
fn widths(listing: &Listing, first: usize, height: usize, available: usize) -> Vec<usize> {
    // An order is shown beside the head.
    let mut widths: Vec<usize> = listing.columns.iter().map(|column| column.head.chars().count() + 1).collect();
    for row in listing.rows.iter().skip(first).take(height) {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.text.chars().count());
        }
    }
    let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    let flexible = listing.flexible;
    let can_give = widths.get(flexible).map_or(0, |width| width.saturating_sub(listing.flexible_min));
    while widths.len() > flexible + 1 && total(&widths) > available + can_give {
        widths.pop();
    }
    let rest = total(&widths);
    if let Some(width) = widths.get_mut(flexible) {
        *width = (*width + available).saturating_sub(rest).max(1);
    }
    widths
}

fn heads(state: &State, widths: &[usize]) -> String {
    let order = state.look().order;
    let heads = state.listing.columns.iter().zip(widths).enumerate().map(|(index, (column, width))| {
        let mark = match (order.column == Some(index), order.reversed) {
            (false, _) => "",
            (true, false) => "▾",
            (true, true) => "▴",
        };
        aligned(&format!("{}{mark}", column.head), column.align, *width)
    });
    heads.collect::<Vec<_>>().join(&" ".repeat(GAP))
}

fn line<'a>(listing: &Listing, row: &Row, widths: &[usize], theme: Theme) -> Line<'a> {
    let mut spans = Vec::with_capacity(2 * widths.len());
    for (index, ((cell, column), width)) in row.cells.iter().zip(&listing.columns).zip(widths).enumerate() {
        // The verdict comes first where there is one.
        let style = row.verdict.filter(|_| index == 0).map_or(Style::new(), |verdict| theme.verdict(verdict));
        if index > 0 {
            spans.push(Span::raw(" ".repeat(GAP)));
        }
        spans.push(Span::styled(aligned(&cell.text, column.align, *width), style));
    }
    Line::from(spans)
}

fn aligned(text: &str, align: Align, width: usize) -> String {
    let text = shortened(text, width);
    match align {
        Align::Left => format!("{text:<width$}"),
        Align::Right => format!("{text:>width$}"),
    }
}
