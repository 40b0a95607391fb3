//! Where a running agent's figures and findings go besides its reports: to Prometheus and to OpenTelemetry collectors.
//!
//! [`metrics`] holds the figures and [`http`] serves them. [`otlp`] turns findings into log records; [`delivery`] keeps those in a queue until the
//! [`collector`] has them.

pub mod collector;
pub mod delivery;
pub mod http;
pub mod metrics;
pub mod otlp;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use anyhow::Result;
use clap::Args;
use hyper::Uri;

use crate::live::sinks::Sinks;
use metrics::Metrics;

/// Options for other systems that take what the agent finds.
#[derive(Clone, Debug, Default, Args)]
pub struct TelemetryOptions {
    /// Serve Prometheus metrics at /metrics and the agent's health at /healthz. A port alone is a port of 127.0.0.1; 9184 is the usual one.
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    pub metrics: Option<SocketAddr>,
    /// Send findings as OpenTelemetry logs (OTLP over HTTP, protobuf) to this collector: http://localhost:4318.
    #[arg(long, value_name = "URL", value_parser = collector_url)]
    pub otlp: Option<Uri>,
}

/// Opens what the options ask for. Fails before anything is attached: a port that is taken, an address that is not ours.
pub fn open(options: &TelemetryOptions, metrics: &Rc<Metrics>, sinks: &mut Sinks) -> Result<()> {
    if let Some(address) = options.metrics {
        sinks.add(http::Server::bind(address, metrics)?);
    }
    if let Some(collector) = &options.otlp {
        sinks.add(otlp::Findings::open(collector, metrics)?);
    }
    Ok(())
}

/// `9184`, `:9184`, `192.0.2.1:9184`, `[::1]:9184`.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    match text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
        Ok(port) => Ok((IpAddr::from(Ipv4Addr::LOCALHOST), port).into()),
        Err(_) => {
            text.parse().map_err(|_| "write a port or an address and a port: 9184, 192.0.2.1:9184, [::1]:9184".into())
        }
    }
}

/// The address of a collector; where it has no path, that of the standard.
fn collector_url(text: &str) -> Result<Uri, String> {
    const FORM: &str = "write it like http://localhost:4318 or https://collector.example/v1/logs";
    let uri: Uri = text.parse().map_err(|_| FORM)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(FORM.into());
    }
    match uri.path() {
        "" | "/" => format!("{}/v1/logs", text.trim_end_matches('/')).parse().map_err(|_| FORM.into()),
        _ => Ok(uri),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_for_this_machine() {
        for text in ["9184", ":9184", "127.0.0.1:9184"] {
            assert_eq!(listen_address(text).unwrap(), "127.0.0.1:9184".parse().unwrap());
        }
        assert_eq!(listen_address("[::1]:9184").unwrap(), "[::1]:9184".parse().unwrap());
        for text in ["", ":", "localhost", "70000", "192.0.2.1", "9184:"] {
            assert!(listen_address(text).unwrap_err().contains("[::1]:9184"), "{text}");
        }
    }

    #[test]
    fn a_collector_has_the_standard_path_unless_it_names_one() {
        for text in ["http://localhost:4318", "http://localhost:4318/"] {
            assert_eq!(collector_url(text).unwrap(), "http://localhost:4318/v1/logs");
        }
        assert_eq!(collector_url("https://c.example/otlp/v1/logs").unwrap(), "https://c.example/otlp/v1/logs");
        for text in ["localhost:4318", "ftp://c.example", "http://", "", "/v1/logs", "grpc://c.example:4317"] {
            assert!(collector_url(text).is_err(), "{text}");
        }
    }
}
