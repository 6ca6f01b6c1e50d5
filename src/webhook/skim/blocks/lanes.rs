//! The masks, sixteen bytes at a time, by instructions that every processor of an architecture has: nothing is detected
//! at run time.

use wide::u8x16;

use super::{BLOCK, Masks};

/// Quotes, backslashes and control characters, a bit each.
#[inline]
pub(super) fn stops(chunk: &[u8; 16]) -> u32 {
    let bytes = u8x16::new(*chunk);
    let control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    (control | equal(bytes, b'"') | equal(bytes, b'\\')).to_bitmask()
}

#[inline]
pub(super) fn masks(block: &[u8; BLOCK]) -> Masks {
    let mut masks = Masks::default();
    let (chunks, _) = block.as_chunks::<16>();
    for (position, chunk) in chunks.iter().enumerate() {
        let bytes = u8x16::new(*chunk);
        // In ASCII, `{` is `[` and `}` is `]` with one bit more.
        let folded = bytes | u8x16::splat(0x20);
        let place = |lanes: u8x16| u64::from(lanes.to_bitmask()) << (16 * position);
        masks.quotes |= place(equal(bytes, b'"'));
        masks.backslashes |= place(equal(bytes, b'\\'));
        masks.opening |= place(equal(folded, b'{'));
        masks.closing |= place(equal(folded, b'}'));
    }
    masks
}

fn equal(bytes: u8x16, wanted: u8) -> u8x16 {
    bytes.simd_eq(u8x16::splat(wanted))
}
