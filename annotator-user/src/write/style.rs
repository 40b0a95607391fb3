//! How text is laid out: width, colour, numbers, and what is let through of what came from the network.

use std::io::{self, IsTerminal};

use crate::finding::Verdict;
pub use crate::quantity::{count, number};

/// Width where there is no terminal to ask.
const WIDTH: usize = 80;
/// Lines longer than this are hard to read, however wide the terminal is.
const WIDTH_MAX: usize = 120;

/// How text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Characters a line may have.
    pub width: usize,
    /// Whether ANSI colours are understood.
    pub colour: bool,
}

impl Style {
    /// For a file or a pipe.
    pub const PLAIN: Style = Style { width: WIDTH, colour: false };

    /// For standard output as it is: colours on a terminal only, unless `NO_COLOR` (no-color.org) is set or the terminal is dumb.
    pub fn of_stdout() -> Self {
        if !io::stdout().is_terminal() {
            return Style::PLAIN;
        }
        let width = terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0));
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Style { width: width.clamp(WIDTH, WIDTH_MAX), colour: !unwanted && !dumb }
    }

    /// Text that stands out.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Text that stands back.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Text in the colour of a verdict.
    pub fn verdict(self, verdict: Verdict, text: &str) -> String {
        let code = match verdict {
            Verdict::Attack => "1;31",
            Verdict::Reconnaissance => "33",
            Verdict::Misconfiguration | Verdict::ThirdParty => "36",
            Verdict::Unknown => "35",
            Verdict::Normal | Verdict::BenignLookalike | Verdict::Background => "32",
        };
        self.paint(code, text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A number of bytes with a unit.
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut amount = value as f64;
    let mut unit = "B";
    for next in UNITS {
        if amount < 1024.0 {
            break;
        }
        amount /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{value} B") } else { format!("{amount:.1} {unit}") }
}

/// A length of time.
pub fn seconds(value: f64) -> String {
    let whole = value.max(0.0) as u64;
    match whole {
        0..10 => format!("{value:.1} s"),
        10..120 => format!("{whole} s"),
        120..7200 => format!("{} min {} s", whole / 60, whole % 60),
        7200..172_800 => format!("{} h {} min", whole / 3600, whole / 60 % 60),
        _ => format!("{} days {} h", whole / 86_400, whole / 3600 % 24),
    }
}

/// Text without anything that a terminal or a browser would act on: control characters, those that turn the direction of writing, and those that cannot
/// be seen.
pub fn safe(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    if !text.contains(acts) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if acts(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// How text is broken into lines of a width. No line is longer, which the crate's own choice of breaks does not promise, and there is no break at a hyphen:
/// commands are to be copied from here.
pub fn wrapping<'a>(width: usize) -> textwrap::Options<'a> {
    textwrap::Options::new(width)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn times() {
        assert_eq!(seconds(0.25), "0.2 s");
        assert_eq!(seconds(75.0), "75 s");
        assert_eq!(seconds(3600.0), "60 min 0 s");
        assert_eq!(seconds(200_000.0), "2 days 7 h");
    }

    #[test]
    fn nothing_reaches_the_terminal() {
        assert_eq!(safe("plain text, é and 中"), "plain text, é and 中");
        assert_eq!(safe("a\x1b[2Jb\u{9b}c\u{202e}d\ne"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d e");
        assert_eq!(safe("a\u{200b}b\u{61c}c\u{e0041}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
    }

    #[test]
    fn no_line_is_longer_than_asked_for() {
        let width = 78;
        // Where a long word leaves much of a line empty, one line that stands out looks better to some.
        for long in 70..=90 {
            let text = format!("see {} there", "x".repeat(long));
            let lines = textwrap::wrap(&text, wrapping(width));
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{lines:#?}");
        }
    }
}
