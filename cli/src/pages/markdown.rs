//! Text put into Markdown without becoming Markdown: titles and proofs are other people's words. Knows no rule.

use detection::text::neutral;

/// Longest text that is put into a page, in characters.
const MOST: usize = 20_000;

/// One line of plain text, for a heading, a table's cell or a list.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    let text = one_line(text);
    for (at, c) in text.chars().enumerate() {
        let opens_a_block = at == 0 && matches!(c, '#' | '-' | '+' | '=');
        if opens_a_block || matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '$') {
            plain.push('\\');
        }
        plain.push(c);
    }
    // `1. ` at the beginning of a line would be a list.
    let digits = plain.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 && plain.get(digits..).is_some_and(|rest| rest.starts_with(['.', ')'])) {
        plain.insert(digits, '\\');
    }
    plain
}

/// One line of text in which what stands between backticks is code. With a backtick too many, all of it is plain text. Not
/// for cells of tables.
pub(super) fn prose(text: &str) -> String {
    let text = one_line(text);
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return plain(&text);
    }
    parts.iter().enumerate().map(|(at, part)| if at % 2 == 0 { inner(part) } else { code(part) }).collect()
}

/// Plain text that may begin or end with a blank, as a part of a line does.
fn inner(text: &str) -> String {
    let (front, end) = (text.len() - text.trim_start().len(), text.trim_end().len());
    if front >= end {
        return if text.is_empty() { String::new() } else { " ".to_owned() };
    }
    let blank = |there: bool| if there { " " } else { "" };
    format!("{}{}{}", blank(front > 0), plain(text), blank(end < text.len()))
}

/// Code within a line, whatever it holds.
pub(super) fn code(text: &str) -> String {
    let text = one_line(text);
    let fence = "`".repeat(longest_run(&text, '`') + 1);
    let blank = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

/// Code within a cell of a table: there, a bar ends the cell even in code.
pub(super) fn code_in_cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// A block of code with a language.
pub(super) fn block(language: &str, text: &str) -> String {
    let fence = "`".repeat(longest_run(text, '`').max(2) + 1);
    let lines: String = text.lines().map(|line| neutral(line, MOST) + "\n").collect();
    format!("{fence}{language}\n{lines}{fence}\n")
}

/// A reference: a link if it is one that cannot be anything else, plain text otherwise.
pub(super) fn link(reference: &str) -> String {
    let harmless = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '`' | '|' | '\\' | '"');
    let is_link = reference.starts_with("https://") && reference.chars().all(harmless);
    if is_link { format!("<{reference}>") } else { plain(reference) }
}

fn one_line(text: &str) -> String {
    neutral(&text.split_whitespace().collect::<Vec<_>>().join(" "), MOST)
}

fn longest_run(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_stay_words() {
        for (text, expected) in [
            ("a | b <script> [x](y) *z* _u_ $1 &lt;", r"a \| b \<script\> \[x\](y) \*z\* \_u\_ \$1 \&lt;"),
            ("# not a heading", r"\# not a heading"),
            ("- no list", r"\- no list"),
            ("12. no list", r"12\. no list"),
            ("two\n\n# lines", "two # lines"),
            ("a\u{202e}b\u{1b}[0m", "a\u{fffd}b\u{fffd}\\[0m"),
            ("`", r"\`"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn what_stands_between_backticks_is_code() {
        assert_eq!(prose("run `a | b <c>` now"), "run `a | b <c>` now");
        assert_eq!(prose("`a` `b`"), "`a` `b`");
        assert_eq!(prose("one ` alone *"), r"one \` alone \*");
        assert_eq!(prose("<b> `x`, <c>"), r"\<b\> `x`, \<c\>");
    }

    #[test]
    fn no_code_ends_early() {
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`a"), "`` `a ``");
        assert_eq!(code_in_cell("a|b"), r"`a\|b`");
        assert_eq!(block("yaml", "a: 1\n```\nb\u{1b}"), "````yaml\na: 1\n```\nb\u{fffd}\n````\n");
    }

    #[test]
    fn a_link_is_a_link_and_nothing_else() {
        assert_eq!(link("https://example.com/a_b?c=d"), "<https://example.com/a_b?c=d>");
        assert_eq!(link("javascript:alert(1)"), "javascript:alert(1)");
        assert_eq!(link("https://example.com/> <b>"), r"https://example.com/\> \<b\>");
    }
}
