//! Addresses that interfaces get or lose while they are watched: DHCP after boot, IPv6 addresses that take turns, `ip address add` (rtnetlink).
//!
//! The subscription is made at the start, and neither it nor the questions that follow take a privilege.

use anyhow::{Context, Result};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use rtnetlink::packet_core::NetlinkPayload;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::{Handle, MulticastGroup};
use tokio::task::JoinHandle;

use super::interface;
use super::watched::Watched;

/// What the kernel tells of addresses, of any interface.
pub(crate) struct Changes {
    handle: Handle,
    connection: JoinHandle<()>,
    messages: BoxStream<'static, Whose>,
}

/// Which interfaces a change may concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The one with this index.
    One(u32),
    /// Any: messages were lost.
    Any,
}

impl Changes {
    /// From now on changes are told.
    pub fn subscribe() -> Result<Self> {
        let groups = [MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr];
        let (connection, handle, messages) =
            rtnetlink::new_multicast_connection(&groups).context("opening a netlink socket")?;
        let whose = async |(message, _): (rtnetlink::packet_core::NetlinkMessage<RouteNetlinkMessage>, _)| match message
            .payload
        {
            NetlinkPayload::InnerMessage(
                RouteNetlinkMessage::NewAddress(address) | RouteNetlinkMessage::DelAddress(address),
            ) => Some(Whose::One(address.header.index)),
            NetlinkPayload::Overrun(_) => Some(Whose::Any),
            _ => None,
        };
        Ok(Changes { handle, connection: tokio::spawn(connection), messages: messages.filter_map(whose).boxed() })
    }

    /// Waits for the next change.
    pub async fn next(&mut self) -> Whose {
        match self.messages.next().await {
            Some(whose) => whose,
            None => std::future::pending().await,
        }
    }

    /// Has those whom a change concerns know the addresses that they have now.
    pub async fn tell(&self, whose: Whose, watched: &mut [Watched]) {
        for one in watched.iter_mut().filter(|one| whose == Whose::Any || whose == Whose::One(one.index())) {
            match interface::prefixes(&self.handle, one.name(), one.index()).await {
                Ok(prefixes) => one.has(prefixes),
                Err(error) => log::warn!("{error:#}; those that were known stay in force"),
            }
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
