//! The configuration: a file and the environment below the command line.
//!
//! The definition of the command line is the only list of options there is. What a file or the environment sets becomes the *default* of
//! its option, so precedence, types and help are those of the command line, and an option that is added to it can be configured at once.

mod file;
mod layers;
mod show;

use std::env;
use std::ffi::OsString;
use std::iter;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::cli::Cli;
use layers::{Environment, Form, Layers};
pub use show::show;

/// The file that the packaged service reads. Other commands read it only when they are told to.
pub const SERVICE_FILE: &str = "/etc/annotator/annotator.toml";

/// The option that names a configuration file.
const OPTION: &str = "config";
/// The variable that names it.
const VARIABLE: &str = "ANNOTATOR_CONFIG";

/// The command line as it is parsed, with nothing configured.
pub fn command() -> Command {
    revocable(Cli::command())
}

/// Reads the command line of this process, above the environment, above the file that one of them names. A wrong command line, and one that asks for
/// help, ends the process.
pub fn parse() -> Result<Cli> {
    let arguments: Vec<OsString> = env::args_os().collect();
    let environment = environment();
    let Ok(first_look) = relaxed(command()).try_get_matches_from(&arguments) else {
        return Ok(cli(&command().get_matches_from(arguments)));
    };
    let named = first_look.get_one::<PathBuf>(OPTION).cloned();
    let file = named.or_else(|| environment.get(VARIABLE).map(PathBuf::from));
    let layers = Layers::new(file.as_deref(), environment)?;
    for problem in layers.unknown_variables(&Cli::command()) {
        log::warn!("{problem}");
    }
    let layered = layers.below(Cli::command(), &called(&first_look))?;
    let mut cli = cli(&revocable(layered).get_matches_from(arguments));
    cli.config = file;
    Ok(cli)
}

/// Whether every key of a file is known and every value is possible.
pub fn check(file: &Path) -> Result<()> {
    Layers::new(Some(file), Environment::new())?.below(Cli::command(), &[]).map(|_| ())
}

/// The names of the subcommands that a command line calls.
fn called(matches: &ArgMatches) -> Vec<String> {
    let subcommands = iter::successors(matches.subcommand(), |(_, matches)| matches.subcommand());
    subcommands.map(|(name, _)| name.to_owned()).collect()
}

fn cli(matches: &ArgMatches) -> Cli {
    Cli::from_arg_matches(matches).unwrap_or_else(|error| error.exit())
}

/// The variables that are ours. Empty ones count as not set.
fn environment() -> Environment {
    env::vars_os()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(layers::PREFIX))
        .collect()
}

/// The command without demands: a file may bring what the command line lacks.
fn relaxed(command: Command) -> Command {
    command.mut_args(|arg: Arg| arg.required(false)).mut_subcommands(relaxed)
}

/// The command with flags that can be taken back where a file has set them: `--flag=no`.
fn revocable(command: Command) -> Command {
    let revocable_arg = |arg: Arg| {
        if layers::form(&arg) != Form::Switch {
            return arg;
        }
        let usual = if arg.get_default_values().is_empty() { arg.default_value("false") } else { arg };
        usual
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .value_parser(BoolishValueParser::new())
            .value_name("yes|no")
            .default_missing_value("true")
            .hide_default_value(true)
            .hide_possible_values(true)
    };
    command.mut_args(revocable_arg).mut_subcommands(revocable)
}

#[cfg(test)]
mod tests;
