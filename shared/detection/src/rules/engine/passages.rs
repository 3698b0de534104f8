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

/// What is known, and can be forgotten at any time.
#[derive(Debug)]
pub(super) struct Passages {
    passages: Vec<Passage>,
    /// More of each.
    more: Vec<More>,
    /// How many more may be kept.
    room: usize,
    known: FxHashMap<u64, PassageId>,
    /// The bytes of all.
    written: Vec<u8>,
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

/// What is known of a passage, as far as it is looked at for each record: a line of the processor's cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Passage {
    /// Its first bytes.
    head: [u8; PART],
    /// A bit for each byte that its head lacks.
    lacks: u32,
    length: u16,
    then: Then,
    /// How many events it has, and where they begin.
    events: u8,
    first_event: u32,
    /// The place where it begins.
    from: PlaceId,
    /// What came after it last. Before anything has, the start, which begins nowhere.
    next: PassageId,
    node: u32,
    place: PlaceId,
}

/// What is known of it besides: the next line.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct More {
    /// The bytes after its head, and a bit for each that these lack.
    second: [u8; PART],
    lacks: u32,
    /// Where all its bytes are.
    written: u32,
    /// What came after it before the last one did.
    others: [PassageId; 5],
}

/// The first bytes of a passage or of what is left of it, and a bit for each byte that is not there.
fn part(written: &[u8]) -> ([u8; PART], u32) {
    let mut part = [0; PART];
    part.iter_mut().zip(written).for_each(|(to, byte)| *to = *byte);
    let length = u32::try_from(written.len()).unwrap_or(u32::MAX);
    (part, u32::MAX.checked_shl(length).unwrap_or_default())
}

impl Passage {
    fn of(written: &[u8], from: PlaceId, ending: Ending) -> Option<Self> {
        let ((head, lacks), length) = (part(written), u16::try_from(written.len()).ok()?);
        let Ending { then, node, place } = ending;
        let node = u32::try_from(node).ok()?;
        Some(Self { head, lacks, length, then, events: 0, first_event: 0, from, next: START, node, place })
    }

    pub(super) fn length(&self) -> usize {
        self.length.into()
    }

    pub(super) fn ending(&self) -> Ending {
        Ending { then: self.then, node: self.node as Slot, place: self.place }
    }
}

impl More {
    fn of(written: &[u8], at: u32) -> Self {
        let (second, lacks) = part(written.get(PART..).unwrap_or_default());
        Self { second, lacks, written: at, others: [START; 5] }
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
        let nothing = Passage::of(&[], PlaceId::MAX, ending);
        Self {
            passages: nothing.into_iter().cycle().take(BEGUN).collect(),
            more: vec![More::of(&[], 0); BEGUN],
            room: MOST_EVER,
            known: FxHashMap::default(),
            written: Vec::new(),
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
        *self = Self { room: self.room, ..Self::default() };
    }

    /// The passage that came last after this one, if it begins here, too.
    #[inline]
    pub(super) fn expected(&self, last: PassageId, place: PlaceId, rest: &[u8]) -> Option<(PassageId, &Passage)> {
        let next = self.passage(last)?.next;
        self.begins(next, place, rest).map(|passage| (next, passage))
    }

    /// One that came after it before, if it begins here.
    pub(super) fn remembered(&mut self, last: PassageId, place: PlaceId, rest: &[u8]) -> Option<PassageId> {
        let others = self.more.get(last as usize)?.others;
        let found = others.iter().position(|id| self.begins(*id, place, rest).is_some())?;
        let next = &mut self.passages.get_mut(last as usize)?.next;
        mem::swap(next, self.more.get_mut(last as usize)?.others.get_mut(found)?);
        Some(*next)
    }

    /// A passage, if the rest of a record, from this place on, begins with it. Only one can.
    #[inline]
    fn begins(&self, id: PassageId, place: PlaceId, rest: &[u8]) -> Option<&Passage> {
        let passage = self.passage(id)?;
        if passage.from != place {
            return None;
        }
        let Some(first) = rest.first_chunk() else { return self.begins_slowly(id, rest) };
        if same(first, &passage.head) | passage.lacks != u32::MAX {
            return None;
        }
        if passage.length() > PART {
            let more = self.more.get(id as usize)?;
            let Some(second) = rest.get(PART..)?.first_chunk() else { return self.begins_slowly(id, rest) };
            if same(second, &more.second) | more.lacks != u32::MAX {
                return None;
            }
        }
        if passage.length() > 2 * PART || passage.then != Then::Text {
            return self.begins_slowly(id, rest);
        }
        Some(passage)
    }

    #[inline(never)]
    fn begins_slowly(&self, id: PassageId, rest: &[u8]) -> Option<&Passage> {
        let passage = self.passage(id)?;
        let goes_on = match passage.then {
            Then::Text => true,
            Then::Number => matches!(rest.get(passage.length()), Some(b'-' | b'0'..=b'9')),
            Then::End => rest.len() == passage.length(),
        };
        (goes_on && rest.starts_with(self.written(id)?)).then_some(passage)
    }

    /// The bytes of a passage.
    fn written(&self, id: PassageId) -> Option<&[u8]> {
        self.written.get(self.more.get(id as usize)?.written as usize..)?.get(..self.passage(id)?.length())
    }

    #[inline]
    pub(super) fn passage(&self, id: PassageId) -> Option<&Passage> {
        self.passages.get(id as usize)
    }

    /// What it says of fields.
    #[inline]
    pub(super) fn events(&self, passage: &Passage) -> &[Event] {
        // As nearly always.
        if passage.events == 0 {
            return &[];
        }
        let events = self.events.get(passage.first_event as usize..).unwrap_or_default();
        events.get(..passage.events.into()).unwrap_or_default()
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
        if self.written(id) != Some(written) || self.passage(id).is_none_or(|passage| passage.from != from) {
            return STRAY;
        }
        if let (Some(passage), Some(more)) = (self.passages.get_mut(last as usize), self.more.get_mut(last as usize)) {
            more.others.rotate_right(1);
            if let Some(first) = more.others.first_mut() {
                *first = mem::replace(&mut passage.next, id);
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
        let (at, first_event) = (u32::try_from(self.written.len()).ok()?, u32::try_from(self.events.len()).ok()?);
        let of_events = u8::try_from(events.len()).ok()?;
        self.passages.push(Passage { events: of_events, first_event, ..Passage::of(written, from, ending)? });
        self.more.push(More::of(written, at));
        self.written.extend_from_slice(written);
        self.events.extend_from_slice(events);
        self.known.insert(hash, id);
        Some(id)
    }

    /// Whether it keeps within its bounds.
    #[cfg(test)]
    pub(super) fn is_small(&self) -> bool {
        self.passages.len() <= MOST
            && self.known.len() <= MOST
            && self.written.len() <= MOST * LONGEST
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
