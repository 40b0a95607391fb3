//! State → picture. Nothing here decides; what it changes in the state is only how far things are scrolled.

mod footer;
mod header;
mod help;
mod page;
mod rates;
mod table;
pub mod theme;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};

use super::state::{Mode, State};
use theme::Theme;

/// The smallest terminal that has room for a picture.
const SMALLEST: (u16, u16) = (40, 10);

/// From this width on there is room for a table and what its selected row means.
const WIDE: u16 = 130;

/// Draws the state.
pub fn draw(frame: &mut Frame, state: &mut State, theme: Theme) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return too_small(frame, area);
    }
    let [above, body, below] =
        Layout::vertical([Constraint::Length(header::height(area)), Constraint::Min(1), Constraint::Length(1)])
            .areas(area);
    header::draw(frame, above, state, theme);
    match state.mode {
        Mode::Table | Mode::Filter if body.width >= WIDE => {
            let columns = [Constraint::Fill(3), Constraint::Length(1), Constraint::Fill(2)];
            let [left, gap, right] = Layout::horizontal(columns).spacing(1).areas(body);
            table::draw(frame, left, state, theme);
            frame.render_widget(Block::new().borders(Borders::LEFT).border_style(theme.faint()), gap);
            page::preview(frame, right, state, theme);
        }
        Mode::Table | Mode::Filter => table::draw(frame, body, state, theme),
        Mode::Reading { .. } => page::draw(frame, body, state, theme),
        Mode::Help => help::draw(frame, body, theme),
    }
    footer::draw(frame, below, state, theme);
}

fn too_small(frame: &mut Frame, area: Rect) {
    let (width, height) = SMALLEST;
    let text =
        format!("The terminal is too small: {}×{}; this needs {width}×{height}. q quits.", area.width, area.height);
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
}
