//! What a delivered log gives, piece by piece and damaged in every way.

use std::io::Write as _;

use super::*;
use crate::delivered_log::{MAX_RECORD_BYTES, Names};

#[derive(Default)]
struct Seen {
    records: Vec<String>,
    /// `eventName`, where it is plain.
    names: Vec<Option<String>>,
    oversize: usize,
    /// How many records are enough.
    most: Option<usize>,
}

impl RecordSink for Seen {
    fn record(&mut self, bytes: &[u8], names: Option<Names<'_>>) {
        self.records.push(String::from_utf8(bytes.to_vec()).unwrap());
        self.names.push(names.map(|names| names.texts().1.to_owned()));
    }
    fn oversize_record(&mut self) {
        self.oversize += 1;
    }
    fn gives_up(&self) -> bool {
        self.most.is_some_and(|most| self.records.len() > most)
    }
}

const LIMIT: u64 = 256 << 20;

fn read(bytes: &[u8], encoding: Encoding, piece: usize, limit: u64) -> (Seen, Option<Damage>) {
    let mut reader = LogReader::new(Seen::default(), encoding, limit);
    for piece in bytes.chunks(piece.max(1)) {
        reader.push(piece);
    }
    let (seen, _, damage) = reader.finish();
    (seen, damage)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Whatever the size of the pieces, the records are those that a whole parse finds.
#[test]
fn records_are_the_same_for_every_piece_size() {
    let records = [
        r#"{"a":1}"#,
        r#"{"a":"},{\"Records\":[{}]}","b":["]",{"c":"\\"}]}"#,
        r#"{ "nested" : { "Records" : [ { "eventSource" : "x" } ] } }"#,
        "7",
        r#""a string, with ] and }""#,
        "null",
        "[[],{}]",
        "-1.5e9",
    ];
    let text = format!(
        r#" {{ "x\"" : ["Records"], "n":1 ,"\u0052ecords" : [ {} ] , "after":{{"Records":[]}} }} "#,
        records.join(" , ")
    );
    for size in 1..=text.len() {
        let (seen, damage) = read(text.as_bytes(), Encoding::Plain, size, LIMIT);
        assert_eq!(damage, None, "pieces of {size}");
        assert_eq!(seen.records, records, "pieces of {size}");
    }
    let packed = gzip(text.as_bytes());
    for size in 1..=packed.len() {
        let (seen, damage) = read(&packed, Encoding::Gzip, size, LIMIT);
        assert_eq!((seen.records.len(), damage), (records.len(), None), "gzip pieces of {size}");
    }
}

/// One that arrives in pieces is walked over anew, or scanned where it is long or a piece is short. Nothing may depend on which.
#[test]
fn a_record_in_pieces_is_the_same_record() {
    let record = |length: usize| {
        let filling = r#"{\"x\":[\\"#.repeat(length / 10);
        format!(r#"{{"eventSource":"s","requestParameters":{{"a":"{filling}","b":[[]]}},"eventName":"n{length}"}}"#)
    };
    let records = [900, 3_000, 0, 66_000, 20, 9_000, 130_000, 200].map(record);
    let names: Vec<Option<String>> =
        [900, 3_000, 0, 66_000, 20, 9_000, 130_000, 200].map(|length| Some(format!("n{length}"))).into();
    for between in [",", " , "] {
        let text = format!(r#"{{"Records":[{}]}}"#, records.join(between));
        for size in [1, 63, 700, 1_023, 1_024, 1_025, 1_500, 4_096, 5_000, 30_000, 65_536, 70_000, 200_000, usize::MAX]
        {
            let (seen, damage) = read(text.as_bytes(), Encoding::Plain, size, LIMIT);
            assert_eq!(damage, None, "pieces of {size}");
            assert!(seen.records == records, "pieces of {size}");
            assert_eq!(seen.names, names, "pieces of {size}");
        }
    }
}

/// Where reading stops is a matter of the text, not of how many records came in one piece.
#[test]
fn a_log_ends_at_the_same_place_for_every_piece_size() {
    let text = varied_log(40);
    let read_to = |size: usize, limit: u64, most: Option<usize>| {
        let mut reader = LogReader::new(Seen { most, ..Seen::default() }, Encoding::Plain, limit);
        text.as_bytes().chunks(size).for_each(|piece| {
            reader.push(piece);
        });
        let (seen, _, damage) = reader.finish();
        (seen.records.len(), damage)
    };
    for limit in (0..text.len() as u64).step_by(89) {
        let ((records, damage), (whole, same)) = (read_to(text.len(), limit, None), read_to(1, limit, None));
        // The one in which the limit is.
        assert!(records - whole <= 1 && damage == same, "{records} and {whole} records at a limit of {limit}");
    }
    for most in 0..42 {
        assert_eq!(read_to(text.len(), LIMIT, Some(most)), read_to(1, LIMIT, Some(most)), "{most} records");
    }
}

#[test]
fn members_of_a_gzip_file_are_one_text_even_if_they_split_a_record() {
    let text = br#"{"Records":[{"a":1},{"b":2}]}"#;
    for cut in 0..=text.len() {
        let packed = [gzip(&text[..cut]), gzip(&text[cut..])].concat();
        let (seen, damage) = read(&packed, Encoding::Gzip, 5, LIMIT);
        assert_eq!((seen.records.len(), damage), (2, None), "cut at {cut}");
    }
}

/// A header may name a file, which we read, or say more, which `flate2` does: from there on the file is its own.
#[test]
fn members_with_any_header_follow_each_other() {
    let header = |more: flate2::GzBuilder, text: &[u8]| {
        let mut encoder = more.write(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let new = flate2::GzBuilder::new;
    let plain = |text: &[u8]| header(new(), text);
    let named = |text: &[u8]| header(new().filename("a-log.json"), text);
    let long_name = |text: &[u8]| header(new().filename(vec![b'n'; 2_000]), text);
    let rare = |text: &[u8]| header(new().comment("c").extra(vec![1, 2, 3]), text);
    let kinds = |text: &[u8]| [plain(text), named(text), long_name(text), rare(text)];
    let text = br#"{"Records":[{"a":1},{"b":2},{"c":3}]}"#;
    for (first, second, third) in (0..64).map(|all| (all / 16, all / 4 % 4, all % 4)) {
        let packed =
            [&kinds(&text[..15])[first], &kinds(&text[15..])[second], &kinds(b" ")[third]].map(Vec::as_slice).concat();
        for size in [1, 2, 3, 11, 100, usize::MAX] {
            let (seen, damage) = read(&packed, Encoding::Gzip, size, LIMIT);
            assert_eq!((seen.records.len(), damage), (3, None), "{first}, {second}, {third} in pieces of {size}");
            let (seen, damage) = read(&packed[..packed.len() - 1], Encoding::Gzip, size, LIMIT);
            assert!(seen.records.len() == 3 && damage.is_some(), "{first}, {second}, {third} in pieces of {size}, cut");
        }
    }
}

#[test]
fn thousands_of_members_in_one_piece_cost_no_stack_and_no_window_each() {
    let text = [br#"{"Records":[{"a":1}"#.as_slice(), b" ]}"].concat();
    let (start, end) = text.split_at(20);
    let packed = [gzip(start), gzip(b"").repeat(100_000), gzip(end)].concat();
    let (seen, damage) = read(&packed, Encoding::Gzip, usize::MAX, LIMIT);
    assert_eq!((seen.records.len(), damage), (1, None));
    for (name, behind) in [("text", b"more".to_vec()), ("zeros", vec![0; 512]), ("half a header", packed[..5].to_vec())]
    {
        let packed = [packed.as_slice(), &behind].concat();
        for size in [1_000, usize::MAX] {
            let (seen, damage) = read(&packed, Encoding::Gzip, size, LIMIT);
            assert!(matches!(damage, Some(Damage::Gzip { .. })), "{name}: {damage:?}");
            assert_eq!(seen.records.len(), 1, "{name}");
        }
    }
}

#[test]
fn what_is_not_a_log_is_damaged_and_what_came_before_is_kept() {
    for (text, kept) in [
        ("", 0),
        ("   ", 0),
        ("[]", 0),
        ("{}", 0),
        (r#"{"records":[{}]}"#, 0),
        (r#"{"Records":{}}"#, 0),
        (r#"{"Records":null}"#, 0),
        (r#"{"Records":[{}]"#, 1),
        (r#"{"Records":[{},{}"#, 2),
        (r#"{"Records":[{}{}]}"#, 1),
        (r#"{"Records":[{},]}"#, 1),
        (r#"{"Records":[,{}]}"#, 0),
        (r#"{"Records":[{}]}x"#, 1),
        (r#"{"Records":[{}]}{"Records":[{}]}"#, 1),
        (r#"{"Records":[{}],}"#, 1),
        (r#"{"Records" [{}]}"#, 0),
        (r#"{"Records":[{},{"a":"#, 1),
        (r#"{"Records":[{},@]}"#, 1),
        ("\u{feff}{\"Records\":[]}", 0),
    ] {
        let (seen, damage) = read(text.as_bytes(), Encoding::Plain, 3, LIMIT);
        assert!(matches!(damage, Some(Damage::Json { .. })), "{text:?}: {damage:?}");
        assert_eq!(seen.records.len(), kept, "{text:?}");
    }
}

#[test]
fn two_arrays_of_records_are_both_read() {
    let (seen, damage) = read(br#"{"Records":[{"a":1}],"Records":[{"b":2}]}"#, Encoding::Plain, 7, LIMIT);
    assert_eq!((seen.records.len(), damage), (2, None));
}

/// Incompressible enough that a fault in the middle is a fault in the middle.
fn varied_log(records: u32) -> String {
    let record = |n: u32| {
        let noise: String =
            (0..40u32).map(|i| format!("{:x}", n.wrapping_mul(2_654_435_761).rotate_left(i) ^ i)).collect();
        format!(r#"{{"n":{n},"noise":"{noise}"}}"#)
    };
    format!(r#"{{"Records":[{}]}}"#, (0..records).map(record).collect::<Vec<_>>().join(","))
}

#[test]
fn damaged_gzip_gives_what_was_readable_before() {
    let packed = gzip(varied_log(2_000).as_bytes());
    let changed = |from: usize, to: usize, value: u8| {
        let mut bytes = packed.clone();
        bytes[from..to].iter_mut().for_each(|byte| *byte ^= value);
        bytes
    };
    let end = packed.len();
    for (name, bytes, at_least) in [
        ("empty", Vec::new(), 0),
        ("half a header", packed[..5].to_vec(), 0),
        ("not gzip", b"{\"Records\":[{}]}".to_vec(), 0),
        ("cut in half", packed[..end / 2].to_vec(), 900),
        ("without its trailer", packed[..end - 8].to_vec(), 2_000),
        ("half a trailer", packed[..end - 4].to_vec(), 2_000),
        ("wrong CRC", changed(end - 8, end - 7, 1), 2_000),
        ("wrong length", changed(end - 1, end, 1), 2_000),
        ("trailing text", [packed.clone(), b"trailing".to_vec()].concat(), 2_000),
        ("a hole", changed(end / 2, end / 2 + 64, 0x5a), 900),
    ] {
        for size in [1, 1_000, usize::MAX] {
            let (seen, damage) = read(&bytes, Encoding::Gzip, size, LIMIT);
            assert!(matches!(damage, Some(Damage::Gzip { .. } | Damage::Json { .. })), "{name}: {damage:?}");
            assert!(seen.records.len() >= at_least, "{name}: only {} records", seen.records.len());
        }
    }
}

/// No more and no less, wherever in a window, and in a window of whatever size, the fault is.
#[test]
fn before_a_fault_all_that_was_packed_is_handed_over() {
    for size in [10_000, 70_000, 140_000, 250_000, 300_000] {
        let text = &varied_log(5_000).into_bytes()[..size];
        // Blocks that are stored and not packed, and then one of a kind that does not exist.
        let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
        for piece in text.chunks(30_000) {
            let length = u16::try_from(piece.len()).unwrap();
            packed.push(0);
            packed.extend(length.to_le_bytes());
            packed.extend((!length).to_le_bytes());
            packed.extend(piece);
        }
        packed.push(0b110);
        packed.extend([0; 32]);
        let mut taken = Vec::new();
        let mut take = |bytes: &[u8]| {
            taken.extend_from_slice(bytes);
            true
        };
        let mut inflate = Inflate::new();
        assert!(inflate.push(&packed, &mut take).and_then(|()| inflate.finish(&mut take)).is_err(), "{size}");
        assert!(taken == text, "{size}: {} bytes, or others", taken.len());
    }
}

#[test]
fn the_unpacked_size_is_limited() {
    let text = varied_log(1_000);
    let packed = gzip(text.as_bytes());
    let size = text.len() as u64;
    assert_eq!(read(&packed, Encoding::Gzip, 512, size).1, None);
    let (seen, damage) = read(&packed, Encoding::Gzip, 512, size / 2);
    assert_eq!(damage, Some(Damage::TooLarge { limit: size / 2 }));
    assert!(seen.records.len() > 400 && seen.records.len() < 600);
}

#[test]
fn an_oversize_record_is_counted_and_the_next_one_is_read() {
    let text = format!(r#"{{"Records":[{{"a":"{}"}},{{"b":2}}]}}"#, "x".repeat(MAX_RECORD_BYTES));
    let (seen, damage) = read(text.as_bytes(), Encoding::Plain, 65_536, LIMIT);
    assert_eq!((seen.oversize, seen.records.as_slice(), damage), (1, &[r#"{"b":2}"#.to_owned()][..], None));
}

#[test]
fn nesting_costs_no_stack() {
    let text = format!(r#"{{"deep":{}{},"Records":[{{}}]}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
    let (seen, damage) = read(text.as_bytes(), Encoding::Plain, 4_096, LIMIT);
    assert_eq!((seen.records.len(), damage), (1, None));
}

/// A small log comes in one piece: what the decoder had unpacked when it met the damage was readable, too.
#[test]
fn damage_in_a_small_log_leaves_what_stood_before() {
    let mut packed = gzip(varied_log(50).as_bytes());
    let middle = packed.len() / 2;
    packed[middle..middle + 64].fill(0x5a);
    let (seen, damage) = read(&packed, Encoding::Gzip, usize::MAX, LIMIT);
    assert!(matches!(damage, Some(Damage::Gzip { .. } | Damage::Json { .. })), "{damage:?}");
    assert!(seen.records.len() > 20, "only {} records", seen.records.len());
}
