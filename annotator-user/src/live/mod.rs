//! The live view: the XDP program, attached and read.

pub mod kernel;
