//! The edge to SNS: batches within its limits, and whatever SNS answers, no finding is lost unsaid.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use detection::{
    finding::Finding,
    rules::{Origin, RuleFile, RuleSet},
};
use detector::{
    config::AlertFormat,
    findings_topic::{Entry, NotTaken, RequestError, Sns, Topics},
    handler::Publisher as _,
};
use serde_json::{Value, json};

use crate::samples::{audit, audit_with, delete_guardrail, document, key};

type Answer = fn(usize, &[Entry]) -> Result<Vec<NotTaken>, RequestError>;

/// An SNS that answers as it is told, and keeps what it took.
struct ScriptedSns {
    answer: Answer,
    batches: Mutex<Vec<Vec<Entry>>>,
    taken: Mutex<Vec<Value>>,
}

impl Sns for &ScriptedSns {
    async fn publish_batch(&self, _: &str, entries: &[Entry]) -> Result<Vec<NotTaken>, RequestError> {
        let call = {
            let mut batches = self.batches.lock().unwrap();
            batches.push(entries.to_vec());
            batches.len()
        };
        let answer = (self.answer)(call, entries);
        if let Ok(not_taken) = &answer {
            let missing: Vec<usize> = not_taken.iter().map(|entry| entry.at).collect();
            let taken = entries.iter().enumerate().filter(|(at, _)| !missing.contains(at));
            self.taken.lock().unwrap().extend(taken.map(|(_, entry)| serde_json::from_str(&entry.message).unwrap()));
        }
        answer
    }

    async fn publish(&self, _: &str, _: Option<&str>, _: &str) -> Result<(), RequestError> {
        unreachable!("these tests publish findings alone")
    }
}

/// Findings about so many guardrails, each with this much text in it.
fn findings(count: u32, text: usize) -> Vec<Finding> {
    let records: Vec<Value> = (0..count)
        .map(|n| {
            delete_guardrail(
                n,
                &json!({"requestParameters": {"guardrailIdentifier": format!("gr-{n}")}, "x": "x".repeat(text)}),
            )
        })
        .collect();
    audit(&document(&records), &key("log")).findings
}

async fn publish(answer: Answer, findings: &[Finding]) -> (Vec<Result<(), String>>, Vec<Vec<Entry>>, Vec<Value>) {
    let sns = ScriptedSns { answer, batches: Mutex::default(), taken: Mutex::default() };
    let topic = "arn:aws:sns:eu-central-1:111122223333:findings".to_owned();
    let answers = Topics::new(&sns, topic, None, AlertFormat::Text).publish(findings).await;
    (answers, sns.batches.into_inner().unwrap(), sns.taken.into_inner().unwrap())
}

fn not_taken(at: usize, sender_fault: bool) -> NotTaken {
    NotTaken { at, sender_fault, why: "no".to_owned() }
}

fn uids(findings: &[Finding]) -> Vec<&str> {
    let mut uids: Vec<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
    uids.sort_unstable();
    uids
}

fn taken_uids(taken: &[Value]) -> Vec<&str> {
    let mut uids: Vec<&str> = taken.iter().map(|finding| finding["finding_info"]["uid"].as_str().unwrap()).collect();
    uids.sort_unstable();
    uids
}

#[tokio::test]
async fn batches_hold_ten_and_never_too_many_bytes() {
    for (count, text, batches) in
        [(0, 0, 0), (1, 0, 1), (10, 0, 1), (11, 0, 2), (25, 0, 3), (6, 50_000, 2), (4, 200_000, 4)]
    {
        let findings = findings(count, text);
        let (answers, sent, taken) = publish(|_, _| Ok(vec![]), &findings).await;
        assert!(answers.len() == findings.len() && answers.iter().all(Result::is_ok));
        assert_eq!(sent.len(), batches, "{count} findings of {text} bytes");
        for batch in &sent {
            assert!(batch.len() <= 10 && batch.iter().map(Entry::size).sum::<usize>() <= 256 * 1024);
        }
        assert_eq!(taken_uids(&taken), uids(&findings));
    }
}

#[tokio::test(start_paused = true)]
async fn what_sns_could_not_take_is_sent_again_alone() {
    let findings = findings(10, 0);
    // Twice it drops two of a batch, through no fault of theirs.
    let (answers, sent, taken) = publish(
        |call, _| Ok(if call <= 2 { vec![not_taken(0, false), not_taken(1, false)] } else { vec![] }),
        &findings,
    )
    .await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [10, 2, 2]);
    assert_eq!(taken_uids(&taken), uids(&findings));
}

#[tokio::test(start_paused = true)]
async fn what_sns_finds_fault_with_is_sent_once_more_in_minimal_form() {
    let findings = findings(3, 0);
    let full = |entry: &Entry| !entry.message.contains(r#""trimmed""#);
    let refuse = |_: usize, entries: &[Entry]| {
        let full = |entry: &Entry| !entry.message.contains(r#""trimmed""#);
        Ok(entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| full(entry))
            .take(1)
            .map(|(at, _)| not_taken(at, true))
            .collect())
    };
    let (answers, sent, taken) = publish(refuse, &findings).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1]);
    assert!(full(&sent[0][0]) && !full(&sent[1][0]), "the second time it is marked as trimmed");
    assert_eq!(taken_uids(&taken), uids(&findings));
}

#[tokio::test(start_paused = true)]
async fn what_still_fails_is_said() {
    let findings = findings(3, 0);
    // One is never taken, and it is said to be its own fault.
    let (answers, sent, taken) = publish(
        |_, entries| {
            let blamed = entries.iter().position(|entry| entry.message.contains("gr-1"));
            Ok(blamed.map(|at| not_taken(at, true)).into_iter().collect())
        },
        &findings,
    )
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 1);
    assert_eq!((sent.len(), taken.len()), (2, 2));

    // Never taken, through no fault of its own: after four attempts it is given up, aloud.
    let (answers, sent, _) = publish(|_, _| Ok(vec![not_taken(0, false)]), &findings[..1]).await;
    assert!(answers[0].as_ref().unwrap_err().contains("not published: no"), "{answers:?}");
    assert_eq!(sent.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn one_wrong_entry_does_not_take_its_batch_down() {
    let findings = findings(10, 0);
    let (answers, _, taken) = publish(
        |_, entries| {
            if entries.iter().any(|entry| entry.message.contains("gr-7")) {
                Err(RequestError::Wrong("InvalidParameter".to_owned()))
            } else {
                Ok(vec![])
            }
        },
        &findings,
    )
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 1);
    assert_eq!(taken.len(), 9);
}

#[tokio::test(start_paused = true)]
async fn without_permission_everything_fails_at_once() {
    let findings = findings(12, 0);
    let (answers, sent, taken) = publish(|_, _| Err(RequestError::Failed("denied".to_owned())), &findings).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(|why| why.contains("denied"))));
    assert_eq!((sent.len(), taken.len()), (2, 0), "the SDK has tried enough by then");
}

/// SNS counts the attributes, too: ten messages that fit alone do not fit with them, and neither does one.
#[tokio::test]
async fn attributes_count_as_sns_counts_them() {
    let size = |entry: &Entry| {
        let attributes = entry.attributes.iter().map(|a| a.name.len() + a.data_type.len() + a.value.len());
        entry.message.len() + attributes.sum::<usize>()
    };
    let empty = findings(10, 0)[0].ocsf().to_string().len();
    let (_, sent, taken) = publish(|_, _| Ok(vec![]), &findings(10, 26_090 - empty)).await;
    assert!(sent.iter().all(|batch| batch.iter().map(size).sum::<usize>() <= 256 * 1024));
    assert_eq!(taken.len(), 10);

    // The longest attributes that there can be, around a message that is as long as it may be beside them.
    let rule = "title: T\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        eventName|startswith: nnn\n    condition: selection\nlevel: low\n";
    let rules =
        RuleSet::load_only([RuleFile { path: "x.yml".to_owned(), text: rule.to_owned(), origin: Origin::Outside }]);
    let long = |text: usize| {
        let n = "n".repeat(256);
        let change =
            json!({"awsRegion": n, "recipientAccountId": n, "eventName": n, "eventSource": n, "x": "x".repeat(text)});
        audit_with(&rules.rule_set, &document(&[delete_guardrail(1, &change)]), &key("log")).findings
    };
    let most = 255 * 1024 - 128;
    let (_, sent, _) = publish(|_, _| Ok(vec![]), &long(most - long(0)[0].ocsf().to_string().len())).await;
    assert!(size(&sent[0][0]) <= 256 * 1024, "{}", size(&sent[0][0]));
}

/// An SNS that takes its time, and counts how many ask at once.
#[derive(Default)]
struct SlowSns {
    open: AtomicUsize,
    most: AtomicUsize,
}

impl Sns for &SlowSns {
    async fn publish_batch(&self, _: &str, _: &[Entry]) -> Result<Vec<NotTaken>, RequestError> {
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(open, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.open.fetch_sub(1, Ordering::Relaxed);
        Ok(Vec::new())
    }

    async fn publish(&self, _: &str, _: Option<&str>, _: &str) -> Result<(), RequestError> {
        unreachable!("these tests publish findings alone")
    }
}

/// A log of many findings waits for SNS about as long as four batches one by one would, and holds no more of them open.
#[tokio::test(start_paused = true)]
async fn batches_go_out_side_by_side_and_never_more_than_four() {
    let sns = SlowSns::default();
    let topic = "arn:aws:sns:eu-central-1:111122223333:findings".to_owned();
    let began = tokio::time::Instant::now();
    let answers = Topics::new(&sns, topic, None, AlertFormat::Text).publish(&findings(160, 0)).await;
    assert!(answers.len() == 160 && answers.iter().all(Result::is_ok));
    assert_eq!((sns.most.load(Ordering::Relaxed), began.elapsed().as_secs()), (4, 4));
}
