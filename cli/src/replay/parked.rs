//! Messages of a queue: taken, replayed, and deleted only when they were handled. Knows only SQS.

use std::collections::HashSet;

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    types::{Message, QueueAttributeName},
};
use detector::aws_error::{code, said};

use super::{Item, Outcome, ReplayArguments, Report, detector, pass};
use crate::{complain, progress};

/// How long nobody else sees a message that was taken: longer than a pass, so that nobody replays it besides.
const HIDDEN_SECONDS: i32 = 960;
/// What SQS gives at once at most, and what one pass handles.
const MESSAGES: i32 = 10;
/// How long an empty queue is asked: with any, all of SQS's servers are.
const WAIT_SECONDS: i32 = 2;

pub(super) async fn replay(arguments: &ReplayArguments, aws: &SdkConfig, report: &mut Report) -> Result<(), String> {
    let (queue, url) = (Client::new(aws), arguments.source.as_str());
    let detector = if arguments.dry_run { None } else { Some(detector(arguments, aws, None)?) };
    let bar = progress::bar(waiting(&queue, url).await, "{bar:40} {pos}/{len} messages, {eta} left");
    // What was left: nobody else should wait for it.
    let mut left: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    let ended = loop {
        let messages = match receive(&queue, url).await {
            Ok(messages) => messages,
            Err(why) => break Err(why),
        };
        // One that comes again is one that was left: everything has been tried once.
        let fresh = messages.into_iter().filter(|message| seen.insert(message.message_id.clone())).collect::<Vec<_>>();
        if fresh.is_empty() {
            break Ok(());
        }
        let items: Vec<Item> = fresh.iter().map(item).collect();
        let outcomes = match &detector {
            Some(detector) => pass(detector, &items).await,
            None => items.iter().map(Outcome::planned).collect(),
        };
        bar.inc(items.len() as u64);
        for (message, mut outcome) in fresh.into_iter().zip(outcomes) {
            let handle = message.receipt_handle.unwrap_or_default();
            if detector.is_some() && outcome.problems.is_empty() {
                let deleting = queue.delete_message().queue_url(url).receipt_handle(&handle).send().await;
                outcome.problems.extend(deleting.err().map(|error| {
                    format!("it was handled, but cannot be deleted (sqs:DeleteMessage): {}", said(&error))
                }));
            }
            if detector.is_none() || !outcome.problems.is_empty() {
                left.push(handle);
            }
            bar.suspend(|| report.enter(outcome)).map_err(|error| error.to_string())?;
        }
    };
    bar.finish_and_clear();
    for handle in left {
        let showing = queue.change_message_visibility().queue_url(url).receipt_handle(handle).visibility_timeout(0);
        if let Err(error) = showing.send().await {
            let why = said(&error);
            complain(&format!("a message is back in the queue only in a quarter of an hour: {why}"));
        }
    }
    ended
}

async fn receive(queue: &Client, url: &str) -> Result<Vec<Message>, String> {
    let receiving = queue
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(MESSAGES)
        .visibility_timeout(HIDDEN_SECONDS)
        .wait_time_seconds(WAIT_SECONDS);
    let received = receiving.send().await;
    received.map(|received| received.messages.unwrap_or_default()).map_err(|error| {
        let denied = code(&error).is_some_and(|code| code.starts_with("AccessDenied"));
        let needs = if denied { ", which needs sqs:ReceiveMessage" } else { "" };
        format!("the queue {url} cannot be read{needs}: {}", said(&error))
    })
}

/// How many messages there are, as far as SQS knows.
async fn waiting(queue: &Client, url: &str) -> Option<u64> {
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let attributes = queue.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await.ok()?;
    attributes.attributes()?.get(&name)?.parse().ok()
}

fn item(message: &Message) -> Item {
    Item { name: message.message_id.clone().unwrap_or_default(), body: message.body.clone().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_sees_a_message_while_it_is_handled() {
        assert!(u64::from(HIDDEN_SECONDS.unsigned_abs()) > super::super::TIME.as_secs());
    }
}
