//! Facts → phrases: counts, lists with an end, moments, TTLs.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::observation::Moment;

/// Ports that a sentence lists at most.
const PORTS_MAX: usize = 24;

/// "1 packet", "3 packets".
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {}", plural(noun)) }
}

fn plural(noun: &str) -> String {
    match noun.strip_suffix("ss") {
        Some(_) => format!("{noun}es"),
        None => format!("{noun}s"),
    }
}

/// The first `max` items, and how many more there are.
pub fn list<T: Display>(items: impl IntoIterator<Item = T>, max: usize) -> String {
    let mut text = String::new();
    let mut more = 0_usize;
    for (i, item) in items.into_iter().enumerate() {
        if i >= max {
            more += 1;
        } else {
            if i > 0 {
                text.push_str(", ");
            }
            text.push_str(&item.to_string());
        }
    }
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// Ports in the order given.
pub fn ports(ports: impl IntoIterator<Item = u16>) -> String {
    list(ports, PORTS_MAX)
}

/// "52" or "49 to 52".
pub fn range(values: &BTreeSet<u8>) -> String {
    match (values.first(), values.last()) {
        (Some(low), Some(high)) if low == high => low.to_string(),
        (Some(low), Some(high)) => format!("{low} to {high}"),
        _ => "unknown".into(),
    }
}

/// A moment as `2003-01-25 05:30:00 UTC`.
pub fn moment(at: Moment) -> String {
    let seconds = at.0.div_euclid(1_000_000_000);
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(day);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Days since 1970-01-01 → year, month, day of the Gregorian calendar, counting years from March so that leap days come last.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A stretch of time in the unit that suits it.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_follow_the_calendar() {
        assert_eq!(moment(Moment(0)), "1970-01-01 00:00:00 UTC");
        assert_eq!(moment(Moment(951_827_696_000_000_000)), "2000-02-29 12:34:56 UTC");
        assert_eq!(moment(Moment(-1)), "1969-12-31 23:59:59 UTC");
    }

    #[test]
    fn lists_have_an_end() {
        assert_eq!(list([1, 2, 3, 4], 2), "1, 2 and 2 more");
        assert_eq!(count(1, "address"), "1 address");
        assert_eq!(count(2, "address"), "2 addresses");
    }
}
