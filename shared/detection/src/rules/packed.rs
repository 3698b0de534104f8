//! A built-in rule as the build keeps it: its YAML is read when this library is built and never again, because reading it is
//! most of what loading rules costs. Shared with `build.rs`, and so without a word of this library's own.

#![cfg_attr(not(test), allow(dead_code, reason = "packing is the build's part, unpacking the library's"))]

use std::collections::{BTreeMap, HashMap};

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, FieldSpec, Level, LogSource, SigmaRule, SigmaString,
    SigmaValue, Status,
};
use serde::{Deserialize, Serialize};
use yaml_serde::Value;

/// A file of `rules/`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Its path from the root of the repository.
    pub(crate) path: String,
    /// SHA-256 of its text, in hexadecimal.
    pub(crate) hash: String,
    pub(crate) content: Content,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Content {
    Rule(Box<Packed>),
    /// Anything else stays as it is written. What is wrong with it is told where it is loaded.
    Text(String),
}

/// What is needed of a rule's syntax tree, which the parser itself can write but not read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Packed {
    title: String,
    id: Option<String>,
    name: Option<String>,
    status: Option<Status>,
    description: Option<String>,
    references: Vec<String>,
    falsepositives: Vec<String>,
    date: Option<String>,
    modified: Option<String>,
    level: Option<Level>,
    tags: Vec<String>,
    custom: BTreeMap<String, Value>,
    logsource: LogSource,
    timeframe: Option<String>,
    conditions: Vec<ConditionExpr>,
    named: BTreeMap<String, Part>,
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

impl Packed {
    /// Nothing for a rule that is written in a way that Sigma 2 does not define.
    pub(crate) fn of(rule: &SigmaRule) -> Option<Self> {
        let named = rule.detection.named.iter().map(|(name, detection)| Some((name.clone(), Part::of(detection)?)));
        Some(Self {
            title: rule.title.clone(),
            id: rule.id.clone(),
            name: rule.name.clone(),
            status: rule.status,
            description: rule.description.clone(),
            references: rule.references.clone(),
            falsepositives: rule.falsepositives.clone(),
            date: rule.date.clone(),
            modified: rule.modified.clone(),
            level: rule.level,
            tags: rule.tags.clone(),
            custom: rule.custom_attributes.clone().into_iter().collect(),
            logsource: rule.logsource.clone(),
            timeframe: rule.detection.timeframe.clone(),
            conditions: rule.detection.conditions.clone(),
            named: named.collect::<Option<_>>()?,
        })
    }

    /// The rule again; nothing if a modifier is not known, which only another version of the parser could bring about.
    pub(crate) fn unpack(self) -> Option<SigmaRule> {
        let named = self.named.into_iter().map(|(name, part)| Some((name, part.unpack()?)));
        let named = named.collect::<Option<HashMap<_, _>>>()?;
        let detection =
            Detections { named, conditions: self.conditions, condition_strings: Vec::new(), timeframe: self.timeframe };
        Some(SigmaRule {
            title: self.title,
            logsource: self.logsource,
            detection,
            sigma_version: None,
            id: self.id,
            name: self.name,
            related: Vec::new(),
            taxonomy: None,
            status: self.status,
            description: self.description,
            license: None,
            author: None,
            references: self.references,
            date: self.date,
            modified: self.modified,
            fields: Vec::new(),
            falsepositives: self.falsepositives,
            level: self.level,
            tags: self.tags,
            scope: Vec::new(),
            custom_attributes: self.custom.into_iter().collect(),
        })
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
respond: [first, second]
";

    #[test]
    fn a_rule_comes_back_as_it_was() {
        let parsed = parse_sigma_yaml(RULE).unwrap();
        assert_eq!((parsed.errors.len(), parsed.rules.len()), (0, 1));
        let mut rule = parsed.rules.into_iter().next().unwrap();
        let packed = serde_json::to_string(&Packed::of(&rule).unwrap()).unwrap();
        let unpacked = serde_json::from_str::<Packed>(&packed).unwrap().unpack().unwrap();
        // Nobody asks for the condition's text once it is understood.
        rule.detection.condition_strings.clear();
        assert_eq!(unpacked, rule);
    }
}
