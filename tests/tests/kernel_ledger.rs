//! The kernel takes the program, and counts what the host counts. Needs root: without it this fails, it is not skipped.

use annotator::live::kernel::OBJECT;
use annotator::live::privileges;
use annotator_tests::{ALIGNED_OBJECT, head_room, kernel_ledger};

#[test]
fn with_unaligned_loads() {
    privileges::check().expect("run the tests as root");
    privileges::raise_memory_limit();
    kernel_ledger::compare(OBJECT).unwrap();
}

#[test]
fn without_unaligned_loads() {
    privileges::check().expect("run the tests as root");
    privileges::raise_memory_limit();
    kernel_ledger::compare(ALIGNED_OBJECT).unwrap();
}

#[test]
fn the_verifier_has_room_to_spare() {
    privileges::check().expect("run the tests as root");
    privileges::raise_memory_limit();
    for object in [OBJECT, ALIGNED_OBJECT] {
        head_room::check(object, &["annotator", "annotator_frags"]).unwrap();
    }
}
