//! Agents take over counters that agents of earlier versions have left in the kernel. So whoever changes what the memory holds says so.

use annotator_common::{LAYOUT, Ledger, Link, Sample, Sources, observe};
use annotator_tests::frames::{self, Ipv4, Ipv6};

/// The version of the layout that has this fingerprint.
const VERSION: u32 = 4;
const FINGERPRINT: u64 = 10_026_858_725_112_079_862;

/// FNV-1a (Fowler, Noll, Vo), which is the same with every compiler.
fn hash(words: impl IntoIterator<Item = u64>) -> u64 {
    let bytes = words.into_iter().flat_map(u64::to_le_bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_layout_has_the_version_that_it_says() {
    // SAFETY: both are made of integers, for which zero is a value.
    let (mut ledger, mut sources) =
        unsafe { (Box::<Ledger>::new_zeroed().assume_init(), Box::<Sources>::new_zeroed().assume_init()) };
    let settings = frames::settings();
    for frame in [
        Ipv4::default().frame(&frames::tcp_segment(1000, 23, 2, b"")),
        Ipv4::default().frame(&frames::tcp_segment(1000, 23, 16, b"data")),
        Ipv4::default().frame(&frames::udp_datagram(40_000, 53, b"payload!")),
        Ipv4::default().frame(&frames::icmp_message(8, 0, b"")),
        Ipv4 { ttl: 1, ..Ipv4::default() }.frame(b"cut"),
        Ipv6::default().frame(&frames::udp_datagram(40_000, 53, b"payload!")),
        frames::ethernet(frames::MAC_BROADCAST, 0x0806, &[0; 28]),
    ] {
        let Ledger { journal, types } = &mut *ledger;
        let books = (journal, &mut *sources);
        observe(frame.as_slice(), Link::Ethernet, (&settings, &settings.local), books, || Some(types), || 1);
    }
    // SAFETY: tables of sources are made of words of 64 bits without padding, as their sizes show.
    let tables = unsafe {
        std::slice::from_raw_parts((&raw const *sources).cast::<u64>(), size_of::<Sources>() / size_of::<u64>())
    };
    let sizes = [size_of::<Ledger>(), size_of::<Sources>(), size_of::<Sample>()].map(|size| size as u64);
    let counted = ledger.words().iter().chain(tables).copied().enumerate().filter(|(_, word)| *word != 0);
    let fingerprint = hash(sizes.into_iter().chain(counted.flat_map(|(at, word)| [at as u64, word])));
    assert_eq!(
        (LAYOUT, fingerprint),
        (VERSION, FINGERPRINT),
        "what the engine keeps in memory has changed: raise LAYOUT (annotator-common/src/lib.rs), so that no agent takes it for what it was, and \
         write both numbers here. Where the same figures are still in the same places, the new fingerprint alone will do"
    );
}
