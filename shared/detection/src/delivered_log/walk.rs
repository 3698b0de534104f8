//! Finds where a record ends and, on the way, the two names that decide which rules could want it. Knows nothing of rules.
//!
//! 64 bytes at a time become bit masks, one bit a byte: quotes, backslashes, opening and closing braces and brackets. What
//! stands inside strings is masked out, so nothing in a string or in a nested object is ever taken for a record's own. Names
//! of the record's own members are compared; all else is passed over.

use memchr::memchr2;

use super::masks::{BLOCK, Masks, OverBlocks, with_masks};

/// The two names, where a record states each exactly once, in ASCII and without escapes, among its own members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// `eventSource`, as it is written.
    pub event_source: &'a str,
    /// `eventName`, as it is written.
    pub event_name: &'a str,
    /// The bytes of `userIdentity`; all of them and what is between, if it is there twice. Empty if it is nowhere, or neither an
    /// object nor an array.
    pub identity: &'a [u8],
    /// Something in the record may be written with escapes.
    pub has_escapes: bool,
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
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let mut start = 0;
        for block in blocks {
            let masks = masks(block);
            let ends = strings.ends(&masks);
            let inside = strings.contents(parities(ends));
            if let Some(length) = walk.block(start, &masks, ends, inside, &mut strings) {
                return Some(walk.finish(length));
            }
            start += BLOCK;
        }
        // Blanks are nothing to any of the masks.
        let mut last = [b' '; BLOCK];
        last.get_mut(..rest.len())?.copy_from_slice(rest);
        let masks = masks(&last);
        let ends = strings.ends(&masks);
        let inside = strings.contents(parities(ends));
        let length = walk.block(start, &masks, ends, inside, &mut strings)?;
        Some(walk.finish(length))
    }
}

/// The bit in which a bracket differs from a brace.
const BRACKET: u8 = b'{' ^ b'[';

/// What one block leaves to the next.
#[derive(Default)]
struct Strings {
    /// All ones inside a string.
    inside: u64,
    /// The next byte's meaning is taken away.
    escaped: bool,
    /// One if the next byte is the first of a string.
    opened: u64,
}

impl Strings {
    /// The quotes that begin or end a string. An escape counts inside of strings alone.
    #[inline(always)]
    fn ends(&mut self, masks: &Masks) -> u64 {
        if masks.backslashes == 0 && !self.escaped {
            return masks.quotes;
        }
        self.unescaped(masks)
    }

    fn unescaped(&mut self, masks: &Masks) -> u64 {
        let mut ends = 0;
        let mut inside = self.inside != 0;
        let mut escaped = self.escaped.then_some(1);
        self.escaped = false;
        let mut left = masks.quotes | masks.backslashes;
        while left != 0 {
            let bit = left & left.wrapping_neg();
            left ^= bit;
            if escaped == Some(bit) {
                continue;
            }
            if masks.quotes & bit != 0 {
                ends |= bit;
                inside = !inside;
            } else if inside {
                // Past the last bit, it is the next block's first byte that is escaped.
                escaped = bit.checked_mul(2);
                self.escaped = escaped.is_none();
            }
        }
        ends
    }

    /// Which bytes are inside of strings, the opening quotes among them: those with an odd number of ends up to them.
    #[inline(always)]
    fn contents(&mut self, parities: u64) -> u64 {
        let inside = parities ^ self.inside;
        self.inside = if inside >> (BLOCK - 1) == 1 { u64::MAX } else { 0 };
        inside
    }

    /// The first bytes of all strings.
    #[inline(always)]
    fn first_bytes(&mut self, opening: u64) -> u64 {
        let first = opening << 1 | self.opened;
        self.opened = opening >> (BLOCK - 1);
        first
    }
}

/// What is known of one of the two names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name<'a> {
    Missing,
    Text(&'a [u8]),
    /// It is there twice, or is no plain text.
    Odd,
}

struct Walk<'a> {
    bytes: &'a [u8],
    depth: u64,
    /// A backslash was seen.
    escapes: bool,
    /// The strings before this place have been looked at for escapes.
    checked: usize,
    /// Where `userIdentity` begins and ends.
    identity: Option<(usize, usize)>,
    in_identity: bool,
    source: Name<'a>,
    name: Name<'a>,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            depth: 0,
            escapes: false,
            checked: 0,
            identity: None,
            in_identity: false,
            source: Name::Missing,
            name: Name::Missing,
        }
    }

    /// Takes the next block, which begins at `start`. The record's length if it ends here.
    #[inline(always)]
    fn block(&mut self, start: usize, masks: &Masks, ends: u64, inside: u64, strings: &mut Strings) -> Option<usize> {
        self.escapes |= masks.backslashes != 0;
        let first_bytes = strings.first_bytes(ends & inside);
        let braces = masks.braces & !inside;
        if self.depth > 1 && braces == 0 {
            return None;
        }
        // What may begin one of the two names, and what may hide one.
        let own = first_bytes & masks.es | masks.backslashes & inside;
        let mut found = if self.depth == 1 { braces | own } else { braces };
        while found != 0 {
            let bit = found & found.wrapping_neg();
            let at = start + bit.trailing_zeros() as usize;
            if braces & bit == 0 {
                found ^= bit;
                if masks.es & bit == 0 {
                    self.escape(at)
                } else {
                    self.member(at)
                }
                continue;
            }
            // Only now is it known which one it is, and that it is one at all.
            match self.bytes.get(at).map(|brace| brace | BRACKET) {
                Some(b'{') => {
                    self.depth += 1;
                    if self.depth == 2 {
                        self.enter(at);
                    }
                }
                Some(b'}') => {
                    self.depth -= 1;
                    if self.depth == 1 && self.in_identity {
                        self.leave(at);
                    }
                }
                _ => {}
            }
            match self.depth {
                0 => return Some(at + 1),
                1 => found = (braces | own) & !(bit | (bit - 1)),
                _ => found = braces & !(bit | (bit - 1)),
            }
        }
        None
    }

    /// A member of the record begins that has members of its own.
    fn enter(&mut self, at: usize) {
        let before = self.bytes.get(..at).unwrap_or_default();
        let name = before.trim_ascii_end().strip_suffix(b":").unwrap_or_default();
        if name.trim_ascii_end().ends_with(b"\"userIdentity\"") {
            self.in_identity = true;
            self.identity.get_or_insert((at, at));
        }
    }

    fn leave(&mut self, at: usize) {
        self.in_identity = false;
        if let Some((_, end)) = &mut self.identity {
            *end = at;
        }
    }

    /// A string of the record's own members begins like one of the two names.
    fn member(&mut self, at: usize) {
        let Some(text) = self.bytes.get(at..) else { return };
        let (name, length) = if text.starts_with(b"eventSource\"") {
            (&mut self.source, b"eventSource".len())
        } else if text.starts_with(b"eventName\"") {
            (&mut self.name, b"eventName".len())
        } else {
            return;
        };
        // The same text as a value is followed by no colon.
        let Some(value) = value_after(self.bytes, at + length) else { return };
        *name = if *name == Name::Missing { plain_text(self.bytes, value) } else { Name::Odd };
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

    fn finish(self, length: usize) -> Walked<'a> {
        let text = |name| match name {
            Name::Text(text) if text.is_ascii() => std::str::from_utf8(text).ok(),
            _ => None,
        };
        let names = match (text(self.source), text(self.name)) {
            // An object that a bracket ends is none.
            (Some(event_source), Some(event_name)) if self.bytes.get(length - 1) == Some(&b'}') => {
                let identity = self.identity.and_then(|(start, end)| self.bytes.get(start..end)).unwrap_or_default();
                Some(Names { event_source, event_name, identity, has_escapes: self.escapes })
            }
            _ => None,
        };
        Walked { length, names }
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

/// The text that begins with a quote here, if it has no escapes.
fn plain_text(bytes: &[u8], at: usize) -> Name<'_> {
    let text = bytes.get(at..).and_then(|text| text.strip_prefix(b"\"")).unwrap_or_default();
    match text.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        Some(end) if text.get(end) == Some(&b'"') => Name::Text(text.get(..end).unwrap_or_default()),
        _ => Name::Odd,
    }
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
