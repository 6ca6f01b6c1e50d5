//! The spelling of a generated review: plain, unusual but equivalent, or random.

use serde_json::Value;

use super::Choices;

/// As an API server writes it, without a blank.
pub fn plain(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// Otherwise, and yet any JSON reader that knows the fields reads the same: other blanks, other escapes, another order,
/// members that nobody asks for.
pub fn alike(value: &Value, choices: &mut Choices<'_>) -> Vec<u8> {
    let mut writer = Writer {
        choices,
        wild: false,
        text: Vec::new(),
    };
    writer.value("", value);
    writer.blank();
    writer.text
}

/// As above, and now and then what nobody should send: a member twice, null, a value of another kind, numbers and nesting
/// without end, half a surrogate, bytes that are no UTF-8, brackets that do not match, a mark before it, its end missing.
pub fn wild(value: &Value, choices: &mut Choices<'_>) -> Vec<u8> {
    let mut writer = Writer {
        choices,
        wild: true,
        text: Vec::new(),
    };
    if writer.choices.rarely() {
        writer.text.extend_from_slice("\u{feff}".as_bytes());
    }
    writer.value("", value);
    if writer.choices.rarely() {
        let length = writer.choices.below(writer.text.len() + 1);
        writer.text.truncate(length);
    }
    if writer.choices.rarely() {
        writer.oddity();
    }
    writer.text
}

/// Names of members that nobody asks for; some nearly are asked for.
const STRANGERS: [&str; 8] = [
    "zz",
    "",
    "Spec",
    "spec ",
    "annotations",
    "\\u0000",
    "managedFields",
    "f:{\\\"a\\\":[}",
];

/// What is valid where nobody looks.
const IGNORED: [&str; 10] = [
    "null",
    "-0.0e-1",
    "1e400",
    "\"}]\\\"\"",
    "[[[{\"a\":[1,{}]}]]]",
    "{\"uid\":\"other\",\"spec\":{\"replicas\":0}}",
    "\"\\ud800\"",
    "{\"\":\"{[\"}",
    "[ ]",
    "true",
];

/// What is wrong, or strange, where somebody looks.
const ODD: [&[u8]; 28] = [
    b"null",
    b"{}",
    b"[]",
    b"[{}]",
    b"[null]",
    b"true",
    b"1",
    b"-0",
    b"1.0",
    b"1e2",
    b"1e999",
    b"99999999999999999999",
    b"-9223372036854775809",
    b"\"\"",
    b"\"\\ud800\"",
    b"\"\\udc00\\ud800\"",
    b"\"\\u0000\"",
    b"\"a\nb\"",
    b"\"\xff\xfe\"",
    b"\"\xed\xa0\x80\"",
    b"\"never ended",
    b"tru",
    b"'a'",
    b"NaN",
    b"]",
    b"}",
    b",",
    b"",
];

struct Writer<'c, 'b> {
    choices: &'c mut Choices<'b>,
    wild: bool,
    text: Vec<u8>,
}

impl Writer<'_, '_> {
    fn value(&mut self, key: &str, value: &Value) {
        if self.wild && self.choices.rarely() {
            return self.oddity();
        }
        match value {
            Value::Object(members) => {
                let mut members: Vec<(&String, &Value)> = members.iter().collect();
                if self.choices.rarely() {
                    let first = self.choices.below(members.len().max(1));
                    members.rotate_left(first);
                }
                self.text.push(b'{');
                for (position, (key, value)) in members.into_iter().enumerate() {
                    self.comma(position > 0);
                    self.member(key, value);
                }
                if self.choices.rarely() {
                    self.comma(self.text.last() != Some(&b'{'));
                    self.stranger();
                }
                self.text.push(b'}');
            }
            Value::Array(items) => {
                self.text.push(b'[');
                for (position, item) in items.iter().enumerate() {
                    self.comma(position > 0);
                    self.value("", item);
                }
                self.blank();
                self.text.push(b']');
            }
            // The text of a quantity is taken as it is written, as Go takes it: escapes are not undone.
            Value::String(text) if matches!(key, "cpu" | "memory") => self.text.extend(plain(&text.as_str().into())),
            Value::String(text) => self.string(text),
            other => self.text.extend(plain(other)),
        }
    }

    fn member(&mut self, key: &str, value: &Value) {
        if self.choices.rarely() {
            self.stranger();
            self.comma(true);
        }
        if self.wild && self.choices.rarely() {
            self.string(key);
            self.text.push(b':');
            self.oddity();
            self.comma(true);
        }
        self.string(key);
        self.blank();
        self.text.push(b':');
        self.blank();
        self.value(key, value);
    }

    /// A member that nobody asks for.
    fn stranger(&mut self) {
        let name = self.choices.one(&STRANGERS);
        self.text.extend([b"\"", name.as_bytes(), b"\":"].concat());
        match self.choices.below(4) {
            0 => {
                let value = self.choices.one(&IGNORED);
                self.text.extend_from_slice(value.as_bytes());
            }
            1 => self.nest(100),
            2 if self.wild => self.oddity(),
            // Runs of escapes that end anywhere between two blocks of bytes.
            _ => {
                let (before, escapes, after) =
                    (self.choices.below(140), self.choices.below(140), self.choices.below(70));
                let escape = self.choices.one(&["\\\\", "\\\"", "\\n"]);
                self.text.push(b'"');
                self.text.extend(std::iter::repeat_n(b'a', before));
                self.text.extend(escape.repeat(escapes).into_bytes());
                self.text.extend(std::iter::repeat_n(b']', after));
                self.text.push(b'"');
            }
        }
    }

    /// What nobody should send.
    fn oddity(&mut self) {
        match self.choices.below(8) {
            1 => self.nest(300),
            2 => {
                let digits = self.choices.below(600);
                self.text.extend(std::iter::repeat_n(b'7', digits));
            }
            3 => {
                let bytes = self.choices.bytes(64);
                self.text.extend_from_slice(bytes);
            }
            _ => {
                let odd = self.choices.one(&ODD);
                self.text.extend_from_slice(odd);
            }
        }
    }

    fn nest(&mut self, most: usize) {
        let depth = self.choices.below(most);
        let (open, close): (&[u8], &[u8]) = self.choices.one(&[(b"[", b"]"), (b"{\"a\":", b"}")]);
        self.text.extend(open.repeat(depth));
        self.text.extend_from_slice(b"0");
        self.text.extend(close.repeat(depth));
    }

    /// A string; now and then with characters escaped that need not be.
    fn string(&mut self, text: &str) {
        if !self.choices.rarely() {
            return self.text.extend(plain(&text.into()));
        }
        self.text.push(b'"');
        for character in text.chars() {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                self.text.extend(format!("\\u{unit:04X}").into_bytes());
            }
        }
        self.text.push(b'"');
    }

    fn comma(&mut self, wanted: bool) {
        if wanted {
            self.blank();
            self.text.push(b',');
        }
        self.blank();
    }

    fn blank(&mut self) {
        if self.choices.rarely() {
            let blank = self.choices.one(&[" ", "\n", "\t\r\n  "]);
            self.text.extend_from_slice(blank.as_bytes());
        }
    }
}
