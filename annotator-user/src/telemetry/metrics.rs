//! What the agent counts, and how it is doing, as Prometheus metrics.
//!
//! A report's tables are those of a window; these counters only ever grow. Labels are bounded whatever arrives: names that are known and ports that
//! the knowledge has an entry for; the others are summed up as [`OTHER`]. No address is ever a label.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use annotator_common::{Count, Family, Flag, Reason};
use anyhow::{Context, Result};
use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::counters::{Counters, PortCount, PortKey, Protocol};
use crate::names;
use crate::report::Report;

/// The label of what has no name of its own.
const OTHER: &str = "other";
/// Seconds that fetching samples and counters takes, and that a report takes.
const BUCKETS: [f64; 10] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5];

/// All metrics. Values of them can be had by cloning; they count into the same place.
pub struct Metrics {
    registry: Registry,
    packets: IntCounterVec,
    bytes: IntCounterVec,
    not_parsed: IntCounterVec,
    flags: IntCounterVec,
    icmp: IntCounterVec,
    ports: IntCounterVec,
    port_bytes: IntCounterVec,
    port_syns: IntCounterVec,
    samples: IntCounterVec,
    samples_withheld: IntCounterVec,
    sources_tracked: IntCounterVec,
    sources_not_tracked: IntCounterVec,
    findings: IntGaugeVec,
    attached: IntGaugeVec,
    up: IntGaugeVec,
    mode: IntGaugeVec,
    poll_time: Histogram,
    report_time: Histogram,
    health: Arc<Mutex<Health>>,
    /// Ports with a label of their own.
    named: RefCell<BTreeSet<PortKey>>,
    /// The labels of the findings last reported, by interface.
    found: RefCell<BTreeMap<String, BTreeMap<FindingLabels, i64>>>,
}

/// Id and verdict.
type FindingLabels = (String, &'static str);

/// What has become of log records for a collector.
#[derive(Clone, Debug)]
pub struct DeliveryMetrics {
    /// Those that the collector has taken.
    pub sent: IntCounter,
    /// Those that it will never get.
    pub lost: IntCounter,
    /// Those that wait.
    pub waiting: IntGauge,
}

/// Whether the agent does its work.
#[derive(Debug, Default)]
pub struct Health {
    polled: Option<Instant>,
    gone: BTreeSet<String>,
}

impl Health {
    /// How long ago the last poll may be; it is due every fifth of a second, and a report may take its time.
    const RECENT: Duration = Duration::from_secs(5);

    /// What is wrong, if anything.
    pub fn complaint(&self, now: Instant) -> Option<String> {
        let Some(polled) = self.polled else { return Some("nothing was polled yet".into()) };
        let age = now.saturating_duration_since(polled);
        if age > Self::RECENT {
            return Some(format!("the last poll was {:.1} s ago", age.as_secs_f64()));
        }
        let gone: Vec<&str> = self.gone.iter().map(String::as_str).collect();
        (!gone.is_empty()).then(|| format!("no longer attached to: {}", gone.join(", ")))
    }
}

impl Metrics {
    /// Metrics of an agent that starts now.
    pub fn new() -> Result<Self> {
        Self::register().context("registering the metrics")
    }

    fn register() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let build = gauges(&registry, "annotator_build_info", "The agent's version.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let started = add(
            &registry,
            Gauge::new("process_start_time_seconds", "When the agent started, in seconds since 1970 (UTC).")?,
        )?;
        started.set(SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64());
        let counters = |name, help, labels: &[&str]| counters(&registry, name, help, labels);
        let gauges = |name, help, labels: &[&str]| gauges(&registry, name, help, labels);
        let seconds =
            |name, help| add(&registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(BUCKETS.into()))?);
        Ok(Metrics {
            packets: counters(
                "annotator_packets_total",
                "Packets that arrived, by protocol.",
                &["interface", "family", "protocol"],
            )?,
            bytes: counters(
                "annotator_bytes_total",
                "Frame bytes that arrived, by protocol.",
                &["interface", "family", "protocol"],
            )?,
            not_parsed: counters(
                "annotator_not_parsed_packets_total",
                "Packets that were not parsed to their end, by reason.",
                &["interface", "reason"],
            )?,
            flags: counters(
                "annotator_flag_packets_total",
                "Packets with a flag; a packet may have several.",
                &["interface", "flag"],
            )?,
            icmp: counters(
                "annotator_icmp_packets_total",
                "ICMP and ICMPv6 packets, by type.",
                &["interface", "family", "type"],
            )?,
            ports: counters(
                "annotator_port_packets_total",
                "TCP and UDP packets by port: every destination, every UDP source, TCP sources below 1024.",
                &["interface", "protocol", "side", "port"],
            )?,
            port_bytes: counters(
                "annotator_port_bytes_total",
                "Frame bytes of the packets in annotator_port_packets_total.",
                &["interface", "protocol", "side", "port"],
            )?,
            port_syns: counters(
                "annotator_port_syn_packets_total",
                "TCP SYNs without ACK, by destination port.",
                &["interface", "port"],
            )?,
            samples: counters("annotator_samples_total", "Packets that were looked at closely.", &["interface"])?,
            samples_withheld: counters(
                "annotator_samples_withheld_total",
                "Packets that deserved a close look and were over budget.",
                &["interface"],
            )?,
            sources_tracked: counters(
                "annotator_sources_tracked_total",
                "Sources that were given a slot in the source table.",
                &["interface"],
            )?,
            sources_not_tracked: counters(
                "annotator_untracked_source_packets_total",
                "Packets whose source found no slot in the source table.",
                &["interface"],
            )?,
            findings: gauges(
                "annotator_findings",
                "Findings in the window of the last report.",
                &["interface", "id", "verdict"],
            )?,
            attached: gauges(
                "annotator_interface_attached",
                "Whether the agent is attached to the interface.",
                &["interface"],
            )?,
            up: gauges("annotator_interface_up", "Whether the interface is up and has a carrier.", &["interface"])?,
            mode: gauges("annotator_xdp_info", "How the XDP program is attached.", &["interface", "mode"])?,
            poll_time: seconds("annotator_poll_seconds", "Time that fetching samples and reading counters takes.")?,
            report_time: seconds("annotator_report_seconds", "Time that a round of reports takes.")?,
            health: Arc::default(),
            named: RefCell::default(),
            found: RefCell::default(),
            registry,
        })
    }

    /// What becomes of log records. Those metrics exist only where there is a collector.
    pub fn delivery(&self) -> Result<DeliveryMetrics> {
        let records = counters(
            &self.registry,
            "annotator_otlp_records_total",
            "Log records for the OpenTelemetry collector, by what became of them.",
            &["outcome"],
        )?;
        let waiting =
            IntGauge::new("annotator_otlp_queue_records", "Log records that wait for the OpenTelemetry collector.")?;
        Ok(DeliveryMetrics {
            sent: records.with_label_values(&["sent"]),
            lost: records.with_label_values(&["lost"]),
            waiting: add(&self.registry, waiting)?,
        })
    }

    /// What the agent's pages are made of.
    pub fn exposition(&self) -> Exposition {
        Exposition { registry: self.registry.clone(), health: Arc::clone(&self.health) }
    }

    /// Gives more ports a label of their own. None loses it, so that nothing is counted twice.
    pub fn name_ports(&self, ports: impl IntoIterator<Item = PortKey>) {
        self.named.borrow_mut().extend(ports);
    }

    /// An interface was attached to. What is always there is shown from the start, so that the first of a kind is seen as a rise.
    pub fn attached(&self, interface: &str, mode: &str) {
        self.attached.with_label_values(&[interface]).set(1);
        self.mode.with_label_values(&[interface, mode]).set(1);
        for flag in Flag::ALL {
            self.flags.with_label_values(&[interface, flag.name()]);
        }
        for reason in Reason::ALL {
            self.not_parsed.with_label_values(&[interface, reason.name()]);
        }
        for sum in [&self.samples, &self.samples_withheld, &self.sources_tracked, &self.sources_not_tracked] {
            sum.with_label_values(&[interface]);
        }
    }

    /// The interface is up and has a carrier, or not.
    pub fn up(&self, interface: &str, up: bool) {
        self.up.with_label_values(&[interface]).set(up.into());
    }

    /// An interface is gone. What was counted stays.
    pub fn gone(&self, interface: &str) {
        self.attached.with_label_values(&[interface]).set(0);
        self.up(interface, false);
        self.show_findings(interface, BTreeMap::new());
        self.health().gone.insert(interface.to_owned());
    }

    /// A round of polls is over.
    pub fn polled(&self, took: Duration) {
        self.poll_time.observe(took.as_secs_f64());
        self.health().polled = Some(Instant::now());
    }

    /// A round of reports is over.
    pub fn reported(&self, took: Duration) {
        self.report_time.observe(took.as_secs_f64());
    }

    /// Adds what was counted since the last time.
    pub fn count(&self, interface: &str, new: &Counters) {
        let protocols = new.protocols.iter().map(|(row, count)| (protocol_labels(*row), *count));
        for ((family, protocol), count) in fold(protocols.chain([(("none", "none".into()), new.without_protocol)])) {
            let labels = [interface, family, &protocol];
            self.packets.with_label_values(&labels).inc_by(count.packets);
            self.bytes.with_label_values(&labels).inc_by(count.bytes);
        }
        for (reason, count) in &new.not_parsed {
            self.not_parsed.with_label_values(&[interface, reason.name()]).inc_by(count.packets);
        }
        for (flag, count) in &new.flags {
            self.flags.with_label_values(&[interface, flag.name()]).inc_by(count.packets);
        }
        let icmp = new
            .icmp
            .iter()
            .map(|(key, count)| ((family_label(key.family), names::icmp(*key).unwrap_or(OTHER)), *count));
        for ((family, name), count) in fold(icmp) {
            self.icmp.with_label_values(&[interface, family, name]).inc_by(count.packets);
        }
        self.count_ports(interface, new);
        for (counter, value) in [
            (&self.samples, new.samples),
            (&self.samples_withheld, new.samples_withheld),
            (&self.sources_tracked, new.sources_tracked),
            (&self.sources_not_tracked, new.packets_of_untracked_sources),
        ] {
            counter.with_label_values(&[interface]).inc_by(value);
        }
    }

    /// A sample was taken but there was no room to keep it.
    pub fn withheld(&self, interface: &str) {
        self.samples_withheld.with_label_values(&[interface]).inc();
    }

    fn count_ports(&self, interface: &str, new: &Counters) {
        let named = self.named.borrow();
        let mut rows = BTreeMap::<_, PortCount>::new();
        for (key, count) in &new.ports {
            let port = named.contains(key).then_some(key.port);
            *rows.entry((key.proto.name(), key.side.name(), port)).or_default() += *count;
        }
        for ((proto, side, port), count) in rows {
            let port = port.map_or(OTHER.to_owned(), |port| port.to_string());
            let labels = [interface, proto, side, &port];
            self.ports.with_label_values(&labels).inc_by(count.all.packets);
            self.port_bytes.with_label_values(&labels).inc_by(count.all.bytes);
            if (proto, side) == ("tcp", "dst") {
                self.port_syns.with_label_values(&[interface, &port]).inc_by(count.syn.packets);
            }
        }
    }

    /// Shows the findings of a report in place of those of the one before.
    pub fn report(&self, report: &Report) {
        let mut found = BTreeMap::new();
        for finding in &report.findings {
            *found.entry((finding.id.clone(), finding.verdict.name())).or_default() += 1;
        }
        self.show_findings(&report.source.name, found);
    }

    fn show_findings(&self, interface: &str, found: BTreeMap<FindingLabels, i64>) {
        for ((id, verdict), number) in &found {
            self.findings.with_label_values(&[interface, id, verdict]).set(*number);
        }
        let before = self.found.borrow_mut().insert(interface.to_owned(), found.clone());
        for (id, verdict) in before.unwrap_or_default().into_keys().filter(|labels| !found.contains_key(labels)) {
            // The only error is that there is none, which is what is wanted.
            let _ = self.findings.remove_label_values(&[interface, &id, verdict]);
        }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a scraper may see.
#[derive(Clone)]
pub struct Exposition {
    registry: Registry,
    health: Arc<Mutex<Health>>,
}

impl Exposition {
    /// All metrics, in Prometheus' text format.
    pub fn text(&self) -> Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather()).context("writing the metrics")
    }

    /// What is wrong with the agent, if anything.
    pub fn complaint(&self) -> Option<String> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).complaint(Instant::now())
    }
}

/// Sums up by labels before the metrics are looked up: a flood to random numbers has many rows and few labels.
fn fold<K: Ord>(rows: impl IntoIterator<Item = (K, Count)>) -> BTreeMap<K, Count> {
    let mut sums = BTreeMap::new();
    for (key, count) in rows {
        if count.packets != 0 {
            *sums.entry(key).or_default() += count;
        }
    }
    sums
}

fn protocol_labels(row: Protocol) -> (&'static str, std::borrow::Cow<'static, str>) {
    let family = match row {
        Protocol::Ip(family, _) => family_label(family),
        Protocol::EtherType(_) | Protocol::Ieee8023 => "none",
    };
    (family, if names::is_known(row) { names::protocol(row) } else { OTHER.into() })
}

fn family_label(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
        Family::None => "none",
    }
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    add(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    add(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

fn add<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::{IcmpKey, PortProto, Side};

    const ONE: Count = Count { packets: 1, bytes: 60 };

    fn port(port: u16) -> PortKey {
        PortKey { proto: PortProto::Tcp, side: Side::Dst, port }
    }

    fn lines(metrics: &Metrics, name: &str) -> Vec<String> {
        let text = metrics.exposition().text().unwrap();
        text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
    }

    #[test]
    fn counts_add_up_and_ports_without_an_entry_are_one() {
        let metrics = Metrics::new().unwrap();
        metrics.name_ports([port(22)]);
        let row = PortCount { all: ONE + ONE, syn: ONE, fin: 0 };
        let ports = [22, 4711, 4712].map(|number| (port(number), row));
        let new = Counters { ports: ports.into(), ..Counters::default() };
        metrics.count("eth0", &new);
        metrics.count("eth0", &new);
        metrics.count("eth1", &new);
        let packets = |interface, port, number| {
            format!(
                "annotator_port_packets_total{{interface=\"{interface}\",port=\"{port}\",protocol=\"tcp\",side=\"dst\"}} {number}"
            )
        };
        assert_eq!(
            lines(&metrics, "annotator_port_packets_total"),
            [
                packets("eth0", "22", 4),
                packets("eth0", "other", 8),
                packets("eth1", "22", 2),
                packets("eth1", "other", 4)
            ]
        );
        let syns = lines(&metrics, "annotator_port_syn_packets_total");
        assert!(
            syns.contains(&"annotator_port_syn_packets_total{interface=\"eth0\",port=\"other\"} 4".into()),
            "{syns:?}"
        );
        // Rules that are read again name more ports; what was counted stays where it is.
        metrics.name_ports([port(4711)]);
        metrics.count("eth0", &new);
        assert_eq!(
            lines(&metrics, "annotator_port_packets_total{interface=\"eth0\""),
            [packets("eth0", "22", 6), packets("eth0", "4711", 2), packets("eth0", "other", 10)]
        );
    }

    #[test]
    fn a_flood_to_every_number_makes_few_series() {
        let metrics = Metrics::new().unwrap();
        let mut flood = Counters { without_protocol: ONE, ..Counters::default() };
        for number in 0..=u16::MAX {
            flood.ports.insert(port(number), PortCount { all: ONE, syn: ONE, fin: 0 });
            flood.protocols.insert(Protocol::EtherType(number), ONE);
            let [icmp_type, code] = number.to_be_bytes();
            flood.icmp.insert(IcmpKey { family: Family::V4, icmp_type, code }, ONE);
        }
        metrics.count("eth0", &flood);
        assert_eq!(lines(&metrics, "annotator_port_packets_total").len(), 1);
        assert!(lines(&metrics, "annotator_packets_total").len() < 100);
        assert!(lines(&metrics, "annotator_icmp_packets_total").len() < 100);
        let sum = |name| -> u64 {
            lines(&metrics, name).iter().filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
        };
        assert_eq!((sum("annotator_packets_total"), sum("annotator_bytes_total")), (65_537, 65_537 * 60));
        assert_eq!(sum("annotator_icmp_packets_total"), 65_536);
    }

    #[test]
    fn findings_are_those_of_the_last_report() {
        let metrics = Metrics::new().unwrap();
        let found = |id: &str, number| BTreeMap::from([((id.to_owned(), "attack"), number)]);
        metrics.show_findings("eth0", found("a", 1));
        metrics.show_findings("eth1", found("a", 1));
        metrics.show_findings("eth0", found("b", 2));
        let labels =
            |interface, id| format!("annotator_findings{{id=\"{id}\",interface=\"{interface}\",verdict=\"attack\"}}");
        assert_eq!(
            lines(&metrics, "annotator_findings"),
            [format!("{} 1", labels("eth1", "a")), format!("{} 2", labels("eth0", "b"))]
        );
        metrics.gone("eth1");
        assert_eq!(lines(&metrics, "annotator_findings"), [format!("{} 2", labels("eth0", "b"))]);
    }

    #[test]
    fn health_is_a_recent_poll_of_every_interface() {
        let metrics = Metrics::new().unwrap();
        assert!(metrics.exposition().complaint().unwrap().contains("nothing was polled"));
        metrics.polled(Duration::from_millis(1));
        assert_eq!(metrics.exposition().complaint(), None);
        let late = Instant::now() + Duration::from_secs(60);
        assert!(metrics.health().complaint(late).unwrap().contains("60.0 s ago"));
        metrics.gone("eth1");
        assert!(metrics.exposition().complaint().unwrap().contains("eth1"));
    }
}
