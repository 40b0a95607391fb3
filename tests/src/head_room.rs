//! How far the BPF program is from what the kernel's verifier is willing to follow: a million instructions, on all ways through the program taken
//! together. The settings are constants to it, and each local address may make ways of its own.

use std::net::{Ipv4Addr, Ipv6Addr};

use annotator::live::{attach::load, kernel::Kernel};
use annotator_common::{Settings, settings::LOCAL_MAX};
use anyhow::{Context as _, Result, ensure};
use aya::programs::Xdp;

/// Half of the verifier's limit, because its releases differ.
const LIMIT: u32 = 500_000;

/// Loads the entry points with no local address and with as many as there can be. Needs root.
pub fn check(object: &[u8], entries: &[&str]) -> Result<()> {
    for (name, settings) in [("bare", Box::new(Settings::DEFAULT)), ("full", full(false)), ("full, raw IP", full(true))]
    {
        for entry in entries {
            let followed =
                followed(object, entry, &settings).with_context(|| format!("{entry} with {name} settings"))?;
            // Kernels before 5.16 do not tell.
            if let Some(followed) = followed {
                ensure!(
                    followed <= LIMIT,
                    "{entry} with {name} settings: the verifier followed {followed} instructions; {LIMIT} leave it room"
                );
            }
        }
    }
    Ok(())
}

fn followed(object: &[u8], entry: &str, settings: &Settings) -> Result<Option<u32>> {
    let mut kernel = Kernel::open(object, settings)?;
    load(&mut kernel, entry)?;
    let program: &mut Xdp = kernel.ebpf.program_mut(entry).context("no such program")?.try_into()?;
    Ok(program.info()?.verified_instruction_count())
}

/// Settings with every place taken.
fn full(layer3: bool) -> Box<Settings> {
    let mut settings = Box::new(Settings::DEFAULT);
    settings.layer3 = u32::from(layer3);
    settings.rare_flags = u32::MAX;
    for number in 0..LOCAL_MAX as u8 {
        let v4 = Ipv4Addr::new(192, 0, number, 1 + number);
        assert!(settings.local.add_address(std::net::IpAddr::from(v4).into()));
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, number.into(), 0, 0, 0, 0, u16::from(1 + number));
        assert!(settings.local.add_address(std::net::IpAddr::from(v6).into()));
        assert!(settings.local.add_prefix(v4.into(), 24 + u32::from(number % 4)));
    }
    settings
}
