//! One delivered log, from its bytes to its findings: the product in one line. Every record is counted once.

use serde::Deserialize;
use std::borrow::Cow;

use crate::{
    delivered_log::{Damage, Encoding, LogReader, ObjectKind, RecordSink, classify},
    finding::{FileProblem, Finding, Groups, Log, about_file},
    ledger::RecordCounts,
    record::Record,
    rules::RuleSet,
};

/// Positions of unreadable records that a finding names.
const MOST_NAMED: usize = 5;

/// What became of one delivered log.
#[derive(Debug)]
pub struct Audited {
    /// Where it stands.
    pub log: Log,
    /// What was found in it, worst first; what is wrong with the file itself is among it.
    pub findings: Vec<Finding>,
    /// What became of its records.
    pub records: RecordCounts,
    /// Findings that a higher one of the same family stands for.
    pub shadowed: u64,
    /// Why it could not be read to its end.
    pub damage: Option<Damage>,
    /// Its unpacked size in bytes.
    pub unpacked: u64,
}

/// A delivered log being audited. Push its bytes as they arrive, then finish it.
pub struct Audit<'r> {
    reader: LogReader<Judge<'r>>,
    rule_set: &'r RuleSet,
    log: Log,
}

impl<'r> Audit<'r> {
    /// Begins a log. `limit` is the most bytes that it may unpack to.
    #[must_use]
    pub fn new(rule_set: &'r RuleSet, log: Log, encoding: Encoding, limit: u64) -> Self {
        let judge =
            Judge { rule_set, groups: Groups::new(rule_set), counts: RecordCounts::default(), unreadable: Vec::new() };
        Self { reader: LogReader::new(judge, encoding, limit), rule_set, log }
    }

    /// Takes the next bytes. After damage it answers `false`: more of them change nothing.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        self.reader.push(bytes)
    }

    /// Ends the log. Only call it when the object has been pushed whole.
    #[must_use]
    pub fn finish(self) -> Audited {
        let (judge, unpacked, damage) = self.reader.finish();
        let log = self.log;
        let (mut findings, mut shadowed, mut counts) = (Vec::new(), 0, RecordCounts::default());
        let (account, region) = match classify(&log.key) {
            ObjectKind::Log { account, region } => (Some(account), Some(region)),
            ObjectKind::Other { .. } => (None, None),
        };
        let about = |kind, what: &str, problem| {
            let version = self.rule_set.version();
            about_file(kind, what, problem, log.clone(), version, account.clone(), region.clone())
        };
        if let Some(judge) = judge {
            (findings, shadowed) = judge.groups.finish(&log);
            counts = judge.counts;
            if counts.unreadable > 0 {
                let problem = format!(
                    "{} of {} records could not be read: {}{}",
                    counts.unreadable,
                    counts.total,
                    judge.unreadable.join("; "),
                    if counts.unreadable > judge.unreadable.len() as u64 { "; ..." } else { "" }
                );
                findings.push(about(FileProblem::RecordsUnreadable, "unreadable", problem));
            }
        }
        if let Some(damage) = &damage {
            let problem = format!("{damage}; {} records before that were audited", counts.total);
            findings.push(about(FileProblem::LogDamaged, damage.kind(), problem));
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity_id()));
        Audited { log, findings, records: counts, shadowed, damage, unpacked }
    }
}

/// Asks the rules about each record.
struct Judge<'r> {
    rule_set: &'r RuleSet,
    groups: Groups<'r>,
    counts: RecordCounts,
    unreadable: Vec<String>,
}

/// The two names that decide which rules could match. Nearly every record is dismissed on them alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Names<'a> {
    #[serde(borrow)]
    event_source: Cow<'a, str>,
    #[serde(borrow)]
    event_name: Cow<'a, str>,
}

impl Judge<'_> {
    fn judge(&mut self, bytes: &[u8]) -> Result<bool, serde_json::Error> {
        let names: Names<'_> = serde_json::from_slice(bytes)?;
        let candidates = self.rule_set.candidates(&names.event_source, &names.event_name);
        if candidates.is_empty() {
            return Ok(false);
        }
        let value = serde_json::from_slice(bytes)?;
        let record = Record::new(&value);
        let matching: Vec<usize> = candidates
            .into_iter()
            .filter(|position| self.rule_set.rules().get(*position).is_some_and(|rule| rule.matches(&record)))
            .collect();
        if matching.is_empty() {
            return Ok(false);
        }
        self.groups.add(&record, bytes, &matching);
        Ok(true)
    }

    fn not_readable(&mut self, why: &str) {
        self.counts.unreadable += 1;
        if self.unreadable.len() < MOST_NAMED {
            self.unreadable.push(format!("record {} ({why})", self.counts.total));
        }
    }
}

impl RecordSink for Judge<'_> {
    fn record(&mut self, bytes: &[u8]) {
        self.counts.total += 1;
        match self.judge(bytes) {
            Ok(true) => self.counts.matched += 1,
            Ok(false) => self.counts.unmatched += 1,
            // Place and kind only: the parser's message may quote the record.
            Err(error) => {
                let why = match error.classify() {
                    serde_json::error::Category::Data => "it has no eventSource and eventName, or has one twice",
                    _ => "it is not JSON",
                };
                self.not_readable(&format!("{why}, at its byte {}", error.column()));
            }
        }
    }

    fn oversize_record(&mut self) {
        self.counts.total += 1;
        self.not_readable("it is larger than any CloudTrail record");
    }
}
