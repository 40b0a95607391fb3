//! `scan.ping-sweep`: who is there?

use std::collections::BTreeSet;
use std::net::IpAddr;

use annotator_common::Transport;

use crate::finding::Recognition;
use crate::observation::Sighting;
use crate::recognise::scene::{is_to_many, site};
use crate::recognise::{Case, Scene, words};

/// Finds a sweep by one source.
pub fn recognise(scene: &Scene<'_>, source: IpAddr, indices: &[usize]) -> Option<Recognition> {
    let limits = &scene.thresholds.scan;
    let members: Vec<usize> = indices.iter().copied().filter(|i| is_question(scene, scene.sighting(*i))).collect();
    let hosts: BTreeSet<IpAddr> = members.iter().map(|i| scene.sighting(*i).destination()).collect();
    let answered = hosts.iter().filter(|host| scene.has_sent(**host, source)).count();
    let asked = scene.view(source).map_or(members.len() as u64, |view| view.icmp);
    let repeated = asked >= limits.ping_repeats * hosts.len() as u64;
    // Who asks again and again watches over hosts that he knows, and so may who asks those who answer: from around here, or all over the place.
    let sites: BTreeSet<IpAddr> = hosts.iter().map(|host| site(*host)).collect();
    let are_together = sites.len() == 1 || hosts.iter().all(|host| scene.is_near(*host));
    let is_stranger = are_together && !members.iter().any(|i| scene.is_from_around(scene.sighting(*i)));
    let monitors = repeated || (!is_stranger && answered * 2 >= hosts.len());
    if hosts.len() < limits.ping_hosts || monitors || scene.is_near(source) {
        return None;
    }
    Some(
        Case::new(scene, "scan.ping-sweep", members)
            .packets(asked)
            .evidence(format!("{} were pinged, {answered} answered.", words::count(hosts.len() as u64, "address")))
            .with_ttls()
            .evidence("Who pings the same addresses at regular intervals is a monitor.")
            .fact("detail", words::count(hosts.len() as u64, "address"))
            .close(),
    )
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
