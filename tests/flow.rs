//! Whole invocations between in-memory edges: what goes in as an event, what comes out as findings, alerts, answer and
//! ledger. Row by row what the README promises when things go wrong.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use detection::{
    finding::Finding,
    ledger::Ledger,
    rules::{Origin, RuleFile},
};
use detector::{
    config::Config,
    handler::{FetchError, Handler, Invocation, LogBody, LogBucket, Publisher},
    live_rules::{Fixed, Listed, LiveRules, NoSource, RulesSource, Unread},
    notification::ObjectEvent,
};
use serde_json::{Value, json};

use crate::{
    balance,
    samples::{BUCKET, BUILTIN, NOW_MS, delete_guardrail, document, gzip, key, log, ordinary, repository},
};

/// What a GET of an object gives, one after the other; the last one for ever.
#[derive(Clone)]
pub(crate) enum Get {
    Whole(Vec<u8>),
    BreaksAfter(Vec<u8>, usize),
    StallsAfter(Vec<u8>, usize),
    Gone,
    Failed,
}

#[derive(Default)]
pub(crate) struct MemoryBucket {
    objects: Mutex<HashMap<String, VecDeque<Get>>>,
    asked: Mutex<Vec<ObjectEvent>>,
    open: Arc<AtomicUsize>,
    most_open: AtomicUsize,
}

pub(crate) struct MemoryBody {
    pieces: VecDeque<Result<Bytes, Option<FetchError>>>,
    open: Arc<AtomicUsize>,
}

impl Drop for MemoryBody {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl LogBucket for &MemoryBucket {
    type Body = MemoryBody;

    async fn open(&self, object: &ObjectEvent) -> Result<MemoryBody, FetchError> {
        self.asked.lock().unwrap().push(object.clone());
        let mut objects = self.objects.lock().unwrap();
        let gets = objects.get_mut(&object.key).ok_or(FetchError::Gone)?;
        let get = if gets.len() > 1 { gets.pop_front().unwrap() } else { gets[0].clone() };
        let (bytes, end) = match get {
            Get::Gone => return Err(FetchError::Gone),
            Get::Failed => {
                return Err(FetchError::Failed("access was denied; the function needs s3:GetObject".to_owned()));
            }
            Get::Whole(bytes) => (bytes, None),
            Get::BreaksAfter(bytes, at) => {
                (bytes[..at].to_vec(), Some(Err(Some(FetchError::Broken("reset".to_owned())))))
            }
            Get::StallsAfter(bytes, at) => (bytes[..at].to_vec(), Some(Err(None))),
        };
        let pieces = bytes.chunks(1_000).map(|piece| Ok(Bytes::copy_from_slice(piece)));
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_open.fetch_max(open, Ordering::Relaxed);
        Ok(MemoryBody { pieces: pieces.chain(end).collect(), open: self.open.clone() })
    }
}

impl LogBody for MemoryBody {
    async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        // As from a network, where others have their turn meanwhile.
        tokio::task::yield_now().await;
        match self.pieces.pop_front() {
            None => Ok(None),
            Some(Ok(bytes)) => Ok(Some(bytes)),
            Some(Err(Some(error))) => Err(error),
            Some(Err(None)) => std::future::pending().await,
        }
    }
}

#[derive(Default)]
pub(crate) struct MemoryTopics {
    findings: Mutex<Vec<Finding>>,
    alerts: Mutex<Vec<Vec<String>>>,
    refuse_findings: bool,
    refuse_alerts: bool,
    /// Findings of this log are never taken nor refused.
    hang_for: Option<String>,
    alerts_hang: bool,
    findings_hang: bool,
    answers_nothing: bool,
}

impl Publisher for &MemoryTopics {
    async fn publish(&self, findings: &[Finding]) -> Vec<Result<(), String>> {
        let hangs = |finding: &Finding| self.hang_for.as_ref() == Some(&finding.log.key);
        if self.findings_hang || findings.iter().any(hangs) {
            std::future::pending::<()>().await;
        }
        if self.refuse_findings {
            return vec![Err("a finding was not published: no".to_owned()); findings.len()];
        }
        if self.answers_nothing {
            return vec![];
        }
        self.findings.lock().unwrap().extend(findings.iter().cloned());
        vec![Ok(()); findings.len()]
    }

    async fn alert(&self, findings: &[&Finding], _: usize) -> Result<(), String> {
        if self.alerts_hang {
            std::future::pending::<()>().await;
        }
        if self.refuse_alerts {
            return Err("an alert was not published: no".to_owned());
        }
        self.alerts.lock().unwrap().push(findings.iter().map(|finding| finding.title()).collect());
        Ok(())
    }
}

/// A detector between its edges.
#[derive(Default)]
pub(crate) struct Bench {
    bucket: MemoryBucket,
    topics: MemoryTopics,
    pub(crate) rule_files: Vec<RuleFile>,
    environment: Vec<(&'static str, &'static str)>,
}

impl Bench {
    pub(crate) fn put(&self, name: &str, gets: impl IntoIterator<Item = Get>) {
        self.bucket.objects.lock().unwrap().insert(key(name), gets.into_iter().collect());
    }

    pub(crate) fn with(name: &str, bytes: Vec<u8>) -> Self {
        let bench = Self::default();
        bench.put(name, [Get::Whole(bytes)]);
        bench
    }

    pub(crate) fn handler(&self) -> Handler<&MemoryBucket, &MemoryTopics, NoSource> {
        self.handler_with(LiveRules::fixed(Fixed { files: self.rule_files.clone(), ..Fixed::default() }))
    }

    pub(crate) fn handler_with<R: RulesSource + Send + Sync + 'static>(
        &self,
        rules: LiveRules<R>,
    ) -> Handler<&MemoryBucket, &MemoryTopics, R> {
        let set = [
            ("LOG_BUCKETS", BUCKET),
            ("FINDINGS_TOPIC_ARN", "arn:aws:sns:eu-central-1:111122223333:findings"),
            ("ALERTS_TOPIC_ARN", "arn:aws:sns:eu-central-1:111122223333:alerts"),
        ];
        let get = |name: &str| {
            self.environment.iter().chain(&set).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        Handler::new(Config::read(get).unwrap(), rules, &self.bucket, &self.topics, || NOW_MS)
    }

    pub(crate) async fn wake(&self, event: Value) -> Invocation {
        balance::wake(&self.handler(), event, Duration::from_secs(120)).await
    }

    pub(crate) fn titles(&self) -> Vec<String> {
        self.topics.findings.lock().unwrap().iter().map(Finding::title).collect()
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.topics.findings.lock().unwrap().clone()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.topics.findings.lock().unwrap().iter().map(|finding| finding.id.clone()).collect()
    }

    pub(crate) fn alerts(&self) -> Vec<Vec<String>> {
        self.topics.alerts.lock().unwrap().clone()
    }
}

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
const REMOVED: &str = "A CloudTrail log was removed before it was audited, or after";
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

#[tokio::test]
async fn findings_that_are_not_taken_fail_what_brought_them() {
    let mut bench = Bench::with("one", bad_log());
    bench.put("quiet", [Get::Whole(log(&[ordinary(1)]))]);
    bench.topics.refuse_findings = true;
    let invocation = bench.wake(sqs(&[("m1", s3(&["one"])), ("m2", s3(&["quiet"]))])).await;
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
    let mut bench = Bench::with("one", bad_log());
    bench.put("quiet", [Get::Whole(log(&[ordinary(1)]))]);
    bench.topics.refuse_alerts = true;
    let invocation = bench.wake(sqs(&[("m1", s3(&["one"])), ("m2", s3(&["quiet"]))])).await;
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

/// A name that AWS invents tomorrow on a Bedrock source is a finding, one for each operation, account and log.
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
    ];
    let bench = Bench::with("new", log(&records));
    let ledger = bench.wake(s3(&["new"])).await.ledger;
    assert_eq!(bench.titles(), ["Bedrock operation that this version does not know (success)"; 2]);
    assert_eq!((ledger.records.matched, ledger.records.unmatched), (3, 4));
    let findings = bench.topics.findings.lock().unwrap();
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

/// Rule files that change while the detector is warm. `None` for a file that is listed and cannot be read.
#[derive(Clone, Default)]
pub(crate) struct MemoryRules {
    files: Arc<Mutex<BTreeMap<String, Option<String>>>>,
    cannot_be_listed: Arc<Mutex<bool>>,
    reads: Arc<Mutex<Vec<String>>>,
    /// How long it takes to read a file.
    read_takes: Arc<Mutex<Duration>>,
}

impl MemoryRules {
    pub(crate) fn put(&self, path: &str, text: Option<&str>) {
        self.files.lock().unwrap().insert(path.to_owned(), text.map(str::to_owned));
    }
}

impl RulesSource for MemoryRules {
    fn name(&self) -> String {
        "s3://rules/".to_owned()
    }

    async fn list(&self) -> Result<Vec<Listed>, String> {
        if *self.cannot_be_listed.lock().unwrap() {
            return Err("AccessDenied".to_owned());
        }
        let files = self.files.lock().unwrap();
        Ok(files
            .iter()
            .map(|(path, text)| Listed {
                path: path.clone(),
                version: format!("{text:?}"),
                size: text.as_ref().map_or(9, String::len) as u64,
                is_lists: path == "elsewhere.yml",
            })
            .collect())
    }

    async fn read(&self, file: &Listed) -> Result<String, Unread> {
        self.reads.lock().unwrap().push(file.path.clone());
        let read_takes = *self.read_takes.lock().unwrap();
        if !read_takes.is_zero() {
            tokio::time::sleep(read_takes).await;
        }
        let unread = if file.path.starts_with("locked") { Unread::Ever } else { Unread::Yet };
        self.files.lock().unwrap()[&file.path].clone().ok_or_else(|| unread("it broke off".to_owned()))
    }
}

fn rule_on(event_name: &str) -> String {
    format!(
        "title: {event_name} seen\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        eventName: {event_name}\n    condition: selection\nlevel: low\n"
    )
}

/// A team changes its rules on a running system: what it writes is in force a minute later, and no mistake of its takes
/// anything away.
#[tokio::test(start_paused = true)]
async fn rules_change_while_it_is_warm() {
    let bench = Bench::with("one", log(&[ordinary(1)]));
    let rules = MemoryRules::default();
    rules.put("a.yml", Some(&rule_on("ListBuckets")));
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let minutes = async |minutes: u64| {
        tokio::time::advance(Duration::from_secs(60 * minutes)).await;
        let invocation = balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await;
        assert!(invocation.answer.is_ok());
        let mut titles = bench.titles();
        bench.topics.findings.lock().unwrap().clear();
        titles.sort();
        (titles, invocation.ledger.rule_files_refused)
    };
    let seen = |name: &str| vec![format!("{name} seen (success)")];
    assert_eq!(minutes(0).await, (seen("ListBuckets"), 0));

    // Not asked again within the minute; then only what changed is read.
    rules.put("b.yml", Some(&rule_on("DeleteBucket")));
    assert_eq!(minutes(0).await, (seen("ListBuckets"), 0));
    assert_eq!(minutes(1).await, (seen("ListBuckets"), 0));
    assert_eq!(*rules.reads.lock().unwrap(), ["a.yml", "b.yml"]);
    assert_eq!(minutes(1).await, (seen("ListBuckets"), 0));
    assert_eq!(rules.reads.lock().unwrap().len(), 2);

    // A mistake: the last good version stays, somebody is told once, and the ledger says it until it is mended.
    rules.put("a.yml", Some("title: ["));
    let with = |title: &str| [vec![title.to_owned()], seen("ListBuckets")].concat();
    assert_eq!(minutes(1).await, (with("A rule file is wrong"), 1));
    assert_eq!(minutes(1).await, (seen("ListBuckets"), 1));
    // Then it cannot be read either, then not even listed: each is told, and nothing else changes.
    rules.put("a.yml", None);
    assert_eq!(minutes(1).await, (with("A rule file is wrong"), 2));
    *rules.cannot_be_listed.lock().unwrap() = true;
    assert_eq!(minutes(1).await, (with("A rule file is wrong"), 3));
    *rules.cannot_be_listed.lock().unwrap() = false;

    // More than anybody writes by hand is not even read.
    rules.put("large.yml", Some(&"#".repeat(17 << 20)));
    let reads = rules.reads.lock().unwrap().len();
    assert_eq!(minutes(1).await, (with("A rule file is wrong"), 3));
    assert_eq!(rules.reads.lock().unwrap().len(), reads);
    rules.files.lock().unwrap().remove("large.yml");
    (0..5_000).for_each(|number| rules.put(&format!("many/{number}.yml"), Some("#")));
    assert_eq!(minutes(1).await, (with("A rule file is wrong"), 3));
    assert_eq!(rules.reads.lock().unwrap().len(), reads);
    rules.files.lock().unwrap().retain(|path, _| !path.starts_with("many/"));

    // Mended, and removed: what is no longer there is no longer in force.
    rules.put("a.yml", Some(&rule_on("ListBuckets")));
    assert_eq!(minutes(1).await, (seen("ListBuckets"), 0));
    rules.files.lock().unwrap().remove("a.yml");
    assert_eq!(minutes(1).await, (Vec::new(), 0));
    rules.files.lock().unwrap().clear();
    assert_eq!(
        minutes(1).await,
        (vec!["A rule file is wrong".to_owned()], 1),
        "a source without rules is a mistake, too"
    );
}

/// Whoever writes thousands of rules, or whose bucket is slow, keeps no log waiting for longer than two seconds.
#[tokio::test(start_paused = true)]
async fn rules_that_take_long_to_read_hold_no_invocation_up() {
    let bench = Bench::with("one", log(&[ordinary(1)]));
    let rules = MemoryRules::default();
    rules.put("a.yml", Some(&rule_on("ListBuckets")));
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let wake = async || {
        let woken = tokio::time::Instant::now();
        let invocation = balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await;
        assert!(invocation.answer.is_ok());
        assert!(woken.elapsed() < Duration::from_secs(3), "{:?}", woken.elapsed());
        let titles = bench.titles();
        bench.topics.findings.lock().unwrap().clear();
        (titles, invocation.ledger.rule_files_refused)
    };
    let old = (vec!["ListBuckets seen (success)".to_owned()], 0);
    assert_eq!(wake().await, old);

    tokio::time::advance(Duration::from_secs(60)).await;
    *rules.read_takes.lock().unwrap() = Duration::from_secs(300);
    rules.put("a.yml", Some(&rule_on("DeleteBucket")));
    for _ in 0..3 {
        assert_eq!(wake().await, old, "the rules that are there go on judging");
    }
    assert_eq!(rules.reads.lock().unwrap().len(), 2, "it is read once, however many invocations that takes");
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(wake().await, (Vec::new(), 0));
    rules.put("a.yml", Some(&rule_on("ListBuckets")));
    assert_eq!(wake().await, (Vec::new(), 0), "within the minute, nobody asks again");

    // If it fails in the end, that is told, and nothing is forgotten.
    tokio::time::advance(Duration::from_secs(60)).await;
    rules.put("a.yml", None);
    assert_eq!(wake().await, (Vec::new(), 0));
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(wake().await, (vec!["A rule file is wrong".to_owned()], 1));
}

/// Everything of an invocation runs in one thread; thousands of rules are compiled in another.
#[tokio::test]
async fn rules_are_compiled_beside_what_an_invocation_does() {
    let rules = MemoryRules::default();
    for number in 0..500 {
        rules.put(&format!("{number}.yml"), Some(&rule_on(&format!("Call{number}"))));
    }
    let live = LiveRules::from_source(rules.clone(), Fixed::default());
    let mut turns = 0_u32;
    let others = async {
        loop {
            turns += 1;
            tokio::task::yield_now().await;
        }
    };
    let in_force = tokio::select! {
        in_force = live.in_force() => in_force.unwrap(),
        () = others => unreachable!("it never ends"),
    };
    assert_eq!(in_force.rule_set.rules().len(), BUILTIN.rules().len() + 500);
    // Reading takes a turn for every file at most; while they are compiled, there are many thousands.
    assert!(turns > 2_000, "{turns}");
}

/// Lists beside the rules (`lists.yml`) and lists that stand apart (LISTS_URI): both change while it is warm, and a wrong
/// one takes nothing away.
#[tokio::test(start_paused = true)]
async fn lists_change_while_it_is_warm() {
    let bench = Bench::with("one", log(&[ordinary(1)]));
    let rules = MemoryRules::default();
    let waits = rule_on("ListBuckets").replace("eventName: ListBuckets", "eventName|expand: '%names%'")
        + "requires_list: names\n";
    rules.put("a.yml", Some(&waits));
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let a_minute_later = async || {
        tokio::time::advance(Duration::from_secs(60)).await;
        let invocation = balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await;
        let titles = bench.titles();
        bench.topics.findings.lock().unwrap().clear();
        (
            titles,
            invocation.ledger.rules_waiting - BUILTIN.waiting().count() as u64,
            invocation.ledger.rule_files_refused,
        )
    };
    let found = vec!["ListBuckets seen (success)".to_owned()];
    let wrong = "A rule file is wrong".to_owned();
    assert_eq!(a_minute_later().await, (vec![wrong.clone()], 0, 1), "a rule whose list is not there is refused");
    rules.put("elsewhere.yml", Some("names: []\n"));
    assert_eq!(a_minute_later().await, (Vec::new(), 1, 0));
    rules.put("elsewhere.yml", Some("names: [ListBuckets]\n"));
    assert_eq!(a_minute_later().await, (found.clone(), 0, 0));
    rules.put("elsewhere.yml", Some("names: all\n"));
    assert_eq!(
        a_minute_later().await,
        ([vec![wrong.clone()], found.clone()].concat(), 0, 1),
        "the last good one stays"
    );
    // The one among the rules has the last word, and its last good version stays, too.
    rules.put("elsewhere.yml", Some("names: [DeleteBucket]\n"));
    rules.put("lists.yml", Some("Names: [ListBuckets]\n"));
    assert_eq!(a_minute_later().await, (found.clone(), 0, 0));
    rules.put("lists.yml", Some("names: {}\n"));
    assert_eq!(a_minute_later().await, ([vec![wrong], found].concat(), 0, 1));
    rules.files.lock().unwrap().remove("lists.yml");
    assert_eq!(a_minute_later().await, (Vec::new(), 0, 0));
}

/// On a cold start there is nothing to fall back on: nothing is judged, and everything comes again.
#[tokio::test(start_paused = true)]
async fn without_its_rules_a_cold_detector_judges_nothing() {
    let bench = Bench::with("one", bad_log());
    let rules = MemoryRules::default();
    *rules.cannot_be_listed.lock().unwrap() = true;
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let invocation = balance::wake(&handler, sqs(&[("m1", s3(&["one"]))]), Duration::from_secs(120)).await;
    assert_eq!(given_back(&invocation), ["m1"]);
    assert_eq!((bench.titles().len(), invocation.ledger.logs.failed), (0, 1));

    // Not a minute later but at once: until there are rules, every event asks for them.
    *rules.cannot_be_listed.lock().unwrap() = false;
    rules.put("a.yml", None);
    let said = balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await.answer.unwrap_err().to_string();
    assert!(said.contains("the rules at s3://rules/ cannot be read: a.yml: it broke off"), "{said}");
    rules.put("a.yml", Some(&rule_on("ListBuckets")));
    // One of several is enough: what it asks for, nobody would ever ask of this log.
    rules.put("b.yml", None);
    let said = balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await.answer.unwrap_err().to_string();
    assert!(said.contains("cannot be read: b.yml: it broke off"), "{said}");
    assert_eq!(bench.titles().len(), 0);
    rules.put("b.yml", Some(&rule_on("DeleteGuardrail")));
    // But one that nobody can read keeps no other from judging, and is told.
    rules.put("locked.yml", None);
    let invocation = balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await;
    assert_eq!((invocation.answer.is_ok(), invocation.ledger.rule_files_refused), (true, 1));
    let mut titles = bench.titles();
    titles.sort();
    let expected = ["A rule file is wrong", DELETED, "DeleteGuardrail seen (success)", "ListBuckets seen (success)"];
    assert_eq!(titles, expected);
    assert_eq!(rules.reads.lock().unwrap().iter().filter(|path| *path == "a.yml").count(), 2, "what was read is kept");
}

/// The next attempt reads only what could not be read: that this is one file that nobody can read does not mean that none can be.
#[tokio::test(start_paused = true)]
async fn a_start_that_failed_goes_on_with_what_it_read() {
    let bench = Bench::with("one", log(&[ordinary(1)]));
    let rules = MemoryRules::default();
    rules.put("a.yml", Some(&rule_on("ListBuckets")));
    rules.put("b.yml", None);
    rules.put("locked.yml", None);
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let wake = async || balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await;
    assert!(wake().await.answer.is_err());
    rules.files.lock().unwrap().remove("b.yml");
    let invocation = wake().await;
    assert_eq!((invocation.answer.is_ok(), invocation.ledger.rule_files_refused), (true, 1));
    assert!(bench.titles().contains(&"ListBuckets seen (success)".to_owned()));

    // Where nobody can read any, there is nothing to judge by.
    rules.files.lock().unwrap().remove("a.yml");
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let said = balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await.answer.unwrap_err().to_string();
    assert!(said.contains("cannot be read: locked.yml: it broke off"), "{said}");
}
