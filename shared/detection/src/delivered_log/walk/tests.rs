//! What a walk over a record finds, held against the plain scan and against `serde_json`.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// The length of the first value, byte by byte.
fn length(bytes: &[u8]) -> Option<usize> {
    ValueScan::default().scan(bytes)
}

fn names(record: &str) -> Option<(&str, &str)> {
    walk(record.as_bytes()).unwrap().names.map(|names| names.texts())
}

#[test]
fn names_are_found_wherever_they_stand() {
    for record in [
        r#"{"eventSource":"s","eventName":"n"}"#,
        r#"{"eventName" : "n" ,"x":{"eventName":"y","eventSource":"z"}, "eventSource":	"s" }"#,
        r#"{"a":[{"eventName":"y"},"eventName",[]],"eventSource":"s","b":"eventSource","eventName":"n","c":"eventName"}"#,
        r#"{"userAgent":"\",\"eventSource\":\"z\"","eventSource":"s","x":"\\","eventName":"n"}"#,
        r#"{"eventSource":"s","eventName":"n","eventSourc":"\u0065","Eventname":1,"eventname":"z"}"#,
        r#"{"eventSource":"s","eventName":"n","broken":tru,,}"#,
    ] {
        assert_eq!(names(record), Some(("s", "n")), "{record}");
    }
}

#[test]
fn what_is_not_plain_is_left_to_a_parser() {
    for record in [
        "{}",
        r#"{"eventSource":"s"}"#,
        r#"{"eventSource":"s","a":{"eventName":"n"}}"#,
        r#"{"eventSource":"s","eventName":null}"#,
        r#"{"eventSource":"s","eventName":["n"]}"#,
        r#"{"eventSource":"s","eventName":"n","eventName":"m"}"#,
        r#"{"eventSource":"s","eventName":"n","eventSource":null}"#,
        r#"{"eventSource":"s","eventName":"n","event\u004eame":"m"}"#,
        r#"{"eventSource":"s","eventName":"n","\\":"m"}"#,
        r#"{"eventSource":"s","eventName":"\u006e"}"#,
        r#"{"eventSource":"s","eventName":"ñ"}"#,
        r#"{"eventSource":"s","eventName":"n"]"#,
    ] {
        assert_eq!(names(record), None, "{record}");
    }
    for no_object in ["", "[]", "\"{\"", "7"] {
        assert_eq!(walk(no_object.as_bytes()), None, "{no_object}");
    }
}

#[test]
fn who_called_is_found_wherever_it_stands() {
    for (record, identity) in [
        (r#"{"userIdentity":{"a":[{}]},"b":{},"eventSource":"s","eventName":"n"}"#, r#"{"a":[{}]"#),
        (r#"{"eventSource":"s","eventName":"n","userIdentity" : [ "x" ]}"#, r#"[ "x" "#),
        (
            r#"{"userIdentity":{},"eventSource":"s","eventName":"n","userIdentity":{"b":1}}"#,
            r#"{},"eventSource":"s","eventName":"n","userIdentity":{"b":1"#,
        ),
        (
            r#"{"x":{"userIdentity":{"a":1}},"xuserIdentity":{},"eventSource":"s","eventName":"n","userIdentity":"z"}"#,
            "",
        ),
    ] {
        let found = walk(record.as_bytes()).unwrap().names.unwrap().identity;
        assert_eq!(std::str::from_utf8(found).unwrap(), identity, "{record}");
    }
}

/// Every place of a name, a quote and an escape within a block and across its edge.
#[test]
fn blocks_have_no_edges() {
    for shift in 0..2 * BLOCK {
        for escapes in 0..4 {
            let padding = "x".repeat(shift) + &"\\\"".repeat(escapes) + &"\\\\".repeat(escapes);
            let identity = format!(r#"{{"{padding}":["}}"],"a":{{}}"#);
            let record = format!(
                r#"{{"p":"{padding}","eventSource":"s","userIdentity":{identity}}},"x":[{{}}],"eventName":"n"}}"#
            );
            let walked = walk(record.as_bytes()).unwrap();
            assert_eq!((walked.length, names(&record)), (record.len(), Some(("s", "n"))), "{record}");
            assert_eq!(walked.names.unwrap().identity, identity.as_bytes(), "{record}");
            assert_eq!(walk(&record.as_bytes()[..record.len() - 1]), None, "cut short: {record}");
        }
    }
}

/// Short ones are read within a block, long ones and those near the end of what has come are not.
#[test]
fn names_may_have_any_length() {
    for length in 0..140 {
        for (source, is_plain) in [
            ("s".repeat(length), true),
            (format!("{}é", "s".repeat(length)), false),
            (format!("{}\\u0073", "s".repeat(length)), false),
        ] {
            for behind in ["", r#","x":"é""#, r#","x":"\\ ""#] {
                let record = format!(r#"{{"eventName":"n","eventSource":"{source}"{behind}}}"#);
                let found = [record.clone(), record.clone() + &" ".repeat(200)].map(|bytes| {
                    walk(bytes.as_bytes()).unwrap().names.map(|names| (names.texts().0.to_owned(), names.has_others))
                });
                let expected = is_plain.then(|| (source.clone(), !behind.is_empty()));
                assert_eq!(found, [expected.clone(), expected], "{record}");
            }
        }
    }
}

#[test]
fn nesting_costs_no_stack() {
    let deep = format!(r#"{{"deep":{}{}}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(walk(deep.as_bytes()).unwrap().length, deep.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Of any bytes at all, JSON or not: where a piece ends must not decide what a record is.
    #[test]
    fn a_walk_ends_where_the_plain_scan_ends(text in r#"\{[{}\[\]"\\,: xe\n]{0,200}"#) {
        let found = walk(text.as_bytes()).map(|walked| walked.length);
        prop_assert_eq!(found, length(text.as_bytes()));
    }

    /// What the walk says of an object's names is what a parser says.
    #[test]
    fn names_are_those_of_a_parser(
        members in prop::collection::vec(
            (
                prop::sample::select(&["eventSource", "eventName", "a", "event\\u004eame", "\\\\", "eventname"][..]),
                prop::sample::select(&[
                    "\"s\"", "\"\"", "1", "null", "{\"eventName\":\"x\"}", "[\"eventName\",{}]", "\"\\u0041\"", "\"a\\\"\"",
                ][..]),
                " {0,70}",
            ),
            0..6,
        ),
    ) {
        let members: Vec<String> = members.iter().map(|(name, value, blank)| format!("\"{name}\"{blank}:{value}")).collect();
        let record = format!("{{{}}}", members.join(","));
        if let Some((source, name)) = names(&record) {
            let parsed: Value = serde_json::from_str(&record).unwrap();
            prop_assert_eq!((parsed["eventSource"].as_str(), parsed["eventName"].as_str()), (Some(source), Some(name)));
            let twice = |wanted: &str| members.iter().filter(|member| member.starts_with(wanted)).count() > 1;
            prop_assert!(!twice("\"eventSource\"") && !twice("\"eventName\""));
        }
    }
}
