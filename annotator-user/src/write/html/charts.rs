//! Numbers as lengths.

use jiff::tz::TimeZone;
use maud::{Markup, html};

use crate::observation::{Moment, Rate};
use crate::report::Report;
use crate::write::phrases::local_time;
use crate::write::style::{bytes, count, seconds};

/// The chart's own units; it is stretched to the width of the page.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;
/// The shortest time that counts as one: what came in less is no rate.
const SHORTEST: f64 = 0.001;

/// Packets over time, where there is more than one stretch of it to compare: the area of a bar is a number of packets.
pub fn rates(report: &Report, zone: &TimeZone) -> Markup {
    let [first, .., last] = &*report.rates else {
        return html! {};
    };
    let from = first.from.min(report.window.from);
    let length = last.from.seconds_since(from).max(0.0) + last.seconds;
    let length = length.max(report.window.to.seconds_since(from)).max(SHORTEST);
    let highest = report.rates.iter().map(per_second).fold(0.0, f64::max);
    let busiest = report.rates.iter().max_by_key(|rate| rate.packets).unwrap_or(first);
    let to = Moment(from.0.saturating_add((length * 1e9) as i64));
    let summary = format!(
        "At most {} in {}, from {}.",
        count(busiest.packets, "packet"),
        seconds(busiest.seconds),
        local_time(busiest.from, zone)
    );
    html! {
        section {
            h2 { "Packets over time" }
            figure.rates {
                p.muted { (summary) }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label="Packets over time" {
                    @for rate in &report.rates {
                        @let height = per_second(rate) / highest * HEIGHT;
                        @let x = rate.from.seconds_since(from) / length * WIDTH;
                        rect x=(x) y=(HEIGHT - height) width=((rate.seconds / length * WIDTH).max(1.0)) height=(height) {
                            title { (local_time(rate.from, zone)) ": " (count(rate.packets, "packet")) ", " (bytes(rate.bytes)) }
                        }
                    }
                }
                figcaption {
                    span { (local_time(from, zone)) }
                    span { (local_time(to, zone)) }
                }
            }
        }
    }
}

fn per_second(rate: &Rate) -> f64 {
    rate.packets as f64 / rate.seconds.max(SHORTEST)
}

/// A cell of a table whose bar is a part of the largest.
pub fn bar(part: u64, largest: u64) -> Markup {
    let percent = part as f64 * 100.0 / largest.max(1) as f64;
    html! {
        td.bar aria-hidden="true" { svg { rect width={ (percent) "%" } height="100%" {} } }
    }
}
