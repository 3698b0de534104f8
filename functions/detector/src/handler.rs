//! The corridor of one invocation: delivered logs → fetch → detect → publish → settle the ledger. It knows the two edges
//! only by what they must do; S3 and SNS stand behind them.
//!
//! - [`edges`]: what they must do
//! - [`fetch`]: one log, read until it is known what is stored
//! - [`told`]: what people are told of
//! - [`ends`]: how each log ends, and the invocation with it

mod edges;
mod ends;
mod fetch;
mod told;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use detection::{
    audit::Audited,
    delivered_log::{ObjectKind, classify},
    finding::{FileProblem, Finding, Log, about_file},
    ledger::Ledger,
    rules::{Refused, RuleSet, Stage},
    text,
};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::time::Instant;
use tracing::info;

pub use edges::{FetchError, LogBody, LogBucket, Publisher};
use ends::{End, Settled, end, log_line};
pub use ends::{Failed, Invocation, LogEnd};
use fetch::fetch;
use told::Told;

use crate::{
    config::Config,
    live_rules::{InForce, LiveRules, RulesSource},
    notification::{self, Happened, ObjectEvent},
};

/// Logs of one invocation that are fetched at the same time.
const LOGS_AT_ONCE: usize = 4;
/// What is left of an invocation's time for telling people and settling the ledger. Lambda kills what takes longer, and
/// nobody would know what became of it.
const FOR_THE_END: Duration = Duration::from_secs(8);

/// The detector between its two edges.
pub struct Handler<B, P, R> {
    log_bucket: B,
    publisher: P,
    rules: LiveRules<R>,
    config: Config,
    /// Findings about rule files that were published, and of which people were told, since this function started.
    refused_told: Mutex<HashSet<String>>,
    /// Milliseconds since 1970.
    clock: fn() -> i64,
}

impl<B: LogBucket + Sync, P: Publisher + Sync, R: RulesSource + Send + Sync + 'static> Handler<B, P, R> {
    /// Puts the detector together. `clock` answers milliseconds since 1970.
    pub fn new(config: Config, rules: LiveRules<R>, log_bucket: B, publisher: P, clock: fn() -> i64) -> Self {
        Self { log_bucket, publisher, rules, config, refused_told: Mutex::default(), clock }
    }

    /// Handles one event within the time that is left for it. Every part of it is handled, whatever becomes of the others;
    /// for what there is no time, the event comes again.
    pub async fn handle(&self, payload: Value, time_left: Duration) -> Invocation {
        let end_of_time = Instant::now() + time_left;
        let deadline = end_of_time - FOR_THE_END.min(time_left / 4);
        let last_word = end_of_time - Duration::from_secs(1).min(time_left / 8);
        let mut wake = notification::decode(payload);
        let alert_threshold = self.config.alerts_topic_arn.is_some().then(|| self.config.alert_min_severity.as_str());
        let mut ledger = Ledger { items: wake.notices.len() as u64, alert_threshold, ..Ledger::default() };
        let mut failures: Vec<Vec<String>> =
            wake.notices.iter().map(|notice| notice.errors.iter().map(ToString::to_string).collect()).collect();
        let mut objects = Vec::new();
        for (at, notice) in wake.notices.iter_mut().enumerate() {
            ledger.test_events += notice.test_events;
            objects.extend(notice.objects.drain(..).map(|object| (at, object)));
        }

        let published = &Mutex::new(HashSet::new());
        let mut told = Told::default();
        let in_force = tokio::time::timeout_at(deadline, self.rules.in_force()).await;
        let InForce { rule_set, refused } =
            match in_force.unwrap_or_else(|_| Err("the rules were not read in time".to_owned())) {
                Ok(in_force) => in_force,
                // Nothing can be judged, so nothing is said to have been: all of it comes again.
                Err(why) => {
                    failures.iter_mut().for_each(|problems| problems.push(why.clone()));
                    ledger.logs.total = objects.len() as u64;
                    ledger.logs.failed = ledger.logs.total;
                    return end(wake.from_queue, &wake.notices, failures, Vec::new(), ledger, "none");
                }
            };
        let rule_set = &*rule_set;
        ledger.rule_files_refused = refused.len() as u64;
        ledger.rules_waiting = rule_set.waiting().count() as u64;
        ledger.rules_disabled = rule_set.disabled_at((self.clock)());
        let telling = self.tell_refused_rules(&refused, rule_set, &mut ledger, &mut failures, &mut told);
        let refused_told = tokio::time::timeout_at(deadline, telling).await.unwrap_or_else(|_| {
            let why = "a finding about a rule file was not published in time";
            failures.iter_mut().for_each(|problems| problems.push(why.to_owned()));
            Vec::new()
        });
        let mut waiting: BTreeMap<usize, (usize, ObjectEvent)> = objects.iter().cloned().enumerate().collect();
        let mut logs = Vec::new();
        let mut settling = stream::iter(objects.into_iter().enumerate())
            .map(|(at, (notice, object))| async move { (at, self.settle(notice, object, rule_set, published).await) })
            .buffer_unordered(LOGS_AT_ONCE);
        while let Ok(Some((at, settled))) = tokio::time::timeout_at(deadline, settling.next()).await {
            waiting.remove(&at);
            logs.push(LogEnd::of(&settled));
            self.enter(settled, &mut ledger, &mut failures, &mut told);
        }
        for (notice, object) in waiting.into_values() {
            let key = text::neutral(&object.key, 1_024);
            let end =
                End::Failed(format!("there was no time left for {key}; give the function more, or fewer messages"));
            let settled =
                Settled { notice, object, end, findings: Vec::new(), audited: None, shadowed: 0, superseded: 0 };
            logs.push(LogEnd::of(&settled));
            self.enter(settled, &mut ledger, &mut failures, &mut told);
        }
        let alerted = self.alert(&mut ledger, &mut failures, told, last_word).await;
        if alerted {
            self.refused_told.lock().unwrap_or_else(PoisonError::into_inner).extend(refused_told);
        }
        end(wake.from_queue, &wake.notices, failures, logs, ledger, rule_set.version())
    }

    /// Sees one object through to its end, its findings published.
    async fn settle(
        &self,
        notice: usize,
        object: ObjectEvent,
        rule_set: &RuleSet,
        published: &Mutex<HashSet<String>>,
    ) -> Settled {
        let (end, findings, audited) = self.audit(&object, rule_set).await;
        let (watched, mut fresh): (Vec<Finding>, Vec<Finding>) =
            findings.into_iter().partition(|finding| finding.about.stage == Stage::Shadow);
        for finding in &watched {
            let (rule, severity) = (finding.about.id.as_str(), finding.severity_name());
            let count = finding.matched().map_or(0, |matched| matched.count);
            info!(rule, severity, finding = finding.id, count, "finding of a rule in shadow");
        }
        let before = fresh.len();
        {
            let published = published.lock().unwrap_or_else(PoisonError::into_inner);
            fresh.retain(|finding| !published.contains(&finding.id));
        }
        let superseded = (before - fresh.len()) as u64;
        let findings = self.publish(fresh).await;
        // Only what SNS has taken stands for its repetition.
        let mut published = published.lock().unwrap_or_else(PoisonError::into_inner);
        published.extend(findings.iter().filter(|(_, answer)| answer.is_ok()).map(|(finding, _)| finding.id.clone()));
        log_line(&object, &end, audited.as_ref(), findings.len(), rule_set.version());
        Settled { notice, object, end, findings, audited, shadowed: watched.len() as u64, superseded }
    }

    async fn audit(&self, object: &ObjectEvent, rule_set: &RuleSet) -> (End, Vec<Finding>, Option<Audited>) {
        let only_end = |end| (end, Vec::new(), None);
        // Before anything else is believed: a forged notification must not make us read something else.
        if !self.config.log_buckets.contains(&object.bucket) {
            let bucket = text::neutral(&object.bucket, 100);
            return only_end(End::Failed(format!(
                "the bucket {bucket} is not in LOG_BUCKETS and was not read; add it there, or find out who sent this"
            )));
        }
        let (account, region) = match classify(&object.key) {
            ObjectKind::Other { folder } => return only_end(End::Skipped(folder)),
            ObjectKind::Log { account, region } => (Some(account), Some(region)),
        };
        match &object.happened {
            Happened::Other(what) => return only_end(End::Skipped(what.clone())),
            Happened::Removed => {
                let finding = self.removed(object, rule_set, account, region, "somebody removed it");
                return (End::Gone, vec![finding], None);
            }
            Happened::Created => {}
        }
        match fetch(&self.log_bucket, object, rule_set, &self.log(object), self.config.max_unpacked).await {
            Ok(mut audited) => {
                let findings = std::mem::take(&mut audited.findings);
                let end = if audited.damage.is_some() { End::Damaged } else { End::Audited };
                (end, findings, Some(audited))
            }
            Err(FetchError::Gone) => {
                let finding =
                    self.removed(object, rule_set, account, region, "it was delivered, and is no longer there");
                (End::Gone, vec![finding], None)
            }
            Err(FetchError::Failed(why) | FetchError::Broken(why)) => only_end(End::Failed(format!(
                "s3://{}/{} was not read: {why}",
                object.bucket,
                text::neutral(&object.key, 1_024)
            ))),
        }
    }

    fn log(&self, object: &ObjectEvent) -> Log {
        Log { bucket: Some(object.bucket.clone()), key: object.key.clone(), read_at_ms: (self.clock)() }
    }

    fn removed(
        &self,
        object: &ObjectEvent,
        rule_set: &RuleSet,
        account: Option<String>,
        region: Option<String>,
        how: &str,
    ) -> Finding {
        let version = rule_set.version();
        about_file(FileProblem::LogRemoved, "removed", how.to_owned(), self.log(object), version, account, region)
    }

    /// A rule file that was left out is a finding, once a day and start of the function. Answers the ids of those that are
    /// published.
    async fn tell_refused_rules(
        &self,
        refused: &[Refused],
        rule_set: &RuleSet,
        ledger: &mut Ledger,
        failures: &mut [Vec<String>],
        told: &mut Told,
    ) -> Vec<String> {
        let now = (self.clock)();
        let day = now.div_euclid(24 * 60 * 60 * 1_000);
        let findings = refused.iter().map(|refused| {
            let log = Log { bucket: None, key: refused.path.clone(), read_at_ms: now };
            let (what, problem) = (format!("{day}: {refused}"), refused.to_string());
            about_file(FileProblem::RuleRefused, &what, problem, log, rule_set.version(), None, None)
        });
        let mut findings: Vec<Finding> = findings.collect();
        {
            let known = self.refused_told.lock().unwrap_or_else(PoisonError::into_inner);
            findings.retain(|finding| !known.contains(&finding.id));
        }
        let findings = self.publish(findings).await;
        let taken =
            findings.iter().filter(|(_, answer)| answer.is_ok()).map(|(finding, _)| finding.id.clone()).collect();
        ledger.findings.total += findings.len() as u64;
        // No notification brought them: all of them are answerable.
        for why in self.enter_findings(findings, None, ledger, told) {
            failures.iter_mut().for_each(|problems| problems.push(why.clone()));
        }
        taken
    }

    /// Publishes findings; each has an answer, even where the publisher gave none.
    async fn publish(&self, findings: Vec<Finding>) -> Vec<(Finding, Result<(), String>)> {
        let answers = if findings.is_empty() { Vec::new() } else { self.publisher.publish(&findings).await };
        let missing = std::iter::repeat_with(|| Err("the publisher gave no answer".to_owned()));
        findings.into_iter().zip(answers.into_iter().chain(missing)).collect()
    }

    /// Enters what became of an object into the ledger.
    fn enter(&self, settled: Settled, ledger: &mut Ledger, failures: &mut [Vec<String>], told: &mut Told) {
        let mut problems = Vec::new();
        ledger.logs.total += 1;
        match settled.end {
            End::Audited => ledger.logs.audited += 1,
            End::Skipped(folder) => ledger.skip(&folder),
            End::Gone => ledger.logs.gone += 1,
            End::Damaged => ledger.logs.damaged += 1,
            End::Failed(why) => {
                ledger.logs.failed += 1;
                problems.push(why);
            }
        }
        if let Some(audited) = settled.audited {
            ledger.add_records(&audited.records);
            ledger.add_undecided(&audited.undecided);
            ledger.add_excepted(&audited.excepted, &audited.exceptions_shadowed);
            ledger.findings.total += audited.superseded;
            ledger.findings.superseded += audited.superseded;
        }
        ledger.findings.total += settled.shadowed + settled.superseded + settled.findings.len() as u64;
        ledger.findings.shadowed += settled.shadowed;
        ledger.findings.superseded += settled.superseded;
        problems.extend(self.enter_findings(settled.findings, Some(settled.notice), ledger, told));
        failures.get_mut(settled.notice).into_iter().for_each(|of_notice| of_notice.append(&mut problems));
    }

    /// Enters what became of findings, and answers why some were not taken, each reason once.
    fn enter_findings(
        &self,
        findings: Vec<(Finding, Result<(), String>)>,
        notice: Option<usize>,
        ledger: &mut Ledger,
        told: &mut Told,
    ) -> BTreeSet<String> {
        let mut reasons = BTreeSet::new();
        for (finding, answer) in findings {
            match answer {
                Ok(()) => {
                    ledger.findings.published += 1;
                    if self.config.alerts_on(finding.severity) {
                        told.add(notice, finding);
                    } else {
                        ledger.findings_below_alert_threshold += 1;
                    }
                }
                Err(why) => {
                    ledger.findings.failed += 1;
                    reasons.insert(why);
                }
            }
        }
        reasons
    }

    /// One message to people for the whole invocation: above ten mails a second SNS gives a mailbox up. Answers whether
    /// everybody who should be told is.
    async fn alert(&self, ledger: &mut Ledger, failures: &mut [Vec<String>], told: Told, last_word: Instant) -> bool {
        if told.worst.is_empty() {
            return true;
        }
        let findings: Vec<&Finding> = told.worst.iter().collect();
        let alerting = tokio::time::timeout_at(last_word, self.publisher.alert(&findings, told.more));
        match alerting.await.unwrap_or_else(|_| Err("an alert was not published in time".to_owned())) {
            Ok(()) => {
                ledger.alerts_published += 1;
                true
            }
            // Whoever brought these findings must bring them again.
            Err(why) => {
                ledger.alerts_failed += 1;
                for (at, problems) in failures.iter_mut().enumerate() {
                    if told.notices.contains(&Some(at)) || told.notices.contains(&None) {
                        problems.push(why.clone());
                    }
                }
                false
            }
        }
    }
}

/// The time that an invocation has until its deadline. Lambda never wakes a function too late: a runtime that seems to, as
/// cargo-lambda's does with a deadline in 1970, knows none, and there is as much time as Lambda ever gives.
#[must_use]
pub fn time_left(deadline: SystemTime, now: SystemTime) -> Duration {
    deadline.duration_since(now).unwrap_or(Duration::from_secs(900))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_in_the_past_is_none() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_340_000);
        assert_eq!(time_left(now + Duration::from_secs(30), now), Duration::from_secs(30));
        let cargo_lambdas = SystemTime::UNIX_EPOCH + Duration::from_secs(600);
        assert_eq!(time_left(cargo_lambdas, now), Duration::from_secs(900));
    }
}
