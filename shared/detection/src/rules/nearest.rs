//! What somebody probably meant by a word that is none of those there are. Knows nothing of what the words are for.

/// The word among these that is nearest to `word`, if no more than a third of it would have to change.
pub(super) fn nearest<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let most = word.chars().count().max(3) / 3;
    among
        .into_iter()
        .map(|other| (strsim::damerau_levenshtein(&word, &other.to_lowercase()), other))
        .filter(|(changes, _)| *changes <= most)
        .min()
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_is_recognised_and_another_is_not() {
        let words = ["DeleteGuardrail", "UpdateGuardrail", "DeleteAgent", "arn"];
        for (word, meant) in [
            ("DeleteGardrail", Some("DeleteGuardrail")),
            ("deleteguardrails", Some("DeleteGuardrail")),
            ("arm", Some("arn")),
            ("StopLogging", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, words), meant, "{word}");
        }
    }
}
