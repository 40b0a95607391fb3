//! Helpers for tests that need the whole of `annotator`.

pub mod agent;
pub mod bench;
pub mod bpf_fs;
pub mod captures;
pub mod contacts;
pub mod counted;
pub mod frames;
pub mod head_room;
pub mod kernel_ledger;
pub mod kernel_matrix;
pub mod packet_socket;
pub mod peers;
pub mod take_over;
pub mod tty;
pub mod veth;

pub use annotator_testnet::netlink;

/// The BPF program built with stable compiler flags alone: no unaligned loads.
pub static ALIGNED_OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/annotator-aligned"));
/// The BPF programs that call the engine many times in one run.
pub static BENCH_OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/bench"));
