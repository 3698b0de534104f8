//! What `rules check` has to say, as compilers say it: place, how bad, what is wrong, and on a terminal the line itself.

use std::io::{self, IsTerminal as _, Write as _};

use detection::{
    rules::{RuleFile, lint::Problem},
    text::neutral,
};

/// Characters of a line that are shown.
const WIDEST: usize = 200;

/// Writes each problem to stderr. A closed stderr is no reason to stop.
pub(crate) fn tell(problems: &[Problem], files: &[&RuleFile]) {
    let mut err = io::stderr().lock();
    let excerpts = err.is_terminal();
    for problem in problems {
        let file = files.iter().find(|file| excerpts && file.path == problem.path);
        drop(writeln!(err, "{}", shown(problem, file.map(|file| file.text.as_str()))));
    }
}

/// One line, and below it the line that is meant, if its text is given.
fn shown(problem: &Problem, text: Option<&str>) -> String {
    let number = |number: Option<usize>| number.map_or(String::new(), |number| format!(":{number}"));
    let (line, column) = (number(problem.line), number(problem.column));
    let mut shown = format!(
        "{}{line}{column}: {}: {}",
        neutral(&problem.path, 1_000),
        problem.severity.as_str(),
        neutral(&problem.text, 2_000)
    );
    let (Some(line), Some(column), Some(text)) = (problem.line, problem.column, text) else { return shown };
    let Some(written) = line.checked_sub(1).and_then(|line| text.lines().nth(line)) else { return shown };
    // A tab is as wide as the terminal likes, and looks like blanks; a caret below it must not depend on that.
    let written = neutral(&written.replace('\t', "→"), WIDEST);
    let before = column.saturating_sub(1);
    let marked = problem.width.min(written.chars().count().saturating_sub(before));
    if marked > 0 {
        let (indent, carets) = (" ".repeat(before), "^".repeat(marked));
        shown.push_str(&format!("\n{line:>6} | {written}\n{:>6} | {indent}{carets}", ""));
    }
    shown
}

#[cfg(test)]
mod tests {
    use detection::rules::lint::Severity;

    use super::*;

    fn problem(line: usize, column: usize, width: usize) -> Problem {
        let (line, column) = (Some(line), Some(column));
        Problem { line, column, width, ..Problem::of_file(Severity::Error, "a.yml", "it is wrong; fix it") }
    }

    #[test]
    fn what_is_meant_is_underlined() {
        let text = "title: T\n\tname: \u{1b}[2JÄrger\n";
        assert_eq!(
            shown(&problem(2, 8, 9), Some(text)),
            "a.yml:2:8: error: it is wrong; fix it\n     2 | →name: \u{fffd}[2JÄrger\n       |        ^^^^^^^^^"
        );
        assert_eq!(shown(&problem(2, 8, 9), None), "a.yml:2:8: error: it is wrong; fix it");
        let whole = Problem::of_file(Severity::Warning, "a.yml", "odd");
        assert_eq!(shown(&whole, Some(text)), "a.yml: warning: odd");
        for (line, column) in [(9, 1), (1, 90), (0, 0)] {
            assert!(!shown(&problem(line, column, 3), Some(text)).contains('^'), "{line}:{column} is not there");
        }
    }
}
