//! What stands around the function in `template.yaml`: asynchronous invocation with its retries and on-failure destination,
//! and the queues that are read for it. Knows not what the function does, and of the edge only what strikes Lambda itself.

use std::{collections::BTreeSet, fs, ops::Range, time::Duration};

use fastrand::Rng;
use serde_json::{Value, json};

use crate::samples::repository;

use super::{
    edge::{Aws, Edge},
    kinds::{Kind, Place},
};

/// What came of an invocation.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered(Value),
    /// The function posted an error.
    Failed(String),
    /// The process ended without an answer.
    Died,
}

/// The function, cold or warm.
pub(super) trait Function {
    async fn invoke(&mut self, payload: &Value) -> Outcome;

    /// How long the last invocation took.
    fn took(&self) -> Duration;
}

/// What an invocation was about, and what was delivered while it ran.
#[derive(Debug)]
pub(super) struct Handled {
    /// Its notices, by their numbers.
    pub(super) notices: BTreeSet<usize>,
    /// Places in the list of all that was delivered.
    pub(super) delivered: Range<usize>,
}

/// The numbers of the template for one of its timeouts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) timeout: Duration,
    visibility: Duration,
    /// Of the retry queue; then a message is parked.
    receives: u32,
}

impl Numbers {
    /// All of them, as they stand in the template's mapping `Timeouts`.
    pub(super) fn read() -> Vec<Self> {
        let template = fs::read_to_string(repository("template.yaml")).unwrap();
        // The rest of what is modelled here; if the template changes, so must this file.
        for line in [
            "MaximumRetryAttempts: 2",
            "Destination: !GetAtt RetryQueue.Arn",
            "BatchSize: 10",
            "BatchSize: 1",
            "maxReceiveCount: 5",
            "deadLetterTargetArn: !GetAtt RetryQueue.Arn",
            "deadLetterTargetArn: !GetAtt ParkedQueue.Arn",
            "maxReceiveCount: !FindInMap [Timeouts, !Ref TimeoutSeconds, Receives]",
            "FunctionResponseTypes: [ReportBatchItemFailures]",
        ] {
            assert!(template.contains(line), "template.yaml no longer has `{line}`");
        }
        let mapping = regex::Regex::new(r#"(?m)^    "(\d+)": \{Visibility: (\d+), Receives: (\d+)\}$"#).unwrap();
        let numbers: Vec<Self> = mapping
            .captures_iter(&template)
            .map(|found| {
                let [timeout, visibility, receives] = [1, 2, 3].map(|at| found[at].parse::<u64>().unwrap());
                Self {
                    timeout: Duration::from_secs(timeout),
                    visibility: Duration::from_secs(visibility),
                    receives: u32::try_from(receives).unwrap(),
                }
            })
            .collect();
        assert_eq!(numbers.len(), 7, "the mapping Timeouts of template.yaml");
        numbers
    }
}

/// How the news of logs comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The function is invoked asynchronously.
    Directly,
    /// Through NotificationQueue.
    ThroughQueue,
    /// EventBridge could not wake the function, and left the event in RetryQueue.
    LeftByEventBridge,
}

/// One notification on its way, and the notices of the run that it holds.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) body: Value,
    pub(super) notice: usize,
    attempts: u32,
    due: Duration,
    id: u64,
}

/// Asynchronous invocation, two retries; what Lambda waits before each.
const ASYNC_RETRIES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
const NOTIFICATION_BATCH: usize = 10;
const NOTIFICATION_RECEIVES: u32 = 5;
const RETRY_BATCH: usize = 1;

pub(super) struct Lambda<'e, A> {
    edge: &'e Edge<A>,
    numbers: Numbers,
    rng: Rng,
    now: Duration,
    next_id: u64,
    asynchronous: Vec<Message>,
    notification_queue: Vec<Message>,
    retry_queue: Vec<Message>,
    pub(super) parked: Vec<Message>,
    pub(super) handled: Vec<Handled>,
}

/// Where the next thing happens.
#[derive(Debug, Clone, Copy)]
enum Source {
    Asynchronous,
    NotificationQueue,
    RetryQueue,
}

impl<'e, A: Aws> Lambda<'e, A> {
    pub(super) fn new(edge: &'e Edge<A>, numbers: Numbers, rng: Rng) -> Self {
        Self {
            edge,
            numbers,
            rng,
            now: Duration::ZERO,
            next_id: 0,
            asynchronous: Vec::new(),
            notification_queue: Vec::new(),
            retry_queue: Vec::new(),
            parked: Vec::new(),
            handled: Vec::new(),
        }
    }

    /// Something sends a notification, at this time of the run.
    pub(super) fn notify(&mut self, way: Way, notice: usize, body: Value, due: Duration) {
        let message = self.message(notice, body, due);
        match way {
            Way::Directly => self.asynchronous.push(message),
            Way::ThroughQueue => self.notification_queue.push(message),
            Way::LeftByEventBridge => self.retry_queue.push(message),
        }
    }

    /// A person has removed the cause, and moves what is parked back into the retry queue.
    pub(super) fn move_parked_back(&mut self) {
        for parked in std::mem::take(&mut self.parked) {
            let message = self.message(parked.notice, parked.body, self.now);
            self.retry_queue.push(message);
        }
    }

    /// Goes on until nothing is waiting anywhere.
    pub(super) async fn run(&mut self, function: &mut impl Function) {
        while let Some((source, due)) = self.next() {
            self.now = self.now.max(due);
            self.edge.state().now = self.now;
            match source {
                Source::Asynchronous => self.asynchronously(function).await,
                Source::NotificationQueue => self.poll_queue(source, NOTIFICATION_BATCH, function).await,
                Source::RetryQueue => self.poll_queue(source, RETRY_BATCH, function).await,
            }
            self.now += function.took();
        }
    }

    fn message(&mut self, notice: usize, body: Value, due: Duration) -> Message {
        self.next_id += 1;
        Message { body, notice, attempts: 0, due, id: self.next_id }
    }

    fn next(&self) -> Option<(Source, Duration)> {
        let first = |messages: &[Message]| messages.iter().map(|message| message.due).min();
        [
            (Source::Asynchronous, first(&self.asynchronous)),
            (Source::NotificationQueue, first(&self.notification_queue)),
            (Source::RetryQueue, first(&self.retry_queue)),
        ]
        .into_iter()
        .filter_map(|(source, due)| Some((source, due?)))
        .min_by_key(|(_, due)| *due)
    }

    /// Invokes the function, and answers besides what becomes of its answer.
    async fn invoke(
        &mut self,
        function: &mut impl Function,
        payload: &Value,
        notices: BTreeSet<usize>,
    ) -> (Outcome, Option<Kind>) {
        let began = self.edge.state().delivered.len();
        let outcome = function.invoke(payload).await;
        let mut state = self.edge.state();
        self.handled.push(Handled { notices, delivered: began..state.delivered.len() });
        let now = state.now;
        let strikes = state.plan.strike(Place::Invocation, None, now).map(|fault| fault.kind);
        strikes.into_iter().for_each(|kind| state.plan.count(kind));
        (outcome, strikes)
    }

    async fn asynchronously(&mut self, function: &mut impl Function) {
        let at = (0..self.asynchronous.len()).min_by_key(|at| self.asynchronous[*at].due).unwrap();
        let mut message = self.asynchronous.swap_remove(at);
        message.attempts += 1;
        let (outcome, strikes) = self.invoke(function, &message.body, BTreeSet::from([message.notice])).await;
        let problem = match outcome {
            Outcome::Answered(_) if strikes == Some(Kind::AnswerLost) => "Runtime exited without an answer".to_owned(),
            Outcome::Answered(_) => {
                if strikes == Some(Kind::DeliveredTwice) {
                    let again = self.message(message.notice, message.body, self.now);
                    self.asynchronous.push(again);
                }
                return;
            }
            Outcome::Failed(problem) => problem,
            Outcome::Died => "Task timed out".to_owned(),
        };
        let retry = usize::try_from(message.attempts - 1).unwrap();
        if let Some(pause) = ASYNC_RETRIES.get(retry) {
            message.due = self.now + *pause;
            return self.asynchronous.push(message);
        }
        let record = json!({
            "version": "1.0",
            "timestamp": "2026-11-22T09:41:58.123Z",
            "requestContext": {
                "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
                "functionArn": "arn:aws:lambda:eu-central-1:111122223333:function:detector:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": message.attempts
            },
            "requestPayload": message.body,
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "responsePayload": {"errorType": "NotAudited", "errorMessage": problem}
        });
        let passed_on = self.message(message.notice, record, self.now);
        self.retry_queue.push(passed_on);
    }

    async fn poll_queue(&mut self, source: Source, batch_size: usize, function: &mut impl Function) {
        let now = self.now;
        let queue = match source {
            Source::NotificationQueue => &mut self.notification_queue,
            _ => &mut self.retry_queue,
        };
        self.rng.shuffle(queue);
        let (mut batch, mut hidden): (Vec<Message>, Vec<Message>) =
            std::mem::take(queue).into_iter().partition(|message| message.due <= now);
        let left = batch.split_off(batch.len().min(batch_size));
        hidden.extend(left);
        *queue = hidden;
        batch.iter_mut().for_each(|message| message.attempts += 1);
        let records: Vec<Value> = batch
            .iter()
            .map(|message| {
                json!({
                    "messageId": format!("message-{}", message.id),
                    "receiptHandle": "h",
                    "body": message.body.as_str().map_or_else(|| message.body.to_string(), str::to_owned),
                    "attributes": {"ApproximateReceiveCount": message.attempts.to_string()},
                    "messageAttributes": {},
                    "eventSource": "aws:sqs",
                    "eventSourceARN": "arn:aws:sqs:eu-central-1:111122223333:queue",
                    "awsRegion": "eu-central-1"
                })
            })
            .collect();
        let notices = batch.iter().map(|message| message.notice).collect();
        let (outcome, strikes) = self.invoke(function, &json!({ "Records": records }), notices).await;
        let failed = match outcome {
            Outcome::Answered(_) if strikes == Some(Kind::AnswerLost) => None,
            Outcome::Answered(answer) => named(&answer, &batch),
            Outcome::Failed(_) | Outcome::Died => None,
        };
        let visible = now + self.numbers.visibility;
        for mut message in batch {
            let comes_again = failed.as_ref().is_none_or(|failed| failed.contains(&message.id));
            let twice = !comes_again && strikes == Some(Kind::DeliveredTwice);
            if !comes_again && !twice {
                continue;
            }
            message.due = visible;
            let most = match source {
                Source::NotificationQueue => NOTIFICATION_RECEIVES,
                _ => self.numbers.receives,
            };
            if message.attempts < most || twice {
                match source {
                    Source::NotificationQueue => self.notification_queue.push(message),
                    _ => self.retry_queue.push(message),
                }
            } else if matches!(source, Source::NotificationQueue) {
                let passed_on = self.message(message.notice, message.body, visible);
                self.retry_queue.push(passed_on);
            } else {
                self.parked.push(message);
            }
        }
    }
}

/// The messages that the function gives back, as Lambda reads its answer: one that it cannot read, or that names what was
/// not in the batch, brings all of them again.
fn named(answer: &Value, batch: &[Message]) -> Option<BTreeSet<u64>> {
    let failures = match answer.get("batchItemFailures") {
        None | Some(Value::Null) => return Some(BTreeSet::new()),
        Some(failures) => failures.as_array()?,
    };
    let known: BTreeSet<u64> = batch.iter().map(|message| message.id).collect();
    failures
        .iter()
        .map(|failure| {
            let id = failure.get("itemIdentifier")?.as_str()?.strip_prefix("message-")?.parse().ok()?;
            known.contains(&id).then_some(id)
        })
        .collect()
}
