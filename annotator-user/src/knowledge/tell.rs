//! Counters and sightings → who speaks for how many packets.

use std::collections::{BTreeMap, HashMap, HashSet};

use annotator_common::packet::port::FIRST_CLIENT_PORT;
use annotator_common::packet::tcp;
use annotator_common::{Count, Family, Flag, Flags, Transport};

use super::fits::condition;
use super::guesses::mark_guesses;
use super::schema::{Destination, FamilyNumber, Match, Segment};
use super::seen::{Directions, Seen, excuse_fast_open, mark_regular, share_received};
use super::share::{Account, Share, share};
use super::tally::{Row, Tallies};
use super::topics::{Candidate, Topic};
use super::words::Words;
use super::{Knowledge, Voice};
use crate::counters::{Counters, PortCount, PortKey, PortProto, Protocol, Side};
use crate::finding::{Finding, PortPackets, Recognition, Verdict};
use crate::observation::{Locality, Observations, SourceView};
use crate::recognise::Thresholds;
use crate::recognise::packets::{is_of_service, is_to_many};

/// Source port sets up to this size name a service: what they say of an answer makes a word on its destination port superfluous.
const NAMED_SERVICE_PORTS_MAX: u64 = 64;

/// The work of one report.
pub(super) struct Teller<'a> {
    pub knowledge: &'a Knowledge,
    pub observations: &'a Observations<'a>,
    pub thresholds: &'a Thresholds,
    pub seen: Vec<Seen<'a>>,
    /// For each sighting the recognition that explains it.
    explained: Vec<Option<usize>>,
    recognitions: &'a [Recognition],
    pub tallies: Tallies,
    /// For each recognition the voices that would have spoken in its place, with how many of its sightings.
    pub silenced: BTreeMap<usize, BTreeMap<Voice, usize>>,
}

/// All findings of a window of time.
pub(super) fn tell(
    knowledge: &Knowledge,
    observations: &Observations<'_>,
    thresholds: &Thresholds,
    recognitions: &[Recognition],
) -> Vec<Finding> {
    let directions = Directions::of(observations.sightings, thresholds);
    let decode = |sighting| Seen::new(sighting, &knowledge.reader, observations, &directions);
    let mut seen: Vec<Seen<'_>> = observations.sightings.iter().map(decode).collect();
    excuse_fast_open(&mut seen, observations.counters);
    share_received(&mut seen);
    mark_regular(&mut seen, &thresholds.rounds);
    mark_guesses(&mut seen, &thresholds.guesses);
    let mut explained = vec![None; observations.sightings.len()];
    // What stands alone takes in what may be said beside others.
    let in_order =
        |alone: bool| recognitions.iter().enumerate().filter(move |(_, recognition)| recognition.alone == alone);
    for (index, recognition) in in_order(true).chain(in_order(false)) {
        for &sighting in &recognition.explains {
            if let Some(slot @ None) = explained.get_mut(sighting) {
                *slot = Some(index);
            }
        }
    }
    let mut teller = Teller {
        knowledge,
        observations,
        thresholds,
        seen,
        explained,
        recognitions,
        tallies: Tallies::new(),
        silenced: BTreeMap::new(),
    };
    teller.ports();
    teller.source_ports();
    teller.icmp();
    teller.payloads();
    teller.general();
    Words::new(&teller).findings(recognitions)
}

/// Which part of a port's row: TCP counts SYNs apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct RowPart {
    key: PortKey,
    syn: bool,
}

impl RowPart {
    /// What a packet of this part is, where nothing else is known of it. TCP packets that are not SYNs go unsampled only as data and
    /// acknowledgements of running connections.
    fn segment(&self) -> Segment {
        if self.syn { Segment::Syn } else { Segment::Ack }
    }

    /// Whether it counts datagrams to a port that hardly any program takes that asks.
    fn is_to_datagram_service(&self) -> bool {
        let PortKey { proto, side, port } = self.key;
        proto == PortProto::Udp && side == Side::Dst && port < FIRST_CLIENT_PORT
    }

    /// The number that is meant by it.
    fn column<'p>(&self, packets: &'p mut PortPackets) -> &'p mut u64 {
        match (self.key.proto, self.syn) {
            (PortProto::Udp, _) => &mut packets.udp,
            (PortProto::Tcp, true) => &mut packets.syn,
            (PortProto::Tcp, false) => &mut packets.other_tcp,
        }
    }

    /// The parts of a row that have packets.
    fn of(key: PortKey, count: &PortCount) -> impl Iterator<Item = (RowPart, u64)> {
        let (syn, rest) = match key.proto {
            PortProto::Tcp => (count.syn.packets, count.all.packets - count.syn.packets),
            PortProto::Udp => (0, count.all.packets),
        };
        [(RowPart { key, syn: true }, syn), (RowPart { key, syn: false }, rest)]
            .into_iter()
            .filter(|(_, packets)| *packets > 0)
    }
}

/// Packets of a row of which there is no sighting.
fn unsampled(packets: u64, sightings: &[usize]) -> u64 {
    packets.saturating_sub(sightings.len() as u64)
}

/// Takes as many as are wanted, or are left.
fn take(left: &mut u64, wanted: u64) -> u64 {
    let taken = wanted.min(*left);
    *left -= taken;
    taken
}

impl<'a> Teller<'a> {
    fn add(&mut self, topic: Topic, row: Option<Row>, syn: bool, shares: Vec<Share>, candidates: &[(usize, Voice)]) {
        for Share { account, packets, sightings } in shares {
            match account {
                Account::Voice(voice) => {
                    let tally = self.tallies.entry(voice).or_default();
                    tally.add(topic, packets, &sightings);
                    if syn {
                        tally.syn += packets;
                    }
                    if let Some(row) = row {
                        *tally.rows.entry(row).or_default() += packets;
                    }
                }
                Account::Recognition(index) => {
                    let told: HashSet<usize> = sightings.into_iter().collect();
                    let silenced = self.silenced.entry(index).or_default();
                    for (_, voice) in candidates.iter().filter(|(sighting, _)| told.contains(sighting)) {
                        *silenced.entry(*voice).or_default() += 1;
                    }
                }
                Account::Silent => {}
            }
        }
    }

    /// Sightings by the row of the port table that counted them.
    fn by_row(&self, side: Side) -> HashMap<RowPart, Vec<usize>> {
        let mut rows: HashMap<RowPart, Vec<usize>> = HashMap::new();
        for (index, seen) in self.seen.iter().enumerate() {
            let Some(proto) = seen.port_proto() else { continue };
            let packet = &seen.sighting.packet;
            let port = if side == Side::Dst { packet.destination_port } else { packet.source_port };
            let syn = proto == PortProto::Tcp && packet.is_syn();
            rows.entry(RowPart { key: PortKey { proto, side, port }, syn }).or_default().push(index);
        }
        rows
    }

    /// The parts of one side's rows with their packets and sightings. TCP source ports from 1024 on are not counted: there the sightings are all there is.
    fn rows(&self, side: Side) -> Vec<(RowPart, u64, Vec<usize>)> {
        let mut sighted = self.by_row(side);
        let counted = self.observations.counters.ports.iter().filter(|(key, _)| key.side == side);
        let mut rows: Vec<_> = counted
            .flat_map(|(key, count)| RowPart::of(*key, count))
            .map(|(part, packets)| (part, packets, sighted.remove(&part).unwrap_or_default()))
            .collect();
        let mut uncounted: Vec<_> =
            sighted.into_iter().map(|(part, indices)| (part, indices.len() as u64, indices)).collect();
        uncounted.sort_by_key(|(part, ..)| (part.key, part.syn));
        rows.append(&mut uncounted);
        rows
    }

    /// The same, without the unsampled packets that recognitions account for, and without those that hosts here sent to where strangers sent, too.
    fn untold_rows(&self, side: Side) -> Vec<(RowPart, u64, Vec<usize>)> {
        let mut rows = self.rows(side);
        // What tries many ports leaves a packet or two at each; what many send to one port is more.
        rows.sort_by_key(|(_, packets, sightings)| unsampled(*packets, sightings));
        let mut recognised = self.recognised_unsampled();
        let mut own = self.own_unsampled();
        for (part, packets, sightings) in rows.iter().filter(|row| self.is_of_ours(row.0, row.1, &row.2)) {
            take(part.column(&mut own), unsampled(*packets, sightings));
        }
        for (part, packets, sightings) in &mut rows {
            *packets -= take(part.column(&mut recognised), unsampled(*packets, sightings));
            if sightings.iter().any(|index| self.seen[*index].outgoing) {
                *packets -= take(part.column(&mut own), unsampled(*packets, sightings));
            }
        }
        rows
    }

    fn ports(&mut self) {
        for (part, packets, sightings) in self.untold_rows(Side::Dst) {
            let PortKey { proto, port, .. } = part.key;
            let general = self.knowledge.row_voice(self.knowledge.port_candidates(port), |condition| {
                condition.fits_port_row(proto, port, part.segment())
            });
            let general = self.unless_ordinary(general, proto, port, part.segment());
            let general = general.filter(|_| !self.is_of_ours(part, packets, &sightings));
            let mut candidates = Vec::new();
            let mut sampled = Vec::new();
            for index in sightings {
                let voice = self.port_voice(index);
                candidates.extend(voice.map(|voice| (index, voice)));
                sampled.push((index, self.account(index, voice)));
            }
            let established = proto == PortProto::Tcp && !part.syn;
            let shares = share(packets, &sampled, general.map_or(Account::Silent, Account::Voice), established);
            self.add(Topic::Port, Some(Row::Port(proto, Side::Dst, port)), part.syn, shares, &candidates);
        }
    }

    /// What the recognitions account for without its having been sampled. To which ports it went, the counters do not say.
    fn recognised_unsampled(&self) -> PortPackets {
        let mut sum = PortPackets::default();
        self.recognitions.iter().for_each(|recognition| sum += recognition.unsampled);
        sum
    }

    /// What hosts here sent without its having been sampled, as far as the table of sources tells SYNs and datagrams apart.
    fn own_unsampled(&self) -> PortPackets {
        let outgoing = self.seen.iter().filter(|seen| seen.outgoing);
        let mut sampled = PortPackets::default();
        outgoing.for_each(|seen| sampled.note(seen.sighting));
        let own = self.observations.sources.iter().filter(|view| self.is_own(view));
        let (syn, udp) = own.fold((0, 0), |(syn, udp), view| (syn + view.syn, udp + view.udp));
        PortPackets {
            syn: syn.saturating_sub(sampled.syn),
            udp: udp.saturating_sub(sampled.udp),
            ..PortPackets::default()
        }
    }

    /// The same of ICMP.
    fn own_unsampled_icmp(&self) -> u64 {
        let is_icmp = |seen: &&Seen<'_>| matches!(seen.sighting.packet.transport, Transport::Icmp | Transport::Icmpv6);
        let sampled = self.seen.iter().filter(|seen| seen.outgoing).filter(is_icmp).count();
        let own = self.observations.sources.iter().filter(|view| self.is_own(view));
        own.map(|view| view.icmp).sum::<u64>().saturating_sub(sampled as u64)
    }

    /// Whether what is said of a packet is for us to hear: what leaves here was not asked of us, and is told only where it does harm.
    fn concerns_us(&self, index: usize, voice: Voice) -> bool {
        !self.seen[index].outgoing
            || matches!(self.knowledge.texts(voice).verdict, Verdict::Attack | Verdict::ThirdParty)
    }

    fn is_own(&self, view: &SourceView) -> bool {
        !self.observations.live && self.observations.locality.addresses.contains(&view.address)
    }

    /// Whether a row counted what hosts here sent, as a capture of both directions has it: all its samples left us; or it has none, opens nothing, and
    /// as many packets went the other way. What a port was sent and what it answered, be it a refusal, stand in the two rows of that port.
    fn is_of_ours(&self, part: RowPart, packets: u64, sightings: &[usize]) -> bool {
        if !sightings.is_empty() {
            return sightings.iter().all(|index| self.seen[*index].outgoing);
        }
        let side = if part.key.side == Side::Dst { Side::Src } else { Side::Dst };
        let other = self.observations.counters.ports.get(&PortKey { side, ..part.key });
        let answered = other.is_some_and(|other| {
            // Lest neither row be told where a service got as many as it sent: it may be the same ones, between two ends with that port.
            let speaks_for_both = part.is_to_datagram_service() && other.all.packets == packets;
            other.all.packets >= packets && !speaks_for_both
        });
        !self.observations.live && !part.syn && answered
    }

    fn account(&self, index: usize, voice: Option<Voice>) -> Account {
        match (self.explained[index], voice) {
            (Some(recognition), _) => Account::Recognition(recognition),
            (None, Some(voice)) => Account::Voice(voice),
            (None, None) => Account::Silent,
        }
    }

    /// Likewise for what may be said beside a recognition, unless that is to stand alone, or subsumes what is no graver.
    fn account_beside(&self, index: usize, voice: Voice) -> Account {
        let takes_in = |recognition: &Recognition| {
            recognition.alone
                || (recognition.subsumes && self.knowledge.texts(voice).verdict <= self.verdict(recognition))
        };
        match self.explained[index] {
            Some(recognition) if takes_in(&self.recognitions[recognition]) => Account::Recognition(recognition),
            _ => Account::Voice(voice),
        }
    }

    fn verdict(&self, recognition: &Recognition) -> Verdict {
        let of_entry = || self.knowledge.voice(&recognition.id).map(|voice| self.knowledge.texts(voice).verdict);
        recognition.verdict.or_else(of_entry).unwrap_or_default()
    }

    /// Who speaks of the destination port of a packet.
    fn port_voice(&self, index: usize) -> Option<Voice> {
        let seen = &self.seen[index];
        if seen.outgoing {
            return None;
        }
        let packet = &seen.sighting.packet;
        let candidates = || self.knowledge.port_candidates(packet.destination_port);
        let voice = self.knowledge.first_voice(candidates(), seen)?;
        if self.is_for_client(seen) && self.knowledge.texts(voice).verdict > Verdict::Background {
            return None;
        }
        if packet.transport == Transport::Tcp {
            return self.unless_ordinary(Some(voice), PortProto::Tcp, packet.destination_port, seen.segment()?);
        }
        let voice = self.unless_ordinary(Some(voice), PortProto::Udp, packet.destination_port, Segment::Any)?;
        let answer = !is_to_many(seen.sighting)
            && self.knowledge.is_udp_answer(packet.source_port, packet.destination_port, seen.asked);
        let named = self.is_from_named_service(seen);
        if !answer || self.names_source(voice) {
            // Of a port of which nothing particular is known, there is nothing to say beside a source port that tells.
            return (!named || !self.is_range(voice.entry)).then_some(voice);
        }
        // An answer: its source port has the say, and on the destination only what speaks of answers.
        if named {
            return None;
        }
        candidates()
            .filter(|candidate| self.knowledge.condition(*candidate).fits(seen))
            .map(|candidate| self.knowledge.voice_of(candidate.entry, seen))
            .find(|voice| self.names_source(*voice))
            .or_else(|| {
                self.knowledge.first_voice(candidates().filter(|candidate| self.is_range(candidate.entry)), seen)
            })
    }

    /// Whether a packet goes to a client, or to a peer: the port that it took for itself says nothing of who sends to it.
    fn is_for_client(&self, seen: &Seen<'_>) -> bool {
        let packet = &seen.sighting.packet;
        // One that belongs to a connection acknowledges what came before it.
        let goes_on = || packet.tcp_flags & tcp::ACK != 0;
        seen.asked
            || seen.peers >= self.thresholds.scan.ports
            || match packet.transport {
                Transport::Tcp => goes_on() && self.thresholds.contact.is_service(packet.source_port),
                _ => is_of_service(seen.sighting),
            }
    }

    /// Whether an entry speaks of the source port because it is that of a service.
    fn is_from_named_service(&self, seen: &Seen<'_>) -> bool {
        let source = self
            .knowledge
            .source_candidates(seen.sighting.packet.source_port)
            .find(|candidate| self.knowledge.condition(*candidate).fits(seen));
        source.is_some_and(|candidate| {
            let ports = self.knowledge.condition(candidate).src_port.as_ref();
            ports.is_some_and(|ports| ports.size() <= NAMED_SERVICE_PORTS_MAX)
        })
    }

    /// Whether a voice speaks because of a packet's source port.
    fn names_source(&self, voice: Voice) -> bool {
        let variants = &self.knowledge.entries[voice.entry].variants;
        voice
            .variant
            .is_some_and(|variant| variants[variant].matches.iter().any(|condition| condition.src_port.is_some()))
    }

    fn is_range(&self, entry: usize) -> bool {
        self.knowledge.entries[entry].id.starts_with("range.")
    }

    /// `None` where the packet belongs to a connection with a program of ours and no variant speaks of such, or asks for a service that is offered here.
    fn unless_ordinary(&self, voice: Option<Voice>, proto: PortProto, port: u16, segment: Segment) -> Option<Voice> {
        let voice = voice?;
        let Locality { listening, .. } = self.observations.locality;
        let ours = listening.as_ref().is_some_and(|listening| listening.contains(&(proto, port)));
        let is_of_connection = proto == PortProto::Tcp && segment != Segment::Syn;
        let is_offered = self.thresholds.contact.offered_ports.contains(&port);
        let ordinary = ours && (is_of_connection || is_offered) && voice.variant.is_none();
        (!ordinary).then_some(voice)
    }

    fn source_ports(&mut self) {
        for (part, packets, sightings) in self.untold_rows(Side::Src) {
            let PortKey { proto, port, .. } = part.key;
            let general = self.knowledge.row_voice(self.knowledge.source_candidates(port), |condition| {
                condition.fits_source_row(proto, port, part.segment())
            });
            let general = general.filter(|_| !self.is_of_ours(part, packets, &sightings));
            let mut candidates = Vec::new();
            let mut sampled = Vec::new();
            for index in sightings {
                let seen = &self.seen[index];
                let voice = if seen.outgoing {
                    None
                } else {
                    self.knowledge.first_voice(self.knowledge.source_candidates(port), seen)
                };
                candidates.extend(voice.map(|voice| (index, voice)));
                sampled.push((index, self.account(index, voice)));
            }
            let established = proto == PortProto::Tcp && !part.syn;
            let shares = share(packets, &sampled, general.map_or(Account::Silent, Account::Voice), established);
            self.add(Topic::SourcePort, Some(Row::Port(proto, Side::Src, port)), part.syn, shares, &candidates);
        }
    }

    fn icmp(&mut self) {
        let mut sighted: HashMap<(Family, u8, u8), Vec<usize>> = HashMap::new();
        for (index, seen) in self.seen.iter().enumerate() {
            let packet = &seen.sighting.packet;
            if matches!(packet.transport, Transport::Icmp | Transport::Icmpv6) {
                sighted.entry((packet.family, packet.icmp_type, packet.icmp_code)).or_default().push(index);
            }
        }
        let mut own = self.own_unsampled_icmp();
        for (key, count) in &self.observations.counters.icmp {
            let (family, kind, code) = (key.family, key.icmp_type, key.code);
            let general = self
                .knowledge
                .row_voice(self.knowledge.icmp_candidates(), |condition| condition.fits_icmp_row(family, kind, code));
            let sightings = sighted.remove(&(family, kind, code)).unwrap_or_default();
            let mut packets = count.packets;
            if sightings.iter().any(|index| self.seen[*index].outgoing) {
                packets -= take(&mut own, unsampled(packets, &sightings));
            }
            let mut sampled = Vec::new();
            let mut candidates = Vec::new();
            for index in sightings {
                let voice = self.knowledge.first_voice(self.knowledge.icmp_candidates(), &self.seen[index]);
                let voice = voice.filter(|voice| self.concerns_us(index, *voice));
                candidates.extend(voice.map(|voice| (index, voice)));
                sampled.push((index, self.account(index, voice)));
            }
            let shares = share(packets, &sampled, general.map_or(Account::Silent, Account::Voice), false);
            self.add(Topic::Icmp, Some(Row::Icmp(family, kind, code)), false, shares, &candidates);
        }
    }

    fn payloads(&mut self) {
        let knowledge = self.knowledge;
        for (entry, conditions) in entries_of(knowledge, knowledge.payload_candidates()) {
            let (mut candidates, mut sampled) = (Vec::new(), Vec::new());
            let read = self.seen.iter().enumerate().filter(|(_, seen)| !seen.shapes.is_empty());
            for (index, seen) in read.filter(|(_, seen)| conditions.iter().any(|condition| condition.fits(seen))) {
                let voice = knowledge.voice_of(entry, seen);
                if self.concerns_us(index, voice) {
                    candidates.push((index, voice));
                    sampled.push((index, self.account_beside(index, voice)));
                }
            }
            let general = Account::Voice(Voice { entry, variant: None });
            let shares = share(sampled.len() as u64, &sampled, general, false);
            self.add(Topic::Payload, None, false, shares, &candidates);
        }
    }

    fn general(&mut self) {
        let knowledge = self.knowledge;
        for (entry, conditions) in entries_of(knowledge, knowledge.general_candidates()) {
            let fitting = self.seen.iter().enumerate();
            let fitting = fitting.filter(|(_, seen)| conditions.iter().any(|condition| condition.fits(seen)));
            let voices = fitting.map(|(index, seen)| (index, knowledge.voice_of(entry, seen)));
            let (told, own): (Vec<_>, Vec<_>) = voices.partition(|(index, voice)| self.concerns_us(*index, *voice));
            let account = |(index, voice): (usize, Voice)| (index, self.account_beside(index, voice));
            let sampled: Vec<_> = told.into_iter().map(account).collect();
            // Where some of it left here, what was only counted may have, too.
            let conditions = conditions.iter().filter(|_| own.is_empty());
            let counted: u64 = conditions.map(|condition| at_least(condition, self.observations.counters)).sum();
            let shares = share(counted.max(sampled.len() as u64), &sampled, self.calmest(entry, &sampled), false);
            self.add(Topic::General, None, false, shares, &[]);
        }
    }

    /// Who speaks for what was only counted: of those who speak for samples the calmest, so that it accuses nobody.
    fn calmest(&self, entry: usize, sampled: &[(usize, Account)]) -> Account {
        let voices = sampled.iter().filter_map(|(_, account)| match account {
            Account::Voice(voice) => Some(*voice),
            _ => None,
        });
        let calmest = voices.min_by_key(|voice| self.knowledge.texts(*voice).verdict);
        Account::Voice(calmest.unwrap_or(Voice { entry, variant: None }))
    }
}

/// Candidates by entry.
fn entries_of(knowledge: &Knowledge, candidates: impl Iterator<Item = Candidate>) -> BTreeMap<usize, Vec<&Match>> {
    let mut entries: BTreeMap<usize, Vec<&Match>> = BTreeMap::new();
    for candidate in candidates {
        entries.entry(candidate.entry).or_default().push(knowledge.condition(candidate));
    }
    entries
}

/// Flags that only IPv4 packets earn.
const V4_FLAGS: Flags = Flags::of(&[
    Flag::LimitedBroadcast,
    Flag::DirectedBroadcast,
    Flag::SharedSource,
    Flag::SourceRoute,
    Flag::RecordRoute,
    Flag::IpOptions,
]);
/// Flags that only IPv6 packets earn.
const V6_FLAGS: Flags = Flags::of(&[Flag::Ipv6Extension, Flag::RoutingHeader0]);
/// Flags that only TCP packets earn.
const TCP_FLAGS: Flags = Flags::of(&[Flag::SynFin, Flag::NullScan, Flag::XmasScan, Flag::SynWithPayload]);

/// How many packets a match about addresses, flags or protocols holds for at the least, by the exact counters; 0 where they cannot tell.
fn at_least(wanted: &Match, counters: &Counters) -> u64 {
    let flags: Vec<Flag> = wanted.flags.0.iter().collect();
    let flag = match (&wanted.dst, flags.as_slice()) {
        (None, [flag]) => Some(*flag),
        (Some(Destination::LimitedBroadcast), []) => Some(Flag::LimitedBroadcast),
        (Some(Destination::DirectedBroadcast), []) => Some(Flag::DirectedBroadcast),
        (Some(Destination::Multicast), []) => Some(Flag::Multicast),
        (None, []) => None,
        _ => return 0,
    };
    let Some(flag) = flag else { return packets_of_protocol(wanted, counters) };
    if !wanted
        .asks_only(condition::FAMILY | condition::PROTO | condition::DST | condition::FLAGS | condition::FLAGS_NOT)
    {
        return 0;
    }
    let of_flag = |flag: Flag| counters.flags.get(&flag).map_or(0, |count| count.packets);
    let proto_implied = wanted.proto.is_none_or(|proto| proto == super::schema::Proto::TCP && TCP_FLAGS.contains(flag));
    if !proto_implied || !family_implied(wanted.family, flag, counters) {
        return 0;
    }
    wanted.flags_not.0.iter().map(of_flag).fold(of_flag(flag), u64::saturating_sub)
}

/// Whether every packet with the flag is of the family.
fn family_implied(family: Option<FamilyNumber>, flag: Flag, counters: &Counters) -> bool {
    let (own, other) = match family {
        None => return true,
        Some(FamilyNumber::V4) => (V4_FLAGS, Family::V6),
        Some(FamilyNumber::V6) => (V6_FLAGS, Family::V4),
    };
    own.contains(flag)
        || !counters.protocols.keys().any(|row| matches!(row, Protocol::Ip(family, _) if *family == other))
}

fn packets_of_protocol(wanted: &Match, counters: &Counters) -> u64 {
    let Some(proto) = wanted.proto else { return 0 };
    if !wanted.asks_only(condition::FAMILY | condition::PROTO) {
        return 0;
    }
    let families = match wanted.family {
        None => &[Family::V4, Family::V6][..],
        Some(FamilyNumber::V4) => &[Family::V4],
        Some(FamilyNumber::V6) => &[Family::V6],
    };
    let count =
        |family: &Family| counters.protocols.get(&Protocol::Ip(*family, proto.0)).copied().unwrap_or(Count::default());
    families.iter().map(|family| count(family).packets).sum()
}
