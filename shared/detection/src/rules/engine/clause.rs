//! What a condition cannot do without, and what it asks outright: enough to say a sure no without asking it as a whole. Knows no
//! record.
//!
//! All of it holds of the answer that is not a sure no: what a rule that is undecided cannot do without counts as much as what one
//! that matches cannot.

use std::{borrow::Cow, sync::Arc};

use super::{
    comparison::{Needed, Place},
    fields::Slot,
    tree::{All, Check, Item, Tree},
};

/// Fields of which a condition needs one. With more of them it is asked.
const MOST_ALTERNATIVES: usize = 8;

/// What a field must hold.
#[derive(Debug, Clone)]
pub(super) enum Need<'t> {
    /// One of these texts, whatever the case.
    OneOf(Vec<(Cow<'t, str>, Place)>),
    /// The member, if only as `null`.
    Member,
}

/// Needs in different fields, of which one has to be met.
pub(super) type Clause<'t> = Vec<(Slot, Need<'t>)>;

impl<'t> Need<'t> {
    /// Either of them.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::OneOf(mut texts), Self::OneOf(more)) => {
                texts.extend(more);
                Self::OneOf(texts)
            }
            _ => Self::Member,
        }
    }

    /// How many; most where any value will do.
    pub(super) fn texts(&self) -> usize {
        match self {
            Self::OneOf(texts) => texts.len(),
            Self::Member => usize::MAX,
        }
    }
}

impl Tree {
    /// What is needed, each clause by itself, in fields for which this holds.
    pub(super) fn clauses(&self, wanted: &dyn Fn(Slot) -> bool) -> Vec<Clause<'_>> {
        match self {
            // What must not be says nothing about what is.
            Self::Not(_) | Self::AtLeast(0, _) => Vec::new(),
            Self::Named(_, part) => part.clauses(wanted),
            Self::All(All { parts, .. }) => parts.iter().flat_map(|part| part.clauses(wanted)).collect(),
            Self::Any(parts) | Self::AtLeast(_, parts) => {
                either(parts.iter().map(|part| part.clauses(wanted)).collect())
            }
            Self::Item(item) => {
                let slot = item.slot.filter(|slot| wanted(*slot));
                slot.and_then(|slot| Some(vec![vec![(slot, item.need()?)]])).unwrap_or_default()
            }
        }
    }

    /// The lines that all have to be answered so, or not at all.
    pub(super) fn questions<'t>(&'t self, answer: bool, found: &mut Vec<(&'t Arc<Item>, bool)>) {
        match self {
            Self::Item(item) => found.push((item, answer)),
            Self::Not(part) => part.questions(!answer, found),
            Self::Named(_, part) => part.questions(answer, found),
            Self::All(All { parts, .. }) if answer || parts.len() == 1 => {
                parts.iter().for_each(|part| part.questions(answer, found));
            }
            Self::Any(parts) | Self::AtLeast(1, parts) if !answer || parts.len() == 1 => {
                parts.iter().for_each(|part| part.questions(answer, found));
            }
            _ => {}
        }
    }
}

/// The clauses of several conditions of which one is to hold.
fn either(mut conditions: Vec<Vec<Clause<'_>>>) -> Vec<Clause<'_>> {
    // A condition that needs nothing leaves everything open, and so do no conditions at all.
    let Some(first) = conditions.pop() else { return Vec::new() };
    if first.is_empty() || conditions.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let mut common = Vec::new();
    for clause in &first {
        let [(slot, need)] = clause.as_slice() else { continue };
        let of_slot = |clauses: &Vec<Clause<'_>>| {
            clauses.iter().position(|clause| matches!(clause.as_slice(), [(of, _)] if of == slot))
        };
        let places: Option<Vec<usize>> = conditions.iter().map(of_slot).collect();
        let Some(places) = places else { continue };
        let mut all = need.clone();
        for (clauses, place) in conditions.iter().zip(places) {
            if let Some((_, need)) = clauses.get(place).and_then(|clause| clause.first()) {
                all = all.or(need.clone());
            }
        }
        common.push(vec![(*slot, all)]);
    }
    if !common.is_empty() {
        return common;
    }
    let mut mixed: Clause<'_> = Vec::new();
    for clauses in conditions.into_iter().chain([first]) {
        let best = clauses.into_iter().min_by_key(|clause| clause.iter().map(|(_, need)| need.texts()).max());
        for (slot, need) in best.into_iter().flatten() {
            match mixed.iter_mut().find(|(of, _)| *of == slot) {
                Some((_, one)) => *one = std::mem::replace(one, Need::Member).or(need),
                None => mixed.push((slot, need)),
            }
        }
    }
    if mixed.len() > MOST_ALTERNATIVES { Vec::new() } else { vec![mixed] }
}

impl Item {
    fn need(&self) -> Option<Need<'_>> {
        match &self.check {
            Check::AnyOf(comparisons) => {
                let mut one_of = Need::OneOf(Vec::new());
                for comparison in comparisons.iter() {
                    one_of = one_of.or(match comparison.needed() {
                        Needed::Text(text, at) => Need::OneOf(vec![(text, at)]),
                        Needed::Value => Need::Member,
                        Needed::Nothing => return None,
                    });
                }
                Some(one_of)
            }
            Check::Exists(true) => Some(Need::Member),
            // Absent, it is undecided where what it is compared with is hidden.
            Check::Exists(false) | Check::SameAs { .. } => None,
        }
    }

    /// Whether it asks for nothing but texts, of which [`Tree::clauses`] says all.
    pub(super) fn is_of_texts(&self) -> bool {
        matches!(self.need(), Some(Need::OneOf(_)))
    }

    /// Whether both always have the same answer.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same_check = match (&self.check, &other.check) {
            (Check::AnyOf(one), Check::AnyOf(other)) => one.is_same(other),
            // What is compared, and how, is in what is written.
            (Check::Exists(one), Check::Exists(other)) => one == other,
            (Check::SameAs { other: one, .. }, Check::SameAs { other, .. }) => one == other,
            _ => false,
        };
        self.slot == other.slot && self.written == other.written && same_check
    }
}
