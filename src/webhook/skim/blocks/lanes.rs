//! Computes the masks of a block with vector instructions, as many bytes at a time as the processor has lanes. The width is
//! chosen once at run time; the baseline of the architecture is the fallback.

use fearless_simd::prelude::*;
use fearless_simd::{u8x16, u8x64};

use super::{BLOCK, Masks};

/// Quotes, backslashes and control characters, one bit each.
#[inline(always)]
pub(super) fn stops<S: Simd>(simd: S, chunk: &[u8; 16]) -> u64 {
    let bytes = u8x16::from_slice(simd, chunk);
    let stops = bytes.simd_le(0x1f) | bytes.simd_eq(b'"') | bytes.simd_eq(b'\\');
    stops.to_bitmask()
}

#[inline(always)]
pub(super) fn masks<S: Simd>(simd: S, block: &[u8; BLOCK]) -> Masks {
    let bytes = u8x64::from_slice(simd, block);
    // In ASCII, `{` is `[` and `}` is `]` with one more bit.
    let folded = bytes | 0x20;
    Masks {
        quotes: bytes.simd_eq(b'"').to_bitmask(),
        backslashes: bytes.simd_eq(b'\\').to_bitmask(),
        opening: folded.simd_eq(b'{').to_bitmask(),
        closing: folded.simd_eq(b'}').to_bitmask(),
    }
}
