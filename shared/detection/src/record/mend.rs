//! What can be mended of a record that is not quite what JSON allows or a value can hold: whoever writes into a record must not
//! be able to make it unreadable.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Value, value::RawValue};

/// Parses a record. A member that is JSON but cannot be held as a value (nested deeper than 128 levels, a number beyond all
/// bounds) is kept as its text: it must not make the whole record unreadable.
///
/// # Errors
/// When the record is no JSON object.
pub(crate) fn document(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(bytes).or_else(|_| {
        let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(bytes)?;
        let members = members.into_iter().map(|(name, raw)| {
            let value = serde_json::from_str(raw.get()).unwrap_or_else(|_| Value::String(raw.get().to_owned()));
            (name.into_owned(), value)
        });
        Ok(Value::Object(members.collect()))
    })
}

/// The record's text with what is no JSON in it mended, as rules are asked about it where they cannot read it as it is.
#[must_use]
pub fn mended(bytes: &[u8]) -> String {
    let legible = legible(bytes);
    document(legible.as_bytes()).map(|document| document.to_string()).unwrap_or(legible)
}

/// The record with everything replaced by U+FFFD that is no character: half a surrogate pair, a byte that is no UTF-8.
/// Anybody can put these into a user agent, and they must not make a record unreadable.
pub(crate) fn legible(bytes: &[u8]) -> String {
    without_half_surrogates(&String::from_utf8_lossy(bytes))
}

/// Replaces `\uD800` to `\uDFFF` where the other half of the pair is missing.
fn without_half_surrogates(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        whole.push_str(before);
        // Any other escape has two bytes, of which the second may be a backslash itself.
        let length = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                whole.push('\u{fffd}');
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            (Some(_), _) => 6,
            (None, _) => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        let (escape, after) = escape.split_at(length);
        whole.push_str(escape);
        rest = after;
    }
    whole + rest
}

/// The UTF-16 unit that `\uXXXX` at the beginning stands for.
fn unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn half_characters_do_not_hide_a_record() {
        for (text, expected) in [
            (r#"{"a":"x\ud83dy"}"#, json!({"a": "x\u{fffd}y"})),
            (r#"{"a":"\ude00\ud83d"}"#, json!({"a": "\u{fffd}\u{fffd}"})),
            (r#"{"a":"\ud83d\ud83d\ude00"}"#, json!({"a": "\u{fffd}😀"})),
            (r#"{"a":"\\\ud83d\\ud83d\n\u0041"}"#, json!({"a": "\\\u{fffd}\\ud83d\nA"})),
            (r#"{"a":"\uD83D","b":"ü\t"}"#, json!({"a": "\u{fffd}", "b": "ü\t"})),
        ] {
            let parsed: serde_json::Value = serde_json::from_str(&legible(text.as_bytes())).unwrap();
            assert_eq!(parsed, expected, "{text}");
        }
        assert_eq!(legible(b"{\"a\":\"\xff\"}"), "{\"a\":\"\u{fffd}\"}");
        // What is broken otherwise is left as it is.
        for text in ["", "\\", "\\u", "\\u12", "\\uü", "{\"a\":\"\\"] {
            assert_eq!(legible(text.as_bytes()), text);
        }
    }
}
