//! What `rules check` says of a rule file: all that makes it refused, each with its place, and what is legal and cannot be
//! meant. A rule that is only found odd here is in force all the same. The Lambda is built without this.
//!
//! - [`source`]: where in the file a key or a value stands
//! - [`head`]: ids, days and tags that are none
//! - [`lists`]: lists that nobody names, or that a rule misses
//! - [`names`]: fields, event sources and event names that do not exist
//! - [`truth`]: conditions that can never be true, or never false

mod head;
mod lists;
mod names;
mod source;
mod truth;

use rsigma_parser::{ConditionExpr, Detection, DetectionItem, Detections, Modifier};

pub use self::lists::of_lists;
use self::source::{Place, Source};
use super::{Lists, Loaded, Refused, RuleFile, Warning, check, engine::Engine, load, needs::Needs};
use crate::operations::Operations;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably not meant.
    Warning,
    /// The rule is refused, can never match, or asks for something that does not exist.
    Error,
}

impl Severity {
    /// `note`, `warning` or `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something about a rule file that its author should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The file.
    pub path: String,
    /// Line in the file, from 1, where it is known.
    pub line: Option<usize>,
    /// Column in that line, in characters from 1, where it is known.
    pub column: Option<usize>,
    /// How many characters from there are meant.
    pub width: usize,
    /// What is wrong, and what to write instead.
    pub text: String,
}

impl Problem {
    /// A problem with a whole file.
    #[must_use]
    pub fn of_file(severity: Severity, path: &str, text: impl Into<String>) -> Self {
        Self { severity, path: path.to_owned(), line: None, column: None, width: 1, text: text.into() }
    }
}

impl From<&Refused> for Problem {
    fn from(refused: &Refused) -> Self {
        let text = format!("{}; {}", refused.problem, refused.remedy);
        Self { line: refused.line, column: refused.column, ..Self::of_file(Severity::Error, &refused.path, text) }
    }
}

impl From<&Warning> for Problem {
    fn from(warning: &Warning) -> Self {
        let text = warning.text.clone();
        Self { line: warning.line, column: warning.column, ..Self::of_file(Severity::Warning, &warning.path, text) }
    }
}

/// Lines of a rule's selections up to which they are looked at, each beside all others: whoever writes rules must not be able to
/// keep anybody waiting. A rule that asks for all of so many is refused as too large.
const MOST_LINES: usize = 8 * 1024;

/// Everything that can be said of these files, sorted by place; `loaded` is what became of them.
#[must_use]
pub fn problems(files: &[RuleFile], loaded: &Loaded) -> Vec<Problem> {
    let (operations, lists) = (loaded.rule_set.operations(), loaded.rule_set.lists());
    let mut problems: Vec<Problem> = files.iter().flat_map(|file| lint(file, operations, lists)).collect();
    problems.extend(files.iter().filter(|file| file.is_lists()).flat_map(|file| of_lists(file, files)));
    // Here every fault is told with its exact place; loading tells the first one alone.
    let refused = loaded.refused.iter().map(Problem::from);
    let more: Vec<Problem> = refused
        .chain(loaded.warnings.iter().map(Problem::from))
        .filter(|new| !problems.iter().any(|known| known.path == new.path && known.text == new.text))
        .collect();
    problems.extend(more);
    problems.sort_by(|a, b| (&a.path, a.line, a.column, b.severity).cmp(&(&b.path, b.line, b.column, a.severity)));
    problems
}

/// What is wrong with one file beyond its YAML, which loading tells.
fn lint(file: &RuleFile, operations: &Operations, given: &Lists) -> Vec<Problem> {
    let Ok(rule) = load::parse(&file.text) else { return Vec::new() };
    let mut report = Report { path: &file.path, problems: Vec::new() };
    if count_of_lines(&rule.detection) > MOST_LINES {
        let text =
            format!("its selections have more than {MOST_LINES} lines, so only what makes it refused is looked for");
        report.add(Severity::Warning, None, text);
        return report.problems;
    }
    let source = Source::of(&file.text);
    let lines = lines(&rule.detection, &source);
    for line in &lines {
        line.faults(&mut report);
    }
    names::lint(&rule, &lines, &source, operations, &mut report);
    lists::of_rule(&rule, &lines, given, &source, &mut report);
    head::lint(&rule, &source, &mut report);
    truth::lint(&rule.detection, &lines, &source, &mut report);
    // What a wrong name in the condition leads to is no problem of its own.
    if rule.detection.conditions.iter().any(|condition| names_what_is_not_there(condition, &rule.detection)) {
        return report.problems;
    }
    unused(&rule.detection, &source, &mut report);
    // What is built in was measured with all the others.
    if !load::is_builtin(&file.text)
        && let Some(text) = what_its_reach_costs(&Needs::of(&rule.detection), operations)
    {
        report.add(Severity::Note, source.key(&[], "detection"), text);
    }
    report.problems
}

/// What a rule costs with records that it is not about, if it is much. The figures are those of `bench reach` (`make bench`).
fn what_its_reach_costs(needs: &Needs, operations: &Operations) -> Option<String> {
    match needs {
        Needs::Nothing => Some(
            "names neither eventSource nor eventName in full, nor a text that each of its records holds, so every record of every \
             log is parsed and asked: a log with few of Bedrock's records takes up to twice the CPU time; name one of them if you can"
                .to_owned(),
        ),
        Needs::Sources(sources) => {
            // Bedrock's own records are nearly all asked by the built-in rules anyway.
            let others: Vec<&str> =
                sources.iter().map(String::as_str).filter(|source| !operations.sources().any(|own| own == *source)).collect();
            (!others.is_empty()).then(|| {
                format!(
                    "names no eventName in full, so every record of {} is parsed and asked, which takes about twice the CPU time \
                     of a record that no rule wants; name the calls if you can",
                    others.join(", ")
                )
            })
        }
        _ => None,
    }
}

/// What is found in one file.
struct Report<'f> {
    path: &'f str,
    problems: Vec<Problem>,
}

impl Report<'_> {
    fn add(&mut self, severity: Severity, place: Option<Place>, text: impl Into<String>) {
        let mut problem = Problem::of_file(severity, self.path, text);
        if let Some(place) = place {
            problem.line = Some(place.line);
            problem.column = Some(place.column);
            problem.width = place.width;
        }
        self.problems.push(problem);
    }
}

/// One line of a selection, and where it stands.
struct Line<'r> {
    selection: &'r str,
    item: &'r DetectionItem,
    /// The lines that must hold together with this one, itself included.
    together: &'r [DetectionItem],
    field: &'r str,
    place: Option<Place>,
    key: Option<usize>,
}

impl Line<'_> {
    fn place_of(&self, value: &str, source: &Source) -> Option<Place> {
        self.key.and_then(|key| source.value(key, value)).or(self.place)
    }

    /// What makes this line refused.
    fn faults(&self, report: &mut Report<'_>) {
        // Of a list that only loading knows.
        if self.item.field.has_modifier(Modifier::Expand) {
            return;
        }
        let alone = Detection::AllOf(vec![self.item.clone()]);
        let checked = check::check_detection(self.selection, &alone)
            .and_then(|()| Engine::of_line(self.selection, self.item).map(drop));
        if let Err(fault) = checked {
            report.add(Severity::Error, self.place, format!("{}; {}", fault.problem, fault.remedy));
        }
    }
}

fn count_of_lines(detections: &Detections) -> usize {
    let mut maps = Vec::new();
    detections.named.values().for_each(|detection| collect(detection, &mut maps));
    maps.iter().map(|map| map.len()).sum()
}

/// Every line of every selection, in the order of names.
fn lines<'r>(detections: &'r Detections, source: &Source) -> Vec<Line<'r>> {
    let mut named: Vec<(&String, &Detection)> = detections.named.iter().collect();
    named.sort_by_key(|(name, _)| *name);
    let mut lines = Vec::new();
    for (selection, detection) in named {
        let mut maps = Vec::new();
        collect(detection, &mut maps);
        let mut seen: Vec<&str> = Vec::new();
        for (together, item) in maps.into_iter().flat_map(|map| map.iter().map(move |item| (map, item))) {
            let field = item.field.name.as_deref().unwrap_or_default();
            let nth = seen.iter().filter(|other| **other == field).count();
            seen.push(field);
            let found = source.nth_field(&["detection", selection], field, nth);
            let (place, key) = found.unzip();
            lines.push(Line { selection, item, together, field, place, key });
        }
    }
    lines
}

fn collect<'r>(detection: &'r Detection, maps: &mut Vec<&'r [DetectionItem]>) {
    match detection {
        Detection::AllOf(items) => maps.push(items),
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().for_each(|part| collect(part, maps)),
        _ => {}
    }
}

/// Selections that no condition asks for.
fn unused(detections: &Detections, source: &Source, report: &mut Report<'_>) {
    for name in detections.named.keys() {
        if !detections.conditions.iter().any(|condition| asks_for(condition, name)) {
            let text = format!("`{name}` stands in no condition; use it there, or take it out");
            report.add(Severity::Warning, source.key(&["detection"], name), text);
        }
    }
}

fn names_what_is_not_there(condition: &ConditionExpr, detections: &Detections) -> bool {
    match condition {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => {
            parts.iter().any(|part| names_what_is_not_there(part, detections))
        }
        ConditionExpr::Not(part) => names_what_is_not_there(part, detections),
        ConditionExpr::Identifier(name) => !detections.named.contains_key(name),
        ConditionExpr::Selector { .. } => false,
    }
}

fn asks_for(condition: &ConditionExpr, name: &str) -> bool {
    match condition {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => parts.iter().any(|part| asks_for(part, name)),
        ConditionExpr::Not(part) => asks_for(part, name),
        ConditionExpr::Identifier(other) => other == name,
        ConditionExpr::Selector { pattern, .. } => pattern.matches_detection_name(name),
    }
}
