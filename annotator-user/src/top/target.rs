//! What a person named: interfaces to watch, or captures to walk through.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// What is to be shown.
#[derive(Debug, PartialEq, Eq)]
pub enum Targets {
    /// Interfaces.
    Interfaces(Vec<String>),
    /// Capture files.
    Captures(Vec<PathBuf>),
}

impl Targets {
    /// Tells them apart. What has a slash is a file, and so is `-`; of the rest, what is the name of an interface is one.
    pub fn find(names: &[PathBuf]) -> Result<Self> {
        let devices = procfs::net::dev_status().context("cannot list this machine's interfaces")?;
        let devices: Vec<String> = devices.into_keys().collect();
        Targets::of(names, devices)
    }

    fn of(names: &[PathBuf], mut devices: Vec<String>) -> Result<Self> {
        let (mut interfaces, mut captures) = (Vec::new(), Vec::new());
        for path in names {
            let name = path.to_string_lossy();
            if is_path(path) {
                captures.push(path.clone());
            } else if devices.iter().any(|device| *device == name) {
                interfaces.push(name.into_owned());
            } else if path.exists() {
                captures.push(path.clone());
            } else {
                devices.sort();
                bail!(
                    "{name} is neither a capture file nor an interface: there is no such file here, and this machine has the interfaces {}",
                    devices.join(", ")
                );
            }
        }
        match (interfaces.first(), captures.first()) {
            (Some(interface), Some(capture)) => bail!(
                "{interface} is an interface and {} a file; interfaces are watched and captures walked through, one or the other",
                capture.display()
            ),
            (Some(_), None) => Ok(Targets::Interfaces(interfaces)),
            _ => Ok(Targets::Captures(captures)),
        }
    }
}

fn is_path(path: &Path) -> bool {
    path == Path::new("-") || path.as_os_str().as_encoded_bytes().contains(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(names: &[&str]) -> Result<Targets> {
        Targets::of(&names.iter().map(PathBuf::from).collect::<Vec<_>>(), vec!["lo".into(), "eth0".into()])
    }

    #[test]
    fn a_slash_makes_a_file_and_a_name_an_interface() {
        assert_eq!(targets(&["eth0", "lo"]).unwrap(), Targets::Interfaces(vec!["eth0".into(), "lo".into()]));
        // Whether it exists is found out where it is opened, with a message of its own.
        for file in ["./eth0", "/absent/x.pcap", "-"] {
            assert_eq!(targets(&[file]).unwrap(), Targets::Captures(vec![file.into()]));
        }
        // Cargo runs tests in the package's folder.
        assert_eq!(targets(&["Cargo.toml"]).unwrap(), Targets::Captures(vec!["Cargo.toml".into()]));
    }

    #[test]
    fn what_is_neither_and_what_is_both() {
        let neither = targets(&["eth1"]).unwrap_err().to_string();
        assert!(neither.contains("eth1 is neither") && neither.contains("eth0, lo"), "{neither}");
        let both = targets(&["eth0", "./x.pcap"]).unwrap_err().to_string();
        assert!(both.contains("eth0") && both.contains("./x.pcap"), "{both}");
    }
}
