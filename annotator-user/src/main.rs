//! The `annotator` command. Only here are exit codes chosen and broken pipes met.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use annotator::cli::{
    CaptureOptions, Cli, Command, ConfigCommand, DetachOptions, ExplainOptions, ExportOptions, Format, ReadOptions,
    ReportOptions, RulesCommand, RulesOptions, RunOptions, StatusOptions,
};
use annotator::config;
use annotator::explain::{self, page, rules as knowledge_rules};
use annotator::knowledge::Knowledge;
use annotator::live::sinks::Sinks;
use annotator::live::supervisor::StatusLine;
use annotator::read::Outcome;
use annotator::telemetry::{self, metrics::Metrics};
use annotator::write::html::{self, LivePage};
use annotator::write::output::{self, Target};
use annotator::write::pcapng::{self, Export};
use annotator::write::style::safe;
use anyhow::{Result, bail};

/// A report was made, but something was left out of it.
const INCOMPLETE: u8 = 1;
/// Nothing could be done. Also what clap uses for a wrong command line.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    start_log();
    match config::parse().and_then(run) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::from(FAILED)
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Read(options) => read(&options),
        Command::Run(options) => watch(&options),
        Command::Report(options) => report(&options),
        Command::Export(options) => export(&options),
        Command::Status(options) => status(&options),
        Command::Detach(options) => detach(&options),
        Command::Top(options) => annotator::top::run(&options).map(|()| ExitCode::SUCCESS),
        Command::Explain(options) => explain(&options),
        Command::Rules(options) => rules(&options),
        Command::Config(options) => configuration(&options.command, cli.config.as_deref()),
    }
}

fn read(options: &ReadOptions) -> Result<ExitCode> {
    let outcome = read_captures(&options.captures, &options.writing.output)?;
    annotator::write::once(&outcome.report, &options.writing)?;
    Ok(code(&outcome))
}

fn report(options: &ReportOptions) -> Result<ExitCode> {
    let outcome = read_captures(&options.captures, &options.html)?;
    html::once(&outcome.report, &options.html)?;
    Ok(code(&outcome))
}

fn export(options: &ExportOptions) -> Result<ExitCode> {
    if options.output == Target::StandardOutput && io::stdout().is_terminal() {
        bail!(
            "a capture is nothing for a terminal; name a file with --output, or pipe it, as in `… | wireshark -k -i -`"
        );
    }
    let outcome = read_captures(&options.captures, &options.output)?;
    output::put(&options.output, pcapng::capture(&outcome.report)?)?;
    Ok(code(&outcome))
}

/// Reads captures, none of which is the file that is to be written.
fn read_captures(options: &CaptureOptions, target: &Target) -> Result<Outcome> {
    if let Some(path) = target.file() {
        output::check_apart(path, &options.files)?;
        // Before a long capture is read for nothing.
        output::check_replaceable(path)?;
    }
    let outcome = annotator::read::read(options)?;
    for note in &outcome.report.notes {
        complain(note);
    }
    Ok(outcome)
}

fn code(outcome: &Outcome) -> ExitCode {
    if outcome.complete { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) }
}

fn watch(options: &RunOptions) -> Result<ExitCode> {
    let mut sinks = Sinks::default();
    annotator::write::follow(&options.writing, options.rotation, &mut sinks)?;
    sinks.add(StatusLine::default());
    if let Some(path) = &options.export {
        sinks.add(Export::open(path)?);
    }
    if let Some(path) = &options.html {
        sinks.add(LivePage::open(path, options.interval)?);
    }
    let metrics = Rc::new(Metrics::new()?);
    telemetry::open(&options.telemetry, &metrics, &mut sinks)?;
    annotator::live::run(options, sinks, &metrics)?;
    Ok(ExitCode::SUCCESS)
}

fn status(options: &StatusOptions) -> Result<ExitCode> {
    let status = annotator::live::status::look(options)?;
    output::print(&match options.format {
        Format::Text => status.text(),
        Format::Json => status.json()?,
    })?;
    Ok(ExitCode::SUCCESS)
}

fn detach(options: &DetachOptions) -> Result<ExitCode> {
    let detached = annotator::live::detach::run(options)?;
    for left in &detached.left {
        complain(left);
    }
    for done in &detached.done {
        output::print(format!("{done}\n"))?;
    }
    Ok(match (detached.left.is_empty(), detached.done.is_empty()) {
        (true, _) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(INCOMPLETE),
        (false, true) => ExitCode::from(FAILED),
    })
}

fn explain(options: &ExplainOptions) -> Result<ExitCode> {
    let knowledge = Knowledge::load(&options.rules.rules)?;
    let answers = explain::explain(&knowledge, &options.what);
    output::print(&match options.format {
        Format::Text => page::answers(&answers),
        Format::Json => answers.json()?,
    })?;
    Ok(if answers.all_known() { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
}

fn rules(options: &RulesOptions) -> Result<ExitCode> {
    if let RulesCommand::Check { files } = &options.command {
        let checked = knowledge_rules::check(files);
        output::print(&match options.format {
            Format::Text => page::checked(&checked),
            Format::Json => knowledge_rules::json("files", &checked)?,
        })?;
        let usable = checked.iter().all(|file| file.usable);
        return Ok(if usable { ExitCode::SUCCESS } else { ExitCode::from(FAILED) });
    }
    let knowledge = Knowledge::load(&options.rules.rules)?;
    let RulesCommand::Show { ids } = &options.command else {
        let listed = knowledge_rules::list(&knowledge);
        output::print(&match options.format {
            Format::Text => page::list(&listed),
            Format::Json => knowledge_rules::json("entries", &listed)?,
        })?;
        return Ok(ExitCode::SUCCESS);
    };
    let (shown, unknown) = knowledge_rules::show(&knowledge, ids);
    output::print(&match options.format {
        Format::Text => page::entries(&shown),
        Format::Json => knowledge_rules::json("entries", &shown)?,
    })?;
    for id in &unknown {
        complain(&format!("no entry has the id `{id}`; `annotator rules list` lists them"));
    }
    Ok(if unknown.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
}

fn configuration(command: &ConfigCommand, named: Option<&Path>) -> Result<ExitCode> {
    match command {
        ConfigCommand::Check { file } => {
            let file = file.as_deref().or(named).unwrap_or(Path::new(config::SERVICE_FILE));
            config::check(file)?;
            output::print(format!("{}: no errors\n", file.display()))?;
        }
        ConfigCommand::Show => output::print(config::show(named)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The agent's log goes to standard error, warnings and errors by default; the environment variable `RUST_LOG` changes that.
fn start_log() {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn"))
        .format(|out, record| writeln!(out, "annotator: {}", record.args()))
        .init();
}

/// Says what is wrong. Where even standard error is closed, there is nobody left to tell.
fn complain(message: &str) {
    let mut stderr = io::stderr().lock();
    for line in message.lines() {
        let _ = writeln!(stderr, "annotator: {}", safe(line));
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
