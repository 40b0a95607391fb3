//! Walks the whole command line: whatever option it has or will have can be set in each place, and the places outrank each other as promised.

use std::collections::BTreeMap;
use std::fs;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::layers::{Environment, Form, Layers, configured, form, is_settable, key, refusal, variable};
use super::{command, relaxed, revocable};
use crate::cli::Cli;
use clap::CommandFactory;

/// Values for options of every type there is. An option that takes none of them fails the test: give it two that it takes.
const SAMPLES: [&str; 14] = [
    "7s",
    "11m",
    "192.0.2.1",
    "2001:db8::1",
    "192.0.2.1:99",
    "9184",
    "192.0.2.0/24",
    "2001:db8::/32",
    "tcp/22",
    "udp/53",
    "http://192.0.2.1:4318",
    "https://collector.example/v1/logs",
    "3",
    "7",
];

/// An option, and where it is.
struct Place {
    path: Vec<String>,
    arg: Arg,
}

impl Place {
    fn all() -> Vec<Place> {
        fn walk(command: &Command, path: &[String], places: &mut Vec<Place>) {
            let settable = command.get_arguments().filter(|arg| is_settable(arg));
            places.extend(settable.map(|arg| Place { path: path.to_vec(), arg: arg.clone() }));
            for subcommand in configured(command) {
                walk(subcommand, &[path, &[subcommand.get_name().to_owned()]].concat(), places);
            }
        }
        let mut places = Vec::new();
        walk(&Cli::command(), &[], &mut places);
        places
    }

    /// Two values that the option takes.
    fn values(&self) -> [String; 2] {
        let possible: Vec<String> = match form(&self.arg) {
            Form::Switch => ["false", "true"].map(str::to_owned).to_vec(),
            Form::Optional | Form::One | Form::Many => {
                let listed = self.arg.get_possible_values();
                let names = listed.iter().map(|value| value.get_name().to_owned());
                names.chain(SAMPLES.map(str::to_owned)).filter(|value| refusal(&self.arg, value).is_none()).collect()
            }
        };
        match &possible[..] {
            [one, other, ..] => [one.clone(), other.clone()],
            _ => panic!("SAMPLES has no two values for `{}` of {:?}", key(&self.arg), self.path),
        }
    }

    /// A file that sets it in the command's own table, or for all commands.
    fn file(&self, value: &str, shared: bool) -> String {
        let header = if shared { String::new() } else { format!("[{}]\n", self.path.join(".")) };
        let value = match form(&self.arg) {
            Form::Switch => value.to_owned(),
            Form::Optional | Form::One => format!("{value:?}"),
            Form::Many => format!("[{value:?}]"),
        };
        format!("{header}{} = {value}\n", key(&self.arg))
    }

    /// The command line that sets it, and nothing else.
    fn typed(&self, value: &str) -> Vec<String> {
        let mut words = vec!["annotator".to_owned()];
        words.extend(self.path.iter().cloned());
        match self.arg.get_long() {
            Some(long) => words.push(format!("--{long}={value}")),
            None => words.extend(["--".to_owned(), value.to_owned()]),
        }
        words
    }

    /// What the option is, given all three places. Other options may be missing.
    fn outcome(&self, file: &str, environment: &[(String, &str)], typed: Option<&str>) -> Vec<String> {
        let layers = layers(file, environment);
        let layered = relaxed(revocable(layers.below(Cli::command(), &[]).unwrap()));
        let words = match typed {
            Some(value) => self.typed(value),
            None => self.typed("")[..=self.path.len()].to_vec(),
        };
        let matches = without_demands(layered).try_get_matches_from(words).unwrap_or_else(|error| panic!("{error}"));
        raw(&matches, &self.path, &self.arg)
    }
}

/// Subcommands may be missing, too.
fn without_demands(command: Command) -> Command {
    command.subcommand_required(false).arg_required_else_help(false).mut_subcommands(without_demands)
}

fn layers(file: &str, environment: &[(String, &str)]) -> Layers {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("annotator.toml");
    fs::write(&path, file).unwrap();
    let environment: Environment = environment.iter().map(|(name, value)| (name.clone(), value.into())).collect();
    Layers::new(Some(&path), environment).unwrap()
}

fn raw(matches: &ArgMatches, path: &[String], arg: &Arg) -> Vec<String> {
    let matches =
        path.iter().fold(matches, |matches, name| matches.subcommand_matches(name).expect("the subcommand was given"));
    let values = matches.get_raw(arg.get_id().as_str()).into_iter().flatten();
    values.map(|value| value.to_string_lossy().into_owned()).collect()
}

#[test]
fn every_option_can_be_set_in_every_place() {
    let places = Place::all();
    assert!(places.len() > 20, "the walk has missed most of the command line");
    for place in &places {
        let name = format!("`{}` of {:?}", key(&place.arg), place.path);
        let [one, other] = place.values();
        let own = variable(&place.path, &key(&place.arg));
        let shared = variable(&[], &key(&place.arg));
        assert_eq!(place.outcome(&place.file(&one, false), &[], None), [&*one], "{name} in a file");
        assert_eq!(
            place.outcome(&place.file(&other, true), &[], None),
            [&*other],
            "{name} in a file, for all commands"
        );
        assert_eq!(place.outcome("", &[(own.clone(), &one)], None), [&*one], "{name} in the environment");
        assert_eq!(
            place.outcome("", &[(shared.clone(), &other)], None),
            [&*other],
            "{name} in the environment, for all"
        );
        let both = [(shared.clone(), &*one), (own, &*other)];
        assert_eq!(place.outcome("", &both, None), [&*other], "{name}: the command's own variable wins");

        let file = place.file(&one, false);
        let variable = [(shared, &*other)];
        assert_eq!(place.outcome(&file, &variable, None), [&*other], "{name}: the environment wins over the file");
        assert_eq!(place.outcome(&file, &[], Some(&other)), [&*other], "{name}: the command line wins over the file");
        assert_eq!(place.outcome(&file, &variable, Some(&one)), [&*one], "{name}: the command line wins over both");
    }
}

#[test]
fn no_two_options_share_a_variable() {
    let mut owners = BTreeMap::new();
    for place in Place::all() {
        let name = variable(&place.path, &key(&place.arg));
        assert!(!["ANNOTATOR_CONFIG", "ANNOTATOR_BINARY"].contains(&&*name), "{name} means something else");
        if let Some(other) = owners.insert(name.clone(), place.path.clone()) {
            panic!("{name} is of {other:?} and of {:?}", place.path);
        }
    }
}

#[test]
fn what_a_file_switches_on_can_be_switched_off() {
    let tool = || Command::new("tool").arg(Arg::new("quiet").long("quiet").action(ArgAction::SetTrue));
    let is_quiet = |file: &str, words: &[&str]| {
        let layered = revocable(layers(file, &[]).below(tool(), &[]).unwrap());
        layered.try_get_matches_from([&["tool"], words].concat()).unwrap().get_flag("quiet")
    };
    assert!(!is_quiet("", &[]));
    assert!(is_quiet("", &["--quiet"]));
    assert!(is_quiet("quiet = true", &[]));
    assert!(!is_quiet("quiet = true", &["--quiet=no"]));
    assert!(!is_quiet("quiet = false", &[]));
    assert!(layers("quiet = [\"yes\"]", &[]).below(tool(), &[]).is_err());
}

#[test]
fn what_needs_no_value_can_be_switched_on_and_off() {
    let optional: Vec<Place> = Place::all().into_iter().filter(|place| form(&place.arg) == Form::Optional).collect();
    assert!(optional.iter().any(|place| key(&place.arg) == "pin"), "the walk has missed --pin");
    for place in &optional {
        let name = format!("`{}` of {:?}", key(&place.arg), place.path);
        let file = |value: &str| format!("[{}]\n{} = {value}\n", place.path.join("."), key(&place.arg));
        let variable = |value| [(variable(&place.path, &key(&place.arg)), value)];
        let mut bare = place.typed("");
        if let Some(typed) = bare.last_mut() {
            *typed = typed.trim_end_matches('=').to_owned();
        }
        let matches = without_demands(relaxed(command())).try_get_matches_from(bare).unwrap();
        let on = raw(&matches, &place.path, &place.arg);
        assert_eq!(on.len(), 1, "{name}");
        assert_eq!(place.outcome(&file("true"), &[], None), on, "{name}");
        assert!(place.outcome(&file("false"), &[], None).is_empty(), "{name}");
        assert_eq!(place.outcome("", &variable("yes"), None), on, "{name}");
        assert!(place.outcome(&file("true"), &variable("no"), None).is_empty(), "{name}");
    }
}

#[test]
fn the_command_line_stays_consistent() {
    command().debug_assert();
}

#[test]
fn lists_from_the_environment_are_separated_by_commas() {
    let place = Place::all().into_iter().find(|place| key(&place.arg) == "interfaces").unwrap();
    let environment = [("ANNOTATOR_INTERFACES".to_owned(), "eth0,eth1")];
    assert_eq!(place.outcome("interfaces = [\"eth2\"]", &environment, None), ["eth0", "eth1"]);
}

#[test]
fn a_list_is_emptied_by_an_empty_one() {
    let place = Place::all().into_iter().find(|place| key(&place.arg) == "local").unwrap();
    assert!(place.outcome("local = [\"192.0.2.0/24\"]\n[run]\nlocal = []", &[], None).is_empty());
}
