//! The engine in the kernel against the engine on the host: the same frames, the same ledger, word by word.

use annotator::live::attach::load;
use annotator::live::kernel::Kernel;
use annotator_common::ledger::Tally;
use annotator_common::settings::{Budget, PAYLOAD_ENDS};
use annotator_common::{Ledger, Link, Sample, Settings, Sources, observe};
use anyhow::{Context as _, Result, bail, ensure};
use aya::programs::{TestRun as _, TestRunOptions, Xdp};

use crate::frames::{self, NamedFrame};

/// The shortest frame that the kernel takes in a test run: an Ethernet header.
const SHORTEST: usize = 14;
/// The longest that it keeps in one buffer, which is all that a program without `frags` gets to see (a page less head room and tail room).
const LONGEST: usize = 3000;
/// The return value that lets a packet pass (linux/bpf.h).
const XDP_PASS: u32 = 2;
/// Budgets that nothing exhausts, so that what is sampled does not depend on how fast the kernel is.
const UNLIMITED: Budget =
    Budget { per_second: u32::MAX, per_source: u32::MAX, per_payload: u32::MAX, first_packets: 8, each_minute: 1 };

/// Runs every named frame through a BPF object by `BPF_PROG_TEST_RUN` and through the engine here, and compares counters after each frame, the
/// samples, and the source tables at the end. Needs root.
pub fn compare(object: &[u8]) -> Result<()> {
    stay_on_this_cpu()?;
    for layer3 in [false, true] {
        let link = if layer3 { Link::RawIp } else { Link::Ethernet };
        let mut settings = frames::settings();
        settings.layer3 = u32::from(layer3);
        settings.budget = UNLIMITED;
        settings.payload_udp[usize::from(53_u16.to_be())] = 1;
        settings.payload_tcp[usize::from(80_u16.to_be())] = 2;
        settings.payload_tcp[usize::from(4_000_u16.to_be())] = 3 | PAYLOAD_ENDS;
        let frames: Vec<_> = frames::all()
            .into_iter()
            .filter(|frame| frame.link == link && (SHORTEST..=LONGEST).contains(&frame.bytes.len()))
            .collect();
        ensure!(frames.len() >= 3, "the table of named frames has lost those of {link:?}");
        Comparison::new(object, settings)?.run(&frames, link)?;
    }
    Ok(())
}

/// Source tables are kept per CPU; what is news depends on which one the thread runs on.
fn stay_on_this_cpu() -> Result<()> {
    // SAFETY: a CPU set is made of integers, for which zero is a value; the calls read and write that one value.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(usize::try_from(libc::sched_getcpu()).unwrap_or(0), &mut set);
        if libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) != 0 {
            return Err(std::io::Error::last_os_error()).context("pinning the thread to a CPU");
        }
    }
    Ok(())
}

struct Comparison {
    kernel: Kernel,
    settings: Box<Settings>,
    host: Box<Ledger>,
    host_sources: Box<Sources>,
    reading: Box<Ledger>,
}

impl Comparison {
    fn new(object: &[u8], settings: Box<Settings>) -> Result<Self> {
        let mut kernel = Kernel::open(object, &settings)?;
        load(&mut kernel, "annotator")?;
        // SAFETY: all three are made of integers, for which zero is a value.
        unsafe {
            Ok(Comparison {
                kernel,
                settings,
                host: Box::new_zeroed().assume_init(),
                host_sources: Box::new_zeroed().assume_init(),
                reading: Box::new_zeroed().assume_init(),
            })
        }
    }

    fn run(&mut self, frames: &[NamedFrame], link: Link) -> Result<()> {
        for frame in frames {
            let expected = self.on_host(&frame.bytes, link);
            self.in_kernel(&frame.bytes).with_context(|| format!("the frame {:?}", frame.name))?;
            let sampled = self.sample();
            ensure!(
                sampled == expected,
                "the frame {:?}: the host would sample {expected:?}, the kernel {sampled:?} (news, bytes)",
                frame.name
            );
            self.kernel.ledgers.sum_into(&mut self.reading);
            if let Some(word) = (0..Ledger::WORDS).find(|&word| self.host.words()[word] != self.reading.words()[word]) {
                bail!(
                    "after the frame {:?}, word {word} of the ledger is {:#x} on the host and {:#x} in the kernel",
                    frame.name,
                    self.host.words()[word],
                    self.reading.words()[word]
                );
            }
        }
        ensure!(self.host.journal.tallied(Tally::SourcesTracked) > 1, "no source was tracked");
        Ok(())
    }

    /// What the engine here does with the frame; the news and bytes of the sample, if there is one.
    fn on_host(&mut self, bytes: &[u8], link: Link) -> Option<(u32, Vec<u8>)> {
        let Ledger { journal, types } = &mut *self.host;
        let books = (journal, &mut *self.host_sources);
        let news = observe(bytes, link, (&self.settings, &self.settings.local), books, || Some(types), || 1 << 20);
        if !news.any() {
            return None;
        }
        self.host.journal.tally(Tally::Samples);
        // SAFETY: a sample is made of integers, for which zero is a value.
        let mut sample: Sample = unsafe { std::mem::zeroed() };
        sample.fill(bytes, 0, news);
        Some((news.0, sample.bytes().to_vec()))
    }

    fn in_kernel(&mut self, bytes: &[u8]) -> Result<()> {
        let program: &mut Xdp =
            self.kernel.ebpf.program_mut("annotator").context("no program `annotator`")?.try_into()?;
        let mut left = vec![0; bytes.len()];
        let options =
            TestRunOptions { data_in: Some(bytes), data_out: Some(&mut left), repeat: 1, ..TestRunOptions::new() };
        let result = program.test_run(options).context("running the program")?;
        ensure!(result.return_value == XDP_PASS, "the program returned {} and not XDP_PASS", result.return_value);
        ensure!(left == bytes, "the program changed the packet");
        Ok(())
    }

    fn sample(&mut self) -> Option<(u32, Vec<u8>)> {
        let item = self.kernel.samples.next()?;
        assert!(item.len() >= size_of::<Sample>(), "a sample is {} bytes long", item.len());
        // SAFETY: the kernel wrote a whole sample, made of plain integers; the copy needs no alignment.
        let sample: Sample = unsafe { item.as_ptr().cast::<Sample>().read_unaligned() };
        Some((sample.news.0, sample.bytes().to_vec()))
    }
}
