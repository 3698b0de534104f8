//! The evaluator: Sigma rules compiled onto the few fields that they read, judged with three answers. Nobody outside this
//! folder knows how a rule is judged.
//!
//! - [`fields`]: the fields of all rules, taken from a record in one pass
//! - [`comparison`]: one value against one expectation
//! - [`compile`]: from Sigma's syntax tree to a tree of comparisons, or a reason why not
//! - [`filters`]: conditions of exceptions, which must say what they are about

mod comparison;
mod compile;
mod fields;
mod filters;

use std::borrow::Cow;

use rsigma_parser::{Detections, SigmaRule};
use serde_json::Value;

pub(super) use self::comparison::lower;
use self::{
    comparison::{Comparison, Pattern},
    fields::{Field, Scalar, Slot, TREES, Values},
};
use super::{
    check::Fault,
    lists::{self, Lists},
};
use crate::{
    operations::Operations,
    record::{Derived, Held, Own, Record, document, is_hidden_literal},
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
    rules: Vec<Judged>,
    filters: Vec<Judged>,
    own: OwnLists,
}

/// A compiled rule or filter, and what must be read for it beside its fields.
#[derive(Debug)]
struct Judged {
    tree: Tree,
    keywords: bool,
    derived: bool,
}

/// The lists that say what is not foreign.
#[derive(Debug, Default)]
struct OwnLists {
    accounts: Vec<Pattern>,
    buckets: Vec<Pattern>,
}

impl OwnLists {
    fn of(lists: &Lists) -> Self {
        let patterns = |name: &str| -> Vec<Pattern> {
            let entries = lists.get(name).unwrap_or_default();
            entries.iter().map(|entry| compile::pattern(&lists::entry(entry))).collect()
        };
        Self { accounts: patterns("accounts"), buckets: patterns("buckets") }
    }
}

impl Own for OwnLists {
    fn account(&self, id: &str) -> bool {
        self.accounts.iter().any(|pattern| pattern.matches(id))
    }

    fn bucket(&self, name: &str) -> Option<bool> {
        (!self.buckets.is_empty()).then(|| self.buckets.iter().any(|pattern| pattern.matches(name)))
    }
}

impl Engine {
    /// No rules yet, and these lists to say what is foreign.
    pub(super) fn new(lists: &Lists) -> Self {
        Self { own: OwnLists::of(lists), ..Self::default() }
    }

    /// Adds a rule; its position is the number of rules before it.
    pub(super) fn add(&mut self, rule: &SigmaRule) -> Result<(), Fault> {
        let rule = self.compiled(&rule.detection)?;
        self.rules.push(rule);
        Ok(())
    }

    fn compiled(&mut self, detections: &Detections) -> Result<Judged, Fault> {
        self.read_names();
        let tree = compile::compile(detections, &mut self.fields)?;
        Ok(self.judged(tree))
    }

    /// Asked for whatever the rules read: names decide what an operation requires, the day which exceptions are in force.
    fn read_names(&mut self) {
        for field in ["eventSource", "eventName", "eventTime"] {
            self.fields.slot(field);
        }
    }

    fn judged(&self, tree: Tree) -> Judged {
        let is_derived = |slot: Slot| self.fields.derived().iter().any(|(_, derived)| *derived == slot);
        let (keywords, derived) =
            (tree.reads(&|slot| slot.is_none()), tree.reads(&|slot| slot.is_some_and(is_derived)));
        Judged { tree, keywords, derived }
    }

    /// One line of a selection, as a rule of its own.
    #[cfg(feature = "lint")]
    pub(super) fn of_line(selection: &str, line: &rsigma_parser::DetectionItem) -> Result<Self, Fault> {
        let mut engine = Self::default();
        engine.read_names();
        let tree = compile::item_tree(selection, line, &mut engine.fields)?;
        let rule = engine.judged(tree);
        engine.rules.push(rule);
        Ok(engine)
    }

    /// Whether the first rule matches what CloudTrail could write.
    #[cfg(feature = "lint")]
    pub(super) fn holds(&self, record: &Value) -> bool {
        let (bytes, operations) = (record.to_string(), Operations::default());
        self.read(bytes.as_bytes(), &operations).is_ok_and(|mut reading| self.judge(0, &mut reading).matches)
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
        Ok(Reading {
            values: self.fields.read(record, operations)?,
            record,
            operations,
            document: None,
            everything: None,
            derived: false,
        })
    }

    pub(super) fn judge(&self, position: usize, reading: &mut Reading<'_>) -> Verdict {
        let Some(rule) = self.rules.get(position) else { return Verdict::default() };
        // What is not read yet counts as not visible. Where the rest decides without it, as it nearly always does, it never is read.
        if (rule.keywords || rule.derived) && rule.tree.judge(reading).known == Some(false) {
            return Verdict::default();
        }
        self.complete(rule, reading);
        let answer = rule.tree.judge(reading);
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

    /// Why a rule says what it says, part by part: what keeps it from matching or, where it matches, from not doing so.
    pub(super) fn explain(&self, position: usize, reading: &mut Reading<'_>) -> Vec<String> {
        let mut said = Vec::new();
        if let Some(rule) = self.rules.get(position) {
            self.complete(rule, reading);
            let matches = rule.tree.judge(reading).plain;
            rule.tree.explain(reading, !matches, &mut said);
        }
        said
    }

    /// Reads what few rules want, when the first of them asks.
    fn complete(&self, rule: &Judged, reading: &mut Reading<'_>) {
        if rule.keywords {
            reading.read_everything();
        }
        if rule.derived {
            reading.derive(self.fields.derived(), &self.own);
        }
    }
}

/// A record as the rules see it.
#[derive(Debug)]
pub(super) struct Reading<'de> {
    values: Values<'de>,
    record: &'de [u8],
    operations: &'de Operations,
    /// The whole record, once a rule has wanted it; none within if it cannot be had.
    document: Option<Option<Value>>,
    /// For keywords; read when the first rule asks.
    everything: Option<Everything>,
    /// The derived fields are filled in.
    derived: bool,
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
            let operations = self.operations;
            let everything = match self.document() {
                Some(record) => Everything::of(record, operations),
                // What cannot be searched may hold anything: never a quiet "no".
                None => Everything { scalars: Vec::new(), hidden: true },
            };
            self.everything = Some(everything);
        }
    }

    fn derive(&mut self, fields: &[(Derived, Slot)], own: &OwnLists) {
        if std::mem::replace(&mut self.derived, true) {
            return;
        }
        let operations = self.operations;
        let held = match self.document() {
            Some(document) => {
                let (record, hidden) = (Record::new(document), misses_required(document, operations));
                fields.iter().map(|(field, _)| field.of(&record, hidden, own)).collect()
            }
            None => fields.iter().map(|_| Held { values: Vec::new(), hidden: true }).collect::<Vec<_>>(),
        };
        for ((_, slot), held) in fields.iter().zip(held) {
            self.values.set(*slot, held);
        }
    }

    fn document(&mut self) -> Option<&Value> {
        self.document.get_or_insert_with(|| document(self.record).ok()).as_ref()
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
    /// Whether it reads a field for which this holds; no field is meant by keywords.
    fn reads(&self, wanted: &dyn Fn(Option<Slot>) -> bool) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) | Self::AtLeast(_, parts) => {
                parts.iter().any(|part| part.reads(wanted))
            }
            Self::Not(part) | Self::Named(_, part) => part.reads(wanted),
            Self::Item(Item { slot, check: Check::SameAs { other, .. }, .. }) => wanted(*slot) || wanted(Some(*other)),
            Self::Item(item) => wanted(item.slot),
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
            let Some(everything) = &reading.everything else { return Answer::not_visible() };
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
