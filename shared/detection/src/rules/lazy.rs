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
        let packed = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_words.zlib"));
        Self { packed, unpacked: OnceLock::new() }
    }

    /// The selections and conditions of all built-in rules.
    pub(super) fn detections() -> Self {
        let packed = include_bytes!(concat!(env!("OUT_DIR"), "/builtin_detections.zlib"));
        Self { packed, unpacked: OnceLock::new() }
    }

    /// What begins at this place.
    pub(super) fn from(&self, at: usize) -> &[u8] {
        // The build wrote them. Without them every test of a built-in rule would fail.
        let unpacked = self.unpacked.get_or_init(|| fdeflate::decompress_to_vec(self.packed).unwrap_or_default());
        unpacked.get(at..).unwrap_or_default()
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

    pub(super) fn get(&self) -> &Words {
        self.words.get_or_init(|| {
            let words = self.packed.as_ref().and_then(|(among, at)| Words::unpack(among.from(*at)));
            words.unwrap_or_default()
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
