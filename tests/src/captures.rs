//! Captures for `annotator` to read.

/// A pcap file of Ethernet frames, one a second.
pub fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file: Vec<u8> =
        [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1].into_iter().flat_map(u32::to_le_bytes).collect();
    for (second, frame) in (1_000_000_000..).zip(frames) {
        let length = frame.len() as u32;
        file.extend([second, 0, length, length].into_iter().flat_map(u32::to_le_bytes));
        file.extend(frame);
    }
    file
}
