//! A page to read, over the table.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets;

use super::theme::Theme;
use crate::top::detail::{ITEM, Page, Paragraph, Tone};
use crate::top::state::{Mode, State};
use crate::write::style::wrapping;

/// Lines longer than this are hard to read.
const WIDTH_MAX: usize = 100;

/// Draws the part of the page that was scrolled to.
pub fn draw(frame: &mut Frame, area: Rect, state: &mut State, theme: Theme) {
    state.height = usize::from(area.height);
    let Mode::Reading { page, scrolled } = &mut state.mode else { return };
    let lines = lines(page, usize::from(area.width).min(WIDTH_MAX), theme);
    *scrolled = (*scrolled).min(lines.len().saturating_sub(usize::from(area.height)));
    let shown: Vec<Line> = lines.into_iter().skip(*scrolled).take(usize::from(area.height)).collect();
    frame.render_widget(widgets::Paragraph::new(shown), area);
}

/// Draws the beginning of what the selected row means.
pub fn preview(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let page = state.selected_page().unwrap_or_default();
    frame.render_widget(widgets::Paragraph::new(lines(&page, usize::from(area.width), theme)), area);
}

fn lines(page: &Page, width: usize, theme: Theme) -> Vec<Line<'static>> {
    page.paragraphs.iter().flat_map(|paragraph| paragraph_lines(paragraph, width, theme)).collect()
}

fn paragraph_lines(paragraph: &Paragraph, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let style = match paragraph.tone {
        Tone::Title => theme.strong(),
        Tone::Verdict(verdict) => theme.verdict(verdict),
        Tone::Plain => Style::new(),
        Tone::Aside => theme.faint(),
    };
    let margin = " ".repeat(paragraph.indent);
    let others = if paragraph.label == ITEM { format!("{margin}{}", " ".repeat(ITEM.len())) } else { margin.clone() };
    let options = wrapping(width).initial_indent(&margin).subsequent_indent(&others);
    let text = format!("{}{}", paragraph.label, paragraph.text);
    let label = format!("{margin}{}", paragraph.label.trim_end());
    let wrapped = textwrap::wrap(&text, options);
    let lines = wrapped.iter().enumerate().map(|(index, line)| match line.strip_prefix(&label) {
        Some(rest) if index == 0 && !paragraph.label.is_empty() => {
            Line::from(vec![Span::styled(label.clone(), theme.strong()), Span::styled(rest.to_owned(), style)])
        }
        _ => Line::styled(line.to_string(), style),
    });
    lines.collect()
}
