//! The rules: read from Sigma, checked, and looked up by what a record can match. Knows nothing of findings.

mod attributes;
mod bounds;
mod check;
mod engine;
mod exceptions;
mod fold;
mod folder;
mod index;
mod known;
mod lazy;
#[cfg(feature = "lint")]
pub mod lint;
mod lists;
mod literals;
mod load;
mod nearest;
mod needs;
mod overrides;
mod packed;
mod parser_fault;
pub mod proof;
mod shelf;
mod term;
mod unknown;

use std::{collections::BTreeMap, sync::Arc};

pub use check::Refused;
pub use engine::Verdict;
pub use exceptions::{Exception, exception_id};
pub use folder::{MOST_RULE_FILES, read_folder};
pub use index::Reach;
pub use lists::Lists;
pub use load::{Origin, RuleFile, Warning};
pub use overrides::Override;
pub use packed::Words;
pub use rsigma_parser::Level;
pub use shelf::Shelf;
pub(crate) use term::Standing;
pub use term::{Term, parse_day};
use time::Date;
pub use unknown::UNKNOWN_OPERATION;

use crate::{delivered_log::Names, operations::Operations, record::event_time_ms};
use engine::{Engine, Positions, Reading};
pub(crate) use engine::{Memory, Seen};
use exceptions::Exceptions;
pub(crate) use index::Found;
use index::Index;
pub(crate) use lazy::LazyWords;

/// What is said of a rule in a finding: everything but how it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The Sigma id; for a rule without one, a UUID computed from its title.
    pub id: String,
    /// The Sigma title.
    pub title: String,
    /// The Sigma level; medium where the rule has none.
    pub level: Level,
    /// What the rule protects; nothing for a rule that does not say.
    pub family: Option<String>,
    /// Whether it is in force or only watched.
    pub stage: Stage,
    /// The day of the rule's last change (`modified`, else `date`), as written.
    pub version: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// Whether it reads a list that is not as it is built in.
    pub reads_your_lists: bool,
    /// Whether it asks what became of the call. What another says is what happens if the call succeeds.
    pub asks_outcome: bool,
    pub(crate) words: LazyWords,
}

impl About {
    /// What is said at length.
    #[must_use]
    pub fn words(&self) -> &Words {
        self.words.get()
    }
}

/// Whether a rule is in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Its findings are published.
    #[default]
    Live,
    /// Its findings are counted and logged, and nobody is told: so a team watches a new rule before it pages anyone.
    Shadow,
}

/// A rule of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RuleRef {
    /// The inner one about operations that nobody knows.
    UnknownOperation,
    /// The one at this position.
    At(usize),
}

/// A rule that can be honoured exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What is said of it in findings.
    pub about: Arc<About>,
    /// Path of its file, for messages.
    pub path: String,
    /// The Sigma name, by which filters may call it.
    pub name: Option<String>,
    /// The fields that it reads, sorted.
    pub fields: Vec<String>,
    /// Its level when the call was denied.
    pub level_denied: Level,
    /// Its level when the call failed for another reason.
    pub level_failed: Level,
    /// More fields that keep findings apart.
    pub group_by: Vec<String>,
    /// What it does where something that it reads is not visible.
    pub when_hidden: WhenHidden,
    /// No exception and no override takes effect on it: it is the witness of whoever writes those.
    pub always_told: bool,
    /// The list without which it makes no sense and that is empty: it is asked of no record as long as it is.
    pub waits_for: Option<String>,
}

/// What a rule does where it stays undecided because something that it reads is not visible.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenHidden {
    /// A comparison with something hidden is false, as in plain Sigma.
    #[default]
    Ignore,
    /// It fires all the same, with low confidence.
    Alert,
}

/// All rules in force, checked and ready.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    unknown: Rule,
    engine: Engine,
    index: Index,
    version: String,
    operations: Operations,
    lists: Lists,
    exceptions: Exceptions,
    overrides: BTreeMap<RuleRef, Override>,
}

/// A rule set, and what was wrong with the files it was made from.
#[derive(Debug)]
pub struct Loaded {
    /// The rules that can be honoured.
    pub rule_set: RuleSet,
    /// The files that were left out, each with its reason.
    pub refused: Vec<Refused>,
    /// The paths of those of which only a part was left out.
    pub partly: Vec<String>,
    /// What is legal but probably not meant.
    pub warnings: Vec<Warning>,
}

impl RuleSet {
    /// The rules built into this library, and those of `more`. A wrong file is left out alone.
    #[must_use]
    pub fn load(more: impl IntoIterator<Item = RuleFile>) -> Loaded {
        Self::load_with(more, Lists::builtin())
    }

    /// The same with other lists.
    #[must_use]
    pub fn load_with(more: impl IntoIterator<Item = RuleFile>, lists: Lists) -> Loaded {
        // Our own folder is a folder like any other; its rules are not taken twice.
        load::load_beside_builtin(more, lists)
    }

    /// Only the given rules.
    #[must_use]
    pub fn load_only(files: impl IntoIterator<Item = RuleFile>) -> Loaded {
        Self::load_only_with(files, Lists::builtin())
    }

    /// Only the given rules, with other lists.
    #[must_use]
    pub fn load_only_with(files: impl IntoIterator<Item = RuleFile>, lists: Lists) -> Loaded {
        load::load(files, lists)
    }

    /// Every rule, in the order of loading.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// A rule as it is written or, where it is `overridden`, as an override makes it.
    #[must_use]
    pub fn rule(&self, rule: RuleRef, overridden: bool) -> Option<&Rule> {
        match (self.overrides.get(&rule).filter(|_| overridden), rule) {
            (Some(of_rule), _) => Some(&of_rule.rule),
            (None, RuleRef::UnknownOperation) => Some(&self.unknown),
            (None, RuleRef::At(position)) => self.rules.get(position),
        }
    }

    /// Every exception, in the order of loading.
    #[must_use]
    pub fn exceptions(&self) -> &[Exception] {
        self.exceptions.all()
    }

    /// Every override, by its rule.
    #[must_use]
    pub fn overrides(&self) -> &BTreeMap<RuleRef, Override> {
        &self.overrides
    }

    /// How many rules an override puts to rest at this time, in milliseconds since 1970.
    #[must_use]
    pub fn disabled_at(&self, ms: i64) -> u64 {
        let day = term::day_of(ms);
        let rests = |change: &&Override| change.disabled && change.term.standing(day) == Standing::InForce;
        self.overrides.values().filter(rests).count() as u64
    }

    /// The first twelve hexadecimal digits of a hash over all rules, exceptions and overrides in force.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The rules that are asked of no record because a list that they require is empty.
    pub fn waiting(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.waits_for.is_some())
    }

    /// The lists that its rules were read with.
    #[must_use]
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// What is known about Bedrock's operations.
    #[must_use]
    pub fn operations(&self) -> &Operations {
        &self.operations
    }

    /// The positions of all rules that could match a record with these names: every rule that does match is among them,
    /// some that do not may be. Empty for nearly every record of a trail.
    #[must_use]
    pub fn candidates(&self, event_source: &str, event_name: &str) -> Vec<usize> {
        self.index.candidates(event_source, event_name)
    }

    /// The same, in the lists in which they stand.
    pub(crate) fn look_up(&self, event_source: &str, event_name: &str) -> Found<'_> {
        self.index.find(event_source, event_name)
    }

    /// Whether no record with these names can be dismissed because of what else is in it.
    pub(crate) fn could_match_always(&self, names: Names<'_>) -> bool {
        self.index.could_match_always(names)
    }

    /// Every rule in force.
    #[cfg(feature = "plain")]
    pub(crate) fn in_force(&self) -> Candidates<'_> {
        let rules = self.rules.iter().enumerate().filter(|(_, rule)| rule.waits_for.is_none());
        Candidates::All(rules.map(|(position, _)| position).collect())
    }

    /// Whether nothing can be found in a record with these names: no rule could match it, or be undecided about it, and its
    /// operation is known. So end nearly all records of a trail, and nothing else of them is ever read.
    #[must_use]
    pub fn dismisses(&self, names: Names<'_>, record: &[u8]) -> bool {
        !self.index.could_match(names, record) && !self.operations.is_unknown_name(names)
    }

    /// How the rules are looked up, which is what they cost.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.index.reach()
    }

    /// Reads from a record what the rules ask for.
    ///
    /// # Errors
    /// When the record is not JSON.
    pub fn read<'r>(&'r self, record: &'r [u8]) -> Result<Question<'r>, serde_json::Error> {
        self.read_into(record, &mut Memory::default())
    }

    /// The same into the memory of an earlier record.
    pub(crate) fn read_into<'r>(
        &'r self,
        record: &'r [u8],
        memory: &mut Memory,
    ) -> Result<Question<'r>, serde_json::Error> {
        Ok(Question { rule_set: self, reading: self.engine.read(record, &self.operations, memory)? })
    }

    /// The same by a parser alone, for tests.
    #[cfg(feature = "plain")]
    pub(crate) fn read_plainly<'r>(
        &'r self,
        record: &'r [u8],
        _: &mut Memory,
    ) -> Result<Question<'r>, serde_json::Error> {
        Ok(Question { rule_set: self, reading: self.engine.read_plainly(record, &self.operations)? })
    }
}

/// The rules to ask about a record.
#[derive(Debug)]
pub(crate) enum Candidates<'r> {
    /// By its two names.
    LookedUp(Found<'r>),
    /// Whatever its names are.
    #[cfg(feature = "plain")]
    All(Positions),
}

impl Candidates<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::LookedUp(found) => found.is_empty(),
            #[cfg(feature = "plain")]
            Self::All(positions) => positions.is_empty(),
        }
    }
}

/// A record that rules can be asked about.
#[derive(Debug)]
pub struct Question<'r> {
    rule_set: &'r RuleSet,
    reading: Reading<'r>,
}

impl<'r> Question<'r> {
    /// What it was read into, for the next record.
    pub(crate) fn into_memory(self) -> Memory {
        self.reading.into_memory()
    }

    /// The UTC day of `eventTime`; nothing where it cannot be read.
    #[must_use]
    pub(crate) fn day(&self) -> Option<Date> {
        self.reading.text(&self.rule_set.engine, "eventTime").and_then(event_time_ms).and_then(term::day_of)
    }

    /// The override of a rule, and where the record lies in its time.
    pub(crate) fn override_of(&self, rule: RuleRef) -> Option<(&'r Override, Standing)> {
        let change = self.rule_set.overrides.get(&rule)?;
        Some((change, change.term.standing(self.day())))
    }

    /// The exceptions from a rule that match the record, by position, each with where the record lies in its time.
    pub(crate) fn exceptions_matching(&mut self, rule: RuleRef) -> Vec<(usize, Standing)> {
        let mut matching = Vec::new();
        let mut exceptions = self.rule_set.exceptions.of(rule).peekable();
        // Nearly always there are none, and no day need be read.
        let day = exceptions.peek().and_then(|_| self.day());
        for position in exceptions {
            let Some(exception) = self.rule_set.exceptions().get(position) else { continue };
            let standing = exception.term.standing(day);
            if standing != Standing::No && self.is_matched_by(position) {
                matching.push((position, standing));
            }
        }
        matching
    }

    /// Whether the exception at this position silences the record, whatever the day.
    fn is_matched_by(&mut self, position: usize) -> bool {
        self.rule_set.engine.silences(position, &mut self.reading)
    }

    /// Why the exception at this position does not silence the record.
    fn why_not_matched_by(&mut self, position: usize) -> Vec<String> {
        self.rule_set.engine.why_not_silenced(position, &mut self.reading)
    }

    /// Whether a rule fires, the one about operations that nobody knows included.
    fn fires_at_all(&mut self, rule: RuleRef) -> bool {
        match rule {
            RuleRef::At(position) => self.fires(position),
            RuleRef::UnknownOperation => {
                let engine = &self.rule_set.engine;
                let name = |field: &str| self.reading.text(engine, field).unwrap_or_default();
                self.rule_set.operations.is_unknown(name("eventSource"), name("eventName"))
            }
        }
    }

    /// The override that puts a rule to rest on the day of the record.
    #[must_use]
    pub fn at_rest(&self, rule: RuleRef) -> Option<&'r Override> {
        let (of_rule, standing) = self.override_of(rule)?;
        (of_rule.disabled && standing == Standing::InForce).then_some(of_rule)
    }

    /// The exception that silences what a rule finds in the record.
    pub fn silenced_by(&mut self, rule: RuleRef) -> Option<&'r Exception> {
        let exceptions = self.rule_set.exceptions();
        let in_force =
            self.exceptions_matching(rule).into_iter().filter(|(_, standing)| *standing == Standing::InForce);
        let mut in_force = in_force.filter_map(|(position, _)| exceptions.get(position));
        in_force.find(|exception| exception.stage == Stage::Live)
    }
}

impl Question<'_> {
    /// The positions of the candidates that have to be asked: all others surely neither match nor are undecided.
    pub(crate) fn open<'c>(&mut self, candidates: Candidates<'c>, seen: &mut Seen<'c>) -> Positions {
        match candidates {
            Candidates::LookedUp(found) => {
                let mut open = Positions::new();
                for list in found.lists() {
                    list.sift(&self.rule_set.engine, &mut self.reading, seen, &mut open);
                }
                open.sort_unstable();
                open
            }
            #[cfg(feature = "plain")]
            Candidates::All(positions) => positions,
        }
    }

    /// What the rule at this position says.
    pub fn ask(&mut self, position: usize) -> Verdict {
        self.rule_set.engine.judge(position, &mut self.reading)
    }

    /// The same without any shortcut.
    #[cfg(feature = "plain")]
    pub(crate) fn ask_plainly(&mut self, position: usize) -> Verdict {
        self.rule_set.engine.judge_plainly(position, &mut self.reading)
    }

    /// Whether the rule at this position fires: it matches, or asks to be heard where it cannot decide.
    pub fn fires(&mut self, position: usize) -> bool {
        let verdict = self.ask(position);
        verdict.matches || (verdict.undecided && self.when_hidden(position) == WhenHidden::Alert)
    }

    /// What the rule at this position does where it cannot decide.
    #[must_use]
    pub fn when_hidden(&self, position: usize) -> WhenHidden {
        self.rule_set.rules.get(position).map(|rule| rule.when_hidden).unwrap_or_default()
    }

    /// The fields of the rule at this position that the record does not show.
    #[must_use]
    pub fn not_visible(&self, position: usize) -> Vec<String> {
        let fields = self.rule_set.rules.get(position).map(|rule| rule.fields.as_slice()).unwrap_or_default();
        self.rule_set.engine.not_visible(position, fields, &self.reading)
    }

    /// Why the rule at this position matches or does not, part by part.
    pub fn explain(&mut self, position: usize) -> Vec<String> {
        self.rule_set.engine.explain(position, &mut self.reading)
    }
}

/// One step lower, and never below informational.
#[must_use]
pub(crate) fn one_lower(level: Level) -> Level {
    match level {
        Level::Critical => Level::High,
        Level::High => Level::Medium,
        Level::Medium => Level::Low,
        Level::Low | Level::Informational => Level::Informational,
    }
}

/// The place of a level in the order of levels, 1 (informational) to 5 (critical), which is OCSF's `severity_id` too.
#[must_use]
pub fn severity_id(level: Level) -> u8 {
    match level {
        Level::Informational => 1,
        Level::Low => 2,
        Level::Medium => 3,
        Level::High => 4,
        Level::Critical => 5,
    }
}
