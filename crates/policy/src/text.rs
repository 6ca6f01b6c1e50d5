//! Text borrowed from a request, and how foreign text is printed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// A string of the request: borrowed from its bytes, or owned where JSON escapes had to be decoded.
///
/// `Option<Cow<str>>` would always copy, since serde borrows only a bare `Cow`; this type always borrows where possible. `null`
/// reads as the empty string, as in Go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Bytes that were copied for it.
    pub(super) fn heap(&self) -> usize {
        match &self.0 {
            Cow::Borrowed(_) => 0,
            Cow::Owned(text) => text.capacity(),
        }
    }

    /// True for the empty string, which Kubernetes treats as "not set" almost everywhere.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text(Cow::Borrowed(text))
    }
}

impl std::ops::Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_string<E: de::Error>(self, text: String) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text)))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed("")))
            }
        }
        // `deserialize_any` and not `deserialize_str`, so that null can be read as empty.
        deserializer.deserialize_any(Reader)
    }
}

/// Prints foreign text as printable ASCII on one line. An API server silently drops a warning with a control character or
/// invalid UTF-8, so neither may come from a name.
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        // Nearly always the case.
        if self.0.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return f.write_str(self.0);
        }
        for character in self.0.chars() {
            match character {
                ' '..='~' => f.write_char(character)?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                other => {
                    let mut units = [0; 2];
                    for unit in other.encode_utf16(&mut units) {
                        write!(f, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Formats at most `limit` bytes of `shown`, which must be printable ASCII. A longer text is cut there and ends in `...`. The
/// rest is never built, however long it is.
pub fn cut(shown: impl fmt::Display, limit: usize) -> String {
    // Most lines fit, so one allocation suffices.
    let mut line = String::with_capacity(limit.min(128));
    cut_onto(&mut line, shown, limit);
    line
}

/// Like [`cut`], at the end of `text`.
pub fn cut_onto(text: &mut String, shown: impl fmt::Display, limit: usize) {
    use fmt::Write;
    /// The text, and its maximum length.
    struct Cut<'t>(&'t mut String, usize);
    impl Write for Cut<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = self.1 - self.0.len();
            match text.get(..room) {
                Some(head) if head.len() < text.len() => {
                    self.0.push_str(head);
                    // Stops the formatter here: what follows would be cut off.
                    Err(fmt::Error)
                }
                _ => {
                    self.0.push_str(text);
                    Ok(())
                }
            }
        }
    }
    let start = text.len();
    if write!(Cut(text, start + limit), "{shown}").is_err() {
        text.truncate(start + limit.saturating_sub(3));
        text.push_str("...");
    }
}
