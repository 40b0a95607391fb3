//! Samples: the first bytes of packets that are news.

use crate::flags::rarely;
use crate::{Flag, Flags, Frame};

/// Bytes of a packet that a sample holds.
pub const SAMPLE_BYTES: usize = 256;

/// Flags that are rare on a healthy network: a packet with one of them is worth a look whoever sent it.
pub const RARE: Flags = Flags::of(&[
    Flag::LoopbackSource,
    Flag::ZeroSource,
    Flag::DocumentationSource,
    Flag::ReservedSource,
    Flag::SelfSource,
    Flag::SourceRoute,
    Flag::RecordRoute,
    Flag::TinyFragment,
    Flag::RoutingHeader0,
    Flag::SynFin,
    Flag::NullScan,
    Flag::XmasScan,
    Flag::SynWithPayload,
    Flag::Land,
]);

/// Why a packet is news: a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct News(pub u32);

impl News {
    /// Nothing new.
    pub const NONE: News = News(0);
    /// A source that the table did not have.
    pub const SOURCE: News = News(1);
    /// A destination port that this source had not used.
    pub const PORT: News = News(1 << 1);
    /// One of the first packets of its kind that its source sends, among its first 65,535: SYNs, datagrams, ICMP messages, others.
    pub const FIRST: News = News(1 << 2);
    /// A destination address that this source had not used.
    pub const DESTINATION: News = News(1 << 3);
    /// A TTL that this source had not shown.
    pub const TTL: News = News(1 << 4);
    /// A flag of [`RARE`].
    pub const RARE_FLAG: News = News(1 << 5);
    /// An ICMP or ICMPv6 error, which carries the header of another packet.
    pub const ICMP_ERROR: News = News(1 << 6);
    /// Payload that the knowledge can read.
    pub const PAYLOAD: News = News(1 << 7);
    /// A port and address that this source had not used in this minute: it goes on.
    pub const AGAIN: News = News(1 << 8);
    /// An IP protocol without ports that this source had not used.
    pub const PROTOCOL: News = News(1 << 9);

    /// Whether there is anything new.
    #[inline(always)]
    pub const fn any(self) -> bool {
        self.0 != 0
    }

    /// Adds reasons.
    #[inline(always)]
    pub const fn insert(&mut self, news: News) {
        self.0 |= news.0;
    }

    /// Adds reasons where `condition` holds, which is seldom.
    #[inline(always)]
    pub const fn insert_if(&mut self, news: News, condition: bool) {
        if rarely(condition) {
            self.insert(news);
        }
    }

    /// Whether any of the given reasons is there.
    #[inline(always)]
    pub const fn has(self, news: News) -> bool {
        self.0 & news.0 != 0
    }
}

/// A packet as it is handed to the agent through the ring buffer.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Sample {
    /// When it arrived: nanoseconds of the monotonic clock.
    pub nanoseconds: u64,
    /// Length of the whole frame.
    pub frame_length: u32,
    /// Bytes of it in `bytes`.
    pub captured: u32,
    /// Why it is news.
    pub news: News,
    /// Keeps `bytes` aligned to eight.
    pub reserved: u32,
    /// The first bytes of the frame, in words of memory order.
    pub words: [u64; SAMPLE_BYTES / 8],
}

const _: () = assert!(size_of::<Sample>() == 24 + SAMPLE_BYTES);

impl Sample {
    /// The captured bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: any byte of an array of integers may be read as `u8`, and the length is that of the array.
        let bytes = unsafe { core::slice::from_raw_parts(self.words.as_ptr().cast::<u8>(), SAMPLE_BYTES) };
        &bytes[..(self.captured as usize).min(SAMPLE_BYTES)]
    }

    /// Fills the sample from a frame, word by word and the last up to seven bytes one by one. What lies behind `captured` is left as it was.
    #[inline(always)]
    pub fn fill<F: Frame + ?Sized>(&mut self, frame: &F, nanoseconds: u64, news: News) {
        self.nanoseconds = nanoseconds;
        self.frame_length = frame.len();
        self.news = news;
        self.reserved = 0;
        let mut whole = 0;
        while whole < SAMPLE_BYTES as u32 {
            let Some(word) = frame.load::<u64>(whole) else { break };
            self.words[(whole / 8) as usize] = word;
            whole += 8;
        }
        let whole = frame.settled(whole);
        let mut captured = whole;
        if whole < SAMPLE_BYTES as u32 {
            let start = frame.bounded(whole, 0xff);
            let mut tail = 0_u64;
            let mut byte = 0;
            while byte < 7 {
                let Some(value) = frame.load::<u8>(start + byte) else { break };
                tail |= u64::from(value) << (byte * 8);
                byte += 1;
            }
            captured = start + frame.settled(byte);
            self.words[(start / 8) as usize] = u64::from_le(tail);
        }
        self.captured = captured;
    }
}
