//! `scan.*`: scans, by their shape (how many ports of how many hosts, how slowly, by how many) and by the kind of their packets.

mod distributed;
pub mod kind;
mod pings;
mod protocols;
mod spread;

use std::net::IpAddr;

use annotator_common::source::distinct;

use super::{Claims, Scene, words};
use crate::finding::Recognition;
use crate::observation::Sighting;

/// Whether the SYNs of a source are a scan, even without those that are explained or would have another reason.
pub fn is_by_scanner(
    scene: &Scene<'_>,
    claims: &Claims,
    source: IpAddr,
    has_reason: impl Fn(&Sighting) -> bool,
) -> bool {
    let others = claims.free(scene.from(source)).filter(|index| !has_reason(scene.sighting(*index)));
    spread::is_scan(scene, source, others)
}

/// Finds scans: one finding for each source and kind, one for each group of neighbours that share the work.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let (mut found, mut scans) = (Vec::new(), Vec::new());
    let beyond = protocols::Beyond::of(scene);
    for (source, indices) in scene.sources() {
        if scene.is_ours(source) {
            continue;
        }
        let free: Vec<usize> = claims.free(indices).collect();
        scans.extend(spread::recognise(scene, source, &free));
        found.extend(pings::recognise(scene, source, &free));
        found.extend(protocols::recognise(scene, source, &free, &beyond));
    }
    found.extend(distributed::join(scene, scans));
    let taken = found.iter().flat_map(|recognition| recognition.explains.iter().copied()).collect();
    found.extend(distributed::recognise(scene, claims, &taken));
    distributed::parts(scene, claims, &mut found);
    found
}

/// How many addresses a source tried: those that were seen, which are all where the source table knows of no more.
fn addresses(scene: &Scene<'_>, source: IpAddr, seen: usize) -> String {
    let addresses = words::count(seen as u64, "address");
    let more = scene.view(source).is_some_and(|view| distinct(view.destinations) as usize > seen);
    if more && !scene.saw_all_of(source) { format!("at least {addresses}") } else { addresses }
}
