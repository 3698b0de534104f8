//! What a request asked for, as far as the record shows it, and why it does not show the rest. Knows nothing of rules.

use serde_json::Value;

use super::{Record, is_hidden_literal};
use crate::text;

/// Members of a request that are told.
const MOST_ASKED: usize = 20;
/// Characters of a path or a value that are told.
const MOST_CHARACTERS: usize = 300;
/// Members of a request that are looked at.
const MOST_LOOKED_AT: usize = 10_000;

/// One value that a request set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Where it stands below `requestParameters`, with dots.
    pub path: String,
    /// The value as text.
    pub value: String,
}

impl Asked {
    fn of(path: &str, value: &str) -> Self {
        Self { path: text::neutral(path, MOST_CHARACTERS), value: text::neutral(value, MOST_CHARACTERS) }
    }
}

impl Record<'_> {
    /// The first twenty values that the request shows, in the order of the record's members. Iterative: a request is as deep
    /// as its sender likes.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        let mut asked = Vec::new();
        let mut open: Vec<(String, &Value)> =
            self.at("requestParameters").map(|sent| (String::new(), sent)).into_iter().collect();
        let mut looked_at = 0;
        while let Some((path, value)) = open.pop() {
            looked_at += 1;
            if asked.len() == MOST_ASKED || looked_at > MOST_LOOKED_AT {
                break;
            }
            let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            match value {
                Value::Object(members) => {
                    let members = members.iter().take(MOST_LOOKED_AT).map(|(name, value)| (below(name), value));
                    let mut members: Vec<(String, &Value)> = members.collect();
                    members.reverse();
                    open.extend(members);
                }
                Value::Array(items) => {
                    open.extend(items.iter().take(MOST_LOOKED_AT).rev().map(|value| (path.clone(), value)));
                }
                Value::Null => {}
                Value::String(text) if is_hidden_literal(text) => {}
                Value::String(text) => asked.push(Asked::of(&path, text)),
                value => asked.push(Asked::of(&path, &value.to_string())),
            }
        }
        asked
    }

    /// Why a field of this record is not visible.
    #[must_use]
    pub fn why_not_visible(&self, field: &str) -> &'static str {
        let omitted = |tree: &str| self.at(tree).and_then(|tree| tree.get("omitted")) == Some(&Value::Bool(true));
        let tree = if field.starts_with("responseElements") { "responseElements" } else { "requestParameters" };
        let mut path = field;
        if omitted(tree) {
            return "the request was too large for CloudTrail";
        }
        loop {
            if self.at(path).and_then(Value::as_str).is_some_and(is_hidden_literal) {
                return "the service hides it";
            }
            match path.rsplit_once('.') {
                Some((above, _)) => path = above,
                None => break,
            }
        }
        match field {
            "derived.model" if self.model().is_some() => "what the call names does not tell its model",
            _ if field.starts_with("derived.") => "the request does not show what it is worked out of",
            _ => "the service did not record it",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(request: &Value) -> Vec<(String, String)> {
        let record = json!({ "requestParameters": request });
        Record::new(&record).asked().into_iter().map(|asked| (asked.path, asked.value)).collect()
    }

    #[test]
    fn what_a_request_shows_is_told_in_its_order() {
        let request = json!({
            "loggingConfig": {"s3Config": {"bucketName": "elsewhere"}, "textDataDeliveryEnabled": false},
            "name": "HIDDEN_DUE_TO_SECURITY_REASONS", "tags": [{"key": "a"}, {"key": "b"}], "nothing": null, "units": 3
        });
        let told: Vec<String> = asked(&request).into_iter().map(|(path, value)| format!("{path}={value}")).collect();
        assert_eq!(
            told,
            [
                "loggingConfig.s3Config.bucketName=elsewhere",
                "loggingConfig.textDataDeliveryEnabled=false",
                "tags.key=a",
                "tags.key=b",
                "units=3"
            ]
        );
        assert_eq!(asked(&Value::Null), []);
    }

    #[test]
    fn a_hostile_request_is_told_in_part() {
        let wide: serde_json::Map<String, Value> = (0..50_000).map(|n| (format!("a{n}"), json!([[], [{}]]))).collect();
        assert_eq!(asked(&Value::Object(wide)), []);
        assert_eq!(asked(&json!((0..50_000).collect::<Vec<_>>())).len(), 20);
    }

    #[test]
    fn why_something_is_hidden_is_told() {
        let why = |request: Value, field: &str| {
            let record = json!({ "requestParameters": request });
            Record::new(&record).why_not_visible(field)
        };
        let field = "requestParameters.a.b";
        assert!(why(json!({"omitted": true}), field).contains("too large"));
        assert!(why(json!({"a": {"b": "***"}}), field).contains("hides it"));
        assert!(why(json!({"a": "REDACTED"}), field).contains("hides it"));
        assert!(why(Value::Null, field).contains("did not record"));
        assert!(
            why(json!({"modelId": "arn:aws:bedrock:eu-central-1:111122223333:prompt/AB12CD34EF"}), "derived.model")
                .contains("does not tell")
        );
        assert!(why(Value::Null, "derived.foreign_accounts").contains("worked out of"));
    }
}
