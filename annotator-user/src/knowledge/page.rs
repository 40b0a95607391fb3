//! The knowledge as a page of documentation.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Knowledge;
use super::schema::Entry;

/// What stands above the list.
const HEAD: &str = "\
# The knowledge\n\n\
<!-- Made from annotator-user/knowledge/*.toml; ANNOTATOR_BLESS=1 cargo test -p annotator --test knowledge_page makes it anew. -->\n\n\
Every entry that `annotator` knows, file by file: its id, what it amounts to, and when it speaks. `annotator rules show ID` prints one in \
full, `annotator explain` answers questions from them, and [knowledge-format.md](knowledge-format.md) says how to write your own.\n";

/// The page: every built-in entry with its variants.
pub fn page(knowledge: &Knowledge) -> String {
    let mut files: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for (entry, origin) in knowledge.entries() {
        files.entry(&origin.file).or_default().push(entry);
    }
    let mut page = HEAD.to_owned();
    for (file, entries) in files {
        let _ = write!(page, "\n## {file}\n\n| id | what it says | verdict | when |\n|---|---|---|---|\n");
        for entry in entries {
            let when: Vec<String> = entry.matches.iter().map(|wanted| wanted.describe()).collect();
            let when = if entry.recognised { "told by the program".to_owned() } else { when.join("; ") };
            line(
                &mut page,
                &entry.id,
                &entry.title,
                &format!("{}, {}", entry.verdict.name(), entry.confidence.name()),
                &when,
            );
            for variant in &entry.variants {
                let when: Vec<String> = variant.matches.iter().map(|wanted| wanted.describe()).collect();
                let title = variant.title.as_deref().unwrap_or(&entry.title);
                let verdict = variant.verdict.unwrap_or(entry.verdict).name();
                let confidence = variant.confidence.unwrap_or(entry.confidence).name();
                line(
                    &mut page,
                    &format!("↳ {}", variant.id),
                    title,
                    &format!("{verdict}, {confidence}"),
                    &when.join("; "),
                );
            }
        }
    }
    page
}

fn line(page: &mut String, id: &str, title: &str, verdict: &str, when: &str) {
    let cell = |text: &str| text.replace('|', "\\|");
    let _ = writeln!(page, "| {} | {} | {verdict} | {} |", cell(id), cell(title), cell(when));
}
