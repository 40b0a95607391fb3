//! Networks seen from inside, where private and link-local addresses belong.

use annotator::knowledge::schema;

use crate::catalogue::HOME;
use crate::traffic::*;

/// All of it, by what it is.
pub const AT_HOME: [(&str, Fill); 2] = [
    ("The inner side of a router, whose network is given", inner_side_of_a_router),
    ("A machine in a cloud, with services at link-local addresses", a_machine_in_a_cloud),
];

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
