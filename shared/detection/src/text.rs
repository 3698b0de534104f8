//! Makes text from a trail safe to show: it is written by attackers, and ends in mails, terminals, subjects and log lines.

use std::borrow::Cow;

/// The text with everything replaced that could forge a line, move a cursor or reverse the reading direction, and cut to
/// `most` characters (with `…` where something is missing).
#[must_use]
pub fn neutral(text: &str, most: usize) -> String {
    if text.len() <= most && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut neutral: String =
        text.chars().take(most).map(|c| if is_dangerous(c) { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if text.chars().nth(most).is_some() {
        neutral.push('…');
    }
    neutral
}

/// The first `most` characters of a text.
#[must_use]
pub(crate) fn beginning(text: &str, most: usize) -> &str {
    // Most texts are short, and no character has less than a byte.
    let end = if text.len() <= most { None } else { text.char_indices().nth(most) };
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// As [`neutral`], in printable ASCII alone and never longer than `most`: for subjects and message attributes.
#[must_use]
pub fn ascii(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// JSON that means the same, with all that [`neutral`] would replace written as escapes: a program reads every value as it was, and
/// a terminal, a mail client or a log viewer finds nothing to act on. What JSON escapes itself (newlines and terminal escapes among
/// it) is escaped already.
#[must_use]
pub fn json(json: &str) -> Cow<'_, str> {
    let acts = |c: char| c >= '\u{7f}' && is_dangerous(c);
    if !json.contains(acts) {
        return Cow::Borrowed(json);
    }
    let mut harmless = String::with_capacity(json.len() + json.len() / 8);
    for c in json.chars() {
        if acts(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| harmless.push_str(&format!("\\u{unit:04x}")));
        } else {
            harmless.push(c);
        }
    }
    Cow::Owned(harmless)
}

/// Control characters (newlines and terminal escapes among them), line and paragraph separators, direction marks,
/// invisible characters and the tag block, in which text can be hidden from a reader.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_is_left() {
        let hostile = "a\r\nSubject: b\u{1b}[2J\u{9b}31m\u{202e}gpj\u{2066}\u{200b}\0\u{e0041}\u{2028}z";
        let neutral = neutral(hostile, 1_000);
        assert!(neutral.chars().all(|c| !is_dangerous(c)));
        assert!(neutral.starts_with("a\u{fffd}\u{fffd}Subject: b") && neutral.ends_with('z'));
        assert!(ascii(hostile, 1_000).bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    }

    #[test]
    fn json_means_the_same_and_nothing_in_it_acts() {
        let hostile =
            "a\r\n\u{1b}[2J\u{7f}\u{9b}31m\u{202e}gpj\u{2066}\u{200b}\0\u{e0041}\u{2028}\u{ffff}ü\u{1f600}\\\"z";
        let line = format!("{}\n", serde_json::json!({hostile: [hostile]}));
        let harmless = json(&line);
        assert!(harmless.trim_end().chars().all(|c| !is_dangerous(c)), "{harmless}");
        assert!(harmless.contains("\\u202e") && harmless.contains("\\udb40\\udc41") && harmless.contains("ü\u{1f600}"));
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        assert_eq!((parsed(&harmless), harmless.ends_with('\n')), (parsed(&line), true));
        assert!(matches!(json("{\"a\": \"ü\"}"), Cow::Borrowed(_)));
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(neutral("äöüß", 3), "äöü…");
        assert_eq!(neutral("äöü", 3), "äöü");
        assert_eq!(ascii("äbcdef", 3), "?bc");
    }
}
