//! Capture files → frames with their time and link type.
//!
//! The formats are read here and not by a parser crate because a damaged file must give up what is before and around the damage, with the place of it,
//! and because a record may not cost an allocation.

mod input;
mod link;
mod observer;
mod pcap;
mod pcapng;
mod timeline;
pub mod vantage;

use std::io;

pub use input::Input;
pub use link::LinkType;
pub use observer::Observer;

use crate::observation::Moment;

/// The longest frame that is believed. Snap lengths are 256 KiB at most in practice.
const FRAME_MAX: usize = 16 << 20;

/// A packet of a capture.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// When it was captured, where the format says.
    pub at: Option<Moment>,
    /// How the frame begins.
    pub link_type: LinkType,
    /// What was captured of the frame.
    pub frame: &'a [u8],
}

/// How reading a capture ended that could be read at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// At its end.
    Complete,
    /// Before its end, or with something left out; says where and why.
    Incomplete(String),
}

impl Ending {
    fn damaged(input: &Input, what: impl AsRef<str>) -> Self {
        Ending::Incomplete(format!(
            "{} (byte {}); what comes before is in this report",
            what.as_ref(),
            input.position()
        ))
    }

    fn failed(input: &Input, error: &io::Error) -> Self {
        Ending::damaged(input, format!("reading failed: {error}"))
    }
}

/// What became of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Packets were read, perhaps none.
    Read(Ending),
    /// It is no capture, or none that can be read.
    Refused(String),
}

fn unsupported(link_type: u16) -> String {
    format!("link type {link_type} cannot be read; those that can are {}", LinkType::SUPPORTED)
}

/// Reads a capture of either format.
pub fn read(input: &mut Input, sink: &mut impl FnMut(Captured<'_>)) -> Opened {
    let magic: [u8; 4] = match input.peek(4) {
        Ok([]) => return Opened::Refused("it is empty".into()),
        Ok(bytes) => bytes.first_chunk().copied().unwrap_or_default(),
        Err(error) => return Opened::Refused(error.to_string()),
    };
    if magic == pcapng::MAGIC {
        pcapng::read(input, sink)
    } else if let Some(layout) = pcap::Layout::from_magic(magic) {
        pcap::read(input, layout, sink)
    } else {
        Opened::Refused("it is not a capture: neither pcap nor pcapng, nor one of them compressed by gzip".into())
    }
}
