//! Findings: a line each, which unfolds to all that is known.

use std::net::IpAddr;

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::{Anchors, bytes};
use crate::finding::{ADDRESSES_MAX, Finding, Verdict};
use crate::report::Report;
use crate::write::phrases::{self, stretch};
use crate::write::style::count;

/// All findings, those that are as it should be apart from the others.
pub fn section(report: &Report, anchors: &Anchors, zone: &TimeZone) -> Markup {
    // They are in order of gravity.
    let notable = report.findings.partition_point(|finding| finding.verdict != Verdict::Normal);
    let (remarks, ordinary): (Vec<_>, Vec<_>) =
        report.findings.iter().enumerate().skip(notable).partition(|(_, finding)| finding.is_remark());
    html! {
        section {
            h2 { "Findings" }
            @if report.findings.is_empty() {
                p { "Nothing was found that stands out." }
            }
            @for (index, finding) in report.findings[..notable].iter().enumerate() {
                (one(finding, &anchors.finding(index), zone))
            }
            @for (title, findings) in [(phrases::ORDINARY, ordinary), (phrases::REMARKS, remarks)] {
                @if !findings.is_empty() {
                    details.more {
                        summary { (title) ": " (count(findings.len() as u64, "finding")) }
                        @for (index, finding) in findings {
                            (one(finding, &anchors.finding(index), zone))
                        }
                    }
                }
            }
        }
    }
}

fn one(finding: &Finding, anchor: &str, zone: &TimeZone) -> Markup {
    html! {
        details.finding.(finding.verdict.name()) {
            summary {
                h3 { (finding.title) }
                p {
                    span.verdict { (finding.verdict.name()) } ", " (finding.confidence.name())
                    @if finding.packets > 0 { "; " (count(finding.packets, "packet")) }
                }
            }
            // A link to something inside has the browser unfold it.
            div id=(anchor) {
                p { (prose(&finding.explanation)) }
                (addresses("From", &finding.sources))
                (addresses("To", &finding.destinations))
                @if let (Some(first), Some(last)) = (finding.extent.first, finding.extent.last) {
                    p.facts { span.muted { "Seen" } " " (stretch(first, last, zone)) }
                }
                @if !finding.evidence.is_empty() {
                    h4 { "Evidence" }
                    ul { @for evidence in &finding.evidence { li { (prose(evidence)) } } }
                }
                @if !finding.looks_like.trim().is_empty() {
                    h4 { "Looks like" }
                    p { (prose(&finding.looks_like)) }
                }
                @if !finding.advice.trim().is_empty() {
                    h4 { "What to do" }
                    p { (prose(&finding.advice)) }
                }
                @if !finding.examples.is_empty() {
                    h4 { (count(finding.examples.len() as u64, "packet")) " of it" }
                    @for (index, example) in finding.examples.iter().enumerate() {
                        (bytes::packet(example, &format!("{anchor}-packet-{index}"), zone))
                    }
                }
                p.muted.references {
                    "More: " code { "annotator explain " (finding.id) }
                    @if !finding.references.is_empty() {
                        ". From: "
                        @for (index, reference) in finding.references.iter().enumerate() {
                            @if index > 0 { ", " }
                            (self::reference(reference))
                        }
                    }
                }
            }
        }
    }
}

/// Text in which what stands between backticks is code.
fn prose(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 0 { (part) } @else { code { (part) } }
        }
    }
}

fn addresses(label: &str, addresses: &[IpAddr]) -> Markup {
    html! {
        @if !addresses.is_empty() {
            p.facts {
                span.muted { (label) } " "
                @for (index, address) in addresses.iter().enumerate() {
                    @if index > 0 { ", " }
                    code { (address) }
                }
                // A full list may be cut.
                @if addresses.len() >= ADDRESSES_MAX { ", and others" }
            }
        }
    }
}

/// RFCs are where everybody can read them.
fn reference(text: &str) -> Markup {
    let number = text.strip_prefix("RFC ").and_then(|rest| rest.split(' ').next()?.parse::<u32>().ok());
    html! {
        @match number {
            Some(number) => a href={ "https://www.rfc-editor.org/rfc/rfc" (number) } rel="noreferrer" { (text) },
            None => (text),
        }
    }
}
