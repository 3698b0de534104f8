//! Which rules of a list a record may concern, found by one look at each field that they ask about: where a field surely does not
//! hold what a rule cannot do without, its answer is a sure no, and nobody need ask it. Nothing of this decides for a rule: what is
//! hidden may be anything, so a rule that could be undecided is asked. Knows no condition but by what it needs.
//!
//! - [`group`]: what rules need in one field
//! - [`places`]: rules of a list, as bits
//! - [`seen`]: what was found in the same values before

mod group;
mod places;
mod seen;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, OnceLock, atomic},
};

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::{
    Engine, Reading,
    clause::{Clause, Need},
    comparison::Place,
    fields::Slot,
    tree::{Item, Tree},
};
use group::{Group, Met};
use places::Places;
pub(crate) use seen::Seen;

/// Rules that are looked at together; more of them are so many lists. As many places are left for needs in several fields.
const MOST_TOGETHER: usize = Places::MOST / 2;
/// Lines that seem the same and are not, to which another is compared.
const MOST_ALIKE: usize = 8;
/// Texts of which a rule needs one. A rule that takes more of them only needs the field to be there.
const MOST_TEXTS: usize = 64;
/// Bytes of a text that are looked for.
const MOST_BYTES: usize = 64;
/// What a text takes in memory beside its bytes, about.
const TEXT_BYTES: usize = 64;
/// Memory that all texts of a rule set may take, in bytes: each is kept for every list of rules that it stands in.
const ALL_TEXT_BYTES: usize = 2 * 1024 * 1024;

/// Positions of rules.
pub(crate) type Positions = SmallVec<[usize; 16]>;

/// Rules that are looked up together.
#[derive(Debug, Default)]
pub(crate) struct Sieve {
    /// Their positions, in order.
    pub(in crate::rules) rules: Vec<usize>,
    /// What they have in common, [`MOST_TOGETHER`] at a time. Found out when a record first meets them: most lists never meet any.
    shared: OnceLock<Vec<Shared>>,
}

/// What rules have in common. They go by their places among each other.
#[derive(Debug)]
struct Shared {
    rules: Places,
    groups: Vec<Group>,
    /// A rule that needs something in one of several fields, and the place that stands for it in these groups.
    clauses: Vec<(usize, usize)>,
    questions: Vec<Question>,
}

/// A line that more than one of them asks outright.
#[derive(Debug)]
struct Question {
    item: Arc<Item>,
    /// The rules for which the answer must not be no.
    yes: Places,
    /// The rules for which it must not be yes.
    no: Places,
}

/// How much memory texts may still take.
#[derive(Debug)]
pub(super) struct Room(atomic::AtomicUsize);

impl Default for Room {
    fn default() -> Self {
        Self(ALL_TEXT_BYTES.into())
    }
}

impl Room {
    fn take(&self, bytes: usize) -> bool {
        let order = atomic::Ordering::Relaxed;
        self.0.fetch_update(order, order, |left| left.checked_sub(bytes)).is_ok()
    }
}

impl Sieve {
    /// One more rule.
    pub(in crate::rules) fn push(&mut self, position: usize) {
        self.rules.push(position);
    }

    pub(in crate::rules) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Adds the rules that the record may concern: all others surely neither match nor are undecided.
    pub(in crate::rules) fn sift<'r>(
        &'r self,
        engine: &Engine,
        reading: &mut Reading<'_>,
        seen: &mut Seen<'r>,
        found: &mut Positions,
    ) {
        let shared = self
            .shared
            .get_or_init(|| self.rules.chunks(MOST_TOGETHER).map(|together| Shared::of(together, engine)).collect());
        for (together, shared) in self.rules.chunks(MOST_TOGETHER).zip(shared) {
            let open = shared.open(engine, reading, seen);
            found.extend(open.iter().filter_map(|place| together.get(place)).copied());
        }
    }
}

impl Shared {
    fn of(rules: &[usize], engine: &Engine) -> Self {
        let (mut needs, mut asked) = (BTreeMap::<Slot, Vec<(usize, Need<'_>)>>::new(), Asked::default());
        let (mut clauses, derived) = (Vec::new(), engine.fields.derived());
        let names = ["eventSource", "eventName"].map(|name| engine.fields.find(name));
        let source = |slot: Slot| derived.iter().position(|source| source.slot == slot);
        // Rules are looked up because of their names. A field that is worked out of the whole request is only worked out for a rule
        // that comes to it.
        let wants_request = |place: usize| derived.get(place).is_some_and(|source| source.field.wants_request());
        let wanted = |slot: Slot| !names.contains(&Some(slot)) && !source(slot).is_some_and(wants_request);
        for (place, position) in rules.iter().enumerate() {
            let Some(rule) = engine.rule(*position) else { continue };
            let (single, several) = apart(rule.tree.clauses(&wanted));
            for (slot, need) in single {
                needs.entry(slot).or_default().push((place, within(need, &engine.room)));
            }
            // One is enough, and for more there is no place.
            if let Some(clause) = several {
                let stands_for = rules.len() + clauses.len();
                clauses.push((place, stands_for));
                for (slot, need) in clause {
                    needs.entry(slot).or_default().push((stands_for, within(need, &engine.room)));
                }
            }
            asked.add(&rule.tree, place, |slot| wanted(slot) && source(slot).is_none());
        }
        let places = Places::first(rules.len());
        let mut groups: Vec<Group> =
            needs.into_iter().map(|(slot, needs)| Group::of(slot, source(slot), needs, &places)).collect();
        // First what costs least.
        groups.sort_by_key(|group| (group.derived.is_some(), !group.as_written));
        asked.questions.retain(|question| question.yes.count() + question.no.count() > 1);
        Self { rules: places, groups, clauses, questions: asked.questions }
    }

    /// The rules of which none of this says that their answer is surely no.
    fn open<'r>(&'r self, engine: &Engine, reading: &mut Reading<'_>, seen: &mut Seen<'r>) -> Places {
        let mut open = Places::first(self.rules.count() as usize + self.clauses.len());
        let mut met = Places::default();
        for group in &self.groups {
            if open.and(&group.members).is_empty() {
                continue;
            }
            match group.found(engine, reading, seen) {
                Met::By(places) => {
                    met.add(&places);
                    open.remove(&group.unmet(&places));
                }
                Met::Perhaps => met.add(&group.members),
            }
        }
        for (rule, stands_for) in &self.clauses {
            if !met.has(*stands_for) {
                let mut unmet = Places::default();
                unmet.put(*rule);
                open.remove(&unmet);
            }
        }
        open = open.and(&self.rules);
        for question in &self.questions {
            if open.and(&question.yes).count() + open.and(&question.no).count() > 1 {
                match question.item.judge(reading).known {
                    Some(true) => open.remove(&question.no),
                    Some(false) => open.remove(&question.yes),
                    None => {}
                }
            }
        }
        open
    }
}

/// The best need in each field, and the best clause about several.
fn apart(clauses: Vec<Clause<'_>>) -> (BTreeMap<Slot, Need<'_>>, Option<Clause<'_>>) {
    let (mut single, mut several): (BTreeMap<Slot, Need<'_>>, Option<Clause<'_>>) = (BTreeMap::new(), None);
    for clause in clauses {
        if clause.len() > 1 {
            several = several.or(Some(clause));
            continue;
        }
        for (slot, need) in clause {
            let known = single.get(&slot).map_or(usize::MAX, Need::texts);
            if known >= need.texts() {
                single.insert(slot, need);
            }
        }
    }
    (single, several)
}

/// The same, as far as there is room for texts.
fn within<'t>(need: Need<'t>, room: &Room) -> Need<'t> {
    let Need::OneOf(mut texts) = need else { return need };
    for (text, at) in &mut texts {
        if text.len() > MOST_BYTES {
            let mut end = MOST_BYTES;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            *text = Cow::Owned(text.get(..end).unwrap_or_default().to_owned());
            // The end of what has to stand at an end is cut off.
            *at = if matches!(at, Place::Whole | Place::Start) { Place::Start } else { Place::Inside };
        }
    }
    texts.sort_unstable();
    texts.dedup();
    let bytes = texts.iter().map(|(text, _)| text.len() + TEXT_BYTES).sum();
    if texts.len() <= MOST_TEXTS && room.take(bytes) { Need::OneOf(texts) } else { Need::Member }
}

/// What rules ask outright, in the making.
#[derive(Default)]
struct Asked<'t> {
    questions: Vec<Question>,
    /// The questions that are written so, by their field: what is written may be cut short.
    written: FxHashMap<(Slot, &'t str), Vec<usize>>,
}

impl<'t> Asked<'t> {
    /// Adds the lines of a rule in such fields that say more than [`Tree::clauses`] does.
    fn add(&mut self, tree: &'t Tree, place: usize, wanted: impl Fn(Slot) -> bool) {
        let mut of_rule = Vec::new();
        tree.questions(true, &mut of_rule);
        for (item, answer) in of_rule {
            let Some(slot) = item.slot.filter(|slot| wanted(*slot)) else { continue };
            if answer && item.is_of_texts() {
                continue;
            }
            let written = self.written.entry((slot, &item.written)).or_default();
            let is_same = |at: &usize| self.questions.get(*at).is_some_and(|question| question.item.is_same(item));
            let known = written.iter().rev().take(MOST_ALIKE).copied().find(is_same);
            let at = known.unwrap_or(self.questions.len());
            if known.is_none() {
                written.push(at);
                let (yes, no) = (Places::default(), Places::default());
                self.questions.push(Question { item: Arc::clone(item), yes, no });
            }
            if let Some(question) = self.questions.get_mut(at) {
                if answer { question.yes.put(place) } else { question.no.put(place) }
            }
        }
    }
}
