//! Records, logs and places to test with. Nothing here knows what it will be used for.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use detection::{
    audit::{Audit, Audited},
    delivered_log::Encoding,
    finding::Log,
    rules::RuleSet,
};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

/// The rules that are built in.
pub(crate) static BUILTIN: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::load([]).rule_set);

pub(crate) const BUCKET: &str = "bedrock-audit-example-logs";
pub(crate) const NOW_MS: i64 = 1_795_340_000_000;
pub(crate) const LIMIT: u64 = 256 << 20;

/// The key of a delivered log.
pub(crate) fn key(name: &str) -> String {
    format!("AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/22/{name}.json.gz")
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)
}

/// Files with this ending directly in a folder of the repository, sorted.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(repository(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no {ending} in {folder}");
    files
}

/// A DeleteGuardrail by an assumed role; `change` is merged into it, `null` removes.
pub(crate) fn delete_guardrail(n: u32, change: &Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:mallory",
            "arn": "arn:aws:sts::111122223333:assumed-role/DataScience/mallory",
            "accountId": "111122223333",
            "accessKeyId": "ASIAEXAMPLEMALLORY01",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/DataScience", "userName": "DataScience"},
                "attributes": {"creationDate": "2026-11-22T08:41:12Z", "mfaAuthenticated": "false"}
            }
        },
        "eventTime": format!("2026-11-22T09:{:02}:00Z", n % 60),
        "eventSource": "bedrock.amazonaws.com",
        "eventName": "DeleteGuardrail",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "203.0.113.24",
        "userAgent": "aws-cli/2.32.3",
        "requestParameters": {"guardrailIdentifier": "gr4example7k2"},
        "responseElements": null,
        "requestID": "3ceaaf30-8142-48ea-91d9-3080f9b439fc",
        "eventID": format!("9dfb369b-ab13-4fae-a276-{n:012}"),
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management"
    });
    json_patch::merge(&mut record, change);
    record
}

/// A call that no rule asks for.
pub(crate) fn ordinary(n: u32) -> Value {
    delete_guardrail(n, &json!({"eventSource": "s3.amazonaws.com", "eventName": "ListBuckets", "readOnly": true}))
}

pub(crate) fn document(records: &[Value]) -> Vec<u8> {
    json!({ "Records": records }).to_string().into_bytes()
}

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A delivered log, as CloudTrail writes it.
pub(crate) fn log(records: &[Value]) -> Vec<u8> {
    gzip(&document(records))
}

/// Audits plain JSON with the built-in rules.
pub(crate) fn audit(document: &[u8], key: &str) -> Audited {
    audit_with(&BUILTIN, document, key)
}

pub(crate) fn audit_with(rules: &RuleSet, document: &[u8], key: &str) -> Audited {
    let log = Log { bucket: Some(BUCKET.to_owned()), key: key.to_owned(), read_at_ms: NOW_MS };
    let mut audit = Audit::new(rules, log, Encoding::Plain, LIMIT);
    audit.push(document);
    let audited = audit.finish();
    crate::balance::assert_records_hold(&audited);
    audited
}
