//! The evaluator: Sigma rules compiled onto the few fields that they read, judged with three answers. Nobody outside this
//! folder knows how a rule is judged.
//!
//! - [`fields`]: the fields of all rules, taken from a record in one pass
//! - [`comparison`]: one value against one expectation
//! - [`compile`]: from Sigma's syntax tree to a tree of comparisons, or a reason why not
//! - [`filters`]: conditions of exceptions, which must say what they are about
//! - [`plain`]: the same answers without any shortcut, for tests

mod comparison;
mod compile;
mod fields;
mod filters;
#[cfg(feature = "plain")]
mod plain;

use std::{borrow::Cow, collections::BTreeMap};

use rsigma_parser::{Detections, SigmaRule};
use serde_json::{Value, value::RawValue};

pub(super) use self::comparison::lower;
use self::{
    comparison::{Comparisons, Pattern},
    fields::{Field, Name, Scalar, Slot, Source, TREES, Values},
};
use super::{
    check::Fault,
    lists::{self, Lists},
};
use crate::{
    operations::Operations,
    record::{DERIVED, Held, Own, Record, document, is_hidden_literal},
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
    /// Its derived fields, by their place in [`fields::Fields::derived`]. First those that cost little.
    derived: Vec<usize>,
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

    fn judged(&self, mut tree: Tree) -> Judged {
        // A rule is asked about a record because of these.
        let names = ["eventSource", "eventName"].map(|name| self.fields.find(name));
        tree.ask_last(&|slot| names.contains(&Some(slot)));
        let keywords = tree.reads(&|slot| slot.is_none());
        let sources = self.fields.derived();
        let is_read = |source: &Source| tree.reads(&|slot| slot == Some(source.slot));
        let read = sources.iter().enumerate().filter(|(_, source)| is_read(source));
        let (of_request, of_little): (Vec<_>, Vec<_>) = read.partition(|(_, source)| source.field.wants_request());
        let derived = of_little.into_iter().chain(of_request).map(|(place, _)| place).collect();
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
            request: None,
            everything: None,
            derived: [false; DERIVED.len()],
        })
    }

    pub(super) fn judge(&self, position: usize, reading: &mut Reading<'_>) -> Verdict {
        let Some(rule) = self.rules.get(position) else { return Verdict::default() };
        // What is not read yet counts as not visible. Where the rest decides without it, as it nearly always does, it never is read.
        let mut answer = rule.tree.judge(reading);
        for source in self.derived_by(rule) {
            if answer.known == Some(false) {
                return Verdict::default();
            }
            reading.derive(source, &self.own);
            answer = rule.tree.judge(reading);
        }
        if rule.keywords && answer.known != Some(false) {
            reading.read_everything();
            answer = rule.tree.judge(reading);
        }
        Verdict { matches: answer.plain, undecided: answer.known.is_none() }
    }

    fn derived_by(&self, rule: &Judged) -> impl Iterator<Item = &Source> {
        rule.derived.iter().filter_map(|place| self.fields.derived().get(*place))
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
        for source in self.derived_by(rule) {
            reading.derive(source, &self.own);
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
    /// Of the record what the derived fields want that are worked out of a request, once a rule has wanted one.
    request: Option<Option<Value>>,
    /// For keywords; read when the first rule asks.
    everything: Option<Everything>,
    /// Which derived fields are filled in.
    derived: [bool; DERIVED.len()],
}

/// Every value of a record, wherever it stands.
#[derive(Debug)]
struct Everything {
    values: Field<'static>,
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
                None => Everything { values: Field::default(), hidden: true },
            };
            self.everything = Some(everything);
        }
    }

    fn derive(&mut self, source: &Source, own: &OwnLists) {
        if self.derived.get(source.field as usize) == Some(&false) {
            let held = self.worked_out(source, own);
            self.set(source, held);
        }
    }

    fn set(&mut self, source: &Source, held: Held) {
        if let Some(is_there) = self.derived.get_mut(source.field as usize) {
            *is_there = true;
        }
        self.values.set(source.slot, held);
    }

    /// Out of as little of the record as will do, else out of all of it.
    fn worked_out(&mut self, source: &Source, own: &OwnLists) -> Held {
        let (field, operations) = (source.field, self.operations);
        let of_record = |record: &Value| field.of(&Record::new(record), misses_required(record, operations), own);
        if field.wants_request() {
            if let Some(request) = self.request(source) {
                return of_record(request);
            }
        } else if let Some(excerpt) = self.values.excerpt(source) {
            return field.of(&Record::new(&Value::Object(excerpt)), false, own);
        }
        self.document().map_or(Held { values: Vec::new(), hidden: true }, of_record)
    }

    /// The same for every derived field that wants it.
    fn request(&mut self, source: &Source) -> Option<&Value> {
        let (values, record) = (&self.values, self.record);
        let read = || {
            let mut excerpt = values.excerpt(source)?;
            if let Some(sent) = sent(record)? {
                excerpt.insert("requestParameters".to_owned(), sent);
            }
            Some(Value::Object(excerpt))
        };
        self.request.get_or_insert_with(read).as_ref()
    }

    fn document(&mut self) -> Option<&Value> {
        self.document.get_or_insert_with(|| document(self.record).ok()).as_ref()
    }
}

/// `requestParameters`, if they are there. None where they cannot be held as a value.
fn sent(record: &[u8]) -> Option<Option<Value>> {
    let members: BTreeMap<Name<'_>, &RawValue> = serde_json::from_slice(record).ok()?;
    let sent = members.get(&Name(Cow::Borrowed("requestParameters")));
    sent.map(|sent| serde_json::from_str(sent.get()).ok()).map_or(Some(None), |sent| sent.map(Some))
}

impl Everything {
    /// Iterative, although `serde_json` limits the depth: a record's author decides how deep it is.
    fn of(record: &Value, operations: &Operations) -> Self {
        let (mut scalars, mut hidden) = (Vec::new(), misses_required(record, operations));
        let mut open = vec![(record, false)];
        if let Value::Object(members) = record {
            open = members.iter().map(|(name, value)| (value, TREES.contains(&name.as_str()))).collect();
        }
        while let Some((value, hideable)) = open.pop() {
            match value {
                Value::Object(members) => {
                    hidden |= hideable && members.get("omitted") == Some(&Value::Bool(true));
                    open.extend(members.values().map(|value| (value, hideable)));
                }
                Value::Array(items) => open.extend(items.iter().map(|value| (value, hideable))),
                Value::String(text) if hideable && is_hidden_literal(text) => {
                    hidden = true;
                    scalars.push(Scalar::Hidden(Cow::Owned(text.clone())));
                }
                Value::String(text) => scalars.push(Scalar::Text(Cow::Owned(text.clone()))),
                Value::Number(number) => scalars.push(Scalar::Number(number.clone())),
                Value::Bool(value) => scalars.push(Scalar::Bool(*value)),
                Value::Null => {}
            }
        }
        Self { values: Field::of(scalars), hidden }
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
    All(All),
    Any(Vec<Tree>),
    AtLeast(u64, Vec<Tree>),
    Not(Box<Tree>),
    /// A selection, by its name.
    Named(String, Box<Tree>),
    Item(Item),
}

/// Parts that have to hold together.
#[derive(Debug)]
struct All {
    /// As they are written.
    parts: Vec<Tree>,
    /// Their places, in the order in which they are asked.
    order: Vec<usize>,
}

impl All {
    fn of(parts: Vec<Tree>) -> Self {
        Self { order: (0..parts.len()).collect(), parts }
    }

    fn in_order(&self) -> impl Iterator<Item = &Tree> {
        self.order.iter().filter_map(|place| self.parts.get(*place))
    }
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
    AnyOf(Comparisons),
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
            Self::All(All { parts, .. }) | Self::Any(parts) | Self::AtLeast(_, parts) => {
                parts.iter().any(|part| part.reads(wanted))
            }
            Self::Not(part) | Self::Named(_, part) => part.reads(wanted),
            Self::Item(Item { slot, check: Check::SameAs { other, .. }, .. }) => wanted(*slot) || wanted(Some(*other)),
            Self::Item(item) => wanted(item.slot),
        }
    }

    /// Has parts asked last where the answer hardly ever is no: what all parts have to say does not depend on their order, and the
    /// first sure no is the last question.
    fn ask_last(&mut self, is_late: &dyn Fn(Slot) -> bool) {
        match self {
            Self::All(All { parts, order }) => {
                parts.iter_mut().for_each(|part| part.ask_last(is_late));
                let reads_other = |slot: Option<Slot>| slot.is_none_or(|slot| !is_late(slot));
                order.sort_by_key(|place| parts.get(*place).is_some_and(|part| !part.reads(&reads_other)));
            }
            Self::Any(parts) | Self::AtLeast(_, parts) => parts.iter_mut().for_each(|part| part.ask_last(is_late)),
            Self::Not(part) | Self::Named(_, part) => part.ask_last(is_late),
            Self::Item(_) => {}
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
            Self::All(all) => {
                let (mut plain, mut known) = (true, Some(true));
                for part in all.in_order() {
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
            Self::All(All { parts, .. }) | Self::Any(parts) | Self::AtLeast(_, parts) => {
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
        self.judge_by(reading, Comparisons::hold)
    }

    /// `hold`: how it is found out whether a value of a field satisfies one of the comparisons.
    fn judge_by(&self, reading: &Reading<'_>, hold: impl Fn(&Comparisons, &Field<'_>) -> bool) -> Answer {
        let Some(slot) = self.slot else {
            let Some(everything) = &reading.everything else { return Answer::not_visible() };
            let holds = matches!(&self.check, Check::AnyOf(comparisons) if hold(comparisons, &everything.values));
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
                    comparisons.want_absence()
                } else if !field.exists && field.hidden {
                    // `null` stands there, or nothing, because the value is not shown.
                    false
                } else {
                    hold(comparisons, field)
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

/// Whether any value of one field equals (contains, ...) any value of the other, by text.
fn same(field: &Field<'_>, other: &Field<'_>, how: How, cased: bool) -> bool {
    let others: Vec<Cow<'_, str>> = texts(other, cased).collect();
    texts(field, cased).any(|text| {
        others.iter().any(|other| match how {
            How::Equals => text == *other,
            How::Contains => text.contains(other.as_ref()),
            How::StartsWith => text.starts_with(other.as_ref()),
            How::EndsWith => text.ends_with(other.as_ref()),
        })
    })
}

fn texts<'f>(field: &'f Field<'_>, cased: bool) -> impl Iterator<Item = Cow<'f, str>> {
    field.values().filter_map(move |(scalar, folded)| if cased { scalar.text() } else { folded.map(Cow::Borrowed) })
}
