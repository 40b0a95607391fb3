//! What a report must say after frames have arrived: the engine's own counts of the same frames, and nothing else.

use annotator::counters::Counters;
use annotator::observation::{Locality, Moment, Observations};
use annotator::report::{Origin, OriginKind, Report};
use annotator_common::{Ledger, Link, Settings, Sources, observe};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

/// Counts frames on the host.
pub struct Counting {
    settings: Box<Settings>,
    ledger: Box<Ledger>,
    sources: Box<Sources>,
}

impl Counting {
    /// Nothing counted yet; `settings` say what is local.
    pub fn new(settings: Box<Settings>) -> Self {
        // SAFETY: both are made of integers, for which zero is a value.
        let (ledger, sources) = unsafe { (Box::new_zeroed().assume_init(), Box::new_zeroed().assume_init()) };
        Counting { settings, ledger, sources }
    }

    /// Counts a frame.
    pub fn count(&mut self, frame: &[u8], link: Link) {
        let Ledger { journal, types } = &mut *self.ledger;
        observe(
            frame,
            link,
            (&self.settings, &self.settings.local),
            (journal, &mut self.sources),
            || Some(types),
            || 0,
        );
    }

    /// All that a report says in exact numbers.
    pub fn figures(&self) -> Result<Value> {
        let observations = Observations {
            from: Moment(0),
            to: Moment(0),
            live: true,
            counters: &Counters::from_difference(&self.ledger),
            rates: &[],
            busiest: &[],
            sources: &[],
            sources_dropped: 0,
            sightings: &[],
            locality: &Locality::default(),
            outbound: None,
        };
        let origin = Origin { kind: OriginKind::Interface, name: String::new(), xdp_mode: None };
        figures(&serde_json::to_value(Report::new(origin, &observations, Vec::new(), 0.0, Vec::new()))?)
    }

    /// Fails unless a report holds exactly what was counted here.
    pub fn expect(&self, report: &Value) -> Result<()> {
        let (expected, found) = (self.figures()?, figures(report)?);
        let (Value::Object(expected), Value::Object(found)) = (&expected, &found) else {
            unreachable!("figures are objects")
        };
        for (name, value) in expected {
            ensure!(found[name] == *value, "{name}: expected\n{value:#}\nfound\n{:#}", found[name]);
        }
        Ok(())
    }
}

/// The exact numbers of a report.
fn figures(report: &Value) -> Result<Value> {
    let part = |pointer: &str| report.pointer(pointer).cloned().with_context(|| format!("no {pointer} in {report:#}"));
    Ok(json!({
        "totals": part("/totals")?,
        "parsed": part("/coverage/parsed")?,
        "not_parsed": part("/coverage/not_parsed")?,
        "protocols": part("/protocols")?,
        "flags": part("/flags")?,
        "ports": part("/ports")?,
        "icmp": part("/icmp")?,
    }))
}
