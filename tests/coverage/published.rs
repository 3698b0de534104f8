//! What others publish and what nobody does: `published.json`, written by hand.

use std::{collections::BTreeMap, fs};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::samples::repository;

/// One detection that somebody thought of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// Who publishes it, or what it is about.
    pub(super) source: String,
    /// Its name, or what it detects.
    pub(super) detection: String,
    /// The rules that do it here.
    #[serde(default)]
    pub(super) rules: Vec<String>,
    /// How they differ from it, and why.
    #[serde(default)]
    pub(super) difference: String,
    /// Why no rule does it here.
    #[serde(default)]
    pub(super) reason: String,
    /// What of it a record must say, as changes to a plain one. Each is found by one of the rules at least, and each rule finds
    /// one of them at least.
    #[serde(default)]
    pub(super) records: Vec<Value>,
}

/// The rows of `published.json`, by table.
pub(super) fn tables() -> BTreeMap<String, Vec<Row>> {
    serde_json::from_str(&fs::read_to_string(repository("tests/coverage/published.json")).unwrap()).unwrap()
}

pub(super) fn read() -> Vec<Row> {
    tables().into_values().flatten().collect()
}

/// The whole records of a row.
pub(super) fn records(row: &Row) -> Vec<Value> {
    let whole = |change: &Value| {
        let mut record = json!({
            "eventVersion": "1.11", "eventSource": "bedrock.amazonaws.com", "awsRegion": "eu-central-1",
            "eventTime": "2026-11-22T09:07:31Z", "eventID": "18f135d2-5f55-4203-b018-50c5a38fd547",
            "eventType": "AwsApiCall",
            "managementEvent": true, "eventCategory": "Management", "recipientAccountId": "111122223333",
            "requestParameters": {}, "responseElements": null,
        });
        record = super::by_a_plain_role(record, "203.0.113.24");
        json_patch::merge(&mut record, change);
        record
    };
    row.records.iter().map(whole).collect()
}
