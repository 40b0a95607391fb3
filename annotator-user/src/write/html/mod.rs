//! Reports as a page for a browser: one file that asks for nothing else, without script, readable on a phone and on paper.
//!
//! All text is escaped by `maud` as it is written, and the page as a whole is freed of what no page should hold ([`style::safe`]). Should anything get
//! by that, the page's own content security policy lets nothing in it run or load.

mod bytes;
mod charts;
mod fields;
mod findings;
mod live;
mod sources;
mod tables;

use std::time::Duration;

use anyhow::Result;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::output::{self, Target};
use super::phrases;
use super::style::{self, count, seconds};
use crate::finding::Verdict;
use crate::report::{OriginKind, Report};

pub use live::LivePage;

const CSS: &str = include_str!("style.css");

/// A report as part of a page.
pub struct Part {
    name: String,
    verdict: Verdict,
    answer: String,
    article: Markup,
}

impl Part {
    /// What a report says, with times in a time zone.
    pub fn new(report: &Report, zone: &TimeZone) -> Self {
        let verdict = report.findings.first().map_or(Verdict::Normal, |finding| finding.verdict);
        let answer = phrases::answer(report);
        let article = article(report, &answer, verdict, zone);
        Part { name: report.source.name.clone(), verdict, answer, article }
    }
}

/// A page of one or several reports, which is replaced at an interval where an agent writes it.
pub fn page<'a>(parts: impl IntoIterator<Item = &'a Part> + Clone, interval: Option<Duration>) -> String {
    let css = style::safe(CSS);
    let hash = BASE64_STANDARD.encode(Sha256::digest(&css));
    let policy =
        format!("default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'");
    let names: Vec<_> = parts.clone().into_iter().map(|part| &*part.name).collect();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content={ "annotator " (env!("CARGO_PKG_VERSION")) };
                title { (names.join(", ")) " – annotator" }
                // Else browsers ask the server for one.
                link rel="icon" href="data:,";
                style { (PreEscaped(&css)) }
            }
            body {
                @if names.len() > 1 {
                    (overview(parts.clone()))
                }
                main {
                    @for part in parts {
                        (part.article)
                    }
                }
                footer {
                    p {
                        "annotator " (env!("CARGO_PKG_VERSION"))
                        @if let Some(interval) = interval {
                            ". Replaced every " (seconds(interval.as_secs_f64())) " while it watches; reload the page for the newest."
                        }
                    }
                }
            }
        }
    };
    style::safe(&markup.into_string())
}

/// Writes the page of one report: to standard output, or in place of what a file held.
pub fn once(report: &Report, target: &Target) -> Result<()> {
    let page = page([&Part::new(report, &TimeZone::system())], None);
    output::put(target, page)
}

/// The answers of several reports, as a way to them.
fn overview<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Markup {
    html! {
        nav.overview aria-label="Interfaces" {
            ul {
                @for part in parts {
                    li { a href={ "#" (part.name) } { (part.name) } " " span class=(part.verdict.name()) { (part.answer) } }
                }
            }
        }
    }
}

fn article(report: &Report, answer: &str, verdict: Verdict, zone: &TimeZone) -> Markup {
    let anchors = Anchors::of(report);
    let (name, from, to) = (&report.source.name, report.window.from, report.window.to);
    html! {
        article id=(anchors.top()) class=(verdict.name()) {
            header {
                p.source {
                    (name)
                    @if let Some(mode) = &report.source.xdp_mode { span.muted { " XDP " (mode) " mode" } }
                }
                h1 { (answer) }
                @if report.totals.packets > 0 {
                    p.muted {
                        (phrases::stretch(from, to, zone))
                        ", " (seconds(report.window.seconds)) ": "
                        (count(report.totals.packets, "packet")) ", " (style::bytes(report.totals.bytes))
                    }
                }
                @for note in &report.notes {
                    p.note { strong { "Note: " } (note) }
                }
            }
            (findings::section(report, &anchors, zone))
            (charts::rates(report, zone))
            (tables::sections(report))
            (sources::section(report, &anchors, zone))
            (tables::coverage(report))
        }
    }
}

/// Names of places on the page, which may hold several reports.
struct Anchors(String);

impl Anchors {
    fn of(report: &Report) -> Self {
        Anchors(match report.source.kind {
            OriginKind::Capture => "report".into(),
            // No interface's name has a space in it, and no two are the same.
            OriginKind::Interface => report.source.name.clone(),
        })
    }

    fn top(&self) -> &str {
        &self.0
    }

    fn finding(&self, index: usize) -> String {
        format!("{}-finding-{index}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::Counters;
    use crate::example::Example;
    use crate::extent::Extent;
    use crate::finding::{ADDRESSES_MAX, Confidence, Finding};
    use crate::observation::{Locality, Moment, Observations, Rate};
    use crate::report::{IcmpRow, Origin, PortRow, SourceRow};
    use annotator_common::{Count, Link};

    const ADDRESS: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 3));

    /// A report that has something of everything, and whose texts are all this one.
    fn report(text: &str, kind: OriginKind) -> Report {
        let finding = |verdict| Finding {
            id: text.into(),
            also: vec![text.into()],
            title: text.into(),
            verdict,
            confidence: Confidence::Likely,
            packets: 5,
            sources: vec![ADDRESS],
            destinations: vec![ADDRESS],
            extent: Extent { first: Some(Moment(0)), last: Some(Moment(1)), ..Extent::default() },
            explanation: text.into(),
            looks_like: text.into(),
            advice: text.into(),
            evidence: vec![text.into()],
            examples: vec![Example {
                at: Moment(0),
                headers: text.into(),
                link: Link::Ethernet,
                length: 60,
                bytes: [7; 60].into(),
            }],
            sightings: Vec::new(),
            references: vec![text.into()],
        };
        let counters = Counters { without_protocol: Count { packets: 5, bytes: 300 }, ..Counters::default() };
        let observations = Observations {
            from: Moment(0),
            to: Moment(2_000_000_000),
            live: false,
            counters: &counters,
            rates: &[0, 1_000_000_000].map(|from| Rate { from: Moment(from), seconds: 1.0, packets: 5, bytes: 300 }),
            busiest: &[],
            sources: &[],
            sources_dropped: 0,
            outbound: None,
            sightings: &[],
            locality: &Locality::default(),
        };
        let origin = Origin { kind, name: text.into(), xdp_mode: Some(text.into()) };
        let findings = vec![finding(Verdict::Attack), finding(Verdict::Normal)];
        let mut report = Report::new(origin, &observations, findings, 12.3, vec![text.into()]);
        let port = |side, port| PortRow {
            proto: "tcp",
            side,
            port,
            service: Some(text.into()),
            packets: 5,
            bytes: 300,
            syn: 5,
        };
        report.ports = (0..300).map(|number| port("dst", number)).chain([port("src", 80)]).collect();
        report.icmp = vec![IcmpRow { family: 4, icmp_type: 8, code: 0, name: None, packets: 5, bytes: 300 }];
        report.flags.insert("vlan", 5);
        report.coverage.not_parsed.insert("l4-truncated", 5);
        report.sources = vec![SourceRow {
            address: ADDRESS,
            packets: 5,
            first: Moment(0),
            last: Moment(1_000_000_000),
            ports_about: 12,
            destinations_about: 1,
            syn: 4,
            rst: 1,
            fin: 0,
            udp: 0,
            icmp: 0,
            ttl_low: 52,
            ttl_high: 52,
        }];
        report
    }

    fn page_of(text: &str, kind: OriginKind) -> String {
        page([&Part::new(&report(text, kind), &TimeZone::UTC)], None)
    }

    /// The page's tags: names of elements and of their attributes, without any text and any value.
    fn tags(page: &str) -> Vec<String> {
        let mut tags = Vec::new();
        for part in page.split('<').skip(1) {
            let (tag, _) = part.split_once('>').expect("a tag ends");
            // Values stand between double quotes.
            tags.push(tag.split('"').step_by(2).collect());
        }
        tags
    }

    #[test]
    fn text_from_the_network_stays_text() {
        let plain = page_of("plain", OriginKind::Capture);
        for hostile in [
            "<script>alert(1)</script>",
            "</title></style><img src=x onerror=alert(1)>",
            "\" onmouseover=\"alert(1)\" x=\"",
            "' onfocus='alert(1)' autofocus='",
            "--><svg onload=alert(1)>",
            "`<b>`",
            "RFC \"><script>",
            "&lt;script&gt;",
        ] {
            for kind in [OriginKind::Capture, OriginKind::Interface] {
                let page = page_of(hostile, kind);
                // Between backticks is code, which is the one thing that text can ask for.
                let without_code = |page: &str| {
                    let mut tags = tags(page);
                    tags.retain(|tag| tag != "code" && tag != "/code");
                    tags
                };
                assert_eq!(without_code(&page), without_code(&plain), "{hostile}");
            }
        }
        assert!(page_of("<script>", OriginKind::Capture).contains("&lt;script&gt;"), "it is shown, not swallowed");
    }

    #[test]
    fn nothing_that_turns_or_hides_text_is_left() {
        let page = page_of("a\u{202e}b\u{7}c\u{200b}d\u{1b}[31m\r\n\u{2067}e", OriginKind::Capture);
        assert!(page.contains("a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}[31m\u{fffd} \u{fffd}e"));
        assert_eq!(style::safe(&page), page);
    }

    #[test]
    fn the_page_asks_for_nothing() {
        let page = page_of("RFC 791 §3", OriginKind::Capture);
        for loads in ["src=", "@import", "url(", "<script", "<iframe", "srcset", "http-equiv=\"refresh\""] {
            assert!(!page.contains(loads), "{loads}");
        }
        assert!(page.contains("default-src 'none'"));
        // Links are not followed by themselves.
        assert!(page.contains("<a href=\"https://www.rfc-editor.org/rfc/rfc791\""));
    }

    #[test]
    fn long_tables_have_an_end() {
        let page = page_of("service", OriginKind::Capture);
        assert!(page.contains("290 more"), "all but the first are behind a fold");
        assert!(page.contains("And 40 more"), "and the last are said to be missing");
    }

    #[test]
    fn a_list_of_addresses_says_that_it_is_cut() {
        for listed in [ADDRESSES_MAX - 1, ADDRESSES_MAX] {
            let mut report = report("finding", OriginKind::Capture);
            report.findings[0].sources = vec![ADDRESS; listed];
            let page = page([&Part::new(&report, &TimeZone::UTC)], None);
            assert_eq!(page.contains(", and others"), listed == ADDRESSES_MAX, "{listed}");
        }
    }

    #[test]
    fn several_interfaces_share_a_page() {
        let parts = ["eth0", "eth1"].map(|name| Part::new(&report(name, OriginKind::Interface), &TimeZone::UTC));
        let page = page(&parts, Some(Duration::from_secs(10)));
        for place in
            ["href=\"#eth0\"", "id=\"eth0\"", "href=\"#eth1-finding-0\"", "id=\"eth1-finding-0\"", "every 10 s"]
        {
            assert!(page.contains(place), "{place}");
        }
        let mut ids: Vec<_> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "each name of a place is there once");
    }

    #[test]
    fn nothing_arrived() {
        let origin = Origin { kind: OriginKind::Interface, name: "eth0".into(), xdp_mode: Some("native".into()) };
        let observations = Observations {
            from: Moment(0),
            to: Moment(0),
            live: true,
            counters: &Counters::default(),
            rates: &[],
            busiest: &[],
            sources: &[],
            sources_dropped: 0,
            outbound: None,
            sightings: &[],
            locality: &Locality::default(),
        };
        let report = Report::new(origin, &observations, Vec::new(), 100.0, Vec::new());
        let page = page([&Part::new(&report, &TimeZone::UTC)], None);
        assert!(page.contains("Nothing arrived"));
        assert!(!page.contains("NaN") && !page.contains("inf\""));
    }
}
