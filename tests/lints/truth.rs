//! Conditions that can never be true, or never false.

use detection::rules::{RuleSet, lint::Severity};
use proptest::{
    collection::vec,
    prelude::{ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest},
    sample::{select, subsequence},
};
use serde_json::json;

use super::{check, file, rule, says};

use Severity::{Error, Note, Warning};

#[test]
fn a_condition_that_can_never_be_true_is_found() {
    for (detection, line, column, words) in [
        ("a:\n  eventName: A\nb:\n  eventName: B\ncondition: a and b", 11, 14, "no value of `eventName` satisfies it"),
        (
            "a:\n  eventName: A\n  userAgent|contains: x\ncondition: a and not a",
            10,
            14,
            "the condition can never be true",
        ),
        ("a:\n  eventName: A\nfilter:\n  eventName: [A, B]\ncondition: a and not filter", 11, 14, "`eventName`"),
        ("a_1:\n  eventName: A\na_2:\n  eventName: B\ncondition: all of a_*", 11, 14, "`eventName`"),
        ("a_1:\n  eventName: A\na_2:\n  eventName: B\ncondition: 2 of them", 11, 14, "`eventName`"),
        ("a:\n  eventName: A\nb:\n  eventName|startswith: B\ncondition: a and b", 11, 14, "`eventName`"),
        ("a:\n  eventName: A\n  errorCode: null\nb:\n  errorCode: x\ncondition: a and b", 12, 14, "`errorCode`"),
        (
            "a:\n  eventName: A\nb:\n  requestParameters.x: [Y, Z]\nc:\n  requestParameters.x: Y\ncondition: a and c and not b",
            13,
            14,
            "never",
        ),
        (
            "a:\n  eventName|all: [A, B]\n  userAgent: x\ncondition: a",
            7,
            3,
            "`a` can never hold: no value of `eventName`",
        ),
        (
            "a:\n  eventName: A\n  eventName|endswith: B\nb:\n  eventName: C\ncondition: a or b",
            7,
            3,
            "`a` can never hold",
        ),
    ] {
        says(&rule(detection), Error, line, column, &[words]);
    }
    let always = rule("a:\n  eventName: A\ncondition: a or not a");
    says(&always, Warning, 9, 14, &["matches every record"]);
    // Two lines about a list may mean two of its members, case may differ, and what is only partly said stays open.
    for detection in [
        "a:\n  eventName: A\n  requestParameters.x: Y\nb:\n  requestParameters.x: Z\ncondition: a and b",
        "a:\n  eventName: Ab\nb:\n  eventName|cased: aB\ncondition: a and b",
        "a:\n  eventName: Ab\nb:\n  eventName|cased: Ab\ncondition: a and not b",
        "a:\n  eventName|startswith: A\nb:\n  eventName|endswith: B\ncondition: a and b",
        "a:\n  eventName: A\nb:\n  eventName: A\n  userAgent: x\ncondition: a and not b",
        "a:\n  eventName: A\n  readOnly: true\nb:\n  readOnly: 'TRUE'\ncondition: a and b",
        "a:\n  eventName: A\n  errorCode|exists: true\nb:\n  errorCode: null\ncondition: a and b",
    ] {
        let mut found = check(&rule(detection));
        found.retain(|problem| problem.severity > Note);
        assert_eq!(found, [], "{detection}");
    }
}

/// However a condition is written, nobody waits for it, and what is not found out is not claimed.
#[test]
fn a_condition_that_is_too_hard_is_left_alone() {
    let mut detection = String::new();
    for n in 0..24 {
        detection.push_str(&format!("a{n}:\n  userAgent|contains: a{n}\nb{n}:\n  userAgent|contains: b{n}\n"));
    }
    let pairs: Vec<String> = (0..24).map(|n| format!("((a{n} and not b{n}) or (b{n} and not a{n}))")).collect();
    let same: Vec<String> = (0..24).map(|n| format!("((a{n} and b{n}) or (not b{n} and not a{n}))")).collect();
    let text = rule(&format!(
        "{detection}name:\n  eventName: A\ncondition: name and ({}) and ({})",
        pairs.join(" or "),
        same.join(" and ")
    ));
    assert_eq!(check(&text), []);
}

/// A line of a selection about one of a few fields, with values that can meet.
fn line() -> impl Strategy<Value = String> {
    let fields = ["eventName", "errorCode", "userIdentity.type", "requestParameters.x"];
    let modifiers = ["", "|contains", "|startswith", "|endswith", "|cased", "|neq", "|re", "|exists"];
    let values = ["Ab", "aB", "b", "A*", "null", "''"];
    (select(fields.to_vec()), select(modifiers.to_vec()), subsequence(values.to_vec(), 1..3), any::<bool>()).prop_map(
        |(field, modifier, values, yes)| match modifier {
            "|exists" => format!("{field}|exists: {yes}"),
            // What is no text, or no regular expression, is refused.
            "|contains" | "|startswith" | "|endswith" | "|re" => format!("{field}{modifier}: b"),
            _ => format!("{field}{modifier}: [{}]", values.join(", ")),
        },
    )
}

fn condition() -> impl Strategy<Value = String> {
    let name = select(vec!["s_a", "s_b", "s_c", "1 of s_*", "all of s_*", "2 of them"]).prop_map(str::to_owned);
    name.prop_recursive(3, 8, 2, |part| {
        prop_oneof![
            (part.clone(), part.clone()).prop_map(|(a, b)| format!("({a} and {b})")),
            (part.clone(), part.clone()).prop_map(|(a, b)| format!("({a} or {b})")),
            part.prop_map(|a| format!("not {a}")),
        ]
    })
}

fn records() -> Vec<String> {
    let values = [
        None,
        Some(json!(null)),
        Some(json!("Ab")),
        Some(json!("ab")),
        Some(json!("aB")),
        Some(json!("b")),
        Some(json!("xbx")),
        Some(json!("")),
    ];
    let mut records = Vec::new();
    for name in &values {
        for error in &values {
            for kind in &values {
                let mut record = json!({});
                for (field, value) in [("eventName", name), ("errorCode", error)] {
                    if let Some(value) = value {
                        record[field] = value.clone();
                    }
                }
                if let Some(value) = kind {
                    record["userIdentity"] = json!({"type": value});
                    record["requestParameters"] = json!({"x": [value, "b", name]});
                }
                records.push(record.to_string());
            }
        }
    }
    records
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is said never to be true matches nothing, and what is said always to be true matches everything.
    #[test]
    fn no_condition_is_wrongly_called_impossible(lines in vec(line(), 4), condition in condition()) {
        let text = rule(&format!(
            "s_a:\n  {}\n  sourceIPAddress: null\ns_b:\n  - {}\n  - {}\ns_c:\n  {}\ncondition: {condition}",
            lines[0], lines[1], lines[2], lines[3]
        ));
        let found = check(&text);
        let claims = |words: &str| found.iter().any(|problem| problem.text.contains(words));
        let (never, always) = (claims("can never be true"), claims("always true"));
        if !never && !always {
            return Ok(());
        }
        let loaded = RuleSet::load_only([file(&text)]);
        prop_assert!(loaded.refused.is_empty(), "{text}\n{:?}", loaded.refused);
        for record in records() {
            let mut question = loaded.rule_set.read(record.as_bytes()).unwrap();
            prop_assert_eq!(question.ask(0).matches, always, "{}\n{}", text, record);
        }
    }
}
