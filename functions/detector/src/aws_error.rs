//! What AWS said, in a few words that are the same every time: a request's id and date would make each failure another.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// Characters of what was said.
const MOST_SAID: usize = 500;

/// The code of a service's error (`AccessDenied`), if a service answered.
#[must_use]
pub fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// Code and message of a service's error, or what kept it from answering.
#[must_use]
pub fn said<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E>) -> String {
    let said = match error.as_service_error() {
        Some(service) if service.code().is_some() => {
            format!("{}: {}", service.code().unwrap_or_default(), service.message().unwrap_or_default())
        }
        _ => causes(error),
    };
    detection::text::neutral(&said, MOST_SAID)
}

/// An error and what caused it, one after the other, for people: an SDK's error alone says only that there was one.
#[must_use]
pub fn causes(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        said.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    detection::text::neutral(&said, MOST_SAID)
}
