//! Packets and bytes a second: now, over time, at their peak.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Sparkline;

use super::theme::Theme;
use crate::quantity::number;
use crate::report::Report;
use crate::top::history::{PerSecond, spread};
use crate::top::state::State;
use crate::top::walk::STEPS;
use crate::write::style::bytes;

/// Columns for a rate, left of its sparkline.
const RATE: u16 = 22;
/// Columns for its peak, on the right.
const PEAK: u16 = 18;
/// From this width on there is room for the peak.
const WIDTH_WITH_PEAK: u16 = 60;
/// Draws packets and bytes a second, a line each.
pub fn draw(frame: &mut Frame, areas: [Rect; 2], state: &State, theme: Theme) {
    let width = usize::from(columns(areas[0])[1].width);
    // How much of the sparkline lies before the moment that is looked at.
    let (rates, reached): (Vec<PerSecond>, usize) = match &state.walk {
        Some(walk) => (
            spread(&walk.rates, walk.whole.from, walk.whole.to, width),
            (width * walk.gone() as usize).div_ceil(STEPS as usize),
        ),
        None => {
            let known: Vec<PerSecond> = state.subject().0.history.last(width).collect();
            let mut rates = vec![PerSecond::default(); width - known.len()];
            rates.extend(known);
            (rates, width)
        }
    };
    let now = match (&state.walk, state.report()) {
        (Some(_), Some(report)) => average(report),
        _ => state.subject().0.history.now(),
    };
    let measures: [Measure; 2] = [
        (|rate| rate.packets, per_second, " packets/s"),
        (|rate| rate.bytes, |octets| bytes(octets.round() as u64), "/s"),
    ];
    for (area, (value, words, unit)) in areas.into_iter().zip(measures) {
        let series: Vec<f64> = rates.iter().map(value).collect();
        let peak = series.iter().copied().fold(0.0, f64::max);
        let [left, middle, right] = columns(area);
        frame.render_widget(Line::styled(format!("{}{unit}", words(value(&now))), theme.strong()), left);
        frame.render_widget(Line::styled(format!(" peak {}", words(peak)), theme.faint()), right);
        draw_series(frame, middle, &series, reached, theme);
    }
}

/// What is shown of a rate, its number in words, and its unit.
type Measure = (fn(&PerSecond) -> f64, fn(f64) -> String, &'static str);

/// A number of packets a second; where there are few, their fractions tell something from nothing.
fn per_second(packets: f64) -> String {
    if packets == 0.0 || packets >= 10.0 { number(packets.round() as u64) } else { format!("{packets:.2}") }
}

/// The rate, its sparkline, its peak.
fn columns(area: Rect) -> [Rect; 3] {
    let peak = if area.width < WIDTH_WITH_PEAK { 0 } else { PEAK };
    Layout::horizontal([Constraint::Length(RATE), Constraint::Min(0), Constraint::Length(peak)]).areas(area)
}

/// Over all that is looked at of a capture.
fn average(report: &Report) -> PerSecond {
    // Packets of one moment have no rate.
    let seconds = if report.window.seconds > 0.0 { report.window.seconds } else { f64::INFINITY };
    PerSecond { packets: report.totals.packets as f64 / seconds, bytes: report.totals.bytes as f64 / seconds }
}

fn draw_series(frame: &mut Frame, area: Rect, series: &[f64], reached: usize, theme: Theme) {
    // Whole numbers are what a sparkline takes: thousandths, so that slow rates have a shape too.
    let scaled: Vec<u64> = series.iter().map(|rate| (rate * 1000.0).round() as u64).collect();
    let (before, after) = scaled.split_at(reached.min(scaled.len()));
    let [before_area, after_area] =
        Layout::horizontal([Constraint::Length(before.len() as u16), Constraint::Min(0)]).areas(area);
    let top = scaled.iter().copied().max().unwrap_or(0).max(1);
    frame.render_widget(Sparkline::default().data(before).max(top).style(theme.rate()), before_area);
    frame.render_widget(Sparkline::default().data(after).max(top).style(theme.faint()), after_area);
}

#[cfg(test)]
mod tests {
    use super::per_second;

    #[test]
    fn few_packets_are_more_than_none() {
        let told = [0.0, 0.048, 9.5, 10.4, 16_040.0].map(per_second);
        assert_eq!(told, ["0", "0.05", "9.50", "10", "16,040"]);
    }
}
