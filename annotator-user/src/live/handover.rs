//! What an agent leaves to the next one, beside the kernel's counters: how much of them has been reported.
//!
//! It lies in a map that is pinned with the others, so that it lives and ends with them, and is written through mapped memory, which takes no
//! privilege. There are two places for it. An agent writes to the one that is not in force and then puts it in force by a single store: whenever
//! it is killed, one of them is whole.

use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use annotator_common::source::CAPACITY;
use annotator_common::{Count, Ledger, Source};
use anyhow::{Context, Result};
use aya::maps::{Array, MapData};
use memmap2::{MmapOptions, MmapRaw};

use super::clock::monotonic;
use super::kernel::{SLOT_WORDS, Shape, source};
use crate::sources::Slots;

/// The map's elements, which lie one after the other. An element as large as everything would be larger than kernels allow.
const PAGE: usize = 4096;
/// `BPF_F_MMAPABLE` of linux/bpf.h.
const MMAPABLE: u32 = 1 << 10;
/// Words before the two places: the seed, how often it was written (the lowest bit tells which place is in force), when the program was attached.
const HEAD: usize = 4;
const TURN: usize = 2;
const ATTACHED_AT: usize = 3;
/// Words of a place before its ledger: when, the total, what the interface had received.
const SUMS: usize = 5;

/// What had been reported when an agent last reported.
pub struct Reported {
    /// When that was, in nanoseconds of the monotonic clock.
    pub at: i64,
    /// All packets that were reported since the program was attached.
    pub total: Count,
    /// What the interface had received, as its driver counts.
    pub received: Count,
    /// The sum of the ledgers.
    pub ledger: Box<Ledger>,
    /// What the source tables held.
    pub slots: Slots,
}

impl Reported {
    /// For counters that start from zero now.
    pub fn nothing() -> Self {
        Reported {
            at: monotonic(),
            total: Count::default(),
            received: Count::default(),
            ledger: super::watched::ledger(),
            slots: Slots::default(),
        }
    }
}

/// The mapped memory.
pub struct Handover {
    memory: MmapRaw,
    cpus: usize,
}

impl Handover {
    /// Makes the map and pins it. Nothing has been reported.
    pub fn create(path: &Path, cpus: u32, seed: [u64; 2], received: Count) -> Result<Self> {
        let pages = shape(cpus).entries;
        let array = Array::<MapData, [u8; PAGE]>::create(pages, MMAPABLE).context("creating a BPF map")?;
        array.pin(path).with_context(|| format!("cannot pin a map as {}", path.display()))?;
        let handover = Self::open(path, cpus)?;
        let now = monotonic() as u64;
        store(handover.words(), [seed[0], seed[1], 0, now]);
        store(handover.place(0), [now, 0, 0, received.packets, received.bytes]);
        Ok(handover)
    }

    /// Opens what another agent has left.
    pub fn open(path: &Path, cpus: u32) -> Result<Self> {
        let data = shape(cpus).open(path)?;
        let memory = MmapOptions::new()
            .len(shape(cpus).entries as usize * PAGE)
            .map_raw(data.fd().as_fd().as_raw_fd())
            .with_context(|| format!("mapping {} into memory", path.display()))?;
        Ok(Handover { memory, cpus: cpus as usize })
    }

    /// The secret of the source tables: a source is found again only with the one that it was put there with.
    pub fn seed(&self) -> [u64; 2] {
        [0, 1].map(|at| self.words()[at].load(Ordering::Relaxed))
    }

    /// When the program was attached, in nanoseconds of the monotonic clock.
    pub fn attached_at(&self) -> i64 {
        self.words()[ATTACHED_AT].load(Ordering::Relaxed) as i64
    }

    /// What was reported last. An agent that is at work meanwhile may make this look again.
    pub fn read(&self) -> Reported {
        loop {
            let turn = self.words()[TURN].load(Ordering::Acquire);
            let reported = self.read_place(turn);
            if self.words()[TURN].load(Ordering::Acquire) == turn {
                return reported;
            }
        }
    }

    /// Puts in force what has been reported now.
    pub fn write(&self, at: i64, total: Count, received: Count, ledger: &Ledger, slots: &Slots) {
        let turn = self.words()[TURN].load(Ordering::Relaxed).wrapping_add(1);
        let (sums, rest) = self.place(turn).split_at(SUMS);
        let (ledger_words, slot_words) = rest.split_at(Ledger::WORDS);
        store(sums, [at as u64, total.packets, total.bytes, received.packets, received.bytes]);
        store(ledger_words, ledger.words().iter().copied());
        for (place, source) in slot_words.chunks_exact(SLOT_WORDS).zip(slots.tables().flatten()) {
            // SAFETY: `Source` is made of integers without padding, and as large as so many words.
            store(place, unsafe { std::mem::transmute::<Source, [u64; SLOT_WORDS]>(*source) });
        }
        self.words()[TURN].store(turn, Ordering::Release);
    }

    fn read_place(&self, turn: u64) -> Reported {
        let (sums, rest) = self.place(turn).split_at(SUMS);
        let (ledger_words, slot_words) = rest.split_at(Ledger::WORDS);
        let [at, packets, bytes, received_packets, received_bytes] =
            [0, 1, 2, 3, 4].map(|index| sums[index].load(Ordering::Relaxed));
        let mut ledger = super::watched::ledger();
        for (to, from) in ledger.words_mut().iter_mut().zip(ledger_words) {
            *to = from.load(Ordering::Relaxed);
        }
        let sources: Vec<Source> = slot_words.chunks_exact(SLOT_WORDS).map(source).collect();
        Reported {
            at: at as i64,
            total: Count { packets, bytes },
            received: Count { packets: received_packets, bytes: received_bytes },
            ledger,
            slots: Slots::remembered(sources.chunks_exact(CAPACITY).map(Box::from).collect()),
        }
    }

    fn place(&self, turn: u64) -> &[AtomicU64] {
        let length = place_words(self.cpus);
        &self.words()[HEAD + (turn & 1) as usize * length..][..length]
    }

    fn words(&self) -> &[AtomicU64] {
        let words = HEAD + 2 * place_words(self.cpus);
        // SAFETY: the mapping is at least so long, aligned to a page, and lives as long as `self`; atomics may be read while others write.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().cast::<AtomicU64>(), words) }
    }
}

fn store(place: &[AtomicU64], words: impl IntoIterator<Item = u64>) {
    for (to, word) in place.iter().zip(words) {
        to.store(word, Ordering::Relaxed);
    }
}

const fn place_words(cpus: usize) -> usize {
    SUMS + Ledger::WORDS + cpus * CAPACITY * SLOT_WORDS
}

fn shape(cpus: u32) -> Shape {
    let bytes = (HEAD + 2 * place_words(cpus as usize)) * size_of::<u64>();
    Shape::array("the handover", PAGE, bytes.div_ceil(PAGE) as u32)
}
