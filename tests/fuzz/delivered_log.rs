//! Any bytes as a delivered log, in pieces of any size: what is found does not depend on the pieces, and every sum holds. And
//! generated hostile logs, audited the fast way and the plain one.

use bedrock_audit_tests::{dice::Dice, hostile, plainly};
use detection::{
    audit::{Audit, Audited},
    delivered_log::Encoding,
    finding::Log,
};

use crate::record_evaluation::RULES;

/// Most that a log may unpack to here: deflate makes a thousand bytes of one.
const LIMIT: u64 = 1 << 20;

/// The first byte says what the others are, the second how they are pushed.
pub fn check(bytes: &[u8]) {
    let [kind, piece, rest @ ..] = bytes else { return };
    match kind % 4 {
        0 => any_bytes(rest, Encoding::Gzip, *piece),
        1 => any_bytes(rest, Encoding::Plain, *piece),
        2 => any_bytes(&packed(rest), Encoding::Gzip, *piece),
        _ => {
            let log = hostile::log(&mut Dice::of_bytes(rest));
            if let Some(difference) = plainly::difference(&RULES, &log) {
                panic!("{difference}\n{}", String::from_utf8_lossy(&log.document));
            }
        }
    }
}

/// The text as gzip.
pub fn packed(text: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn any_bytes(bytes: &[u8], encoding: Encoding, piece: u8) {
    let whole = audit(bytes, encoding, usize::MAX);
    let pieces = audit(bytes, encoding, usize::from(piece % 128).max(1));
    for audited in [&whole, &pieces] {
        let counts = &audited.records;
        assert_eq!(counts.total, counts.matched + counts.unmatched + counts.unreadable);
        // What is wrong is told: as a finding of its own each.
        let about = audited.findings.iter().filter(|finding| finding.matched().is_none()).count();
        assert_eq!(about, usize::from(audited.damage.is_some()) + usize::from(counts.unreadable > 0));
    }
    let account = |audited: &Audited| {
        let damage = audited.damage.as_ref().map(detection::delivered_log::Damage::kind);
        let ids: Vec<String> = audited.findings.iter().map(|finding| finding.id.clone()).collect();
        (audited.records.clone(), damage, ids, audited.undecided.clone())
    };
    // Packed data that is wrong may be told of a little earlier or later: what the decoder holds back depends on its pieces.
    if whole.damage.is_none() || pieces.damage.is_none() || encoding == Encoding::Plain {
        assert_eq!(account(&whole), account(&pieces), "pieces of {}", piece % 128);
    }
}

fn audit(bytes: &[u8], encoding: Encoding, piece: usize) -> Audited {
    let log = Log { bucket: None, key: "a-log.json.gz".to_owned(), read_at_ms: 1_795_340_000_000 };
    let mut audit = Audit::new(&RULES, log, encoding, LIMIT);
    for piece in bytes.chunks(piece.clamp(1, bytes.len().max(1))) {
        audit.push(piece);
    }
    audit.finish()
}
