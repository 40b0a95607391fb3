//! One boot under qemu.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{fetch::Bootable, initramfs::Archive, modules};
use crate::host;

const QEMU: &str = "qemu-system-x86_64";
/// All that qemu can emulate but CMPXCHG16B, which 7.2 emulates wrongly: beside other load 11 of 40 boots of 6.12, whose allocator uses it, ended in a
/// kernel panic with rubbish in EFLAGS, and none of 40 without.
const CPU: &str = "max,-cx16";
/// A boot takes some 5 seconds; with a busy machine and a verifier that has much to say it can be minutes. A guest that hangs must not hang the tests.
const LIMIT: Duration = Duration::from_secs(600);
/// The guest writes 1 to the debug port, and qemu makes `1 << 1 | 1` of it. A panic or a plain power-off gives 0.
const SUCCESS: i32 = 3;

/// Makes sure that there is a qemu.
pub fn require_qemu() -> Result<()> {
    host::require(QEMU, "qemu-system-x86", "booting kernels")
}

/// Boots one kernel; anything but the guest's report of success is an error, with the end of what the console showed.
pub fn boot(kernel: &Bootable, guest: &Path, verbose: bool) -> Result<()> {
    let dir = kernel.image.parent().unwrap_or(Path::new("."));
    let initramfs = dir.join("initramfs");
    fs::write(&initramfs, pack(kernel, guest)?).with_context(|| format!("cannot write {}", initramfs.display()))?;
    let log = dir.join("console.log");
    let console = fs::File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
    let mut qemu = Command::new(QEMU);
    qemu.args(["-M", "pc", "-cpu", CPU, "-accel", "tcg", "-m", "512", "-smp", "2"])
        .args(["-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"])
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(&initramfs)
        .args(["-append", "console=ttyS0 panic=-1 loglevel=5"])
        .stdin(Stdio::null());
    if !verbose {
        qemu.stdout(console.try_clone()?).stderr(console);
    }
    let mut child = qemu.spawn().with_context(|| format!("cannot start {QEMU}"))?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().context("cannot wait for qemu")? {
            break status;
        }
        if start.elapsed() > LIMIT {
            child.kill().context("cannot end qemu")?;
            child.wait().context("cannot wait for qemu")?;
            bail!("no end after {} s; the console's last lines:\n{}", LIMIT.as_secs(), last_lines(&log));
        }
        thread::sleep(Duration::from_millis(50));
    };
    if status.code() != Some(SUCCESS) {
        bail!(
            "the guest did not report success (qemu: {status}); the console's last lines ({}):\n{}",
            log.display(),
            last_lines(&log)
        );
    }
    Ok(())
}

fn pack(kernel: &Bootable, guest: &Path) -> Result<Vec<u8>> {
    let read = |file: &Path| fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    let mut archive = Archive::default();
    for dir in ["dev", "proc", "sys", "tmp", "modules"] {
        archive.directory(dir);
    }
    for entry in fs::read_dir(&kernel.modules).with_context(|| format!("cannot read {}", kernel.modules.display()))? {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != modules::LIST {
            archive.file(&format!("modules/{name}"), &read(&file)?);
        }
    }
    archive.file("init", &read(guest)?);
    Ok(archive.finish())
}

fn last_lines(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
