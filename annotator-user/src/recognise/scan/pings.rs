//! `scan.ping-sweep`: who is there?

use std::collections::BTreeSet;
use std::net::IpAddr;

use annotator_common::Transport;
use annotator_common::source::distinct;

use super::addresses;
use crate::finding::Recognition;
use crate::observation::{Sighting, SourceView};
use crate::recognise::addresses::site;
use crate::recognise::packets::is_to_many;
use crate::recognise::{Case, Scene};

/// Finds a sweep by one source.
pub fn recognise(scene: &Scene<'_>, source: IpAddr, indices: &[usize]) -> Option<Recognition> {
    let limits = &scene.thresholds.scan;
    let members: Vec<usize> = indices.iter().copied().filter(|i| is_question(scene, scene.sighting(*i))).collect();
    let hosts: BTreeSet<IpAddr> = members.iter().map(|i| scene.sighting(*i).destination()).collect();
    let answered = hosts.iter().filter(|host| scene.has_sent(**host, source)).count();
    let view = scene.view(source);
    let repeated = view.is_some_and(|view| watches(scene, view, &members, hosts.len()));
    // Who asks again and again watches over hosts that he knows, and so may who asks those who answer: from around here, or all over the place.
    let sites: BTreeSet<IpAddr> = hosts.iter().map(|host| site(*host)).collect();
    let are_together = sites.len() == 1 || hosts.iter().all(|host| scene.is_near(*host));
    let is_stranger = are_together && !members.iter().any(|i| scene.is_from_around(scene.sighting(*i)));
    let monitors = repeated || (!is_stranger && answered * 2 >= hosts.len());
    if hosts.len() < limits.ping_hosts || monitors || scene.is_near(source) {
        return None;
    }
    let asked = view.map_or(members.len() as u64, |view| view.icmp);
    let pinged = addresses(scene, source, hosts.len());
    Some(
        Case::new(scene, "scan.ping-sweep", members)
            .packets(asked)
            .evidence(format!("It pinged {pinged}, of which {answered} answered."))
            .with_ttls()
            .evidence("Who pings the same addresses at regular intervals is a monitor.")
            .fact("detail", pinged)
            .close(),
    )
}

/// Whether a source asks some hosts again and again, for longer than who repeats what was lost, and met them all before the half of that time was over.
/// Where they are too many for the table's map, nobody knows.
fn watches(scene: &Scene<'_>, view: &SourceView, members: &[usize], hosts: usize) -> bool {
    let limits = &scene.thresholds.scan;
    let mut met = BTreeSet::new();
    let new = members.iter().map(|i| scene.sighting(*i)).filter(|sighting| met.insert(sighting.destination()));
    let last_new = new.map(|sighting| sighting.at).max().unwrap_or_default();
    let seconds = view.last.seconds_since(view.first);
    view.destinations != u64::MAX
        && view.icmp >= limits.ping_repeats * hosts.max(distinct(view.destinations) as usize) as u64
        && seconds >= limits.patience
        && last_new.seconds_since(view.first) * 2.0 <= seconds
}

/// Echo, timestamp and address mask requests.
fn is_question(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let kind = sighting.packet.icmp_type;
    let question = match sighting.packet.transport {
        Transport::Icmp => matches!(kind, 8 | 13 | 17),
        Transport::Icmpv6 => kind == 128,
        _ => false,
    };
    question && !is_to_many(sighting) && scene.is_inbound(sighting)
}
