//! What is known of the passages of a log's records: a passage is what stands between two texts, such as `","eventTime":"`. One
//! program writes all records of a log, so it is nearly always one of a few hundred. What it means is found out once; where its
//! bytes stand again in the same place, they mean the same. Knows no JSON.

use std::{hash::Hasher, mem};

use rustc_hash::{FxHashMap, FxHasher};
use wide::u8x16;

use super::fields::{NOWHERE, Slot};

/// Passages that are kept. CloudTrail's records of Bedrock have some hundred.
const MOST: usize = 4_096;
/// Bytes of a passage that is kept.
const LONGEST: usize = 256;
/// Events in a passage that is kept.
pub(super) const MOST_EVENTS: usize = 16;
/// Passages of one log that are ever kept: if there are more, its records are not alike.
const MOST_EVER: usize = 8 * MOST;
/// Places that are kept.
const MOST_PLACES: usize = 1_024;
/// Bytes that are compared at once.
const PART: usize = 32;
/// Bytes that stand with a passage itself: most have less than half of them.
const HEAD: usize = 2 * PART;

/// What is known, and can be forgotten at any time.
#[derive(Debug)]
pub(super) struct Passages {
    passages: Vec<Passage>,
    /// How many more may be kept.
    room: usize,
    known: FxHashMap<u64, PassageId>,
    /// What they are longer than their heads.
    tails: Vec<u8>,
    events: Vec<Event>,
    places: Vec<Place>,
    known_places: FxHashMap<(PlaceId, Slot, u8), PlaceId>,
}

/// One of [`Passages`].
pub(super) type PassageId = u32;
/// A place in a record: which objects and arrays are open, each as the value of which field.
pub(super) type PlaceId = u32;

/// What comes before a record's first passage.
pub(super) const START: PassageId = 0;
/// What comes before a passage if it is none that is kept.
pub(super) const STRAY: PassageId = 1;
/// Where the record is still to come: nothing is open.
pub(super) const BEFORE: PlaceId = 0;
/// Where it has been.
pub(super) const AFTER: PlaceId = 1;

/// As many passages and places are there before any record.
const BEGUN: usize = 2;

/// The innermost object or array that is open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The node that it is the value of.
    pub(super) node: Slot,
    /// The byte that ends it.
    pub(super) end: u8,
    /// How many are open.
    pub(super) depth: usize,
    /// The place where it stands.
    pub(super) above: PlaceId,
}

/// What a passage says of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// An object or an array begins at this node.
    Opens(Slot),
    Bool(Slot, bool),
    Null(Slot),
}

/// What comes after a passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// A text, whose first quote was the last byte.
    Text,
    Number,
    /// Nothing.
    End,
}

/// How a passage ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    pub(super) then: Then,
    /// The node of the value that comes.
    pub(super) node: Slot,
    /// The place where that stands.
    pub(super) place: PlaceId,
}

/// What is known of a passage. Two lines of a processor's cache: hundreds of them are looked at for each record.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Passage {
    /// Its first bytes.
    head: [u8; HEAD],
    /// A bit for each byte that it lacks in each part of its head.
    lacks: [u32; 2],
    length: u32,
    /// Where its other bytes begin.
    tail: u32,
    /// The place where it begins.
    from: PlaceId,
    /// Where its events are.
    events: (u32, u32),
    /// What came after it last. Before anything has, the start, which begins nowhere.
    next: PassageId,
    /// What came before that.
    others: [PassageId; 4],
    ending: Ending,
}

impl Passage {
    fn of(written: &[u8], from: PlaceId, ending: Ending) -> Option<Self> {
        let mut head = [0; HEAD];
        head.iter_mut().zip(written).for_each(|(to, byte)| *to = *byte);
        let length = u32::try_from(written.len()).ok()?;
        let lacks = |length| u32::MAX.checked_shl(length).unwrap_or_default();
        let lacks = [lacks(length), lacks(length.saturating_sub(u32::BITS))];
        let (tail, events, next, others) = (0, (0, 0), START, [START; 4]);
        Some(Self { head, lacks, length, tail, from, events, next, others, ending })
    }

    pub(super) fn length(&self) -> usize {
        self.length as usize
    }

    pub(super) fn ending(&self) -> Ending {
        self.ending
    }

    /// Whether its head is what the rest of a record begins with, and is all of it; where that cannot be seen at once, `None`.
    #[inline]
    fn begins(&self, rest: &[u8]) -> Option<bool> {
        let ([head, more], [lacks, lacks_more]) = (self.head.as_chunks::<PART>().0, self.lacks) else { return None };
        if same(rest.first_chunk()?, head) | lacks != u32::MAX {
            return Some(false);
        }
        if self.length() > PART && same(rest.get(PART..)?.first_chunk()?, more) | lacks_more != u32::MAX {
            return Some(false);
        }
        (self.length() <= HEAD && self.ending.then == Then::Text).then_some(true)
    }
}

/// A bit for each byte that is the same.
#[inline]
fn same(one: &[u8; PART], other: &[u8; PART]) -> u32 {
    let halves = |bytes: &[u8; PART]| bytemuck::must_cast::<_, [u8x16; 2]>(*bytes);
    let ([one, two], [other_one, other_two]) = (halves(one), halves(other));
    one.simd_eq(other_one).to_bitmask() | two.simd_eq(other_two).to_bitmask() << 16
}

impl Default for Passages {
    fn default() -> Self {
        let ending = Ending { then: Then::End, node: NOWHERE, place: BEFORE };
        let outside = Place { node: NOWHERE, end: 0, depth: 0, above: AFTER };
        // They begin nowhere.
        let nothing = || Passage::of(&[], PlaceId::MAX, ending);
        Self {
            passages: [nothing(), nothing()].into_iter().flatten().collect(),
            room: MOST_EVER,
            known: FxHashMap::default(),
            tails: Vec::new(),
            events: Vec::new(),
            places: vec![outside; BEGUN],
            known_places: FxHashMap::default(),
        }
    }
}

impl Passages {
    /// Forgets all if there is little room for more: what takes the room may never come again.
    pub(super) fn make_room(&mut self) {
        let (is_full, is_closed) = (self.passages.len() > MOST / 2, self.room == 0);
        if (!is_full || is_closed) && self.places.len() <= MOST_PLACES / 2 {
            return;
        }
        let Self { passages, known, tails, events, places, known_places, .. } = self;
        passages.truncate(BEGUN);
        for passage in passages {
            (passage.next, passage.others) = (START, [START; 4]);
        }
        known.clear();
        tails.clear();
        events.clear();
        places.truncate(BEGUN);
        known_places.clear();
    }

    /// The passage that came last after this one, if it begins here, too.
    #[inline]
    pub(super) fn expected(&self, last: PassageId, place: PlaceId, rest: &[u8]) -> Option<(PassageId, &Passage)> {
        let next = self.passages.get(last as usize)?.next;
        let passage = self.passages.get(next as usize)?;
        self.begins(passage, place, rest).then_some((next, passage))
    }

    /// One that came after it before, if it begins here.
    pub(super) fn remembered(&mut self, last: PassageId, place: PlaceId, rest: &[u8]) -> Option<PassageId> {
        let others = self.passages.get(last as usize)?.others;
        let begins = |id: &PassageId| self.passage(*id).is_some_and(|passage| self.begins(passage, place, rest));
        let found = others.iter().position(begins)?;
        let last = self.passages.get_mut(last as usize)?;
        mem::swap(&mut last.next, last.others.get_mut(found)?);
        Some(last.next)
    }

    /// Whether the rest of a record, from this place on, begins with a passage. Only one can.
    #[inline]
    fn begins(&self, passage: &Passage, place: PlaceId, rest: &[u8]) -> bool {
        passage.from == place && passage.begins(rest).unwrap_or_else(|| self.begins_slowly(passage, rest))
    }

    #[inline(never)]
    fn begins_slowly(&self, passage: &Passage, rest: &[u8]) -> bool {
        let goes_on = match passage.ending.then {
            Then::Text => true,
            Then::Number => matches!(rest.get(passage.length()), Some(b'-' | b'0'..=b'9')),
            Then::End => rest.len() == passage.length(),
        };
        goes_on && rest.get(..passage.length()).is_some_and(|bytes| self.is(passage, bytes))
    }

    fn is(&self, passage: &Passage, bytes: &[u8]) -> bool {
        let (head, tail) = bytes.split_at(bytes.len().min(HEAD));
        let known = self.tails.get(passage.tail as usize..).unwrap_or_default();
        passage.length() == bytes.len() && passage.head.starts_with(head) && known.starts_with(tail)
    }

    #[inline]
    pub(super) fn passage(&self, id: PassageId) -> Option<&Passage> {
        self.passages.get(id as usize)
    }

    /// What it says of fields.
    #[inline]
    pub(super) fn events(&self, passage: &Passage) -> &[Event] {
        let (from, to) = passage.events;
        self.events.get(from as usize..to as usize).unwrap_or_default()
    }

    /// Keeps a passage if there is room, and expects it after the last one.
    pub(super) fn keep(
        &mut self,
        last: PassageId,
        from: PlaceId,
        written: &[u8],
        events: &[Event],
        ending: Ending,
    ) -> PassageId {
        if written.len() > LONGEST || events.len() > MOST_EVENTS || self.room == 0 {
            return STRAY;
        }
        let mut hasher = FxHasher::default();
        hasher.write_u32(from);
        hasher.write(written);
        let hash = hasher.finish();
        let known = self.known.get(&hash).copied();
        let Some(id) = known.or_else(|| self.keep_new(hash, from, written, events, ending)) else { return STRAY };
        // What only seems the same is not kept.
        if !self.passage(id).is_some_and(|passage| passage.from == from && self.is(passage, written)) {
            return STRAY;
        }
        if let Some(last) = self.passages.get_mut(last as usize) {
            last.others.rotate_right(1);
            if let Some(first) = last.others.first_mut() {
                *first = mem::replace(&mut last.next, id);
            }
        }
        id
    }

    fn keep_new(
        &mut self,
        hash: u64,
        from: PlaceId,
        written: &[u8],
        events: &[Event],
        ending: Ending,
    ) -> Option<PassageId> {
        if self.passages.len() >= MOST {
            return None;
        }
        self.room = self.room.checked_sub(1)?;
        let id = PassageId::try_from(self.passages.len()).ok()?;
        let tail = u32::try_from(self.tails.len()).ok()?;
        let begin = u32::try_from(self.events.len()).ok()?;
        let end = begin.checked_add(u32::try_from(events.len()).ok()?)?;
        self.passages.push(Passage { tail, events: (begin, end), ..Passage::of(written, from, ending)? });
        self.tails.extend_from_slice(written.get(HEAD..).unwrap_or_default());
        self.events.extend_from_slice(events);
        self.known.insert(hash, id);
        Some(id)
    }

    /// Whether it keeps within its bounds.
    #[cfg(test)]
    pub(super) fn is_small(&self) -> bool {
        self.passages.len() <= MOST
            && self.known.len() <= MOST
            && self.tails.len() <= MOST * LONGEST
            && self.events.len() <= MOST * MOST_EVENTS
            && self.places.len() <= MOST_PLACES
            && self.known_places.len() <= MOST_PLACES
    }

    pub(super) fn place(&self, id: PlaceId) -> Option<Place> {
        self.places.get(id as usize).copied()
    }

    /// The place in an object or array that begins. None if there is no room for more.
    pub(super) fn place_in(&mut self, above: PlaceId, node: Slot, end: u8) -> Option<PlaceId> {
        if let Some(id) = self.known_places.get(&(above, node, end)) {
            return Some(*id);
        }
        if self.places.len() >= MOST_PLACES {
            return None;
        }
        let depth = self.place(above)?.depth + 1;
        let id = PlaceId::try_from(self.places.len()).ok()?;
        self.places.push(Place { node, end, depth, above });
        self.known_places.insert((above, node, end), id);
        Some(id)
    }
}
