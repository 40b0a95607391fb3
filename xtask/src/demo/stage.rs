//! Where the demo plays: two namespaces and the cable between them.

use std::{
    net::Ipv4Addr,
    os::fd::AsFd as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use annotator_testnet::{Namespace, Sender, netlink};
use anyhow::Result;

/// The watched interface.
pub const DEVICE: &str = "annot-demo";
/// The other end of its cable.
const FAR: &str = "world";

// All of 198.18/15 is set aside for such networks (RFC 2544), so nobody is blamed for what they do here.
/// Our address.
pub const WE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 10);
/// Our gateway.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// Where all of our network listens.
pub const BROADCAST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 255);
/// A name server.
pub const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(198, 19, 53, 53);
/// An FTP server.
pub const FTP_SERVER: Ipv4Addr = Ipv4Addr::new(198, 19, 21, 21);
const PREFIX: u8 = 24;
const ALONE: u8 = 32;

/// The hardware address of our interface.
pub const OUR_CARD: [u8; 6] = [0x02, 0, 0, 0, 0, 0x10];
/// The hardware address of the rest of the world.
pub const THEIR_CARD: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];

/// The stage.
pub struct Stage {
    /// Where the agent runs, and what it protects.
    pub ours: Namespace,
    /// The rest of the world.
    pub world: Namespace,
    cable: Sender,
    stop: Arc<AtomicBool>,
}

impl Stage {
    /// Builds the network.
    pub fn build(stop: Arc<AtomicBool>) -> Result<Self> {
        let (ours, world) = (Namespace::new()?, Namespace::new()?);
        ours.enter(|| {
            netlink::add_veth_across(DEVICE, FAR, world.as_fd())?;
            netlink::set_hardware_address(DEVICE, OUR_CARD)?;
            netlink::add_address(DEVICE, WE.into(), PREFIX)?;
            netlink::set_up(DEVICE)
        })?;
        world.enter(|| {
            netlink::set_hardware_address(FAR, THEIR_CARD)?;
            netlink::add_address(FAR, GATEWAY.into(), PREFIX)?;
            for server in [NAME_SERVER, FTP_SERVER] {
                netlink::add_address(FAR, server.into(), ALONE)?;
            }
            netlink::set_up(FAR)
        })?;
        ours.enter(|| netlink::add_default_route(GATEWAY))?;
        let cable = Sender::open(&world, FAR)?;
        Ok(Stage { ours, world, cable, stop })
    }

    /// Sends a frame from the world to us, and takes a breath. Sends nothing more once the demo is to end.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.cable.send(frame)?;
        std::thread::sleep(Duration::from_millis(12));
        Ok(())
    }
}
