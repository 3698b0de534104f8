//! Lists that no rule names, entries that are taken word for word and cannot be meant so, and rules that an empty list sets off.
//! Knows nothing of what the lists are for.

use std::collections::BTreeSet;

use rsigma_parser::{ConditionExpr, SigmaRule, SigmaValue};

use super::{Line, Problem, Report, Severity, Source};
use crate::rules::{Lists, RuleFile, attributes::Attributes, lists, load, nearest::nearest};

/// What is odd in a file of lists that these rules are used with, beside the built-in ones.
#[must_use]
pub fn of_lists(file: &RuleFile, rules: &[RuleFile]) -> Vec<Problem> {
    let mut report = Report { path: &file.path, problems: Vec::new() };
    let Ok(given) = Lists::of(file) else { return Vec::new() };
    let source = Source::of(&file.text);
    let builtin = Lists::builtin();
    let mut named: BTreeSet<String> = rules.iter().flat_map(names_in).collect();
    // A test sees to it that built-in rules name no other list.
    named.extend(builtin.iter().map(|(name, _)| name.to_owned()));
    for (name, entries) in given.iter() {
        let list = source.key_in_any_case(name);
        if !named.contains(name) {
            let meant = nearest(name, named.iter().map(String::as_str));
            let remedy = meant.map_or("take it out".to_owned(), |meant| format!("did you mean `{meant}`?"));
            report.add(
                Severity::Warning,
                list.map(|(place, _)| place),
                format!("no rule names the list `{name}`; {remedy}"),
            );
        }
        for entry in entries.iter().filter(|entry| entry.contains(['*', '?']) && !lists::is_pattern(entry)) {
            let place = list.and_then(|(_, key)| source.value(key, entry)).or(list.map(|(place, _)| place));
            let text =
                format!("`{entry}` is taken word for word; write `pattern:{entry}` if `*` and `?` mean any text");
            report.add(Severity::Warning, place, text);
        }
    }
    report.problems
}

/// The lists that a rule or an exception names, in lower case.
fn names_in(file: &RuleFile) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = file
        .text
        .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '%')))
        .flat_map(|word| word.split('%').skip(1).step_by(2))
        .map(str::to_lowercase)
        .collect();
    names.extend(load::parse(&file.text).iter().flat_map(required).map(|name| name.to_lowercase()));
    names
}

fn required(rule: &SigmaRule) -> Vec<String> {
    Attributes::of(&rule.custom_attributes).map(|attributes| attributes.requires_lists).unwrap_or_default()
}

/// What fires on everything because a list is empty.
pub(super) fn of_rule(rule: &SigmaRule, lines: &[Line<'_>], lists: &Lists, source: &Source, report: &mut Report<'_>) {
    let waits: Vec<String> = required(rule).iter().map(|name| name.to_lowercase()).collect();
    for line in lines {
        let is_denied = rule.detection.conditions.iter().any(|condition| denies(condition, line.selection, false));
        if !is_denied {
            continue;
        }
        for value in &line.item.values {
            let SigmaValue::String(text) = value else { continue };
            for name in lists::named_in(text) {
                let is_empty = lists.get(&name).is_some_and(<[String]>::is_empty);
                if !is_empty || waits.contains(&name.to_lowercase()) {
                    continue;
                }
                let problem = format!(
                    "the list `{name}` is empty, so that this line matches nothing and `not {}` holds",
                    line.selection
                );
                let text = format!(
                    "{problem} for every record; write `requires_list: {name}`, and the rule waits for an entry"
                );
                report.add(Severity::Warning, line.place_of(&value.to_string(), source), text);
            }
        }
    }
}

/// Whether a condition asks for a selection not to hold.
fn denies(condition: &ConditionExpr, name: &str, denied: bool) -> bool {
    match condition {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => parts.iter().any(|part| denies(part, name, denied)),
        ConditionExpr::Not(part) => denies(part, name, !denied),
        ConditionExpr::Identifier(other) => denied && other == name,
        ConditionExpr::Selector { pattern, .. } => denied && pattern.matches_detection_name(name),
    }
}
