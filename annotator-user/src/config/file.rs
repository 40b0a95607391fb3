//! A configuration file → settings by command and key, each with the line that it stands on.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::toml_file::{FileError, Source};

/// What a file says of a command: its settings, and the sections of its subcommands.
#[derive(Debug, Default)]
pub struct Section {
    /// By key.
    pub settings: BTreeMap<String, Setting>,
    /// By the subcommand's name.
    pub sections: BTreeMap<String, Section>,
    /// Where it starts.
    pub line: usize,
}

/// One line of a file.
#[derive(Debug)]
pub struct Setting {
    /// What it says, or why that is nothing an option can hold.
    pub value: Result<Value, String>,
    /// Where.
    pub line: usize,
}

/// The value of a setting, as text that the command line would take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// True or false.
    Switch(bool),
    /// Text or a number.
    One(String),
    /// A list.
    Many(Vec<String>),
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Section, FileError> {
    let source = Source::read(path)?;
    let root = DeTable::parse(&source.text).map_err(|error| source.not_toml(&error))?;
    Ok(section(&source, &root))
}

fn section(source: &Source, table: &Spanned<DeTable<'_>>) -> Section {
    let mut read = Section { line: source.line(&table.span()), ..Section::default() };
    for (key, value) in table.get_ref() {
        let name = key.get_ref().clone().into_owned();
        match value.get_ref() {
            DeValue::Table(inner) => {
                let inner = Spanned::new(key.span(), inner.clone());
                read.sections.insert(name, section(source, &inner));
            }
            other => {
                let setting = Setting { value: setting(other), line: source.line(&key.span()) };
                read.settings.insert(name, setting);
            }
        }
    }
    read
}

fn setting(value: &DeValue<'_>) -> Result<Value, String> {
    match value {
        DeValue::Boolean(switch) => Ok(Value::Switch(*switch)),
        DeValue::Array(items) => {
            items.iter().map(|item| scalar(item.get_ref())).collect::<Result<_, _>>().map(Value::Many)
        }
        other => scalar(other).map(Value::One),
    }
}

fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(|number| number.to_string())
            .map_err(|error| error.to_string()),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        other => Err(format!("cannot hold a TOML {}: write text or a number", other.type_str())),
    }
}
