//! A finding as one line with the field names of the Elastic Common Schema (ECS), so that it can be shipped as it is. `docs/output.md` describes it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context, Result};
use schemars::JsonSchema;
use serde::Serialize;

use super::style::{count, safe};
use crate::changes::Change;
use crate::example::Example;
use crate::finding::{ADDRESSES_MAX, Confidence, Finding, Verdict};
use crate::observation::Moment;
use crate::report::{Origin, OriginKind, Report, Window};

/// Name and version of this form.
pub const SCHEMA: &str = "annotator.finding/1";
/// The version of ECS whose field names are used.
const ECS_VERSION: &str = "8.17.0";

/// A finding as it is shipped.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Line<'a> {
    /// When the last sampled packet of it came; where there is none, the end of the window.
    #[serde(rename = "@timestamp")]
    timestamp: Moment,
    /// One sentence for people.
    message: String,
    /// Which ECS this is.
    ecs: Ecs,
    /// What kind of event it is.
    event: Event,
    /// The entry of the knowledge that speaks.
    rule: Rule<'a>,
    /// Who sent the packets, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Endpoint>,
    /// To whom they went, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<Endpoint>,
    /// What was on the wire.
    network: Network,
    /// All addresses, to search for.
    related: Related,
    /// Who observed it.
    observer: Observer<'a>,
    /// What ECS has no field for.
    annotator: Own<'a>,
}

/// `ecs.*`
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Ecs {
    /// Its version.
    version: &'static str,
}

/// `event.*`
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Event {
    /// `alert` where somebody may want to act, else `event`.
    #[schemars(extend("enum" = ["alert", "event"]))]
    kind: &'static str,
    /// `network`, and for alerts `intrusion_detection`.
    category: &'static [&'static str],
    /// Always `info`: nothing was allowed or denied.
    #[serde(rename = "type")]
    types: [&'static str; 1],
    /// Why the line was written.
    #[schemars(extend("enum" = ["new", "changed"]))]
    action: &'static str,
    /// From 0, ordinary, to 80, an attack: by verdict alone.
    severity: u32,
    /// The severity, less what is uncertain.
    risk_score: f64,
    /// The program.
    module: &'static str,
    /// The kind of line.
    dataset: &'static str,
    /// When the finding was made. Left out for captures, whose time is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<Moment>,
    /// The first sampled packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Moment>,
    /// The last sampled packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Moment>,
}

/// `rule.*`
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Rule<'a> {
    /// The stable id of the finding.
    id: &'a str,
    /// Its title.
    name: &'a str,
    /// What it is.
    description: &'a str,
    /// Where to read more, as an address on the web.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// Where the entry is from.
    ruleset: &'static str,
    /// Its version.
    version: &'static str,
}

/// `source.*` and `destination.*`
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Endpoint {
    /// Its address.
    ip: IpAddr,
    /// Its port, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

/// `network.*`
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Network {
    /// Packets that the finding covers.
    packets: u64,
    /// `ingress` on an interface: the kernel shows arriving packets. Left out for captures.
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    /// Keyword of the protocol, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<String>,
    /// `ipv4` or `ipv6`, if all addresses are of one family.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    family: Option<&'static str>,
}

/// `related.*`
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Related {
    /// Sources and destinations.
    ip: Vec<IpAddr>,
}

/// `observer.*`
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Observer<'a> {
    /// What it is.
    product: &'static str,
    /// What does such things.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The program's version.
    version: &'static str,
    /// The host that was watched. Left out for captures, which may be another host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
    /// The interface. Left out for captures.
    #[serde(skip_serializing_if = "Option::is_none")]
    ingress: Option<Ingress<'a>>,
}

/// `observer.ingress.*`
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Ingress<'a> {
    /// The interface.
    interface: Interface<'a>,
}

/// `observer.ingress.interface.*`
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Interface<'a> {
    /// Its name.
    name: &'a str,
}

/// `annotator.*`: fields of ours, as they are in `annotator.report/1`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Own<'a> {
    /// Name and version of this form.
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    /// Interface or capture.
    origin: &'a Origin,
    /// The stretch of time that the finding was made from.
    window: Window,
    /// What it amounts to.
    verdict: Verdict,
    /// How sure that is.
    confidence: Confidence,
    /// Other ids that it answers.
    also: &'a [String],
    /// Who sent the packets, 16 at most.
    sources: &'a [IpAddr],
    /// To whom, 16 at most.
    destinations: &'a [IpAddr],
    /// Destination ports in the order in which they came, 24 at most.
    ports: &'a [u16],
    /// What looks just like it.
    looks_like: &'a str,
    /// What to do.
    advice: &'a str,
    /// What it rests on.
    evidence: &'a [String],
    /// A few of its packets.
    examples: &'a [Example],
    /// Where the knowledge comes from.
    references: &'a [String],
}

/// A finding of a report as a line, which says why it is written; `hostname` is that of the host that was watched.
pub fn line(report: &Report, finding: &Finding, change: Change, hostname: Option<&str>) -> Result<String> {
    let mut text =
        serde_json::to_string(&Line::new(report, finding, change, hostname)).context("cannot serialise a finding")?;
    text.push('\n');
    Ok(text)
}

impl<'a> Line<'a> {
    fn new(report: &'a Report, finding: &'a Finding, change: Change, hostname: Option<&str>) -> Self {
        let is_live = report.source.kind == OriginKind::Interface;
        let is_alert = finding.verdict.is_alert();
        let (severity, risk_score) = severity(finding);
        let extent = &finding.extent;
        let port = match extent.ports[..] {
            [port] => Some(port),
            _ => None,
        };
        let version = env!("CARGO_PKG_VERSION");
        Line {
            timestamp: extent.last.unwrap_or(report.window.to),
            message: message(finding),
            ecs: Ecs { version: ECS_VERSION },
            event: Event {
                kind: if is_alert { "alert" } else { "event" },
                category: if is_alert { &["network", "intrusion_detection"] } else { &["network"] },
                types: ["info"],
                action: change.name(),
                severity,
                risk_score,
                module: "annotator",
                dataset: "annotator.finding",
                created: is_live.then_some(report.window.to),
                start: extent.first,
                end: extent.last,
            },
            rule: Rule {
                id: &finding.id,
                name: &finding.title,
                description: &finding.explanation,
                reference: finding.references.iter().find_map(|reference| web_address(reference)),
                ruleset: "annotator",
                version,
            },
            source: only(&finding.sources).map(|ip| Endpoint { ip, port: None }),
            destination: only(&finding.destinations).map(|ip| Endpoint { ip, port }),
            network: Network {
                packets: finding.packets,
                direction: is_live.then_some("ingress"),
                // IANA calls it otherwise in its registry of protocol numbers than everybody else.
                transport: extent.protocol.as_deref().map(|name| name.replace("icmpv6", "ipv6-icmp")),
                family: family(finding),
            },
            related: Related { ip: addresses(finding).collect() },
            observer: Observer {
                product: "annotator",
                kind: "sensor",
                version,
                hostname: hostname.filter(|_| is_live).map(str::to_owned),
                ingress: is_live.then(|| Ingress { interface: Interface { name: &report.source.name } }),
            },
            annotator: Own {
                schema: SCHEMA,
                origin: &report.source,
                window: report.window,
                verdict: finding.verdict,
                confidence: finding.confidence,
                also: &finding.also,
                sources: &finding.sources,
                destinations: &finding.destinations,
                ports: &extent.ports,
                looks_like: &finding.looks_like,
                advice: &finding.advice,
                evidence: &finding.evidence,
                examples: &finding.examples,
                references: &finding.references,
            },
        }
    }
}

/// By consequence; and the same, less what is uncertain.
fn severity(finding: &Finding) -> (u32, f64) {
    let severity = match finding.verdict {
        Verdict::Normal => 0,
        Verdict::BenignLookalike => 5,
        Verdict::Background => 10,
        Verdict::Misconfiguration | Verdict::ThirdParty => 30,
        Verdict::Unknown => 40,
        Verdict::Reconnaissance => 50,
        Verdict::Attack => 80,
    };
    let certainty = match finding.confidence {
        Confidence::Possible => 0.5,
        Confidence::Likely => 0.8,
        Confidence::Certain => 1.0,
    };
    (severity, f64::from(severity) * certainty)
}

/// What it is, how sure that is, how much of it and from whom.
fn message(finding: &Finding) -> String {
    let mut text = format!(
        "{} ({}, {}): {}",
        safe(&finding.title),
        finding.verdict.name(),
        finding.confidence.name(),
        count(finding.packets, "packet")
    );
    for (word, addresses) in [("from", &finding.sources), ("to", &finding.destinations)] {
        match addresses[..] {
            [] => {}
            [one] => text.push_str(&format!(" {word} {one}")),
            _ => {
                let cut = if addresses.len() >= ADDRESSES_MAX { "at least " } else { "" };
                text.push_str(&format!(" {word} {cut}{}", count(addresses.len() as u64, "address")));
            }
        }
    }
    text
}

fn addresses(finding: &Finding) -> impl Iterator<Item = IpAddr> {
    let all: BTreeSet<IpAddr> = finding.sources.iter().chain(&finding.destinations).copied().collect();
    all.into_iter()
}

fn only(addresses: &[IpAddr]) -> Option<IpAddr> {
    match addresses {
        [one] => Some(*one),
        _ => None,
    }
}

fn family(finding: &Finding) -> Option<&'static str> {
    let all = || addresses(finding);
    match (all().any(|ip| ip.is_ipv4()), all().any(|ip| ip.is_ipv6())) {
        (true, false) => Some("ipv4"),
        (false, true) => Some("ipv6"),
        _ => None,
    }
}

/// The address of what has one that follows from its name.
fn web_address(reference: &str) -> Option<String> {
    if let Some(number) = reference.strip_prefix("RFC ") {
        return Some(format!("https://www.rfc-editor.org/rfc/rfc{number}"));
    }
    reference.starts_with("CVE-").then(|| format!("https://www.cve.org/CVERecord?id={reference}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extent::Extent;

    fn line_of(finding: &Finding, kind: OriginKind) -> serde_json::Value {
        let report = Report { source: Origin { kind, name: "eth0".into(), xdp_mode: None }, ..Report::empty() };
        let line = line(&report, finding, Change::New, Some("gate")).unwrap();
        assert_eq!((line.matches('\n').count(), line.ends_with('\n')), (1, true));
        serde_json::from_str(&line).unwrap()
    }

    fn finding() -> Finding {
        Finding {
            id: "tool.mirai".into(),
            title: "Mirai".into(),
            verdict: Verdict::Reconnaissance,
            confidence: Confidence::Likely,
            packets: 12_000,
            sources: vec![[192, 0, 2, 1].into()],
            destinations: vec![[198, 51, 100, 1].into(), [198, 51, 100, 2].into()],
            extent: Extent {
                first: Some(Moment(1_000_000_000)),
                last: Some(Moment(2_000_000_000)),
                protocol: Some("tcp".into()),
                ports: vec![23],
            },
            references: vec!["FAQ 1.2.0".into(), "RFC 854".into()],
            ..Finding::default()
        }
    }

    #[test]
    fn what_is_one_has_a_field_of_its_own_and_what_is_many_is_related() {
        let line = line_of(&finding(), OriginKind::Interface);
        assert_eq!(line["@timestamp"], "1970-01-01T00:00:02Z");
        assert_eq!(line["message"], "Mirai (reconnaissance, likely): 12,000 packets from 192.0.2.1 to 2 addresses");
        assert_eq!((line["event"]["kind"].as_str(), line["event"]["risk_score"].as_f64()), (Some("alert"), Some(40.0)));
        assert_eq!(line["source"]["ip"], "192.0.2.1");
        assert!(line["destination"].is_null());
        assert_eq!(line["related"]["ip"].as_array().unwrap().len(), 3);
        assert_eq!(
            (line["network"]["transport"].as_str(), line["network"]["type"].as_str()),
            (Some("tcp"), Some("ipv4"))
        );
        assert_eq!(line["rule"]["reference"], "https://www.rfc-editor.org/rfc/rfc854");
        assert_eq!(line["observer"]["hostname"], "gate");
        assert_eq!(line["observer"]["ingress"]["interface"]["name"], "eth0");

        let one = Finding { destinations: vec![[198, 51, 100, 1].into()], ..finding() };
        assert_eq!(line_of(&one, OriginKind::Interface)["destination"]["port"], 23);
    }

    #[test]
    fn a_capture_has_no_direction_and_names_no_host() {
        let line = line_of(&finding(), OriginKind::Capture);
        assert!(line["network"]["direction"].is_null() && line["observer"]["hostname"].is_null(), "{line}");
        assert_eq!(line["annotator"]["origin"]["kind"], "capture");
    }

    #[test]
    fn calm_findings_are_no_alerts() {
        let calm = Finding { verdict: Verdict::Background, ..finding() };
        let line = line_of(&calm, OriginKind::Interface);
        assert_eq!((line["event"]["kind"].as_str(), line["event"]["severity"].as_u64()), (Some("event"), Some(10)));
        assert_eq!(line["event"]["category"], serde_json::json!(["network"]));
    }
}
