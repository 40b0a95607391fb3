//! Compiles the BPF program, which the agent carries inside itself: `$OUT_DIR/annotator`.

use std::process::ExitCode;

use annotator_toolchain::{
    Unaligned,
    ebpf::{Object, build_script},
};

fn main() -> ExitCode {
    build_script(&[Object { name: "annotator", program: "annotator", unaligned: Unaligned::Allowed }])
}
