//! The engine's source tables → one view of every source, merged over time and over CPUs.
//!
//! A slot of the table is given to another source once its own has been silent for some minutes, and its counts wrap. So the tables are looked at now and then:
//! [`Slots`] remembers what each slot held and tells the difference; [`SourceBook`] adds the differences up, in bounded memory.

use std::collections::HashMap;

use annotator_common::source::{self, kinds};
use annotator_common::{Source, Sources, Ticks};

use crate::observation::{Moment, SourceView};

/// What the slots of the source tables held when they were last looked at.
#[derive(Default)]
pub struct Slots {
    tables: Vec<Box<[Source]>>,
}

impl Slots {
    /// As if these tables had been looked at already.
    pub fn remembered(tables: Vec<Box<[Source]>>) -> Self {
        Slots { tables }
    }

    /// What the slots held, table by table.
    pub fn tables(&self) -> impl Iterator<Item = &[Source]> {
        self.tables.iter().map(|table| &**table)
    }

    /// Looks at the table of one CPU: `entries` are the tag word and slot at each index from 0 on. Hands the source of every slot that has changed to
    /// `changed`, with what was counted since the last look. The time of the first packet and the maps of ports and destinations are always those
    /// since the source got its slot.
    pub fn look(
        &mut self,
        table: usize,
        entries: impl Iterator<Item = (u32, Source)>,
        seed: &[u64; 2],
        moment: impl Fn(Ticks) -> Moment,
        mut changed: impl FnMut(SourceView),
    ) {
        while self.tables.len() <= table {
            self.tables.push(vec![Source::default(); source::CAPACITY].into_boxed_slice());
        }
        let mut differences = Vec::new();
        for (index, (before, (tag, now))) in self.tables[table].iter_mut().zip(entries).enumerate() {
            let same_life = before.address == now.address && before.first == now.first;
            if same_life && before.packets == now.packets && before.last == now.last {
                continue;
            }
            // Beside a running kernel a slot can be met half replaced; the next look finds it whole.
            if now.packets == 0 || !Sources::tag_matches(tag, &now.address, seed) {
                continue;
            }
            let earlier = if same_life { *before } else { Source::default() };
            differences.push((index, difference(&earlier, &now, &moment)));
            *before = now;
        }
        for (index, mut seen) in differences {
            let elsewhere = self.tables.iter().enumerate().filter(|(other, _)| *other != table);
            for slot in elsewhere.flat_map(|(_, slots)| &slots[source::set_around(index)]) {
                if slot.packets > 0 && slot.address.to_ip() == seen.address {
                    recall(&mut seen, slot, &moment);
                }
            }
            changed(seen);
        }
    }
}

/// Adds what another CPU knows of a source that it has not met of late: packets of one source reach one CPU today and another tomorrow.
fn recall(seen: &mut SourceView, slot: &Source, moment: impl Fn(Ticks) -> Moment) {
    seen.first = seen.first.min(moment(slot.first));
    seen.ports |= slot.ports;
    seen.destinations |= slot.destinations;
}

/// What was counted in a slot between two looks.
fn difference(earlier: &Source, now: &Source, moment: impl Fn(Ticks) -> Moment) -> SourceView {
    let packets = u64::from(now.packets.wrapping_sub(earlier.packets));
    // Half-words wrap within a busy second. Where a source only ever did one thing, that is what all its packets were.
    let all_if_only = |kind: u8, counted: u16| {
        let others = now.kinds & !(kind | kinds::FRAGMENT | kinds::RARE);
        if now.kinds & kind != 0 && others == 0 { packets } else { u64::from(counted) }
    };
    let syn = u64::from(now.syn.wrapping_sub(earlier.syn));
    let (first, last) = (moment(now.first), moment(now.last));
    let since = if earlier.packets > 0 { moment(earlier.last) } else { first };
    let mut view = SourceView {
        address: now.address.to_ip(),
        first,
        last,
        packets,
        syn,
        syn_rate: (syn as f64 / last.seconds_since(since).max(1.0)) as u64,
        rst: now.rst.wrapping_sub(earlier.rst).into(),
        fin: now.fin.wrapping_sub(earlier.fin).into(),
        icmp: all_if_only(kinds::ICMP, now.icmp.wrapping_sub(earlier.icmp)),
        udp: all_if_only(kinds::UDP, now.udp.wrapping_sub(earlier.udp)),
        ports: now.ports,
        destinations: now.destinations,
        ttl_low: now.ttl_low,
        ttl_high: now.ttl_high,
        kinds: now.kinds,
    };
    // Where each of them ends or resets a connection, what no other column counts is the same but for whole rounds.
    let others = view.others();
    for counted in [&mut view.rst, &mut view.fin] {
        if u64::from(others as u16) == *counted {
            *counted = others;
        }
    }
    view
}

/// Sources with all that was seen of them. Holds a limited number; the least remarkable go first.
pub struct SourceBook {
    sources: HashMap<std::net::IpAddr, SourceView>,
    capacity: usize,
    dropped: u64,
}

impl SourceBook {
    /// A book for so many sources.
    pub fn new(capacity: usize) -> Self {
        SourceBook { sources: HashMap::new(), capacity: capacity.max(4), dropped: 0 }
    }

    /// Adds what was seen of a source.
    pub fn add(&mut self, seen: SourceView) {
        self.sources.entry(seen.address).and_modify(|known| merge(known, &seen)).or_insert(seen);
        if self.sources.len() > self.capacity {
            self.shrink();
        }
    }

    /// Lets the least remarkable quarter go.
    fn shrink(&mut self) {
        let mut ranks: Vec<u32> = self.sources.values().map(remarkable).collect();
        let quarter = ranks.len() / 4;
        let threshold = *ranks.select_nth_unstable(quarter).1;
        // Below the threshold all go, at it only as many as needed.
        let mut at_threshold = quarter - ranks[..quarter].iter().filter(|rank| **rank < threshold).count();
        let before = self.sources.len();
        self.sources.retain(|_, source| {
            let rank = remarkable(source);
            if rank == threshold && at_threshold > 0 {
                at_threshold -= 1;
                return false;
            }
            rank >= threshold
        });
        self.dropped += (before - self.sources.len()) as u64;
    }

    /// Sources that were let go for want of room. One that comes back counts again.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many sources there are.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The sources, in no order.
    pub fn views(&self) -> impl Iterator<Item = &SourceView> {
        self.sources.values()
    }

    /// The sources in order of their first packet.
    pub fn into_views(self) -> Vec<SourceView> {
        let mut views: Vec<_> = self.sources.into_values().collect();
        views.sort_unstable_by_key(|source| (source.first, source.address));
        views
    }
}

/// How much a source stands out: by how many ports and hosts it touched, then by how often it came.
fn remarkable(source: &SourceView) -> u32 {
    let spread = source.ports.count_ones().max(1) * source.destinations.count_ones().max(1);
    spread * 8 + source.packets.max(1).ilog2()
}

fn merge(known: &mut SourceView, seen: &SourceView) {
    known.first = known.first.min(seen.first);
    known.last = known.last.max(seen.last);
    known.packets += seen.packets;
    known.syn += seen.syn;
    known.syn_rate = known.syn_rate.max(seen.syn_rate);
    known.rst += seen.rst;
    known.fin += seen.fin;
    known.icmp += seen.icmp;
    known.udp += seen.udp;
    known.ports |= seen.ports;
    known.destinations |= seen.destinations;
    known.ttl_low = known.ttl_low.min(seen.ttl_low);
    known.ttl_high = known.ttl_high.max(seen.ttl_high);
    known.kinds |= seen.kinds;
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use annotator_common::Address;

    use super::*;

    const SEED: [u64; 2] = [1, 2];

    fn slot(address: u32, first: Ticks, packets: u32) -> (u32, Source) {
        let address = Address::from(IpAddr::from(Ipv4Addr::from(address)));
        let tag = u32::from(source::tag_of(source::hash(&address, &SEED)));
        let udp = packets as u16;
        let source = Source {
            address,
            first,
            last: first.wrapping_add(packets),
            packets,
            udp,
            kinds: kinds::UDP,
            ..Source::default()
        };
        (tag << 16 | 1 << 8, source)
    }

    fn look(slots: &mut Slots, entries: &[(u32, Source)]) -> Vec<SourceView> {
        look_at(slots, 0, entries)
    }

    fn look_at(slots: &mut Slots, table: usize, entries: &[(u32, Source)]) -> Vec<SourceView> {
        let mut seen = Vec::new();
        let moment = |ticks| Moment(i64::from(ticks));
        slots.look(table, entries.iter().copied(), &SEED, moment, |view| seen.push(view));
        seen
    }

    #[test]
    fn only_differences_are_told() {
        let mut slots = Slots::default();
        assert_eq!(look(&mut slots, &[slot(1, 10, 5), slot(2, 10, 1)]).len(), 2);
        let seen = look(&mut slots, &[slot(1, 10, 7), slot(2, 10, 1)]);
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].packets, seen[0].first, seen[0].last), (2, Moment(10), Moment(17)));
        assert!(look(&mut slots, &[slot(1, 10, 7)]).is_empty());
    }

    #[test]
    fn what_another_cpu_knows_of_a_source_is_not_forgotten() {
        let mut slots = Slots::default();
        let (tag, mut source) = slot(1, 10, 5);
        (source.ports, source.destinations) = (0b11, 1);
        look_at(&mut slots, 0, &[slot(2, 1, 1), (tag, source)]);
        let (tag, mut source) = slot(1, 900, 5);
        (source.ports, source.destinations) = (0b100, 1);
        let seen = look_at(&mut slots, 1, &[(tag, source)]);
        assert_eq!((seen.len(), seen[0].packets, seen[0].first, seen[0].ports), (1, 5, Moment(10), 0b111));
    }

    #[test]
    fn a_slot_with_a_new_owner_starts_from_zero() {
        let mut slots = Slots::default();
        look(&mut slots, &[slot(1, 10, 5)]);
        let seen = look(&mut slots, &[slot(3, 99, 4)]);
        assert_eq!((seen[0].address, seen[0].packets), (IpAddr::from(Ipv4Addr::from(3)), 4));
        // The same owner after a pause.
        let seen = look(&mut slots, &[slot(3, 500, 2)]);
        assert_eq!(seen[0].packets, 2);
    }

    #[test]
    fn counts_wrap() {
        let mut slots = Slots::default();
        look(&mut slots, &[slot(1, 10, u32::MAX - 1)]);
        let (tag, mut source) = slot(1, 10, 1);
        source.packets = 3;
        let seen = look(&mut slots, &[(tag, source)]);
        assert_eq!(seen[0].packets, 5);
        // More packets than sixteen bits hold, but all of one kind.
        source.packets = 300_000;
        assert_eq!(look(&mut slots, &[(tag, source)])[0].udp, 299_997);
        // Or all of them resets, among them some that do something else besides, and a request before.
        (source.packets, source.syn, source.rst, source.fin) = (500_001, 1, 200_000_u32 as u16, 7);
        source.kinds |= kinds::TCP | kinds::SYN;
        let seen = look(&mut slots, &[(tag, source)]);
        assert_eq!((seen[0].syn, seen[0].rst, seen[0].fin), (1, 200_000, 7));
    }

    #[test]
    fn half_replaced_slots_wait() {
        let mut slots = Slots::default();
        let (tag, source) = slot(1, 10, 5);
        assert!(look(&mut slots, &[(tag ^ 1 << 16, source)]).is_empty());
        assert_eq!(look(&mut slots, &[(tag, source)])[0].packets, 5);
    }

    #[test]
    fn the_book_is_bounded_and_keeps_who_stands_out() {
        let mut slots = Slots::default();
        let mut book = SourceBook::new(1000);
        let mut scanner = look(&mut slots, &[slot(7, 0, 50)])[0];
        scanner.ports = u64::MAX;
        book.add(scanner);
        for address in 0..20_000_u32 {
            let (tag, source) = slot(0x0a00_0000 + address, 1, 1);
            for view in look(&mut slots, &[(tag, source)]) {
                book.add(view);
            }
        }
        assert!(book.len() <= 1000);
        assert_eq!(book.dropped() + book.len() as u64, 20_001);
        assert!(book.into_views().iter().any(|view| view.address == scanner.address));
    }
}
