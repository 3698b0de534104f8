//! Looks for any of a few texts in bytes of ASCII, whatever the case. Knows nothing of rules or records.

use std::collections::BTreeSet;

use aho_corasick::{
    AhoCorasick, AhoCorasickKind,
    packed::{self, Searcher},
};

/// Bytes of a text that are looked for first. In all their spellings these are eight for each text.
const FRAGMENT: usize = 3;

/// Letters from common to rare; what is no letter is common in identifiers.
const COMMON_FIRST: &[u8] = b"etaoinsrhldcumfpgwybvkxjqz";

/// A search for texts.
#[derive(Debug)]
pub(super) struct Literals {
    /// Finds a rare part of each text, many bytes at a time; `None` if there are too many.
    fragments: Option<Searcher>,
    whole: AhoCorasick,
}

impl Literals {
    /// A search for these texts, which are in lower case and at least [`FRAGMENT`] bytes long. `None` if they are too many.
    pub(super) fn new(texts: &BTreeSet<String>) -> Option<Self> {
        let kind = Some(AhoCorasickKind::DFA);
        let whole = AhoCorasick::builder().ascii_case_insensitive(true).kind(kind).build(texts).ok()?;
        let mut fragments: BTreeSet<&[u8]> = BTreeSet::new();
        for text in texts {
            let known = |part| fragments.contains(part);
            if !text.as_bytes().windows(FRAGMENT).any(known) {
                fragments.insert(text.as_bytes().windows(FRAGMENT).max_by_key(|part| rarity(part))?);
            }
        }
        let spellings = fragments.into_iter().flat_map(spellings);
        let fragments = packed::Config::new().builder().extend(spellings).build();
        Some(Self { fragments, whole })
    }

    /// Whether there are few enough of them to be looked for many bytes at a time.
    pub(super) fn is_fast(&self) -> bool {
        self.fragments.is_some()
    }

    /// Whether one of them is in these bytes.
    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        self.fragments.as_ref().is_none_or(|fragments| fragments.find(bytes).is_some()) && self.whole.is_match(bytes)
    }
}

fn rarity(part: &[u8]) -> usize {
    part.iter().map(|byte| COMMON_FIRST.iter().position(|common| common == byte).unwrap_or(0)).sum()
}

/// A text in every mixture of upper and lower case.
fn spellings(text: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    for byte in text {
        let mut other = Vec::new();
        for spelling in &mut all {
            if byte.is_ascii_alphabetic() {
                other.push([spelling.as_slice(), &[byte.to_ascii_uppercase()]].concat());
            }
            spelling.push(byte.to_ascii_lowercase());
        }
        all.append(&mut other);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_in_any_case_and_place() {
        let texts = BTreeSet::from(["bedrockapikey-", "role/agentcore-", "\"arn\""].map(str::to_owned));
        let literals = Literals::new(&texts).unwrap();
        assert!(literals.fragments.is_some(), "else it is slow");
        for shift in 0..70 {
            for text in ["BedrockAPIKey-", "bedrockapikey-", "BEDROCKAPIKEY-", "Role/AgentCore-", "\"arn\""] {
                let padding = "rol pik api key ".repeat(5);
                let bytes = format!("{}{text}{padding}", &padding[..shift]);
                assert!(literals.is_in(bytes.as_bytes()), "{bytes}");
                assert!(!literals.is_in(&bytes.as_bytes()[..shift + text.len() - 1]), "{bytes}");
            }
        }
        assert!(!literals.is_in(b""));
    }
}
