//! What is printed for machines is what `docs/schema` says. `ANNOTATOR_BLESS=1 cargo test` writes the schemas anew.

use std::path::{Path, PathBuf};

use annotator::live::status::Status;
use annotator::report::Report;
use annotator::write::ecs::Line;
use jsonschema::Validator;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::captures::Pcap;
use crate::{Folder, SECOND, START, frames, read_with, three};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema").join(name)
}

/// The schema in the repository.
fn schema(name: &str) -> Validator {
    let text = std::fs::read_to_string(path(name)).expect("a schema");
    let schema = serde_json::from_str(&text).expect("JSON");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema")
}

/// Compares the schema in the repository with that of the type.
fn compare<T: JsonSchema>(name: &str, title: &str) {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    let text = serde_json::to_string_pretty(&schema).expect("serialisable") + "\n";
    if std::env::var_os("ANNOTATOR_BLESS").is_some() {
        std::fs::write(path(name), &text).expect("docs can be written");
    }
    let written = std::fs::read_to_string(path(name)).unwrap_or_default();
    assert!(
        written == text,
        "docs/schema/{name} is out of date: ANNOTATOR_BLESS=1 cargo test -p annotator --test read"
    );
}

#[test]
fn the_schemas_are_those_of_the_types() {
    compare::<Report>("report-1.json", "annotator.report/1");
    compare::<Line>("finding-1.json", "annotator.finding/1");
    compare::<Status>("status-1.json", "annotator.status/1");
}

/// Captures of everything there is a name for, of a few packets, and of none.
fn captures(folder: &Folder) -> Vec<String> {
    let named = |link| {
        let frames = frames::all().into_iter().filter(move |frame| frame.link == link).enumerate();
        frames.map(|(index, frame)| (START + index as u64 * SECOND / 10, frame.bytes)).collect::<Vec<_>>()
    };
    vec![
        folder.file("ethernet.pcap", &Pcap::ETHERNET.of(&named(annotator_common::Link::Ethernet))),
        folder.file("raw.pcap", &Pcap { link_type: 101, ..Pcap::ETHERNET }.of(&named(annotator_common::Link::RawIp))),
        folder.file("three.pcap", &Pcap::ETHERNET.of(&three())),
        folder.file("none.pcap", &Pcap::ETHERNET.of(&[])),
    ]
}

fn assert_valid(schema: &Validator, value: &Value) {
    let errors: Vec<_> = schema.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
}

#[test]
fn reports_follow_their_schema() {
    let (folder, schema) = (Folder::create(), schema("report-1.json"));
    for capture in captures(&folder) {
        let run = read_with(&["--format", "json", &capture], &[]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_valid(&schema, &run.report());
    }
}

#[test]
fn findings_follow_their_schema_and_are_those_of_the_report() {
    let (folder, schema) = (Folder::create(), schema("finding-1.json"));
    for capture in captures(&folder) {
        let run = read_with(&["--findings", &capture], &[]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
        let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        for line in &lines {
            assert_valid(&schema, line);
            assert_eq!(line["event"]["action"], "new");
        }
        let report = read_with(&["--format", "json", &capture], &[]).report();
        let findings = report["findings"].as_array().expect("findings");
        assert_eq!(
            findings.iter().map(|finding| (&finding["id"], &finding["evidence"])).collect::<Vec<_>>(),
            lines.iter().map(|line| (&line["rule"]["id"], &line["annotator"]["evidence"])).collect::<Vec<_>>()
        );
    }
}

/// Every place in a document, as a pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, child)| (format!("{at}/{name}"), child)).collect(),
        // One stands for all.
        Value::Array(items) => items.first().map(|child| (format!("{at}/0"), child)).into_iter().collect(),
        _ => Vec::new(),
    };
    for (place, child) in children {
        places(child, &place, found);
        found.push(place);
    }
}

/// Fields that may be left out; maps, whose keys are data.
const OPTIONAL: [&str; 12] = [
    "/flags/",
    "/coverage/not_parsed/",
    "/event/start",
    "/event/end",
    "/rule/reference",
    "/source",
    "/destination",
    "/network/direction",
    "/network/transport",
    "/network/type",
    "/observer/hostname",
    "/observer/ingress",
];

#[test]
fn a_field_that_vanishes_or_changes_its_type_is_noticed() {
    let folder = Folder::create();
    let capture = captures(&folder).swap_remove(0);
    let report = read_with(&["--format", "json", &capture], &[]).report();
    let findings = read_with(&["--findings", &capture], &[]).stdout;
    let finding: Value = serde_json::from_str(findings.lines().next().expect("a finding")).expect("JSON");
    for (name, document) in [("report-1.json", report), ("finding-1.json", finding)] {
        let schema = schema(name);
        let mut found = Vec::new();
        places(&document, "", &mut found);
        assert!(found.len() > 40, "{found:?}");
        for place in found {
            let (parent, field) = place.rsplit_once('/').expect("a pointer");
            let mut changed = document.clone();
            *changed.pointer_mut(&place).expect("it is there") = serde_json::json!({"of": ["another", "type"]});
            assert!(!schema.is_valid(&changed), "{name}: {place} may have any type");

            let mut without = document.clone();
            let Some(Value::Object(fields)) = without.pointer_mut(parent) else { continue };
            fields.shift_remove(field);
            let is_optional = OPTIONAL.iter().any(|optional| place.starts_with(optional));
            assert!(is_optional || !schema.is_valid(&without), "{name}: {place} may be missing");
        }
    }
}
