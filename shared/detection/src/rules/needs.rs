//! What a record must hold for a rule to match it, and what of it the rule reads: told from the syntax tree alone. Shared with
//! `build.rs`, which works it out for the built-in rules once and for all, and so without a word of this library's own.

#![cfg_attr(not(test), allow(dead_code, reason = "the build needs one part of it, the library another"))]

use std::collections::BTreeSet;

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, Modifier, Quantifier, SelectorPattern, SigmaValue, StringPart,
    detection_name_matches,
};
use serde::{Deserialize, Serialize};

use super::fold::lower;

/// Who called: nearly all that is looked for is below it, and it is a third of a record.
const IDENTITY: &str = "userIdentity.";
/// Shorter texts stand in nearly every record.
const SHORTEST_LITERAL: usize = 4;

/// By what a rule is looked up: all of it in lower case. A sound over-approximation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Needs {
    /// The event source is one of these.
    Sources(Vec<String>),
    /// The event source is one of the first; below `userIdentity` one of the second texts stands, if the record has no
    /// escapes and only ASCII.
    SourcesAndTexts(Vec<String>, Vec<String>),
    /// The event source is one of the first, the event name one of the second.
    SourcesAndNames(Vec<String>, Vec<String>),
    /// The event name is one of these.
    Names(Vec<String>),
    /// Below `userIdentity` one of these texts stands, if the record has no escapes and only ASCII.
    OfIdentity(Vec<String>),
    /// The same of the whole record.
    OfRecord(Vec<String>),
    /// Nothing: it meets every record.
    Nothing,
}

impl Needs {
    pub(crate) fn of(detections: &Detections) -> Self {
        let list = |set: BTreeSet<String>| set.into_iter().collect();
        let of_identity = || literals(detections, |field| field.starts_with(IDENTITY));
        match (only(detections, "eventSource"), only(detections, "eventName")) {
            (Some(sources), Some(names)) => Self::SourcesAndNames(list(sources), list(names)),
            (Some(sources), None) => match of_identity() {
                Some(texts) => Self::SourcesAndTexts(list(sources), list(texts)),
                None => Self::Sources(list(sources)),
            },
            (None, Some(names)) => Self::Names(list(names)),
            (None, None) => match of_identity() {
                Some(texts) => Self::OfIdentity(list(texts)),
                None => literals(detections, |_| true).map_or(Self::Nothing, |texts| Self::OfRecord(list(texts))),
            },
        }
    }
}

/// The only values that a field can have where a rule matches, or texts of which a record then holds one; `None` where the rule
/// leaves it open.
pub(crate) type Only = Option<BTreeSet<String>>;

/// Goes over a rule's condition for what every match of it needs.
struct Search<'d> {
    detections: &'d Detections,
    /// What one line of a selection needs.
    of_line: &'d dyn Fn(&DetectionItem) -> Only,
    /// Of several that are needed at once, the one with the lowest cost is used.
    cost: fn(&BTreeSet<String>) -> usize,
}

/// The only values that `field` can have where the rule matches.
pub(crate) fn only(detections: &Detections, field: &str) -> Only {
    let of_line = |item: &DetectionItem| {
        let literal = item.field.modifiers.iter().all(|modifier| *modifier == Modifier::Cased);
        if item.field.name.as_deref() != Some(field) || !literal {
            return None;
        }
        let plain = item.values.iter().map(|value| match value {
            SigmaValue::String(text) => text.as_plain().map(|text| lower(&text).into_owned()),
            _ => None,
        });
        plain.collect()
    };
    Search { detections, of_line: &of_line, cost: BTreeSet::len }.of_rule()
}

/// Texts of which a record that the rule matches, or cannot decide, holds at least one in one of these fields: if it has no escapes
/// and only ASCII.
fn literals(detections: &Detections, of_field: impl Fn(&str) -> bool) -> Only {
    let of_line =
        |item: &DetectionItem| literals_of_line(item).filter(|_| item.field.name.as_deref().is_some_and(&of_field));
    let cost = |literals: &BTreeSet<String>| usize::MAX - literals.iter().map(String::len).min().unwrap_or(0);
    Search { detections, of_line: &of_line, cost }.of_rule()
}

fn literals_of_line(item: &DetectionItem) -> Only {
    let field = item.field.name.as_deref().filter(|field| !field.is_empty())?;
    let mut path = field.split('.');
    // What can be hidden leaves a rule undecided without holding anything; what is derived stands in no record.
    if matches!(path.next(), Some("requestParameters" | "responseElements" | "derived")) {
        return None;
    }
    let holds = |modifier: &Modifier| match modifier {
        Modifier::Exists => matches!(item.values.as_slice(), [SigmaValue::Bool(true)]),
        Modifier::Contains | Modifier::StartsWith | Modifier::EndsWith | Modifier::Cased | Modifier::All => true,
        Modifier::Re | Modifier::IgnoreCase | Modifier::Multiline | Modifier::DotAll | Modifier::Cidr => true,
        Modifier::Lt | Modifier::Lte | Modifier::Gt | Modifier::Gte => true,
        _ => false,
    };
    // `null` holds where there is nothing.
    if !item.field.modifiers.iter().all(holds) || item.values.contains(&SigmaValue::Null) {
        return None;
    }
    let is_text = item.field.modifiers.iter().all(|modifier| {
        matches!(
            modifier,
            Modifier::Contains | Modifier::StartsWith | Modifier::EndsWith | Modifier::Cased | Modifier::All
        )
    });
    let texts: Only = if is_text { item.values.iter().map(literal).collect() } else { None };
    // Else the member itself must be there, under its name.
    texts.or_else(|| Some(BTreeSet::from([format!("\"{}\"", path.next_back()?.to_ascii_lowercase())])))
}

/// The longest part of a value without wildcards, in lower case.
fn literal(value: &SigmaValue) -> Option<String> {
    let SigmaValue::String(text) = value else { return None };
    let plain = text.parts.iter().filter_map(|part| match part {
        StringPart::Plain(plain) => Some(lower(plain).into_owned()),
        StringPart::Special(_) => None,
    });
    let longest = plain.max_by_key(String::len)?;
    // A number may be written in several ways, and is compared by one of them.
    let like_a_number = longest.bytes().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte));
    (longest.len() >= SHORTEST_LITERAL && !like_a_number).then_some(longest)
}

impl Search<'_> {
    fn of_rule(&self) -> Only {
        // A rule with several conditions matches where any of them holds.
        any(self.detections.conditions.iter().map(|condition| self.of_condition(condition)))
    }

    fn of_condition(&self, condition: &ConditionExpr) -> Only {
        let below = |condition| self.of_condition(condition);
        match condition {
            ConditionExpr::And(parts) => self.all(parts.iter().map(below)),
            ConditionExpr::Or(parts) => any(parts.iter().map(below)),
            // What must not be says nothing about what is.
            ConditionExpr::Not(_) => None,
            ConditionExpr::Identifier(name) => self.of_detection(self.detections.named.get(name)?),
            ConditionExpr::Selector { quantifier, pattern } => {
                let named = self.detections.named.iter();
                let meant = named
                    .filter(|(name, _)| match pattern {
                        SelectorPattern::Them => !name.starts_with('_'),
                        SelectorPattern::Pattern(pattern) => detection_name_matches(pattern, name),
                    })
                    .map(|(_, detection)| self.of_detection(detection));
                match quantifier {
                    Quantifier::All => self.all(meant),
                    Quantifier::Any => any(meant),
                    Quantifier::Count(0) => None,
                    Quantifier::Count(_) => any(meant),
                }
            }
        }
    }

    fn of_detection(&self, detection: &Detection) -> Only {
        match detection {
            Detection::AllOf(items) => self.all(items.iter().map(self.of_line)),
            Detection::AnyOf(parts) => any(parts.iter().map(|part| self.of_detection(part))),
            Detection::And(parts) => self.all(parts.iter().map(|part| self.of_detection(part))),
            _ => None,
        }
    }

    /// Where all hold, any one that limits the values limits them.
    fn all(&self, parts: impl Iterator<Item = Only>) -> Only {
        parts.flatten().min_by_key(self.cost)
    }
}

/// Where one of several holds, the values are limited only if every one limits them.
fn any(parts: impl Iterator<Item = Only>) -> Only {
    let parts: Vec<BTreeSet<String>> = parts.collect::<Option<_>>()?;
    // Nothing to choose from: the engine decides what that means, so it must be asked.
    if parts.is_empty() { None } else { Some(parts.into_iter().flatten().collect()) }
}

/// The fields that a rule reads, those that `fieldref` names included: sorted, each once.
pub(crate) fn fields_of(detections: &Detections) -> Vec<String> {
    let mut fields = BTreeSet::new();
    detections.named.values().for_each(|detection| add_fields(detection, &mut fields));
    fields.into_iter().collect()
}

fn add_fields(detection: &Detection, fields: &mut BTreeSet<String>) {
    match detection {
        Detection::AllOf(items) => {
            for item in items {
                fields.extend(item.field.name.clone().filter(|name| !name.is_empty()));
                if item.field.has_modifier(Modifier::FieldRef) {
                    fields.extend(item.values.iter().map(ToString::to_string));
                }
            }
        }
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().for_each(|part| add_fields(part, fields)),
        _ => {}
    }
}
