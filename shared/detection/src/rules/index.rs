//! Which rules could match a record with a given eventSource and eventName. A sound over-approximation: a rule without
//! literal names meets every record, and names are compared with case folded, as Sigma does.

use std::collections::{BTreeSet, HashMap};

use rsigma_parser::{
    ConditionExpr, Detection, Detections, Modifier, Quantifier, SelectorPattern, SigmaValue, detection_name_matches,
};

use super::engine::lower;

/// The only values that a field can have where a rule matches; `None` where the rule leaves it open.
pub(super) type Only = Option<BTreeSet<String>>;

#[derive(Debug, Default)]
pub(super) struct Index {
    /// By source and name, by source alone, by name alone; each sorted.
    by_both: HashMap<(String, String), Vec<usize>>,
    by_source: HashMap<String, Vec<usize>>,
    by_name: HashMap<String, Vec<usize>>,
    always: Vec<usize>,
}

impl Index {
    /// Adds the rule at `position` of the rule set.
    pub(super) fn add(&mut self, position: usize, detections: &Detections) {
        match (only(detections, "eventSource"), only(detections, "eventName")) {
            (Some(sources), Some(names)) => {
                for source in &sources {
                    for name in &names {
                        self.by_both.entry((source.clone(), name.clone())).or_default().push(position);
                    }
                }
            }
            (Some(sources), None) => {
                sources.into_iter().for_each(|source| self.by_source.entry(source).or_default().push(position));
            }
            (None, Some(names)) => {
                names.into_iter().for_each(|name| self.by_name.entry(name).or_default().push(position));
            }
            (None, None) => self.always.push(position),
        }
    }

    pub(super) fn candidates(&self, event_source: &str, event_name: &str) -> Vec<usize> {
        let (source, name) = (lower(event_source).into_owned(), lower(event_name).into_owned());
        let mut found = self.always.clone();
        found.extend(self.by_source.get(&source).into_iter().flatten());
        found.extend(self.by_name.get(&name).into_iter().flatten());
        found.extend(self.by_both.get(&(source, name)).into_iter().flatten());
        found.sort_unstable();
        found
    }
}

/// The only values that `field` can have where the rule matches.
pub(super) fn only(detections: &Detections, field: &str) -> Only {
    // A rule with several conditions matches where any of them holds.
    any(detections.conditions.iter().map(|condition| only_in_condition(condition, detections, field)))
}

fn only_in_condition(condition: &ConditionExpr, detections: &Detections, field: &str) -> Only {
    let below = |condition| only_in_condition(condition, detections, field);
    match condition {
        ConditionExpr::And(parts) => all(parts.iter().map(below)),
        ConditionExpr::Or(parts) => any(parts.iter().map(below)),
        // What must not be says nothing about what is.
        ConditionExpr::Not(_) => None,
        ConditionExpr::Identifier(name) => only_in_detection(detections.named.get(name)?, field),
        ConditionExpr::Selector { quantifier, pattern } => {
            let meant = detections
                .named
                .iter()
                .filter(|(name, _)| match pattern {
                    SelectorPattern::Them => !name.starts_with('_'),
                    SelectorPattern::Pattern(pattern) => detection_name_matches(pattern, name),
                })
                .map(|(_, detection)| only_in_detection(detection, field));
            match quantifier {
                Quantifier::All => all(meant),
                Quantifier::Any => any(meant),
                Quantifier::Count(0) => None,
                Quantifier::Count(_) => any(meant),
            }
        }
    }
}

fn only_in_detection(detection: &Detection, field: &str) -> Only {
    match detection {
        Detection::AllOf(items) => {
            all(items.iter().filter(|item| item.field.name.as_deref() == Some(field)).map(|item| {
                let literal = item.field.modifiers.iter().all(|modifier| *modifier == Modifier::Cased);
                if !literal {
                    return None;
                }
                item.values
                    .iter()
                    .map(|value| match value {
                        SigmaValue::String(text) => text.as_plain().map(|text| lower(&text).into_owned()),
                        _ => None,
                    })
                    .collect()
            }))
        }
        Detection::AnyOf(parts) => any(parts.iter().map(|part| only_in_detection(part, field))),
        Detection::And(parts) => all(parts.iter().map(|part| only_in_detection(part, field))),
        _ => None,
    }
}

/// Where all hold, any one that limits the values limits them.
fn all(parts: impl Iterator<Item = Only>) -> Only {
    parts.flatten().min_by_key(BTreeSet::len)
}

/// Where one of several holds, the values are limited only if every one limits them.
fn any(parts: impl Iterator<Item = Only>) -> Only {
    let parts: Vec<BTreeSet<String>> = parts.collect::<Option<_>>()?;
    // Nothing to choose from: the engine decides what that means, so it must be asked.
    if parts.is_empty() { None } else { Some(parts.into_iter().flatten().collect()) }
}
