//! Finds the compiler and linker that build the BPF program.
