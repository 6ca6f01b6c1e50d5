//! Turns the spans of the YAML parser into places. The parser leaves out the header of a block scalar, the first dash of a list
//! that is not indented, and the end of block collections.

use serde_saphyr::granit_parser::{Marker, ScalarStyle, Span};

use super::place::{breaks, line_before};
use super::{Place, ReadError};

/// A text while it is read.
pub(super) struct Spans<'t> {
    /// The text without byte order marks.
    text: &'t str,
    /// How many bytes those have.
    mark: usize,
    /// Where the last token ends. What follows has not been read yet.
    cursor: usize,
}

/// What [`Spans::seek`] looks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sought {
    /// The dash of a list item.
    Dash,
    /// The `|` or `>` of a block scalar.
    Header,
}

impl<'t> Spans<'t> {
    /// # Errors
    /// The text is too long for places.
    pub(super) fn new(text: &'t str) -> Result<Self, ReadError> {
        let plain = text.trim_start_matches('\u{feff}');
        match u32::try_from(text.len()) {
            Ok(_) => Ok(Spans {
                text: plain,
                mark: text.len() - plain.len(),
                cursor: 0,
            }),
            Err(_) => Err(ReadError {
                line: 1,
                reason: "longer than 4 GiB".to_owned(),
            }),
        }
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// The place of a scalar. `bare_value`: it is the value of a map's entry, without an anchor.
    pub(super) fn scalar(&mut self, span: &Span, style: ScalarStyle, bare_value: bool) -> Place {
        match style {
            ScalarStyle::Literal | ScalarStyle::Folded => return self.block_scalar(span),
            ScalarStyle::Plain if span.is_empty() && span.tag_start.is_none() => {
                return self.omitted(&span.start, bare_value);
            }
            _ => {}
        }
        self.cursor = offset(&span.end);
        self.from(span.tag_start.as_ref().unwrap_or(&span.start), self.cursor)
    }

    /// The place of an alias.
    pub(super) fn alias(&mut self, span: &Span) -> Place {
        self.cursor = offset(&span.end);
        self.from(&span.start, self.cursor)
    }

    /// The place of an anchor, which was read before its value.
    pub(super) fn anchor(&mut self, span: &Span) -> Place {
        self.cursor = self.cursor.max(offset(&span.end));
        self.from(&span.start, offset(&span.end))
    }

    /// The place where a collection starts. [`Spans::close`] completes it.
    pub(super) fn open(&mut self, span: &Span, dashed_value: bool) -> Place {
        let first = match dashed_value.then(|| self.seek(Sought::Dash)).flatten() {
            Some(dash) => self.at(dash, &span.start),
            None => self.from(&span.start, offset(&span.start)),
        };
        let entered = if span.is_empty() {
            first.start as usize - self.mark
        } else {
            offset(&span.end)
        };
        self.cursor = self.cursor.max(entered);
        match &span.tag_start {
            Some(tag) => self.from(tag, offset(tag)),
            None => first,
        }
    }

    /// The place of a collection that ends here.
    pub(super) fn close(&mut self, opened: Place, span: &Span) -> Place {
        // A block collection ends with what it holds.
        if !span.is_empty() {
            self.cursor = offset(&span.end);
        }
        Place {
            end: self.number(self.cursor),
            ..opened
        }
    }

    /// Passes by the marks of a document.
    pub(super) fn pass(&mut self, span: &Span) {
        if !span.is_empty() {
            self.cursor = offset(&span.end);
        }
    }

    /// The place of a value that is not there.
    fn omitted(&mut self, start: &Marker, bare_value: bool) -> Place {
        let mut at = offset(start);
        if bare_value {
            let rest = self.text.get(at..).unwrap_or_default();
            let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            if rest.as_bytes().get(spaces) != Some(&b':') {
                // Without a colon the parser puts it before the next token, perhaps lines below its key.
                return self.at(self.cursor.min(at), start);
            }
            at += spaces + 1;
        }
        self.cursor = at;
        let mut place = self.from(start, at);
        place.column += place.end - place.start;
        place.start = place.end;
        place
    }

    /// The place of a block scalar, from its header to its last line of text.
    fn block_scalar(&mut self, span: &Span) -> Place {
        let Some(header) = self.seek(Sought::Header) else {
            self.cursor = offset(&span.end);
            return self.from(&span.start, self.cursor);
        };
        let marks = self.text[header..]
            .trim_start_matches(['|', '>', '+', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
        let floor = self.text.len() - marks.len();
        let keep = self.text[header..floor].contains('+');
        self.cursor = self.last_line(floor, offset(&span.end).max(floor), span.indent.unwrap_or(0), keep);
        let first = match &span.tag_start {
            Some(tag) => self.from(tag, offset(tag)),
            None => self.at(header, &span.start),
        };
        Place {
            end: self.number(self.cursor),
            ..first
        }
    }

    /// Where a block scalar ends: blank lines at its end belong to it only if it keeps them.
    fn last_line(&self, floor: usize, end: usize, indent: usize, keep: bool) -> usize {
        let mut end = end;
        loop {
            let before = &self.text[..end];
            let line = line_before(before);
            let start = end - line.len();
            if line.len() > indent || !line.bytes().all(|byte| byte == b' ') {
                return if start > floor { end } else { floor };
            }
            if start <= floor {
                return floor;
            }
            if keep {
                return start;
            }
            end = before[..start].trim_end_matches(['\n', '\r']).len().max(floor);
        }
    }

    /// The next dash or header, behind nothing but comments, anchors, tags and indicators.
    fn seek(&self, sought: Sought) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut at = self.cursor;
        loop {
            let until = |end: fn(&u8) -> bool| {
                bytes[at..]
                    .iter()
                    .position(end)
                    .map_or(bytes.len(), |length| at + length)
            };
            match (*bytes.get(at)?, sought) {
                (b'-', Sought::Dash) | (b'|' | b'>', Sought::Header) => return Some(at),
                (b' ' | b'\t' | b'\n' | b'\r' | b':' | b'?' | b'-', _) => at += 1,
                (b'#', _) => at = until(|byte| matches!(byte, b'\n' | b'\r')),
                (b'&' | b'!', _) => at = until(u8::is_ascii_whitespace),
                _ => return None,
            }
        }
    }

    /// A place that begins before a marker.
    fn at(&self, start: usize, marker: &Marker) -> Place {
        let between = self.text.get(start..offset(marker)).unwrap_or_default();
        let column = line_before(&self.text[..start]).chars().count() + 1;
        Place {
            start: self.number(start),
            end: self.number(start),
            line: small(marker.line().saturating_sub(breaks(between))),
            column: small(column),
        }
    }

    fn from(&self, start: &Marker, end: usize) -> Place {
        Place {
            start: self.number(offset(start)),
            end: self.number(end),
            line: small(start.line()),
            column: small(start.col() + 1),
        }
    }

    /// An offset in the text that was given.
    fn number(&self, offset: usize) -> u32 {
        small(self.mark + offset)
    }
}

/// Numbers below the length of a text, which was checked.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The parser counts the bytes of any text that is in memory.
fn offset(marker: &Marker) -> usize {
    marker.byte_offset().unwrap_or_default()
}
