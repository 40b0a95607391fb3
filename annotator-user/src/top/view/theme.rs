//! Colours, where they are wanted.

use ratatui::style::{Color, Modifier, Style};

use crate::finding::Verdict;

/// How things look.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    /// Whether colours are understood and wanted; everything can be told apart without.
    pub colour: bool,
}

impl Theme {
    /// A verdict, as in the text summary.
    pub fn verdict(self, verdict: Verdict) -> Style {
        match verdict {
            Verdict::Attack => self.coloured(Color::Red).add_modifier(Modifier::BOLD),
            Verdict::Reconnaissance => self.coloured(Color::Yellow),
            Verdict::Misconfiguration | Verdict::ThirdParty => self.coloured(Color::Cyan),
            Verdict::Unknown => self.coloured(Color::Magenta),
            Verdict::Normal | Verdict::BenignLookalike | Verdict::Background => self.coloured(Color::Green),
        }
    }

    /// Sparklines.
    pub fn rate(self) -> Style {
        self.coloured(Color::Cyan)
    }

    /// What stands out.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What stands back.
    pub fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What is selected.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    fn coloured(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }
}
