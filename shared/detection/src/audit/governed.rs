//! What exceptions and overrides did to the records of one log: what they silenced, and which of them would have, had they not
//! expired. Knows no log and no engine.

use std::collections::{BTreeMap, HashSet};

use time::Date;

use crate::{
    finding::{FileProblem, Finding, Fired, Groups, Log, about_expiry},
    record::Record,
    rules::{Exception, Override, Question, RuleRef, RuleSet, Stage, Standing},
    text,
};

/// Findings about what has expired that one log makes. A log with more of them tells nothing new.
const MOST_EXPIRED: usize = 100;

/// How often each exception, by its id, silenced what would have been a finding.
pub(super) type ByException = BTreeMap<String, u64>;

/// What was governed in one log.
pub(super) struct Governed<'r> {
    rule_set: &'r RuleSet,
    /// What would have been findings, by the exception that silenced them.
    excepted: BTreeMap<usize, HashSet<[u8; 16]>>,
    /// What exceptions in shadow would have silenced.
    shadowed: BTreeMap<usize, HashSet<[u8; 16]>>,
    /// The first eventID of a day for which it had expired.
    expired: BTreeMap<(Expired, Date), Option<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Expired {
    Exception(usize),
    Override(RuleRef),
}

impl<'r> Governed<'r> {
    pub(super) fn new(rule_set: &'r RuleSet) -> Self {
        Self { rule_set, excepted: BTreeMap::new(), shadowed: BTreeMap::new(), expired: BTreeMap::new() }
    }

    /// The rules that fire and that no exception silences. Each is asked for itself, before any stands for its family: if the
    /// highest is silenced, the next one is told.
    pub(super) fn told(
        &mut self,
        question: &mut Question<'_>,
        record: &Record<'_>,
        groups: &Groups<'_>,
        fired: Vec<Fired>,
    ) -> Vec<Fired> {
        let mut told = Vec::new();
        for fired in fired {
            if let Some((_, Standing::Expired(day))) = question.override_of(fired.rule) {
                self.has_expired(Expired::Override(fired.rule), day, record);
            }
            if !self.is_silenced(question, record, groups, &fired) {
                told.push(fired);
            }
        }
        told
    }

    fn is_silenced(
        &mut self,
        question: &mut Question<'_>,
        record: &Record<'_>,
        groups: &Groups<'_>,
        fired: &Fired,
    ) -> bool {
        let (mut by, mut expired) = (None, Vec::new());
        for (position, standing) in question.exceptions_matching(fired.rule) {
            let stage = self.rule_set.exceptions().get(position).map(|exception| exception.stage);
            match (standing, stage) {
                (Standing::InForce, Some(Stage::Shadow)) => {
                    self.shadowed.entry(position).or_default().insert(groups.fingerprint(fired, record));
                }
                // The first one answers for it, so that the sums hold.
                (Standing::InForce, _) => by = by.or(Some(position)),
                // What only watched ends without a word.
                (Standing::Expired(day), Some(Stage::Live)) => expired.push((position, day)),
                _ => {}
            }
        }
        let Some(position) = by else {
            for (position, day) in expired {
                self.has_expired(Expired::Exception(position), day, record);
            }
            return false;
        };
        // Another one has taken the place of what expired.
        self.excepted.entry(position).or_default().insert(groups.fingerprint(fired, record));
        true
    }

    fn has_expired(&mut self, what: Expired, day: Date, record: &Record<'_>) {
        if self.expired.len() < MOST_EXPIRED {
            self.expired.entry((what, day)).or_insert_with(|| record.event_id().map(str::to_owned));
        }
    }

    /// What each exception silenced, what each in shadow would have, and a finding for each that has expired.
    pub(super) fn finish(
        self,
        log: &Log,
        account: Option<&str>,
        region: Option<&str>,
    ) -> (ByException, ByException, Vec<Finding>) {
        let by_id = |groups: &BTreeMap<usize, HashSet<[u8; 16]>>| -> ByException {
            let named = |(position, groups): (&usize, &HashSet<_>)| {
                Some((self.rule_set.exceptions().get(*position)?.id.clone(), groups.len() as u64))
            };
            groups.iter().filter_map(named).collect()
        };
        let mut findings = Vec::new();
        for ((what, day), event) in &self.expired {
            let event = event.as_deref().unwrap_or("a record without an eventID");
            let told = match what {
                Expired::Exception(position) => self.rule_set.exceptions().get(*position).map(|exception| {
                    (FileProblem::ExceptionExpired, exception.id.clone(), exception_expired(exception, *day, event))
                }),
                Expired::Override(rule) => self.rule_set.overrides().get(rule).map(|change| {
                    let id = change.rule.about.id.clone();
                    (FileProblem::OverrideExpired, id, override_expired(change, *day, event))
                }),
            };
            let Some((kind, id, problem)) = told else { continue };
            let version = self.rule_set.version();
            findings.push(about_expiry(kind, &id, *day, problem, log.clone(), version, account, region));
        }
        (by_id(&self.excepted), by_id(&self.shadowed), findings)
    }
}

fn exception_expired(exception: &Exception, day: Date, event: &str) -> String {
    let (title, owner) = (text::neutral(&exception.title, 200), text::neutral(&exception.term.owner, 200));
    format!(
        "the exception \"{title}\" ({}) of {owner} expired with {}; what it would have silenced on {day} is told (first: {event})",
        exception.path, exception.term.expires
    )
}

fn override_expired(change: &Override, day: Date, event: &str) -> String {
    let (title, owner) = (text::neutral(&change.rule.about.title, 200), text::neutral(&change.term.owner, 200));
    format!(
        "the override of \"{title}\" ({}) by {owner} expired with {}; on {day} the rule is again what it was (first: {event})",
        change.path, change.term.expires
    )
}
