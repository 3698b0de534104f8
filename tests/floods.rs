//! Floods: very many records in one log, very many logs at once. Messages stay few, nothing is lost, the ledger's sums hold.
//!
//! What a flood costs in memory and in time is measured with the real binary: `make hostile`.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use detection::{finding::Finding, ledger::Ledger};
use detector::{
    config::Config,
    handler::{FetchError, Handler, LogBody, LogBucket, Publisher},
    live_rules::{Fixed, LiveRules, NoSource},
    notification::ObjectEvent,
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::{
    balance,
    samples::{BUCKET, NOW_MS, audit, delete_guardrail, document, key, log, ordinary},
};

/// Logs by their key, read in pieces with a pause between them, as from a network.
#[derive(Default)]
struct Bucket {
    logs: HashMap<String, Vec<u8>>,
    open: AtomicU64,
    most_open: AtomicU64,
}

struct Body<'a> {
    pieces: Vec<Bytes>,
    bucket: &'a Bucket,
}

impl<'a> LogBucket for &'a Bucket {
    type Body = Body<'a>;

    async fn open(&self, object: &ObjectEvent) -> Result<Body<'a>, FetchError> {
        let log = self.logs.get(&object.key).ok_or(FetchError::Gone)?;
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_open.fetch_max(open, Ordering::Relaxed);
        let pieces = log.chunks(1_000).rev().map(Bytes::copy_from_slice).collect();
        Ok(Body { pieces, bucket: self })
    }
}

impl LogBody for Body<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        tokio::task::yield_now().await;
        Ok(self.pieces.pop())
    }
}

impl Drop for Body<'_> {
    fn drop(&mut self) {
        self.bucket.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A topic that now and then takes nothing of what it is given, and says so.
#[derive(Default)]
struct Topics {
    calls: AtomicU64,
    findings: Mutex<BTreeMap<String, u64>>,
    alerts: AtomicU64,
}

impl Publisher for &Topics {
    async fn publish(&self, findings: &[Finding]) -> Vec<Result<(), String>> {
        tokio::task::yield_now().await;
        if self.calls.fetch_add(1, Ordering::Relaxed) % 17 == 16 {
            return vec![Err("throttled".to_owned()); findings.len()];
        }
        let mut taken = self.findings.lock().unwrap();
        findings.iter().for_each(|finding| *taken.entry(finding.id.clone()).or_default() += 1);
        vec![Ok(()); findings.len()]
    }

    async fn alert(&self, _: &[&Finding], _: usize) -> Result<(), String> {
        self.alerts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn handler<'a>(bucket: &'a Bucket, topics: &'a Topics) -> Handler<&'a Bucket, &'a Topics, NoSource> {
    let get = |name: &str| {
        let set = [
            ("LOG_BUCKETS", BUCKET),
            ("FINDINGS_TOPIC_ARN", "arn:aws:sns:eu-central-1:111122223333:findings"),
            ("ALERTS_TOPIC_ARN", "arn:aws:sns:eu-central-1:111122223333:alerts"),
        ];
        set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    };
    Handler::new(Config::read(get).unwrap(), LiveRules::fixed(Fixed::default()), bucket, topics, || NOW_MS)
}

fn message(number: usize) -> Value {
    let body = json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {
        "bucket": {"name": BUCKET}, "object": {"key": key(&format!("flood-{number}"))}
    }}]});
    json!({"messageId": format!("{number}"), "eventSource": "aws:sqs", "body": body.to_string()})
}

const LOGS: usize = 2_000;
const DETECTORS: usize = 50;
/// Messages of one invocation.
const BATCH: usize = 10;

/// SQS as it behaves: what is given back comes again, and what is not is gone.
#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_logs_through_fifty_detectors_lose_nothing() {
    let guardrail = |number: usize| json!({"requestParameters": {"guardrailIdentifier": format!("gr-{number}")}});
    let mut bucket = Bucket::default();
    let mut expected = BTreeSet::new();
    for number in 0..LOGS {
        let n = u32::try_from(number).unwrap();
        let records = [ordinary(3 * n), delete_guardrail(3 * n + 1, &guardrail(number)), ordinary(3 * n + 2)];
        expected.extend(audit(&document(&records), &key("any")).findings.into_iter().map(|finding| finding.id));
        bucket.logs.insert(key(&format!("flood-{number}")), log(&records));
    }
    assert_eq!(expected.len(), LOGS);

    let topics = Topics::default();
    let detectors: Vec<_> = (0..DETECTORS).map(|_| handler(&bucket, &topics)).collect();
    let queue: Mutex<Vec<usize>> = Mutex::new((0..LOGS).rev().collect());
    let take = || {
        let mut queue = queue.lock().unwrap();
        let from = queue.len().saturating_sub(BATCH);
        queue.split_off(from)
    };
    let ledgers: Mutex<Vec<Ledger>> = Mutex::default();
    stream::iter(&detectors)
        .for_each_concurrent(None, |detector| async {
            let take = &take;
            let (queue, ledgers) = (&queue, &ledgers);
            loop {
                let batch = take();
                if batch.is_empty() {
                    break;
                }
                let event = json!({"Records": batch.iter().map(|number| message(*number)).collect::<Vec<_>>()});
                let invocation = balance::wake(detector, event, Duration::from_secs(900)).await;
                let answer = invocation.answer.unwrap();
                let back = answer["batchItemFailures"].as_array().unwrap();
                let back =
                    back.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().parse::<usize>().unwrap());
                queue.lock().unwrap().extend(back);
                ledgers.lock().unwrap().push(invocation.ledger);
            }
        })
        .await;

    let taken = topics.findings.lock().unwrap();
    assert_eq!(taken.keys().cloned().collect::<BTreeSet<_>>(), expected, "every finding, and no other");
    let ledgers = ledgers.into_inner().unwrap();
    let sum = |count: fn(&Ledger) -> u64| ledgers.iter().map(count).sum::<u64>();
    assert_eq!(sum(|ledger| ledger.findings.published), taken.values().sum::<u64>());
    let (items, failed) = (sum(|ledger| ledger.items), sum(|ledger| ledger.items_failed));
    assert!(failed > 0, "else nothing was ever given back");
    assert_eq!(items - failed, LOGS as u64, "each log is acknowledged once");
    assert_eq!(sum(|ledger| ledger.records.total), 3 * items);
    // People get one message for an invocation, however much was found in it.
    assert!(topics.alerts.load(Ordering::Relaxed) <= ledgers.len() as u64);
    let most = bucket.most_open.load(Ordering::Relaxed);
    assert!(most <= (DETECTORS * 4) as u64, "{most} logs were open at once");
}

#[test]
fn thirty_thousand_matches_of_one_story_are_one_finding() {
    let records: Vec<Value> = (0..30_000).map(|n| delete_guardrail(n, &json!({}))).collect();
    let audited = audit(&document(&records), &key("flood"));
    let [finding] = audited.findings.as_slice() else { panic!("{}", audited.findings.len()) };
    let matched = finding.matched().unwrap();
    assert_eq!((matched.count, matched.event_ids_total, audited.records.matched), (30_000, 30_000, 30_000));
}

/// Thirty thousand stories in one log, which no real log has: the first thousand are told apart, the rest is one finding for
/// each call, and no record is forgotten.
#[test]
fn thirty_thousand_stories_are_told_apart_up_to_a_point() {
    let other = |n: u32| match n % 3 {
        0 => json!({"userIdentity": {"arn": format!("arn:aws:iam::111122223333:user/{n}")}}),
        1 => json!({"requestParameters": {"guardrailIdentifier": format!("gr-{n}")}}),
        _ => json!({"userIdentity": {"accessKeyId": format!("ASIAEXAMPLE{n}")}, "errorCode": "AccessDenied"}),
    };
    let records: Vec<Value> = (0..30_000).map(|n| delete_guardrail(n, &other(n))).collect();
    let audited = audit(&document(&records), &key("flood"));
    assert_eq!((audited.records.matched, audited.records.unmatched), (30_000, 0));
    let counted: u64 = audited.findings.iter().map(|finding| finding.matched().unwrap().count).sum();
    assert_eq!(counted, 30_000, "none is forgotten");
    let found = audited.findings.len();
    assert_eq!(found, 1_002, "a thousand, and one for each outcome of the rest");
    let of_rest: Vec<&Finding> =
        audited.findings.iter().filter(|finding| finding.matched().unwrap().count > 1_000).collect();
    assert_eq!(of_rest.len(), 2);
    for finding in of_rest {
        let matched = finding.matched().unwrap();
        assert_eq!((matched.actor.uid.as_str(), matched.event_name.as_str()), ("more than one", "DeleteGuardrail"));
        assert!(finding.summary().contains("more than one"), "{}", finding.summary());
        let schema = crate::ocsf_schema::OcsfSchema::load();
        assert_eq!(schema.violations(&finding.ocsf()), Vec::<String>::new());
    }
    // The same log again gives the same ids.
    let ids = |audited: &detection::audit::Audited| audited.findings.iter().map(|f| f.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&audited), ids(&audit(&document(&records), &key("flood"))));
}
