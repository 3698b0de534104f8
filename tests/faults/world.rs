//! What happens in a run: logs that are delivered, and the notifications that tell of them. Drawn from the run's seed; knows
//! no fault.

use std::{collections::HashMap, time::Duration};

use detection::{audit::Audit, delivered_log::Encoding, finding::Log};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::samples::{BUCKET, BUILTIN, LIMIT, NOW_MS, delete_guardrail, key, log, ordinary};

use super::{
    lambda::Way,
    rule_files::{CALLS, WITH_RULES},
};

pub(super) struct World {
    /// By path: bytes, and whether S3 has a checksum of them.
    pub(super) objects: HashMap<String, (Vec<u8>, bool)>,
    /// The keys of logs that are really there.
    pub(super) logs: Vec<String>,
    /// What is told, and of which keys.
    pub(super) notices: Vec<Notice>,
    pub(super) way: Way,
    /// Between two notifications.
    pub(super) pause: Duration,
    /// There are rules in a bucket; and whether somebody uploads them again all the time.
    pub(super) rules: Option<bool>,
}

pub(super) struct Notice {
    pub(super) body: Value,
    pub(super) keys: Vec<String>,
    /// It is no news of a log, or of one that must not be read: it can only be parked.
    pub(super) hopeless: bool,
}

impl World {
    /// `name` is unlike any other run's.
    pub(super) fn draw(rng: &mut Rng, name: &str, with_rules: bool) -> Self {
        let mut world = Self {
            objects: HashMap::new(),
            logs: Vec::new(),
            notices: Vec::new(),
            way: match rng.u32(0..20) {
                0..11 => Way::Directly,
                11..19 => Way::ThroughQueue,
                _ => Way::LeftByEventBridge,
            },
            pause: Duration::ZERO,
            rules: (with_rules || rng.u32(0..3) == 0).then(|| rng.bool()),
        };
        // Longer than rules are taken for the newest.
        let seconds = if world.rules.is_some() { [0, 90, 90] } else { [0, 0, 90] };
        world.pause = Duration::from_secs(seconds[rng.usize(..3)]);
        let count = match rng.u32(0..20) {
            0..4 if world.rules.is_some() => rng.usize(3..=8),
            0 => rng.usize(5..=12),
            _ => rng.usize(1..=3),
        };
        let mut number = 0;
        let mut last: Option<Vec<u8>> = None;
        for at in 0..count {
            let key = key(&format!("{name}-{at} a+b"));
            let bytes = match (rng.u32(0..100), &last) {
                // The same records through a second trail.
                (0..8, Some(last)) => last.clone(),
                (drawn, _) => content(rng, drawn, name, &mut number, world.rules.is_some()),
            };
            last = Some(bytes.clone());
            world.objects.insert(format!("/{BUCKET}/{key}"), (bytes, rng.u32(0..3) > 0));
            world.logs.push(key);
        }
        let mut told = world.logs.clone();
        if rng.u32(0..10) == 0 {
            told.push(format!("AWSLogs/111122223333/CloudTrail-Digest/eu-central-1/2026/11/22/{name}.json.gz"));
        }
        rng.shuffle(&mut told);
        while !told.is_empty() {
            let together = if rng.u32(0..4) == 0 { rng.usize(1..=told.len().min(4)) } else { 1 };
            let keys = told.split_off(told.len() - together);
            let body = wrapped(rng, &keys, world.way);
            world.notices.push(Notice { body, keys, hopeless: false });
        }
        if rng.u32(0..25) == 0 {
            world.notices.push(Notice { body: json!({"hello": "world"}), keys: Vec::new(), hopeless: true });
        }
        if rng.u32(0..25) == 0 {
            let body = json!({"s3Bucket": "somebody-elses", "s3ObjectKey": [key("forged")]});
            world.notices.push(Notice { body, keys: Vec::new(), hopeless: true });
        }
        world
    }
}

impl World {
    /// All findings in its logs, as the core alone makes them.
    pub(super) fn found_alone(&self) -> impl Iterator<Item = Value> {
        self.logs.iter().flat_map(|key| {
            let (bytes, _) = &self.objects[&format!("/{BUCKET}/{key}")];
            let log = Log { bucket: Some(BUCKET.to_owned()), key: key.clone(), read_at_ms: NOW_MS };
            let rules = if self.rules.is_some() { &WITH_RULES } else { &BUILTIN };
            let mut audit = Audit::new(rules, log, Encoding::Gzip, LIMIT);
            audit.push(bytes);
            audit.finish().findings.into_iter().map(|finding| finding.ocsf())
        })
    }
}

/// The bytes of a log. Each finding in it has a target of its own, by which it can be recognised wherever it is told.
fn content(rng: &mut Rng, drawn: u32, name: &str, number: &mut u32, with_rules: bool) -> Vec<u8> {
    let findings = match drawn {
        8..25 => 0,
        25..28 => rng.u32(11..=25),
        _ => rng.u32(1..=3),
    };
    let mut records: Vec<Value> = (0..rng.u32(0..4)).map(|n| ordinary(1_000_000 + n)).collect();
    for _ in 0..findings {
        *number += 1;
        let mut change = json!({
            "requestParameters": {"guardrailIdentifier": format!("gr-{name}-{number:04}-")},
            "eventID": format!("{name}-{number}")
        });
        match rng.u32(0..8) {
            0 => change["errorCode"] = json!("AccessDenied"),
            1 if rng.u32(0..6) == 0 => change["userAgent"] = json!("x".repeat(rng.usize(1..40_000))),
            _ => {}
        }
        if with_rules && rng.bool() {
            change["eventSource"] = json!("s3.amazonaws.com");
            change["eventName"] = json!(CALLS[rng.usize(..CALLS.len())]);
        }
        records.push(delete_guardrail(*number, &change));
    }
    if drawn % 17 == 3 {
        records.push(json!("no record"));
    }
    rng.shuffle(&mut records);
    let mut bytes = log(&records);
    match drawn {
        90..95 => bytes.truncate(bytes.len() - 9),
        95..98 => bytes = b"this is no gzip".to_vec(),
        _ => {}
    }
    bytes
}

/// The news of these logs in one of the shapes in which it comes.
fn wrapped(rng: &mut Rng, keys: &[String], way: Way) -> Value {
    let encoded = |key: &str| key.replace('+', "%2B").replace(' ', "+");
    let s3 = |keys: &[String]| {
        let record = |key: &String| json!({"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": encoded(key)}}});
        json!({"Records": keys.iter().map(record).collect::<Vec<_>>()})
    };
    let notice = json!({"s3Bucket": BUCKET, "s3ObjectKey": keys});
    let one = keys.first().filter(|_| keys.len() == 1);
    let sns = |message: &Value| match way {
        Way::Directly => json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": message.to_string()}}]}),
        Way::ThroughQueue | Way::LeftByEventBridge => json!({"Type": "Notification", "Message": message.to_string()}),
    };
    match (rng.u32(0..5), one) {
        (0, _) => sns(&s3(keys)),
        (1, _) => sns(&notice),
        (2, _) => notice,
        (3, Some(key)) => json!({
            "version": "0", "id": "i", "detail-type": "Object Created", "source": "aws.s3", "account": "111122223333",
            "region": "eu-central-1", "time": "2026-11-22T09:41:58Z", "resources": [],
            "detail": {"bucket": {"name": BUCKET}, "object": {"key": key}, "reason": "PutObject"}
        }),
        _ => s3(keys),
    }
}
