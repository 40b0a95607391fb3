//! Who signs on and is let in: a telephone at its exchange.

use std::collections::HashMap;

use annotator_common::Address;

use super::seen::{End, Seen, ends};
use crate::recognise::thresholds;

/// What was said to those who signed on.
#[derive(Default)]
struct Answers {
    let_in: usize,
    refused: usize,
}

/// Marks all that comes from those who signed on and were let in. The sightings are in order of time: an answer is to the latest request.
pub fn mark_admitted(all: &mut [Seen<'_>], limits: &thresholds::Rounds) {
    let mut signs_on: HashMap<(End, End), bool> = HashMap::new();
    let mut answers: HashMap<(Address, End), Answers> = HashMap::new();
    for seen in all.iter() {
        let (from, to) = ends(&seen.sighting.packet);
        for shape in &seen.shapes {
            if shape.name == "sip" {
                signs_on.insert((from, to), shape.attribute("method") == Some("REGISTER"));
            } else if shape.name == "sip-answer" && signs_on.get(&(to, from)) == Some(&true) {
                let answers = answers.entry((to.0, from)).or_default();
                match shape.attribute("status").and_then(|status| status.bytes().next()) {
                    Some(b'2') => answers.let_in += 1,
                    Some(b'3'..=b'6') => answers.refused += 1,
                    _ => {}
                }
            }
        }
    }
    answers.retain(|_, answers| answers.let_in > 0 && answers.refused <= limits.refusals * answers.let_in);
    for seen in all {
        let (from, to) = ends(&seen.sighting.packet);
        seen.admitted = answers.contains_key(&(from.0, to));
    }
}
