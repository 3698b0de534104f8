//! Makes text from a trail safe to show: it is written by attackers, and ends in mails, terminals, subjects and log lines.

/// The text with everything replaced that could forge a line, move a cursor or reverse the reading direction, and cut to
/// `most` characters (with `…` where something is missing).
#[must_use]
pub fn neutral(text: &str, most: usize) -> String {
    let mut neutral: String =
        text.chars().take(most).map(|c| if is_dangerous(c) { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if text.chars().nth(most).is_some() {
        neutral.push('…');
    }
    neutral
}

/// As [`neutral`], in printable ASCII alone and never longer than `most`: for subjects and message attributes.
#[must_use]
pub fn ascii(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
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
    fn long_text_is_cut_between_characters() {
        assert_eq!(neutral("äöüß", 3), "äöü…");
        assert_eq!(neutral("äöü", 3), "äöü");
        assert_eq!(ascii("äbcdef", 3), "?bc");
    }
}
