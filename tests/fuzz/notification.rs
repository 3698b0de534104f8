//! Any JSON as what wakes the detector: every part of it is an object to read, a test message or an error that is told.

use std::collections::HashSet;

use detector::notification;
use serde_json::Value;

/// The bytes are the event.
pub fn check(bytes: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Value>(bytes) else { return };
    let parts = event["Records"].as_array().map_or(1, |records| records.len().max(1));
    let wake = notification::decode(event.clone());
    if wake.from_queue {
        assert_eq!(wake.notices.len(), parts, "a notice for each message");
    } else {
        assert_eq!(wake.notices.len(), 1);
    }
    for notice in &wake.notices {
        let known = notice.objects.len() as u64 + notice.test_events + notice.errors.len() as u64;
        assert!(known > 0, "nothing is dropped unsaid");
        if !wake.from_queue && parts > 1 {
            assert!(known >= parts as u64, "one bad sibling drops no other");
        }
        for object in &notice.objects {
            assert!(!object.bucket.is_empty() && !object.key.is_empty());
        }
        for error in &notice.errors {
            let told = error.to_string();
            assert!(told.chars().count() < 1_000 && !told.chars().any(char::is_control), "{told:?}");
        }
    }
    let again = notification::decode(event);
    let objects = |wake: &notification::Wake| {
        wake.notices.iter().flat_map(|notice| notice.objects.clone()).map(|object| (object.bucket, object.key)).collect()
    };
    let (first, second): (HashSet<(String, String)>, HashSet<(String, String)>) = (objects(&wake), objects(&again));
    assert_eq!(first, second);
}
