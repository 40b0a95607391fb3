//! A wire of one's own: a veth pair between two namespaces, on which nothing moves but what a test sends.

use std::net::{IpAddr, Ipv4Addr};

use annotator_testnet::{Namespace, Sender, netlink};
use anyhow::Result;

/// The end that is watched.
pub const HERE: &str = "here";
/// The end that sends.
pub const THERE: &str = "there";
// Of 198.18/15, which is set aside for such networks (RFC 2544).
/// The address of the watched end, where it has one.
pub const HERE_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 10);
/// The address of the sending end, where it has one.
pub const THERE_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const PREFIX: u8 = 24;

/// A silent wire.
#[derive(Debug)]
pub struct Wire {
    /// Where the watched end is.
    pub here: Namespace,
    /// Where the sending end is.
    pub there: Namespace,
    /// Sends to the watched end.
    pub sender: Sender,
}

impl Wire {
    /// A wire with an MTU.
    pub fn new(mtu: u32) -> Result<Self> {
        let (here, there) = (Namespace::new()?, Namespace::new()?);
        let sender = connect(&here, HERE, &there, THERE, mtu)?;
        Ok(Wire { here, there, sender })
    }

    /// A wire whose ends talk, as hosts do: [`HERE_ADDRESS`] and [`THERE_ADDRESS`].
    pub fn talking() -> Result<Self> {
        let wire = Wire::new(1500)?.with_address(HERE_ADDRESS.into(), PREFIX)?;
        wire.here.enter(|| netlink::set_arp(HERE))?;
        wire.there.enter(|| {
            netlink::add_address(THERE, THERE_ADDRESS.into(), PREFIX)?;
            netlink::set_arp(THERE)
        })?;
        wire.here.enter(|| netlink::add_default_route(THERE_ADDRESS))?;
        Ok(wire)
    }

    /// One more wire between the same namespaces; its watched end is called `name`.
    pub fn add(&self, name: &str, mtu: u32) -> Result<Sender> {
        connect(&self.here, name, &self.there, &format!("{name}-far"), mtu)
    }

    /// Gives the watched end an address.
    pub fn with_address(self, address: IpAddr, prefix: u8) -> Result<Self> {
        self.here.enter(|| netlink::add_address(HERE, address, prefix))?;
        Ok(self)
    }
}

fn connect(here: &Namespace, name: &str, there: &Namespace, far: &str, mtu: u32) -> Result<Sender> {
    use std::os::fd::AsFd as _;
    here.enter(|| {
        netlink::add_veth_across(name, far, there.as_fd())?;
        netlink::set_mtu(name, mtu)?;
        netlink::set_up_without_arp(name)
    })?;
    there.enter(|| {
        netlink::set_mtu(far, mtu)?;
        netlink::set_up_without_arp(far)
    })?;
    Sender::open(there, far)
}
