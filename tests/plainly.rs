//! The same log audited both ways: the fast one, and the plain one that parses everything and asks every rule about every record.

use detection::{
    audit::{Audit, Audited, audit_plainly},
    delivered_log::Encoding,
    finding::Log,
    rules::RuleSet,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::hostile::Hostile;

/// More than any generated log unpacks to.
const LIMIT: u64 = 256 << 20;

/// A document, and its records as they are written.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<&'a RawValue>,
}

/// Audits as the product does.
#[must_use]
pub fn audit_fast(rules: &RuleSet, bytes: &[u8], encoding: Encoding, piece: usize) -> Audited {
    let mut audit = Audit::new(rules, a_log(), encoding, LIMIT);
    for piece in bytes.chunks(piece.clamp(1, bytes.len().max(1))) {
        audit.push(piece);
    }
    audit.finish()
}

fn a_log() -> Log {
    let key = "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/22/log.json.gz";
    Log { bucket: None, key: key.to_owned(), read_at_ms: 1_795_340_000_000 }
}

/// Audits a log both ways, and says where they differ: in anything at all, but for one thing. A record that is no JSON and that
/// no rule can want is unreadable to the plain way, and dismissed by the fast one.
///
/// # Panics
/// When the log's own records are not what a parser finds in it.
#[must_use]
pub fn difference(rules: &RuleSet, log: &Hostile) -> Option<String> {
    if !log.malformed {
        let text = String::from_utf8_lossy(&log.document);
        let document: Document<'_> = serde_json::from_str(&text).unwrap();
        let parsed: Vec<&str> = document.records.iter().map(|record| record.get()).collect();
        let written: Vec<_> = log.records.iter().map(|record| String::from_utf8_lossy(record)).collect();
        assert_eq!(parsed, written, "the generator does not know its own records");
    }
    let plain = audit_plainly(rules, a_log(), log.records.iter().map(Vec::as_slice));
    let encodings = [(Encoding::Plain, &log.document), (Encoding::Gzip, &log.packed)];
    encodings.iter().find_map(|(encoding, bytes)| {
        let fast = audit_fast(rules, bytes, *encoding, log.piece);
        if fast.unpacked != log.document.len() as u64 {
            return Some(format!("{encoding:?}: unpacked to {} of {} bytes", fast.unpacked, log.document.len()));
        }
        let (fast, plain) = (account(&fast, log.malformed), account(&plain, log.malformed));
        (fast != plain).then(|| format!("{encoding:?}:\n fast  {fast}\n plain {plain}"))
    })
}

/// Everything that an audit says.
fn account(audited: &Audited, malformed: bool) -> String {
    let counts = &audited.records;
    let records = if malformed {
        format!("{} {} {}", counts.total, counts.matched, counts.unmatched + counts.unreadable)
    } else {
        format!("{counts:?}")
    };
    let of_records = |finding: &&detection::finding::Finding| !malformed || finding.matched().is_some();
    let findings: Vec<_> = audited.findings.iter().filter(of_records).collect();
    format!("{records} {} {:?} {:?} {findings:?}", audited.superseded, audited.undecided, audited.damage)
}
