//! The one place that says whether the account of an invocation holds. It works the sums out by itself, from the line that
//! CloudWatch would read; of the ledger's own opinion it asks only that it is the same.
//!
//! Whoever wakes a detector in a test does it through [`wake`] or [`woken`], or hands what it wrote to [`problems_in`].

use std::{collections::BTreeMap, fs, time::Duration};

use detection::audit::Audited;
use detector::{
    handler::{Handler, Invocation, LogBucket, Publisher},
    live_rules::RulesSource,
};
use serde_json::{Value, json};

use crate::samples::{NOW_MS, repository};

/// Each sum: the group in the ledger, the metric of its total, and its parts.
const SUMS: [(&str, &str, &[&str]); 3] = [
    ("logs", "Logs", &["audited", "skipped", "gone", "damaged", "failed"]),
    ("records", "Records", &["matched", "unmatched", "unreadable"]),
    ("findings", "Findings", &["published", "excepted", "shadowed", "superseded", "failed"]),
];

/// Wakes a detector, and looks through its books.
pub(crate) async fn wake<B, P, R>(handler: &Handler<B, P, R>, event: Value, time_left: Duration) -> Invocation
where
    B: LogBucket + Sync,
    P: Publisher + Sync,
    R: RulesSource + Send + Sync + 'static,
{
    let (invocation, problems) = woken(handler, event, time_left).await;
    assert_eq!(problems, Vec::<String>::new(), "{:?}", invocation.ledger);
    invocation
}

/// The same for a bench, which wants to say in which of its runs it was.
pub(crate) async fn woken<B, P, R>(
    handler: &Handler<B, P, R>,
    event: Value,
    time_left: Duration,
) -> (Invocation, Vec<String>)
where
    B: LogBucket + Sync,
    P: Publisher + Sync,
    R: RulesSource + Send + Sync + 'static,
{
    let invocation = handler.handle(event, time_left).await;
    let problems = problems_of(&invocation);
    (invocation, problems)
}

/// What does not hold in the books of an invocation.
fn problems_of(invocation: &Invocation) -> Vec<String> {
    let ledger = &invocation.ledger;
    let mut problems = problems(&ledger.to_emf("function", &invocation.rule_set, NOW_MS));
    problems.extend(ledger.imbalances());
    // The answer says the same.
    let given_back = match &invocation.answer {
        Err(_) => None,
        Ok(answer) => Some(answer.get("batchItemFailures").map_or(0, |back| back.as_array().unwrap().len() as u64)),
    };
    if given_back.is_some_and(|given_back| given_back != ledger.items_failed)
        || (given_back.is_none() && ledger.items_failed == 0)
    {
        problems.push(format!("{} items failed, and the answer is {:?}", ledger.items_failed, invocation.answer));
    }
    // So does what is told of each log; without rules there is nothing to tell.
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    invocation.logs.iter().for_each(|log| *ends.entry(log.end).or_default() += 1);
    let counts = serde_json::to_value(&ledger.logs).unwrap();
    let differs = SUMS[0].2.iter().any(|end| ends.get(end).copied().unwrap_or_default() != counts[end]);
    if differs && invocation.rule_set != "none" {
        problems.push(format!("the logs ended as {ends:?}, and the ledger counts {counts}"));
    }
    problems
}

/// What does not hold in a ledger's line.
fn problems(line: &Value) -> Vec<String> {
    let ledger = &line["ledger"];
    let mut problems = Vec::new();
    for (group, metric, parts) in SUMS {
        let counts = &ledger[group];
        let sum: Option<u64> = parts.iter().map(|part| counts[part].as_u64()).sum();
        let named = parts.len() + 1 == counts.as_object().map_or(0, serde_json::Map::len);
        if sum.is_none() || counts["total"].as_u64() != sum || line[metric] != counts["total"] || !named {
            problems.push(format!("{group} do not add up: {counts}, {metric} {}", line[metric]));
        }
    }
    let by_exception = ledger["excepted_by_exception"].as_object().into_iter().flatten();
    let excepted: u64 = by_exception.filter_map(|(_, count)| count.as_u64()).sum();
    if excepted > ledger["findings"]["excepted"].as_u64().unwrap_or_default() {
        problems.push(format!("{excepted} findings are excepted by name, and {}", ledger["findings"]));
    }
    if ledger["items"].as_u64() < ledger["items_failed"].as_u64() || line["LedgerImbalance"] != 0 {
        problems.push(format!("more was given back than came, or it says so itself: {line}"));
    }
    problems
}

/// What does not hold in the lines that a function wrote; those that are no ledger are none of its business.
pub(crate) fn problems_in(written: &str) -> Vec<String> {
    let ledgers = written.lines().filter(|line| line.contains("CloudWatchMetrics"));
    ledgers.flat_map(|line| problems(&serde_json::from_str(line).unwrap())).collect()
}

/// Every record of a log is judged or counted as unreadable.
pub(crate) fn assert_records_hold(audited: &Audited) {
    let counts = &audited.records;
    assert_eq!(counts.total, counts.matched + counts.unmatched + counts.unreadable, "{counts:?}");
}

#[test]
fn a_count_that_is_lost_anywhere_is_seen() {
    let right = json!({
        "Logs": 5, "Records": 6, "Findings": 15, "LedgerImbalance": 0,
        "ledger": {
            "items": 2, "items_failed": 1,
            "logs": {"total": 5, "audited": 1, "skipped": 1, "gone": 1, "damaged": 1, "failed": 1},
            "records": {"total": 6, "matched": 1, "unmatched": 2, "unreadable": 3},
            "findings": {"total": 15, "published": 1, "excepted": 2, "shadowed": 3, "superseded": 4, "failed": 5},
            "excepted_by_exception": {"a": 1, "b": 1}
        }
    });
    assert_eq!(problems(&right), Vec::<String>::new());
    let mut tried = 0;
    for (group, _, parts) in SUMS {
        for count in parts.iter().chain(&["total"]) {
            let mut wrong = right.clone();
            wrong["ledger"][group][count] = json!(right["ledger"][group][count].as_u64().unwrap() + 1);
            assert_eq!(problems(&wrong).len(), 1, "{group}.{count}");
            tried += 1;
        }
    }
    assert_eq!(tried, 16);
    for (pointer, value) in [
        ("/Records", json!(7)),
        ("/ledger/records/lost", json!(0)),
        ("/ledger/excepted_by_exception/c", json!(1)),
        ("/ledger/items_failed", json!(3)),
        ("/LedgerImbalance", json!(1)),
        ("/ledger/logs", Value::Null),
    ] {
        let mut wrong = right.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        wrong.pointer_mut(parent).unwrap()[name] = value;
        assert_eq!(problems(&wrong).len(), 1, "{pointer}");
    }
}

/// A test that wakes a detector by itself would not see that it lost count.
#[test]
fn no_test_wakes_a_detector_past_this_place() {
    let mut folders = vec![repository("tests")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("balance.rs") {
                let text = fs::read_to_string(&path).unwrap();
                assert!(!text.contains(".handle("), "{} wakes a detector without `balance::wake`", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "{seen} files");
}
