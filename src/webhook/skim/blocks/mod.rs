//! Scans sixty-four bytes at a time: where a string stops, and where brackets close. It knows no serde.
//!
//! For a whole block, each property of its bytes is computed as a mask, which has one bit for each byte; the rest is
//! arithmetic on masks. `lanes` computes the masks; `plain` defines, for tests, what they must be.

mod lanes;
#[cfg(test)]
mod plain;

use fearless_simd::{Level, Simd, dispatch};

const BLOCK: usize = 64;

/// The position, from `at` on, of the first quote, backslash or control character; the end of the text if there is none.
pub(in crate::webhook) fn stop(text: &[u8], mut at: usize) -> usize {
    // Most strings are too short for a wider vector to pay off.
    let level = Level::baseline();
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let found = dispatch!(level, simd => lanes::stops(simd, chunk));
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += chunk.len();
    }
    let rest = text.get(at..).unwrap_or_default();
    let stops = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    at + rest.iter().position(stops).unwrap_or(rest.len())
}

/// The position after the escape that begins at `at`, and after the escapes of the form `\u003c` that follow it directly. An
/// API server writes `<`, `>` and `&` so, and a vector operation for each would take longer than this loop.
pub(super) fn end_of_escapes(text: &[u8], mut at: usize) -> usize {
    let next = |at: usize| text.get(at..).and_then(|rest| rest.first_chunk());
    while let Some([b'\\', b'u', a, b, c, d]) = next(at)
        && a.is_ascii_hexdigit()
        && b.is_ascii_hexdigit()
        && c.is_ascii_hexdigit()
        && d.is_ascii_hexdigit()
    {
        at += 6;
    }
    match text.get(at) {
        Some(b'\\') => at + 2,
        _ => at,
    }
}

/// The position after the bracket that closes one opened just before `at`. Brackets in strings do not count. It is not checked
/// that a bracket closes one of its own kind. `None`: it never closes.
pub(super) fn end_of_brackets(text: &[u8], at: usize) -> Option<usize> {
    dispatch!(Level::new(), simd => end_of_brackets_by(simd, text, at))
}

#[inline(always)]
fn end_of_brackets_by<S: Simd>(simd: S, text: &[u8], mut at: usize) -> Option<usize> {
    let mut open = 1;
    let mut strings = Strings::default();
    loop {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let masks = match rest.first_chunk::<BLOCK>() {
            Some(block) => lanes::masks(simd, block),
            None => {
                let mut block = [b' '; BLOCK];
                block.get_mut(..rest.len())?.copy_from_slice(rest);
                lanes::masks(simd, &block)
            }
        };
        let outside = !strings.inside(&masks);
        let (opening, closing) = (masks.opening & outside, masks.closing & outside);
        // A bracket that closes right after it opens, as nearly every leaf of managedFields does, changes nothing.
        let hollow = opening & (closing >> 1);
        let (opening, mut closing) = (opening & !hollow, closing & !(hollow << 1));
        let closings = closing.count_ones();
        if closings < open {
            open = open - closings + opening.count_ones();
        } else {
            // It may close in this block, so check bracket by bracket.
            let mut closed = 0;
            while closing != 0 {
                let place = closing.trailing_zeros();
                let opened = (opening & ((1 << place) - 1)).count_ones();
                closed += 1;
                if open + opened == closed {
                    return Some(at + place as usize + 1);
                }
                closing &= closing - 1;
            }
            open = open + opening.count_ones() - closed;
        }
        at += BLOCK;
    }
}

/// Properties of a block, one bit for each byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Masks {
    quotes: u64,
    backslashes: u64,
    /// `{` and `[`.
    opening: u64,
    /// `}` and `]`.
    closing: u64,
}

/// Tracks which bytes are inside strings, from block to block.
#[derive(Default)]
struct Strings {
    /// All bits set, where the previous block ended inside a string.
    inside: u64,
    /// One, where the previous block ended with a backslash that escapes the first byte of this one.
    escaped: u64,
}

impl Strings {
    /// The bytes between quotes, with the opening one.
    #[inline(always)]
    fn inside(&mut self, masks: &Masks) -> u64 {
        let mut inside = masks.quotes & !self.escapes(masks.backslashes);
        for shift in [1, 2, 4, 8, 16, 32] {
            inside ^= inside << shift;
        }
        inside ^= self.inside;
        self.inside = 0_u64.wrapping_sub(inside >> 63);
        inside
    }

    /// The bytes that a backslash before them escapes. Of several backslashes in a row each second one is escaped itself.
    ///
    /// A subtraction finds them, whatever the number of runs: taken from itself moved up by one, a run of backslashes
    /// leaves a bit where it begins and one where it has ended. With the odd places filled beforehand, what it borrows
    /// runs through every second place only; undone, these are the backslashes that escape and what ends their run.
    #[inline(always)]
    fn escapes(&mut self, backslashes: u64) -> u64 {
        const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
        if backslashes == 0 {
            return std::mem::take(&mut self.escaped);
        }
        let escaping = backslashes & !self.escaped;
        let alternate = (escaping << 1 | ODD).wrapping_sub(escaping) ^ ODD;
        let escaped = alternate ^ (backslashes | self.escaped);
        self.escaped = (alternate & backslashes) >> 63;
        escaped
    }
}

#[cfg(test)]
mod tests;
