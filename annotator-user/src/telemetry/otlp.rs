//! Findings as OpenTelemetry log records: one for each that is new or has changed in what matters.
//!
//! Attributes have the names of OpenTelemetry's semantic conventions and of the Elastic Common Schema, which are growing into one; what neither knows
//! begins with `annotator.`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use futures_util::future::{FutureExt, LocalBoxFuture};
use hyper::Uri;
use opentelemetry::KeyValue;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::collector::Collector;
use super::delivery::{self, Delivery};
use super::metrics::{DeliveryMetrics, Metrics};
use crate::changes::{Change, Told};
use crate::finding::{Finding, Verdict};
use crate::live::sinks::Sink;
use crate::observation::Moment;
use crate::quantity::count;
use crate::report::{Report, timestamp};

/// The name of the service, and of the scope that records are made in.
const SERVICE: &str = "annotator";
/// What kind of event a record tells of.
const EVENT: &str = "annotator.finding";
/// How long the agent's end may wait for the last records to be delivered.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// Sends findings to a collector.
pub struct Findings {
    told: Told,
    /// Where records are put; closed when the agent ends.
    log: Option<Log>,
    delivery: Option<Delivery>,
    running: Option<JoinHandle<()>>,
    hurry: Arc<Notify>,
    metrics: DeliveryMetrics,
}

struct Log {
    logger: SdkLogger,
    /// The logger works as long as this lives.
    _provider: SdkLoggerProvider,
}

impl Findings {
    /// Prepares the way to a collector. Nothing is sent yet, and whether it is there will show.
    pub fn open(url: &Uri, metrics: &Metrics) -> Result<Self> {
        let resource = resource();
        let (metrics, hurry) = (metrics.delivery()?, Arc::new(Notify::new()));
        let collector = Collector::new(url, &resource)?;
        let (queue, delivery) = delivery::queue(collector, metrics.clone(), Arc::clone(&hurry));
        let provider = SdkLoggerProvider::builder().with_resource(resource).with_log_processor(queue).build();
        let log = Log { logger: provider.logger(SERVICE), _provider: provider };
        Ok(Findings { told: Told::default(), log: Some(log), delivery: Some(delivery), running: None, hurry, metrics })
    }
}

impl Sink for Findings {
    fn start(&mut self) -> Result<()> {
        self.running = self.delivery.take().map(|delivery| tokio::spawn(delivery.run()));
        Ok(())
    }

    fn take(&mut self, report: &Report) -> Result<()> {
        let Some(Log { logger, .. }) = &self.log else { return Ok(()) };
        for (finding, change) in self.told.news(report) {
            let mut record = logger.create_log_record();
            fill(&mut record, report, finding, change);
            logger.emit(record);
        }
        Ok(())
    }

    fn may_recover(&self) -> bool {
        true
    }

    fn finish(&mut self) -> LocalBoxFuture<'_, ()> {
        async {
            // The queue closes with the last of those who can fill it.
            self.log = None;
            self.hurry.notify_one();
            let lost = self.metrics.lost.get();
            if let Some(mut running) = self.running.take()
                && timeout(LAST_PATIENCE, &mut running).await.is_err()
            {
                running.abort();
                let unsent = self.metrics.lost.get() - lost + self.metrics.waiting.get().cast_unsigned();
                log::error!("{} not sent: the collector does not answer", count(unsent, "finding"));
            }
        }
        .boxed_local()
    }
}

/// Who sends: the standard's environment variable `OTEL_RESOURCE_ATTRIBUTES` may add to it.
fn resource() -> Resource {
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    Resource::builder()
        .with_service_name(SERVICE)
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("host.name", host),
        ])
        .build()
}

fn fill(record: &mut impl LogRecord, report: &Report, finding: &Finding, change: Change) {
    record.set_event_name(EVENT);
    record.set_timestamp(system_time(finding.extent.last.unwrap_or(report.window.to)));
    let (number, text) = severity(finding.verdict);
    record.set_severity_number(number);
    record.set_severity_text(text);
    record.set_body(finding.title.clone().into());
    record.add_attributes([
        ("event.kind", if finding.verdict.is_alert() { "alert" } else { "event" }.into()),
        ("event.category", list(["network"])),
        ("event.action", change.name().into()),
        ("network.interface.name", report.source.name.clone().into()),
        ("network.packets", AnyValue::Int(i64::try_from(finding.packets).unwrap_or(i64::MAX))),
        ("source.ip", list(&finding.sources)),
        ("destination.port", finding.extent.ports.iter().map(|port| i64::from(*port)).collect()),
        ("destination.ip", list(&finding.destinations)),
        ("rule.id", finding.id.clone().into()),
        ("rule.name", finding.title.clone().into()),
        ("rule.description", finding.explanation.clone().into()),
        ("rule.reference", list(&finding.references)),
        ("annotator.also", list(&finding.also)),
        ("annotator.verdict", finding.verdict.name().into()),
        ("annotator.confidence", finding.confidence.name().into()),
        ("annotator.looks_like", finding.looks_like.clone().into()),
        ("annotator.evidence", list(&finding.evidence)),
        ("annotator.advice", finding.advice.clone().into()),
    ]);
    let extent = &finding.extent;
    let moment = |moment: Moment| AnyValue::from(timestamp(moment).to_string());
    record.add_attributes(
        [
            ("event.start", extent.first.map(moment)),
            ("event.end", extent.last.map(moment)),
            ("network.transport", extent.protocol.as_ref().map(|name| name.to_string().into())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?))),
    );
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> AnyValue {
    items.into_iter().map(|item| item.to_string()).collect()
}

fn system_time(moment: Moment) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::try_from(moment.0).unwrap_or(0))
}

/// How loud a verdict is.
fn severity(verdict: Verdict) -> (Severity, &'static str) {
    match verdict {
        Verdict::Normal => (Severity::Debug, "DEBUG"),
        Verdict::BenignLookalike | Verdict::Background | Verdict::ThirdParty => (Severity::Info, "INFO"),
        Verdict::Misconfiguration | Verdict::Unknown | Verdict::Reconnaissance => (Severity::Warn, "WARN"),
        Verdict::Attack => (Severity::Error, "ERROR"),
    }
}
