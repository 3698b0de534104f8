//! What the parsers of YAML and of Sigma say of a text that they cannot read, in its author's words: where, what, and what to write
//! instead. Knows nothing of what a rule means.

use super::{
    check::{self, Fault},
    nearest::nearest,
};

/// What Sigma calls its levels, its statuses and the modifiers that mean something here.
const LEVELS: [&str; 5] = ["informational", "low", "medium", "high", "critical"];
const STATUSES: [&str; 5] = ["stable", "test", "experimental", "deprecated", "unsupported"];
const MODIFIERS: [&str; 25] = [
    "all",
    "base64",
    "base64offset",
    "cased",
    "cidr",
    "contains",
    "day",
    "endswith",
    "exists",
    "expand",
    "fieldref",
    "gt",
    "gte",
    "hour",
    "i",
    "lt",
    "lte",
    "m",
    "minute",
    "month",
    "neq",
    "re",
    "s",
    "startswith",
    "year",
];

/// The parser's messages can be drawings of several lines.
pub(super) fn in_one_line(error: &str) -> String {
    error.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the parser says of a text that it cannot read.
pub(super) fn parser_fault(error: &str, text: &str) -> Fault {
    let error = in_one_line(error);
    if let Some(fault) = of_condition(&error, text).or_else(|| of_tab(&error, text)).or_else(|| of_word(&error)) {
        return fault;
    }
    let remedy = if error.contains("mapping values are not allowed") {
        "write a text that has `: ` in it between quotes"
    } else {
        "see sigmahq.io/docs for how a rule is written"
    };
    let near = quoted(&error).unwrap_or_default();
    Fault { place: place(&error), ..Fault::new(near, error.clone(), remedy) }
}

/// The parser counts from the beginning of the condition, and draws what it expected below it.
fn of_condition(error: &str, text: &str) -> Option<Fault> {
    let drawn = error.strip_prefix("Condition parse error")?;
    let inside = || -> Option<(usize, usize)> {
        let at: String = drawn.strip_prefix(" at 1:")?.chars().take_while(char::is_ascii_digit).collect();
        let (line, column) = check::place_of("condition: ", text)?;
        // Only what stands in one line, without quotes, is counted as it is written.
        let written = text.lines().nth(line - 1)?.split_once("condition: ")?.1;
        let plain = !written.trim_start().starts_with(['"', '\'', '>', '|', '[']);
        let blanks = written.chars().take_while(|c| *c == ' ').count();
        plain.then_some((line, column + "condition: ".len() + blanks + at.parse::<usize>().ok()?.checked_sub(1)?))
    };
    let place = inside();
    let condition = drawn.split_once(" | 1 | ").and_then(|(_, rest)| rest.rsplit_once(" | ^")).map_or("", |(it, _)| it);
    let upper = condition.split([' ', '(', ')']).find(|word| ["AND", "OR", "NOT"].contains(word));
    let (problem, remedy) = if let Some(word) = upper {
        (format!("its condition has `{word}`"), "write `and`, `or` and `not` in lower case")
    } else if condition.contains('|') {
        let remedy = "one record is judged at a time; take what follows the `|` out, and count elsewhere";
        ("its condition has an aggregation, which is refused".to_owned(), remedy)
    } else {
        let from = place.and_then(|(line, column)| {
            let rest: String = text.lines().nth(line - 1)?.chars().skip(column - 1).collect();
            rest.split_whitespace().next().map(str::to_owned)
        });
        let from = from.map_or(String::new(), |word| format!(" from `{word}` on"));
        let remedy = "it is made of names of selections, and, or, not, `1 of`, `all of` and parentheses";
        (format!("its condition cannot be read{from}"), remedy)
    };
    Some(Fault { place, ..Fault::new("condition:", problem, remedy) })
}

/// What YAML says of a tab where it wants blanks is about anything but the tab.
fn of_tab(error: &str, text: &str) -> Option<Fault> {
    if !error.contains("tab character") && !error.contains("cannot start any token") {
        return None;
    }
    let indent = |line: &str| line.chars().take_while(|c| c.is_whitespace()).position(|c| c == '\t');
    let (line, column) = text.lines().enumerate().find_map(|(at, line)| Some((at + 1, indent(line)? + 1)))?;
    let fault =
        Fault::new("", "the line is indented with a tab", "YAML indents with spaces; write spaces in its place");
    Some(Fault { place: Some((line, column)), ..fault })
}

/// A word where only a few can stand.
fn of_word(error: &str) -> Option<Fault> {
    let kinds = [
        ("invalid level: ", "level", LEVELS.as_slice()),
        ("invalid status: ", "status", &STATUSES),
        ("Unknown modifier ", "modifier", &MODIFIERS),
    ];
    let (_, what, known) = kinds.iter().find(|(begins, ..)| error.starts_with(begins))?;
    let word = quoted(error)?;
    let all = format!("there are {}", known.join(", "));
    let remedy = match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`? {all}"),
        None => all,
    };
    Some(Fault::new(word, format!("`{word}` is no {what} that is known here"), remedy))
}

/// The place that YAML's own error messages name.
fn place(error: &str) -> Option<(usize, usize)> {
    let (line, rest) = error.split_once(" at line ")?.1.split_once(" column ")?;
    let column: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((line.parse().ok()?, column.parse().ok()?))
}

/// The first text in quotes of an error message, to find its line by.
fn quoted(error: &str) -> Option<&str> {
    let (_, rest) = error.split_once(['\'', '`', '"'])?;
    rest.split_once(['\'', '`', '"']).map(|(text, _)| text)
}
