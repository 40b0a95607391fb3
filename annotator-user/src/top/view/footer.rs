//! The last line: a filter that is typed, a message, or the keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::Theme;
use crate::top::state::{Mode, State};
use crate::write::style::safe;

/// The keys that there is room for, the most needed first.
const TABLE: &[(&str, &str)] =
    &[("q", "quit"), ("?", "keys"), ("Tab", "table"), ("Enter", "explain"), ("/", "filter"), ("s", "sort")];
const LIVE: &[(&str, &str)] = &[("p", "pause"), ("i", "interface"), ("c", "coverage")];
const WALK: &[(&str, &str)] = &[(", .", "step in time"), ("c", "coverage")];
const READING: &[(&str, &str)] = &[("Esc", "back"), ("↑↓", "scroll"), ("Ctrl-C", "quit")];
const HELP: &[(&str, &str)] = &[("Esc", "back")];

/// Draws it.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let line = match (&state.message, &state.mode) {
        (_, Mode::Filter) => Line::from(format!("/{}▏", safe(&state.look().filter))),
        (Some(message), _) => Line::from(safe(message)),
        (None, Mode::Table) => {
            let more = if state.walk.is_some() { WALK } else { LIVE };
            let filter = &state.look().filter;
            let mut line = keys(TABLE.iter().chain(more), area, theme);
            if !filter.is_empty() {
                line = Line::from_iter([
                    Span::styled(format!("only /{}", safe(filter)), theme.strong()),
                    Span::raw("  Esc shows all again"),
                ]);
            }
            line
        }
        (None, Mode::Reading { .. }) => keys(READING.iter(), area, theme),
        (None, Mode::Help) => keys(HELP.iter(), area, theme),
    };
    frame.render_widget(line, area);
}

fn keys<'a>(keys: impl Iterator<Item = &'a (&'a str, &'a str)>, area: Rect, theme: Theme) -> Line<'static> {
    let mut left = usize::from(area.width);
    let mut spans = Vec::new();
    for (key, what) in keys {
        let width = key.chars().count() + what.chars().count() + 3;
        if width > left + 2 {
            break;
        }
        left = left.saturating_sub(width);
        spans.push(Span::styled((*key).to_owned(), theme.strong()));
        spans.push(Span::raw(format!(" {what}  ")));
    }
    Line::from(spans)
}
