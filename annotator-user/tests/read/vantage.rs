//! A capture whose host is not named: whose it probably is.

use std::net::Ipv4Addr;

use annotator_common::packet::tcp::{ACK, RST, SYN};

use crate::captures::Pcap;
use crate::{Folder, SECOND, START, frames, read_with};

const HOST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// Questions of the host to so many servers, and their answers.
fn questions(servers: u8) -> Vec<(u64, Vec<u8>)> {
    let conversation = |server: u8| {
        let server_address = Ipv4Addr::new(93, 184, server, 7);
        let datagram = |source, destination, from, to| {
            frames::Ipv4 { source, destination, ..frames::Ipv4::default() }
                .frame(&frames::udp_datagram(from, to, b"time"))
        };
        [datagram(HOST, server_address, 40_000, 123), datagram(server_address, HOST, 123, 40_000)]
    };
    (0..servers)
        .flat_map(conversation)
        .enumerate()
        .map(|(index, frame)| (START + index as u64 * SECOND, frame))
        .collect()
}

fn notes(packets: &[(u64, Vec<u8>)], arguments: &[&str]) -> String {
    let folder = Folder::create();
    let capture = folder.file("capture.pcap", &Pcap::ETHERNET.of(packets));
    let run = read_with(&[&["--format", "json", &capture], arguments].concat(), &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run.report()["notes"].to_string()
}

#[test]
fn the_host_that_all_others_talk_with_is_suggested() {
    // Most of the packets are of somebody who calls to everybody.
    let call = || {
        frames::Ipv4 { destination: Ipv4Addr::BROADCAST, ..frames::Ipv4::default() }
            .frame(&frames::udp_datagram(68, 67, b"?"))
    };
    let calls = (10..30).map(|second| (START + second * SECOND, call()));
    let notes = notes(&questions(3).into_iter().chain(calls).collect::<Vec<_>>(), &[]);
    assert!(notes.contains("--local-address 198.51.100.7"), "{notes}");
}

#[test]
fn nobody_is_suggested_where_two_talk_or_the_host_is_known_or_only_arrivals_are_there() {
    assert_eq!(notes(&questions(1), &[]), "[]");
    assert_eq!(notes(&questions(3), &["--local-address", "198.51.100.7"]), "[]");
    assert_eq!(notes(&questions(3), &["--local", "93.184.0.0/16"]), "[]", "it comes to us");
    let arrivals: Vec<_> = questions(3).into_iter().skip(1).step_by(2).collect();
    assert_eq!(notes(&arrivals, &[]), "[]");
}

/// A gateway's capture of one who tries whatever lies behind it.
#[test]
fn a_scanner_is_not_suggested() {
    let swept = |refuse: u8, network: fn(u8) -> Ipv4Addr| {
        let probe = |host: u8| {
            let segment = |source, destination, from, to, flags| {
                frames::Ipv4 { source, destination, protocol: 6, ..frames::Ipv4::default() }
                    .frame(&frames::tcp_segment(from, to, flags, &[]))
            };
            [segment(HOST, network(host), 40_000, 22, SYN), segment(network(host), HOST, 22, 40_000, refuse)]
        };
        let frames = (1..60).flat_map(probe).enumerate();
        notes(&frames.map(|(index, frame)| (START + index as u64 * SECOND, frame)).collect::<Vec<_>>(), &[])
    };
    let one_site = |host| Ipv4Addr::new(93, 184, 216, host);
    let everywhere = |host| Ipv4Addr::new(93, 184, host, 7);
    assert_eq!(swept(SYN | ACK, one_site), "[]");
    assert_eq!(swept(RST | ACK, everywhere), "[]");
    assert_ne!(swept(SYN | ACK, everywhere), "[]");
}

/// Of more addresses than the flags know, all are ours.
#[test]
fn forty_addresses_may_be_ours() {
    let folder = Folder::create();
    let host = |last: u8| Ipv4Addr::new(198, 51, 100, last);
    let probe = |last: u8| {
        let segment = frames::tcp_segment(40_000, 23, SYN, &[]);
        let source = Ipv4Addr::new(93, 184, 216, 7);
        frames::Ipv4 { source, destination: host(last), protocol: 6, ..frames::Ipv4::default() }.frame(&segment)
    };
    let packets: Vec<_> = (1..=40).map(|last| (START + u64::from(last) * SECOND, probe(last))).collect();
    let capture = folder.file("sweep.pcap", &Pcap::ETHERNET.of(&packets));
    let addresses: Vec<String> = (1..=40).map(|last| format!("--local-address={}", host(last))).collect();
    let arguments: Vec<&str> =
        ["--format", "json", &capture].into_iter().chain(addresses.iter().map(String::as_str)).collect();
    let run = read_with(&arguments, &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("know the first 16"), "{}", run.stderr);
    let report = run.report();
    let sweep = report["findings"].as_array().and_then(|all| all.iter().find(|one| one["id"] == "scan.horizontal"));
    assert_eq!(sweep.expect("the sweep is told")["packets"], 40);
}
