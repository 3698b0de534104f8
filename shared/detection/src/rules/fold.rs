//! How case is folded, wherever texts of rules and records are compared. Shared with `build.rs`, and so without a word of this
//! library's own.

use std::borrow::Cow;

/// Text with its case folded.
pub(crate) fn lower(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        let folded = text.bytes().any(|byte| byte.is_ascii_uppercase());
        return if folded { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) };
    }
    Cow::Owned(text.chars().map(fold).collect())
}

/// Character by character, so that text is folded alike whole and in pieces, and a `?` stays one character:
/// `str::to_lowercase` writes a Greek sigma differently at the end of a word, and makes two characters of `İ`.
pub(crate) fn fold(c: char) -> char {
    let mut folded = c.to_lowercase();
    match (folded.next(), folded.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}
