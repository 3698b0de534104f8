//! The proof beside a rule: records that it must match, with the expected outcome and severity, and records that it must
//! ignore. The proof beside an exception: records that it silences, and records of its rules that are told all the same. Knows
//! the format (`rules/README.md`) and asks the same engine as everybody.

use std::collections::BTreeMap;

use rsigma_parser::Level;
use serde::Deserialize;
use serde_json::Value;

use super::{Lists, Question, RuleFile, RuleRef, RuleSet};
use crate::{
    finding::severity_of,
    record::{Outcome, Record},
};

/// A proof file: `NAME.proof.json` beside `NAME.yml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// A whole record, which a case changes by a JSON merge patch (RFC 7396).
    #[serde(default)]
    base: Option<Value>,
    /// Lists in place of those with the same names: what a rule is held to does not change with yours.
    #[serde(default)]
    lists: BTreeMap<String, Vec<String>>,
    /// What the rule must match.
    pub matches: Vec<Match>,
    /// What the rule must not match.
    pub ignores: Vec<Ignore>,
}

/// A record that the rule must match.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Completes the sentence "it fires, because".
    pub because: String,
    /// The outcome that the finding must have.
    pub outcome: String,
    /// The severity that the finding must have.
    pub severity: Level,
    #[serde(default)]
    change: Option<Value>,
    #[serde(default)]
    record: Option<Value>,
}

/// A record that the rule must ignore.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ignore {
    /// Completes the sentence "it is silent, because".
    pub because: String,
    #[serde(default)]
    change: Option<Value>,
    #[serde(default)]
    record: Option<Value>,
}

impl Proof {
    /// Reads a proof file.
    ///
    /// # Errors
    /// With line and column, when it is not JSON of the documented form.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// How many cases must match, and how many must be ignored.
    #[must_use]
    pub fn cases(&self) -> (usize, usize) {
        (self.matches.len(), self.ignores.len())
    }

    /// Every case of a rule that does not hold, with the part of the condition that says no. Empty: the rule is proven.
    #[must_use]
    pub fn failures(&self, rule: &RuleFile) -> Vec<String> {
        self.failures_with(rule, &Lists::builtin())
    }

    /// The same where the rule is used with `yours`: it may name lists that are not built in.
    #[must_use]
    pub fn failures_with(&self, rule: &RuleFile, yours: &Lists) -> Vec<String> {
        let mut lists = self.lists();
        for (name, entries) in yours.iter() {
            if lists.get(name).is_none() {
                lists.put(name, entries.to_vec());
            }
        }
        let loaded = RuleSet::load_only_with([rule.clone()], lists);
        if let Some(refused) = loaded.refused.first() {
            return vec![refused.to_string()];
        }
        let mut failures = self.failing(&loaded.rule_set, 0);
        if let Some(name) = loaded.rule_set.waiting().find_map(|rule| rule.waits_for.as_deref()) {
            failures.push(format!("the rule waits for the list `{name}`; give it some entries under `lists`"));
        }
        failures
    }

    /// The lists that the rule is held to: the built-in ones, and the proof's own in their place.
    #[must_use]
    pub fn lists(&self) -> Lists {
        let mut lists = Lists::builtin();
        for (name, entries) in &self.lists {
            lists.put(name, entries.clone());
        }
        lists
    }

    /// The records that the rule must match, each with its case. One that cannot be made is left out; [`Self::failures`]
    /// tells it.
    pub fn matching(&self) -> impl Iterator<Item = (&Match, Value)> {
        self.matches.iter().filter_map(|case| {
            Some((case, record(self.base.as_ref(), case.change.as_ref(), case.record.as_ref()).ok()?))
        })
    }

    fn failing(&self, rule_set: &RuleSet, position: usize) -> Vec<String> {
        let mut failures = Vec::new();
        if self.matches.is_empty() || self.ignores.is_empty() {
            failures.push("it needs a record to match and one to ignore at least".to_owned());
        }
        for case in &self.matches {
            if let Err(failure) = self.check_match(case, rule_set, position) {
                failures.push(format!("must match because {}: {failure}", case.because));
            }
        }
        for case in &self.ignores {
            match record(self.base.as_ref(), case.change.as_ref(), case.record.as_ref()) {
                Ok(record) => match asked(rule_set, position, &record) {
                    Ok(None) => failures.push(format!("must ignore because {}: it matches", case.because)),
                    Ok(Some(_)) => {}
                    Err(failure) => failures.push(format!("must ignore because {}: {failure}", case.because)),
                },
                Err(failure) => failures.push(format!("must ignore because {}: {failure}", case.because)),
            }
        }
        failures
    }

    fn check_match(&self, case: &Match, rule_set: &RuleSet, position: usize) -> Result<(), String> {
        let value = record(self.base.as_ref(), case.change.as_ref(), case.record.as_ref())?;
        if let Some(why) = asked(rule_set, position, &value)? {
            return Err(format!("it does not match; {}", why.join("; ")));
        }
        let outcome = Outcome::of(&Record::new(&value));
        if outcome.as_str() != case.outcome {
            return Err(format!("its outcome is {}, not {}", outcome.as_str(), case.outcome));
        }
        let Some(rule) = rule_set.rules().get(position) else { return Err("there is no such rule".to_owned()) };
        let severity = severity_of(rule, outcome);
        if severity != case.severity {
            return Err(format!("its severity is {}, not {}", severity.as_str(), case.severity.as_str()));
        }
        Ok(())
    }
}

fn record(base: Option<&Value>, change: Option<&Value>, record: Option<&Value>) -> Result<Value, String> {
    match (change, record, base) {
        (None, Some(record), _) => Ok(record.clone()),
        (Some(change), None, Some(base)) => {
            let mut record = base.clone();
            json_patch::merge(&mut record, change);
            Ok(record)
        }
        (Some(_), None, None) => Err("it has a `change`, but the proof has no `base`".to_owned()),
        _ => Err("it needs either `change` or `record`".to_owned()),
    }
}

/// Nothing if the rule fires on the record, else the parts of its condition that say no.
fn asked(rule_set: &RuleSet, position: usize, record: &Value) -> Result<Option<Vec<String>>, String> {
    let bytes = record.to_string();
    let mut question = read(rule_set, &bytes)?;
    Ok(if question.fires(position) { None } else { Some(question.explain(position)) })
}

/// A proof file of an exception: `NAME.proof.json` beside `NAME.yml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExceptionProof {
    /// A whole record, which a case changes by a JSON merge patch (RFC 7396).
    #[serde(default)]
    base: Option<Value>,
    /// On what a rule of the exception fires, and nobody is told.
    silences: Vec<Ignore>,
    /// On what such a rule fires, and is told.
    still_alerts: Vec<Ignore>,
}

impl ExceptionProof {
    /// Reads a proof file.
    ///
    /// # Errors
    /// With line and column, when it is not JSON of the documented form.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Every case of the exception at `position` that does not hold. Empty: the exception is proven. What it says is judged
    /// whatever the day: a proof tells what is silenced, and not how long.
    #[must_use]
    pub fn failures(&self, rule_set: &RuleSet, position: usize) -> Vec<String> {
        let (mut failures, mut silenced, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for case in &self.silences {
            match self.fired(case, rule_set, position) {
                Ok((rules, None)) => silenced.extend(rules),
                Ok((_, Some(why))) => {
                    failures.push(format!("must silence because {}: it does not; {}", case.because, why.join("; ")));
                }
                Err(why) => failures.push(format!("must silence because {}: {why}", case.because)),
            }
        }
        for case in &self.still_alerts {
            match self.fired(case, rule_set, position) {
                Ok((rules, Some(_))) => told.extend(rules),
                Ok((_, None)) => failures.push(format!("must still alert because {}: it is silenced", case.because)),
                Err(why) => failures.push(format!("must still alert because {}: {why}", case.because)),
            }
        }
        if failures.is_empty() && !silenced.iter().any(|rule| told.contains(rule)) {
            failures.push("it needs a record that it silences and one of the same rule that still alerts".to_owned());
        }
        failures
    }

    /// The rules of the exception that fire on a case, and why the exception does not silence it, unless it does.
    fn fired(
        &self,
        case: &Ignore,
        rule_set: &RuleSet,
        position: usize,
    ) -> Result<(Vec<RuleRef>, Option<Vec<String>>), String> {
        let record = record(self.base.as_ref(), case.change.as_ref(), case.record.as_ref())?.to_string();
        let mut question = read(rule_set, &record)?;
        let Some(exception) = rule_set.exceptions().get(position) else { return Err("there is none".to_owned()) };
        let mut rules = exception.rules.clone().unwrap_or_else(|| every(rule_set));
        rules.retain(|rule| question.fires_at_all(*rule));
        if rules.is_empty() {
            return Err("no rule of the exception fires on it".to_owned());
        }
        let why = if question.is_matched_by(position) { None } else { Some(question.why_not_matched_by(position)) };
        Ok((rules, why))
    }
}

fn every(rule_set: &RuleSet) -> Vec<RuleRef> {
    [RuleRef::UnknownOperation].into_iter().chain((0..rule_set.rules().len()).map(RuleRef::At)).collect()
}

fn read<'r>(rule_set: &'r RuleSet, record: &'r str) -> Result<Question<'r>, String> {
    rule_set.read(record.as_bytes()).map_err(|error| format!("its record cannot be read: {error}"))
}
