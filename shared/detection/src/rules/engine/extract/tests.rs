use std::mem;

use proptest::{prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner};

use super::{super::parse::parse, *};

/// Texts in every run, each whole and broken.
const TEXTS: usize = 5_000;

fn fields() -> Fields {
    let mut fields = Fields::default();
    for field in [
        "eventSource",
        "eventName",
        "userIdentity",
        "userIdentity.arn",
        "userIdentity.sessionContext.sessionIssuer.arn",
        "requestParameters",
        "requestParameters.a",
        "requestParameters.a.b",
        "requestParameters.a.b.a",
        "requestParameters.omitted",
        "requestParameters.omitted.a",
        "responseElements.a",
        "responseElements.b",
        "a.b",
        "a.omitted",
        "ab",
        "b.",
        "derived.outcome",
        "derived.b",
        "ä",
    ] {
        fields.add(field);
    }
    fields
}

/// Whether the fast way takes a record; then it has to give what the other way gives.
fn is_taken(fields: &Fields, record: &[u8]) -> bool {
    is_taken_after_others(fields, record, &mut Memory::default())
}

/// The same in memory that has held others: what is known of their passages changes nothing.
fn is_taken_after_others(fields: &Fields, record: &[u8], memory: &mut Memory) -> bool {
    let shown = String::from_utf8_lossy(record);
    let held = |mut values: Values<'_>| {
        let passages = values.passages.take();
        let shown = format!("{values:?}");
        let mut memory = values.into_memory();
        memory.passages = passages;
        (shown, memory)
    };
    let other = br#"{"a":{"b":1},"eventName":"a","requestParameters":{"a":"***"},"responseElements":{"a":[{},{}]}}"#;
    let of_other = extract(fields, other, Memory::default()).unwrap().into_memory();
    let mut ways: Vec<Option<String>> = Vec::new();
    // In the last one nothing is new of a passage.
    for mut used in [Memory::default(), of_other, mem::take(memory), Memory::default()] {
        if ways.len() == 3 {
            used = mem::take(memory);
        }
        let (taken, left) = match extract(fields, record, used) {
            Ok(values) => Some(held(values)).map(|(shown, left)| (Some(shown), left)).unwrap(),
            Err(left) => (None, left),
        };
        ways.push(taken);
        *memory = left;
    }
    assert!(ways.iter().all(|way| *way == ways[0]), "{shown}: {ways:?}");
    let Some(extracted) = &ways[0] else { return false };
    let parsed =
        parse(fields, record, &mut Memory::default()).unwrap_or_else(|error| panic!("taken, and {error}: {shown}"));
    assert_eq!(*extracted, held(parsed).0, "{shown}");
    true
}

const NAMES: [&str; 16] = [
    "a",
    "b",
    "ab",
    "",
    "ba",
    "omitted",
    "requestParameters",
    "requestParameters",
    "responseElements",
    "userIdentity",
    "sessionContext",
    "eventName",
    "derived",
    "ä",
    "\\u0061",
    "a name that is longer than any of those, so long that no block of bytes holds it",
];

const SCALARS: [&str; 38] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "0.5",
    "-0.0",
    "1e3",
    "1E-3",
    "2e+05",
    "1e400",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "01",
    "1.",
    ".5",
    "-",
    "1e",
    "+1",
    "NaN",
    "tru",
    "nul",
    r#""""#,
    r#""text""#,
    r#""ä € 😀""#,
    r#""***""#,
    r#""HIDDEN_DUE_TO_SECURITY_REASONS""#,
    r#""\u002a**""#,
    r#""a \"quoted\" \\ \/ \b\f\n\r\t \u00e4 \ud83d\ude00""#,
    r#""{\"a\":\"}],\\\"\"}""#,
    r#""\ud83d""#,
    r#""\x""#,
    r#""\u12g4""#,
    "\"a\tb\"",
    r#""a text that is longer than a block of bytes, with a backslash \\ and all that it takes to be so""#,
];

/// Most are JSON, and all but a few scalars are.
fn text() -> impl Strategy<Value = String> {
    let blank = || prop_oneof![12 => Just(""), 1 => select(&[" ", "\n", "\r\n\t "][..])];
    let usual = select(&SCALARS[..12]).prop_map(str::to_owned);
    let plain = "[ -!#-\\[\\]-~]{0,70}".prop_map(|text| format!("\"{text}\""));
    let scalar = prop_oneof![6 => usual, 6 => plain, 1 => select(&SCALARS[..]).prop_map(str::to_owned)];
    scalar.prop_recursive(6, 40, 6, move |inner| {
        let member = (blank(), select(&NAMES[..]), blank(), inner.clone(), blank())
            .prop_map(|(before, name, after, value, end)| format!("{before}\"{name}\"{after}:{value}{end}"));
        let item = (blank(), inner, blank()).prop_map(|(before, value, after)| format!("{before}{value}{after}"));
        prop_oneof![
            4 => prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
            1 => prop::collection::vec(item, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    })
}

/// What is done to a text: at which place of a thousand, how many bytes are taken out, what is put in.
fn damage() -> impl Strategy<Value = (usize, usize, &'static [u8])> {
    let put_in: &[&[u8]] = &[
        b"",
        b"",
        b"\"",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b" ",
        b"\n",
        b"\0",
        b"\x1f",
        b"\x7f",
        b"\xff",
        b"\xc3",
        b"1",
        b"e",
        b"t",
        b"u",
        b"/*",
        b",,",
        b"\"\"",
        b"\\u",
        b"\"a\":1,",
    ];
    (0_usize..=1000, 0_usize..3, select(put_in))
}

#[test]
fn what_is_taken_is_what_a_parser_takes() {
    let (fields, mut runner) = (fields(), TestRunner::deterministic());
    let mut memory = Memory::default();
    let (texts, damages) = (text(), prop::collection::vec(damage(), 1..3));
    let (mut taken, mut taken_broken, mut json_broken) = (0, 0, 0);
    for _ in 0..TEXTS {
        let mut text = texts.new_tree(&mut runner).unwrap().current().into_bytes();
        taken += usize::from(is_taken_after_others(&fields, &text, &mut memory));
        for (place, out, put_in) in damages.new_tree(&mut runner).unwrap().current() {
            let start = place * text.len() / 1000;
            let end = text.len().min(start + out);
            text.splice(start..end, put_in.iter().copied());
        }
        taken_broken += usize::from(is_taken_after_others(&fields, &text, &mut memory));
        json_broken += usize::from(parse(&fields, &text, &mut Memory::default()).is_ok());
    }
    // Else it proves nothing.
    assert!(taken > TEXTS / 2, "only {taken} taken");
    assert!(taken_broken > TEXTS / 10, "only {taken_broken} of those that were broken taken");
    assert!(json_broken < TEXTS * 3 / 4, "{json_broken} of those that were broken are JSON");
}

#[test]
fn records_as_cloudtrail_writes_them_are_taken() {
    let record = r#"{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/a/b",
        "sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::111122223333:role/a"},"attributes":{"mfaAuthenticated":"false"}}},
        "eventSource":"bedrock.amazonaws.com","eventName":"Converse","userAgent":"Mozilla/5.0 \"x\"","requestParameters":
        {"a":{"b":[1,2.5,{"a":"***"},null,"ä"]},"policy":"{\"Version\":\"2012-10-17\"}"},"responseElements":null,"readOnly":true,
        "tags":[],"additionalEventData":{},"ab":false}"#;
    let compact: String = record.lines().map(str::trim_start).collect();
    for text in [
        record,
        &compact,
        "{}",
        "{ }",
        "{\"a\" :\t{\"b\"\r: 1 } \n, \"ab\" : [ ] }",
        " {} ",
        "[]",
        "1",
        "{\"ab\":1E+3}",
    ] {
        assert!(is_taken(&fields(), text.as_bytes()), "{text}");
    }
}

#[test]
fn what_is_hidden_is_told_beside_what_is_shown() {
    let fields = fields();
    for (record, field, hidden, shown) in [
        (r#"{"requestParameters":{"a":{"b":"***"}}}"#, "requestParameters.a.b", true, 1),
        (r#"{"requestParameters":{"a":{"b":"***"}}}"#, "requestParameters.a", false, 0),
        (r#"{"requestParameters":{"a":"***"}}"#, "requestParameters.a.b.a", true, 0),
        (r#"{"requestParameters":{"a":"***","a":{"b":1}}}"#, "requestParameters.a.b", true, 1),
        (r#"{"requestParameters":{"a":{"b":1},"a":"***"}}"#, "requestParameters.a.b", true, 1),
        (r#"{"requestParameters":{"omitted":true,"a":{"b":1}}}"#, "requestParameters.a.b", true, 1),
        (r#"{"requestParameters":{"a":{"b":1},"omitted":true}}"#, "requestParameters.a.b", true, 1),
        (r#"{"requestParameters":{"a":{"b":1},"omitted":"true"}}"#, "requestParameters.a.b", false, 1),
        (r#"{"responseElements":[{"a":"REDACTED"},{"a":1}]}"#, "responseElements.a", true, 2),
        (r#"{"responseElements":{"requestParameters":{"a":"***"}}}"#, "requestParameters.a", false, 0),
        (r#"{"a":{"b":"***","omitted":true}}"#, "a.b", false, 1),
        (r#"{"derived":{"outcome":"success","b":"x"}}"#, "derived.outcome", true, 0),
        (r#"{"derived":{"outcome":"success","b":"x"}}"#, "derived.b", false, 1),
    ] {
        let memory = Memory::default;
        let ways =
            [extract(&fields, record.as_bytes(), memory()).ok(), parse(&fields, record.as_bytes(), &mut memory()).ok()];
        assert!(ways[1].is_some(), "{record}");
        for values in ways.iter().flatten() {
            let held = values.field(fields.find(field).unwrap()).unwrap();
            assert_eq!((held.hidden, held.scalars.len()), (hidden, shown), "{field} of {record}");
        }
    }
}

#[test]
fn what_a_parser_refuses_is_not_taken() {
    let long = "x".repeat(200);
    let strings = ["\\", "\\x", "\\u12", "\\u12g4", "\\ud83d", "\n", "\0", "\x1f"]
        .iter()
        .flat_map(|bad| [bad.to_string(), format!("{long}{bad}"), format!("\\\\{bad}{long}"), format!("\\\"{bad}")]);
    let values =
        ["tru", "truer", "nulL", "fals", "01", "-", "1.", "1e", "+1", ".5", "1-2", "0x1", "NaN", "'a'", "[1,]", "[,1]"]
            .map(str::to_owned)
            .into_iter()
            .chain(strings.map(|string| format!("\"{string}\"")))
            .chain(
                [
                    "[1 2]",
                    "[1",
                    "{\"b\":1,}",
                    "{,}",
                    "{\"b\"}",
                    "{\"b\" 1}",
                    "{b:1}",
                    "{\"b\":}",
                    "{\"b\":1 \"c\":1}",
                    "{\"b\":1]",
                    "[1}",
                ]
                .map(str::to_owned),
            )
            .chain(["", ",", "\u{b}", "\u{a0}", "\u{feff}1", "1/**/"].map(str::to_owned));
    for value in values {
        // Where a rule reads it, where none does, and deeper there.
        for record in [
            format!("{{\"ab\":{value}}}"),
            format!("{{\"none\":{value}}}"),
            format!("{{\"none\":[{{\"none\":{value}}}]}}"),
            format!("{{\"ab\":1}}{value}"),
        ] {
            let is_json = serde_json::from_str::<IgnoredAny>(&record).is_ok();
            assert_eq!(
                is_taken(&fields(), record.as_bytes()),
                is_json && parse(&fields(), record.as_bytes(), &mut Memory::default()).is_ok(),
                "{record}"
            );
        }
    }
}

#[test]
fn what_is_not_sure_is_left_to_the_parser() {
    let deep = |depth: usize| format!("{{\"ab\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(is_taken(&fields(), deep(DEEPEST).as_bytes()));
    let bytes: [&[u8]; 2] = [b"{\"ab\":\"\xff\"}", b"{\"none\":\"\xc3\"}"];
    for record in bytes {
        assert!(extract(&fields(), record, Memory::default()).is_err());
    }
    for record in [
        deep(DEEPEST + 1),
        deep(1_000_000),
        r#"{"\u0061b":1}"#.to_owned(),
        r#"{"none":{"\u0061b":1}}"#.to_owned(),
        r#"{"requestParameters":{"a":1,"omitted":true}}"#.to_owned(),
        r#"{"responseElements":{"omitted":false,"a":1}}"#.to_owned(),
        r#"{"none":1e400}"#.to_owned(),
    ] {
        assert!(
            extract(&fields(), record.as_bytes(), Memory::default()).is_err(),
            "{}",
            &record[..record.len().min(80)]
        );
    }
    // Elsewhere it is a name like any other.
    assert!(is_taken(&fields(), br#"{"a":{"omitted":true,"b":"***"},"none":{"requestParameters":{"omitted":true}}}"#));
}

#[test]
fn a_string_ends_where_it_ends_wherever_blocks_do() {
    for length in 0..200 {
        let text = "x".repeat(length);
        for record in [
            format!("{{\"ab\":\"{text}\",\"eventName\":\"{text}\"}}"),
            format!("{{\"{text}\":1,\"ab\":\"\\\\{text}\\\"\"}}"),
            format!("{{\"none\":\"{text}\\\\\",\"ab\":\"{text}\\\"\\\\\"}}"),
        ] {
            assert!(is_taken(&fields(), record.as_bytes()), "{record}");
        }
    }
}

#[test]
fn the_same_bytes_in_another_place_mean_something_else() {
    let (fields, mut memory) = (fields(), Memory::default());
    let records = [
        r#"{"a":{"b":"x","ab":"x"},"b":"x","ab":"x"}"#,
        r#"{"a":{"b":"x"},"b":"x","ab":"x"}"#,
        r#"{"requestParameters":{"a":{"b":"x"}},"a":{"b":"x"}}"#,
        r#"{"requestParameters":{"a":["x","x"]},"a":["x","x"]}"#,
        r#"{"none":{"a":{"b":"x"}},"requestParameters":{"a":{"b":"x"}}}"#,
        r#"{"none":["x",{"b":"x"}],"a":["x",{"b":"x"}]}"#,
        r#"{"none":[1,{"b":1}],"a":[1,{"b":1}],"ab":true}"#,
        r#"{"a":"x","ab":true,"eventName":"x"}"#,
        r#"{"a":"x","ab":false,"eventName":"x"}"#,
    ];
    let broken = [
        r#"{"a":"x"}}"#,
        r#"{"a":{"b":"x"}"#,
        r#"{"a":["x"}"#,
        r#"["x","b":"x"]"#,
        r#"{"a":"x","x"}"#,
        r#"{"a":"x"},"ab":"x"}"#,
        r#"{"none":[1,"b":1]}"#,
        r#"{"ab":true"#,
    ];
    for _ in 0..3 {
        for record in records {
            assert!(is_taken_after_others(&fields, record.as_bytes(), &mut memory), "{record}");
        }
        for record in broken {
            assert!(!is_taken_after_others(&fields, record.as_bytes(), &mut memory), "{record}");
        }
    }
}

#[test]
fn a_log_whose_records_are_all_different_does_not_take_more_memory_with_each() {
    let (fields, mut memory) = (fields(), Memory::default());
    for number in 0..5_000 {
        let nested = (0..10).fold("1".to_owned(), |inner, bit| {
            if number >> bit & 1 == 0 { format!("[{inner}]") } else { format!("{{\"none\":{inner}}}") }
        });
        let names: String = (0..10).map(|name| format!("\"{number} {name}\":\"x\",")).collect();
        let record = format!("{{{names}\"none\":{nested},\"ab\":\"x\"}}");
        memory = extract(&fields, record.as_bytes(), memory).unwrap().into_memory();
        let passages = memory.passages.as_ref().unwrap();
        assert!(passages.is_small(), "after {number} records");
    }
    // Where nothing is kept any more, nothing is lost.
    for record in [r#"{"a":{"b":"x"},"ab":"y"}"#, r#"{"a":{"b":"x"},"ab":"y"}}"#] {
        assert_eq!(is_taken_after_others(&fields, record.as_bytes(), &mut memory), record.ends_with("y\"}"));
    }
}
