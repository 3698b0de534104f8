//! A built-in rule as the build keeps it: its YAML is read when this library is built and never again, because reading it is
//! most of what loading rules costs. Shared with `build.rs`, and so without a word of this library's own.

#![cfg_attr(not(test), allow(dead_code, reason = "packing is the build's part, unpacking the library's"))]
#![allow(unreachable_pub, reason = "for the build nothing is public")]

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, FieldSpec, Level, Modifier, SigmaRule, SigmaString,
    SigmaValue, Status,
};
use serde::{Deserialize, Serialize};
use yaml_serde::Value;

use super::needs::{Needs, fields_of};

/// All files of `rules/`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Library<'k> {
    /// Every field that some rule reads.
    #[serde(borrow)]
    pub(crate) fields: Vec<&'k str>,
    pub(crate) kept: Vec<Kept<'k>>,
}

/// A file of `rules/`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kept<'k> {
    /// Its path from the root of the repository.
    pub(crate) path: &'k str,
    pub(crate) content: Content<'k>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Content<'k> {
    Rule(Box<Packed>),
    /// Anything else stays as it is written. What is wrong with it is told where it is loaded.
    Text(&'k str),
}

/// A rule that can be honoured, as far as a rule set needs it before a record meets it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Packed {
    pub(crate) title: String,
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    /// The day of its last change.
    pub(crate) version: Option<String>,
    pub(crate) level: Level,
    attributes: Vec<(String, Attribute)>,
    /// Those that it reads, sorted, by their places in [`Library::fields`].
    pub(crate) fields: Vec<usize>,
    pub(crate) needs: Needs,
    /// The lists that it names.
    pub(crate) lists: Vec<String>,
    /// Where its selections and conditions begin among those of all rules: see [`unpack`].
    pub(crate) detections: usize,
    /// Where its [`Words`] begin among those of all rules.
    pub(crate) words: usize,
}

/// What only a finding says of its rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// The Sigma description, or nothing.
    pub description: String,
    /// Sigma tags, ATT&CK and ATLAS among them.
    pub tags: Vec<String>,
    /// Where to read more.
    pub references: Vec<String>,
    /// Known benign causes.
    pub false_positives: Vec<String>,
    /// What a person does now, most urgent first.
    pub respond: Vec<String>,
}

/// One of our own attributes. Of YAML's values those that an attribute has.
#[derive(Debug, Serialize, Deserialize)]
enum Attribute {
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
}

/// A rule's selections and conditions.
#[derive(Debug, Serialize, Deserialize)]
struct Selections {
    conditions: Vec<ConditionExpr>,
    named: Vec<(String, Part)>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Part {
    AllOf(Vec<Item>),
    AnyOf(Vec<Part>),
    And(Vec<Part>),
    Keywords(Vec<Given>),
}

/// Field, modifiers, values.
#[derive(Debug, Serialize, Deserialize)]
struct Item(Option<String>, Vec<String>, Vec<Given>);

#[derive(Debug, Serialize, Deserialize)]
enum Given {
    Text(String),
    /// Without wildcards, whatever signs are in it.
    Raw(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Null,
}

/// What rules have in common, or what is not needed of them at once.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    pub(crate) fields: Vec<String>,
    pub(crate) detections: Vec<u8>,
    pub(crate) words: Vec<u8>,
}

impl Packer {
    /// Nothing for a rule about which there is anything to say when it is loaded.
    pub(crate) fn pack(&mut self, rule: &SigmaRule) -> Option<Packed> {
        let source = &rule.logsource;
        let cloudtrail = source.product.as_deref() == Some("aws") && source.service.as_deref() == Some("cloudtrail");
        let in_use = matches!(rule.status, None | Some(Status::Stable | Status::Test | Status::Experimental));
        if !cloudtrail || source.category.is_some() || !in_use || rule.detection.timeframe.is_some() {
            return None;
        }
        let (mut attributes, mut respond) = (Vec::new(), Vec::new());
        for (name, value) in &rule.custom_attributes {
            match (name.as_str(), Attribute::of(value)?) {
                ("respond", Attribute::Texts(steps)) => respond = steps,
                (_, attribute) => attributes.push((name.clone(), attribute)),
            }
        }
        // Two builds of the same rules are to be the same.
        attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut named: Vec<(String, Part)> = Vec::new();
        for (name, detection) in &rule.detection.named {
            named.push((name.clone(), Part::of(detection)?));
        }
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut lists = Vec::new();
        rule.detection.named.values().for_each(|detection| lists_of(detection, &mut lists));
        lists.sort();
        lists.dedup();
        let selections = Selections { conditions: rule.detection.conditions.clone(), named };
        let packed = Packed {
            title: rule.title.clone(),
            id: rule.id.clone()?,
            name: rule.name.clone(),
            version: rule.modified.clone().or_else(|| rule.date.clone()),
            level: rule.level?,
            attributes,
            fields: fields_of(&rule.detection).into_iter().map(|field| self.place_of(field)).collect(),
            needs: Needs::of(&rule.detection),
            lists,
            detections: self.detections.len(),
            words: self.words.len(),
        };
        self.detections.extend(postcard::to_allocvec(&selections).ok()?);
        self.words.extend(postcard::to_allocvec(&Words { respond, ..Words::of(rule) }).ok()?);
        Some(packed)
    }

    fn place_of(&mut self, field: String) -> usize {
        self.fields.iter().position(|known| *known == field).unwrap_or_else(|| {
            self.fields.push(field);
            self.fields.len() - 1
        })
    }
}

impl Packed {
    /// Its own attributes but `respond`, as YAML.
    pub(crate) fn attributes(&mut self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.attributes).into_iter().map(|(name, value)| (name, value.into())).collect()
    }
}

/// The selections and conditions of a rule again, which begin there; nothing if they do not, which only another version of the
/// parser could bring about.
pub(crate) fn unpack(packed: &[u8]) -> Option<Detections> {
    let (selections, _): (Selections, _) = postcard::take_from_bytes(packed).ok()?;
    let named = selections.named.into_iter().map(|(name, part)| Some((name, part.unpack()?)));
    Some(Detections {
        named: named.collect::<Option<_>>()?,
        conditions: selections.conditions,
        condition_strings: Vec::new(),
        timeframe: None,
    })
}

impl Words {
    /// Those that Sigma has a place for.
    pub(crate) fn of(rule: &SigmaRule) -> Self {
        Self {
            description: rule.description.as_deref().unwrap_or_default().trim().to_owned(),
            tags: rule.tags.clone(),
            references: rule.references.clone(),
            false_positives: rule.falsepositives.clone(),
            respond: Vec::new(),
        }
    }

    /// Reads what begins there.
    pub(crate) fn unpack(packed: &[u8]) -> Option<Self> {
        postcard::take_from_bytes(packed).ok().map(|(words, _)| words)
    }
}

impl Attribute {
    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::String(text) => Self::Text(text.clone()),
            Value::Sequence(items) => Self::Texts(
                items.iter().map(|item| item.as_str().map(|text| text.trim().to_owned())).collect::<Option<_>>()?,
            ),
            _ => return None,
        })
    }
}

impl From<Attribute> for Value {
    fn from(attribute: Attribute) -> Self {
        match attribute {
            Attribute::Bool(value) => Self::Bool(value),
            Attribute::Text(text) => Self::String(text),
            Attribute::Texts(texts) => Self::Sequence(texts.into_iter().map(Self::String).collect()),
        }
    }
}

/// The lists that a rule names, in lower case. What is no placeholder, and only looks like one, is no list's name either.
pub(crate) fn lists_of(detection: &Detection, lists: &mut Vec<String>) {
    match detection {
        Detection::AllOf(items) => {
            for item in items.iter().filter(|item| item.field.has_modifier(Modifier::Expand)) {
                for value in &item.values {
                    lists.extend(value.to_string().to_lowercase().split('%').skip(1).step_by(2).map(str::to_owned));
                }
            }
        }
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().for_each(|part| lists_of(part, lists)),
        _ => {}
    }
}

impl Part {
    fn of(detection: &Detection) -> Option<Self> {
        Some(match detection {
            Detection::AllOf(items) => Self::AllOf(items.iter().map(Item::of).collect()),
            Detection::AnyOf(parts) => Self::AnyOf(parts.iter().map(Self::of).collect::<Option<_>>()?),
            Detection::And(parts) => Self::And(parts.iter().map(Self::of).collect::<Option<_>>()?),
            Detection::Keywords(values) => Self::Keywords(values.iter().map(Given::of).collect()),
            Detection::ArrayMatch { .. } | Detection::Conditional { .. } => return None,
        })
    }

    fn unpack(self) -> Option<Detection> {
        let below = |parts: Vec<Self>| parts.into_iter().map(Self::unpack).collect::<Option<Vec<_>>>();
        Some(match self {
            Self::AllOf(items) => Detection::AllOf(items.into_iter().map(Item::unpack).collect::<Option<_>>()?),
            Self::AnyOf(parts) => Detection::AnyOf(below(parts)?),
            Self::And(parts) => Detection::And(below(parts)?),
            Self::Keywords(values) => Detection::Keywords(values.into_iter().map(Given::unpack).collect()),
        })
    }
}

impl Item {
    fn of(item: &DetectionItem) -> Self {
        // The parser takes a modifier's name in this form, too.
        let modifiers = item.field.modifiers.iter().map(|modifier| format!("{modifier:?}").to_lowercase()).collect();
        Self(item.field.name.clone(), modifiers, item.values.iter().map(Given::of).collect())
    }

    fn unpack(self) -> Option<DetectionItem> {
        let Self(name, modifiers, values) = self;
        let modifiers = modifiers.iter().map(|modifier| modifier.parse().ok()).collect::<Option<_>>()?;
        Some(DetectionItem {
            field: FieldSpec { name, modifiers },
            values: values.into_iter().map(Given::unpack).collect(),
        })
    }
}

impl Given {
    fn of(value: &SigmaValue) -> Self {
        match value {
            SigmaValue::String(text) if *text == SigmaString::new(&text.original) => Self::Text(text.original.clone()),
            SigmaValue::String(text) => Self::Raw(text.original.clone()),
            SigmaValue::Integer(number) => Self::Integer(*number),
            SigmaValue::Float(number) => Self::Float(*number),
            SigmaValue::Bool(value) => Self::Bool(*value),
            SigmaValue::Null => Self::Null,
        }
    }

    fn unpack(self) -> SigmaValue {
        match self {
            Self::Text(text) => SigmaValue::String(SigmaString::new(&text)),
            Self::Raw(text) => SigmaValue::String(SigmaString::from_raw(&text)),
            Self::Integer(number) => SigmaValue::Integer(number),
            Self::Float(number) => SigmaValue::Float(number),
            Self::Bool(value) => SigmaValue::Bool(value),
            Self::Null => SigmaValue::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rsigma_parser::parse_sigma_yaml;

    use super::*;

    /// Every kind of value, modifier and structure, through the form in which the build keeps it.
    const RULE: &str = r"
title: 'Everything: a rule'
id: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11
status: test
description: What packing must not lose
references: [https://example.com]
date: 2026-11-22
modified: 2026-11-23
tags: [attack.t1562.001]
logsource: {product: aws, service: cloudtrail}
detection:
    selection:
        eventName|startswith: [Delete*, 'Put\*']
        a.b|re|i: 'x\d+.*'
        c|cidr: 203.0.113.0/24
        d: [1, 2.5, true, null, '']
        e|contains|all: [x, y]
        f|expand: '%models%'
    either:
        - g: 1
        - h|exists: false
          i|fieldref: j
    keywords:
        - one
        - 'two*'
    condition: (selection and not either) or 1 of key* or all of them
falsepositives: [none]
level: high
family: guardrails
always_told: true
group_by: [a, b]
respond: [first, second]
";

    #[test]
    fn a_rule_comes_back_as_it_was() {
        let parsed = parse_sigma_yaml(RULE).unwrap();
        assert_eq!((parsed.errors.len(), parsed.rules.len()), (0, 1));
        let rule = parsed.rules.into_iter().next().unwrap();
        let mut packer = Packer { fields: vec!["h".to_owned()], detections: vec![7], words: vec![7] };
        let packed = packer.pack(&rule).unwrap();
        let bytes = postcard::to_allocvec(&packed).unwrap();
        let mut packed: Packed = postcard::from_bytes(&bytes).unwrap();
        let mut expected = rule.detection.clone();
        // Nobody asks for the condition's text once it is understood.
        expected.condition_strings.clear();
        assert_eq!(unpack(&packer.detections[packed.detections..]).unwrap(), expected);
        let respond = ["first", "second"].map(str::to_owned).to_vec();
        assert_eq!(Words::unpack(&packer.words[packed.words..]).unwrap(), Words { respond, ..Words::of(&rule) });
        let mut attributes = rule.custom_attributes.clone();
        attributes.remove("respond");
        assert_eq!(packed.attributes().into_iter().collect::<HashMap<_, _>>(), attributes);
        assert_eq!((packed.title.as_str(), packed.id.as_str()), ("Everything: a rule", rule.id.as_deref().unwrap()));
        assert_eq!((packed.level, packed.version.as_deref()), (Level::High, Some("2026-11-23")));
        assert_eq!(packed.lists, ["models"]);
        let fields: Vec<&str> = packed.fields.iter().map(|at| packer.fields[*at].as_str()).collect();
        assert_eq!(fields, ["a.b", "c", "d", "e", "eventName", "f", "g", "h", "i", "j"]);
    }
}
