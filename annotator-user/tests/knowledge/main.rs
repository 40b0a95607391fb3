//! Every stimulus brings its finding, through the whole engine; every near miss does not.
//!
//! `cargo xtask coverage TABLE` runs `the_table_is_met` on a table of ids.

mod coverage;
mod frames;
mod patterns;
mod single;
mod stimulus;

use annotator::observation::Locality;

use stimulus::{Stimulus, findings, has_placeholder, tells};

fn table() -> Vec<Stimulus> {
    let mut table = single::table();
    table.extend(patterns::table());
    table
}

#[test]
fn stimuli_bring_their_findings() {
    let mut failures = Vec::new();
    for stimulus in table() {
        let found = findings(&stimulus.packets, &Locality::default());
        if !tells(&found, stimulus.id) {
            let ids: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
            failures.push(format!("{} is not among {ids:?}", stimulus.id));
        }
        for finding in &found {
            for text in [&finding.title, &finding.explanation, &finding.looks_like, &finding.advice] {
                if has_placeholder(text) {
                    failures.push(format!("{}: an unfilled placeholder in: {text}", finding.id));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn near_misses_do_not() {
    let mut failures = Vec::new();
    for stimulus in table().iter().filter(|stimulus| !stimulus.near_miss.is_empty()) {
        let found = findings(&stimulus.near_miss, &Locality::default());
        if tells(&found, stimulus.id) {
            failures.push(format!("{} out of a near miss: {:?}", stimulus.id, stimulus.near_miss));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
