//! Log records on their way to a collector: a bounded queue, and a task that empties it.
//!
//! A collector that is slow, dead or unwilling costs records, which are counted, and never time: who puts a record into the queue does not wait.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;

use super::collector::{Collector, Item, Outcome};
use super::metrics::DeliveryMetrics;
use crate::quantity::count;

/// Records that wait at most.
pub const QUEUE: usize = 1024;
/// Records that one request holds at most.
const BATCH: usize = 128;
/// The first pause after a failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The end of the queue that takes records. The SDK's own batch processor does much the same, but tells nobody how many it had to drop.
#[derive(Debug)]
pub struct Queue {
    sender: mpsc::Sender<Item>,
    metrics: DeliveryMetrics,
}

impl LogProcessor for Queue {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        match self.sender.try_send(Box::new((record.clone(), scope.clone()))) {
            Ok(()) => self.metrics.waiting.inc(),
            Err(_) => self.metrics.lost.inc(),
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The end of the queue that hands records to the collector.
pub struct Delivery {
    receiver: mpsc::Receiver<Item>,
    collector: Collector,
    metrics: DeliveryMetrics,
    hurry: Arc<Notify>,
    /// Whether the agent ends and there is no more waiting.
    hurried: bool,
    /// Since the collector cannot be reached: how many records had been lost until then.
    trouble: Option<u64>,
    /// What was given up at the end, and why.
    unsent: Option<(u64, String)>,
}

/// A queue with both its ends. `hurry` ends all waiting for a collector that cannot be reached: from then on records are tried once.
pub fn queue(collector: Collector, metrics: DeliveryMetrics, hurry: Arc<Notify>) -> (Queue, Delivery) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let delivery =
        Delivery { receiver, collector, metrics: metrics.clone(), hurry, hurried: false, trouble: None, unsent: None };
    (Queue { sender, metrics }, delivery)
}

impl Delivery {
    /// Delivers until the queue is closed and empty.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.receiver.recv_many(&mut batch, BATCH).await > 0 {
            let all = batch.len() as u64;
            let lost = self.deliver(&batch).await.min(all);
            self.metrics.lost.inc_by(lost);
            self.metrics.sent.inc_by(all - lost);
            self.metrics.waiting.sub(batch.len() as i64);
            batch.clear();
        }
        if let Some((unsent, why)) = self.unsent {
            log::error!("{} not sent to {}: {why}", count(unsent, "finding"), self.collector.url());
        }
    }

    /// Tries until the collector has decided, and says how many records it did not take.
    async fn deliver(&mut self, batch: &[Item]) -> u64 {
        let url = self.collector.url().clone();
        let all = batch.len();
        let mut pause = PAUSES.0;
        loop {
            match self.collector.send(batch).await {
                Outcome::Taken { rejected } => {
                    if rejected > 0 {
                        log::warn!("{url} did not take {rejected} of {all} findings");
                    }
                    if let Some(lost_before) = self.trouble.take() {
                        let lost = self.metrics.lost.get() - lost_before;
                        log::warn!("findings reach {url} again; {lost} were lost meanwhile");
                    }
                    return rejected;
                }
                Outcome::Never(why) => {
                    log::error!("{url} does not take findings: {why}; {all} are lost");
                    return all as u64;
                }
                Outcome::Later(why) if self.hurried => {
                    self.unsent = Some((self.unsent.take().map_or(0, |(unsent, _)| unsent) + all as u64, why));
                    return all as u64;
                }
                Outcome::Later(why) => {
                    if self.trouble.is_none() {
                        log::error!(
                            "findings do not reach {url}: {why}; counting goes on, {QUEUE} findings wait, and more are lost"
                        );
                        self.trouble = Some(self.metrics.lost.get());
                    }
                    tokio::select! {
                        () = sleep(pause) => pause = (pause * 2).min(PAUSES.1),
                        () = self.hurry.notified() => self.hurried = true,
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _};
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::logs::SdkLoggerProvider;
    use prost::Message as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::telemetry::metrics::Metrics;

    /// A queue for a collector on a port of this machine, with so many records in it and closed.
    fn filled(port: u16, records: usize) -> (Delivery, DeliveryMetrics) {
        let url = format!("http://127.0.0.1:{port}/v1/logs").parse().unwrap();
        let metrics = Metrics::new().unwrap().delivery().unwrap();
        let resource = Resource::builder_empty().build();
        let collector = Collector::new(&url, &resource).unwrap();
        let (queue, delivery) = queue(collector, metrics.clone(), Arc::default());
        let provider = SdkLoggerProvider::builder().with_resource(resource).with_log_processor(queue).build();
        let logger = provider.logger("test");
        for number in 0..records {
            let mut record = logger.create_log_record();
            record.set_body(AnyValue::Int(number as i64));
            logger.emit(record);
        }
        (delivery, metrics)
    }

    /// Answers one request each with these status codes and returns how many records each had.
    async fn answer(listener: TcpListener, codes: &[u16]) -> Vec<usize> {
        let mut seen = Vec::new();
        for code in codes {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let body = loop {
                assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
                let mut headers = [httparse::EMPTY_HEADER; 16];
                let mut request = httparse::Request::new(&mut headers);
                let httparse::Status::Complete(head) = request.parse(&bytes).unwrap() else { continue };
                let length = request.headers.iter().find(|header| header.name == "content-length").unwrap();
                let length: usize = str::from_utf8(length.value).unwrap().parse().unwrap();
                if bytes.len() == head + length {
                    break bytes.split_off(head);
                }
            };
            let request = ExportLogsServiceRequest::decode(body.as_slice()).unwrap();
            let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
            seen.push(scopes.map(|scope| scope.log_records.len()).sum());
            let response = format!("HTTP/1.1 {code} Whatever\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(response.as_bytes()).await.unwrap();
        }
        seen
    }

    fn counts(metrics: &DeliveryMetrics) -> (u64, u64, i64) {
        (metrics.sent.get(), metrics.lost.get(), metrics.waiting.get())
    }

    #[tokio::test]
    async fn what_does_not_fit_is_lost_and_counted() {
        // A port that nobody listens on.
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let (delivery, metrics) = filled(port, QUEUE + 76);
        assert_eq!(counts(&metrics), (0, 76, QUEUE as i64));
        delivery.hurry.notify_one();
        delivery.run().await;
        assert_eq!(counts(&metrics), (0, QUEUE as u64 + 76, 0));
    }

    #[tokio::test]
    async fn a_busy_collector_is_asked_again_and_an_unwilling_one_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (delivery, metrics) = filled(listener.local_addr().unwrap().port(), BATCH + 2);
        let (seen, ()) = tokio::join!(answer(listener, &[503, 200, 400]), delivery.run());
        assert_eq!(seen, [BATCH, BATCH, 2]);
        assert_eq!(counts(&metrics), (BATCH as u64, 2, 0));
    }
}
