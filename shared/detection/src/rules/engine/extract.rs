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
use wide::u8x16;

use super::{
    fields::{Fields, Node, OMITTED},
    values::{Memory, Scalar, Values},
};

/// Objects and arrays within each other. CloudTrail's have a few, requests of Bedrock's about ten; `serde_json` takes 127.
const DEEPEST: usize = 32;

/// What the fields hold in a record; `None` says nothing about it.
pub(super) fn extract<'de>(fields: &Fields, record: &'de [u8], memory: Memory) -> Option<Values<'de>> {
    let text = std::str::from_utf8(record).ok()?;
    let mut values = Values::none(fields, memory);
    let stops = stops(record);
    let mut walk = Walk { fields, values: &mut values, text, bytes: record, stops: &stops, at: 0 };
    walk.value(Some(fields.root()), DEEPEST)?;
    walk.peek();
    (walk.at == text.len()).then_some(values)
}

const BLOCK: usize = 64;

/// Blocks of most records, which need no memory of their own: 4 KiB.
const OFTEN: usize = 64;

const LAST_CONTROL: u8 = b' ' - 1;

/// For each byte a bit that says whether a string may end there, have an escape there, or be none because of it.
fn stops(bytes: &[u8]) -> SmallVec<[u64; OFTEN]> {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    // At its full length from the start: a branch between two blocks would make the compiler take their masks apart.
    let mut stops = SmallVec::from_elem(0, blocks.len() + 1);
    for (stop, block) in stops.iter_mut().zip(blocks) {
        *stop = stops_of_block(block);
    }
    // Blanks are no stops.
    let mut last = [b' '; BLOCK];
    if let (Some(stop), Some(begin)) = (stops.last_mut(), last.get_mut(..rest.len())) {
        begin.copy_from_slice(rest);
        *stop = stops_of_block(&last);
    }
    stops
}

#[inline]
fn stops_of_block(block: &[u8; BLOCK]) -> u64 {
    let (parts, _) = block.as_chunks::<16>();
    let mut stops = 0;
    for (number, part) in parts.iter().enumerate() {
        let part = u8x16::new(*part);
        let controls = part.min(u8x16::splat(LAST_CONTROL)).simd_eq(part);
        let found = controls | part.simd_eq(u8x16::splat(b'"')) | part.simd_eq(u8x16::splat(b'\\'));
        stops |= u64::from(found.to_bitmask()) << (16 * number);
    }
    stops
}

/// A walk over a record along the tree of fields. Every step answers `None` where it gives up.
struct Walk<'f, 'v, 'de> {
    fields: &'f Fields,
    values: &'v mut Values<'de>,
    text: &'de str,
    bytes: &'de [u8],
    stops: &'v [u64],
    /// The next byte.
    at: usize,
}

impl<'f, 'de> Walk<'f, '_, 'de> {
    /// A value, for the field at this node if there is one. `depth`: how many objects and arrays it may be deep.
    #[inline(always)]
    fn value(&mut self, node: Option<&'f Node>, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(node),
            b'{' => self.object(node, depth.checked_sub(1)?),
            b'[' => self.array(node, depth.checked_sub(1)?),
            b't' => self.literal("true", node, Scalar::Bool(true)),
            b'f' => self.literal("false", node, Scalar::Bool(false)),
            b'n' => self.literal("null", node, Scalar::Null),
            _ => self.number(node),
        }
    }

    #[inline(always)]
    fn holds(&mut self, node: Option<&Node>, scalar: Scalar<'de>) {
        if let Some(node) = node {
            self.values.holds(node, scalar);
        }
    }

    fn object(&mut self, node: Option<&'f Node>, depth: usize) -> Option<()> {
        if let Some(node) = node {
            self.values.opens(node);
        }
        self.at += 1;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let name = if self.peek()? == b'"' { self.plain_string()? } else { return None };
            if self.peek()? != b':' {
                return None;
            }
            self.at += 1;
            let mut child = None;
            if let Some(node) = node {
                // What it means depends on its value.
                if node.hideable && name == OMITTED.as_bytes() {
                    return None;
                }
                child = self.fields.child(node, name);
            }
            self.value(child, depth)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return None,
            }
        }
        self.at += 1;
        Some(())
    }

    fn array(&mut self, node: Option<&'f Node>, depth: usize) -> Option<()> {
        if let Some(node) = node {
            self.values.opens(node);
        }
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(node, depth)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return None,
            }
        }
        self.at += 1;
        Some(())
    }

    /// The next byte that is no blank.
    #[inline(always)]
    fn peek(&mut self) -> Option<u8> {
        match *self.bytes.get(self.at)? {
            byte if byte > b' ' => Some(byte),
            _ => self.peek_after_blanks(),
        }
    }

    #[cold]
    fn peek_after_blanks(&mut self) -> Option<u8> {
        let blanks =
            self.bytes.get(self.at..)?.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += blanks;
        self.bytes.get(self.at).copied()
    }

    fn literal(&mut self, literal: &str, node: Option<&Node>, scalar: Scalar<'de>) -> Option<()> {
        if !self.bytes.get(self.at..)?.starts_with(literal.as_bytes()) {
            return None;
        }
        self.at += literal.len();
        self.holds(node, scalar);
        Some(())
    }

    #[inline(never)]
    fn number(&mut self, node: Option<&Node>) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let belongs = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.bytes().take_while(belongs).count();
        let number: Number = serde_json::from_str(rest.get(..length)?).ok()?;
        self.at += length;
        self.holds(node, Scalar::Number(number));
        Some(())
    }

    /// A string whose first quote is the next byte.
    #[inline(always)]
    fn string(&mut self, node: Option<&Node>) -> Option<()> {
        let start = self.at + 1;
        if self.plain_string().is_none() {
            return self.string_with_escapes(node);
        }
        if let Some(node) = node {
            self.values.holds(node, Scalar::Text(Cow::Borrowed(self.text.get(start..self.at - 1)?)));
        }
        Some(())
    }

    /// A string whose first quote is the next byte, without its quotes, if it has no escapes.
    #[inline(always)]
    fn plain_string(&mut self) -> Option<&'de [u8]> {
        let start = self.at + 1;
        let end = self.stop(start)?;
        if self.bytes.get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        self.bytes.get(start..end)
    }

    /// The same, with escapes.
    #[inline(never)]
    fn string_with_escapes(&mut self, node: Option<&Node>) -> Option<()> {
        let start = self.at;
        let mut end = self.stop(start + 1)?;
        loop {
            match self.bytes.get(end)? {
                b'"' => break,
                // What follows does not end it, whatever it is.
                b'\\' => end = self.stop(end + 2)?,
                _ => return None,
            }
        }
        self.at = end + 1;
        let written = self.text.get(start..=end)?;
        match node {
            Some(node) => self.values.holds(node, Scalar::Text(Cow::Owned(serde_json::from_str(written).ok()?))),
            None => {
                serde_json::from_str::<IgnoredAny>(written).ok()?;
            }
        }
        Some(())
    }

    /// The next stop from here on.
    #[inline(always)]
    fn stop(&self, from: usize) -> Option<usize> {
        let mut block = from / BLOCK;
        let mut stops = self.stops.get(block)? & (u64::MAX << (from % BLOCK));
        while stops == 0 {
            block += 1;
            stops = *self.stops.get(block)?;
        }
        Some(block * BLOCK + stops.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests;
