//! Compiles the BPF programs, which the agent carries inside itself: `$OUT_DIR/annotator`, and `$OUT_DIR/egress` for `--egress`.

use std::process::ExitCode;

use annotator_toolchain::{
    Unaligned,
    ebpf::{Object, build_script},
};

fn main() -> ExitCode {
    build_script(&[
        Object { name: "annotator", program: "annotator", unaligned: Unaligned::Allowed },
        // It reads headers into its stack, where verifiers insist on alignment.
        Object { name: "egress", program: "egress", unaligned: Unaligned::Avoided },
    ])
}
