//! The edge to SNS: findings are packed into batches, what SNS refuses is tried again alone, and nothing is dropped unsaid.

use std::{collections::HashMap, future::Future, time::Duration};

use aws_sdk_sns::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{MessageAttributeValue, PublishBatchRequestEntry},
};
use detection::finding::{Alert, Attribute, ChatNotice, Finding, Form};
use futures_util::{StreamExt as _, stream};
use tracing::warn;

use crate::{
    aws_error::{code, said},
    config::AlertFormat,
    handler::Publisher,
};

/// What SNS takes at most in one message, and in one batch together, attributes included: 256 KiB unless a topic is set
/// otherwise. One KiB is left free, because how exactly SNS counts is not written down.
const MOST_BYTES: usize = 255 * 1024;
/// Entries of one batch.
const MOST_ENTRIES: usize = 10;
/// Findings that are written at once: each may take 255 KiB, and a log can have thousands.
const FINDINGS_AT_ONCE: usize = 40;
/// Batches on the way at the same time.
const BATCHES_AT_ONCE: usize = 4;
/// Pauses before entries that SNS could not take are sent again. The SDK repeats whole requests by itself.
const PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1_600)];

/// One message of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The finding as OCSF JSON.
    pub message: String,
    /// What subscriptions filter by.
    pub attributes: [Attribute; 10],
}

impl Entry {
    /// As SNS counts it: the message and its attributes' names, types and values, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.message.len() + attributes_size(&self.attributes)
    }
}

fn attributes_size(attributes: &[Attribute]) -> usize {
    attributes.iter().map(|a| a.name.len() + a.data_type.len() + a.value.len()).sum()
}

/// An entry of a batch that SNS did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    /// Its place in the batch.
    pub at: usize,
    /// Whether SNS says that the entry itself is wrong.
    pub sender_fault: bool,
    /// What SNS said.
    pub why: String,
}

/// Why a whole request was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestError {
    /// SNS finds the request itself wrong (400): one of its entries may be to blame.
    Wrong(String),
    /// Nothing in the request would help: no permission, no such topic, no answer after all of the SDK's attempts.
    Failed(String),
}

/// What this edge needs of SNS.
pub trait Sns {
    /// Publishes a batch; answers what of it was not taken.
    fn publish_batch(
        &self,
        topic_arn: &str,
        entries: &[Entry],
    ) -> impl Future<Output = Result<Vec<NotTaken>, RequestError>> + Send;

    /// Publishes one message to people.
    fn publish(
        &self,
        topic_arn: &str,
        subject: Option<&str>,
        message: &str,
    ) -> impl Future<Output = Result<(), RequestError>> + Send;
}

/// Publishes findings and alerts through SNS.
#[derive(Debug, Clone)]
pub struct Topics<S> {
    sns: S,
    findings_topic_arn: String,
    alerts_topic_arn: Option<String>,
    alert_format: AlertFormat,
}

/// A finding on its way.
struct Pending {
    finding: usize,
    form: Form,
    /// In a batch of its own, because the batch it was in was refused as a whole.
    alone: bool,
    why: String,
}

/// A batch, and what SNS answered to it.
type Answered = (Vec<Pending>, Result<Vec<NotTaken>, RequestError>);

impl<S: Sns + Sync> Topics<S> {
    /// `alerts_topic_arn` may be missing; then [`Publisher::alert`] is never called.
    pub fn new(
        sns: S,
        findings_topic_arn: String,
        alerts_topic_arn: Option<String>,
        alert_format: AlertFormat,
    ) -> Self {
        Self { sns, findings_topic_arn, alerts_topic_arn, alert_format }
    }

    /// Sends everything that is pending once, and answers what is pending still or has failed for good.
    async fn round(&self, pending: Vec<Pending>, findings: &[Finding]) -> (Vec<Pending>, Vec<Pending>) {
        let entries: Vec<(Pending, Entry)> = pending
            .into_iter()
            .filter_map(|pending| {
                let entry = entry(findings.get(pending.finding)?, pending.form);
                Some((pending, entry))
            })
            .collect();
        let answers: Vec<Answered> = stream::iter(pack(entries))
            .map(|batch| async {
                let (pending, entries): (Vec<Pending>, Vec<Entry>) = batch.into_iter().unzip();
                let answer = self.sns.publish_batch(&self.findings_topic_arn, &entries).await;
                (pending, answer)
            })
            .buffer_unordered(BATCHES_AT_ONCE)
            .collect()
            .await;
        let (mut again, mut failed) = (Vec::new(), Vec::new());
        for (batch, answer) in answers {
            match answer {
                Ok(not_taken) => {
                    let not_taken: HashMap<usize, NotTaken> =
                        not_taken.into_iter().map(|not_taken| (not_taken.at, not_taken)).collect();
                    for (at, pending) in batch.into_iter().enumerate() {
                        let Some(not_taken) = not_taken.get(&at) else { continue };
                        let why = not_taken.why.clone();
                        match pending.form {
                            _ if !not_taken.sender_fault => again.push(Pending { why, ..pending }),
                            Form::Full => again.push(Pending { why, form: Form::Minimal, ..pending }),
                            Form::Minimal => failed.push(Pending { why, ..pending }),
                        }
                    }
                }
                Err(RequestError::Wrong(why)) => {
                    let single = batch.len() == 1;
                    for pending in batch {
                        let pending = Pending { why: why.clone(), ..pending };
                        match pending.form {
                            _ if !single => again.push(Pending { alone: true, ..pending }),
                            Form::Full => again.push(Pending { form: Form::Minimal, ..pending }),
                            Form::Minimal => failed.push(pending),
                        }
                    }
                }
                Err(RequestError::Failed(why)) => {
                    failed.extend(batch.into_iter().map(|pending| Pending { why: why.clone(), ..pending }));
                }
            }
        }
        (again, failed)
    }
}

impl<S: Sns + Sync> Publisher for Topics<S> {
    async fn publish(&self, findings: &[Finding]) -> Vec<Result<(), String>> {
        let mut answers = Vec::with_capacity(findings.len());
        for some in findings.chunks(FINDINGS_AT_ONCE) {
            answers.extend(self.publish_some(some).await);
        }
        answers
    }

    async fn alert(&self, findings: &[&Finding], more: usize) -> Result<(), String> {
        let Some(topic) = &self.alerts_topic_arn else { return Ok(()) };
        let answer = match self.alert_format {
            AlertFormat::Text => match Alert::of(findings, more) {
                Some(alert) => self.sns.publish(topic, Some(&alert.subject), &alert.body).await,
                None => Ok(()),
            },
            AlertFormat::Chat => match ChatNotice::of(findings, more) {
                Some(notice) => self.sns.publish(topic, None, &notice.json).await,
                None => Ok(()),
            },
        };
        answer.map_err(|(RequestError::Wrong(why) | RequestError::Failed(why))| {
            format!("an alert was not published: {why}")
        })
    }
}

impl<S: Sns + Sync> Topics<S> {
    async fn publish_some(&self, findings: &[Finding]) -> Vec<Result<(), String>> {
        let mut pending: Vec<Pending> = (0..findings.len())
            .map(|finding| Pending { finding, form: Form::Full, alone: false, why: String::new() })
            .collect();
        let mut answers = vec![Ok(()); findings.len()];
        let mut pauses = PAUSES.iter();
        loop {
            let (again, failed) = self.round(pending, findings).await;
            let pause = pauses.next();
            // What is still pending when the last attempt is over has failed, too.
            let given_up = if pause.is_none() { again.as_slice() } else { &[] };
            for lost in failed.iter().chain(given_up) {
                if let Some(answer) = answers.get_mut(lost.finding) {
                    *answer = Err(format!("a finding was not published: {}", lost.why));
                }
            }
            match pause {
                Some(pause) if !again.is_empty() => {
                    warn!(entries = again.len(), why = again.first().map(|p| p.why.as_str()), "SNS did not take all");
                    tokio::time::sleep(*pause).await;
                    pending = again;
                }
                _ => return answers,
            }
        }
    }
}

fn entry(finding: &Finding, form: Form) -> Entry {
    let attributes = finding.attributes();
    Entry { message: finding.to_ocsf(MOST_BYTES - attributes_size(&attributes), form), attributes }
}

/// Batches of at most ten entries and [`MOST_BYTES`] together, in order.
fn pack(entries: Vec<(Pending, Entry)>) -> Vec<Vec<(Pending, Entry)>> {
    let mut batches: Vec<Vec<(Pending, Entry)>> = Vec::new();
    let mut size = 0;
    for (pending, entry) in entries {
        let fits = |batch: &Vec<(Pending, Entry)>| {
            let alone = pending.alone || batch.iter().any(|(other, _)| other.alone);
            !alone && batch.len() < MOST_ENTRIES && size + entry.size() <= MOST_BYTES
        };
        match batches.last_mut().filter(|batch| fits(batch)) {
            Some(batch) => {
                size += entry.size();
                batch.push((pending, entry));
            }
            None => {
                size = entry.size();
                batches.push(vec![(pending, entry)]);
            }
        }
    }
    batches
}

impl Sns for Client {
    async fn publish_batch(&self, topic_arn: &str, entries: &[Entry]) -> Result<Vec<NotTaken>, RequestError> {
        let mut request = self.publish_batch().topic_arn(topic_arn);
        for (at, entry) in entries.iter().enumerate() {
            let mut built = PublishBatchRequestEntry::builder().id(at.to_string()).message(&entry.message);
            for attribute in &entry.attributes {
                let value = MessageAttributeValue::builder()
                    .data_type(attribute.data_type)
                    .string_value(&attribute.value)
                    .build()
                    .map_err(|error| RequestError::Failed(error.to_string()))?;
                built = built.message_attributes(attribute.name, value);
            }
            let built = built.build().map_err(|error| RequestError::Failed(error.to_string()))?;
            request = request.publish_batch_request_entries(built);
        }
        let output = request.send().await.map_err(|error| sorted(&error))?;
        // Whatever SNS does not say it took, it has not taken.
        let taken: Vec<&str> = output.successful().iter().filter_map(|entry| entry.id()).collect();
        let not_taken = (0..entries.len()).filter(|at| !taken.contains(&at.to_string().as_str())).map(|at| {
            let failed = output.failed().iter().find(|entry| entry.id() == at.to_string());
            NotTaken {
                at,
                sender_fault: failed.is_some_and(|entry| entry.sender_fault() && !is_throttling(entry.code())),
                why: failed.map_or("SNS gave no answer for it".to_owned(), |entry| {
                    format!("{}: {}", entry.code(), entry.message().unwrap_or_default())
                }),
            }
        });
        Ok(not_taken.collect())
    }

    async fn publish(&self, topic_arn: &str, subject: Option<&str>, message: &str) -> Result<(), RequestError> {
        let request = self.publish().topic_arn(topic_arn).set_subject(subject.map(str::to_owned)).message(message);
        request.send().await.map(drop).map_err(|error| sorted(&error))
    }
}

fn sorted<E>(error: &SdkError<E>) -> RequestError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (code(error).unwrap_or_default(), status) {
        ("AuthorizationError" | "KMSAccessDenied", _) => RequestError::Failed(format!(
            "access was denied; the function needs sns:Publish on the topic, and kms:GenerateDataKey and kms:Decrypt on its \
             key ({})",
            said(error)
        )),
        ("NotFound", _) => RequestError::Failed(format!("the topic does not exist ({})", said(error))),
        // Both come as 400, and are no fault of an entry: the SDK has tried again already.
        (code, Some(400)) if !code.starts_with("KMS") && !is_throttling(code) => RequestError::Wrong(said(error)),
        _ => RequestError::Failed(said(error)),
    }
}

/// SNS counts throttling among the sender's faults.
fn is_throttling(code: &str) -> bool {
    code.starts_with("Throttl") || code == "RequestLimitExceeded" || code == "TooManyRequestsException"
}
