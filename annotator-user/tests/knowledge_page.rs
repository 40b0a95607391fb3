//! `docs/knowledge.md` is what the knowledge says.

use std::fs;
use std::path::Path;

use annotator::knowledge::{Knowledge, page};

#[test]
fn the_page_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/knowledge.md");
    let page = page::page(&Knowledge::load(&[]).expect("the built-in knowledge is good"));
    if std::env::var_os("ANNOTATOR_BLESS").is_some() {
        fs::write(&path, &page).expect("docs can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/knowledge.md is out of date: ANNOTATOR_BLESS=1 cargo test -p annotator --test knowledge_page"
    );
}
