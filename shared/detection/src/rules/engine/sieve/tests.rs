//! Which rules are asked about a record, and which are surely not worth it.

use serde_json::{Value, json};

use super::Seen;
use crate::rules::{Candidates, Origin, RuleFile, RuleSet};

const CALL: &str = "call: {eventSource: bedrock.amazonaws.com, eventName: InvokeModel}";

/// The positions of the rules with these detections that are asked about a record with these members.
fn asked(detections: &[String], members: &Value) -> Vec<usize> {
    let file = |(number, detection): (usize, &String)| RuleFile {
        path: format!("{number}.yml"),
        origin: Origin::Outside,
        text: format!(
            "title: Rule {number}\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d{number:04}\nlevel: low\nlogsource:\n  product: aws\n  service: cloudtrail\n\
             detection:\n  {CALL}\n  {detection}\n"
        ),
    };
    let loaded = RuleSet::load_only(detections.iter().enumerate().map(file));
    assert_eq!(loaded.refused, []);
    let mut record = json!({"eventSource": "bedrock.amazonaws.com", "eventName": "InvokeModel"});
    for (name, value) in members.as_object().unwrap() {
        record[name] = value.clone();
    }
    let record = record.to_string();
    let mut question = loaded.rule_set.read(record.as_bytes()).unwrap();
    let candidates = loaded.rule_set.look_up("bedrock.amazonaws.com", "InvokeModel");
    question.open(Candidates::LookedUp(candidates), &mut Seen::default()).to_vec()
}

fn is_asked(detection: &str, members: &Value) -> bool {
    !asked(&[detection.to_owned()], members).is_empty()
}

#[test]
fn a_rule_is_asked_where_what_it_needs_is_there_or_may_be() {
    let sent = |value: Value| json!({"requestParameters": {"a": value}});
    let needs = |line: &str| format!("s: {{{line}}}\n  condition: call and s");
    for (line, members, wanted) in [
        ("userAgent|contains: curl", json!({"userAgent": "aws-cli/2"}), false),
        ("userAgent|contains: curl", json!({"userAgent": "CURL/8"}), true),
        ("userAgent|contains: curl", json!({}), false),
        ("userAgent|contains: curl", json!({"userAgent": null}), false),
        ("userAgent|startswith: curl", json!({"userAgent": "libcurl"}), false),
        ("userAgent|endswith: curl", json!({"userAgent": "curl/8"}), false),
        ("userAgent|re: curl", json!({"userAgent": "aws-cli/2"}), true),
        ("userAgent|re: curl", json!({}), false),
        ("requestParameters.a: x", sent(json!("y")), false),
        ("requestParameters.a: x", sent(json!(["y", "X"])), true),
        ("requestParameters.a: x", sent(json!({"x": "x"})), false),
        // What is hidden may be anything.
        ("requestParameters.a: x", sent(json!("***")), true),
        ("requestParameters.a: x", json!({"requestParameters": {"omitted": true}}), true),
        ("requestParameters.a|exists: true", json!({"requestParameters": {"omitted": true}}), true),
        ("requestParameters.a|exists: true", json!({"requestParameters": {}}), false),
        ("requestParameters.a|exists: false", json!({}), true),
        ("requestParameters.a: null", json!({}), true),
        ("requestParameters.a: [x, null]", json!({}), true),
        // One number is written in several ways, and so is one letter.
        ("requestParameters.a: 70.0", sent(json!(70.0)), true),
        ("requestParameters.a: true", sent(json!("TRUE")), true),
        ("requestParameters.a|cased: Key", sent(json!("Key")), true),
        ("requestParameters.a: key", sent(json!("\u{212a}ey")), true),
        ("requestParameters.a|contains: [x, key]", sent(json!(["\u{212a}ey", 7])), true),
        ("requestParameters.a: 7", sent(json!(7)), true),
        ("requestParameters.a: '7'", sent(json!(7)), true),
        ("requestParameters.a: '7*'", sent(json!(70)), true),
        // Absent, it may be equal to what is hidden.
        ("userAgent|fieldref: requestParameters.a", sent(json!("***")), true),
        ("derived.outcome: denied", json!({"errorCode": "AccessDenied"}), true),
        ("derived.outcome: denied", json!({}), false),
    ] {
        assert_eq!(is_asked(&needs(line), &members), wanted, "{line} of {members}");
    }
}

#[test]
fn a_condition_needs_what_all_of_its_ways_to_hold_need() {
    let agent = |agent: &str| json!({"userAgent": agent});
    let selections = "a: {userAgent: x}\n  b: {userAgent: y}\n  c: {awsRegion: eu-west-3}\n  condition:";
    for (condition, members, wanted) in [
        ("call and (a or b)", agent("y"), true),
        ("call and (a or b)", agent("z"), false),
        ("call and 1 of them", agent("z"), true),
        ("call and (a or c)", agent("z"), false),
        ("call and (a or c)", json!({"awsRegion": "eu-west-3"}), true),
        ("call and (a or c) and b", agent("x"), false),
        ("call and (a or not b)", agent("z"), true),
        ("call and not a", agent("x"), true),
        ("call and not not a", agent("z"), true),
        ("[call and a, call and b]", agent("y"), true),
        ("[call and a, call and b]", agent("z"), false),
        ("[call and a, call and not b]", agent("z"), true),
        ("2 of them", agent("z"), true),
    ] {
        assert_eq!(is_asked(&format!("{selections} {condition}"), &members), wanted, "{condition} of {members}");
    }
}

#[test]
fn of_very_many_rules_those_are_asked_whose_text_is_there() {
    let rules: Vec<String> =
        (0..300).map(|number| format!("s: {{userAgent|contains: tool-{number}}}\n  condition: call and s")).collect();
    assert_eq!(asked(&rules, &json!({"userAgent": "x TOOL-277 y"})), [2, 27, 277]);
    assert_eq!(asked(&rules, &json!({"userAgent": "aws-cli/2"})), Vec::<usize>::new());
    let rules: Vec<String> = (0..300)
        .map(|number| format!("s: {{requestParameters.a: 'Name-{number}'}}\n  condition: call and s"))
        .collect();
    assert_eq!(asked(&rules, &json!({"requestParameters": {"a": ["name-64", "NAME-299", "name-2"]}})), [2, 64, 299]);
    assert_eq!(asked(&rules, &json!({"requestParameters": {"a": "***"}})).len(), 300);
}

#[test]
fn texts_that_are_too_many_or_too_long_to_be_looked_for_are_taken_to_be_there() {
    let rule = |text: &str| format!("s: {{userAgent|contains: '{text}'}}\n  condition: call and s");
    let mut rules: Vec<String> = (1..20).map(|times| rule(&"a".repeat(times))).collect();
    rules.push(rule("needle"));
    let members = json!({"userAgent": format!("{}needle", "a".repeat(2_000))});
    assert!(asked(&rules, &members).contains(&19));
    let many: Vec<String> = (100..200).map(|number| format!("tool-{number}")).collect();
    for text in ["tool-100", "tool-163", "tool-164", "tool-199"] {
        let rule = format!("s: {{userAgent: [{}]}}\n  condition: call and s", many.join(", "));
        assert!(is_asked(&rule, &json!({"userAgent": text})), "{text}");
    }
    let long = format!("{}-end", "long-".repeat(30));
    for how in ["", "|startswith", "|endswith", "|contains", "|cased"] {
        let rule = format!("s: {{userAgent{how}: '{long}'}}\n  condition: call and s");
        assert!(is_asked(&rule, &json!({"userAgent": long})), "{how}");
        assert!(!is_asked(&rule, &json!({"userAgent": "aws-cli/2"})), "{how}");
    }
}

#[test]
fn a_line_that_several_rules_ask_is_asked_once_and_for_all_of_them() {
    let rule = |networks: &str| {
        format!(
            "address: {{sourceIPAddress|re: '^[0-9.]+$'}}\n  approved: {{sourceIPAddress|cidr: [{networks}]}}\n  \
             condition: call and address and not approved"
        )
    };
    // All but the last are the same, and all that is shown of a line.
    let same = "192.0.2.0/28, 192.0.2.16/28, 192.0.2.32/28, 192.0.2.48/28, 192.0.2.64/28";
    let one = rule(&format!("{same}, 198.51.100.0/24"));
    let other = rule(&format!("{same}, 203.0.113.0/24"));
    let rules = [one.clone(), other.clone(), one, other];
    for (address, wanted) in [
        ("198.51.100.7", &[1, 3][..]),
        ("203.0.113.7", &[0, 2]),
        ("192.0.2.70", &[]),
        ("8.8.8.8", &[0, 1, 2, 3]),
        ("bedrock.amazonaws.com", &[]),
    ] {
        assert_eq!(asked(&rules, &json!({"sourceIPAddress": address})), wanted, "{address}");
    }
}

#[test]
fn what_was_found_in_one_value_is_not_taken_for_what_is_in_another() {
    let rule = |number: usize, call: &str, text: &str| RuleFile {
        path: format!("{number}.yml"),
        origin: Origin::Outside,
        text: format!(
            "title: Rule {number}\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d{number:04}\nlevel: low\nlogsource:\n  product: aws\n  service: cloudtrail\n\
             detection:\n  s: {{{call}, userAgent|contains: {text}}}\n  condition: s\n"
        ),
    };
    // They stand in different lists, and ask about the same field.
    let (source, name) = ("eventSource: bedrock.amazonaws.com", "eventName: InvokeModel");
    let loaded = RuleSet::load_only([rule(0, &format!("{source}, {name}"), "curl"), rule(1, source, "wget")]);
    assert_eq!(loaded.refused, []);
    let candidates = loaded.rule_set.look_up("bedrock.amazonaws.com", "InvokeModel");
    let mut seen = Seen::default();
    for number in (0..1_000).chain(0..1_000) {
        for (tool, wanted) in [("cUrl", &[0][..]), ("Wget", &[1]), ("aws-cli", &[])] {
            let record = json!({"userAgent": format!("{tool}/{number}")}).to_string();
            let mut question = loaded.rule_set.read(record.as_bytes()).unwrap();
            let open = question.open(Candidates::LookedUp(candidates), &mut seen);
            assert_eq!(open.as_slice(), wanted, "{record}");
        }
    }
}
