//! Networks seen from inside, where private and link-local addresses belong.

use annotator::knowledge::schema;

use crate::catalogue::HOME;
use crate::traffic::*;

/// All of it, by what it is.
pub const AT_HOME: [(&str, Fill); 8] = [
    ("The inner side of a router, whose network is given", inner_side_of_a_router),
    ("A machine in a cloud, with services at link-local addresses", a_machine_in_a_cloud),
    ("Programs and devices of a local network", programs_of_a_local_network),
    ("A server of an office, and who uses it", an_office_server),
    ("A domain controller and its clients", a_domain_controller),
    ("Devices that answer who searches the network", answers_to_searches),
    ("Answers by RPC to reserved ports", answers_by_rpc),
    ("A controller that looks for its devices by broadcast", a_controller_of_devices),
];

/// A packet that switches a machine on: ones, and sixteen times its hardware address.
pub fn magic() -> Vec<u8> {
    [vec![0xff; 6], [2, 0, 0xc0, 0xa8, 1, 0x55].repeat(16)].concat()
}

/// Says that a network is ours.
fn live_in(scenario: &mut Scenario, prefix: &str) {
    scenario.locality.prefixes.push(schema::prefix(prefix).unwrap());
}

fn inner_side_of_a_router(scenario: &mut Scenario) {
    live_in(scenario, "192.168.1.0/24");
    for i in 0..300 {
        let (client, port) = (format!("192.168.1.{}", 20 + i % 25), 33_000 + 7 * i as u16);
        scenario.send(udp(&client, port, "9.9.9.9", 53, &[0, 1, 1, 0, 0, 1, 0, 0]));
        scenario.send(udp("9.9.9.9", 53, &client, port, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
        scenario.connection(&client, port, &crowd(i % 40), 443).wait(0.2);
    }
    // The router resolves names itself, and lets one client browse over QUIC.
    for i in 0..60 {
        let (client, port) = ("192.168.1.200", 33_000 + 7 * i as u16);
        scenario.send(udp(client, port, HOME, 53, &[0, 1, 1, 0, 0, 1, 0, 0]).ttl(64));
        scenario.send(udp(HOME, 53, client, port, &[0, 1, 0x81, 0x80, 0, 1, 0, 1]));
        scenario.send(udp(client, port, &crowd(i), 443, &[0xc3; 1200]).ttl(64));
        scenario.send(udp(&crowd(i), 443, client, port, &[0xc3; 1200]));
        scenario.connection(client, port, &crowd(100 + i), [443, 993, 5222, 5228, 8080][i as usize % 5]).wait(60.0);
    }
}

fn a_machine_in_a_cloud(scenario: &mut Scenario) {
    for i in 0..120 {
        let port = 33_000 + 7 * i;
        scenario.connection(HOME, port, "169.254.169.254", 80);
        scenario.connection("169.254.1.1", port, HOME, 8080);
        scenario.send(udp(HOME, port, "169.254.20.10", 53, &[0, 1, 1, 0, 0, 1, 0, 0]));
        scenario.send(udp("169.254.20.10", 53, HOME, port, &[0, 1, 0x81, 0x80, 0, 1, 0, 1])).wait(1.0);
    }
}

fn programs_of_a_local_network(scenario: &mut Scenario) {
    live_in(scenario, "192.168.1.0/24");
    let neighbour = |number: u8| format!("192.168.1.{number}");
    for round in 0..12 {
        for everybody in ["192.168.1.255", "255.255.255.255"] {
            for port in [7, 9] {
                scenario.send(udp(&neighbour(30), 51_000 + round, everybody, port, &magic()).ttl(64));
            }
        }
        let search = b"\xff\xff\xff\xffgetinfo xxx";
        scenario.send(udp(&neighbour(23), 27961, "255.255.255.255", 27960 + round % 4, search).ttl(64));
        scenario.send(udp(&neighbour(24), 50_504, HOME, 5683, b"@\x01\xa1\xb2\xbb.well-known\x04core").ttl(64));
        for port in [17, 123, 10001, 27960] {
            scenario.send(udp(&neighbour(25), 50_505, HOME, port, &[1, 0, 0, 0]).ttl(64));
        }
        scenario.send(ping(&neighbour(1), "224.0.0.1").ttl(1)).wait(5.0);
    }
}

fn an_office_server(scenario: &mut Scenario) {
    live_in(scenario, "93.184.216.0/24");
    for i in 0..25_u16 {
        let (client, port) = (format!("93.184.216.{}", 100 + i), 33_000 + 7 * i);
        scenario.send(udp(&client, port, HOME, 69, b"\0\x01undionly.kpxe\0octet\0").ttl(64));
        for (service, request) in
            [(3128, &b"CONNECT www.example.org:443 HTTP/1.1\r\n\r\n"[..]), (11211, b"get session:1234\r\n")]
        {
            scenario.connection(&client, port, HOME, service);
            let mut asked = tcp(&client, port, HOME, service, PSH | ACK).ttl(64);
            asked.body.extend(request);
            scenario.send(asked);
        }
        scenario.wait(2.0);
    }
}

fn a_domain_controller(scenario: &mut Scenario) {
    live_in(scenario, "93.184.216.0/24");
    for round in 0..8 {
        for i in 0..10 {
            let (client, port) = (format!("93.184.216.{}", 100 + i), 49_152 + 97 * (10 * round + i));
            for service in [53, 88, 389, 123, 464].into_iter().take(if round % 4 == 0 { 5 } else { 4 }) {
                scenario.send(udp(&client, port, HOME, service, &[7; 160]).ttl(128));
                scenario.send(udp(HOME, service, &client, port, &[7; 160]));
            }
            for (k, service) in [88, 389, 445, 135, 49664, 3268].into_iter().enumerate() {
                scenario.connection(&client, port + 1 + k as u16, HOME, service);
            }
        }
        scenario.wait(900.0);
    }
}

fn answers_to_searches(scenario: &mut Scenario) {
    live_in(scenario, "93.184.216.0/24");
    let (ssdp, found) = (b"M-SEARCH * HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n");
    // Programs that ask again and again for one name, and for one device.
    for i in 0..40 {
        scenario.send(udp("93.184.216.50", 5355, HOME, 40_000 + 7 * i, &[0x84; 60]).ttl(64));
        scenario.send(udp("93.184.216.51", 32_768, HOME, 40_001 + 7 * i, found).ttl(64)).wait(1.0);
    }
    for round in 0..30 {
        let from = 49_152 + 131 * round;
        scenario.send(udp(HOME, from, "239.255.255.250", 1900, ssdp).ttl(1));
        scenario.send(udp(HOME, from + 1, "239.255.255.250", 3702, b"<?xml").ttl(1));
        scenario.send(udp(HOME, from + 2, "224.0.0.252", 5355, &[0; 30]).ttl(1));
        scenario.send(udp(HOME, from + 3, "224.0.0.251", 5353, &[0; 30]).ttl(255));
        for device in 0..3 {
            let name = format!("93.184.216.{}", 40 + device);
            // From the service's own port, from one that the device keeps, and from a new one each time.
            for own in [1900, 32_768 + device, 33_000 + 7 * round] {
                scenario.send(udp(&name, own, HOME, from, found).ttl(64));
                scenario.send(udp(&name, own, HOME, from, found).ttl(64));
            }
            for (k, own) in [3702, 5355, 5353].into_iter().enumerate() {
                scenario.send(udp(&name, own, HOME, from + 1 + k as u16, &[b'<'; 400]).ttl(64));
            }
        }
        scenario.wait(120.0);
    }
}

fn answers_by_rpc(scenario: &mut Scenario) {
    live_in(scenario, "93.184.216.0/24");
    let message = |kind| [&[9, 9, 9, 9, 0, 0, 0, kind][..], &[0; 32]].concat();
    for i in 0..100 {
        scenario.send(udp(HOME, 700 + 3 * i, "93.184.216.9", 111, &message(0)).ttl(64));
        scenario.send(udp("93.184.216.9", 111, HOME, 700 + 3 * i, &message(1)).ttl(64)).wait(15.0);
    }
}

fn a_controller_of_devices(scenario: &mut Scenario) {
    live_in(scenario, "93.184.216.0/24");
    scenario.connection(HOME, 40_000, &crowd(0), 443);
    for round in 0..20 {
        let from = 49_152 + 131 * round;
        scenario.send(udp(HOME, from, "255.255.255.255", 10_001, &[1, 0, 0, 0]).ttl(64));
        for device in 0..3 {
            let answer = udp(&format!("93.184.216.{}", 60 + device), 10_001, HOME, from, &[1; 140]).ttl(64);
            scenario.send(answer);
        }
        scenario.wait(60.0);
    }
}

/// Only neighbours wake machines: who forges a victim's address fills his packets with anything.
#[test]
fn a_stranger_wakes_nobody() {
    let told = |source: &str, ttl: u8, payload: &[u8]| {
        let mut scenario = Scenario::live();
        for port in 51_000..51_005 {
            scenario.send(udp(source, port, "93.184.216.255", 7, payload).ttl(ttl));
        }
        ids(&scenario.recognise()).join(" ")
    };
    assert_eq!(told("93.184.216.30", 64, &magic()), "");
    assert_eq!(told("93.184.216.30", 64, &[0; 102]), "pattern.fraggle");
    assert_eq!(told("116.90.231.66", 52, &magic()), "pattern.fraggle");
}
