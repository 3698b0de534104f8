//! Any bytes as a record: judged in a log as it is judged plainly, and looking rules up loses none that matches.

use std::sync::LazyLock;

use bedrock_audit_tests::{hostile::Hostile, plainly};
use detection::rules::{Origin, RuleFile, RuleSet};

/// The built-in rules, with a few that are looked up in other ways.
pub static RULES: LazyLock<RuleSet> = LazyLock::new(|| {
    let more = [
        "eventSource|cased: bedrock.amazonaws.com\n        userIdentity.type: Root",
        "userIdentity.userName|startswith: BedrockAPIKey-",
        "userAgent|re: '(?i)curl|python'\n        sourceIPAddress|cidr: [203.0.113.0/24, '2001:db8::/32']",
        "requestParameters.modelId|contains|all: [a, b]\n        errorCode: null",
        "eventTime|hour|gte: 5\n        userIdentity.accountId|fieldref|neq: recipientAccountId",
        "additionalEventData.x|exists: true",
        "requestParameters.userData|base64offset|contains: 'hello there'",
    ];
    let files = more.iter().enumerate().map(|(number, lines)| RuleFile {
        path: format!("{number}.yml"),
        text: format!(
            "title: Rule {number}\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d{number:04}\nlogsource:\n    product: aws\n    \
             service: cloudtrail\ndetection:\n    s:\n        {lines}\n    condition: s\nlevel: high\n"
        ),
        origin: Origin::Outside,
    });
    let loaded = RuleSet::load(files);
    assert_eq!(loaded.refused, []);
    loaded.rule_set
});

/// A record as CloudTrail writes it.
const ANOTHER: &str = r#"{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/a/b","sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::111122223333:role/a"},"attributes":{"mfaAuthenticated":"false"}}},"eventTime":"2026-11-22T09:10:27Z","eventSource":"bedrock.amazonaws.com","eventName":"DeleteGuardrail","awsRegion":"eu-central-1","sourceIPAddress":"198.51.100.7","userAgent":"aws-cli","requestParameters":{"guardrailIdentifier":"gr4example7k2"},"responseElements":null,"eventID":"50f93e8a-63c2-80ef-576f-b8bd466ab262","readOnly":false,"managementEvent":true,"recipientAccountId":"111122223333"}"#;

/// The bytes are a record, if they are one JSON value.
pub fn check(bytes: &[u8]) {
    if RULES.read(bytes).is_ok() {
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes).expect("what is read is JSON");
    }
    let Ok(record) = std::str::from_utf8(bytes) else { return };
    // Without blanks around it: what a log's reader hands over has none.
    let record = record.trim_matches([' ', '\t', '\r', '\n']);
    let Ok(value) = serde_json::from_str::<&serde_json::value::RawValue>(record) else { return };
    let record = value.get();
    // After another one, and after itself: what is known by then of passages that both have.
    let records = [ANOTHER, record, record];
    let document = format!("{{\"Records\":[{}]}}", records.join(",")).into_bytes();
    let log = Hostile {
        records: records.map(|record| record.as_bytes().to_vec()).to_vec(),
        packed: crate::delivered_log::packed(&document),
        document,
        piece: record.len() / 2,
        malformed: false,
    };
    if let Some(difference) = plainly::difference(&RULES, &log) {
        panic!("{difference}");
    }
    index_is_sound(record);
}

/// Both names, once each.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Names {
    event_source: String,
    event_name: String,
}

fn index_is_sound(record: &str) {
    // With one of the two there twice, it is not judged at all.
    let Ok(Names { event_source: source, event_name: name }) = serde_json::from_str(record) else { return };
    let candidates = RULES.candidates(&source, &name);
    let Ok(mut question) = RULES.read(record.as_bytes()) else { return };
    for (position, rule) in RULES.rules().iter().enumerate() {
        let verdict = question.ask(position);
        let asked = candidates.contains(&position) || rule.waits_for.is_some();
        assert!(asked || !(verdict.matches || verdict.undecided), "{} is not looked up for {source} {name}", rule.path);
    }
}
