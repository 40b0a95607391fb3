//! What a report has to say that the one before had not: for readers who want each finding once.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::finding::{Confidence, Finding, Verdict};
use crate::report::Report;

/// A finding of which so many times more packets have come since it was told is told again.
const GROWTH: u64 = 10;

/// Why a finding is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not in the report before.
    New,
    /// It was, with another verdict, less or more sure, or much smaller.
    Changed,
}

impl Change {
    /// The name used in records.
    pub const fn name(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Changed => "changed",
        }
    }
}

/// What was told of each interface's findings.
#[derive(Debug, Default)]
pub struct Changes(HashMap<String, HashMap<Key, Told>>);

/// What makes a finding the same as one of an earlier report: its id, and who it is about.
type Key = (String, Option<IpAddr>);

#[derive(Clone, Copy, Debug)]
struct Told {
    verdict: Verdict,
    confidence: Confidence,
    packets: u64,
}

impl Told {
    fn of(finding: &Finding) -> Self {
        Told { verdict: finding.verdict, confidence: finding.confidence, packets: finding.packets }
    }

    fn differs(&self, finding: &Finding) -> bool {
        (self.verdict, self.confidence) != (finding.verdict, finding.confidence)
            || finding.packets >= self.packets.saturating_mul(GROWTH)
    }
}

impl Changes {
    /// The findings that are new or have changed in what matters, in the order of the report. What a report no longer has is forgotten, and new when it
    /// comes back.
    pub fn since_last<'a>(&mut self, report: &'a Report) -> Vec<(&'a Finding, Change)> {
        let before = self.0.remove(&report.source.name).unwrap_or_default();
        let mut now = HashMap::new();
        let mut changes = Vec::new();
        for finding in &report.findings {
            let key = (finding.id.clone(), finding.sources.first().copied());
            let told = match before.get(&key) {
                Some(told) if !told.differs(finding) => *told,
                told => {
                    changes.push((finding, if told.is_some() { Change::Changed } else { Change::New }));
                    Told::of(finding)
                }
            };
            now.insert(key, told);
        }
        self.0.insert(report.source.name.clone(), now);
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::Counters;
    use crate::extent::Extent;
    use crate::observation::{Locality, Moment, Observations};
    use crate::report::{Origin, OriginKind};

    fn finding(id: &str, source: u8, packets: u64) -> Finding {
        Finding {
            id: id.into(),
            also: Vec::new(),
            title: String::new(),
            verdict: Verdict::Reconnaissance,
            confidence: Confidence::Likely,
            packets,
            sources: vec![IpAddr::from([192, 0, 2, source])],
            destinations: Vec::new(),
            extent: Extent::default(),
            explanation: String::new(),
            looks_like: String::new(),
            advice: String::new(),
            evidence: Vec::new(),
            examples: Vec::new(),
            sightings: Vec::new(),
            references: Vec::new(),
        }
    }

    fn report(interface: &str, findings: Vec<Finding>) -> Report {
        let counters = Counters::default();
        let observations = Observations {
            from: Moment(0),
            to: Moment(0),
            live: true,
            counters: &counters,
            rates: &[],
            sources: &[],
            sources_dropped: 0,
            sightings: &[],
            outbound: None,
            locality: &Locality::default(),
        };
        let origin = Origin { kind: OriginKind::Interface, name: interface.into(), xdp_mode: None };
        Report::new(origin, &observations, findings, 0.0, Vec::new())
    }

    fn told(changes: &mut Changes, report: &Report) -> Vec<(String, Change)> {
        changes.since_last(report).into_iter().map(|(finding, change)| (finding.id.clone(), change)).collect()
    }

    #[test]
    fn a_finding_is_told_once_and_again_when_it_matters() {
        let mut changes = Changes::default();
        let scan = |packets| report("eth0", vec![finding("scan", 1, packets)]);
        assert_eq!(told(&mut changes, &scan(10)), [("scan".into(), Change::New)]);
        assert_eq!(told(&mut changes, &scan(99)), []);
        assert_eq!(told(&mut changes, &scan(100)), [("scan".into(), Change::Changed)]);
        assert_eq!(told(&mut changes, &scan(101)), []);
        let mut graver = scan(101);
        graver.findings[0].verdict = Verdict::Attack;
        assert_eq!(told(&mut changes, &graver), [("scan".into(), Change::Changed)]);
        assert_eq!(told(&mut changes, &report("eth0", Vec::new())), []);
        assert_eq!(told(&mut changes, &scan(10)), [("scan".into(), Change::New)]);
    }

    #[test]
    fn sources_and_interfaces_are_told_apart() {
        let mut changes = Changes::default();
        let both = vec![finding("scan", 1, 10), finding("scan", 2, 10)];
        assert_eq!(told(&mut changes, &report("eth0", both.clone())).len(), 2);
        assert_eq!(told(&mut changes, &report("eth1", both.clone())).len(), 2);
        assert_eq!(told(&mut changes, &report("eth0", both)), []);
    }
}
