//! Findings: grouped as promised, identified for ever, valid OCSF, small enough for a message, harmless as text.
//!
//! - [`alerts`]: what people read of them

mod alerts;

use std::{
    collections::BTreeSet,
    env, fs,
    io::Write as _,
    process::{Command, Stdio},
    sync::LazyLock,
};

use detection::{
    audit::Audited,
    finding::{Alert, Finding, Form},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    ocsf_schema::OcsfSchema,
    samples::{BUCKET, audit, delete_guardrail, document, files, key, ordinary, repository},
};

static SCHEMA: LazyLock<OcsfSchema> = LazyLock::new(OcsfSchema::load);

fn found(records: &[Value]) -> Audited {
    audit(&document(records), &key("log"))
}

fn only(audited: &Audited) -> &Finding {
    let [finding] = audited.findings.as_slice() else { panic!("{:?}", titles(audited)) };
    finding
}

fn titles(audited: &Audited) -> Vec<String> {
    audited.findings.iter().map(Finding::title).collect()
}

fn denied_invocation(n: u32) -> Value {
    delete_guardrail(
        n,
        &json!({
            "eventName": "InvokeModel", "readOnly": true, "errorCode": "AccessDenied",
            "requestParameters": {"guardrailIdentifier": null, "modelId": format!("model-{n}")}
        }),
    )
}

#[test]
fn five_thousand_denied_calls_are_one_finding_and_two_deleted_guardrails_are_two() {
    let audited = found(&(0..5_000).map(denied_invocation).collect::<Vec<_>>());
    let finding = only(&audited);
    let matched = finding.matched().unwrap();
    assert_eq!((matched.count, matched.event_ids_total), (5_000, 5_000));
    assert_eq!((matched.event_ids.len(), matched.records.len()), (1_000, 10));
    assert_eq!((matched.models.counts.len(), matched.models.others), (50, 4_950));
    assert_eq!((matched.first_ms, matched.last_ms), (Some(1_795_338_000_000), Some(1_795_341_540_000)));

    let other = json!({"requestParameters": {"guardrailIdentifier": "another"}});
    let audited =
        found(&[delete_guardrail(1, &json!({})), delete_guardrail(2, &other), delete_guardrail(3, &json!({}))]);
    assert_eq!(audited.findings.len(), 2);
    assert_ne!(audited.findings[0].correlation_id, audited.findings[1].correlation_id);
}

/// Whatever tells two stories apart makes two findings of them.
#[test]
fn what_is_grouped_has_all_this_in_common() {
    let base = json!({});
    for change in [
        json!({"userIdentity": {"arn": "arn:aws:sts::111122223333:assumed-role/DataScience/eve"}}),
        json!({"userIdentity": {"accessKeyId": "ASIAEXAMPLEANOTHER01"}}),
        json!({"recipientAccountId": "444455556666"}),
        json!({"awsRegion": "us-east-1"}),
        json!({"errorCode": "AccessDenied"}),
        json!({"errorCode": "ValidationException"}),
        json!({"requestParameters": {"guardrailIdentifier": "another"}}),
        json!({"requestParameters": {"guardrailVersion": "1"}, "resources": [{"ARN": "arn:aws:bedrock:::guardrail/x"}]}),
    ] {
        let audited = found(&[delete_guardrail(1, &base), delete_guardrail(2, &change)]);
        assert_eq!(audited.findings.len(), 2, "{change}");
    }
    // Two ways of failing, two calls and two sources that one rule asks for.
    let root = json!({"type": "Root", "arn": "arn:aws:iam::111122223333:root", "sessionContext": null});
    let call = |n, change: Value| {
        let mut change = change;
        change["userIdentity"] = root.clone();
        change["readOnly"] = json!(true);
        delete_guardrail(n, &change)
    };
    for changes in [
        [json!({"errorCode": "ValidationException"}), json!({"errorCode": "ThrottlingException"})],
        [json!({"eventName": "ListGuardrails"}), json!({"eventName": "ListFoundationModels"})],
        [json!({"eventName": "GetX"}), json!({"eventName": "GetX", "eventSource": "bedrock-agentcore.amazonaws.com"})],
    ] {
        let said = format!("{changes:?}");
        let [first, second] = changes.map(|change| call(1, change));
        let audited = found(&[first, second]);
        let by_root = audited.findings.iter().filter(|finding| finding.family() == "identity");
        assert_eq!(by_root.count(), 2, "{said}");
    }
    for change in [
        json!({"sourceIPAddress": "198.51.100.7"}),
        json!({"userAgent": "another"}),
        json!({"eventTime": "2026-11-22T10:00:00Z"}),
        json!({"responseElements": {"someArn": "arn:aws:x"}}),
    ] {
        let audited = found(&[delete_guardrail(1, &base), delete_guardrail(2, &change)]);
        assert_eq!(only(&audited).matched().unwrap().count, 2, "{change}");
    }
}

#[test]
fn ids_are_those_of_the_records_and_of_nothing_else() {
    let (a, b) = (delete_guardrail(1, &json!({})), delete_guardrail(2, &json!({})));
    let id = |records: &[Value], key: &str| only(&audit(&document(records), key)).id.clone();
    let one = id(&[a.clone(), b.clone()], &key("one"));
    assert_eq!(one, id(&[b.clone(), ordinary(7), a.clone()], &key("two")), "order, siblings and key are no part of it");
    assert_eq!(one, id(&[a.clone(), b.clone(), a.clone()], &key("one")), "an event delivered twice is one event");
    let twice = found(&[a.clone(), b.clone(), a.clone()]);
    let matched = only(&twice).matched().unwrap();
    assert_eq!((matched.event_ids.len(), matched.event_ids_total), (2, 2), "and named once");
    assert_ne!(one, id(std::slice::from_ref(&a), &key("one")), "other records, another id");
    let ids: BTreeSet<String> = (1..100).map(|n| id(&[delete_guardrail(n, &json!({}))], &key("one"))).collect();
    assert_eq!(ids.len(), 99);
    // The ticket stays the same from log to log.
    let ticket = |n| only(&found(&[delete_guardrail(n, &json!({}))])).correlation_id.clone();
    assert_eq!(ticket(1), ticket(2));
    // Records without an eventID are told apart by their bytes.
    let without = |agent: &str| delete_guardrail(1, &json!({"eventID": null, "userAgent": agent}));
    assert_eq!(id(&[without("a")], &key("one")), id(&[without("a")], &key("two")));
    assert_ne!(id(&[without("a")], &key("one")), id(&[without("b")], &key("one")));
}

#[test]
fn a_denied_call_is_one_step_lower_and_says_so() {
    let denied = json!({"errorCode": "AccessDenied"});
    let audited = found(&[delete_guardrail(1, &denied)]);
    let finding = only(&audited);
    assert_eq!((finding.severity_name(), finding.title().as_str()), ("Medium", "Bedrock guardrail deleted (denied)"));
    let ocsf = finding.ocsf();
    assert_eq!(ocsf["unmapped"]["outcome"], "denied");
    assert_eq!(ocsf["status_id"], 1, "status is the ticket's, never the call's");
    assert_eq!(ocsf["evidences"][0]["api"]["response"]["error"], "AccessDenied");
}

/// Root deleting a guardrail is two families' business, so two findings; within a family the higher stands for the lower.
#[test]
fn one_record_gives_one_finding_a_family() {
    let root = json!({"userIdentity": {"type": "Root", "arn": "arn:aws:iam::111122223333:root"}});
    let audited = found(&[delete_guardrail(1, &root)]);
    assert_eq!(titles(&audited).len(), 2);
    assert_eq!((audited.records.matched, audited.superseded), (1, 0));

    let rules = detection::rules::RuleSet::load([detection::rules::RuleFile {
        path: "mine.yml".to_owned(),
        text: "title: Guardrail gone\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        eventName: DeleteGuardrail\n    condition: selection\nlevel: critical\nfamily: guardrails\n".to_owned(),
        origin: detection::rules::Origin::Outside,
    }]);
    let document = document(&[delete_guardrail(1, &json!({}))]);
    let audited = crate::samples::audit_with(&rules.rule_set, &document, &key("log"));
    let finding = only(&audited);
    assert_eq!((finding.title().as_str(), audited.superseded), ("Guardrail gone (success)", 1));
    assert_eq!(finding.ocsf()["finding_info"]["related_analytics"][0]["name"], "Bedrock guardrail deleted");
    // What is a finding in its own right, because of another record, is not superseded as well.
    let by_curl = rules_by_agent();
    let records = [delete_guardrail(1, &json!({"userAgent": "curl"})), delete_guardrail(2, &json!({}))];
    let audited = crate::samples::audit_with(&by_curl, &crate::samples::document(&records), &key("log"));
    assert_eq!((audited.findings.len(), audited.superseded), (2, 0));
}

/// The built-in rules, and one of the family `guardrails` that asks for a user agent.
fn rules_by_agent() -> detection::rules::RuleSet {
    let text = "title: By curl\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        userAgent: curl\n    condition: selection\nlevel: critical\nfamily: guardrails\n";
    let origin = detection::rules::Origin::Outside;
    detection::rules::RuleSet::load([detection::rules::RuleFile {
        path: "x.yml".to_owned(),
        text: text.to_owned(),
        origin,
    }])
    .rule_set
}

#[test]
fn what_cloudtrail_hides_is_named_and_lowers_confidence() {
    let rules = detection::rules::RuleSet::load_only([detection::rules::RuleFile {
        path: "mine.yml".to_owned(),
        text: "title: T\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        eventName: UpdateGuardrail\n    filter:\n        requestParameters.name: ours\n    condition: selection and not filter\nlevel: high\n".to_owned(),
        origin: detection::rules::Origin::Outside,
    }]);
    let update =
        |name: &str| delete_guardrail(1, &json!({"eventName": "UpdateGuardrail", "requestParameters": {"name": name}}));
    let audited = |name: &str| crate::samples::audit_with(&rules.rule_set, &document(&[update(name)]), &key("log"));
    let hidden = audited("HIDDEN_DUE_TO_SECURITY_REASONS");
    let ocsf = only(&hidden).ocsf();
    assert_eq!(
        (&ocsf["unmapped"]["fields_not_visible"], &ocsf["confidence"]),
        (&json!(["requestParameters.name"]), &json!("Medium"))
    );
    let body = Alert::of(&[only(&hidden)], 0).unwrap().body;
    assert!(body.contains("medium: CloudTrail does not show requestParameters.name (the service hides it)"), "{body}");
    let visible = audited("theirs");
    let ocsf = only(&visible).ocsf();
    assert_eq!((&ocsf["unmapped"]["fields_not_visible"], &ocsf["confidence"]), (&json!([]), &json!("High")));
}

#[test]
fn records_are_counted_once_each() {
    let text = r#"{"Records":[{"eventSource":"s3.amazonaws.com","eventName":"ListBuckets"}, 7, {"eventName":"x"}, {"eventSource":1,"eventName":"x"}, {"eventSource":"a","eventSource":"b","eventName":"x"}, {"eventSource":"bedrock.amazonaws.com","eventName":"DeleteGuardrail"}, {bad}]}"#;
    let audited = audit(text.as_bytes(), &key("log"));
    let counts = &audited.records;
    assert_eq!((counts.total, counts.matched, counts.unmatched, counts.unreadable), (7, 1, 1, 5));
    assert_eq!(
        titles(&audited),
        ["Bedrock guardrail deleted (success)", "Records of a CloudTrail log could not be read"]
    );
    let problem = audited.findings[1].summary();
    assert!(problem.contains("5 of 7 records") && problem.contains("record 2 "), "{problem}");
}

/// The situations in `events/logs`, and what each of them is meant to show.
#[test]
fn every_situation_gives_what_its_name_says() {
    let expected = [
        ("a-busy-hour", vec!["High", "Medium", "Medium", "Low"]),
        ("agent-hijacked", vec!["High", "Low", "Low", "Informational"]),
        ("api-key-created", vec!["High", "Low", "Low"]),
        ("delete-guardrail", vec!["High"]),
        ("delete-guardrail-denied", vec!["Medium"]),
        ("half-a-character", vec!["High"]),
        ("hostile-text", vec!["High", "Medium"]),
        ("logging-switched-off", vec!["High"]),
        ("not-a-trail", vec!["High"]),
        ("one-unreadable-record", vec!["High", "High"]),
        ("quiet-day", vec![]),
        ("root-invokes-model", vec!["High"]),
        ("trail-stopped", vec!["Critical"]),
        ("training-data-from-another-bucket", vec!["Medium"]),
        ("unclosed", vec!["High", "High"]),
    ];
    assert_eq!(files("events/logs", ".json").len(), expected.len(), "a situation that no test knows");
    for (name, severities) in expected {
        let audited = audit(&fs::read(repository(&format!("events/logs/{name}.json"))).unwrap(), &key(name));
        let found: Vec<&str> = audited.findings.iter().map(Finding::severity_name).collect();
        assert_eq!(found, severities, "{name}: {:?}", titles(&audited));
    }
}

#[test]
fn the_training_data_is_in_the_finding() {
    let path = repository("events/logs/training-data-from-another-bucket.json");
    let audited = audit(&fs::read(path).unwrap(), &key("log"));
    let finding = only(&audited);
    let record: Value = serde_json::from_str(&finding.matched().unwrap().records[0]).unwrap();
    let location = record["requestParameters"]["trainingDataConfig"]["s3Uri"].clone();
    let location = location.as_str().unwrap();
    assert!(finding.summary().contains(location), "{}", finding.summary());
    let resources = finding.ocsf()["resources"].to_string();
    assert!(resources.contains(location), "{resources}");
    assert!(Alert::of(&[finding], 0).unwrap().body.contains(location));
}

/// Everything that the situations give, as it would be published.
fn all_findings() -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in files("events/logs", ".json") {
        findings.extend(audit(&fs::read(path).unwrap(), &key("log")).findings);
    }
    let gateway = delete_guardrail(
        1,
        &json!({
            "eventSource": "bedrock-agentcore.amazonaws.com", "eventName": "InvokeGateway",
            "userIdentity": {"type": "Root", "arn": null, "principalId": "", "accessKeyId": "", "sessionContext": null, "accountId": "anonymous"},
            "additionalEventData": {"jwt": {"claims": {"sub": "client-7"}}},
            "sourceIPAddress": "bedrock.amazonaws.com", "responseElements": {"statusCode": 403}, "eventTime": "never"
        }),
    );
    findings.extend(found(&[gateway]).findings);
    findings.extend(found(&(0..2_000).map(denied_invocation).collect::<Vec<_>>()).findings);
    findings.extend(found(&[json!({"eventSource": "bedrock.amazonaws.com", "eventName": "DeleteGuardrail"})]).findings);
    findings
}

#[test]
fn every_finding_is_valid_ocsf_in_every_form() {
    for finding in all_findings() {
        assert_eq!(SCHEMA.violations(&finding.ocsf()), [""; 0], "{}", finding.title());
        for (limit, form) in [(255 * 1024, Form::Full), (32 * 1024, Form::Full), (255 * 1024, Form::Minimal)] {
            let json = finding.to_ocsf(limit, form);
            let value: Value = serde_json::from_str(&json).unwrap();
            assert!(json.len() <= limit, "{} bytes", json.len());
            assert_eq!(SCHEMA.violations(&value), [""; 0], "{} at {limit}", finding.title());
        }
    }
}

/// The second opinion, by a library of somebody else's.
#[test]
fn every_finding_is_valid_for_py_ocsf_models() {
    let python = env::var("BEDROCK_AUDIT_PYTHON").expect("run by `make test`, which prepares Python");
    let findings = all_findings();
    let mut validator = Command::new(python)
        .arg(repository("tests/facts/validate_with_py_ocsf_models.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines: Vec<String> = findings.iter().map(|finding| finding.ocsf().to_string()).collect();
    lines.extend(findings.iter().map(|finding| finding.to_ocsf(255 * 1024, Form::Minimal)));
    validator.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let output = validator.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains(&format!("{} findings valid", lines.len())), "{said}");
}

#[test]
fn an_oversize_finding_is_trimmed_from_the_evidence_inwards() {
    let long = "x".repeat(60_000);
    let records: Vec<Value> =
        (0..1_500).map(|n| delete_guardrail(n, &json!({"userAgent": long, "errorMessage": long}))).collect();
    let audited = found(&records);
    let finding = only(&audited);
    let mut before = Vec::new();
    for limit in [2_000_000, 255 * 1024, 120_000, 70_000, 40_000, 32 * 1024] {
        let json = finding.to_ocsf(limit, Form::Full);
        let value: Value = serde_json::from_str(&json).unwrap();
        assert!(json.len() <= limit, "{limit}: {} bytes", json.len());
        assert_eq!(SCHEMA.violations(&value), [""; 0]);
        let trimmed: Vec<String> = serde_json::from_value(value["unmapped"]["trimmed"].clone()).unwrap_or_default();
        assert!(trimmed.starts_with(&before), "{limit}: {trimmed:?} after {before:?}");
        before = trimmed;
        // Whatever is left out, it says whose, what and where the rest stands.
        assert_eq!(
            (&value["unmapped"]["log"]["bucket"], &value["finding_info"]["related_events_count"]),
            (&json!(BUCKET), &json!(1_500))
        );
        assert!(value["finding_info"]["related_events"].as_array().unwrap().len() > 100);
        // The first record is the last to go, and whose call it was stays.
        let evidences = value["evidences"].as_array().unwrap();
        assert!(evidences[0]["actor"]["user"]["uid"].is_string());
        assert!(evidences[0]["data"].is_object() || evidences.iter().all(|evidence| evidence["data"].is_null()));
    }
    assert_eq!(before, ["records", "evidences", "text", "counts", "lists", "event_ids"]);
}

/// Members that no value can hold are no place to hide in.
#[test]
fn what_cannot_be_held_as_a_value_hides_nothing() {
    let text = |member: &str| {
        let record = delete_guardrail(1, &json!({})).to_string();
        format!(
            r#"{{"Records":[{}]}}"#,
            record.replacen(r#""requestParameters":{"#, &format!(r#""requestParameters":{{"x":{member},"#), 1)
        )
    };
    for member in [format!("{}1{}", "[".repeat(200), "]".repeat(200)), "1e999".to_owned(), r#""\ud83d""#.to_owned()] {
        let audited = audit(text(&member).as_bytes(), &key("log"));
        let finding = only(&audited);
        assert_eq!((finding.severity_name(), audited.records.unreadable), ("High", 0), "{member}");
        assert_eq!(SCHEMA.violations(&finding.ocsf()), [""; 0]);
    }
    // A record that is an array of the right words is no record.
    let audited = audit(br#"{"Records":[["bedrock.amazonaws.com","DeleteGuardrail"]]}"#, &key("log"));
    assert_eq!((audited.records.unreadable, audited.records.matched), (1, 0));
}

/// SQS takes no U+FFFE and no U+FFFF: a message with one of them would be lost behind SNS.
#[test]
fn what_leaves_can_be_carried_by_sqs() {
    let audited = found(&[delete_guardrail(1, &json!({"userAgent": "a\u{ffff}b\u{fffe}c"}))]);
    let finding = only(&audited);
    let carried = |text: &str| {
        text.chars()
            .all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..))
    };
    let json = finding.to_ocsf(255 * 1024, Form::Full);
    assert!(carried(&json));
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["evidences"][0]["http_request"]["user_agent"], "a\u{ffff}b\u{fffe}c", "and says the same");
    assert!(carried(&Alert::of(&[finding], 0).unwrap().body));
}

/// A record that is too large to keep is not silently missing, and a trimmed finding still says where the rest stands.
#[test]
fn what_is_not_kept_is_marked_and_can_be_found() {
    let prefix = "a-long-prefix/".repeat(60);
    let record = delete_guardrail(1, &json!({"userAgent": "x".repeat(300_000)}));
    let audited = audit(&document(&[record]), &format!("{prefix}{}", key("log")));
    let finding = only(&audited);
    for form in [Form::Full, Form::Minimal] {
        let value: Value = serde_json::from_str(&finding.to_ocsf(255 * 1024, form)).unwrap();
        assert_eq!(SCHEMA.violations(&value), [""; 0]);
        assert_eq!(value["unmapped"]["trimmed"][0], "records");
        assert_eq!(value["unmapped"]["log"]["key"], format!("{prefix}{}", key("log")));
        assert_eq!(value["evidences"][0]["src_endpoint"]["ip"], "203.0.113.24");
    }
}

/// Written as an escape, a character takes twice its bytes: the limit is that of what is written.
#[test]
fn escapes_do_not_outgrow_a_message() {
    for text in ["\u{ffff}", "\u{fffe}", "\u{0}"] {
        let audited = found(&[delete_guardrail(1, &json!({"userAgent": text.repeat(15_000)}))]);
        for (limit, form) in [(255 * 1024, Form::Full), (32 * 1024, Form::Full), (255 * 1024, Form::Minimal)] {
            let json = only(&audited).to_ocsf(limit, form);
            assert!(json.len() <= limit, "{text:?}: {} bytes for {limit}", json.len());
        }
    }
}

/// A fuzzer put a session into the year 1013, which no subscriber's database can hold.
#[test]
fn a_time_in_which_there_was_no_aws_is_no_time() {
    for date in ["1013-11-22T08:41:12Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+00:00", "tomorrow"] {
        let session = json!({"sessionContext": {"attributes": {"creationDate": date}}});
        let audited = found(&[delete_guardrail(1, &json!({"userIdentity": session, "eventTime": date}))]);
        assert_eq!(SCHEMA.violations(&only(&audited).ocsf()), Vec::<String>::new(), "{date}");
    }
}

/// A keyword is looked for in every value, and no nesting hides one.
#[test]
fn nesting_hides_nothing_from_a_keyword() {
    let rules = detection::rules::RuleSet::load_only([detection::rules::RuleFile {
        path: "mine.yml".to_owned(),
        text: "title: T\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    keywords:\n        - mallory\n    condition: keywords\nlevel: high\n".to_owned(),
        origin: detection::rules::Origin::Outside,
    }]);
    let record = delete_guardrail(1, &json!({})).to_string();
    let deep = format!(r#""requestParameters":{{"x":{}1{},"#, "[".repeat(200), "]".repeat(200));
    let text = format!(r#"{{"Records":[{}]}}"#, record.replacen(r#""requestParameters":{"#, &deep, 1));
    let audited = crate::samples::audit_with(&rules.rule_set, text.as_bytes(), &key("log"));
    assert_eq!(only(&audited).title(), "T (success)");
}

#[test]
fn an_event_that_is_delivered_twice_counts_once() {
    let record = delete_guardrail(1, &json!({}));
    let audited = found(&[record.clone(), record]);
    let matched = only(&audited).matched().unwrap();
    assert_eq!((matched.count, matched.event_ids_total, audited.records.matched), (1, 1, 2));
}

/// Records are kept only as long as they could fit into a message together.
#[test]
fn records_are_kept_as_far_as_a_message_could_carry_them() {
    for (bytes, kept) in [(10, 5), (100_000, 2), (200_000, 1)] {
        let records: Vec<Value> = (0..5).map(|n| delete_guardrail(n, &json!({"x": "x".repeat(bytes)}))).collect();
        let audited = found(&records);
        assert_eq!(only(&audited).matched().unwrap().records.len(), kept, "{bytes} bytes each");
    }
    // Of those that are kept, the first is the last to be left out.
    let records: Vec<Value> = (0..5).map(|n| delete_guardrail(n, &json!({"x": "x".repeat(10_000)}))).collect();
    let json = only(&found(&records)).to_ocsf(40_000, Form::Full);
    let value: Value = serde_json::from_str(&json).unwrap();
    let whole: Vec<bool> =
        value["evidences"].as_array().unwrap().iter().map(|evidence| evidence["data"].is_object()).collect();
    assert_eq!((whole[0], whole[4]), (true, false), "{whole:?}");
}

/// The mark that something was left out must not be what makes a message too large.
#[test]
fn every_limit_is_kept_to_the_byte() {
    let records: Vec<Value> =
        (0..1_000).map(|n| delete_guardrail(n, &json!({"x": "x".repeat(if n == 0 { 262_000 } else { 0 })}))).collect();
    let audited = found(&records);
    let finding = only(&audited);
    let without_records = finding.to_ocsf(200_000, Form::Full).len();
    for limit in without_records - 40..=without_records + 5 {
        assert!(finding.to_ocsf(limit, Form::Full).len() <= limit, "{limit}");
    }
}

#[test]
fn a_record_that_is_too_large_is_counted_and_told() {
    let large = json!({"x": "x".repeat(detection::delivered_log::MAX_RECORD_BYTES)});
    let audited = found(&[large, delete_guardrail(1, &json!({}))]);
    let counts = &audited.records;
    assert_eq!((counts.total, counts.matched, counts.unmatched, counts.unreadable), (2, 1, 0, 1));
    assert_eq!(audited.findings.len(), 2);
}

#[test]
fn only_what_somebody_should_look_at_is_an_alert() {
    let ocsf = only(&found(&[delete_guardrail(1, &json!({"errorCode": "AccessDenied"}))])).ocsf();
    assert_eq!((&ocsf["severity"], &ocsf["is_alert"]), (&json!("Medium"), &json!(true)));
    let low = "title: T\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        eventName: DeleteGuardrail\n    condition: selection\nlevel: low\n";
    let rules = detection::rules::RuleSet::load_only([detection::rules::RuleFile {
        path: "mine.yml".to_owned(),
        text: low.to_owned(),
        origin: detection::rules::Origin::Outside,
    }]);
    let document = document(&[delete_guardrail(1, &json!({}))]);
    let ocsf = only(&crate::samples::audit_with(&rules.rule_set, &document, &key("log"))).ocsf();
    assert_eq!((&ocsf["severity"], &ocsf["is_alert"]), (&json!("Low"), &json!(false)));
}

/// Subscriptions are filtered by these: each holds what its name says.
#[test]
fn attributes_say_what_the_finding_says() {
    let audited = found(&[delete_guardrail(1, &json!({"errorCode": "AccessDenied"}))]);
    let finding = only(&audited);
    let attributes = finding.attributes();
    let given: Vec<(&str, &str, &str)> =
        attributes.iter().map(|attribute| (attribute.name, attribute.data_type, attribute.value.as_str())).collect();
    assert_eq!(
        given,
        [
            ("severity", "String", "Medium"),
            ("severity_id", "Number", "3"),
            ("rule_id", "String", finding.about.id.as_str()),
            ("family", "String", "guardrails"),
            ("outcome", "String", "denied"),
            ("account", "String", "111122223333"),
            ("region", "String", "eu-central-1"),
            ("event_source", "String", "bedrock.amazonaws.com"),
            ("event_name", "String", "DeleteGuardrail"),
            ("correlation_uid", "String", finding.correlation_id.as_str()),
        ]
    );
}

#[test]
fn attributes_are_ten_and_never_empty() {
    for finding in all_findings() {
        let attributes = finding.attributes();
        let names: Vec<&str> = attributes.iter().map(|attribute| attribute.name).collect();
        assert_eq!(
            names,
            [
                "severity",
                "severity_id",
                "rule_id",
                "family",
                "outcome",
                "account",
                "region",
                "event_source",
                "event_name",
                "correlation_uid"
            ]
        );
        for attribute in &attributes {
            assert!(!attribute.value.is_empty() && attribute.value.len() <= 256, "{attribute:?}");
            assert!(attribute.value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{attribute:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in the fields of a record: the finding is valid, fits, and forges no line.
    #[test]
    fn hostile_fields_forge_nothing(texts in proptest::collection::vec("(?s).{0,40}|[\\x00-\\x1f\\x7f-\\x9f\u{202a}-\u{202e}\u{2066}-\u{2069}<>`*&]{0,40}", 9), long in 0..400_000_usize) {
        let [agent, address, id, arn, name, message, region, account, error] = texts.as_slice() else { unreachable!() };
        let record = delete_guardrail(1, &json!({
            "userAgent": format!("{agent}{}", "u".repeat(long)), "sourceIPAddress": address, "eventID": format!("{id}{}", "i".repeat(long / 7)),
            "userIdentity": {"arn": arn, "userName": name}, "errorMessage": message, "awsRegion": region,
            "recipientAccountId": account, "errorCode": error, "requestParameters": {"guardrailIdentifier": format!("{name}{message}"), agent.as_str(): address, "x": [arn, message]}
        }));
        let audited = found(&[record]);
        let finding = only(&audited);
        let json = finding.to_ocsf(255 * 1024, Form::Full);
        prop_assert!(json.len() <= 255 * 1024);
        let violations = SCHEMA.violations(&serde_json::from_str(&json).unwrap());
        prop_assert_eq!(violations, Vec::<String>::new());
        let alert = Alert::of(&[finding], 0).unwrap();
        prop_assert!(alert.subject.len() < 100 && alert.subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let harmless = |c: char| c == '\n' || !(c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
        prop_assert!(alert.body.chars().all(harmless));
        prop_assert!(finding.summary().chars().all(|c| c != '\n' && harmless(c)));
        // Every line is one of ours: it begins with one of the names or with the blanks below it.
        let names = ["Finding", "Why it matters",
            "What happened", "Who", "From", "With", "Where", "When", "How sure", "What to do", "Raw record", "Reproduce", "Ids",
            "Asked for", "May be harmless", "Read more", "               "];
        prop_assert!(alert.body.lines().all(|line| line.is_empty() || names.iter().any(|name| line.starts_with(name))));
        for attribute in finding.attributes() {
            prop_assert!(attribute.value.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
}
