//! The agent of `annotator` as a library.
//!
//! The packet's way, module by module: `capture` or the kernel feed the engine; [`counters`] turns ledgers into counts;
//! [`observation`] is what a window of time holds; `recognise` finds what many packets mean together; `knowledge` finds the words;
//! `report` is the result; `write` shows it. Everything from [`observation`] to `report` is a plain function of values: no clock,
//! no I/O, no BPF.

pub mod capture;
pub mod changes;
pub mod cli;
pub mod config;
pub mod counters;
pub mod engine;
pub mod example;
pub mod explain;
pub mod extent;
pub mod finding;
pub mod knowledge;
pub mod live;
pub mod names;
pub mod observation;
pub mod outbound;
pub mod payload;
pub mod quantity;
pub mod read;
pub mod recognise;
pub mod report;
pub mod sources;
pub mod telemetry;
pub mod toml_file;
pub mod top;
pub mod window;
pub mod write;
