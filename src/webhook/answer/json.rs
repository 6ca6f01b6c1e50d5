//! Writes JSON from pieces that are JSON already and texts that need escaping. It knows no field.

use crate::webhook::skim::stop;

/// The JSON so far.
pub(super) struct Json(Vec<u8>);

impl Json {
    pub(super) fn with_capacity(bytes: usize) -> Json {
        Json(Vec::with_capacity(bytes))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A piece of JSON, unchanged.
    pub(super) fn raw(&mut self, piece: &'static str) {
        self.0.extend_from_slice(piece.as_bytes());
    }

    /// A string.
    pub(super) fn text(&mut self, text: &str) {
        self.0.push(b'"');
        self.contents(text);
        self.0.push(b'"');
    }

    /// A string of several words with commas in between.
    pub(super) fn joined<'w>(&mut self, words: impl IntoIterator<Item = &'w str>) {
        self.0.push(b'"');
        for (position, word) in words.into_iter().enumerate() {
            self.raw(if position == 0 { "" } else { "," });
            self.contents(word);
        }
        self.0.push(b'"');
    }

    /// The items of a list, without its brackets.
    pub(super) fn list<T>(&mut self, items: &[T], item: impl Fn(&mut Json, &T)) {
        for (position, one) in items.iter().enumerate() {
            self.raw(if position == 0 { "" } else { "," });
            item(self, one);
        }
    }

    pub(super) fn number(&mut self, number: u16) {
        // Writing to memory does not fail; nor does it below.
        let _ = serde_json::to_writer(&mut self.0, &number);
    }

    /// The content between the quotes of a string. Nearly always the text itself, or its lines with `\n` in between.
    fn contents(&mut self, text: &str) {
        let text = text.as_bytes();
        let mut start = 0;
        loop {
            let end = stop(text, start);
            self.0.extend_from_slice(text.get(start..end).unwrap_or_default());
            let Some(byte) = text.get(end) else { return };
            self.escaped(*byte);
            start = end + 1;
        }
    }

    /// A quote, a backslash or a control character, as `serde_json` writes it.
    fn escaped(&mut self, byte: u8) {
        let letter = match byte {
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            0..0x20 => {
                let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' - 10 + half };
                let [high, low] = [byte >> 4, byte & 0xf].map(digit);
                return self.0.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
            quoted => quoted,
        };
        self.0.extend_from_slice(&[b'\\', letter]);
    }
}

#[cfg(test)]
mod tests;
