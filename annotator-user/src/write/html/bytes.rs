//! A packet's bytes, with the fields of its headers marked.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::fields::{self, Field};
use crate::example::Example;
use crate::write::phrases::local_time;

/// The packet: its headers in words, its bytes as a choice of fields, each of which says what it is when it is pointed at or chosen, and the same as
/// a table.
pub fn packet(example: &Example, anchor: &str, zone: &TimeZone) -> Markup {
    let headers = fields::headers(example);
    html! {
        figure.packet {
            figcaption { time { (local_time(example.at, zone)) } " " (example.headers) }
            // Radio buttons are one stop on the way through the page by keyboard, and arrow keys lead from field to field.
            fieldset {
                legend.hidden { "Fields of the headers" }
                p.hint aria-hidden="true" { "Point at a field, or choose one." }
                @for header in &headers {
                    p.header {
                        span.name { (header.name) }
                        @for field in &header.fields {
                            label.field {
                                input type="radio" name=(anchor);
                                code { (hexadecimal(field)) }
                                span.tip { strong { (field.name) } " " (field.value) }
                            }
                            wbr;
                        }
                    }
                }
            }
            details.legend {
                summary { "The fields as a table" }
                div.scroll tabindex="0" role="region" aria-label="Fields of the headers" {
                    table {
                        thead { tr { th scope="col" { "field" } th scope="col" { "value" } th scope="col" { "bytes" } } }
                        @for header in &headers {
                            tbody {
                                tr { th scope="rowgroup" colspan="3" { (header.name) } }
                                @for field in &header.fields {
                                    tr {
                                        th scope="row" { (field.name) }
                                        td { (field.value) }
                                        td { code { (hexadecimal(field)) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn hexadecimal(field: &Field<'_>) -> String {
    let mut text = String::with_capacity(3 * field.bytes.len());
    for (index, byte) in field.bytes.iter().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}
