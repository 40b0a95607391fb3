//! What a source tries by SYNs, some of which may have come about: an open port among the closed ones makes a scanner no client.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use annotator_common::Flag;
use annotator_common::packet::tcp;
use annotator_common::source::distinct;

use super::addresses::site;
use super::clients::BEHIND_SYN;
use super::ftp_data::CONTROL;
use super::half::{Carried, Half};
use super::scan::kind::Kind;
use super::scene::Outcome;
use super::{FIRST_CLIENT_PORT, Scene};
use crate::counters::{PortProto, Side};
use crate::observation::{Sighting, SourceView};

/// Bytes of a TCP header with the maximum segment size and nothing else.
const WITH_ONE_OPTION: u8 = 24;

/// Bytes of a TCP header without options, and of the shortest Ethernet frame without its checksum.
const TCP_HEADER: u64 = 20;
const LEAST_FRAME: u64 = 60;

/// How a port is touched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    /// Nothing follows the SYN.
    Begun,
    /// The connection is acknowledged, and ended.
    Completed,
}

impl Scene<'_> {
    /// SYNs of a source, among some of its sightings, that belong to what it is looking for: those that came to nothing and, where these are the
    /// greater part of what it tries, the others as well, but of those to what it uses only the first.
    pub fn attempts(&self, source: IpAddr, indices: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut attempts: Vec<usize> = indices.filter(|index| self.is_attempt(*index)).collect();
        if self.fruitless(source, &attempts) < self.thresholds.scan.fruitless {
            attempts.retain(|index| self.is_probe(*index));
            return attempts;
        }
        let target = |index: &usize| self.sighting(*index).target();
        let (vain, answered): (Vec<usize>, Vec<usize>) = attempts.iter().partition(|index| self.is_probe(**index));
        if vain.is_empty() {
            return attempts;
        }
        let mut times: HashMap<(IpAddr, u16), usize> = HashMap::new();
        answered.iter().for_each(|index| *times.entry(target(index)).or_default() += 1);
        let each = vain.len().div_ceil(self.targets(&vain).len());
        let goes_on = |index: &usize| Half::of(self.sighting(*index)).is_some_and(|half| self.carried(&half).running);
        let uses = self.thresholds.scan.uses * each;
        let is_used = |index: &usize| !self.is_probe(*index) && times[&target(index)] > uses && goes_on(index);
        // It is among what is tried all the same.
        let mut tried = HashSet::new();
        attempts.retain(|index| !is_used(index) || tried.insert(target(index)));
        attempts
    }

    /// Which share of what a source tries, by the SYNs among some of its sightings, came to nothing.
    pub fn fruitless(&self, source: IpAddr, indices: &[usize]) -> f64 {
        let syns: Vec<usize> = indices.iter().copied().filter(|index| self.is_attempt(*index)).collect();
        let checks = self.checks(source, &syns);
        let hangs_up = self.hangs_up(source, &syns);
        let knows_none = hangs_up && self.reset(&syns).any(|there| !there.aborted);
        let is_abandoned = |index: usize| {
            let half = Half::of(self.sighting(index));
            half.is_some_and(|half| {
                let there = self.carried(&half);
                let is_used = there.is_used()
                    || self.is_used_by_one(half.destination_port)
                    || self.may_fetch_file(&half)
                    || (!knows_none && self.is_served((half.destination, half.destination_port)));
                (there.reset || hangs_up) && !is_used
            })
        };
        let touched = self.touched(source, &syns);
        let is_fruitless = |index: &&usize| {
            let is_touched = touched.contains(&self.sighting(**index).target());
            self.is_probe(**index) || is_touched || (!checks && is_abandoned(**index))
        };
        let fruitless: Vec<usize> = syns.iter().filter(is_fruitless).copied().collect();
        self.targets(&fruitless).len() as f64 / self.targets(&syns).len().max(1) as f64
    }

    /// Whether a source that hangs up on the same ports again and again checks that they answer, and so may a neighbour do whose targets are too many to be
    /// known.
    fn checks(&self, source: IpAddr, syns: &[usize]) -> bool {
        self.returns(source, syns, self.thresholds.scan.checks)
            || self.may_check(source, syns)
            || (self.is_capture_of_beginnings() && self.are_by_systems(syns) && self.goes_on(source, syns))
    }

    /// Whether a source only touches most of what it tries by the SYNs among some of its sightings, however it ends that.
    pub fn only_touches(&self, source: IpAddr, indices: &[usize]) -> bool {
        let syns: Vec<usize> = indices.iter().copied().filter(|index| self.is_attempt(*index)).collect();
        let touched = self.touched(source, &syns).len();
        touched > 0 && touched * 2 >= self.targets(&syns).len()
    }

    /// The targets of some SYNs of a source that it only touches, be they open: so many ports of one host, or neighbours from afar at one port, a few times
    /// each, with nothing sent to them, as no client has reason to. Who fetches files by FTP does so at the server's upper ports.
    fn touched(&self, source: IpAddr, syns: &[usize]) -> HashSet<(IpAddr, u16)> {
        let limits = &self.thresholds.scan;
        if syns.len() < limits.ports || self.checks(source, syns) {
            return HashSet::new();
        }
        let mut times: HashMap<(IpAddr, u16), u64> = HashMap::new();
        let mut touches: HashMap<u16, Option<Touch>> = HashMap::new();
        let share = self.share_of_first_syns(source);
        let told = self.told(source);
        for sighting in syns.iter().map(|index| self.sighting(*index)) {
            *times.entry(sighting.target()).or_default() += 1;
            touches.entry(sighting.packet.destination_port).or_insert_with(|| self.touch(sighting, share));
        }
        if !self.acknowledges(source, &touches, syns) {
            touches.values_mut().for_each(|touch| *touch = touch.filter(|touch| *touch == Touch::Begun));
        }
        times.retain(|target, times| *times < limits.checks && touches[&target.1].is_some() && !told.contains(target));
        let (mut ports, mut hosts) =
            (HashMap::<IpAddr, [usize; 3]>::new(), HashMap::<u16, [HashSet<IpAddr>; 2]>::new());
        for (host, port) in times.keys() {
            let [low, completed, all] = ports.entry(*host).or_default();
            let is_completed = touches[port] == Some(Touch::Completed);
            *low += usize::from(*port < FIRST_CLIENT_PORT);
            *completed += usize::from(is_completed);
            *all += 1;
            if is_completed {
                let [hosts, sites] = hosts.entry(*port).or_default();
                hosts.insert(*host);
                sites.insert(site(*host));
            }
        }
        let fetches_files = self.port(PortProto::Tcp, Side::Dst, CONTROL).all.packets > 0;
        let resets = !fetches_files && self.view(source).is_some_and(|view| 2 * view.rst >= view.syn);
        let is_near = syns.iter().any(|index| self.is_from_around(self.sighting(*index)));
        let are_many = |(host, port): &(IpAddr, u16)| {
            let [low, completed, all] = ports[host];
            let vertical = completed >= limits.ports || all >= limits.range_ports;
            let horizontal = hosts.get(port).is_some_and(|[hosts, sites]| {
                let are_neighbours = sites.len() * 2 <= hosts.len() || hosts.iter().all(|host| self.is_near(*host));
                !is_near && hosts.len() >= limits.touched_hosts && are_neighbours
            });
            (vertical && (resets || low >= limits.low_ports)) || horizontal
        };
        times.into_keys().filter(are_many).collect()
    }

    /// The targets to which a source was seen to say something by TCP.
    fn told(&self, source: IpAddr) -> HashSet<(IpAddr, u16)> {
        let halves = self.from(source).iter().filter_map(|index| Half::of(self.sighting(*index)));
        let told = halves.filter(|half| self.carried(half).said);
        told.map(|half| (half.destination, half.destination_port)).collect()
    }

    /// Whether a source acknowledges what it completes by some SYNs: it was seen to, or the counters have room for that beside what it resets there. A capture
    /// may hold only how connections begin and end.
    fn acknowledges(&self, source: IpAddr, touches: &HashMap<u16, Option<Touch>>, syns: &[usize]) -> bool {
        let is_completed = |port: u16| touches.get(&port) == Some(&Some(Touch::Completed));
        let sent = || self.from(source).iter().map(|index| self.sighting(*index));
        if sent().any(|sent| Kind::of_flags(sent.packet.tcp_flags) == Some(Kind::Ack)) {
            return true;
        }
        let halves = syns.iter().filter_map(|index| Half::of(self.sighting(*index)));
        let connections: HashSet<Half> = halves.filter(|half| is_completed(half.destination_port)).collect();
        let is_reset = |sent: &Sighting| sent.packet.tcp_flags & tcp::RST != 0;
        let elsewhere = sent().filter(|sent| is_reset(sent) && !is_completed(sent.packet.destination_port)).count();
        let resets = self.view(source).map_or(0, |view| view.rst).saturating_sub(elsewhere as u64);
        let behind = |port: &u16| {
            let count = self.port(PortProto::Tcp, Side::Dst, *port);
            count.all.packets.saturating_sub(count.syn.packets + count.fin)
        };
        let behind: u64 = touches.keys().filter(|port| is_completed(**port)).map(behind).sum();
        2 * behind.saturating_sub(resets) >= connections.len() as u64
    }

    /// How a TCP port is touched for which a SYN asks, where hardly anything comes to it but what begins and ends connections, by its counter, if such a part of
    /// the SYNs are no repetitions.
    fn touch(&self, syn: &Sighting, share_of_first_syns: f64) -> Option<Touch> {
        /// Bytes by which later headers are shorter than a SYN's, at the least, where that has options.
        const SHORTER: u64 = 6;
        let count = self.port(PortProto::Tcp, Side::Dst, syn.packet.destination_port);
        // At an interface a sample may come before its counter is read.
        let behind = count.all.packets.saturating_sub(count.syn.packets);
        if behind == 0 {
            return Some(Touch::Begun);
        }
        let connections = count.syn.packets as f64 * share_of_first_syns;
        let options = u64::from(syn.packet.tcp_header).saturating_sub(TCP_HEADER);
        let headers =
            (count.syn.bytes / count.syn.packets.max(1)).saturating_sub(SHORTER.min(options / 2)).max(LEAST_FRAME);
        let beyond = self.thresholds.scan.touched_beyond * connections;
        let is_little = behind as f64 <= (BEHIND_SYN + 1) as f64 * (connections + beyond)
            && count.all.bytes.saturating_sub(count.syn.bytes) as f64
                <= (headers * behind) as f64 + TCP_HEADER as f64 * beyond;
        (is_little && behind.saturating_sub(count.fin) as f64 >= connections).then_some(Touch::Completed)
    }

    /// Whether a capture cut so many packets that data is not seen to be data.
    fn is_capture_of_beginnings(&self) -> bool {
        let counters = &self.observations.counters;
        let cut = counters.flags.get(&Flag::BadLength).map_or(0, |count| count.packets);
        !self.observations.live && cut * self.thresholds.scan.cut >= counters.total().packets
    }

    /// Whether SYNs have as many options as those of systems: tools that hang up by themselves send one or none. Which ones, a capture need not hold.
    fn are_by_systems(&self, syns: &[usize]) -> bool {
        syns.iter().all(|index| self.sighting(*index).packet.tcp_header > WITH_ONE_OPTION)
    }

    fn is_attempt(&self, index: usize) -> bool {
        let sighting = self.sighting(index);
        sighting.packet.is_syn() && self.is_inbound(sighting)
    }

    /// Whether a source that sends some SYNs sent as many times to the same targets.
    pub fn returns(&self, source: IpAddr, syns: &[usize], times: u64) -> bool {
        let sent = self.view(source).map_or(syns.len() as u64, |view| view.syn);
        self.tried(source, syns).is_some_and(|targets| sent >= times * targets)
    }

    /// Whether a source comes back to the targets of some SYNs as often, at the pace of somebody who watches them: not as seldom as who scans anew
    /// and, unless it `learns` each time what became of them, too slowly to repeat what was lost.
    pub fn watches(&self, source: IpAddr, syns: &[usize], times: u64, learns: bool) -> bool {
        let [shortest, longest] = self.thresholds.scan.round_gap;
        let Some((view, targets)) = self.view(source).zip(self.tried(source, syns)) else { return false };
        let rounds = view.syn / targets.max(1);
        let gap = view.last.seconds_since(view.first) / rounds.saturating_sub(1).max(1) as f64;
        (learns || gap >= shortest) && gap <= longest && rounds >= times
    }

    /// To how many targets a source sends at most, some of which are those of its sampled SYNs. Nobody knows where the maps are full by which the source
    /// table remembers the others.
    fn tried(&self, source: IpAddr, syns: &[usize]) -> Option<u64> {
        let targets = self.targets(syns);
        let Some(view) = self.view(source) else { return Some(targets.len() as u64) };
        if view.ports == u64::MAX || view.destinations == u64::MAX {
            return None;
        }
        let hosts = targets.iter().map(|(host, _)| host).collect::<BTreeSet<_>>().len();
        let ports = targets.iter().map(|(_, port)| port).collect::<BTreeSet<_>>().len();
        let is_row = targets.len() == hosts.max(ports);
        let hosts = hosts.max(distinct(view.destinations) as usize) as u64;
        let ports = ports.max(distinct(view.ports) as usize) as u64;
        // Who asks several hosts for several ports may ask each for all.
        Some(if is_row { hosts.max(ports) } else { hosts * ports })
    }

    /// Whether a neighbour asks so many hosts that it is not known how often it asks each.
    fn may_check(&self, source: IpAddr, syns: &[usize]) -> bool {
        self.view(source).is_some_and(|view| view.destinations == u64::MAX)
            && syns.iter().all(|index| self.is_from_around(self.sighting(*index)))
    }

    /// Whether a source resets most connections that are answered instead of using or ending them, by the source table: of its resets few are sampled.
    /// Those that are tell a system that knows of no connection from a program that gives one up.
    pub fn hangs_up(&self, source: IpAddr, syns: &[usize]) -> bool {
        let answered = syns.iter().filter(|index| self.outcome(**index) == Outcome::Answered).count() as u64;
        let resets = |view: &SourceView| 2 * view.rst * syns.len() as u64 >= view.syn * answered;
        let aborted = self.reset(syns).filter(|there| there.aborted).count();
        answered > 0
            && self.view(source).is_some_and(resets)
            && 2 * aborted <= self.reset(syns).count()
            && !self.ends_connections(source)
    }

    /// What the senders of some SYNs sent where they were seen to reset the connection.
    fn reset(&self, syns: &[usize]) -> impl Iterator<Item = Carried> {
        let halves = syns.iter().filter_map(|index| Half::of(self.sighting(*index)));
        halves.map(|half| self.carried(&half)).filter(|there| there.reset)
    }
}
