//! Conditions that can never be true, or never false: Sigma's logic over what a record could hold, with everything open that
//! is not known for certain. Knows no operation.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rsigma_parser::{ConditionExpr, Detection, DetectionItem, Detections, Modifier, Quantifier, SigmaValue};
use serde_json::{Value, json};

use super::{Line, Report, Severity, Source, names};
use crate::rules::{engine::Engine, fold::lower};

/// Questions after which the answer is left open: a rule's author must not be able to keep anybody waiting.
const MOST_QUESTIONS: usize = 20_000;
/// Comparisons of a rule's own values with each other, after which a line is taken for something that may hold or not.
const MOST_COMPARISONS: usize = 50_000;
/// What no rule names.
const OTHER: &str = "\u{1}";
/// The members of `userIdentity` that hold one text.
const TEXTS: [&str; 7] = ["accessKeyId", "accountId", "arn", "invokedBy", "principalId", "type", "userName"];

pub(super) fn lint(detections: &Detections, lines: &[Line<'_>], source: &Source, report: &mut Report<'_>) {
    let mut world = World::of(lines);
    let mut found = false;
    let mut selections: Vec<&String> = detections.named.keys().collect();
    selections.sort();
    for name in selections {
        let Some(formula) = detections.named.get(name).map(|detection| world.detection(detection)) else { continue };
        if world.can_be(&formula, true) == Some(false) {
            found = true;
            let text = format!("`{name}` can never hold{}; change or remove one of its lines", world.blame(&formula));
            report.add(Severity::Error, source.key(&["detection"], name), text);
        }
    }
    let conditions: Vec<Formula> = detections.conditions.iter().map(|part| world.condition(part, detections)).collect();
    let place =
        source.word(&["detection"], "condition", detections.condition_strings.first().map_or("", String::as_str));
    for (condition, written) in conditions.iter().zip(&detections.condition_strings) {
        if !found && world.can_be(condition, true) == Some(false) {
            let place = source.word(&["detection"], "condition", written).or(place);
            let text = format!("the condition can never be true{}; the rule would never match", world.blame(condition));
            report.add(Severity::Error, place, text);
        }
    }
    if world.can_be(&Formula::Any(conditions), false) == Some(false) {
        report.add(Severity::Warning, place, "the condition is always true; the rule matches every record");
    }
}

/// A rule's logic.
enum Formula {
    All(Vec<Formula>),
    Any(Vec<Formula>),
    AtLeast(u64, Vec<Formula>),
    Not(Box<Formula>),
    /// The variable has one of these values.
    Is(usize, BTreeSet<usize>),
}

/// What a record could hold, as variables that each have one of finitely many values.
struct World {
    /// How many more comparisons are worth the time.
    comparisons: usize,
    /// How many values each variable has, and its field if it is one.
    variables: Vec<(usize, Option<String>)>,
    /// Fields with a single value: the variable, and what stands for each of its values.
    fields: BTreeMap<String, (usize, Vec<Option<Value>>)>,
    /// Comparisons that may hold or not.
    free: HashMap<String, usize>,
}

impl World {
    fn of(lines: &[Line<'_>]) -> Self {
        let mut world = Self {
            comparisons: MOST_COMPARISONS,
            variables: Vec::new(),
            fields: BTreeMap::new(),
            free: HashMap::new(),
        };
        let mut values: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for line in lines.iter().filter(|line| is_single(line.field)) {
            let values = values.entry(line.field).or_default();
            for value in &line.item.values {
                let text = match value {
                    SigmaValue::String(text) => text.as_plain(),
                    SigmaValue::Null => None,
                    value => Some(value.to_string()),
                };
                if let Some(text) = text {
                    // Where case counts for one line and not for another.
                    values.extend([lower(&text).into_owned(), text.to_uppercase(), text]);
                }
            }
        }
        for (field, values) in values {
            let named = values.into_iter().map(|text| Some(json!(text)));
            let values: Vec<Option<Value>> = named.chain([Some(json!(OTHER)), Some(Value::Null), None]).collect();
            let variable = world.variables.len();
            world.variables.push((values.len(), Some(field.to_owned())));
            world.fields.insert(field.to_owned(), (variable, values));
        }
        world
    }

    fn condition(&mut self, condition: &ConditionExpr, detections: &Detections) -> Formula {
        let mut below = |parts: &[ConditionExpr]| parts.iter().map(|part| self.condition(part, detections)).collect();
        match condition {
            ConditionExpr::And(parts) => Formula::All(below(parts)),
            ConditionExpr::Or(parts) => Formula::Any(below(parts)),
            ConditionExpr::Not(part) => Formula::Not(Box::new(self.condition(part, detections))),
            ConditionExpr::Identifier(name) => match detections.named.get(name) {
                Some(detection) => self.detection(detection),
                None => self.free(format!("missing {name}")),
            },
            ConditionExpr::Selector { quantifier, pattern } => {
                let named = detections.named.iter().filter(|(name, _)| pattern.matches_detection_name(name));
                let parts = named.map(|(_, detection)| self.detection(detection)).collect();
                match quantifier {
                    Quantifier::Any => Formula::Any(parts),
                    Quantifier::All => Formula::All(parts),
                    Quantifier::Count(wanted) => Formula::AtLeast(*wanted, parts),
                }
            }
        }
    }

    fn detection(&mut self, detection: &Detection) -> Formula {
        match detection {
            Detection::AllOf(items) => Formula::All(items.iter().map(|item| self.item(item)).collect()),
            Detection::And(parts) => Formula::All(parts.iter().map(|part| self.detection(part)).collect()),
            Detection::AnyOf(parts) => Formula::Any(parts.iter().map(|part| self.detection(part)).collect()),
            Detection::Keywords(values) => {
                Formula::Any(values.iter().map(|value| self.free(format!("keyword {value}"))).collect())
            }
            other => self.free(format!("{other:?}")),
        }
    }

    fn item(&mut self, item: &DetectionItem) -> Formula {
        let mut plain = item.clone();
        plain.field.modifiers.retain(|modifier| !matches!(modifier, Modifier::All | Modifier::Neq));
        let each = item.field.has_modifier(Modifier::All);
        // Value by value, so that one that two lines share is known for the same. Names are known without that.
        let single = item.field.name.as_ref().is_some_and(|field| self.fields.contains_key(field));
        let formula = if single && is_named(&plain) && !each {
            self.comparison(&plain)
        } else {
            let mut parts = Vec::new();
            for value in &item.values {
                plain.values = vec![value.clone()];
                parts.push(self.comparison(&plain));
            }
            if each { Formula::All(parts) } else { Formula::Any(parts) }
        };
        if item.field.has_modifier(Modifier::Neq) { Formula::Not(Box::new(formula)) } else { formula }
    }

    fn comparison(&mut self, item: &DetectionItem) -> Formula {
        let field = item.field.name.as_deref().unwrap_or_default();
        let text = format!("{field} {:?} {:?}", item.field.modifiers, item.values);
        let elsewhere = [Modifier::FieldRef, Modifier::Expand];
        if elsewhere.iter().any(|modifier| item.field.has_modifier(*modifier)) {
            return self.free(text);
        }
        let Some((variable, values)) = self.fields.get(field) else { return self.free(text) };
        let Some(comparisons) = self.comparisons.checked_sub(values.len()) else { return self.free(text) };
        self.comparisons = comparisons;
        let Ok(engine) = Engine::of_line("", item) else { return self.free(text) };
        let holds = |value: &Option<Value>| engine.holds(&record(field, value.as_ref()));
        let mut allowed: BTreeSet<usize> =
            values.iter().enumerate().filter(|(_, value)| holds(value)).map(|(at, _)| at).collect();
        let (variable, other) = (*variable, values.iter().position(|value| *value == Some(json!(OTHER))));
        if is_named(item) {
            return Formula::Is(variable, allowed);
        }
        // Whether what no rule names has some beginning, say, is open.
        let other = BTreeSet::from_iter(other);
        allowed.retain(|value| !other.contains(value));
        let open = Formula::All(vec![Formula::Is(variable, other), self.free(text)]);
        Formula::Any(vec![Formula::Is(variable, allowed), open])
    }

    fn free(&mut self, text: String) -> Formula {
        let next = self.variables.len();
        let variable = *self.free.entry(text).or_insert(next);
        if variable == next {
            self.variables.push((2, None));
        }
        Formula::Is(variable, BTreeSet::from([0]))
    }

    /// Whether some record gives this answer; nothing where that takes too long to find out.
    fn can_be(&self, formula: &Formula, wanted: bool) -> Option<bool> {
        let mut questions = MOST_QUESTIONS;
        self.search(formula, wanted, &mut vec![None; self.variables.len()], &mut questions)
    }

    fn search(
        &self,
        formula: &Formula,
        wanted: bool,
        chosen: &mut Vec<Option<usize>>,
        questions: &mut usize,
    ) -> Option<bool> {
        *questions = questions.checked_sub(1)?;
        let mut open = None;
        if let Some(answer) = formula.answer(chosen, &mut open) {
            return Some(answer == wanted);
        }
        let variable = open?;
        for value in 0..self.variables.get(variable).map_or(0, |(values, _)| *values) {
            *chosen.get_mut(variable)? = Some(value);
            if self.search(formula, wanted, chosen, questions)? {
                return Some(true);
            }
        }
        *chosen.get_mut(variable)? = None;
        Some(false)
    }

    /// The one field that makes it impossible, if one alone does.
    fn blame(&self, formula: &Formula) -> String {
        let impossible = |variable: usize, values: usize| {
            (0..values).all(|value| {
                let mut chosen = vec![None; self.variables.len()];
                if let Some(chosen) = chosen.get_mut(variable) {
                    *chosen = Some(value);
                }
                formula.answer(&chosen, &mut None) == Some(false)
            })
        };
        let mut variables = self.variables.iter().enumerate();
        let field = variables.find_map(|(at, (values, field))| field.as_ref().filter(|_| impossible(at, *values)));
        field.map_or(String::new(), |field| format!(": no value of `{field}` satisfies it"))
    }
}

impl Formula {
    /// The answer as far as it follows from what is chosen; else a variable that it hangs on.
    fn answer(&self, chosen: &[Option<usize>], open: &mut Option<usize>) -> Option<bool> {
        match self {
            Self::Is(variable, allowed) => match chosen.get(*variable).copied().flatten() {
                Some(value) => Some(allowed.contains(&value)),
                None => {
                    open.get_or_insert(*variable);
                    None
                }
            },
            Self::Not(part) => part.answer(chosen, open).map(|answer| !answer),
            Self::All(parts) => at_least(parts.len() as u64, parts, chosen, open),
            Self::Any(parts) => at_least(1, parts, chosen, open),
            Self::AtLeast(wanted, parts) => at_least(*wanted, parts, chosen, open),
        }
    }
}

fn at_least(wanted: u64, parts: &[Formula], chosen: &[Option<usize>], open: &mut Option<usize>) -> Option<bool> {
    let (mut true_ones, mut open_ones) = (0, 0);
    for part in parts {
        match part.answer(chosen, open) {
            Some(true) => true_ones += 1,
            Some(false) => {}
            None => open_ones += 1,
        }
    }
    if true_ones >= wanted {
        Some(true)
    } else if true_ones + open_ones < wanted {
        Some(false)
    } else {
        None
    }
}

/// Whether the line holds for what it names in full, and for nothing else.
fn is_named(item: &DetectionItem) -> bool {
    item.field.modifiers.iter().all(|modifier| matches!(modifier, Modifier::Cased | Modifier::Exists))
        && item.values.iter().all(|value| !matches!(value, SigmaValue::String(text) if text.as_plain().is_none()))
}

/// Whether a record holds at most one value there: of a list, two lines may mean two members.
fn is_single(field: &str) -> bool {
    names::SINGLE.contains(&field) || field.strip_prefix("userIdentity.").is_some_and(|name| TEXTS.contains(&name))
}

/// A record with one field.
fn record(field: &str, value: Option<&Value>) -> Value {
    let Some(value) = value else { return json!({}) };
    field.rsplit('.').fold(value.clone(), |value, name| json!({ name: value }))
}
