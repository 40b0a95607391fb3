//! Maps and settings, behind functions.

use core::cell::UnsafeCell;

use annotator_common::{Books, Local, Settings, Ticks, Types};
use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_jiffies64};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, RingBuf};

/// Counters and source tables, one element per CPU (the loader sets how many), mapped by the agent. An ordinary array keyed by CPU, not a
/// per-CPU array: its lookup is inlined by every kernel, and it can be mapped.
#[map]
static BOOKS: Array<Books> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The counters that few packets need, likewise.
#[map]
static TYPES: Array<Types> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// What is ours, which the agent writes whenever it changes.
#[map]
static LOCAL: Array<Local> = Array::with_max_entries(1, BPF_F_MMAPABLE);

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

/// What is ours at this moment.
#[inline(always)]
pub fn local() -> Option<&'static Local> {
    LOCAL.get(0)
}

/// The CPU that runs the program.
#[inline(always)]
pub fn cpu() -> u32 {
    // SAFETY: the helper takes nothing.
    (unsafe { bpf_get_smp_processor_id() }) as u32
}

/// This CPU's counters and source table.
#[inline(always)]
pub fn books() -> Option<&'static mut Books> {
    // SAFETY: only this CPU writes this element, and XDP programs do not interrupt each other on a CPU.
    BOOKS.get_ptr_mut(cpu()).map(|pointer| unsafe { &mut *pointer })
}

/// This CPU's counters by type.
#[inline(always)]
pub fn types() -> Option<&'static mut Types> {
    // SAFETY: as above.
    TYPES.get_ptr_mut(cpu()).map(|pointer| unsafe { &mut *pointer })
}

/// Jiffies: unlike the clocks, reading them costs nothing measurable.
#[inline(always)]
pub fn ticks() -> Ticks {
    // SAFETY: the helper takes nothing.
    (unsafe { bpf_jiffies64() }) as Ticks
}
