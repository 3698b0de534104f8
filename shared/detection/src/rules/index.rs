//! Which rules could match a record: by its eventSource and eventName, else by a text that it must hold. A sound
//! over-approximation: a rule that allows neither meets every record, and texts are compared with case folded, as Sigma does.

use std::{borrow::Cow, collections::BTreeSet};

use memchr::memchr;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::{
    engine::Sieve,
    fold::{fold_ascii, lower},
    literals::Literals,
    needs::Needs,
};
use crate::delivered_log::Names;

/// Longest name that is looked up without asking further. The longest of AWS's have about half of that.
const LONGEST_NAME: usize = 128;

/// How many rules are looked up in which way, which is what they cost: see [`RuleSet::reach`](super::RuleSet::reach).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    /// By literal names of the source, the call or both: they cost nothing with any other record.
    pub by_name: usize,
    /// By a text that a record must hold: every record is searched for it, and parsed only if it is there.
    pub by_literal: usize,
    /// By nothing: with a single one of these, every record of a log is parsed.
    pub every_record: usize,
}

/// The lists of rules that a source and a name lead to. No rule is in two of them.
pub(super) type Found<'i> = SmallVec<[&'i Sieve; 5]>;

#[derive(Debug, Default)]
pub(super) struct Index {
    by_source: FxHashMap<Box<[u8]>, OfSource>,
    by_name: FxHashMap<Box<[u8]>, Sieve>,
    by_literal: Sieve,
    always: Sieve,
    /// Texts below `userIdentity`, and anywhere.
    of_identity: Searched,
    of_record: Searched,
    reach: Reach,
}

/// Texts of which any is looked for.
#[derive(Debug, Default)]
struct Searched {
    texts: BTreeSet<String>,
    search: Option<Literals>,
}

#[derive(Debug, Default)]
struct OfSource {
    any_name: Sieve,
    by_name: FxHashMap<Box<[u8]>, Sieve>,
}

impl Index {
    /// Adds the rule at `position` of the rule set.
    pub(super) fn add(&mut self, position: usize, needs: Needs) {
        if matches!(needs, Needs::Sources(_) | Needs::SourcesAndNames(..) | Needs::Names(_)) {
            self.reach.by_name += 1;
        }
        match needs {
            Needs::Sources(sources) => {
                sources.into_iter().for_each(|source| self.of_source(source).any_name.push(position));
            }
            Needs::SourcesAndNames(sources, names) => {
                for source in sources {
                    let of_source = self.of_source(source);
                    names
                        .iter()
                        .for_each(|name| of_source.by_name.entry(key(name.clone())).or_default().push(position));
                }
            }
            Needs::Names(names) => {
                names.into_iter().for_each(|name| self.by_name.entry(key(name)).or_default().push(position));
            }
            Needs::OfIdentity(texts) => {
                self.by_literal.push(position);
                self.of_identity.texts.extend(texts);
            }
            Needs::OfRecord(texts) => {
                self.by_literal.push(position);
                self.of_record.texts.extend(texts);
            }
            Needs::Nothing => self.always.push(position),
        }
    }

    fn of_source(&mut self, source: String) -> &mut OfSource {
        self.by_source.entry(key(source)).or_default()
    }

    /// Says that all rules have been added.
    pub(super) fn complete(&mut self) {
        for searched in [&mut self.of_identity, &mut self.of_record] {
            if !searched.texts.is_empty() {
                searched.search = Literals::new(&searched.texts);
                if searched.search.is_none() {
                    // More text than a search can hold.
                    self.always.rules.append(&mut self.by_literal.rules);
                }
            }
        }
        self.always.rules.sort_unstable();
        (self.reach.by_literal, self.reach.every_record) = (self.by_literal.rules.len(), self.always.rules.len());
    }

    pub(super) fn reach(&self) -> Reach {
        self.reach
    }

    /// Whether any rule could match, or could fail to decide. Allocates nothing: it is asked about every record.
    pub(super) fn could_match(&self, names: Names<'_>, record: &[u8]) -> bool {
        if !self.always.is_empty() {
            return true;
        }
        let (mut source, mut name) = ([0; LONGEST_NAME], [0; LONGEST_NAME]);
        let Some(source) = folded(names.event_source, &mut source) else { return true };
        let Some(name) = folded(names.event_name, &mut name) else { return true };
        let of_source = self.by_source.get(source);
        of_source.is_some_and(|of_source| !of_source.any_name.is_empty() || of_source.by_name.contains_key(name))
            || self.by_name.contains_key(name)
            || self.may_hold_literal(names, record)
    }

    /// Escapes hide a text from a search, and beyond ASCII other characters may fold to a letter of it: what has either may hold
    /// anything. A member whose own name is written with escapes never comes here: such a record has no plain names.
    fn may_hold_literal(&self, names: Names<'_>, record: &[u8]) -> bool {
        [(&self.of_identity, names.identity), (&self.of_record, record)].into_iter().any(|(searched, bytes)| {
            let escapes = || names.has_escapes && memchr(b'\\', bytes).is_some();
            searched.search.as_ref().is_some_and(|search| escapes() || !bytes.is_ascii() || search.is_in(bytes))
        })
    }

    /// The lists of all rules that could match a record with these names; none that is empty.
    pub(super) fn find(&self, event_source: &str, event_name: &str) -> Found<'_> {
        let (mut source, mut name) = ([0; LONGEST_NAME], [0; LONGEST_NAME]);
        let (source, name) = (any_folded(event_source, &mut source), any_folded(event_name, &mut name));
        let of_source = self.by_source.get(source.as_ref());
        let lists = [
            Some(&self.always),
            Some(&self.by_literal),
            of_source.map(|of_source| &of_source.any_name),
            of_source.and_then(|of_source| of_source.by_name.get(name.as_ref())),
            self.by_name.get(name.as_ref()),
        ];
        lists.into_iter().flatten().filter(|sieve| !sieve.is_empty()).collect()
    }

    pub(super) fn candidates(&self, event_source: &str, event_name: &str) -> Vec<usize> {
        let found = self.find(event_source, event_name);
        let mut positions: Vec<usize> = found.iter().flat_map(|sieve| &sieve.rules).copied().collect();
        positions.sort_unstable();
        positions
    }
}

/// An ASCII name with its case folded.
fn folded<'b>(name: &str, buffer: &'b mut [u8; LONGEST_NAME]) -> Option<&'b [u8]> {
    let buffer = buffer.get_mut(..name.len())?;
    buffer.copy_from_slice(name.as_bytes());
    fold_ascii(buffer);
    Some(buffer)
}

/// Any name with its case folded.
fn any_folded<'b>(name: &str, buffer: &'b mut [u8; LONGEST_NAME]) -> Cow<'b, [u8]> {
    match folded(name, buffer).filter(|_| name.is_ascii()) {
        Some(folded) => Cow::Borrowed(folded),
        None => Cow::Owned(lower(name).into_owned().into_bytes()),
    }
}

/// As bytes, so that what is looked up need not be proven to be text once more.
fn key(name: String) -> Box<[u8]> {
    name.into_bytes().into()
}
