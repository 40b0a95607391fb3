//! How a running agent comes and goes: it attaches politely, gives up what it does not need, and leaves nothing behind. Takes
//! root, and the `ip` command.

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use annotator::live::egress::{self, Way};
use annotator::live::kernel::{Kernel, OBJECT};
use annotator_common::Settings;
use annotator_testnet::netlink;
use annotator_tests::agent::{Agent, Finished, annotator, attachment, binary, egress_attachments, eventually, finish};
use annotator_tests::frames;
use annotator_tests::veth::{HERE, THERE, Wire};
use anyhow::{Context as _, Result, ensure};
use aya::programs::tc::TcAttachOptions;
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType, Xdp, XdpMode};
use serde_json::Value;

fn send(wire: &Wire, times: u64) -> Result<()> {
    let frame = frames::Ipv4::default().frame(&frames::udp_datagram(40_000, 4_000, b"payload!"));
    (0..times).try_for_each(|_| wire.sender.send(&frame))
}

fn packets(finished: &Finished) -> Result<u64> {
    finished.last_report(HERE)?["totals"]["packets"].as_u64().context("no totals")
}

fn expect_detached(wire: &Wire) -> Result<()> {
    let left = attachment(&wire.here, HERE)?;
    ensure!(left.is_none(), "still attached: {left:?}");
    Ok(())
}

#[test]
fn signals_end_it_with_a_final_report() -> Result<()> {
    let wire = Wire::new(1500)?;
    for (signal, times) in [(libc::SIGINT, 7), (libc::SIGTERM, 11)] {
        // The interval is never over, so the report is the final one.
        let agent = Agent::start(&wire.here, &[HERE], &["--interval=1h"])?;
        send(&wire, times)?;
        agent.process().signal(signal)?;
        let finished = agent.wait()?.expect_success()?;
        ensure!(packets(&finished)? == times, "{}", finished.stdout);
        ensure!(finished.reports()?.len() == 1, "{}", finished.stdout);
        expect_detached(&wire)?;
    }
    Ok(())
}

#[test]
fn it_ends_by_itself_after_its_duration() -> Result<()> {
    let wire = Wire::new(1500)?;
    let agent = Agent::start(&wire.here, &[HERE], &["--duration=700ms"])?;
    send(&wire, 5)?;
    let finished = agent.wait()?.expect_success()?;
    ensure!(packets(&finished)? == 5, "{}", finished.stdout);
    expect_detached(&wire)
}

/// A moment before the end there is no summary: the last one is due, and holds what would have been in it.
#[test]
fn the_last_summary_is_that_of_the_end() -> Result<()> {
    let wire = Wire::new(1500)?;
    for is_busy in [true, false] {
        let agent = Agent::start(&wire.here, &[HERE], &["--interval=1s", "--duration=1050ms"])?;
        let start = Instant::now();
        while is_busy && start.elapsed() < Duration::from_millis(1500) {
            send(&wire, 1)?;
            thread::sleep(Duration::from_millis(2));
        }
        let finished = agent.wait()?.expect_success()?;
        ensure!(finished.reports()?.len() == 1, "{}", finished.stdout);
        ensure!((packets(&finished)? > 0) == is_busy, "{}", finished.stdout);
    }
    Ok(())
}

#[test]
fn it_runs_without_any_capability() -> Result<()> {
    let wire = Wire::new(1500)?;
    let agent = Agent::start(&wire.here, &[HERE], &[])?;
    let field = |name: &str| status(agent.process().id(), name);
    eventually("it keeps capabilities", || {
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            if field(set)? != "0000000000000000" {
                return Ok(None);
            }
        }
        Ok((field("NoNewPrivs:")? == "1").then_some(()))
    })?;
    send(&wire, 9)?;
    let finished = agent.interrupt()?.expect_success()?;
    ensure!(packets(&finished)? == 9, "{}", finished.stdout);
    expect_detached(&wire)
}

#[test]
fn a_killed_agent_leaves_nothing_and_can_be_started_again() -> Result<()> {
    let wire = Wire::new(1500)?;
    let agent = Agent::start(&wire.here, &[HERE], &[])?;
    send(&wire, 3)?;
    agent.process().signal(libc::SIGKILL)?;
    ensure!(agent.wait()?.signal() == Some(libc::SIGKILL), "it was killed");
    eventually("the program stays", || Ok(attachment(&wire.here, HERE)?.is_none().then_some(())))?;

    let agent = Agent::start(&wire.here, &[HERE], &[])?;
    send(&wire, 4)?;
    let finished = agent.interrupt()?.expect_success()?;
    ensure!(packets(&finished)? == 4, "counts start anew: {}", finished.stdout);
    Ok(())
}

const WAYS: [(&str, Way); 2] = [("--egress=tcx", Way::Tcx), ("--egress=clsact", Way::Clsact)];

#[test]
fn the_egress_program_goes_with_the_agent() -> Result<()> {
    let wire = Wire::new(1500)?;
    for (option, way) in WAYS {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGKILL] {
            let agent = Agent::start(&wire.here, &[HERE], &[option])?;
            ensure!(egress_attachments(&wire.here, HERE)? == [way], "not attached by {way:?}");
            agent.process().signal(signal)?;
            agent.wait()?;
            let left = || egress_attachments(&wire.here, HERE);
            if signal == libc::SIGKILL {
                eventually("the program stays", || Ok(left()?.is_empty().then_some(())))?;
                eventually("the XDP program stays", || Ok(attachment(&wire.here, HERE)?.is_none().then_some(())))?;
            }
            ensure!(left()?.is_empty(), "it stays behind after signal {signal}: {:?}", left()?);
            expect_detached(&wire)?;
        }
    }
    Ok(())
}

/// The child that removes the filter keeps one capability, survives Ctrl-C in the terminal, and is not there where it is not needed.
#[test]
fn the_guard_of_a_filter_can_do_little() -> Result<()> {
    const NET_ADMIN: &str = "0000000000001000";
    let wire = Wire::new(1500)?;
    let agent = Agent::start(&wire.here, &[HERE], &["--egress=tcx"])?;
    ensure!(children(&agent)?.is_empty(), "a child without a task");
    agent.interrupt()?.expect_success()?;

    let agent = Agent::start(&wire.here, &[HERE], &["--egress=clsact"])?;
    let [guard] = children(&agent)?[..] else { anyhow::bail!("not one child") };
    eventually("the guard keeps more than it needs", || {
        let kept = ["CapPrm:", "CapEff:"].into_iter().all(|set| status(guard, set).is_ok_and(|set| set == NET_ADMIN));
        Ok(kept.then_some(()))
    })?;
    eventually("the agent keeps capabilities", || {
        Ok((status(agent.process().id(), "CapEff:")? == "0000000000000000").then_some(()))
    })?;
    let held = std::fs::read_dir(format!("/proc/{guard}/fd"))?.count();
    ensure!(held == 2, "the guard holds {held} descriptors, not its pipe and its name");
    agent.interrupt()?.expect_success()?;
    ensure!(egress_attachments(&wire.here, HERE)?.is_empty(), "the filter stays");
    Ok(())
}

#[test]
fn a_filter_whose_guard_was_killed_is_removed_at_the_next_start() -> Result<()> {
    let wire = Wire::new(1500)?;
    let agent = Agent::start(&wire.here, &[HERE], &["--egress=clsact"])?;
    for guard in children(&agent)? {
        // SAFETY: no pointers; a child of a process that still runs, so the id is its own.
        ensure!(unsafe { libc::kill(guard.cast_signed(), libc::SIGKILL) } == 0, "cannot kill the guard");
    }
    agent.process().signal(libc::SIGKILL)?;
    agent.wait()?;
    ensure!(egress_attachments(&wire.here, HERE)? == [Way::Clsact], "nobody was there to remove it");
    eventually("the XDP program stays", || Ok(attachment(&wire.here, HERE)?.is_none().then_some(())))?;
    let agent = Agent::start(&wire.here, &[HERE], &["--egress=clsact"])?;
    ensure!(egress_attachments(&wire.here, HERE)? == [Way::Clsact], "one filter is enough");
    agent.interrupt()?.expect_success()?;
    ensure!(egress_attachments(&wire.here, HERE)?.is_empty(), "the filter stays");
    Ok(())
}

/// A device on which neither way is left: as many links as it takes, and a queueing discipline in the place of clsact, which would take the
/// filter and show it what arrives.
#[test]
fn without_a_way_for_the_egress_program_the_run_goes_on() -> Result<()> {
    // BPF_MPROG_MAX of the kernel, less one.
    const LINKS_MAX: usize = 63;
    let wire = Wire::new(1500)?;
    let taken = wire.here.command("tc").args(["qdisc", "add", "dev", HERE, "ingress"]).status()?;
    ensure!(taken.success(), "tc: {taken}");
    let mut others = Vec::new();
    for _ in 0..LINKS_MAX {
        let mut other = aya::EbpfLoader::new().load(egress::OBJECT)?;
        let program: &mut SchedClassifier = other.program_mut(egress::PROGRAM).context("no program")?.try_into()?;
        program.load()?;
        let link = TcAttachOptions::TcxOrder(LinkOrder::default());
        wire.here.enter(|| program.attach_with_options(HERE, TcAttachType::Egress, link))?;
        others.push(other);
    }
    let agent = Agent::start(&wire.here, &[HERE], &["--interval=1h", "--egress"])?;
    send(&wire, 5)?;
    let finished = agent.interrupt()?;
    ensure!(finished.status.success() && packets(&finished)? == 5, "{}", finished.stderr);
    for part in [HERE, "tcx", "clsact", "goes on without"] {
        ensure!(finished.stderr.contains(part), "`{part}` is not said: {}", finished.stderr);
    }
    let notes = finished.last_report(HERE)?["notes"].to_string();
    ensure!(notes.contains("goes on without"), "the report does not say so: {notes}");
    for way in ["--egress=tcx", "--egress=clsact"] {
        let mut command = wire.here.command(binary());
        finish(command.args(["run", HERE, "--duration=5s", way]))?.expect_failure(2, &[HERE, &way[9..]])?;
        expect_detached(&wire)?;
    }
    Ok(())
}

fn children(agent: &Agent) -> Result<Vec<u32>> {
    let id = agent.process().id();
    let list = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).context("asking for children")?;
    Ok(list.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
}

/// A field of a process's status.
fn status(id: u32, field: &str) -> Result<String> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).context("asking for a process's status")?;
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    Ok(line.rsplit('\t').next().unwrap_or_default().to_owned())
}

#[test]
fn an_interface_that_goes_away_ends_it() -> Result<()> {
    let wire = Wire::new(1500)?;
    let agent = Agent::start(&wire.here, &[HERE], &["--interval=1h"])?;
    send(&wire, 6)?;
    wire.here.enter(|| netlink::delete(HERE))?;
    let finished = agent.wait()?;
    ensure!(packets(&finished)? == 6, "what was counted is reported: {}", finished.stdout);
    finished.expect_failure(2, &[HERE, "gone"])?;
    Ok(())
}

#[test]
fn one_of_two_interfaces_may_go_away() -> Result<()> {
    let wire = Wire::new(1500)?;
    wire.add("second", 1500)?;
    let agent = Agent::start(&wire.here, &[HERE, "second"], &["--interval=200ms"])?;
    wire.here.enter(|| netlink::delete("second"))?;
    std::thread::sleep(std::time::Duration::from_millis(500));
    send(&wire, 6)?;
    let finished = agent.interrupt()?;
    ensure!(packets(&finished)? == 6, "{}", finished.stdout);
    ensure!(finished.status.success() && finished.stderr.contains("second"), "it says so: {}", finished.stderr);
    expect_detached(&wire)
}

#[test]
fn an_interface_that_is_down_is_watched() -> Result<()> {
    let wire = Wire::new(1500)?;
    wire.here.enter(|| netlink::set_down(HERE))?;
    let agent = Agent::start(&wire.here, &[HERE], &[])?;
    // It looks at its interface once it is attached.
    thread::sleep(Duration::from_millis(500));
    wire.here.enter(|| netlink::set_up_without_arp(HERE))?;
    eventually("the other end has no carrier", || wire.there.enter(|| Ok(netlink::is_running(THERE)?.then_some(()))))?;
    send(&wire, 2)?;
    let finished = agent.interrupt()?;
    ensure!(packets(&finished)? == 2, "{}", finished.stdout);
    ensure!(finished.stderr.contains("down"), "it says so: {}", finished.stderr);
    let notes = &finished.last_report(HERE)?["notes"];
    ensure!(!notes.to_string().contains("down"), "it is up by now: {notes}");
    Ok(())
}

#[test]
fn an_interface_with_another_name_is_watched_on() -> Result<()> {
    let wire = Wire::new(1500)?;
    let agent = Agent::start(&wire.here, &[HERE], &["--interval=1h"])?;
    for change in [&[HERE, "down"][..], &[HERE, "name", "elsewhere"], &["elsewhere", "up"]] {
        let mut ip = wire.here.command("ip");
        ip.args(["link", "set", "dev"]).args(change);
        ensure!(ip.status()?.success(), "{ip:?}");
    }
    // It looks after its interface a few times a second.
    thread::sleep(Duration::from_millis(500));
    eventually("the other end has no carrier", || wire.there.enter(|| Ok(netlink::is_running(THERE)?.then_some(()))))?;
    send(&wire, 3)?;
    wire.here.enter(|| netlink::set_down("elsewhere"))?;
    thread::sleep(Duration::from_millis(500));
    let finished = agent.interrupt()?;
    ensure!(packets(&finished)? == 3, "{}: {}", finished.stdout, finished.stderr);
    ensure!(finished.stderr.matches("is called elsewhere now").count() == 1, "it says so once: {}", finished.stderr);
    let notes = finished.last_report(HERE)?["notes"].to_string();
    ensure!(notes.contains("elsewhere is down"), "its state is that of the interface, whatever its name: {notes}");
    Ok(())
}

#[test]
fn an_address_that_comes_while_it_runs_is_ours() -> Result<()> {
    let wire = Wire::new(1500)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("reports.ndjson");
    let agent = Agent::start(&wire.here, &[HERE], &[&format!("--output={}", path.display())])?;
    let (ours, broadcast) = (Ipv4Addr::new(9, 10, 11, 10), Ipv4Addr::new(9, 10, 11, 63));
    let from = frames::Ipv4 { source: ours, ..frames::Ipv4::default() };
    let to = frames::Ipv4 { destination: broadcast, ..frames::Ipv4::default() };
    let frames = [from, to].map(|packet| packet.frame(&frames::udp_datagram(40_000, 4_000, b"payload!")));
    let flags = || -> Result<Value> {
        let reports = std::fs::read_to_string(&path).unwrap_or_default();
        let last = reports.lines().last().unwrap_or("{}");
        Ok(serde_json::from_str::<Value>(last).unwrap_or_default()["flags"].take())
    };
    let sent_until = |seen: &dyn Fn(Value) -> bool| {
        eventually("the agent does not notice", || {
            frames.iter().try_for_each(|frame| wire.sender.send(frame))?;
            thread::sleep(Duration::from_millis(50));
            Ok(seen(flags()?).then_some(()))
        })
    };
    sent_until(&|flags| flags.is_object())?;
    let before = flags()?;
    ensure!(before.get("self-source").is_none() && before.get("directed-broadcast").is_none(), "{before}");
    wire.here.enter(|| netlink::add_address(HERE, ours.into(), 26))?;
    sent_until(&|flags| flags["self-source"].is_u64() && flags["directed-broadcast"].is_u64())?;
    agent.interrupt()?.expect_success()?;
    Ok(())
}

#[test]
fn another_program_is_named_and_left_alone() -> Result<()> {
    let wire = Wire::new(1500)?;
    wire.add("second", 1500)?;
    for mode in [XdpMode::Driver, XdpMode::Skb] {
        let mut other = Kernel::open(OBJECT, &Settings::DEFAULT)?;
        let program: &mut Xdp = other.ebpf.program_mut("clock").context("no program `clock`")?.try_into()?;
        program.load()?;
        wire.here.enter(|| program.attach(HERE, mode))?;
        let before = attachment(&wire.here, HERE)?.context("not attached")?;
        for wanted in ["auto", "native", "generic"] {
            // The second interface comes first, and must be let go again.
            let mut command = wire.here.command(binary());
            command.args(["run", "second", HERE, "--duration=5s", "--xdp-mode", wanted]);
            let finished = finish(&mut command)?;
            let id = format!("id {}", before.id);
            finished.expect_failure(2, &[HERE, "clock", &id, "ip link set"])?;
            ensure!(attachment(&wire.here, HERE)?.as_ref() == Some(&before), "it is no longer what it was");
            ensure!(attachment(&wire.here, "second")?.is_none(), "the other interface is still attached to");
        }
    }
    Ok(())
}

#[test]
fn two_agents_do_not_share_an_interface() -> Result<()> {
    let wire = Wire::new(1500)?;
    let first = Agent::start(&wire.here, &[HERE], &[])?;
    let mut second = wire.here.command(binary());
    finish(second.args(["run", HERE]))?.expect_failure(2, &[HERE, "annotator"])?;
    send(&wire, 3)?;
    ensure!(packets(&first.interrupt()?.expect_success()?)? == 3, "the first one goes on");
    Ok(())
}

#[test]
fn reports_are_appended_to_a_file() -> Result<()> {
    let wire = Wire::new(1500)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("reports.ndjson");
    std::fs::write(&path, "before\n")?;
    let output = format!("--output={}", path.display());
    let agent = Agent::start(&wire.here, &[HERE], &[&output])?;
    send(&wire, 8)?;
    let finished = agent.interrupt()?.expect_success()?;
    ensure!(finished.stdout.is_empty(), "{}", finished.stdout);
    let text = std::fs::read_to_string(&path)?;
    let reports = text.strip_prefix("before\n").context("what was there is gone")?;
    let last: serde_json::Value = serde_json::from_str(reports.lines().last().context("no report")?)?;
    ensure!(last["totals"]["packets"] == 8, "{last:#}");
    Ok(())
}

#[test]
fn text_for_people_replaces_a_file() -> Result<()> {
    let wire = Wire::new(1500)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("report.txt");
    let output = format!("--output={}", path.display());
    let agent = Agent::start(&wire.here, &[HERE], &["--format=text", &output])?;
    send(&wire, 8)?;
    agent.interrupt()?.expect_success()?;
    let text = std::fs::read_to_string(&path)?;
    ensure!(text.matches(HERE).count() >= 1 && text.contains('8'), "{text}");
    Ok(())
}

#[test]
fn a_run_without_interfaces_is_refused() -> Result<()> {
    finish(&mut annotator(["run"]))?.expect_failure(2, &["IFACE"])?;
    Ok(())
}

#[test]
fn packets_of_all_interfaces_are_exported_to_one_file() -> Result<()> {
    let wire = Wire::new(1500)?;
    let second = wire.add("second", 1500)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("now.pcapng");
    let export = format!("--export={}", path.display());
    let agent = Agent::start(&wire.here, &[HERE, "second"], &[&export, "--interval=100ms"])?;
    send(&wire, 1)?;
    second.send(&frames::Ipv4::default().frame(&frames::udp_datagram(40_000, 137, b"")))?;
    agent.interrupt()?.expect_success()?;
    let read = finish(annotator(["read", "--format=json"]).arg(&path))?.expect_success()?;
    let report = &read.reports()?[0];
    ensure!(report["totals"]["packets"] == 2, "{report}");
    for port in [4_000, 137] {
        let counted = report["ports"].as_array().context("no ports")?.iter().any(|row| row["port"] == port);
        ensure!(counted, "port {port} is missing: {report}");
    }
    let bytes = std::fs::read(&path)?;
    ensure!(bytes.windows(12).any(|part| part == b"What to do: "), "nothing is said of the packets");
    Ok(())
}
