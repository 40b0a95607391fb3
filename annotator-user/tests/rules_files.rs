//! Rules files: what is refused, where the message points, and what a good one does.

use std::fs;
use std::path::PathBuf;

use annotator::knowledge::{Knowledge, check};

fn file(name: &str, text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn entry(id: &str, more: &str) -> String {
    format!(
        "[[entry]]\nid = \"{id}\"\ntitle = \"A title\"\nverdict = \"normal\"\nconfidence = \"likely\"\nexplanation = \"Because.\"\n\
         looks_like = \"Nothing.\"\nadvice = \"Nothing.\"\nreferences = [\"here\"]\n{more}\n"
    )
}

const MATCH: &str = "[[entry.match]]\nproto = \"tcp\"\ndst_port = [4242]";

#[test]
fn good_rules_add_and_override() {
    let text = entry("own.4242", MATCH) + &entry("port.23", "[[entry.match]]\nproto = \"tcp\"\ndst_port = [23]");
    let (_folder, path) = file("own.toml", text.as_bytes());
    let knowledge = Knowledge::load(std::slice::from_ref(&path)).unwrap();
    assert!(knowledge.entry("own.4242").is_some());
    assert_eq!(knowledge.entry("port.23").unwrap().0.title, "A title");
    let twice = Knowledge::load(&[path.clone(), path]).unwrap();
    assert_eq!(twice.entries().count(), knowledge.entries().count());
}

#[test]
fn bad_rules_are_refused_with_their_line() {
    let match_of = |conditions: &str| entry("own", &format!("[[entry.match]]\n{conditions}"));
    let cases: Vec<(String, usize, &str)> = vec![
        (entry("own", "colour = \"red\"\n[[entry.match]]\nproto = \"tcp\""), 10, "colour"),
        (match_of("proto = \"tcp\"\ndst_port = [80, 70000]"), 12, "70000"),
        (match_of("proto = \"tcp\"\ndst_port = [\"90-80\"]"), 12, "empty"),
        (match_of("proto = \"tcp\"\ndst_port = []"), 12, "matches nothing"),
        (match_of("proto = \"tcp\"\ndst_port = [\"x\"]"), 12, "neither"),
        (match_of("proto = \"tcp\"\ndst_port = [-1]"), 12, "negative"),
        (match_of("proto = \"tcp\"\ndst_port = [80, \"79-81\"]"), 12, "twice"),
        (match_of("proto = \"quux\""), 11, "quux"),
        (match_of("family = 5"), 11, "neither 4 nor 6"),
        (match_of("flags = [\"green\"]"), 11, "green"),
        (match_of("src = [\"1.2.3.4/33\"]"), 11, "0 to 32"),
        (match_of("dst = \"nowhere\""), 11, "nowhere"),
        (match_of("icmp_type = [256]"), 11, "256"),
        (match_of("segment = \"half\""), 11, "half"),
        (match_of("payload = { shape = \"poem\" }"), 11, "poem"),
        (match_of("payload = { shape = \"rpc-call\", colour = 1 }"), 11, "colour"),
        (entry("own", MATCH) + &entry("own", MATCH), 13, "used twice"),
        (entry("own", MATCH).replace("normal", "evil"), 4, "evil"),
        (entry("own", MATCH).replace("likely", "sure"), 5, "sure"),
        (entry("own", MATCH).replace("[\"here\"]", "[]"), 1, "references"),
        (entry("own", ""), 1, "never speak"),
        (entry("own id", MATCH), 1, "no id"),
        (entry("own", MATCH).replace("title = \"A title\"\n", ""), 1, "title"),
        ("[[entry]\n".to_owned(), 1, ""),
        ("[[payload]]\nprotocol = \"smoke\"\nreferences = []\n".to_owned(), 1, "smoke"),
    ];
    for (text, line, word) in cases {
        let (_folder, path) = file("bad.toml", text.as_bytes());
        let error = Knowledge::load(&[path]).expect_err(&text);
        let message = error.to_string();
        assert_eq!(error.line, Some(line), "{message}\n{text}");
        assert!(error.problem.contains(word), "{message}\n{text}");
        assert!(message.contains(&format!("bad.toml:{line}: ")), "{message}");
    }
}

#[test]
fn thresholds_that_measure_nothing_are_refused() {
    let refused = [
        ("[thresholds.traceroute]\nprobes_per_hop = 0", "[thresholds.traceroute] probes_per_hop = 0"),
        ("[thresholds.rounds]\ncount = 0", "greater than 0"),
        ("[thresholds.flood]\nrate = nan", "[thresholds.flood] rate = nan"),
        ("[thresholds.flood]\nrate = -1.5", "greater than 0"),
        ("[thresholds.backscatter]\nclient_ports = [60000, 100]", "client_ports: 60000 is greater than 100"),
        ("[thresholds.late_fin]\nmost_ports = 1", "ports and most_ports: 3 is greater than 1"),
        ("[thresholds.flood]\nstrength = 3", "strength"),
        ("[thresholds]\nflood = 3", "thresholds"),
    ];
    for (text, words) in refused {
        let (_folder, path) = file("odd.toml", text.as_bytes());
        let message = Knowledge::load(&[path]).expect_err(text).to_string();
        assert!(message.contains("odd.toml: ") && message.contains(words), "{message}");
    }
    let (_folder, path) = file("fine.toml", b"[thresholds.flood]\nrate = 75");
    Knowledge::load(&[path]).unwrap();
}

#[test]
fn files_that_are_no_text() {
    let (_folder, path) = file("latin1.toml", b"# fine\n# caf\xe9\n");
    let error = Knowledge::load(&[path]).unwrap_err();
    assert_eq!((error.line, error.problem.as_str()), (Some(2), "not UTF-8 text"));
    let error = Knowledge::load(&["/nowhere/rules.toml".into()]).unwrap_err();
    assert!(error.to_string().contains("/nowhere/rules.toml: cannot open it"), "{error}");
}

#[test]
fn a_huge_file_is_refused_by_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.toml");
    fs::File::create(&path).unwrap().set_len(100 << 20).unwrap();
    let error = Knowledge::load(&[path]).unwrap_err();
    assert!(error.problem.contains("larger than 4 MiB"), "{error}");
}

#[test]
fn the_built_in_knowledge_has_no_faults() {
    let faults: Vec<String> = check::faults(&Knowledge::load(&[]).unwrap()).iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn checks_find_what_would_never_speak() {
    let cases = [
        ("[[entry.match]]\nproto = \"icmp\"\ndst_port = [1]", "no ports"),
        ("[[entry.match]]\nproto = \"udp\"\nsegment = \"syn\"", "no TCP flags"),
        ("[[entry.match]]\nproto = \"tcp\"\nicmp_type = [1]", "no ICMP type"),
        ("[[entry.match]]\nflags = [\"land\"]\nflags_not = [\"land\"]", "absence"),
        ("[[entry.match]]\nproto = \"tcp\"\ndst_port = [23]", "same packets"),
        ("told_by = [\"nobody\"]\n[[entry.match]]\nproto = 200", "does not exist"),
        (
            "[[entry.match]]\nproto = \"tcp\"\ndst_port = [4242]\n[[entry.variant]]\nid = \"own.x\"\n[[entry.variant.match]]\n\
             proto = \"tcp\"\ndst_port = [4243]",
            "outside",
        ),
    ];
    for (text, word) in cases {
        let (_folder, path) = file("odd.toml", entry("own", text).as_bytes());
        let faults = check::faults(&Knowledge::load(&[path]).unwrap());
        assert!(faults.iter().any(|fault| fault.problem.contains(word)), "{word}: {faults:?}");
    }
}
