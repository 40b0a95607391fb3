//! What sources that stay the same send in masses, by the place to which it goes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::source::distinct;

use super::addresses::site;
use super::{Claims, Scene, words};
use crate::observation::{Sighting, SourceView};
use crate::quantity::number;

/// What some sources send to one place.
#[derive(Default)]
pub struct Masses<'s> {
    /// The sources.
    pub views: Vec<&'s SourceView>,
    /// How much they sent there: of each as large a part as of its samples.
    pub packets: u64,
    /// The samples of that.
    pub members: Vec<usize>,
}

impl Masses<'_> {
    /// Packets a second.
    pub fn rate(&self, scene: &Scene<'_>) -> f64 {
        scene.rate_of(self.packets, self.views.iter().map(|view| view.address))
    }

    /// How fast that comes, and from how many.
    pub fn pace(&self, rate: f64) -> String {
        pace(rate, self.views.len())
    }

    /// To how many hosts the senders send, as far as that is known.
    pub fn hosts(&self, scene: &Scene<'_>) -> usize {
        let most = self.views.iter().map(|view| distinct(view.destinations) as usize).max();
        most.unwrap_or_default().max(self.targets(scene).len())
    }

    /// Where the samples go.
    pub fn targets(&self, scene: &Scene<'_>) -> BTreeSet<IpAddr> {
        self.members.iter().map(|index| scene.sighting(*index).destination()).collect()
    }
}

/// How fast it comes, and from how many.
pub fn pace(rate: f64, sources: usize) -> String {
    format!("up to about {} a second, from {}", number(rate as u64), words::count(sources as u64, "source"))
}

/// Sources that may send something, each with its sightings of that.
pub fn senders<'s>(
    scene: &'s Scene<'_>,
    claims: &'s Claims,
    may: impl Fn(&SourceView) -> bool + 's,
    wanted: fn(&Scene<'_>, &Sighting) -> bool,
) -> impl Iterator<Item = (&'s SourceView, Vec<usize>)> {
    scene.sources().filter_map(move |(source, indices)| {
        let view = scene.view(source).filter(|view| may(view))?;
        let members: Vec<usize> = claims.free(indices).filter(|i| wanted(scene, scene.sighting(*i))).collect();
        (!members.is_empty()).then_some((view, members))
    })
}

/// Those that send more of it a second than anybody does by hand.
pub fn fast<'s>(
    scene: &'s Scene<'_>,
    claims: &'s Claims,
    wanted: fn(&Scene<'_>, &Sighting) -> bool,
    sent: fn(&SourceView) -> u64,
) -> impl Iterator<Item = (&'s SourceView, Vec<usize>)> {
    let each = scene.thresholds.flood.each;
    senders(scene, claims, move |view| is_as_fast(scene, view, sent(view), each), wanted)
}

/// Whether packets of a source come at a rate at the least. Most sources sent less than that in all.
pub fn is_as_fast(scene: &Scene<'_>, view: &SourceView, packets: u64, rate: f64) -> bool {
    packets as f64 >= rate && scene.rate_of(packets, [view.address]) >= rate
}

/// The site that a sighting goes to, and the port.
pub fn port_of_site(scene: &Scene<'_>) -> impl Fn(usize) -> (IpAddr, u16) {
    |index| {
        let (host, port) = scene.sighting(index).target();
        (site(host), port)
    }
}

/// What sources sent, by the place to which it went.
pub fn by_place<'s, P: Ord>(
    senders: impl Iterator<Item = (&'s SourceView, Vec<usize>)>,
    sent: fn(&SourceView) -> u64,
    place: impl Fn(usize) -> P,
) -> BTreeMap<P, Masses<'s>> {
    let mut places: BTreeMap<P, Masses<'s>> = BTreeMap::new();
    for (view, members) in senders {
        let mut parts: BTreeMap<P, Vec<usize>> = BTreeMap::new();
        members.iter().for_each(|i| parts.entry(place(*i)).or_default().push(*i));
        for (place, part) in parts {
            let masses = places.entry(place).or_default();
            masses.views.push(view);
            masses.packets += sent(view) * part.len() as u64 / members.len() as u64;
            masses.members.extend(part);
        }
    }
    places
}
