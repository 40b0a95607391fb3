//! Access to the bytes of a frame, the only way in which the engine touches packet memory.

use crate::parse::{extensions, options};

/// A value that every bit pattern makes valid and that has no padding.
///
/// # Safety
/// Implementors must be plain data: any `size_of::<Self>()` initialised bytes are a valid value.
pub unsafe trait Pod: Copy {}

// SAFETY: integers and arrays of integers are plain data.
unsafe impl Pod for u8 {}
// SAFETY: as above.
unsafe impl Pod for u16 {}
// SAFETY: as above.
unsafe impl Pod for u32 {}
// SAFETY: as above.
unsafe impl Pod for u64 {}
// SAFETY: an array of plain data is plain data.
unsafe impl<T: Pod, const N: usize> Pod for [T; N] {}

/// A frame as it arrived: bounds-checked loads at byte offsets from its first byte.
pub trait Frame {
    /// Whether a word is loaded as easily as a byte. Where it is not, short cuts that load what the general way may load again are left out.
    const CHEAP_LOADS: bool = true;

    /// Length of the frame in bytes. Where only the beginning can be read (a packet in several buffers), loads beyond
    /// that beginning fail although they lie before `len`.
    fn len(&self) -> u32;

    /// Whether the frame has no byte at all.
    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Loads a value in memory order, at any alignment. `None` where it does not lie wholly within the readable bytes.
    fn load<T: Pod>(&self, offset: u32) -> Option<T>;

    /// Loads a 16-bit field in network byte order.
    #[inline(always)]
    fn be16(&self, offset: u32) -> Option<u16> {
        self.load::<u16>(offset).map(u16::from_be)
    }

    /// A 16-bit field in network byte order, as it was loaded. The kernel side keeps the compiler from relying on the result's range, which
    /// verifiers up to Linux 6.12 do not see.
    #[inline(always)]
    fn host_order(&self, field: u16) -> u16 {
        u16::from_be(field)
    }

    /// A 16-bit field as it stands in the frame, to be used as an index. The kernel side makes its range visible where verifiers do not see it.
    #[inline(always)]
    fn wire_order(&self, field: u16) -> u16 {
        field
    }

    /// `value`, of which neither the compiler nor the BPF verifier knows anything from here on. Where many ways through the code meet, this makes
    /// them one: the compiler does not copy what follows for each of them, and the verifier does not walk it for each.
    #[inline(always)]
    fn settled(&self, value: u32) -> u32 {
        value
    }

    /// `value`, which is at most `mask` (one less than a power of two); the kernel side makes that visible to the BPF verifier, which cannot follow
    /// the compiler's reasoning.
    #[inline(always)]
    fn bounded(&self, value: u32, mask: u32) -> u32 {
        debug_assert!(value <= mask);
        value
    }

    /// Walks the IPv4 options. The kernel side overrides this by a BPF subprogram of its own, which then calls the very same function.
    #[inline(always)]
    fn ipv4_options(&self, start: u32, length: u32) -> options::Found {
        options::walk(self, start, length)
    }

    /// Walks the IPv6 extension headers; overridden like [`Frame::ipv4_options`].
    #[inline(always)]
    fn ipv6_extensions(&self, first: u8, start: u32, end: u32) -> extensions::Chain {
        extensions::walk(self, first, start, end)
    }
}

impl Frame for [u8] {
    #[inline(always)]
    fn len(&self) -> u32 {
        // Frames are at most 4 GiB long in every capture format.
        <[u8]>::len(self) as u32
    }

    #[inline(always)]
    fn load<T: Pod>(&self, offset: u32) -> Option<T> {
        let bytes = self.get(offset as usize..)?.get(..size_of::<T>())?;
        // SAFETY: `bytes` has exactly the size of `T`, `T: Pod` accepts any bytes, and the read does not need alignment.
        Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
    }
}
