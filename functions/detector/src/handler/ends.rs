//! How things end: each log, and the invocation with its answer to Lambda. Knows no edge.

use std::fmt;

use detection::{audit::Audited, finding::Finding, ledger::Ledger};
use serde_json::Value;
use tracing::{debug, info};

use crate::notification::{self, Notice, ObjectEvent};

/// Sentences about failures in one answer, which travels on with the event when it fails.
const MOST_PROBLEMS: usize = 10;

/// What an invocation came to.
#[derive(Debug)]
pub struct Invocation {
    /// What Lambda is answered, or why the event must come again.
    pub answer: Result<Value, Failed>,
    /// The account of it.
    pub ledger: Ledger,
    /// The version of the rules that judged.
    pub rule_set: String,
    /// What became of each log.
    pub logs: Vec<LogEnd>,
    /// Why each notice must come again, in their order: nothing for one that need not.
    pub problems: Vec<Vec<String>>,
}

/// What became of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnd {
    /// The place of its notice among those of the event.
    pub notice: usize,
    /// Its bucket, as the notice has it.
    pub bucket: String,
    /// Its key, as the notice has it.
    pub key: String,
    /// As the ledger counts it: `audited`, `skipped`, `gone`, `damaged`, `failed`.
    pub end: &'static str,
    /// Records in it.
    pub records: u64,
    /// Findings of it that SNS took in this invocation.
    pub published: u64,
}

/// Why an event must come again: one sentence for each thing that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed(pub Vec<String>);

impl Failed {
    /// The first of these, and how many more there are.
    fn of(mut problems: Vec<String>) -> Self {
        let more = problems.len().saturating_sub(MOST_PROBLEMS);
        problems.truncate(MOST_PROBLEMS);
        problems.extend((more > 0).then(|| format!("and {more} more")));
        Self(problems)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for Failed {}

/// What became of one object of a notice.
pub(super) struct Settled {
    pub(super) notice: usize,
    pub(super) object: ObjectEvent,
    pub(super) end: End,
    pub(super) findings: Vec<(Finding, Result<(), String>)>,
    pub(super) audited: Option<Audited>,
    pub(super) shadowed: u64,
    pub(super) superseded: u64,
}

/// The five ends of a delivered log.
pub(super) enum End {
    Audited,
    Skipped(String),
    Gone,
    Damaged,
    Failed(String),
}

impl End {
    fn word(&self) -> &'static str {
        match self {
            Self::Audited => "audited",
            Self::Skipped(_) => "skipped",
            Self::Gone => "gone",
            Self::Damaged => "damaged",
            Self::Failed(_) => "failed",
        }
    }
}

impl LogEnd {
    pub(super) fn of(settled: &Settled) -> Self {
        Self {
            notice: settled.notice,
            bucket: settled.object.bucket.clone(),
            key: settled.object.key.clone(),
            end: settled.end.word(),
            records: settled.audited.as_ref().map_or(0, |audited| audited.records.total),
            published: settled.findings.iter().filter(|(_, answer)| answer.is_ok()).count() as u64,
        }
    }
}

/// What Lambda is told: from a queue, which messages to bring again; otherwise an error brings the whole event again.
pub(super) fn answer(
    from_queue: bool,
    notices: &[Notice],
    problems: Vec<Vec<String>>,
    ledger: &Ledger,
) -> Result<Value, Failed> {
    let failed: Vec<(Option<&String>, Vec<String>)> = notices
        .iter()
        .zip(problems)
        .filter(|(_, problems)| !problems.is_empty())
        .map(|(notice, problems)| (notice.message_id.as_ref(), problems))
        .collect();
    let all_named = failed.iter().all(|(id, _)| id.is_some());
    let value = if from_queue && all_named {
        serde_json::to_value(notification::give_back(failed.iter().filter_map(|(id, _)| id.cloned())))
    } else if failed.is_empty() {
        serde_json::to_value(ledger)
    } else {
        // A message without an id cannot be named, so all of them come again.
        return Err(Failed::of(failed.into_iter().flat_map(|(_, problems)| problems).collect()));
    };
    value.map_err(|error| Failed(vec![format!("the answer could not be written: {error}")]))
}

/// One line for each delivered log. No content of any record is in it.
pub(super) fn log_line(object: &ObjectEvent, end: &End, audited: Option<&Audited>, findings: usize, rule_set: &str) {
    let (bucket, key) = (object.bucket.as_str(), object.key.as_str());
    if let End::Skipped(folder) = end {
        return debug!(bucket, key, folder, "skipped");
    }
    let end = end.word();
    let records = audited.map_or(0, |audited| audited.records.total);
    let matched = audited.map_or(0, |audited| audited.records.matched);
    let excepted: u64 = audited.map_or(0, |audited| audited.excepted.values().sum());
    let would_be_excepted: u64 = audited.map_or(0, |audited| audited.exceptions_shadowed.values().sum());
    let bytes = audited.map_or(0, |audited| audited.unpacked);
    info!(bucket, key, end, records, matched, findings, excepted, would_be_excepted, bytes, rule_set, "delivered log");
}
