//! Every file in `events/notifications` wakes the detector with exactly the objects that its name promises.

use std::{collections::BTreeMap, fs};

use detector::notification::{Happened, Wake, decode};

use crate::samples::files;

const FIRST: &str = "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/22/111122223333_CloudTrail_eu-central-1_20261122T0915Z_k3Jd8sLq0ZpX7vBn.json.gz";
const SECOND: &str = "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/22/111122223333_CloudTrail_eu-central-1_20261122T0920Z_T9wQe4Rm2YhU6cVa.json.gz";

fn all() -> BTreeMap<String, Wake> {
    files("events/notifications", ".json")
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            (name, decode(serde_json::from_str(&text).unwrap()))
        })
        .collect()
}

#[test]
fn every_shape_is_understood() {
    let mut wakes = all();
    // (file, from a queue, keys, what happened, test events, errors), notices taken together.
    let created = || Happened::Created;
    for (name, from_queue, keys, happened, test_events, errors) in [
        ("s3-put", false, vec![FIRST], created(), 0, 0),
        ("s3-put-minimal", false, vec![FIRST], created(), 0, 0),
        ("s3-put-versioned", false, vec![FIRST], created(), 0, 0),
        ("s3-two-logs", false, vec![FIRST, SECOND], created(), 0, 0),
        ("s3-removed", false, vec![FIRST], Happened::Removed, 0, 0),
        ("sns-s3-put", false, vec![FIRST], created(), 0, 0),
        ("sqs-s3-put", true, vec![FIRST], created(), 0, 0),
        ("sqs-sns-s3-put", true, vec![FIRST], created(), 0, 0),
        ("sqs-sns-raw-s3-put", true, vec![FIRST], created(), 0, 0),
        ("eventbridge-object-created", false, vec![FIRST], created(), 0, 0),
        ("eventbridge-object-deleted", false, vec![FIRST], Happened::Removed, 0, 0),
        ("sqs-eventbridge-object-created", true, vec![FIRST], created(), 0, 0),
        ("sns-cloudtrail-notice", false, vec![FIRST], created(), 0, 0),
        ("sqs-sns-cloudtrail-notice", true, vec![FIRST, SECOND], created(), 0, 0),
        ("s3-test-event", false, vec![], created(), 1, 0),
        ("sqs-s3-test-event", true, vec![], created(), 1, 0),
        ("sqs-sns-s3-test-event", true, vec![], created(), 1, 0),
        ("sqs-on-failure-record", true, vec![FIRST], created(), 0, 0),
        ("sqs-batch-mixed", true, vec![FIRST, SECOND], created(), 0, 1),
        ("unknown-shape", false, vec![], created(), 0, 1),
    ] {
        let wake = wakes.remove(name).unwrap_or_else(|| panic!("no {name}.json"));
        let objects: Vec<_> = wake.notices.iter().flat_map(|notice| &notice.objects).collect();
        let found: Vec<&str> = objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(found, keys, "{name}");
        assert!(objects.iter().all(|object| object.bucket == "bedrock-audit-example-logs"), "{name}");
        assert!(objects.iter().all(|object| object.happened == happened), "{name}");
        assert_eq!(wake.from_queue, from_queue, "{name}");
        assert_eq!(wake.notices.iter().map(|notice| notice.test_events).sum::<u64>(), test_events, "{name}");
        assert_eq!(wake.notices.iter().map(|notice| notice.errors.len()).sum::<usize>(), errors, "{name}");
        assert!(!from_queue || wake.notices.iter().all(|notice| notice.message_id.is_some()), "{name}");
    }
    let encoded = wakes.remove("s3-put-encoded-key").unwrap();
    assert!(encoded.notices[0].objects[0].key.starts_with("équipe sécurité/r+d 100%/AWSLogs/111122223333/CloudTrail/"));
    let others = wakes.remove("digest-and-insight").unwrap();
    assert!(others.notices[0].objects.iter().all(|object| !object.key.contains("/CloudTrail/")));
    assert_eq!(others.notices[0].objects.len(), 2);
    assert_eq!(wakes.keys().collect::<Vec<_>>(), Vec::<&String>::new(), "files that no test knows");
}

#[test]
fn a_named_version_is_kept() {
    let wakes = all();
    let version = |name: &str| wakes[name].notices[0].objects[0].version.clone();
    assert!(version("s3-put-versioned").is_some());
    assert_eq!(version("s3-put"), None);
}

#[test]
fn an_unknown_shape_says_what_was_expected_and_nothing_of_the_content() {
    let wakes = all();
    let said = wakes["unknown-shape"].notices[0].errors[0].to_string();
    for expected in ["S3 notification", "EventBridge", "CloudTrail", "SNS", "SQS", "on-failure"] {
        assert!(said.contains(expected), "{said}");
    }
    assert!(!said.contains("Scheduled"), "{said}");
}
