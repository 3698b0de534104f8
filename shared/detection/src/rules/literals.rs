//! Looks for any of a few texts in bytes of ASCII, whatever the case. Knows nothing of rules or records.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{
    AhoCorasick, AhoCorasickKind,
    packed::{self, Searcher},
};

/// Bytes of a text that are looked for first. In all their spellings these are eight for each text.
const FRAGMENT: usize = 3;
/// As many of them as are looked for at once: sixty-four spellings.
const MOST_FRAGMENTS: usize = 8;

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
        let fragments = fragments(texts);
        let are_few = fragments.len() <= MOST_FRAGMENTS;
        let spellings = fragments.into_iter().flat_map(spellings);
        let fragments = if are_few { packed::Config::new().builder().extend(spellings).build() } else { None };
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

/// A few parts of which each text has one: those that are in most texts, and of these the rare ones. To look for more of them takes
/// longer, and each is in more texts that are none of these.
fn fragments(texts: &BTreeSet<String>) -> BTreeSet<&[u8]> {
    let mut fragments = BTreeSet::new();
    let mut left: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    loop {
        let mut parts: BTreeMap<&[u8], usize> = BTreeMap::new();
        for text in &left {
            let of_text: BTreeSet<&[u8]> = text.windows(FRAGMENT).collect();
            of_text.into_iter().for_each(|part| *parts.entry(part).or_default() += 1);
        }
        let best = parts.into_iter().max_by_key(|(part, texts)| (*texts, rarity(part)));
        let Some((best, _)) = best.filter(|_| fragments.len() <= MOST_FRAGMENTS) else { return fragments };
        left.retain(|text| !text.windows(FRAGMENT).any(|part| part == best));
        fragments.insert(best);
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
    fn texts_that_are_alike_are_looked_for_by_what_they_share() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<String>>();
        let alike = texts(&["bedrockapikey-", "aeaapikey-", "role/agentcore-", "bedrockagentcore"]);
        let parts = fragments(&alike);
        assert_eq!(parts.len(), 2, "{parts:?}");
        let has_one = |text: &String| parts.iter().any(|part| text.contains(std::str::from_utf8(part).unwrap()));
        assert!(alike.iter().all(has_one), "{parts:?}");
        let eight = texts(&["aaaa", "bbbb", "cccc", "dddd", "eeee", "ffff", "gggg", "hhhh"]);
        assert!(Literals::new(&eight).unwrap().is_fast());
        let nine = &eight | &texts(&["iiii"]);
        let literals = Literals::new(&nine).unwrap();
        assert!(!literals.is_fast() && nine.iter().all(|text| literals.is_in(text.as_bytes())));
    }

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
