//! The evaluator: Sigma rules compiled onto the few fields that they read, judged with three answers. Nobody outside this
//! folder knows how a rule is judged.
//!
//! - [`fields`]: the fields of all rules, taken from a record in one pass
//! - [`comparison`]: one value against one expectation
//! - [`compile`]: from Sigma's syntax tree to a tree of comparisons, or a reason why not

mod comparison;
mod compile;
mod fields;

use std::borrow::Cow;

use rsigma_parser::SigmaRule;
use serde_json::Value;

pub(super) use self::comparison::lower;
use self::{
    comparison::Comparison,
    fields::{Field, Scalar, Slot, TREES, Values},
};
use super::check::Fault;
use crate::{
    operations::Operations,
    record::{document, is_hidden_literal},
};

/// What a rule says of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// It matches, as in plain Sigma: a comparison with something that is not visible is false.
    pub matches: bool,
    /// With everything visible the answer could be the other one.
    pub undecided: bool,
}

/// All rules of a set, compiled onto the same fields.
#[derive(Debug, Default)]
pub(super) struct Engine {
    fields: fields::Fields,
    rules: Vec<Tree>,
}

impl Engine {
    /// Adds a rule; its position is the number of rules before it.
    pub(super) fn add(&mut self, rule: &SigmaRule) -> Result<(), Fault> {
        // Asked for whatever the rules read: they decide what an operation requires.
        self.fields.slot("eventSource");
        self.fields.slot("eventName");
        self.rules.push(compile::compile(rule, &mut self.fields)?);
        Ok(())
    }

    /// Takes out of a record what the rules read.
    ///
    /// # Errors
    /// When the record is not JSON.
    pub(super) fn read<'de>(
        &self,
        record: &'de [u8],
        operations: &'de Operations,
    ) -> Result<Reading<'de>, serde_json::Error> {
        Ok(Reading { values: self.fields.read(record, operations)?, record, operations, everything: None })
    }

    pub(super) fn judge(&self, position: usize, reading: &mut Reading<'_>) -> Verdict {
        let Some(tree) = self.rules.get(position) else { return Verdict::default() };
        if tree.has_keywords() {
            reading.read_everything();
        }
        let answer = tree.judge(reading);
        Verdict { matches: answer.plain, undecided: answer.known.is_none() }
    }

    /// Which of these fields the record does not show.
    pub(super) fn not_visible(&self, fields: &[String], reading: &Reading<'_>) -> Vec<String> {
        let hidden = |field: &&String| {
            let slot = self.fields.find(field);
            slot.and_then(|slot| reading.values.field(slot)).is_some_and(|field| field.hidden)
        };
        fields.iter().filter(hidden).cloned().collect()
    }

    /// Why a rule does not match, part by part.
    pub(super) fn explain(&self, position: usize, reading: &mut Reading<'_>) -> Vec<String> {
        let mut said = Vec::new();
        if let Some(tree) = self.rules.get(position) {
            if tree.has_keywords() {
                reading.read_everything();
            }
            tree.explain(reading, true, &mut said);
        }
        said
    }
}

/// A record as the rules see it.
#[derive(Debug)]
pub(super) struct Reading<'de> {
    values: Values<'de>,
    record: &'de [u8],
    operations: &'de Operations,
    /// For keywords; read when the first rule asks.
    everything: Option<Everything>,
}

/// Every value of a record, wherever it stands.
#[derive(Debug)]
struct Everything {
    scalars: Vec<Scalar<'static>>,
    /// The record does not show all that the caller sent and got.
    hidden: bool,
}

impl Reading<'_> {
    fn read_everything(&mut self) {
        if self.everything.is_none() {
            let everything = match document(self.record) {
                Ok(record) => Everything::of(&record, self.operations),
                // What cannot be searched may hold anything: never a quiet "no".
                Err(_) => Everything { scalars: Vec::new(), hidden: true },
            };
            self.everything = Some(everything);
        }
    }
}

impl Everything {
    /// Iterative, although `serde_json` limits the depth: a record's author decides how deep it is.
    fn of(record: &Value, operations: &Operations) -> Self {
        let mut all = Self { scalars: Vec::new(), hidden: misses_required(record, operations) };
        let mut open = vec![(record, false)];
        if let Value::Object(members) = record {
            open = members.iter().map(|(name, value)| (value, TREES.contains(&name.as_str()))).collect();
        }
        while let Some((value, hideable)) = open.pop() {
            match value {
                Value::Object(members) => {
                    all.hidden |= hideable && members.get("omitted") == Some(&Value::Bool(true));
                    open.extend(members.values().map(|value| (value, hideable)));
                }
                Value::Array(items) => open.extend(items.iter().map(|value| (value, hideable))),
                Value::String(text) if hideable && is_hidden_literal(text) => {
                    all.hidden = true;
                    all.scalars.push(Scalar::Hidden(Cow::Owned(text.clone())));
                }
                Value::String(text) => all.scalars.push(Scalar::Text(Cow::Owned(text.clone()))),
                Value::Number(number) => all.scalars.push(Scalar::Number(number.clone())),
                Value::Bool(value) => all.scalars.push(Scalar::Bool(*value)),
                Value::Null => {}
            }
        }
        all
    }
}

/// Whether something that the operation requires is missing from the record.
fn misses_required(record: &Value, operations: &Operations) -> bool {
    let name = |field: &str| record.get(field).and_then(Value::as_str).unwrap_or_default();
    let Some(operation) = operations.get(name("eventSource"), name("eventName")) else { return false };
    let sent = record.get("requestParameters");
    operation.required.iter().any(|member| sent.and_then(|sent| sent.get(member)).is_none_or(Value::is_null))
}

/// A rule's condition with its selections in their places.
#[derive(Debug)]
enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    AtLeast(u64, Vec<Tree>),
    Not(Box<Tree>),
    /// A selection, by its name.
    Named(String, Box<Tree>),
    Item(Item),
}

/// One line of a selection.
#[derive(Debug)]
struct Item {
    /// As the rule writes it, for explanations.
    written: String,
    /// The field; none for keywords, which look everywhere.
    slot: Option<Slot>,
    check: Check,
}

#[derive(Debug)]
enum Check {
    /// Some value of the field satisfies one of these.
    AnyOf(Vec<Comparison>),
    Exists(bool),
    /// Some value of the field is (contains, ...) some value of the other.
    SameAs {
        other: Slot,
        how: How,
        cased: bool,
    },
}

/// How two fields are compared.
#[derive(Debug, Clone, Copy)]
enum How {
    Equals,
    Contains,
    StartsWith,
    EndsWith,
}

/// The answer of plain Sigma, and the answer as far as it is known: `None` where something hidden could turn it.
#[derive(Debug, Clone, Copy)]
struct Answer {
    plain: bool,
    known: Option<bool>,
}

impl Answer {
    fn sure(plain: bool) -> Self {
        Self { plain, known: Some(plain) }
    }

    fn not_visible() -> Self {
        Self { plain: false, known: None }
    }
}

impl Tree {
    fn has_keywords(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) | Self::AtLeast(_, parts) => parts.iter().any(Self::has_keywords),
            Self::Not(part) | Self::Named(_, part) => part.has_keywords(),
            Self::Item(item) => item.slot.is_none(),
        }
    }

    fn judge(&self, reading: &Reading<'_>) -> Answer {
        match self {
            Self::Item(item) => item.judge(reading),
            Self::Named(_, part) => part.judge(reading),
            Self::Not(part) => {
                let Answer { plain, known } = part.judge(reading);
                Answer { plain: !plain, known: known.map(|known| !known) }
            }
            Self::All(parts) => {
                let (mut plain, mut known) = (true, Some(true));
                for part in parts {
                    let answer = part.judge(reading);
                    plain &= answer.plain;
                    known = match (known, answer.known) {
                        (Some(false), _) | (_, Some(false)) => Some(false),
                        (Some(true), Some(true)) => Some(true),
                        _ => None,
                    };
                    // Surely false: nothing that follows can change either answer.
                    if known == Some(false) && !plain {
                        break;
                    }
                }
                Answer { plain, known }
            }
            Self::Any(parts) => at_least(1, parts, reading),
            Self::AtLeast(wanted, parts) => at_least(*wanted, parts, reading),
        }
    }

    /// Says what keeps this part from being `wanted`.
    fn explain(&self, reading: &Reading<'_>, wanted: bool, said: &mut Vec<String>) {
        if self.judge(reading).plain == wanted {
            return;
        }
        match self {
            Self::Not(part) => part.explain(reading, !wanted, said),
            Self::Named(name, part) => {
                let mut inside = Vec::new();
                part.explain(reading, wanted, &mut inside);
                said.extend(inside.into_iter().map(|line| format!("{name}: {line}")));
            }
            Self::All(parts) | Self::Any(parts) | Self::AtLeast(_, parts) => {
                parts.iter().for_each(|part| part.explain(reading, wanted, said));
            }
            Self::Item(item) => said.push(item.explain(reading)),
        }
    }
}

fn at_least(wanted: u64, parts: &[Tree], reading: &Reading<'_>) -> Answer {
    let (mut plain, mut surely, mut perhaps) = (0, 0, 0);
    for part in parts {
        let answer = part.judge(reading);
        plain += u64::from(answer.plain);
        match answer.known {
            Some(true) => surely += 1,
            Some(false) => {}
            None => perhaps += 1,
        }
        if surely >= wanted && plain >= wanted {
            break;
        }
    }
    let known = if surely >= wanted {
        Some(true)
    } else if surely + perhaps < wanted {
        Some(false)
    } else {
        None
    };
    Answer { plain: plain >= wanted, known }
}

impl Item {
    fn judge(&self, reading: &Reading<'_>) -> Answer {
        let Some(slot) = self.slot else {
            let Some(everything) = &reading.everything else { return Answer::sure(false) };
            let holds = self.check.holds(&everything.scalars);
            return if holds || !everything.hidden { Answer::sure(holds) } else { Answer::not_visible() };
        };
        let Some(field) = reading.values.field(slot) else { return Answer::sure(false) };
        match &self.check {
            Check::Exists(wanted) => match (field.present, field.hidden) {
                // Sigma asks for the member and not for its value. What is written in place of one shows that there was one.
                (true, _) => Answer::sure(*wanted),
                (false, true) => Answer::not_visible(),
                (false, false) => Answer::sure(!*wanted),
            },
            Check::SameAs { other, how, cased } => {
                let Some(other) = reading.values.field(*other) else { return Answer::sure(false) };
                if same(field, other, *how, *cased) {
                    Answer::sure(true)
                } else if field.hidden || other.hidden {
                    Answer::not_visible()
                } else {
                    Answer::sure(false)
                }
            }
            Check::AnyOf(comparisons) => {
                let absent = !field.exists && field.scalars.is_empty();
                let holds = if absent && !field.hidden {
                    // A field that is absent is `null`.
                    comparisons.iter().any(Comparison::wants_absence)
                } else if !field.exists && field.hidden {
                    // `null` stands there, or nothing, because the value is not shown.
                    false
                } else {
                    self.check.holds(&field.scalars)
                };
                if holds || !field.hidden { Answer::sure(holds) } else { Answer::not_visible() }
            }
        }
    }

    fn explain(&self, reading: &Reading<'_>) -> String {
        let Some(slot) = self.slot else { return format!("{} is not as it should be", self.written) };
        let found = match reading.values.field(slot) {
            Some(field) if field.hidden => "is not visible".to_owned(),
            Some(field) if !field.scalars.is_empty() => {
                let shown: Vec<String> = field
                    .scalars
                    .iter()
                    .take(5)
                    .map(|scalar| scalar.text().map_or("null".to_owned(), |text| crate::text::neutral(&text, 100)))
                    .collect();
                format!("holds {}", shown.join(", "))
            }
            Some(field) if field.exists => "is an object or an empty list".to_owned(),
            _ => "is absent".to_owned(),
        };
        format!("`{}`: the field {found}", self.written)
    }
}

impl Check {
    fn holds(&self, scalars: &[Scalar<'_>]) -> bool {
        let satisfied = |comparison: &Comparison| scalars.iter().any(|scalar| comparison.holds(scalar));
        match self {
            Self::AnyOf(comparisons) => comparisons.iter().any(satisfied),
            Self::Exists(_) | Self::SameAs { .. } => false,
        }
    }
}

/// Whether any value of one field equals (contains, ...) any value of the other, by text.
fn same(field: &Field<'_>, other: &Field<'_>, how: How, cased: bool) -> bool {
    let texts = |field: &Field<'_>| -> Vec<String> {
        let text = |scalar: &Scalar<'_>| {
            scalar.text().map(|text| if cased { text.into_owned() } else { lower(&text).into_owned() })
        };
        field.scalars.iter().filter_map(text).collect()
    };
    let others = texts(other);
    texts(field).iter().any(|text| {
        others.iter().any(|other| match how {
            How::Equals => text == other,
            How::Contains => text.contains(other.as_str()),
            How::StartsWith => text.starts_with(other.as_str()),
            How::EndsWith => text.ends_with(other.as_str()),
        })
    })
}
