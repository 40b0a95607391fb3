//! `scan.distributed`: neighbours that share the work of one scan.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::finding::{Confidence, Recognition};
use crate::recognise::addresses::site;
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
    let (sources, targets) = (sources(scene, &members), scene.targets(&members));
    if sources.len() < limits.distributed_sources || targets.len() < limits.distributed_targets {
        return None;
    }
    let neighbours = neighbours(site, sources.len());
    Some(
        Case::new(scene, "scan.distributed", members)
            .with_ports()
            .with_ttls()
            .evidence(format!(
                "{neighbours} tried {} between them, so that none of them tries many.",
                words::count(targets.len() as u64, "target")
            ))
            .evidence("Clients behind one provider would want the same few ports.")
            .fact("detail", neighbours)
            .close(),
    )
}

/// Tells the scans of neighbours as one where each tries other targets than the others.
pub fn join(scene: &Scene<'_>, scans: Vec<Recognition>) -> Vec<Recognition> {
    let mut by_site: BTreeMap<(IpAddr, String), Vec<Recognition>> = BTreeMap::new();
    let mut told = Vec::new();
    for scan in scans {
        match scan.sources.first().filter(|source| !scan.subsumes && !scene.is_near(**source)) {
            Some(source) => by_site.entry((site(*source), scan.id.clone())).or_default().push(scan),
            None => told.push(scan),
        }
    }
    for ((site, _), scans) in by_site {
        match shared(scene, site, &scans) {
            Some(scan) => told.push(scan),
            None => told.extend(scans),
        }
    }
    told
}

fn shared(scene: &Scene<'_>, site: IpAddr, scans: &[Recognition]) -> Option<Recognition> {
    let members: Vec<usize> = scans.iter().flat_map(|scan| &scan.explains).copied().collect();
    let each: usize = scans.iter().map(|scan| scene.targets(&scan.explains).len()).sum();
    let (sources, targets) = (sources(scene, &members), scene.targets(&members));
    // Who tries all there is tries the same as everybody.
    let are_others = targets.len() as f64 >= scene.thresholds.scan.shared * each as f64;
    if sources.len() < scene.thresholds.scan.neighbours || !are_others {
        return None;
    }
    let neighbours = neighbours(site, sources.len());
    let case = Case::new(scene, "scan.distributed", members)
        .packets(scans.iter().map(|scan| scan.packets).sum())
        .confidence(Confidence::Likely)
        .with_ports()
        .with_ttls()
        .evidence(format!(
            "{neighbours} tried {} that were sampled, hardly one of which two of them tried.",
            words::count(targets.len() as u64, "target")
        ))
        .evidence("Each of them alone tries more than clients do.")
        .fact("detail", neighbours);
    let ids: BTreeSet<&str> =
        scans.iter().flat_map(|scan| std::iter::once(&scan.id).chain(&scan.also)).map(String::as_str).collect();
    Some(ids.into_iter().fold(case, Case::also).close())
}

fn sources(scene: &Scene<'_>, members: &[usize]) -> BTreeSet<IpAddr> {
    members.iter().map(|index| scene.sighting(*index).source()).collect()
}

fn neighbours(site: IpAddr, sources: usize) -> String {
    let prefix = if site.is_ipv4() { 24 } else { 64 };
    format!("{} of {site}/{prefix}", words::count(sources as u64, "source"))
}
