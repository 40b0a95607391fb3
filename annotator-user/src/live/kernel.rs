//! Loading the BPF program and mapping its memory.

use std::mem::offset_of;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use annotator_common::source::CAPACITY;
use annotator_common::{Books, Journal, Ledger, Local, Settings, Source, Types};
use anyhow::{Context, Result, anyhow, ensure};
use aya::maps::{Map, MapData, MapInfo, MapType, RingBuf};
use aya::{Ebpf, EbpfLoader};
use memmap2::{MmapOptions, MmapRaw};

/// The BPF object, compiled by `build.rs`.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/annotator"));

/// Bytes of the ring buffer for samples, a power of two: some 3,700 samples between two polls.
const SAMPLE_RING: u32 = 1 << 20;

/// A map as this version makes it.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Its name in the BPF object.
    pub name: &'static str,
    kind: MapType,
    key: u32,
    value: u32,
    /// How many elements, or bytes of a ring buffer.
    pub entries: u32,
}

impl Shape {
    /// An array, whose elements are mapped into memory.
    pub(super) const fn array(name: &'static str, value: usize, entries: u32) -> Self {
        Shape { name, kind: MapType::Array, key: size_of::<u32>() as u32, value: value as u32, entries }
    }

    /// Opens a pinned map, which must have this shape: a map of another one would be read and written beyond its bounds.
    pub fn open(&self, path: &Path) -> Result<MapData> {
        let data = MapData::from_pin(path).with_context(|| format!("cannot open the pinned map {}", path.display()))?;
        let info = data.info()?;
        ensure!(
            self.is_of(&info),
            "the pinned map {} is not what this version makes: {:?} of {} elements of {} bytes, not {:?} of {} elements of {} bytes",
            path.display(),
            info.map_type()?,
            info.max_entries(),
            info.value_size(),
            self.kind,
            self.entries,
            self.value
        );
        Ok(data)
    }

    fn is_of(&self, info: &MapInfo) -> bool {
        info.map_type().is_ok_and(|kind| kind == self.kind)
            && (info.key_size(), info.value_size(), info.max_entries()) == (self.key, self.value, self.entries)
    }
}

/// The maps by which the program and its agent share what was counted, on a machine with so many CPUs.
pub fn shapes(cpus: u32) -> [Shape; 3] {
    [
        Shape::array("BOOKS", size_of::<Books>(), cpus),
        Shape::array("TYPES", size_of::<Types>(), cpus),
        Shape { name: "SAMPLES", kind: MapType::RingBuf, key: 0, value: 0, entries: SAMPLE_RING },
    ]
}

/// The program in the kernel, not yet attached, with its maps.
pub struct Kernel {
    /// The loaded object: its programs, and the maps that the agent does not hold itself.
    pub ebpf: Ebpf,
    /// Counters.
    pub ledgers: Ledgers,
    /// Source tables.
    pub tables: Tables,
    /// Samples.
    pub samples: RingBuf<MapData>,
    /// What is ours.
    pub local: LocalMap,
}

impl Kernel {
    /// Creates the maps and relocates the programs of an object; nothing is loaded or attached yet.
    pub fn open(object: &[u8], settings: &Settings) -> Result<Self> {
        Self::open_with(object, settings, |_| {})
    }

    /// As [`Kernel::open`], with a say in how the object is loaded.
    pub fn open_with<'a>(
        object: &[u8],
        settings: &'a Settings,
        adjust: impl FnOnce(&mut EbpfLoader<'a>),
    ) -> Result<Self> {
        let cpus = possible_cpus()?;
        let mut loader = EbpfLoader::new();
        loader.override_global("SETTINGS", as_bytes(settings), true);
        for shape in shapes(cpus) {
            loader.map_max_entries(shape.name, shape.entries);
        }
        adjust(&mut loader);
        let mut ebpf = loader.load(object).context("creating the BPF maps")?;
        let books = Rc::new(Mapping::of(&mut ebpf, "BOOKS", size_of::<Books>(), cpus)?);
        let types = Mapping::of(&mut ebpf, "TYPES", size_of::<Types>(), cpus)?;
        let ledgers = Ledgers { books: Rc::clone(&books), types };
        let tables = Tables(books);
        let samples = RingBuf::try_from(ebpf.take_map("SAMPLES").context("the BPF object has no map SAMPLES")?)?;
        let local = LocalMap::of(&ebpf)?;
        local.write(&settings.local);
        Ok(Kernel { ebpf, ledgers, tables, samples, local })
    }
}

/// How many CPU ids there can be. They may be sparse ("0-3,8-11"), so the highest one decides.
pub fn possible_cpus() -> Result<u32> {
    const FILE: &str = "/sys/devices/system/cpu/possible";
    let list = std::fs::read_to_string(FILE).with_context(|| format!("reading {FILE}"))?;
    let last = list.trim().rsplit(['-', ',']).next().unwrap_or_default();
    let last: u32 = last.parse().with_context(|| format!("{FILE} holds {list:?}, not a list of CPUs"))?;
    Ok(last + 1)
}

fn as_bytes(settings: &Settings) -> &[u8] {
    // SAFETY: `Settings` is made of integers without padding (it is `Pod`), so all its bytes are initialised.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(settings).cast(), size_of::<Settings>()) }
}

/// An array map in the agent's own memory. The kernel writes while we read, so everything is read as atomic words.
pub(super) struct Mapping {
    memory: MmapRaw,
    element: usize,
    count: usize,
}

impl Mapping {
    pub(super) fn of(ebpf: &mut Ebpf, name: &str, element: usize, count: u32) -> Result<Self> {
        let Some(Map::Array(data)) = ebpf.map(name) else {
            return Err(anyhow!("the BPF object has no array map {name}"));
        };
        Self::over(data, name, element, count)
    }

    fn over(data: &MapData, name: &str, element: usize, count: u32) -> Result<Self> {
        let (element, count) = (element.next_multiple_of(8), count as usize);
        let memory = MmapOptions::new()
            .len(element * count)
            .map_raw_read_only(data.fd().as_fd().as_raw_fd())
            .with_context(|| format!("mapping the BPF map {name} into memory"))?;
        Ok(Mapping { memory, element, count })
    }

    /// The words of one element.
    pub(super) fn words(&self, index: usize) -> &[AtomicU64] {
        assert!(index < self.count, "an element of the map");
        // SAFETY: the mapping is `element * count` bytes long and lives as long as `self`; page alignment and sizes that are multiples of
        // eight keep the words aligned; atomics may be read while others write.
        unsafe {
            let start = self.memory.as_ptr().add(index * self.element);
            std::slice::from_raw_parts(start.cast::<AtomicU64>(), self.element / 8)
        }
    }
}

/// What is ours as the program knows it, mapped: writing takes no privilege.
pub struct LocalMap(MmapRaw);

impl LocalMap {
    const WORDS: usize = size_of::<Local>() / 8;

    fn of(ebpf: &Ebpf) -> Result<Self> {
        let Some(Map::Array(data)) = ebpf.map("LOCAL") else {
            return Err(anyhow!("the BPF object has no array map LOCAL"));
        };
        let memory = MmapOptions::new().len(Self::WORDS * 8).map_raw(data.fd().as_fd().as_raw_fd());
        memory.map(LocalMap).context("mapping the BPF map LOCAL into memory")
    }

    /// Puts in force what is ours now.
    pub fn write(&self, local: &Local) {
        // SAFETY: the mapping is so long, aligned to a page, and lives as long as `self`; atomics may be written while others read.
        let words = unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast::<AtomicU64>(), Self::WORDS) };
        // SAFETY: `Local` is made of integers without padding, and as large as so many words.
        let new = unsafe { std::mem::transmute::<Local, [u64; Self::WORDS]>(*local) };
        for (to, word) in words.iter().zip(new) {
            to.store(word, Ordering::Relaxed);
        }
    }
}

/// The mapped counters of all CPUs.
pub struct Ledgers {
    books: Rc<Mapping>,
    types: Mapping,
}

impl Ledgers {
    /// The counters of a program that others have loaded; `path` says where a map of a name is pinned.
    pub fn pinned(path: impl Fn(&str) -> PathBuf) -> Result<Self> {
        let cpus = possible_cpus()?;
        let [books, types, _] = shapes(cpus).map(|shape| (shape, path(shape.name)));
        Ok(Ledgers {
            books: Rc::new(Mapping::over(&books.0.open(&books.1)?, books.0.name, size_of::<Books>(), cpus)?),
            types: Mapping::over(&types.0.open(&types.1)?, types.0.name, size_of::<Types>(), cpus)?,
        })
    }

    /// Adds up the ledgers of all CPUs. Cells wrap; see [`annotator_common::Cell`].
    pub fn sum_into(&self, sum: &mut Ledger) {
        const JOURNAL: usize = offset_of!(Books, journal) / 8;
        const JOURNAL_END: usize = JOURNAL + size_of::<Journal>() / 8;
        sum.words_mut().fill(0);
        for cpu in 0..self.books.count {
            let words = self.books.words(cpu)[JOURNAL..JOURNAL_END].iter().chain(self.types.words(cpu));
            for (total, word) in sum.words_mut().iter_mut().zip(words) {
                let word = word.load(Ordering::Relaxed);
                if word != 0 {
                    *total = total.wrapping_add(word);
                }
            }
        }
    }
}

/// Words of a slot of a source table.
pub(super) const SLOT_WORDS: usize = size_of::<Source>() / 8;

/// The source at the beginning of mapped words.
pub(super) fn source(words: &[AtomicU64]) -> Source {
    let mut copy = [0_u64; SLOT_WORDS];
    for (to, from) in copy.iter_mut().zip(words) {
        *to = from.load(Ordering::Relaxed);
    }
    // SAFETY: `Source` is `repr(C)`, made of integers without padding, and as large as `copy`.
    unsafe { std::mem::transmute(copy) }
}

/// The mapped source tables of all CPUs.
pub struct Tables(Rc<Mapping>);

impl Tables {
    /// Number of CPUs.
    pub fn count(&self) -> usize {
        self.0.count
    }

    /// Tag word and slot at every index of one CPU's table. A slot that the kernel was replacing while it was read comes as an empty one.
    pub fn entries(&self, cpu: usize) -> impl Iterator<Item = (u32, Source)> {
        const TAG_WORDS: usize = CAPACITY / 2;
        let words = &self.0.words(cpu)[offset_of!(Books, sources) / 8..];
        (0..CAPACITY).map(move |index| {
            let tag = || (words[index / 2].load(Ordering::Acquire) >> (32 * (index % 2))) as u32;
            let before = tag();
            if before == 0 {
                return (0, Source::default());
            }
            let source = source(&words[TAG_WORDS + index * SLOT_WORDS..]);
            if tag() >> 16 == before >> 16 { (before, source) } else { (0, Source::default()) }
        })
    }
}
