//! Matches become findings: those of one log that tell the same story are one. Knows nothing of how a finding is written.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    mem,
    sync::Arc,
};

use serde_json::Value;

use super::{Confidence, Details, Finding, Log, Matched, Tally, severity_of};
use crate::{
    documentation, ids,
    record::{Actor, Outcome, Record, Resource, is_told},
    rules::{RuleRef, RuleSet, Stage, severity_id},
    text,
};

/// Records that a finding carries whole.
const MOST_RECORDS: usize = 10;
/// Bytes of whole records that a finding keeps. More would never fit into a message.
const MOST_RECORD_BYTES: usize = 256 * 1024;
/// Bytes of whole records that all findings of a log keep together: what an attacker sends must not fill our memory. What is
/// left out still stands in the log, and the finding says where.
const MOST_BYTES_OF_ALL: usize = 4 * 1024 * 1024;
/// Different targets that one actor may try in vain with one call before the rest becomes one finding. Otherwise whoever is
/// denied everything could bury a finding under a million others.
const MOST_VAIN_TARGETS: usize = 100;
/// Findings of one log that are told apart by actor, credential, Region and target. Real logs have a few; a flood of more would
/// fill the memory of the function, which is then killed and finds nothing. What comes after them is one finding for each rule,
/// outcome, account, call and error.
const MOST_APART: usize = 1_000;
/// Findings of one log that are told apart even so; what comes after them is one finding for each rule and outcome.
const MOST_CALLS_APART: usize = 1_500;
/// What stands in a key, and for the actor, where several are meant.
const SEVERAL: &str = "more than one";
/// Characters of one text that a finding keeps beside its records. CloudTrail cuts a user agent at as many.
const MOST_CHARACTERS: usize = 1_024;
/// Characters of one part of a key, and of what is said of an actor.
const MOST_OF_PART: usize = 512;
/// Bytes of all targets in a key. More of them are told apart by a hash.
const MOST_TARGET_BYTES: usize = 1_024;
/// Bytes of resources, addresses, user agents and models that all findings of a log name together; the rest is counted.
const MOST_TALLIED_BYTES: usize = 8 * 1024 * 1024;
/// eventIDs that all findings of a log name together, beside the first of each.
const MOST_EVENT_IDS_OF_ALL: usize = 50_000;
/// Characters of an eventID. AWS's have 36.
const MOST_OF_EVENT_ID: usize = 128;
/// eventIDs that a finding names.
const MOST_EVENT_IDS: usize = 1_000;

/// What the records of one finding have in common, in the order in which it is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    rule: RuleRef,
    /// The rule is as an override makes it.
    overridden: bool,
    /// Of an operation that nobody knows, none: whatever became of its calls, they are one finding.
    outcome: Outcome,
    story: Story,
    /// What it was done to, and what else the rule groups by.
    targets: Vec<String>,
}

/// Who did what, and where. What is left empty tells none apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Story {
    actor: String,
    credential: String,
    account: String,
    region: String,
    source: String,
    name: String,
    error: String,
}

#[derive(Debug)]
struct Group {
    matched: Matched,
    /// What became of the calls; where it differs, the success.
    outcome: Outcome,
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

/// The findings of one log in the making. By hash and not in order: to be compared with a dozen keys, each somewhere else in memory,
/// takes a record of a flood ten times as long as to be hashed.
pub(crate) struct Groups<'r> {
    rule_set: &'r RuleSet,
    groups: HashMap<Key, Box<Group>>,
    superseded: HashSet<Key>,
    /// How many targets were tried in vain in each story.
    vain: HashMap<Key, usize>,
    left: Left,
}

/// What a log's findings may still keep in memory.
struct Left {
    /// Bytes of whole records.
    records: usize,
    /// Bytes of what is tallied.
    tallied: usize,
    event_ids: usize,
}

impl<'r> Groups<'r> {
    pub(crate) fn new(rule_set: &'r RuleSet) -> Self {
        Self {
            rule_set,
            groups: HashMap::new(),
            superseded: HashSet::new(),
            vain: HashMap::new(),
            left: Left { records: MOST_BYTES_OF_ALL, tallied: MOST_TALLIED_BYTES, event_ids: MOST_EVENT_IDS_OF_ALL },
        }
    }

    /// Whether a member of a record's own is asked for when it is added, or for a fingerprint of it.
    pub(crate) fn want(&self, member: &str, fired: &[Fired]) -> bool {
        let rules = fired.iter().filter_map(|fired| self.rule_set.rule(fired.rule, fired.overridden));
        is_told(member) || rules.flat_map(|rule| &rule.group_by).any(|field| field.split('.').next() == Some(member))
    }

    /// Takes a record on which these rules fire; `bytes` are the record as it stood in the log.
    ///
    /// One record gives one finding a family: the rule with the highest severity, and of equal ones the first. A rule that
    /// names no family stands for itself, so that no two rules of a user's supersede each other by accident; a rule that is
    /// only watched supersedes none that is in force.
    pub(crate) fn add<'f>(&mut self, record: &Record<'_>, bytes: &[u8], fired: &'f [Fired]) {
        let outcome = Outcome::of(record);
        let rule_set = self.rule_set;
        let ranked = |fired: &'f Fired| {
            let rule = rule_set.rule(fired.rule, fired.overridden)?;
            // An id may be spelt like a family's name, and is another thing.
            let (own, family) =
                rule.about.family.as_deref().map_or((true, rule.about.id.as_str()), |family| (false, family));
            Some(((rule.about.stage, own, family), Reverse(severity_id(severity_of(rule, outcome))), fired))
        };
        let mut fired: Vec<(Family<'_>, Reverse<u8>, &Fired)> = fired.iter().filter_map(ranked).collect();
        fired.sort_by_key(|(family, severity, fired)| (*family, *severity, fired.rule));
        let mut actor = Actor::of(record);
        let writes = self.writes(record);
        let mut families = fired.chunk_by(|(one, ..), (other, ..)| one == other).peekable();
        while let Some(of_family) = families.next() {
            let Some(((.., first), lesser)) = of_family.split_first() else { continue };
            for (.., lesser) in lesser {
                let key = self.key(lesser, record, &actor, outcome);
                let key = if self.superseded.contains(&key) { key } else { coarse(key, self.superseded.len()) };
                self.superseded.insert(key);
            }
            let key = self.key(first, record, &actor, outcome);
            let key = self.folded(key);
            let several_did = key.story.actor == SEVERAL;
            let group = self.groups.entry(key).or_insert_with(|| {
                let actor = match families.peek() {
                    _ if several_did => several(),
                    Some(_) => actor.clone(),
                    None => mem::take(&mut actor),
                };
                Box::new(Group::new(record, outcome, actor, writes, &mut self.left))
            });
            group.add(record, bytes, outcome, first, &mut self.left);
            group.related.extend(lesser.iter().map(|(.., fired)| (fired.rule, fired.overridden)));
        }
    }

    /// What tells the group of a record from all others.
    pub(crate) fn fingerprint(&self, fired: &Fired, record: &Record<'_>) -> [u8; 16] {
        let key = self.key(fired, record, &Actor::of(record), Outcome::of(record));
        let rule = self.rule_set.rule(key.rule, key.overridden).map(|rule| rule.about.id.as_str());
        ids::fingerprint(key.parts(rule.unwrap_or_default()))
    }

    /// The key itself or, after too many targets tried in vain, the one that stands for all further ones.
    fn folded(&mut self, key: Key) -> Key {
        if self.groups.contains_key(&key) {
            return key;
        }
        if self.groups.len() >= MOST_APART {
            return coarse(key, self.groups.len());
        }
        if key.outcome == Outcome::Success {
            return key;
        }
        // Nearly all of these name no target. One that does not is counted when the first one comes that does.
        if key.targets.is_empty() && !self.vain.contains_key(&key) {
            return key;
        }
        // Only targets are folded: whose account it was, and what was refused, is never mixed.
        let without = Key { targets: Vec::new(), ..key.clone() };
        let without_any = usize::from(self.groups.contains_key(&without));
        let tried = self.vain.entry(without.clone()).or_insert(without_any);
        *tried += 1;
        if *tried <= MOST_VAIN_TARGETS {
            return key;
        }
        Key { targets: vec!["more targets".to_owned()], ..without }
    }

    fn writes(&self, record: &Record<'_>) -> bool {
        self.rule_set.operations().writes(record.event_source(), record.event_name(), record.read_only())
    }

    fn key(&self, fired: &Fired, record: &Record<'_>, actor: &Actor, outcome: Outcome) -> Key {
        let (rule, overridden) = (fired.rule, fired.overridden);
        let call = Story {
            account: part(record.account().unwrap_or_default()),
            source: part(record.event_source()),
            name: part(record.event_name()),
            ..Story::default()
        };
        // One finding for each operation that nobody knows and account, whoever calls it and whatever comes of it.
        if rule == RuleRef::UnknownOperation {
            return Key { rule, overridden, outcome: Outcome::NotApplicable, story: call, targets: Vec::new() };
        }
        let story = Story {
            actor: part(&actor.uid),
            credential: part(actor.credential.as_deref().unwrap_or_default()),
            region: part(record.region().unwrap_or_default()),
            error: part(record.error_code().unwrap_or_default()),
            ..call
        };
        // Two deleted guardrails are two findings; five thousand denied invocations are one.
        let mut targets = Vec::new();
        if self.writes(record) {
            targets.extend(record.targets().into_iter().map(|target| target.uid));
        }
        for field in self.rule_set.rule(rule, overridden).into_iter().flat_map(|rule| &rule.group_by) {
            targets.push(format!("{field}={}", record.at(field).unwrap_or(&Value::Null)));
        }
        if targets.iter().map(String::len).sum::<usize>() > MOST_TARGET_BYTES {
            targets = vec![ids::uuid([&b"targets"[..]].into_iter().chain(targets.iter().map(String::as_bytes)))];
        }
        Key { rule, overridden, outcome, story, targets }
    }

    /// The findings, worst first, and how many others they stand for altogether.
    pub(crate) fn finish(self, log: &Log) -> (Vec<Finding>, u64) {
        let superseded = self.superseded.iter().filter(|key| !self.groups.contains_key(*key)).count() as u64;
        let mut groups: Vec<(Key, Box<Group>)> = self.groups.into_iter().collect();
        // A map's order changes from run to run; a finding's place among its siblings must not.
        groups.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut findings: Vec<Finding> =
            groups.into_iter().filter_map(|(key, group)| group.finish(&key, self.rule_set, log)).collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity_id()));
        (findings, superseded)
    }
}

impl Key {
    /// All that it is made of, in an order that stays. How many parts there are is one of them, so that none can be taken for what
    /// is hashed behind them.
    fn parts<'k>(&'k self, rule_id: &'k str) -> impl Iterator<Item = Cow<'k, [u8]>> {
        let Story { actor, credential, account, region, source, name, error } = &self.story;
        let story = [actor, credential, account, region, source, name, error];
        let size = (story.len() + self.targets.len()).to_string();
        let fixed = [Cow::from(rule_id.as_bytes()), self.outcome.as_str().as_bytes().into(), size.into_bytes().into()];
        fixed.into_iter().chain(story.into_iter().chain(&self.targets).map(|text| text.as_bytes().into()))
    }
}

/// A part of a key, told apart by a hash where it is long.
fn part(text: &str) -> String {
    if text::beginning(text, MOST_OF_PART).len() == text.len() {
        return text.to_owned();
    }
    let start = text::beginning(text, MOST_OF_PART / 2);
    format!("{start}#{}", ids::hex(&ids::fingerprint([text])))
}

/// A key that stands for this one where `apart` others are told apart already.
fn coarse(mut key: Key, apart: usize) -> Key {
    if apart < MOST_APART || key.rule == RuleRef::UnknownOperation && apart < MOST_CALLS_APART {
        return key;
    }
    let several = || SEVERAL.to_owned();
    key.targets.clear();
    key.story = Story { actor: several(), credential: several(), region: several(), ..key.story };
    if apart >= MOST_CALLS_APART {
        key.story = Story { account: several(), source: several(), name: several(), error: several(), ..key.story };
    }
    key
}

/// Who did what several did.
fn several() -> Actor {
    Actor { kind: "Unknown".to_owned(), uid: SEVERAL.to_owned(), ..Actor::default() }
}

impl Group {
    fn new(record: &Record<'_>, outcome: Outcome, actor: Actor, writes: bool, left: &mut Left) -> Self {
        let mut asked = record.asked();
        let size: usize = asked.iter().map(|asked| asked.path.len() + asked.value.len()).sum();
        match left.records.checked_sub(size) {
            Some(records) => left.records = records,
            None => asked.clear(),
        }
        let matched = Matched {
            event_source: part(record.event_source()),
            event_name: part(record.event_name()),
            error_code: record.error_code().map(part),
            actor: actor.shortened(MOST_OF_PART),
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
            writes,
            in_event_history: record.in_event_history(),
            documentation: None,
        };
        Self {
            matched,
            outcome,
            account: record.account().map(part),
            region: record.region().map(part),
            fingerprints: BTreeSet::new(),
            record_bytes: 0,
            related: BTreeSet::new(),
        }
    }

    fn add(&mut self, record: &Record<'_>, bytes: &[u8], outcome: Outcome, fired: &Fired, left: &mut Left) {
        let matched = &mut self.matched;
        // The same event twice in one log, as CloudTrail sometimes delivers it, is one event.
        if !self.fingerprints.insert(ids::fingerprint([record.event_id().map_or(bytes, str::as_bytes)])) {
            return;
        }
        matched.count += 1;
        if outcome < self.outcome {
            self.outcome = outcome;
            matched.error_code = record.error_code().map(part);
        }
        if let Some(time) = record.time_ms() {
            matched.first_ms = Some(matched.first_ms.map_or(time, |first| first.min(time)));
            matched.last_ms = Some(matched.last_ms.map_or(time, |last| last.max(time)));
        }
        if let Some(id) = record.event_id() {
            matched.event_ids_total += 1;
            let one_more = matched.event_ids.is_empty() || left.event_ids > 0;
            if one_more && matched.event_ids.len() < MOST_EVENT_IDS {
                left.event_ids = left.event_ids.saturating_sub(1);
                matched.event_ids.push(text::beginning(id, MOST_OF_EVENT_ID).to_owned());
            }
        }
        let fits = matched.records.len() < MOST_RECORDS
            && self.record_bytes + bytes.len() <= MOST_RECORD_BYTES
            && bytes.len() <= left.records;
        if fits {
            self.record_bytes += bytes.len();
            left.records -= bytes.len();
            let record = std::str::from_utf8(bytes).map(str::to_owned);
            matched.records.push(record.unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned()));
        }
        let text = |text: &str| text::beginning(text, MOST_CHARACTERS).to_owned();
        for resource in record.resources() {
            let resource = Resource { uid: text(&resource.uid), kind: text(&resource.kind) };
            let size = resource.uid.len() + resource.kind.len();
            matched.resources.add_within(resource, size, &mut left.tallied);
        }
        for (tally, value) in [
            (&mut matched.addresses, record.text("sourceIPAddress")),
            (&mut matched.user_agents, record.text("userAgent")),
            (&mut matched.models, record.model()),
        ] {
            let Some(value) = value.map(text) else { continue };
            let size = value.len();
            tally.add_within(value, size, &mut left.tallied);
        }
        matched.confidence = matched.confidence.max(fired.confidence);
        for field in &fired.not_visible {
            let why = || record.why_not_visible(field);
            matched.not_visible.entry(field.clone()).or_insert_with(why);
        }
    }

    fn finish(mut self, key: &Key, rule_set: &RuleSet, log: &Log) -> Option<Finding> {
        let rule = rule_set.rule(key.rule, key.overridden)?;
        let (about, severity) = (Arc::clone(&rule.about), severity_of(rule, self.outcome));
        let about_of = |(rule, overridden): &(RuleRef, bool)| {
            rule_set.rule(*rule, *overridden).map(|rule| Arc::clone(&rule.about))
        };
        self.matched.related = self.related.iter().filter_map(about_of).collect();
        let (source, name) = (&self.matched.event_source, &self.matched.event_name);
        self.matched.documentation = documentation::page(rule_set.operations(), source, name);
        let hashed = |what: &'static [u8]| [Cow::from(what)].into_iter().chain(key.parts(&about.id));
        // Sorted already: the order of records in a file is no part of what happened.
        let of_records = self.fingerprints.iter().map(|fingerprint| Cow::from(fingerprint.as_slice()));
        let id = ids::uuid(hashed(b"finding").chain(of_records));
        let correlation_id = ids::uuid(hashed(b"correlation"));
        Some(Finding {
            id,
            correlation_id,
            about,
            severity,
            outcome: self.outcome,
            rule_set: rule_set.version().to_owned(),
            log: log.clone(),
            account: self.account,
            region: self.region,
            details: Details::Records(Box::new(self.matched)),
        })
    }
}
