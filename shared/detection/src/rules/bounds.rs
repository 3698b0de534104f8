//! What a rule file may ask of those who read it, looked at before they do. The parsers of YAML and of Sigma's conditions go
//! as deep and grow as large as a file says, and a stack that overflows ends the function. Knows nothing of what a rule means.

use std::{borrow::Cow, fmt};

use rsigma_parser::{ConditionExpr, Detection, Detections, Modifier};
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::check::Fault;

/// Brackets and braces of a file: the time that YAML's scanner takes grows with the square of how deep they nest.
const MOST_BRACKETS: usize = 10_000;
/// Values of a file, its keys among them: the parser keeps all of them, a hundred times the size of the shortest.
const MOST_VALUES: usize = 100_000;
/// Bytes of text in a file once every alias stands for its anchor.
const MOST_UNFOLDED: usize = 2 * 1024 * 1024;
/// Bytes of one condition. The longest of SigmaHQ's has some hundred.
const MOST_CONDITION_BYTES: usize = 16 * 1024;
/// Parentheses of a condition that are open at once, and `not` in a row: a parser's stack grows with both.
const MOST_OPEN: usize = 50;
const MOST_NOTS: usize = 8;
/// Bytes of all values that a rule compares with, a selection as often as its condition names it.
const MOST_COMPARED: usize = 8 * 1024 * 1024;
/// What one line of a selection counts for beside its values: about what it takes in memory.
const LINE_BYTES: usize = 1024;

/// Looks through YAML without keeping it.
pub(super) fn check_yaml(text: &str) -> Result<(), Fault> {
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > MOST_BRACKETS {
        return Err(too_much(&format!("it holds more than {MOST_BRACKETS} brackets and braces")));
    }
    // Every value begins in a line of its own, or behind one of these.
    let begins = |byte: &u8| matches!(byte, b'\n' | b'\r' | b',' | b':' | b'[' | b'{' | b'-' | b'?');
    if text.bytes().filter(begins).count() > 4 * MOST_VALUES {
        return Err(too_much("it holds too many values"));
    }
    let mut left = Left { values: MOST_VALUES, bytes: MOST_UNFOLDED };
    for document in yaml_serde::Deserializer::from_str(text) {
        match (Look { left: &mut left, is_condition: false }).deserialize(document) {
            Ok(()) => {}
            Err(error) => {
                let error = error.to_string();
                return match error.split_once(OURS) {
                    Some((_, ours)) => Err(too_much(ours.split_once(OURS).map_or(ours, |(ours, _)| ours))),
                    // What is wrong with it otherwise, its parser tells.
                    None => Ok(()),
                };
            }
        }
    }
    Ok(())
}

/// Stands around a sentence of ours in an error of the parser's, which adds where it was.
const OURS: char = '\u{1}';

fn too_much(what: &str) -> Fault {
    Fault::new("", what, "write the rule in a simpler way")
}

fn nests(text: &str) -> Result<(), Cow<'static, str>> {
    if text.len() > MOST_CONDITION_BYTES {
        return Err(format!("its condition has more than {MOST_CONDITION_BYTES} bytes").into());
    }
    let (mut open, mut nots) = (0_usize, 0);
    for token in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-') {
        let word = token.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
        match word {
            "" => {}
            "not" => nots += 1,
            _ => nots = 0,
        }
        match token.chars().next_back() {
            Some('(') => (open, nots) = (open + 1, 0),
            Some(')') => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MOST_OPEN || nots > MOST_NOTS {
            return Err(format!(
                "its condition nests too deep: at most {MOST_OPEN} parentheses, and {MOST_NOTS} `not` in a row"
            )
            .into());
        }
    }
    Ok(())
}

/// What is left of what a file may hold.
struct Left {
    values: usize,
    bytes: usize,
}

/// Looks at one value.
struct Look<'l> {
    left: &'l mut Left,
    is_condition: bool,
}

impl Look<'_> {
    fn take<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
        let values = self.left.values.checked_sub(1);
        let bytes = self.left.bytes.checked_sub(bytes);
        let (Some(values), Some(bytes)) = (values, bytes) else {
            return Err(E::custom(format!(
                "{OURS}it unfolds to more than {MOST_VALUES} values or {MOST_UNFOLDED} bytes{OURS}"
            )));
        };
        *self.left = Left { values, bytes };
        Ok(())
    }

    fn below(&mut self) -> Look<'_> {
        Look { left: self.left, is_condition: self.is_condition }
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_bool<E: Error>(mut self, _: bool) -> Result<(), E> {
        self.take(8)
    }

    fn visit_i64<E: Error>(mut self, _: i64) -> Result<(), E> {
        self.take(8)
    }

    fn visit_u64<E: Error>(mut self, _: u64) -> Result<(), E> {
        self.take(8)
    }

    fn visit_f64<E: Error>(mut self, _: f64) -> Result<(), E> {
        self.take(8)
    }

    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        self.take(8)
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        self.take(text.len())?;
        if self.is_condition {
            nests(text).map_err(|why| E::custom(format!("{OURS}{why}{OURS}")))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        self.take(8)?;
        while members.next_element_seed(self.below())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        self.take(8)?;
        while let Some(is_condition) = members.next_key_seed(Key(self.below()))? {
            let is_condition = self.is_condition || is_condition;
            members.next_value_seed(Look { left: self.left, is_condition })?;
        }
        Ok(())
    }

    /// A value with a tag.
    fn visit_enum<A: EnumAccess<'de>>(mut self, tagged: A) -> Result<(), A::Error> {
        let ((), value) = tagged.variant_seed(self.below())?;
        value.newtype_variant_seed(self)
    }
}

/// Looks at a member's name: is what it names a condition?
struct Key<'l>(Look<'l>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<bool, E> {
        self.0.take(text.len())?;
        Ok(text == "condition")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
        self.0.visit_bool(value).map(|()| false)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<bool, E> {
        self.0.visit_i64(value).map(|()| false)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
        self.0.visit_u64(value).map(|()| false)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<bool, E> {
        self.0.visit_f64(value).map(|()| false)
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        self.0.visit_unit().map(|()| false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, members: A) -> Result<bool, A::Error> {
        self.0.visit_seq(members).map(|()| false)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<bool, A::Error> {
        self.0.visit_map(members).map(|()| false)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<bool, A::Error> {
        self.0.visit_enum(tagged).map(|()| false)
    }
}

/// Looks at how much a rule compares with, its lists put in. Every name in its condition is a copy of that selection.
pub(super) fn check_size(detections: &Detections) -> Result<(), Fault> {
    let sizes: Vec<(&String, usize)> =
        detections.named.iter().map(|(name, detection)| (name, size_of(detection))).collect();
    let conditions = detections.conditions.iter();
    let whole = conditions.map(|condition| compared(condition, &sizes)).fold(0, usize::saturating_add);
    if whole > MOST_COMPARED {
        return Err(Fault::new(
            "condition:",
            format!("it compares with more than {MOST_COMPARED} bytes of values"),
            "name each selection once, and shorten its lists",
        ));
    }
    Ok(())
}

fn compared(condition: &ConditionExpr, sizes: &[(&String, usize)]) -> usize {
    let all = |parts: &[ConditionExpr]| parts.iter().map(|part| compared(part, sizes)).fold(0, usize::saturating_add);
    let named = |wanted: &dyn Fn(&str) -> bool| {
        sizes.iter().filter(|(name, _)| wanted(name)).map(|(_, size)| *size).fold(0, usize::saturating_add)
    };
    match condition {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => all(parts),
        ConditionExpr::Not(part) => compared(part, sizes),
        ConditionExpr::Identifier(wanted) => named(&|name| name == wanted),
        ConditionExpr::Selector { pattern, .. } => named(&|name| pattern.matches_detection_name(name)),
    }
}

fn size_of(detection: &Detection) -> usize {
    match detection {
        Detection::AllOf(items) => items
            .iter()
            .map(|item| {
                // Encoded at three offsets, it is three values.
                let times = if item.field.has_modifier(Modifier::Base64Offset) { 3 } else { 1 };
                LINE_BYTES + item.values.iter().map(|value| times * (32 + value.to_string().len())).sum::<usize>()
            })
            .sum(),
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().map(size_of).sum(),
        Detection::Keywords(values) => values.iter().map(|value| 32 + value.to_string().len()).sum(),
        // Refused elsewhere.
        _ => 0,
    }
}
