//! Edits of values that stand on lines of their own.

use std::ops::Range;

use serde_json::Value;

use super::super::{Content, Entry, Node};
use super::draft::{Draft, Now};
use super::editor::{Editor, Element, Slot};
use super::parts::{is_merged, merge_key};
use super::write::{self, Style};
use super::{EditError, lines};

impl<'t> Editor<'t> {
    /// Makes the value of `slot` what the draft says.
    pub(super) fn value(&mut self, draft: &Draft<'_>, slot: Slot<'_>) -> Result<(), EditError> {
        let Some(node) = draft.node else { return Ok(()) };
        match (&draft.now, &node.content) {
            (Now::Same, _) => Ok(()),
            (Now::Map(now), Content::Map(entries)) => self.map(draft, node, entries, now, slot),
            (Now::List(now), Content::List(items)) => self.list(draft, node, items, now, slot),
            _ => self.replace(node, &draft.to_value(), slot),
        }
    }

    fn map(
        &mut self,
        draft: &Draft<'_>,
        node: &Node,
        entries: &[Entry],
        now: &[(String, Draft<'_>)],
        slot: Slot<'_>,
    ) -> Result<(), EditError> {
        let stays = |entry: &Entry| now.iter().any(|(key, value)| *key == entry.key && value.node.is_some());
        let (merged, own): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|it| is_merged(&it.value));
        let added: Vec<(&str, Value)> = (now.iter().filter(|(_, value)| value.node.is_none()))
            .map(|(key, value)| (key.as_str(), value.to_value()))
            .collect();
        let elements: Vec<Element> = own
            .iter()
            .map(|it| Element {
                bytes: self.key_start(it.place)..self.extent(&it.value).end,
                stays: stays(it),
            })
            .collect();
        let flow = self.is_flow(node);
        let in_lines = matches!(slot, Slot::Entry(_)) && !self.json;
        let rewritten = match (own.is_empty(), merged.is_empty()) {
            // `{}` behind a key becomes lines; brackets around something stay.
            (true, true) => in_lines && flow && lines::is_blank(self.inside(node)) && !added.is_empty(),
            (false, true) => !elements.iter().any(|it| it.stays),
            _ => !merged.iter().all(|it| stays(it)),
        };
        if rewritten {
            return self.replace(node, &draft.to_value(), slot);
        }
        let style = flow.then(|| self.style(node, &elements, &own, slot));
        for (key, value) in now {
            let Some(entry) = own.iter().find(|it| it.key == *key) else {
                continue;
            };
            let slot = style.as_ref().map_or(Slot::Entry(entry.place), Slot::Flow);
            self.value(value, slot)?;
        }
        match style {
            Some(style) => {
                let added: Vec<String> = added.iter().map(|(key, value)| style.entry(key, value)).collect();
                self.change_flow(node, &elements, &added, &style);
            }
            None => {
                let merges = merged.iter().filter_map(|it| merge_key(it)).map(|it| it.bytes().start);
                self.remove_all(&elements, &merges.collect::<Vec<_>>());
                if !added.is_empty() {
                    let indent = self.indent(self.body(node))?;
                    let lines = added.iter().map(|(key, value)| self.entry(key, value, indent));
                    let lines = lines.collect();
                    self.add_lines(node.place.bytes().end, lines, Some(indent));
                }
            }
        }
        Ok(())
    }

    fn list(
        &mut self,
        draft: &Draft<'_>,
        node: &Node,
        items: &[Node],
        now: &[Draft<'_>],
        slot: Slot<'_>,
    ) -> Result<(), EditError> {
        let old = now.iter().take_while(|item| item.node.is_some()).count();
        let (old, new) = now.split_at(old);
        if new.iter().any(|item| item.node.is_some()) {
            let line = node.place.line();
            return Err(EditError::Unsupported { line });
        }
        let stays = |item: &Node| {
            old.iter()
                .any(|it| it.node.is_some_and(|node| std::ptr::eq(node, item)))
        };
        if old.is_empty() && !(items.is_empty() && self.is_flow(node)) {
            return self.replace(node, &draft.to_value(), slot);
        }
        let flow = self.is_flow(node);
        let mut elements: Vec<Element> = Vec::with_capacity(items.len());
        let mut from = self.body(node);
        for item in items {
            let extent = self.extent(item);
            let bytes = if flow {
                extent
            } else {
                lines::skip(self.text, from)..extent.end
            };
            from = bytes.end;
            elements.push(Element {
                bytes,
                stays: stays(item),
            });
        }
        let style = flow.then(|| self.style(node, &elements, &[], slot));
        for item in old {
            self.value(item, style.as_ref().map_or(Slot::Item, Slot::Flow))?;
        }
        let new: Vec<Value> = new.iter().map(Draft::to_value).collect();
        match style {
            Some(style) => {
                let added: Vec<String> = new.iter().map(|value| style.value(value)).collect();
                self.change_flow(node, &elements, &added, &style);
            }
            None => {
                self.remove_all(&elements, &[]);
                if !new.is_empty() {
                    let indent = self.indent(self.body(node))?;
                    let lines = new.iter().map(|value| self.item(value, indent)).collect();
                    self.add_lines(node.place.bytes().end, lines, Some(indent));
                }
            }
        }
        Ok(())
    }

    /// Replaces a whole value.
    fn replace(&mut self, node: &Node, value: &Value, slot: Slot<'_>) -> Result<(), EditError> {
        let bytes = node.place.bytes();
        let old = node.place.text(self.text);
        let key = match slot {
            Slot::Flow(style) => {
                let new = write::like(value, old).unwrap_or_else(|| style.value(value));
                self.put(bytes, new);
                return Ok(());
            }
            Slot::Document | Slot::Item => None,
            Slot::Entry(key) => Some(key),
        };
        let head = key.map_or(bytes.start, |key| self.head(node, key));
        let between = self.text.get(head..bytes.start).unwrap_or_default();
        match (write::inline(value), key) {
            (Some(new), _) if !old.contains(['\n', '\r']) && !self.is_block(node) => {
                self.put(bytes, write::like(value, old).unwrap_or(new));
            }
            // `key: {}` and not `{}` on a line of its own, unless a comment stands there.
            (Some(new), Some(_)) if between.trim().is_empty() => self.edit(head..bytes.end, format!(" {new}")),
            (Some(new), _) => self.edit(bytes, new),
            (None, Some(key)) => {
                let indent = self.indent(self.key_start(key))?;
                let kept = self.text[..bytes.start].trim_end().len();
                self.edit(kept.max(head).min(bytes.start)..bytes.end, String::new());
                let lines = self.children(value, indent);
                self.add_lines(bytes.end, lines, None);
            }
            (None, None) => {
                let style = Style {
                    quoted: self.json,
                    colon: ": ",
                    comma: ", ",
                    lines: None,
                };
                self.put(bytes, style.value(value));
            }
        }
        Ok(())
    }

    /// Replaces a value by text. That of an omitted one has blanks around it.
    fn put(&mut self, bytes: Range<usize>, new: String) {
        let omitted = bytes.is_empty();
        let before = [" ", ""][usize::from(!omitted || self.text[..bytes.start].ends_with(' '))];
        let behind = ["", " "][usize::from(omitted && self.text[bytes.end..].starts_with('#'))];
        self.edit(bytes, format!("{before}{new}{behind}"));
    }

    /// Adds lines behind the one in which a value ends. Comments that follow it stay before them where they are indented by
    /// `indent` or more: they are about the value.
    fn add_lines(&mut self, end: usize, new: Vec<String>, indent: Option<usize>) {
        let ending = lines::ending(self.text, end);
        if lines::is_start(self.text, end) {
            // A block scalar that keeps its blank lines ends with them.
            let text = new.iter().map(|line| format!("{line}{ending}")).collect();
            return self.edit(end..end, text);
        }
        let at = lines::end(self.text, end);
        let at = indent.map_or(at, |indent| lines::behind_comments(self.text, at, indent));
        let text = new.iter().map(|line| format!("{ending}{line}")).collect();
        self.edit(at..at, text);
    }

    /// Removes the elements that do not stay. `others`: where what is no element starts.
    fn remove_all(&mut self, elements: &[Element], others: &[usize]) {
        let starts = || elements.iter().map(|it| it.bytes.start).chain(others.iter().copied());
        let mut removed: Option<Range<usize>> = None;
        for element in elements {
            let Range { start, end } = element.bytes;
            removed = match removed.take() {
                None if element.stays => None,
                None => Some(start..end),
                // Lines that follow each other go at once.
                Some(before) if !element.stays && self.text[before.end..start].trim().is_empty() => {
                    Some(before.start..end)
                }
                Some(before) => {
                    let next = starts().filter(|it| *it >= before.end).min();
                    self.remove(before, next);
                    (!element.stays).then_some(start..end)
                }
            };
        }
        if let Some(last) = removed {
            let next = starts().filter(|it| *it >= last.end).min();
            self.remove(last, next);
        }
    }

    /// Removes an entry or item. A comment behind it stays, on a line of its own.
    fn remove(&mut self, bytes: Range<usize>, next: Option<usize>) {
        let Range { start, end } = bytes;
        let line = lines::start(self.text, start);
        let line_end = lines::end(self.text, end);
        let blanks = lines::blanks(&self.text[end..]);
        let comment = self.text[end + blanks..].starts_with('#');
        let first = lines::is_blank(&self.text[line..start]);
        if first && lines::is_start(self.text, end) {
            self.edit(line..end, String::new());
        } else if first && comment {
            self.edit(start..end + blanks, String::new());
        } else if first {
            let whole = match lines::break_before(self.text, line) {
                Some(before) => before..line_end,
                None => line..(line_end + lines::ending(self.text, end).len()).min(self.text.len()),
            };
            self.edit(whole, String::new());
        } else if let Some(next) = next.filter(|next| self.text[end..*next].trim().is_empty()) {
            // What follows takes its place behind the dash.
            self.edit(start..next, String::new());
        } else if comment {
            self.edit(start..end + blanks, String::new());
        } else {
            let kept = self.text[..start].trim_end_matches([' ', '\t']).len();
            self.edit(kept..line_end, String::new());
        }
    }

    /// By how many blanks a line is indented that begins where a byte stands.
    fn indent(&self, start: usize) -> Result<usize, EditError> {
        let line = lines::start(self.text, start);
        let before = &self.text[line..start];
        match before.contains('\t') {
            true => Err(EditError::Tabs {
                line: lines::number(self.text, start),
            }),
            false => Ok(before.chars().count()),
        }
    }

    fn entry(&self, key: &str, value: &Value, indent: usize) -> String {
        format!("{}{}", " ".repeat(indent), self.pair(key, value, indent))
    }

    fn pair(&self, key: &str, value: &Value, indent: usize) -> String {
        let key = write::word(key);
        match write::inline(value) {
            Some(value) => format!("{key}: {value}"),
            None => format!("{key}:{}", self.below(value, indent)),
        }
    }

    /// The lines of a collection below its key, each behind a break.
    fn below(&self, value: &Value, indent: usize) -> String {
        let lines = self.children(value, indent).into_iter();
        lines.map(|line| format!("{}{line}", self.ending())).collect()
    }

    /// The lines of a collection below a key that is indented by `indent`.
    fn children(&self, value: &Value, indent: usize) -> Vec<String> {
        match value {
            Value::Object(map) => {
                let indent = indent + self.step;
                map.iter().map(|(key, value)| self.entry(key, value, indent)).collect()
            }
            Value::Array(items) => items.iter().map(|item| self.item(item, indent)).collect(),
            _ => Vec::new(),
        }
    }

    fn item(&self, value: &Value, indent: usize) -> String {
        let pad = " ".repeat(indent);
        match (write::inline(value), value) {
            (Some(value), _) => format!("{pad}- {value}"),
            (None, Value::Object(map)) => {
                let entries = map.iter().map(|(key, value)| self.pair(key, value, indent + 2));
                let entries: Vec<String> = entries.collect();
                format!("{pad}- {}", entries.join(&format!("{}{pad}  ", self.ending())))
            }
            (None, _) => format!("{pad}-{}", self.below(value, indent + 2)),
        }
    }

    fn ending(&self) -> &'t str {
        lines::ending(self.text, self.text.len())
    }
}
