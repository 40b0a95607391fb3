//! The packet engine of `annotator`.
#![no_std]
