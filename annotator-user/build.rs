//! Compiles the BPF program, which the agent carries inside itself: `$OUT_DIR/annotator` for `include_bytes!`, and with the
//! feature `aligned-object` also `$OUT_DIR/annotator-aligned`, which makes no unaligned loads.

use std::{env, path::PathBuf, process::ExitCode};

use annotator_toolchain::{LINKER_VARIABLE, TOOLCHAIN_VARIABLE, Toolchain, Unaligned, cache, ebpf, workspace};

fn main() -> ExitCode {
    let workspace = workspace();
    for variable in [TOOLCHAIN_VARIABLE, LINKER_VARIABLE] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    for file in ebpf::sources(&workspace) {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    let toolchain = match Toolchain::find(&workspace) {
        Ok(toolchain) => toolchain,
        Err(error) => return fail(&error),
    };
    for file in toolchain.files() {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    let mut objects = vec![("annotator", Unaligned::Allowed)];
    if env::var_os("CARGO_FEATURE_ALIGNED_OBJECT").is_some() {
        objects.push(("annotator-aligned", Unaligned::Avoided));
    }
    for (name, unaligned) in objects {
        // Not below OUT_DIR: there, each profile would compile the same dependencies again.
        let scratch = cache(&workspace).join("ebpf").join(name);
        if let Err(error) = ebpf::build(&toolchain, &workspace, unaligned, &scratch, &out.join(name)) {
            return fail(&error);
        }
    }
    ExitCode::SUCCESS
}

/// Cargo shows the first line as an error of its own, and what the compiler has said below.
fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    let text = format!("{error:#}");
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    println!("cargo::error={first}");
    eprintln!("{rest}");
    ExitCode::FAILURE
}
