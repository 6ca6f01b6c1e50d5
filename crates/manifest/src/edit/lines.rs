//! Lines of a text. A line break is LF, CR LF or CR, as for the parser.

use super::super::place::breaks;

const BREAKS: [char; 2] = ['\n', '\r'];
const BLANKS: [char; 2] = [' ', '\t'];

/// The number of the line of a byte, counted from 1.
pub(super) fn number(text: &str, at: usize) -> usize {
    1 + breaks(text.get(..at).unwrap_or_default())
}

/// Where the line of a byte starts, behind a byte order mark.
pub(super) fn start(text: &str, at: usize) -> usize {
    let marks = text.len() - text.trim_start_matches('\u{feff}').len();
    text[..at].rfind(BREAKS).map_or(marks.min(at), |last| last + 1)
}

/// Where the line of a byte ends, before its break.
pub(super) fn end(text: &str, at: usize) -> usize {
    text[at..].find(BREAKS).map_or(text.len(), |first| at + first)
}

/// The break at the end of a line, or the one before it, or LF.
pub(super) fn ending(text: &str, at: usize) -> &str {
    let end = end(text, at);
    let found = match end < text.len() {
        true => end,
        false => match text.rfind(BREAKS) {
            Some(last) => last - usize::from(text[..last].ends_with('\r') && text[last..].starts_with('\n')),
            None => return "\n",
        },
    };
    let length = match text[found..].starts_with("\r\n") {
        true => 2,
        false => 1,
    };
    &text[found..found + length]
}

/// Where the break before a line starts; `None` on the first line.
pub(super) fn break_before(text: &str, line_start: usize) -> Option<usize> {
    let before = &text[..line_start];
    let break_start = before.strip_suffix("\r\n").or_else(|| before.strip_suffix(BREAKS))?;
    Some(break_start.len())
}

/// Whether a part of a text is empty or has only blanks.
pub(super) fn is_blank(part: &str) -> bool {
    part.trim_start_matches(BLANKS).is_empty()
}

/// The number of blanks that a part of a text starts with.
pub(super) fn blanks(part: &str) -> usize {
    part.len() - part.trim_start_matches(BLANKS).len()
}

/// Whether a byte is the first of its line, breaks before it included.
pub(super) fn is_start(text: &str, at: usize) -> bool {
    at == 0 || text[..at].ends_with(BREAKS)
}

/// Behind blanks, breaks and comments from `from` on.
pub(super) fn skip(text: &str, from: usize) -> usize {
    let mut at = from;
    loop {
        let rest = text[at..].trim_start_matches([' ', '\t', '\n', '\r']);
        at = text.len() - rest.len();
        match rest.starts_with('#') {
            true => at = end(text, at),
            false => return at,
        }
    }
}

/// The end of the last line of comments below the line that ends at a byte, among comments that are indented by `indent` or more
/// and blank lines.
pub(super) fn behind_comments(text: &str, line_end: usize, indent: usize) -> usize {
    let (mut last, mut at) = (line_end, line_end);
    while at < text.len() {
        let start = at + ending(text, at).len();
        let content = start + text[start..].len() - text[start..].trim_start_matches(' ').len();
        at = end(text, content);
        if text[content..].starts_with('#') && content - start >= indent {
            last = at;
        } else if !is_blank(&text[content..at]) {
            break;
        }
    }
    last
}
