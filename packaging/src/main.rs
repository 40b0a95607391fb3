//! Writes manual pages and shell completions into a folder, from the definition of the command line: `annotator-packaging DIR`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap_complete::Shell;

const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

fn main() -> Result<()> {
    let folder: PathBuf = std::env::args_os().nth(1).context("which folder? annotator-packaging DIR")?.into();
    let pages = make(&folder, "man")?;
    clap_mangen::generate_to(annotator::config::command(), &pages)
        .with_context(|| format!("cannot write manual pages to {}", pages.display()))?;
    let completions = make(&folder, "completions")?;
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut annotator::config::command(), "annotator", &completions)
            .with_context(|| format!("cannot write completions for {shell} to {}", completions.display()))?;
    }
    Ok(())
}

fn make(folder: &Path, name: &str) -> Result<PathBuf> {
    let folder = folder.join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}
