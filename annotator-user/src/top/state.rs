//! All that the view shows and what keys do to it: reports and keys in, a state out. No terminal, no clock.

use jiff::tz::TimeZone;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::detail::Page;
use super::history::History;
use super::listing::{Listing, Order};
use super::pane::Pane;
use super::walk::Walk;
use crate::knowledge::Knowledge;
use crate::report::Report;

/// Rows and lines that Page Up and Page Down go, where the height is not known yet.
const SCREENFUL: usize = 10;
/// Characters that a filter may have.
const FILTER_MAX: usize = 60;

/// What is to be done after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Show the state.
    GoOn,
    /// End.
    Quit,
}

/// An interface, or captures.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// The latest report on it.
    pub report: Option<Report>,
    /// Its rates from report to report.
    pub history: History,
    /// Whether nothing more will come.
    pub gone: bool,
}

/// How a table is looked at.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// In which order.
    pub order: Order,
    /// What rows have to hold.
    pub filter: String,
    /// Which row is selected.
    pub selected: usize,
    /// The first row that is shown; the view keeps the selected one in sight.
    pub first: usize,
    /// What the selected row is about, once somebody has selected it: it stays selected wherever it moves. Until then the top is.
    key: Option<String>,
}

/// What has the keys.
#[derive(Clone, Debug)]
pub enum Mode {
    /// The table.
    Table,
    /// The line in which a filter is typed.
    Filter,
    /// A page over the table.
    Reading {
        /// What it says.
        page: Page,
        /// Lines that were scrolled away; the view takes back what is too much.
        scrolled: usize,
    },
    /// The list of keys.
    Help,
}

/// The view's state.
pub struct State {
    subjects: Vec<Subject>,
    /// What was to be seen when it was paused.
    paused: Option<Vec<Subject>>,
    current: usize,
    knowledge: Knowledge,
    /// Which table is shown.
    pub pane: Pane,
    looks: [Look; Pane::ALL.len()],
    /// The rows that are shown, in their order.
    pub listing: Listing,
    /// What has the keys.
    pub mode: Mode,
    /// In which times are shown.
    pub zone: TimeZone,
    /// The place in time, in captures.
    pub walk: Option<Walk>,
    /// Something to say until a key is pressed.
    pub message: Option<String>,
    /// Rows or lines that the last picture had room for.
    pub height: usize,
}

impl State {
    /// Nothing to see yet of each of `names`.
    pub fn new(names: impl IntoIterator<Item = String>, knowledge: Knowledge, walk: Option<Walk>) -> Self {
        let subject = |name| Subject { name, report: None, history: History::default(), gone: false };
        State {
            subjects: names.into_iter().map(subject).collect(),
            paused: None,
            current: 0,
            knowledge,
            pane: Pane::default(),
            looks: Default::default(),
            listing: Listing::default(),
            mode: Mode::Table,
            zone: TimeZone::system(),
            walk,
            message: None,
            height: SCREENFUL,
        }
    }

    /// Takes a report on what has its name.
    pub fn take(&mut self, mut report: Report) {
        let name = &report.source.name;
        if let Some(subject) = self.subjects.iter_mut().find(|subject| subject.name == *name) {
            // Whole windows of packets are not shown here.
            report.sightings = Vec::new();
            if subject.report.is_none() {
                self.message = report.notes.first().cloned();
            }
            subject.history.take(&report);
            subject.report = Some(report);
        }
        self.refresh();
    }

    /// Nothing more will come of an interface.
    pub fn lose(&mut self, name: &str) {
        for subject in self.subjects.iter_mut().chain(self.paused.iter_mut().flatten()) {
            subject.gone |= subject.name == name;
        }
        self.message = Some(format!("{name} is gone: the interface was removed"));
    }

    /// What is shown, its place among all, and their number.
    pub fn subject(&self) -> (&Subject, usize, usize) {
        let subjects = self.paused.as_ref().unwrap_or(&self.subjects);
        (&subjects[self.current], self.current, subjects.len())
    }

    /// The report that is shown.
    pub fn report(&self) -> Option<&Report> {
        self.subject().0.report.as_ref()
    }

    /// Whether the picture stands still.
    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// How the table is looked at.
    pub fn look(&self) -> &Look {
        &self.looks[self.pane.index()]
    }

    /// The same, to be changed.
    pub fn look_mut(&mut self) -> &mut Look {
        &mut self.looks[self.pane.index()]
    }

    /// What an event of the terminal does.
    pub fn on(&mut self, event: &Event) -> Next {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.press(*key),
            // A change of size shows in the next picture.
            _ => Next::GoOn,
        }
    }

    fn press(&mut self, key: KeyEvent) -> Next {
        self.message = None;
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if key.code == KeyCode::Char('c') { Next::Quit } else { Next::GoOn };
        }
        match self.mode {
            Mode::Table => return self.press_in_table(key.code),
            Mode::Filter => self.press_in_filter(key.code),
            Mode::Reading { .. } => self.press_in_page(key.code),
            Mode::Help => self.mode = Mode::Table,
        }
        Next::GoOn
    }

    fn press_in_table(&mut self, code: KeyCode) -> Next {
        let page = isize::try_from(self.height.max(1)).unwrap_or(1);
        match code {
            KeyCode::Char('q') => return Next::Quit,
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.mode = Mode::Help,
            KeyCode::Tab | KeyCode::Right => self.turn_to(self.pane.index() + 1),
            KeyCode::BackTab | KeyCode::Left => self.turn_to(self.pane.index() + Pane::ALL.len() - 1),
            KeyCode::Char(digit @ '1'..='6') => self.turn_to(digit as usize - '1' as usize),
            KeyCode::Down | KeyCode::Char('j') => self.select_by(1),
            KeyCode::Up | KeyCode::Char('k') => self.select_by(-1),
            KeyCode::PageDown => self.select_by(page),
            KeyCode::PageUp => self.select_by(-page),
            KeyCode::Home | KeyCode::Char('g') => self.select_by(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.select_by(isize::MAX),
            KeyCode::Enter => self.open(),
            KeyCode::Char('c') => self.open_coverage(),
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Esc => self.look_again(|look| look.filter.clear()),
            KeyCode::Char(key @ ('s' | 'S')) => {
                let columns = self.listing.columns.len();
                self.look_again(|look| look.order = look.order.turned(columns, key == 's'));
            }
            KeyCode::Char('r') => self.look_again(|look| look.order.reversed ^= true),
            KeyCode::Char('p' | ' ') => self.pause(),
            KeyCode::Char('i') => self.switch(1),
            KeyCode::Char('I') => self.switch(self.subjects.len() - 1),
            KeyCode::Char(',') => self.step(-1),
            KeyCode::Char('.') => self.step(1),
            KeyCode::Char('<') => self.step(-10),
            KeyCode::Char('>') => self.step(10),
            _ => {}
        }
        Next::GoOn
    }

    fn press_in_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.mode = Mode::Table,
            KeyCode::Esc => {
                self.mode = Mode::Table;
                self.look_again(|look| look.filter.clear());
            }
            KeyCode::Backspace => self.look_again(|look| {
                look.filter.pop();
            }),
            KeyCode::Char(letter) => self.look_again(|look| {
                if look.filter.chars().count() < FILTER_MAX && !letter.is_control() {
                    look.filter.push(letter);
                }
            }),
            _ => {}
        }
    }

    fn press_in_page(&mut self, code: KeyCode) {
        let page = self.height.max(2) - 1;
        let Mode::Reading { scrolled, .. } = &mut self.mode else { return };
        match code {
            KeyCode::Down | KeyCode::Char('j') => *scrolled += 1,
            KeyCode::Up | KeyCode::Char('k') => *scrolled = scrolled.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => *scrolled += page,
            KeyCode::PageUp => *scrolled = scrolled.saturating_sub(page),
            KeyCode::Home | KeyCode::Char('g') => *scrolled = 0,
            KeyCode::End | KeyCode::Char('G') => *scrolled = usize::MAX / 2,
            KeyCode::Esc | KeyCode::Enter | KeyCode::Backspace | KeyCode::Char('q') => self.mode = Mode::Table,
            _ => {}
        }
    }

    fn turn_to(&mut self, pane: usize) {
        self.pane = Pane::ALL[pane % Pane::ALL.len()];
        self.refresh();
    }

    fn switch(&mut self, by: usize) {
        self.current = (self.current + by) % self.subjects.len();
        if self.subjects.len() == 1 {
            self.message = Some("there is only this one; name several interfaces to switch between them".into());
        }
        self.refresh();
    }

    fn pause(&mut self) {
        if self.walk.is_some() {
            self.message = Some("a capture stands still; , and . step through its time".into());
            return;
        }
        self.paused = if self.paused.is_some() { None } else { Some(self.subjects.clone()) };
        self.refresh();
    }

    fn step(&mut self, by: i32) {
        self.message = match &mut self.walk {
            Some(walk) => walk.step(by).err().map(str::to_owned),
            None => Some("only a capture can be stepped through; p pauses".into()),
        };
    }

    fn look_again(&mut self, change: impl FnOnce(&mut Look)) {
        change(self.look_mut());
        self.refresh();
    }

    fn select_by(&mut self, rows: isize) {
        let Some(last) = self.listing.rows.len().checked_sub(1) else { return };
        let selected = self.look().selected.saturating_add_signed(rows).min(last);
        let key = (selected > 0).then(|| self.listing.rows[selected].key.clone());
        let look = self.look_mut();
        look.selected = selected;
        look.key = key;
    }

    /// The selected row in full.
    pub fn selected_page(&self) -> Option<Page> {
        let row = self.listing.rows.get(self.look().selected)?;
        Some(Page::of(self.report()?, self.pane, &self.listing, row, &self.knowledge, &self.zone))
    }

    fn open(&mut self) {
        if let Some(page) = self.selected_page() {
            self.mode = Mode::Reading { page, scrolled: 0 };
        }
    }

    fn open_coverage(&mut self) {
        if let Some(report) = self.report() {
            self.mode = Mode::Reading { page: Page::of_coverage(report), scrolled: 0 };
        }
    }

    /// Makes the rows anew, and finds the selected one among them.
    fn refresh(&mut self) {
        let look = &self.looks[self.pane.index()];
        let mut listing = self.report().map(|report| self.pane.listing(report)).unwrap_or_default();
        listing.arrange(&look.filter, look.order);
        let found = look.key.as_ref().and_then(|key| listing.position(key));
        let last = listing.rows.len().saturating_sub(1);
        let look = &mut self.looks[self.pane.index()];
        look.selected = match (&look.key, found) {
            (None, _) => 0,
            (Some(_), Some(found)) => found,
            (Some(_), None) => look.selected.min(last),
        };
        self.listing = listing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::PortRow;
    use crate::top::tests::{press, report, state};

    fn selected(state: &State) -> &str {
        &state.listing.rows[state.look().selected].key
    }

    fn keys(state: &mut State, keys: &str) {
        for key in keys.chars() {
            assert_eq!(press(state, KeyCode::Char(key)), Next::GoOn);
        }
    }

    #[test]
    fn it_ends_on_q_and_on_ctrl_c_wherever_one_is() {
        let mut state = state();
        assert_eq!(press(&mut state, KeyCode::Char('q')), Next::Quit);
        for mode in ["", "/", "?"] {
            keys(&mut state, mode);
            let ctrl_c = Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
            assert_eq!(state.on(&ctrl_c), Next::Quit);
        }
    }

    #[test]
    fn q_is_a_letter_in_a_filter_and_closes_a_page() {
        let mut state = state();
        keys(&mut state, "/q");
        assert_eq!(state.look().filter, "q");
        press(&mut state, KeyCode::Esc);
        assert_eq!(state.look().filter, "");
        press(&mut state, KeyCode::Enter);
        assert!(matches!(state.mode, Mode::Reading { .. }));
        keys(&mut state, "q");
        assert!(matches!(state.mode, Mode::Table));
    }

    #[test]
    fn tabs_go_round() {
        let mut state = state();
        press(&mut state, KeyCode::BackTab);
        assert_eq!(state.pane, Pane::Protocols);
        press(&mut state, KeyCode::Tab);
        assert_eq!(state.pane, Pane::Findings);
        keys(&mut state, "4");
        assert_eq!(state.pane, Pane::Sources);
    }

    #[test]
    fn what_is_selected_stays_selected_where_it_moves() {
        let mut state = state();
        keys(&mut state, "2");
        assert_eq!(selected(&state), "tcp/23", "the top, until somebody selects");
        press(&mut state, KeyCode::Down);
        assert_eq!(selected(&state), "source-port udp 53");
        let mut next = report();
        let new = PortRow { port: 80, packets: 1 << 40, ..next.ports[0].clone() };
        next.ports.insert(0, new);
        state.take(next);
        assert_eq!((selected(&state), state.look().selected), ("source-port udp 53", 2));
        keys(&mut state, "g");
        assert_eq!(selected(&state), "tcp/80");
        // What has left the report leaves its place to another.
        keys(&mut state, "G");
        let mut fewer = report();
        fewer.ports.truncate(1);
        state.take(fewer);
        assert_eq!(selected(&state), "tcp/23");
    }

    #[test]
    fn filters_and_orders_are_each_table_s_own() {
        let mut state = state();
        keys(&mut state, "2/udp");
        press(&mut state, KeyCode::Enter);
        assert_eq!(state.listing.rows.len(), 1);
        keys(&mut state, "1");
        assert_eq!(state.listing.rows.len(), 2);
        keys(&mut state, "2");
        assert_eq!(state.listing.rows.len(), 1);
        press(&mut state, KeyCode::Esc);
        keys(&mut state, "s");
        assert_eq!(state.look().order, Order { column: Some(0), reversed: false });
        assert_eq!(selected(&state), "tcp/23");
        keys(&mut state, "r");
        assert_eq!(selected(&state), "source-port udp 53");
    }

    #[test]
    fn a_paused_picture_stands_still_and_catches_up() {
        let mut state = state();
        keys(&mut state, "p");
        let mut next = report();
        next.totals.packets += 5;
        state.take(next.clone());
        assert_ne!(state.report().unwrap().totals, next.totals);
        keys(&mut state, "p");
        assert_eq!(state.report().unwrap().totals, next.totals);
    }

    #[test]
    fn interfaces_are_switched_between_and_lost() {
        let mut state = State::new(["eth0".into(), "eth1".into()], Knowledge::load(&[]).unwrap(), None);
        state.take(report());
        keys(&mut state, "i");
        assert_eq!(state.subject().0.name, "eth1");
        assert!(state.report().is_none() && state.listing.rows.is_empty());
        press(&mut state, KeyCode::Enter);
        press(&mut state, KeyCode::Down);
        keys(&mut state, "cI");
        assert_eq!(state.subject().0.name, "eth0");
        state.lose("eth0");
        assert!(state.subject().0.gone && state.message.is_some());
    }

    #[test]
    fn a_live_view_has_no_place_in_time() {
        let mut state = state();
        keys(&mut state, ",");
        assert!(state.message.as_ref().unwrap().contains("capture"));
        keys(&mut state, "j");
        assert!(state.message.is_none(), "said until the next key");
    }
}
