//! `annotator rules`: the knowledge in force.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use crate::finding::{Confidence, Verdict};
use crate::knowledge::lookup::Told;
use crate::knowledge::text::{Facts, PLACEHOLDERS, fill};
use crate::knowledge::{Knowledge, check};

/// An entry in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Other ids that it answers.
    pub also: Vec<String>,
    /// Ids of its variants.
    pub variants: Vec<String>,
    /// One line.
    pub title: String,
    /// What it amounts to.
    pub verdict: Verdict,
    /// How sure that is.
    pub confidence: Confidence,
    /// When it is said.
    pub when: Vec<String>,
    /// Which file it comes from.
    pub file: String,
    /// Whether it comes with the program.
    pub built_in: bool,
}

/// Every entry.
pub fn list(knowledge: &Knowledge) -> Vec<Listed> {
    let entries = knowledge.entries().map(|(entry, origin)| Listed {
        id: entry.id.clone(),
        also: entry.also.clone(),
        variants: entry.variants.iter().map(|variant| variant.id.clone()).collect(),
        title: fill(&entry.title, &as_written()),
        verdict: entry.verdict,
        confidence: entry.confidence,
        when: entry.matches.iter().map(|wanted| wanted.describe()).collect(),
        file: origin.file.clone(),
        built_in: origin.built_in,
    });
    entries.collect()
}

/// Entries in full, and the ids that nobody has.
pub fn show(knowledge: &Knowledge, ids: &[String]) -> (Vec<Told>, Vec<String>) {
    let mut shown = Vec::new();
    let mut unknown = Vec::new();
    for id in ids {
        let told = knowledge.told(id, &as_written());
        if told.is_empty() {
            unknown.push(id.clone());
        }
        shown.extend(told);
    }
    (shown, unknown)
}

/// Placeholders stand for themselves where nothing fills them.
fn as_written() -> Facts {
    PLACEHOLDERS.iter().map(|(name, _)| (*name, format!("<{name}>"))).collect()
}

/// What checking a file found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// The file.
    pub file: String,
    /// Whether it can be used.
    pub usable: bool,
    /// How many entries it has.
    pub entries: usize,
    /// What is wrong, or worth a second look.
    pub problems: Vec<String>,
}

/// Checks files without using them.
pub fn check(files: &[PathBuf]) -> Vec<Checked> {
    files.iter().map(check_one).collect()
}

fn check_one(path: &PathBuf) -> Checked {
    let file = path.display().to_string();
    match Knowledge::load(std::slice::from_ref(path)) {
        Err(error) => Checked { file, usable: false, entries: 0, problems: vec![error.to_string()] },
        Ok(knowledge) => {
            let entries = knowledge.entries().filter(|(_, origin)| !origin.built_in).count();
            let mut problems: Vec<String> = crate::recognise::Thresholds::with_overrides(knowledge.thresholds())
                .err()
                .map(|error| format!("{file}: {error:#}"))
                .into_iter()
                .collect();
            let usable = problems.is_empty();
            problems.extend(
                check::faults(&knowledge).into_iter().filter(|fault| !fault.built_in).map(|fault| fault.to_string()),
            );
            Checked { file, usable, entries, problems }
        }
    }
}

/// Schema of what `annotator rules` prints in JSON.
const SCHEMA: &str = "annotator.rules/1";

/// Anything as a JSON document, under a name of its own.
pub fn json(name: &str, value: &impl Serialize) -> Result<String> {
    let document = serde_json::json!({ "schema": SCHEMA, name: value });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}
