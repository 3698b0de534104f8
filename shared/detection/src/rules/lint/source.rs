//! Where in a rule file its keys and values stand. Knows YAML, and nothing of Sigma but that a key may have modifiers.

use saphyr_parser::{Event, Parser, Span};

/// A place in a file, in characters from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
    /// Characters that are meant, in this line alone.
    pub(super) width: usize,
}

/// No rule asks for more; a file may be deeper.
const DEEPEST: usize = 8;

/// The keys and values of a file, in their order.
#[derive(Debug, Default)]
pub(super) struct Source {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// The keys above, and for a value its own; lists are not told apart.
    path: Vec<String>,
    is_key: bool,
    text: String,
    place: Place,
}

/// What is open while a file is read.
enum Open {
    List,
    /// With the key whose value comes next, if one does.
    Map(Option<String>),
}

impl Source {
    /// Of a file that was parsed before; of another, as much as can be read.
    pub(super) fn of(text: &str) -> Self {
        let mut source = Self::default();
        let mut open: Vec<Open> = Vec::new();
        for event in Parser::new_from_str(text) {
            let Ok((event, span)) = event else { return source };
            match event {
                Event::MappingStart(..) => open.push(Open::Map(None)),
                Event::SequenceStart(..) => open.push(Open::List),
                Event::MappingEnd | Event::SequenceEnd => {
                    open.pop();
                    value_ended(&mut open);
                }
                Event::Scalar(text, ..) => source.scalar(&text, span, &mut open),
                // What an anchor stands for is somewhere else.
                Event::Alias(_) => value_ended(&mut open),
                _ => {}
            }
        }
        source
    }

    fn scalar(&mut self, text: &str, span: Span, open: &mut [Open]) {
        let is_key = matches!(open.last(), Some(Open::Map(None)));
        if open.len() <= DEEPEST {
            let path = open.iter().filter_map(|open| match open {
                Open::Map(key) => key.clone(),
                Open::List => None,
            });
            let (start, end) = (span.start, span.end);
            let width = if start.line() == end.line() { end.col().saturating_sub(start.col()) } else { 1 };
            let place = Place { line: start.line(), column: start.col() + 1, width: width.max(1) };
            self.entries.push(Entry { path: path.collect(), is_key, text: text.to_owned(), place });
        }
        match open.last_mut() {
            Some(Open::Map(key)) if is_key => *key = Some(text.to_owned()),
            _ => value_ended(open),
        }
    }

    /// The place of a key below these.
    pub(super) fn key(&self, path: &[&str], key: &str) -> Option<Place> {
        self.nth_field(path, key, 0).map(|(place, _)| place)
    }

    /// The place of the nth key for a field, whatever its modifiers, and its number for [`Self::value`].
    pub(super) fn nth_field(&self, path: &[&str], field: &str, nth: usize) -> Option<(Place, usize)> {
        let of_field = |entry: &Entry| entry.text.split('|').next() == Some(field);
        let mut found = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.is_key && entry.path == path && (entry.text == field || of_field(entry)));
        found.nth(nth).map(|(at, entry)| (entry.place, at))
    }

    /// The place of a key at the top whatever its case, and its number for [`Self::value`].
    pub(super) fn key_in_any_case(&self, key: &str) -> Option<(Place, usize)> {
        let is_it = |entry: &Entry| entry.is_key && entry.path.is_empty() && entry.text.to_lowercase() == key;
        self.entries.iter().position(is_it).and_then(|at| Some((self.entries.get(at)?.place, at)))
    }

    /// The place of a value of the key with this number.
    pub(super) fn value(&self, key: usize, text: &str) -> Option<Place> {
        let path = self.entries.get(key).map(|key| key.path.len() + 1)?;
        let values = self.entries.iter().skip(key + 1).take_while(|entry| !entry.is_key && entry.path.len() == path);
        values.filter(|entry| entry.text == text).map(|entry| entry.place).next()
    }

    /// The place of a word within the value of a key, where that stands in one line; else of the value.
    pub(super) fn word(&self, path: &[&str], key: &str, word: &str) -> Option<Place> {
        let (_, at) = self.nth_field(path, key, 0)?;
        let value = self.entries.get(at + 1).filter(|entry| !entry.is_key)?;
        let inside = value.text.find(word).and_then(|at| value.text.get(..at));
        Some(match inside {
            Some(before) if value.place.width == value.text.chars().count() => {
                let column = value.place.column + before.chars().count();
                Place { line: value.place.line, column, width: word.chars().count() }
            }
            _ => value.place,
        })
    }
}

/// After a value, its map waits for the next key.
fn value_ended(open: &mut [Open]) {
    if let Some(Open::Map(key)) = open.last_mut() {
        *key = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: usize, column: usize, width: usize) -> Place {
        Place { line, column, width }
    }

    #[test]
    fn keys_and_values_are_found_where_they_stand() {
        let text = "title: Ünder\ndetection:\n    selection:\n        eventName|contains:\n            - 'Two'\n            - One\n        eventName: Ä\n    other:\n        - eventName: One\n          x: &a One\n        - eventName: [Three, \"Four\"]\n    condition: selection and other\n";
        let source = Source::of(text);
        let selection = ["detection", "selection"];
        assert_eq!(source.key(&["detection"], "other"), Some(place(8, 5, 5)));
        let (at, key) = source.nth_field(&selection, "eventName", 0).unwrap();
        assert_eq!(at, place(4, 9, 18));
        assert_eq!(source.value(key, "Two"), Some(place(5, 15, 5)));
        assert_eq!(source.value(key, "One"), Some(place(6, 15, 3)));
        assert_eq!(source.value(key, "Ä"), None, "of the next key");
        assert_eq!(source.nth_field(&selection, "eventName", 1).unwrap().0, place(7, 9, 9));
        let (at, key) = source.nth_field(&["detection", "other"], "eventName", 1).unwrap();
        assert_eq!((at, source.value(key, "Four")), (place(11, 11, 9), Some(place(11, 30, 6))));
        assert_eq!(source.word(&["detection"], "condition", "other"), Some(place(12, 30, 5)));
    }

    #[test]
    fn what_is_no_yaml_has_the_places_before_it_breaks() {
        assert_eq!(Source::of("a: 1\nb: [").key(&[], "a"), Some(place(1, 1, 1)));
    }
}
