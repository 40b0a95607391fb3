//! What real tools do, seen by a real agent: the finding, its verdict and its sources; and the innocent things beside them. Takes root,
//! the `ip` command, and the tools.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    process::Command,
    time::Duration,
};

use annotator_testnet::{Namespace, netlink};
use annotator_tests::agent::{Agent, Running, eventually};
use annotator_tests::peers;
use annotator_tests::veth::{HERE, HERE_ADDRESS, THERE, THERE_ADDRESS, Wire};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

fn start(command: &mut Command) -> Result<Running> {
    const INSTALL: &str = "sudo apt-get install --no-install-recommends nmap masscan hping3 traceroute fping curl";
    Running::start(command).context(INSTALL)
}

/// Runs a tool at the far end of the wire, to its end.
fn tool(wire: &Wire, program: &str, arguments: &str) -> Result<()> {
    let finished = start(wire.there.command(program).args(arguments.split(' ')))?.wait()?;
    // traceroute and fping tell by their status what they found out.
    ensure!(finished.stderr.is_empty() || finished.status.success(), "{program}: {}", finished.stderr);
    Ok(())
}

/// The last report of an agent that watches while `work` is done.
fn watch(wire: &Wire, work: impl FnOnce() -> Result<()>) -> Result<Value> {
    watch_with(wire, &[], work)
}

/// Likewise, with options.
fn watch_with(wire: &Wire, options: &[&str], work: impl FnOnce() -> Result<()>) -> Result<Value> {
    let agent = Agent::start(&wire.here, &[HERE], &[&["--interval=1h"], options].concat())?;
    work()?;
    agent.interrupt()?.expect_success()?.last_report(HERE)
}

/// A finding by its id, or by one of those that it says it tells as well.
fn finding<'a>(report: &'a Value, id: &str) -> Result<&'a Value> {
    let findings = report["findings"].as_array().context("no findings")?;
    let also = |finding: &Value| finding["also"].as_array().is_some_and(|also| also.iter().any(|other| other == id));
    let found = findings.iter().find(|finding| finding["id"] == id || also(finding));
    found.with_context(|| {
        let ids: Vec<_> = findings.iter().map(|finding| finding["id"].to_string()).collect();
        format!("{id} is not among {}", ids.join(", "))
    })
}

/// Fails unless a finding is there with a verdict and names a source.
fn expect(report: &Value, id: &str, verdict: &str, source: Ipv4Addr) -> Result<()> {
    let found = finding(report, id)?;
    ensure!(found["verdict"] == verdict, "{id} is {}, not {verdict}", found["verdict"]);
    let source = source.to_string();
    let named = found["sources"].as_array().is_some_and(|sources| sources.iter().any(|other| *other == source));
    ensure!(named, "{id} names {}, not {source}", found["sources"]);
    Ok(())
}

/// Fails if anything is called worse than background.
fn expect_calm(report: &Value) -> Result<()> {
    for finding in report["findings"].as_array().context("no findings")? {
        if !matches!(finding["verdict"].as_str(), Some("normal" | "benign-lookalike" | "background")) {
            bail!("{} is {}: {}", finding["id"], finding["verdict"], finding["evidence"]);
        }
    }
    Ok(())
}

/// One kind of nmap's scans.
fn nmap(arguments: &str, ids: &[&str]) -> Result<()> {
    let wire = Wire::talking()?;
    let arguments = format!("-n -Pn -T4 --max-retries 0 {arguments} {HERE_ADDRESS}");
    let report = watch(&wire, || tool(&wire, "nmap", &arguments))?;
    ids.iter().try_for_each(|id| expect(&report, id, "reconnaissance", THERE_ADDRESS))
}

#[test]
fn nmap_syn_scan() -> Result<()> {
    nmap("-sS -F", &["scan.vertical", "scan.syn"])
}

#[test]
fn a_scan_over_many_intervals_is_told_once() -> Result<()> {
    let wire = Wire::talking()?;
    let _open = wire.here.enter(|| TcpListener::bind((HERE_ADDRESS, 80)))?;
    let agent = Agent::start(&wire.here, &[HERE], &["--interval=1s", "--findings"])?;
    tool(&wire, "nmap", &format!("-n -Pn -sS --max-retries 0 --scan-delay 20ms -p 1-500 {HERE_ADDRESS}"))?;
    let told = agent.interrupt()?.expect_success()?.stdout;
    let told = told.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let begins = told.iter().position(|line| line["rule"]["id"] == "scan.vertical").context("no scan is found")?;
    // What each of its packets would be told as, if it came alone.
    let is_of_one = |id: &str| ["port.", "range.", "pattern.port-probe"].iter().any(|family| id.starts_with(family));
    for line in &told[begins..] {
        let id = line["rule"]["id"].as_str().context("a finding without an id")?;
        ensure!(!is_of_one(id), "{id} is told beside the scan: {}", line["message"]);
    }
    Ok(())
}

#[test]
fn nmap_connect_scan() -> Result<()> {
    nmap("-sT -F", &["scan.vertical", "scan.connect"])
}

#[test]
fn nmap_fin_scan() -> Result<()> {
    nmap("-sF -p 1-30", &["scan.fin"])
}

#[test]
fn nmap_null_scan() -> Result<()> {
    nmap("-sN -p 1-30", &["scan.null"])
}

#[test]
fn nmap_xmas_scan() -> Result<()> {
    nmap("-sX -p 1-30", &["scan.xmas"])
}

#[test]
fn nmap_maimon_scan() -> Result<()> {
    nmap("-sM -p 1-30", &["scan.maimon"])
}

#[test]
fn nmap_ack_scan() -> Result<()> {
    nmap("-sA -p 1-30", &["scan.ack"])
}

#[test]
fn nmap_udp_scan() -> Result<()> {
    nmap("-sU -p 1-30 --max-rtt-timeout 100ms", &["scan.udp"])
}

#[test]
fn nmap_protocol_scan() -> Result<()> {
    nmap("-sO -p 1-60 --max-rtt-timeout 100ms", &["scan.ip-protocol"])
}

#[test]
fn nmap_with_decoys() -> Result<()> {
    let wire = Wire::talking()?;
    let decoys = "198.19.80.7,198.19.3.22,198.18.0.23,ME,198.19.66.24";
    let arguments = format!("-n -Pn -T4 --max-retries 0 -sS -p 1-40 -D {decoys} {HERE_ADDRESS}");
    let report = watch(&wire, || tool(&wire, "nmap", &arguments))?;
    expect(&report, "pattern.decoy-scan", "reconnaissance", THERE_ADDRESS)?;
    expect(&report, "pattern.decoy-scan", "reconnaissance", Ipv4Addr::new(198, 19, 3, 22))
}

#[test]
fn nmap_operating_system_detection() -> Result<()> {
    let wire = Wire::talking()?;
    let _open = wire.here.enter(|| TcpListener::bind((HERE_ADDRESS, 80)))?;
    let arguments = format!("-n -Pn -T4 -O --max-os-tries 1 -p 80,81 {HERE_ADDRESS}");
    let report = watch(&wire, || tool(&wire, "nmap", &arguments))?;
    expect(&report, "tool.nmap-os-detection", "reconnaissance", THERE_ADDRESS)
}

#[test]
fn traceroute_by_udp() -> Result<()> {
    let wire = Wire::talking()?;
    let report = watch(&wire, || tool(&wire, "traceroute", &format!("-n -w 1 {HERE_ADDRESS}")))?;
    expect(&report, "pattern.traceroute", "background", THERE_ADDRESS)?;
    expect_calm(&report)
}

#[test]
fn traceroute_by_icmp() -> Result<()> {
    let wire = Wire::talking()?;
    let report = watch(&wire, || tool(&wire, "traceroute", &format!("-n -I -w 1 {HERE_ADDRESS}")))?;
    expect(&report, "pattern.traceroute.icmp", "background", THERE_ADDRESS)?;
    expect_calm(&report)
}

#[test]
fn fping_over_many_addresses() -> Result<()> {
    let wire = Wire::talking()?;
    wire.here.enter(|| (11..=24).try_for_each(|host| netlink::add_address(HERE, [198, 18, 0, host].into(), 24)))?;
    // From afar it is reconnaissance; a neighbour may well watch over us.
    let stranger = Ipv4Addr::new(198, 19, 44, 7);
    wire.there.enter(|| netlink::add_address(THERE, stranger.into(), 32))?;
    let sweep = format!("-q -r 0 -i 1 -S {stranger} -g 198.18.0.10 198.18.0.24");
    let report = watch(&wire, || tool(&wire, "fping", &sweep))?;
    expect(&report, "scan.ping-sweep", "reconnaissance", stranger)
}

#[test]
fn a_neighbour_that_pings_around_is_nothing() -> Result<()> {
    let wire = Wire::talking()?;
    wire.here.enter(|| (11..=24).try_for_each(|host| netlink::add_address(HERE, [198, 18, 0, host].into(), 24)))?;
    let report = watch(&wire, || tool(&wire, "fping", "-q -r 0 -i 1 -g 198.18.0.10 198.18.0.24"))?;
    expect_calm(&report)
}

#[test]
fn hping_floods_from_forged_sources() -> Result<()> {
    let wire = Wire::talking()?;
    let arguments = format!("-q -S -p 80 --rand-source -i u100 -c 5000 {HERE_ADDRESS}");
    let report = watch(&wire, || tool(&wire, "hping3", &arguments))?;
    let flood = finding(&report, "flood.syn").or_else(|_| finding(&report, "flood.forged-sources"))?;
    ensure!(flood["verdict"] == "attack", "{}", flood["verdict"]);
    Ok(())
}

#[test]
fn hping_floods_with_pings() -> Result<()> {
    let wire = Wire::talking()?;
    let report = watch(&wire, || tool(&wire, "hping3", &format!("-q --icmp -i u20 -c 10000 {HERE_ADDRESS}")))?;
    expect(&report, "flood.icmp", "attack", THERE_ADDRESS)
}

#[test]
fn hping_floods_a_closed_port_with_datagrams() -> Result<()> {
    let wire = Wire::talking()?;
    // From afar; a neighbour may be told wrongly where to send its logs.
    let stranger = Ipv4Addr::new(198, 19, 44, 7);
    let arguments = format!("-q --udp -p 9000 -d 64 -a {stranger} -i u20 -c 10000 {HERE_ADDRESS}");
    let report = watch(&wire, || tool(&wire, "hping3", &arguments))?;
    expect(&report, "flood.udp", "attack", stranger)
}

#[test]
fn masscan_over_some_ports() -> Result<()> {
    let wire = Wire::talking()?;
    let card = wire.here.enter(|| netlink::hardware_address(HERE))?;
    let card: Vec<_> = card.iter().map(|byte| format!("{byte:02x}")).collect();
    let arguments = format!(
        "--interface {THERE} --source-ip {THERE_ADDRESS} --router-mac {} --rate 1000 --wait 0 -p1-60 {HERE_ADDRESS}",
        card.join("-")
    );
    let report = watch(&wire, || {
        let scan = start(wire.there.command("masscan").args(arguments.split(' ')))?;
        // It sends within a fraction of a second, and then waits for answers until something arrives.
        std::thread::sleep(Duration::from_millis(1500));
        scan.signal(libc::SIGKILL)?;
        scan.wait().map(|_| ())
    })?;
    expect(&report, "tool.masscan", "reconnaissance", THERE_ADDRESS)
}

/// Waits until somebody listens.
fn until_open(namespace: &Namespace, address: Ipv4Addr, port: u16) -> Result<()> {
    eventually("nobody listens", || Ok(namespace.enter(|| TcpStream::connect((address, port))).ok())).map(drop)
}

/// curl fetches three files from ProFTPD in active mode, which asks oidentd first who comes. Says how sure the findings are.
fn ftp_in_active_mode_with_ident(options: &[&str], directives: &str, [ident, ftp]: [&str; 2]) -> Result<()> {
    let wire = Wire::talking()?;
    let folder = tempfile::tempdir()?;
    let files = folder.path().join("files");
    fs::create_dir(&files)?;
    ["a", "b", "c"].iter().try_for_each(|name| fs::write(files.join(name), format!("{name}\n")))?;
    for place in [folder.path(), &files] {
        fs::set_permissions(place, fs::Permissions::from_mode(0o755))?;
    }
    let server = Running::start(&mut peers::ftp_server(&wire.there, THERE_ADDRESS, folder.path(), directives)?)?;
    let identd = Running::start(&mut peers::ident_server(&wire.here))?;
    until_open(&wire.there, THERE_ADDRESS, 21)?;
    until_open(&wire.here, HERE_ADDRESS, 113)?;
    let report = watch_with(&wire, options, || {
        let mut curl = wire.here.command("curl");
        curl.args(["--silent", "--show-error", "--ftp-port", "-", &format!("ftp://{THERE_ADDRESS}/[a-c]")]);
        let fetched = start(&mut curl)?.wait()?.expect_success()?.stdout;
        ensure!(fetched == "a\nb\nc\n", "curl has fetched {fetched:?}");
        Ok(())
    })?;
    for (id, confidence) in [("pattern.ident-after-connect", ident), ("pattern.ftp-active-data", ftp)] {
        expect(&report, id, "benign-lookalike", THERE_ADDRESS)?;
        let found = &finding(&report, id)?["confidence"];
        ensure!(found == confidence, "{id} is {found}, not {confidence}");
    }
    expect_calm(&report)?;
    [&server, &identd].iter().try_for_each(|process| process.signal(libc::SIGTERM))?;
    let answered = identd.wait()?.stderr;
    ensure!(answered.contains("Successful lookup"), "the ident server has not answered: {answered}");
    server.wait().map(drop)
}

/// Lets the server keep the privilege that port 20 takes.
const FROM_PORT_20: &str = "RootRevoke off";
/// Gives it up, so that deliveries come from any port.
const FROM_ANY_PORT: &str = "RootRevoke UseNonCompliantActiveTransfer";

#[test]
fn ftp_and_ident_are_likely_from_answers() -> Result<()> {
    ftp_in_active_mode_with_ident(&[], FROM_PORT_20, ["likely", "likely"])
}

#[test]
fn ftp_and_ident_are_certain_by_tcx() -> Result<()> {
    ftp_in_active_mode_with_ident(&["--egress=tcx"], FROM_PORT_20, ["certain", "certain"])
}

#[test]
fn ftp_and_ident_are_certain_by_clsact() -> Result<()> {
    ftp_in_active_mode_with_ident(&["--egress=clsact"], FROM_PORT_20, ["certain", "certain"])
}

#[test]
fn ftp_from_any_port_is_possible() -> Result<()> {
    ftp_in_active_mode_with_ident(&["--egress"], FROM_ANY_PORT, ["certain", "possible"])
}

#[test]
fn a_few_pings_are_nothing() -> Result<()> {
    let wire = Wire::talking()?;
    let report = watch(&wire, || tool(&wire, "fping", &format!("-q -c 3 -p 50 {HERE_ADDRESS}")))?;
    ensure!(report["icmp"][0]["packets"] == 3, "{}", report["icmp"]);
    expect_calm(&report)
}

#[test]
fn a_visitor_of_an_open_port_is_nothing() -> Result<()> {
    let wire = Wire::talking()?;
    let listener = wire.here.enter(|| TcpListener::bind((HERE_ADDRESS, 80)))?;
    let report = watch(&wire, || {
        for _ in 0..20 {
            let mut client = wire.there.enter(|| TcpStream::connect((HERE_ADDRESS, 80)))?;
            let (mut server, _) = listener.accept()?;
            client.write_all(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")?;
            let mut request = [0; 64];
            let length = server.read(&mut request)?;
            server.write_all(&request[..length])?;
            drop(server);
            client.set_read_timeout(Some(Duration::from_secs(2)))?;
            client.read_to_end(&mut Vec::new())?;
        }
        Ok(())
    })?;
    expect_calm(&report)
}
