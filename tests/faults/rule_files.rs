//! The bucket of rules in a run: what stands in it, how S3 lists it, and what faults make of it. Knows no connection, and of
//! the detector only whether all of it is in force there.

use std::{
    collections::{BTreeMap, HashSet},
    sync::LazyLock,
};

use detection::rules::{Lists, Origin, RuleFile, RuleSet};

use super::kinds::Kind;

pub(super) const RULES_BUCKET: &str = "bedrock-audit-example-rules";
const RULES_PREFIX: &str = "alerts/";
const LISTS: &str = "lists/approved.yml";

/// The calls that nobody asks for but these rules, in their order.
pub(super) const CALLS: [&str; 3] = ["BenchCallOne", "BenchCallTwo", "BenchCallListed"];

pub(super) fn rules_uri() -> String {
    format!("s3://{RULES_BUCKET}/{RULES_PREFIX}")
}

pub(super) fn lists_uri() -> String {
    path(LISTS)
}

fn path(key: &str) -> String {
    format!("s3://{RULES_BUCKET}/{key}")
}

/// Built so that half of each is right, too, and asks for less: what counts stands at the end of a long list.
fn text_of(key: &str) -> String {
    let others: String = (0..40).map(|number| format!("\n  - Other{number}")).collect();
    let rule = |number: usize, asks: String| {
        format!(
            "title: Bench rule {number}\nid: 0b5d6a1e-7a55-4a4f-9b43-6f0a4c1f3d{number:02}\nlevel: high\n\
             logsource: {{product: aws, service: cloudtrail}}\ndetection:\n condition: selection\n selection:\n  {asks}\n"
        )
    };
    match key {
        "alerts/one.yml" => rule(0, format!("eventName:{others}\n  - {}", CALLS[0])),
        "alerts/two.yml" => rule(1, format!("eventName:{others}\n  - {}", CALLS[1])),
        "alerts/listed.yml" => rule(2, "eventName|expand: '%bench%'".to_owned()),
        LISTS => format!("bench:{others}\n  - {}\n", CALLS[2]),
        other => panic!("no file {other}"),
    }
}

const RULES: [&str; 3] = ["alerts/one.yml", "alerts/two.yml", "alerts/listed.yml"];

/// The built-in rules and these.
pub(super) static WITH_RULES: LazyLock<RuleSet> = LazyLock::new(|| {
    let file = |key: &str| RuleFile { path: path(key), text: text_of(key), origin: Origin::Outside };
    let mut lists = Lists::default();
    lists.replace(&file(LISTS)).unwrap();
    let loaded = RuleSet::load_with(RULES.iter().map(|key| file(key)), lists);
    assert_eq!(loaded.refused.len(), 0, "{:?}", loaded.refused);
    loaded.rule_set
});

/// The files that a finding of this rule hangs on; none for what is built in.
pub(super) fn files_behind(rule_id: &str) -> Vec<String> {
    let behind: &[&str] = match rule_id {
        "0b5d6a1e-7a55-4a4f-9b43-6f0a4c1f3d00" => &RULES[..1],
        "0b5d6a1e-7a55-4a4f-9b43-6f0a4c1f3d01" => &RULES[1..2],
        "0b5d6a1e-7a55-4a4f-9b43-6f0a4c1f3d02" => &[RULES[2], LISTS],
        _ => &[],
    };
    behind.iter().map(|key| path(key)).collect()
}

/// What stands in the bucket now.
pub(super) struct RuleFiles {
    files: BTreeMap<&'static str, Object>,
    /// Somebody uploads the same files again and again.
    busy: bool,
    /// Whether the process that runs now has all files in force. Then nothing that becomes of one takes it out of force, but
    /// its removal.
    pub(super) in_force: bool,
    /// Files without which a process had to start, and that must be told of.
    pub(super) left_out: HashSet<String>,
    /// Files that somebody removed while the run went on.
    pub(super) removed: HashSet<String>,
    /// Faults that struck a process with all rules in force.
    pub(super) struck_warm: u64,
}

#[derive(Clone)]
struct Object {
    text: String,
    version: u64,
    broken: bool,
}

impl RuleFiles {
    pub(super) fn new(busy: bool) -> Self {
        let files = RULES.into_iter().chain([LISTS]);
        let object = |key: &'static str| (key, Object { text: text_of(key), version: 0, broken: false });
        let mut rules = Self {
            files: files.map(object).collect(),
            busy: false,
            in_force: false,
            left_out: HashSet::new(),
            removed: HashSet::new(),
            struck_warm: 0,
        };
        rules.busy = busy;
        rules
    }

    /// Everything is as it was.
    pub(super) fn mend(&mut self) {
        for key in RULES.into_iter().chain([LISTS]) {
            let version = self.files.get(key).map_or(1_000, |object| object.version + 1);
            let is_right = self.files.get(key).is_some_and(|object| !object.broken);
            if !is_right {
                self.files.insert(key, Object { text: text_of(key), version, broken: false });
            }
        }
    }

    /// What a fault does to the files themselves; `entry` chooses which.
    pub(super) fn strike(&mut self, kind: Option<Kind>, key: Option<&str>, entry: usize) {
        if kind.is_some() && self.in_force {
            self.struck_warm += 1;
        }
        match (kind, key) {
            // Somebody writes a wrong one...
            (Some(Kind::RuleBroken), _) => {
                let all: Vec<&'static str> = self.files.keys().copied().collect();
                let Some(key) = all.get(entry % all.len().max(1)) else { return };
                let object = self.files.get_mut(key).unwrap();
                *object = Object { text: "title: [".to_owned(), version: object.version + 1, broken: true };
                self.leave_out(key);
            }
            // ...and mends it before anybody looks again.
            (None, None) => {
                let wrong = self.files.iter_mut().filter(|(_, object)| object.broken);
                wrong.for_each(|(key, object)| {
                    *object = Object { text: text_of(key), version: object.version + 1, broken: false };
                });
                if self.busy {
                    self.files.values_mut().for_each(|object| object.version += 1);
                }
            }
            (Some(Kind::RuleDeletedMidway), Some(key)) => {
                self.files.remove(key);
                self.removed.insert(path(key));
            }
            (Some(Kind::RuleAccessDenied), Some(key)) => self.leave_out(key),
            _ => {}
        }
    }

    fn leave_out(&mut self, key: &str) {
        if !self.in_force {
            self.left_out.insert(path(key));
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.files.get(key).map(|object| object.text.as_str())
    }

    pub(super) fn e_tag(&self, key: &str) -> String {
        self.files.get(key).map_or_else(String::new, |object| format!("\"{}\"", object.version))
    }

    /// What S3 answers to ListObjectsV2.
    pub(super) fn list(&self) -> String {
        let contents: String = self
            .files
            .iter()
            .filter(|(key, _)| key.starts_with(RULES_PREFIX))
            .map(|(key, object)| {
                let (size, e_tag) = (object.text.len(), self.e_tag(key));
                format!("<Contents><Key>{key}</Key><ETag>{e_tag}</ETag><Size>{size}</Size></Contents>")
            })
            .collect();
        format!(
            "<ListBucketResult><Name>{RULES_BUCKET}</Name><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
        )
    }
}
