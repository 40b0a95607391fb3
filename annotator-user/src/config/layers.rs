//! Laying a file and the environment below the command line.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use anyhow::{Result, anyhow};
use clap::builder::BoolishValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};

use super::OPTION;
use super::file::{self, Section, Value};

/// How the names of our variables begin.
pub const PREFIX: &str = "ANNOTATOR_";
/// Commands that are not configured: they are about configuration.
const UNCONFIGURED: &str = "config";

/// Variables by name.
pub type Environment = BTreeMap<String, OsString>;

/// What the command line stands on.
#[derive(Debug, Default)]
pub struct Layers {
    name: String,
    file: Section,
    environment: Environment,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of a file.
    Line(String, usize),
    /// A variable.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Line(file, line) => write!(f, "{file}:{line}"),
            Origin::Variable(name) => f.write_str(name),
        }
    }
}

/// The forms that an option's value has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// It is there or not.
    Switch,
    /// It has one value.
    One,
    /// It has any number of values.
    Many,
}

/// What is wrong, by place: a key that several commands share is complained of once.
type Problems = BTreeMap<Origin, String>;

impl Layers {
    /// Reads the file, if there is one.
    pub fn new(file: Option<&Path>, environment: Environment) -> Result<Self> {
        let name = file.map(|file| file.display().to_string()).unwrap_or_default();
        let file = file.map(file::read).transpose()?.unwrap_or_default();
        Ok(Layers { name, file, environment })
    }

    /// The command line above these layers. Fails when they say what the command line would not take.
    pub fn below(&self, command: Command) -> Result<Command> {
        let mut problems = Problems::new();
        self.find_unknown(&command, &self.file, &mut problems);
        let layered = self.lay(command, &[], &mut problems);
        let lines: Vec<String> = problems.iter().map(|(origin, problem)| format!("{origin}: {problem}")).collect();
        if lines.is_empty() { Ok(layered) } else { Err(anyhow!(lines.join("\n"))) }
    }

    fn lay(&self, command: Command, path: &[String], problems: &mut Problems) -> Command {
        command.mut_args(|arg| if is_settable(&arg) { self.lay_arg(arg, path, problems) } else { arg }).mut_subcommands(
            |subcommand| match subcommand.get_name() {
                UNCONFIGURED => subcommand,
                name => {
                    let path = [path, &[name.to_owned()]].concat();
                    self.lay(subcommand, &path, problems)
                }
            },
        )
    }

    fn lay_arg(&self, arg: Arg, path: &[String], problems: &mut Problems) -> Arg {
        let set = self.find(&arg, path).map(|(origin, value)| (origin, value.and_then(|value| values(&arg, value))));
        match set {
            None => arg,
            Some((_, Ok(values))) => {
                let is_required = arg.is_required_set() && values.is_empty();
                arg.default_values(values).required(is_required)
            }
            Some((origin, Err(problem))) => {
                problems.entry(origin).or_insert_with(|| format!("`{}` {problem}", key(&arg)));
                arg
            }
        }
    }

    /// What is set for an option of the command at `path`: by the environment before the file, for this command before all.
    pub fn find(&self, arg: &Arg, path: &[String]) -> Option<(Origin, Result<Value, String>)> {
        let key = key(arg);
        let variables = (0..=path.len()).rev().map(|depth| variable(&path[..depth], &key));
        if let Some((name, value)) = variables.into_iter().find_map(|name| self.environment.get_key_value(&name)) {
            let value = value.to_str().ok_or_else(|| "is not UTF-8 text".to_owned()).map(|text| match form(arg) {
                Form::Many => Value::Many(text.split(',').map(str::to_owned).collect()),
                Form::Switch | Form::One => Value::One(text.to_owned()),
            });
            return Some((Origin::Variable(name.clone()), value));
        }
        let mut section = &self.file;
        let mut found = section.settings.get(&key);
        for name in path {
            let Some(inner) = section.sections.get(name) else { break };
            section = inner;
            found = section.settings.get(&key).or(found);
        }
        found.map(|setting| (self.line(setting.line), Ok(setting.value.clone())))
    }

    fn line(&self, line: usize) -> Origin {
        Origin::Line(self.name.clone(), line)
    }

    /// Complains of keys and tables that no command has.
    fn find_unknown(&self, command: &Command, section: &Section, problems: &mut Problems) {
        for (key, setting) in &section.settings {
            if !has_key(command, key) {
                let problem = format!("unknown key `{key}`; `annotator config show` lists the known ones");
                problems.insert(self.line(setting.line), problem);
            }
        }
        for (name, section) in &section.sections {
            match configured(command).find(|subcommand| subcommand.get_name() == name) {
                Some(subcommand) => self.find_unknown(subcommand, section, problems),
                None => {
                    let names: Vec<&str> = configured(command).map(Command::get_name).collect();
                    let there_are =
                        if names.is_empty() { String::new() } else { format!("; there are {}", names.join(", ")) };
                    problems.insert(self.line(section.line), format!("no command `{name}` for this table{there_are}"));
                }
            }
        }
    }
}

/// The subcommands that can be configured.
pub fn configured(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|subcommand| subcommand.get_name() != UNCONFIGURED)
}

/// Whether an option can be set by file and environment.
pub fn is_settable(arg: &Arg) -> bool {
    arg.get_id() != OPTION
}

/// The name of an option in a file: the long one, or for what has no name on the command line, what help calls it.
pub fn key(arg: &Arg) -> String {
    arg.get_long().map_or_else(|| arg.get_id().as_str().replace('_', "-"), str::to_owned)
}

/// The form that an option's value has.
pub fn form(arg: &Arg) -> Form {
    match arg.get_action() {
        ArgAction::SetTrue => Form::Switch,
        ArgAction::Append => Form::Many,
        _ => Form::One,
    }
}

/// `ANNOTATOR_RUN_INTERVAL` for the key `interval` of `run`.
pub fn variable(path: &[String], key: &str) -> String {
    let words: Vec<&str> = path.iter().map(String::as_str).chain([key]).collect();
    format!("{PREFIX}{}", words.join("_").replace('-', "_").to_uppercase())
}

fn has_key(command: &Command, wanted: &str) -> bool {
    command.get_arguments().any(|arg| is_settable(arg) && key(arg) == wanted)
        || configured(command).any(|subcommand| has_key(subcommand, wanted))
}

/// The values of an option as its own parser takes them, or why it does not.
fn values(arg: &Arg, value: Value) -> Result<Vec<String>, String> {
    let values = match (form(arg), value) {
        (Form::Switch, Value::Switch(on)) => return Ok(vec![on.to_string()]),
        (Form::Switch, Value::Many(_)) => return Err("is on or off: write true or false".to_owned()),
        (Form::One | Form::Many, Value::Switch(_)) => return Err("takes a value, not true or false".to_owned()),
        (Form::One, Value::Many(_)) => return Err("takes one value, not a list".to_owned()),
        (Form::Many, Value::Many(values)) => values,
        (_, Value::One(value)) => vec![value],
    };
    let values = match arg.get_value_delimiter() {
        Some(delimiter) => values.iter().flat_map(|value| value.split(delimiter)).map(str::to_owned).collect(),
        None => values,
    };
    match values.iter().find_map(|value| refusal(arg, value)) {
        Some(refusal) => Err(refusal),
        None => Ok(values),
    }
}

/// Why an option's own parser refuses a value.
pub fn refusal(arg: &Arg, value: &str) -> Option<String> {
    let alone = Arg::new("value").long("value");
    let alone = match form(arg) {
        Form::Switch => alone.value_parser(BoolishValueParser::new()),
        Form::One | Form::Many => alone.value_parser(arg.get_value_parser().clone()),
    };
    let parsed =
        Command::new("parser").no_binary_name(true).arg(alone).try_get_matches_from([format!("--value={value}")]);
    let error = parsed.err()?;
    let why = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => source.to_string(),
        (None, Some(ContextValue::Strings(possible))) if !possible.is_empty() => {
            format!("possible are {}", possible.join(", "))
        }
        _ => "it needs a value".to_owned(),
    };
    Some(format!("cannot be `{}`: {why}", value.escape_debug()))
}
