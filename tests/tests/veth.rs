//! A real `annotator run` sees exactly what was sent. Takes root, and the `ip` command.

use std::collections::BTreeMap;

use annotator::live::egress::Way;
use annotator_common::Link;
use annotator_testnet::{Tun, netlink};
use annotator_tests::agent::{Agent, attachment};
use annotator_tests::contacts;
use annotator_tests::counted::Counting;
use annotator_tests::frames::{self, NamedFrame};
use annotator_tests::veth::{HERE, Wire};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

/// The address of [`frames::LOCAL_V6`]; namespaces for tests have no IPv6 of their own.
const LOCAL_V6: &str = "--local-address=2a00:1450::99";
/// A veth takes whole Ethernet headers only.
const SHORTEST: usize = 14;
/// Large enough for every frame of the table.
const JUMBO: u32 = 9000;
/// A frame of the table whose headers reach beyond the first buffer of a device in native mode.
const LONG_HEADERS: &str = "two extensions of 2048 bytes";

/// The frames that a device can carry, each with a count of its own.
fn sendable() -> Vec<(NamedFrame, usize)> {
    let carried = |frame: &NamedFrame| {
        matches!(frame.link, Link::Ethernet) && frame.bytes.len() >= SHORTEST && frame.name != LONG_HEADERS
    };
    frames::all().into_iter().filter(carried).enumerate().map(|(index, frame)| (frame, 1 + index % 5)).collect()
}

/// Sends every frame of the table as often as it says.
fn send_all(wire: &Wire, counting: &mut Counting) -> Result<BTreeMap<&'static str, u64>> {
    let mut flags = BTreeMap::new();
    for (frame, times) in sendable() {
        for _ in 0..times {
            wire.sender.send(&frame.bytes).with_context(|| frame.name)?;
            counting.count(&frame.bytes, Link::Ethernet);
        }
        for flag in &frame.flags {
            *flags.entry(flag.name()).or_default() += times as u64;
        }
    }
    Ok(flags)
}

fn flags(report: &Value) -> Result<BTreeMap<String, u64>> {
    let flags = report["flags"].as_object().context("no flags")?;
    Ok(flags.iter().map(|(name, count)| (name.clone(), count.as_u64().unwrap_or_default())).collect())
}

fn local_wire(mtu: u32) -> Result<Wire> {
    Wire::new(mtu)?.with_address(frames::LOCAL.into(), frames::LOCAL_PREFIX.1)
}

/// Every flag, every protocol, every port, every reason.
fn every_frame(mode: &str, mtu: u32) -> Result<()> {
    let wire = local_wire(mtu)?;
    let agent = Agent::start(&wire.here, &[HERE], &["--xdp-mode", mode, LOCAL_V6])?;
    let mut counting = Counting::new(frames::settings());
    let expected = send_all(&wire, &mut counting)?;
    let report = agent.interrupt()?.expect_success()?.last_report(HERE)?;

    ensure!(report["source"]["xdp_mode"] == mode, "{}", report["source"]);
    counting.expect(&report)?;
    // The table says what each frame earns; that does not come from the engine.
    let found = flags(&report)?;
    ensure!(found.iter().map(|(name, count)| (name.as_str(), *count)).eq(expected), "flags: {found:#?}");
    Ok(())
}

#[test]
fn every_frame_natively() -> Result<()> {
    every_frame("native", 1500)
}

#[test]
fn every_frame_natively_with_several_buffers() -> Result<()> {
    every_frame("native", JUMBO)
}

#[test]
fn every_frame_generically() -> Result<()> {
    every_frame("generic", 1500)
}

#[test]
fn many_frames_over_several_reports() -> Result<()> {
    const ROUNDS: u16 = 5000;
    let wire = local_wire(1500)?;
    let agent = Agent::start(&wire.here, &[HERE], &[LOCAL_V6])?;
    let mut counting = Counting::new(frames::settings());
    let start = std::time::Instant::now();
    for round in 0..ROUNDS {
        let frame = frames::Ipv4::default().frame(&frames::udp_datagram(40_000, round, b"payload!"));
        wire.sender.send(&frame)?;
        counting.count(&frame, Link::Ethernet);
        if round.is_multiple_of(500) {
            // Over more than one reading of the counters.
            std::thread::sleep(std::time::Duration::from_millis(150));
        }
    }
    let finished = agent.interrupt()?.expect_success()?;
    counting.expect(&finished.last_report(HERE)?).with_context(|| format!("after {:?}", start.elapsed()))?;
    ensure!(finished.reports()?.len() > 2, "too few reports: {}", finished.stdout);
    Ok(())
}

#[test]
fn several_interfaces() -> Result<()> {
    let wire = local_wire(JUMBO)?;
    let second = wire.add("second", 1500)?;
    let agent = Agent::start(&wire.here, &[HERE, "second"], &[LOCAL_V6])?;
    let mut counting = Counting::new(frames::settings());
    send_all(&wire, &mut counting)?;
    let mut counting_second = Counting::new(frames::settings());
    // What was sent to .140 is local on the first interface alone, so this one says nothing of local addresses.
    let frame = frames::Ipv4::default().frame(&frames::udp_datagram(1, 2, b""));
    for _ in 0..3 {
        second.send(&frame)?;
        counting_second.count(&frame, Link::Ethernet);
    }
    let finished = agent.interrupt()?.expect_success()?;
    counting.expect(&finished.last_report(HERE)?)?;
    counting_second.expect(&finished.last_report("second")?)
}

#[test]
fn a_device_without_a_driver_is_watched_in_the_stack() -> Result<()> {
    let wire = local_wire(1500)?;
    wire.here.enter(|| {
        netlink::add_bridge("bridge")?;
        netlink::set_up_without_arp("bridge")?;
        netlink::set_master(HERE, "bridge")
    })?;
    let agent = Agent::start(&wire.here, &[HERE, "bridge"], &[])?;
    let mut counting = Counting::new(frames::settings());
    let frame = frames::ethernet([0xff; 6], 0x0800, &frames::Ipv4::default().packet(&frames::udp_datagram(1, 2, b"")));
    for _ in 0..4 {
        wire.sender.send(&frame)?;
        counting.count(&frame, Link::Ethernet);
    }
    let finished = agent.interrupt()?;
    ensure!(finished.status.success(), "{}", finished.stderr);
    counting.expect(&finished.last_report(HERE)?)?;
    let report = finished.last_report("bridge")?;
    counting.expect(&report)?;
    ensure!(report["source"]["xdp_mode"] == "generic", "{}", report["source"]);
    // Said once, with the kernel's own word for it.
    ensure!(finished.stderr.matches("bridge").count() == 1, "{}", finished.stderr);
    ensure!(finished.stderr.contains("not supported") && finished.stderr.contains("generic"), "{}", finished.stderr);
    Ok(())
}

#[test]
fn packets_in_several_buffers() -> Result<()> {
    let wire = local_wire(JUMBO)?;
    let agent = Agent::start(&wire.here, &[HERE], &["--xdp-mode=native"])?;
    let attached = attachment(&wire.here, HERE)?.context("not attached")?;
    let mut bytes = 0;
    let lengths = [1, 1400, 3000, 4200, 8000, 8972];
    for length in lengths {
        let frame = frames::Ipv4::default().frame(&frames::udp_datagram(40_000, 4_000, &vec![0; length]));
        wire.sender.send(&frame)?;
        bytes += frame.len();
    }
    // Headers that reach beyond the first buffer are not followed there, and that is counted.
    let long = frames::all().into_iter().find(|frame| frame.name == LONG_HEADERS).context("no such frame")?;
    wire.sender.send(&long.bytes)?;
    let report = agent.interrupt()?.expect_success()?.last_report(HERE)?;
    let totals = json!({"packets": lengths.len() + 1, "bytes": bytes + long.bytes.len()});
    ensure!(report["totals"] == totals, "{}, not {totals}", report["totals"]);
    ensure!(report["coverage"]["not_parsed"] == json!({"l4-truncated": 1}), "{:#}", report["coverage"]);
    ensure!(attached.name == "annotator_frags", "{attached:?}");
    Ok(())
}

/// Frames of the table that a device without a link header can carry: what follows the Ethernet header, where that is IP. The kernel looks at
/// the first half byte, too.
fn without_link_header() -> Vec<(NamedFrame, usize)> {
    let carried = |frame: &NamedFrame| {
        let (head, packet) = frame.bytes.split_at(SHORTEST);
        let version = match head[12..] {
            [0x08, 0x00] => 4,
            [0x86, 0xdd] => 6,
            _ => return false,
        };
        packet.len() <= 1500 && packet.first().is_some_and(|first| first >> 4 == version)
    };
    sendable().into_iter().filter(|(frame, _)| carried(frame)).collect()
}

/// Whom the frames contact that leave, in each way of attaching.
#[test]
fn every_contact_that_leaves_is_told() -> Result<()> {
    let wire = Wire::new(1500)?;
    let all = sendable();
    let frames: Vec<&[u8]> = all.iter().map(|(frame, _)| frame.bytes.as_slice()).filter(|f| f.len() <= 1514).collect();
    for way in [None, Some(Way::Tcx), Some(Way::Clsact)] {
        wire.here.enter(|| contacts::check(HERE, Link::Ethernet, way, &frames))?;
    }
    Ok(())
}

#[test]
fn every_contact_that_leaves_without_a_link_header_is_told() -> Result<()> {
    let wire = Wire::new(1500)?;
    let _tun = Tun::new(&wire.here, "tun")?;
    let all = without_link_header();
    let frames: Vec<&[u8]> = all.iter().map(|(frame, _)| &frame.bytes[SHORTEST..]).collect();
    wire.here.enter(|| contacts::check("tun", Link::RawIp, None, &frames))
}

#[test]
fn packets_without_a_link_header() -> Result<()> {
    let wire = Wire::new(1500)?;
    let mut tun = Tun::new(&wire.here, "tun")?;
    wire.here.enter(|| netlink::add_address("tun", frames::LOCAL.into(), frames::LOCAL_PREFIX.1))?;
    let agent = Agent::start(&wire.here, &["tun"], &[LOCAL_V6])?;
    let mut counting = Counting::new(frames::settings());
    for (frame, times) in without_link_header() {
        let packet = &frame.bytes[SHORTEST..];
        for _ in 0..times {
            tun.send(packet).with_context(|| frame.name)?;
            counting.count(packet, Link::RawIp);
        }
    }
    let finished = agent.interrupt()?;
    ensure!(finished.status.success() && finished.stderr.contains("generic"), "{}", finished.stderr);
    counting.expect(&finished.last_report("tun")?)
}
