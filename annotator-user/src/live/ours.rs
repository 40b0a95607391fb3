//! What is ours at an interface under watch: the addresses that it has, those that it had a moment ago, and what the user says.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use annotator_common::Local;

use crate::cli::LocalOptions;
use crate::observation::{Locality, Prefix};

/// What is ours.
pub struct Ours {
    given: LocalOptions,
    /// The same for the engine.
    given_local: Local,
    prefixes: Vec<Prefix>,
    /// What the interface has no longer, and since when: packets to it are in the window.
    former: Vec<(Prefix, Instant)>,
    window: Duration,
}

impl Ours {
    /// What the user says, and what the interface has.
    pub fn new(given: &LocalOptions, given_local: Local, prefixes: Vec<Prefix>, window: Duration) -> Self {
        Ours { given: given.clone(), given_local, prefixes, former: Vec::new(), window }
    }

    /// Takes what the interface has now. Returns whether that is something else.
    pub fn has(&mut self, prefixes: Vec<Prefix>) -> bool {
        if prefixes == self.prefixes {
            return false;
        }
        let now = Instant::now();
        let before = std::mem::replace(&mut self.prefixes, prefixes);
        self.former.extend(before.into_iter().map(|prefix| (prefix, now)));
        self.former.retain(|(prefix, _)| !self.prefixes.contains(prefix));
        true
    }

    /// What the engine is told, and whether it has room for all of it.
    pub fn local(&self) -> (Local, bool) {
        let mut local = self.given_local;
        let mut all = true;
        for prefix in &self.prefixes {
            all &= local.add_address(prefix.address.into());
            if let IpAddr::V4(address) = prefix.address {
                all &= local.add_prefix(address.into(), u32::from(prefix.bits));
            }
        }
        (local, all)
    }

    /// What the recognisers are told. They look at the whole window, in which an address that is gone was ours.
    pub fn locality(&mut self) -> Locality {
        self.former.retain(|(_, since)| since.elapsed() <= self.window);
        let former = self.former.iter().map(|(prefix, _)| *prefix);
        let prefixes: Vec<Prefix> = self.prefixes.iter().copied().chain(former).collect();
        let addresses = prefixes.iter().map(|prefix| prefix.address).chain(self.given.addresses.iter().copied());
        Locality {
            addresses: addresses.collect(),
            prefixes: prefixes.iter().chain(&self.given.prefixes).copied().collect(),
            listening: super::listening::ports(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(last: u8) -> Prefix {
        Prefix { address: [192, 0, 2, last].into(), bits: 24 }
    }

    fn addresses(ours: &mut Ours) -> Vec<IpAddr> {
        ours.locality().addresses
    }

    #[test]
    fn an_address_that_is_gone_is_ours_as_long_as_the_window_looks_back() {
        let first = |window| Ours::new(&LocalOptions::default(), Local::NOTHING, vec![prefix(1)], window);
        let mut ours = first(Duration::from_secs(3600));
        assert!(!ours.has(vec![prefix(1)]));
        assert!(ours.has(vec![prefix(2)]));
        assert_eq!(addresses(&mut ours), [prefix(2), prefix(1)].map(|prefix| prefix.address));
        assert_eq!(ours.local().0.v4_count, 1, "the engine looks at what arrives now");
        assert!(ours.has(vec![prefix(2), prefix(1)]), "it comes back");
        assert_eq!(addresses(&mut ours), [prefix(2), prefix(1)].map(|prefix| prefix.address));
        let mut ours = first(Duration::ZERO);
        ours.has(vec![prefix(2)]);
        assert_eq!(addresses(&mut ours), [prefix(2).address]);
    }
}
