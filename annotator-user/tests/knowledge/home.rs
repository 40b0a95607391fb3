//! Addresses where they belong, and where they do not.

use annotator::counters::PortProto;
use annotator::finding::{Finding, Verdict};
use annotator::knowledge::schema;
use annotator::observation::Locality;

use crate::frames::{self, Packet};
use crate::single::{dns, rpc};
use crate::stimulus::{findings, findings_live, findings_unsampled, tells};

/// Who lives in a network.
fn living_in(prefix: &str) -> Locality {
    Locality { prefixes: vec![schema::prefix(prefix).unwrap()], ..Locality::default() }
}

/// Who has an address.
fn owning(address: &str) -> Locality {
    Locality { addresses: vec![address.parse().unwrap()], ..Locality::default() }
}

/// The ids of what is said of addresses, and of it what worries somebody.
fn of_addresses(found: &[Finding]) -> (Vec<&str>, Vec<&str>) {
    let of_addresses = || found.iter().filter(|finding| finding.id.starts_with("address."));
    let loud = of_addresses().filter(|finding| finding.verdict > Verdict::Background);
    (of_addresses().map(|finding| finding.id.as_str()).collect(), loud.map(|finding| finding.id.as_str()).collect())
}

/// What is forged or lost elsewhere is ordinary in a network that has these addresses.
#[test]
fn addresses_at_home_worry_nobody() {
    // Network, source, destination; what it is there, and elsewhere.
    let table = [
        ("192.168.1.0/24", "192.168.1.20", "198.19.1.20", ["address.private-source.inside", "address.private-source"]),
        ("172.17.0.0/16", "172.17.0.2", "198.19.1.20", ["address.private-source.inside", "address.private-source"]),
        ("fd00:10::/64", "fd00:10::9", "2001:470:1::5", ["address.unique-local.inside", "address.unique-local"]),
        ("169.254.44.0/30", "169.254.44.1", "169.254.44.255", ["address.link-local.meant", "address.link-local"]),
        ("192.0.2.0/24", "192.0.2.9", "198.19.1.20", ["address.documentation.laboratory", "address.documentation"]),
    ];
    for (network, source, destination, [at_home, elsewhere]) in table {
        for look in [findings, findings_live] {
            let look = |locality: &Locality| look(&[frames::syn(443).from(source).to(destination)], locality);
            let found = look(&living_in(network));
            let (ids, loud) = of_addresses(&found);
            assert!(ids.contains(&at_home) && loud.is_empty(), "{source} in {network}: {ids:?}");
            let found = look(&living_in("10.99.0.0/24"));
            assert!(of_addresses(&found).1.contains(&elsewhere), "{source}: {found:?}");
        }
    }
}

/// Nobody on the Internet can answer a private address: who gets answers is inside, and so are we, whatever else that site sends.
#[test]
fn who_gets_answers_is_inside() {
    let client = |acknowledged: u32| {
        let segment = frames::tcp(40000, 80, frames::flag::ACK, &[]).acknowledging(acknowledged);
        segment.from("192.168.1.20").to("198.19.1.21").at(f64::from(acknowledged))
    };
    let probe = frames::syn(443).from("192.168.1.22").to("198.19.1.20").at(9000.0);
    let answer = frames::udp(53, 40000, &[0x81; 40]).from("198.19.1.21").to("192.168.1.21");
    let told = |packets: &[Packet]| of_addresses(&findings(packets, &Locality::default())).1.join(" ");
    assert_eq!(told(&[answer, probe.clone()]), "");
    assert_eq!(told(&[client(1000), client(3000), probe.clone()]), "");
    assert_eq!(told(&[client(1000), probe]), "address.private-source", "it acknowledges nothing new");
    let laboratory =
        [frames::syn(80).from("192.0.2.9"), frames::tcp(80, 40000, 0x12, &[]).from(frames::US).to("192.0.2.9")];
    assert_eq!(told(&laboratory[..1]), "address.documentation");
    assert_eq!(told(&laboratory), "");
}

#[test]
fn a_nat64_gateway_is_addressed_by_internal_machines() {
    let found = findings(&[frames::syn(443).from("fd00:10::9").to("64:ff9b::5db8:d80a")], &Locality::default());
    assert_eq!(of_addresses(&found), (vec!["address.unique-local.inside"], vec![]));
}

/// Who calls to everybody got no address; who talks with one host has the address on purpose, and of what is not answered nobody knows.
#[test]
fn link_local_addresses_are_used_on_purpose() {
    let to = |host: &str| frames::udp(53, 40000, &[0x81; 40]).from("169.254.20.10").to(host);
    let told = |packets: &[Packet]| {
        let found = findings(packets, &Locality::default());
        let (ids, loud) = of_addresses(&found);
        (ids.join(" "), !loud.is_empty())
    };
    let back = frames::udp(40000, 53, &[1; 40]).from(frames::US).to("169.254.20.10");
    assert_eq!(told(&[to(frames::US), back]), ("address.link-local.meant".into(), false));
    assert_eq!(told(&[to(frames::US)]), ("address.link-local.unicast".into(), false));
    let (ids, loud) = told(&[to("255.255.255.255")]);
    assert!(ids.contains("address.link-local") && loud, "{ids}");
}

/// Data of running connections is counted and not sampled: whose it is, nobody knows, and it is not more of what accuses somebody.
#[test]
fn addresses_that_were_only_counted_accuse_nobody() {
    let keepalive = |seconds: u32| {
        let data = frames::tcp(179, 40000, frames::flag::PSH | frames::flag::ACK, &[0xff; 19]);
        data.from("169.254.44.1").at(f64::from(seconds))
    };
    let mut packets: Vec<_> = (1..300).map(keepalive).collect();
    assert_eq!(of_addresses(&findings_unsampled(&packets, &Locality::default())).1, [""; 0]);
    packets.push(frames::udp(137, 137, &[0; 50]).from("169.254.3.4").to("255.255.255.255").at(300.0));
    packets.push(frames::udp(53, 40000, &[0x81; 40]).from("169.254.169.253").at(301.0));
    let found = findings(&packets, &Locality::default());
    let lost = found.iter().find(|finding| finding.id == "address.link-local").expect("it is told");
    assert_eq!(lost.packets, 1);
}

/// What we send to everybody is no neighbour's.
#[test]
fn our_own_broadcasts_are_ours() {
    let to = |everybody: &str| frames::udp(17500, 17500, &[0; 40]).from("192.168.0.13").to(everybody);
    let packets = ["255.255.255.255", "192.168.0.255", "239.255.255.250", "169.254.255.255"].map(to);
    let ours = findings(&packets, &owning("192.168.0.13"));
    assert_eq!(of_addresses(&ours).0, [""; 0]);
    let theirs = findings(&packets, &owning("192.168.0.14"));
    for id in ["address.limited-broadcast", "address.private-source.neighbour", "address.directed-broadcast.lan"] {
        assert!(tells(&theirs, id), "{id} is not among {theirs:?}");
    }
}

/// A capture of both directions holds what we send; at an interface nothing arrives from ourselves, but what is forged or comes back.
#[test]
fn what_leaves_here_is_not_told_as_if_it_had_arrived() {
    let refused = frames::icmp_about(3, 3, frames::udp(40000, 5000, &[0; 20]));
    let leaves = [frames::syn(443), frames::icmp(8, 0, &[0; 32]), frames::icmp(0, 0, &[0; 32]), refused];
    let leaves = leaves.map(|packet| packet.from(frames::US).to(frames::STRANGER));
    let mut packets: Vec<_> = std::iter::repeat_n(leaves, 20).flatten().collect();
    let told = |found: &[Finding]| -> Vec<String> {
        let ids = found.iter().map(|finding| finding.id.clone());
        ids.filter(|id| id.starts_with("address.") || id.starts_with("icmp")).collect()
    };
    assert_eq!(told(&findings(&packets, &owning(frames::US))), ["icmp.not-a-port"]);
    let live = told(&findings_live(&packets, &owning(frames::US)));
    for id in ["address.self", "icmp.8", "icmp.0", "icmp.3.3"] {
        assert!(live.iter().any(|told| told == id), "{id} is not among {live:?}");
    }
    packets.push(frames::icmp(8, 0, &[0; 32]));
    let both = findings(&packets, &owning(frames::US));
    assert_eq!(both.iter().find(|finding| finding.id == "icmp.8").expect("it is told").packets, 1);
}

/// An address near ours is soon forged: a neighbour is of the same site, and no router has passed on what it sends.
#[test]
fn who_is_near_is_no_neighbour_yet() {
    let told = |from: &str, ttl: u8| {
        let stats = frames::udp(40000, 11211, b"\0\x01\0\0\0\x01\0\0stats\r\n").from(from).ttl(ttl);
        tells(&findings(&[stats], &owning(frames::US)), "payload.memcached.local")
    };
    let [a, b, c, _] = frames::US.parse::<std::net::Ipv4Addr>().expect("it is IPv4").octets();
    assert!(told(&format!("{a}.{b}.{c}.200"), 64));
    assert!(!told(&format!("{a}.{b}.{c}.200"), 52));
    assert!(!told(&format!("{a}.{b}.{}.200", c ^ 64), 64));
    assert!(!told("10.0.0.9", 64), "a private address has no business with a public one");
}

/// The ids of what worries somebody.
fn loud(found: &[Finding]) -> Vec<&str> {
    let loud = found.iter().filter(|finding| finding.verdict > Verdict::Background);
    loud.map(|finding| finding.id.as_str()).collect()
}

fn over_tcp(port: u16, payload: &[u8]) -> Packet {
    frames::tcp(40000, port, frames::flag::PSH | frames::flag::ACK, payload)
}

/// What a network's services are for, when strangers ask for it.
#[test]
fn neighbours_use_services() {
    let ldap: &[u8] = &[0x30, 0x0c, 2, 1, 1, 0x63, 7, 4, 0, 0x0a, 1, 0, 0x0a, 1];
    // What is asked, what it is from a neighbour, and what from a stranger.
    let table = [
        (
            over_tcp(3128, b"CONNECT www.example.org:443 HTTP/1.1\r\n\r\n"),
            "payload.http-proxy.local",
            "payload.http-proxy",
        ),
        (over_tcp(11211, b"flush_all\r\n"), "payload.memcached.local", "payload.memcached.flush"),
        (frames::udp(40000, 11211, b"\0\x01\0\0\0\x01\0\0stats\r\n"), "payload.memcached.local", "payload.memcached"),
        (frames::udp(40000, 69, b"\0\x01undionly.kpxe\0octet\0"), "payload.tftp.local", "payload.tftp"),
        (frames::udp(40000, 389, ldap), "payload.cldap.local", "payload.cldap"),
        (frames::udp(700, 111, &rpc(100_000, 4, 0)), "payload.rpc-dump.local", "payload.rpc-dump"),
        (frames::udp(700, 111, &rpc(100_000, 3, 100_005)), "payload.rpc-program.local", "payload.rpc-program.100005"),
        (frames::udp(700, 20048, &rpc(100_005, 1, 0)), "payload.rpc-program.local", "payload.rpc-program.100005"),
        (frames::udp(700, 111, &rpc(100_000, 3, 100_068)), "payload.rpc-program.100068", "payload.rpc-program.100068"),
        (frames::udp(40000, 123, &[0x17, 0, 3, 0, 0, 0, 0, 0]), "payload.ntp-control.local", "payload.ntp-control"),
        (frames::udp(40000, 123, &[0x17, 0, 3, 42, 0, 0, 0, 0]), "payload.ntp-monlist.local", "payload.ntp-monlist"),
        (
            frames::udp(40000, 53, &dns(0, 16, 3, "version.bind")),
            "payload.dns-version-bind.local",
            "payload.dns-version-bind",
        ),
        (frames::udp(40000, 53, &dns(0, 255, 1, "example.com")), "payload.dns-any.local", "payload.dns-any"),
        (frames::udp(700, 111, &rpc(100_000, 5, 100_004)), "payload.rpc-callit.local", "payload.rpc-callit"),
        (over_tcp(25, b"VRFY postmaster\r\n"), "payload.smtp-vrfy.local", "payload.smtp-vrfy"),
        (frames::udp(40000, 177, &[0, 1, 0, 2, 0, 1, 0]), "port.177.local", "port.177"),
        (frames::syn(79), "port.79.local", "port.79"),
        (frames::icmp(13, 0, &[0; 12]), "icmp.13.local", "icmp.13"),
        (frames::icmp(17, 0, &[0; 4]), "icmp.17.local", "icmp.17"),
        (frames::icmp(8, 0, &[0; 56]).options(&[7, 7, 4, 0, 0, 0, 0]), "ip.record-route.local", "ip.record-route"),
    ];
    for (packet, neighbours, strangers) in table {
        let told = findings(std::slice::from_ref(&packet), &Locality::default());
        assert!(tells(&told, strangers) && !loud(&told).is_empty(), "{strangers} is not among {told:?}");
        let told = findings(&[packet.from("192.168.1.20").to("192.168.1.2")], &living_in("192.168.1.0/24"));
        assert!(tells(&told, neighbours), "{neighbours} is not among {told:?}");
        assert_eq!(loud(&told).is_empty(), neighbours.ends_with(".local"), "{neighbours}");
    }
}

/// A collector is sent reports; where there is none, they go to the wrong address.
#[test]
fn reports_are_for_those_who_collect_them() {
    let trap = [
        &[0x30, 0x26, 2, 1, 1, 4, 6][..],
        b"secret",
        &[
            0xa7, 0x19, 2, 1, 1, 2, 1, 0, 2, 1, 0, 0x30, 0x0e, 0x30, 0x0c, 6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0, 0x43, 1,
            0x7b,
        ],
    ];
    let packets = [frames::udp(40000, 162, &trap.concat()), frames::udp(40001, 514, b"<134>Nov 22 router: link up")];
    let told = |ports: Option<&[u16]>| {
        let listening = ports.map(|ports| ports.iter().map(|port| (PortProto::Udp, *port)).collect());
        findings(&packets, &Locality { listening, ..owning(frames::US) })
    };
    for ports in [None, Some(&[162, 514][..])] {
        let found = told(ports);
        assert_eq!(loud(&found), [""; 0]);
        for id in ["port.162", "quiet.514", "payload.snmp.trap"] {
            assert!(tells(&found, id), "{id} is not among {found:?}");
        }
    }
    assert_eq!(loud(&told(Some(&[22]))), ["port.162.misdirected", "quiet.514.misdirected"]);
}

/// Who shows the cookie of an earlier connection may ask in his first packet; an empty option is no cookie.
#[test]
fn fast_open_needs_a_cookie() {
    let request = b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n";
    let told = |options: &[u8]| {
        let syn =
            frames::tcp(40000, 80, frames::flag::SYN, &[options, request].concat()).tcp_header(20 + options.len());
        findings(&[syn], &Locality::default())
    };
    let cookie = [2, 4, 5, 0xb4, 34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1];
    assert_eq!(loud(&told(&cookie)), [""; 0]);
    // One who shows it again and again, and is never answered, has made it up.
    let syn = |port: u16| {
        let syn = frames::tcp(port, 80, frames::flag::SYN, &[&cookie[..], request].concat());
        syn.tcp_header(20 + cookie.len())
    };
    let many: Vec<_> = (40000..40010).map(syn).collect();
    assert!(tells(&findings(&many, &Locality::default()), "payload.http-host-out-of-connection"));
    let listening = Some([(PortProto::Tcp, 80)].into());
    assert_eq!(loud(&findings(&many, &Locality { listening, ..Locality::default() })), [""; 0]);
    let answer = |port: u16| frames::tcp(80, port, frames::flag::SYN | frames::flag::ACK, &[]).from(frames::US);
    let answered: Vec<_> = (40000..40010).flat_map(|port| [syn(port), answer(port).to(frames::STRANGER)]).collect();
    assert_eq!(loud(&findings(&answered, &Locality::default())), [""; 0]);
    for none in [&[][..], &[34, 2, 1, 1], &[34, 4, 1, 2], &[1, 34, 22, 1]] {
        assert!(tells(&told(none), "payload.http-host-out-of-connection"), "{none:?}");
    }
}
