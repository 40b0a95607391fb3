//! The configuration in force, as a file that would set the same.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use clap::{Arg, Command, CommandFactory};

use super::file::Value;
use super::layers::{Form, Layers, configured, form, is_settable, key};
use crate::cli::Cli;

/// Column of the comments.
const COMMENT: usize = 44;

/// Every option of every command with its value and where that comes from, as TOML.
pub fn show(file: Option<&Path>) -> Result<String> {
    let layers = Layers::new(file, super::environment())?;
    layers.below(Cli::command(), &[])?;
    let mut page = String::new();
    tables(&layers, &Cli::command(), &[], &mut page);
    Ok(page)
}

fn tables(layers: &Layers, command: &Command, path: &[String], page: &mut String) {
    let settable: Vec<&Arg> = command.get_arguments().filter(|arg| is_settable(arg)).collect();
    if !settable.is_empty() {
        let blank = if page.is_empty() { "" } else { "\n" };
        let _ = writeln!(page, "{blank}[{}]", path.join("."));
        for arg in settable {
            let (setting, origin) = line(layers, arg, path);
            let _ = writeln!(page, "{setting:COMMENT$}  # {origin}");
        }
    }
    for subcommand in configured(command) {
        tables(layers, subcommand, &[path, &[subcommand.get_name().to_owned()]].concat(), page);
    }
}

/// An assignment, and where it was made.
fn line(layers: &Layers, arg: &Arg, path: &[String]) -> (String, String) {
    let key = key(arg);
    let usual: Vec<String> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    match layers.find(arg, path) {
        Some((origin, Ok(value))) => (format!("{key} = {}", toml(form(arg), value)), origin.to_string()),
        Some((origin, Err(problem))) => (format!("# {key}"), format!("{origin}: {problem}")),
        None if form(arg) == Form::Switch => (format!("{key} = false"), "default".to_owned()),
        None if usual.is_empty() => (format!("# {key} ="), "not set".to_owned()),
        None => (format!("{key} = {}", toml(form(arg), Value::Many(usual))), "default".to_owned()),
    }
}

fn toml(form: Form, value: Value) -> toml::Value {
    match (form, value) {
        (_, Value::Switch(on)) => on.into(),
        (Form::Switch | Form::Optional | Form::One, Value::Many(values)) => {
            values.into_iter().collect::<String>().into()
        }
        (Form::Switch | Form::Optional | Form::One, Value::One(value)) => value.into(),
        (Form::Many, Value::One(value)) => vec![value].into(),
        (Form::Many, Value::Many(values)) => values.into(),
    }
}
