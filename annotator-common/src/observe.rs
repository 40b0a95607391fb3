//! The one function that knows the packet's way through the engine.

use crate::classify::classify;
use crate::flags::rarely;
use crate::ledger::{Journal, Tally, Types};
use crate::parse::{Then, parse_then};
use crate::record;
use crate::sample::News;
use crate::{Frame, Link, Local, Packet, Settings, Sources, Ticks};

/// Parses, classifies and counts a frame. Returns why it is to be sampled, or [`News::NONE`]; the caller then hands a
/// [`Sample`](crate::Sample) out and tallies whether that succeeded.
///
/// `types` and `now` are called at most once each, and not for packets that do not need them.
#[inline(always)]
pub fn observe<'t, F: Frame + ?Sized>(
    frame: &F,
    link: Link,
    (settings, local): (&Settings, &Local),
    books: (&mut Journal, &mut Sources),
    types: impl FnOnce() -> Option<&'t mut Types>,
    now: impl FnOnce() -> Ticks,
) -> News {
    let (journal, sources) = books;
    parse_then(frame, link, Observer { frame, settings, local, journal, sources, types, now })
}

/// What happens to a packet that is parsed.
struct Observer<'a, F: ?Sized, T, N> {
    frame: &'a F,
    settings: &'a Settings,
    local: &'a Local,
    journal: &'a mut Journal,
    sources: &'a mut Sources,
    types: T,
    now: N,
}

impl<'t, F: Frame + ?Sized, T: FnOnce() -> Option<&'t mut Types>, N: FnOnce() -> Ticks> Then for Observer<'_, F, T, N> {
    type Output = News;

    #[inline(always)]
    fn then(self, mut packet: Packet) -> News {
        let Observer { frame, settings, local, journal, sources, types, now } = self;
        classify(frame, &mut packet, local);
        if rarely(!packet.flags.is_empty()) {
            packet.flags = journal.settled(packet.flags);
        }
        record::count(&packet, frame.len(), journal, types);

        if !record::is_tracked(&packet) {
            let class = record::payload_class(&packet, settings);
            if class == 0 {
                return News::NONE;
            }
            let second = settings.second(now());
            let granted = sources.grant_payload(class, second, settings.budget.per_payload);
            return ration(News::PAYLOAD, granted, second, settings, journal, sources);
        }
        let now = now();
        let (mut news, mut granted) = record::note(frame, &packet, settings, sources, journal, now);
        let class = record::payload_class(&packet, settings);
        if rarely(class != 0) {
            news.insert(News::PAYLOAD);
            granted = granted || sources.grant_payload(class, settings.second(now), settings.budget.per_payload);
        }
        if !rarely(news.any()) {
            return News::NONE;
        }
        ration(news, granted, settings.second(now), settings, journal, sources)
    }
}

/// The news, if there is budget for it.
#[inline(always)]
fn ration(
    news: News,
    granted: bool,
    second: u32,
    settings: &Settings,
    journal: &mut Journal,
    sources: &mut Sources,
) -> News {
    if granted && sources.grant(second, settings.budget.per_second) {
        return news;
    }
    journal.tally(Tally::SamplesOverBudget);
    News::NONE
}
