//! Parts of built-in rules that stay packed until somebody needs them: what only a finding shows, and how a rule is judged that no
//! record has met yet.

use std::sync::{Arc, OnceLock};

use super::packed::Words;

/// Bytes that the build packed, unpacked when they are first asked for.
#[derive(Debug, Default)]
pub(super) struct Lazily {
    packed: &'static [u8],
    unpacked: OnceLock<Vec<u8>>,
}

impl Lazily {
    /// The [`Words`] of all built-in rules.
    pub(super) fn words() -> Self {
        let packed = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_words.deflate"));
        Self { packed, unpacked: OnceLock::new() }
    }

    /// The selections and conditions of all built-in rules.
    pub(super) fn detections() -> Self {
        let packed = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_detections.deflate"));
        Self { packed, unpacked: OnceLock::new() }
    }

    /// What begins at this place.
    #[expect(
        clippy::expect_used,
        reason = "our own bytes, which every test reads: no rule may lose its words or its conditions in silence"
    )]
    pub(super) fn from(&self, at: usize) -> &[u8] {
        let unpacked = self.unpacked.get_or_init(|| crate::deflate::unpack(self.packed).expect("build.rs packed them"));
        unpacked.get(at..).expect("build.rs wrote this place down")
    }
}

/// The words of a rule.
#[derive(Debug, Clone)]
pub(crate) struct LazyWords {
    words: OnceLock<Words>,
    /// Where they are until then: among these, from this place on.
    packed: Option<(Arc<Lazily>, usize)>,
}

impl LazyWords {
    pub(super) fn packed(among: Arc<Lazily>, at: usize) -> Self {
        Self { words: OnceLock::new(), packed: Some((among, at)) }
    }

    #[expect(
        clippy::expect_used,
        reason = "our own bytes, which every test reads: no finding may lack them in silence"
    )]
    pub(super) fn get(&self) -> &Words {
        self.words.get_or_init(|| {
            let (among, at) = self.packed.as_ref().expect("words that are not packed are there from the beginning");
            Words::unpack(among.from(*at)).expect("build.rs wrote them")
        })
    }
}

impl From<Words> for LazyWords {
    fn from(words: Words) -> Self {
        Self { words: words.into(), packed: None }
    }
}

impl PartialEq for LazyWords {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for LazyWords {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "build.rs packed them")]
    fn what_is_built_in_and_cannot_be_unpacked_is_not_taken_for_empty() {
        Lazily { packed: b"not deflated", unpacked: OnceLock::new() }.from(0);
    }

    #[test]
    #[should_panic(expected = "build.rs wrote them")]
    fn words_that_cannot_be_read_are_not_taken_for_none() {
        // A length that no text behind it has.
        let among = Lazily { packed: &[], unpacked: vec![0xff].into() };
        LazyWords::packed(Arc::new(among), 0).get();
    }
}
