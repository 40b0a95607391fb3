//! Compiles the BPF objects that only tests and benchmarks use: the program without the unstable switch for unaligned loads
//! (`$OUT_DIR/annotator-aligned`), and the one that calls the engine many times in one run (`$OUT_DIR/bench`).

use std::process::ExitCode;

use annotator_toolchain::{
    Unaligned,
    ebpf::{Object, build_script},
};

fn main() -> ExitCode {
    build_script(&[
        Object { name: "annotator-aligned", program: "annotator", unaligned: Unaligned::Avoided },
        Object { name: "bench", program: "bench", unaligned: Unaligned::Allowed },
    ])
}
