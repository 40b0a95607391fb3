//! Addresses where they belong, and where they do not.

use annotator::finding::{Finding, Verdict};
use annotator::knowledge::schema;
use annotator::observation::Locality;

use crate::frames::{self, Packet};
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
    assert_eq!(of_addresses(&ours).0, ["address.self"]);
    let theirs = findings(&packets, &owning("192.168.0.14"));
    for id in ["address.limited-broadcast", "address.private-source.neighbour", "address.directed-broadcast.lan"] {
        assert!(tells(&theirs, id), "{id} is not among {theirs:?}");
    }
}
