//! Sharing out an exact count among those who speak for its sampled packets.

use super::Voice;

/// Who accounts for a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Account {
    /// An entry.
    Voice(Voice),
    /// A recognition, by its index.
    Recognition(usize),
    /// Nobody: it is told elsewhere or needs no words.
    Silent,
}

/// A part of a count.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub account: Account,
    pub packets: u64,
    /// Indices of the sightings in it.
    pub sightings: Vec<usize>,
}

/// Shares `total` out. Sampled packets go to their account. What was not sampled goes to `general`, who could speak for every packet of the row, if it speaks
/// for a sampled one, if there is none, or where `unsampled_is_general` says so; else to the account with the most sampled packets.
pub(crate) fn share(
    total: u64,
    sampled: &[(usize, Account)],
    general: Account,
    unsampled_is_general: bool,
) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    for &(sighting, account) in sampled {
        match shares.iter_mut().find(|share| share.account == account) {
            Some(share) => {
                share.packets += 1;
                share.sightings.push(sighting);
            }
            None => shares.push(Share { account, packets: 1, sightings: vec![sighting] }),
        }
    }
    let rest = total.saturating_sub(sampled.len() as u64);
    if rest == 0 {
        return shares;
    }
    let general_speaks =
        unsampled_is_general || shares.is_empty() || shares.iter().any(|share| share.account == general);
    let heir = if general_speaks {
        general
    } else {
        shares.iter().max_by_key(|share| share.packets).map_or(general, |share| share.account)
    };
    match shares.iter_mut().find(|share| share.account == heir) {
        Some(share) => share.packets += rest,
        None => shares.push(Share { account: heir, packets: rest, sightings: Vec::new() }),
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERAL: Account = Account::Voice(Voice { entry: 1, variant: None });
    const NARROW: Account = Account::Voice(Voice { entry: 1, variant: Some(0) });

    fn packets(shares: &[Share], account: Account) -> u64 {
        shares.iter().filter(|share| share.account == account).map(|share| share.packets).sum()
    }

    #[test]
    fn what_nobody_sampled_is_general() {
        assert_eq!(packets(&share(7, &[], GENERAL, false), GENERAL), 7);
    }

    #[test]
    fn what_was_not_sampled_follows_the_samples() {
        let shares = share(100, &[(0, NARROW), (1, NARROW)], GENERAL, false);
        assert_eq!((packets(&shares, NARROW), packets(&shares, GENERAL)), (100, 0));
        let shares = share(100, &[(0, NARROW), (1, GENERAL)], GENERAL, false);
        assert_eq!((packets(&shares, NARROW), packets(&shares, GENERAL)), (1, 99));
    }

    #[test]
    fn nothing_is_lost() {
        for total in 0..5 {
            let sampled = [(0, NARROW), (1, GENERAL), (2, Account::Silent)];
            let all: u64 = share(total, &sampled, GENERAL, true).iter().map(|share| share.packets).sum();
            assert_eq!(all, total.max(3));
        }
    }
}
