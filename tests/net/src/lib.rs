//! Networks of one's own, for tests and the demo: namespaces, veth pairs, tun devices, raw frames.
//!
//! Nothing here has a name that others could see or trip over. A [`Namespace`] exists as long as somebody holds it; when the
//! last holder ends, in whatever way, the kernel takes it down with every device in it. So there is nothing to clean up.

mod namespace;
pub mod netlink;
mod raw;
mod tun;

pub use crate::namespace::Namespace;
pub use crate::raw::Sender;
pub use crate::tun::Tun;
