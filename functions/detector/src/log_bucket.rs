//! The edge to S3: objects are streamed, and what S3 says is sorted into gone, failed and broken.

use aws_sdk_s3::{Client, error::SdkError, operation::get_object::GetObjectError, primitives::ByteStream};
use bytes::Bytes;

use crate::{
    aws_error::{causes, code, said},
    handler::{FetchError, LogBody, LogBucket},
    notification::ObjectEvent,
};

/// Reads delivered logs from S3.
#[derive(Debug, Clone)]
pub struct S3LogBucket {
    client: Client,
}

impl S3LogBucket {
    /// With a client that has its timeouts and retries set.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl LogBucket for S3LogBucket {
    type Body = S3Body;

    async fn open(&self, object: &ObjectEvent) -> Result<S3Body, FetchError> {
        let request = self.client.get_object().bucket(&object.bucket).key(&object.key);
        match request.set_version_id(object.version.clone()).send().await {
            Ok(output) => {
                let left = output.content_length.and_then(|length| u64::try_from(length).ok());
                Ok(S3Body { stream: output.body, left })
            }
            Err(error) => Err(sorted(&error)),
        }
    }
}

/// By S3's own code and never by the status alone: a 404 from something on the way to S3 says nothing about the object.
fn sorted(error: &SdkError<GetObjectError>) -> FetchError {
    match code(error) {
        Some("NoSuchBucket") => FetchError::Failed("the bucket does not exist".to_owned()),
        // The last is the answer for a version that is a delete marker.
        Some("NoSuchKey" | "NoSuchVersion" | "MethodNotAllowed") => FetchError::Gone,
        Some("InvalidObjectState") => {
            FetchError::Failed("it is archived; restore it, and it is read when it comes again".to_owned())
        }
        Some("AccessDenied") => FetchError::Failed(format!(
            "access was denied; the function needs s3:GetObject and s3:GetObjectVersion on the log bucket's objects, and \
             kms:Decrypt on the trail's key if it has one ({})",
            said(error)
        )),
        _ => FetchError::Failed(said(error)),
    }
}

/// The body of one GET.
#[derive(Debug)]
pub struct S3Body {
    stream: ByteStream,
    /// Bytes still to come, where S3 said how many there are.
    left: Option<u64>,
}

impl LogBody for S3Body {
    async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        match self.stream.try_next().await {
            Ok(Some(bytes)) => {
                self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
                Ok(Some(bytes))
            }
            Ok(None) => match self.left {
                Some(left @ 1..) => Err(FetchError::Broken(format!("the body ended {left} bytes early"))),
                _ => Ok(None),
            },
            Err(error) => Err(FetchError::Broken(format!("the body broke off: {}", causes(&error)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The HTTP client sees to it, too; that a short log is never taken for whole must not hang on one of them.
    #[tokio::test]
    async fn a_body_that_is_short_is_broken() {
        let mut body = S3Body { stream: ByteStream::from_static(b"hello"), left: Some(6) };
        assert!(matches!(body.next().await, Ok(Some(_))));
        assert!(matches!(body.next().await, Err(FetchError::Broken(_))));
    }
}
