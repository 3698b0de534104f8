//! Delivered logs that are damaged, odd or written to do harm: for each, what is found in it all the same, and what is reported.
//!
//! The same on generated logs, in pieces of any size, is held against the plain way in [`fast_and_plain`](crate::fast_and_plain).
//! Every cut and every fault of gzip is tried where the reader is: `shared/detection/src/delivered_log/reader/tests.rs`.
//! `make hostile` measures what the largest of these cost the real binary.

use std::io::Write as _;

use detection::{
    audit::{Audit, Audited},
    delivered_log::Encoding,
    finding::{Finding, Log},
};
use flate2::{Compression, GzBuilder, write::GzEncoder};
use serde_json::{Value, json};

use crate::{
    balance,
    samples::{BUCKET, BUILTIN, LIMIT, NOW_MS, delete_guardrail, document, gzip, key, log, ordinary},
};

const DELETED: &str = "Bedrock guardrail deleted (success)";
const DAMAGED: &str = "A CloudTrail log could not be audited to its end";
const UNREADABLE: &str = "Records of a CloudTrail log could not be read";

/// What was reported of a log.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    titles: Vec<String>,
    /// In total, matched, unreadable.
    records: (u64, u64, u64),
    damage: Option<&'static str>,
}

fn report(audited: &Audited) -> Report {
    let counts = &audited.records;
    balance::assert_records_hold(audited);
    Report {
        titles: audited.findings.iter().map(Finding::title).collect(),
        records: (counts.total, counts.matched, counts.unreadable),
        damage: audited.damage.as_ref().map(detection::delivered_log::Damage::kind),
    }
}

fn audit_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, encoding: Encoding, limit: u64) -> Audited {
    let log = Log { bucket: Some(BUCKET.to_owned()), key: key("hostile"), read_at_ms: NOW_MS };
    let mut audit = Audit::new(&BUILTIN, log, encoding, limit);
    for piece in pieces {
        // As the handler does: only what is too much is not read on.
        if !audit.push(piece) && audit.is_excess() {
            break;
        }
    }
    audit.finish()
}

fn read(packed: &[u8]) -> Report {
    report(&audit_pieces([packed], Encoding::Gzip, LIMIT))
}

fn found(titles: &[&str], records: (u64, u64, u64), damage: Option<&'static str>) -> Report {
    Report { titles: titles.iter().map(|title| (*title).to_owned()).collect(), records, damage }
}

/// One guardrail deleted, between two calls that nobody asks for.
fn three() -> Vec<u8> {
    document(&[ordinary(1), delete_guardrail(2, &json!({})), ordinary(3)])
}

/// The deletion as text, with this put in place of its request's first member.
fn deletion_with(member: &str) -> String {
    delete_guardrail(2, &json!({})).to_string().replacen(
        r#""requestParameters":{"#,
        &format!(r#""requestParameters":{{{member},"#),
        1,
    )
}

fn log_of(records: &[&str]) -> Vec<u8> {
    gzip(format!(r#"{{"Records":[{}]}}"#, records.join(",")).as_bytes())
}

#[test]
fn what_is_wrong_around_the_text_is_told_and_what_stood_before_is_found() {
    let whole = gzip(&three());
    let all = found(&[DELETED], (3, 1, 0), None);
    let up_to_the_damage = found(&[DELETED, DAMAGED], (3, 1, 0), Some("gzip"));
    let nothing = |damage| found(&[DAMAGED], (0, 0, 0), Some(damage));
    let end = whole.len();
    let changed = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(three().iter().flat_map(|byte| [*byte, 0])).collect();
    for (what, bytes, expected) in [
        ("whole", whole.clone(), &all),
        ("an empty object", Vec::new(), &nothing("gzip")),
        ("an empty text", gzip(b""), &nothing("json")),
        ("text that nobody packed", three(), &nothing("gzip")),
        ("a wrong checksum", changed(end - 8), &up_to_the_damage),
        ("a wrong length", changed(end - 1), &up_to_the_damage),
        ("half a trailer", whole[..end - 3].to_vec(), &up_to_the_damage),
        ("no trailer", whole[..end - 8].to_vec(), &up_to_the_damage),
        ("something behind it", [whole.clone(), b"behind".to_vec()].concat(), &up_to_the_damage),
        ("an empty member behind it", [whole.clone(), gzip(b"")].concat(), &all),
        ("an empty member before it", [gzip(b""), whole.clone()].concat(), &all),
        ("gzip in gzip", gzip(&whole), &nothing("json")),
        ("a byte order mark", gzip(&["\u{feff}".as_bytes(), &three()].concat()), &nothing("json")),
        ("UTF-16", gzip(&utf16), &nothing("json")),
        ("a NUL before it", gzip(&[b"\0", three().as_slice()].concat()), &nothing("json")),
        (
            "a NUL behind it",
            gzip(&[three().as_slice(), b"\0"].concat()),
            &found(&[DELETED, DAMAGED], (3, 1, 0), Some("json")),
        ),
        ("a second document", gzip(&[three(), three()].concat()), &found(&[DELETED, DAMAGED], (3, 1, 0), Some("json"))),
    ] {
        let mut got = read(&bytes);
        got.titles.sort();
        let mut titles = expected.titles.clone();
        titles.sort();
        assert_eq!((&got.titles, got.records, got.damage), (&titles, expected.records, expected.damage), "{what}");
    }
}

#[test]
fn records_is_one_array_or_several_and_never_anything_else() {
    let deletion = delete_guardrail(2, &json!({})).to_string();
    for (what, text, expected) in [
        ("an object", format!(r#"{{"Records":{{"0":{deletion}}}}}"#), found(&[DAMAGED], (0, 0, 0), Some("json"))),
        ("a text", r#"{"Records":"[]"}"#.to_owned(), found(&[DAMAGED], (0, 0, 0), Some("json"))),
        ("null", r#"{"Records":null}"#.to_owned(), found(&[DAMAGED], (0, 0, 0), Some("json"))),
        ("not there", r#"{"records":[]}"#.to_owned(), found(&[DAMAGED], (0, 0, 0), Some("json"))),
        // A reader that takes the last of two would not see the first.
        ("there twice", format!(r#"{{"Records":[{deletion}],"Records":[]}}"#), found(&[DELETED], (1, 1, 0), None)),
        (
            "there twice, otherwise",
            format!(r#"{{"Records":[],"Records":[{deletion}]}}"#),
            found(&[DELETED], (1, 1, 0), None),
        ),
        ("written with escapes", format!(r#"{{"\u0052ecords":[{deletion}]}}"#), found(&[DELETED], (1, 1, 0), None)),
        (
            "inside of something else",
            format!(r#"{{"x":{{"Records":[{deletion}]}},"Records":[]}}"#),
            found(&[], (0, 0, 0), None),
        ),
        ("empty", r#"{"Records":[]}"#.to_owned(), found(&[], (0, 0, 0), None)),
    ] {
        assert_eq!(read(&gzip(text.as_bytes())), expected, "{what}");
    }
}

/// Whoever makes a call chooses what stands in its record. None of it makes the record unreadable, or another one a record.
#[test]
fn what_a_caller_writes_hides_neither_this_record_nor_the_next() {
    let deep = |open: &str, close: &str| format!(r#""x":{}1{}"#, open.repeat(10_000), close.repeat(10_000));
    for (what, member) in [
        ("10,000 arrays", deep("[", "]")),
        ("10,000 objects", deep(r#"{"y":"#, "}")),
        ("a number beyond all bounds", r#""x":1e999999"#.to_owned()),
        ("a number of 100,000 digits", format!(r#""x":{}"#, "9".repeat(100_000))),
        ("a fraction of 100,000 digits", format!(r#""x":0.{}"#, "9".repeat(100_000))),
        ("half a character", r#""x":"\ud83d""#.to_owned()),
        ("the other half", r#""x":"\ude00\ud83d""#.to_owned()),
        ("NUL", r#""x":"\u0000""#.to_owned()),
        ("braces and quotes", r#""x":"}]}\",\"eventName\":\"ListBuckets\"},{\"}{][""#.to_owned()),
        ("backslashes", format!(r#""x":"{}\"}}""#, r"\\".repeat(1_001))),
        ("a record", r#""Records":[{"eventSource":"s3.amazonaws.com","eventName":"ListBuckets"}]"#.to_owned()),
        ("a name of 100,000 bytes", format!(r#""{}":1"#, "n".repeat(100_000))),
        ("30,000 members", (0..30_000).map(|n| format!(r#""{n}":{n}"#)).collect::<Vec<_>>().join(",")),
    ] {
        let got = read(&log_of(&[&deletion_with(&member), &ordinary(3).to_string()]));
        assert_eq!(got, found(&[DELETED], (2, 1, 0), None), "{what}");
    }
    let mut not_utf8 = format!(r#"{{"Records":[{}]}}"#, deletion_with(r#""x":"AA""#)).into_bytes();
    let at = not_utf8.windows(2).position(|two| two == b"AA").unwrap();
    not_utf8[at] = 0xff;
    assert_eq!(read(&gzip(&not_utf8)), found(&[DELETED], (1, 1, 0), None), "a byte that is no UTF-8");
}

/// Of two members with one name, readers of JSON take the first, the last, or both. Which call it was must not depend on that:
/// such a record is not judged, and is told. Of other members both are seen, so that neither can hide the other.
#[test]
fn members_that_are_there_twice_hide_nothing() {
    let record = delete_guardrail(2, &json!({})).to_string();
    for name in ["eventName", "eventSource", "event\\u004eame"] {
        let twice = record.replacen('{', &format!(r#"{{"{name}":"ListBuckets","#), 1);
        let got = read(&log_of(&[&twice, &ordinary(3).to_string()]));
        assert_eq!(got, found(&[UNREADABLE], (2, 0, 1), None), "{name}");
    }
    // The deletion is found whichever of two users did it, and either error says that it was refused.
    let twice = record.replacen('{', r#"{"userIdentity":{"type":"Root"},"errorCode":"AccessDenied","#, 1);
    let twice = twice.replacen(r#""eventName""#, r#""errorCode":null,"eventName""#, 1);
    let got = read(&log_of(&[&twice]));
    assert_eq!((got.records, got.damage), ((1, 1, 0), None));
    assert!(got.titles.iter().any(|title| title.starts_with("Bedrock guardrail deleted")), "{:?}", got.titles);
}

#[test]
fn what_is_no_record_is_counted_and_told_and_the_rest_is_found() {
    let deletion = delete_guardrail(2, &json!({})).to_string();
    for member in [
        "7",
        "null",
        r#""a text""#,
        "[]",
        "{}",
        r#"["bedrock.amazonaws.com","DeleteGuardrail"]"#,
        r#"{"eventSource":"bedrock.amazonaws.com"}"#,
        r#"{"eventSource":"bedrock.amazonaws.com","eventName":null}"#,
        r#"{"eventSource":"bedrock.amazonaws.com","eventName":"DeleteGuardrail","x":tru}"#,
        r#"{"eventSource":"bedrock.amazonaws.com","eventName":"DeleteGuardrail","x":"\q"}"#,
    ] {
        let mut got = read(&log_of(&[member, &deletion]));
        got.titles.sort();
        let mut expected = found(&[UNREADABLE, DELETED], (2, 1, 1), None);
        expected.titles.sort();
        assert_eq!(got, expected, "{member}");
    }
}

/// Packed so often that no disk would hold it, a log is read as far as the limit, and what stood before is found.
#[test]
fn a_bomb_is_read_as_far_as_the_limit() {
    const SMALL: u64 = 8 << 20;
    let head = br#"{"Records":["#.to_vec();
    let deletion = delete_guardrail(2, &json!({})).to_string().into_bytes();
    let zeros = gzip(&vec![b'0'; 1 << 20]);
    assert!(zeros.len() < 1_100, "a ratio of about a thousand");
    let members = |first: &[u8]| std::iter::once(gzip(first)).chain(std::iter::repeat_n(zeros.clone(), 10_000));
    for (what, first, expected) in [
        ("zeros in a record", [&head, &deletion, b",{\"x\":\"".as_slice()].concat(), (1, 1, 0)),
        ("zeros beside the records", [b"{\"x\":\"".as_slice()].concat(), (0, 0, 0)),
        ("a number in the array", [&head, &deletion, b",1".as_slice()].concat(), (1, 1, 0)),
    ] {
        let pieces: Vec<Vec<u8>> = members(&first).take(100).collect();
        let audited = audit_pieces(pieces.iter().map(Vec::as_slice), Encoding::Gzip, SMALL);
        let got = report(&audited);
        assert_eq!((got.records, got.damage), (expected, Some("too-large")), "{what}");
        assert!(audited.unpacked < SMALL + (2 << 20), "{what}: {} bytes were unpacked", audited.unpacked);
    }
    // Ten thousand million zeros that are no log: that they are none is known from the first of them.
    let mut pushed = 0_u64;
    let pieces = members(b"").inspect(|piece| pushed += piece.len() as u64).collect::<Vec<_>>();
    let got = report(&audit_pieces(pieces.iter().map(Vec::as_slice), Encoding::Gzip, LIMIT));
    assert_eq!(got, found(&[DAMAGED], (0, 0, 0), Some("json")));
}

#[test]
fn a_record_of_a_hundred_megabytes_is_counted_and_not_kept() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(br#"{"Records":[{"eventSource":"bedrock.amazonaws.com","eventName":"DeleteGuardrail","x":""#)
        .unwrap();
    for _ in 0..100 {
        encoder.write_all(&[b'x'; 1 << 20]).unwrap();
    }
    write!(encoder, "\"}},{}]}}", delete_guardrail(2, &json!({}))).unwrap();
    let got = read(&encoder.finish().unwrap());
    assert_eq!((got.records, got.damage), ((2, 1, 1), None));
    assert_eq!(got.titles.len(), 2, "{:?}", got.titles);
}

#[test]
fn very_many_tiny_records_are_counted_once_each() {
    for (record, unreadable) in [("{}", 100_000), ("0", 100_000), (r#"{"eventSource":"x","eventName":"y"}"#, 0)] {
        let got = read(&log_of(&vec![record; 100_000]));
        assert_eq!(got.records, (100_000, 0, unreadable), "{record}");
        assert_eq!(got.titles.len(), usize::from(unreadable > 0), "one finding for the file");
    }
    // A million that nobody asks for are a log; a million that are no calls are given up.
    let got = read(&log_of(&vec![r#"{"eventSource":"x","eventName":"y"}"#; 1_000_000]));
    assert_eq!(got, found(&[], (1_000_000, 0, 0), None));
    let got = read(&log_of(&vec!["{}"; 1_000_000]));
    assert_eq!((got.records.1, got.damage), (0, Some("too-many")));
}

/// A bomb of one megabyte has ninety million records `{}`, and one of eight three million that match: reading on costs minutes,
/// and the fingerprints fill the memory. What rules dismiss is no such record.
#[test]
fn a_log_with_more_to_judge_than_any_is_damaged_wherever_its_pieces_end() {
    const MOST: usize = 300_000;
    let deletion = delete_guardrail(2, &json!({})).to_string();
    let small = |n: usize| match n % 3 {
        0 => format!(r#"{{"eventSource":"bedrock.amazonaws.com","eventName":"DeleteGuardrail","eventID":"{n}"}}"#),
        _ => "{}".to_owned(),
    };
    let log = |judged: usize| {
        let records: Vec<String> =
            (1..judged).flat_map(|n| [small(n), r#"{"eventSource":"x","eventName":"y"}"#.to_owned()]).collect();
        gzip(format!(r#"{{"Records":[{deletion},{},{deletion}]}}"#, records.join(",")).as_bytes())
    };
    let most = read(&log(MOST - 1));
    assert_eq!((most.records.0, most.damage), (2 * MOST as u64 - 2, None), "as many as may be");
    let packed = log(MOST + 1);
    for size in [packed.len(), 1_000] {
        let audited = audit_pieces(packed.chunks(size), Encoding::Gzip, LIMIT);
        let got = report(&audited);
        assert_eq!((got.records.0, got.damage), (2 * MOST as u64, Some("too-many")), "pieces of {size}");
        let mut titles = got.titles;
        titles.sort();
        assert_eq!(titles, [DAMAGED, DELETED, DELETED, UNREADABLE], "what stood before is found, and the rest is told");
        let damaged = audited.findings.iter().find(|finding| finding.title() == DAMAGED).unwrap();
        assert!(damaged.summary().contains("than any CloudTrail log has"), "{}", damaged.summary());
    }
}

/// One such record is judged as any other; five hundred with forty thousand members each took ten seconds.
#[test]
fn records_of_very_many_values_are_judged_as_long_as_they_are_few() {
    let many = deletion_with(&format!(r#""x":[{}0]"#, "0,".repeat(150_000)));
    let log = |times: usize| log_of(&vec![many.as_str(); times]);
    assert_eq!(read(&log(33)), found(&[DELETED], (33, 33, 0), None));
    let got = read(&log(36));
    assert_eq!(
        (got.records, got.damage),
        ((34, 34, 0), Some("too-many")),
        "five million values, and what of a record is more"
    );
    assert_eq!(got.titles.len(), 2);
}

/// A cut anywhere, in the packed bytes and in the text, changes nothing: not in a name, in an escape or in a checksum.
#[test]
fn a_log_cut_anywhere_gives_the_same() {
    let hostile = deletion_with(r#""x":"\\\"}]},{\ud83d\ude00\"","Records":[{}]"#);
    let text = format!(r#"{{"\u0052ecords":[{hostile},{}]}}"#, ordinary(3));
    let whole = report(&audit_pieces([text.as_bytes()], Encoding::Plain, LIMIT));
    assert_eq!(whole, found(&[DELETED], (2, 1, 0), None));
    for at in 0..=text.len() {
        let (first, second) = text.as_bytes().split_at(at);
        assert_eq!(report(&audit_pieces([first, second], Encoding::Plain, LIMIT)), whole, "text cut at {at}");
    }
    let packed = GzBuilder::new().filename("a log").comment("odd").extra(vec![1, 2, 3]);
    let mut packed = packed.write(Vec::new(), Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    for at in 0..=packed.len() {
        let (first, second) = packed.split_at(at);
        assert_eq!(report(&audit_pieces([first, second], Encoding::Gzip, LIMIT)), whole, "packed, cut at {at}");
    }
}

/// What is unpacked is handed on in pieces of 256 KiB, and of 32 KiB less from the second on: a record may lie on a border in any
/// way.
#[test]
fn a_record_on_the_border_of_what_is_unpacked_at_once_is_read_wherever_it_is_cut() {
    let record =
        r#"{"eventSource":"bedrock.amazonaws.com","eventName":"DeleteGuardrail","x":"\\\"}]},{\ud83d\ude00\""}"#;
    let expected = read(&log_of(&[record, record]));
    assert_eq!((expected.records, expected.damage), ((2, 2, 0), None));
    for border in [256 << 10, (256 + 224) << 10] {
        for at in 0..=record.len() {
            let front = format!(r#"{{"x":"{}","Records":["#, "x".repeat(border - at - r#"{"x":"","Records":["#.len()));
            let packed = gzip(format!("{front}{record},{record}]}}").as_bytes());
            assert_eq!(read(&packed), expected, "{at} bytes before {border}");
        }
    }
}

/// A fuzzer's find: the zeros of an empty member's trailer were found one byte too early, and the next member was not one.
#[test]
fn empty_members_lose_nothing_however_they_arrive() {
    let (empty, whole) = (gzip(b""), gzip(&three()));
    for (what, packed) in [
        ("in front", [empty.as_slice(), &empty, &whole].concat()),
        ("behind", [whole.as_slice(), &empty, &empty].concat()),
        ("between", [gzip(b"{").as_slice(), &empty, &gzip(&three()[1..])].concat()),
    ] {
        for size in (1..40).chain([usize::MAX]) {
            let audited = audit_pieces(packed.chunks(size.min(packed.len())), Encoding::Gzip, LIMIT);
            assert_eq!(report(&audited), found(&[DELETED], (3, 1, 0), None), "{what}, pieces of {size}");
        }
    }
    for size in 1..40 {
        let behind = [empty.as_slice(), b"\0"].concat();
        let audited = audit_pieces(behind.chunks(size), Encoding::Gzip, LIMIT);
        assert_eq!(report(&audited).titles, [DAMAGED], "a byte behind an empty member, pieces of {size}");
    }
}

/// `make hostile`'s find: escapes whose string ends in a later piece took the square of the piece's time, minutes for one log.
#[test]
fn escapes_without_end_take_no_time() {
    let record = format!(r#"{{"x":"{}"}}"#, r#"\""#.repeat(200_000));
    let text = format!(r#"{{"Records":[{}]}}"#, vec![record; 20].join(","));
    let started = std::time::Instant::now();
    let audited = audit_pieces(text.as_bytes().chunks(390_000), Encoding::Plain, LIMIT);
    assert_eq!(report(&audited).records, (20, 0, 20));
    // Seconds on any machine; quadratic, it is an hour.
    assert!(started.elapsed() < std::time::Duration::from_secs(60), "{:?}", started.elapsed());
}

/// Keys are chosen by whoever may write into the bucket.
#[test]
fn a_key_is_no_path_and_no_pattern() {
    use detection::delivered_log::{ObjectKind, classify};
    let other = |folder: &str| ObjectKind::Other { folder: folder.to_owned() };
    let name = "ü".repeat(480);
    let long = format!("AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/22/{name}.json.gz");
    assert!(long.len() > 1_000 && matches!(classify(&long), ObjectKind::Log { .. }));
    for (key, expected) in [
        ("", other("not under AWSLogs")),
        ("/", other("not under AWSLogs")),
        ("../AWSLogs/../111122223333/CloudTrail/x.json.gz", other("not under AWSLogs")),
        ("AWSLogs/111122223333/../111122223333/CloudTrail/eu-central-1/2026/x.json.gz", other("..")),
        ("AWSLogs%2F111122223333%2FCloudTrail/eu-central-1/2026/11/22/x.json.gz", other("not under AWSLogs")),
        ("AWSLogs/111122223333/CloudTrail%2FX/eu-central-1/2026/11/22/x.json.gz", other("CloudTrail%2FX")),
        ("AWSLogs/111122223333/cloudtrail/eu-central-1/2026/11/22/x.json.gz", other("cloudtrail")),
        ("AWSLogs/１１１１22223333/CloudTrail/eu-central-1/2026/11/22/x.json.gz", other("not under AWSLogs")),
        ("AWSLogs/111122223333/CloudTrail\0/eu-central-1/2026/11/22/x.json.gz", other("CloudTrail\0")),
    ] {
        assert_eq!(classify(key), expected, "{key:?}");
    }
    let key = |event_key: &str| {
        let event = json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": event_key}}}]});
        let mut wake = detector::notification::decode(event);
        let notice = wake.notices.remove(0);
        (notice.objects.into_iter().map(|object| object.key).collect::<Vec<_>>(), notice.errors.len())
    };
    // Decoded once, and only once.
    assert_eq!(key("a%252Fb"), (vec!["a%2Fb".to_owned()], 0));
    assert_eq!(key("a+b%2Bc%"), (vec!["a b+c%".to_owned()], 0));
    assert_eq!(
        key("..%2F..%2Fetc%2Fpasswd"),
        (vec!["../../etc/passwd".to_owned()], 0),
        "to S3 it is a name like any other"
    );
    assert_eq!(key("%C3%BC%00%0A"), (vec!["ü\0\n".to_owned()], 0));
    assert_eq!(key("%ff"), (vec![], 1), "no key of S3");
    assert_eq!(key(""), (vec![], 1));
    let long = "%C3%BC".repeat(512);
    assert_eq!(key(&long), (vec!["ü".repeat(512)], 0));
}

/// A value that is one mebibyte long fits into no CloudTrail record, and into nothing that leaves.
#[test]
fn a_user_agent_of_half_a_megabyte_is_shortened_everywhere() {
    let record: Value = delete_guardrail(1, &json!({"userAgent": format!("\u{1b}[2J\n{}", "u".repeat(500_000))}));
    let audited = audit_pieces([log(&[record]).as_slice()], Encoding::Gzip, LIMIT);
    let [finding] = audited.findings.as_slice() else { panic!("{:?}", report(&audited)) };
    assert!(finding.to_ocsf(255 * 1024, detection::finding::Form::Full).len() <= 255 * 1024);
    let alert = detection::finding::Alert::of(&[finding], 0).unwrap();
    assert!(alert.body.len() < 20_000 && !alert.body.contains('\u{1b}'));
    let mebibyte = delete_guardrail(1, &json!({"userAgent": "u".repeat(1 << 20)}));
    let got = read(&log(&[mebibyte, delete_guardrail(2, &json!({}))]));
    assert_eq!((got.records, got.damage), ((2, 1, 1), None));
}
