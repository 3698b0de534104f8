//! `rules`, as far as exceptions and overrides go: which are in force, and whether the proof beside each exception holds.

use std::{
    fs,
    io::{self, Write},
};

use comfy_table::Cell;
use detection::{
    rules::{
        Exception, Level, Lists, Override, RuleFile, RuleRef, RuleSet, Stage, Term,
        lint::{Problem, Severity},
        proof::ExceptionProof,
    },
    text::neutral,
};
use serde_json::{Value, json};
use time::{Date, OffsetDateTime};

use crate::{Ended, complain, counted, rules::proof_path, table};

/// Whether a file says what becomes of rules that others are: it holds an exception or overrides, and no rule.
pub(crate) fn governs(file: &RuleFile) -> bool {
    file.is_exception() || file.is_overrides()
}

/// What is wrong with the proofs of the exceptions in force, and what has expired.
pub(crate) fn problems(rule_set: &RuleSet) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (position, exception) in rule_set.exceptions().iter().enumerate() {
        let failures = failures(rule_set, position, exception);
        problems.extend(failures.into_iter().map(|text| Problem::of_file(Severity::Error, &exception.path, text)));
        if exception.term.expires < today() {
            let text = format!("it expired with {}; renew it, or remove it", exception.term.expires);
            problems.push(Problem::of_file(Severity::Warning, &exception.path, text));
        }
    }
    for change in rule_set.overrides().values().filter(|change| change.term.expires < today()) {
        let (id, expires) = (&change.rule.about.id, change.term.expires);
        let text = format!("the override of {id} expired with {expires}; renew it, or remove it");
        problems.push(Problem::of_file(Severity::Warning, &change.path, text));
    }
    problems
}

/// How many of the exceptions and overrides among these files are in force; nothing where there are none.
pub(crate) fn sum(rule_set: &RuleSet, files: &[RuleFile], out: &mut impl Write) -> io::Result<()> {
    let exceptions = files.iter().filter(|file| file.is_exception()).count() as u64;
    let (in_force, overrides) = (rule_set.exceptions().len() as u64, rule_set.overrides().len() as u64);
    if exceptions + overrides == 0 {
        return Ok(());
    }
    let refused = exceptions.saturating_sub(in_force);
    let (exceptions, overrides) = (counted(exceptions, "exception"), counted(overrides, "override"));
    let of_exceptions = not_in_force(rule_set.exceptions().iter().map(|exception| &exception.term));
    let of_overrides = not_in_force(rule_set.overrides().values().map(|change| &change.term));
    writeln!(out, "{exceptions}: {refused} refused{of_exceptions}; {overrides}{of_overrides}")
}

/// How many of these do nothing today; nothing if all of them do something.
fn not_in_force<'t>(terms: impl Iterator<Item = &'t Term>) -> String {
    let (mut expired, mut to_come) = (0, 0);
    for term in terms {
        expired += u64::from(term.expires < today());
        to_come += u64::from(term.date > today());
    }
    let mut said = String::new();
    for (count, what) in [(expired, "expired"), (to_come, "not yet in force")] {
        if count > 0 {
            said.push_str(&format!(", {count} {what}"));
        }
    }
    said
}

/// Runs the proofs of the exceptions among these files, beside the built-in rules: exceptions are mostly from those.
pub(crate) fn test(files: &[RuleFile], lists: Lists, out: &mut impl Write) -> io::Result<Ended> {
    if !files.iter().any(governs) {
        return Ok(Ended::Clean);
    }
    let loaded = RuleSet::load_with(files.iter().cloned(), lists);
    let mut ended = Ended::Clean;
    for refused in &loaded.refused {
        if files.iter().any(|file| governs(file) && file.path == refused.path) {
            complain(&format!("error: {refused}"));
            ended = Ended::NotRead;
        }
    }
    let exceptions = loaded.rule_set.exceptions();
    let mut proven = 0;
    for (position, exception) in exceptions.iter().enumerate() {
        let failures = failures(&loaded.rule_set, position, exception);
        if failures.is_empty() {
            proven += 1;
            continue;
        }
        ended = ended.max(Ended::Found);
        writeln!(out, "{}: {}", exception.path, neutral(&exception.title, 200))?;
        for failure in failures {
            writeln!(out, "  {failure}")?;
        }
    }
    let idle = not_in_force(exceptions.iter().map(|exception| &exception.term));
    writeln!(out, "{} proven, {} not{idle}", counted(proven, "exception"), exceptions.len() as u64 - proven)?;
    Ok(ended)
}

/// Why the proof beside an exception does not hold.
fn failures(rule_set: &RuleSet, position: usize, exception: &Exception) -> Vec<String> {
    let path = proof_path(&exception.path);
    let shown = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return vec![format!(
                "it has no proof beside it; write {shown} with a record that it silences and one that still alerts"
            )];
        }
        Err(error) => return vec![format!("{shown} cannot be read ({error})")],
    };
    match ExceptionProof::parse(&text) {
        Ok(proof) => proof.failures(rule_set, position),
        Err(error) => vec![format!("{shown} is no proof of an exception: {error}; see docs/exceptions.md")],
    }
}

/// Exceptions and overrides, each with who answers for it and until when; nothing where there are none.
pub(crate) fn list(rule_set: &RuleSet, out: &mut impl Write) -> io::Result<()> {
    if !rule_set.exceptions().is_empty() {
        let mut table = table::table(&["exception", "from", "owner and reason", "expires"]);
        for exception in rule_set.exceptions() {
            let mut lines =
                vec![neutral(&exception.title, 200), neutral(&exception.id, 60), neutral(&exception.path, 200)];
            lines.extend((exception.stage == Stage::Shadow).then(|| "in shadow".to_owned()));
            table.add_row(row(lines.join("\n"), from(rule_set, exception), &exception.term));
        }
        table::write(&table, out)?;
    }
    if !rule_set.overrides().is_empty() {
        let mut table = table::table(&["overridden rule", "override", "owner and reason", "expires"]);
        for (rule, change) in rule_set.overrides() {
            let lines = [title(rule_set, *rule), neutral(&change.rule.about.id, 60), neutral(&change.path, 200)];
            table.add_row(row(lines.join("\n"), what(change), &change.term));
        }
        table::write(&table, out)?;
    }
    Ok(())
}

/// Why an exception keeps a finding from being told, for people.
pub(crate) fn silence(exception: &Exception) -> String {
    let Exception { title, path, term, .. } = exception;
    format!("the exception \"{title}\" ({path}) of {} silences it until {}: {}", term.owner, term.expires, term.reason)
}

/// Why a rule is not asked, for people.
pub(crate) fn rest(change: &Override) -> String {
    let Override { path, term, .. } = change;
    format!("{} put it to rest until {} ({path}): {}", term.owner, term.expires, term.reason)
}

/// The exceptions from a rule, for programs.
pub(crate) fn json(rule_set: &RuleSet, rule: RuleRef) -> Value {
    let is_from = |exception: &&Exception| exception.rules.as_ref().is_none_or(|rules| rules.contains(&rule));
    let exceptions = rule_set.exceptions().iter().filter(is_from).map(|exception| {
        let Exception { id, title, path, term, .. } = exception;
        let (date, expires) = (term.date.to_string(), term.expires.to_string());
        json!({
            "id": id, "title": title, "path": path, "stage": stage(exception.stage),
            "owner": term.owner, "reason": term.reason, "date": date, "expires": expires,
        })
    });
    exceptions.collect()
}

/// The override of a rule, for programs; nothing where there is none.
pub(crate) fn override_json(rule_set: &RuleSet, rule: RuleRef) -> Value {
    let Some(change) = rule_set.overrides().get(&rule) else { return Value::Null };
    let Override { path, term, disabled, level, .. } = change;
    let (date, expires) = (term.date.to_string(), term.expires.to_string());
    json!({
        "path": path, "disabled": disabled, "level": level.as_ref().map(Level::as_str), "stage": change.stage.map(stage),
        "owner": term.owner, "reason": term.reason, "date": date, "expires": expires,
    })
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Live => "live",
        Stage::Shadow => "shadow",
    }
}

fn row(first: String, second: String, term: &Term) -> [Cell; 4] {
    let owner = format!("{}\n{}", neutral(&term.owner, 100), neutral(&term.reason, 300));
    let standing = match today() {
        today if today > term.expires => "\nexpired".to_owned(),
        today if today < term.date => format!("\nnot in force before {}", term.date),
        _ => String::new(),
    };
    let expires = format!("{}{standing}", term.expires);
    [first, second, owner, expires].map(Cell::new)
}

fn from(rule_set: &RuleSet, exception: &Exception) -> String {
    match &exception.rules {
        Some(rules) => rules.iter().map(|rule| title(rule_set, *rule)).collect::<Vec<_>>().join("\n"),
        None => "every rule".to_owned(),
    }
}

fn title(rule_set: &RuleSet, rule: RuleRef) -> String {
    rule_set.rule(rule, false).map(|rule| neutral(&rule.about.title, 200)).unwrap_or_default()
}

fn what(change: &Override) -> String {
    let mut what = Vec::new();
    what.extend(change.disabled.then(|| "disabled".to_owned()));
    what.extend(change.level.map(|level| format!("level {}", level.as_str())));
    what.extend(change.stage.map(|stage| if stage == Stage::Shadow { "in shadow" } else { "live" }.to_owned()));
    what.join("\n")
}

/// The day of this machine's clock, in UTC.
pub(crate) fn today() -> Date {
    OffsetDateTime::now_utc().date()
}
