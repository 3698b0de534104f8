//! Which rules could match a record: by its eventSource and eventName, else by a text that it must hold. A sound
//! over-approximation: a rule that allows neither meets every record, and texts are compared with case folded, as Sigma does.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use memchr::memchr;
use rustc_hash::FxHashMap;

use super::{
    engine::Sieve,
    fold::{fold_ascii, lower},
    known::{Known, name_mark, pair_mark, source_mark},
    literals::Literals,
    needs::Needs,
};
use crate::delivered_log::Names;

/// Longest name that is looked up without asking further. The longest of AWS's have about half of that.
const LONGEST_NAME: usize = 128;
/// Searches for texts in one service's records alone, and bytes of what one looks for: more of either would cost more
/// memory than they save time.
const MOST_SEARCHES: usize = 16;
const MOST_TEXT: usize = 4 * 1024;

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

/// The lists of rules that a source and a name lead to, none of them empty. No rule is in two of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'i>([Option<&'i Sieve>; 5]);

impl<'i> Found<'i> {
    pub(crate) fn is_empty(&self) -> bool {
        self.lists().next().is_none()
    }

    pub(super) fn lists(&self) -> impl Iterator<Item = &'i Sieve> {
        self.0.into_iter().flatten()
    }
}

#[derive(Debug, Default)]
pub(super) struct Index {
    known: Known,
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
    /// Below `userIdentity`, what those rules match holds one of these texts. IAM has rules of this kind, and a trail
    /// is full of its records.
    texts: BTreeSet<String>,
    /// Some of those rules match without any text.
    is_open: bool,
    search: Option<Arc<Literals>>,
    by_name: FxHashMap<Box<[u8]>, Sieve>,
}

impl Index {
    /// Adds the rule at `position` of the rule set.
    pub(super) fn add(&mut self, position: usize, needs: Needs) {
        if matches!(
            needs,
            Needs::Sources(_) | Needs::SourcesAndTexts(..) | Needs::SourcesAndNames(..) | Needs::Names(_)
        ) {
            self.reach.by_name += 1;
        }
        match needs {
            Needs::Sources(sources) => {
                for source in sources {
                    let of_source = self.of_source(source);
                    of_source.any_name.push(position);
                    of_source.is_open = true;
                }
            }
            Needs::SourcesAndTexts(sources, texts) => {
                for source in sources {
                    let of_source = self.of_source(source);
                    of_source.any_name.push(position);
                    of_source.texts.extend(texts.iter().cloned());
                }
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
        // Several services often have the same rules.
        let mut searches: BTreeMap<BTreeSet<String>, Arc<Literals>> = BTreeMap::new();
        for (source, of_source) in &mut self.by_source {
            of_source.complete(&mut searches);
            if !of_source.any_name.is_empty() {
                self.known.add(source_mark(source));
            }
            for name in of_source.by_name.keys() {
                self.known.add(pair_mark(source, name));
            }
        }
        self.by_name.keys().for_each(|name| self.known.add(name_mark(name)));
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
        (self.known.may_hold(names) && self.knows(names, |of_source| of_source.any_name_could_match(names)))
            || may_hold(self.of_identity.search.as_ref(), names.identity, names)
            || may_hold(self.of_record.search.as_ref(), record, names)
    }

    /// The same, whatever else is in the record.
    pub(super) fn could_match_always(&self, names: Names<'_>) -> bool {
        let any = |of_source: &OfSource| of_source.search.is_none() && !of_source.any_name.is_empty();
        !self.always.is_empty() || self.knows(names, any)
    }

    /// Whether rules could match by the names. `any_name`: whether those could that name the source alone.
    fn knows(&self, names: Names<'_>, any_name: impl Fn(&OfSource) -> bool) -> bool {
        let (mut source, mut name) = ([0; LONGEST_NAME], [0; LONGEST_NAME]);
        let Some(source) = folded(names.event_source, &mut source) else { return true };
        let Some(name) = folded(names.event_name, &mut name) else { return true };
        let of_source = self.by_source.get(source);
        of_source.is_some_and(|of_source| of_source.by_name.contains_key(name) || any_name(of_source))
            || self.by_name.contains_key(name)
    }

    /// The lists of all rules that could match a record with these names.
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
        Found(lists.map(|list| list.filter(|sieve| !sieve.is_empty())))
    }

    pub(super) fn candidates(&self, event_source: &str, event_name: &str) -> Vec<usize> {
        let found = self.find(event_source, event_name);
        let mut positions: Vec<usize> = found.lists().flat_map(|sieve| &sieve.rules).copied().collect();
        positions.sort_unstable();
        positions
    }
}

impl OfSource {
    /// Says that all rules have been added. A search that would be slow, or one too many, is none.
    fn complete(&mut self, searches: &mut BTreeMap<BTreeSet<String>, Arc<Literals>>) {
        let texts = std::mem::take(&mut self.texts);
        if self.is_open || texts.is_empty() || texts.iter().map(String::len).sum::<usize>() > MOST_TEXT {
            return;
        }
        self.search = searches.get(&texts).cloned();
        if self.search.is_none() && searches.len() < MOST_SEARCHES {
            self.search = Literals::new(&texts).filter(Literals::is_fast).map(Arc::new);
            searches.extend(self.search.clone().map(|search| (texts, search)));
        }
    }

    fn any_name_could_match(&self, names: Names<'_>) -> bool {
        match &self.search {
            Some(search) => may_hold(Some(search), names.identity, names),
            None => !self.any_name.is_empty(),
        }
    }
}

/// Whether one of the texts may stand in these bytes of a record. Escapes hide a text from a search, and beyond ASCII
/// other characters may fold to a letter of it: what has either may hold anything. A member whose own name is written
/// with escapes never comes here: such a record has no plain names.
fn may_hold(search: Option<&Literals>, bytes: &[u8], names: Names<'_>) -> bool {
    let others = || names.has_others && (memchr(b'\\', bytes).is_some() || !bytes.is_ascii());
    search.is_some_and(|search| others() || search.is_in(bytes))
}

/// An ASCII name with its case folded.
fn folded<'b>(name: &[u8], buffer: &'b mut [u8; LONGEST_NAME]) -> Option<&'b [u8]> {
    let buffer = buffer.get_mut(..name.len())?;
    buffer.copy_from_slice(name);
    fold_ascii(buffer);
    Some(buffer)
}

/// Any name with its case folded.
fn any_folded<'b>(name: &str, buffer: &'b mut [u8; LONGEST_NAME]) -> Cow<'b, [u8]> {
    match folded(name.as_bytes(), buffer).filter(|_| name.is_ascii()) {
        Some(folded) => Cow::Borrowed(folded),
        None => Cow::Owned(lower(name).into_owned().into_bytes()),
    }
}

/// As bytes, so that what is looked up need not be proven to be text once more.
fn key(name: String) -> Box<[u8]> {
    name.into_bytes().into()
}
