//! The corridor of one invocation: delivered logs → fetch → detect → publish → settle the ledger. It knows the two edges
//! only by what they must do; S3 and SNS stand behind them.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    future::Future,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use detection::{
    audit::{Audit, Audited},
    delivered_log::{Encoding, ObjectKind, classify},
    finding::{FileProblem, Finding, Log, MOST_TOLD, about_file},
    ledger::Ledger,
    rules::{Refused, RuleSet, Stage},
    text,
};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::{
    config::Config,
    live_rules::{InForce, LiveRules, RulesSource},
    notification::{self, Happened, Notice, ObjectEvent},
};

/// Logs of one invocation that are fetched at the same time.
const LOGS_AT_ONCE: usize = 4;
/// Pauses before an object is fetched again because its body broke off, or seems damaged.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// What is left of an invocation's time for telling people and settling the ledger. Lambda kills what takes longer, and
/// nobody would know what became of it.
const FOR_THE_END: Duration = Duration::from_secs(8);
/// Sentences about failures in one answer, which travels on with the event when it fails.
const MOST_PROBLEMS: usize = 10;
/// A body that sends nothing for so long has stalled.
const STALL: Duration = Duration::from_secs(20);

/// Where delivered logs are read from.
pub trait LogBucket {
    /// An object being read.
    type Body: LogBody;

    /// Begins to read an object, the named version of it if there is one.
    fn open(&self, object: &ObjectEvent) -> impl Future<Output = Result<Self::Body, FetchError>> + Send;
}

/// The bytes of an object as they arrive.
pub trait LogBody: Send {
    /// The next bytes; `None` at the end of a complete object, and only there.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, FetchError>> + Send;
}

/// Why an object could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It is not there (404).
    #[error("the object is not there")]
    Gone,
    /// S3 gave no object, and trying again at once changes nothing.
    #[error("{0}")]
    Failed(String),
    /// The body broke off, and may be whole the next time.
    #[error("{0}")]
    Broken(String),
}

/// Where findings and alerts are published.
pub trait Publisher {
    /// Publishes findings to machines; one answer for each, in their order.
    fn publish(&self, findings: &[Finding]) -> impl Future<Output = Vec<Result<(), String>>> + Send;

    /// Tells people, in one message, of these findings and of how many `more` there are, no worse.
    fn alert(&self, findings: &[&Finding], more: usize) -> impl Future<Output = Result<(), String>> + Send;
}

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

/// What an invocation came to.
#[derive(Debug)]
pub struct Invocation {
    /// What Lambda is answered, or why the event must come again.
    pub answer: Result<Value, Failed>,
    /// The account of it.
    pub ledger: Ledger,
    /// The version of the rules that judged.
    pub rule_set: String,
    /// What became of each log.
    pub logs: Vec<LogEnd>,
    /// Why each notice must come again, in their order: nothing for one that need not.
    pub problems: Vec<Vec<String>>,
}

/// What became of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnd {
    /// The place of its notice among those of the event.
    pub notice: usize,
    /// Its bucket, as the notice has it.
    pub bucket: String,
    /// Its key, as the notice has it.
    pub key: String,
    /// As the ledger counts it: `audited`, `skipped`, `gone`, `damaged`, `failed`.
    pub end: &'static str,
    /// Records in it.
    pub records: u64,
    /// Findings of it that SNS took in this invocation.
    pub published: u64,
}

/// Why an event must come again: one sentence for each thing that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed(pub Vec<String>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for Failed {}

/// What became of one object of a notice.
struct Settled {
    notice: usize,
    object: ObjectEvent,
    end: End,
    findings: Vec<(Finding, Result<(), String>)>,
    audited: Option<Audited>,
    shadowed: u64,
    superseded: u64,
}

/// The five ends of a delivered log.
enum End {
    Audited,
    Skipped(String),
    Gone,
    Damaged,
    Failed(String),
}

impl End {
    fn word(&self) -> &'static str {
        match self {
            Self::Audited => "audited",
            Self::Skipped(_) => "skipped",
            Self::Gone => "gone",
            Self::Damaged => "damaged",
            Self::Failed(_) => "failed",
        }
    }
}

impl LogEnd {
    fn of(settled: &Settled) -> Self {
        Self {
            notice: settled.notice,
            bucket: settled.object.bucket.clone(),
            key: settled.object.key.clone(),
            end: settled.end.word(),
            records: settled.audited.as_ref().map_or(0, |audited| audited.records.total),
            published: settled.findings.iter().filter(|(_, answer)| answer.is_ok()).count() as u64,
        }
    }
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
        let mut failures: Vec<Vec<String>> = wake.notices.iter().map(Notice::problems).collect();
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
        let mut waiting: HashMap<usize, (usize, ObjectEvent)> = objects.iter().cloned().enumerate().collect();
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
        match self.fetch(object, rule_set).await {
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

    /// Reads and judges an object. A body that breaks off is fetched again from its beginning: only a complete object can
    /// be called damaged. Not every length and checksum is there to tell by, so what seems damaged must seem so twice.
    async fn fetch(&self, object: &ObjectEvent, rule_set: &RuleSet) -> Result<Audited, FetchError> {
        let mut pauses = PAUSES.iter();
        let mut seen = None;
        loop {
            let why = match self.fetch_once(object, rule_set).await {
                Ok(audited) => match &audited.damage {
                    None => return Ok(audited),
                    Some(damage) if damage.is_excess() => return Ok(audited),
                    Some(damage) => {
                        let sight = Some((damage.clone(), audited.records.clone(), audited.unpacked));
                        if sight == seen {
                            return Ok(audited);
                        }
                        seen = sight;
                        format!("it seems damaged: {damage}")
                    }
                },
                Err(FetchError::Broken(why)) => why,
                Err(error) => return Err(error),
            };
            match pauses.next() {
                Some(pause) => {
                    warn!(bucket = object.bucket, key = object.key, why, "a log is fetched again");
                    tokio::time::sleep(*pause).await;
                }
                None => return Err(FetchError::Broken(why)),
            }
        }
    }

    async fn fetch_once(&self, object: &ObjectEvent, rule_set: &RuleSet) -> Result<Audited, FetchError> {
        let mut body = self.log_bucket.open(object).await?;
        let mut audit = Audit::new(rule_set, self.log(object), Encoding::Gzip, self.config.max_unpacked);
        loop {
            let next = tokio::time::timeout(STALL, body.next());
            let next = next.await.map_err(|_| FetchError::Broken(format!("nothing came for {} s", STALL.as_secs())))?;
            match next? {
                // After most damage the body is read to its end: if it breaks off, it is not what is stored. That it is too
                // much is certain at once, and what is left may be very much more.
                Some(bytes) if !audit.push(&bytes) && audit.is_excess() => return Ok(audit.finish()),
                Some(_) => {}
                None => return Ok(audit.finish()),
            }
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

/// What people are told of: the worst findings, without their records, and how many more there are.
#[derive(Default)]
struct Told {
    worst: Vec<Finding>,
    more: usize,
    /// The notices that brought them; none for what no notification brought.
    notices: HashSet<Option<usize>>,
}

impl Told {
    fn add(&mut self, notice: Option<usize>, mut finding: Finding) {
        finding.forget_records();
        self.notices.insert(notice);
        self.worst.push(finding);
        // The worst first, and of equals the first that came.
        self.worst.sort_by_key(|finding| std::cmp::Reverse(finding.severity_id()));
        self.more += self.worst.len().saturating_sub(MOST_TOLD);
        self.worst.truncate(MOST_TOLD);
    }
}

impl Notice {
    fn problems(&self) -> Vec<String> {
        self.errors.iter().map(ToString::to_string).collect()
    }
}

/// The time that an invocation has until its deadline. Lambda never wakes a function too late: a runtime that seems to, as
/// cargo-lambda's does with a deadline in 1970, knows none, and there is as much time as Lambda ever gives.
#[must_use]
pub fn time_left(deadline: SystemTime, now: SystemTime) -> Duration {
    deadline.duration_since(now).unwrap_or(Duration::from_secs(900))
}

/// Closes the books of an invocation.
fn end(
    from_queue: bool,
    notices: &[Notice],
    failures: Vec<Vec<String>>,
    logs: Vec<LogEnd>,
    mut ledger: Ledger,
    rule_set: &str,
) -> Invocation {
    for sum in ledger.imbalances() {
        error!(sum, "the ledger does not balance: this is a defect of bedrock-audit");
    }
    ledger.items_failed = failures.iter().filter(|problems| !problems.is_empty()).count() as u64;
    for problem in failures.iter().flatten() {
        error!(problem, "a notification is given back");
    }
    let answer = answer(from_queue, notices, failures.clone(), &ledger);
    Invocation { answer, ledger, rule_set: rule_set.to_owned(), logs, problems: failures }
}

/// What Lambda is told: from a queue, which messages to bring again; otherwise an error brings the whole event again.
fn answer(from_queue: bool, notices: &[Notice], failures: Vec<Vec<String>>, ledger: &Ledger) -> Result<Value, Failed> {
    let failed: Vec<(Option<&String>, Vec<String>)> = notices
        .iter()
        .zip(failures)
        .filter(|(_, problems)| !problems.is_empty())
        .map(|(notice, problems)| (notice.message_id.as_ref(), problems))
        .collect();
    let all_named = failed.iter().all(|(id, _)| id.is_some());
    let problems = || {
        let mut problems: Vec<String> = failed.iter().flat_map(|(_, problems)| problems.clone()).collect();
        let more = problems.len().saturating_sub(MOST_PROBLEMS);
        problems.truncate(MOST_PROBLEMS);
        problems.extend((more > 0).then(|| format!("and {more} more")));
        Failed(problems)
    };
    let value = if from_queue && all_named {
        let ids = failed.iter().filter_map(|(id, _)| id.map(|id| id.to_owned()));
        serde_json::to_value(notification::give_back(ids))
    } else if failed.is_empty() {
        serde_json::to_value(ledger)
    } else {
        // A message without an id cannot be named, so all of them come again.
        return Err(problems());
    };
    value.map_err(|error| Failed(vec![format!("the answer could not be written: {error}")]))
}

/// One line for each delivered log. No content of any record is in it.
fn log_line(object: &ObjectEvent, end: &End, audited: Option<&Audited>, findings: usize, rule_set: &str) {
    let (bucket, key) = (object.bucket.as_str(), object.key.as_str());
    if let End::Skipped(folder) = end {
        return debug!(bucket, key, folder, "skipped");
    }
    let end = end.word();
    let records = audited.map_or(0, |audited| audited.records.total);
    let matched = audited.map_or(0, |audited| audited.records.matched);
    let excepted: u64 = audited.map_or(0, |audited| audited.excepted.values().sum());
    let would_be_excepted: u64 = audited.map_or(0, |audited| audited.exceptions_shadowed.values().sum());
    let bytes = audited.map_or(0, |audited| audited.unpacked);
    info!(bucket, key, end, records, matched, findings, excepted, would_be_excepted, bytes, rule_set, "delivered log");
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
