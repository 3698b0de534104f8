//! What is known of the passages of a log's records: a passage is what stands between two texts, such as `","eventTime":"`. One
//! program writes all records of a log, so it is nearly always one of a few hundred. What it means is found out once; where its
//! bytes stand again in the same place, they mean the same. Knows no JSON.

use std::hash::Hasher;

use rustc_hash::{FxHashMap, FxHasher};
use wide::u8x16;

use super::fields::{NOWHERE, Slot};

/// Passages that are kept. CloudTrail's records of Bedrock have some hundred.
const MOST: usize = 4_096;
/// Bytes of a passage that is kept, and events in it.
pub(super) const LONGEST: usize = 256;
/// Places that are kept.
const MOST_PLACES: usize = 1_024;
/// Bytes that are compared at once: more than most passages have.
const HEAD: usize = 32;

/// What is known, and can be forgotten at any time.
#[derive(Debug)]
pub(super) struct Passages {
    passages: Vec<Passage>,
    known: FxHashMap<u64, PassageId>,
    /// The events in all of them.
    events: Vec<Event>,
    places: Vec<Place>,
    known_places: FxHashMap<(PlaceId, Slot, u8), PlaceId>,
}

/// One of [`Passages`].
pub(super) type PassageId = u32;
/// A place in a record: which objects and arrays are open, each as the value of which field.
pub(super) type PlaceId = u32;

/// The passage that ends where a record begins.
pub(super) const START: PassageId = 0;
/// Where the record is still to come: nothing is open.
pub(super) const BEFORE: PlaceId = 0;
/// Where it has been.
pub(super) const AFTER: PlaceId = 1;

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

/// What is known of a passage.
#[derive(Debug)]
pub(super) struct Passage {
    /// Its first bytes, and a bit for each byte that it does not have of so many.
    head: [u8; HEAD],
    lacks: u32,
    pub(super) length: usize,
    /// The other bytes.
    tail: Box<[u8]>,
    /// The place where it begins.
    from: PlaceId,
    pub(super) ending: Ending,
    /// Where its events are.
    events: (u32, u32),
    /// What came after it last. Before anything has, the start, which comes after nothing.
    next: PassageId,
    /// What came before that.
    others: [PassageId; 5],
}

impl Passage {
    fn of(written: &[u8], from: PlaceId, ending: Ending, events: (u32, u32)) -> Self {
        let (first, tail) = written.split_at(written.len().min(HEAD));
        let mut head = [0; HEAD];
        head.iter_mut().zip(first).for_each(|(to, byte)| *to = *byte);
        let lacks = u32::MAX.checked_shl(u32::try_from(first.len()).unwrap_or(u32::MAX)).unwrap_or_default();
        let (length, tail) = (written.len(), tail.into());
        Self { head, lacks, length, tail, from, ending, events, next: START, others: [START; 5] }
    }

    /// Whether this is what the rest of a record begins with.
    #[inline]
    fn begins(&self, rest: &[u8]) -> bool {
        let Some(first) = rest.first_chunk::<HEAD>() else { return self.begins_slowly(rest) };
        let same = |at: usize| {
            let half = |bytes: &[u8; HEAD]| bytes.as_chunks::<16>().0.get(at).copied().map(u8x16::new);
            half(first).zip(half(&self.head)).map_or(0, |(one, other)| one.simd_eq(other).to_bitmask())
        };
        (same(0) | same(1) << 16 | self.lacks) == u32::MAX
            && (self.length <= HEAD || self.begins_slowly(rest))
            && self.goes_with(rest)
    }

    #[inline(never)]
    fn begins_slowly(&self, rest: &[u8]) -> bool {
        rest.get(..self.length).is_some_and(|bytes| self.is(bytes)) && self.goes_with(rest)
    }

    /// Whether after it comes what it says. So only one passage can begin at a place.
    #[inline]
    fn goes_with(&self, rest: &[u8]) -> bool {
        match self.ending.then {
            Then::Text => true,
            Then::Number => matches!(rest.get(self.length), Some(b'-' | b'0'..=b'9')),
            Then::End => rest.len() == self.length,
        }
    }

    fn is(&self, bytes: &[u8]) -> bool {
        let (first, tail) = bytes.split_at(bytes.len().min(HEAD));
        self.length == bytes.len() && self.head.starts_with(first) && *self.tail == *tail
    }
}

impl Default for Passages {
    fn default() -> Self {
        let ending = Ending { then: Then::End, node: NOWHERE, place: BEFORE };
        let outside = Place { node: NOWHERE, end: 0, depth: 0, above: AFTER };
        // Nothing is as long as the start, so nothing is taken for it.
        let start = Passage { length: usize::MAX, ..Passage::of(&[], AFTER, ending, (0, 0)) };
        Self {
            passages: vec![start],
            known: FxHashMap::default(),
            events: Vec::new(),
            places: vec![outside; 2],
            known_places: FxHashMap::default(),
        }
    }
}

impl Passages {
    /// Forgets all if there is little room for more: what takes the room may never come again.
    pub(super) fn make_room(&mut self) {
        if self.passages.len() > MOST / 2 || self.places.len() > MOST_PLACES / 2 {
            *self = Self::default();
        }
    }

    /// The passage that came last after this one, if it begins here, too.
    #[inline]
    pub(super) fn expected(&self, last: PassageId, rest: &[u8]) -> Option<(PassageId, &Passage)> {
        let next = self.passages.get(last as usize)?.next;
        let passage = self.passages.get(next as usize)?;
        passage.begins(rest).then_some((next, passage))
    }

    /// One that came after it before, if it begins here.
    pub(super) fn remembered(&mut self, last: PassageId, rest: &[u8]) -> Option<PassageId> {
        let others = self.passages.get(last as usize)?.others;
        let begins = |id: &PassageId| self.passages.get(*id as usize).is_some_and(|passage| passage.begins(rest));
        let found = others.iter().position(begins)?;
        let last = self.passages.get_mut(last as usize)?;
        std::mem::swap(&mut last.next, last.others.get_mut(found)?);
        Some(last.next)
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
        last: Option<PassageId>,
        from: PlaceId,
        written: &[u8],
        events: &[Event],
        ending: Ending,
    ) -> Option<PassageId> {
        let mut hasher = FxHasher::default();
        hasher.write_u32(from);
        hasher.write(written);
        let hash = hasher.finish();
        let id = match self.known.get(&hash) {
            // What only seems the same is not kept.
            Some(id) => *id,
            None if written.len() > LONGEST || events.len() > LONGEST || self.passages.len() >= MOST => return None,
            None => {
                let id = PassageId::try_from(self.passages.len()).ok()?;
                let begin = u32::try_from(self.events.len()).ok()?;
                self.events.extend_from_slice(events);
                let end = u32::try_from(self.events.len()).ok()?;
                self.passages.push(Passage::of(written, from, ending, (begin, end)));
                self.known.insert(hash, id);
                id
            }
        };
        self.passage(id).filter(|passage| passage.from == from && passage.is(written))?;
        if let Some(last) = last.and_then(|last| self.passages.get_mut(last as usize)) {
            last.others.rotate_right(1);
            if let Some(first) = last.others.first_mut() {
                *first = std::mem::replace(&mut last.next, id);
            }
        }
        Some(id)
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
