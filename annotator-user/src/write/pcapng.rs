//! The sampled packets as a capture (pcapng, draft-ietf-opsawg-pcapng), what was found as comments on them: Wireshark shows both.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use annotator_common::{Link, sample::SAMPLE_BYTES};
use anyhow::{Context, Result};
use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};

use super::{output, phrases};
use crate::finding::Finding;
use crate::live::sinks::Sink;
use crate::observation::Sighting;
use crate::report::Report;

/// Destination and source address of an Ethernet header that stands for another link header.
const NO_ADDRESSES: [u8; 12] = [0; 12];
/// Unit of the timestamps: 10^-9 seconds.
const NANOSECONDS: u8 = 9;

/// The capture. Packets come in order of time, each with a comment for every finding that covers it; the first one of a finding is
/// told in full.
pub fn capture(report: &Report) -> Result<Vec<u8>> {
    write(report).context("cannot lay out the capture")
}

fn write(report: &Report) -> Result<Vec<u8>> {
    let program = concat!("annotator ", env!("CARGO_PKG_VERSION"));
    let mut options = vec![SectionHeaderOption::UserApplication(program.into())];
    options.push(SectionHeaderOption::Comment(phrases::answer(report).into()));
    let section = SectionHeaderBlock { options, ..SectionHeaderBlock::default() };
    let mut out = PcapNgWriter::with_section_header(Vec::new(), section)?;
    // Only kinds that occur: some programs refuse a capture of two.
    let mut kinds: Vec<DataLink> = Vec::new();
    for kind in report.sightings.iter().map(kind) {
        if !kinds.contains(&kind) {
            out.write_block(&interface(kind, report).into_block())?;
            kinds.push(kind);
        }
    }
    for (sighting, comments) in report.sightings.iter().zip(comments(report)) {
        let interface = kinds.iter().position(|known| *known == kind(sighting)).unwrap_or_default();
        out.write_block(&packet(sighting, interface as u32, comments).into_block())?;
    }
    Ok(out.into_inner())
}

fn interface(linktype: DataLink, report: &Report) -> InterfaceDescriptionBlock<'_> {
    let options = vec![
        InterfaceDescriptionOption::IfName(report.source.name.as_str().into()),
        InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
    ];
    InterfaceDescriptionBlock { linktype, snaplen: SAMPLE_BYTES as u32, options }
}

/// What is said of each sighting.
fn comments(report: &Report) -> Vec<Vec<Cow<'_, str>>> {
    let mut comments = vec![Vec::new(); report.sightings.len()];
    for finding in &report.findings {
        let mut text = in_full(finding);
        let again = in_short(finding);
        let mut covered = finding.sightings.clone();
        covered.sort_unstable();
        for index in covered {
            if let Some(of_packet) = comments.get_mut(index) {
                of_packet.push(Cow::Owned(std::mem::replace(&mut text, again.clone())));
            }
        }
    }
    comments
}

fn in_short(finding: &Finding) -> String {
    format!("{} ({}, {}; {})", finding.title, finding.verdict.name(), finding.confidence.name(), finding.id)
}

fn in_full(finding: &Finding) -> String {
    let mut text = in_short(finding);
    for (label, part) in
        [("", &finding.explanation), ("Looks like: ", &finding.looks_like), ("What to do: ", &finding.advice)]
    {
        if !part.is_empty() {
            text.push_str(&format!("\n{label}{part}"));
        }
    }
    text
}

/// How the packet is laid out here.
fn kind(sighting: &Sighting) -> DataLink {
    if sighting.link == Link::RawIp { DataLink::RAW } else { DataLink::ETHERNET }
}

fn packet<'a>(sighting: &'a Sighting, interface_id: u32, comments: Vec<Cow<'a, str>>) -> EnhancedPacketBlock<'a> {
    let data = match sighting.link {
        Link::Ethernet | Link::RawIp | Link::Unknown => Cow::Borrowed(&*sighting.bytes),
        Link::Decoded { offset, ethertype } => as_ethernet(sighting, offset, ethertype),
    };
    let cut = (sighting.frame_length as usize).saturating_sub(sighting.bytes.len());
    EnhancedPacketBlock {
        interface_id,
        timestamp: Duration::from_nanos(sighting.at.0.try_into().unwrap_or_default()),
        original_len: (data.len() + cut) as u32,
        data,
        options: comments.into_iter().map(EnhancedPacketOption::Comment).collect(),
    }
}

/// The packet behind a link header of another kind, behind an Ethernet header without addresses.
fn as_ethernet(sighting: &Sighting, offset: u32, ethertype: u16) -> Cow<'_, [u8]> {
    let network = sighting.bytes.get(offset as usize..).unwrap_or_default();
    Cow::Owned([&NO_ADDRESSES[..], &ethertype.to_be_bytes(), network].concat())
}

/// A file that always holds the packets of the latest reports: one section for each interface.
pub struct Export {
    path: PathBuf,
    sections: BTreeMap<String, Vec<u8>>,
}

impl Export {
    /// Fails where the file cannot be written to.
    pub fn open(path: &Path) -> Result<Self> {
        output::check_replaceable(path)?;
        Ok(Export { path: path.to_owned(), sections: BTreeMap::new() })
    }
}

impl Sink for Export {
    fn take(&mut self, report: &Report) -> Result<()> {
        self.sections.insert(report.source.name.clone(), capture(report)?);
        output::replace(&self.path, self.sections.values().map(Vec::as_slice).collect::<Vec<_>>().concat())
    }

    fn may_recover(&self) -> bool {
        true
    }
}
