//! Whatever bytes a capture has, reading ends, gives what can be had, and does not fall over.

use std::io::Cursor;

use annotator::capture::{self, Input, Observer, Opened};
use annotator_common::{Link, Settings};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::captures::{Pcap, Pcapng};
use crate::{SECOND, START, frames};

/// A capture of a few of the named frames, in some format.
fn captures() -> impl Strategy<Value = Vec<u8>> {
    (vec(any::<Index>(), 1..12), 0..5_u8, any::<bool>()).prop_map(|(chosen, format, big_endian)| {
        let all: Vec<_> = frames::all().into_iter().filter(|frame| frame.link == Link::Ethernet).collect();
        let chosen = chosen.iter().enumerate();
        let chosen: Vec<_> =
            chosen.map(|(at, frame)| (START + at as u64 * SECOND, frame.get(&all).bytes.clone())).collect();
        let mut blocks = Pcapng::new(big_endian).interface(1, 0, &[]);
        for (at, frame) in &chosen {
            blocks = match format {
                0 => blocks.simple(frame.len() as u32, frame),
                1 => blocks.old(0, at / 1000, frame),
                _ => blocks.enhanced(0, at / 1000, frame, &[]),
            };
        }
        match format {
            0..=2 => blocks.bytes(),
            3 => Pcap { big_endian, nanoseconds: true, ..Pcap::ETHERNET }.of(&chosen),
            _ => Pcap { big_endian, modified: true, ..Pcap::ETHERNET }.of(&chosen),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_captures_end(
        mut bytes in captures(),
        damage in vec((any::<Index>(), any::<u8>()), 0..6),
        cut in prop_oneof![2 => Just(None), 1 => any::<Index>().prop_map(Some)],
    ) {
        for (at, value) in &damage {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let length = bytes.len();
        let mut observer = Observer::new(Box::new(Settings::DEFAULT)).begin_whole();
        let (mut packets, mut sum) = (0, 0);
        let opened = capture::read(&mut Input::new(Box::new(Cursor::new(bytes))), &mut |captured| {
            packets += 1;
            sum += captured.frame.len();
            observer.observe(captured);
        });
        prop_assert!(sum <= length, "more bytes than there are");
        let gathered = observer.finish();
        prop_assert_eq!(gathered.counters.total().packets, packets);
        prop_assert_eq!(gathered.counters.total().bytes, sum as u64);
        prop_assert!(gathered.from <= gathered.to);
        if let Opened::Refused(why) = opened {
            prop_assert!(!why.is_empty() && packets == 0);
        }
    }
}
