//! What CloudTrail hides of a request. Knows the literals it writes instead, and which members a call cannot do without.

use serde_json::Value;

use super::Record;
use crate::operations::Operations;

/// The exact texts that services write in place of a value.
const HIDDEN: [&str; 3] = ["HIDDEN_DUE_TO_SECURITY_REASONS", "***", "REDACTED"];

/// Only what the caller sent and got can be hidden; elsewhere a user may well be called `***`.
const TREES: [&str; 2] = ["requestParameters", "responseElements"];

pub(super) fn is_hidden_literal(text: &str) -> bool {
    HIDDEN.contains(&text)
}

/// Whether the field at `path` was in the request or response but is not shown: a hidden literal, anything below
/// `{"omitted": true}`, or a member that the operation requires and that is missing. A missing optional member is simply
/// absent.
#[must_use]
pub fn not_visible(record: &Record<'_>, path: &str, operations: &Operations) -> bool {
    let mut members = path.split('.');
    let Some(tree) = members.next().filter(|tree| TREES.contains(tree)) else { return false };
    let root = record.at(tree).unwrap_or(&Value::Null);
    if let (Some(first), "requestParameters") = (members.next(), tree) {
        let missing = root.get(first).is_none_or(Value::is_null);
        let required = operations
            .get(record.event_source(), record.event_name())
            .is_some_and(|operation| operation.required.iter().any(|member| member == first));
        if missing && required {
            return true;
        }
    }
    let members: Vec<&str> = path.split('.').skip(1).collect();
    hidden_below(root, &members)
}

/// Follows the path through objects and, as Sigma does, through every member of an array.
fn hidden_below(value: &Value, members: &[&str]) -> bool {
    match value {
        Value::String(text) => is_hidden_literal(text),
        Value::Array(items) => items.iter().any(|item| hidden_below(item, members)),
        Value::Object(object) => {
            // `omitted` as CloudTrail writes it, not a parameter that happens to have this name and another meaning.
            if object.get("omitted") == Some(&Value::Bool(true)) {
                return true;
            }
            match members.split_first() {
                Some((first, rest)) => object.get(*first).is_some_and(|next| hidden_below(next, rest)),
                None => false,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hidden_and_absent_are_told_apart() {
        let operations = Operations::builtin().unwrap();
        let update = |parameters: Value| json!({"eventSource": "bedrock.amazonaws.com", "eventName": "UpdateGuardrail", "requestParameters": parameters, "userIdentity": {"userName": "***"}});
        for (record, path, expected) in [
            (update(json!({"name": "HIDDEN_DUE_TO_SECURITY_REASONS"})), "requestParameters.name", true),
            (update(json!({"name": "***"})), "requestParameters.name", true),
            (update(json!({"name": "a *** b"})), "requestParameters.name", false),
            (update(json!({"a": {"b": "REDACTED"}})), "requestParameters.a.b", true),
            (update(json!({"a": [{"b": "x"}, {"b": "REDACTED"}]})), "requestParameters.a.b", true),
            (update(json!({"a": "REDACTED"})), "requestParameters.a.b", true),
            (update(json!({"omitted": true, "reason": "requestParameters too large"})), "requestParameters.name", true),
            (update(json!({"omitted": "true", "name": "x"})), "requestParameters.name", false),
            // `blockedInputMessaging` is required, `contentPolicyConfig` is not.
            (update(json!({"name": "x"})), "requestParameters.blockedInputMessaging", true),
            (update(Value::Null), "requestParameters.blockedInputMessaging", true),
            (update(json!({"name": "x"})), "requestParameters.contentPolicyConfig.filtersConfig", false),
            (update(Value::Null), "requestParameters.contentPolicyConfig", false),
            (update(json!({})), "userIdentity.userName", false),
            (update(json!({})), "eventName", false),
        ] {
            assert_eq!(not_visible(&Record::new(&record), path, &operations), expected, "{path} of {record}");
        }
    }
}
