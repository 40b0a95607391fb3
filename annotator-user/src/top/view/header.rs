//! The upper part: what is watched, how much comes ([`rates`]), whether to worry, and the tabs.

use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::rates;
use super::theme::Theme;
use crate::finding::Verdict;
use crate::quantity::number;
use crate::report::Report;
use crate::top::pane::Pane;
use crate::top::state::State;
use crate::top::walk::{STEPS, Walk};
use crate::write::phrases::{answer, local_time, stretch};
use crate::write::style::{safe, seconds, wrapping};

/// From this height on sparklines and the answer have more than one line each.
const ROOMY: u16 = 20;

/// Characters that are always shown of a name.
const NAME_MIN: usize = 8;

/// Lines that it takes.
pub fn height(area: Rect) -> u16 {
    let (sparkline, answer) = sizes(area);
    2 + 2 * sparkline + answer
}

fn sizes(area: Rect) -> (u16, u16) {
    match area.height {
        0..ROOMY => (1, 1),
        ROOMY..40 => (1, 2),
        _ => (3, 2),
    }
}

/// Draws it.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let (sparkline, words) = sizes(frame.area());
    let [title, packets, bytes, answer, tabs] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(sparkline),
        Constraint::Length(sparkline),
        Constraint::Length(words),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_title(frame, title, state, theme);
    rates::draw(frame, [packets, bytes], state, theme);
    draw_answer(frame, answer, state.report(), theme);
    draw_tabs(frame, tabs, state, theme);
}

fn draw_title(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let (subject, place, all) = state.subject();
    let mode = subject.report.as_ref().and_then(|report| report.source.xdp_mode.as_ref());
    // The first ones are needed most; what there is no room for is left out.
    let mut facts = Vec::new();
    if all > 1 {
        facts.push(format!("{} of {all}", place + 1));
    }
    match (&state.walk, &subject.report) {
        (Some(walk), _) => facts.push(moment_of(walk, &state.zone)),
        (None, Some(report)) => {
            facts.push(local_time(report.window.to, &state.zone));
            facts.extend(mode.map(|mode| format!("XDP {mode} mode")));
            facts.push(format!("last {}", seconds(report.window.seconds)));
        }
        (None, None) => {}
    }
    let state_of = match () {
        () if subject.gone => Some("GONE"),
        () if state.is_paused() => Some("PAUSED"),
        () if state.walk.as_ref().is_some_and(|walk| walk.reading) => Some("READING"),
        () => None,
    };
    let [facts_area, state_area] =
        Layout::horizontal([Constraint::Min(0), Constraint::Length(state_of.map_or(0, |word| word.len() as u16 + 2))])
            .areas(area);
    let name = safe(&subject.name);
    let room = usize::from(facts_area.width).saturating_sub(name.chars().count().min(NAME_MIN));
    while facts.iter().map(|fact| fact.chars().count() + 2).sum::<usize>() > room {
        facts.pop();
    }
    let facts: String = facts.iter().map(|fact| format!("  {fact}")).collect();
    let name = ending(&name, usize::from(facts_area.width) - facts.chars().count());
    frame.render_widget(Line::from(vec![Span::styled(name, theme.strong()), Span::raw(facts)]), facts_area);
    if let Some(word) = state_of {
        frame.render_widget(Line::styled(format!(" {word} "), theme.selected()), state_area);
    }
}

/// At most `width` characters of a name: its end, which tells files of a folder apart.
fn ending(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    std::iter::once('…').chain(name.chars().skip(length + 1 - width)).collect()
}

/// The place in time of a walk.
fn moment_of(walk: &Walk, zone: &TimeZone) -> String {
    let (from, to) = (walk.whole.from, walk.moment().unwrap_or(walk.whole.to));
    let times = stretch(from, to, zone);
    if walk.moment().is_none() { times } else { format!("{times}  {}/{STEPS}", walk.gone()) }
}

fn draw_answer(frame: &mut Frame, area: Rect, report: Option<&Report>, theme: Theme) {
    let Some(report) = report else {
        frame.render_widget(Line::styled("Waiting for the first packets.", theme.faint()), area);
        return;
    };
    let verdict = report.findings.first().map_or(Verdict::Normal, |finding| finding.verdict);
    let answer = answer(report);
    let mut lines = textwrap::wrap(&answer, wrapping(usize::from(area.width)));
    if lines.len() > usize::from(area.height) {
        lines.truncate(usize::from(area.height));
        if let Some(last) = lines.last_mut() {
            *last = last.chars().take(usize::from(area.width) - 1).chain(['…']).collect::<String>().into();
        }
    }
    let lines: Vec<Line> = lines.into_iter().map(|line| Line::styled(line, theme.verdict(verdict))).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_tabs(frame: &mut Frame, area: Rect, state: &State, theme: Theme) {
    let count = |pane: Pane| state.report().map(|report| format!(" {}", number(pane.len(report) as u64)));
    let name = |pane: Pane| format!("{} {}", pane.index() + 1, pane.title());
    let full = |pane: Pane| name(pane) + &count(pane).unwrap_or_default();
    let only_current = |pane: Pane| if pane == state.pane { name(pane) } else { (pane.index() + 1).to_string() };
    // The first form that there is room for.
    let forms: [(&dyn Fn(Pane) -> String, usize); 4] = [(&full, 2), (&full, 1), (&name, 1), (&only_current, 1)];
    let width = |(label, gap): &(&dyn Fn(Pane) -> String, usize)| {
        Pane::ALL.iter().map(|pane| label(*pane).chars().count() + gap).sum::<usize>() - gap
    };
    let fits = |form: &&(&dyn Fn(Pane) -> String, usize)| width(form) <= usize::from(area.width);
    let (label, gap) = forms.iter().find(fits).unwrap_or(&forms[3]);
    let tabs = Pane::ALL.iter().flat_map(|pane| {
        let style = if *pane == state.pane { theme.selected() } else { theme.faint() };
        [Span::styled(label(*pane), style), Span::raw(" ".repeat(*gap))]
    });
    frame.render_widget(Line::from_iter(tabs), area);
}
