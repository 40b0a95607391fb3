//! Files → [`Knowledge`]: built in first, then the user's own, which add to it or override by id.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::Knowledge;
use super::builtin::BUILT_IN;
use super::schema::{Answers, Entry, File, PayloadPorts};

/// Bytes that a knowledge file may have. The built-in files together have a tenth of it.
pub const FILE_MAX: u64 = 4 << 20;

/// Why a knowledge file was refused.
#[derive(Debug)]
pub struct RulesError {
    /// Which file.
    pub file: String,
    /// Which line, counted from 1, where that is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.problem),
            None => write!(f, "{}: {}", self.file, self.problem),
        }
    }
}

impl std::error::Error for RulesError {}

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

/// A source text with its name.
struct Source<'a> {
    name: &'a str,
    text: &'a str,
    built_in: bool,
}

impl Source<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        1 + before.bytes().filter(|byte| *byte == b'\n').count()
    }

    fn error(&self, span: Option<Range<usize>>, problem: impl Into<String>) -> RulesError {
        RulesError { file: self.name.to_owned(), line: span.map(|span| self.line(&span)), problem: problem.into() }
    }
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
    fn add(&mut self, source: &Source<'_>) -> Result<(), RulesError> {
        let file: File = toml::from_str(source.text)
            .map_err(|error| source.error(error.span(), error.message().trim_end().replace('\n', "; ")))?;
        let first_of_file = self.entries.len();
        for entry in file.entries {
            let span = entry.span();
            let entry = entry.into_inner();
            complete(&entry).map_err(|problem| source.error(Some(span.clone()), problem))?;
            let origin = Origin { file: source.name.to_owned(), line: source.line(&span), built_in: source.built_in };
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
        self.thresholds.extend(file.thresholds);
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
pub fn load(files: &[PathBuf]) -> Result<Knowledge, RulesError> {
    let mut loading = Loading::default();
    for (name, text) in BUILT_IN {
        loading.add(&Source { name, text, built_in: true })?;
    }
    for path in files {
        let name = path.display().to_string();
        let text = read(path).map_err(|problem| RulesError { file: name.clone(), line: None, problem })?;
        let text = String::from_utf8(text).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            RulesError {
                file: name.clone(),
                line: Some(1 + good.iter().filter(|byte| **byte == b'\n').count()),
                problem: "not UTF-8 text".to_owned(),
            }
        })?;
        loading.add(&Source { name: &name, text: &text, built_in: false })?;
    }
    let Loading { entries, payloads, answers, thresholds, .. } = loading;
    Ok(Knowledge::new(entries, payloads, answers, thresholds))
}

/// Reads a file that is not larger than [`FILE_MAX`], whatever its size claims to be.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let file = fs::File::open(path).map_err(|error| format!("cannot open it: {error}"))?;
    let mut bytes = Vec::new();
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot read it: {error}"))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(format!("larger than {} MiB: this is no rules file", FILE_MAX >> 20));
    }
    Ok(bytes)
}
