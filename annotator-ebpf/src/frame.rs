//! The engine's [`Frame`] over an XDP context: the only file that touches packet memory.

use core::arch::asm;

use annotator_common::Frame;
use annotator_common::frame::Pod;
use annotator_common::parse::{extensions, options};
use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::bpf_xdp_get_buff_len;
use aya_ebpf::programs::XdpContext;

/// A frame under XDP: what lies in the first buffer can be loaded, `length` counts all buffers.
pub struct XdpFrame {
    context: *mut xdp_md,
    data: usize,
    data_end: usize,
    length: u32,
}

/// No buffer is longer.
const LINEAR_MAX: usize = 0xffff_ffff;

impl XdpFrame {
    /// A frame that lies in one buffer.
    #[inline(always)]
    pub fn linear(ctx: &XdpContext) -> Self {
        let context = ctx.as_ptr().cast();
        let (data, data_end) = bounds(context);
        let length = data_end - data;
        // SAFETY: buffers are at most a few pages long. Said, so that the compiler need not clear the upper half of a word that is clear.
        unsafe { core::hint::assert_unchecked(length <= LINEAR_MAX) };
        XdpFrame { context, data, data_end, length: length as u32 }
    }

    /// A frame that may go on in further buffers.
    #[inline(always)]
    pub fn with_frags(ctx: &XdpContext) -> Self {
        // SAFETY: the context is the one the kernel handed in.
        let length = unsafe { bpf_xdp_get_buff_len(ctx.as_ptr().cast()) } as u32;
        Self::again(ctx.as_ptr().cast(), length)
    }

    /// The context, for subprograms, which take no pointers but this one.
    #[inline(always)]
    pub fn context(&self) -> *mut xdp_md {
        self.context
    }

    /// The frame again, inside a subprogram.
    #[inline(always)]
    pub fn again(context: *mut xdp_md, length: u32) -> Self {
        let (data, data_end) = bounds(context);
        XdpFrame { context, data, data_end, length }
    }
}

/// First byte and end of the first buffer.
///
/// The context declares them as 32-bit fields. Where the compiler knows that, it moves them through 32-bit registers, and the verifier no
/// longer takes them for packet pointers; so it is not told.
#[inline(always)]
fn bounds(context: *mut xdp_md) -> (usize, usize) {
    let (data, data_end): (usize, usize);
    // SAFETY: `data` and `data_end` are the first two fields of the context that the kernel handed in.
    unsafe {
        asm!(
            "{data} = *(u32 *)({context} + 0)",
            "{data_end} = *(u32 *)({context} + 4)",
            context = in(reg) context,
            data = out(reg) data,
            data_end = lateout(reg) data_end,
            options(pure, readonly, nostack),
        );
    }
    (data, data_end)
}

impl Frame for XdpFrame {
    // Without the unstable switch for it, each word is put together from its bytes, and with short cuts the verifier would have more of them to
    // follow than it is willing to.
    const CHEAP_LOADS: bool = cfg!(target_feature = "allows-misaligned-mem-access");

    #[inline(always)]
    fn len(&self) -> u32 {
        self.length
    }

    #[inline(always)]
    fn load<T: Pod>(&self, offset: u32) -> Option<T> {
        let start = self.data + offset as usize;
        if start + size_of::<T>() > self.data_end {
            return None;
        }
        // SAFETY: the bytes from `start` lie before `data_end`, the verifier checks it again, and `T: Pod` accepts any bytes.
        Some(unsafe { (start as *const T).read_unaligned() })
    }

    #[inline(always)]
    fn host_order(&self, field: u16) -> u16 {
        let mut value = u64::from(field);
        // SAFETY: one instruction on a register.
        unsafe { asm!("{0} = be16 {0}", inout(reg) value, options(pure, nomem, nostack)) };
        value as u16
    }

    #[inline(always)]
    fn wire_order(&self, field: u16) -> u16 {
        // Of bytes that are put together verifiers up to Linux 6.1 know nothing.
        if Self::CHEAP_LOADS { field } else { self.bounded(field.into(), 0xffff) as u16 }
    }

    #[inline(always)]
    fn settled(&self, mut value: u32) -> u32 {
        // The length is a number that the verifier cannot know, and it does not see that the second step takes the first one back.
        // SAFETY: two instructions on registers.
        unsafe {
            asm!("{0} ^= {1}", "{0} ^= {1}", inout(wreg) value, in(wreg) self.length, options(pure, nomem, nostack));
        }
        value
    }

    #[inline(always)]
    fn bounded(&self, value: u32, mask: u32) -> u32 {
        opaque(value) & mask
    }

    #[inline(always)]
    fn ipv4_options(&self, start: u32, length: u32) -> options::Found {
        options::Found::from_word(annotator_ipv4_options(self.context, start, length))
    }

    #[inline(always)]
    fn ipv6_extensions(&self, first: u8, start: u32, end: u32) -> extensions::Chain {
        extensions::Chain::from_word(annotator_ipv6_extensions(self.context, first, start, end))
    }
}

/// The value, with all that the compiler knows of it forgotten: else it drops a mask that it can prove and the verifier cannot.
#[inline(always)]
pub fn opaque(mut value: u32) -> u32 {
    // SAFETY: the instruction copies a register to itself. (An empty one would make the line information invalid.)
    unsafe { asm!("{0} = {0}", inout(wreg) value, options(pure, nomem, nostack)) };
    value
}

/// A BPF subprogram, because options are rare and walking them is long.
///
/// Such functions take no argument that they do not use: the compiler would pass whatever lies in the register, and the verifier refuses that.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn annotator_ipv4_options(context: *mut xdp_md, start: u32, length: u32) -> u32 {
    let frame = XdpFrame::again(context, start + length);
    options::walk(&frame, opaque(start) & 0xff, length).word()
}

/// A BPF subprogram, like [`annotator_ipv4_options`].
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn annotator_ipv6_extensions(context: *mut xdp_md, first: u8, start: u32, end: u32) -> u64 {
    let frame = XdpFrame::again(context, end);
    extensions::walk(&frame, first, start, end).word()
}
