//! Finds where a record ends and, on the way, the two names that decide which rules could want it. Knows nothing of rules.
//!
//! 64 bytes at a time become bit masks, one bit a byte: quotes, backslashes, opening and closing braces and brackets. What
//! stands inside strings is masked out, so nothing in a string or in a nested object is ever taken for a record's own. Names
//! of the record's own members are compared, where they have one of a few letters at the right place; all else is passed over.

use memchr::memchr2;
use wide::u8x16;

use super::masks::{self, BLOCK, Masks, OverBlocks, with_masks};

/// The two names, where a record states each exactly once, in ASCII and without escapes, among its own members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// `eventSource`, as it is written. Bytes, because nearly no record's names are ever read as text.
    pub event_source: &'a [u8],
    /// `eventName`, as it is written.
    pub event_name: &'a [u8],
    /// The bytes of `userIdentity`; all of them and what is between, if it is there twice. Empty if it is nowhere, or neither an
    /// object nor an array.
    pub identity: &'a [u8],
    /// Something in the record may be written with escapes, or beyond ASCII.
    pub has_others: bool,
}

impl<'a> Names<'a> {
    /// `eventSource` and `eventName` as texts.
    #[must_use]
    pub fn texts(&self) -> (&'a str, &'a str) {
        let text = |name| std::str::from_utf8(name).unwrap_or_default();
        (text(self.event_source), text(self.event_name))
    }
}

/// What a walk over a record found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Walked<'a> {
    /// How many bytes the record has.
    pub(super) length: usize,
    /// `None` says nothing about the record but that it must be looked at more closely: a name is missing, is no text, is there
    /// twice, or is written with escapes.
    pub(super) names: Option<Names<'a>>,
}

/// Walks over the object that `bytes` begin with. `None` if it is no object, or does not end within them.
///
/// The end is the one that [`ValueScan`] finds, for any bytes at all: records must not depend on where a piece ends. That a
/// record is JSON apart from its strings, braces and brackets is not checked here.
pub(super) fn walk(bytes: &[u8]) -> Option<Walked<'_>> {
    if bytes.first() != Some(&b'{') {
        return None;
    }
    with_masks(Record(bytes))
}

struct Record<'a>(&'a [u8]);

impl<'a> OverBlocks for Record<'a> {
    type Output = Option<Walked<'a>>;

    #[inline(always)]
    fn run(self, masks: impl Fn(&[u8; BLOCK]) -> Masks, parities: impl Fn(u64) -> u64) -> Self::Output {
        let Self(bytes) = self;
        let mut walk = Walk::new(bytes);
        let mut strings = Strings::default();
        // Behind the first brace.
        let (mut depth, mut start) = (1, 1);
        let (blocks, rest) = bytes.get(start..)?.as_chunks::<BLOCK>();
        for block in blocks {
            let found = strings.find(block, masks(block), &parities);
            if let Some(length) = walk.block(&mut depth, start, &found) {
                return Some(walk.finish(length, strings.others));
            }
            start += BLOCK;
        }
        // Blanks are nothing to any of the masks.
        let mut last = [b' '; BLOCK];
        last.get_mut(..rest.len())?.copy_from_slice(rest);
        let found = strings.find(&last, masks(&last), &parities);
        let length = walk.block(&mut depth, start, &found)?;
        Some(walk.finish(length, strings.others))
    }
}

/// What a walk looks at in a block, one bit a byte.
struct Found {
    /// Braces and brackets outside of strings.
    opens: u64,
    closes: u64,
    /// Letters of strings that may be one of the names looked for.
    names: u64,
    /// Backslashes inside of strings.
    escapes: u64,
}

/// The place of a letter by which few strings are taken for one of the names, counted from their quote: the `S` of `eventSource`,
/// the `N` of `eventName`, the `d` of `userIdentity`.
const LETTER: usize = 6;
/// What they begin with, compared as numbers.
const EVENT_SOURCE: u64 = u64::from_le_bytes(*b"\"eventSo");
const EVENT_NAME: u64 = u64::from_le_bytes(*b"\"eventNa");
const USER_IDENTITY: u64 = u64::from_le_bytes(*b"\"userIde");

/// What one block leaves to the next.
#[derive(Default)]
struct Strings {
    /// All ones inside a string.
    inside: u64,
    /// The next byte's meaning is taken away.
    escaped: bool,
    /// A backslash was seen, or a byte that is not ASCII.
    others: bool,
    /// Where in the next block strings have their letter that began in this one.
    letters: u64,
}

impl Strings {
    #[inline(always)]
    fn find(&mut self, block: &[u8; BLOCK], is: Masks, parities: impl Fn(u64) -> u64) -> Found {
        let (mut ends, mut escapes) = (is.quotes, 0);
        if is.has_others || self.escaped {
            self.others = true;
            let backslashes = masks::backslashes(block);
            let (escaped, is_next_escaped) = escaped(backslashes, self.escaped);
            ends &= !escaped;
            escapes = backslashes & (parities(ends) ^ self.inside);
            if escapes == backslashes {
                self.escaped = is_next_escaped;
            } else {
                (ends, self.escaped) = one_by_one(is.quotes, backslashes, self.inside != 0, self.escaped);
                escapes = backslashes & (parities(ends) ^ self.inside);
            }
        }
        // Inside, the opening quotes among them, are those with an odd number of ends up to them.
        let inside = parities(ends) ^ self.inside;
        self.inside = if inside >> (BLOCK - 1) == 1 { u64::MAX } else { 0 };
        let opening = ends & inside;
        let letters = opening << LETTER | self.letters;
        self.letters = opening >> (BLOCK - LETTER);
        Found { opens: is.opens & !inside, closes: is.closes & !inside, names: is.letters & letters, escapes }
    }
}

/// The bytes whose meaning a backslash takes away, and whether the next block's first byte is one: of backslashes in a row, every
/// other one escapes what follows. Right where all of them are inside of strings, as they are in JSON.
#[inline(always)]
fn escaped(backslashes: u64, is_first_escaped: bool) -> (u64, bool) {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let first = u64::from(is_first_escaped);
    let backslashes = backslashes & !first;
    let followers = backslashes << 1 | first;
    // Where a row begins at an odd place, adding it to itself carries a bit to its end.
    let odd_rows = backslashes & !EVEN & !followers;
    let (sums, is_next_escaped) = odd_rows.overflowing_add(backslashes);
    ((EVEN ^ sums << 1) & followers, is_next_escaped)
}

/// The quotes that begin or end a string, and whether the next block's first byte is escaped. An escape counts inside
/// of strings alone.
#[cold]
#[inline(never)]
fn one_by_one(quotes: u64, backslashes: u64, mut inside: bool, escaped: bool) -> (u64, bool) {
    let mut ends = 0;
    let mut escaped = escaped.then_some(1);
    let mut left = quotes | backslashes;
    let mut is_next_escaped = false;
    while left != 0 {
        let bit = lowest(left);
        left ^= bit;
        if escaped == Some(bit) {
            continue;
        }
        if quotes & bit != 0 {
            ends |= bit;
            inside = !inside;
        } else if inside {
            // Past the last bit, it is the next block's first byte that is escaped.
            escaped = bit.checked_mul(2);
            is_next_escaped = escaped.is_none();
        }
    }
    (ends, is_next_escaped)
}

/// What is known of one of the two names.
#[derive(Clone, Copy)]
enum Name {
    Missing,
    /// Its value begins here.
    At(usize),
    /// It is there twice, or something that may be one.
    Odd,
}

impl Name {
    /// A member with this name has its value here, if there is one.
    #[inline(always)]
    fn seen(self, value: Option<usize>) -> Self {
        match (self, value) {
            (Self::Missing, Some(value)) => Self::At(value),
            (_, Some(_)) => Self::Odd,
            (_, None) => self,
        }
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    /// The strings before this place have been looked at for escapes.
    checked: usize,
    /// Where `userIdentity` begins and ends.
    identity: Option<(usize, usize)>,
    in_identity: bool,
    source: Name,
    name: Name,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, checked: 0, identity: None, in_identity: false, source: Name::Missing, name: Name::Missing }
    }

    /// Takes the next block, which begins at `start`. The record's length if it ends here.
    ///
    /// What a branch decides, the processor guesses, and waits long where it guessed wrong. So this asks for what happens to the
    /// depth in a whole block, and looks at single braces only where they may lead back to the record's own members.
    #[inline(always)]
    fn block(&mut self, depth: &mut u64, start: usize, found: &Found) -> Option<usize> {
        let closed = u64::from(found.closes.count_ones());
        if found.escapes != 0 {
            if *depth > closed + 1 {
                *depth = *depth + u64::from(found.opens.count_ones()) - closed;
                return None;
            }
            let end;
            (*depth, end) = self.in_order(*depth, start, found.opens, found.closes, found.names, found.escapes);
            return (*depth == 0).then_some(end);
        }
        let (mut opens, mut closes, mut names) = (found.opens, found.closes, found.names);
        loop {
            if *depth == 1 {
                let brace = lowest(opens | closes);
                // All of them, where there is no brace.
                let mut own = names & brace.wrapping_sub(1);
                while own != 0 {
                    self.member(start + own.trailing_zeros() as usize);
                    own &= own - 1;
                }
                if brace == 0 {
                    return None;
                }
                if closes & brace != 0 {
                    return Some(start + brace.trailing_zeros() as usize + 1);
                }
                *depth = 2;
                opens ^= brace;
            }
            let closed = u64::from(closes.count_ones());
            if *depth > closed + 1 {
                *depth = *depth + u64::from(opens.count_ones()) - closed;
                return None;
            }
            while *depth != 1 {
                let close = lowest(closes);
                let opened = opens & close.wrapping_sub(1);
                *depth += u64::from(opened.count_ones());
                if close == 0 {
                    return None;
                }
                *depth -= 1;
                opens ^= opened;
                closes ^= close;
                if *depth == 1 {
                    names &= behind(close);
                    self.leave(start + close.trailing_zeros() as usize);
                }
            }
        }
    }

    /// The same for any block, one thing after the other: the depth behind it, and where the record ends if that is zero.
    #[cold]
    #[inline(never)]
    fn in_order(
        &mut self,
        mut depth: u64,
        start: usize,
        opens: u64,
        closes: u64,
        names: u64,
        escapes: u64,
    ) -> (u64, usize) {
        let braces = opens | closes;
        // What counts among the record's own members alone: what may be one of the names, and what may hide one.
        let own = names | escapes;
        let mut left = if depth == 1 { braces | own } else { braces };
        while left != 0 {
            let bit = lowest(left);
            let at = start + bit.trailing_zeros() as usize;
            if names & bit != 0 {
                self.member(at);
            } else if escapes & bit != 0 {
                self.escape(at);
            } else if opens & bit != 0 {
                depth += 1;
            } else {
                depth -= 1;
                if depth == 1 {
                    self.leave(at);
                }
            }
            match depth {
                0 => return (0, at + 1),
                1 => left = (braces | own) & behind(bit),
                _ => left = braces & behind(bit),
            }
        }
        (depth, 0)
    }

    /// A member of the record that has members of its own ends.
    #[inline(always)]
    fn leave(&mut self, at: usize) {
        if self.in_identity {
            self.in_identity = false;
            if let Some((_, end)) = &mut self.identity {
                *end = at;
            }
        }
    }

    /// A string of the record's own members has its letter here.
    #[inline(always)]
    fn member(&mut self, letter: usize) {
        let at = letter - LETTER;
        let Some(beginning) = self.bytes.get(at..).and_then(<[u8]>::first_chunk) else { return };
        let beginning = u64::from_le_bytes(*beginning);
        if beginning == EVENT_SOURCE || beginning == EVENT_NAME || beginning == USER_IDENTITY {
            self.known_member(at, beginning);
        }
    }

    /// It begins like one of the names looked for. Not part of the loop over blocks, which would be the slower for it.
    #[inline(never)]
    fn known_member(&mut self, at: usize, beginning: u64) {
        match beginning {
            EVENT_SOURCE => self.source = self.source.seen(value_of(self.bytes, at, b"\"eventSource\"")),
            EVENT_NAME => self.name = self.name.seen(value_of(self.bytes, at, b"\"eventName\"")),
            _ => {
                if let Some(value) = value_of(self.bytes, at, b"\"userIdentity\"")
                    && matches!(self.bytes.get(value), Some(b'{' | b'['))
                {
                    self.in_identity = true;
                    self.identity.get_or_insert((value, value));
                }
            }
        }
    }

    /// A string of the record's own members is written with escapes: if it is a member's name, it may be one of the two.
    fn escape(&mut self, at: usize) {
        if at < self.checked {
            return;
        }
        let mut end = at;
        while let Some(next) = self.bytes.get(end..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
            end += next;
            if self.bytes.get(end) == Some(&b'"') {
                self.checked = end;
                if value_after(self.bytes, end).is_some() {
                    (self.source, self.name) = (Name::Odd, Name::Odd);
                }
                return;
            }
            end += 2;
        }
        // It does not end here. Without this, each of its escapes would be looked through to the end of the piece.
        self.checked = self.bytes.len();
    }

    #[inline(always)]
    fn finish(self, length: usize, has_others: bool) -> Walked<'a> {
        let text = |name| match name {
            Name::At(value) => plain_text(self.bytes.get(value..)?.strip_prefix(b"\"")?),
            _ => None,
        };
        let names = match (text(self.source), text(self.name)) {
            // An object that a bracket ends is none.
            (Some(event_source), Some(event_name)) if self.bytes.get(length - 1) == Some(&b'}') => {
                let identity = self.identity.and_then(|(start, end)| self.bytes.get(start..end)).unwrap_or_default();
                Some(Names { event_source, event_name, identity, has_others })
            }
            _ => None,
        };
        Walked { length, names }
    }
}

/// The lowest of some bits alone.
#[inline(always)]
fn lowest(bits: u64) -> u64 {
    bits & bits.wrapping_neg()
}

/// All bits above this one.
#[inline(always)]
fn behind(bit: u64) -> u64 {
    !(bit | (bit - 1))
}

/// Where the value of a member with this name begins, if that is what stands here. The same text as a value is followed by no
/// colon.
#[inline(always)]
fn value_of(bytes: &[u8], at: usize, name: &[u8]) -> Option<usize> {
    let behind = bytes.get(at..)?.strip_prefix(name)?;
    let behind_name = at + name.len();
    match behind {
        // As CloudTrail writes it.
        [b':', b'"' | b'{', ..] => Some(behind_name + 1),
        _ => value_after(bytes, behind_name - 1),
    }
}

/// Where a member's value begins, if the string with its last quote here is a member's name.
fn value_after(bytes: &[u8], closed: usize) -> Option<usize> {
    let colon = after_blanks(bytes, closed + 1)?;
    if bytes.get(colon) == Some(&b':') { after_blanks(bytes, colon + 1) } else { None }
}

fn after_blanks(bytes: &[u8], at: usize) -> Option<usize> {
    let blanks = bytes.get(at..)?.iter().take_while(|byte| is_blank(**byte)).count();
    Some(at + blanks)
}

/// The text up to its last quote, if it is ASCII without escapes.
#[inline(always)]
fn plain_text(text: &[u8]) -> Option<&[u8]> {
    let (parts, _) = text.as_chunks::<16>();
    for (number, part) in parts.iter().enumerate() {
        let part = u8x16::new(*part);
        // What is not of ASCII has its highest bit set, and that is what the mask is made of.
        let ends = (part.simd_eq(u8x16::splat(b'"')) | part.simd_eq(u8x16::splat(b'\\')) | part).to_bitmask();
        if ends != 0 {
            let end = 16 * number + ends.trailing_zeros() as usize;
            return text.get(..end).filter(|_| text.get(end) == Some(&b'"'));
        }
    }
    let end = memchr2(b'"', b'\\', text)?;
    let (text, end) = text.split_at_checked(end)?;
    (end.starts_with(b"\"") && text.is_ascii()).then_some(text)
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Finds the end of one JSON value that arrives in pieces.
#[derive(Debug, Default)]
pub(super) struct ValueScan {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl ValueScan {
    /// The length of what belongs to the value, once its end has been seen.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.escaped {
                self.escaped = false;
                at += 1;
            } else if self.in_string {
                at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
                self.escaped = bytes.get(at) == Some(&b'\\');
                self.in_string = self.escaped;
                at += 1;
                if !self.in_string && self.depth == 0 {
                    return Some(at);
                }
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' if self.depth <= 1 => return Some(at + usize::from(self.depth == 1)),
                    b'}' | b']' => self.depth -= 1,
                    // A number or a literal ends where something else begins.
                    b',' | b' ' | b'\t' | b'\n' | b'\r' if self.depth == 0 => return Some(at),
                    _ => {}
                }
                at += 1;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
