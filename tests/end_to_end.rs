//! The real `bootstrap`, woken over the Lambda Runtime API, between S3, SNS and SQS on loopback: everything but AWS itself.
//!
//! - [`stack`]: what stands around it

mod stack;

use std::{collections::BTreeSet, fs, io::Write as _, process::Command};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use stack::{ACCOUNT, REGION, prepared};
pub(crate) use stack::{AWS, Helper, Stack, aws_at, bad_log, subscribe};

use crate::{
    ocsf_schema::OcsfSchema,
    samples::{delete_guardrail, document, gzip, key, log, ordinary, repository},
};

pub(crate) const DELETED: &str = "Bedrock guardrail deleted (success)";

#[tokio::test]
async fn every_notification_shape_wakes_it() {
    let stack = Stack::named(Some("bedrock-audit-example-logs"), &[]).await;
    stack
        .s3
        .put_bucket_versioning()
        .bucket(&stack.bucket)
        .versioning_configuration(
            aws_sdk_s3::types::VersioningConfiguration::builder().status("Enabled".into()).build(),
        )
        .send()
        .await
        .unwrap();
    let name =
        |minute: u32, unique: &str| key(&format!("111122223333_CloudTrail_eu-central-1_20261122T09{minute}Z_{unique}"));
    let (first, second) = (name(15, "k3Jd8sLq0ZpX7vBn"), name(20, "T9wQe4Rm2YhU6cVa"));
    // The first version of the first log tells something else than the newest, which all events but one mean.
    let stopped = delete_guardrail(1, &json!({"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging"}));
    let version = stack.put(&first, log(&[stopped])).await.unwrap();
    stack.put(&first, bad_log()).await;
    stack.put(&second, log(&[delete_guardrail(9, &json!({"awsRegion": "us-east-1"}))])).await;
    let deleted = |times| vec![DELETED.to_owned(); times];
    let removed = vec!["A CloudTrail log was removed".to_owned()];
    for (file, titles) in [
        ("s3-put", deleted(1)),
        ("s3-put-minimal", deleted(1)),
        ("s3-put-versioned", vec!["CloudTrail logging stopped (success)".to_owned()]),
        ("s3-two-logs", deleted(2)),
        ("s3-removed", removed.clone()),
        ("sns-s3-put", deleted(1)),
        ("sqs-s3-put", deleted(1)),
        ("sqs-sns-s3-put", deleted(1)),
        ("sqs-sns-raw-s3-put", deleted(1)),
        ("eventbridge-object-created", deleted(1)),
        ("eventbridge-object-deleted", removed.clone()),
        ("sqs-eventbridge-object-created", deleted(1)),
        ("sns-cloudtrail-notice", deleted(1)),
        ("sqs-sns-cloudtrail-notice", deleted(2)),
        ("s3-test-event", deleted(0)),
        ("sqs-s3-test-event", deleted(0)),
        ("sqs-sns-s3-test-event", deleted(0)),
        ("sqs-on-failure-record", deleted(1)),
        ("digest-and-insight", deleted(0)),
    ] {
        let text = fs::read_to_string(repository(&format!("events/notifications/{file}.json"))).unwrap();
        let mut event: Value = serde_json::from_str(&text).unwrap();
        if let Some(named) = event.pointer_mut("/Records/0/s3/object/versionId") {
            *named = json!(version);
        }
        let answer = stack.wake(&event).await;
        assert!(!answer.failed, "{file}: {answer:?}");
        if file.starts_with("sqs-") {
            assert_eq!(answer.body, json!({"batchItemFailures": []}), "{file}");
        }
        assert_eq!(stack.titles().await, titles, "{file}");
    }
    let unknown = fs::read_to_string(repository("events/notifications/unknown-shape.json")).unwrap();
    let answer = stack.wake(&serde_json::from_str(&unknown).unwrap()).await;
    assert!(
        answer.failed && answer.body["errorMessage"].as_str().unwrap().contains("expected an S3 notification"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn s3s_own_notification_wakes_it_whatever_the_key_is_made_of() {
    let stack = Stack::new().await;
    let notices = stack
        .sqs
        .create_queue()
        .queue_name(format!("notices-{}", stack.bucket))
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    let queue = aws_sdk_s3::types::QueueConfiguration::builder()
        .queue_arn(format!("arn:aws:sqs:{REGION}:{ACCOUNT}:notices-{}", stack.bucket))
        .events("s3:ObjectCreated:*".into())
        .build()
        .unwrap();
    let configuration = aws_sdk_s3::types::NotificationConfiguration::builder().queue_configurations(queue).build();
    stack
        .s3
        .put_bucket_notification_configuration()
        .bucket(&stack.bucket)
        .notification_configuration(configuration)
        .send()
        .await
        .unwrap();
    // S3 says hello when it is told where to send.
    let hello = stack.arrived(&notices).await;
    assert_eq!(hello.len(), 1);
    assert!(!stack.wake(&hello[0]).await.failed && stack.ledger()["test_events"] == 1);

    for prefix in ["", "a b/", "r+d/", "100%/", "a%2Bb/", "équipe sécurité/", "ログ/", "quo'te\"&<x>/"] {
        let at = format!("{prefix}{}", key("log"));
        stack.put(&at, bad_log()).await;
        let notices = stack.arrived(&notices).await;
        assert_eq!(notices.len(), 1);
        assert!(!stack.wake(&notices[0]).await.failed, "{prefix}");
        let findings = stack.findings().await;
        assert_eq!(findings.len(), 1, "{prefix}");
        assert_eq!(findings[0]["unmapped"]["log"]["key"], at.as_str());
    }
}

#[tokio::test]
async fn two_logs_the_first_broken() {
    let stack = Stack::new().await;
    stack.put(&key("good"), bad_log()).await;
    stack.put(&key("broken"), bad_log()[..90].to_vec()).await;
    let answer = stack.wake(&stack.s3_event(&[&key("broken"), &key("good")])).await;
    assert!(!answer.failed, "a damaged log is told, not tried again: {answer:?}");
    assert_eq!(stack.titles().await, ["A CloudTrail log could not be audited to its end", DELETED]);
    let logs = stack.ledger()["logs"].clone();
    assert_eq!((&logs["audited"], &logs["damaged"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_removed_log_is_told_and_a_forged_bucket_is_refused() {
    let stack = Stack::new().await;
    let answer = stack.wake(&stack.s3_event(&[&key("never-there")])).await;
    assert!(!answer.failed, "{answer:?}");
    assert_eq!(stack.titles().await, ["A CloudTrail log was removed"]);

    let other = Stack::new().await;
    other.put(&key("good"), bad_log()).await;
    let answer = stack.wake(&other.s3_event(&[&key("good")])).await;
    let said = answer.body["errorMessage"].as_str().unwrap();
    assert!(answer.failed && said.contains("is not in LOG_BUCKETS"), "{answer:?}");
    assert_eq!(stack.titles().await, Vec::<String>::new());
    assert_eq!(stack.ledger()["logs"]["failed"], 1);
}

#[tokio::test]
async fn members_of_a_gzip_file_are_read_as_one() {
    let stack = Stack::new().await;
    let text = document(&[ordinary(1), delete_guardrail(2, &json!({}))]);
    let (first, rest) = text.split_at(text.len() / 2);
    let mut named = GzEncoder::new(Vec::new(), Compression::best());
    named.write_all(rest).unwrap();
    stack.put(&key("members"), [gzip(first), named.finish().unwrap(), gzip(b"")].concat()).await;
    assert!(!stack.wake(&stack.s3_event(&[&key("members")])).await.failed);
    assert_eq!(stack.titles().await, [DELETED]);
}

#[tokio::test]
async fn a_log_with_no_finding_publishes_nothing() {
    let stack = Stack::new().await;
    stack.put(&key("quiet"), log(&[ordinary(1), ordinary(2)])).await;
    assert!(!stack.wake(&stack.s3_event(&[&key("quiet")])).await.failed);
    assert!(stack.findings().await.is_empty() && stack.arrived(&stack.alerts_queue).await.is_empty());
    assert_eq!(stack.ledger()["records"], json!({"total": 2, "matched": 0, "unmatched": 2, "unreadable": 0}));
}

#[tokio::test]
async fn more_than_ten_findings_all_arrive_and_people_get_one_mail() {
    let stack = Stack::new().await;
    let records: Vec<Value> = (0..37)
        .map(|n| delete_guardrail(n, &json!({"requestParameters": {"guardrailIdentifier": format!("gr-{n}")}})))
        .collect();
    stack.put(&key("many"), log(&records)).await;
    assert!(!stack.wake(&stack.s3_event(&[&key("many")])).await.failed);
    let findings = stack.findings().await;
    let guardrails: BTreeSet<String> =
        findings.iter().map(|finding| finding["resources"][0]["uid"].as_str().unwrap().to_owned()).collect();
    assert_eq!((findings.len(), guardrails.len()), (37, 37));
    let alerts = stack.arrived(&stack.alerts_queue).await;
    assert_eq!(alerts.len(), 1);
    assert_eq!(
        alerts[0]["Subject"],
        "[bedrock-audit] High: Bedrock guardrail deleted (success) in 111122223333 and 36 more"
    );
}

#[tokio::test]
async fn the_same_event_twice_gives_the_same_ids() {
    let stack = Stack::new().await;
    stack.put(&key("one"), bad_log()).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        stack.wake(&stack.s3_event(&[&key("one")])).await;
        let findings = stack.findings().await;
        assert_eq!(findings.len(), 1);
        ids.push(findings[0]["finding_info"]["uid"].clone());
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_batch_from_sqs_gives_back_exactly_what_failed() {
    let stack = Stack::new().await;
    stack.put(&key("good"), bad_log()).await;
    let other = Stack::new().await;
    let message = |id: &str, body: &Value| json!({"messageId": id, "eventSource": "aws:sqs", "body": body.to_string()});
    let answer = stack
        .wake(&json!({"Records": [
            message("m1", &stack.s3_event(&[&key("good")])),
            message("m2", &json!({"nonsense": true})),
            message("m3", &other.s3_event(&[&key("good")])),
            message("m4", &stack.s3_event(&[&key("good")])),
        ]}))
        .await;
    assert!(!answer.failed);
    assert_eq!(answer.body, json!({"batchItemFailures": [{"itemIdentifier": "m2"}, {"itemIdentifier": "m3"}]}));
    assert_eq!(stack.ledger()["items_failed"], 2);
    assert!(stack.titles().await.contains(&DELETED.to_owned()));
}

#[tokio::test]
async fn a_topic_that_is_not_there_fails_the_invocation() {
    let nowhere = format!("arn:aws:sns:{REGION}:{ACCOUNT}:nowhere");
    let stack = Stack::named(None, &[("FINDINGS_TOPIC_ARN", &nowhere)]).await;
    stack.put(&key("one"), bad_log()).await;
    let answer = stack.wake(&stack.s3_event(&[&key("one")])).await;
    let said = answer.body["errorMessage"].as_str().unwrap();
    assert!(answer.failed && said.contains("a finding was not published: the topic does not exist"), "{answer:?}");
    assert_eq!(stack.ledger()["findings"]["failed"], 1);
}

/// Security teams route by attributes: a subscription on each of the ten gets exactly what it asks for.
#[tokio::test]
async fn a_filter_policy_on_each_attribute_gets_exactly_its_findings() {
    let stack = Stack::new().await;
    let records = [
        delete_guardrail(1, &json!({})),
        delete_guardrail(2, &json!({"errorCode": "AccessDenied"})),
        delete_guardrail(
            3,
            &json!({"eventName": "DeleteKnowledgeBase", "requestParameters": {"knowledgeBaseId": "KB1"}, "awsRegion": "us-east-1"}),
        ),
        delete_guardrail(
            4,
            &json!({"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging", "recipientAccountId": "444455556666"}),
        ),
    ];
    stack.put(&key("mixed"), log(&records)).await;
    // What there is to filter by is learnt from a first run.
    stack.wake(&stack.s3_event(&[&key("mixed")])).await;
    let published: Vec<(Value, Value)> = stack
        .arrived(&stack.findings_queue)
        .await
        .into_iter()
        .map(|envelope| {
            let finding: Value = serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap();
            (finding["finding_info"]["uid"].clone(), envelope["MessageAttributes"].clone())
        })
        .collect();
    assert_eq!(published.len(), 4);
    let names: Vec<String> = published[0].1.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 10);
    let mut subscriptions = Vec::new();
    for name in &names {
        // The value of the last one: of each attribute there are at least two different ones.
        let wanted = published[3].1[name]["Value"].as_str().unwrap().to_owned();
        let expected: BTreeSet<String> = published
            .iter()
            .filter(|(_, attributes)| attributes[name]["Value"] == wanted.as_str())
            .map(|(uid, _)| uid.to_string())
            .collect();
        assert!(expected.len() < 4, "{name} tells nothing apart");
        let queue = format!("{}-{name}", stack.bucket);
        let url = stack.sqs.create_queue().queue_name(&queue).send().await.unwrap().queue_url.unwrap();
        let policy = if name == "severity_id" {
            json!({name: [{"numeric": ["=", wanted.parse::<u64>().unwrap()]}]})
        } else {
            json!({name: [wanted]})
        };
        let policy = policy.to_string();
        subscribe(
            &stack.sns,
            &stack.findings_topic,
            &queue,
            &[("RawMessageDelivery", "true"), ("FilterPolicy", &policy)],
        )
        .await;
        subscriptions.push((name, url, expected));
    }
    stack.wake(&stack.s3_event(&[&key("mixed")])).await;
    for (name, url, expected) in subscriptions {
        let arrived: BTreeSet<String> =
            stack.arrived(&url).await.iter().map(|finding| finding["finding_info"]["uid"].to_string()).collect();
        assert_eq!(arrived, expected, "{name}");
    }
}

#[tokio::test]
async fn a_chat_notice_goes_out_where_it_is_asked_for() {
    let stack = Stack::named(None, &[("ALERT_FORMAT", "chat")]).await;
    stack.put(&key("one"), bad_log()).await;
    assert!(!stack.wake(&stack.s3_event(&[&key("one")])).await.failed);
    let alerts = stack.arrived(&stack.alerts_queue).await;
    let notice: Value = serde_json::from_str(alerts[0]["Message"].as_str().unwrap()).unwrap();
    assert_eq!((&notice["source"], &notice["content"]["textType"]), (&json!("custom"), &json!("client-markdown")));
}

#[tokio::test]
async fn rules_from_a_folder_are_in_force_and_a_wrong_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "title: Buckets listed\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        eventName: ListBuckets\n    condition: selection\nlevel: low\n";
    fs::write(folder.path().join("mine.yml"), rule).unwrap();
    fs::write(folder.path().join("wrong.yml"), rule.replace("eventName:", "eventName|contians:")).unwrap();
    let stack = Stack::named(None, &[("RULES_URI", folder.path().to_str().unwrap())]).await;
    stack.put(&key("quiet"), log(&[ordinary(1)])).await;
    assert!(!stack.wake(&stack.s3_event(&[&key("quiet")])).await.failed);
    assert_eq!(stack.titles().await, ["A rule file is wrong", "Buckets listed (success)"]);
}

#[tokio::test]
async fn rules_below_a_prefix_of_a_bucket_are_in_force() {
    let rules = Stack::new().await;
    let text = |name: &str| {
        format!(
            "title: {name} seen\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        eventName: {name}\n    condition: selection\nlevel: low\n"
        )
    };
    rules.put("mine/a/list.yml", text("ListBuckets").into_bytes()).await;
    rules.put("mine/wrong.yaml", b"title: [".to_vec()).await;
    rules.put("mine/notes.txt", b"no rule".to_vec()).await;
    rules.put("theirs/other.yml", text("DeleteGuardrail").into_bytes()).await;
    let uri = format!("s3://{}/mine/", rules.bucket);
    let stack = Stack::named(None, &[("RULES_URI", &uri)]).await;
    stack.put(&key("one"), bad_log()).await;
    assert!(!stack.wake(&stack.s3_event(&[&key("one")])).await.failed);
    assert_eq!(stack.titles().await, ["A rule file is wrong", DELETED, "ListBuckets seen (success)"]);
    assert_eq!(stack.ledger()["rule_files_refused"], 1);

    let nowhere = Stack::named(None, &[("RULES_URI", "s3://no-such-bucket-here/")]).await;
    nowhere.put(&key("one"), bad_log()).await;
    let answer = nowhere.wake(&nowhere.s3_event(&[&key("one")])).await;
    let said = answer.body["errorMessage"].as_str().unwrap();
    assert!(
        answer.failed && said.contains("the rules at s3://no-such-bucket-here/ cannot be read: NoSuchBucket"),
        "{answer:?}"
    );
}

/// What stands in the log of the function is one JSON document a line, and none of it is a record's content.
#[tokio::test]
async fn log_lines_are_json_and_hold_no_content() {
    let stack = Stack::new().await;
    let secret = "quite-a-secret-7f3a";
    let hostile = json!({"userAgent": format!("{secret}\n{{\"level\":\"ERROR\"}}"), "requestParameters": {"guardrailIdentifier": secret}});
    stack.put(&key("one"), log(&[delete_guardrail(1, &hostile), json!(secret), json!({"eventSource": secret})])).await;
    assert!(!stack.wake(&stack.s3_event(&[&key("one")])).await.failed);
    assert_eq!(stack.findings().await.len(), 2);
    let text = fs::read_to_string(stack.log.path()).unwrap();
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    assert_eq!(lines.iter().filter(|line| line["message"] == "delivered log").count(), 1);
    assert!(!text.contains(secret), "{text}");
}

#[test]
fn a_wrong_environment_refuses_to_start_with_one_sentence() {
    let output = Command::new(prepared("BEDROCK_AUDIT_BOOTSTRAP"))
        .env_clear()
        .env("ALERT_FORMAT", "html")
        .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    for name in ["LOG_BUCKETS", "FINDINGS_TOPIC_ARN", "ALERT_FORMAT"] {
        assert!(said.contains(name), "{said}");
    }
}

/// What forges a line, moves a cursor, turns the reading direction or marks text up.
const ACTS: &str =
    "\r\n\u{0}\u{1b}[2J\u{1b}]8;;http://x\u{7}\u{7f}\u{9b}31m\u{2028}\u{202e}gpj\u{2066}\u{200b}\u{feff}\u{e0041}";

/// Whether nothing in these bytes acts on who reads them; a message's own lines end with a newline.
fn is_inert(bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes).unwrap();
    let acts = |c: char| c != '\n' && ACTS.contains(c) && !c.is_ascii_graphic();
    !text.contains(acts) && !text.chars().any(|c| c != '\n' && c.is_control())
}

/// What arrives of hostile records and keys, looked at byte by byte: messages, attributes, subjects, texts and the lines of the
/// function's log. Answers the messages, and the lines.
async fn inert_arrivals(stack: &Stack) -> (Vec<String>, String) {
    let schema = OcsfSchema::load();
    let findings = stack.arrived(&stack.findings_queue).await;
    let mut messages = Vec::new();
    for envelope in &findings {
        let message = envelope["Message"].as_str().unwrap();
        assert!(is_inert(message.as_bytes()) && !message.contains('\n'), "{message}");
        assert_eq!(schema.violations(&serde_json::from_str(message).unwrap()), [""; 0]);
        let attributes = envelope["MessageAttributes"].as_object().unwrap();
        for (name, attribute) in attributes {
            let value = attribute["Value"].as_str().unwrap();
            assert!(value.len() <= 256 && value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{name}: {value}");
        }
        let size = |(name, attribute): (&String, &Value)| {
            name.len() + attribute["Type"].as_str().unwrap().len() + attribute["Value"].as_str().unwrap().len()
        };
        assert!(message.len() + attributes.iter().map(size).sum::<usize>() <= 256 * 1024);
        messages.push(message.to_owned());
    }

    let alerts = stack.arrived(&stack.alerts_queue).await;
    assert!(!alerts.is_empty());
    for alert in &alerts {
        let (subject, body) = (alert["Subject"].as_str().unwrap(), alert["Message"].as_str().unwrap());
        assert!(subject.len() < 100 && subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{subject}");
        assert!(is_inert(body.as_bytes()) && body.len() < 64 * 1024, "{body}");
        let forged = body.lines().find(|line| line.starts_with("Subject") || line.starts_with("gpj"));
        assert_eq!(forged, None, "no line of the mail is theirs");
    }

    let lines = fs::read(stack.log.path()).unwrap();
    assert!(is_inert(&lines), "{}", String::from_utf8_lossy(&lines));
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        assert!(serde_json::from_slice::<Value>(line).is_ok(), "{}", String::from_utf8_lossy(line));
        // A log event of CloudWatch holds no more.
        assert!(line.len() < 256 * 1024);
    }
    (messages, String::from_utf8(lines).unwrap())
}

/// Everything in a record and in a key is chosen by somebody. What arrives is looked at byte by byte: lines of the function's
/// log, message, attributes, subject and text.
#[tokio::test]
async fn what_callers_write_acts_on_nobody_who_reads_of_it() {
    let stack = Stack::new().await;
    let hostile = format!("<b>x</b>`@here` {ACTS}Subject: forged");
    let long = format!("{hostile}{}", "u".repeat(200_000));
    let record = delete_guardrail(
        1,
        &json!({
            "userIdentity": {
                "arn": format!("arn:aws:iam::111122223333:user/{hostile}"), "userName": hostile, "accountId": hostile,
                "principalId": hostile, "accessKeyId": hostile, "invokedBy": hostile, "type": hostile,
                "sessionContext": {"sessionIssuer": {"arn": hostile, "userName": hostile}},
            },
            "requestParameters": {"guardrailIdentifier": hostile, hostile.as_str(): hostile},
            "userAgent": long, "sourceIPAddress": hostile, "awsRegion": hostile, "recipientAccountId": hostile,
            "eventID": hostile, "errorCode": hostile, "errorMessage": hostile, "eventTime": hostile,
            "resources": [{"ARN": hostile, "type": hostile, "accountId": hostile}],
        }),
    );
    // Keys hold nearly anything; of the one that is asked for, local AWS takes no line ends.
    let odd = format!("AWSLogs/111122223333/Cloud{ACTS}Trail/x/2026/11/22/x.json.gz");
    let gone = key("gone \u{1b}[2J\u{9b}31m\u{7f}\u{2028}\u{202e}gpj\u{2066}");
    stack.put(&key("hostile"), log(&[record, json!({"eventSource": hostile})])).await;
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let answer = stack.wake(&stack.s3_event(&[&key("hostile"), &encoded(&odd), &encoded(&gone)])).await;
    let forged = stack.s3_event(&[&encoded(&gone)]).to_string().replace(&stack.bucket, "x\\u202e\\u001b[2J");
    let refused = stack.wake(&serde_json::from_str(&forged).unwrap()).await;
    let unknown = stack.wake(&json!({ hostile.as_str(): hostile })).await;
    assert!(!answer.failed && refused.failed && unknown.failed, "{answer:?}");
    for answer in [&refused, &unknown] {
        assert!(is_inert(answer.body["errorMessage"].as_str().unwrap().as_bytes()), "{answer:?}");
    }

    let (messages, said) = inert_arrivals(&stack).await;
    assert_eq!(messages.len(), 3, "a deletion, a record that cannot be read, a log that is gone");
    assert!(messages.iter().any(|message| message.contains("\\u202e")), "the values are kept, as escapes");
    assert!(said.contains("\\u202e"), "the key is in the log, as escapes");
}

/// As long as S3 lets a key be, and as CloudTrail lets no user agent be: a megabyte of it makes a record that nobody judges, and
/// that is told; half of one is shortened wherever it leaves.
#[tokio::test]
async fn a_key_of_a_thousand_bytes_and_a_user_agent_of_a_megabyte_arrive_as_something_that_can_be_read() {
    let stack = Stack::new().await;
    let with_agent = |n: u32, bytes: usize| {
        let agent = format!("Subject: forged{}{ACTS}", ACTS.repeat(bytes / ACTS.len()));
        delete_guardrail(
            n,
            &json!({"userAgent": agent, "requestParameters": {"guardrailIdentifier": format!("gr-{n}")}}),
        )
    };
    // As JSON writes them, what acts takes up to six times its bytes.
    let records =
        [with_agent(1, 1_000_000), with_agent(2, 200_000), with_agent(3, 10_000), delete_guardrail(4, &json!({}))];
    assert!(records[0].to_string().len() > 1_000_000 && records[1].to_string().len() > 200_000);
    let acts = "\u{1b}[2J\u{9b}31m\u{7f}\u{2028}\u{202e}gpj\u{2066}";
    let (front, back) = ("AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/22/", "x.json.gz");
    let room = 1_024 - front.len() - back.len() - acts.len();
    let long = format!("{front}{acts}{}{}{back}", "ü".repeat(room / 2), "x".repeat(room % 2));
    assert_eq!(long.len(), 1_024);
    stack.put(&long, log(&records)).await;
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    assert!(!stack.wake(&stack.s3_event(&[&encoded(&long)])).await.failed);
    // And one that is gone: its key is all that there is to tell.
    let gone = long.replace("x.json.gz", "y.json.gz");
    assert!(!stack.wake(&stack.s3_event(&[&encoded(&gone)])).await.failed);

    let (messages, said) = inert_arrivals(&stack).await;
    let findings: Vec<Value> = messages.iter().map(|message| serde_json::from_str(message).unwrap()).collect();
    let mut titles: Vec<&str> =
        findings.iter().map(|finding| finding["finding_info"]["title"].as_str().unwrap()).collect();
    titles.sort_unstable();
    assert_eq!(
        titles,
        ["A CloudTrail log was removed", DELETED, DELETED, DELETED, "Records of a CloudTrail log could not be read"]
    );
    // The log that each points at can be found by its key, however long and odd.
    for finding in &findings {
        let key = finding["unmapped"]["log"]["key"].as_str().unwrap();
        assert!([&long, &gone].iter().any(|whole| *whole == key), "{key}");
    }
    assert!(said.contains("\\u202e"), "the key is in the log, as escapes");
}
