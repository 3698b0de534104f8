//! How case is folded, wherever texts of rules and records are compared. Shared with `build.rs`, and so without a word of this
//! library's own.

use std::borrow::Cow;

/// Text with its case folded.
pub(crate) fn lower(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        if !has_capital(text.as_bytes()) {
            return Cow::Borrowed(text);
        }
        let mut folded = text.as_bytes().to_vec();
        fold_ascii(&mut folded);
        // What was ASCII still is.
        return Cow::Owned(String::from_utf8(folded).unwrap_or_else(|_| text.to_ascii_lowercase()));
    }
    Cow::Owned(text.chars().map(fold).collect())
}

/// Folds the case of ASCII, eight bytes at a time. What other bytes become means nothing.
pub(crate) fn fold_ascii(text: &mut [u8]) {
    let (eights, rest) = text.as_chunks_mut::<8>();
    for eight in eights {
        // A quarter of the highest bit is what a small letter has more than a capital one.
        *eight = (u64::from_ne_bytes(*eight) | (capitals(*eight) >> 2)).to_ne_bytes();
    }
    rest.make_ascii_lowercase();
}

fn has_capital(text: &[u8]) -> bool {
    let (eights, rest) = text.as_chunks::<8>();
    eights.iter().any(|eight| capitals(*eight) != 0) || rest.iter().any(u8::is_ascii_uppercase)
}

/// The highest bit of each byte that is a capital letter; of ASCII no byte has it itself.
fn capitals(eight: [u8; 8]) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_ne_bytes(eight);
    let from_a = word.wrapping_add(EACH * u64::from(0x80 - b'A'));
    let beyond_z = word.wrapping_add(EACH * u64::from(0x7f - b'Z'));
    from_a & !beyond_z & (EACH * 0x80)
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
