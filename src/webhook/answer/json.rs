//! Writes JSON from pieces that are JSON already and texts that need escaping. It knows no field.

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

    /// The content between the quotes of a string. Nearly always the text itself.
    fn contents(&mut self, text: &str) {
        let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        if text.bytes().all(plain) {
            self.0.extend_from_slice(text.as_bytes());
        } else {
            // serde_json adds quotes of its own.
            let start = self.0.len();
            let _ = serde_json::to_writer(&mut self.0, text);
            self.0.pop();
            self.0.remove(start);
        }
    }
}

#[cfg(test)]
mod tests;
