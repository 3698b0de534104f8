//! One log, read and judged as often as it takes to know what is stored. Knows nothing of what becomes of its findings.

use std::time::Duration;

use detection::{
    audit::{Audit, Audited},
    delivered_log::Encoding,
    finding::Log,
    rules::RuleSet,
};
use tracing::warn;

use super::edges::{FetchError, LogBody as _, LogBucket};
use crate::notification::ObjectEvent;

/// Pauses before an object is fetched again because its body broke off, or seems damaged.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// A body that sends nothing for so long has stalled.
const STALL: Duration = Duration::from_secs(20);

/// Reads and judges an object. A body that breaks off is fetched again from its beginning: only a complete object can
/// be called damaged. Not every length and checksum is there to tell by, so what seems damaged must seem so twice.
pub(super) async fn fetch(
    log_bucket: &impl LogBucket,
    object: &ObjectEvent,
    rule_set: &RuleSet,
    log: &Log,
    max_unpacked: u64,
) -> Result<Audited, FetchError> {
    let mut pauses = PAUSES.iter();
    let mut seen = None;
    loop {
        let audit = Audit::new(rule_set, log.clone(), Encoding::Gzip, max_unpacked);
        let why = match fetch_once(log_bucket, object, audit).await {
            Ok(audited) => match &audited.damage {
                None => return Ok(audited),
                Some(damage) if damage.is_excess() => return Ok(audited),
                Some(damage) => {
                    let sight = Some((damage.clone(), audited.records.clone(), audited.unpacked));
                    if sight == seen {
                        return Ok(audited);
                    }
                    seen = sight;
                    format!("it seems damaged: {damage}")
                }
            },
            Err(FetchError::Broken(why)) => why,
            Err(error) => return Err(error),
        };
        match pauses.next() {
            Some(pause) => {
                warn!(bucket = object.bucket, key = object.key, why, "a log is fetched again");
                tokio::time::sleep(*pause).await;
            }
            None => return Err(FetchError::Broken(why)),
        }
    }
}

async fn fetch_once(
    log_bucket: &impl LogBucket,
    object: &ObjectEvent,
    mut audit: Audit<'_>,
) -> Result<Audited, FetchError> {
    let mut body = log_bucket.open(object).await?;
    loop {
        let next = tokio::time::timeout(STALL, body.next());
        let next = next.await.map_err(|_| FetchError::Broken(format!("nothing came for {} s", STALL.as_secs())))?;
        match next? {
            // After most damage the body is read to its end: if it breaks off, it is not what is stored. That it is too
            // much is certain at once, and what is left may be very much more.
            Some(bytes) if !audit.push(&bytes) && audit.is_excess() => return Ok(audit.finish()),
            Some(_) => {}
            None => return Ok(audit.finish()),
        }
    }
}
