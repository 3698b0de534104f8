//! A bucket, topics and a detector between them, all in memory: each does what a test wants it to.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use detection::{finding::Finding, rules::RuleFile};
use detector::{
    config::Config,
    handler::{FetchError, Handler, Invocation, LogBody, LogBucket, Publisher},
    live_rules::{Fixed, LiveRules, NoSource, RulesSource},
    notification::ObjectEvent,
};
use serde_json::Value;

use crate::{
    balance,
    samples::{BUCKET, NOW_MS, key},
};

/// What a GET of an object gives, one after the other; the last one for ever.
#[derive(Clone)]
pub(crate) enum Get {
    Whole(Vec<u8>),
    BreaksAfter(Vec<u8>, usize),
    StallsAfter(Vec<u8>, usize),
    Gone,
    Failed,
}

#[derive(Default)]
pub(crate) struct MemoryBucket {
    objects: Mutex<HashMap<String, VecDeque<Get>>>,
    pub(super) asked: Mutex<Vec<ObjectEvent>>,
    open: Arc<AtomicUsize>,
    pub(super) most_open: AtomicUsize,
}

pub(crate) struct MemoryBody {
    pieces: VecDeque<Result<Bytes, Option<FetchError>>>,
    open: Arc<AtomicUsize>,
}

impl Drop for MemoryBody {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl LogBucket for &MemoryBucket {
    type Body = MemoryBody;

    async fn open(&self, object: &ObjectEvent) -> Result<MemoryBody, FetchError> {
        self.asked.lock().unwrap().push(object.clone());
        let mut objects = self.objects.lock().unwrap();
        let gets = objects.get_mut(&object.key).ok_or(FetchError::Gone)?;
        let get = if gets.len() > 1 { gets.pop_front().unwrap() } else { gets[0].clone() };
        let (bytes, end) = match get {
            Get::Gone => return Err(FetchError::Gone),
            Get::Failed => {
                return Err(FetchError::Failed("access was denied; the function needs s3:GetObject".to_owned()));
            }
            Get::Whole(bytes) => (bytes, None),
            Get::BreaksAfter(bytes, at) => {
                (bytes[..at].to_vec(), Some(Err(Some(FetchError::Broken("reset".to_owned())))))
            }
            Get::StallsAfter(bytes, at) => (bytes[..at].to_vec(), Some(Err(None))),
        };
        let pieces = bytes.chunks(1_000).map(|piece| Ok(Bytes::copy_from_slice(piece)));
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_open.fetch_max(open, Ordering::Relaxed);
        Ok(MemoryBody { pieces: pieces.chain(end).collect(), open: self.open.clone() })
    }
}

impl LogBody for MemoryBody {
    async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        // As from a network, where others have their turn meanwhile.
        tokio::task::yield_now().await;
        match self.pieces.pop_front() {
            None => Ok(None),
            Some(Ok(bytes)) => Ok(Some(bytes)),
            Some(Err(Some(error))) => Err(error),
            Some(Err(None)) => std::future::pending().await,
        }
    }
}

#[derive(Default)]
pub(crate) struct MemoryTopics {
    pub(super) findings: Mutex<Vec<Finding>>,
    alerts: Mutex<Vec<Vec<String>>>,
    pub(super) refuse_findings: bool,
    pub(super) refuse_alerts: bool,
    /// Findings of this log are never taken nor refused.
    pub(super) hang_for: Option<String>,
    pub(super) alerts_hang: bool,
    pub(super) findings_hang: bool,
    pub(super) answers_nothing: bool,
}

impl Publisher for &MemoryTopics {
    async fn publish(&self, findings: &[Finding]) -> Vec<Result<(), String>> {
        let hangs = |finding: &Finding| self.hang_for.as_ref() == Some(&finding.log.key);
        if self.findings_hang || findings.iter().any(hangs) {
            std::future::pending::<()>().await;
        }
        if self.refuse_findings {
            return vec![Err("a finding was not published: no".to_owned()); findings.len()];
        }
        if self.answers_nothing {
            return vec![];
        }
        self.findings.lock().unwrap().extend(findings.iter().cloned());
        vec![Ok(()); findings.len()]
    }

    async fn alert(&self, findings: &[&Finding], _: usize) -> Result<(), String> {
        if self.alerts_hang {
            std::future::pending::<()>().await;
        }
        if self.refuse_alerts {
            return Err("an alert was not published: no".to_owned());
        }
        self.alerts.lock().unwrap().push(findings.iter().map(|finding| finding.title()).collect());
        Ok(())
    }
}

/// A detector between its edges.
#[derive(Default)]
pub(crate) struct Bench {
    pub(super) bucket: MemoryBucket,
    pub(super) topics: MemoryTopics,
    pub(crate) rule_files: Vec<RuleFile>,
    pub(super) environment: Vec<(&'static str, &'static str)>,
}

impl Bench {
    pub(crate) fn put(&self, name: &str, gets: impl IntoIterator<Item = Get>) {
        self.bucket.objects.lock().unwrap().insert(key(name), gets.into_iter().collect());
    }

    pub(crate) fn with(name: &str, bytes: Vec<u8>) -> Self {
        let bench = Self::default();
        bench.put(name, [Get::Whole(bytes)]);
        bench
    }

    pub(crate) fn handler(&self) -> Handler<&MemoryBucket, &MemoryTopics, NoSource> {
        self.handler_with(LiveRules::fixed(Fixed { files: self.rule_files.clone(), ..Fixed::default() }))
    }

    pub(crate) fn handler_with<R: RulesSource + Send + Sync + 'static>(
        &self,
        rules: LiveRules<R>,
    ) -> Handler<&MemoryBucket, &MemoryTopics, R> {
        let set = [
            ("LOG_BUCKETS", BUCKET),
            ("FINDINGS_TOPIC_ARN", "arn:aws:sns:eu-central-1:111122223333:findings"),
            ("ALERTS_TOPIC_ARN", "arn:aws:sns:eu-central-1:111122223333:alerts"),
        ];
        let get = |name: &str| {
            self.environment.iter().chain(&set).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        Handler::new(Config::read(get).unwrap(), rules, &self.bucket, &self.topics, || NOW_MS)
    }

    pub(crate) async fn wake(&self, event: Value) -> Invocation {
        balance::wake(&self.handler(), event, Duration::from_secs(120)).await
    }

    pub(crate) fn titles(&self) -> Vec<String> {
        self.topics.findings.lock().unwrap().iter().map(Finding::title).collect()
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.topics.findings.lock().unwrap().clone()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.topics.findings.lock().unwrap().iter().map(|finding| finding.id.clone()).collect()
    }

    pub(crate) fn alerts(&self) -> Vec<Vec<String>> {
        self.topics.alerts.lock().unwrap().clone()
    }
}
