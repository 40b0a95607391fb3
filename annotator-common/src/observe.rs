//! The one function that knows the packet's way through the engine.

use crate::classify::classify;
use crate::flags::rarely;
use crate::ledger::Tally;
use crate::parse::{Then, parse_then};
use crate::record;
use crate::sample::News;
use crate::{Frame, Ledger, Link, Packet, Settings, Sources, Ticks};

/// Parses, classifies and counts a frame. Returns why it is to be sampled, or [`News::NONE`]; the caller then hands a
/// [`Sample`](crate::Sample) out and tallies whether that succeeded.
///
/// `sources` is called at most once, and not for packets that neither the source table nor the payload rules care about.
#[inline(always)]
pub fn observe<'s, F: Frame + ?Sized>(
    frame: &F,
    link: Link,
    settings: &Settings,
    ledger: &mut Ledger,
    sources: impl FnOnce() -> Option<(&'s mut Sources, Ticks)>,
) -> News {
    parse_then(frame, link, Observer { frame, settings, ledger, sources })
}

/// What happens to a packet that is parsed.
struct Observer<'a, F: ?Sized, S> {
    frame: &'a F,
    settings: &'a Settings,
    ledger: &'a mut Ledger,
    sources: S,
}

impl<'s, F: Frame + ?Sized, S: FnOnce() -> Option<(&'s mut Sources, Ticks)>> Then for Observer<'_, F, S> {
    type Output = News;

    #[inline(always)]
    fn then(self, mut packet: Packet) -> News {
        let Observer { frame, settings, ledger, sources } = self;
        classify(&mut packet, settings);
        packet.flags = ledger.settled(packet.flags);
        record::count(&packet, frame.len(), ledger);

        let tracked = record::is_tracked(&packet);
        let class = record::payload_class(&packet, settings);
        if !tracked && class == 0 {
            return News::NONE;
        }
        let Some((sources, now)) = sources() else { return News::NONE };

        let mut news = News::NONE;
        let mut granted = false;
        if tracked {
            (news, granted) = record::note(frame, &packet, settings, sources, ledger, now);
        }
        let second = now >> settings.second_shift;
        if rarely(class != 0) {
            news.insert(News::PAYLOAD);
            granted = granted || sources.grant_payload(class, second, settings.budget.per_payload);
        }
        if !rarely(news.any()) {
            return News::NONE;
        }
        if granted && sources.grant(second, settings.budget.per_second) {
            return news;
        }
        ledger.tally(Tally::SamplesOverBudget);
        News::NONE
    }
}
