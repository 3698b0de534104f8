//! What the corridor asks of its two edges. Knows neither S3 nor SNS.

use std::future::Future;

use bytes::Bytes;
use detection::finding::Finding;

use crate::notification::ObjectEvent;

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
