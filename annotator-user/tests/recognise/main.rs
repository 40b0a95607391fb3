//! What the recognisers make of traffic: each pattern with what it only resembles beside it, and ordinary traffic that must stay calm.

mod at_home;
mod attacks;
mod catalogue;
mod everyday;
mod lookalikes;
mod ordinary;
mod outages;
mod page;
#[path = "../read/pcap.rs"]
mod pcap;
mod scans;
mod tools;
mod traffic;
mod watched;
