//! What the tests of this module share: a report with a little of everything, keys, and the picture as text.

use std::collections::BTreeMap;

use annotator_common::Link;
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Color, Modifier};

use super::state::{Next, State};
use super::view::{self, theme::Theme};
use super::walk::Walk;
use crate::example::Example;
use crate::extent::Extent;
use crate::finding::{Confidence, Finding, Verdict};
use crate::knowledge::Knowledge;
use crate::observation::{Moment, Rate};
use crate::report::{
    Coverage, IcmpRow, Origin, OriginKind, PortRow, ProtocolRow, Report, SCHEMA, SourceRow, Totals, Window,
};

const SECOND: i64 = 1_000_000_000;
const COLOURED: Theme = Theme { colour: true };

pub(super) fn finding() -> Finding {
    Finding {
        id: "worm.test".into(),
        also: Vec::new(),
        title: "A worm that only tests know".into(),
        verdict: Verdict::Attack,
        confidence: Confidence::Likely,
        packets: 1234,
        sources: vec!["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()],
        destinations: vec!["198.51.100.7".parse().unwrap()],
        explanation: "It tells a long story about itself. ".repeat(20),
        looks_like: "A test that shows something.".into(),
        advice: "Run `nft add rule inet filter input icmp type echo-request limit rate 5/second accept`.".into(),
        evidence: vec!["Evidence with \x1b[31mcolour from the network.".into()],
        extent: Extent { first: Some(Moment(0)), last: Some(Moment(9 * SECOND)), ..Extent::default() },
        examples: vec![Example {
            at: Moment(0),
            headers: "UDP 192.0.2.1 port 4000 to 198.51.100.7 port 1434".into(),
            link: Link::RawIp,
            length: 404,
            bytes: vec![0x45; 28].into_iter().enumerate().map(|(i, b)| if i == 1 { 0 } else { b }).collect(),
        }],
        sightings: Vec::new(),
        references: vec!["a book".into()],
    }
}

pub(super) fn report() -> Report {
    let calm = Finding {
        id: "icmp.calm".into(),
        title: "Somebody asks whether you are there".into(),
        verdict: Verdict::Background,
        packets: 8,
        sources: vec!["2001:db8::1".parse().unwrap()],
        ..finding()
    };
    let port = |proto, side, port, service: &str, packets, syn| PortRow {
        proto,
        side,
        port,
        service: Some(service.into()),
        packets,
        bytes: packets * 60,
        syn,
    };
    let source = |address: &str, packets| SourceRow {
        address: address.parse().unwrap(),
        packets,
        first: Moment(0),
        last: Moment(9 * SECOND),
        ports_about: 40,
        destinations_about: 1,
        syn: 3,
        rst: 0,
        fin: 0,
        udp: packets - 3,
        icmp: 0,
        ttl_low: 50,
        ttl_high: 52,
    };
    let protocol =
        |name: &'static str, packets| ProtocolRow { name: name.into(), family: 4, packets, bytes: packets * 60 };
    Report {
        schema: SCHEMA,
        source: Origin { kind: OriginKind::Interface, name: "eth0".into(), xdp_mode: Some("native".into()) },
        window: Window { from: Moment(0), to: Moment(10 * SECOND), seconds: 10.0 },
        totals: Totals { packets: 1250, bytes: 75_000 },
        coverage: Coverage {
            parsed: 1240,
            not_parsed: BTreeMap::from([("truncated", 10)]),
            sources_tracked: 2,
            sources_not_tracked: 0,
            samples: 9,
            samples_withheld: 0,
            explained_percent: 99.0,
        },
        rates: (0..10)
            .map(|i| Rate { from: Moment(i * SECOND), seconds: 1.0, packets: 25 * i as u64 + 12, bytes: 7500 })
            .collect(),
        protocols: vec![protocol("udp", 1240), protocol("ip-proto-253", 10)],
        flags: BTreeMap::from([("low-ttl", 3), ("source-route", 700)]),
        ports: vec![port("tcp", "dst", 23, "telnet", 1100, 1100), port("udp", "src", 53, "domain", 140, 0)],
        icmp: vec![IcmpRow { family: 4, icmp_type: 8, code: 0, name: Some("echo request"), packets: 8, bytes: 800 }],
        sources: vec![source("192.0.2.1", 1100), source("2001:db8::1", 140)],
        findings: vec![finding(), calm],
        notes: vec!["a note on how it came about".into()],
        sightings: Vec::new(),
    }
}

/// A live view of [`report`].
pub(super) fn state() -> State {
    let mut state = State::new(["eth0".into()], Knowledge::load(&[]).unwrap(), None);
    state.zone = TimeZone::UTC;
    state.take(report());
    state
}

/// A walk through [`report`].
fn walking() -> State {
    let report = report();
    let walk = Walk::new(report.window, report.rates.clone(), true);
    let mut state = State::new(["x.pcap".into()], Knowledge::load(&[]).unwrap(), Some(walk));
    let source = Origin { kind: OriginKind::Capture, name: "x.pcap".into(), xdp_mode: None };
    state.zone = TimeZone::UTC;
    state.take(Report { source, ..report });
    state
}

pub(super) fn press(state: &mut State, code: KeyCode) -> Next {
    state.on(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn keys(state: &mut State, keys: &str) {
    for key in keys.chars() {
        press(state, KeyCode::Char(key));
    }
}

fn terminal(state: &mut State, width: u16, height: u16, theme: Theme) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, state, theme)).unwrap();
    terminal
}

/// The picture, a line each, without the spaces at their ends.
fn picture(state: &mut State, width: u16, height: u16) -> Vec<String> {
    let terminal = terminal(state, width, height, COLOURED);
    let cells = terminal.backend().buffer().content();
    let lines = cells.chunks(width.into()).map(|line| line.iter().map(|cell| cell.symbol()).collect::<String>());
    lines.map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn findings_at_80_by_24() {
    // A note stands in the last line until a key is pressed.
    let expected = "\
eth0  1970-01-01 00:00:10 UTC  XDP native mode  last 10 s
125 packets/s                                                █ peak 125
7.3 KiB/s                                                    █ peak 7.3 KiB
Yes, look at this: A worm that only tests know.

1 Findings 2  2 Ports 2  3 ICMP 1  4 Sources 2  5 Flags 2  6 Protocols 2
verdict     what                                              packets  how sure
attack      A worm that only tests know                         1,234  likely
background  Somebody asks whether you are there                     8  likely














a note on how it came about";
    assert_eq!(picture(&mut state(), 80, 24).join("\n"), expected);
}

#[test]
fn ports_at_the_smallest_size() {
    let mut state = state();
    keys(&mut state, "2ss");
    let expected = "\
eth0  1970-01-01 00:00:10 UTC
125 packets/s                          █
7.3 KiB/s                              █
Yes, look at this: A worm that only…
1 2 Ports 3 4 5 6
port    side▾  service           packets
udp/53  from   domain                140
tcp/23  to     telnet              1,100

q quit  ? keys  Tab table  Enter explain";
    assert_eq!(picture(&mut state, 40, 10).join("\n"), expected);
}

#[test]
fn a_wide_terminal_shows_what_is_selected_beside_the_table() {
    let picture = picture(&mut state(), 160, 45).join("\n");
    assert!(picture.contains("id        │ A worm"), "the last column:\n{picture}");
    assert!(picture.contains("worm.test │ attack, likely; 1,234 packets; worm.test"), "{picture}");
    assert!(picture.contains("│ What to do: Run `nft"), "{picture}");
}

#[test]
fn a_terminal_that_is_too_small_is_told_so_until_it_has_grown() {
    let mut state = state();
    let small = picture(&mut state, 39, 24).join(" ");
    assert!(small.starts_with("The terminal is too small: 39×24; this needs 40×10."), "{small}");
    assert!(picture(&mut state, 80, 9).join(" ").contains("too small"));
    assert!(picture(&mut state, 40, 10)[0].starts_with("eth0"));
}

#[test]
fn no_size_and_no_table_is_too_much() {
    for mut state in [state(), walking(), State::new(["eth0".into()], Knowledge::load(&[]).unwrap(), None)] {
        for mode in ["", "/x", "?"] {
            keys(&mut state, mode);
            for _ in 0..6 {
                for (width, height) in [(1, 1), (40, 10), (80, 24), (200, 50)] {
                    picture(&mut state, width, height);
                }
                press(&mut state, KeyCode::Tab);
            }
            press(&mut state, KeyCode::Esc);
        }
    }
}

#[test]
fn the_selected_row_stays_in_sight() {
    let mut state = state();
    let mut many = report();
    many.sources = (0..200).map(|i| SourceRow { address: [198, 18, 0, i].into(), ..many.sources[0].clone() }).collect();
    state.take(many);
    keys(&mut state, "4");
    let shown = |state: &mut State, address: &str| picture(state, 80, 24).iter().any(|line| line.starts_with(address));
    assert!(shown(&mut state, "198.18.0.0 ") && !shown(&mut state, "198.18.0.199 "));
    keys(&mut state, "G");
    assert!(shown(&mut state, "198.18.0.199 ") && !shown(&mut state, "198.18.0.0 "));
    // Going up moves the selection before it moves the rows.
    keys(&mut state, "k");
    assert!(shown(&mut state, "198.18.0.199 ") && shown(&mut state, "198.18.0.198 "));
    press(&mut state, KeyCode::PageUp);
    press(&mut state, KeyCode::PageUp);
    assert!(!shown(&mut state, "198.18.0.199 "));
}

#[test]
fn a_page_is_scrolled_to_its_end_and_no_further() {
    let mut state = state();
    press(&mut state, KeyCode::Enter);
    let top = picture(&mut state, 80, 24);
    assert_eq!(top[6], "A worm that only tests know");
    keys(&mut state, "G");
    let end = picture(&mut state, 80, 24);
    assert_eq!(end[22], "Sources: a book", "{end:#?}");
    keys(&mut state, "j");
    assert_eq!(picture(&mut state, 80, 24), end);
    press(&mut state, KeyCode::Esc);
    assert!(picture(&mut state, 80, 24)[6].starts_with("verdict"));
}

#[test]
fn a_filter_is_seen_while_it_is_typed_and_after() {
    let mut state = state();
    keys(&mut state, "/worm");
    assert_eq!(picture(&mut state, 80, 24)[23], "/worm▏");
    press(&mut state, KeyCode::Enter);
    assert!(picture(&mut state, 80, 24)[23].starts_with("only /worm"));
    keys(&mut state, "/x");
    assert!(picture(&mut state, 80, 24)[7].starts_with("nothing holds `wormx`"));
}

#[test]
fn what_stands_still_says_so() {
    let mut state = state();
    keys(&mut state, "p");
    assert!(picture(&mut state, 40, 10)[0].ends_with("PAUSED"));
    keys(&mut state, "p");
    state.lose("eth0");
    let picture = picture(&mut state, 80, 24);
    assert!(picture[0].ends_with("GONE") && picture[23].contains("eth0 is gone"), "{picture:#?}");
}

#[test]
fn a_capture_shows_its_time_and_how_far_one_has_gone() {
    let mut state = walking();
    keys(&mut state, "g");
    let whole = picture(&mut state, 80, 24);
    assert_eq!(whole[0], "x.pcap  1970-01-01 00:00:00 to 00:00:10 UTC");
    assert!(whole[1].starts_with("125 packets/s             ▁▁▁▁▂▂▂▂"), "{whole:#?}");
    assert!(whole[23].contains(", . step in time"));
    for _ in 0..3 {
        keys(&mut state, "<");
    }
    assert_eq!(picture(&mut state, 80, 24)[0], "x.pcap  1970-01-01 00:00:00 to 00:00:05 UTC  30/60");
    let terminal = terminal(&mut state, 80, 24, COLOURED);
    let rates = &terminal.backend().buffer().content()[80 + 22..80 + 62];
    let bright = rates.iter().filter(|cell| cell.fg == Color::Cyan).count();
    assert_eq!(bright, 20, "what has not come yet stands back");
}

#[test]
fn the_keys_are_listed() {
    let mut state = state();
    keys(&mut state, "?");
    let picture = picture(&mut state, 80, 24).join("\n");
    for key in ["q, Ctrl-C", "Enter", "filter", "p, Space", "i, I", "F1"] {
        assert!(picture.contains(key), "{key} is missing:\n{picture}");
    }
}

#[test]
fn coverage_is_a_page() {
    let mut state = state();
    keys(&mut state, "c");
    let picture = picture(&mut state, 80, 24).join("\n");
    assert!(
        picture.contains("99.2% parsed") && picture.contains("truncated: 10") && picture.contains("Note: a note"),
        "{picture}"
    );
}

#[test]
fn colours_only_where_they_are_wanted() {
    let colours = |theme: Theme| -> Vec<Color> {
        let terminal = terminal(&mut state(), 80, 24, theme);
        terminal.backend().buffer().content().iter().flat_map(|cell| [cell.fg, cell.bg]).collect()
    };
    assert!(colours(COLOURED).contains(&Color::Red), "an attack");
    assert!(colours(Theme { colour: false }).iter().all(|colour| *colour == Color::Reset));
    let plain = terminal(&mut state(), 80, 24, Theme { colour: false });
    let selected = &plain.backend().buffer().content()[7 * 80];
    assert!(selected.modifier.contains(Modifier::REVERSED), "the selected row is seen without colours");
}

#[test]
fn nothing_from_the_network_acts_on_the_terminal() {
    let mut hostile = report();
    let evil = "\x1b[2J\x07\u{9b}31m\u{202e}";
    hostile.source.name = "eth0".into();
    hostile.findings[0].title = format!("title {evil}");
    hostile.findings[0].looks_like = evil.into();
    hostile.ports[0].service = Some(evil.into());
    hostile.notes = vec![evil.into()];
    let mut state = state();
    state.take(hostile);
    for key in ["1", "2", "c"] {
        keys(&mut state, key);
        for _ in 0..2 {
            let picture = picture(&mut state, 160, 45).concat();
            assert!(!picture.contains(|letter: char| letter.is_control() || letter == '\u{202e}'), "{picture}");
            press(&mut state, KeyCode::Enter);
        }
        press(&mut state, KeyCode::Esc);
    }
}
