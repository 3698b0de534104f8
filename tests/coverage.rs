//! Coverage: every operation of Bedrock is watched or excused, the catalogue names who watches it, and what others publish has
//! its equal here. `docs/coverage.md` is computed from the same. Names outside Bedrock are confirmed.
//!
//! A rule watches an operation if it names it and fires on it: on a record of its own proof in which nothing but the name and
//! the caller were changed. A rule that fires on any name whatever, or not on a plain caller, is about something else (root,
//! say, or a network) and watches none.

mod names;
mod page;
mod published;
mod selectors;

use std::{collections::BTreeSet, env, fs, sync::LazyLock};

use detection::{
    catalogue::{self, Entry},
    rules::{RuleFile, RuleSet, proof::Proof, read_folder},
};
use serde_json::{Value, json};

use crate::samples::repository;

/// Set by `make docs`: write what is out of date, where a test would complain.
const WRITE: &str = "BEDROCK_AUDIT_WRITE_PAGES";

/// A name that no operation has.
const NO_OPERATION: &str = "AnOperationThatNobodyKnows";

/// One of each network that examples may use.
const ADDRESSES: [&str; 3] = ["192.0.2.24", "198.51.100.24", "203.0.113.24"];

/// A rule by itself, with the lists and records of its proof.
struct Judged {
    /// `FAMILY/NAME`.
    name: String,
    rule_set: RuleSet,
    /// Records that it fires on, each with whether the call succeeded.
    records: Vec<(bool, Value)>,
    /// Whether it fires whatever the operation is called.
    any_operation: bool,
}

/// On what of an operation a rule fires.
struct Watch {
    /// On a plain role's call: it is about the call and not about who calls.
    about_the_call: bool,
    /// On such a call that succeeded, and not only on one that was refused or failed.
    of_success: bool,
}

type Watchers = Vec<(&'static Judged, Watch)>;

impl Judged {
    fn new(file: &RuleFile) -> Self {
        let name = file.path.strip_prefix(&format!("{}/", repository("rules").display())).unwrap();
        let proof = fs::read_to_string(file.path.replace(".yml", ".proof.json")).unwrap();
        let proof = Proof::parse(&proof).unwrap();
        let loaded = RuleSet::load_only_with([file.clone()], proof.lists());
        assert_eq!(loaded.refused, [], "{name}");
        let mut judged = Self {
            name: name.replace(".yml", ""),
            rule_set: loaded.rule_set,
            records: proof.matching().map(|(case, record)| (case.outcome == "success", record)).collect(),
            any_operation: false,
        };
        judged.any_operation = judged.records.iter().any(|(_, record)| {
            let source = record["eventSource"].as_str().unwrap_or_default();
            judged.fires(&called(record, source, NO_OPERATION))
        });
        judged
    }

    fn fires(&self, record: &Value) -> bool {
        self.rule_set.read(record.to_string().as_bytes()).unwrap().fires(0)
    }

    fn watches(&self, entry: &Entry) -> Option<Watch> {
        let (source, name) = (entry.event_source, entry.event_name);
        if self.any_operation || self.rule_set.candidates(source, name).is_empty() {
            return None;
        }
        let mut watch = None;
        for (success, record) in &self.records {
            let record = called(record, source, name);
            if !self.fires(&record) {
                continue;
            }
            let watch = watch.get_or_insert(Watch { about_the_call: false, of_success: false });
            // From somewhere else again: one of the addresses is on the list of a rule that asks where calls come from.
            let plain = ADDRESSES.iter().all(|address| self.fires(&by_a_plain_role(record.clone(), address)));
            watch.about_the_call |= plain;
            watch.of_success |= plain && *success;
        }
        watch
    }
}

/// The same record of another operation.
fn called(record: &Value, source: &str, name: &str) -> Value {
    let mut record = record.clone();
    record["eventSource"] = json!(source);
    record["eventName"] = json!(name);
    record
}

/// The same call by somebody of whom nothing is remarkable.
fn by_a_plain_role(mut record: Value, address: &str) -> Value {
    let arn = "arn:aws:iam::111122223333:role/Plain";
    record["userIdentity"] = json!({
        "type": "AssumedRole", "principalId": "AROAEXAMPLEPLAIN0001:plain", "accountId": "111122223333",
        "arn": "arn:aws:sts::111122223333:assumed-role/Plain/plain", "accessKeyId": "ASIAEXAMPLEPLAIN0001",
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": arn, "userName": "Plain", "accountId": "111122223333"}},
    });
    record["sourceIPAddress"] = json!(address);
    record["userAgent"] = json!("aws-sdk-rust/1.3.0");
    // Where CloudTrail says how the caller was known, by endpoint.
    for place in ["additionalEventData", "requestParameters"] {
        if let Some(place) = record.get_mut(place).and_then(Value::as_object_mut) {
            place.retain(|member, _| !matches!(member.as_str(), "callWithBearerToken" | "bearerTokenType" | "jwt"));
        }
    }
    record
}

static RULES: LazyLock<Vec<Judged>> = LazyLock::new(|| {
    let (files, unread) = read_folder(&repository("rules")).unwrap();
    assert_eq!(unread, []);
    files.iter().map(Judged::new).collect()
});

/// Every operation, with the rules that watch it.
static WATCHED: LazyLock<Vec<(Entry, Watchers)>> = LazyLock::new(|| {
    let watchers =
        |entry: &Entry| RULES.iter().filter_map(|judged| Some((judged, judged.watches(entry)?))).collect::<Watchers>();
    catalogue::builtin().unwrap().into_iter().map(|entry| (entry.clone(), watchers(&entry))).collect()
});

/// An excuse says why an operation may go without a rule. Without one, a rule must fire where anybody's call succeeds.
#[test]
fn every_operation_is_watched_or_excused() {
    let missed: Vec<String> = WATCHED
        .iter()
        .filter(|(entry, watchers)| entry.if_unwatched.is_none() && !watchers.iter().any(|(_, watch)| watch.of_success))
        .map(|(entry, _)| format!("line {}: {} {} ({})", entry.line, entry.event_source, entry.event_name, entry.class))
        .collect();
    assert!(
        missed.is_empty(),
        "{} operations of shared/detection/data/operations.csv have neither a rule nor an excuse. Write a rule, or say in \
         `if_unwatched` why none is needed:\n{}",
        missed.len(),
        missed.join("\n")
    );
}

/// That a rule names an operation and no record of its proof shows it firing there is a hole in the proof, or in the rule.
#[test]
fn a_rule_that_names_an_operation_fires_on_it() {
    let mut idle = Vec::new();
    for judged in RULES.iter().filter(|judged| !judged.any_operation) {
        for (entry, watchers) in WATCHED.iter() {
            let names = |name| !judged.rule_set.candidates(entry.event_source, name).is_empty();
            let named = names(entry.event_name) && !names(NO_OPERATION);
            if named && !watchers.iter().any(|(watcher, _)| watcher.name == judged.name) {
                idle.push(format!("{} names {} {}", judged.name, entry.event_source, entry.event_name));
            }
        }
    }
    assert!(idle.is_empty(), "no record of their proofs would match with these names:\n{}", idle.join("\n"));
}

/// Written by `make docs`: the last column of the catalogue, and the page.
#[test]
fn pages_are_up_to_date() {
    let catalogue = catalogue_with_watchers();
    let page = page::page(&RULES, &WATCHED, &published::tables(), &selectors::read());
    for (path, text) in [("shared/detection/data/operations.csv", catalogue), ("docs/coverage.md", page)] {
        if env::var_os(WRITE).is_some() {
            fs::write(repository(path), text).unwrap();
            continue;
        }
        let there = fs::read_to_string(repository(path)).unwrap_or_default();
        assert!(there == text, "{path} is out of date: run `make docs`, look at what changed, and commit it");
    }
}

fn catalogue_with_watchers() -> String {
    let mut rows: Vec<String> = catalogue::TEXT.lines().map(str::to_owned).collect();
    for (entry, watchers) in WATCHED.iter() {
        let row = &mut rows[entry.line - 1];
        let watchers = watchers.iter().filter(|(_, watch)| watch.about_the_call);
        let names: Vec<&str> = watchers.map(|(judged, _)| judged.name.as_str()).collect();
        *row = format!("{},{}", row.rsplit_once(',').unwrap().0, names.join(" "));
    }
    rows.join("\n") + "\n"
}

/// What is said of a rule elsewhere must be said of one that is there and does it.
#[test]
fn what_others_publish_is_found_here() {
    let mut wrong = Vec::new();
    for row in published::read() {
        let what = format!("{}: {}", row.source, row.detection);
        if row.reason.is_empty() == row.rules.is_empty() {
            wrong.push(format!("{what}: it needs either rules or a reason why there is none"));
        }
        let rules: Vec<&Judged> = RULES.iter().filter(|judged| row.rules.contains(&judged.name)).collect();
        let there: BTreeSet<&str> = rules.iter().map(|judged| judged.name.as_str()).collect();
        wrong.extend(
            row.rules
                .iter()
                .filter(|name| !there.contains(name.as_str()))
                .map(|name| format!("{what}: there is no rule {name}")),
        );
        let records = published::records(&row);
        let mut fired = BTreeSet::new();
        for (at, record) in records.iter().enumerate() {
            let fires: Vec<&str> =
                rules.iter().filter(|judged| judged.fires(record)).map(|judged| judged.name.as_str()).collect();
            if fires.is_empty() {
                wrong.push(format!(
                    "{what}: no rule named for it fires on its record {}, {}",
                    at + 1,
                    record["eventName"]
                ));
            }
            fired.extend(fires);
        }
        wrong.extend(there.difference(&fired).map(|name| format!("{what}: {name} fires on none of its records")));
    }
    assert!(wrong.is_empty(), "{} faults in tests/coverage/published.json:\n{}", wrong.len(), wrong.join("\n"));
}
