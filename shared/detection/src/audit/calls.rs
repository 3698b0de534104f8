//! What the two names of a record say, remembered: a log has a few calls of which rules want to know, again and again. Knows no
//! record.

use crate::{
    delivered_log::Names,
    rules::{Found, RuleSet},
};

/// Calls that are remembered. Two of them may have the same place, and then the last one has it.
const PLACES: usize = 256;
/// Bytes of names that are remembered; AWS's have half as many.
const MOST_BYTES: usize = 128;

/// What the names of a record say of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'r> {
    /// The rules to ask.
    pub(super) found: Found<'r>,
    /// It is one of Bedrock's that nobody knows.
    pub(super) unknown: bool,
}

/// The calls of a log, each of which has all its records judged.
#[derive(Debug, Default)]
pub(super) struct Calls<'r>(Vec<Option<Box<Remembered<'r>>>>);

#[derive(Debug)]
struct Remembered<'r> {
    event_source: Box<[u8]>,
    event_name: Box<[u8]>,
    call: Call<'r>,
}

impl<'r> Calls<'r> {
    /// The call, if it is remembered. It is asked about every record of a log.
    #[inline]
    pub(super) fn get(&self, names: Names<'_>) -> Option<Call<'r>> {
        let known = self.0.get(place(names))?.as_ref()?;
        let same = *known.event_name == *names.event_name && *known.event_source == *names.event_source;
        same.then_some(known.call)
    }

    /// Finds out what the names say, and remembers it if no record with them is dismissed.
    pub(super) fn look_up(&mut self, rule_set: &'r RuleSet, names: Names<'_>) -> Call<'r> {
        let (event_source, event_name) = names.texts();
        let unknown = rule_set.operations().is_unknown(event_source, event_name);
        let call = Call { found: rule_set.look_up(event_source, event_name), unknown };
        let is_short = event_source.len() + event_name.len() <= MOST_BYTES;
        if is_short && (unknown || rule_set.could_match_always(names)) {
            self.0.resize_with(PLACES, || None);
            if let Some(at) = self.0.get_mut(place(names)) {
                let (event_source, event_name) = (names.event_source.into(), names.event_name.into());
                *at = Some(Box::new(Remembered { event_source, event_name, call }));
            }
        }
        call
    }
}

fn place(names: Names<'_>) -> usize {
    let end = names.event_name.last_chunk().map_or(0, |end| u64::from_le_bytes(*end));
    let lengths = (names.event_source.len() << 8 | names.event_name.len()) as u64;
    // The highest bits of a product depend on all bits of its factors.
    let mixed = (end ^ lengths.rotate_left(40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (u64::BITS - PLACES.ilog2())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(event_source: &'a str, event_name: &'a str) -> Names<'a> {
        let (event_source, event_name) = (event_source.as_bytes(), event_name.as_bytes());
        Names { event_source, event_name, identity: b"", has_others: false }
    }

    #[test]
    fn a_call_is_never_taken_for_another() {
        let rule_set = RuleSet::load([]).rule_set;
        let mut calls = Calls::default();
        let (known, other) =
            (names("bedrock.amazonaws.com", "InvokeModel"), names("bedrock.amazonaws.com", "ImvokeModel"));
        assert_eq!(place(known), place(other));
        for _ in 0..2 {
            assert!(!calls.look_up(&rule_set, known).unknown && calls.get(other).is_none());
            assert!(calls.get(known).is_some_and(|call| !call.unknown && !call.found.is_empty()));
            assert!(calls.look_up(&rule_set, other).unknown && calls.get(known).is_none());
            assert!(calls.get(other).is_some_and(|call| call.unknown));
        }
        assert!(calls.get(names("bedrock.amazonaws.org", "ImvokeModel")).is_none());
    }

    #[test]
    fn what_another_record_may_be_dismissed_with_is_not_remembered() {
        let rule_set = RuleSet::load([]).rule_set;
        let mut calls = Calls::default();
        // Rules for any name of IAM's want a text in the record.
        let dismissed = names("iam.amazonaws.com", "GetUser");
        assert!(rule_set.dismisses(dismissed, b"{}") && !calls.look_up(&rule_set, dismissed).found.is_empty());
        assert!(calls.get(dismissed).is_none());
    }
}
