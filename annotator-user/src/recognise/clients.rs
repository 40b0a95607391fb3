//! Who is a client, by what comes of the connections that it asks for: a port's counters cannot tell, since a busy port carries more than any flood.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use super::Scene;
use super::half::Half;
use crate::counters::{PortProto, Side};
use crate::observation::{Moment, Rate, SourceView};

/// Packets that a connection brings behind its SYN at the least: it is acknowledged, and used or ended.
pub const BEHIND_SYN: u64 = 2;

/// Sources with their SYNs.
pub type Callers = BTreeMap<IpAddr, Vec<usize>>;

/// The SYNs of all of them.
pub fn members(callers: &Callers) -> Vec<usize> {
    callers.values().flatten().copied().collect()
}

/// How many SYNs some sources sent, sampled or not.
pub fn sent(scene: &Scene<'_>, callers: &Callers) -> u64 {
    callers.iter().map(|(source, syns)| scene.syns_like(*source, syns.len())).sum()
}

/// SYNs a second that some sources sent: over the time for which they were seen or, if that is more, at the least when most came at once. A capture may
/// be long, and hold a packet of theirs at either end.
pub fn rate(scene: &Scene<'_>, syn: u64, callers: &Callers) -> f64 {
    let fastest = callers.iter().filter_map(|(source, syns)| {
        let view = scene.view(*source)?;
        Some(view.syn_rate as f64 * scene.syns_like(*source, syns.len()) as f64 / view.syn.max(1) as f64)
    });
    let whole = scene.rate_of(syn, callers.keys().copied());
    fastest.fold(whole.max(rate_at_once(scene, members(callers))), f64::max)
}

/// SYNs a second, of those sampled, in the busiest stretch that is long enough for a flood.
fn rate_at_once(scene: &Scene<'_>, syns: Vec<usize>) -> f64 {
    let limits = &scene.thresholds.flood;
    let seconds = limits.syn as f64 / limits.rate;
    most_within(scene, syns, seconds) as f64 / seconds
}

/// How many of some SYNs came within so many seconds, at the most.
pub fn most_within(scene: &Scene<'_>, mut syns: Vec<usize>, seconds: f64) -> usize {
    syns.sort_unstable();
    let at = |index: usize| scene.sighting(index).at;
    let (mut first, mut most) = (0, 0);
    for (last, index) in syns.iter().enumerate() {
        while at(*index).seconds_since(at(syns[first])) > seconds {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

/// How many connections that were begun at a port ended there, by the counters, which miss nobody: as many FINs came, and what belongs to them, but for those
/// of sources that do nothing else. Those that are older make up for those that go on.
pub fn ended(scene: &Scene<'_>, port: u16) -> u64 {
    let count = scene.port(PortProto::Tcp, Side::Dst, port);
    let fin = (count.fin as f64 * scene.used_ends) as u64;
    let is_used = count.all.packets - count.syn.packets >= BEHIND_SYN * fin;
    if is_used { fin.min(count.syn.packets) } else { 0 }
}

/// How many SYNs some sources sent, sampled or not, beyond those of the connections that they ended.
pub fn unended(scene: &Scene<'_>, callers: &Callers) -> u64 {
    let of_source = |(source, syns): (&IpAddr, &Vec<usize>)| {
        let all = scene.sampled(*source).syn.max(1);
        let ends = scene.view(*source).map_or(0, |view| view.fin * syns.len() as u64 / all);
        scene.syns_like(*source, syns.len()).saturating_sub(ends)
    };
    callers.iter().map(of_source).sum()
}

/// SYNs that came to a port.
pub fn syns(scene: &Scene<'_>, port: u16) -> u64 {
    scene.port(PortProto::Tcp, Side::Dst, port).syn.packets
}

impl Scene<'_> {
    /// What [`Scene::connects`] says of a source. A reset by which a system says that it knows of no connection is no use of it, and nobody uses a
    /// connection that is seen to be refused.
    pub fn uses_connections(&self, source: IpAddr) -> bool {
        let asked = self.asked(source);
        let used = asked.iter().filter(|half| {
            let (there, back) = (self.carried(half), self.carried(&half.reverse()));
            (there.running || there.aborted) && (back.syn_ack || !back.reset)
        });
        self.ends_connections(source) || (!asked.is_empty() && used.count() * 2 >= asked.len())
    }

    /// Whether a source ends most connections that it begins, at ports where more came than what begins and ends them, or at hosts that end as many: they
    /// came about, and it is a client.
    pub fn ends_connections(&self, source: IpAddr) -> bool {
        let connections = |view: &SourceView| self.share_of_first_syns(source) * view.syn as f64;
        let ends = |view: &SourceView| view.fin as f64 >= self.thresholds.scan.finished * connections(view);
        self.view(source).is_some_and(|view| view.syn > 0 && ends(view)) && self.asks_where_more_came(source)
    }

    /// Which part of a source's SYNs, by those that were sampled, are no repetitions: a system repeats what a dead host leaves unanswered.
    pub fn share_of_first_syns(&self, source: IpAddr) -> f64 {
        self.asked(source).len() as f64 / self.syns_of(source).len().max(1) as f64
    }

    fn asks_where_more_came(&self, source: IpAddr) -> bool {
        let asked = self.targets(&self.syns_of(source));
        self.came_behind(&asked, BEHIND_SYN as f64) || self.are_ended_there(&asked)
    }

    /// Whether a source asks for ports to which more came than what begins connections and gives them up.
    pub fn asks_where_data_came(&self, source: IpAddr) -> bool {
        let each = (BEHIND_SYN + 1) as f64 * self.share_of_first_syns(source);
        self.came_behind(&self.targets(&self.syns_of(source)), each)
    }

    /// Whether so many packets came to some ports behind each SYN, on average.
    fn came_behind(&self, asked: &BTreeSet<(IpAddr, u16)>, each: f64) -> bool {
        let ports: BTreeSet<u16> = asked.iter().map(|(_, port)| *port).collect();
        let (all, syn) = ports.iter().fold((0, 0), |(all, syn), port| {
            let count = self.port(PortProto::Tcp, Side::Dst, *port);
            (all + count.all.packets, syn + count.syn.packets)
        });
        (all - syn) as f64 >= each * syn as f64
    }

    /// Whether hosts are seen to end the connections that they are asked for at some ports, as far as the counts go: some captures hold nothing but how
    /// connections begin and end.
    pub fn are_ended_there(&self, asked: &BTreeSet<(IpAddr, u16)>) -> bool {
        let ports: BTreeSet<u16> = asked.iter().map(|(_, port)| *port).collect();
        let hosts: BTreeSet<IpAddr> = asked.iter().map(|(host, _)| *host).filter(|host| self.hears(*host)).collect();
        let asked: u64 = ports.iter().map(|port| syns(self, *port)).sum();
        let sent: u64 = ports.iter().map(|port| self.port(PortProto::Tcp, Side::Src, *port).all.packets).sum();
        let ended: u64 = hosts.iter().filter_map(|host| self.view(*host)).map(|view| view.fin).sum();
        sent >= BEHIND_SYN * asked && ended as f64 >= self.thresholds.scan.finished * asked as f64
    }

    /// The sampled SYNs of a source.
    pub fn syns_of(&self, source: IpAddr) -> Vec<usize> {
        self.from(source).iter().copied().filter(|index| self.sighting(*index).packet.is_syn()).collect()
    }

    /// Whether a source knows nothing of most connections that it asks for: it resets what answers them.
    pub fn disowns(&self, source: IpAddr) -> bool {
        let asked = self.asked(source);
        let disowned = asked.iter().filter(|half| {
            let there = self.carried(half);
            there.reset && !there.aborted && !there.running
        });
        !asked.is_empty() && disowned.count() * 2 >= asked.len()
    }

    /// The connections for which a source was seen asking.
    fn asked(&self, source: IpAddr) -> HashSet<Half> {
        self.syns_of(source).into_iter().filter_map(|index| Half::of(self.sighting(index))).collect()
    }

    /// How many SYNs of a source are of a kind of which some were sampled.
    pub fn syns_like(&self, source: IpAddr, sampled: usize) -> u64 {
        let (part, all) = (sampled as u64, self.sampled(source).syn.max(1));
        self.view(source).map_or(part, |view| (view.syn * part / all).max(part))
    }

    /// Packets a second that some sources sent: over the time for which they were seen or, if that is more, at the least in the stretch of time in
    /// which most packets came.
    pub fn rate_of(&self, packets: u64, sources: impl IntoIterator<Item = IpAddr>) -> f64 {
        let views: Vec<&SourceView> = sources.into_iter().filter_map(|source| self.view(source)).collect();
        let first = views.iter().map(|view| view.first).min().unwrap_or(Moment(0));
        let last = views.iter().map(|view| view.last).max().unwrap_or(Moment(0));
        let mut seconds = last.seconds_since(first);
        // Some are of others, who may have gone on for longer.
        if packets > views.iter().map(|view| view.packets).sum() {
            seconds = seconds.max(self.least_seconds(packets));
        }
        let others = self.observations.counters.total().packets.saturating_sub(packets);
        let stretches = self.observations.rates.iter().chain(self.observations.busiest);
        let busiest = stretches.map(|rate| rate.packets.saturating_sub(others) as f64 / rate.seconds.max(1.0));
        busiest.fold(packets as f64 / seconds.max(1.0), f64::max)
    }

    /// How long so many packets took at the least: they filled the busiest stretches of time, but for the first and the last.
    fn least_seconds(&self, packets: u64) -> f64 {
        let mut stretches: Vec<&Rate> = self.observations.rates.iter().collect();
        stretches.sort_by_key(|rate| std::cmp::Reverse(rate.packets));
        let mut left = packets;
        let filled = stretches.into_iter().take_while(|rate| {
            let is_needed = left > 0;
            left = left.saturating_sub(rate.packets);
            is_needed
        });
        filled.skip(2).map(|rate| rate.seconds).sum()
    }
}
