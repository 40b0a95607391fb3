//! What every writer for people says in the same words.

use std::fmt::Write;

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::style::{count, number, safe};
use super::table::Align;
use crate::finding::Verdict;
use crate::observation::Moment;
use crate::report::{Report, SourceRow, timestamp};

/// Over findings that need no attention.
pub const ORDINARY: &str = "As it should be";
/// Over findings that say how to read the others.
pub const REMARKS: &str = "To read it by";

/// Columns of the table of sources, the most telling first.
pub const SOURCE_COLUMNS: [(&str, Align); 10] = [
    ("source", Align::Left),
    ("packets", Align::Right),
    ("SYN", Align::Right),
    ("UDP", Align::Right),
    ("ICMP", Align::Right),
    ("ports", Align::Right),
    ("hosts", Align::Right),
    ("TTL", Align::Right),
    ("RST", Align::Right),
    ("FIN", Align::Right),
];

/// One or two sentences that say whether to worry.
pub fn answer(report: &Report) -> String {
    if report.totals.packets == 0 {
        return "Nothing arrived, so there is nothing to worry about and nothing to learn.".into();
    }
    let of = |verdict: Verdict| report.findings.iter().filter(|finding| finding.verdict == verdict).count();
    let Some(gravest) = report.findings.first() else {
        return "Nothing here asks for your attention.".into();
    };
    let title = as_sentence(&safe(&gravest.title));
    let more = match of(gravest.verdict) - 1 {
        0 => String::new(),
        1 => " There is one more finding of this kind.".into(),
        others => format!(" There are {others} more findings of this kind."),
    };
    let sentence = match gravest.verdict {
        Verdict::Attack => format!("Yes, look at this: {title}"),
        Verdict::Reconnaissance => {
            format!("Somebody is looking around, which is common and not yet an attack: {title}")
        }
        Verdict::Unknown => format!("Nothing known to be hostile, but something is unexplained: {title}"),
        Verdict::ThirdParty => format!("You are not the target, but somebody else may be: {title}"),
        Verdict::Misconfiguration => format!("No attack, but something is set up wrongly: {title}"),
        Verdict::Background => {
            format!("No. This is background, which goes on everywhere and asks nothing of you: {title}")
        }
        Verdict::BenignLookalike => format!("No. Something here looks hostile and is not: {title}"),
        Verdict::Normal => return "No. All of this is ordinary traffic.".into(),
    };
    format!("{sentence}{more}")
}

/// A title at the end of a sentence: some are questions.
pub fn as_sentence(title: &str) -> String {
    let stop = if title.ends_with(['?', '!', '.']) { "" } else { "." };
    format!("{title}{stop}")
}

/// What the report can and cannot say, in a sentence.
pub fn coverage(report: &Report) -> String {
    let coverage = &report.coverage;
    let mut line = format!(
        "{} parsed, {} explained; {} tracked",
        percent(coverage.parsed, report.totals.packets),
        format_args!("{}%", coverage.explained_percent),
        count(coverage.sources_tracked, "source"),
    );
    if coverage.sources_not_tracked > 0 {
        let _ = write!(line, ", {} without room", number(coverage.sources_not_tracked));
    }
    let _ = write!(line, "; {} looked at closely", count(coverage.samples, "packet"));
    if coverage.samples_withheld > 0 {
        let _ = write!(line, ", {} more not, for want of budget", number(coverage.samples_withheld));
    }
    line.push('.');
    line
}

/// An estimate of distinct values: exact for few.
pub fn about(value: u32) -> String {
    match value {
        0..=8 => value.to_string(),
        9..=250 => format!("~{value}"),
        _ => ">250".into(),
    }
}

/// A share that is 100% only where it is all.
fn percent(part: u64, whole: u64) -> String {
    if part == whole {
        return "100%".into();
    }
    // Never round what is incomplete up to all.
    format!("{:.1}%", (part as f64 * 1000.0 / whole as f64).floor() / 10.0)
}

/// A moment in a time zone, with the zone's name: `2003-01-25 06:30:00 CET`.
pub fn local_time(moment: Moment, zone: &TimeZone) -> String {
    timestamp(moment).to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// A time of day in a time zone, with the zone's name: `06:30:00 CET`.
pub fn clock_time(moment: Moment, zone: &TimeZone) -> String {
    timestamp(moment).to_zoned(zone.clone()).strftime("%H:%M:%S %Z").to_string()
}

/// A stretch of time, saying no more than once what its ends share: `2003-01-25 06:30:00 to 06:30:07 CET`. A single moment where they are the same second.
pub fn stretch(from: Moment, to: Moment, zone: &TimeZone) -> String {
    let (start, end) = (timestamp(from).to_zoned(zone.clone()), timestamp(to).to_zoned(zone.clone()));
    let name = |at: &Zoned| at.strftime("%Z").to_string();
    let one_zone = name(&start) == name(&end);
    if one_zone && start.timestamp().as_second() == end.timestamp().as_second() {
        return local_time(to, zone);
    }
    let start_format = if one_zone { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S %Z" };
    let end_format = if start.date() == end.date() { "%H:%M:%S %Z" } else { "%Y-%m-%d %H:%M:%S %Z" };
    format!("{} to {}", start.strftime(start_format), end.strftime(end_format))
}

/// The TTLs of a source.
pub fn ttl(row: &SourceRow) -> String {
    if row.ttl_low == row.ttl_high { row.ttl_low.to_string() } else { format!("{}-{}", row.ttl_low, row.ttl_high) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(timestamp: &str) -> Moment {
        let timestamp: jiff::Timestamp = timestamp.parse().unwrap();
        Moment(timestamp.as_nanosecond() as i64)
    }

    #[test]
    fn a_title_that_asks_gets_no_full_stop() {
        assert_eq!(as_sentence("Who is there?"), "Who is there?");
        assert_eq!(as_sentence("Somebody knocked"), "Somebody knocked.");
    }

    #[test]
    fn times_name_their_zone_and_repeat_nothing() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let told = |from: &str, to: &str| stretch(at(from), at(to), &zone);
        assert_eq!(told("2026-01-25T05:30:00Z", "2026-01-25T05:30:07Z"), "2026-01-25 06:30:00 to 06:30:07 CET");
        assert_eq!(told("2026-01-25T05:30:00.1Z", "2026-01-25T05:30:00.9Z"), "2026-01-25 06:30:00 CET");
        assert_eq!(
            told("2026-07-25T21:59:59Z", "2026-07-25T22:00:00Z"),
            "2026-07-25 23:59:59 to 2026-07-26 00:00:00 CEST"
        );
        // The hour that comes twice.
        assert_eq!(told("2026-10-25T00:30:00Z", "2026-10-25T01:10:00Z"), "2026-10-25 02:30:00 CEST to 02:10:00 CET");
    }
}
