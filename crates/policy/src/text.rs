//! Borrows text from a request ([`Text`]), and prints text of users as printable ASCII of limited length.

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

/// How many of several names a text has.
const MAX_NAMES: usize = 5;

/// Prints names, such as `'a', 'b' and 3 more`.
pub struct Quoted<I>(pub I);

impl<'a, I: Iterator<Item = &'a str> + Clone> fmt::Display for Quoted<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, name) in self.0.clone().take(MAX_NAMES).enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}'{}'", Shown(name))?;
        }
        match self.0.clone().skip(MAX_NAMES).count() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
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

/// A text as a value in a line that a program may read: as it is where it could be nothing else, and a JSON string of
/// printable ASCII otherwise.
pub struct Literal<'a>(pub &'a str);

impl Literal<'_> {
    /// Whether it is no text with a blank, a quote or a letter that looks like another, no word of those lines and no number.
    fn is_plain(&self) -> bool {
        let text = self.0;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@".contains(&byte);
        let may_begin = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'/');
        let is_word = matches!(text, "unset" | "removed" | "true" | "false" | "null");
        text.as_bytes().first().is_some_and(may_begin) && text.bytes().all(is_plain) && !is_word
    }
}

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_plain() {
            true => f.write_str(self.0),
            false => write!(f, "{}", JsonText(self.0)),
        }
    }
}

/// A text as a JSON string, in characters that a terminal shows.
pub struct JsonText<'a>(pub &'a str);

impl fmt::Display for JsonText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        f.write_char('"')?;
        // What `Shown` escapes it escapes as JSON does, all but these two.
        for piece in self.0.split_inclusive(['"', '\\']) {
            match piece.strip_suffix(['"', '\\']) {
                Some(rest) => write!(f, "{}\\{}", Shown(rest), &piece[rest.len()..])?,
                None => write!(f, "{}", Shown(piece))?,
            }
        }
        f.write_char('"')
    }
}

/// How many bytes `shown` has; `None` where they are more than `limit`. The rest is never built.
pub fn length_within(limit: usize, shown: impl fmt::Display) -> Option<usize> {
    use fmt::Write;
    /// What is left of the limit.
    struct Length(usize);
    impl Write for Length {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut left = Length(limit);
    write!(left, "{shown}").is_ok().then(|| limit - left.0)
}

/// Formats at most `limit` bytes of `shown`, which must be printable ASCII; what is longer is cut there and ends in
/// `...`. The rest is never built, however long it is.
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
