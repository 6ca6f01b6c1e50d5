//! Edits of values in brackets, JSON among them.

use std::ops::Range;

use super::super::{Entry, Node};
use super::editor::{Editor, Element, Slot};
use super::lines;
use super::write::{Lines, Style};

impl Editor<'_> {
    /// How the entries of a collection in brackets are written. `own`: those of a map.
    pub(super) fn style(&self, node: &Node, elements: &[Element], own: &[&Entry], slot: Slot<'_>) -> Style {
        let outer = match slot {
            Slot::Flow(outer) => outer.inner(),
            _ => Style {
                quoted: self.json,
                colon: ": ",
                comma: ", ",
                lines: None,
            },
        };
        let Some(last) = elements.last() else { return outer };
        let first = self.text[last.bytes.clone()].chars().next();
        let colon = own.last().map_or(outer.colon, |entry| {
            let tight = self.text[entry.place.bytes().end..].strip_prefix(':');
            let tight = tight.is_some_and(|rest| !rest.starts_with(char::is_whitespace));
            if tight { ":" } else { ": " }
        });
        let comma = match elements {
            [.., before, last] if self.text[before.bytes.end..last.bytes.start] == *"," => ",",
            [_, _, ..] => ", ",
            _ if own.is_empty() => outer.comma,
            _ => [", ", ","][usize::from(colon == ":")],
        };
        Style {
            quoted: match own.is_empty() {
                true => outer.quoted,
                false => matches!(first, Some('"' | '\'')),
            },
            colon,
            comma,
            lines: self.entry_lines(node, last),
        }
    }

    /// The lines of the entries, where the last one has one of its own.
    fn entry_lines(&self, node: &Node, last: &Element) -> Option<Lines> {
        let start = lines::start(self.text, last.bytes.start);
        let indent = &self.text[start..last.bytes.start];
        if !lines::is_blank(indent) || start <= self.body(node) {
            return None;
        }
        let opening = lines::start(self.text, self.body(node));
        let opening = &self.text[opening..opening + lines::blanks(&self.text[opening..])];
        let unit = indent.strip_prefix(opening).filter(|unit| !unit.is_empty());
        Some(Lines {
            indent: indent.to_owned(),
            unit: unit.unwrap_or("  ").to_owned(),
            ending: lines::ending(self.text, start).to_owned(),
        })
    }

    /// Removes the elements that do not stay, and adds others at the end.
    pub(super) fn change_flow(&mut self, node: &Node, elements: &[Element], added: &[String], style: &Style) {
        let last = elements.iter().rposition(|it| it.stays);
        for (index, element) in elements.iter().enumerate().filter(|(_, it)| !it.stays) {
            let gap = match last {
                // One that is followed goes with the comma behind it, else with the one before it.
                Some(last) if index < last => element.bytes.end..elements[index + 1].bytes.start,
                _ if index > 0 => elements[index - 1].bytes.end..element.bytes.start,
                _ => element.bytes.end..element.bytes.end,
            };
            self.remove_with(element.bytes.clone(), gap);
        }
        if !added.is_empty() {
            match last.map(|last| elements[last].bytes.end) {
                Some(end) => self.add_behind(end, elements.iter().all(|it| it.stays), added, style),
                None => self.add_inside(node, added, style),
            }
        }
    }

    /// Removes an element and the comma in a gap beside it, but no comment.
    fn remove_with(&mut self, element: Range<usize>, gap: Range<usize>) {
        if self.text[gap.clone()].contains('#') {
            let comma = lines::skip(self.text, gap.start);
            self.edit(comma..comma + 1, String::new());
            self.edit(element, String::new());
        } else {
            self.edit(gap.start.min(element.start)..gap.end.max(element.end), String::new());
        }
    }

    /// Adds elements behind the last one. `whole`: none is removed.
    fn add_behind(&mut self, end: usize, whole: bool, added: &[String], style: &Style) {
        let Some(Lines { indent, ending, .. }) = &style.lines else {
            let text = added.iter().map(|it| format!("{}{it}", style.comma)).collect();
            return self.edit(end..end, text);
        };
        let line = |it: &String| format!("{ending}{indent}{it}");
        let new: Vec<String> = added.iter().map(line).collect();
        let line_end = lines::end(self.text, end);
        let rest = self.text[end..line_end].trim_start();
        let behind_comma = rest.strip_prefix(',').map(str::trim_start);
        if whole && rest.starts_with('#') {
            // A comment stays beside what it is about.
            self.edit(end..end, ",".to_owned());
            self.edit(line_end..line_end, new.join(","));
        } else if whole && behind_comma.is_some_and(|rest| rest.is_empty() || rest.starts_with('#')) {
            self.edit(line_end..line_end, new.join(",") + ",");
        } else {
            self.edit(end..end, format!(",{}", new.join(",")));
        }
    }

    /// Adds elements to a collection that has none, or only merge keys.
    fn add_inside(&mut self, node: &Node, added: &[String], style: &Style) {
        let open = self.body(node) + 1;
        let close = node.place.bytes().end.saturating_sub(1).max(open);
        let empty = lines::is_blank(self.inside(node));
        match &style.lines {
            Some(Lines { indent, unit, ending }) if empty => {
                let line = |it: &String| format!("{ending}{indent}{it}");
                let lines: Vec<String> = added.iter().map(line).collect();
                let last = indent.strip_suffix(unit.as_str()).unwrap_or(indent);
                self.edit(open..close, format!("{}{ending}{last}", lines.join(",")));
            }
            _ if empty => self.edit(open..close, added.join(style.comma)),
            _ => {
                let behind = if lines::skip(self.text, open) < close {
                    style.comma
                } else {
                    ""
                };
                self.edit(open..open, format!("{}{behind}", added.join(style.comma)));
            }
        }
    }
}
