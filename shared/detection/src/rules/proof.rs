//! The proof beside a rule: records that it must match, with the expected outcome and severity, and records that it must
//! ignore. Knows the format (`rules/README.md`) and asks the same engine as everybody.

use rsigma_parser::Level;
use serde::Deserialize;
use serde_json::Value;

use super::Rule;
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
    /// What the rule must match.
    pub matches: Vec<Match>,
    /// What the rule must not match.
    pub ignores: Vec<Ignore>,
}

/// A record that the rule must match.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    because: String,
    outcome: String,
    severity: Level,
    #[serde(default)]
    change: Option<Value>,
    #[serde(default)]
    record: Option<Value>,
}

/// A record that the rule must ignore.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ignore {
    because: String,
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

    /// Every case that does not hold, in one sentence each. Empty: the rule is proven.
    #[must_use]
    pub fn failures(&self, rule: &Rule) -> Vec<String> {
        let mut failures = Vec::new();
        for case in &self.matches {
            if let Err(failure) = self.check_match(case, rule) {
                failures.push(format!("must match because {}: {failure}", case.because));
            }
        }
        for case in &self.ignores {
            match self.record(case.change.as_ref(), case.record.as_ref()) {
                Ok(record) if rule.matches(&Record::new(&record)) => {
                    failures.push(format!("must ignore because {}: it matches", case.because));
                }
                Ok(_) => {}
                Err(failure) => failures.push(format!("must ignore because {}: {failure}", case.because)),
            }
        }
        failures
    }

    fn check_match(&self, case: &Match, rule: &Rule) -> Result<(), String> {
        let value = self.record(case.change.as_ref(), case.record.as_ref())?;
        let record = Record::new(&value);
        if !rule.matches(&record) {
            return Err("it does not match".to_owned());
        }
        let outcome = Outcome::of(&record);
        if outcome.as_str() != case.outcome {
            return Err(format!("its outcome is {}, not {}", outcome.as_str(), case.outcome));
        }
        let severity = severity_of(rule, outcome);
        if severity != case.severity {
            return Err(format!("its severity is {}, not {}", severity.as_str(), case.severity.as_str()));
        }
        Ok(())
    }

    fn record(&self, change: Option<&Value>, record: Option<&Value>) -> Result<Value, String> {
        match (change, record, &self.base) {
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
}
