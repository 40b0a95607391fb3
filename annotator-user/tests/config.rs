//! The configuration as a person meets it: the real binary, files that are right and wrong, and what is said of them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

fn annotator(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annotator"));
    command.args(arguments).env_remove("ANNOTATOR_CONFIG").envs(environment.iter().copied());
    command.output().expect("the binary was built")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// A file in a folder of its own.
fn file(text: impl AsRef<[u8]>) -> (TempDir, String) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("annotator.toml");
    fs::write(&path, text).expect("the folder is writable");
    let path = path.to_str().expect("plain names").to_owned();
    (folder, path)
}

#[test]
fn a_file_changes_what_a_command_does_and_the_command_line_changes_it_back() {
    let (_folder, path) = file("[explain]\nformat = \"json\"\n");
    let is_json = |output: &Output| stdout(output).starts_with('{');
    assert!(is_json(&annotator(&["--config", &path, "explain", "tcp/22"], &[])));
    assert!(is_json(&annotator(&["explain", "tcp/22", "--config", &path], &[])));
    assert!(is_json(&annotator(&["explain", "tcp/22"], &[("ANNOTATOR_CONFIG", &path)])));
    assert!(is_json(&annotator(&["explain", "tcp/22"], &[("ANNOTATOR_EXPLAIN_FORMAT", "json")])));
    assert!(!is_json(&annotator(&["explain", "tcp/22"], &[])));
    assert!(!is_json(&annotator(&["explain", "tcp/22", "--config", &path], &[("ANNOTATOR_FORMAT", "text")])));
    assert!(!is_json(&annotator(&["explain", "tcp/22", "--config", &path, "--format", "text"], &[])));
    // An empty variable is none.
    assert!(is_json(&annotator(&["explain", "tcp/22", "--config", &path], &[("ANNOTATOR_FORMAT", "")])));
}

#[test]
fn what_a_command_demands_may_stand_in_the_file() {
    let (_folder, path) = file("[explain]\nwhat = [\"tcp/22\"]\n");
    assert!(stdout(&annotator(&["explain", "--config", &path], &[])).contains("ssh"));
    let missing = stderr(&annotator(&["explain"], &[]));
    assert!(missing.contains("<WHAT>"), "{missing}");
}

#[test]
fn every_mistake_is_named_with_its_line() {
    let text = "intervall = \"1m\"\n\n[run]\ninterval = \"0\"\nxdp-mode = \"fast\"\nwindow = [1]\nlocal = true\noutput = 2026-11-22\n";
    let (_folder, path) = file(text);
    let expected = [
        (1, "unknown key `intervall`; is interval meant?"),
        (4, "`interval` cannot be `0`: must be longer than zero"),
        (5, "`xdp-mode` cannot be `fast`: possible are auto, native, generic"),
        (6, "`window` takes one value, not a list"),
        (7, "`local` takes a value, not true or false"),
        (8, "`output` cannot hold a TOML datetime"),
    ];
    for arguments in [vec!["config", "check", &path], vec!["--config", &path, "run", "eth0"]] {
        let said = stderr(&annotator(&arguments, &[]));
        assert_eq!(said.lines().count(), expected.len(), "{said}");
        for (said, (line, problem)) in said.lines().zip(expected) {
            assert!(said.starts_with(&format!("annotator: {path}:{line}: {problem}")), "{said}");
        }
    }
}

#[test]
fn what_is_wrong_for_another_command_does_not_matter() {
    let (_folder, path) = file("[run]\ninterval = \"0\"\noutput = 2026-11-22\ncolour = 1\n[run.often]\n");
    let environment = [("ANNOTATOR_WINDOW", "soon"), ("ANNOTATOR_RUN_XDP_MODE", "fast")];
    let answered = annotator(&["explain", "tcp/22", "--config", &path], &environment);
    assert!(stdout(&answered).contains("ssh"));
    assert!(answered.stderr.is_empty(), "{}", String::from_utf8_lossy(&answered.stderr));
    assert_eq!(stderr(&annotator(&["run", "eth0", "--config", &path], &environment)).lines().count(), 6);
    assert_eq!(stderr(&annotator(&["config", "show", "--config", &path], &environment)).lines().count(), 6);
}

#[test]
fn a_variable_that_no_option_has_is_told_of() {
    let warned = |name: &str| {
        let answered = annotator(&["explain", "tcp/22"], &[(name, "10s")]);
        assert!(answered.status.success());
        String::from_utf8(answered.stderr).expect("text")
    };
    let meant = "annotator: ANNOTATOR_INTERVALL: no option has this variable; is ANNOTATOR_INTERVAL meant?\n";
    assert_eq!(warned("ANNOTATOR_INTERVALL"), meant);
    assert_eq!(warned("ANNOTATOR_ZZZZZZZZZ"), "annotator: ANNOTATOR_ZZZZZZZZZ: no option has this variable\n");
    assert_eq!(warned("ANNOTATOR_INTERVAL"), "");
    assert_eq!(warned("ANNOTATOR_BLESS"), "");
}

#[test]
fn files_that_are_none_are_refused() {
    let cases: [(&[u8], &str); 5] = [
        (b"interval = ", ":1: "),
        (b"interval 10", ":1: "),
        (b"\n\xff\xfe", ":2: not UTF-8 text"),
        (b"[runn]\ninterval = \"1m\"", ":1: no command `runn` for this table; there are run, "),
        (b"[run]\ninterval = \"1m\"\n[run.often]\n", ":3: no command `often` for this table"),
    ];
    for (text, problem) in cases {
        let (_folder, path) = file(text);
        let said = stderr(&annotator(&["config", "check", &path], &[]));
        assert!(said.contains(&format!("{path}{problem}")), "{said}");
    }
    let folder = TempDir::new().expect("a temporary folder");
    let nowhere = folder.path().join("nowhere.toml");
    for (path, problem) in [(&*nowhere, "cannot open it"), (folder.path(), "cannot read it")] {
        let path = path.to_str().expect("plain names");
        for arguments in [vec!["config", "check", path], vec!["--config", path, "explain", "tcp/22"]] {
            let said = stderr(&annotator(&arguments, &[]));
            assert!(said.starts_with(&format!("annotator: {path}: {problem}")), "{said}");
        }
    }
}

#[test]
fn a_wrong_variable_is_named() {
    let said = stderr(&annotator(&["run", "eth0"], &[("ANNOTATOR_INTERVAL", "soon")]));
    assert!(said.starts_with("annotator: ANNOTATOR_INTERVAL: `interval` cannot be `soon`"), "{said}");
}

#[test]
fn what_is_shown_is_a_file_that_sets_the_same() {
    let (_folder, path) = file("[run]\ninterfaces = [\"eth0\"]\ninterval = \"1m\"\n");
    let environment = [("ANNOTATOR_LOCAL", "192.0.2.0/24,2001:db8::/32")];
    let shown = stdout(&annotator(&["config", "show", "--config", &path], &environment));
    let has = |setting: &str, origin: &str| {
        let line = shown.lines().find(|line| line.starts_with(setting));
        assert!(line.is_some_and(|line| line.ends_with(&format!("# {origin}"))), "{setting}: {shown}");
    };
    has("interfaces = [\"eth0\"]", &format!("{path}:2"));
    has("interval = \"1m\"", &format!("{path}:3"));
    has("local = [\"192.0.2.0/24\", \"2001:db8::/32\"]", "ANNOTATOR_LOCAL");
    has("window = \"5m\"", "default");
    has("# duration", "not set");

    let (_folder, copy) = file(&shown);
    assert!(stdout(&annotator(&["config", "check", &copy], &[])).contains("no errors"));
    let again = stdout(&annotator(&["config", "show", "--config", &copy], &[]));
    let settings = |page: &str| -> Vec<String> {
        page.lines().map(|line| line.split("  # ").next().unwrap_or(line).trim().to_owned()).collect()
    };
    assert_eq!(settings(&again), settings(&shown));
}

#[test]
fn the_packaged_file_is_right() {
    let packaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/annotator.toml");
    stdout(&annotator(&["config", "check", packaged.to_str().expect("plain names")], &[]));
}
