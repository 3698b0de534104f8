//! The corridor of one invocation: delivered logs → fetch → detect → publish → settle the ledger. It knows the two edges
//! only by what they must do; S3 and SNS stand behind them.
//!
//! - [`edges`]: what they must do
//! - [`fetch`]: one log, read until it is known what is stored
//! - [`books`]: what has become of everything so far
//! - [`told`]: what people are told of
//! - [`ends`]: how each log ends, and the invocation with it

mod books;
mod edges;
mod ends;
mod fetch;
mod told;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use detection::{
    audit::Audited,
    delivered_log::{ObjectKind, classify},
    finding::{FileProblem, Finding, Log, about_file},
    rules::{Refused, RuleSet, Stage},
    text,
};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::time::Instant;
use tracing::info;

use books::{Answerable, Books};
pub use edges::{FetchError, LogBody, LogBucket, Publisher};
use ends::{End, Settled, log_line};
pub use ends::{Failed, Invocation, LogEnd};
use fetch::fetch;

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
/// That is at most one part in so many, else a function with little time would read no log.
const END_AT_MOST_ONE_IN: u32 = 4;
/// What of it is left when people were told, or could not be: for the ledger and the answer.
const FOR_THE_ANSWER: Duration = Duration::from_secs(1);
/// With little time, half of what is left for the end.
const ANSWER_AT_MOST_ONE_IN: u32 = 2 * END_AT_MOST_ONE_IN;

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
        let deadline = end_of_time - FOR_THE_END.min(time_left / END_AT_MOST_ONE_IN);
        let last_word = end_of_time - FOR_THE_ANSWER.min(time_left / ANSWER_AT_MOST_ONE_IN);
        let mut wake = notification::decode(payload);
        let mut books = Books::open(&self.config, &wake.notices);
        let mut objects = Vec::new();
        for (at, notice) in wake.notices.iter_mut().enumerate() {
            objects.extend(notice.objects.drain(..).map(|object| (at, object)));
        }

        let in_force = tokio::time::timeout_at(deadline, self.rules.in_force()).await;
        let InForce { rule_set, refused } =
            match in_force.unwrap_or_else(|_| Err("the rules were not read in time".to_owned())) {
                Ok(in_force) => in_force,
                // Nothing can be judged, so nothing is said to have been: all of it comes again.
                Err(why) => {
                    books.fail(Answerable::Everybody, &why);
                    books.ledger.logs.total = objects.len() as u64;
                    books.ledger.logs.failed = books.ledger.logs.total;
                    return books.close(wake.from_queue, &wake.notices, "none");
                }
            };
        let rule_set = &*rule_set;
        books.ledger.rule_files_refused = refused.len() as u64;
        books.ledger.rules_waiting = rule_set.waiting().count() as u64;
        books.ledger.rules_disabled = rule_set.disabled_at((self.clock)());
        let telling = tokio::time::timeout_at(deadline, self.tell_refused_rules(&refused, rule_set, &mut books)).await;
        let refused_told = telling.unwrap_or_else(|_| {
            books.fail(Answerable::Everybody, "a finding about a rule file was not published in time");
            Vec::new()
        });
        self.settle_all(objects, rule_set, deadline, &mut books).await;
        if self.alert(&mut books, last_word).await {
            self.refused_told.lock().unwrap_or_else(PoisonError::into_inner).extend(refused_told);
        }
        books.close(wake.from_queue, &wake.notices, rule_set.version())
    }

    /// Settles objects, each with the place of its notice, as far as there is time. For what is left, the notice comes again.
    async fn settle_all(
        &self,
        objects: Vec<(usize, ObjectEvent)>,
        rule_set: &RuleSet,
        deadline: Instant,
        books: &mut Books<'_>,
    ) {
        let published = &Mutex::new(HashSet::new());
        let mut waiting: BTreeMap<usize, (usize, ObjectEvent)> = objects.iter().cloned().enumerate().collect();
        let mut settling = stream::iter(objects.into_iter().enumerate())
            .map(|(at, (notice, object))| async move { (at, self.settle(notice, object, rule_set, published).await) })
            .buffer_unordered(LOGS_AT_ONCE);
        while let Ok(Some((at, settled))) = tokio::time::timeout_at(deadline, settling.next()).await {
            waiting.remove(&at);
            books.enter(settled);
        }
        for (notice, object) in waiting.into_values() {
            let key = text::neutral(&object.key, 1_024);
            let end =
                End::Failed(format!("there was no time left for {key}; give the function more, or fewer messages"));
            books.enter(Settled {
                notice,
                object,
                end,
                findings: Vec::new(),
                audited: None,
                shadowed: 0,
                superseded: 0,
            });
        }
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
    async fn tell_refused_rules(&self, refused: &[Refused], rule_set: &RuleSet, books: &mut Books<'_>) -> Vec<String> {
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
        books.enter_findings(Answerable::Everybody, findings);
        taken
    }

    /// Publishes findings; each has an answer, even where the publisher gave none.
    async fn publish(&self, findings: Vec<Finding>) -> Vec<(Finding, Result<(), String>)> {
        let answers = if findings.is_empty() { Vec::new() } else { self.publisher.publish(&findings).await };
        let missing = std::iter::repeat_with(|| Err("the publisher gave no answer".to_owned()));
        findings.into_iter().zip(answers.into_iter().chain(missing)).collect()
    }

    /// One message to people for the whole invocation: above ten mails a second SNS gives a mailbox up. Answers whether
    /// everybody who should be told is.
    async fn alert(&self, books: &mut Books<'_>, last_word: Instant) -> bool {
        let told = std::mem::take(&mut books.told);
        if told.worst.is_empty() {
            return true;
        }
        let findings: Vec<&Finding> = told.worst.iter().collect();
        let alerting = tokio::time::timeout_at(last_word, self.publisher.alert(&findings, told.more));
        match alerting.await.unwrap_or_else(|_| Err("an alert was not published in time".to_owned())) {
            Ok(()) => {
                books.ledger.alerts_published += 1;
                true
            }
            Err(why) => {
                books.enter_untold(&told, &why);
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
