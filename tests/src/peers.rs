//! Programs of others that the agent is held against. `cargo xtask test` fetches them.

use std::{
    fs, io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
};

use annotator_testnet::Namespace;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target/peers")
}

fn program(path: &str) -> PathBuf {
    let program = folder().join(path);
    assert!(program.is_file(), "{} is missing; `cargo xtask test` fetches it", program.display());
    program
}

/// Prometheus' own tool to check metrics, rules and what else it reads.
pub fn promtool() -> Command {
    Command::new(program("usr/bin/promtool"))
}

/// Prometheus itself.
pub fn prometheus(namespace: &Namespace) -> Command {
    namespace.command(program("usr/bin/prometheus"))
}

/// The OpenTelemetry collector Rotel.
pub fn collector(namespace: &Namespace) -> Command {
    with_libraries(namespace, "rotel/rotel-agent")
}

/// The FTP server ProFTPD. It logs to standard error, keeps what it needs in a folder, and gives anonymous guests what is in the folder's `files`.
/// Whoever comes is asked for by ident. `directives` are more lines of its configuration.
pub fn ftp_server(namespace: &Namespace, address: Ipv4Addr, keeps: &Path, directives: &str) -> io::Result<Command> {
    let configuration = keeps.join("proftpd.conf");
    let (modules, keeps) = (folder().join("usr/lib/proftpd"), keeps.display());
    let lines = format!(
        "ServerType standalone\nDefaultAddress {address}\nSocketBindTight on\nUseIPv6 off\nUseReverseDNS off\nUseFtpUsers off\n\
         PidFile {keeps}/pid\nScoreboardFile {keeps}/scoreboard\nWtmpLog off\nDelayEngine off\n\
         ModulePath {}\nLoadModule mod_ident.c\nIdentLookups on\n\
         AuthOrder mod_auth_unix.c\nUser nobody\nGroup nogroup\n{directives}\n\
         <Anonymous {keeps}/files>\nUser nobody\nGroup nogroup\nUserAlias anonymous nobody\nRequireValidShell off\n</Anonymous>\n",
        modules.display()
    );
    fs::write(&configuration, lines)?;
    let mut command = with_libraries(namespace, "usr/sbin/proftpd");
    command.arg("--nodaemon").arg("--config").arg(configuration);
    Ok(command)
}

/// The ident server oidentd, which logs to standard error.
pub fn ident_server(namespace: &Namespace) -> Command {
    let mut command = with_libraries(namespace, "usr/sbin/oidentd");
    command.args(["--foreground", "--nosyslog", "--config=/dev/null"]);
    command
}

/// A program that finds the libraries that were fetched with it.
fn with_libraries(namespace: &Namespace, path: &str) -> Command {
    let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(|path| folder().join(path));
    let libraries = libraries.iter().map(|path| path.as_os_str()).collect::<Vec<_>>();
    let mut command = namespace.command(program(path));
    command.env("LD_LIBRARY_PATH", libraries.join(std::ffi::OsStr::new(":")));
    command
}
