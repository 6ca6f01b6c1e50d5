//! Computes the masks byte by byte. Tests compare the masks of `lanes` with these.

use super::{BLOCK, Masks};

/// Quotes, backslashes and control characters.
pub(super) fn stops(chunk: &[u8; 16]) -> u64 {
    let stops = |byte: u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    bits(chunk, stops)
}

pub(super) fn masks(block: &[u8; BLOCK]) -> Masks {
    Masks {
        quotes: bits(block, |byte| byte == b'"'),
        backslashes: bits(block, |byte| byte == b'\\'),
        opening: bits(block, |byte| matches!(byte, b'{' | b'[')),
        closing: bits(block, |byte| matches!(byte, b'}' | b']')),
    }
}

fn bits(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> u64 {
    let bit = |(position, byte): (usize, &u8)| u64::from(wanted(*byte)) << position;
    bytes.iter().enumerate().map(bit).fold(0, |mask, bit| mask | bit)
}
