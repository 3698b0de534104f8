//! The evaluator: Sigma rules compiled onto the few fields that they read, judged with three answers. Nobody outside this
//! folder knows how a rule is judged.
//!
//! - [`fields`]: the fields of all rules, as a tree
//! - [`extract`]: what a record holds in them, taken from its bytes in one pass
//! - [`passages`]: what stands between its texts, which is nearly always the same
//! - [`parse`]: the same for records of which that is not sure
//! - [`values`]: what a record holds in them
//! - [`comparison`]: one value against one expectation
//! - [`compile`]: from Sigma's syntax tree to a tree of comparisons, or a reason why not
//! - [`tree`]: that tree, and its three answers
//! - [`reading`]: a record as rules see it
//! - [`clause`]: what a condition cannot do without
//! - [`sieve`]: which of many rules a record may concern at all
//! - [`filters`]: conditions of exceptions, which must say what they are about
//! - [`plain`]: the same answers without any shortcut, for tests

mod clause;
mod comparison;
mod compile;
mod extract;
mod fields;
mod filters;
mod parse;
mod passages;
#[cfg(feature = "plain")]
mod plain;
mod reading;
mod sieve;
mod tree;
mod values;

use std::sync::OnceLock;

use rsigma_parser::Detections;
#[cfg(feature = "lint")]
use serde_json::Value;

pub(super) use self::reading::Reading;
pub(crate) use self::sieve::Seen;
pub(super) use self::sieve::{Positions, Sieve};
pub(crate) use self::values::Memory;
use self::{
    comparison::Pattern,
    fields::{Settled, Source},
    tree::{All, Tree},
};
use super::{
    check::Fault,
    lazy::Lazily,
    lists::{self, Lists},
    packed,
};
use crate::{operations::Operations, record::Own};

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
    rules: Vec<Rule>,
    filters: Vec<Judged>,
    own: OwnLists,
    /// What built-in rules are compiled of, and with.
    packed: Lazily,
    lists: Option<Lists>,
    /// What is left for texts that rules are known by.
    room: sieve::Room,
}

/// A rule at its position. A built-in one is compiled when the first record meets it: most never meet any.
#[derive(Debug)]
struct Rule {
    judged: OnceLock<Judged>,
    /// Where that begins of which it is compiled.
    packed: usize,
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
        Self { own: OwnLists::of(lists), packed: Lazily::detections(), lists: Some(lists.clone()), ..Self::default() }
    }

    /// Adds a rule; its position is the number of rules before it.
    pub(super) fn add(&mut self, detections: &Detections) -> Result<(), Fault> {
        let judged = self.compiled(detections)?;
        self.rules.push(Rule { judged: judged.into(), packed: usize::MAX });
        Ok(())
    }

    /// Adds fields that rules read which are compiled later.
    pub(super) fn add_fields(&mut self, fields: &[&str]) {
        self.read_names();
        for field in fields {
            self.fields.add(field);
        }
    }

    /// Adds a built-in rule, whose fields are added already, by the place of its selections and conditions.
    pub(super) fn add_packed(&mut self, at: usize) {
        self.rules.push(Rule { judged: OnceLock::new(), packed: at });
    }

    /// The selections and conditions of a built-in rule, before lists are put into them.
    pub(super) fn unpacked(&self, at: usize) -> Option<Detections> {
        packed::unpack(self.packed.from(at))
    }

    fn rule(&self, position: usize) -> Option<&Judged> {
        let rule = self.rules.get(position)?;
        Some(rule.judged.get_or_init(|| {
            // A test compiles every built-in rule. One that could not be would be heard of all the time, and never be silent.
            self.judged(self.late(rule.packed).unwrap_or_else(|| Tree::All(All::of(Vec::new()))))
        }))
    }

    /// A rule as it is compiled, to compare it with another.
    #[cfg(test)]
    pub(super) fn compiled_at(&self, position: usize) -> String {
        format!("{:?}", self.rule(position))
    }

    fn late(&self, packed: usize) -> Option<Tree> {
        let mut detections = self.unpacked(packed)?;
        lists::expand(&mut detections, self.lists.as_ref()?).ok()?;
        compile::compile(&detections, &mut Settled::of(&self.fields)).ok()
    }

    fn compiled(&mut self, detections: &Detections) -> Result<Judged, Fault> {
        self.read_names();
        let tree = compile::compile(detections, &mut self.fields)?;
        Ok(self.judged(tree))
    }

    /// Asked for whatever the rules read: names decide what an operation requires, the day which exceptions are in force.
    fn read_names(&mut self) {
        for field in ["eventSource", "eventName", "eventTime"] {
            self.fields.add(field);
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
        let judged = engine.judged(tree);
        engine.rules.push(Rule { judged: judged.into(), packed: usize::MAX });
        Ok(engine)
    }

    /// Whether the first rule matches what CloudTrail could write.
    #[cfg(feature = "lint")]
    pub(super) fn holds(&self, record: &Value) -> bool {
        let (bytes, operations) = (record.to_string(), Operations::default());
        self.read(bytes.as_bytes(), &operations, &mut Memory::default())
            .is_ok_and(|mut reading| self.judge(0, &mut reading).matches)
    }

    /// Takes out of a record what the rules read.
    ///
    /// # Errors
    /// When the record is not JSON.
    pub(super) fn read<'de>(
        &self,
        record: &'de [u8],
        operations: &'de Operations,
        memory: &mut Memory,
    ) -> Result<Reading<'de>, serde_json::Error> {
        Ok(Reading::of(self.fields.read(record, operations, memory)?, record, operations))
    }

    pub(super) fn judge(&self, position: usize, reading: &mut Reading<'_>) -> Verdict {
        let Some(rule) = self.rule(position) else { return Verdict::default() };
        // What is not read yet counts as not visible. Where the rest decides without it, as it nearly always does, it
        // never is read.
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

    /// Which of these fields of a rule the record does not show.
    pub(super) fn not_visible(&self, position: usize, fields: &[String], reading: &Reading<'_>) -> Vec<String> {
        let Some(rule) = self.rule(position) else { return Vec::new() };
        let hidden = |field: &&String| {
            // A selection that the condition does not name asks for nothing.
            let slot = self.fields.find(field).filter(|slot| rule.tree.reads(&|read| read == Some(*slot)));
            slot.and_then(|slot| reading.values.field(slot)).is_some_and(|field| field.hidden)
        };
        fields.iter().filter(hidden).cloned().collect()
    }

    /// Why a rule says what it says, part by part: what keeps it from matching or, where it matches, from not doing so.
    pub(super) fn explain(&self, position: usize, reading: &mut Reading<'_>) -> Vec<String> {
        let mut said = Vec::new();
        if let Some(rule) = self.rule(position) {
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
