//! The knowledge that comes with the program.

macro_rules! files {
    ($($name:literal,)*) => {
        /// Name and text of every built-in file.
        pub const BUILT_IN: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../knowledge/", $name))),)*];
    };
}

files! {
    "ports.toml",
    "trojans.toml",
    "amplifiers.toml",
    "quiet.toml",
    "leftovers.toml",
    "source-ports.toml",
    "addresses.toml",
    "ip.toml",
    "icmp.toml",
    "payloads.toml",
    "patterns.toml",
    "perspective.toml",
    "zen.toml",
    "payload-ports.toml",
    "answers.toml",
}
