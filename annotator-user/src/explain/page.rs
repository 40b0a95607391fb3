//! Answers for people.

use std::fmt::Write;

use super::rules::{Checked, Listed};
use super::{Answer, Answers};
use crate::knowledge::lookup::Told;
use crate::write::phrases::as_sentence;
use crate::write::style::wrapping;

/// Columns of a page on a terminal that does not say; text beyond is wrapped.
const COLUMNS_MAX: usize = 100;
const COLUMNS_MIN: usize = 40;

fn columns() -> usize {
    let (columns, _) = terminal_size::terminal_size().map_or((80, 24), |(width, height)| (width.0.into(), height.0));
    usize::from(columns as u16).clamp(COLUMNS_MIN, COLUMNS_MAX)
}

/// All answers.
pub fn answers(answers: &Answers) -> String {
    let pages: Vec<String> = answers.answers.iter().map(answer).collect();
    pages.join("\n")
}

fn answer(answer: &Answer) -> String {
    let mut page = String::new();
    let _ = writeln!(page, "{}", crate::payload::printable(&answer.question));
    for note in &answer.notes {
        paragraph(&mut page, "  ", &crate::payload::printable(note));
    }
    for told in &answer.told {
        page.push('\n');
        entry(&mut page, told);
    }
    page
}

/// Entries in full.
pub fn entries(told: &[Told]) -> String {
    let mut page = String::new();
    for (index, told) in told.iter().enumerate() {
        if index > 0 {
            page.push('\n');
        }
        entry(&mut page, told);
    }
    page
}

fn entry(page: &mut String, told: &Told) {
    let _ = writeln!(page, "{}", told.title);
    let also = if told.also.is_empty() { String::new() } else { format!(", also {}", told.also.join(", ")) };
    paragraph(page, "  ", &format!("[{}] {} ({}){also}", told.verdict.name(), told.id, told.confidence.name()));
    paragraph(page, "  ", &told.explanation);
    labelled(page, "When:", &told.when.join("; "));
    labelled(page, "Looks like it:", &told.looks_like);
    labelled(page, "What to do:", &told.advice);
    for variant in &told.variants {
        let when = if variant.when.is_empty() { String::new() } else { format!(", if {}", variant.when.join("; or ")) };
        paragraph(
            page,
            "  ",
            &format!("Or{when}: {} [{}] {}", as_sentence(&variant.title), variant.verdict.name(), variant.id),
        );
        if variant.explanation != told.explanation {
            paragraph(page, "    ", &variant.explanation);
        }
    }
    labelled(page, "Sources:", &told.references.join("; "));
}

fn labelled(page: &mut String, label: &str, text: &str) {
    if !text.is_empty() {
        paragraph(page, "  ", &format!("{label} {text}"));
    }
}

fn paragraph(page: &mut String, indent: &str, text: &str) {
    let options = wrapping(columns()).initial_indent(indent).subsequent_indent(indent).break_words(false);
    let _ = writeln!(page, "{}", textwrap::fill(text, options));
}

/// Every entry, one a line.
pub fn list(listed: &[Listed]) -> String {
    let width = listed.iter().map(|one| one.id.len()).max().unwrap_or(0);
    let mut page = String::new();
    for one in listed {
        let origin = if one.built_in { String::new() } else { format!("  ({})", one.file) };
        let _ = writeln!(page, "{:width$}  {:16}  {}{origin}", one.id, one.verdict.name(), one.title);
    }
    page
}

/// What checking files found.
pub fn checked(checked: &[Checked]) -> String {
    let mut page = String::new();
    for one in checked {
        for problem in &one.problems {
            let _ = writeln!(page, "{problem}");
        }
        if one.usable {
            let entries = if one.entries == 1 { "entry" } else { "entries" };
            let _ = writeln!(page, "{}: {} {entries} can be used", one.file, one.entries);
        }
    }
    page
}
