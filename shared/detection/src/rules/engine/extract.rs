//! The fast way to take the fields out of a record, for records as CloudTrail writes them. Knows nothing of rules.
//!
//! It takes a record only if `serde_json` would, and then what `serde_json` would: all of the record is looked at, what no rule
//! reads as well. On anything that it is not sure of it gives up, and the record is [parsed](super::parse): an escape in a member's
//! name, deep nesting, and whatever is no JSON. Whether a string with escapes or a number is one, `serde_json` is asked. Tests hold
//! both ways against each other.
//!
//! 64 bytes at a time become a bit mask of those at which a string may not just go on. So a string costs a few steps, however long
//! it is.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::Number;
use smallvec::SmallVec;

use super::{
    fields::{Fields, NOWHERE, OMITTED, ROOT, Slot},
    passages::{AFTER, BEFORE, Ending, Event, MOST_EVENTS, PassageId, Passages, PlaceId, START, Then},
    values::{Memory, Scalar, Values},
};
use crate::delivered_log::masks::{BLOCK, Masks, OverBlocks, backslashes, with_masks};

/// Objects and arrays within each other. CloudTrail's have a few, requests of Bedrock's about ten; `serde_json` takes 127.
const DEEPEST: usize = 32;

/// What the fields hold in a record; where it gives up, the memory again.
pub(super) fn extract<'de>(fields: &Fields, record: &'de [u8], mut memory: Memory) -> Result<Values<'de>, Memory> {
    let Ok(text) = simdutf8::basic::from_utf8(record) else { return Err(memory) };
    let mut passages = memory.passages.take().unwrap_or_default();
    passages.make_room();
    let mut values = Values::none(fields, memory);
    let stops = with_masks(Stops(record));
    let stops = bytemuck::cast_slice(&stops);
    let mut walk = Walk { fields, values: &mut values, passages: &mut passages, text, bytes: record, stops };
    let is_taken = walk.record().is_some();
    values.passages = Some(passages);
    if is_taken { Ok(values) } else { Err(values.into_memory()) }
}

/// Blocks of most records, which need no memory of their own: 4 KiB.
const OFTEN: usize = 64;

/// For each byte of a record a bit that says whether a string may end there, have an escape there, or be none because of it: the
/// first byte's is the lowest of the first byte. A word of zeros comes behind, so that a word can be read at each of them.
type Bits = SmallVec<[u64; OFTEN]>;

struct Stops<'a>(&'a [u8]);

impl OverBlocks for Stops<'_> {
    type Output = Bits;

    fn run(self, masks: impl Fn(&[u8; BLOCK]) -> Masks, _: impl Fn(u64) -> u64) -> Bits {
        let of_block = |block: &[u8; BLOCK]| {
            let masks = masks(block);
            let escapes = if masks.has_others { backslashes(block) } else { 0 };
            masks.quotes | masks.controls | escapes
        };
        let (blocks, rest) = self.0.as_chunks::<BLOCK>();
        let rest = u32::try_from(rest.len()).unwrap_or_default();
        let mut stops = Bits::from_elem(0, blocks.len() + 2);
        for (stop, block) in stops.iter_mut().zip(blocks) {
            *stop = of_block(block).to_le();
        }
        if let Some(stop) = stops.get_mut(blocks.len()) {
            *stop = match self.0.last_chunk() {
                // Of which the first bytes are in the block before.
                Some(last) => of_block(last).checked_shr(u64::BITS - rest).unwrap_or_default(),
                None => of_block(&padded(self.0)),
            };
            *stop = stop.to_le();
        }
        stops
    }
}

/// With blanks behind, which are no stops.
fn padded(short: &[u8]) -> [u8; BLOCK] {
    let mut padded = [b' '; BLOCK];
    padded.iter_mut().zip(short).for_each(|(to, byte)| *to = *byte);
    padded
}

/// Of one passage.
type Events = SmallVec<[Event; 8]>;

/// A walk over a record along the tree of fields. Every step answers `None` where it gives up.
struct Walk<'f, 'v, 'de> {
    fields: &'f Fields,
    values: &'v mut Values<'de>,
    passages: &'v mut Passages,
    text: &'de str,
    bytes: &'de [u8],
    stops: &'v [u8],
}

impl Walk<'_, '_, '_> {
    #[inline(never)]
    fn record(&mut self) -> Option<()> {
        let (mut at, mut last, mut place) = (0, START, BEFORE);
        loop {
            let rest = self.bytes.get(at..)?;
            let ending = match self.passages.expected(last, place, rest) {
                Some((id, passage)) => {
                    for event in self.passages.events(passage) {
                        self.values.happens(self.fields, *event);
                    }
                    (at, last) = (at + passage.length(), id);
                    passage.ending()
                }
                None => self.unexpected(&mut at, &mut last, place)?,
            };
            place = ending.place;
            match ending.then {
                Then::Text => at = self.string(at, ending.node)?,
                Then::Number => at = self.number(at, ending.node)?,
                Then::End => return Some(()),
            }
        }
    }

    /// A passage that did not come after the last one when that came last.
    #[inline(never)]
    fn unexpected(&mut self, at: &mut usize, last: &mut PassageId, place: PlaceId) -> Option<Ending> {
        let rest = self.bytes.get(*at..)?;
        if let Some(id) = self.passages.remembered(*last, place, rest) {
            let passage = self.passages.passage(id)?;
            for event in self.passages.events(passage) {
                self.values.happens(self.fields, *event);
            }
            (*at, *last) = (*at + passage.length(), id);
            return Some(passage.ending());
        }
        let (start, mut events) = (*at, Events::new());
        let ending = self.passage(at, place, &mut events)?;
        *last = self.passages.keep(*last, place, self.bytes.get(start..*at)?, &events, ending);
        Some(ending)
    }

    /// What stands between two texts, from this place on.
    fn passage(&mut self, at: &mut usize, mut place: PlaceId, events: &mut Events) -> Option<Ending> {
        let mut node = ROOT;
        if place != BEFORE {
            match self.goes_on(at, &mut place)? {
                Some(next) => node = next,
                None => return Some(Ending { then: Then::End, node: NOWHERE, place: AFTER }),
            }
        } else {
            place = AFTER;
        }
        loop {
            let first = self.peek(at)?;
            match first {
                b'"' => {
                    *at += 1;
                    return Some(Ending { then: Then::Text, node, place });
                }
                b'{' | b'[' => {
                    self.happens(events, Event::Opens(node));
                    *at += 1;
                    place = self.passages.place_in(place, node, first + 2)?;
                    let inside = self.passages.place(place)?;
                    if inside.depth > DEEPEST {
                        return None;
                    }
                    if self.peek(at)? != inside.end {
                        if first == b'{' {
                            node = self.member(at, node)?;
                        }
                        continue;
                    }
                }
                b't' => self.literal(at, "true", Event::Bool(node, true), events)?,
                b'f' => self.literal(at, "false", Event::Bool(node, false), events)?,
                b'n' => self.literal(at, "null", Event::Null(node), events)?,
                b'-' | b'0'..=b'9' => return Some(Ending { then: Then::Number, node, place }),
                _ => return None,
            }
            match self.goes_on(at, &mut place)? {
                Some(next) => node = next,
                None => return Some(Ending { then: Then::End, node: NOWHERE, place: AFTER }),
            }
        }
    }

    /// After a value, or in an empty object or array: the node of the next value, or none where the record ends.
    fn goes_on(&self, at: &mut usize, place: &mut PlaceId) -> Option<Option<Slot>> {
        while *place != AFTER {
            let open = self.passages.place(*place)?;
            let next = self.peek(at)?;
            *at += 1;
            if next == b',' {
                let node = if open.end == b'}' { self.member(at, open.node)? } else { open.node };
                return Some(Some(node));
            }
            if next != open.end {
                return None;
            }
            *place = open.above;
        }
        match self.peek(at) {
            None => Some(None),
            Some(_) => None,
        }
    }

    fn happens(&mut self, events: &mut Events, event: Event) {
        // Of a passage that has more of them nothing is kept.
        if self.values.happens(self.fields, event) && events.len() <= MOST_EVENTS {
            events.push(event);
        }
    }

    fn literal(&mut self, at: &mut usize, literal: &str, event: Event, events: &mut Events) -> Option<()> {
        if !self.bytes.get(*at..)?.starts_with(literal.as_bytes()) {
            return None;
        }
        *at += literal.len();
        self.happens(events, event);
        Some(())
    }

    /// A member's name and its colon: the node of its value.
    fn member(&self, at: &mut usize, above: Slot) -> Option<Slot> {
        if self.peek(at)? != b'"' {
            return None;
        }
        let start = *at + 1;
        let end = self.stop(start)?;
        *at = end + 1;
        if self.bytes.get(end) != Some(&b'"') || self.peek(at)? != b':' {
            return None;
        }
        *at += 1;
        let above = if above == ROOT { Some(self.fields.root()) } else { self.fields.node(above) };
        let Some(above) = above else { return Some(NOWHERE) };
        let name = self.bytes.get(start..end)?;
        // What it means depends on its value.
        if above.hideable && name == OMITTED.as_bytes() {
            return None;
        }
        Some(self.fields.child(above, name).map_or(NOWHERE, |node| node.slot))
    }

    /// The next byte that is no blank.
    fn peek(&self, at: &mut usize) -> Option<u8> {
        match *self.bytes.get(*at)? {
            byte if byte > b' ' => Some(byte),
            _ => {
                *at = self.after_blanks(*at);
                self.bytes.get(*at).copied()
            }
        }
    }

    #[cold]
    fn after_blanks(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
    }

    #[inline(never)]
    fn number(&mut self, at: usize, node: Slot) -> Option<usize> {
        let rest = self.text.get(at..)?;
        let belongs = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.bytes().take_while(belongs).count();
        let number: Number = serde_json::from_str(rest.get(..length)?).ok()?;
        if let Some(node) = self.fields.node(node) {
            self.values.holds(node, Scalar::Number(number));
        }
        Some(at + length)
    }

    /// A string from its first byte on: where it ends.
    #[inline]
    fn string(&mut self, start: usize, node: Slot) -> Option<usize> {
        let end = self.stop(start)?;
        if self.bytes.get(end) != Some(&b'"') {
            return self.string_with_escapes(start, end, node);
        }
        if let Some(node) = self.fields.node(node) {
            self.values.holds_text(node, self.text.get(start..end)?);
        }
        Some(end + 1)
    }

    /// The same, from its first stop on.
    #[inline(never)]
    fn string_with_escapes(&mut self, start: usize, mut end: usize, node: Slot) -> Option<usize> {
        let mut is_sure = true;
        loop {
            let stop = self.bytes.get(end..)?;
            end = match stop {
                [b'"', ..] => break,
                // What follows does not end it, whatever it is.
                [b'\\', escaped, ..] => {
                    is_sure &= matches!(escaped, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't');
                    self.stop(end + 2)?
                }
                _ => return None,
            };
        }
        let written = self.text.get(start - 1..=end)?;
        if node != NOWHERE {
            let text = serde_json::from_str(written).ok()?;
            if let Some(node) = self.fields.node(node) {
                self.values.holds(node, Scalar::Text(Cow::Owned(text)));
            }
        } else if !is_sure {
            serde_json::from_str::<IgnoredAny>(written).ok()?;
        }
        Some(end + 1)
    }

    /// The next stop from here on.
    #[inline]
    fn stop(&self, mut from: usize) -> Option<usize> {
        loop {
            // Eight bytes of them at once, wherever they begin.
            let stops = u64::from_le_bytes(*self.stops.get(from / 8..)?.first_chunk()?) >> (from % 8);
            if stops != 0 {
                return Some(from + stops.trailing_zeros() as usize);
            }
            // To where the next eight bytes begin.
            from += 64 - from % 8;
        }
    }
}

#[cfg(test)]
mod tests;
