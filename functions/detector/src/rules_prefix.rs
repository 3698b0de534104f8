//! The edge to S3 where more rules and lists are: what lies below a prefix, and what it says.

use std::{fmt, time::Duration};

use aws_sdk_s3::{Client, error::SdkError, operation::get_object::GetObjectError, primitives::ByteStream};

use crate::{
    aws_error::{code, said},
    live_rules::{Listed, RulesSource, Unread},
};

/// Largest rule file that is read, in bytes; the loader refuses larger ones itself, and says so.
const MOST_BYTES: u64 = 1024 * 1024;
/// Longest that the body of a file may take. The SDK's own timeouts end with the head of an answer.
const MOST_TIME: Duration = Duration::from_secs(20);

/// Rule files below a prefix of a bucket, and a file of lists anywhere.
#[derive(Debug, Clone)]
pub struct RulesPrefix {
    client: Client,
    rules: Option<Place>,
    lists: Option<Place>,
}

/// A place in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// A key, or what keys begin with; the whole bucket if it is empty.
    pub key: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl RulesPrefix {
    /// Everything that ends with `.yml` or `.yaml` below the prefix `rules`, and the object `lists`.
    #[must_use]
    pub fn new(client: Client, rules: Option<Place>, lists: Option<Place>) -> Self {
        Self { client, rules, lists }
    }

    async fn list_rules(&self, place: &Place) -> Result<Vec<Listed>, String> {
        let mut listed = Vec::new();
        let request = self.client.list_objects_v2().bucket(&place.bucket).prefix(&place.key);
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page.map_err(|error| said(&error))?.contents() {
                let key = object.key().unwrap_or_default();
                if key.ends_with(".yml") || key.ends_with(".yaml") {
                    let path = format!("s3://{}/{key}", place.bucket);
                    listed.push(listed_file(path, object.e_tag(), object.size(), false));
                }
            }
        }
        Ok(listed)
    }

    async fn list_lists(&self, place: &Place) -> Result<Listed, String> {
        let request = self.client.head_object().bucket(&place.bucket).key(&place.key);
        let head = request.send().await.map_err(|error| format!("LISTS_URI ({place}): {}", said(&error)))?;
        Ok(listed_file(place.to_string(), head.e_tag(), head.content_length(), true))
    }
}

fn listed_file(path: String, e_tag: Option<&str>, size: Option<i64>, is_lists: bool) -> Listed {
    let size = size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
    Listed { path, version: e_tag.unwrap_or_default().to_owned(), size, is_lists }
}

impl RulesSource for RulesPrefix {
    fn name(&self) -> String {
        let places = [&self.rules, &self.lists];
        places.into_iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
    }

    async fn list(&self) -> Result<Vec<Listed>, String> {
        let mut listed = Vec::new();
        if let Some(place) = &self.rules {
            listed.extend(self.list_rules(place).await?);
        }
        if let Some(place) = &self.lists {
            let lists = self.list_lists(place).await?;
            // Among the rules, it is there already.
            listed.retain(|file| file.path != lists.path);
            listed.push(lists);
        }
        Ok(listed)
    }

    async fn read(&self, file: &Listed) -> Result<String, Unread> {
        let (bucket, key) = file
            .path
            .strip_prefix("s3://")
            .and_then(|place| place.split_once('/'))
            .ok_or_else(|| Unread::Ever(format!("{} is no place in S3", file.path)))?;
        if file.size > MOST_BYTES {
            return Err(Unread::Ever("it is larger than 1 MiB".to_owned()));
        }
        let request = self.client.get_object().bucket(bucket).key(key);
        let object = request.send().await.map_err(|error| sorted(&error))?;
        let bytes = tokio::time::timeout(MOST_TIME, whole(object.body, file.size));
        let bytes = bytes.await.unwrap_or_else(|_| Err(format!("it did not come within {} s", MOST_TIME.as_secs())));
        String::from_utf8(bytes.map_err(Unread::Yet)?).map_err(|_| Unread::Ever("it is not UTF-8".to_owned()))
    }
}

/// The bytes of a body. Half a file can be a right one, that asks for half as much: so it must be as long as it was listed. It is
/// never read further, whatever length the answer has or lacks.
async fn whole(mut body: ByteStream, size: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.try_next().await.map_err(|error| format!("it broke off: {error}"))? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > size {
            return Err(format!("more of it came than the {size} bytes that it was listed with"));
        }
    }
    if (bytes.len() as u64) < size {
        return Err(format!("{} bytes of it came, and it was listed with {size}", bytes.len()));
    }
    Ok(bytes)
}

/// By S3's own code. Whoever may write rules can lock up a file of theirs for ever; that must not keep all others from being
/// in force. What is none of these codes may be over the next time.
fn sorted(error: &SdkError<GetObjectError>) -> Unread {
    match code(error) {
        // The last is the answer for what only somebody else has the key of.
        Some("AccessDenied" | "NoSuchKey" | "InvalidObjectState" | "InvalidRequest") => Unread::Ever(said(error)),
        Some(code) if code.starts_with("KMS.") && !code.contains("Throttl") => Unread::Ever(said(error)),
        _ => Unread::Yet(said(error)),
    }
}
