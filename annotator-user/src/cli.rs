//! The command line: what a person types, turned into settings that were checked before any work starts.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::counters::PortProto;
use crate::live::pin::DEFAULT_DIR;
use crate::observation::{Locality, Prefix};
use crate::telemetry::TelemetryOptions;
use crate::top::TopOptions;
use crate::write::lines::Rotation;
use crate::write::output::Target;

/// How options are set elsewhere than on the command line.
const CONFIGURATION: &str = "\
Options can be set in three places. The command line wins over the environment, the environment over a file.

Environment: the option --local-address of `annotator run` is ANNOTATOR_RUN_LOCAL_ADDRESS, or ANNOTATOR_LOCAL_ADDRESS for every \
command that has it. Lists are separated by commas; flags, and options that need no value, are yes or no.

File (--config FILE, TOML): tables are named after commands, keys after options; what stands without an option is a key, too \
(`interfaces`, `files`, `targets` of top); flags, and options that need no value, are true or false. A key above all tables is for \
every command that has it. `annotator config show` prints what is in force in this form.

    local-address = [\"203.0.113.7\"]
    [run]
    interfaces = [\"eth0\"]
    interval = \"1m\"";

/// Explains what arrives at a network card: what it is, what it only looks like, and what to do.
#[derive(Clone, Debug, Parser)]
#[command(name = "annotator", version, about, propagate_version = true, after_long_help = CONFIGURATION)]
pub struct Cli {
    /// Read options from this file first; the variable ANNOTATOR_CONFIG names one, too.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Watch interfaces: count every arriving packet in the kernel and print rolling summaries until interrupted.
    Run(Box<RunOptions>),
    /// Watch interfaces, or walk through captures, on a full screen.
    Top(TopOptions),
    /// Explain capture files (pcap, pcapng, also gzipped; `-` is standard input). Needs no root.
    Read(ReadOptions),
    /// Write a page about capture files, to be looked at in a browser.
    Report(ReportOptions),
    /// Write the packets of capture files that say something to a capture of their own, with what was found as comments, for Wireshark.
    Export(ExportOptions),
    /// Tell what is attached where, by whom, and how much it has counted.
    Status(StatusOptions),
    /// Detach what `run --pin` has left attached.
    Detach(DetachOptions),
    /// Look something up in the knowledge: tcp/113, "icmp 3/4", 10.1.2.3, source-port 20, source-route, a finding's id, a log line.
    Explain(ExplainOptions),
    /// List, check and show the knowledge in force.
    Rules(RulesOptions),
    /// Check a configuration file, or show what is configured.
    Config(ConfigOptions),
}

/// Options of `annotator run`.
#[derive(Clone, Debug, Args)]
pub struct RunOptions {
    /// Interfaces to attach to.
    #[arg(required = true, value_name = "IFACE")]
    pub interfaces: Vec<String>,
    /// Time between two summaries.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive_duration)]
    pub interval: Duration,
    /// Stop after this long.
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub duration: Option<Duration>,
    /// Leave the program and its counters in the kernel when this ends, pinned below this folder (/sys/fs/bpf/annotator unless it is named), and go on
    /// where the run before has left them.
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = DEFAULT_DIR)]
    pub pin: Option<PathBuf>,
    /// How they are watched.
    #[command(flatten)]
    pub watching: WatchOptions,
    /// Where the summaries go.
    #[command(flatten)]
    pub writing: WriteOptions,
    /// Other systems that take what is found.
    #[command(flatten)]
    pub telemetry: TelemetryOptions,
    /// Keep the packets that the summary rests on in this file (pcapng), with what was found as comments; replaced with every summary.
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// Keep a page to be looked at in a browser in this file; replaced with every summary.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// When the file that they go to is full.
    #[command(flatten)]
    pub rotation: Rotation,
}

/// How interfaces are watched.
#[derive(Clone, Debug, Args)]
pub struct WatchOptions {
    /// How far back a report looks.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = positive_duration)]
    pub window: Duration,
    /// How to attach: in the driver (native), in the network stack (generic), or the first that works.
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub xdp_mode: XdpMode,
    /// Remember, too, whom this host contacts, so that answers and lookalikes are told for certain. By a link that ends with the
    /// program (tcx, Linux 6.6), as a filter (clsact), or the first that works.
    #[arg(long, value_name = "WAY", num_args = 0..=1, require_equals = true, default_missing_value = "auto")]
    pub egress: Option<EgressWay>,
    /// What is ours besides what the interface says.
    #[command(flatten)]
    pub local: LocalOptions,
    /// Knowledge of the user's own.
    #[command(flatten)]
    pub rules: RuleFiles,
}

/// Options of `annotator status`.
#[derive(Clone, Debug, Args)]
pub struct StatusOptions {
    /// Where `run --pin` pins.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR)]
    pub pin: PathBuf,
    /// How to print it.
    #[arg(long, default_value = "text")]
    pub format: Format,
}

/// Options of `annotator detach`.
#[derive(Clone, Debug, Args)]
pub struct DetachOptions {
    /// Interfaces to detach from.
    #[arg(value_name = "IFACE")]
    pub interfaces: Vec<String>,
    /// Detach from every interface that something is pinned for.
    #[arg(long, conflicts_with = "interfaces")]
    pub all: bool,
    /// Where `run --pin` pins.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR)]
    pub pin: PathBuf,
}

/// Options of `annotator read`.
#[derive(Clone, Debug, Args)]
pub struct ReadOptions {
    /// What is read.
    #[command(flatten)]
    pub captures: CaptureOptions,
    /// Where the report goes.
    #[command(flatten)]
    pub writing: WriteOptions,
}

/// Options of `annotator report`.
#[derive(Clone, Debug, Args)]
pub struct ReportOptions {
    /// What is read.
    #[command(flatten)]
    pub captures: CaptureOptions,
    /// The file that the page is written to; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub html: Target,
}

/// Options of `annotator export`.
#[derive(Clone, Debug, Args)]
pub struct ExportOptions {
    /// What is read.
    #[command(flatten)]
    pub captures: CaptureOptions,
    /// Write to this file (pcapng); `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub output: Target,
}

/// Which captures are read, and how.
#[derive(Clone, Debug, Args)]
pub struct CaptureOptions {
    /// Capture files, all of which make one report; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Ports on which something listens, as far as you know: tcp/22,udp/53; at the local addresses, where these are given.
    #[arg(long, value_name = "PROTO/PORT", value_delimiter = ',', value_parser = listening_port)]
    pub listening: Vec<(PortProto, u16)>,
    /// What is ours.
    #[command(flatten)]
    pub local: LocalOptions,
    /// Knowledge of the user's own.
    #[command(flatten)]
    pub rules: RuleFiles,
}

/// Options of `annotator explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainOptions {
    /// What to explain: a port, an ICMP type, an address, a flag, a finding's id, a service, a line of a firewall log.
    #[arg(required = true, value_name = "WHAT")]
    pub what: Vec<String>,
    /// How to print it.
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Knowledge of the user's own.
    #[command(flatten)]
    pub rules: RuleFiles,
}

/// Options of `annotator rules`.
#[derive(Clone, Debug, Args)]
pub struct RulesOptions {
    /// What to do with the knowledge.
    #[command(subcommand)]
    pub command: RulesCommand,
    /// How to print it.
    #[arg(long, default_value = "text", global = true)]
    pub format: Format,
    /// Knowledge of the user's own.
    #[command(flatten)]
    pub rules: RuleFiles,
}

/// Subcommands of `annotator rules`.
#[derive(Clone, Debug, Subcommand)]
pub enum RulesCommand {
    /// List every entry, one a line.
    List,
    /// Show entries in full.
    Show {
        /// Ids of the entries.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Check files without using them.
    Check {
        /// Rules files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Options of `annotator config`.
#[derive(Clone, Debug, Args)]
pub struct ConfigOptions {
    /// What to do with the configuration.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// Subcommands of `annotator config`.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a file without using it: every key must be known, every value possible.
    Check {
        /// The file; otherwise the one that --config or ANNOTATOR_CONFIG names, otherwise that of the service.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Show every option with its value and where that comes from, in the form of a file.
    Show,
}

/// Knowledge of the user's own.
#[derive(Clone, Debug, Default, Args)]
pub struct RuleFiles {
    /// A file of rules that add to or override what is built in; may be given several times.
    #[arg(long, value_name = "FILE", global = true)]
    pub rules: Vec<PathBuf>,
}

/// What is ours.
#[derive(Clone, Debug, Default, Args)]
pub struct LocalOptions {
    /// A local network, whose broadcast addresses are then known: 192.0.2.0/25. May be given several times.
    #[arg(long = "local", value_name = "PREFIX", value_parser = prefix)]
    pub prefixes: Vec<Prefix>,
    /// An address that is ours. May be given several times.
    #[arg(long = "local-address", value_name = "ADDR")]
    pub addresses: Vec<IpAddr>,
}

/// How and where reports are written.
#[derive(Clone, Debug, Args)]
pub struct WriteOptions {
    /// For people (text) or for machines (json).
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Write findings instead of reports: JSON with ECS field names, one a line. A running agent writes one when it is new or has changed.
    #[arg(long)]
    pub findings: bool,
    /// Write to this file; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub output: Target,
}

/// Output formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Sentences and tables.
    #[default]
    Text,
    /// `annotator.report/1`.
    Json,
}

/// How to attach the XDP program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum XdpMode {
    /// In the driver, else in the network stack.
    #[default]
    Auto,
    /// In the driver.
    Native,
    /// In the network stack.
    Generic,
}

/// How to attach the egress program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EgressWay {
    /// By tcx, else by clsact; where neither works the run goes on without.
    Auto,
    /// By a link that ends with the program.
    Tcx,
    /// As a filter of the queueing discipline clsact.
    Clsact,
}

impl CaptureOptions {
    /// What is ours, as far as the command line says.
    pub fn locality(&self) -> Locality {
        let listening = (!self.listening.is_empty()).then(|| self.listening.iter().copied().collect());
        Locality { addresses: self.local.addresses.clone(), prefixes: self.local.prefixes.clone(), listening }
    }
}

/// A time span such as `10s`, `5m`, `1h 30m` or `500ms`; a bare number is seconds. Zero is refused.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    let span = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => text
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|span| Duration::try_from(span).ok())
            .ok_or("not a time span; write it like 10s, 5m or 1h")?,
    };
    if span < Duration::from_millis(1) {
        return Err("must be longer than zero; write it like 10s, 5m or 1h".into());
    }
    // Later arithmetic adds spans to points in time.
    if span > Duration::from_secs(366 * 24 * 3600) {
        return Err("must not be longer than a year".into());
    }
    Ok(span)
}

fn prefix(text: &str) -> Result<Prefix, String> {
    const FORM: &str = "write it like 192.0.2.0/24 or 2001:db8::/32";
    let (address, bits) = text.split_once('/').ok_or(FORM)?;
    let address: IpAddr = address.parse().map_err(|_| FORM)?;
    let bits: u8 = bits.parse().map_err(|_| FORM)?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    if bits > longest {
        return Err(format!("a prefix of this family has {longest} bits at most"));
    }
    Ok(Prefix { address, bits })
}

pub(crate) fn listening_port(text: &str) -> Result<(PortProto, u16), String> {
    const FORM: &str = "write it like tcp/22 or udp/53";
    let (proto, port) = text.split_once('/').ok_or(FORM)?;
    let proto = match proto.to_ascii_lowercase().as_str() {
        "tcp" => PortProto::Tcp,
        "udp" => PortProto::Udp,
        _ => return Err(FORM.into()),
    };
    let port = port.parse().map_err(|_| "a port is a number from 0 to 65535")?;
    Ok((proto, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn time_spans() {
        assert_eq!(positive_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(positive_duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(positive_duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(positive_duration("7"), Ok(Duration::from_secs(7)));
        for wrong in ["0", "0s", "", "-1s", "ten", "1000000h", "99999999999999999999"] {
            assert!(positive_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn prefixes_and_ports() {
        assert!(prefix("192.0.2.0/24").is_ok());
        assert!(prefix("2001:db8::/32").is_ok());
        for wrong in ["192.0.2.0", "192.0.2.0/33", "x/8", "::/129", "1.2.3.4/-1"] {
            assert!(prefix(wrong).is_err(), "{wrong}");
        }
        assert_eq!(listening_port("TCP/22"), Ok((PortProto::Tcp, 22)));
        for wrong in ["22", "tcp/70000", "icmp/8", "tcp/"] {
            assert!(listening_port(wrong).is_err(), "{wrong}");
        }
    }
}
