//! Logs such as nobody should write: escapes in names and values, records inside of strings, decoys below other members, names
//! that are missing or there twice, quotes and backslashes around every edge, in members and pieces of any size. Knows no rule.

use std::io::Write as _;

use flate2::{Compression, GzBuilder};

use crate::dice::Dice;

/// A log whose records are known.
#[derive(Debug)]
pub struct Hostile {
    /// Each as it stands in the document.
    pub records: Vec<Vec<u8>>,
    /// The whole document.
    pub document: Vec<u8>,
    /// The document, packed.
    pub packed: Vec<u8>,
    /// How many bytes are pushed at once.
    pub piece: usize,
    /// Some record is no JSON. The document's braces, brackets and quotes are balanced all the same.
    pub malformed: bool,
}

/// A log of a few records; now and then of so many that no window of a decoder holds them.
#[must_use]
pub fn log(dice: &mut Dice<'_>) -> Hostile {
    let mut malformed = false;
    let mut records: Vec<Vec<u8>> = (0..dice.below(7)).map(|_| record(dice, &mut malformed)).collect();
    if dice.one_in(200) && !records.is_empty() {
        records = records.iter().cycle().take(records.len() * 60).cloned().collect();
    }
    let mut parts: Vec<&[u8]> = vec![b"", b"{"];
    if dice.one_in(10) {
        parts.push(dice.of(&[br#""before":{"Records":[{"eventSource":"x"}]},"#.as_slice(), br#""Record":["\"}]"],"#]));
    }
    parts.extend([dice.of(&[br#""Records""#.as_slice(), br#""\u0052ecords""#]), b":", b"["]);
    for (number, record) in records.iter().enumerate() {
        if number > 0 {
            parts.push(b",");
        }
        parts.push(record);
    }
    parts.push(b"]");
    if dice.one_in(10) {
        parts.push(br#","after":[{"Records":[{}]}]"#);
    }
    parts.push(b"}");
    let document = parts.into_iter().flat_map(|part| [part, blank(dice).as_bytes()].concat()).collect::<Vec<u8>>();
    let packed = packed(dice, &document);
    let piece = dice.of(&[1, 2, 3, 7, 61, 63, 64, 65, 127, 128, 1024, 65_536, usize::MAX]);
    Hostile { records, document, packed, piece, malformed }
}

fn packed(dice: &mut Dice<'_>, document: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut rest = document;
    let members = if dice.one_in(4) { 1 + dice.below(4) } else { 1 };
    for member in 1..=members {
        let length = if member == members { rest.len() } else { dice.below(rest.len() + 1) };
        let (text, after) = rest.split_at(length);
        rest = after;
        let mut header = GzBuilder::new();
        if dice.one_in(4) {
            header = header.filename("a log.json");
        }
        if dice.one_in(8) {
            header = header.comment("written by hand").extra(vec![0, 1, 2, 3]);
        }
        let level = Compression::new(dice.of(&[6, 0, 1, 9]));
        let mut encoder = header.write(&mut packed, level);
        let cut = dice.below(text.len() + 1);
        encoder.write_all(&text[..cut]).unwrap();
        if dice.one_in(4) {
            encoder.flush().unwrap();
        }
        encoder.write_all(&text[cut..]).unwrap();
        encoder.finish().unwrap();
    }
    packed
}

const BLANKS: [&str; 8] =
    ["", "", "", "", " ", "\n", "\t \r\n", "                                                                 "];

fn blank(dice: &mut Dice<'_>) -> &'static str {
    BLANKS[dice.below(BLANKS.len())]
}

const SOURCES: &[&str] = &[
    "s3.amazonaws.com",
    "bedrock.amazonaws.com",
    "bedrock.amazonaws.com",
    "sts.amazonaws.com",
    "BEDROCK.amazonaws.com",
    "bedrock-agentcore.amazonaws.com",
    "cloudtrail.amazonaws.com",
    "iam.amazonaws.com",
    "bedroc\u{212a}.amazonaws.com",
    "bedrock-new.amazonaws.com",
    "",
];

const NAMES: &[&str] = &[
    "ListBuckets",
    "DeleteGuardrail",
    "deleteguardrail",
    "UpdateGuardrail",
    "InvokeModel",
    "AssumeRole",
    "StopLogging",
    "DeleteTrail",
    "PutEventSelectors",
    "CreateServiceSpecificCredential",
    "CreateUser",
    "PutModelInvocationLoggingConfiguration",
    "CreateModelCustomizationJob",
    "UpdateDataSource",
    "NobodyKnowsThis",
    "",
];

/// One record, mostly an object.
fn record(dice: &mut Dice<'_>, malformed: &mut bool) -> Vec<u8> {
    if dice.one_in(25) {
        let no_object =
            ["7", "null", "-1.5e3", "\"a record, {}\"", "[[],{}]", "{}", r#"["bedrock.amazonaws.com","InvokeModel"]"#];
        return dice.of(&no_object).as_bytes().to_vec();
    }
    let mut members = names(dice);
    let mut more =
        vec![identity(dice), parameters(dice), text_member(dice, "userAgent"), text_member(dice, "errorMessage")];
    for (name, values) in [
        ("eventID", &["one", "two", "three", "four", "five"][..]),
        ("awsRegion", &["us-east-1", "eu-central-1"]),
        ("sourceIPAddress", &["203.0.113.1", "bedrock.amazonaws.com"]),
        ("errorCode", &["AccessDenied", "ValidationException"]),
        ("eventType", &["AwsApiCall", "AwsServiceEvent", "eventName"]),
        ("recipientAccountId", &["111122223333", "444455556666"]),
        ("eventTime", &["2026-11-22T09:15:00Z", "0001-01-01T00:00:00Z", "yesterday"]),
    ] {
        let value = dice.of(values);
        more.push((name.to_owned(), format!("\"{value}\"")));
    }
    more.push(("additionalEventData".to_owned(), any_value(dice, 3)));
    more.push((
        "readOnly".to_owned(),
        dice.of(&["true", "false", "\"true\"", "null", "1e400", "-0", "1234567890123456789012"]).to_string(),
    ));
    for member in more {
        if !dice.one_in(4) {
            members.push(member);
        }
    }
    // As CloudTrail writes them, or in any order.
    if dice.one_in(2) {
        for at in (1..members.len()).rev() {
            members.swap(at, dice.below(at + 1));
        }
    }
    let mut text = "{".to_owned();
    for (number, (name, value)) in members.iter().enumerate() {
        let comma = if number > 0 { "," } else { "" };
        let name = if dice.one_in(30) { escaped(dice, name) } else { name.clone() };
        for part in [comma, &format!("\"{name}\""), ":", value] {
            text.push_str(part);
            text.push_str(blank(dice));
        }
    }
    text.push('}');
    let mut bytes = text.into_bytes();
    if dice.one_in(40) {
        *malformed = true;
        spoil(dice, &mut bytes);
    } else if dice.one_in(60) {
        // No UTF-8, but only inside of a string: anybody can put it there.
        let place = bytes.windows(4).position(|place| place == b"AAAA");
        if let Some(place) = place {
            bytes[place + 1] = 0xff;
        }
    }
    bytes
}

/// Makes it no JSON, and leaves its strings, braces and brackets where they were.
fn spoil(dice: &mut Dice<'_>, bytes: &mut Vec<u8>) {
    let last = bytes.len() - 1;
    match dice.below(4) {
        0 => drop(bytes.splice(last..last, *b",\"x\":tru")),
        1 => drop(bytes.splice(last..last, *b",,")),
        2 => drop(bytes.splice(1..1, *b"\"x\":01,")),
        _ => drop(bytes.splice(1..1, *b"\"x\":\"\\q\",")),
    }
}

/// The two names: once each, as they should be, or otherwise.
fn names(dice: &mut Dice<'_>) -> Vec<(String, String)> {
    let mut members = Vec::new();
    for (name, values) in [("eventSource", SOURCES), ("eventName", NAMES)] {
        let mut times = 1;
        if dice.one_in(25) {
            times = dice.below(3);
        }
        for _ in 0..times {
            let value = dice.of(values);
            let value = if dice.one_in(20) { escaped(dice, value) } else { value.to_owned() };
            let value = if dice.one_in(40) { any_value(dice, 2) } else { format!("\"{value}\"") };
            members.push((name.to_owned(), value));
        }
    }
    members
}

fn identity(dice: &mut Dice<'_>) -> (String, String) {
    let user = dice.of(&[
        "jane.doe",
        "BedrockAPIKey-abcd",
        "bedrockapiKEY-abcd",
        "BedrockAPI\u{212a}ey-abcd",
        r"BedrockAPI\u004bey-abcd",
        r"\u0042edrockAPIKey-x",
        "not BedrockAPIKey-",
    ]);
    let kind = dice.of(&["AssumedRole", "IAMUser", "Root", "AWSService"]);
    let again = dice.of(&["", "", "", r#","arn":"arn:aws:iam::111122223333:user/jane.doe""#, r#","arn":{}"#]);
    let issuer = any_value(dice, 2);
    let name = if dice.one_in(20) { "userN\\u0061me" } else { "userName" };
    (
        "userIdentity".to_owned(),
        format!(
            r#"{{"type":"{kind}","arn":"arn:aws:iam::111122223333:user/{user}","accountId":"111122223333","{name}":"{user}","sessionContext":{{"sessionIssuer":{issuer}}}{again}}}"#
        ),
    )
}

fn parameters(dice: &mut Dice<'_>) -> (String, String) {
    let name = dice.of(&["requestParameters", "responseElements"]);
    let value = match dice.below(8) {
        0 => "null".to_owned(),
        1 => r#"{"omitted":true}"#.to_owned(),
        2 => r#"{"guardrailIdentifier":"HIDDEN_DUE_TO_SECURITY_REASONS","userName":"***"}"#.to_owned(),
        3 => r#"{"userName":"BedrockAPIKey-x","serviceName":"bedrock.amazonaws.com","guardrailIdentifier":"g"}"#
            .to_owned(),
        4 => r#"{"eventSource":"bedrock.amazonaws.com","eventName":"DeleteGuardrail","userIdentity":{"type":"Root"}}"#
            .to_owned(),
        5 => {
            let policy = r#"{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"444455556666\"},\"Action\":\"bedrock:*\"}}"#;
            format!(r#"{{"policyDocument":"{policy}","modelId":{},"x":{}}}"#, any_value(dice, 1), any_value(dice, 2))
        }
        6 => {
            let model = dice.of(&["eu.amazon.nova-pro-v1:0", "***", r"\u0061mazon.nova-lite-v1:0", "A.B"]);
            let other = any_value(dice, 1);
            format!(r#"{{"modelId":"{model}","roleArn":"arn:aws:iam::444455556666:role/a","model":{other}}}"#)
        }
        _ => any_value(dice, 4),
    };
    (name.to_owned(), value)
}

/// A text of any length, with whatever could be mistaken for a record in it.
fn text_member(dice: &mut Dice<'_>, name: &str) -> (String, String) {
    (name.to_owned(), format!("\"{}\"", text(dice)))
}

fn text(dice: &mut Dice<'_>) -> String {
    const PARTS: [&str; 17] = [
        "A",
        "AAAA",
        r"\\",
        r#"\""#,
        r#"\\\""#,
        r#"\",\"eventName\":\"DeleteGuardrail"#,
        r#"},{\"eventSource\":\"bedrock.amazonaws.com\"}]}"#,
        "{\u{fc}}",
        "[[[",
        "}}}",
        r"\n",
        r"\u0041",
        r"\ud83d\ude00",
        r"\ud83d",
        r"\ude00\ud83d",
        "BedrockAPIKey-",
        "\u{212a}",
    ];
    let mut text = "A".repeat(dice.of(&[0, 1, 9, 29, 30, 31, 32, 60, 61, 62, 63, 64, 65, 126, 127, 128, 129]));
    for _ in 0..dice.below(5) {
        text.push_str(dice.of(&PARTS));
    }
    text
}

/// Any JSON value, nested as deep as this.
fn any_value(dice: &mut Dice<'_>, depth: usize) -> String {
    match dice.below(if depth == 0 { 6 } else { 9 }) {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 => "-12.5e3".to_owned(),
        3..=5 => format!("\"{}\"", text(dice)),
        6 => format!("[{},{}]", any_value(dice, depth - 1), any_value(dice, depth - 1)),
        7 if dice.one_in(20) => format!("{}{}", "[".repeat(200), "]".repeat(200)),
        _ => {
            let name =
                dice.of(&["eventName", "eventSource", "arn", "userName", "omitted", "x", "\\\"", "event\\u004eame"]);
            format!("{{\"{name}\":{},\"y\":{}}}", any_value(dice, depth - 1), any_value(dice, depth - 1))
        }
    }
}

/// The same text with some of its characters written as escapes.
fn escaped(dice: &mut Dice<'_>, text: &str) -> String {
    let mut written = String::new();
    for character in text.chars() {
        if character.is_ascii() && character != '\\' && dice.one_in(3) {
            written.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            written.push(character);
        }
    }
    written
}
