//! What of Sigma cannot be honoured exactly: it is refused with place and remedy, never quietly judged "no".

use rsigma_parser::{Detection, DetectionItem, Detections, Modifier, SigmaRule, SigmaValue, Status};

use crate::record::DERIVED;

/// A rule file that was left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}{}{}: {problem}; {remedy}", after_colon(*line), after_colon(*column))]
pub struct Refused {
    /// The file.
    pub path: String,
    /// Line in the file, from 1, where it is known.
    pub line: Option<usize>,
    /// Column in that line, in characters from 1, where it is known.
    pub column: Option<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

fn after_colon(number: Option<usize>) -> String {
    number.map_or(String::new(), |number| format!(":{number}"))
}

/// What is wrong with a rule: the text to look for in the file (so that a line can be named), the problem, the remedy.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) near: String,
    /// Line and column, where they are known without looking.
    pub(super) place: Option<(usize, usize)>,
    pub(super) problem: String,
    pub(super) remedy: String,
}

impl Fault {
    pub(super) fn new(near: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { near: near.to_owned(), place: None, problem: problem.into(), remedy: remedy.into() }
    }

    pub(super) fn at(self, path: &str, text: &str) -> Refused {
        let (line, column) = self.place.or_else(|| place_of(&self.near, text)).unzip();
        Refused { path: path.to_owned(), line, column, problem: self.problem, remedy: self.remedy }
    }
}

/// Line and column, from 1, of the first place where a text stands.
pub(super) fn place_of(near: &str, text: &str) -> Option<(usize, usize)> {
    if near.is_empty() {
        return None;
    }
    text.lines().enumerate().find_map(|(at, line)| {
        let before = line.get(..line.find(near)?)?;
        Some((at + 1, before.chars().count() + 1))
    })
}

/// Checks that every part of the rule means here what Sigma says it means.
pub(super) fn check(rule: &SigmaRule) -> Result<(), Fault> {
    let logsource = &rule.logsource;
    let ours = logsource.product.as_deref() == Some("aws") && logsource.service.as_deref() == Some("cloudtrail");
    if !ours || logsource.category.is_some() {
        return Err(Fault::new(
            "logsource:",
            "its logsource is not CloudTrail",
            "only `product: aws` with `service: cloudtrail` and no category is read here",
        ));
    }
    if rule.status == Some(Status::Unsupported) {
        return Err(Fault::new("status:", "its status is `unsupported`", "remove the file, or give it another status"));
    }
    check_detections(&rule.detection)
}

/// Checks the selections of a rule or a filter.
pub(super) fn check_detections(detections: &Detections) -> Result<(), Fault> {
    if detections.timeframe.is_some() {
        return Err(Fault::new(
            "timeframe:",
            "it has a `timeframe`",
            "one record is judged at a time; write a rule without it",
        ));
    }
    detections.named.iter().try_for_each(|(name, detection)| check_detection(name, detection))
}

pub(super) fn check_detection(name: &str, detection: &Detection) -> Result<(), Fault> {
    match detection {
        Detection::AllOf(items) => items.iter().try_for_each(|item| check_item(name, item)),
        Detection::AnyOf(parts) | Detection::And(parts) => {
            parts.iter().try_for_each(|part| check_detection(name, part))
        }
        Detection::Keywords(_) => Ok(()),
        Detection::ArrayMatch { field, .. } => Err(Fault::new(
            field,
            format!("`{name}` matches inside the array `{field}`, which Sigma 2 does not define"),
            "name the member with a dot; a comparison holds if any member of an array satisfies it",
        )),
        Detection::Conditional { .. } => Err(Fault::new(
            name,
            format!("`{name}` has a condition of its own, which Sigma 2 does not define"),
            "move its parts to the top and combine them in the rule's condition",
        )),
    }
}

fn check_item(name: &str, item: &DetectionItem) -> Result<(), Fault> {
    let field = item.field.name.as_deref().unwrap_or_default();
    if item.values.is_empty() {
        return Err(Fault::new(
            field,
            format!("`{field}` in `{name}` has an empty list of values"),
            "give it a value, or take it out",
        ));
    }
    if field.starts_with("derived.") && !DERIVED.iter().any(|(name, _)| *name == field) {
        let known: Vec<&str> = DERIVED.iter().map(|(name, _)| *name).collect();
        let problem = format!("`{field}` in `{name}` is no derived field");
        return Err(Fault::new(field, problem, format!("use one of {}", known.join(", "))));
    }
    for modifier in &item.field.modifiers {
        let (word, problem, remedy) = match modifier {
            Modifier::Wide | Modifier::Utf16 | Modifier::Utf16be => {
                ("utf16", "a UTF-16 modifier, and CloudTrail writes no UTF-16", "take it out")
            }
            Modifier::WindAsh => {
                ("windash", "`windash`, and CloudTrail records no Windows command lines", "take it out")
            }
            Modifier::Week => ("week", "`week`, which Sigma does not define exactly", "use `day` and `month`"),
            _ => continue,
        };
        return Err(Fault::new(word, format!("`{field}` in `{name}` uses {problem}"), remedy));
    }
    Ok(())
}

/// Values that YAML reads as numbers but that were probably meant as account ids.
pub(super) fn account_ids_without_quotes(detection: &Detection, found: &mut Vec<String>) {
    match detection {
        Detection::AllOf(items) => {
            for item in items {
                for value in &item.values {
                    if matches!(value, SigmaValue::Integer(100_000_000_000..=999_999_999_999)) {
                        found.push(value.to_string());
                    }
                }
            }
        }
        Detection::AnyOf(parts) | Detection::And(parts) => {
            parts.iter().for_each(|part| account_ids_without_quotes(part, found));
        }
        _ => {}
    }
}
