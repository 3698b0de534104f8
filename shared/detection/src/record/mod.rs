//! One record of a delivered log: typed answers to what findings ask of it. Knows nothing of rules.

mod actor;
mod derived;
mod mend;
mod outcome;
mod request;
mod target;

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub use actor::Actor;
pub(crate) use derived::{DERIVED, Derived, Held, Own, model_name};
pub use mend::mended;
pub(crate) use mend::{Wanted, document, excerpt, legible};
pub use outcome::Outcome;
pub use request::Asked;
pub use target::Resource;

/// A parsed record. Every answer is optional: CloudTrail leaves out what it likes, and a record may hold anything.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    value: &'a Value,
}

impl<'a> Record<'a> {
    /// Looks at a parsed record.
    #[must_use]
    pub fn new(value: &'a Value) -> Self {
        Self { value }
    }

    /// The whole record.
    #[must_use]
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// What stands at a path of member names separated by dots, as Sigma field names are. Arrays are not entered.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&'a Value> {
        path.split('.').try_fold(self.value, |value, member| value.get(member))
    }

    /// A member of the record's own, of which other paths begin.
    fn below(&self, member: &str) -> Self {
        Self { value: self.value.get(member).unwrap_or(&Value::Null) }
    }

    /// The text at a path; an empty one counts as missing.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&'a str> {
        self.at(path)?.as_str().filter(|text| !text.is_empty())
    }

    /// `eventID`.
    #[must_use]
    pub fn event_id(&self) -> Option<&'a str> {
        self.text("eventID")
    }

    /// `eventName`, or nothing.
    #[must_use]
    pub fn event_name(&self) -> &'a str {
        self.text("eventName").unwrap_or_default()
    }

    /// `eventSource`, or nothing.
    #[must_use]
    pub fn event_source(&self) -> &'a str {
        self.text("eventSource").unwrap_or_default()
    }

    /// `awsRegion`.
    #[must_use]
    pub fn region(&self) -> Option<&'a str> {
        self.text("awsRegion")
    }

    /// The account that the record was written for: `recipientAccountId`, else the caller's.
    #[must_use]
    pub fn account(&self) -> Option<&'a str> {
        self.text("recipientAccountId").or_else(|| self.text("userIdentity.accountId"))
    }

    /// `eventTime` in milliseconds since 1970; nothing for a time in which there was no AWS.
    #[must_use]
    pub fn time_ms(&self) -> Option<i64> {
        event_time_ms(self.text("eventTime")?)
    }

    /// `errorCode`.
    #[must_use]
    pub fn error_code(&self) -> Option<&'a str> {
        self.text("errorCode")
    }

    /// Whether it is in the event history of the console, which has management events alone.
    #[must_use]
    pub fn in_event_history(&self) -> bool {
        let category = self.text("eventCategory").unwrap_or("Management");
        category == "Management" && self.at("managementEvent").and_then(boolean) != Some(false)
    }

    /// `readOnly`, which some publishers write as text.
    #[must_use]
    pub fn read_only(&self) -> Option<bool> {
        boolean(self.at("readOnly")?)
    }

    /// The model that was used, as the request names it.
    #[must_use]
    pub fn model(&self) -> Option<&'a str> {
        let sent = self.at("requestParameters")?;
        ["modelId", "model", "baseModelIdentifier", "foundationModel", "sourceModelArn"]
            .iter()
            .find_map(|member| sent.get(*member)?.as_str())
            .filter(|model| !is_hidden_literal(model))
    }
}

/// Whether a finding tells of this member of a record's own, or is made by it. A rule may group by any other.
pub(crate) fn is_told(member: &str) -> bool {
    matches!(
        member,
        "additionalEventData"
            | "awsRegion"
            | "errorCode"
            | "errorMessage"
            | "eventCategory"
            | "eventID"
            | "eventName"
            | "eventSource"
            | "eventTime"
            | "eventType"
            | "managementEvent"
            | "readOnly"
            | "recipientAccountId"
            | "requestParameters"
            | "resources"
            | "responseElements"
            | "sessionCredentialFromConsole"
            | "sourceIPAddress"
            | "userAgent"
            | "userIdentity"
    )
}

/// The exact texts that services write in place of a value.
const HIDDEN: [&str; 3] = ["HIDDEN_DUE_TO_SECURITY_REASONS", "***", "REDACTED"];

/// Whether a service wrote this in place of a value.
pub(crate) fn is_hidden_literal(text: &str) -> bool {
    HIDDEN.contains(&text)
}

/// From September 2001 to the year 2100.
const PLAUSIBLE_MS: std::ops::Range<i64> = 1_000_000_000_000..4_102_444_800_000;

/// An `eventTime` in milliseconds since 1970; nothing for a time in which there was no AWS.
pub(crate) fn event_time_ms(text: &str) -> Option<i64> {
    time_ms(text).filter(|time| PLAUSIBLE_MS.contains(time))
}

/// CloudTrail writes RFC 3339; some `creationDate`s leave the separators out (`20131102T010628Z`).
pub(crate) fn time_ms(text: &str) -> Option<i64> {
    let parsed = OffsetDateTime::parse(text, &Rfc3339).ok().or_else(|| {
        let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
        let extended = format!(
            "{}-{}-{}T{}:{}:{}Z",
            date.get(..4)?,
            date.get(4..6)?,
            date.get(6..)?,
            clock.get(..2)?,
            clock.get(2..4)?,
            clock.get(4..)?
        );
        OffsetDateTime::parse(&extended, &Rfc3339).ok()
    })?;
    i64::try_from(parsed.unix_timestamp_nanos() / 1_000_000).ok()
}

/// CloudTrail writes some booleans as text (`"mfaAuthenticated": "true"`).
fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_read_in_both_spellings() {
        assert_eq!(time_ms("2026-11-22T09:15:00Z"), Some(1_795_338_900_000));
        assert_eq!(time_ms("20261122T091500Z"), Some(1_795_338_900_000));
        for nonsense in ["", "Z", "T", "2026", "20261122T", "yesterday", "ü0261122T091500Z", "2026112üT091500Z"] {
            assert_eq!(time_ms(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn what_cannot_be_true_is_not_told() {
        let record = json!({
            "eventTime": "0001-01-01T00:00:00Z", "requestParameters": {"modelId": "HIDDEN_DUE_TO_SECURITY_REASONS"}
        });
        assert_eq!((Record::new(&record).time_ms(), Record::new(&record).model()), (None, None));
    }
}
