//! Laying a file and the environment below the command line.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;

use anyhow::{Result, anyhow};
use clap::builder::{BoolishValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};

use super::file::{self, Section, Value};
use super::{OPTION, VARIABLE};

/// How the names of our variables begin.
pub const PREFIX: &str = "ANNOTATOR_";
/// Commands that are not configured: they are about configuration.
const UNCONFIGURED: &str = "config";
/// Variables that set-up and tests of the project read: they say nothing to the program.
const OF_DEVELOPMENT: [&str; 6] = ["BINARY", "BLESS", "BPF_LINKER", "BPF_TOOLCHAIN", "COVERAGE", "DEBIAN_MIRROR"];
/// How alike (0 to 1) a wrong name and a right one are where the right one may be meant.
const ALIKE: f64 = 0.5;

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
    /// It is there or not, and may have a value.
    Optional,
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

    /// The command line above these layers. Fails when they say what the command line would not take. `called` names the subcommand that is called, and
    /// its own: what is said of others is not looked at then.
    pub fn below(&self, command: Command, called: &[String]) -> Result<Command> {
        let mut problems = Problems::new();
        self.find_unknown(&command, &self.file, called, &mut problems);
        let layered = self.lay(command, &[], called, &mut problems);
        let lines: Vec<String> = problems.iter().map(|(origin, problem)| format!("{origin}: {problem}")).collect();
        if lines.is_empty() { Ok(layered) } else { Err(anyhow!(lines.join("\n"))) }
    }

    /// What is wrong with the names of variables: one that no option has does nothing.
    pub fn unknown_variables(&self, command: &Command) -> Vec<String> {
        let mut known = Vec::from(OF_DEVELOPMENT.map(|name| format!("{PREFIX}{name}")));
        known.push(VARIABLE.to_owned());
        let options = known.len();
        add_variables(command, &[], &mut known);
        let unknown = self.environment.keys().filter(|name| !known.contains(*name));
        unknown
            .map(|name| {
                let options = known[options..].iter().map(String::as_str);
                format!("{}: no option has this variable{}", name.escape_debug(), nearest(name, options))
            })
            .collect()
    }

    fn lay(&self, command: Command, path: &[String], called: &[String], problems: &mut Problems) -> Command {
        command.mut_args(|arg| if is_settable(&arg) { self.lay_arg(arg, path, problems) } else { arg }).mut_subcommands(
            |subcommand| match subcommand.get_name() {
                name if name == UNCONFIGURED || !concerns(called, name) => subcommand,
                name => {
                    let path = [path, &[name.to_owned()]].concat();
                    self.lay(subcommand, &path, called.get(1..).unwrap_or_default(), problems)
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
                Form::Optional => is_on(text).map_or_else(|| Value::One(text.to_owned()), Value::Switch),
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
        found.map(|setting| (self.line(setting.line), setting.value.clone()))
    }

    fn line(&self, line: usize) -> Origin {
        Origin::Line(self.name.clone(), line)
    }

    /// Complains of keys and tables that no command has.
    fn find_unknown(&self, command: &Command, section: &Section, called: &[String], problems: &mut Problems) {
        let mut known = Vec::new();
        add_keys(command, &mut known);
        for (key, setting) in &section.settings {
            if !known.contains(key) {
                let nearest = nearest(key, known.iter().map(String::as_str));
                let problem = format!("unknown key `{key}`{nearest}; `annotator config show` lists the known ones");
                problems.insert(self.line(setting.line), problem);
            }
        }
        for (name, section) in &section.sections {
            match configured(command).find(|subcommand| subcommand.get_name() == name) {
                Some(_) if !concerns(called, name) => {}
                Some(subcommand) => {
                    self.find_unknown(subcommand, section, called.get(1..).unwrap_or_default(), problems);
                }
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

/// Whether a subcommand is called, or may be.
fn concerns(called: &[String], subcommand: &str) -> bool {
    called.first().is_none_or(|called| called == subcommand)
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
        _ if arg.get_num_args().is_some_and(|values| values.min_values() == 0) => Form::Optional,
        _ => Form::One,
    }
}

/// `ANNOTATOR_RUN_INTERVAL` for the key `interval` of `run`.
pub fn variable(path: &[String], key: &str) -> String {
    let words: Vec<&str> = path.iter().map(String::as_str).chain([key]).collect();
    format!("{PREFIX}{}", words.join("_").replace('-', "_").to_uppercase())
}

/// Adds the variables of every option: its own, and those that it shares with other commands.
fn add_variables(command: &Command, path: &[String], known: &mut Vec<String>) {
    for arg in command.get_arguments().filter(|arg| is_settable(arg)) {
        known.extend((0..=path.len()).map(|depth| variable(&path[..depth], &key(arg))));
    }
    for subcommand in configured(command) {
        add_variables(subcommand, &[path, &[subcommand.get_name().to_owned()]].concat(), known);
    }
}

/// Adds the key of every option.
fn add_keys(command: &Command, known: &mut Vec<String>) {
    known.extend(command.get_arguments().filter(|arg| is_settable(arg)).map(key));
    configured(command).for_each(|subcommand| add_keys(subcommand, known));
}

/// Asks for the known name that is most like a wrong one, if one is like it.
fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> String {
    let bare = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
    known
        .map(|name| (strsim::normalized_damerau_levenshtein(&bare(wrong), &bare(name)), name))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .filter(|(alike, _)| *alike >= ALIKE)
        .map_or_else(String::new, |(_, name)| format!("; is {name} meant?"))
}

/// What a word for yes or no says.
fn is_on(word: &str) -> Option<bool> {
    BoolishValueParser::new().parse_ref(&Command::new("parser"), None, OsStr::new(word)).ok()
}

/// The values of an option as its own parser takes them, or why it does not.
fn values(arg: &Arg, value: Value) -> Result<Vec<String>, String> {
    let values = match (form(arg), value) {
        (Form::Switch, Value::Switch(on)) => return Ok(vec![on.to_string()]),
        (Form::Optional, Value::Switch(on)) => return Ok(if on { left_out(arg) } else { Vec::new() }),
        (Form::Switch, Value::Many(_)) => return Err("is on or off: write true or false".to_owned()),
        (Form::One | Form::Many, Value::Switch(_)) => return Err("takes a value, not true or false".to_owned()),
        (Form::Optional | Form::One, Value::Many(_)) => return Err("takes one value, not a list".to_owned()),
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

/// The value that an option has when the command line gives it without one.
fn left_out(arg: &Arg) -> Vec<String> {
    let alone = Command::new("parser").no_binary_name(true).arg(arg.clone());
    let matches = alone.try_get_matches_from([format!("--{}", key(arg))]);
    let values = matches.iter().filter_map(|matches| matches.get_raw(arg.get_id().as_str())).flatten();
    values.map(|value| value.to_string_lossy().into_owned()).collect()
}

/// Why an option's own parser refuses a value.
pub fn refusal(arg: &Arg, value: &str) -> Option<String> {
    let alone = Arg::new("value").long("value");
    let alone = match form(arg) {
        Form::Switch => alone.value_parser(BoolishValueParser::new()),
        Form::Optional | Form::One | Form::Many => alone.value_parser(arg.get_value_parser().clone()),
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
