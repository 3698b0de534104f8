//! What can be mended of a record that is not quite what JSON allows or a value can hold: whoever writes into a record must not
//! be able to make it unreadable.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};

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

/// Says which members are wanted, by their names.
pub(crate) type Wanted<'w> = &'w dyn Fn(&str) -> bool;

/// Of a record those of its own members for which this holds, each as it is in its [`document`]. What else is in it, a list of a
/// thousand items perhaps, is only passed over.
///
/// # Errors
/// When the record is no JSON object.
pub(crate) fn excerpt(record: &[u8], wanted: Wanted<'_>) -> Result<Value, serde_json::Error> {
    if let Ok(text) = std::str::from_utf8(record) {
        let mut json = serde_json::Deserializer::from_str(text);
        if let Ok(members) = Excerpt(wanted).deserialize(&mut json)
            && json.end().is_ok()
        {
            return Ok(Value::Object(members));
        }
    }
    document(record)
}

/// Members of an object by their names.
struct Excerpt<'w>(Wanted<'w>);

/// A member's name, borrowed from the record where it is written without escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> DeserializeSeed<'de> for Excerpt<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Excerpt<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Map::new();
        while let Some(Name(name)) = map.next_key()? {
            if (self.0)(&name) {
                members.insert(name.into_owned(), map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(members)
    }
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
    fn an_excerpt_holds_what_the_whole_document_holds() {
        let deep = format!(r#"{{"a":{}1{},"b":2}}"#, "[".repeat(127), "]".repeat(127));
        let deeper = format!(r#"{{"a":{}1{},"b":{{"c":[2]}}}}"#, "[".repeat(200), "]".repeat(200));
        for text in [
            r#"{"a":{"b":["c",null]},"b":1.5,"c":"d"}"#,
            r#"{"a":1,"b":2,"a":3}"#,
            r#"{"\u0061":"\u0062","b":"\"","c":"\ud83d\ude00"}"#,
            r#"{"a":"\ud83d","b":"\ud83d"}"#,
            r#"{"c":"\ud83d","b":1e999,"a":1}"#,
            r#"{"a":1e999,"c":[1e999]}"#,
            &deep,
            &deeper,
            "{}",
        ] {
            let whole = document(text.as_bytes()).unwrap();
            for wanted in [&["a"][..], &["b", "c"], &[], &["a", "b", "c"]] {
                let some = excerpt(text.as_bytes(), &|member| wanted.contains(&member)).unwrap();
                for name in wanted {
                    assert_eq!(some.get(name), whole.get(name), "{text}, {name}");
                }
            }
        }
        for text in
            [&b"[1]"[..], b"{\"a\":1", b"{\"a\":1}}", b"{\"a\":1,\"b\":\"\xff\"}", b"{\"a\":01}", b"{\"b\":01}", b""]
        {
            let (whole, some) = (document(text), excerpt(text, &|member| member == "a"));
            assert_eq!(some.ok(), whole.ok(), "{}", String::from_utf8_lossy(text));
        }
    }

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
