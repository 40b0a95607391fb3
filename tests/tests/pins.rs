//! `annotator run --pin`: counting goes on from one agent to the next, and what cannot go on is named. Takes root, and the `ip` command.

use std::{
    fs,
    path::Path,
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use annotator::live::kernel::{Kernel, OBJECT};
use annotator::live::pin::Folder;
use annotator_common::Settings;
use annotator_testnet::netlink;
use annotator_tests::agent::{Agent, Attachment, Finished, attachment, binary, eventually, finish};
use annotator_tests::bpf_fs::{PLACE, make_read_only, with_bpf_fs};
use annotator_tests::frames;
use annotator_tests::veth::{HERE, THERE, Wire};
use anyhow::{Context as _, Result, ensure};
use aya::maps::{Array, MapData};
use aya::programs::links::FdLink;
use aya::programs::{Xdp, XdpMode};
use jsonschema::Validator;
use serde_json::Value;

/// The folder that `--pin` means.
const DIR: &str = "/sys/fs/bpf/annotator";
const NEVER: &str = "--interval=1h";

fn frame() -> Vec<u8> {
    frames::Ipv4::default().frame(&frames::udp_datagram(40_000, 4_000, b"payload!"))
}

fn send(wire: &Wire, times: u64) -> Result<()> {
    let frame = frame();
    (0..times).try_for_each(|_| wire.sender.send(&frame))
}

/// Starts an agent where another one's program is attached, and waits until its own is in that one's place.
fn take_over(wire: &Wire, options: &[&str]) -> Result<Agent> {
    let before = attached(wire)?;
    let agent = Agent::start(&wire.here, &[HERE], &[&["--pin"], options].concat())?;
    eventually("nothing is taken over", || Ok((attached(wire)? != before).then_some(())))?;
    Ok(agent)
}

fn attached(wire: &Wire) -> Result<Attachment> {
    attachment(&wire.here, HERE)?.context("no program is attached")
}

/// An agent that comes, counts so many packets and goes.
fn count_and_go(wire: &Wire, times: u64) -> Result<()> {
    let agent = Agent::start(&wire.here, &[HERE], &["--pin", NEVER])?;
    pinned(HERE)?;
    send(wire, times)?;
    let finished = agent.interrupt()?.expect_success()?;
    ensure!(packets(&finished.last_report(HERE)?)? == times, "{}", finished.stdout);
    Ok(())
}

/// Waits until the attachment to a device is pinned.
fn pinned(device: &str) -> Result<()> {
    let link = Folder::of(Path::new(DIR), device).path.join("link");
    eventually("nothing is pinned", || Ok(link.exists().then_some(())))
}

fn packets(report: &Value) -> Result<u64> {
    report["totals"]["packets"].as_u64().context("no totals")
}

fn notes(report: &Value) -> String {
    report["notes"].to_string()
}

fn command(wire: &Wire, arguments: &[&str]) -> Result<Finished> {
    finish(wire.here.command(binary()).env_remove("RUST_LOG").args(arguments))
}

/// What is printed for machines, which must be what the schema says.
fn status(wire: &Wire) -> Result<Value> {
    static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
        let schema = serde_json::from_str(include_str!("../../docs/schema/status-1.json")).expect("JSON");
        jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema")
    });
    let finished = command(wire, &["status", "--format=json"])?.expect_success()?;
    let status = serde_json::from_str(&finished.stdout).with_context(|| finished.stdout.clone())?;
    let errors: Vec<_> =
        SCHEMA.iter_errors(&status).map(|error| format!("{}: {error}", error.instance_path())).collect();
    ensure!(errors.is_empty(), "{errors:#?}\n{status:#}");
    Ok(status)
}

/// The program `clock`, which no agent attaches.
fn attach_another(wire: &Wire) -> Result<(Kernel, FdLink)> {
    let mut other = Kernel::open(OBJECT, &Settings::DEFAULT)?;
    let program: &mut Xdp = other.ebpf.program_mut("clock").context("no program `clock`")?.try_into()?;
    program.load()?;
    let id = wire.here.enter(|| program.attach(HERE, XdpMode::Driver))?;
    let link = program.take_link(id)?.try_into()?;
    Ok((other, link))
}

#[test]
fn every_packet_is_counted_once_while_agents_come_and_go() -> Result<()> {
    with_bpf_fs(|| {
        let wire = Wire::new(1500)?;
        let first = Agent::start(&wire.here, &[HERE], &["--pin", "--interval=100ms"])?;
        pinned(HERE)?;
        let done = AtomicBool::new(false);
        let (sent, finished) = thread::scope(|scope| -> Result<(u64, [Finished; 3])> {
            let sender = scope.spawn(|| -> Result<u64> {
                let (frame, mut sent) = (frame(), 0);
                while !done.load(Ordering::Relaxed) {
                    wire.sender.send(&frame)?;
                    sent += 1;
                    thread::sleep(Duration::from_micros(100));
                }
                Ok(sent)
            });
            let agents = || -> Result<[Finished; 3]> {
                let a_while = || thread::sleep(Duration::from_millis(500));
                a_while();
                let first = first.interrupt()?.expect_success()?;
                a_while();
                // This one never reports.
                let second = take_over(&wire, &[NEVER])?;
                a_while();
                second.process().signal(libc::SIGKILL)?;
                let second = second.wait()?;
                a_while();
                let third = take_over(&wire, &["--interval=100ms"])?;
                a_while();
                done.store(true, Ordering::Relaxed);
                // The last packets.
                a_while();
                Ok([first, second, third.interrupt()?.expect_success()?])
            };
            let finished = agents();
            done.store(true, Ordering::Relaxed);
            let sent = sender.join().expect("the sender panicked")?;
            Ok((sent, finished?))
        })?;
        let [first, second, third] = finished;
        ensure!(second.signal() == Some(libc::SIGKILL) && second.stdout.is_empty(), "{second:?}");
        let (before, after) = (first.last_report(HERE)?, third.last_report(HERE)?);
        let counted = [packets(&before)?, packets(&after)?];
        ensure!(counted.iter().sum::<u64>() == sent && sent > 1000, "sent {sent}, counted {counted:?}");
        // A source keeps its place, and its packets are told once, too.
        let of_source = |report: &Value| report["sources"][0]["packets"].as_u64().unwrap_or_default();
        ensure!(
            of_source(&before) + of_source(&after) == sent,
            "sent {sent}: {:#}, {:#}",
            before["sources"],
            after["sources"]
        );
        ensure!(before["window"]["to"].as_str() <= after["window"]["from"].as_str(), "the windows overlap");

        let reports = third.reports()?;
        ensure!(notes(&reports[0]).contains("taken over"), "{}", notes(&reports[0]));
        ensure!(!notes(&after).contains("taken over"), "{}", notes(&after));
        let status = status(&wire)?;
        ensure!(status["attachments"][0]["packets"] == sent, "sent {sent}: {status:#}");
        Ok(())
    })
}

#[test]
fn an_agent_that_is_killed_between_reports_leaves_what_it_has_not_reported() -> Result<()> {
    with_bpf_fs(|| {
        let wire = Wire::new(1500)?;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("reports.ndjson");
        let output = format!("--output={}", path.display());
        let agent = Agent::start(&wire.here, &[HERE], &["--pin", "--interval=2s", &output])?;
        pinned(HERE)?;
        send(&wire, 5)?;
        let reports = || -> Result<Vec<Value>> {
            let text = fs::read_to_string(&path).unwrap_or_default();
            // The last line may still be on its way.
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            Ok(whole.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
        };
        eventually("no report", || Ok((!reports()?.is_empty()).then_some(())))?;
        // Until the agent has noted that, too.
        thread::sleep(Duration::from_millis(500));
        send(&wire, 3)?;
        agent.process().signal(libc::SIGKILL)?;
        agent.wait()?;
        ensure!(packets(reports()?.last().context("no report")?)? == 5, "this machine is too slow for this test");
        let finished = take_over(&wire, &[NEVER])?.interrupt()?.expect_success()?;
        ensure!(packets(&finished.last_report(HERE)?)? == 3, "{}", finished.stdout);
        Ok(())
    })
}

#[test]
fn an_agent_at_work_is_not_disturbed() -> Result<()> {
    with_bpf_fs(|| {
        let wire = Wire::new(1500)?;
        let agent = Agent::start(&wire.here, &[HERE], &["--pin", NEVER])?;
        pinned(HERE)?;
        send(&wire, 3)?;
        let process = format!("process {} (annotator)", agent.process().id());
        for arguments in [&["run", "--pin", HERE][..], &["detach", HERE], &["detach", "--all"]] {
            command(&wire, arguments)?.expect_failure(2, &[HERE, "in use", &process])?;
        }
        let seen = &status(&wire)?["attachments"][0];
        ensure!(seen["interface"] == HERE && seen["process"]["id"] == agent.process().id(), "{seen:#}");
        ensure!(seen["pinned"].as_str().is_some_and(|path| path.starts_with(DIR)), "{seen:#}");
        ensure!(seen["link_id"].is_u64(), "{seen:#}");
        ensure!(seen["packets"] == 3 && seen["annotator"] == true && seen["xdp_mode"] == "native", "{seen:#}");
        let finished = agent.interrupt()?.expect_success()?;
        ensure!(packets(&finished.last_report(HERE)?)? == 3, "{}", finished.stdout);

        let finished = command(&wire, &["detach", HERE])?.expect_success()?;
        ensure!(finished.stdout.contains("detached") && finished.stdout.contains("3 packets"), "{}", finished.stdout);
        ensure!(attachment(&wire.here, HERE)?.is_none(), "it is still attached");
        ensure!(!Path::new(DIR).exists(), "a folder is left");
        Ok(())
    })
}

#[test]
fn without_pins_nothing_stays() -> Result<()> {
    with_bpf_fs(|| {
        let wire = Wire::new(1500)?;
        let agent = Agent::start(&wire.here, &[HERE], &[])?;
        let seen = &status(&wire)?["attachments"][0];
        ensure!(seen["pinned"].is_null() && seen["process"]["id"] == agent.process().id(), "{seen:#}");
        command(&wire, &["detach", HERE])?.expect_failure(2, &[HERE, "watching it"])?;
        command(&wire, &["run", "--pin", HERE])?.expect_failure(2, &[HERE, "watched already", "annotator status"])?;
        agent.interrupt()?.expect_success()?;
        ensure!(attachment(&wire.here, HERE)?.is_none() && !Path::new(DIR).exists(), "something stays");
        let finished = command(&wire, &["status"])?.expect_success()?;
        ensure!(finished.stdout.contains("No interface"), "{}", finished.stdout);
        Ok(())
    })
}

#[test]
fn the_next_agent_brings_its_own_settings() -> Result<()> {
    with_bpf_fs(|| {
        let wire = Wire::new(1500)?;
        count_and_go(&wire, 2)?;
        let agent = take_over(&wire, &[&format!("--local-address={}", frames::SOURCE)])?;
        send(&wire, 4)?;
        let report = agent.interrupt()?.expect_success()?.last_report(HERE)?;
        ensure!(packets(&report)? == 4 && report["flags"]["self-source"] == 4, "{report:#}");
        Ok(())
    })
}

#[test]
fn the_egress_program_comes_and_goes_beside_it() -> Result<()> {
    with_bpf_fs(|| {
        let wire = Wire::new(1500)?;
        let agent = Agent::start(&wire.here, &[HERE], &["--pin", "--egress", NEVER])?;
        pinned(HERE)?;
        send(&wire, 2)?;
        agent.interrupt()?.expect_success()?;
        let agent = take_over(&wire, &["--egress", NEVER])?;
        send(&wire, 3)?;
        let finished = agent.interrupt()?.expect_success()?;
        ensure!(packets(&finished.last_report(HERE)?)? == 3, "{}", finished.stdout);
        Ok(())
    })
}

#[test]
fn every_mode_is_taken_over_as_it_is() -> Result<()> {
    with_bpf_fs(|| {
        for (mode, other, mtu) in [("generic", "native", 1500), ("native", "generic", 9000)] {
            let wire = Wire::new(mtu)?;
            let agent = Agent::start(&wire.here, &[HERE], &["--pin", NEVER, "--xdp-mode", mode])?;
            pinned(HERE)?;
            send(&wire, 2)?;
            agent.interrupt()?.expect_success()?;
            let before = attached(&wire)?;
            command(&wire, &["run", HERE, "--pin", "--xdp-mode", other])?.expect_failure(2, &[HERE, mode, "detach"])?;
            ensure!(attached(&wire)? == before, "it was changed");
            send(&wire, 3)?;
            let report = take_over(&wire, &[NEVER])?.interrupt()?.expect_success()?.last_report(HERE)?;
            ensure!(packets(&report)? == 3 && report["source"]["xdp_mode"] == mode, "{report:#}");
            let after = attached(&wire)?;
            ensure!((after.mode, &after.name) == (before.mode, &before.name), "{before:?}, {after:?}");
            command(&wire, &["detach", "--all"])?.expect_success()?;
        }
        Ok(())
    })
}

#[test]
fn several_interfaces_or_none() -> Result<()> {
    with_bpf_fs(|| {
        let wire = Wire::new(1500)?;
        // A name with a dot, which BPF file systems do not take.
        wire.add("second.100", 1500)?;
        let (_other, link) = attach_another(&wire)?;
        command(&wire, &["run", "second.100", HERE, "--pin"])?.expect_failure(2, &[HERE, "clock"])?;
        ensure!(attachment(&wire.here, "second.100")?.is_none() && !Path::new(DIR).exists(), "something stays");
        drop(link);

        eventually("it stays", || Ok(attachment(&wire.here, HERE)?.is_none().then_some(())))?;
        let agent = Agent::start(&wire.here, &["second.100", HERE], &["--pin", NEVER])?;
        pinned(HERE)?;
        agent.interrupt()?.expect_success()?;
        let seen = status(&wire)?;
        let names = ["second.100", HERE].map(|name| seen["attachments"].to_string().contains(name));
        ensure!(names == [true; 2], "{seen:#}");
        let finished = command(&wire, &["detach", "--all"])?.expect_success()?;
        ensure!(finished.stdout.contains("second.100") && finished.stdout.contains(HERE), "{}", finished.stdout);
        ensure!(attachment(&wire.here, "second.100")?.is_none() && !Path::new(DIR).exists(), "something stays");
        Ok(())
    })
}

#[test]
fn pins_of_another_version() -> Result<()> {
    with_bpf_fs(|| {
        let wire = Wire::new(1500)?;
        count_and_go(&wire, 2)?;
        let version = Folder::of(Path::new(DIR), HERE).version;
        fs::rename(format!("{DIR}/{version}"), format!("{DIR}/v0"))?;
        let before = attached(&wire)?;
        let words = [HERE, "v0", &version, &format!("annotator detach {HERE} --pin={DIR}")];
        command(&wire, &["run", HERE, "--pin"])?.expect_failure(2, &words)?;
        ensure!(attached(&wire)? == before, "it was changed");
        let seen = &status(&wire)?["attachments"][0];
        ensure!(seen["layout"] == "v0", "{seen:#}");
        command(&wire, &["detach", HERE])?.expect_success()?;
        ensure!(attachment(&wire.here, HERE)?.is_none(), "it is still attached");
        count_and_go(&wire, 1)
    })
}

#[test]
fn pins_that_are_not_what_they_should_be() -> Result<()> {
    with_bpf_fs(|| {
        let wire = Wire::new(1500)?;
        let folder = Folder::of(Path::new(DIR), HERE).path;
        let replace = |name: &str| -> Result<()> {
            fs::remove_file(folder.join(name))?;
            Ok(Array::<MapData, u64>::create(4, 0)?.pin(folder.join(name))?)
        };
        for name in ["books", "types", "samples", "handover"] {
            count_and_go(&wire, 2)?;
            replace(name)?;
            let before = attached(&wire)?;
            command(&wire, &["run", HERE, "--pin"])?
                .expect_failure(2, &[name, "not what this version makes", "detach"])?;
            ensure!(attached(&wire)? == before, "it was changed");
            command(&wire, &["status"])?.expect_success()?;
            command(&wire, &["detach", HERE])?.expect_success()?;
            ensure!(attachment(&wire.here, HERE)?.is_none(), "it is still attached");
        }
        // What is removed is taken for what was never complete, but a link that is no link is not touched.
        count_and_go(&wire, 2)?;
        replace("link")?;
        command(&wire, &["run", HERE, "--pin"])?.expect_failure(2, &["link", "not an attachment", "detach"])?;
        let finished = command(&wire, &["status"])?.expect_success()?;
        ensure!(finished.stdout.contains("not an attachment"), "{}", finished.stdout);
        fs::remove_file(folder.join("link"))?;
        let finished = command(&wire, &["status"])?.expect_success()?;
        ensure!(finished.stdout.contains("no attachment is pinned"), "{}", finished.stdout);
        count_and_go(&wire, 3)
    })
}

#[test]
fn what_others_have_attached_is_left_alone() -> Result<()> {
    with_bpf_fs(|| {
        let wire = Wire::new(1500)?;
        let (_other, link) = attach_another(&wire)?;
        let before = attached(&wire)?;
        command(&wire, &["detach", HERE])?.expect_failure(2, &[HERE, "clock", "not annotator's", "left alone"])?;
        let seen = &status(&wire)?["attachments"][0];
        ensure!(seen["program"] == "clock" && seen["annotator"] == false, "{seen:#}");

        // Even where it lies in our place.
        let folder = Folder::of(Path::new(DIR), HERE).path;
        fs::create_dir_all(&folder)?;
        link.pin(folder.join("link"))?;
        command(&wire, &["detach", HERE])?.expect_failure(2, &[HERE, "clock", "not annotator's", "left alone"])?;
        ensure!(attached(&wire)? == before && folder.join("link").exists(), "it was changed");

        // Or beside ours.
        let theirs = Path::new(PLACE).join("theirs").join(HERE);
        fs::create_dir_all(&theirs)?;
        Array::<MapData, u64>::create(4, 0)?.pin(theirs.join("map"))?;
        command(&wire, &["detach", "--all", "--pin", PLACE])?.expect_success()?;
        ensure!(theirs.join("map").exists(), "it was removed");
        Ok(())
    })
}

#[test]
fn an_interface_that_was_removed_meanwhile() -> Result<()> {
    with_bpf_fs(|| {
        let wire = Wire::new(1500)?;
        count_and_go(&wire, 2)?;
        send(&wire, 3)?;
        wire.here.enter(|| netlink::delete(HERE))?;
        let finished = command(&wire, &["status"])?.expect_success()?;
        ensure!(finished.stdout.contains("its interface is gone"), "{}", finished.stdout);

        // Another one of the same name.
        wire.here.enter(|| netlink::add_veth(HERE, THERE))?;
        wire.here.enter(|| netlink::set_up_without_arp(HERE))?;
        let agent = Agent::start(&wire.here, &[HERE], &["--pin", NEVER])?;
        pinned(HERE)?;
        // The kernel may still be at it; what counts is that the next one is whole.
        wire.here.enter(|| netlink::delete(HERE))?;
        let finished = agent.wait()?.expect_failure(2, &[HERE, "gone", "3 packets"])?;
        ensure!(packets(&finished.last_report(HERE)?)? == 0, "{}", finished.stdout);
        ensure!(!Path::new(DIR).exists(), "pins of an interface that is gone stay");
        Ok(())
    })
}

#[test]
fn nowhere_to_pin() -> Result<()> {
    with_bpf_fs(|| {
        let wire = Wire::new(1500)?;
        let folder = tempfile::tempdir()?;
        let elsewhere = format!("--pin={}", folder.path().join("pins").display());
        command(&wire, &["run", HERE, &elsewhere])?
            .expect_failure(2, &["not on a BPF file system", "mount -t bpf bpf"])?;
        make_read_only()?;
        command(&wire, &["run", HERE, "--pin"])?.expect_failure(2, &[DIR, "Read-only", "remount,rw", PLACE])?;
        ensure!(attachment(&wire.here, HERE)?.is_none(), "it is attached");
        Ok(())
    })
}
