//! What other systems get from a running agent: Prometheus its metrics, an OpenTelemetry collector the findings. Takes root, and the programs that
//! `cargo xtask peers` fetches.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, thread};

use annotator_common::packet::{protocol, tcp};
use annotator_testnet::{Namespace, netlink};
use annotator_tests::agent::{Agent, Running, attachment, binary, eventually, finish};
use annotator_tests::veth::{HERE, Wire};
use annotator_tests::{frames, peers};
use anyhow::{Context as _, Result, ensure};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

const ADDRESS: &str = "127.0.0.1:9184";
const METRICS: &str = "--metrics=9184";
/// A finding's id as records carry it.
const SCAN: &[u8] = b"scan.vertical";
const OTLP: &str = "--otlp=http://127.0.0.1:4318";
/// A port that the knowledge has an entry for, and two that it has none for.
const NAMED: u16 = 137;
const UNNAMED: [u16; 2] = [4000, 4001];

fn wire() -> Result<Wire> {
    Wire::new(1500)?.with_address(frames::LOCAL.into(), frames::LOCAL_PREFIX.1)
}

fn contrib(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("contrib").join(path)
}

/// Status and text of a page of the agent.
fn page(namespace: &Namespace, path: &str) -> Result<(u16, String)> {
    namespace.enter(|| {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .into();
        let mut response = agent.get(format!("http://{ADDRESS}{path}")).call()?;
        Ok((response.status().as_u16(), response.body_mut().read_to_string()?))
    })
}

/// The agent's metrics, as it writes them. It serves them as soon as it is attached.
fn scrape(namespace: &Namespace) -> Result<String> {
    eventually("the agent serves no metrics", || match page(namespace, "/metrics") {
        Ok((200, text)) => Ok(Some(text)),
        _ => Ok(None),
    })
}

/// Values by name and labels.
fn values(text: &str) -> Result<BTreeMap<String, f64>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').with_context(|| format!("not a sample: {line}"))?;
            Ok((series.to_owned(), value.parse()?))
        })
        .collect()
}

fn port_packets(interface: &str, port: &str) -> String {
    format!("annotator_port_packets_total{{interface=\"{interface}\",port=\"{port}\",protocol=\"udp\",side=\"dst\"}}")
}

fn packets(interface: &str) -> String {
    format!("annotator_packets_total{{family=\"ipv4\",interface=\"{interface}\",protocol=\"udp\"}}")
}

/// Waits until a series has a value.
fn wait_for(namespace: &Namespace, series: &str, value: f64) -> Result<BTreeMap<String, f64>> {
    let mut last = None;
    let waited = eventually("it never had that value", || {
        let now = values(&scrape(namespace)?)?;
        last = now.get(series).copied();
        Ok((last == Some(value)).then_some(now))
    });
    waited.with_context(|| format!("{series}: {last:?}, not {value}"))
}

fn datagram(port: u16) -> Vec<u8> {
    frames::Ipv4::default().frame(&frames::udp_datagram(40_000, port, b"payload!"))
}

fn send(wire: &Wire, port: u16, times: u64) -> Result<()> {
    let frame = datagram(port);
    (0..times).try_for_each(|_| wire.sender.send(&frame))
}

/// A scan that no reader of findings should miss.
fn scan(wire: &Wire) -> Result<()> {
    let packet = frames::Ipv4 { destination: frames::LOCAL, protocol: protocol::TCP, ..Default::default() };
    let syn = |port| packet.frame(&frames::tcp_segment(40_000, port, tcp::SYN, b""));
    (20..80).try_for_each(|port| wire.sender.send(&syn(port)))
}

#[test]
fn counters_are_what_was_sent_and_never_go_back() -> Result<()> {
    let wire = wire()?;
    let second = wire.add("second", 1500)?;
    // The window is over long before the test is.
    let agent = Agent::start(&wire.here, &[HERE, "second"], &[METRICS, "--window=600ms"])?;
    let mut before = values(&scrape(&wire.here)?)?;
    let (mut named, mut unnamed) = (0, 0);
    for round in 1..=4 {
        send(&wire, NAMED, 5)?;
        send(&wire, UNNAMED[round % 2], 3)?;
        second.send(&datagram(NAMED))?;
        (named, unnamed) = (named + 5, unnamed + 3);
        let now = wait_for(&wire.here, &packets("second"), round as f64)?;
        let fallen: Vec<_> = before
            .iter()
            .filter(|(series, value)| series.contains("_total") && now.get(*series).is_none_or(|new| new < value))
            .collect();
        ensure!(fallen.is_empty(), "counters have fallen: {fallen:?}");
        before = now;
    }
    let now = wait_for(&wire.here, &packets(HERE), f64::from(named + unnamed))?;
    ensure!(now[&port_packets(HERE, &NAMED.to_string())] == f64::from(named), "{now:#?}");
    ensure!(now[&port_packets(HERE, "other")] == f64::from(unnamed), "{now:#?}");
    let bytes = format!("annotator_bytes_total{{family=\"ipv4\",interface=\"{HERE}\",protocol=\"udp\"}}");
    ensure!(now[&bytes] == f64::from(named + unnamed) * datagram(NAMED).len() as f64, "{now:#?}");
    ensure!(now[&port_packets("second", &NAMED.to_string())] == 4.0, "{now:#?}");
    ensure!(now[&format!("annotator_xdp_info{{interface=\"{HERE}\",mode=\"native\"}}")] == 1.0, "{now:#?}");
    ensure!(now["annotator_poll_seconds_count"] > 1.0, "{now:#?}");
    let addresses = now.keys().find(|series| series.contains("192.0.2") || series.contains("198.18"));
    ensure!(addresses.is_none(), "an address is a label: {addresses:?}");
    agent.interrupt()?.expect_success()?;
    Ok(())
}

#[test]
fn findings_come_and_go() -> Result<()> {
    let wire = wire()?;
    let agent = Agent::start(&wire.here, &[HERE], &[METRICS, "--window=2s"])?;
    scan(&wire)?;
    let series = format!("annotator_findings{{id=\"scan.vertical\",interface=\"{HERE}\",verdict=\"reconnaissance\"}}");
    wait_for(&wire.here, &series, 1.0)?;
    eventually("the finding stays", || Ok((!values(&scrape(&wire.here)?)?.contains_key(&series)).then_some(())))?;
    agent.interrupt()?.expect_success()?;
    Ok(())
}

#[test]
fn health_tells_of_an_interface_that_is_gone() -> Result<()> {
    let wire = wire()?;
    wire.add("second", 1500)?;
    let agent = Agent::start(&wire.here, &[HERE, "second"], &[METRICS])?;
    let healthy = || Ok(page(&wire.here, "/healthz").ok().filter(|(status, _)| *status == 200));
    let (_, text) = eventually("it is never healthy", healthy)?;
    ensure!(text == "ok\n", "{text}");
    send(&wire, NAMED, 2)?;
    let up = format!("annotator_interface_up{{interface=\"{HERE}\"}}");
    wait_for(&wire.here, &up, 1.0)?;

    wire.here.enter(|| netlink::set_down(HERE))?;
    wait_for(&wire.here, &up, 0.0)?;
    wire.here.enter(|| netlink::delete("second"))?;
    let (_, text) =
        eventually("it stays healthy", || Ok(page(&wire.here, "/healthz").ok().filter(|(status, _)| *status == 503)))?;
    ensure!(text.contains("second") && !text.contains(HERE), "{text}");
    let now = values(&scrape(&wire.here)?)?;
    ensure!(now["annotator_interface_attached{interface=\"second\"}"] == 0.0, "{now:#?}");
    ensure!(now[&packets(HERE)] == 2.0, "{now:#?}");
    for (path, status) in [("/", 200), ("/nothing", 404)] {
        ensure!(page(&wire.here, path)?.0 == status, "{path}");
    }
    agent.interrupt()?;
    Ok(())
}

#[test]
fn rules_that_are_read_again_name_more_ports() -> Result<()> {
    const ENTRY: &str = r#"
        [[entry]]
        id = "test.ours"
        title = "Ours"
        verdict = "normal"
        confidence = "certain"
        explanation = "Our own service."
        looks_like = "Nothing."
        advice = "None."
        references = ["this test"]
        [[entry.match]]
        proto = "udp"
        dst_port = [4000]
    "#;
    let wire = wire()?;
    let folder = tempfile::tempdir()?;
    let rules = folder.path().join("rules.toml");
    fs::write(&rules, "")?;
    let option = format!("--rules={}", rules.display());
    let agent = Agent::start(&wire.here, &[HERE], &[METRICS, &option])?;
    send(&wire, UNNAMED[0], 3)?;
    wait_for(&wire.here, &port_packets(HERE, "other"), 3.0)?;
    fs::write(&rules, ENTRY)?;
    agent.process().signal(libc::SIGHUP)?;
    // Nothing outside tells when the rules are in force, but that they name a port.
    let mut sent = 0;
    eventually("the port is never named", || {
        send(&wire, UNNAMED[0], 1)?;
        sent += 1;
        thread::sleep(Duration::from_millis(300));
        Ok(values(&scrape(&wire.here)?)?.contains_key(&port_packets(HERE, "4000")).then_some(()))
    })?;
    let now = wait_for(&wire.here, &packets(HERE), 3.0 + f64::from(sent))?;
    let (ours, other) = (now[&port_packets(HERE, "4000")], now[&port_packets(HERE, "other")]);
    ensure!(ours >= 1.0 && other >= 3.0 && ours + other == 3.0 + f64::from(sent), "{ours}, {other}, {sent}");
    agent.interrupt()?.expect_success()?;
    Ok(())
}

#[test]
fn a_port_that_is_taken_is_said_before_anything_is_attached() -> Result<()> {
    let wire = wire()?;
    let taken = wire.here.enter(|| TcpListener::bind(ADDRESS))?;
    // Were it attached first, another agent would be in the way.
    let first = Agent::start(&wire.here, &[HERE], &[])?;
    let mut command = wire.here.command(binary());
    finish(command.args(["run", HERE, METRICS]))?.expect_failure(2, &[ADDRESS, "in use", "--metrics"])?;
    first.interrupt()?.expect_success()?;
    drop(taken);
    let mut command = wire.here.command(binary());
    finish(command.args(["run", HERE, "--metrics=203.0.113.1:9184"]))?.expect_failure(2, &["203.0.113.1:9184"])?;
    let mut command = wire.here.command(binary());
    finish(command.args(["run", HERE, "--metrics=localhost"]))?.expect_failure(2, &["localhost", "[::1]:9184"])?;
    let mut command = wire.here.command(binary());
    finish(command.args(["run", HERE, "--otlp=localhost:4317"]))?.expect_failure(2, &["localhost:4317", "http://"])?;
    ensure!(attachment(&wire.here, HERE)?.is_none(), "it is attached");
    Ok(())
}

#[test]
fn clients_that_say_nothing_hold_nothing_up() -> Result<()> {
    let wire = wire()?;
    let agent = Agent::start(&wire.here, &[HERE], &[METRICS])?;
    scrape(&wire.here)?;
    let mut silent: Vec<TcpStream> =
        wire.here.enter(|| (0..60).map(|_| TcpStream::connect(ADDRESS)).collect::<Result<_, _>>())?;
    // Half a request is as bad as none.
    silent[0].write_all(b"GET /metrics HTTP/1.1\r\n")?;
    send(&wire, NAMED, 50)?;
    // Their time is limited, so it is somebody else's turn in the end.
    wait_for(&wire.here, &packets(HERE), 50.0)?;
    agent.interrupt()?.expect_success()?;
    Ok(())
}

/// Runs a tool on something to read and expects it to be content.
fn content(tool: &mut Command, input: &str) -> Result<String> {
    let mut child = tool.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("no standard input")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{tool:?}: {}\n{said}", output.status);
    Ok(said)
}

#[test]
fn promtool_has_nothing_to_say_of_the_metrics() -> Result<()> {
    let wire = wire()?;
    let agent = Agent::start(&wire.here, &[HERE], &[METRICS, OTLP])?;
    send(&wire, NAMED, 1)?;
    wait_for(&wire.here, &packets(HERE), 1.0)?;
    let said = content(peers::promtool().args(["check", "metrics"]), &scrape(&wire.here)?)?;
    ensure!(said.is_empty(), "{said}");
    agent.interrupt()?;
    Ok(())
}

#[test]
fn promtool_accepts_the_rules_and_their_tests_pass() -> Result<()> {
    let folder = contrib("prometheus");
    for check in [
        ["check", "rules", "annotator.rules.yml"],
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "annotator.test.yml"],
    ] {
        content(peers::promtool().args(check).current_dir(&folder), "")?;
    }
    Ok(())
}

/// All texts in a JSON document that have one of these keys.
fn texts<'a>(document: &'a Value, keys: &[&str], found: &mut Vec<&'a str>) {
    match document {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(text) if keys.contains(&key.as_str()) => found.push(text),
                    _ => texts(value, keys, found),
                }
            }
        }
        Value::Array(array) => array.iter().for_each(|value| texts(value, keys, found)),
        _ => {}
    }
}

/// Names of metrics of ours in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'));
    words.filter(|word| word.starts_with("annotator_") || word.starts_with("process_")).collect()
}

#[test]
fn the_dashboard_and_the_rules_use_what_is_exported() -> Result<()> {
    let wire = wire()?;
    let agent = Agent::start(&wire.here, &[HERE], &[METRICS, OTLP])?;
    scan(&wire)?;
    wire.sender.send(
        &frames::Ipv4 { protocol: protocol::ICMP, ..Default::default() }.frame(&frames::icmp_message(8, 0, b"")),
    )?;
    let findings =
        format!("annotator_findings{{id=\"scan.vertical\",interface=\"{HERE}\",verdict=\"reconnaissance\"}}");
    wait_for(&wire.here, &findings, 1.0)?;
    let scraped = scrape(&wire.here)?;
    let exported: BTreeSet<&str> = scraped.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    agent.interrupt()?;

    let dashboard: Value = serde_json::from_str(&fs::read_to_string(contrib("grafana/annotator.json"))?)?;
    let mut queries = Vec::new();
    texts(&dashboard, &["expr", "definition"], &mut queries);
    ensure!(queries.len() > 15, "where are the dashboard's queries? {queries:?}");
    let rules = fs::read_to_string(contrib("prometheus/annotator.rules.yml"))?;
    // Names in sentences are meant for readers; those in expressions must be right, and both are looked at.
    let used: BTreeSet<&str> = queries.iter().chain([&rules.as_str()]).flat_map(|text| names(text)).collect();
    ensure!(used.len() > 15, "{used:?}");
    let unknown: Vec<_> = used.difference(&exported).collect();
    ensure!(unknown.is_empty(), "not exported: {unknown:?}");

    // As a rule each query of a panel must be one that Prometheus understands.
    let mut panels = Vec::new();
    texts(&dashboard, &["expr"], &mut panels);
    let records = panels.iter().enumerate().map(|(index, expr)| {
        let expr = expr.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$interface", ".*");
        serde_json::json!({"record": format!("panel:{index}"), "expr": expr})
    });
    let group = serde_json::json!({"groups": [{"name": "panels", "rules": records.collect::<Vec<_>>()}]});
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("panels.json");
    fs::write(&file, group.to_string())?;
    content(peers::promtool().args(["check", "rules"]).arg(&file), "")?;
    Ok(())
}

#[test]
fn prometheus_scrapes_it() -> Result<()> {
    const CONFIGURATION: &str = "scrape_configs: [{job_name: annotator, scrape_interval: 500ms, \
                                 scrape_timeout: 400ms, static_configs: [{targets: [localhost:9184]}]}]";
    let wire = wire()?;
    let agent = Agent::start(&wire.here, &[HERE], &[METRICS])?;
    send(&wire, NAMED, 7)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("prometheus.yml");
    fs::write(&file, CONFIGURATION)?;
    let mut prometheus = peers::prometheus(&wire.here);
    prometheus.arg("--config.file").arg(&file).arg("--storage.tsdb.path").arg(folder.path().join("data"));
    let prometheus = Running::start(prometheus.args(["--web.listen-address=127.0.0.1:9090", "--log.level=error"]))?;
    let query = format!("http://127.0.0.1:9090/api/v1/query?query=annotator_packets_total{{interface=%22{HERE}%22}}");
    let value = eventually("Prometheus has no such value", || {
        let answer = wire.here.enter(|| ureq::get(&query).call()?.body_mut().read_to_string());
        let Ok(text) = answer else { return Ok(None) };
        let answer: Value = serde_json::from_str(&text)?;
        let sample = &answer["data"]["result"][0];
        Ok((sample["value"][1] == "7").then(|| sample.clone()))
    })?;
    ensure!(value["metric"]["job"] == "annotator" && value["metric"]["protocol"] == "udp", "{value:#}");
    prometheus.interrupt()?;
    agent.interrupt()?.expect_success()?;
    Ok(())
}

/// A collector that tells what it gets, in words.
fn collector(namespace: &Namespace) -> Result<Running> {
    let mut command = peers::collector(namespace);
    command.args(["start", "--exporter=blackhole", "--debug-log=logs", "--debug-log-verbosity=detailed"]);
    command.args(["--otlp-http-endpoint=127.0.0.1:4318", "--otlp-grpc-endpoint=127.0.0.1:4317"]);
    Running::start(&mut command)
}

#[test]
fn findings_of_several_agents_reach_a_collector() -> Result<()> {
    let wire = wire()?;
    let second = wire.add("second", 1500)?;
    let agents =
        [Agent::start(&wire.here, &[HERE], &[METRICS, OTLP])?, Agent::start(&wire.here, &["second"], &[OTLP])?];
    scan(&wire)?;
    second.send(&datagram(NAMED))?;
    let findings =
        format!("annotator_findings{{id=\"scan.vertical\",interface=\"{HERE}\",verdict=\"reconnaissance\"}}");
    wait_for(&wire.here, &findings, 1.0)?;
    // The collector comes late, and misses nothing.
    let collector = collector(&wire.here)?;
    let sent = |now: &BTreeMap<String, f64>| now["annotator_otlp_records_total{outcome=\"sent\"}"];
    let now = eventually("nothing is sent", || Ok(Some(values(&scrape(&wire.here)?)?).filter(|now| sent(now) > 0.0)))?;
    ensure!(now["annotator_otlp_records_total{outcome=\"lost\"}"] == 0.0, "{now:#?}");
    let [first, second] = agents.map(Agent::interrupt);
    let (first, second) = (first?, second?);
    ensure!(first.status.success() && second.status.success(), "{}{}", first.stderr, second.stderr);
    ensure!(first.stderr.contains("reach http://127.0.0.1:4318/v1/logs again; 0 were lost"), "{}", first.stderr);
    let told = collector.interrupt()?.stdout;
    for part in [
        "service.name: Str(annotator)",
        "host.name: Str(",
        "EventName: annotator.finding",
        "SeverityNumber: SEVERITY_NUMBER_WARN(13)",
        "rule.id: Str(scan.vertical)",
        "annotator.verdict: Str(reconnaissance)",
        "network.transport: Str(tcp)",
        &format!("network.interface.name: Str({HERE})"),
        "network.interface.name: Str(second)",
    ] {
        ensure!(told.contains(part), "`{part}` did not arrive:\n{told}");
    }
    // Told once, however many reports had it.
    ensure!(told.matches("rule.id: Str(scan.vertical)").count() == 1, "{told}");
    Ok(())
}

/// Takes one request over TLS, answers that all is well, and returns what was asked.
fn answer_over_tls(listener: &TcpListener, configuration: Arc<ServerConfig>) -> Result<Vec<u8>> {
    let (stream, _) = listener.accept()?;
    stream.set_nonblocking(false)?;
    let mut stream = StreamOwned::new(ServerConnection::new(configuration)?, stream);
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(SCAN.len()).any(|window| window == SCAN) {
        let length = stream.read(&mut buffer)?;
        ensure!(length > 0, "it has hung up");
        request.extend(&buffer[..length]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(request)
}

#[test]
fn findings_are_sent_over_tls_to_whom_the_system_trusts() -> Result<()> {
    let wire = wire()?;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let folder = tempfile::tempdir()?;
    let trusted = folder.path().join("trusted.pem");
    fs::write(&trusted, made.cert.pem())?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let configuration =
        Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.into()], key.into())?);
    let listener = wire.here.enter(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 4318)))?;
    let start = |trusted: Option<&Path>| {
        let mut command = wire.here.command(binary());
        command.args(["run", HERE, "--interval=300ms", "--format=json", "--otlp=https://localhost:4318"]);
        command.envs(trusted.map(|path| ("SSL_CERT_FILE", path)));
        let running = Running::start(&mut command)?;
        eventually("the agent does not attach", || attachment(&wire.here, HERE))?;
        scan(&wire)?;
        Ok::<_, anyhow::Error>(running)
    };

    let stranger = start(None)?;
    let refused = answer_over_tls(&listener, Arc::clone(&configuration));
    ensure!(refused.is_err(), "it trusts anybody");
    let finished = stranger.interrupt()?;
    ensure!(finished.status.success() && finished.stderr.contains("certificate"), "{}", finished.stderr);

    let agent = start(Some(&trusted))?;
    // The kernel may still have connections of the one before.
    listener.set_nonblocking(true)?;
    let answer = || Ok(answer_over_tls(&listener, Arc::clone(&configuration)).ok());
    let request = eventually("nothing is sent", answer)?;
    ensure!(request.starts_with(b"POST /v1/logs HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&request));
    agent.interrupt()?;
    Ok(())
}

/// An agent with a collector that is of no use; it counts and reports all the same.
fn expect_undisturbed(wire: &Wire, complaint: &str) -> Result<()> {
    let agent = Agent::start(&wire.here, &[HERE], &[METRICS, OTLP])?;
    scan(wire)?;
    let waiting = |now: &BTreeMap<String, f64>| now["annotator_otlp_queue_records"];
    eventually("nothing waits", || Ok((waiting(&values(&scrape(&wire.here)?)?) > 0.0).then_some(())))?;
    let polls = |now: &BTreeMap<String, f64>| now["annotator_poll_seconds_count"];
    let before = polls(&values(&scrape(&wire.here)?)?);
    eventually("polling has stopped", || Ok((polls(&values(&scrape(&wire.here)?)?) >= before + 10.0).then_some(())))?;
    send(wire, NAMED, 9)?;
    wait_for(&wire.here, &packets(HERE), 9.0)?;
    let finished = agent.interrupt()?;
    ensure!(finished.status.success() && attachment(&wire.here, HERE)?.is_none(), "{}", finished.stderr);
    ensure!(finished.last_report(HERE)?["totals"]["packets"] == 69, "{}", finished.stdout);
    ensure!(finished.stderr.matches(complaint).count() == 1, "{}", finished.stderr);
    Ok(())
}

#[test]
fn a_dead_collector_disturbs_nothing() -> Result<()> {
    expect_undisturbed(&wire()?, "do not reach http://127.0.0.1:4318/v1/logs: ")
}

#[test]
fn a_collector_that_hangs_disturbs_nothing() -> Result<()> {
    let wire = wire()?;
    // Connections are accepted by the kernel, and nobody ever reads from them.
    let _listener = wire.here.enter(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 4318)))?;
    expect_undisturbed(&wire, "not sent")
}
