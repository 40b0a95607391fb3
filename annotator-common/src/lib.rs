//! The packet engine of `annotator`: what a frame is, which flags it earns, where it is counted.
//!
//! A frame goes through [`parse`](parse::parse) (headers → [`Packet`]), [`classify`](classify::classify)
//! (addresses → [`Flags`]) and [`record`] (counters in the [`Ledger`], behaviour in the [`Sources`],
//! and whether it is [`News`] that a person may want to see as a [`Sample`]). [`observe::observe`] is the one function
//! that knows this order.
//!
//! The crate does no I/O, takes no clock and allocates nothing. The same code is compiled into the XDP program and into the host
//! binary; the difference between the two is the [`Frame`] that is read.
#![no_std]

pub mod address;
pub mod classify;
pub mod departure;
pub mod flags;
pub mod frame;
pub mod ledger;
pub mod observe;
pub mod packet;
pub mod parse;
pub mod reason;
pub mod record;
pub mod sample;
pub mod settings;
pub mod source;

/// Version of what the engine keeps in memory: the [`Ledger`], the [`Sources`] and the [`Sample`]s, in form and in meaning. Whoever changes either
/// raises it, because agents take over memory that agents before them have left.
pub const LAYOUT: u32 = 4;

pub use address::Address;
pub use departure::{Departure, Peer};
pub use flags::{Flag, Flags};
pub use frame::Frame;
pub use ledger::{Books, Cell, Count, Journal, Ledger, Types};
pub use observe::observe;
pub use packet::{Family, Link, Packet, Transport};
pub use reason::Reason;
pub use sample::{News, Sample};
pub use settings::{Local, Settings};
pub use source::{Source, Sources, Ticks};
