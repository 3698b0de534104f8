//! Says of nearly every pair of names, in a few instructions, that no rule names it. Knows nothing of what rules are there for.

use crate::delivered_log::Names;

/// Bits, of which every name that a rule gives sets one. Built-in rules set some hundred.
const BITS: usize = 16 * 1024;
const WORD: usize = 8;
/// The bit in which small letters of ASCII differ from capital ones. Set in other characters it makes them alike that
/// are not, which only costs a closer look.
const SMALL: u64 = 0x2020_2020_2020_2020;

/// Marks of names. What is not marked was never added; what is marked may have been.
#[derive(Debug)]
pub(super) struct Known(Box<[u64]>);

impl Default for Known {
    fn default() -> Self {
        Self(vec![0; BITS / 64].into())
    }
}

impl Known {
    pub(super) fn add(&mut self, mark: u64) {
        let (word, bit) = place(mark);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    fn has(&self, mark: u64) -> bool {
        let (word, bit) = place(mark);
        self.0.get(word).is_none_or(|word| word & bit != 0)
    }

    /// Whether the source, the name or the pair of both may have been added.
    pub(super) fn may_hold(&self, names: Names<'_>) -> bool {
        let (source, name) = (hash(names.event_source), hash(names.event_name));
        self.has(source) || self.has(both(source, name)) || self.has(alone(name))
    }
}

fn place(mark: u64) -> (usize, u64) {
    // The highest bits of a product depend on all bits of its factors.
    let at = usize::try_from(mark >> (u64::BITS - BITS.ilog2())).unwrap_or_default();
    (at / 64, 1 << (at % 64))
}

/// Of a rule for whatever a source sends.
pub(super) fn source_mark(source: &[u8]) -> u64 {
    hash(source)
}

/// Of a rule for a name, whatever its source.
pub(super) fn name_mark(name: &[u8]) -> u64 {
    alone(hash(name))
}

/// Of a rule for a source's name.
pub(super) fn pair_mark(source: &[u8], name: &[u8]) -> u64 {
    both(hash(source), hash(name))
}

fn alone(name: u64) -> u64 {
    mixed(name, 1)
}

fn both(source: u64, name: u64) -> u64 {
    mixed(source, name)
}

/// The same for a name in capital and in small letters of ASCII.
fn hash(name: &[u8]) -> u64 {
    let (words, rest) = name.as_chunks::<WORD>();
    let whole = words.iter().fold(name.len() as u64, |hash, word| mixed(hash, u64::from_le_bytes(*word)));
    match name.last_chunk::<WORD>() {
        _ if rest.is_empty() => whole,
        Some(last) => mixed(whole, u64::from_le_bytes(*last)),
        None => rest.iter().fold(whole, |hash, byte| mixed(hash, u64::from(*byte))),
    }
}

fn mixed(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(23) ^ (word | SMALL)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(event_source: &'a str, event_name: &'a str) -> Names<'a> {
        Names {
            event_source: event_source.as_bytes(),
            event_name: event_name.as_bytes(),
            identity: b"",
            has_others: false,
        }
    }

    #[test]
    fn what_was_added_is_known_in_any_case_and_length() {
        let long = "abcdefghijklmnopqrstuvwxyz.-0";
        for length in 0..=long.len() {
            let (name, capitals) = (&long[..length], long[..length].to_uppercase());
            let marks = [source_mark(name.as_bytes()), name_mark(name.as_bytes()), pair_mark(b"a", name.as_bytes())];
            for (mark, asked) in marks.into_iter().zip([[&capitals, "x"], ["x", &capitals], ["A", &capitals]]) {
                let mut known = Known::default();
                assert!(!known.may_hold(names(asked[0], asked[1])), "{asked:?}");
                known.add(mark);
                assert!(known.may_hold(names(asked[0], asked[1])), "{asked:?}");
            }
        }
    }

    /// Else every record is looked at twice.
    #[test]
    fn few_others_are_taken_for_known() {
        let mut known = Known::default();
        for number in 0..500 {
            known.add(pair_mark(b"bedrock.amazonaws.com", format!("create{number}").as_bytes()));
        }
        let taken = |number: &u32| known.may_hold(names("s3.amazonaws.com", &format!("GetObject{number}")));
        assert!((0..1_000).filter(taken).count() < 200);
    }
}
