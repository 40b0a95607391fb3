//! `scan.distributed`: neighbours that share the work of one scan.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::finding::Recognition;
use crate::recognise::scene::site;
use crate::recognise::{Case, Claims, Scene, words};

/// Finds scans by several sources of one site, one finding for each site.
pub fn recognise(scene: &Scene<'_>, claims: &Claims, taken: &BTreeSet<usize>) -> Vec<Recognition> {
    let mut by_site: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (source, indices) in scene.sources().filter(|(source, _)| !scene.is_near(*source)) {
        let probes: Vec<usize> =
            claims.free(indices).filter(|index| !taken.contains(index) && scene.is_probe(*index)).collect();
        if !scene.watches(source, &probes, scene.thresholds.scan.checks, false) {
            by_site.entry(site(source)).or_default().extend(probes);
        }
    }
    by_site.into_iter().filter_map(|(site, members)| explain(scene, site, members)).collect()
}

fn explain(scene: &Scene<'_>, site: IpAddr, members: Vec<usize>) -> Option<Recognition> {
    let limits = &scene.thresholds.scan;
    let seen = || members.iter().map(|i| scene.sighting(*i));
    let sources: BTreeSet<IpAddr> = seen().map(|s| s.source()).collect();
    let targets = scene.targets(&members);
    if sources.len() < limits.distributed_sources || targets.len() < limits.distributed_targets {
        return None;
    }
    let prefix = if site.is_ipv4() { 24 } else { 64 };
    Some(
        Case::new(scene, "scan.distributed", members)
            .with_ports()
            .with_ttls()
            .evidence(format!(
                "{} of {site}/{prefix} tried {} between them, so that none of them tries many.",
                words::count(sources.len() as u64, "source"),
                words::count(targets.len() as u64, "target")
            ))
            .evidence("Clients behind one provider would want the same few ports.")
            .fact("detail", format!("{} of {site}/{prefix}", words::count(sources.len() as u64, "source")))
            .close(),
    )
}
