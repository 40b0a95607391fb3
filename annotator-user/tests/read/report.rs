//! `annotator report`: pages, as far as they can be judged without a browser.

use std::fs;

use crate::captures::Pcap;
use crate::{Folder, annotator, three};

fn report(arguments: &[&str]) -> crate::Run {
    annotator("report", arguments, &[])
}

#[test]
fn a_page_takes_the_place_of_what_was_there() {
    let folder = Folder::create();
    let capture = folder.file("capture.pcap", &Pcap::ETHERNET.of(&three()));
    let page = folder.file("page.html", b"what was there before");
    let run = report(&[&capture, "--html", &page]);
    assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "", ""));
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"), "{page}");
    for part in ["capture.pcap", "3 packets", "2024-01-01 00:00:00 to 00:00:01 UTC", "tcp/22", "ssh", "udp/53", "arp"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_page_goes_to_standard_output_too() {
    let folder = Folder::create();
    let capture = folder.file("capture.pcap", &Pcap::ETHERNET.of(&three()));
    let run = report(&[&capture, "--html", "-"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.ends_with("</html>"));
}

#[test]
fn the_options_of_read_are_taken() {
    const RULES: &str = r#"
        [[entry]]
        id = "port.22"
        title = "Our own words for <b>{port}</b>"
        verdict = "attack"
        confidence = "likely"
        explanation = "Because."
        looks_like = "Nothing."
        advice = "Nothing."
        references = ["here"]
        [[entry.match]]
        proto = "tcp"
        dst_port = [22]
    "#;
    let folder = Folder::create();
    let capture = folder.file("capture.pcap", &Pcap::ETHERNET.of(&three()));
    let rules = folder.file("rules.toml", RULES.as_bytes());
    let run = report(&[&capture, "--html=-", "--rules", &rules, "--listening=tcp/22", "--local=198.51.100.0/24"]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    assert!(run.stdout.contains("<h1>Yes, look at this: Our own words for &lt;b&gt;22&lt;/b&gt;."), "{}", run.stdout);
}

#[test]
fn damage_is_on_the_page_and_in_the_exit_code() {
    let folder = Folder::create();
    let whole = Pcap::ETHERNET.of(&three());
    let capture = folder.file("cut.pcap", &whole[..whole.len() - 1]);
    let run = report(&[&capture, "--html=-"]);
    assert_eq!(run.code, Some(1));
    let note = run.stderr.trim_start_matches("annotator: ").lines().next().unwrap().to_owned();
    assert!(note.contains("cut.pcap"), "{note}");
    assert!(run.stdout.contains(&note), "{note}");
}

#[test]
fn places_that_take_no_page() {
    let folder = Folder::create();
    let capture = folder.file("capture.pcap", &Pcap::ETHERNET.of(&three()));
    let here = folder.path().to_str().unwrap();
    for (place, why) in [(here, "it is a folder"), ("/nowhere/page.html", "No such file"), ("/dev/full", "No space")] {
        let run = report(&[&capture, "--html", place]);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{place}");
        assert!(run.stderr.contains(place) && run.stderr.contains(why), "{}", run.stderr);
    }
    // No capture, no page.
    let page = folder.path().join("page.html");
    let run = report(&["/nowhere/capture.pcap", "--html", page.to_str().unwrap()]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("/nowhere/capture.pcap"), "{}", run.stderr);
    assert!(!page.exists());
    for (arguments, missing) in [(&["--html", "x"][..], "FILE"), (&[&*capture], "--html")] {
        let run = report(arguments);
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains(missing), "{}", run.stderr);
    }
}
