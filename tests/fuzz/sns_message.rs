//! Findings on their way to SNS: every batch and message keeps to what SNS takes, and whatever SNS answers, each finding has
//! an answer of its own that is true.

use std::sync::Mutex;

use detection::finding::Finding;
use detector::{
    config::AlertFormat,
    findings_topic::{Entry, NotTaken, RequestError, Sns, Topics},
    handler::Publisher as _,
};
use serde_json::Value;

use crate::finding;

/// What SNS takes at most, in one message and in one batch.
const MOST_BYTES: usize = 256 * 1024;

/// An SNS whose answers are the fuzzer's.
struct Fuzzed<'a> {
    answers: Mutex<&'a [u8]>,
    taken: Mutex<Vec<String>>,
}

impl Fuzzed<'_> {
    fn answer(&self) -> u8 {
        let mut answers = self.answers.lock().unwrap();
        let (first, rest) = answers.split_first().unwrap_or((&0, &[]));
        *answers = rest;
        *first
    }
}

impl Sns for &Fuzzed<'_> {
    async fn publish_batch(&self, _: &str, entries: &[Entry]) -> Result<Vec<NotTaken>, RequestError> {
        assert!((1..=10).contains(&entries.len()), "{} entries", entries.len());
        let size: usize = entries.iter().map(Entry::size).sum();
        assert!(size <= MOST_BYTES, "{size} bytes");
        let whole = self.answer();
        match whole % 8 {
            6 => return Err(RequestError::Wrong("wrong".to_owned())),
            7 => return Err(RequestError::Failed("failed".to_owned())),
            _ => {}
        }
        let mut not_taken = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            assert_eq!(entry.attributes.len(), 10);
            let message: Value = serde_json::from_str(&entry.message).unwrap();
            match self.answer() % 8 {
                answer @ (6 | 7) => {
                    not_taken.push(NotTaken { at, sender_fault: answer == 6, why: "no".to_owned() });
                }
                _ => self.taken.lock().unwrap().push(message["finding_info"]["uid"].as_str().unwrap().to_owned()),
            }
        }
        Ok(not_taken)
    }

    async fn publish(&self, _: &str, subject: Option<&str>, message: &str) -> Result<(), RequestError> {
        let subject = subject.unwrap_or("chat");
        assert!((1..100).contains(&subject.len()) && subject.is_ascii());
        assert!(message.len() <= MOST_BYTES);
        Ok(())
    }
}

/// A length, so many bytes of answers, and members of a record.
pub fn check(bytes: &[u8]) {
    let [length, more, rest @ ..] = bytes else { return };
    let (answers, record) = rest.split_at(usize::from(*length).min(rest.len()));
    let findings: Vec<Finding> = finding::findings(record, "a-log.json.gz");
    let times = usize::from(more % 16) + 1;
    let findings: Vec<Finding> = findings.iter().cycle().take(findings.len() * times).cloned().collect();
    let sns = Fuzzed { answers: Mutex::new(answers), taken: Mutex::default() };
    for format in [AlertFormat::Text, AlertFormat::Chat] {
        let topics = Topics::new(&sns, "findings".to_owned(), Some("alerts".to_owned()), format);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let told = topics.publish(&findings).await;
            assert_eq!(told.len(), findings.len(), "an answer for each");
            let taken = std::mem::take(&mut *sns.taken.lock().unwrap());
            let ok = told.iter().filter(|answer| answer.is_ok()).count();
            assert_eq!(ok, taken.len(), "what SNS took, and nothing else, is published");
            let all: Vec<&Finding> = findings.iter().collect();
            if !all.is_empty() {
                topics.alert(&all, 3).await.unwrap();
            }
        });
    }
}
