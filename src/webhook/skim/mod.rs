//! A JSON reader for the few fields that are read; it skips everything else, many bytes at a time.
//!
//! Two thirds of a review are `managedFields` and the last-applied annotation. Checking their grammar would be most of the work
//! of an answer. Here a value that is not read ends where its brackets close, and is not checked otherwise. Fields that are
//! read are parsed strictly. Anything unusual is an error without a message: the caller then reads again with `serde_json`,
//! which either understands it or reports what is wrong. So this reader may accept less than `serde_json`, but must never read
//! a field differently. The tests of `review` compare the two.
//!
//! This module knows JSON and serde, and no field of any object.

mod blocks;

pub(super) use blocks::stop;

use std::fmt;
use std::marker::PhantomData;
use std::str::from_utf8;

use serde::Deserialize;
use serde::de::value::{BorrowedStrDeserializer, MapDeserializer};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// Reads a value, or fails; then the caller uses `serde_json`.
///
/// # Errors
/// The bytes are no JSON, or unusual JSON, or not a `T`.
pub(super) fn from_slice<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, Unusual> {
    from_slice_seed(text, PhantomData)
}

/// The same into a place that the seed knows.
///
/// # Errors
/// As [`from_slice`].
pub(super) fn from_slice_seed<'de, S: DeserializeSeed<'de>>(text: &'de [u8], seed: S) -> Result<S::Value, Unusual> {
    let mut reader = Reader { text, at: 0 };
    let value = seed.deserialize(&mut reader)?;
    match reader.peek() {
        Err(Unusual) => Ok(value),
        Ok(_) => Err(Unusual),
    }
}

/// Reads from the beginning of a text whose end may be missing. What the seed has kept before the error stays.
///
/// # Errors
/// As [`from_slice`], and where the text ends within the value.
pub(super) fn start<'de, S: DeserializeSeed<'de>>(text: &'de [u8], seed: S) -> Result<S::Value, Unusual> {
    seed.deserialize(&mut Reader { text, at: 0 })
}

/// Not read here. Empty, so that this error costs nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unusual;

impl fmt::Display for Unusual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unusual JSON")
    }
}

impl std::error::Error for Unusual {}

impl de::Error for Unusual {
    fn custom<T: fmt::Display>(_: T) -> Unusual {
        Unusual
    }
}

/// The name with which `serde_json` requests a value's own bytes. If serde_json renamed it, everything would still be read, but
/// by `serde_json`; a test notices that.
const RAW: &str = "$serde_json::private::RawValue";

struct Reader<'de> {
    text: &'de [u8],
    at: usize,
}

impl<'de> Reader<'de> {
    /// The next byte that is not whitespace; it is not consumed.
    #[inline(always)]
    fn peek(&mut self) -> Result<u8, Unusual> {
        match self.text.get(self.at) {
            Some(byte) if *byte > b' ' => Ok(*byte),
            _ => self.peek_past_blanks(),
        }
    }

    /// An API server writes no whitespace.
    #[cold]
    fn peek_past_blanks(&mut self) -> Result<u8, Unusual> {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\t' | b'\r');
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| !blank(byte)).ok_or(Unusual)?;
        self.text.get(self.at).copied().ok_or(Unusual)
    }

    fn expect(&mut self, byte: u8) -> Result<(), Unusual> {
        if self.peek()? != byte {
            return Err(Unusual);
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Unusual> {
        let there = self.text.get(self.at..).and_then(|rest| rest.get(..word.len()));
        if there != Some(word) {
            return Err(Unusual);
        }
        self.at += word.len();
        Ok(())
    }

    /// Whether a list or an object continues. Consumes its end.
    fn goes_on(&mut self, first: &mut bool, end: u8) -> Result<bool, Unusual> {
        match self.peek()? {
            byte if byte == end => {
                self.at += 1;
                return Ok(false);
            }
            b',' if !*first => self.at += 1,
            _ if *first => {}
            _ => return Err(Unusual),
        }
        *first = false;
        Ok(true)
    }

    /// The bytes of a string that starts here, without its quotes, and whether it contains escapes.
    #[inline]
    fn string(&mut self) -> Result<(&'de [u8], bool), Unusual> {
        let start = self.at + 1;
        let end = blocks::stop(self.text, start);
        match self.text.get(end) {
            Some(b'"') => {
                self.at = end + 1;
                Ok((self.text.get(start..end).ok_or(Unusual)?, false))
            }
            Some(b'\\') => self.string_with_escapes(start, end),
            _ => Err(Unusual),
        }
    }

    /// The same for a string whose first escape is at `end`. Apart, so that the usual string is read where it is needed and
    /// not by a call.
    #[cold]
    #[inline(never)]
    fn string_with_escapes(&mut self, start: usize, mut end: usize) -> Result<(&'de [u8], bool), Unusual> {
        loop {
            match self.text.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end = blocks::stop(self.text, blocks::end_of_escapes(self.text, end)),
                _ => return Err(Unusual),
            }
        }
        self.at = end + 1;
        Ok((self.text.get(start..end).ok_or(Unusual)?, true))
    }

    /// A string with its escapes decoded. Rare, so `serde_json` does it.
    fn unescaped(&self, raw: &[u8]) -> Result<String, Unusual> {
        let quoted = self.text.get(self.at - raw.len() - 2..self.at).ok_or(Unusual)?;
        serde_json::from_slice(quoted).map_err(|_| Unusual)
    }

    /// Skips a value and returns its bytes.
    fn skip(&mut self) -> Result<&'de [u8], Unusual> {
        let first = self.peek()?;
        let start = self.at;
        self.at = match first {
            b'{' | b'[' => blocks::end_of_brackets(self.text, start + 1).ok_or(Unusual)?,
            b'"' => {
                self.string()?;
                self.at
            }
            b't' | b'f' | b'n' | b'-' | b'0'..=b'9' => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\t' | b'\r');
                let length = self.text.get(start..).and_then(|rest| rest.iter().position(ends));
                length.map_or(self.text.len(), |length| start + length)
            }
            _ => return Err(Unusual),
        };
        self.text.get(start..self.at).ok_or(Unusual)
    }

    /// A whole number. `1.0`, `1e3` and numbers of more than 18 digits are unusual.
    fn integer(&mut self) -> Result<i64, Unusual> {
        let raw = self.skip()?;
        let (negative, digits) = match raw {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let leading_zero = digits.len() > 1 && digits.first() == Some(&b'0');
        if digits.is_empty() || digits.len() > 18 || leading_zero || !digits.iter().all(u8::is_ascii_digit) {
            return Err(Unusual);
        }
        let value = digits
            .iter()
            .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        // serde_json reads -0 as a float.
        if negative && value == 0 {
            return Err(Unusual);
        }
        Ok(if negative { -value } else { value })
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Unusual;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        match self.peek()? {
            b'{' => {
                self.at += 1;
                visitor.visit_map(Members {
                    reader: self,
                    first: true,
                })
            }
            b'[' => {
                self.at += 1;
                let mut ended = false;
                let value = visitor.visit_seq(Items {
                    reader: self,
                    first: true,
                    ended: &mut ended,
                })?;
                // A visitor that stopped early has not read all of it.
                if ended { Ok(value) } else { Err(Unusual) }
            }
            b'"' => {
                let (raw, escaped) = self.string()?;
                if escaped {
                    return visitor.visit_string(self.unescaped(raw)?);
                }
                visitor.visit_borrowed_str(from_utf8(raw).map_err(|_| Unusual)?)
            }
            b't' => self.word(b"true").and_then(|()| visitor.visit_bool(true)),
            b'f' => self.word(b"false").and_then(|()| visitor.visit_bool(false)),
            b'n' => self.word(b"null").and_then(|()| visitor.visit_unit()),
            _ => {
                let value = self.integer()?;
                match u64::try_from(value) {
                    Ok(value) => visitor.visit_u64(value),
                    Err(_) => visitor.visit_i64(value),
                }
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        if self.peek()? == b'n' {
            self.word(b"null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Unusual> {
        if name != RAW {
            return visitor.visit_newtype_struct(self);
        }
        // The spec of a stored object, with all that is in it.
        let raw = simdutf8::basic::from_utf8(self.skip()?).map_err(|_| Unusual)?;
        let member = (RAW, BorrowedStrDeserializer::<Unusual>::new(raw));
        visitor.visit_map(MapDeserializer::new(std::iter::once(member)))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier
    }
}

/// The members of an object, one by one.
struct Members<'r, 'de> {
    reader: &'r mut Reader<'de>,
    first: bool,
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = Unusual;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unusual> {
        if !self.reader.goes_on(&mut self.first, b'}')? {
            return Ok(None);
        }
        if self.reader.peek()? != b'"' {
            return Err(Unusual);
        }
        let key = seed.deserialize(Key(self.reader))?;
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unusual> {
        self.reader.expect(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

/// A member's name. Names are compared byte by byte, so it is not checked that others are UTF-8.
struct Key<'r, 'de>(&'r mut Reader<'de>);

impl<'de> Deserializer<'de> for Key<'_, 'de> {
    type Error = Unusual;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        match self.0.string()? {
            (raw, false) => visitor.visit_borrowed_bytes(raw),
            (raw, true) => visitor.visit_string(self.0.unescaped(raw)?),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The items of a list, one by one.
struct Items<'r, 'de> {
    reader: &'r mut Reader<'de>,
    first: bool,
    ended: &'r mut bool,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Unusual;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unusual> {
        if !self.reader.goes_on(&mut self.first, b']')? {
            *self.ended = true;
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

#[cfg(test)]
mod tests;
