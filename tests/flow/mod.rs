//! Whole invocations between in-memory edges: what goes in as an event, what comes out as findings, alerts, answer and
//! ledger. Row by row what the README promises when things go wrong.
//!
//! - [`memory`]: the edges
//! - [`changing_rules`]: rules and lists that change while the detector is warm, and what a start does without them

mod changing_rules;
mod memory;

use std::{collections::HashSet, fs, sync::atomic::Ordering, time::Duration};

use detection::{
    ledger::Ledger,
    rules::{Origin, RuleFile},
};
use detector::handler::Invocation;
use serde_json::{Value, json};

pub(crate) use changing_rules::MemoryRules;
pub(crate) use memory::{Bench, Get};

use crate::{
    balance,
    samples::{BUCKET, delete_guardrail, document, gzip, key, log, ordinary, repository},
};

fn s3_record(name: &str) -> Value {
    json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": key(name)}}})
}

pub(crate) fn s3(names: &[&str]) -> Value {
    json!({"Records": names.iter().map(|name| s3_record(name)).collect::<Vec<_>>()})
}

fn sqs(bodies: &[(&str, Value)]) -> Value {
    let message = |(id, body): &(&str, Value)| {
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        json!({"messageId": id, "eventSource": "aws:sqs", "body": body})
    };
    json!({"Records": bodies.iter().map(message).collect::<Vec<_>>()})
}

fn bad_log() -> Vec<u8> {
    log(&[ordinary(1), delete_guardrail(2, &json!({})), ordinary(3)])
}

const DELETED: &str = "Bedrock guardrail deleted (success)";
const DAMAGED: &str = "A CloudTrail log could not be audited to its end";
const REMOVED: &str = "A CloudTrail log was removed";
const UNREADABLE: &str = "Records of a CloudTrail log could not be read";

fn given_back(invocation: &Invocation) -> Vec<String> {
    let answer = invocation.answer.as_ref().unwrap();
    let failures = answer["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_log_gives_findings_an_alert_and_a_ledger() {
    let bench = Bench::with("one", bad_log());
    let Invocation { answer, ledger, .. } = bench.wake(s3(&["one"])).await;
    assert!(answer.is_ok());
    assert_eq!(bench.titles(), [DELETED]);
    assert_eq!(bench.alerts(), [[DELETED]]);
    assert_eq!((ledger.logs.audited, ledger.records.total, ledger.records.matched), (1, 3, 1));
    assert_eq!((ledger.findings.published, ledger.alerts_published, ledger.items_failed), (1, 1, 0));
}

#[tokio::test]
async fn a_log_with_no_finding_publishes_nothing() {
    let bench = Bench::with("quiet", log(&[ordinary(1), ordinary(2)]));
    let Invocation { answer, ledger, .. } = bench.wake(s3(&["quiet"])).await;
    assert!(answer.is_ok() && bench.titles().is_empty() && bench.alerts().is_empty());
    assert_eq!((ledger.logs.audited, ledger.records.unmatched), (1, 2));
}

#[tokio::test]
async fn people_are_told_of_what_is_worth_it_alone() {
    let denied = log(&[delete_guardrail(1, &json!({"errorCode": "AccessDenied"}))]);
    let bench = Bench::with("denied", denied.clone());
    let ledger = bench.wake(s3(&["denied"])).await.ledger;
    assert_eq!((bench.titles().len(), bench.alerts().len(), ledger.findings_below_alert_threshold), (1, 0, 1));

    let mut bench = Bench::with("denied", denied);
    bench.environment = vec![("ALERT_MIN_SEVERITY", "medium")];
    bench.wake(s3(&["denied"])).await;
    assert_eq!(bench.alerts().len(), 1);
}

#[tokio::test]
async fn two_logs_of_one_notification_are_one_alert_and_a_broken_one_drops_no_other() {
    let bench = Bench::with("good", bad_log());
    bench.put("broken", [Get::Failed]);
    bench.put("also-good", [Get::Whole(log(&[delete_guardrail(9, &json!({"awsRegion": "us-east-1"}))]))]);
    let Invocation { answer, ledger, .. } = bench.wake(s3(&["broken", "good", "also-good"])).await;
    let said = answer.unwrap_err().to_string();
    assert!(said.contains("broken.json.gz was not read: access was denied; the function needs s3:GetObject"), "{said}");
    assert_eq!((bench.titles().len(), bench.alerts().len()), (2, 1));
    assert_eq!((ledger.logs.total, ledger.logs.audited, ledger.logs.failed, ledger.items_failed), (3, 2, 1, 1));
}

#[tokio::test]
async fn from_a_queue_only_what_failed_is_given_back() {
    let bench = Bench::with("good", bad_log());
    bench.put("broken", [Get::Failed]);
    let event = sqs(&[
        ("m1", s3(&["good"])),
        ("m2", json!("not json")),
        ("m3", s3(&["broken"])),
        ("m4", json!({"Event": "s3:TestEvent"})),
        ("m5", json!({"Type": "Notification", "Message": s3(&["gone"]).to_string()})),
    ]);
    let invocation = bench.wake(event).await;
    assert_eq!(given_back(&invocation), ["m2", "m3"]);
    let Ledger { items, items_failed, test_events, logs, .. } = invocation.ledger;
    assert_eq!((items, items_failed, test_events), (5, 2, 1));
    assert_eq!((logs.audited, logs.failed, logs.gone), (1, 1, 1));
}

#[tokio::test]
async fn of_a_hundred_messages_exactly_the_three_bad_ones_are_given_back() {
    let bench = Bench::default();
    let names: Vec<String> = (0..100).map(|n| format!("m{n}")).collect();
    for (n, name) in names.iter().enumerate() {
        let bytes =
            log(&[delete_guardrail(0, &json!({"eventID": name, "requestParameters": {"guardrailIdentifier": name}}))]);
        bench.put(name, [if n == 41 { Get::Failed } else { Get::Whole(bytes) }]);
    }
    let body = |name: &str| match name {
        "m7" => json!("not json"),
        "m99" => json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {}}]}),
        name => s3(&[name]),
    };
    let messages: Vec<(&str, Value)> = names.iter().map(|name| (name.as_str(), body(name))).collect();
    let invocation = bench.wake(sqs(&messages)).await;
    assert_eq!(given_back(&invocation), ["m7", "m41", "m99"]);
    assert_eq!((bench.titles().len(), invocation.ledger.items, invocation.ledger.items_failed), (97, 100, 3));
}

/// Memory is bounded by it, and time: some at once, and never more.
#[tokio::test]
async fn logs_are_fetched_side_by_side_and_never_more_than_four() {
    let bench = Bench::default();
    let names: Vec<String> = (0..20).map(|n| format!("log-{n}")).collect();
    names.iter().for_each(|name| bench.put(name, [Get::Whole(log(&[ordinary(1)]))]));
    let ledger = bench.wake(s3(&names.iter().map(String::as_str).collect::<Vec<_>>())).await.ledger;
    assert_eq!((ledger.logs.audited, bench.bucket.most_open.load(Ordering::Relaxed)), (20, 4));
}

/// A log whose findings nobody takes holds up no other, and it alone comes again.
#[tokio::test(start_paused = true)]
async fn the_publish_of_one_log_waits_for_no_other() {
    let mut bench = Bench::default();
    let of = |name: &str| {
        log(&[delete_guardrail(1, &json!({"eventID": name, "requestParameters": {"guardrailIdentifier": name}}))])
    };
    let names = ["stuck", "b", "c", "d", "e", "f"];
    names.iter().for_each(|name| bench.put(name, [Get::Whole(of(name))]));
    bench.topics.hang_for = Some(key("stuck"));
    let messages: Vec<(&str, Value)> = names.iter().map(|name| (*name, s3(&[name]))).collect();
    let invocation = balance::wake(&bench.handler(), sqs(&messages), Duration::from_secs(60)).await;
    assert_eq!(given_back(&invocation), ["stuck"]);
    assert_eq!((bench.titles().len(), bench.alerts().len()), (5, 1));
}

/// Records of a log that is not whole tell nothing yet: a group of them could still grow.
#[tokio::test(start_paused = true)]
async fn of_a_log_that_there_is_no_time_to_read_nothing_is_published() {
    let records: Vec<Value> = (0..400).map(|n| delete_guardrail(n, &json!({"x": n * 7_919}))).collect();
    let bytes = log(&records);
    let almost = bytes.len() - 1;
    let bench = Bench::default();
    bench.put("slow", [Get::StallsAfter(bytes, almost)]);
    let started = tokio::time::Instant::now();
    let Invocation { answer, ledger, .. } =
        balance::wake(&bench.handler(), s3(&["slow"]), Duration::from_secs(30)).await;
    assert!(started.elapsed() < Duration::from_secs(30), "Lambda would have ended it");
    assert!(answer.unwrap_err().to_string().contains("there was no time left"));
    assert_eq!((bench.titles().len(), ledger.logs.failed, ledger.records.total), (0, 1, 0));
}

#[tokio::test]
async fn a_message_that_cannot_be_named_brings_all_of_them_again() {
    let bench = Bench::default();
    let event = json!({"Records": [{"eventSource": "aws:sqs", "body": "not json"}]});
    assert!(bench.wake(event).await.answer.is_err());
}

#[tokio::test]
async fn an_on_failure_record_is_the_event_that_it_carries() {
    let bench = Bench::with("one", bad_log());
    let record = json!({"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": s3(&["one"]), "responsePayload": {"errorMessage": "x"}});
    let invocation = bench.wake(sqs(&[("m1", record)])).await;
    assert_eq!(given_back(&invocation), Vec::<String>::new());
    assert_eq!(bench.titles(), [DELETED]);
}

#[tokio::test]
async fn an_unknown_event_is_an_error_that_says_what_was_expected() {
    let said = Bench::default().wake(json!({"hello": "world"})).await.answer.unwrap_err().to_string();
    assert!(said.contains("expected an S3 notification") && said.contains("an object with hello"), "{said}");
    assert!(!said.contains("world"), "{said}");
}

#[tokio::test]
async fn other_files_of_the_bucket_are_skipped_by_their_folder() {
    let bench = Bench::default();
    let at = |key: &str| json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}});
    let event = json!({"Records": [
        at("AWSLogs/111122223333/CloudTrail-Digest/eu-central-1/2026/11/22/x.json.gz"),
        at("AWSLogs/111122223333/CloudTrail-Insight/eu-central-1/2026/11/22/x.json.gz"),
        at("AWSLogs/111122223333/CloudTrail-Insight/eu-central-1/2026/11/22/y.json.gz"),
        at("elsewhere/x.json.gz"),
    ]});
    let Invocation { answer, ledger, .. } = bench.wake(event).await;
    assert!(answer.is_ok() && bench.bucket.asked.lock().unwrap().is_empty());
    let skipped: Vec<(&str, u64)> =
        ledger.skipped_by_folder.iter().map(|(folder, count)| (folder.as_str(), *count)).collect();
    assert_eq!(skipped, [("CloudTrail-Digest", 1), ("CloudTrail-Insight", 2), ("not under AWSLogs", 1)]);
    assert_eq!(ledger.logs.skipped, 4);
}

#[tokio::test]
async fn a_forged_bucket_is_not_read_and_not_forgotten() {
    let bench = Bench::with("one", bad_log());
    let mut event = s3(&["one"]);
    event["Records"][0]["s3"]["bucket"]["name"] = json!("somebody-elses");
    let Invocation { answer, ledger, .. } = bench.wake(event).await;
    let said = answer.unwrap_err().to_string();
    assert!(said.contains("somebody-elses is not in LOG_BUCKETS"), "{said}");
    assert!(bench.bucket.asked.lock().unwrap().is_empty() && ledger.logs.failed == 1);
}

/// However it is wrapped, and however near the name is to one of ours.
#[tokio::test]
async fn no_shape_of_a_forged_notification_is_believed() {
    const OURS: &str = "bedrock-audit-example-logs";
    let near = ["/..", " ", ".", "2", ",other", "%00", ".s3.amazonaws.com"].map(|end| format!("{OURS}{end}"));
    let others = ["somebody-elses", "", "*", "BEDROCK-AUDIT-EXAMPLE-LOGS", "arn:aws:s3:::bedrock-audit-example-logs"];
    let forged: Vec<String> = near.into_iter().chain(others.map(str::to_owned)).collect();
    let mut shapes = 0;
    for entry in fs::read_dir(repository("events/notifications")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let wake = async |bucket: &str| {
            let bench = Bench { environment: vec![("LOG_BUCKETS", OURS)], ..Bench::default() };
            let ledger = bench.wake(serde_json::from_str(&text.replace(OURS, bucket)).unwrap()).await.ledger;
            let asked = bench.bucket.asked.lock().unwrap().len();
            (asked, ledger)
        };
        // What names no log that would be read says nothing here.
        if wake(OURS).await.0 == 0 {
            continue;
        }
        shapes += 1;
        for bucket in &forged {
            let (asked, ledger) = wake(bucket).await;
            assert_eq!((asked, ledger.logs.failed), (0, ledger.logs.total), "{} with {bucket:?}", path.display());
            assert_ne!(ledger.items_failed, 0, "{} with {bucket:?} is not forgotten", path.display());
        }
    }
    assert!(shapes >= 10, "{shapes} shapes name a log");
}

#[tokio::test]
async fn the_named_version_is_read() {
    let bench = Bench::with("one", bad_log());
    let mut event = s3(&["one"]);
    event["Records"][0]["s3"]["object"]["versionId"] = json!("v7");
    bench.wake(event).await;
    assert_eq!(bench.bucket.asked.lock().unwrap()[0].version.as_deref(), Some("v7"));
}

#[tokio::test]
async fn a_log_that_is_gone_is_a_finding() {
    let bench = Bench::default();
    bench.put("gone", [Get::Gone]);
    let Invocation { answer, ledger, .. } = bench.wake(s3(&["gone"])).await;
    assert!(answer.is_ok());
    assert_eq!((bench.titles(), ledger.logs.gone), (vec![REMOVED.to_owned()], 1));

    let bench = Bench::default();
    let mut event = s3(&["one"]);
    event["Records"][0]["eventName"] = json!("ObjectRemoved:DeleteMarkerCreated");
    let ledger = bench.wake(event).await.ledger;
    assert_eq!((bench.titles(), ledger.logs.gone), (vec![REMOVED.to_owned()], 1));
    let findings = bench.topics.findings.lock().unwrap();
    assert_eq!(
        (findings[0].account.as_deref(), findings[0].region.as_deref()),
        (Some("111122223333"), Some("eu-central-1"))
    );
}

#[tokio::test]
async fn retention_that_ends_is_no_finding() {
    let bench = Bench::default();
    let mut event = s3(&["one"]);
    event["Records"][0]["eventName"] = json!("LifecycleExpiration:Delete");
    let ledger = bench.wake(event).await.ledger;
    assert_eq!((bench.titles().len(), ledger.logs.skipped), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_fetched_again() {
    let bytes = bad_log();
    let half = bytes.len() / 2;
    let bench = Bench::default();
    bench.put(
        "one",
        [Get::BreaksAfter(bytes.clone(), half), Get::StallsAfter(bytes.clone(), 10), Get::Whole(bytes.clone())],
    );
    let Invocation { answer, ledger, .. } = bench.wake(s3(&["one"])).await;
    assert!(answer.is_ok());
    assert_eq!((bench.titles(), ledger.logs.audited, ledger.records.total), (vec![DELETED.to_owned()], 1, 3));

    // A body that breaks off after damage is not what is stored either.
    let bench = Bench::default();
    bench.put("one", [Get::BreaksAfter(vec![b'x'; 5_000], 3_000), Get::Whole(bytes.clone())]);
    let ledger = bench.wake(s3(&["one"])).await.ledger;
    assert_eq!((bench.titles(), ledger.logs.damaged), (vec![DELETED.to_owned()], 0));

    // Three times broken is failed, never damaged: it may be whole the next time, so nothing of it is published.
    let bench = Bench::default();
    bench.put("one", [Get::BreaksAfter(bytes, half)]);
    let Invocation { answer, ledger, .. } = bench.wake(s3(&["one"])).await;
    assert!(answer.unwrap_err().to_string().contains("was not read: reset"));
    assert_eq!((bench.titles().len(), ledger.logs.failed, ledger.logs.damaged), (0, 1, 0));
    assert_eq!(bench.bucket.asked.lock().unwrap().len(), 3);
}

/// Neither a length nor a checksum need be there to tell by: old objects have no checksum, and a length can be wrong, too.
#[tokio::test(start_paused = true)]
async fn a_log_is_only_damaged_when_two_reads_agree_on_it() {
    let bytes = bad_log();
    let cut = Get::Whole(bytes[..bytes.len() / 2].to_vec());
    let bench = Bench::default();
    bench.put("one", [cut.clone(), Get::Whole(bytes.clone())]);
    let ledger = bench.wake(s3(&["one"])).await.ledger;
    assert_eq!((bench.titles(), ledger.logs.audited, ledger.logs.damaged), (vec![DELETED.to_owned()], 1, 0));

    // Damaged in another way each time: nothing is known of what is stored, and it comes again.
    let bench = Bench::default();
    bench.put("one", [cut, Get::Whole(b"x".to_vec()), Get::Whole(bytes[..bytes.len() - 3].to_vec())]);
    let Invocation { answer, ledger, .. } = bench.wake(s3(&["one"])).await;
    assert!(answer.unwrap_err().to_string().contains("was not read: it seems damaged"));
    assert_eq!((bench.titles().len(), ledger.logs.failed, ledger.records.total), (0, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_log_is_a_finding_and_what_stood_before_is_found() {
    let whole = bad_log();
    let text = document(&[delete_guardrail(1, &json!({})), ordinary(2)]);
    for (name, bytes, titles) in [
        ("not-gzip", text.clone(), vec![DAMAGED]),
        ("truncated", whole[..whole.len() - 9].to_vec(), vec![DELETED, DAMAGED]),
        ("not-json", gzip(b"hello"), vec![DAMAGED]),
        ("no-records", gzip(b"{}"), vec![DAMAGED]),
        ("unclosed", gzip(&text[..text.len() - 2]), vec![DELETED, DAMAGED]),
        ("empty", Vec::new(), vec![DAMAGED]),
    ] {
        let bench = Bench::with(name, bytes);
        let Invocation { answer, ledger, .. } = bench.wake(s3(&[name])).await;
        assert!(answer.is_ok(), "{name}: a damaged log is settled by its finding");
        assert_eq!(
            (bench.titles(), ledger.logs.damaged),
            (titles.into_iter().map(str::to_owned).collect(), 1),
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn two_damaged_logs_are_two_findings() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let bench = Bench::default();
    names.iter().for_each(|name| bench.put(name, [Get::Whole(b"x".to_vec())]));
    bench.wake(s3(&names)).await;
    assert_eq!(bench.ids().iter().collect::<HashSet<_>>().len(), names.len());
}

#[tokio::test]
async fn a_log_that_unpacks_to_more_than_the_limit_is_damaged() {
    let mut records = vec![delete_guardrail(1, &json!({}))];
    records.extend((0..2_000).map(ordinary));
    let mut bench = Bench::with("large", log(&records));
    bench.environment = vec![("MAX_UNPACKED_MIB", "1")];
    let ledger = bench.wake(s3(&["large"])).await.ledger;
    assert_eq!((bench.titles(), ledger.logs.damaged), (vec![DELETED.to_owned(), DAMAGED.to_owned()], 1));
    let findings = bench.topics.findings.lock().unwrap();
    assert!(findings[1].summary().contains("more than the limit of 1048576 bytes"), "{}", findings[1].summary());
}

#[tokio::test]
async fn an_unreadable_record_is_counted_and_the_rest_goes_on() {
    let bench = Bench::with("one", log(&[ordinary(1), json!("no record"), delete_guardrail(2, &json!({}))]));
    let Invocation { answer, ledger, .. } = bench.wake(s3(&["one"])).await;
    assert!(answer.is_ok());
    assert_eq!(bench.titles(), [DELETED, UNREADABLE]);
    assert_eq!((ledger.records.total, ledger.records.unreadable, ledger.logs.audited), (3, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_same_notification_twice_gives_the_same_ids() {
    let bench = Bench::with("one", bad_log());
    bench.put("broken", [Get::Whole(b"x".to_vec())]);
    bench.wake(s3(&["one", "broken"])).await;
    bench.wake(s3(&["one", "broken"])).await;
    let ids = bench.ids();
    let (mut first, mut second) = (ids[..2].to_vec(), ids[2..].to_vec());
    first.sort();
    second.sort();
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_log_that_is_named_twice_in_one_invocation_is_published_once() {
    // The second is only fetched when the first is through: they come five in a row, four at once.
    let bench = Bench::with("one", bad_log());
    let ledger = bench.wake(s3(&["one", "one", "one", "one", "one", "one"])).await.ledger;
    assert_eq!(ledger.findings.total, 6);
    assert_eq!(ledger.findings.published + ledger.findings.superseded, 6);
    assert!(ledger.findings.superseded >= 1, "{ledger:?}");
}

/// Two messages, of which only the first, `m1`, brings a log with a finding: `one`.
fn one_and_quiet() -> (Bench, Value) {
    let bench = Bench::with("one", bad_log());
    bench.put("quiet", [Get::Whole(log(&[ordinary(1)]))]);
    (bench, sqs(&[("m1", s3(&["one"])), ("m2", s3(&["quiet"]))]))
}

#[tokio::test]
async fn findings_that_are_not_taken_fail_what_brought_them() {
    let (mut bench, messages) = one_and_quiet();
    bench.topics.refuse_findings = true;
    let invocation = bench.wake(messages).await;
    assert_eq!(given_back(&invocation), ["m1"]);
    assert_eq!((invocation.ledger.findings.failed, invocation.ledger.findings.published), (1, 0));
    assert!(bench.alerts().is_empty(), "people are told of what is published; the rest comes again");

    // What was not taken stands for no repetition of it: every message that brought it comes again.
    let names = ["m1", "m2", "m3", "m4", "m5", "m6"];
    let invocation = bench.wake(sqs(&names.map(|name| (name, s3(&["one"]))))).await;
    assert_eq!(given_back(&invocation), names);
}

#[tokio::test]
async fn an_alert_that_is_not_taken_fails_what_brought_it() {
    let (mut bench, messages) = one_and_quiet();
    bench.topics.refuse_alerts = true;
    let invocation = bench.wake(messages).await;
    assert_eq!(given_back(&invocation), ["m1"]);
}

fn wrong_rule() -> RuleFile {
    let text =
        "title: T\nlogsource:\n    product: gcp\n    service: x\ndetection:\n    a:\n        b: c\n    condition: a\n";
    RuleFile { path: "/opt/rules/mine.yml".to_owned(), text: text.to_owned(), origin: Origin::Outside }
}

/// Nobody else would ever tell of it: as long as SNS does not take it, every invocation fails.
#[tokio::test]
async fn a_wrong_rule_file_that_nobody_was_told_of_is_told_again() {
    let mut bench = Bench::with("quiet", log(&[ordinary(1)]));
    bench.rule_files = vec![wrong_rule()];
    bench.topics.refuse_findings = true;
    let handler = bench.handler();
    for _ in 0..2 {
        let Invocation { answer, ledger, .. } = balance::wake(&handler, s3(&["quiet"]), Duration::from_secs(120)).await;
        assert!(answer.is_err());
        assert_eq!(ledger.findings.failed, 1);
    }

    let mut bench = Bench::with("quiet", log(&[ordinary(1)]));
    bench.rule_files = vec![wrong_rule()];
    bench.environment = vec![("ALERT_MIN_SEVERITY", "medium")];
    bench.topics.refuse_alerts = true;
    assert!(bench.wake(s3(&["quiet"])).await.answer.is_err(), "people were not told");
}

/// A publisher that forgets an answer has not said yes.
#[tokio::test]
async fn no_answer_is_not_taken_for_yes() {
    let mut bench = Bench::with("one", bad_log());
    bench.topics.answers_nothing = true;
    let invocation = bench.wake(sqs(&[("m1", s3(&["one"]))])).await;
    assert_eq!((given_back(&invocation), invocation.ledger.findings.failed), (vec!["m1".to_owned()], 1));
}

#[tokio::test]
async fn a_wrong_rule_file_is_a_finding_once_and_the_rest_is_in_force() {
    let mut bench = Bench::with("one", bad_log());
    bench.rule_files = vec![wrong_rule()];
    let handler = bench.handler();
    assert!(balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await.answer.is_ok());
    assert!(balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await.answer.is_ok());
    assert_eq!(bench.titles(), ["A rule file is wrong", DELETED, DELETED]);
    let findings = bench.topics.findings.lock().unwrap();
    assert!(
        findings[0].summary().contains("/opt/rules/mine.yml:2:1: its logsource is not CloudTrail"),
        "{}",
        findings[0].summary()
    );
}

#[tokio::test]
async fn what_a_higher_finding_stands_for_is_in_the_ledger() {
    let mut bench = Bench::with("one", bad_log());
    let text = "title: T\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        eventName: DeleteGuardrail\n    condition: selection\nlevel: low\nfamily: guardrails\n";
    bench.rule_files = vec![RuleFile { path: "x.yml".to_owned(), text: text.to_owned(), origin: Origin::Outside }];
    let findings = bench.wake(s3(&["one"])).await.ledger.findings;
    assert_eq!((findings.total, findings.published, findings.superseded), (2, 1, 1));
}

#[tokio::test]
async fn a_flood_stays_few_messages() {
    let records: Vec<Value> = (0..30_000)
        .map(|n| delete_guardrail(n, &json!({"eventName": "InvokeModel", "errorCode": "AccessDenied"})))
        .collect();
    let bench = Bench::with("flood", log(&records));
    let ledger = tokio::time::timeout(Duration::from_secs(300), bench.wake(s3(&["flood"]))).await.unwrap().ledger;
    assert_eq!((bench.titles().len(), ledger.records.matched), (1, 30_000));
}

/// A name that AWS invents tomorrow on a Bedrock source is a finding, one for each operation, account and log, whatever came of it.
#[tokio::test]
async fn an_operation_that_nobody_knows_is_a_finding() {
    let unknown = |n, name: &str, change: Value| {
        let mut record = delete_guardrail(n, &change);
        record["eventName"] = json!(name);
        record
    };
    let records = [
        unknown(1, "OpenTheGates", json!({})),
        unknown(2, "OpenTheGates", json!({"userIdentity": {"arn": "arn:aws:iam::111122223333:user/another"}})),
        unknown(3, "OpenTheGates", json!({"recipientAccountId": "444455556666"})),
        unknown(4, "OpenTheGates", json!({"eventType": "AwsServiceEvent"})),
        unknown(5, "OpenTheGates", json!({"eventSource": "s3.amazonaws.com"})),
        unknown(6, "GetGuardrail", json!({})),
        unknown(7, "CreateInference", json!({"eventSource": "bedrock-mantle.amazonaws.com"})),
        unknown(8, "OpenTheGates", json!({"recipientAccountId": "444455556666", "errorCode": "ValidationException"})),
        unknown(9, "CloseTheGates", json!({"errorCode": "ValidationException"})),
        unknown(10, "CloseTheGates", json!({"errorCode": "AccessDenied"})),
    ];
    let bench = Bench::with("new", log(&records));
    let ledger = bench.wake(s3(&["new"])).await.ledger;
    let mut titles = bench.titles();
    titles.sort();
    let title = "Bedrock operation that this version does not know";
    // Of several, what was accepted counts, then what was denied.
    assert_eq!(titles, [format!("{title} (denied)"), format!("{title} (success)"), format!("{title} (success)")]);
    assert_eq!((ledger.records.matched, ledger.records.unmatched), (6, 4));
    let findings = bench.topics.findings.lock().unwrap();
    let errors: Vec<Option<&str>> =
        findings.iter().map(|finding| finding.matched().unwrap().error_code.as_deref()).collect();
    assert!(errors.contains(&Some("AccessDenied")) && !errors.contains(&Some("ValidationException")), "{errors:?}");
    assert!(findings.iter().all(|finding| finding.severity_name() == "Low"));
}

#[tokio::test(start_paused = true)]
async fn what_there_is_no_time_for_comes_again_and_the_ledger_says_so() {
    let bytes = bad_log();
    let bench = Bench::with("good", bytes.clone());
    bench.put("slow", [Get::StallsAfter(bytes, 10)]);
    let event = sqs(&[("m1", s3(&["good"])), ("m2", s3(&["slow"]))]);
    let invocation = balance::wake(&bench.handler(), event, Duration::from_secs(15)).await;
    assert_eq!(given_back(&invocation), ["m2"]);
    assert_eq!((bench.titles(), bench.alerts().len()), (vec![DELETED.to_owned()], 1));
    assert_eq!((invocation.ledger.logs.audited, invocation.ledger.logs.failed), (1, 1));
}

/// Neither must one that does not take the findings about rule files, which come before all others.
#[tokio::test(start_paused = true)]
async fn a_findings_topic_that_hangs_is_given_up_in_time() {
    let mut bench = Bench::with("one", bad_log());
    bench.topics.findings_hang = true;
    bench.rule_files =
        vec![RuleFile { path: "mine.yml".to_owned(), text: "title: [".to_owned(), origin: Origin::Outside }];
    let started = tokio::time::Instant::now();
    let invocation = balance::wake(&bench.handler(), s3(&["one"]), Duration::from_secs(30)).await;
    assert!(started.elapsed() < Duration::from_secs(30));
    assert!(invocation.answer.is_err());
    assert_eq!((invocation.ledger.logs.failed, invocation.ledger.rule_files_refused), (1, 1));
}

/// A topic that does not answer must not take the ledger with it.
#[tokio::test(start_paused = true)]
async fn an_alert_that_hangs_is_given_up_before_lambda_kills_us() {
    let mut bench = Bench::with("one", bad_log());
    bench.topics.alerts_hang = true;
    let started = tokio::time::Instant::now();
    let invocation = balance::wake(&bench.handler(), s3(&["one"]), Duration::from_secs(30)).await;
    assert!(started.elapsed() < Duration::from_secs(30));
    assert!(invocation.answer.unwrap_err().to_string().contains("an alert was not published in time"));
    assert_eq!((invocation.ledger.findings.published, invocation.ledger.alerts_failed), (1, 1));
}

#[tokio::test]
async fn people_are_told_of_a_wrong_rule_even_if_the_first_alert_fails() {
    let mut bench = Bench::with("quiet", log(&[ordinary(1)]));
    bench.environment = vec![("ALERT_MIN_SEVERITY", "medium")];
    bench.rule_files =
        vec![RuleFile { path: "mine.yml".to_owned(), text: "title: [".to_owned(), origin: Origin::Outside }];
    bench.topics.refuse_alerts = true;
    let first = bench.wake(s3(&["quiet"])).await;
    assert!(first.answer.is_err());
    assert_eq!(first.ledger.alerts_failed, 1);

    bench.topics.refuse_alerts = false;
    let handler = bench.handler();
    balance::wake(&handler, s3(&["quiet"]), Duration::from_secs(120)).await;
    balance::wake(&handler, s3(&["quiet"]), Duration::from_secs(120)).await;
    assert_eq!(bench.alerts(), [["A rule file is wrong"]]);
}

/// Whoever is denied everything cannot bury a finding, or our memory, under a million others.
#[tokio::test]
async fn targets_tried_in_vain_are_told_apart_up_to_a_point() {
    let mut records: Vec<Value> = (0..3_000)
        .map(|n| {
            delete_guardrail(
                n,
                &json!({"errorCode": "AccessDenied", "requestParameters": {"guardrailIdentifier": format!("gr-{n}")}}),
            )
        })
        .collect();
    records.push(delete_guardrail(9_999, &json!({})));
    let bench = Bench::with("flood", log(&records));
    let ledger = bench.wake(s3(&["flood"])).await.ledger;
    assert_eq!((ledger.findings.published, ledger.records.matched), (102, 3_001));
    let findings = bench.topics.findings.lock().unwrap();
    assert_eq!(findings[0].title(), DELETED, "the worst comes first");
    assert_eq!(findings.iter().map(|finding| finding.matched().unwrap().count).max(), Some(2_900));
    assert_eq!(
        findings.iter().map(|finding| finding.matched().unwrap().count).sum::<u64>(),
        3_001,
        "and none is forgotten"
    );
}

/// A new rule is watched for two days before it pages anyone: counted, and nobody is told. It stands for no other.
#[tokio::test]
async fn a_rule_in_shadow_is_counted_and_nobody_is_told() {
    let mut bench = Bench::with("one", bad_log());
    let rule = rule_on("DeleteGuardrail").replace("level: low", "level: critical\nfamily: guardrails\nstage: shadow");
    bench.rule_files = vec![RuleFile { path: "mine.yml".to_owned(), text: rule, origin: Origin::Outside }];
    let ledger = bench.wake(s3(&["one"])).await.ledger;
    assert_eq!((bench.titles(), bench.alerts()), (vec![DELETED.to_owned()], vec![vec![DELETED.to_owned()]]));
    assert_eq!((ledger.findings.total, ledger.findings.published, ledger.findings.shadowed), (2, 1, 1));
    assert_eq!(ledger.alert_threshold, Some("high"));
}

fn rule_on(event_name: &str) -> String {
    format!(
        "title: {event_name} seen\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        eventName: {event_name}\n    condition: selection\nlevel: low\n"
    )
}
