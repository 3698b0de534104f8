//! The edge to S3 where more rules are: what lies below a prefix, and what it says.

use aws_sdk_s3::Client;

use crate::{
    aws_error::said,
    live_rules::{Listed, RulesSource},
};

/// Largest rule file that is read, in bytes; the loader refuses larger ones itself, and says so.
const MOST_BYTES: i64 = 1024 * 1024;

/// Rule files below a prefix of a bucket.
#[derive(Debug, Clone)]
pub struct RulesPrefix {
    client: Client,
    bucket: String,
    prefix: String,
}

impl RulesPrefix {
    /// Everything that ends with `.yml` or `.yaml` below the prefix.
    #[must_use]
    pub fn new(client: Client, bucket: String, prefix: String) -> Self {
        Self { client, bucket, prefix }
    }
}

impl RulesSource for RulesPrefix {
    fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }

    async fn list(&self) -> Result<Vec<Listed>, String> {
        let mut listed = Vec::new();
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(&self.prefix);
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page.map_err(|error| said(&error))?.contents() {
                let key = object.key().unwrap_or_default();
                if key.ends_with(".yml") || key.ends_with(".yaml") {
                    let version = object.e_tag().unwrap_or_default().to_owned();
                    let size = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
                    listed.push(Listed { path: format!("s3://{}/{key}", self.bucket), version, size });
                }
            }
        }
        Ok(listed)
    }

    async fn read(&self, path: &str) -> Result<String, String> {
        let key = path.strip_prefix("s3://").and_then(|path| path.strip_prefix(self.bucket.as_str()));
        let key = key.and_then(|key| key.strip_prefix('/')).ok_or_else(|| format!("{path} is not in this bucket"))?;
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let object = request.send().await.map_err(|error| said(&error))?;
        if object.content_length().is_none_or(|length| length > MOST_BYTES) {
            return Err("it is larger than 1 MiB".to_owned());
        }
        let bytes = object.body.collect().await.map_err(|error| error.to_string())?;
        String::from_utf8(bytes.to_vec()).map_err(|_| "it is not UTF-8".to_owned())
    }
}
