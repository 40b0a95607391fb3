//! Two reports on the same place, an earlier and a later one → what has changed between them, for readers who want each finding once.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::finding::{ADDRESSES_MAX, Confidence, Finding, Verdict};
use crate::observation::Moment;
use crate::report::Report;

/// A finding has grown when it has at least this many times the packets that it had.
const GROWTH: u64 = 10;
/// Fewer packets than this are no growth, however few there were.
const GROWTH_FROM: u64 = 20;

/// What is kept of a report to compare a later one with.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// When the report was made.
    pub at: Moment,
    /// How much arrived at the time.
    pub pace: Pace,
    /// What it found.
    pub findings: Vec<Finding>,
}

impl Baseline {
    /// What is kept of a report.
    pub fn of(report: &Report) -> Self {
        Baseline { at: report.window.to, pace: Pace::of(report), findings: report.findings.clone() }
    }

    /// What is kept when of a later report no more was told than what has changed: what has grown too little to be told is measured from where it was.
    pub fn after(&self, report: &Report) -> Self {
        let (pairs, _) = compare(&self.findings, &report.findings);
        let findings = pairs.into_iter().zip(&report.findings).map(|((before, change), now)| match before {
            Some(before) if change == Change::None => Finding { packets: before.packets, ..now.clone() },
            _ => now.clone(),
        });
        Baseline { findings: findings.collect(), ..*self }
    }
}

/// How much arrives, in the last stretch of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// Packets a second.
    pub packets: f64,
    /// Frame bytes a second.
    pub bytes: f64,
}

impl Pace {
    /// The pace at the end of a report's window. Stretches without packets are not in a report.
    pub fn of(report: &Report) -> Self {
        /// Room for what is lost when seconds are made of nanoseconds.
        const CLOSE: f64 = 1e-3;
        let to_the_end = |seconds: f64, from: Moment| (report.window.to.seconds_since(from) - seconds).abs() < CLOSE;
        match report.rates.last() {
            Some(rate) if rate.seconds > 0.0 && to_the_end(rate.seconds, rate.from) => {
                Pace { packets: rate.packets as f64 / rate.seconds, bytes: rate.bytes as f64 / rate.seconds }
            }
            _ => Pace::default(),
        }
    }
}

/// What became of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    New,
    /// It is judged otherwise than before.
    Judged(Verdict, Confidence),
    /// It covers many more packets than before: so many were there.
    Grown(u64),
    /// Nothing to speak of.
    None,
}

impl Change {
    /// What became of `finding`, if it was `before`.
    fn of(before: Option<&Finding>, finding: &Finding) -> Self {
        let Some(before) = before else { return Change::New };
        if (before.verdict, before.confidence) != (finding.verdict, finding.confidence) {
            Change::Judged(before.verdict, before.confidence)
        } else if finding.packets >= GROWTH_FROM && finding.packets >= before.packets.saturating_mul(GROWTH) {
            Change::Grown(before.packets)
        } else {
            Change::None
        }
    }

    /// The name used in records.
    pub const fn name(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Judged(..) | Change::Grown(_) => "changed",
            Change::None => "unchanged",
        }
    }

    /// Whether somebody who watches wants to be told. Ordinary traffic is none, and that noise gets louder is none either.
    pub fn is_news(self, finding: &Finding) -> bool {
        match self {
            Change::New | Change::Judged(..) => finding.verdict > Verdict::Normal,
            Change::Grown(_) => finding.verdict > Verdict::Background,
            Change::None => false,
        }
    }
}

/// What has changed from one report to a later one.
#[derive(Clone, Debug)]
pub struct Changes<'a> {
    /// When the earlier one was made.
    pub since: Moment,
    /// The pace then, and now.
    pub pace: (Pace, Pace),
    /// What became of each finding of the later report, in its order.
    pub findings: Vec<Change>,
    /// Findings of the earlier report that are no longer there.
    pub gone: Vec<&'a Finding>,
}

impl<'a> Changes<'a> {
    /// Compares a report with an earlier one.
    pub fn since(before: &'a Baseline, report: &Report) -> Self {
        let (pairs, gone) = compare(&before.findings, &report.findings);
        let findings = pairs.into_iter().map(|(_, change)| change).collect();
        Changes { since: before.at, pace: (before.pace, Pace::of(report)), findings, gone }
    }

    /// Whether there is nothing new in the later report.
    pub fn is_quiet(&self, report: &Report) -> bool {
        self.findings.iter().zip(&report.findings).all(|(change, finding)| !change.is_news(finding))
    }
}

/// What was told of each interface, by its name.
#[derive(Clone, Debug, Default)]
pub struct Told(HashMap<String, Baseline>);

impl Told {
    /// The findings that are new or have changed, in the order of the report. What a report no longer has is forgotten, and new when it comes back.
    pub fn news<'a>(&mut self, report: &'a Report) -> Vec<(&'a Finding, Change)> {
        let name = &report.source.name;
        let (changes, next) = match self.0.get(name) {
            Some(told) => (Changes::since(told, report).findings, told.after(report)),
            None => (vec![Change::New; report.findings.len()], Baseline::of(report)),
        };
        self.0.insert(name.clone(), next);
        report.findings.iter().zip(changes).filter(|(_, change)| *change != Change::None).collect()
    }
}

/// What each of `now` was, with what became of it, and what is gone of `before`.
fn compare<'a>(before: &'a [Finding], now: &[Finding]) -> (Vec<(Option<&'a Finding>, Change)>, Vec<&'a Finding>) {
    let mut gone: Vec<&Finding> = before.iter().collect();
    let pairs = now.iter().map(|finding| {
        let place = gone.iter().position(|earlier| is_same(earlier, finding));
        let earlier = place.map(|place| gone.remove(place));
        (earlier, Change::of(earlier, finding))
    });
    let mut pairs: Vec<_> = pairs.collect();
    for ((before, change), finding) in pairs.iter_mut().zip(now) {
        if before.is_none() && gone.iter().any(|gone| is_left_of(gone, finding)) {
            *change = Change::None;
        }
    }
    (pairs, gone)
}

/// Whether a finding is no more than the last packets of one that is gone: the window moves on, and what remains of a scan is too little for one.
fn is_left_of(gone: &Finding, now: &Finding) -> bool {
    !now.sources.is_empty()
        && now.sources.iter().all(|source| gone.sources.contains(source))
        && now.verdict <= gone.verdict
        && now.extent.last.is_some()
        && now.extent.last <= gone.extent.last
}

/// Whether two findings are one that goes on: the same thing, done by one of the same. Lists of sources that were cut cannot be compared.
fn is_same(before: &Finding, now: &Finding) -> bool {
    let is_cut = |sources: &[IpAddr]| sources.len() >= ADDRESSES_MAX;
    before.id == now.id
        && ((before.sources.is_empty() && now.sources.is_empty())
            || (is_cut(&before.sources) && is_cut(&now.sources))
            || before.sources.iter().any(|source| now.sources.contains(source)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &str, last: u8, packets: u64) -> Finding {
        Finding {
            id: id.into(),
            verdict: Verdict::Reconnaissance,
            packets,
            sources: vec![IpAddr::from([192, 0, 2, last])],
            ..Finding::default()
        }
    }

    fn changes(before: &[Finding], now: &[Finding]) -> Vec<Change> {
        compare(before, now).0.into_iter().map(|(_, change)| change).collect()
    }

    #[test]
    fn each_finding_is_new_grown_judged_anew_or_the_same() {
        let before = [finding("scan", 1, 10), finding("scan", 2, 10), finding("scan", 3, 10), finding("scan", 4, 10)];
        let judged = Finding { verdict: Verdict::Attack, ..finding("scan", 3, 10) };
        let now =
            [finding("scan", 2, 99), judged, finding("scan", 4, 100), finding("scan", 5, 10), finding("other", 2, 1)];
        let judged = Change::Judged(Verdict::Reconnaissance, Confidence::Possible);
        assert_eq!(changes(&before, &now), [Change::None, judged, Change::Grown(10), Change::New, Change::New]);
        assert_eq!(compare(&before, &now).1, [&before[0]]);
    }

    #[test]
    fn what_is_left_of_a_scan_is_no_news() {
        let until = |id: &str, verdict: Verdict, second: i64| {
            let mut finding = Finding { verdict, ..finding(id, 1, 10) };
            finding.extent.last = Some(Moment(second));
            finding
        };
        let scan = until("scan", Verdict::Reconnaissance, 100);
        let change = |now: Finding| changes(std::slice::from_ref(&scan), &[now])[0];
        assert_eq!(change(until("port.23", Verdict::Background, 100)), Change::None);
        assert_eq!(change(until("port.23", Verdict::Background, 101)), Change::New, "it came after the scan");
        assert_eq!(change(until("exploit", Verdict::Attack, 100)), Change::New, "it is graver");
        assert_eq!(change(finding("port.23", 1, 1)), Change::New, "nobody knows when it came");
        let other =
            Finding { sources: vec![IpAddr::from([192, 0, 2, 9])], ..until("port.23", Verdict::Background, 100) };
        assert_eq!(change(other), Change::New);
        let stays = [scan.clone(), until("port.23", Verdict::Background, 100)];
        assert_eq!(changes(std::slice::from_ref(&scan), &stays), [Change::None, Change::New], "the scan still stands");
    }

    #[test]
    fn a_flood_whose_sources_change_goes_on() {
        let flood = |network: u8| Finding {
            sources: (0..ADDRESSES_MAX as u8).map(|last| IpAddr::from([network, 0, 2, last])).collect(),
            ..finding("flood", 0, 1000)
        };
        assert_eq!(changes(&[flood(1)], &[flood(2)]), [Change::None]);
    }

    #[test]
    fn a_handful_of_packets_is_no_growth() {
        assert_eq!(changes(&[finding("scan", 1, 1)], &[finding("scan", 1, 19)]), [Change::None]);
    }

    #[test]
    fn growth_in_small_steps_is_growth_at_last() {
        let report = |packets| Report { findings: vec![finding("scan", 1, packets)], ..Report::empty() };
        let mut baseline = Baseline::of(&report(10));
        let told: Vec<u64> = (2..=100)
            .map(|step| step * 10)
            .filter(|packets| {
                let report = report(*packets);
                let is_told = !Changes::since(&baseline, &report).is_quiet(&report);
                baseline = baseline.after(&report);
                is_told
            })
            .collect();
        assert_eq!(told, [100, 1000]);
    }

    #[test]
    fn interfaces_are_told_apart_and_what_comes_back_is_new() {
        let report = |name: &str, packets: &[u64]| {
            let mut report = Report::empty();
            report.source.name = name.into();
            report.findings = packets.iter().map(|packets| finding("scan", 1, *packets)).collect();
            report
        };
        let mut told = Told::default();
        let mut news = |report: &Report| told.news(report).into_iter().map(|(_, change)| change).collect::<Vec<_>>();
        assert_eq!(news(&report("eth0", &[10])), [Change::New]);
        assert_eq!(news(&report("eth1", &[10])), [Change::New]);
        assert_eq!(news(&report("eth0", &[11])), []);
        assert_eq!(news(&report("eth0", &[100])), [Change::Grown(10)]);
        assert_eq!(news(&report("eth0", &[])), []);
        assert_eq!(news(&report("eth0", &[100])), [Change::New]);
    }

    #[test]
    fn the_pace_is_that_of_the_last_stretch() {
        let rate = |from: i64, packets: u64| crate::observation::Rate {
            from: Moment(from * 1_000_000_000),
            seconds: 10.0,
            packets,
            bytes: 100 * packets,
        };
        let mut report = Report { rates: vec![rate(0, 5), rate(10, 50)], ..Report::empty() };
        report.window.to = Moment(20_000_000_000);
        assert_eq!(Pace::of(&report), Pace { packets: 5.0, bytes: 500.0 });
        report.window.to = Moment(30_000_000_000);
        assert_eq!(Pace::of(&report), Pace::default(), "nothing came in the last ten seconds");
    }

    #[test]
    fn louder_noise_is_no_news() {
        let noise = Finding { verdict: Verdict::Background, ..finding("port.23", 1, 100) };
        assert!(!Change::Grown(10).is_news(&noise));
        assert!(Change::New.is_news(&noise));
        assert!(Change::Grown(10).is_news(&finding("scan", 1, 100)));
        assert!(!Change::New.is_news(&Finding { verdict: Verdict::Normal, ..noise }));
    }
}
