//! The one function that knows the packet's way through the engine.

use crate::classify::classify;
use crate::ledger::Tally;
use crate::parse::parse;
use crate::record::{self, Placed};
use crate::sample::News;
use crate::{Flags, Frame, Ledger, Link, Settings, Sources, Ticks};

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
    let mut packet = parse(frame, link);
    classify(&mut packet, settings);
    packet.flags = Flags::from_bits(frame.settled(packet.flags.bits()));
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
        let noted = record::note(&packet, settings, sources, now);
        news = noted.news;
        match noted.place {
            Placed::Tracked { fresh } => {
                if fresh {
                    ledger.tally(Tally::SourcesTracked);
                }
                granted = news.any();
            }
            Placed::Exhausted { fresh } => {
                if fresh {
                    ledger.tally(Tally::SourcesTracked);
                }
            }
            Placed::Refused => {
                ledger.tally(Tally::SourcesNotTracked);
                granted = news.any();
            }
        }
    }
    let second = now >> settings.second_shift;
    if class != 0 {
        news.insert_if(News::PAYLOAD, true);
        if !granted {
            granted = sources.grant_payload(class, second, settings.budget.per_payload);
        }
    }
    if !news.any() {
        return News::NONE;
    }
    if granted && sources.grant(second, settings.budget.per_second) {
        return news;
    }
    ledger.tally(Tally::SamplesOverBudget);
    News::NONE
}
