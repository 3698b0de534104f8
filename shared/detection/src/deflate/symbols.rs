//! What a block is made of: literals, and matches with text before them. Nearly all of it has enough input ahead and enough room
//! behind, and is unpacked without a look at either for each symbol; only the end of a piece is not.

use super::{
    Deflate, Fault, Stop,
    bits::WORD,
    window::{self, ROOM, Window},
};

/// So many entries with literals are taken before bits are refilled: 44 bits. One less leaves enough for a length: 33 and 20, of 56.
const LITERALS: usize = 4;
/// So often in a turn, if there is nothing but literals.
const REFILLS: usize = 2;
/// So much input must be ahead of a turn, which refills twice more where the literals are followed by a match.
const AHEAD: usize = (REFILLS + 2) * WORD;
/// A block of less packed bytes is not worth that its literals are paired: a file could be made of nothing else.
const SHORT_BLOCK: usize = 512;

const NO_LITERAL_OR_LENGTH: Fault = "bits that are no literal and no length";
const NO_DISTANCE: Fault = "bits that are no distance";
const TOO_FAR: Fault = "a distance to before the beginning";

impl Deflate {
    /// Goes on until the block ends (and answers nothing), or the input, or the room.
    pub(super) fn symbols(&mut self, input: &mut &[u8], window: &mut Window) -> Result<Option<Stop>, Fault> {
        if !self.codes.are_paired
            && let Some((mut start, rest)) = input.split_at_checked(SHORT_BLOCK)
        {
            let has_ended = self.most_symbols(&mut start, window)?;
            *input = input.get(input.len() - rest.len() - start.len()..).unwrap_or_default();
            if has_ended {
                return Ok(None);
            }
            self.codes.pair();
        }
        if self.most_symbols(input, window)? {
            return Ok(None);
        }
        loop {
            if window.is_full() {
                return Ok(Some(Stop::Room));
            }
            self.bits.refill(input);
            let mut entry = self.codes.literals.entry(self.bits.word());
            if entry.used() > self.bits.count() && entry.literal_count() == 2 && entry.is_literal() {
                entry = self.codes.literals.alone(self.bits.word());
            }
            if entry.used() > self.bits.count() {
                return Ok(Some(Stop::Input));
            }
            if entry.is_literal() {
                self.bits.use_up(entry);
                window.append(entry.literals().get(..entry.literal_count()).unwrap_or_default());
                continue;
            }
            if entry.is_end() {
                self.bits.use_up(entry);
                return Ok(None);
            }
            if entry.is_exceptional() {
                return Err(NO_LITERAL_OR_LENGTH);
            }
            let behind = self.bits.word() >> entry.used();
            let next = self.codes.distances.entry(behind);
            if entry.used() + next.used() > self.bits.count() {
                return Ok(Some(Stop::Input));
            }
            if next.is_exceptional() {
                return Err(NO_DISTANCE);
            }
            let (length, distance) = (entry.number(self.bits.word()), next.number(behind));
            window.repeat(distance, length).ok_or(TOO_FAR)?;
            self.bits.use_up(entry);
            self.bits.use_up(next);
        }
    }

    /// As long as input and room are enough for whatever may come. Whether the block has ended.
    ///
    /// The order of what is done here is its speed. What the next bits mean is looked up before a match is copied, so that the one
    /// need not wait for the other.
    fn most_symbols(&mut self, input: &mut &[u8], window: &mut Window) -> Result<bool, Fault> {
        let codes = &*self.codes;
        let (bytes, written) = window.parts();
        let (mut bits, mut rest, mut at) = (self.bits, *input, *written);
        let Some(ahead) = rest.first_chunk() else { return Ok(false) };
        rest = behind(rest, bits.refill_from(*ahead));
        let mut entry = codes.literals.short(bits.word());
        let outcome = loop {
            let Some(ahead) = rest.first_chunk::<AHEAD>() else { break Ok(false) };
            let Some(room) = bytes.get_mut(at..).and_then(|bytes| bytes.first_chunk_mut::<ROOM>()) else {
                break Ok(false);
            };
            let (mut taken, mut made) = (0, 0);
            // 56 bits or more.
            'literals: for _ in 0..REFILLS {
                for _ in 0..LITERALS {
                    if !entry.is_literal() {
                        break 'literals;
                    }
                    bits.use_up(entry);
                    put(room, made, entry.literals());
                    made += entry.literal_count();
                    entry = codes.literals.short(bits.word());
                }
                taken += bits.refill_from(word(ahead, taken));
                entry = codes.literals.short(bits.word());
            }
            at += made;
            if entry.is_literal() {
                rest = behind(rest, taken);
                continue;
            }
            if entry.is_exceptional() {
                if entry.is_long() {
                    entry = codes.literals.long(bits.word());
                }
                if entry.is_literal() {
                    bits.use_up(entry);
                    put(room, made, entry.literals());
                    at += 1;
                    taken += bits.refill_from(word(ahead, taken));
                    rest = behind(rest, taken);
                    entry = codes.literals.short(bits.word());
                    continue;
                }
                if entry.is_end() {
                    bits.use_up(entry);
                    rest = behind(rest, taken);
                    break Ok(true);
                }
                if entry.is_exceptional() {
                    break Err(NO_LITERAL_OR_LENGTH);
                }
            }
            let length = entry.number(bits.word());
            bits.use_up(entry);
            if !bits.hold_a_distance() {
                taken += bits.refill_from(word(ahead, taken));
            }
            entry = codes.distances.short(bits.word());
            if entry.is_exceptional() {
                if entry.is_long() {
                    entry = codes.distances.long(bits.word());
                }
                if entry.is_exceptional() {
                    break Err(NO_DISTANCE);
                }
            }
            let distance = entry.number(bits.word());
            bits.use_up(entry);
            taken += bits.refill_from(word(ahead, taken));
            rest = behind(rest, taken);
            entry = codes.literals.short(bits.word());
            let Some(end) = window::repeat(bytes, at, distance, length) else { break Err(TOO_FAR) };
            at = end;
        };
        self.bits = bits;
        *input = rest;
        *written = at;
        outcome
    }
}

/// What follows so many bytes.
#[inline]
fn behind(rest: &[u8], taken: usize) -> &[u8] {
    rest.get(taken..).unwrap_or_default()
}

/// The eight bytes from there on.
#[inline]
fn word(ahead: &[u8; AHEAD], at: usize) -> [u8; WORD] {
    ahead.get(at..).and_then(|ahead| ahead.first_chunk().copied()).unwrap_or_default()
}

/// Two bytes, of which the second may be overwritten by what follows.
#[inline]
fn put(room: &mut [u8; ROOM], at: usize, literals: [u8; 2]) {
    if let Some(place) = room.get_mut(at..).and_then(|room| room.first_chunk_mut()) {
        *place = literals;
    }
}
