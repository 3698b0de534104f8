//! Records that are found: what leaves is valid OCSF and harmless text, within its limits, and the same when it comes again.

use std::sync::LazyLock;

use detection::{
    audit::{Audit, Audited},
    delivered_log::Encoding,
    finding::{Alert, ChatNotice, Finding, Form, Log},
};
use serde_json::{Map, Value, json};

use crate::{ocsf_schema::OcsfSchema, record_evaluation::RULES};

static SCHEMA: LazyLock<OcsfSchema> = LazyLock::new(OcsfSchema::load);
/// What SNS takes, less what the detector leaves free.
const LIMIT: usize = 255 * 1024;

/// The bytes are members that are put into a record that is found: all of it but what makes it match is the fuzzer's.
pub fn check(bytes: &[u8]) {
    for finding in findings(bytes, "a-log.json.gz") {
        whole(&finding);
    }
    let ids = |key: &str| findings(bytes, key).into_iter().filter(|finding| finding.matched().is_some());
    let (here, there): (Vec<_>, Vec<_>) = (ids("a.json.gz").collect(), ids("b.json.gz").collect());
    let id = |finding: &Finding| (finding.id.clone(), finding.correlation_id.clone());
    assert_eq!(here.iter().map(id).collect::<Vec<_>>(), there.iter().map(id).collect::<Vec<_>>(), "ids are of records");
}

/// What is found in records with these members.
pub fn findings(bytes: &[u8], key: &str) -> Vec<Finding> {
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(bytes) else { return Vec::new() };
    let mut records = Vec::new();
    for (source, name) in [("bedrock.amazonaws.com", "DeleteGuardrail"), ("iam.amazonaws.com", "AttachUserPolicy")] {
        let mut record: Map<String, Value> = members.clone();
        record.insert("eventSource".to_owned(), json!(source));
        record.insert("eventName".to_owned(), json!(name));
        records.push(Value::Object(record));
    }
    records.push(Value::Object(members));
    audit(&json!({"Records": records}).to_string(), key).findings
}

fn audit(document: &str, key: &str) -> Audited {
    let log = Log { bucket: Some("logs".to_owned()), key: key.to_owned(), read_at_ms: 1_795_340_000_000 };
    let mut audit = Audit::new(&RULES, log, Encoding::Plain, 64 << 20);
    audit.push(document.as_bytes());
    audit.finish()
}

/// Whether it can be sent in every form, and read by a person.
pub fn whole(finding: &Finding) {
    for form in [Form::Full, Form::Minimal] {
        for limit in [LIMIT, 16 * 1024] {
            let message = finding.to_ocsf(limit, form);
            assert!(message.len() <= limit, "{} bytes, {limit} allowed", message.len());
            let message: Value = serde_json::from_str(&message).unwrap();
            assert_eq!(SCHEMA.violations(&message), Vec::<String>::new());
            assert_eq!(message["finding_info"]["uid"], json!(finding.id));
        }
    }
    let attributes = finding.attributes();
    for attribute in &attributes {
        let printable = attribute.value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        assert!(printable && !attribute.value.is_empty(), "{attribute:?}");
    }
    let alert = Alert::of(&[finding], 0).unwrap();
    let printable = alert.subject.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    assert!(printable && (1..100).contains(&alert.subject.len()), "{:?}", alert.subject);
    harmless(&alert.body);
    let chat = ChatNotice::of(&[finding], 0).unwrap();
    let chat: Value = serde_json::from_str(&chat.json).unwrap();
    harmless(&chat["content"]["description"].to_string());
}

fn harmless(text: &str) {
    let acts = |c: &char| (c.is_control() && *c != '\n') || matches!(*c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert_eq!(text.chars().find(acts), None, "{text:?}");
}
