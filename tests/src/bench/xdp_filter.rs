//! What xdp-filter of the xdp-tools costs with all its features and no filter set, where it is installed.

use std::fs;
use std::path::{Path, PathBuf};

use annotator::live::kernel::Kernel;
use anyhow::{Context as _, Result};
use aya::{Ebpf, EbpfLoader};

use super::{Effort, ROUNDS, load, program, report::Peer, settings, time};
use crate::{BENCH_OBJECT, bpf_fs};

/// Its name among the figures.
pub const NAME: &str = "xdp-filter";
/// Its program with all features, and the object that has it.
const PROGRAM: &str = "xdpfilt_alw_all";
/// What the bench object holds against it.
const EMPTY: &str = "live_empty_pass";

/// Where distributions put the BPF objects of the xdp-tools: `bpf/` in one of the folders of libraries.
fn object() -> Option<PathBuf> {
    let folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"].map(PathBuf::from);
    let of_this_machine = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let file = Path::new("bpf").join(PROGRAM).with_extension("o");
    folders.into_iter().chain(of_this_machine).map(|folder| folder.join(&file)).find(|path| path.is_file())
}

/// Nanoseconds over an empty program, per case; nothing where it is not installed.
pub fn measure(cases: Vec<(&'static str, Vec<u8>)>, effort: Effort) -> Result<Vec<Peer>> {
    let Some(object) = object() else { return Ok(Vec::new()) };
    eprintln!("{NAME} …");
    // It pins its maps.
    bpf_fs::with_bpf_fs(move || {
        let object = fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
        let mut filter =
            EbpfLoader::new().default_map_pin_directory(bpf_fs::PLACE).load(&object).context("creating its maps")?;
        program(&mut filter, PROGRAM)?.load().context("loading it")?;
        let settings = settings();
        let mut ours = Kernel::open(BENCH_OBJECT, &settings)?;
        load(&mut ours, &[EMPTY])?;
        cases
            .into_iter()
            .map(|(case, frame)| {
                let added_ns_min = added(&mut filter, &mut ours.ebpf, &frame, effort)?;
                Ok(Peer { name: NAME, case, added_ns_min })
            })
            .collect()
    })
    .with_context(|| format!("measuring {NAME}"))
}

/// The least that it takes, less the least that an empty program takes. It gets one packet in each repetition, so the kernel gives whole nanoseconds.
fn added(filter: &mut Ebpf, ours: &mut Ebpf, frame: &[u8], effort: Effort) -> Result<f64> {
    let repeat = effort.repeat * ROUNDS;
    let (mut empty, mut full) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..effort.pairs {
        empty = empty.min(time(program(ours, EMPTY)?, frame, repeat)?);
        full = full.min(time(program(filter, PROGRAM)?, frame, repeat)?);
    }
    Ok(full - empty)
}
