//! What AWS said, in a few words that are the same every time: a request's id and date would make each failure another.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// The code of a service's error (`AccessDenied`), if a service answered.
pub(crate) fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// Code and message of a service's error, or what kept it from answering.
pub(crate) fn said<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E>) -> String {
    let said = match error.as_service_error() {
        Some(service) if service.code().is_some() => {
            format!("{}: {}", service.code().unwrap_or_default(), service.message().unwrap_or_default())
        }
        _ => DisplayErrorContext(error).to_string(),
    };
    detection::text::neutral(&said, 500)
}
