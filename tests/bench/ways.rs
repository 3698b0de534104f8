//! Ways to read a trail file, from unpacking alone to parsing everything. Each answers how much it found, so that none can be
//! optimized away.

use std::{cell::RefCell, io::Read as _};

use detection::{
    audit::Audit,
    delivered_log::{Encoding, unpack},
    finding::Log,
    rules::{Origin, RuleFile, RuleSet},
};
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use crate::trail::Trail;

/// Bytes as they come from S3.
const PIECE: usize = 64 * 1024;

type Run = Box<dyn Fn(&Trail) -> usize>;

pub(crate) struct Way {
    pub(crate) name: &'static str,
    /// It does nothing with the text.
    pub(crate) only_unpacks: bool,
    pub(crate) run: Run,
}

/// Every way, by name; those that only unpack come first.
pub(crate) const WAYS: [&str; 8] = [
    "libdeflate",
    "our decoder",
    "zlib-rs",
    "no rules",
    "built-in rules",
    "100 rules",
    "1000 rules",
    "serde_json::Value",
];

/// The way with one of these names.
pub(crate) fn way(name: &'static str) -> Way {
    let (only_unpacks, run): (bool, Run) = match name {
        "libdeflate" => (true, libdeflate()),
        "our decoder" => (true, Box::new(our_decoder)),
        "zlib-rs" => (true, Box::new(zlib_rs)),
        "no rules" => (false, audit_with(many_rules(0))),
        "built-in rules" => (false, audit_with(RuleSet::load([]).rule_set)),
        "100 rules" => (false, audit_with(many_rules(100))),
        "1000 rules" => (false, audit_with(many_rules(1_000))),
        _ => (false, Box::new(parse_everything)),
    };
    Way { name, only_unpacks, run }
}

/// Rules of which one is added to the built-in ones, by what they are looked up by. None matches what is in the files.
pub(crate) const ONE_MORE: [(&str, &str); 5] = [
    ("an event source and name", "{eventSource: s3.amazonaws.com, eventName: DeleteBucket}"),
    ("a text below userIdentity", "{userIdentity.arn|endswith: /nobody}"),
    ("a text anywhere", "{userAgent|contains: no-such-tool}"),
    ("an event source", "{eventSource: s3.amazonaws.com, requestParameters.bucketName: no-such-bucket}"),
    ("nothing", "{requestParameters.bucketName: no-such-bucket}"),
];

/// The built-in rules with one more.
pub(crate) fn with_one_more((name, selection): (&'static str, &str)) -> Way {
    let file = RuleFile {
        path: "one-more.yml".to_owned(),
        origin: Origin::Outside,
        text: format!(
            "title: One more\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d0000\nlogsource: {{product: aws, service: cloudtrail}}\n\
             detection: {{selection: {selection}, condition: selection}}\nlevel: low\n"
        ),
    };
    let loaded = RuleSet::load([file]);
    assert!(loaded.refused.is_empty(), "{:?}", loaded.refused);
    Way { name, only_unpacks: false, run: audit_with(loaded.rule_set) }
}

fn our_decoder(trail: &Trail) -> usize {
    let mut bytes = 0;
    unpack(&trail.packed, PIECE, |text| bytes += text.len()).expect("whole gzip");
    bytes
}

/// Whole, into a buffer that was used before: as fast as it gets, at the price of the file's size in memory.
fn libdeflate() -> Run {
    let warm = RefCell::new((libdeflater::Decompressor::new(), Vec::new()));
    Box::new(move |trail| {
        let (decoder, buffer) = &mut *warm.borrow_mut();
        if buffer.len() < trail.unpacked {
            buffer.resize(trail.unpacked, 0);
        }
        decoder.gzip_decompress(&trail.packed, buffer).expect("whole gzip")
    })
}

fn zlib_rs(trail: &Trail) -> usize {
    let mut decoder = MultiGzDecoder::new(trail.packed.as_slice());
    let mut buffer = vec![0; PIECE];
    let mut bytes = 0;
    loop {
        match decoder.read(&mut buffer).expect("whole gzip") {
            0 => return bytes,
            read => bytes += read,
        }
    }
}

fn audit_with(rules: RuleSet) -> Run {
    Box::new(move |trail| {
        let log = Log { bucket: None, key: "log.json.gz".to_owned(), read_at_ms: 1_795_340_000_000 };
        let mut audit = Audit::new(&rules, log, Encoding::Gzip, 256 << 20);
        for piece in trail.packed.chunks(PIECE) {
            audit.push(piece);
        }
        let audited = audit.finish();
        assert!(audited.damage.is_none() && audited.records.total == trail.records as u64, "a file is not read whole");
        audited.findings.len()
    })
}

/// Without any rule: how many records are Bedrock's.
fn parse_everything(trail: &Trail) -> usize {
    let mut text = Vec::new();
    MultiGzDecoder::new(trail.packed.as_slice()).read_to_end(&mut text).expect("whole gzip");
    let document: Value = serde_json::from_slice(&text).expect("JSON");
    let records = document["Records"].as_array().map_or(&[][..], Vec::as_slice);
    records.iter().filter(|record| record["eventSource"] == "bedrock.amazonaws.com").count()
}

/// Rules about what Bedrock does, five or fifty for each call: as many as few users ever have for one. They are of five kinds that
/// users write, and none of them matches what is in the files. Three teams have networks of their own.
fn many_rules(count: usize) -> RuleSet {
    const NAMES: [&str; 20] = [
        "InvokeModel",
        "InvokeModelWithResponseStream",
        "Converse",
        "ConverseStream",
        "ApplyGuardrail",
        "Retrieve",
        "InvokeAgent",
        "ListFoundationModels",
        "GetGuardrail",
        "DeleteGuardrail",
        "UpdateGuardrail",
        "CreateAgent",
        "UpdateAgent",
        "DeleteAgent",
        "CreateKnowledgeBase",
        "UpdateDataSource",
        "DeleteDataSource",
        "CreateModelCustomizationJob",
        "PutModelInvocationLoggingConfiguration",
        "DeleteModelInvocationLoggingConfiguration",
    ];
    let files = (0..count).map(|number| {
        let conditions = match number / NAMES.len() % 5 {
            0 => format!(
                "    userAgent|contains: tool-{number}\n\
                 \x20 other:\n    userIdentity.type: AssumedRole\n    userIdentity.arn|endswith: /nobody-{number}\n\
                 \x20 condition: selection or (other and selection)"
            ),
            1 => format!(
                "    userIdentity.sessionContext.sessionIssuer.userName: [former-{number}, intern-{number}]\n\
                 \x20   userIdentity.sessionContext.attributes.mfaAuthenticated: 'false'\n\
                 \x20 condition: selection"
            ),
            2 => format!(
                "  address:\n    sourceIPAddress|re: '^[0-9A-Fa-f.:]+$'\n\
                 \x20 approved:\n    sourceIPAddress|cidr: [192.0.2.0/24, 198.51.{}.0/24, 10.0.0.0/8]\n\
                 \x20 condition: selection and address and not approved",
                number / (5 * NAMES.len()) % 3
            ),
            3 => format!(
                "  model:\n    - requestParameters.modelId|startswith: vendor-{number}.\n\
                 \x20   - requestParameters.modelId|contains: ':custom-model/vendor-{number}.'\n\
                 \x20 refused:\n    errorCode|exists: true\n\
                 \x20 condition: selection and model and not refused"
            ),
            _ => format!(
                "  by_key:\n    userIdentity.accessKeyId: AKIAEXAMPLE{number}\n\
                 \x20 by_role:\n    userIdentity.arn|contains: ':assumed-role/contractor-{number}/'\n\
                 \x20 condition: selection and 1 of by_*"
            ),
        };
        RuleFile {
            path: format!("{number}.yml"),
            origin: Origin::Outside,
            text: format!(
                "title: Rule {number}\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d{number:04}\nlogsource:\n  product: aws\n  service: cloudtrail\n\
                 detection:\n  selection:\n    eventSource: bedrock.amazonaws.com\n    eventName: {}\n{conditions}\nlevel: low\n",
                NAMES[number % NAMES.len()]
            ),
        }
    });
    let loaded = RuleSet::load_only(files);
    assert!(loaded.refused.is_empty(), "{:?}", loaded.refused);
    loaded.rule_set
}
