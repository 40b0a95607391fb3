//! Where the recognisers draw their lines: `knowledge/thresholds.toml`, typed.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::FIRST_CLIENT_PORT;
use crate::knowledge::schema::Prefixes;

/// The thresholds that are built in.
const BUILT_IN: &str = include_str!("../../knowledge/thresholds.toml");

macro_rules! thresholds {
    ($($(#[$doc:meta])* $section:ident: $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }
        )*

        /// All thresholds, by subject.
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Thresholds { $($(#[$doc])* pub $section: $name,)* }
    };
}

thresholds! {
    /// How a conversation of ours with somebody's server is told.
    contact: Contact {
        /// Ports at which servers answer, besides all below 1024.
        service_ports: Vec<u16>,
        /// Ports at which programs answer by UDP alone, which a scanner looks for less.
        answer_ports: Vec<u16>,
        /// Ports of services at which strangers are probes, unless one is offered there.
        offered_ports: Vec<u16>,
        /// Ports of web servers.
        web_ports: Vec<u16>,
        /// Ports from which neighbours answer who searches the network.
        discovery_ports: Vec<u16>,
    }
    /// Programs that ask again and again at even intervals.
    rounds: Rounds {
        /// Rounds that they make at least.
        count: usize,
        /// Seconds without a packet that end one.
        pause: f64,
        /// How much the time to the next may differ from the usual one, as a share of it.
        tolerance: f64,
        /// Share of the times that must not differ more.
        share: f64,
    }
    /// Passwords and names that are tried one after the other.
    guesses: Guesses {
        /// Communities of SNMP that a source tries at one port.
        communities: usize,
        /// Extensions of a telephone system that one program names once each in haste.
        extensions: usize,
        /// How often one program signs on as one extension in haste.
        sign_ons: usize,
        /// Seconds within which that is haste.
        within: f64,
    }
    /// Answers by DNS to one question from two servers.
    answers: Answers {
        /// How many times as many pairs of answers there must be as chance makes.
        beyond_chance: f64,
    }
    /// Attempts of our own.
    own_address: OwnAddress {
        /// Hosts tried in vain at one port, from which on they may be a worm's.
        hosts: usize,
    }
    /// Traceroute, somebody's and our own.
    traceroute: Traceroute {
        /// First UDP port that traceroute uses.
        first_port: u16,
        /// Last UDP port that counts.
        last_port: u16,
        /// TTL up to which an arriving packet is about to expire.
        low_ttl: u8,
        /// Probes that make a traceroute.
        packets: usize,
        /// Probes sent for each hop.
        probes_per_hop: u16,
        /// Seconds that a traceroute takes at most.
        within: f64,
        /// Routers that must complain before it is a traceroute of our own.
        own_routers: usize,
    }
    /// Questions to the ident service.
    ident: Ident {
        /// Seconds after our connection within which the server asks back.
        within: f64,
        /// Services whose servers ask.
        services: Vec<u16>,
    }
    /// FTP data connections.
    ftp: Ftp {
        /// Seconds that a control connection may lie back.
        control_within: f64,
        /// Rising ports from port 20 that make FTP without sight of a control connection.
        rising_ports: usize,
        /// Largest step between two ports that still count as rising.
        gap: u16,
        /// Deliveries a second, up to which a long row of them may be one file after the other.
        rate: f64,
        /// Ports up to which a row may be one that the client has ordered, however fast it comes.
        ordered_ports: usize,
        /// Ordered deliveries a second that may come besides.
        ordered_rate: f64,
    }
    /// Late ends of connections.
    late_fin: LateFin {
        /// Client ports that make a series.
        ports: usize,
        /// Client ports up to which it is one.
        most_ports: usize,
        /// Ends a second, up to which those in the order of a client's ports are a server's.
        ordered_rate: f64,
        /// Connections, at the most, that a server ends at once because a client's pool has left them open.
        pool: u32,
        /// FINs without ACK a second up to which it is one.
        rate: f64,
        /// Ends a second up to which a series to rising ports may be longer.
        slow_rate: f64,
        /// Largest step between two ports of a longer series.
        gap: u16,
        /// Seconds after the last packet of a connection from which on its end is late.
        after: f64,
        /// Seconds that it is late at most, and that the series may take.
        within: f64,
    }
    /// Sites that call back.
    site: Site {
        /// Seconds after our connection within which a site calls back.
        within: f64,
        /// Seconds after a page within which what it embeds is fetched.
        page: f64,
        /// Ports up to which it is a call and not a scan.
        ports: usize,
        /// SYNs to each of them up to which it is a call and not a flood.
        attempts: u64,
    }
    /// Chat servers that check for open proxies.
    irc: Irc {
        /// Ports of chat servers.
        chat_ports: Vec<u16>,
        /// Ports that they check.
        proxy_ports: Vec<u16>,
        /// Seconds after joining within which they do.
        within: f64,
    }
    /// Hosts with a private and a public address.
    dual_homed: DualHomed {
        /// Seconds between the two packets.
        within: f64,
        /// Difference of their IP identifications.
        id_gap: u16,
        /// Packets looked at on either side.
        neighbours: usize,
    }
    /// DNS queries from low source ports.
    dns_low_source: DnsLowSource {
        /// Different low source ports.
        ports: usize,
    }
    /// The scanner sscan and its phases.
    sscan: Sscan {
        /// Ports of the ACK pings.
        ack_ports: Vec<u16>,
        /// How many of them.
        ack_count: usize,
        /// Highest source port of the fingerprinting phase.
        fingerprint_last_source: u16,
        /// How many of these source ports.
        fingerprint_count: usize,
        /// Ports of the connection attempts.
        service_ports: Vec<u16>,
        /// Those that other scanners leave out.
        rare_ports: Vec<u16>,
        /// How many of the service ports.
        service_count: usize,
        /// How many of the rare ports.
        rare_count: usize,
        /// Share that they must have in all ports of the source.
        service_share: f64,
    }
    /// Hunts for open proxies.
    proxy: Proxy {
        /// Ports of proxies.
        ports: Vec<u16>,
        /// Ports that are little else.
        only_proxy: Vec<u16>,
        /// Different proxy ports, one of them of `only_proxy`.
        count: usize,
        /// Different proxy ports where none is of `only_proxy`.
        count_without_only: usize,
        /// Share that they must have in all ports of the source.
        share: f64,
        /// The ports of RingZero.
        ringzero: Vec<u16>,
        /// Seconds in which RingZero tries all of them.
        ringzero_within: f64,
    }
    /// Smurf and fraggle.
    broadcast: Broadcast {
        /// Packets to broadcast addresses.
        packets: usize,
        /// Share that these must have in all such packets of the source.
        share: f64,
        /// Pings of a neighbour that may be a flood.
        flood_packets: u64,
        /// How many of them a second are one.
        flood_rate: f64,
        /// UDP ports of fraggle.
        fraggle_ports: Vec<u16>,
        /// Last octets at which subnets begin and end.
        boundaries: Vec<u8>,
    }
    /// Decoy scans.
    decoy: Decoy {
        /// Sources with the same ports.
        sources: usize,
        /// Different /16 (IPv6: /32) prefixes among them.
        networks: usize,
        /// Ports that they share, not all of them the web's.
        ports: usize,
        /// UDP ports that they share.
        udp_ports: usize,
        /// Seconds in which all of them start.
        within: f64,
    }
    /// Complaints about packets that we did not send.
    unreachable: Unreachable {
        /// Complaints about one host.
        packets: usize,
        /// Different ports that they quote.
        ports: usize,
        /// Different services among them: the web's ports are none, and those of mail clients are one.
        services: usize,
        /// Hosts that one port of ours tried, by the quotes, without hearing from any.
        hosts: usize,
        /// Ports of mail clients.
        mail_ports: Vec<u16>,
        /// Seconds after which nobody answers or complains about a packet any more.
        answered_within: f64,
        /// Seconds for which a capture may hold nothing of a host, and go on all the same.
        pauses_for: f64,
    }
    /// Share and database worms.
    shares: Shares {
        /// Seconds between the steps of one source.
        within: f64,
        /// Share that the worms' ports must have in all ports of the source.
        share: f64,
        /// Sources at the SQL server's port.
        sql_sources: usize,
    }
    /// Traffic for the previous holder of an address.
    leftover: Leftover {
        /// Sources at one port.
        sources: usize,
        /// Different /16 (IPv6: /32) prefixes among them, from which on it is likely.
        networks: usize,
        /// Lowest port that counts.
        first_port: u16,
        /// Ports that strangers try on everyone. Those of which the knowledge has something of its own to say are added to them.
        hunted_ports: Vec<u16>,
    }
    /// Answers to packets that somebody forged with our address.
    backscatter: Backscatter {
        /// Different addresses and ports that are answered.
        answers: usize,
        /// Name servers that answer what nobody asked, each less often than that.
        servers: usize,
        /// Share of all answers of name servers that nobody asked.
        unasked_share: f64,
        /// Different ports that are refused, where nothing but that port tells that no client asked.
        refusals: usize,
        /// First and last port from which hosts here connect.
        client_ports: [u16; 2],
        /// Share of answers to other ports that no client of ours can have asked for.
        foreign_share: f64,
        /// Bytes of an answer of DNS up to which it is what clients are told.
        short_answer: u32,
        /// The same, where all of them accept a connection: a client goes on with it.
        accepted_share: f64,
    }
    /// Floods of SYNs, datagrams and pings.
    flood: Flood {
        /// SYNs to one port, or segments that no system sends.
        syn: u64,
        /// The same a second.
        rate: f64,
        /// Seconds that a connection stays half-open.
        half_open: f64,
        /// Answers for each SYN from which on they are repeated in vain.
        answers: f64,
        /// Share of them that has one target.
        one_target: f64,
        /// Sources from which on they are taken for forged.
        forged_sources: usize,
        /// Packets a source, up to which they are.
        per_source: f64,
        /// Strangers a second that are more than any crowd.
        strangers: usize,
        /// Share of them with the same TTL, from which on they come from one place.
        one_ttl: f64,
        /// Share of SYNs without options, from which on a tool makes them.
        bare: f64,
        /// Different TTLs that are fewer than those of a crowd.
        ttls: usize,
        /// Different /16 (IPv6: /32) prefixes of clients whose connections came about, from which on their TTL is that of any crowd.
        clients: usize,
        /// Sources of whose connections nothing comes, for each client, from which on they are no clients either.
        vain: usize,
        /// Datagrams a second to a closed port, or to any port.
        datagrams: f64,
        /// Ports of datagrams that gateways pass on to a service behind them.
        passed_on: Vec<u16>,
        /// Ports at which a line is measured.
        measured: Vec<u16>,
        /// Pings a second.
        pings: f64,
        /// Acknowledgements a second that are reset.
        acknowledgements: f64,
        /// Packets a second that a source must send to take part in it.
        each: f64,
        /// Different ports from which on it is any port.
        ports: u64,
        /// Datagrams with nothing in them, from which on nothing was to be said.
        blank: usize,
        /// Bytes a datagram from which on it is no scan.
        bytes: u64,
        /// Datagrams to one port from which on they are a stream.
        stream: u64,
        /// How many times what each port would get, if all got the same, makes a stream.
        stream_part: u64,
        /// Of so many datagrams of a stream one at least is acknowledged.
        acknowledged_part: u64,
        /// SYNs of each source up to which they hardly try again.
        once: f64,
        /// Less than one of so many samples of a source says nothing of where the rest goes.
        elsewhere: u64,
        /// Packets of which hardly any two have the same TTL, unless they come from the same place.
        telling: usize,
        /// How many times as long as there is between SYNs at that rate ends a flood at a port that is used besides.
        pause: f64,
        /// One in so many of those who come first and last there may have come by themselves.
        apart: usize,
        /// Networks in which there are no hosts.
        empty_networks: Prefixes,
        /// Different /16 (IPv6: /32) of them that must be among the sources.
        empty_count: usize,
        /// Share of all sources that these must have.
        empty_share: f64,
    }
    /// Clients of a service that is down.
    service_down: ServiceDown {
        /// Share of sources that try again, from which on they exist.
        again: f64,
        /// Shortest pause before a SYN is repeated.
        pause: f64,
        /// Seconds after which a client has tried again.
        patience: f64,
        /// SYNs a second of one neighbour, or of all, up to which they only try again.
        near_rate: f64,
        /// SYNs a second of all clients up to which they only try again.
        rate: f64,
        /// Largest step from one port of a client to the next.
        gap: u16,
    }
    /// Amplifiers: the hunt for them, and what they send.
    amplification: Amplification {
        /// UDP ports that are hunted.
        hunted_ports: Vec<u16>,
        /// Those of them that have honest clients, to whom an answer is ordinary.
        answered_is_normal: Vec<u16>,
        /// Different ports or addresses asked that make a hunt.
        requests: usize,
        /// Share that the ports asked must have in all UDP ports of the source.
        share: f64,
        /// Requests to services without honest clients that do, whatever they ask.
        repeats: usize,
        /// Repetitions of one question to other services that do, if they come fast.
        insistent: usize,
        /// The same where a neighbour asks, an answer was seen, or a name server is asked for little.
        insistent_rate: usize,
        /// Seconds within which so many must come.
        insistent_within: f64,
        /// UDP ports that amplified answers come from.
        answer_ports: Vec<u16>,
        /// Answers that nobody asked for.
        answers: usize,
        /// Different sources of them.
        answer_sources: usize,
        /// Mean frame length from which an answer is amplified.
        answer_bytes: u64,
        /// Ports of which answers are everyday traffic.
        busy_ports: Vec<u16>,
        /// Sources that these need.
        busy_answers: usize,
        /// Mean frame length that these need.
        busy_bytes: u64,
        /// Ports of services that hosts here may well ask far away: unless it is known that they did not, their answers are their own.
        asked_far: Vec<u16>,
        /// Ports of which a single server is enough, if it answers in a hurry.
        lone_ports: Vec<u16>,
        /// First port from which clients ask.
        first_client_port: u16,
        /// Answers a second that are more than anybody asks for.
        flood_rate: f64,
        /// How many of them each server must have sent.
        flood_per_source: f64,
        /// Mean frame length that they need where they come from name servers.
        flood_dns_bytes: u64,
    }
    /// Services that answer each other for ever.
    echo_loop: EchoLoop {
        /// Their UDP ports.
        ports: Vec<u16>,
    }
    /// Fragments.
    fragments: Fragments {
        /// Seconds after which a receiver gives up.
        timeout: f64,
        /// Seconds after which the same identification may be that of another datagram.
        again: f64,
        /// Datagrams of a source that never become whole.
        incomplete: usize,
    }
    /// Scans by their shape and kind.
    scan: Scan {
        /// Ports of one host.
        ports: usize,
        /// Ports below 1024 of one host.
        low_ports: usize,
        /// Points that a low port is worth, of which a scan has as many as low ports make one.
        low_port_points: usize,
        /// Hosts from afar at one port that are only touched.
        touched_hosts: usize,
        /// Which share of the connections with a port that is touched may be more than touches: to so many as much may be said as a TCP header is long.
        touched_beyond: f64,
        /// Hosts at one port.
        hosts: usize,
        /// Hosts at one port, where they are all that we have.
        own_hosts: usize,
        /// Ports that get a FIN.
        fin: usize,
        /// Ports that get a packet without flags.
        null: usize,
        /// Ports that get FIN, PSH and URG.
        xmas: usize,
        /// Ports that get FIN and ACK.
        maimon: usize,
        /// Ports that get an ACK.
        ack: usize,
        /// UDP packets a port, up to which it is a scan.
        udp_packets_per_port: u64,
        /// UDP ports at which clients ask servers all over the Internet.
        asked_far: Vec<u16>,
        /// Protocols of one host.
        protocols: usize,
        /// Protocols that hosts speak, all of which may be one gateway's, where something is said by them.
        spoken_protocols: Vec<u8>,
        /// Packets of a protocol to each host from which on it is spoken, not tried.
        protocol_repeats: u64,
        /// Hosts that are pinged.
        ping_hosts: usize,
        /// Pings a host from which on it is a monitor.
        ping_repeats: u64,
        /// Seconds for which a scanner repeats what may have been lost.
        patience: f64,
        /// Share of what a source tries that comes to nothing, from which on it searches.
        fruitless: f64,
        /// SYNs to the same targets from which on it is a check of their health.
        checks: u64,
        /// Share of its targets below which a client of one host fails.
        failed: f64,
        /// Rounds over the same ports from which on a neighbour only checks them, though some are closed.
        rounds: u64,
        /// Shortest mean time between rounds whose answers are not seen, and longest between any.
        round_gap: [f64; 2],
        /// How many times as often as to each port that does not answer a source connects to one that it uses.
        uses: usize,
        /// Packets of a connection from which on it is used.
        used: u64,
        /// One in so many packets, at the least, that a capture of beginnings cuts.
        cut: u64,
        /// One in so many hosts, at the least, with which a mail program or server goes on.
        mail_hosts: usize,
        /// One in so many hosts, at the least, to which a peer sends more than questions.
        peer_hosts: usize,
        /// How many datagrams, hardly two of them the same, go to each host where a peer goes on with hosts at a port equal to its own, on average.
        peer_repeats: f64,
        /// Share of SYNs with a FIN to follow, from which on it is a client.
        finished: f64,
        /// Different targets of a slow scan.
        slow_events: usize,
        /// Seconds that a slow scan lasts at least: one that is nothing else, and one that is found by its shape, too.
        slow_span: [f64; 2],
        /// Mean seconds between its packets.
        slow_gap: f64,
        /// Sources of one site that scan together.
        distributed_sources: usize,
        /// Different targets that they share out.
        distributed_targets: usize,
        /// Ports, at the least, of a range that sources from anywhere share.
        range_ports: usize,
        /// Ports of it, at the least, that each of them tries.
        range_part: usize,
        /// How far ports of a range may lie apart.
        range_gap: u16,
        /// Neighbours from which on what would be a scan of each is one of all.
        neighbours: usize,
        /// Share of their targets that must be one's alone.
        shared: f64,
        /// Ports, at the least, that strangers share who begin together.
        shared_ports: usize,
        /// Seconds within which such strangers begin.
        shared_within: f64,
    }
    /// Marks of scanning tools.
    tools: Tools {
        /// Packets that must carry a mark.
        marks: usize,
        /// IP identification of ZMap before 4.1.0.
        zmap_id: u16,
        /// First source port of newer ZMap.
        zmap_source_first: u16,
        /// Last source port of newer ZMap.
        zmap_source_last: u16,
        /// Share of all questions, in units of what chance would give, from which on a mark counts though each source shows it once.
        beyond_chance: f64,
        /// Packets that must look like newer ZMap.
        zmap_new_marks: usize,
        /// TCP windows of nmap.
        nmap_windows: Vec<u16>,
        /// Packets that must look like nmap.
        nmap_marks: usize,
        /// Highest TTL with which nmap starts.
        nmap_highest_ttl: u8,
        /// IPv6 flow label of the probes of nmap's OS detection.
        nmap_flow_label: u32,
        /// Within which time nmap asks whether a host is there.
        nmap_discovery: f64,
        /// Different probes of nmap's OS detection.
        os_detection_marks: usize,
    }
    /// Those who scan everyone and say so.
    research: Research {
        /// Operators and their prefixes.
        operators: Vec<Operator>,
    }
    /// Single probes.
    probe: Probe {
        /// SYNs from one source to one port that are still one client trying.
        retries: usize,
    }
}

/// Somebody who scans everyone and says so.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Its name.
    pub name: String,
    /// From where it scans: `address/bits`.
    pub prefixes: Vec<String>,
}

impl Contact {
    /// Whether servers answer at a port.
    pub fn is_service(&self, port: u16) -> bool {
        port < FIRST_CLIENT_PORT || self.service_ports.contains(&port)
    }

    /// Whether something answers by UDP from a port.
    pub fn answers(&self, port: u16) -> bool {
        self.is_service(port) || self.answer_ports.contains(&port)
    }

    /// Whether most of some ports are such: a client has one of them by chance.
    pub fn are_mostly_services(&self, ports: &BTreeSet<u16>) -> bool {
        ports.iter().filter(|port| self.is_service(**port)).count() * 2 >= ports.len()
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds::with_overrides(&[]).expect("the built-in thresholds are valid, a test reads them")
    }
}

impl Thresholds {
    /// The built-in thresholds with those of a user's tables, in order, put over them.
    pub fn with_overrides(overrides: &[toml::Table]) -> anyhow::Result<Self> {
        let mut table: toml::Table = BUILT_IN.parse().context("reading the built-in thresholds")?;
        for over in overrides {
            overlay(&mut table, over);
        }
        let faulty = table.iter().find_map(|(section, values)| Some((section, values.as_table().and_then(useless)?)));
        if let Some((section, (name, value))) = faulty {
            bail!("[thresholds.{section}] {name} = {value}: it must be greater than 0");
        }
        let thresholds: Thresholds = toml::Value::Table(table)
            .try_into()
            .context("reading thresholds: each is a name and a value of the kind in thresholds.toml")?;
        match thresholds.pairs().iter().find(|(.., first, last)| first > last) {
            Some((section, names, first, last)) => {
                bail!("[thresholds.{section}] {names}: {first} is greater than {last}")
            }
            None => Ok(thresholds),
        }
    }

    /// Numbers of which the second must not be less than the first.
    fn pairs(&self) -> [(&'static str, &'static str, f64, f64); 5] {
        let [client_first, client_last] = self.backscatter.client_ports;
        let [gap_first, gap_last] = self.scan.round_gap;
        let (traceroute, late_fin, tools) = (&self.traceroute, &self.late_fin, &self.tools);
        [
            ("backscatter", "client_ports", client_first.into(), client_last.into()),
            ("scan", "round_gap", gap_first, gap_last),
            ("traceroute", "first_port and last_port", traceroute.first_port.into(), traceroute.last_port.into()),
            ("late_fin", "ports and most_ports", late_fin.ports as f64, late_fin.most_ports as f64),
            (
                "tools",
                "zmap_source_first and zmap_source_last",
                tools.zmap_source_first.into(),
                tools.zmap_source_last.into(),
            ),
        ]
    }
}

/// A number of a section with which nothing can be counted or measured.
fn useless(values: &toml::Table) -> Option<(&String, &toml::Value)> {
    values.iter().find(|(_, value)| match value {
        toml::Value::Integer(number) => *number <= 0,
        toml::Value::Float(number) => !number.is_finite() || *number <= 0.0,
        _ => false,
    })
}

fn overlay(base: &mut toml::Table, over: &toml::Table) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(value)) => overlay(inner, value),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}
