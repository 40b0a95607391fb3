//! Maps and settings, behind functions.

use core::cell::UnsafeCell;

use annotator_common::{Ledger, Settings, Sources, Ticks};
use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_jiffies64};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, RingBuf};

/// Counters, one element per CPU (the loader sets how many), mapped by the agent. An ordinary array keyed by CPU, not a per-CPU array: its
/// lookup is inlined by every kernel, and it can be mapped.
#[map]
static LEDGERS: Array<Ledger> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Source tables, likewise.
#[map]
static SOURCES: Array<Sources> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Samples on their way to the agent.
#[map]
pub static SAMPLES: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Written by the loader before the program is loaded; read-only from then on. In a cell, so that the compiler does not take the values above for
/// those that will be there.
#[unsafe(link_section = ".rodata.settings")]
#[unsafe(no_mangle)]
static SETTINGS: Written = Written(UnsafeCell::new(Settings::DEFAULT));

#[repr(transparent)]
struct Written(UnsafeCell<Settings>);

// SAFETY: nothing writes while the program runs.
unsafe impl Sync for Written {}

/// The settings as the loader wrote them.
#[inline(always)]
pub fn settings() -> &'static Settings {
    // SAFETY: as above.
    unsafe { &*SETTINGS.0.get() }
}

/// The CPU that runs the program.
#[inline(always)]
pub fn cpu() -> u32 {
    // SAFETY: the helper takes nothing.
    (unsafe { bpf_get_smp_processor_id() }) as u32
}

/// This CPU's counters.
#[inline(always)]
pub fn ledger(cpu: u32) -> Option<&'static mut Ledger> {
    // SAFETY: only this CPU writes this element, and XDP programs do not interrupt each other on a CPU.
    LEDGERS.get_ptr_mut(cpu).map(|pointer| unsafe { &mut *pointer })
}

/// This CPU's source table.
#[inline(always)]
pub fn sources(cpu: u32) -> Option<&'static mut Sources> {
    // SAFETY: as for the ledger.
    SOURCES.get_ptr_mut(cpu).map(|pointer| unsafe { &mut *pointer })
}

/// Jiffies: unlike the clocks, reading them costs nothing measurable.
#[inline(always)]
pub fn ticks() -> Ticks {
    // SAFETY: the helper takes nothing.
    (unsafe { bpf_jiffies64() }) as Ticks
}
