//! An OpenTelemetry collector, as the standard's own exporter talks to it (OTLP over HTTP, protobuf).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use hyper::body::Bytes;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_rustls::HttpsConnectorBuilder;
use opentelemetry::InstrumentationScope;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{LogExporter, Protocol, RetryPolicy, WithExportConfig, WithHttpConfig};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{LogBatch, LogExporter as _, SdkLogRecord};
use prost::Message;

/// How long a collector may take for one request.
const PATIENCE: Duration = Duration::from_secs(10);

/// A log record with the scope it was made in.
pub type Item = Box<(SdkLogRecord, InstrumentationScope)>;

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The collector has it, without so many records that it did not want.
    Taken {
        /// Records that it did not want.
        rejected: u64,
    },
    /// It may have it later: it cannot be reached, or is busy.
    Later(String),
    /// It will never have it.
    Never(String),
}

/// A collector.
pub struct Collector {
    url: Uri,
    exporter: LogExporter,
    outcome: Arc<Mutex<Option<Outcome>>>,
}

impl Collector {
    /// Prepares to talk to a collector; nothing is sent yet. The standard's environment variables for headers and compression hold.
    pub fn new(url: &Uri, resource: &Resource) -> Result<Self> {
        let failed = || format!("cannot send findings to {url}");
        let client: Box<dyn HttpClient> = if url.scheme_str() == Some("https") {
            let connector = HttpsConnectorBuilder::new()
                .with_native_roots()
                .context("reading this system's certificates (Debian's are in the package ca-certificates)")
                .with_context(failed)?
                .https_only()
                .enable_http1()
                .build();
            Box::new(HyperClient::new(connector, PATIENCE, None))
        } else {
            Box::new(HyperClient::with_default_connector(PATIENCE, None))
        };
        let outcome = Arc::default();
        let mut exporter = LogExporter::builder()
            .with_http()
            .with_http_client(Observed { client, outcome: Arc::clone(&outcome) })
            .with_endpoint(url.to_string())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(PATIENCE)
            // It would retry by putting its thread to sleep, and ours has packets to count.
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .with_context(failed)?;
        exporter.set_resource(resource);
        Ok(Collector { url: url.clone(), exporter, outcome })
    }

    /// Its address.
    pub fn url(&self) -> &Uri {
        &self.url
    }

    /// Sends records, once.
    pub async fn send(&self, items: &[Item]) -> Outcome {
        let records: Vec<_> = items.iter().map(|item| (&item.0, &item.1)).collect();
        let result = self.exporter.export(LogBatch::new(&records)).await;
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (result, outcome) {
            (_, Some(outcome)) => outcome,
            (Ok(()), None) => Outcome::Taken { rejected: 0 },
            (Err(error), None) => Outcome::Never(error.to_string()),
        }
    }
}

/// A client that keeps what came of a request: the exporter tells no more than that it failed.
#[derive(Debug)]
struct Observed {
    client: Box<dyn HttpClient>,
    outcome: Arc<Mutex<Option<Outcome>>>,
}

#[async_trait]
impl HttpClient for Observed {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let result = self.client.send_bytes(request).await;
        let outcome = match &result {
            Ok(response) => outcome(response.status(), response.body()),
            Err(error) => Outcome::Later(chain(error.as_ref())),
        };
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        result
    }
}

/// What an answer means. The standard says which failures pass: <https://opentelemetry.io/docs/specs/otlp/#failures-1>.
fn outcome(status: StatusCode, body: &Bytes) -> Outcome {
    let answer = || format!("it answers {status}");
    match status {
        _ if status.is_success() => Outcome::Taken { rejected: rejected(body) },
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Outcome::Later(answer()),
        _ => Outcome::Never(answer()),
    }
}

/// Records that a collector did not take although it took the request. Some answer with nothing at all, or in words.
fn rejected(body: &Bytes) -> u64 {
    ExportLogsServiceResponse::decode(body.as_ref())
        .ok()
        .and_then(|response| response.partial_success)
        .map_or(0, |partial| u64::try_from(partial.rejected_log_records).unwrap_or(0))
}

/// An error with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsPartialSuccess;

    use super::*;

    #[test]
    fn what_passes_is_tried_again_and_what_does_not_is_not() {
        let empty = Bytes::new();
        assert_eq!(outcome(StatusCode::OK, &empty), Outcome::Taken { rejected: 0 });
        for status in [429, 502, 503, 504] {
            let status = StatusCode::from_u16(status).unwrap();
            assert!(matches!(outcome(status, &empty), Outcome::Later(why) if why.contains(status.as_str())));
        }
        for status in [400, 401, 404, 413, 500, 301] {
            assert!(matches!(outcome(StatusCode::from_u16(status).unwrap(), &empty), Outcome::Never(_)), "{status}");
        }
    }

    #[test]
    fn what_was_rejected_is_counted() {
        let partial = ExportLogsPartialSuccess { rejected_log_records: 3, error_message: "too old".into() };
        let body = ExportLogsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        assert_eq!(outcome(StatusCode::OK, &body.into()), Outcome::Taken { rejected: 3 });
        assert_eq!(outcome(StatusCode::OK, &Bytes::from_static(b"thank you")), Outcome::Taken { rejected: 0 });
    }
}
