//! What wakes the detector: one decoder for every shape in which the news of a delivered log comes, unwrapped from whatever
//! it is wrapped in. Knows no bucket's content.

use std::borrow::Cow;

use aws_lambda_events::{
    event::{eventbridge::EventBridgeEvent, sqs::SqsMessage},
    sqs::SqsBatchResponse,
};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

/// Envelopes within envelopes; the deepest real one (on-failure record, SNS, S3) has three.
const MOST_ENVELOPES: usize = 8;

/// What an invocation brought.
#[derive(Debug)]
pub struct Wake {
    /// Whether it came from SQS, and so can be answered message by message.
    pub from_queue: bool,
    /// One for each SQS message; otherwise exactly one.
    pub notices: Vec<Notice>,
}

/// One notification: what is handled, retried and given back together.
#[derive(Debug, Default)]
pub struct Notice {
    /// SQS's messageId.
    pub message_id: Option<String>,
    /// The objects that it tells of.
    pub objects: Vec<ObjectEvent>,
    /// S3's test messages in it.
    pub test_events: u64,
    /// What of it could not be understood. Its other parts are handled all the same, and then it is given back.
    pub errors: Vec<NotificationError>,
}

/// Something happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEvent {
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The version that the notification names.
    pub version: Option<String>,
    /// What happened.
    pub happened: Happened,
}

/// What happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// It was written.
    Created,
    /// Somebody removed it.
    Removed,
    /// Something that concerns no log: its retention ended, its tags changed.
    Other(String),
}

/// A notification, or a part of it, that is none of the known shapes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// None of the known shapes.
    #[error(
        "this tells of no delivered log: expected an S3 notification, EventBridge's `Object Created`, CloudTrail's own SNS \
         notice, an SNS or SQS message with one of these, or Lambda's on-failure record of one; got {0}"
    )]
    UnknownShape(String),
    /// The text inside an envelope is not JSON.
    #[error("the text inside {0} is not JSON")]
    NotJson(&'static str),
    /// A known shape with something missing.
    #[error("{0} is not complete: {1}")]
    Incomplete(&'static str, String),
    /// Envelopes without end.
    #[error("more than 8 envelopes lie around it")]
    TooDeep,
}

/// Decodes what an invocation brought. It never fails as a whole: what cannot be understood stands in its notice.
#[must_use]
pub fn decode(payload: Value) -> Wake {
    let records = payload.get("Records").and_then(Value::as_array);
    let from_queue = records.is_some_and(|records| !records.is_empty() && records.iter().all(is_sqs));
    if !from_queue {
        let mut notice = Notice::default();
        notice.read(payload, 0);
        return Wake { from_queue, notices: vec![notice] };
    }
    let notices = records.into_iter().flatten().map(|record| {
        // Whatever else is wrong with a message, it must be possible to name it.
        let message_id = record.get("messageId").and_then(Value::as_str).map(str::to_owned);
        let mut notice = Notice { message_id, ..Notice::default() };
        notice.read_sqs(record.clone(), 0);
        notice
    });
    Wake { from_queue, notices: notices.collect() }
}

/// The answer to SQS: the messages to deliver again. An empty list says that all went well.
#[must_use]
pub fn give_back(message_ids: impl IntoIterator<Item = String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    message_ids.into_iter().for_each(|id| response.add_failure(id));
    response
}

fn is_sqs(record: &Value) -> bool {
    record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs")
}

/// The S3 part of a notification, lenient: real ones lack members that the published type demands (`userIdentity`), and
/// its keys are never decoded there.
#[derive(Deserialize)]
struct S3Record {
    #[serde(rename = "eventName", default)]
    event_name: String,
    s3: S3Entity,
}

#[derive(Deserialize)]
struct S3Entity {
    bucket: S3Bucket,
    object: S3Object,
}

#[derive(Deserialize)]
struct S3Bucket {
    name: String,
}

#[derive(Deserialize)]
struct S3Object {
    key: String,
    #[serde(alias = "versionId", alias = "version-id", default)]
    version: Option<String>,
}

/// The detail of S3's events on EventBridge.
#[derive(Deserialize)]
struct S3Detail {
    bucket: S3Bucket,
    object: S3Object,
    #[serde(default)]
    reason: String,
}

/// CloudTrail's own SNS notice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CloudTrailNotice {
    s3_bucket: String,
    s3_object_key: Vec<String>,
}

impl Notice {
    fn read(&mut self, value: Value, depth: usize) {
        if depth > MOST_ENVELOPES {
            return self.errors.push(NotificationError::TooDeep);
        }
        let Value::Object(members) = &value else { return self.unknown(&value) };
        let has = |name: &str| members.contains_key(name);
        if let Some(Value::Array(records)) = members.get("Records") {
            if records.is_empty() {
                return self.unknown(&value);
            }
            records.iter().for_each(|record| self.read_record(record, depth));
        } else if members.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
            self.test_events += 1;
        } else if has("detail-type") && has("source") {
            self.read_eventbridge(value);
        } else if has("s3Bucket") && has("s3ObjectKey") {
            match serde_json::from_value::<CloudTrailNotice>(value) {
                Ok(notice) if notice.s3_object_key.is_empty() => {
                    self.incomplete("CloudTrail's notice", "it names no key")
                }
                // These keys are plain.
                Ok(notice) => notice.s3_object_key.into_iter().for_each(|key| {
                    self.object(notice.s3_bucket.clone(), key, None, Happened::Created);
                }),
                Err(error) => self.incomplete("CloudTrail's notice", &error.to_string()),
            }
        } else if members.get("Type").and_then(Value::as_str) == Some("Notification") && has("Message") {
            self.read_text(members.get("Message"), "an SNS message", depth);
        } else if has("requestPayload") && has("requestContext") {
            let payload = members.get("requestPayload").cloned().unwrap_or_default();
            self.read(payload, depth + 1);
        } else {
            self.unknown(&value);
        }
    }

    /// One member of `Records`, whatever service it is from: each is handled alone, so that none drops another.
    fn read_record(&mut self, record: &Value, depth: usize) {
        if is_sqs(record) {
            self.read_sqs(record.clone(), depth);
        } else if let Some(sns) = record.get("Sns") {
            self.read_text(sns.get("Message"), "an SNS message", depth);
        } else if record.get("s3").is_some() {
            self.read_s3(record);
        } else {
            self.unknown(record);
        }
    }

    fn read_sqs(&mut self, record: Value, depth: usize) {
        match serde_json::from_value::<SqsMessage>(record) {
            Ok(message) => self.read_text(message.body.map(Value::String).as_ref(), "an SQS message", depth),
            Err(error) => self.incomplete("an SQS message", &error.to_string()),
        }
    }

    fn read_text(&mut self, text: Option<&Value>, envelope: &'static str, depth: usize) {
        let Some(text) = text.and_then(Value::as_str) else { return self.incomplete(envelope, "it has no text") };
        match serde_json::from_str(text) {
            Ok(value) => self.read(value, depth + 1),
            // Sent once when a topic is named to a trail.
            Err(_) if text.trim() == "CloudTrail validation message." => self.test_events += 1,
            Err(_) => self.errors.push(NotificationError::NotJson(envelope)),
        }
    }

    fn read_s3(&mut self, record: &Value) {
        match S3Record::deserialize(record) {
            Ok(record) => {
                let Some(happened) = s3_happened(&record.event_name) else {
                    return self.incomplete("an S3 notification", "its eventName is none that S3 documents");
                };
                match decode_key(&record.s3.object.key) {
                    Some(key) => self.object(record.s3.bucket.name, key, record.s3.object.version, happened),
                    None => self.incomplete("an S3 notification", "its key is not UTF-8"),
                }
            }
            Err(error) => self.incomplete("an S3 notification", &error.to_string()),
        }
    }

    fn read_eventbridge(&mut self, value: Value) {
        let from_s3 = value.get("source").and_then(Value::as_str) == Some("aws.s3");
        if !from_s3 {
            return self.unknown(&value);
        }
        match serde_json::from_value::<EventBridgeEvent<Value>>(value) {
            Ok(event) => match S3Detail::deserialize(&event.detail) {
                Ok(detail) => {
                    let Some(happened) = eventbridge_happened(&event.detail_type, &detail.reason) else {
                        return self.incomplete("an EventBridge event", "its detail-type is none that S3 documents");
                    };
                    // These keys are plain.
                    self.object(detail.bucket.name, detail.object.key, detail.object.version, happened);
                }
                Err(error) => self.incomplete("an EventBridge event", &error.to_string()),
            },
            Err(error) => self.incomplete("an EventBridge event", &error.to_string()),
        }
    }

    fn object(&mut self, bucket: String, key: String, version: Option<String>, happened: Happened) {
        if bucket.is_empty() || key.is_empty() {
            return self.incomplete("a notification", "bucket or key is empty");
        }
        // Objects written before a bucket had versions have the version "null", which can be read by that name.
        let version = version.filter(|version| !version.is_empty());
        self.objects.push(ObjectEvent { bucket, key, version, happened });
    }

    fn incomplete(&mut self, what: &'static str, why: &str) {
        self.errors.push(NotificationError::Incomplete(what, detection::text::neutral(why, 200)));
    }

    /// Tells the shape, never the content.
    fn unknown(&mut self, value: &Value) {
        let shape = match value {
            Value::Object(members) if members.is_empty() => "an empty object".to_owned(),
            Value::Object(members) => {
                let names: Vec<&str> = members.keys().map(String::as_str).take(12).collect();
                format!("an object with {}", names.join(", "))
            }
            Value::Array(_) => "an array".to_owned(),
            Value::String(_) => "a text".to_owned(),
            Value::Number(_) => "a number".to_owned(),
            Value::Bool(_) => "a boolean".to_owned(),
            Value::Null => "null".to_owned(),
        };
        self.errors.push(NotificationError::UnknownShape(detection::text::neutral(&shape, 300)));
    }
}

/// What an `eventName` of S3's notifications says. What is not documented may be news of a log: it is no reason to be silent.
fn s3_happened(name: &str) -> Option<Happened> {
    let name = name.strip_prefix("s3:").unwrap_or(name);
    let (family, _) = name.split_once(':').unwrap_or((name, ""));
    match family {
        "ObjectCreated" => Some(Happened::Created),
        // S3 itself has lost it.
        "ObjectRemoved" | "ReducedRedundancyLostObject" => Some(Happened::Removed),
        "ObjectRestore"
        | "ObjectTagging"
        | "ObjectAcl"
        | "LifecycleExpiration"
        | "LifecycleTransition"
        | "IntelligentTiering"
        | "Replication" => Some(Happened::Other(family.to_owned())),
        _ => None,
    }
}

/// The same for the `detail-type` of S3's events on EventBridge.
fn eventbridge_happened(detail_type: &str, reason: &str) -> Option<Happened> {
    match (detail_type, reason) {
        ("Object Created", _) => Some(Happened::Created),
        ("Object Deleted", "Lifecycle Expiration") => Some(Happened::Other("LifecycleExpiration".to_owned())),
        ("Object Deleted", _) => Some(Happened::Removed),
        (
            "Object Restore Initiated"
            | "Object Restore Completed"
            | "Object Restore Expired"
            | "Object Storage Class Changed"
            | "Object Access Tier Changed"
            | "Object ACL Updated"
            | "Object Tags Added"
            | "Object Tags Deleted",
            _,
        ) => Some(Happened::Other(detail_type.to_owned())),
        _ => None,
    }
}

/// Keys in S3's own notifications are form-encoded: `+` is a space, then percent. Nothing if it is not UTF-8.
fn decode_key(key: &str) -> Option<String> {
    let spaced: Cow<'_, str> = if key.contains('+') { key.replace('+', " ").into() } else { key.into() };
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_decoded_as_forms_are() {
        for (key, expected) in [
            ("red+flower.jpg", Some("red flower.jpg")),
            ("a%2Bb+c%2525", Some("a+b c%25")),
            ("%E3%83%AD%E3%82%B0", Some("ログ")),
            ("100%", Some("100%")),
            ("%ff", None),
        ] {
            assert_eq!(decode_key(key).as_deref(), expected, "{key}");
        }
    }

    #[test]
    fn one_bad_sibling_drops_no_other() {
        let s3 = |key: &str| json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": key}}});
        let wake = decode(json!({"Records": [s3("one"), {"eventSource": "aws:s3", "s3": {}}, 7, s3("two"), s3("")]}));
        let notice = &wake.notices[0];
        let keys: Vec<&str> = notice.objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!((keys, notice.errors.len()), (vec!["one", "two"], 3));
    }

    #[test]
    fn nothing_is_never_no_logs() {
        for payload in [
            json!(null),
            json!({}),
            json!([]),
            json!("x"),
            json!({"Records": []}),
            json!({"Records": {}}),
            json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}),
            json!({"s3Bucket": "b", "s3ObjectKey": []}),
        ] {
            let wake = decode(payload.clone());
            assert_eq!(wake.notices[0].errors.len(), 1, "{payload}");
        }
    }

    #[test]
    fn an_undocumented_happening_is_an_error_and_a_documented_one_is_not() {
        let s3 = |name: Value| json!({"Records": [{"eventName": name, "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]});
        let bridge = |kind: &str, reason: &str| json!({"detail-type": kind, "source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": "k"}, "reason": reason}});
        for (event, expected) in [
            (s3(json!("ObjectCreated:CompleteMultipartUpload")), Some(Happened::Created)),
            (s3(json!("s3:ObjectCreated:Put")), Some(Happened::Created)),
            (s3(json!("ObjectRemoved:Delete")), Some(Happened::Removed)),
            (s3(json!("ReducedRedundancyLostObject")), Some(Happened::Removed)),
            (s3(json!("ObjectTagging:Put")), Some(Happened::Other("ObjectTagging".to_owned()))),
            (s3(json!("objectcreated:Put")), None),
            (s3(json!("")), None),
            (s3(Value::Null), None),
            (bridge("Object Created", "CopyObject"), Some(Happened::Created)),
            (bridge("Object Deleted", "DeleteObject"), Some(Happened::Removed)),
            (bridge("Object Deleted", "Lifecycle Expiration"), Some(Happened::Other("LifecycleExpiration".to_owned()))),
            (bridge("Object created", ""), None),
        ] {
            let notice = &decode(event.clone()).notices[0];
            assert_eq!(notice.objects.first().map(|object| object.happened.clone()), expected, "{event}");
            assert_eq!(notice.errors.is_empty(), expected.is_some(), "{event}");
        }
    }

    #[test]
    fn a_message_that_is_wrong_can_still_be_named() {
        let wake = decode(json!({"Records": [{"messageId": "m1", "eventSource": "aws:sqs", "body": 7}]}));
        assert_eq!((wake.notices[0].message_id.as_deref(), wake.notices[0].errors.len()), (Some("m1"), 1));
    }

    #[test]
    fn envelopes_end() {
        let mut value = json!({"Event": "s3:TestEvent"});
        for _ in 0..20 {
            value = json!({"Type": "Notification", "Message": value.to_string()});
        }
        assert_eq!(decode(value).notices[0].errors, [NotificationError::TooDeep]);
    }

    #[test]
    fn keys_that_come_plain_are_left_as_they_are() {
        let key = "r+d/100%25/x.json.gz";
        let detail = |kind: &str, reason: &str| {
            let object = json!({"key": key, "version-id": "null"});
            json!({
                "version": "0", "id": "i", "detail-type": kind, "source": "aws.s3", "account": "a", "region": "r",
                "time": "2026-11-22T09:41:58Z", "resources": [],
                "detail": {"bucket": {"name": "b"}, "object": object, "reason": reason}
            })
        };
        let only = |event: Value| {
            let [notice] = decode(event).notices.try_into().unwrap();
            assert_eq!(notice.errors, []);
            notice.objects[0].clone()
        };
        let created = only(detail("Object Created", "PutObject"));
        // Objects written before a bucket had versions can be read by the version "null".
        assert_eq!((created.key.as_str(), created.version.as_deref()), (key, Some("null")));
        assert_eq!(only(json!({"s3Bucket": "b", "s3ObjectKey": [key]})).key, key);
        assert_eq!(only(detail("Object Deleted", "DeleteObject")).happened, Happened::Removed);
        let expired = only(detail("Object Deleted", "Lifecycle Expiration")).happened;
        assert_eq!(expired, Happened::Other("LifecycleExpiration".to_owned()), "retention that ends is no removed log");
    }

    #[test]
    fn cloudtrails_validation_message_is_a_test() {
        let said =
            json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "CloudTrail validation message."}}]});
        let wake = decode(said);
        assert_eq!((wake.notices[0].test_events, wake.notices[0].errors.len()), (1, 0));
    }
}
