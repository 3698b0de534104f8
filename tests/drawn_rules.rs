//! Rules drawn by lot, very many of them about the same calls, are asked about records drawn by lot: those that are looked at
//! together answer as each of them does alone.

use std::io::Write as _;

use bedrock_audit_tests::{dice::Dice, hostile::Hostile, plainly};
use detection::{
    delivered_log::Encoding,
    rules::{Origin, RuleFile, RuleSet},
};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

/// Rule sets, rules of each, and records that these are asked about.
const SETS: u64 = 4;
const RULES: usize = 180;
const RECORDS: usize = 80;

/// Longer than what is looked for of a text.
const LONG: &str =
    "arn:aws:bedrock:eu-central-1:111122223333:application-inference-profile/a-name-of-more-than-sixty-four-bytes-v1:0";

/// What rules read and records hold. Several of them can be hidden, and `DeleteGuardrail` has to be given the guardrail.
const FIELDS: [(&str, &[&str]); 14] = [
    ("userIdentity.type", &["Root", "IAMUser", "AssumedRole"]),
    ("userIdentity.userName", &["jane.doe", "BedrockAPIKey-abcd", "BedrockAPI\u{212a}ey-x", "\u{c4}RGER", ""]),
    ("userIdentity.arn", &["arn:aws:iam::111122223333:user/jane.doe", "arn:aws:iam::444455556666:role/Deploy"]),
    ("userAgent", &["aws-cli/2.32.3 md/awscrt#0.29", "Boto3/1.44.5", "curl/8", "jane.doe"]),
    ("sourceIPAddress", &["203.0.113.7", "198.51.100.20", "bedrock.amazonaws.com", "2001:db8::1"]),
    ("errorCode", &["AccessDenied", "ValidationException"]),
    ("requestParameters.guardrailIdentifier", &["gr-1", "GR-2", LONG]),
    ("requestParameters.modelId", &["eu.amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0", LONG, "true"]),
    ("requestParameters.tags.key", &["team", "Owner", "cost center"]),
    ("requestParameters.count", &["3", "4", "70"]),
    ("requestParameters.flag", &["true", "false"]),
    ("derived.outcome", &["success", "denied", "failed"]),
    ("derived.actor", &["jane.doe", "arn:aws:iam::444455556666:role/Deploy"]),
    ("derived.model", &["amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0"]),
];

const CALLS: [(&str, &str); 3] = [
    ("bedrock.amazonaws.com", "DeleteGuardrail"),
    ("bedrock.amazonaws.com", "InvokeModel"),
    ("s3.amazonaws.com", "ListBuckets"),
];

const CONDITIONS: [&str; 16] = [
    "call and s1",
    "call and s1 and s2",
    "call and s1 and not s2",
    "call and not s1",
    "call and not s1 and not s2 and s3",
    "call and (s1 or s2)",
    "call and not (s1 and s2)",
    "call and not (s1 or s2)",
    "call and 1 of s*",
    "call and 2 of s*",
    "call and all of s*",
    "call and not 1 of s*",
    "(call and s1) or (s2 and call and s3)",
    "2 of them",
    "not not call and s1",
    "call and s1\n    - call and not s2",
];

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Another case, here and there.
fn recased(dice: &mut Dice<'_>, text: &str) -> String {
    match dice.below(4) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        _ => text.to_owned(),
    }
}

fn piece(dice: &mut Dice<'_>, text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let from = dice.below(chars.len().max(1));
    chars.iter().skip(from).take(1 + dice.below(70)).collect()
}

/// A list of values, as they are or changed. Now and then more than are looked for one by one, or at all.
fn several(dice: &mut Dice<'_>, values: &[&str], change: fn(&mut Dice<'_>, &str) -> String) -> String {
    let count = dice.of(&[1, 1, 1, 2, 3, 12, 70]);
    let drawn = (0..count).map(|number| {
        let value = dice.of(values);
        let value = change(dice, value);
        quoted(&if number < 3 { recased(dice, &value) } else { format!("{value}{number}") })
    });
    format!("[{}]", drawn.collect::<Vec<_>>().join(", "))
}

/// One line of a selection.
fn line(dice: &mut Dice<'_>) -> String {
    let (field, values) = FIELDS[dice.below(FIELDS.len())];
    let kind = dice.below(19);
    let mut several = |change| several(dice, values, change);
    let as_it_is = |_: &mut Dice<'_>, value: &str| value.to_owned();
    let (modifiers, value) = match (kind, field) {
        (0 | 1, "requestParameters.count") => ("", "[3, 70.0]".to_owned()),
        (0 | 1, "requestParameters.flag") => ("", "true".to_owned()),
        (0, _) => ("", several(|dice, value| format!("{}*", piece(dice, value)))),
        (1..=3, _) => ("", several(as_it_is)),
        (4, _) => ("|contains", several(piece)),
        (5, _) => ("|startswith", several(|_, value| value.chars().take(5).collect())),
        (6, _) => ("|endswith", several(|_, value| value.chars().skip(3).collect())),
        (7, _) => ("|cased", several(as_it_is)),
        (8, _) => ("|contains|cased", several(piece)),
        (9, _) => ("|exists", "true".to_owned()),
        (10, _) => ("|exists", "false".to_owned()),
        (11, _) => ("", "null".to_owned()),
        (12, _) => ("", several(as_it_is).replace(']', ", null]")),
        (13, _) => ("|re", "'(?i)[aj].*[e3]'".to_owned()),
        (14, _) => ("|cidr", "[203.0.113.0/24, '2001:db8::/32']".to_owned()),
        (15, _) => ("|gte", "4".to_owned()),
        (16, _) => ("|neq", several(as_it_is)),
        (17, _) => ("|fieldref", "userIdentity.userName".to_owned()),
        _ => ("|fieldref", "requestParameters.modelId".to_owned()),
    };
    format!("{field}{modifiers}: {value}")
}

fn selection(dice: &mut Dice<'_>) -> String {
    let mut used: Vec<String> = Vec::new();
    for _ in 0..1 + dice.below(3) {
        let line = line(dice);
        let key = line.split(':').next().unwrap_or_default().to_owned();
        // A member of YAML stands there once.
        if !used.iter().any(|line| line.split(':').next() == Some(&key)) {
            used.push(line);
        }
    }
    let any = dice.one_in(4);
    used.iter().map(|line| if any { format!("      - {line}\n") } else { format!("      {line}\n") }).collect()
}

fn rule(dice: &mut Dice<'_>, number: usize) -> RuleFile {
    let (source, name) = CALLS[dice.below(CALLS.len())];
    let call = match dice.below(8) {
        0 => format!("      eventName: [{name}, DeleteAgent]\n"),
        1 => format!("      eventSource|cased: {source}\n"),
        2 => format!("      eventSource: {source}\n      eventName|cased: {name}\n"),
        _ => format!("      eventSource: {source}\n      eventName: {}\n", name.to_lowercase()),
    };
    let selections: String = (1..=3).map(|number| format!("    s{number}:\n{}", selection(dice))).collect();
    let condition = dice.of(&CONDITIONS);
    let condition = if condition.contains('\n') { format!("\n    - {condition}") } else { format!(" {condition}") };
    let hidden = if dice.one_in(5) { "when_hidden: alert\n" } else { "" };
    let text = format!(
        "title: Rule {number}\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d{number:04}\nlogsource:\n  product: aws\n  service: cloudtrail\n\
         detection:\n    call:\n{call}{selections}    condition:{condition}\n{hidden}level: high\n"
    );
    RuleFile { path: format!("{number}.yml"), text, origin: Origin::Outside }
}

fn value(dice: &mut Dice<'_>, field: &str, values: &[&str]) -> Value {
    let text = |dice: &mut Dice<'_>| {
        let drawn = dice.of(values);
        Value::String(recased(dice, drawn))
    };
    match (dice.below(12), field) {
        (0, _) => Value::Null,
        (1, _) => json!([text(dice), text(dice), null]),
        (2, _) => json!({"omitted": true}),
        (3, _) => json!([]),
        (4, _) => json!(dice.of(&["HIDDEN_DUE_TO_SECURITY_REASONS", "***"])),
        (5, _) => json!([text(dice), "***"]),
        (6..=9, "requestParameters.count") => json!(dice.of(&[3.0, 70.0, 4.5])),
        (6..=8, "requestParameters.flag") => json!(dice.one_in(2)),
        (6..=7, "requestParameters.tags.key") => json!({"x": text(dice)}),
        _ => text(dice),
    }
}

fn record(dice: &mut Dice<'_>, number: usize) -> Value {
    let (source, name) = CALLS[dice.below(CALLS.len())];
    let mut record = json!({"eventSource": source, "eventName": name, "eventID": number.to_string()});
    for (field, values) in FIELDS {
        if field.starts_with("derived.") || dice.one_in(3) {
            continue;
        }
        let value = value(dice, field, values);
        let mut at = &mut record;
        for name in field.split('.') {
            // What is hidden, or a list, has no members.
            if !at.is_object() && !at.is_null() {
                break;
            }
            at = &mut at[name];
        }
        if at.is_null() {
            *at = value;
        }
    }
    if dice.one_in(15) {
        record["requestParameters"] = dice.of(&[r#"{"omitted":true}"#, "null", r#""***""#]).parse().unwrap();
    }
    record
}

fn log(records: &[Value]) -> Hostile {
    let records: Vec<Vec<u8>> = records.iter().map(|record| record.to_string().into_bytes()).collect();
    let document = [b"{\"Records\":[".as_slice(), &records.join(&b','), b"]}"].concat();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&document).unwrap();
    Hostile { piece: document.len(), packed: packed.finish().unwrap(), records, document, malformed: false }
}

#[test]
fn rules_that_are_looked_at_together_answer_as_each_does_alone() {
    let (mut matched, mut undecided) = (0, 0);
    for seed in 0..SETS {
        let mut dice = Dice::of_seed(seed);
        let files: Vec<RuleFile> = (0..RULES).map(|number| rule(&mut dice, number)).collect();
        let loaded = RuleSet::load_only(files.clone());
        assert_eq!(loaded.refused, [], "seed {seed}");
        let records: Vec<Value> = (0..RECORDS).map(|number| record(&mut dice, number)).collect();
        for record in &records {
            let log = log(std::slice::from_ref(record));
            if let Some(difference) = plainly::difference(&loaded.rule_set, &log) {
                panic!("seed {seed}: {difference}\n{record}");
            }
            let audited = plainly::audit_fast(&loaded.rule_set, &log.document, Encoding::Plain, log.piece);
            matched += audited.findings.len();
            undecided += audited.undecided.values().sum::<u64>();
        }
    }
    // Rules that never match, or always do, would prove nothing.
    let asked = SETS * RECORDS as u64 * RULES as u64 / 3;
    assert!(matched as u64 > asked / 20 && (matched as u64) < asked / 2, "{matched} of {asked} match");
    assert!(undecided > asked / 50, "{undecided} of {asked} are undecided");
}
