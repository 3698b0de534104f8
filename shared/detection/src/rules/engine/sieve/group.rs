//! What rules of a list need in one field, and which of them what stands there leaves open. Knows no other field.

use std::cmp::Ordering;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::{
    super::{
        Engine, Reading,
        clause::Need,
        comparison::Place,
        fields::Slot,
        values::{Field, Scalar},
    },
    places::Places,
    seen::Seen,
};

/// Parts of texts that are looked for one by one; more of them are looked for at once.
const MOST_ONE_BY_ONE: usize = 8;
/// Parts of texts that are found in one value before all rules are asked: one may stand within another at every byte.
const MOST_FOUND: usize = 1_000;

/// What is needed in one field, and by which places.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) slot: Slot,
    /// Its place among the derived fields, if it is one.
    pub(super) derived: Option<usize>,
    /// All that need something here.
    pub(super) members: Places,
    /// Those among them that are rules, and not one of several needs of a rule.
    rules: Places,
    /// Those among them that need no more than that the member is there.
    present: Places,
    /// Whole texts, shortest first.
    wholes: Vec<(Box<str>, Places)>,
    parts: Parts,
    /// A value is looked at as it is written: its case need not be folded.
    pub(super) as_written: bool,
}

/// Texts within a value.
#[derive(Debug)]
enum Parts {
    Few(Vec<(Box<str>, Place, Places)>),
    Many(AhoCorasick, Vec<Places>),
}

/// What is found in a field.
pub(super) enum Met {
    /// The needs of these, and of no others.
    By(Places),
    /// Perhaps those of all.
    Perhaps,
}

impl Group {
    /// `rules`: the places that are rules.
    pub(super) fn of(slot: Slot, derived: Option<usize>, needs: Vec<(usize, Need<'_>)>, rules: &Places) -> Self {
        let (mut members, mut present, mut texts) = (Places::default(), Places::default(), Vec::new());
        for (place, need) in needs {
            members.put(place);
            match need {
                Need::Member => present.put(place),
                Need::OneOf(of_one) => texts.extend(of_one.into_iter().map(|(text, at)| (text, at, place))),
            }
        }
        texts.sort_by(|(a, at, _), (b, other, _)| by_length(a, b).then(at.cmp(other)));
        let (mut wholes, mut parts): (Vec<(Box<str>, Places)>, Vec<_>) = (Vec::new(), Vec::new());
        for same in texts.chunk_by(|(a, at, _), (b, other, _)| a == b && at == other) {
            let Some((text, at, _)) = same.first() else { continue };
            let mut places = Places::default();
            same.iter().for_each(|(.., place)| places.put(*place));
            match at {
                Place::Whole => wholes.push((text.as_ref().into(), places)),
                _ => parts.push((text.as_ref().into(), *at, places)),
            }
        }
        let as_written = wholes.len() <= MOST_ONE_BY_ONE
            && parts.len() <= MOST_ONE_BY_ONE
            && parts.iter().all(|(_, at, _)| *at != Place::Inside);
        let rules = members.and(rules);
        Self { slot, derived, members, rules, present, wholes, parts: Parts::of(parts), as_written }
    }

    /// The rules whose needs here are none of these.
    pub(super) fn unmet(&self, met: &Places) -> Places {
        let mut unmet = self.rules;
        unmet.remove(met);
        unmet
    }

    /// Whose needs are met by a record.
    pub(super) fn found<'r>(&'r self, engine: &Engine, reading: &mut Reading<'_>, seen: &mut Seen<'r>) -> Met {
        if let Some(source) = self.derived.and_then(|place| engine.fields.derived().get(place)) {
            // What nearly all records hold need not be put in for this.
            if let Some(usual) = reading.values.usual(source).filter(|_| self.as_written) {
                let mut met = self.present;
                self.look_as_written(usual, &mut met);
                return Met::By(met);
            }
            reading.derive(source, &engine.own);
        }
        reading.values.field(self.slot).map_or(Met::Perhaps, |field| self.met(field, seen))
    }

    /// Whose needs are met by what stands in the field.
    fn met<'r>(&'r self, field: &Field<'_>, seen: &mut Seen<'r>) -> Met {
        // What is hidden may be anything.
        if field.hidden {
            return Met::Perhaps;
        }
        if !field.present {
            return Met::By(Places::default());
        }
        let mut met = self.present;
        if met == self.members {
            return Met::By(met);
        }
        let found = match field.scalars.as_slice() {
            [Scalar::Text(text)] if self.as_written && text.is_ascii() => {
                self.look_as_written(text, &mut met);
                Some(met)
            }
            [Scalar::Text(text)] if !self.as_written => seen.get(self, text, || self.look(field)),
            _ => self.look(field),
        };
        found.map_or(Met::Perhaps, Met::By)
    }

    /// Whose texts are there. Says none where it gives up looking for them.
    fn look(&self, field: &Field<'_>) -> Option<Places> {
        let mut met = self.present;
        let mut values = field.values();
        values.all(|(_, folded)| folded.is_none_or(|folded| self.look_folded(folded, &mut met))).then_some(met)
    }

    fn look_as_written(&self, value: &str, met: &mut Places) {
        for (text, places) in &self.wholes {
            if text.eq_ignore_ascii_case(value) {
                met.add(places);
            }
        }
        let Parts::Few(parts) = &self.parts else { return };
        for (text, at, places) in parts {
            let there = match at {
                Place::Start => value.get(..text.len()),
                _ => value.len().checked_sub(text.len()).and_then(|from| value.get(from..)),
            };
            if there.is_some_and(|there| there.eq_ignore_ascii_case(text)) {
                met.add(places);
            }
        }
    }

    fn look_folded(&self, folded: &str, met: &mut Places) -> bool {
        let whole = self.wholes.binary_search_by(|(text, _)| by_length(text, folded)).ok();
        if let Some((_, places)) = whole.and_then(|at| self.wholes.get(at)) {
            met.add(places);
        }
        match &self.parts {
            Parts::Few(parts) => {
                for (text, at, places) in parts {
                    if at.holds(folded, text) {
                        met.add(places);
                    }
                }
                true
            }
            Parts::Many(search, of_parts) => {
                let Ok(found) = search.try_find_overlapping_iter(folded) else { return false };
                for (number, found) in found.enumerate() {
                    if number == MOST_FOUND {
                        return false;
                    }
                    of_parts.get(found.pattern().as_usize()).into_iter().for_each(|places| met.add(places));
                }
                true
            }
        }
    }
}

impl Parts {
    fn of(parts: Vec<(Box<str>, Place, Places)>) -> Self {
        if parts.len() > MOST_ONE_BY_ONE {
            // Wherever they have to stand: that costs a question too many, now and then. The kind that takes least memory.
            let texts = parts.iter().map(|(text, ..)| text.as_bytes());
            if let Ok(search) = AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(texts) {
                return Self::Many(search, parts.into_iter().map(|(.., places)| places).collect());
            }
        }
        Self::Few(parts)
    }
}

/// Texts of another length, which are nearly all, are told apart without being read.
fn by_length(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}
