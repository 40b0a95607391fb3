//! The agent's pages: `/metrics` for Prometheus and `/healthz` for whoever watches over the agent.
//!
//! They are served by the thread that polls, so nothing here may take long: few connections at a time, each with one request and little time.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::metrics::{Exposition, Metrics};
use crate::live::sinks::Sink;
use crate::report::Report;

/// Connections that are served at a time; more wait in the kernel's queue.
const CONNECTIONS: usize = 16;
/// How long a client may take to ask, so that one that says nothing soon makes room for others.
const TIME_TO_ASK: Duration = Duration::from_secs(1);
/// How long a connection may last.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait where no connection can be accepted, for want of file descriptors for instance.
const PAUSE: Duration = Duration::from_millis(200);
const PLAIN: &str = "text/plain; charset=utf-8";

/// A port that is held, and served once the agent is attached.
pub struct Server {
    listener: Option<TcpListener>,
    metrics: Rc<Metrics>,
}

impl Server {
    /// Takes the port.
    pub fn bind(address: SocketAddr, metrics: &Rc<Metrics>) -> Result<Self> {
        let failed = || format!("cannot serve metrics on {address}; choose another address or port: --metrics ADDR");
        let listener = TcpListener::bind(address).with_context(failed)?;
        listener.set_nonblocking(true).with_context(failed)?;
        Ok(Server { listener: Some(listener), metrics: Rc::clone(metrics) })
    }
}

impl Sink for Server {
    fn start(&mut self) -> Result<()> {
        if let Some(listener) = self.listener.take() {
            let listener = tokio::net::TcpListener::from_std(listener).context("serving metrics")?;
            tokio::spawn(serve(listener, self.metrics.exposition()));
        }
        Ok(())
    }

    fn take(&mut self, report: &Report) -> Result<()> {
        self.metrics.report(report);
        Ok(())
    }

    fn may_recover(&self) -> bool {
        true
    }
}

async fn serve(listener: tokio::net::TcpListener, pages: Exposition) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // The semaphore is never closed.
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                log::debug!("metrics: cannot accept a connection: {error}");
                sleep(PAUSE).await;
                continue;
            }
        };
        let pages = pages.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request| std::future::ready(Ok::<_, Infallible>(page(&request, &pages))));
            let connection = http1::Builder::new()
                .keep_alive(false)
                .timer(TokioTimer::new())
                .header_read_timeout(TIME_TO_ASK)
                .serve_connection(TokioIo::new(stream), answer);
            match timeout(PATIENCE, connection).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => log::debug!("metrics: {error}"),
                Err(_) => log::debug!("metrics: a connection took too long"),
            }
            drop(permit);
        });
    }
}

fn page(request: &Request<Incoming>, pages: &Exposition) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET and HEAD are answered\n".into());
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/metrics" => match pages.text() {
            Ok(text) => answer(StatusCode::OK, prometheus::TEXT_FORMAT, text),
            Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, format!("{error:#}\n")),
        },
        "/healthz" => match pages.complaint() {
            None => answer(StatusCode::OK, PLAIN, "ok\n".into()),
            Some(complaint) => answer(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("{complaint}\n")),
        },
        "/" => answer(StatusCode::OK, PLAIN, "annotator: /metrics, /healthz\n".into()),
        _ => answer(StatusCode::NOT_FOUND, PLAIN, "there are /metrics and /healthz\n".into()),
    }
}

fn answer(status: StatusCode, content_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    response
}
