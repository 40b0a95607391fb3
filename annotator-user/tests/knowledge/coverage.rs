//! Which ids of a table are met.

use std::fs;

use annotator::observation::Locality;

use crate::stimulus::{Stimulus, findings, tells};
use crate::table;

/// Names the table: tab-separated, with a heading, ids in the first column.
const VARIABLE: &str = "ANNOTATOR_COVERAGE";

/// Whether every stimulus of an id brings it and no near miss does.
fn is_met(stimuli: &[&Stimulus]) -> Result<(), String> {
    if stimuli.is_empty() {
        return Err("no stimulus".to_owned());
    }
    for stimulus in stimuli {
        if !tells(&findings(&stimulus.packets, &Locality::default()), stimulus.id) {
            return Err("its packets do not bring it".to_owned());
        }
        if !stimulus.near_miss.is_empty() && tells(&findings(&stimulus.near_miss, &Locality::default()), stimulus.id) {
            return Err("a near miss brings it".to_owned());
        }
    }
    Ok(())
}

#[test]
fn the_table_is_met() {
    // Without a table there is nothing to compare with.
    let Some(path) = std::env::var_os(VARIABLE) else { return };
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let stimuli = table();
    let mut missed = 0;
    let mut rows = 0;
    for id in text.lines().skip(1).filter_map(|line| line.split('\t').next()).filter(|id| !id.is_empty()) {
        let own: Vec<&Stimulus> = stimuli.iter().filter(|stimulus| stimulus.id == id).collect();
        rows += 1;
        match is_met(&own) {
            Ok(()) => println!("met      {id}"),
            Err(why) => {
                missed += 1;
                println!("NOT MET  {id}: {why}");
            }
        }
    }
    println!("{} of {rows} rows are met", rows - missed);
    assert_eq!(missed, 0, "rows that are not met are listed above");
}
