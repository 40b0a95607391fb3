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
}

/// A queue with both its ends. `hurry` ends the wait for a collector that does not answer: it is tried once more.
pub fn queue(collector: Collector, metrics: DeliveryMetrics, hurry: Arc<Notify>) -> (Queue, Delivery) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (Queue { sender, metrics: metrics.clone() }, Delivery { receiver, collector, metrics, hurry })
}

impl Delivery {
    /// Delivers until the queue is closed and empty.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.receiver.recv_many(&mut batch, BATCH).await > 0 {
            let lost = self.deliver(&batch).await;
            let all = batch.len() as u64;
            self.metrics.lost.inc_by(lost.min(all));
            self.metrics.sent.inc_by(all - lost.min(all));
            self.metrics.waiting.sub(batch.len() as i64);
            batch.clear();
        }
    }

    /// Tries until the collector has decided, and says how many records it did not take.
    async fn deliver(&self, batch: &[Item]) -> u64 {
        let url = self.collector.url();
        let lost_before = self.metrics.lost.get();
        let mut pause = PAUSES.0;
        let mut in_trouble = false;
        let mut hurried = false;
        loop {
            match self.collector.send(batch).await {
                Outcome::Taken { rejected } => {
                    if rejected > 0 {
                        log::warn!("{url} did not take {rejected} of {} findings", batch.len());
                    }
                    if in_trouble {
                        let lost = self.metrics.lost.get() - lost_before;
                        log::warn!("findings reach {url} again; {lost} were lost meanwhile");
                    }
                    return rejected;
                }
                Outcome::Never(why) => {
                    log::error!("{url} does not take findings: {why}; {} are lost", batch.len());
                    return batch.len() as u64;
                }
                Outcome::Later(_) if hurried => return batch.len() as u64,
                Outcome::Later(why) => {
                    if !in_trouble {
                        log::error!(
                            "findings do not reach {url}: {why}; counting goes on, {QUEUE} findings wait, and more are lost"
                        );
                        in_trouble = true;
                    }
                    tokio::select! {
                        () = sleep(pause) => pause = (pause * 2).min(PAUSES.1),
                        () = self.hurry.notified() => hurried = true,
                    }
                }
            }
        }
    }
}
