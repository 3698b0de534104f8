//! The account of one invocation: what came in, and what became of each thing. Its sums must hold.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

/// What became of delivered logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LogCounts {
    /// All that notifications named.
    pub total: u64,
    /// Read to the end.
    pub audited: u64,
    /// Something other than a log with API calls.
    pub skipped: u64,
    /// Removed.
    pub gone: u64,
    /// Read as far as it could be.
    pub damaged: u64,
    /// Not read; the notification is given back.
    pub failed: u64,
}

/// What became of records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RecordCounts {
    /// All members of `Records`.
    pub total: u64,
    /// Matched by a rule at least.
    pub matched: u64,
    /// Matched by none.
    pub unmatched: u64,
    /// Not judged, because it could not be read.
    pub unreadable: u64,
}

/// What became of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FindingCounts {
    /// All that were made.
    pub total: u64,
    /// Taken by SNS.
    pub published: u64,
    /// Silenced by an exception.
    pub excepted: u64,
    /// Of a rule with `stage: shadow`: only logged and counted.
    pub shadowed: u64,
    /// Told by a higher finding of the same family, or published before in the same invocation.
    pub superseded: u64,
    /// Not taken by SNS; the notification is given back.
    pub failed: u64,
}

/// The account of one invocation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// Notifications: SQS messages, or one for a direct invocation.
    pub items: u64,
    /// Those that were given back, to be delivered again.
    pub items_failed: u64,
    /// S3's test messages, which tell of no log.
    pub test_events: u64,
    /// Delivered logs.
    pub logs: LogCounts,
    /// What was skipped, by folder.
    pub skipped_by_folder: BTreeMap<String, u64>,
    /// Records.
    pub records: RecordCounts,
    /// Findings.
    pub findings: FindingCounts,
    /// How often each rule, by its id, could not decide because CloudTrail hides something, and kept silent.
    pub undecided_by_rule: BTreeMap<String, u64>,
    /// What exceptions silenced, by their ids: as many as `findings.excepted`, as far as they are named here.
    pub excepted_by_exception: BTreeMap<String, u64>,
    /// What exceptions in shadow would have silenced, by their ids. It is told all the same.
    pub exceptions_shadowed: BTreeMap<String, u64>,
    /// Rules that an override puts to rest.
    pub rules_disabled: u64,
    /// Rule files from outside that are wrong, in every invocation until they are mended.
    pub rule_files_refused: u64,
    /// Rules that are asked of no record because a list that they require is empty.
    pub rules_waiting: u64,
    /// The lowest severity that people are told of; nothing where nobody is.
    pub alert_threshold: Option<&'static str>,
    /// Messages to people that SNS took.
    pub alerts_published: u64,
    /// Messages to people that SNS did not take; what brought them is given back.
    pub alerts_failed: u64,
    /// Findings that no person was told of because they are below the threshold.
    pub findings_below_alert_threshold: u64,
}

/// Folders that a ledger names; a hostile key cannot make it grow.
const MOST_FOLDERS: usize = 20;
/// Exceptions that a ledger names: its line must fit into a log event. The sum has them all.
const MOST_EXCEPTIONS: usize = 200;

impl Ledger {
    /// Counts an object that is no log, under its folder.
    pub fn skip(&mut self, folder: &str) {
        self.logs.skipped += 1;
        let folder = crate::text::ascii(folder, 64);
        if self.skipped_by_folder.len() < MOST_FOLDERS || self.skipped_by_folder.contains_key(&folder) {
            *self.skipped_by_folder.entry(folder).or_default() += 1;
        }
    }

    /// Counts the records of a log.
    pub fn add_records(&mut self, counts: &RecordCounts) {
        self.records.total += counts.total;
        self.records.matched += counts.matched;
        self.records.unmatched += counts.unmatched;
        self.records.unreadable += counts.unreadable;
    }

    /// Counts the rules that could not decide.
    pub fn add_undecided(&mut self, by_rule: &BTreeMap<String, u64>) {
        for (rule, count) in by_rule {
            *self.undecided_by_rule.entry(rule.clone()).or_default() += count;
        }
    }

    /// Counts what exceptions silenced in a log, and what those in shadow would have.
    pub fn add_excepted(&mut self, excepted: &BTreeMap<String, u64>, shadowed: &BTreeMap<String, u64>) {
        let count: u64 = excepted.values().sum();
        self.findings.total += count;
        self.findings.excepted += count;
        for (from, to) in [(excepted, &mut self.excepted_by_exception), (shadowed, &mut self.exceptions_shadowed)] {
            for (exception, count) in from {
                if to.len() < MOST_EXCEPTIONS || to.contains_key(exception) {
                    *to.entry(exception.clone()).or_default() += count;
                }
            }
        }
    }

    /// The sums that do not hold, in words. Any is a defect of ours.
    #[must_use]
    pub fn imbalances(&self) -> Vec<String> {
        let (logs, records, findings) = (&self.logs, &self.records, &self.findings);
        let sums = [
            ("logs", logs.total, logs.audited + logs.skipped + logs.gone + logs.damaged + logs.failed),
            ("records", records.total, records.matched + records.unmatched + records.unreadable),
            (
                "findings",
                findings.total,
                findings.published + findings.excepted + findings.shadowed + findings.superseded + findings.failed,
            ),
        ];
        sums.iter()
            .filter(|(_, total, parts)| total != parts)
            .map(|(name, total, parts)| format!("{total} {name} came in, {parts} are accounted for"))
            .collect()
    }

    /// One line of CloudWatch embedded-metric JSON, with the ledger itself in it.
    #[must_use]
    pub fn to_emf(&self, function_name: &str, rule_set: &str, now_ms: i64) -> Value {
        let imbalances = self.imbalances();
        let (logs, records, findings) = (&self.logs, &self.records, &self.findings);
        let metrics = [
            ("Logs", logs.total),
            ("LogsAudited", logs.audited),
            ("LogsSkipped", logs.skipped),
            ("LogsGone", logs.gone),
            ("LogsDamaged", logs.damaged),
            ("LogsFailed", logs.failed),
            ("Records", records.total),
            ("RecordsMatched", records.matched),
            ("RecordsUnmatched", records.unmatched),
            ("RecordsUnreadable", records.unreadable),
            ("Findings", findings.total),
            ("FindingsPublished", findings.published),
            ("FindingsExcepted", findings.excepted),
            ("FindingsShadowed", findings.shadowed),
            ("FindingsSuperseded", findings.superseded),
            ("FindingsFailed", findings.failed),
            ("AlertsPublished", self.alerts_published),
            ("ItemsFailed", self.items_failed),
            ("RuleFilesRefused", self.rule_files_refused),
            ("LedgerImbalance", u64::from(!imbalances.is_empty())),
        ];
        let names: Vec<Value> = metrics.iter().map(|(name, _)| json!({"Name": name, "Unit": "Count"})).collect();
        let mut line = json!({
            "_aws": {
                "Timestamp": now_ms,
                "CloudWatchMetrics": [{"Namespace": "BedrockAudit", "Dimensions": [["FunctionName"]], "Metrics": names}],
            },
            "FunctionName": function_name,
            "rule_set": rule_set,
            "ledger": self,
            "imbalances": imbalances,
        });
        if let Value::Object(members) = &mut line {
            members.extend(metrics.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_does_not_hold_is_told() {
        let logs = LogCounts { total: 5, audited: 1, skipped: 1, gone: 1, damaged: 1, failed: 1 };
        let mut ledger = Ledger { logs, ..Ledger::default() };
        ledger.add_records(&RecordCounts { total: 3, matched: 1, unmatched: 1, unreadable: 1 });
        assert_eq!(ledger.imbalances(), Vec::<String>::new());
        ledger.findings.total = 2;
        ledger.findings.published = 1;
        assert_eq!(ledger.imbalances(), ["2 findings came in, 1 are accounted for"]);
        (ledger.logs.total, ledger.records.total) = (6, 4);
        assert_eq!(ledger.imbalances().len(), 3);
        let line = ledger.to_emf("f", "v", 1);
        assert_eq!(line["LedgerImbalance"], 1);
        assert_eq!(line["ledger"]["findings"]["published"], 1);
    }

    /// Alarms stand on the metrics: each is the count whose name it bears.
    #[test]
    fn every_metric_is_the_count_of_its_name() {
        let ledger = Ledger {
            items_failed: 18,
            logs: LogCounts { total: 1, audited: 2, skipped: 3, gone: 4, damaged: 5, failed: 6 },
            records: RecordCounts { total: 7, matched: 8, unmatched: 9, unreadable: 10 },
            findings: FindingCounts {
                total: 11,
                published: 12,
                excepted: 13,
                shadowed: 14,
                superseded: 15,
                failed: 16,
            },
            alerts_published: 17,
            rule_files_refused: 19,
            ..Ledger::default()
        };
        let line = ledger.to_emf("f", "v", 1);
        for (group, total) in [("Logs", "logs"), ("Records", "records"), ("Findings", "findings")] {
            for (name, count) in line["ledger"][total].as_object().unwrap() {
                let (first, rest) = name.split_at(1);
                let metric =
                    if name == "total" { group.to_owned() } else { group.to_owned() + &first.to_uppercase() + rest };
                assert_eq!(&line[&metric], count, "{metric}");
            }
        }
        let others = ["AlertsPublished", "ItemsFailed", "RuleFilesRefused"].map(|name| line[name].as_u64());
        assert_eq!(others, [Some(17), Some(18), Some(19)]);
    }

    #[test]
    fn the_sum_has_every_exception_and_the_line_names_so_many() {
        let excepted = (0..300).map(|n| (format!("exception-{n:03}"), 2)).collect();
        let mut ledger = Ledger::default();
        (0..2).for_each(|_| ledger.add_excepted(&excepted, &excepted));
        assert_eq!((ledger.findings.total, ledger.findings.excepted), (1_200, 1_200));
        assert_eq!(ledger.imbalances(), Vec::<String>::new());
        for named in [&ledger.excepted_by_exception, &ledger.exceptions_shadowed] {
            assert_eq!((named.len(), named["exception-000"]), (MOST_EXCEPTIONS, 4));
        }
    }

    #[test]
    fn hostile_keys_do_not_make_it_grow() {
        let mut ledger = Ledger::default();
        (0..100).for_each(|n| ledger.skip(&format!("folder-{n}")));
        assert_eq!((ledger.logs.skipped, ledger.skipped_by_folder.len()), (100, MOST_FOLDERS));
    }
}
