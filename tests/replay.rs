//! `bedrock-audit replay` as a user runs it, on a local AWS: parked messages, and logs of the days when nobody listened.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::{
    command_line::binary,
    end_to_end::{AWS, DELETED, Stack, bad_log},
    samples::{delete_guardrail, log, ordinary},
};

struct Ran {
    status: i32,
    lines: Vec<Value>,
    err: String,
}

impl Ran {
    /// The outcome of each item, with what it was called.
    fn outcomes(&self) -> Vec<(&str, &str)> {
        self.lines.iter().map(|line| (line["item"].as_str().unwrap(), line["outcome"].as_str().unwrap())).collect()
    }

    fn count(&self, outcome: &str) -> usize {
        self.outcomes().iter().filter(|(_, what)| *what == outcome).count()
    }
}

/// Runs it with the configuration of a stack's function.
async fn replay(stack: &Stack, arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary());
    command
        .arg("replay")
        .args(arguments)
        .env_clear()
        .env("AWS_ENDPOINT_URL", AWS.said()["endpoint"].as_str().unwrap())
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("LOG_BUCKETS", &stack.bucket)
        .env("FINDINGS_TOPIC_ARN", &stack.findings_topic)
        .env("ALERTS_TOPIC_ARN", &stack.alerts_topic);
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let out = String::from_utf8(stdout).unwrap();
    // It looks through the books of every pass itself, and says so.
    assert!(!String::from_utf8_lossy(&stderr).contains("does not balance"));
    Ran {
        status: status.code().unwrap(),
        lines: out.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// A log delivered at this time (`20261122T0915Z`), in an account and Region of one's choice.
fn delivered(place: &str, time: &str) -> String {
    let (account, region) = place.split_once('/').unwrap();
    let day = format!("{}/{}/{}", &time[..4], &time[4..6], &time[6..8]);
    format!("AWSLogs/{account}/CloudTrail/{region}/{day}/{account}_CloudTrail_{region}_{time}_k3Jd8sLq0ZpX7vBn.json.gz")
}

const HERE: &str = "111122223333/eu-central-1";

async fn parked_queue(stack: &Stack, bodies: &[Value]) -> String {
    let name = format!("parked-{}", stack.bucket);
    let url = stack.sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
    for body in bodies {
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        stack.sqs.send_message().queue_url(&url).message_body(body).send().await.unwrap();
    }
    url
}

#[tokio::test]
async fn parked_messages_are_handled_and_only_then_deleted() {
    let stack = Stack::new().await;
    let (one, two) = (delivered(HERE, "20261122T0915Z"), delivered(HERE, "20261122T0920Z"));
    stack.put(&one, bad_log()).await;
    stack.put(&two, log(&[ordinary(1)])).await;
    let record = json!({
        "version": "1.0",
        "requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": stack.s3_event(&[&one]),
        "responsePayload": {"errorMessage": "x"}
    });
    let notice = json!({"s3Bucket": stack.bucket, "s3ObjectKey": [two, one]});
    let forged = json!({"s3Bucket": "somebody-elses", "s3ObjectKey": [one]});
    let bodies = [record, notice, json!("not json"), forged.clone()];
    let queue = parked_queue(&stack, &bodies).await;

    let planned = replay(&stack, &[&queue, "--dry-run"]).await;
    assert_eq!((planned.status, planned.count("planned")), (0, 4), "{}", planned.err);
    assert!(stack.findings().await.is_empty(), "nothing is published");

    let ran = replay(&stack, &[&queue]).await;
    assert_eq!((ran.status, ran.count("handled"), ran.count("failed")), (2, 2, 2), "{}", ran.err);
    assert!(ran.err.contains("2 handled, 2 failed; logs: 3 audited, 1 failed;"), "{}", ran.err);
    let problems: Vec<String> = ran.lines.iter().map(|line| line["problems"].to_string()).collect();
    assert!(problems.iter().any(|problem| problem.contains("is not JSON")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("somebody-elses is not in LOG_BUCKETS")), "{problems:?}");
    // Twice the same log: told once in one pass, or twice under one id.
    assert!(stack.titles().await.iter().all(|title| title == DELETED));
    assert_eq!(stack.arrived(&stack.alerts_queue).await.len(), 1, "people get one message for a pass");

    // What was not handled is still there, and to be seen at once.
    let request = stack.sqs.receive_message().queue_url(&queue).max_number_of_messages(10);
    let mut left: Vec<String> =
        request.send().await.unwrap().messages.unwrap().into_iter().map(|message| message.body.unwrap()).collect();
    left.sort();
    assert_eq!(left, ["not json".to_owned(), forged.to_string()]);
}

#[tokio::test]
async fn what_cannot_be_published_stays_in_the_queue() {
    let stack = Stack::new().await;
    let key = delivered(HERE, "20261122T0915Z");
    stack.put(&key, bad_log()).await;
    let queue = parked_queue(&stack, &[json!({"s3Bucket": stack.bucket, "s3ObjectKey": [key]})]).await;
    let nowhere = "arn:aws:sns:eu-central-1:123456789012:nowhere";
    let ran = replay(&stack, &[&queue, "--findings-topic", nowhere]).await;
    assert_eq!((ran.status, ran.count("failed")), (2, 1), "{}", ran.err);
    assert!(ran.lines[0]["problems"].to_string().contains("the topic does not exist"), "{:?}", ran.lines);

    let ran = replay(&stack, &[&queue]).await;
    assert_eq!((ran.status, ran.count("handled"), stack.titles().await), (0, 1, vec![DELETED.to_owned()]));
    assert_eq!(replay(&stack, &[&queue]).await.lines.len(), 0);
}

#[tokio::test]
async fn logs_of_a_span_of_time_are_read_again_and_no_others() {
    let stack = Stack::new().await;
    let deleted =
        |n: u32| log(&[delete_guardrail(n, &json!({"requestParameters": {"guardrailIdentifier": format!("gr-{n}")}}))]);
    let places = [
        (HERE, "20261121T2359Z"),
        (HERE, "20261122T0000Z"),
        ("111122223333/us-east-1", "20261122T1200Z"),
        ("444455556666/eu-central-1", "20261123T0010Z"),
        (HERE, "20261123T0930Z"),
        (HERE, "20261201T0000Z"),
    ];
    let keys: Vec<String> = places.iter().map(|(place, time)| delivered(place, time)).collect();
    for (n, key) in (0..).zip(&keys) {
        stack.put(key, deleted(n)).await;
    }
    stack.put("AWSLogs/111122223333/CloudTrail-Digest/eu-central-1/2026/11/22/x.json.gz", b"x".to_vec()).await;
    stack.put("AWSLogs/111122223333/Config/eu-central-1/2026/11/22/x.json.gz", b"x".to_vec()).await;
    let place = format!("s3://{}", stack.bucket);
    let span = ["--since", "2026-11-22", "--until", "2026-11-23T09:30Z"];
    let expected: Vec<String> = keys[1..4].iter().map(|key| format!("s3://{}/{key}", stack.bucket)).collect();

    let planned = replay(&stack, &[&[place.as_str(), "--dry-run"], &span[..]].concat()).await;
    let expected_outcomes = |what| expected.iter().map(|name| (name.as_str(), what)).collect::<Vec<_>>();
    assert_eq!((planned.status, planned.outcomes()), (0, expected_outcomes("planned")), "{}", planned.err);

    let ran = replay(&stack, &[&[place.as_str()], &span[..]].concat()).await;
    assert_eq!((ran.status, ran.outcomes()), (0, expected_outcomes("handled")), "{}", ran.err);
    assert!(ran.err.contains("3 handled, 0 failed; logs: 3 audited; 3 findings and 1 alert published"), "{}", ran.err);
    let mut replayed: Vec<String> = stack.findings().await.iter().map(uid).collect();
    replayed.sort();
    // The function itself gives the same ids.
    let names: Vec<&str> = keys[1..4].iter().map(String::as_str).collect();
    assert!(!stack.wake(&stack.s3_event(&names)).await.failed);
    let mut first: Vec<String> = stack.findings().await.iter().map(uid).collect();
    first.sort();
    assert_eq!((replayed.len(), replayed), (3, first));

    // As far into the folders as one likes.
    let narrow = format!("s3://{}/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/", stack.bucket);
    let planned = replay(&stack, &[&[narrow.as_str(), "--dry-run"], &span[..]].concat()).await;
    assert_eq!(planned.outcomes(), [(expected[1].as_str(), "planned")]);
}

fn uid(finding: &Value) -> String {
    finding["finding_info"]["uid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_wrong_is_said_before_anything_is_read() {
    let stack = Stack::new().await;
    let place = format!("s3://{}", stack.bucket);
    for (arguments, said) in [
        (vec![place.as_str()], "say since when with --since"),
        (vec![&place, "--since", "2026-11-22", "--until", "2026-11-21"], "--since is not before --until"),
        (vec![&place, "--since", "yesterday"], "write it as 2026-11-22"),
        (vec!["https://queue", "--since", "2026-11-22"], "a queue is replayed whole"),
        (vec!["parked"], "give the URL of a queue"),
        (
            vec![&place, "--since", "2026-11-22", "--findings-topic", "x"],
            "FINDINGS_TOPIC_ARN is missing or no standard",
        ),
        (
            vec![&place, "--since", "2026-11-22", "--findings-topic", "x"],
            "--findings-topic stands for FINDINGS_TOPIC_ARN\n",
        ),
        (vec!["s3://no-such-bucket-here", "--since", "2026-11-22"], "cannot be listed: NoSuchBucket: "),
        (vec!["http://127.0.0.1:9/123456789012/no-such-queue"], "cannot be read: "),
    ] {
        let ran = replay(&stack, &arguments).await;
        assert!(ran.status == 2 && ran.err.contains(said), "{arguments:?}: {}", ran.err);
        assert!(!ran.err.contains(" {") && !ran.err.contains("Error("), "no text of a programmer's: {}", ran.err);
    }
}

/// What AWS's libraries say then is about anything but the Region.
#[test]
fn without_a_region_that_alone_is_said() {
    let home = tempfile::tempdir().unwrap();
    let Output { status, stderr, .. } = Command::new(binary())
        .args(["replay", "s3://b", "--since", "2026-11-22", "--dry-run"])
        .env_clear()
        .env("HOME", home.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    let said = "bedrock-audit: no Region is set; set AWS_REGION to that of the bucket or the queue\n";
    assert_eq!((status.code().unwrap(), String::from_utf8(stderr).unwrap().as_str()), (2, said));
}
