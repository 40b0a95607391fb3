//! Facts → phrases: counts, lists with an end, stretches of time, TTLs.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::IpAddr;

use crate::extent::PORTS_MAX;
pub use crate::quantity::count;

/// The first `max` items, and how many more there are.
pub fn list<T: Display>(items: impl IntoIterator<Item = T>, max: usize) -> String {
    let mut text = String::new();
    let mut more = 0_usize;
    for (i, item) in items.into_iter().enumerate() {
        if i >= max {
            more += 1;
        } else {
            if i > 0 {
                text.push_str(", ");
            }
            text.push_str(&item.to_string());
        }
    }
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// An address, or how many there are from the first on.
pub fn addresses(addresses: &BTreeSet<IpAddr>) -> String {
    match (addresses.first(), addresses.len()) {
        (Some(only), 1) => only.to_string(),
        (Some(first), n) => format!("{} from {first} on", count(n as u64, "address")),
        (None, _) => "no address".into(),
    }
}

/// Ports in the order given.
pub fn ports(ports: impl IntoIterator<Item = u16>) -> String {
    list(ports, PORTS_MAX)
}

/// Ports with runs drawn together: "22, 80 to 90".
pub fn port_ranges(ports: &BTreeSet<u16>) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for port in ports {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*port) => *last = *port,
            _ => runs.push((*port, *port)),
        }
    }
    let text = |(first, last)| if first == last { format!("{first}") } else { format!("{first} to {last}") };
    list(runs.into_iter().map(text), PORTS_MAX)
}

/// "52" or "49 to 52".
pub fn range(values: &BTreeSet<u8>) -> String {
    match (values.first(), values.last()) {
        (Some(low), Some(high)) if low == high => low.to_string(),
        (Some(low), Some(high)) => format!("{low} to {high}"),
        _ => "unknown".into(),
    }
}

/// A stretch of time in the unit that suits it.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_an_end() {
        assert_eq!(list([1, 2, 3, 4], 2), "1, 2 and 2 more");
    }
}
