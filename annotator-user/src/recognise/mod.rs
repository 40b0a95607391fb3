//! What many packets mean together, and what only looks like an attack.
//!
//! [`Scene`] indexes a window once; then each subject looks for its own pattern, in the order of [`SUBJECTS`]: lookalikes come before the
//! attacks that they resemble, and what a finding explains is not looked at again by the subjects behind it. Nothing here knows a
//! clock or does I/O, and every subject takes time in proportion to the sightings, whatever arrives.

pub mod case;
pub mod contacts;
pub mod quote;
pub mod scene;
pub mod thresholds;
pub mod words;

mod broadcast;
mod dns_low_source;
mod dual_homed;
mod ftp_data;
mod ident;
mod irc;
mod late_fin;
mod probe;
mod site;
mod traceroute;
mod traceroute_own;

use crate::finding::Recognition;
use crate::observation::Observations;
pub use case::Case;
pub use scene::Scene;
pub use thresholds::Thresholds;

/// Which sightings a finding explains already.
pub struct Claims(Vec<bool>);

impl Claims {
    /// Whether no finding explains the sighting yet.
    pub fn is_free(&self, index: usize) -> bool {
        !self.0[index]
    }

    /// Those of some sightings that no finding explains yet.
    pub fn free<'i>(&self, indices: &'i [usize]) -> impl Iterator<Item = usize> + use<'i, '_> {
        indices.iter().copied().filter(|index| self.is_free(*index))
    }

    fn take(&mut self, found: &[Recognition]) {
        for index in found.iter().flat_map(|recognition| &recognition.explains) {
            self.0[*index] = true;
        }
    }
}

type Subject = fn(&Scene<'_>, &Claims) -> Vec<Recognition>;

/// All subjects, lookalikes first.
const SUBJECTS: &[Subject] = &[
    traceroute::recognise,
    traceroute_own::recognise,
    ftp_data::recognise,
    ident::recognise,
    irc::recognise,
    late_fin::recognise,
    site::recognise,
    dual_homed::recognise,
    dns_low_source::recognise,
    broadcast::recognise,
    probe::recognise,
];

/// Finds what the packets of a window mean together.
pub fn recognise(observations: &Observations<'_>, thresholds: &Thresholds) -> Vec<Recognition> {
    let scene = Scene::new(observations, thresholds);
    let mut claims = Claims(vec![false; observations.sightings.len()]);
    let mut all = Vec::new();
    for subject in SUBJECTS {
        let found = subject(&scene, &claims);
        claims.take(&found);
        all.extend(found);
    }
    all
}
