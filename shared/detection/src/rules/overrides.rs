//! Overrides: another level or stage for a rule, or its rest, for a time and with somebody who answers for it. So a built-in
//! rule is retuned without a copy of it. A wrong entry is left out alone, and the rule stays as it is written.

use std::{
    collections::{BTreeMap, HashMap},
    str::FromStr as _,
    sync::Arc,
};

use rsigma_parser::Level;
use yaml_serde::{Mapping, Value};

use super::{
    Rule, RuleFile, RuleRef, Stage, bounds,
    check::{self, Fault, Refused},
    load::MAX_FILE_BYTES,
    parser_fault::parser_fault,
    severity_id,
    term::{self, Term},
};

/// The names of a file with overrides, in whatever folder it lies.
const OVERRIDES_FILES: [&str; 2] = ["overrides.yml", "overrides.yaml"];
/// What an entry may say.
const KNOWN: [&str; 7] = ["level", "disabled", "stage", "owner", "reason", "date", "expires"];

/// How a rule is judged for a time.
#[derive(Debug)]
pub struct Override {
    /// Path of its file, for messages.
    pub path: String,
    /// Who answers for it, why, and until when.
    pub term: Term,
    /// The rule is not asked.
    pub disabled: bool,
    /// The level that the rule has instead of its own.
    pub level: Option<Level>,
    /// The stage that the rule has instead of its own.
    pub stage: Option<Stage>,
    /// The rule as it is for that time.
    pub rule: Rule,
}

/// What the overrides of a rule set are made from.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    pub(super) all: BTreeMap<RuleRef, Override>,
    pub(super) refused: Vec<Refused>,
    /// Files of which only some entries are refused.
    pub(super) partly: Vec<String>,
}

/// Whether a file holds overrides: its name says so.
pub(super) fn is_overrides(path: &str) -> bool {
    path.rsplit(['/', '\\']).next().is_some_and(|name| OVERRIDES_FILES.contains(&name))
}

impl Overrides {
    /// Adds the entries of a file. `ids` finds a rule by its id, and `rule` gives it as it is written. Answers whether the
    /// file could be read as a whole.
    pub(super) fn add<'a>(
        &mut self,
        file: &RuleFile,
        ids: &HashMap<String, RuleRef>,
        rule: impl Fn(RuleRef) -> Option<&'a Rule>,
    ) -> bool {
        let entries = match entries(file) {
            Ok(entries) => entries,
            Err(fault) => {
                self.refused.push(fault.at(&file.path, &file.text));
                return false;
            }
        };
        let before = self.refused.len();
        for (id, entry) in &entries {
            if let Err(mut fault) = self.add_entry(file, id, entry, ids, &rule) {
                let id = id.as_str().unwrap_or_default();
                fault.problem = format!("`{id}`: {}", fault.problem);
                self.refused.push(at_entry(fault, id, file));
            }
        }
        if self.refused.len() > before {
            self.partly.push(file.path.clone());
        }
        true
    }

    fn add_entry<'a>(
        &mut self,
        file: &RuleFile,
        id: &Value,
        entry: &Value,
        ids: &HashMap<String, RuleRef>,
        rule: impl Fn(RuleRef) -> Option<&'a Rule>,
    ) -> Result<(), Fault> {
        let id = id.as_str().ok_or_else(|| Fault::new("", "it is no rule id", "write the id of a rule, in quotes"))?;
        let found = ids.get(id).and_then(|at| Some((*at, rule(*at)?)));
        let (at, rule) = found.ok_or_else(|| {
            Fault::new("", "no rule has this id", "write the id of a rule; `bedrock-audit rules list` shows them")
        })?;
        if rule.always_told {
            return Err(Fault::new(
                "",
                "it is always told, as it is",
                "take the entry out; the rule watches over overrides",
            ));
        }
        if let Some(other) = self.all.get(&at) {
            let problem = format!("{} overrides the same rule", other.path);
            return Err(Fault::new("", problem, "keep one of them"));
        }
        let given = members(entry)?;
        let disabled = match given.get("disabled") {
            None => false,
            Some(Value::Bool(disabled)) => *disabled,
            Some(_) => return Err(Fault::new("disabled:", "`disabled` is neither `true` nor `false`", "write one")),
        };
        let level = given.get("level").map(level).transpose()?;
        let stage = term::stage(&given)?;
        if !disabled && level.is_none() && stage.is_none() {
            return Err(Fault::new("", "it overrides nothing", "give it a `level`, a `stage` or `disabled: true`"));
        }
        let term = Term::of(&given)?;
        let rule = overridden(rule, level, stage);
        self.all.insert(at, Override { path: file.path.clone(), term, disabled, level, stage, rule });
        Ok(())
    }
}

fn entries(file: &RuleFile) -> Result<Mapping, Fault> {
    if file.text.len() as u64 > MAX_FILE_BYTES {
        return Err(Fault::new("", "it is larger than 1 MiB", "remove what is no longer needed"));
    }
    bounds::check_yaml(&file.text)?;
    match yaml_serde::from_str(&file.text) {
        Ok(Value::Mapping(entries)) => Ok(entries),
        // Nothing in it but comments.
        Ok(Value::Null) => Ok(Mapping::new()),
        Ok(_) => Err(Fault::new("", "it is no map from rule ids to what is overridden", "see docs/exceptions.md")),
        Err(error) => {
            Err(Fault { remedy: "see docs/exceptions.md".to_owned(), ..parser_fault(&error.to_string(), &file.text) })
        }
    }
}

fn members(entry: &Value) -> Result<HashMap<String, Value>, Fault> {
    let Value::Mapping(members) = entry else {
        return Err(Fault::new("", "it is no map of what is overridden", "see docs/exceptions.md"));
    };
    let mut given = HashMap::new();
    for (name, value) in members {
        // A misspelt word would leave the rule as it is, and nobody would know.
        let name = name.as_str().filter(|name| KNOWN.contains(name)).ok_or_else(|| {
            let written = name.as_str().unwrap_or("something that is no text");
            Fault::new(written, format!("`{written}` means nothing here"), format!("known are {}", KNOWN.join(", ")))
        })?;
        given.insert(name.to_owned(), value.clone());
    }
    Ok(given)
}

fn level(value: &Value) -> Result<Level, Fault> {
    value.as_str().and_then(|text| Level::from_str(text).ok()).ok_or_else(|| {
        Fault::new("level:", "`level` is not a level", "write informational, low, medium, high or critical")
    })
}

/// Names the place inside the entry, and not the same word in another one.
fn at_entry(fault: Fault, id: &str, file: &RuleFile) -> Refused {
    let start = check::place_of(id, &file.text);
    let inside = start.and_then(|(line, _)| {
        // An entry ends where the next line begins without a space.
        let lines = file.text.lines().skip(line).take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
        let entry: Vec<&str> = lines.collect();
        let (within, column) = check::place_of(&fault.near, &entry.join("\n"))?;
        Some((line + within, column))
    });
    Fault { place: inside.or(start), near: String::new(), ..fault }.at(&file.path, &file.text)
}

/// The rule with another level or stage. What denied and failed calls are worth keeps its distance from the level.
fn overridden(rule: &Rule, level: Option<Level>, stage: Option<Stage>) -> Rule {
    let mut rule = rule.clone();
    let mut about = (*rule.about).clone();
    if let Some(level) = level {
        let moved = |other: Level| {
            let place =
                i16::from(severity_id(other)) + i16::from(severity_id(level)) - i16::from(severity_id(about.level));
            match place {
                ..=1 => Level::Informational,
                2 => Level::Low,
                3 => Level::Medium,
                4 => Level::High,
                5.. => Level::Critical,
            }
        };
        (rule.level_denied, rule.level_failed) = (moved(rule.level_denied), moved(rule.level_failed));
        about.level = level;
    }
    about.stage = stage.unwrap_or(about.stage);
    rule.about = Arc::new(about);
    rule
}
