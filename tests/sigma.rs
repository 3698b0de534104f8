//! Sigma as the standard defines it, one case a feature; the three answers; and what is refused, each with its sentence.
//! Knows nothing of other engines.

use detection::rules::{Loaded, Origin, RuleFile, RuleSet, Verdict};

/// A rule around a detection, or around the body of its only selection.
pub(crate) fn rule(detection: &str) -> String {
    let detection = if detection.contains("condition:") {
        detection.to_owned()
    } else if detection.contains('\n') {
        let body: String = detection.lines().map(|line| format!("  {line}\n")).collect();
        format!("selection:\n{body}condition: selection")
    } else {
        format!("selection: {detection}\ncondition: selection")
    };
    let detection: String = detection.lines().map(|line| format!("  {line}\n")).collect();
    format!("title: Test\nlogsource:\n  product: aws\n  service: cloudtrail\ndetection:\n{detection}level: high\n")
}

fn load(detection: &str) -> Loaded {
    RuleSet::load_only([RuleFile { path: "mine.yml".to_owned(), text: rule(detection), origin: Origin::Outside }])
}

fn judge(detection: &str, record: &str) -> Verdict {
    let loaded = load(detection);
    assert_eq!(loaded.refused, [], "{detection}");
    let mut question = loaded.rule_set.read(record.as_bytes()).unwrap_or_else(|error| panic!("{record}: {error}"));
    question.ask(0)
}

/// What it shows; the detection; records that it matches; records that it does not.
type Case = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

fn hold(cases: &[Case]) {
    let mut wrong = Vec::new();
    for (shows, detection, matches, ignores) in cases {
        assert!(!matches.is_empty() && !ignores.is_empty(), "{shows}: a case that cannot fail either way");
        for (records, expected) in [(matches, true), (ignores, false)] {
            for record in *records {
                let verdict = judge(detection, record);
                if verdict != decided(expected) {
                    wrong.push(format!("{shows}: {detection} on {record}: {verdict:?}"));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{}",
        wrong.join(
            "
"
        )
    );
}

fn decided(matches: bool) -> Verdict {
    Verdict { matches, undecided: false }
}

#[test]
fn texts_and_wildcards() {
    hold(&[
        ("a value is the whole text", "{a: Xyz}", &[r#"{"a":"Xyz"}"#], &[r#"{"a":"Xyz "}"#, r#"{"a":"xXyz"}"#, "{}"]),
        ("case is folded", "{a: Xyz}", &[r#"{"a":"xYZ"}"#], &[r#"{"a":"xy"}"#]),
        ("beyond ASCII too", "{a: GRÜßE-Σ}", &[r#"{"a":"grüße-σ"}"#], &[r#"{"a":"GRUSSE-Σ"}"#]),
        ("a word equals itself whatever its last letter", "{a: ΌΔΟΣ}", &[r#"{"a":"ΌΔΟΣ"}"#], &[r#"{"a":"ΌΔΟ"}"#]),
        ("`cased` folds nothing", "{a|cased: Xyz}", &[r#"{"a":"Xyz"}"#], &[r#"{"a":"xyz"}"#]),
        ("`cased` with wildcards", "{a|cased: 'X*z'}", &[r#"{"a":"Xyz"}"#], &[r#"{"a":"xyz"}"#, r#"{"a":"XyZ"}"#]),
        ("field names are not folded", "{a: x}", &[r#"{"a":"x"}"#], &[r#"{"A":"x"}"#]),
        ("a list is one of several", "{a: [x, y]}", &[r#"{"a":"x"}"#, r#"{"a":"Y"}"#], &[r#"{"a":"z"}"#]),
        (
            "all lines of a map hold",
            "{a: x, b: y}",
            &[r#"{"a":"x","b":"y"}"#],
            &[r#"{"a":"x"}"#, r#"{"a":"x","b":"z"}"#],
        ),
        ("empty text is text", "{a: ''}", &[r#"{"a":""}"#], &[r#"{"a":" "}"#, r#"{"a":null}"#, "{}", r#"{"a":[]}"#]),
        ("`*` is any text, none included", "{a: 'x*z'}", &[r#"{"a":"xz"}"#, r#"{"a":"x\ny\nz"}"#], &[r#"{"a":"xzy"}"#]),
        (
            "`*` alone wants a value",
            "{a: '*'}",
            &[r#"{"a":""}"#, r#"{"a":0}"#],
            &["{}", r#"{"a":null}"#, r#"{"a":{}}"#],
        ),
        (
            "`?` is one character",
            "{a: 'x?z'}",
            &[r#"{"a":"xÄz"}"#, r#"{"a":"x\nz"}"#],
            &[r#"{"a":"xz"}"#, r#"{"a":"xyyz"}"#],
        ),
        ("`*` again and again", "{a: '*b*b*'}", &[r#"{"a":"bb"}"#, r#"{"a":"abcba"}"#], &[r#"{"a":"b"}"#]),
        ("an escaped star", r"{a: 'x\*z'}", &[r#"{"a":"x*z"}"#], &[r#"{"a":"xyz"}"#, r#"{"a":"x\\yz"}"#]),
        ("an escaped question mark", r"{a: 'x\?z'}", &[r#"{"a":"x?z"}"#], &[r#"{"a":"xyz"}"#]),
        ("an escaped backslash", r"{a: 'x\\z'}", &[r#"{"a":"x\\z"}"#], &[r#"{"a":"x\\\\z"}"#]),
        ("a backslash before anything else", r"{a: 'x\z'}", &[r#"{"a":"x\\z"}"#], &[r#"{"a":"xz"}"#]),
        ("a backslash, then a wildcard", r"{a: 'x\\*'}", &[r#"{"a":"x\\"}"#, r#"{"a":"x\\yz"}"#], &[r#"{"a":"xy"}"#]),
        ("a backslash and a star", r"{a: 'x\\\*'}", &[r#"{"a":"x\\*"}"#], &[r#"{"a":"x\\y"}"#]),
        ("three backslashes are two", r"{a: 'x\\\z'}", &[r#"{"a":"x\\\\z"}"#], &[r#"{"a":"x\\z"}"#]),
        ("four backslashes are two", r"{a: 'x\\\\z'}", &[r#"{"a":"x\\\\z"}"#], &[r#"{"a":"x\\z"}"#]),
        ("a backslash at the end", r"{a: 'x\'}", &[r#"{"a":"x\\"}"#], &[r#"{"a":"x"}"#]),
        ("regex characters mean nothing", "{a: 'x.z|(y)'}", &[r#"{"a":"x.z|(y)"}"#], &[r#"{"a":"xyz"}"#]),
        ("SQL's wildcards mean nothing", "{a|contains: '_%'}", &[r#"{"a":"x_%y"}"#], &[r#"{"a":"xyz"}"#]),
    ]);
}

#[test]
fn parts_of_texts() {
    hold(&[
        ("`contains`", "{a|contains: BC}", &[r#"{"a":"abcd"}"#, r#"{"a":"bc"}"#], &[r#"{"a":"b-c"}"#, r#"{"b":"bc"}"#]),
        ("`contains` nothing", "{a|contains: ''}", &[r#"{"a":""}"#, r#"{"a":"x"}"#], &["{}", r#"{"a":null}"#]),
        ("`startswith`", "{a|startswith: AB}", &[r#"{"a":"abcd"}"#, r#"{"a":"ab"}"#], &[r#"{"a":"xab"}"#]),
        ("`endswith`", "{a|endswith: CD}", &[r#"{"a":"abcd"}"#], &[r#"{"a":"cdx"}"#]),
        ("`contains` with wildcards", "{a|contains: 'b?d*f'}", &[r#"{"a":"abcd-efg"}"#], &[r#"{"a":"abdf"}"#]),
        ("`startswith` with wildcards", "{a|startswith: 'b*d'}", &[r#"{"a":"bcde"}"#], &[r#"{"a":"abcd"}"#]),
        ("`endswith` with wildcards", "{a|endswith: 'b*d'}", &[r#"{"a":"abcd"}"#], &[r#"{"a":"bcde"}"#]),
        ("a wildcard at the seam", "{a|startswith: 'b*'}", &[r#"{"a":"bcd"}"#, r#"{"a":"b"}"#], &[r#"{"a":"ab"}"#]),
        ("`contains` and `cased`", "{a|contains|cased: Bc}", &[r#"{"a":"aBcd"}"#], &[r#"{"a":"abcd"}"#]),
        ("one of several parts", "{a|contains: [b, y]}", &[r#"{"a":"xyz"}"#], &[r#"{"a":"xz"}"#]),
        ("all of several parts", "{a|contains|all: [b, y]}", &[r#"{"a":"y-b"}"#], &[r#"{"a":"xyz"}"#, "{}"]),
        ("`all` of whole values of an array", "{a|all: [b, y]}", &[r#"{"a":["y","z","b"]}"#], &[r#"{"a":["y"]}"#]),
        ("a number as a part", "{a|contains: 23}", &[r#"{"a":"1234"}"#, r#"{"a":1234}"#], &[r#"{"a":"2-3"}"#]),
        ("`neq`", "{a|neq: X}", &[r#"{"a":"y"}"#, "{}", r#"{"a":null}"#], &[r#"{"a":"x"}"#]),
        ("`neq` with a list is none of them", "{a|neq: [x, 5]}", &[r#"{"a":"z"}"#], &[r#"{"a":"x"}"#, r#"{"a":5}"#]),
        ("`neq` with an array is none of its members", "{a|neq: x}", &[r#"{"a":["y"]}"#], &[r#"{"a":["y","x"]}"#]),
        ("`neq` with a part", "{a|contains|neq: b}", &[r#"{"a":"xyz"}"#], &[r#"{"a":"abc"}"#]),
    ]);
}

#[test]
fn keywords() {
    hold(&[
        ("a keyword is looked for in every value", "[Needle]", &[r#"{"a":{"b":["a needle."]}}"#], &[r#"{"a":"need"}"#]),
        ("one of several", "[one, two]", &[r#"{"a":"x","b":"two"}"#, r#"{"a":"one"}"#], &[r#"{"a":"three"}"#]),
        ("not in names of members", "[needle]", &[r#"{"a":"needle"}"#], &[r#"{"needle":"a"}"#]),
        ("with wildcards", "['n?ed*le']", &[r#"{"a":"a needed angle."}"#], &[r#"{"a":"nedle"}"#]),
        ("with escaped wildcards", r"['n\*d']", &[r#"{"a":"an*d"}"#], &[r#"{"a":"need"}"#]),
        (
            "all of them, wherever each stands",
            "{'|all': [one, two]}",
            &[r#"{"a":"one","b":["two"]}"#, r#"{"a":"two one"}"#],
            &[r#"{"a":"one"}"#],
        ),
        ("a number", "[4711]", &[r#"{"a":4711}"#, r#"{"a":"x4711y"}"#], &[r#"{"a":471}"#]),
        ("a boolean as it is written", "['true']", &[r#"{"a":true}"#], &[r#"{"a":false}"#, r#"{"true":1}"#]),
        ("a regex", "{'|re': ['n.+le$']}", &[r#"{"a":{"b":"a needle"}}"#], &[r#"{"a":"needles"}"#]),
        ("with `cased`", "{'|cased': ['Needle']}", &[r#"{"a":"a Needle."}"#], &[r#"{"a":"a needle."}"#]),
        ("a single keyword", "needle", &[r#"{"a":"a Needle."}"#], &[r#"{"a":"pin"}"#]),
        (
            "beside a selection",
            "words: [needle]\nselection: {a: x}\ncondition: words and selection",
            &[r#"{"a":"x","b":"needle"}"#],
            &[r#"{"a":"x"}"#, r#"{"b":"needle"}"#],
        ),
    ]);
}

#[test]
fn regexes_networks_and_encodings() {
    hold(&[
        ("a regex is looked for anywhere", "{a|re: 'b.d'}", &[r#"{"a":"abcde"}"#], &[r#"{"a":"bd"}"#, "{}"]),
        ("its case counts", "{a|re: B}", &[r#"{"a":"aB"}"#], &[r#"{"a":"ab"}"#]),
        ("`i`", "{a|re|i: '^b'}", &[r#"{"a":"Bc"}"#, r#"{"a":"bc"}"#], &[r#"{"a":"ab"}"#]),
        ("without `m`", "{a|re: '^b$'}", &[r#"{"a":"b"}"#], &[r#"{"a":"a\nb\nc"}"#]),
        ("`m`", "{a|re|m: '^b$'}", &[r#"{"a":"a\nb\nc"}"#], &[r#"{"a":"a\nbc"}"#]),
        ("without `s`", "{a|re: 'a.b'}", &[r#"{"a":"a-b"}"#], &[r#"{"a":"a\nb"}"#]),
        ("`s`", "{a|re|s: 'a.b'}", &[r#"{"a":"a\nb"}"#], &[r#"{"a":"ab"}"#]),
        ("flags together", "{a|re|i|m|s: '^b.c$'}", &[r#"{"a":"a\nB\nC"}"#], &[r#"{"a":"a\nB\nCd"}"#]),
        (
            "classes, groups, alternatives, counts",
            r"{a|re: '^(ab|c)[0-9]{2,3}\.x?$'}",
            &[r#"{"a":"ab12."}"#, r#"{"a":"c123.x"}"#],
            &[r#"{"a":"c1."}"#, r#"{"a":"c12x"}"#],
        ),
        (
            "`*` and `?` are the regex's own",
            r"{a|re: '^ab*c?$'}",
            &[r#"{"a":"abbb"}"#, r#"{"a":"ac"}"#],
            &[r#"{"a":"abd"}"#],
        ),
        ("all of several", "{a|re|all: ['^a', 'b$']}", &[r#"{"a":"a-b"}"#], &[r#"{"a":"a-c"}"#]),
        ("a regex on a number", "{a|re: '^4.$'}", &[r#"{"a":42}"#], &[r#"{"a":4}"#]),
        (
            "a network",
            "{a|cidr: 203.0.113.0/24}",
            &[r#"{"a":"203.0.113.255"}"#],
            &[r#"{"a":"203.0.114.0"}"#, r#"{"a":"203.0.113"}"#],
        ),
        (
            "one of several networks",
            "{a|cidr: [192.0.2.0/25, 203.0.113.0/24]}",
            &[r#"{"a":"192.0.2.1"}"#],
            &[r#"{"a":"192.0.2.200"}"#],
        ),
        (
            "IPv6",
            "{a|cidr: '2001:db8::/32'}",
            &[r#"{"a":"2001:0DB8::1"}"#],
            &[r#"{"a":"2001:db9::1"}"#, r#"{"a":"192.0.2.1"}"#],
        ),
        ("a single address", "{a|cidr: 192.0.2.7}", &[r#"{"a":"192.0.2.7"}"#], &[r#"{"a":"192.0.2.70"}"#]),
        (
            "all addresses, and nothing else",
            "{a|cidr: 0.0.0.0/0}",
            &[r#"{"a":"192.0.2.7"}"#],
            &[r#"{"a":"s3.amazonaws.com"}"#, r#"{"a":"AWS Internal"}"#, r#"{"a":"::1"}"#, r#"{"a":1}"#, "{}"],
        ),
        ("`base64`", "{a|base64: 'needle'}", &[r#"{"a":"bmVlZGxl"}"#], &[r#"{"a":"xbmVlZGxl"}"#, r#"{"a":"needle"}"#]),
        ("`base64` as a part", "{a|base64|contains: 'needle'}", &[r#"{"a":"xxxxbmVlZGxl="}"#], &[r#"{"a":"needle"}"#]),
        // "needle" after none, one and two bytes of a group of three.
        (
            "`base64offset`",
            "{a|base64offset|contains: 'needle'}",
            &[r#"{"a":"bmVlZGxlLg=="}"#, r#"{"a":"YW5lZWRsZS4="}"#, r#"{"a":"YWFuZWVkbGUu"}"#],
            &[r#"{"a":"bmVlZGxi"}"#],
        ),
        (
            "`base64offset` is about a part by itself",
            "{a|base64offset: 'needle'}",
            &[r#"{"a":"YW5lZWRsZS4="}"#],
            &[r#"{"a":"YW5lZWQu"}"#],
        ),
        ("an escaped star is encoded as a star", r"{a|base64: 'a\*b'}", &[r#"{"a":"YSpi"}"#], &[r#"{"a":"YVwqYg=="}"#]),
    ]);
}

#[test]
fn absence_and_existence() {
    hold(&[
        (
            "`null` is no value",
            "{a: null}",
            &["{}", r#"{"a":null}"#],
            &[r#"{"a":""}"#, r#"{"a":0}"#, r#"{"a":false}"#, r#"{"a":{}}"#, r#"{"a":[]}"#],
        ),
        (
            "`null` below something absent",
            "{a.b: null}",
            &["{}", r#"{"a":null}"#, r#"{"a":"x"}"#, r#"{"a":{}}"#, r#"{"a":[]}"#],
            &[r#"{"a":{"b":"x"}}"#],
        ),
        ("nothing or one of these", "{a: [null, x]}", &["{}", r#"{"a":"X"}"#, r#"{"a":null}"#], &[r#"{"a":"y"}"#]),
        ("`null` in an array", "{a: null}", &[r#"{"a":["x",null]}"#], &[r#"{"a":["x"]}"#]),
        (
            "`null` in a member of an array",
            "{a.b: null}",
            &[r#"{"a":[{"b":1},{"b":null}]}"#],
            &[r#"{"a":[{"b":1},{}]}"#],
        ),
        ("the word is not the value", "{a: 'null'}", &[r#"{"a":"NULL"}"#], &[r#"{"a":null}"#, "{}"]),
        (
            "`exists` asks for the member, whatever its value",
            "{a|exists: true}",
            &[
                r#"{"a":"x"}"#,
                r#"{"a":""}"#,
                r#"{"a":null}"#,
                r#"{"a":{}}"#,
                r#"{"a":[]}"#,
                r#"{"a":[null]}"#,
                r#"{"a":false}"#,
            ],
            &["{}", r#"{"b":1}"#],
        ),
        (
            "`exists: false`",
            "{a|exists: false}",
            &["{}", r#"{"b":1}"#],
            &[r#"{"a":null}"#, r#"{"a":[]}"#, r#"{"a":"x"}"#],
        ),
        (
            "`exists` below",
            "{a.b|exists: true}",
            &[r#"{"a":{"b":null}}"#, r#"{"a":[{},{"b":1}]}"#],
            &[r#"{"a":null}"#, r#"{"a":{}}"#, r#"{"a":"b"}"#, r#"{"a":[]}"#],
        ),
        ("`exists` in quotes", "{a|exists: 'False'}", &["{}"], &[r#"{"a":1}"#]),
        (
            "not null",
            "selection: {a: null}\ncondition: not selection",
            &[r#"{"a":""}"#, r#"{"a":{}}"#],
            &["{}", r#"{"a":null}"#],
        ),
    ]);
}

#[test]
fn numbers_booleans_and_times() {
    hold(&[
        (
            "a number is the number, or its digits",
            "{a: 5}",
            &[r#"{"a":5}"#, r#"{"a":5.0}"#, r#"{"a":"5"}"#],
            &[r#"{"a":50}"#, r#"{"a":"05"}"#, r#"{"a":"5.0"}"#, r#"{"a":true}"#],
        ),
        ("digits are the number", "{a: '5'}", &[r#"{"a":5}"#, r#"{"a":"5"}"#], &[r#"{"a":50}"#, r#"{"a":"05"}"#]),
        (
            "a float",
            "{a: 1.5}",
            &[r#"{"a":1.5}"#, r#"{"a":"1.5"}"#, r#"{"a":15e-1}"#],
            &[r#"{"a":1}"#, r#"{"a":1.51}"#],
        ),
        ("a negative number", "{a: -3}", &[r#"{"a":-3}"#, r#"{"a":"-3"}"#], &[r#"{"a":3}"#]),
        (
            "an account id",
            "{a: 111122223333}",
            &[r#"{"a":"111122223333"}"#, r#"{"a":111122223333}"#],
            &[r#"{"a":"111122223334"}"#],
        ),
        (
            "an account id that begins with 0",
            "{a: '012345678901'}",
            &[r#"{"a":"012345678901"}"#],
            &[r#"{"a":"12345678901"}"#, r#"{"a":12345678901}"#],
        ),
        (
            "numbers that a float cannot tell apart",
            "{a: 9007199254740993}",
            &[r#"{"a":9007199254740993}"#, r#"{"a":"9007199254740993"}"#],
            &[r#"{"a":9007199254740992}"#],
        ),
        (
            "a number beyond 63 bits",
            "{a: '18446744073709551615'}",
            &[r#"{"a":18446744073709551615}"#],
            &[r#"{"a":18446744073709551614}"#],
        ),
        (
            "`lt`",
            "{a|lt: 10}",
            &[r#"{"a":9}"#, r#"{"a":"9"}"#, r#"{"a":9.99}"#, r#"{"a":-10}"#],
            &[r#"{"a":10}"#, r#"{"a":"x"}"#, r#"{"a":null}"#, "{}", r#"{"a":true}"#],
        ),
        ("`lte`", "{a|lte: 10}", &[r#"{"a":10}"#], &[r#"{"a":10.01}"#]),
        (
            "`gt` is about numbers, not about texts",
            "{a|gt: '9'}",
            &[r#"{"a":"10"}"#, r#"{"a":9.5}"#],
            &[r#"{"a":9}"#, r#"{"a":"1"}"#],
        ),
        ("`gte` with a float", "{a|gte: 1.5}", &[r#"{"a":1.5}"#, r#"{"a":[0,2]}"#], &[r#"{"a":1.4}"#]),
        (
            "neither infinity nor NaN are numbers",
            "{a|gt: 5}",
            &[r#"{"a":"6e3"}"#],
            &[r#"{"a":"inf"}"#, r#"{"a":"NaN"}"#],
        ),
        ("`neq` with a number", "{a|neq: 5}", &[r#"{"a":6}"#], &[r#"{"a":5}"#, r#"{"a":"5"}"#]),
        (
            "a boolean, as CloudTrail writes it here and there",
            "{a: true}",
            &[r#"{"a":true}"#, r#"{"a":"true"}"#, r#"{"a":"True"}"#],
            &[r#"{"a":false}"#, r#"{"a":1}"#, r#"{"a":"1"}"#, r#"{"a":"yes"}"#, "{}"],
        ),
        ("the word is the boolean", "{a: 'True'}", &[r#"{"a":true}"#, r#"{"a":"TRUE"}"#], &[r#"{"a":false}"#]),
        (
            "false is not nothing",
            "{a: false}",
            &[r#"{"a":false}"#, r#"{"a":"False"}"#],
            &["{}", r#"{"a":null}"#, r#"{"a":""}"#, r#"{"a":0}"#],
        ),
        ("`minute`", "{a|minute: 7}", &[r#"{"a":"2026-11-22T09:07:31Z"}"#], &[r#"{"a":"2026-11-22T07:09:31Z"}"#]),
        (
            "`hour`",
            "{a|hour: [22, 23]}",
            &[r#"{"a":"2026-11-22T23:07:31.123Z"}"#],
            &[r#"{"a":"2026-11-22T21:07:31Z"}"#],
        ),
        (
            "`hour` with `gte`",
            "{a|hour|gte: 20}",
            &[r#"{"a":"2026-11-22T20:00:00Z"}"#],
            &[r#"{"a":"2026-11-22T19:59:59Z"}"#],
        ),
        (
            "`hour` as it is written",
            "{a|hour: 9}",
            &[r#"{"a":"2026-11-22T09:00:00+02:00"}"#],
            &[r#"{"a":"2026-11-22T07:00:00Z"}"#],
        ),
        (
            "`day`",
            "{a|day: 22}",
            &[r#"{"a":"2026-11-22T09:07:31Z"}"#],
            &[r#"{"a":"2026-11-21T22:22:22Z"}"#, r#"{"a":"22"}"#, r#"{"a":22}"#, "{}"],
        ),
        ("`month`", "{a|month: '11'}", &[r#"{"a":"2026-11-22T09:07:31Z"}"#], &[r#"{"a":"2026-12-11T11:11:11Z"}"#]),
        (
            "`year`",
            "{a|year: 2026}",
            &[r#"{"a":"2026-11-22T09:07:31Z"}"#],
            &[r#"{"a":"2025-11-22T09:07:31Z"}"#, r#"{"a":"2026"}"#],
        ),
    ]);
}

#[test]
fn fields_against_fields() {
    hold(&[
        (
            "`fieldref`",
            "{a|fieldref: b}",
            &[r#"{"a":"X","b":"x"}"#, r#"{"a":5,"b":"5"}"#],
            &[r#"{"a":"x","b":"y"}"#, r#"{"a":"b"}"#],
        ),
        (
            "a field that is not there equals nothing",
            "{a|fieldref: b}",
            &[r#"{"a":"x","b":"x"}"#],
            &["{}", r#"{"a":null,"b":null}"#, r#"{"b":"x"}"#],
        ),
        ("with a path", "{a.b|fieldref: c.d}", &[r#"{"a":{"b":"x"},"c":{"d":"x"}}"#], &[r#"{"a":{"b":"x"},"c":"x"}"#]),
        ("with `cased`", "{a|fieldref|cased: b}", &[r#"{"a":"x","b":"x"}"#], &[r#"{"a":"X","b":"x"}"#]),
        ("with `contains`", "{a|fieldref|contains: b}", &[r#"{"a":"xYz","b":"y"}"#], &[r#"{"a":"y","b":"xyz"}"#]),
        ("with `startswith`", "{a|fieldref|startswith: b}", &[r#"{"a":"xyz","b":"X"}"#], &[r#"{"a":"xyz","b":"z"}"#]),
        ("with `endswith`", "{a|fieldref|endswith: b}", &[r#"{"a":"xyz","b":"Z"}"#], &[r#"{"a":"xyz","b":"x"}"#]),
        (
            "wildcards in records are no wildcards",
            "{a|fieldref: b}",
            &[r#"{"a":"x*","b":"x*"}"#],
            &[r#"{"a":"xyz","b":"x*"}"#],
        ),
        (
            "any member of either",
            "{a|fieldref: b}",
            &[r#"{"a":["x","y"],"b":["z","y"]}"#],
            &[r#"{"a":["x"],"b":["y"]}"#],
        ),
        ("one of several fields", "{a|fieldref: [b, c]}", &[r#"{"a":"x","c":"x"}"#], &[r#"{"a":"x","d":"x"}"#]),
        (
            "all of several fields",
            "{a|fieldref|all: [b, c]}",
            &[r#"{"a":"x","b":"x","c":"x"}"#],
            &[r#"{"a":"x","b":"x"}"#],
        ),
        ("with `neq`", "{a|fieldref|neq: b}", &[r#"{"a":"x","b":"y"}"#, r#"{"a":"x"}"#], &[r#"{"a":"x","b":"x"}"#]),
    ]);
}

#[test]
fn paths_and_arrays() {
    hold(&[
        (
            "a path",
            "{a.b.c: x}",
            &[r#"{"a":{"b":{"c":"x"}}}"#],
            &[r#"{"a":{"c":"x"}}"#, r#"{"a":{"b":"x"}}"#, r#"{"a.b.c":"x"}"#],
        ),
        ("any member of an array", "{a: x}", &[r#"{"a":["y","x"]}"#], &[r#"{"a":["y"]}"#, r#"{"a":[]}"#]),
        (
            "an array on the way",
            "{a.b.c: x}",
            &[r#"{"a":[{"b":{"c":"y"}},{"b":[{},{"c":"x"}]}]}"#],
            &[r#"{"a":[{"b":{"c":"y"}},{"b":{"d":"x"}}]}"#],
        ),
        ("an array in an array", "{a.b: x}", &[r#"{"a":[[{"b":"y"}],[{"b":["x"]}]]}"#], &[r#"{"a":[["x"]]}"#]),
        (
            "two lines may be satisfied by two members",
            "{a.b: x, a.c: y}",
            &[r#"{"a":[{"b":"x"},{"c":"y"}]}"#],
            &[r#"{"a":[{"b":"x"}]}"#],
        ),
        ("a number is not an index", "{a.0: x}", &[r#"{"a":{"0":"x"}}"#], &[r#"{"a":["x"]}"#]),
        ("an object is no text", "{a|contains: x}", &[r#"{"a":["x"]}"#], &[r#"{"a":{"x":"x"}}"#]),
        (
            "a field and what is below it",
            "one: {a: x}\ntwo: {a.b: x}\ncondition: one or two",
            &[r#"{"a":"x"}"#, r#"{"a":{"b":"x"}}"#, r#"{"a":[{"b":"x"}]}"#],
            &[r#"{"a":{"c":"x"}}"#],
        ),
        (
            "objects and arrays of every kind",
            "{a.b: [5, true]}",
            &[r#"{"a":[{"b":5}]}"#, r#"{"a":{"b":[null,"True"]}}"#],
            &[r#"{"a":[{"b":[{"b":5}]}]}"#, r#"{"a":5}"#],
        ),
    ]);
}

#[test]
fn conditions() {
    const NONE: &str = r#"{"a":"y"}"#;
    const A: &str = r#"{"a":"x"}"#;
    const B: &str = r#"{"b":"x"}"#;
    const C: &str = r#"{"c":"x"}"#;
    const TWO: &str = r#"{"a":"x","b":"x"}"#;
    let three = "s_a: {a: x}\ns_b: {b: x}\n_c: {c: x}\ncondition: ";
    // Which of: nothing, a alone, b alone, c alone, a and b.
    for (condition, expected) in [
        ("s_a", [false, true, false, false, true]),
        ("not s_a", [true, false, true, true, false]),
        ("s_a and s_b", [false, false, false, false, true]),
        ("s_a or s_b", [false, true, true, false, true]),
        ("s_a and not s_b", [false, true, false, false, false]),
        ("not s_a and s_b", [false, false, true, false, false]),
        ("not (s_a and s_b)", [true, true, true, true, false]),
        ("not s_a or s_b", [true, false, true, true, true]),
        ("not not s_a", [false, true, false, false, true]),
        ("_c or s_a and s_b", [false, false, false, true, true]),
        ("s_a and s_b or _c", [false, false, false, true, true]),
        ("s_a and (s_b or _c)", [false, false, false, false, true]),
        ("(s_a or _c) and not s_b", [false, true, false, true, false]),
        ("((s_a))", [false, true, false, false, true]),
        ("1 of s_*", [false, true, true, false, true]),
        ("any of s_*", [false, true, true, false, true]),
        ("all of s_*", [false, false, false, false, true]),
        ("2 of s_*", [false, false, false, false, true]),
        ("1 of them", [false, true, true, false, true]),
        ("all of them", [false, false, false, false, true]),
        ("2 of them", [false, false, false, false, true]),
        ("3 of them", [false, false, false, false, false]),
        ("1 of *_a", [false, true, false, false, true]),
        ("1 of _*", [false, false, false, true, false]),
        ("1 of *", [false, true, true, true, true]),
        ("not 1 of s_*", [true, false, false, true, false]),
        ("_c or all of s_*", [false, false, false, true, true]),
        ("1 of s_* and not all of s_*", [false, true, true, false, false]),
    ] {
        for (record, expected) in [NONE, A, B, C, TWO].into_iter().zip(expected) {
            assert_eq!(judge(&format!("{three}{condition}"), record), decided(expected), "{condition} on {record}");
        }
    }
    hold(&[
        ("several conditions are as many rules", "one: {a: x}\ntwo: {b: x}\ncondition: [one, two]", &[A, B], &[NONE]),
        ("maps in a list", "- {a: x, b: x}\n- {c: x}", &[TWO, C], &[A, B]),
        ("lists of maps below `not`", "one: [{a: x}, {b: x}]\ncondition: not one", &[NONE, C], &[A, B, TWO]),
        (
            "`1 of` counts selections, not lines",
            "one: [{a: x}, {b: x}]\ntwo: {c: x}\ncondition: 2 of them",
            &[r#"{"a":"x","c":"x"}"#],
            &[TWO],
        ),
        ("a name like an operator", "order: {a: x}\nnothing: {b: x}\ncondition: order or nothing", &[A, B], &[C]),
    ]);
}

/// Records of an operation that requires `guardrailIdentifier`, and of one that nobody has classified.
fn sent(operation: &str, request: &str) -> String {
    format!(r#"{{"eventSource":"bedrock.amazonaws.com","eventName":"{operation}","requestParameters":{request}}}"#)
}

#[test]
fn what_is_not_visible_is_a_third_answer() {
    const NO: Verdict = Verdict { matches: false, undecided: false };
    const YES: Verdict = Verdict { matches: true, undecided: false };
    const HIDDEN: Verdict = Verdict { matches: false, undecided: true };
    const MATCHES_UNDECIDED: Verdict = Verdict { matches: true, undecided: true };
    let x = "requestParameters.x";
    let id = "requestParameters.guardrailIdentifier";
    let [hidden, stars, redacted] = ["HIDDEN_DUE_TO_SECURITY_REASONS", "***", "REDACTED"]
        .map(|word| sent("Some", &format!(r#"{{"x":"{word}","y":"z"}}"#)));
    let above = sent("Some", r#""HIDDEN_DUE_TO_SECURITY_REASONS""#);
    let between = sent("Some", r#"{"x":{"a":"***"}}"#);
    let omitted = sent("Some", r#"{"omitted":true,"originalSize":281048,"reason":"too large"}"#);
    let omitted_below = sent("Some", r#"{"x":{"omitted":true},"y":"z"}"#);
    let not_omitted = sent("Some", r#"{"omitted":false,"y":"z"}"#);
    let in_list = sent("Some", r#"{"x":["***","b"]}"#);
    let null = sent("Some", "null");
    let required = sent("DeleteGuardrail", "null");
    let required_null = sent("DeleteGuardrail", r#"{"guardrailIdentifier":null}"#);
    let shown = sent("DeleteGuardrail", r#"{"guardrailIdentifier":"gr4example7k2"}"#);
    let answer = r#"{"responseElements":{"x":"***"}}"#;
    let elsewhere = r#"{"userIdentity":{"userName":"***"},"x":"REDACTED"}"#;
    let selections = |condition: &str| {
        format!(
            "hidden: {{{x}: secret}}\nyes: {{requestParameters.y: z}}\nno: {{requestParameters.y: w}}\ncondition: {condition}"
        )
    };
    let mut wrong = Vec::new();
    for (shows, detection, record, expected) in [
        ("a hidden literal", format!("{{{x}: secret}}"), hidden.as_str(), HIDDEN),
        ("another", format!("{{{x}: secret}}"), &stars, HIDDEN),
        ("another", format!("{{{x}: secret}}"), &redacted, HIDDEN),
        ("in an answer", "{responseElements.x: secret}".to_owned(), answer, HIDDEN),
        ("a list of values", format!("{{{x}: [secret, other]}}"), &stars, HIDDEN),
        ("a part", format!("{{{x}|contains: e}}"), &stars, HIDDEN),
        ("any value, which there was", format!("{{{x}|contains: '*'}}"), &stars, YES),
        ("any value below, of which nothing is known", format!("{{{x}.a: '*'}}"), &stars, HIDDEN),
        ("a regex", format!("{{{x}|re: '.'}}"), &stars, HIDDEN),
        ("a network", format!("{{{x}|cidr: 0.0.0.0/0}}"), &stars, HIDDEN),
        ("an order", format!("{{{x}|gt: 1}}"), &stars, HIDDEN),
        ("a time", format!("{{{x}|hour: 1}}"), &stars, HIDDEN),
        ("another field", format!("{{{x}|fieldref: requestParameters.y}}"), &stars, HIDDEN),
        ("from another field", format!("{{requestParameters.y|fieldref: {x}}}"), &stars, HIDDEN),
        ("nothing", format!("{{{x}: null}}"), &stars, HIDDEN),
        ("`neq` is a `not`", format!("{{{x}|neq: secret}}"), &stars, MATCHES_UNDECIDED),
        ("what stands in place of a value shows that there is one", format!("{{{x}|exists: true}}"), &stars, YES),
        ("what stands in place of a value shows that there is one", format!("{{{x}|exists: false}}"), &stars, NO),
        ("the very words", format!("{{{x}: HIDDEN_due_to_security_reasons}}"), &hidden, YES),
        ("the very words", format!(r"{{{x}: '\*\*\*'}}"), &stars, YES),
        ("the very words, as a part", format!("{{{x}|contains: redacted}}"), &redacted, YES),
        ("not a part of the words", format!("{{{x}|contains: hidden}}"), &hidden, HIDDEN),
        ("what stands beside it is visible", "{requestParameters.y: w}".to_owned(), &stars, NO),
        ("above: a value", format!("{{{x}: secret}}"), &above, HIDDEN),
        ("above: existence", format!("{{{x}|exists: true}}"), &above, HIDDEN),
        ("above: absence", format!("{{{x}|exists: false}}"), &above, HIDDEN),
        ("above: nothing", format!("{{{x}: null}}"), &above, HIDDEN),
        ("between: deeper", format!("{{{x}.a.b: secret}}"), &between, HIDDEN),
        ("between: a neighbour", format!("{{{x}.c: secret}}"), &between, NO),
        ("omitted: a value", format!("{{{x}: secret}}"), &omitted, HIDDEN),
        (
            "a list called omitted",
            "{requestParameters.omitted: true}".to_owned(),
            &sent("Some", r#"{"omitted":["other",true]}"#),
            YES,
        ),
        ("omitted: nothing", format!("{{{x}: null}}"), &omitted, HIDDEN),
        ("omitted: existence", format!("{{{x}|exists: true}}"), &omitted, HIDDEN),
        ("omitted below: inside", format!("{{{x}.a: secret}}"), &omitted_below, HIDDEN),
        ("omitted below: outside", "{requestParameters.y: w}".to_owned(), &omitted_below, NO),
        ("not omitted", format!("{{{x}: secret}}"), &not_omitted, NO),
        ("`omitted` can be asked for", "{requestParameters.omitted: true}".to_owned(), &omitted, YES),
        ("one of a list is shown", format!("{{{x}: b}}"), &in_list, YES),
        ("one of a list is not", format!("{{{x}: c}}"), &in_list, HIDDEN),
        ("nothing was sent", format!("{{{x}: null}}"), &null, YES),
        ("nothing was sent", format!("{{{x}|exists: false}}"), &null, YES),
        ("nothing was sent", format!("{{{x}: secret}}"), &null, NO),
        ("required and missing: a value", format!("{{{id}: secret}}"), &required, HIDDEN),
        ("required and missing: nothing", format!("{{{id}: null}}"), &required, HIDDEN),
        ("required and missing: absence", format!("{{{id}|exists: false}}"), &required, HIDDEN),
        ("required and missing: below", format!("{{{id}.x: secret}}"), &required, HIDDEN),
        ("required and null", format!("{{{id}: null}}"), &required_null, HIDDEN),
        ("optional and missing", "{requestParameters.guardrailVersion: null}".to_owned(), &required, YES),
        ("required and shown", format!("{{{id}: other}}"), &shown, NO),
        ("required and shown", format!("{{{id}: GR4*}}"), &shown, YES),
        ("a user may be called so", "{userIdentity.userName: root}".to_owned(), elsewhere, NO),
        ("a user may be called so", r"{userIdentity.userName: '\*\*\*'}".to_owned(), elsewhere, YES),
        ("a user may be called so", "{x|startswith: red}".to_owned(), elsewhere, YES),
        ("a keyword", "[secret]".to_owned(), &hidden, HIDDEN),
        ("a keyword is not a part of the words", "[security]".to_owned(), &hidden, HIDDEN),
        ("a keyword may be the very words", "[REDACTED]".to_owned(), &redacted, YES),
        ("a keyword elsewhere", "[bedrock]".to_owned(), &hidden, YES),
        ("a keyword in what was omitted", "[secret]".to_owned(), &omitted, HIDDEN),
        ("a keyword in what is required", "[secret]".to_owned(), &required, HIDDEN),
        ("a keyword where all is shown", "[secret]".to_owned(), &shown, NO),
        ("a keyword where all is shown", "[secret]".to_owned(), elsewhere, NO),
        ("not", selections("not hidden"), &stars, MATCHES_UNDECIDED),
        ("not not", selections("not not hidden"), &stars, HIDDEN),
        (
            "an exception silences nothing that it cannot see",
            selections("yes and not hidden"),
            &stars,
            MATCHES_UNDECIDED,
        ),
        ("and true", selections("hidden and yes"), &stars, HIDDEN),
        ("and false", selections("hidden and no"), &stars, NO),
        ("and false, the other way round", selections("no and hidden"), &stars, NO),
        ("or true", selections("hidden or yes"), &stars, YES),
        ("or false", selections("hidden or no"), &stars, HIDDEN),
        ("not and", selections("not (hidden and yes)"), &stars, MATCHES_UNDECIDED),
        ("not and false", selections("not (hidden and no)"), &stars, YES),
        ("not or", selections("not (hidden or no)"), &stars, MATCHES_UNDECIDED),
        ("or not", selections("no or not hidden"), &stars, MATCHES_UNDECIDED),
        ("1 of them", selections("1 of them"), &stars, YES),
        ("2 of them", selections("2 of them"), &stars, HIDDEN),
        ("3 of them", selections("3 of them"), &stars, NO),
        ("all of them", selections("all of them"), &stars, NO),
        ("not 2 of them", selections("not 2 of them"), &stars, MATCHES_UNDECIDED),
        ("several conditions", selections("[hidden, no]"), &stars, HIDDEN),
        ("several conditions", selections("[hidden, yes]"), &stars, YES),
        ("all values of a list", format!("{{{x}|contains|all: [b, c]}}"), &in_list, HIDDEN),
    ] {
        let verdict = judge(&detection, record);
        if verdict != expected {
            wrong.push(format!("{shows}: {detection} on {record}: {verdict:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_rule_says_what_it_does_with_what_is_not_visible() {
    let record = sent("Some", r#"{"x":"***","y":"z"}"#);
    let detection = "one: {requestParameters.x: secret}\ntwo: {requestParameters.y: z}\ncondition: one and two";
    for (attribute, fires) in [("", false), ("when_hidden: ignore\n", false), ("when_hidden: alert\n", true)] {
        let text = rule(detection) + attribute;
        let loaded = RuleSet::load_only([RuleFile { path: "mine.yml".to_owned(), text, origin: Origin::Outside }]);
        let mut question = loaded.rule_set.read(record.as_bytes()).unwrap();
        assert_eq!(question.fires(0), fires, "{attribute}");
        assert_eq!(question.not_visible(0), ["requestParameters.x"]);
        let said = question.explain(0);
        assert_eq!(said, ["one: `requestParameters.x: secret`: the field is not visible"]);
    }
}

#[test]
fn an_explanation_names_the_part_that_says_no() {
    for (detection, record, expected) in [
        ("{a: x, b: y}", r#"{"a":"z","b":"y"}"#, "selection: `a: x`: the field holds \"z\""),
        ("{a: [x, y]}", r#"{"a":["z",1,null]}"#, "selection: `a: x, y`: the field holds \"z\", 1, null"),
        ("{a|contains|all: [x, y]}", r#"{"a":"x"}"#, "selection: `a|contains|all: y`: the field holds \"x\""),
        ("{a: x}", r#"{"a":["","null",null,true]}"#, "selection: `a: x`: the field holds \"\", \"null\", null, true"),
        (
            "{a: ['', null, 'null', 'x, y', -]}",
            r#"{"a":"z"}"#,
            "selection: `a: '', null, 'null', 'x, y', -`: the field holds \"z\"",
        ),
        ("{a: x}", "{}", "selection: `a: x`: the field is absent"),
        ("{a: x}", r#"{"a":{}}"#, "selection: `a: x`: the field is an object or an empty list"),
        ("{a|neq: x}", r#"{"a":"x"}"#, "selection: `a|neq: x`: the field holds \"x\""),
        ("one: {a: x}\ncondition: not one", r#"{"a":"x"}"#, "one: `a: x`: the field holds \"x\""),
        ("[needle]", r#"{"a":"x"}"#, "selection: keywords needle is not as it should be"),
    ] {
        let loaded = load(detection);
        let mut question = loaded.rule_set.read(record.as_bytes()).unwrap();
        assert_eq!(question.explain(0), [expected], "{detection} on {record}");
    }
}

/// Each of these would have to be guessed at; each is refused with the sentence that says so.
#[test]
fn what_cannot_be_meant_is_refused() {
    for (detection, expected) in [
        ("{a|contains|startswith: x}", "`a|contains|startswith` combines modifiers that do not go together"),
        ("{a|re|contains: x}", "`a|re|contains` combines modifiers that do not go together"),
        ("{a|re|cidr: x}", "`a|re|cidr` combines modifiers that do not go together"),
        ("{a|re|cased: x}", "`a|re|cased` combines modifiers that do not go together"),
        ("{a|i: x}", "`a|i` combines modifiers that do not go together"),
        ("{a|cidr|base64: x}", "`a|cidr|base64` combines modifiers that do not go together"),
        ("{a|gt|lt: 1}", "`a|gt|lt` combines modifiers that do not go together"),
        ("{a|gt|contains: 1}", "`a|gt|contains` combines modifiers that do not go together"),
        ("{a|hour|day: 1}", "`a|hour|day` combines modifiers that do not go together"),
        ("{a|hour|contains: 1}", "`a|hour|contains` combines modifiers that do not go together"),
        ("{a|exists|all: [true, false]}", "`a|exists|all` combines modifiers that do not go together"),
        ("{a|exists|neq: true}", "`a|exists|neq` combines modifiers that do not go together"),
        ("{'|exists': true}", "`|exists` combines modifiers that do not go together"),
        ("{'|cidr': 10.0.0.0/8}", "`|cidr` combines modifiers that do not go together"),
        ("{a|base64|base64offset: x}", "`a|base64|base64offset` combines modifiers that do not go together"),
        ("{a|contains|all: x}", "`a|contains|all` uses `all` with a single value"),
        ("{'|all': [x]}", "`|all` uses `all` with a single value"),
        ("{a|exists: perhaps}", "`a|exists` wants `true` or `false`"),
        ("{a|exists: [true, false]}", "`a|exists` wants `true` or `false`"),
        ("{a|fieldref: 5}", "`a|fieldref` wants the name of another field, without wildcards"),
        ("{a|fieldref: 'b*'}", "`a|fieldref` wants the name of another field, without wildcards"),
        ("{a|cidr: 10.0.0.0/33}", "`a|cidr` holds `10.0.0.0/33`, which is no network"),
        ("{a|cidr: 5}", "`a|cidr` holds `5`, which is no network"),
        ("{a|gt: much}", "`a|gt` holds `much`, which is no number"),
        ("{a|gt: .inf}", "which is no number"),
        ("{a|gt: null}", "which is no number"),
        ("{a|hour: noon}", "`a|hour` holds `noon`, which is no number"),
        ("{a|re: 5}", "`a|re` wants a regular expression in quotes"),
        ("{a|re: '(a'}", "`a|re` holds a regular expression that cannot be used here (unclosed group)"),
        ("{a|re: '(?=a)'}", "look-around"),
        (r"{a|re: '(a)\1'}", "backreferences"),
        ("{a|re: '(((a{100}){100}){100})'}", "Compiled regex exceeds size limit"),
        ("{a|contains: null}", "`a|contains` looks for `null` in a text"),
        ("{a|base64: 'x*'}", "`a|base64` encodes text, and text without wildcards alone"),
        ("{a|base64: 5}", "`a|base64` encodes text, and text without wildcards alone"),
        (
            "{a|base64offset|contains: x}",
            "`a|base64offset|contains` holds a text too short to be recognised at every offset",
        ),
        ("[null]", "a keyword is `null`"),
        ("{a|week: 5}", "uses `week`, which Sigma does not define exactly"),
        ("one: {a: x}\ncondition: 1 of two_*", "`1 of two_*` in its condition selects nothing"),
        ("_one: {a: x}\ncondition: 1 of them", "`1 of them` in its condition selects nothing"),
        ("one: {a: x}\ncondition: one and two", "its condition names `two`, which is not there"),
    ] {
        let loaded = load(detection);
        let [refused] = loaded.refused.as_slice() else { panic!("{detection} is not refused") };
        assert!(refused.problem.contains(expected), "{detection}: {}", refused.problem);
        assert!(!refused.remedy.is_empty() && loaded.rule_set.rules().is_empty(), "{detection}");
    }
}
