//! Tools by the marks that they leave, and packets that carry them by chance.

use crate::traffic::*;

const HOME: &str = "93.184.216.10";
const AWAY: &str = "116.90.231.66";

fn mirai(target: &str) -> Packet {
    syn(AWAY, 40000, target, 23).sequence(u32::from(ip(target)))
}

#[test]
fn mirai_writes_the_target_into_the_sequence_number() {
    let mut scenario = Scenario::live();
    scenario.send(mirai(HOME)).send(mirai("93.184.216.11"));
    one(&scenario.recognise(), "tool.mirai");
    let mut once = Scenario::live();
    once.send(mirai(HOME)).send(syn(AWAY, 40000, HOME, 2323));
    none(&once.recognise(), "tool.mirai");
}

#[test]
fn mirai_behind_address_translation_needs_the_public_address() {
    let mut scenario = Scenario::live();
    for _ in 0..2 {
        scenario.send(syn(AWAY, 40000, "10.0.0.5", 23).sequence(u32::from(ip(HOME))));
    }
    none(&scenario.recognise(), "tool.mirai");
    scenario.locality.addresses = vec![ip(HOME).into()];
    one(&scenario.recognise(), "tool.mirai");
}

#[test]
fn zmap_writes_54321() {
    let mut scenario = Scenario::live();
    scenario.send(syn(AWAY, 40000, HOME, 443).id(54321)).send(syn(AWAY, 40000, "93.184.216.11", 443).id(54321));
    one(&scenario.recognise(), "tool.zmap");
    let mut chance = Scenario::live();
    chance.send(syn(AWAY, 40000, HOME, 443).id(54321)).send(syn(AWAY, 40000, HOME, 443).id(54322));
    none(&chance.recognise(), "tool.zmap");
}

#[test]
fn newer_zmap_copies_linux_but_for_one_bit() {
    let options = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
    let probe = |port: u16| syn(AWAY, 40000, HOME, port).window(65_535).options(&options).id(port);
    let mut scenario = Scenario::live();
    let mut linux = Scenario::live();
    for port in [22, 80, 443] {
        scenario.send(probe(port));
        linux.send(probe(port).window(64_240).dont_fragment());
    }
    one(&scenario.recognise(), "tool.zmap-4.1");
    none(&linux.recognise(), "tool.zmap-4.1");
}

#[test]
fn masscan_derives_the_identification() {
    let probe = |port: u16, sequence: u32| {
        let id = (u32::from(ip(HOME)) ^ u32::from(port) ^ sequence) as u16;
        syn(AWAY, 40000, HOME, port).sequence(sequence).id(id).ttl(240).window(1024)
    };
    let mut scenario = Scenario::live();
    scenario.send(probe(22, 0x1234_5678)).send(probe(80, 0x9abc_def0));
    let found = scenario.recognise();
    assert_eq!(one(&found, "tool.masscan").facts[0], ("detail", "masscan up to 1.3.2".to_string()));
    let mut chance = Scenario::live();
    chance.send(probe(22, 0x1234_5678)).send(probe(80, 0x9abc_def0).id(99));
    none(&chance.recognise(), "tool.masscan");
}

#[test]
fn nmap_has_few_windows_and_one_option() {
    let mut scenario = Scenario::live();
    let mut system = Scenario::live();
    for port in [22, 80, 443, 8080] {
        let probe = syn(AWAY, 40000, HOME, port).window(1024).options(&[2, 4, 5, 180]).ttl(45);
        scenario.send(probe.clone());
        system.send(probe.dont_fragment());
    }
    one(&scenario.recognise(), "tool.nmap");
    none(&system.recognise(), "tool.nmap");
}

#[test]
fn nmap_asks_which_system_it_is() {
    let mut scenario = Scenario::live();
    for window in [1, 63, 4, 16, 512] {
        scenario.send(syn(AWAY, 40000, HOME, 80).window(window).options(&[2, 4, 5, 180]));
    }
    scenario
        .send(tcp(AWAY, 40001, HOME, 80, 0).window(128))
        .send(tcp(AWAY, 40002, HOME, 1, FIN | PSH | URG).window(65_535));
    one(&scenario.recognise(), "tool.nmap-os-detection");
    let mut client = Scenario::live();
    for window in [1, 63, 64_240] {
        client.send(syn(AWAY, 40000, HOME, 80).window(window));
    }
    none(&client.recognise(), "tool.nmap-os-detection");
}

#[test]
fn a_mark_that_many_sources_show_once_is_no_chance() {
    let mut scenario = Scenario::live();
    for i in 1..=6 {
        scenario.send(udp(&format!("116.90.231.{i}"), 40000, HOME, 47808, &[0; 17]).id(54321));
        scenario.send(udp(&format!("185.60.112.{i}"), 40000, HOME, 47808, &[0; 17]));
    }
    assert_eq!(one(&scenario.recognise(), "tool.zmap").packets, 6);
}
