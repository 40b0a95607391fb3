//! What every kernel of the matrix must manage.

use annotator::live::kernel::{Kernel, OBJECT};
use annotator_common::{Ledger, Settings};
use anyhow::{Context as _, Result, ensure};
use aya::programs::{Xdp, XdpMode};

use crate::{ALIGNED_OBJECT, kernel_ledger, netlink};

/// Loads the XDP program, attaches it to a veth pair, sends through it and looks at what was counted; with unaligned loads and
/// without.
pub fn check() -> Result<()> {
    for (name, object) in [("unaligned", OBJECT), ("aligned", ALIGNED_OBJECT)] {
        check_object(object).with_context(|| format!("the object `{name}`"))?;
        println!("guest: {name} is good");
    }
    Ok(())
}

fn check_object(object: &[u8]) -> Result<()> {
    kernel_ledger::compare(object).context("kernel and host disagree")?;
    netlink::add_veth("left", "right")?;
    let mut kernel = Kernel::open(object, &Settings::DEFAULT)?;
    let program: &mut Xdp = kernel.ebpf.program_mut("annotator").context("no program `annotator`")?.try_into()?;
    program.load().context("cannot load the program")?;
    program.attach("left", XdpMode::Driver).context("cannot attach the program")?;
    // The kernel itself sends when a device comes up: neighbour discovery and multicast reports.
    for device in ["left", "right"] {
        netlink::set_up(device)?;
    }
    std::thread::sleep(std::time::Duration::from_millis(1500));
    // SAFETY: a ledger is made of integers, for which zero is a value.
    let mut sum = unsafe { Box::<Ledger>::new_zeroed().assume_init() };
    kernel.ledgers.sum_into(&mut sum);
    ensure!(sum.words_mut().iter().any(|&word| word != 0), "nothing was counted");
    drop(kernel);
    netlink::delete("left")
}
