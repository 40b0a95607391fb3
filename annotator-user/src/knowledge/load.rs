//! Files → [`Knowledge`]: built in first, then the user's own, which add to it or override by id.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Knowledge;
use super::builtin::BUILT_IN;
use super::schema::{Answers, Entry, File, PayloadPorts};
use crate::recognise::Thresholds;
use crate::toml_file::{FileError, Source};

/// Where an entry was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Name of the file.
    pub file: String,
    /// Line of the entry.
    pub line: usize,
    /// Whether it comes with the program.
    pub built_in: bool,
}

/// What has been read so far.
#[derive(Default)]
struct Loading {
    entries: Vec<(Entry, Origin)>,
    /// Every id in use, with the index of its entry.
    ids: BTreeMap<String, usize>,
    payloads: Vec<PayloadPorts>,
    answers: Option<Answers>,
    thresholds: Vec<toml::Table>,
}

impl Loading {
    fn add(&mut self, source: &Source, built_in: bool) -> Result<(), FileError> {
        let file: File = toml::from_str(&source.text).map_err(|error| source.not_toml(&error))?;
        let first_of_file = self.entries.len();
        for entry in file.entries {
            let span = entry.span();
            let entry = entry.into_inner();
            complete(&entry).map_err(|problem| source.error(Some(span.clone()), problem))?;
            let origin = Origin { file: source.name.clone().into_owned(), line: source.line(&span), built_in };
            self.insert(entry, origin, first_of_file).map_err(|problem| source.error(Some(span), problem))?;
        }
        for payload in file.payloads {
            let span = payload.span();
            let payload = payload.into_inner();
            if !crate::payload::is_protocol(&payload.protocol) {
                return Err(source.error(Some(span), format!("no decoder reads `{}`", payload.protocol)));
            }
            self.payloads.push(payload);
        }
        self.answers = file.answers.or(self.answers.take());
        if let Some(thresholds) = file.thresholds {
            self.thresholds.push(thresholds);
            Thresholds::with_overrides(&self.thresholds).map_err(|error| source.error(None, format!("{error:#}")))?;
        }
        Ok(())
    }

    /// Adds an entry, in the place of an earlier file's entry of the same id.
    fn insert(&mut self, entry: Entry, origin: Origin, first_of_file: usize) -> Result<(), String> {
        let index = match self.ids.get(&entry.id) {
            Some(&index) if index < first_of_file && self.entries[index].0.id == entry.id => {
                self.ids.retain(|_, owner| *owner != index);
                index
            }
            Some(_) => return Err(format!("the id `{}` is used twice", entry.id)),
            None => self.entries.len(),
        };
        for id in std::iter::once(&entry.id).chain(entry.variants.iter().map(|variant| &variant.id)) {
            if self.ids.insert(id.clone(), index).is_some() {
                return Err(format!("the id `{id}` is used twice"));
            }
        }
        if index < self.entries.len() {
            self.entries[index] = (entry, origin);
        } else {
            self.entries.push((entry, origin));
        }
        Ok(())
    }
}

/// Whether an entry says everything that a reader needs.
fn complete(entry: &Entry) -> Result<(), String> {
    let id = &entry.id;
    let ids = std::iter::once(id).chain(entry.variants.iter().map(|variant| &variant.id)).chain(&entry.also);
    for id in ids {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')) {
            return Err(format!("`{}` is no id: letters, digits, dots and hyphens only", id.escape_debug()));
        }
    }
    let texts = [("title", &entry.title), ("explanation", &entry.explanation), ("advice", &entry.advice)];
    if let Some((field, _)) = texts.iter().find(|(_, text)| text.trim().is_empty()) {
        return Err(format!("`{id}` has an empty {field}"));
    }
    if entry.references.is_empty() {
        return Err(format!("`{id}` has no references"));
    }
    if entry.recognised && !entry.matches.is_empty() {
        return Err(format!("`{id}` is `recognised` and has a match: it can be only one of the two"));
    }
    if !entry.recognised && entry.matches.is_empty() {
        return Err(format!("`{id}` has no match and is not `recognised`: it would never speak"));
    }
    Ok(())
}

/// Loads the built-in files and then those of the user.
pub fn load(files: &[PathBuf]) -> Result<Knowledge, FileError> {
    let mut loading = Loading::default();
    for &(name, text) in BUILT_IN {
        loading.add(&Source { name: name.into(), text: text.into() }, true)?;
    }
    for path in files {
        loading.add(&Source::read(path)?, false)?;
    }
    let Loading { entries, payloads, answers, thresholds, .. } = loading;
    Ok(Knowledge::new(entries, payloads, answers, thresholds))
}
