//! Which logs of a bucket were delivered in a span of time. Asks S3 day by day and never for the whole bucket.

use std::error::Error;

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::Object,
};
use detection::delivered_log::{ObjectKind, classify};
use detector::aws_error::{code, said};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use time::{Date, OffsetDateTime, PrimitiveDateTime, macros::format_description};

/// Folders that are listed at once.
const FOLDERS_AT_ONCE: usize = 8;

/// The keys of all logs below a prefix that were delivered since one moment and before another, in the order of delivery.
///
/// The prefix is what stands before `AWSLogs/`, or reaches from there as far into the folders as one likes.
pub(super) async fn logs(
    client: &Client,
    bucket: &str,
    prefix: &str,
    since: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<Vec<String>, String> {
    let days = days(since, until);
    let (mut above, mut to_list) = (vec![root(prefix)], Vec::new());
    while let Some(folder) = above.pop() {
        match levels_below_root(&folder) {
            // Account, kind, Region.
            0..3 => {
                above.extend(folders(client, bucket, &folder).await?.into_iter().filter(|folder| may_hold_logs(folder)))
            }
            3 => to_list.extend(days.iter().map(|day| format!("{folder}{day}/"))),
            _ => to_list.push(folder),
        }
    }
    let found: Vec<Vec<(OffsetDateTime, String)>> = stream::iter(to_list)
        .map(|folder| async move { objects(client, bucket, &folder).await })
        .buffer_unordered(FOLDERS_AT_ONCE)
        .try_collect()
        .await?;
    let mut found: Vec<(OffsetDateTime, String)> = found
        .into_iter()
        .flatten()
        .filter(|(delivered, key)| {
            (since..until).contains(delivered) && matches!(classify(key), ObjectKind::Log { .. })
        })
        .collect();
    found.sort();
    Ok(found.into_iter().map(|(_, key)| key).collect())
}

fn root(prefix: &str) -> String {
    let mut root = prefix.to_owned();
    if !root.is_empty() && !root.ends_with('/') && !root.ends_with(".json.gz") {
        root.push('/');
    }
    if !root.split('/').any(|part| part == "AWSLogs") {
        root.push_str("AWSLogs/");
    }
    root
}

/// How many folders of account, kind, Region, year... a prefix already names after `AWSLogs` and the organization.
fn levels_below_root(folder: &str) -> usize {
    let parts: Vec<&str> = folder.split('/').collect();
    let below = parts.iter().rposition(|part| *part == "AWSLogs").map_or(parts.len(), |at| at + 1);
    let rest = parts.get(below..).unwrap_or_default().iter().filter(|part| !part.is_empty());
    rest.filter(|part| !part.starts_with("o-")).count()
}

/// Digests, insights and what other services write are not even listed.
fn may_hold_logs(folder: &str) -> bool {
    levels_below_root(folder) < 2 || {
        let region = if levels_below_root(folder) == 2 { "region/" } else { "" };
        matches!(classify(&format!("{folder}{region}2026/01/01/x.json.gz")), ObjectKind::Log { .. })
    }
}

/// The days of a span as folders, and one more on either side: a folder's day and the time in a name may differ at midnight.
fn days(since: OffsetDateTime, until: OffsetDateTime) -> Vec<String> {
    let last = until.date().next_day().unwrap_or(Date::MAX);
    let mut day = since.date().previous_day().unwrap_or(Date::MIN);
    let mut days = Vec::new();
    while day <= last {
        days.push(format!("{:04}/{:02}/{:02}", day.year(), u8::from(day.month()), day.day()));
        match day.next_day() {
            Some(next) => day = next,
            None => break,
        }
    }
    days
}

async fn folders(client: &Client, bucket: &str, folder: &str) -> Result<Vec<String>, String> {
    let mut pages = client.list_objects_v2().bucket(bucket).prefix(folder).delimiter("/").into_paginator().send();
    let mut folders = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| not_listed(bucket, &error))?;
        folders.extend(page.common_prefixes().iter().filter_map(|folder| folder.prefix().map(str::to_owned)));
    }
    Ok(folders)
}

async fn objects(client: &Client, bucket: &str, folder: &str) -> Result<Vec<(OffsetDateTime, String)>, String> {
    let mut pages = client.list_objects_v2().bucket(bucket).prefix(folder).into_paginator().send();
    let mut objects = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| not_listed(bucket, &error))?;
        objects.extend(page.contents().iter().filter_map(|object| Some((delivered(object), object.key()?.to_owned()))));
    }
    Ok(objects)
}

fn not_listed<E: ProvideErrorMetadata + Error + 'static>(bucket: &str, error: &SdkError<E>) -> String {
    let needs = if code(error) == Some("AccessDenied") { ", which needs s3:ListBucket" } else { "" };
    format!("the bucket {bucket} cannot be listed{needs}: {}", said(error))
}

/// As the name says (`..._20261122T0915Z_...`); where it does not, as S3 does.
fn delivered(object: &Object) -> OffsetDateTime {
    let name = object.key().and_then(|key| key.rsplit('/').next()).unwrap_or_default();
    let format = format_description!("[year][month][day]T[hour][minute]Z");
    let named = name.split('_').find_map(|part| PrimitiveDateTime::parse(part, format).ok());
    let modified = || object.last_modified().and_then(|at| OffsetDateTime::from_unix_timestamp(at.secs()).ok());
    named.map(PrimitiveDateTime::assume_utc).or_else(modified).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_may_end_anywhere_in_the_folders() {
        for (prefix, expected, levels) in [
            ("", "AWSLogs/", 0),
            ("trails/a", "trails/a/AWSLogs/", 0),
            ("AWSLogs", "AWSLogs/", 0),
            ("AWSLogs/o-exampleorgid/", "AWSLogs/o-exampleorgid/", 0),
            ("AWSLogs/o-exampleorgid/111122223333", "AWSLogs/o-exampleorgid/111122223333/", 1),
            ("AWSLogs/111122223333/CloudTrail/eu-central-1/", "AWSLogs/111122223333/CloudTrail/eu-central-1/", 3),
            (
                "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11",
                "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/",
                5,
            ),
        ] {
            assert_eq!((root(prefix).as_str(), levels_below_root(&root(prefix))), (expected, levels), "{prefix}");
        }
    }

    #[test]
    fn what_holds_no_logs_is_not_listed() {
        for (folder, may) in [
            ("AWSLogs/111122223333/", true),
            ("AWSLogs/o-exampleorgid/", true),
            ("AWSLogs/111122223333/CloudTrail/", true),
            ("AWSLogs/111122223333/CloudTrail-NetworkActivity/us-east-1/", true),
            ("AWSLogs/111122223333/CloudTrail-Digest/", false),
            ("AWSLogs/111122223333/Config/", false),
        ] {
            assert_eq!(may_hold_logs(folder), may, "{folder}");
        }
    }

    #[test]
    fn a_night_has_the_days_before_and_after_it() {
        let at = |hour| {
            PrimitiveDateTime::parse(hour, format_description!("[year]-[month]-[day]T[hour]")).unwrap().assume_utc()
        };
        assert_eq!(
            days(at("2026-12-31T22"), at("2027-01-01T03")),
            ["2026/12/30", "2026/12/31", "2027/01/01", "2027/01/02"]
        );
    }

    #[test]
    fn the_name_says_when_a_log_was_delivered() {
        let object = |key: &str| {
            Object::builder().key(key).last_modified(aws_sdk_s3::primitives::DateTime::from_secs(60)).build()
        };
        let named = object("AWSLogs/1/CloudTrail/r/2026/11/22/1_CloudTrail_r_20261122T0915Z_k3Jd8sLq0ZpX7vBn.json.gz");
        assert_eq!(delivered(&named).unix_timestamp(), 1_795_338_900);
        assert_eq!(delivered(&object("AWSLogs/1/CloudTrail/r/2026/11/22/copy.json.gz")).unix_timestamp(), 60);
    }
}
