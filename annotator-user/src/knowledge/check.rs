//! Checks of the knowledge beyond what loading refuses.

use super::Knowledge;
use super::text::{PLACEHOLDERS, placeholders};

/// What is wrong with the knowledge, a sentence each.
pub fn faults(knowledge: &Knowledge) -> Vec<String> {
    knowledge
        .entries()
        .flat_map(|(entry, origin)| {
            let texts = [&entry.title, &entry.explanation, &entry.looks_like, &entry.advice];
            let own = texts.into_iter();
            let narrow = entry
                .variants
                .iter()
                .flat_map(|variant| [&variant.title, &variant.explanation, &variant.looks_like, &variant.advice]);
            own.chain(narrow.flatten())
                .flat_map(|text| placeholders(text))
                .filter(|name| !PLACEHOLDERS.iter().any(|(known, _)| known == name))
                .map(|name| {
                    format!("{}:{}: `{}` has an unknown placeholder {{{name}}}", origin.file, origin.line, entry.id)
                })
                .collect::<Vec<_>>()
        })
        .collect()
}
