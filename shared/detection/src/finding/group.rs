//! Matches become findings: those of one log that tell the same story are one. Knows nothing of how a finding is written.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use serde_json::Value;

use super::{Confidence, Details, Finding, Log, Matched, Tally, severity_of};
use crate::{
    ids,
    record::{Actor, Outcome, Record},
    rules::{RuleRef, RuleSet, Stage, severity_id},
};

/// Records that a finding carries whole.
const MOST_RECORDS: usize = 10;
/// Bytes of whole records that a finding keeps. More would never fit into a message.
const MOST_RECORD_BYTES: usize = 256 * 1024;
/// Bytes of whole records that all findings of a log keep together: what an attacker sends must not fill our memory. What is
/// left out still stands in the log, and the finding says where.
const MOST_BYTES_OF_ALL: usize = 16 * 1024 * 1024;
/// Different targets that one actor may try in vain with one call before the rest becomes one finding. Otherwise whoever is
/// denied everything could bury a finding under a million others.
const MOST_VAIN_TARGETS: usize = 100;
/// Parts of a key before its targets: actor, credential, account, Region, source, name, error.
const STORY_PARTS: usize = 7;
/// eventIDs that a finding names.
const MOST_EVENT_IDS: usize = 1_000;

/// What the records of one finding have in common, in the order in which it is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    rule: RuleRef,
    /// The rule is as an override makes it.
    overridden: bool,
    outcome: Outcome,
    parts: Vec<String>,
}

#[derive(Debug)]
struct Group {
    matched: Matched,
    account: Option<String>,
    region: Option<String>,
    /// Fingerprints of all eventIDs, for the id; of the bytes of records that have none.
    fingerprints: BTreeSet<[u8; 16]>,
    record_bytes: usize,
    related: BTreeSet<(RuleRef, bool)>,
}

/// What rules supersede each other in: a stage, and a family or a rule's own id.
type Family<'a> = (Stage, bool, &'a str);

/// A rule that fires on a record.
#[derive(Debug)]
pub(crate) struct Fired {
    pub(crate) rule: RuleRef,
    /// An override is in force for it.
    pub(crate) overridden: bool,
    pub(crate) confidence: Confidence,
    /// Its fields that the record does not show.
    pub(crate) not_visible: Vec<String>,
}

/// The findings of one log in the making.
pub(crate) struct Groups<'r> {
    rule_set: &'r RuleSet,
    groups: HashMap<Key, Group>,
    superseded: HashSet<Key>,
    /// How many targets were tried in vain in each story.
    vain: HashMap<Key, usize>,
    /// Bytes of whole records that may still be kept.
    bytes_left: usize,
}

impl<'r> Groups<'r> {
    pub(crate) fn new(rule_set: &'r RuleSet) -> Self {
        Self {
            rule_set,
            groups: HashMap::new(),
            superseded: HashSet::new(),
            vain: HashMap::new(),
            bytes_left: MOST_BYTES_OF_ALL,
        }
    }

    /// Takes a record on which these rules fire; `bytes` are the record as it stood in the log.
    ///
    /// One record gives one finding a family: the rule with the highest severity, and of equal ones the first. A rule that
    /// names no family stands for itself, so that no two rules of a user's supersede each other by accident; a rule that is
    /// only watched supersedes none that is in force.
    pub(crate) fn add(&mut self, record: &Record<'_>, bytes: &[u8], fired: &[Fired]) {
        let outcome = Outcome::of(record);
        let mut families: HashMap<Family<'_>, Vec<(u8, &Fired)>> = HashMap::new();
        for fired in fired {
            let Some(rule) = self.rule_set.rule(fired.rule, fired.overridden) else { continue };
            // An id may be spelt like a family's name, and is another thing.
            let (own, family) =
                rule.about.family.as_deref().map_or((true, rule.about.id.as_str()), |family| (false, family));
            families
                .entry((rule.about.stage, own, family))
                .or_default()
                .push((severity_id(severity_of(rule, outcome)), fired));
        }
        let actor = Actor::of(record);
        for mut of_family in families.into_values() {
            of_family.sort_by_key(|(severity, fired)| (std::cmp::Reverse(*severity), fired.rule));
            let mut of_family = of_family.into_iter().map(|(_, fired)| fired);
            let Some(first) = of_family.next() else { continue };
            let lesser: Vec<&Fired> = of_family.collect();
            for lesser in &lesser {
                let key = self.key(lesser, record, &actor, outcome);
                self.superseded.insert(key);
            }
            let key = self.key(first, record, &actor, outcome);
            let key = self.folded(key);
            let group =
                self.groups.entry(key).or_insert_with(|| Group::new(record, actor.clone(), &mut self.bytes_left));
            group.add(record, bytes, first, &mut self.bytes_left);
            group.related.extend(lesser.iter().map(|fired| (fired.rule, fired.overridden)));
        }
    }

    /// What tells the group of a record from all others.
    pub(crate) fn fingerprint(&self, fired: &Fired, record: &Record<'_>) -> [u8; 16] {
        let key = self.key(fired, record, &Actor::of(record), Outcome::of(record));
        ids::fingerprint(format!("{key:?}").as_bytes())
    }

    /// The key itself or, after too many targets tried in vain, the one that stands for all further ones.
    fn folded(&mut self, key: Key) -> Key {
        if key.outcome == Outcome::Success || self.groups.contains_key(&key) {
            return key;
        }
        // Only targets are folded: whose account it was, and what was refused, is never mixed.
        let mut story = key.clone();
        story.parts.truncate(STORY_PARTS);
        let tried = self.vain.entry(story.clone()).or_default();
        *tried += 1;
        if *tried <= MOST_VAIN_TARGETS {
            return key;
        }
        story.parts.push("more targets".to_owned());
        story
    }

    fn key(&self, fired: &Fired, record: &Record<'_>, actor: &Actor, outcome: Outcome) -> Key {
        let (rule, overridden) = (fired.rule, fired.overridden);
        // One finding for each operation that nobody knows and account, whoever calls it.
        if rule == RuleRef::UnknownOperation {
            let parts = [record.account().unwrap_or_default(), record.event_source(), record.event_name()];
            return Key { rule, overridden, outcome, parts: parts.map(str::to_owned).to_vec() };
        }
        // The first STORY_PARTS, whatever the call.
        let mut parts = vec![
            actor.uid.clone(),
            actor.credential.clone().unwrap_or_default(),
            record.account().unwrap_or_default().to_owned(),
            record.region().unwrap_or_default().to_owned(),
            record.event_source().to_owned(),
            record.event_name().to_owned(),
            record.error_code().unwrap_or_default().to_owned(),
        ];
        // Two deleted guardrails are two findings; five thousand denied invocations are one.
        let operations = self.rule_set.operations();
        if operations.writes(record.event_source(), record.event_name(), record.read_only()) {
            parts.extend(record.targets().into_iter().map(|target| target.uid));
        }
        for field in self.rule_set.rule(rule, overridden).into_iter().flat_map(|rule| &rule.group_by) {
            parts.push(format!("{field}={}", record.at(field).unwrap_or(&Value::Null)));
        }
        Key { rule, overridden, outcome, parts }
    }

    /// The findings, worst first, and how many others they stand for altogether.
    pub(crate) fn finish(self, log: &Log) -> (Vec<Finding>, u64) {
        let superseded = self.superseded.iter().filter(|key| !self.groups.contains_key(*key)).count() as u64;
        let mut groups: Vec<(Key, Group)> = self.groups.into_iter().collect();
        // A map's order changes from run to run; a finding's place among its siblings must not.
        groups.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut findings: Vec<Finding> =
            groups.into_iter().filter_map(|(key, group)| group.finish(&key, self.rule_set, log)).collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity_id()));
        (findings, superseded)
    }
}

impl Group {
    fn new(record: &Record<'_>, actor: Actor, bytes_left: &mut usize) -> Self {
        let mut asked = record.asked();
        let size: usize = asked.iter().map(|asked| asked.path.len() + asked.value.len()).sum();
        match bytes_left.checked_sub(size) {
            Some(left) => *bytes_left = left,
            None => asked.clear(),
        }
        let matched = Matched {
            event_source: record.event_source().to_owned(),
            event_name: record.event_name().to_owned(),
            error_code: record.error_code().map(str::to_owned),
            actor,
            count: 0,
            first_ms: None,
            last_ms: None,
            event_ids: Vec::new(),
            event_ids_total: 0,
            records: Vec::new(),
            resources: Tally::default(),
            addresses: Tally::default(),
            user_agents: Tally::default(),
            models: Tally::default(),
            confidence: Confidence::Low,
            asked,
            not_visible: BTreeMap::new(),
            related: Vec::new(),
        };
        Self {
            matched,
            account: record.account().map(str::to_owned),
            region: record.region().map(str::to_owned),
            fingerprints: BTreeSet::new(),
            record_bytes: 0,
            related: BTreeSet::new(),
        }
    }

    fn add(&mut self, record: &Record<'_>, bytes: &[u8], fired: &Fired, bytes_left: &mut usize) {
        let matched = &mut self.matched;
        // The same event twice in one log, as CloudTrail sometimes delivers it, is one event.
        if !self.fingerprints.insert(ids::fingerprint(record.event_id().map_or(bytes, str::as_bytes))) {
            return;
        }
        matched.count += 1;
        if let Some(time) = record.time_ms() {
            matched.first_ms = Some(matched.first_ms.map_or(time, |first| first.min(time)));
            matched.last_ms = Some(matched.last_ms.map_or(time, |last| last.max(time)));
        }
        if let Some(id) = record.event_id() {
            matched.event_ids_total += 1;
            if matched.event_ids.len() < MOST_EVENT_IDS {
                matched.event_ids.push(id.to_owned());
            }
        }
        let fits = matched.records.len() < MOST_RECORDS
            && self.record_bytes + bytes.len() <= MOST_RECORD_BYTES
            && bytes.len() <= *bytes_left;
        if fits {
            self.record_bytes += bytes.len();
            *bytes_left -= bytes.len();
            matched.records.push(String::from_utf8_lossy(bytes).into_owned());
        }
        record.resources().into_iter().for_each(|resource| matched.resources.add(resource));
        if let Some(address) = record.text("sourceIPAddress") {
            matched.addresses.add(address.to_owned());
        }
        if let Some(agent) = record.text("userAgent") {
            matched.user_agents.add(agent.to_owned());
        }
        if let Some(model) = record.model() {
            matched.models.add(model.to_owned());
        }
        matched.confidence = matched.confidence.max(fired.confidence);
        for field in &fired.not_visible {
            let why = || record.why_not_visible(field);
            matched.not_visible.entry(field.clone()).or_insert_with(why);
        }
    }

    fn finish(mut self, key: &Key, rule_set: &RuleSet, log: &Log) -> Option<Finding> {
        let rule = rule_set.rule(key.rule, key.overridden)?;
        let (about, severity) = (Arc::clone(&rule.about), severity_of(rule, key.outcome));
        let about_of = |(rule, overridden): &(RuleRef, bool)| {
            rule_set.rule(*rule, *overridden).map(|rule| Arc::clone(&rule.about))
        };
        self.matched.related = self.related.iter().filter_map(about_of).collect();
        // How many parts the key has is hashed with them, so that none of them can be taken for a record.
        let size = key.parts.len().to_string();
        let of_key = || {
            let fixed = [about.id.as_bytes(), key.outcome.as_str().as_bytes(), size.as_bytes()];
            fixed.into_iter().chain(key.parts.iter().map(String::as_bytes))
        };
        // Sorted already: the order of records in a file is no part of what happened.
        let of_records = self.fingerprints.iter().map(<[u8; 16]>::as_slice);
        let id = ids::uuid([&b"finding"[..]].into_iter().chain(of_key()).chain(of_records));
        let correlation_id = ids::uuid([&b"correlation"[..]].into_iter().chain(of_key()));
        Some(Finding {
            id,
            correlation_id,
            about,
            severity,
            outcome: key.outcome,
            rule_set: rule_set.version().to_owned(),
            log: log.clone(),
            account: self.account,
            region: self.region,
            details: Details::Records(Box::new(self.matched)),
        })
    }
}
