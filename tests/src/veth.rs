//! A wire of one's own: a veth pair between two namespaces, on which nothing moves but what a test sends.

use std::net::IpAddr;

use annotator_testnet::{Namespace, Sender, netlink};
use anyhow::Result;

/// The end that is watched.
pub const HERE: &str = "here";
/// The end that sends.
const THERE: &str = "there";

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
