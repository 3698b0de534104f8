//! Approved lists: the values that rules name by a placeholder (`expand: '%models%'`), put in before any engine sees a rule.
//! Knows nothing of where a list's file comes from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use ipnet::IpNet;
use rsigma_parser::{Detection, DetectionItem, Detections, Modifier, SigmaString, SigmaValue, StringPart};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use yaml_serde::Value;

use super::{Refused, RuleFile, bounds, check::Fault, load::MAX_FILE_BYTES, parser_fault::in_one_line};
use crate::record::model_name;

/// `data/lists.yml`, as `build.rs` read it: every list that a built-in rule names, so that none of them is ever missing.
const BUILTIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lists"));
/// What an entry begins with in which `*` and `?` are wildcards.
const PATTERN: &str = "pattern:";
/// Values that the placeholders of one value may become.
const MOST_VALUES: usize = 10_000;
/// Bytes of text that they may have together.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Entries of a short list, and their bytes together. A test fills every list up to here and compiles every built-in rule.
const SHORT: usize = 100;
const SHORT_BYTES: usize = 10_000;

/// Every list that there is, by its name in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lists {
    by_name: BTreeMap<String, Vec<String>>,
    /// Entries that stay in their lists whatever takes the place of these.
    kept: BTreeMap<String, Vec<String>>,
    /// Those that others took the place of, or that are new.
    replaced: BTreeSet<String>,
}

impl Default for Lists {
    fn default() -> Self {
        Self::builtin()
    }
}

impl Lists {
    /// The lists that built-in rules name; most are empty.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "our own bytes, which every test reads: no rule may wait for a list that is there"
    )]
    pub fn builtin() -> Self {
        Self { by_name: postcard::from_bytes(BUILTIN).expect("build.rs wrote them"), ..Self::none() }
    }

    /// No lists.
    fn none() -> Self {
        Self { by_name: BTreeMap::new(), kept: BTreeMap::new(), replaced: BTreeSet::new() }
    }

    /// Those of a file alone.
    ///
    /// # Errors
    /// When the file is no map from names to lists of texts, or an entry is not what its list holds.
    pub fn of(file: &RuleFile) -> Result<Self, Refused> {
        let by_name = parse(&file.text).map_err(|fault| fault.at(&file.path, &file.text))?;
        Ok(Self { by_name, ..Self::none() })
    }

    /// Takes the lists of a file in place of those with the same names.
    ///
    /// # Errors
    /// As [`Self::of`]. Nothing of the file is taken then.
    pub fn replace(&mut self, file: &RuleFile) -> Result<(), Refused> {
        let given = Self::of(file)?;
        given.by_name.into_iter().for_each(|(name, entries)| self.put(&name, entries));
        Ok(())
    }

    /// Takes these entries in place of a list's, or for a new list.
    pub fn put(&mut self, name: &str, mut entries: Vec<String>) {
        let name = name.to_lowercase();
        entries.extend(self.kept.get(&name).into_iter().flatten().cloned());
        self.replaced.insert(name.clone());
        self.by_name.insert(name, entries);
    }

    /// Adds entries to a list, which need not be there. They stay when other entries take the place of the rest.
    pub fn keep(&mut self, name: &str, entries: &[String]) {
        let name = name.to_lowercase();
        self.by_name.entry(name.clone()).or_default().extend_from_slice(entries);
        self.kept.entry(name).or_default().extend_from_slice(entries);
    }

    /// The entries of a list, as they are written; nothing if there is no such list. Names are compared with case folded.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[String]> {
        self.by_name.get(&name.to_lowercase()).map(Vec::as_slice)
    }

    /// Whether a list is not as it is built in. What was kept beside its entries does not count.
    pub(super) fn is_replaced(&self, name: &str) -> bool {
        self.replaced.contains(&name.to_lowercase())
    }

    /// Whether a list is there, and so short that it takes no built-in rule beyond what is allowed.
    pub(super) fn is_short(&self, name: &str) -> bool {
        self.get(name).is_some_and(|entries| {
            entries.len() <= SHORT && entries.iter().map(String::len).sum::<usize>() <= SHORT_BYTES
        })
    }

    /// Every list, by its name in lower case, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.by_name.iter().map(|(name, entries)| (name.as_str(), entries.as_slice()))
    }
}

/// An entry as Sigma text: literal, unless it says that it is a pattern.
pub(super) fn entry(text: &str) -> SigmaString {
    match text.strip_prefix(PATTERN) {
        Some(pattern) => SigmaString::new(pattern.trim_start()),
        None => SigmaString::from_raw(text),
    }
}

/// Whether `*` and `?` in an entry are wildcards.
#[cfg(feature = "lint")]
pub(super) fn is_pattern(entry: &str) -> bool {
    entry.starts_with(PATTERN)
}

fn parse(text: &str) -> Result<BTreeMap<String, Vec<String>>, Fault> {
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(Fault::new("", "it is larger than 1 MiB", "shorten the lists, or write patterns"));
    }
    bounds::check_yaml(text)?;
    let Named(given) = yaml_serde::from_str(text).map_err(|error| {
        let remedy = "write `name:` and below it one `- entry` line for each value";
        Fault::new("", in_one_line(&error.to_string()), remedy)
    })?;
    let mut lists = BTreeMap::new();
    for (name, entries) in given {
        let near = format!("{name}:");
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || !name.bytes().all(word) {
            return Err(Fault::new(&near, "a list's name is not one word", "use letters, digits, `_` and `-`"));
        }
        let entries = match entries {
            // `models:` with nothing below it.
            Value::Null => Vec::new(),
            Value::Sequence(entries) => entries,
            _ => {
                return Err(Fault::new(
                    &near,
                    format!("`{name}` is no list"),
                    "write one `- entry` line for each value",
                ));
            }
        };
        let entries: Vec<String> = entries.iter().map(|entry| checked(&name, entry)).collect::<Result<_, _>>()?;
        if lists.insert(name.to_lowercase(), entries).is_some() {
            return Err(Fault::new(
                &near,
                format!("`{name}` is there twice"),
                "names are the same in any case; keep one",
            ));
        }
    }
    Ok(lists)
}

fn checked(list: &str, entry: &Value) -> Result<String, Fault> {
    let text = match entry {
        Value::String(text) if !text.trim().is_empty() => text.trim().to_owned(),
        Value::Number(number) => {
            let problem = format!("`{list}` holds {number}, which YAML reads as a number");
            return Err(Fault::new(&number.to_string(), problem, "write it in quotes"));
        }
        _ => {
            let near = format!("{list}:");
            return Err(Fault::new(&near, format!("`{list}` holds something that is no text"), "write texts only"));
        }
    };
    let wrong = |problem: &str, remedy: &str| Err(Fault::new(&text, format!("`{list}` holds {problem}"), remedy));
    if let Some(pattern) = text.strip_prefix(PATTERN) {
        return match list.to_lowercase().as_str() {
            "networks" => wrong("a pattern", "write networks as CIDR"),
            _ if pattern.trim_start().chars().all(|c| c == '*') => {
                wrong("a pattern that everything matches", "write what is approved")
            }
            _ => Ok(text),
        };
    }
    match list.to_lowercase().as_str() {
        "networks" if text.parse::<IpNet>().is_err() && text.parse::<std::net::IpAddr>().is_err() => {
            wrong("an entry that is no network", "write networks as CIDR, 203.0.113.0/24 say")
        }
        "accounts" if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) => {
            wrong("an entry that is no account", "write the twelve digits of an account, in quotes")
        }
        _ => Ok(text),
    }
}

/// The members of a YAML map in their order. A map of serde's would take the last of two with one name in silence.
struct Named(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Named;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from names to lists")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Named(members))
            }

            // A file in which everything is commented out.
            fn visit_unit<E: Error>(self) -> Result<Named, E> {
                Ok(Named(Vec::new()))
            }

            fn visit_none<E: Error>(self) -> Result<Named, E> {
                Ok(Named(Vec::new()))
            }
        }
        deserializer.deserialize_any(Members)
    }
}

/// Puts the entries of lists in the place of placeholders, everywhere in a rule or a filter.
pub(super) fn expand(detections: &mut Detections, lists: &Lists) -> Result<(), Fault> {
    detections.named.iter_mut().try_for_each(|(name, detection)| expand_detection(name, detection, lists))
}

fn expand_detection(name: &str, detection: &mut Detection, lists: &Lists) -> Result<(), Fault> {
    match detection {
        Detection::AllOf(items) => items.iter_mut().try_for_each(|item| expand_item(name, item, lists)),
        Detection::AnyOf(parts) | Detection::And(parts) => {
            parts.iter_mut().try_for_each(|part| expand_detection(name, part, lists))
        }
        _ => Ok(()),
    }
}

fn expand_item(name: &str, item: &mut DetectionItem, lists: &Lists) -> Result<(), Fault> {
    if !item.field.has_modifier(Modifier::Expand) {
        return Ok(());
    }
    let field = item.field.name.clone().unwrap_or_default();
    let fault = |problem: &str, remedy: &str| Fault::new("expand", format!("`{field}` in `{name}` {problem}"), remedy);
    if [Modifier::Re, Modifier::FieldRef, Modifier::Exists].iter().any(|modifier| item.field.has_modifier(*modifier)) {
        return Err(fault("combines `expand` with a modifier that takes no list", "take one of them out"));
    }
    let mut expanded = Vec::new();
    for value in &item.values {
        let text = match value {
            SigmaValue::String(text) => text,
            _ => return Err(fault("uses `expand` on something that is no text", "write a placeholder: '%models%'")),
        };
        for text in filled(text, &field, lists, &fault)? {
            expanded.push(SigmaValue::String(text));
        }
        if expanded.len() > MOST_VALUES {
            return Err(fault("becomes more than 10,000 values", "name each list once, and write fewer entries"));
        }
    }
    item.field.modifiers.retain(|modifier| *modifier != Modifier::Expand);
    // `all` of one value is that value; `all` of none would hold everywhere, and an empty list matches nothing.
    if expanded.len() < 2 {
        item.field.modifiers.retain(|modifier| *modifier != Modifier::All);
    }
    item.values = expanded;
    Ok(())
}

/// Every text that a text with placeholders stands for.
fn filled(
    text: &SigmaString,
    field: &str,
    lists: &Lists,
    fault: &impl Fn(&str, &str) -> Fault,
) -> Result<Vec<SigmaString>, Fault> {
    let mut texts = vec![SigmaString { parts: Vec::new(), original: String::new() }];
    let mut placeholders = 0;
    for part in &text.parts {
        let StringPart::Plain(mut rest) = part.clone() else {
            texts.iter_mut().for_each(|text| text.parts.push(part.clone()));
            continue;
        };
        while let Some((before, list, after)) = placeholder(&rest) {
            let Some(entries) = lists.get(list) else {
                let known: Vec<&str> = lists.iter().map(|(name, _)| name).collect();
                let remedy = format!("put `{list}:` into your lists, or use one of {}", known.join(", "));
                return Err(fault(&format!("names the list `{list}`, which is not there"), &remedy));
            };
            placeholders += 1;
            push(&mut texts, before);
            let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
            let length = longest(&mut texts.iter().map(|text| text.original.len()))
                + longest(&mut entries.iter().map(String::len));
            let values = texts.len().saturating_mul(entries.len());
            if values > MOST_VALUES || values.saturating_mul(length) > MOST_BYTES {
                return Err(fault("becomes more than 10,000 values or 4 MiB", "write patterns, or fewer entries"));
            }
            let normal = |text: &String| match text.starts_with(PATTERN) {
                false if field == "derived.model" => entry(&model_name(text).text),
                _ => entry(text),
            };
            let entries: Vec<SigmaString> = entries.iter().map(normal).collect();
            texts = texts.iter().flat_map(|text| entries.iter().map(|entry| joined(text, entry))).collect();
            rest = after.to_owned();
        }
        push(&mut texts, &rest);
    }
    if placeholders == 0 {
        return Err(fault(
            "uses `expand` on a value without a placeholder",
            "write the list's name between %: '%models%'",
        ));
    }
    Ok(texts)
}

/// The lists that a text names by placeholders.
#[cfg(feature = "lint")]
pub(super) fn named_in(text: &SigmaString) -> Vec<String> {
    let mut names = Vec::new();
    for part in &text.parts {
        let StringPart::Plain(mut rest) = part.clone() else { continue };
        while let Some((_, name, after)) = placeholder(&rest) {
            names.push(name.to_owned());
            rest = after.to_owned();
        }
    }
    names
}

/// What stands before, in and after the first `%name%`.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('%')?;
    let (name, after) = rest.split_once('%')?;
    Some((before, name, after))
}

fn push(texts: &mut [SigmaString], plain: &str) {
    if !plain.is_empty() {
        texts.iter_mut().for_each(|text| {
            text.parts.push(StringPart::Plain(plain.to_owned()));
            text.original.push_str(plain);
        });
    }
}

fn joined(text: &SigmaString, entry: &SigmaString) -> SigmaString {
    SigmaString {
        parts: text.parts.iter().chain(&entry.parts).cloned().collect(),
        original: format!("{}{}", text.original, entry.original),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_lists_are_right_and_those_of_the_file() {
        let read = parse(include_str!("../../data/lists.yml")).unwrap();
        assert!(read.contains_key("own_resources"));
        assert_eq!(Lists::builtin().by_name, read);
    }
}
