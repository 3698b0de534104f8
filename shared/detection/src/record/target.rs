//! What a call was about: the resources that a record names. Knows how AWS names them, and nothing of any one service.

use serde_json::Value;

use super::{Record, is_hidden_literal};

/// Something that a call was about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// Its ARN, id, name or S3 URI, as the record writes it.
    pub uid: String,
    /// The CloudFormation type where the record gives one, else the member that names it (`guardrailIdentifier`).
    pub kind: String,
}

impl Resource {
    /// How little it tells a reader, for putting the most telling first: where data lies, then what has an id, then names.
    #[must_use]
    pub fn vagueness(&self) -> u8 {
        match self.kind.as_str() {
            kind if DATA_LOCATIONS.contains(&kind) => 0,
            "roleArn" | "name" => 3,
            kind if kind.ends_with("Name") => 2,
            _ => 1,
        }
    }
}

/// Members deep in a request that say where data comes from or goes to, and what code is run with it.
const DATA_LOCATIONS: [&str; 6] = ["s3Uri", "bucketArn", "bucketName", "logGroupName", "secretArn", "lambda"];

/// Nesting in which data locations are looked for; real requests have less than half of it.
const DEPTH: usize = 12;

/// More than any real request names; a hostile one cannot make a finding out of thousands.
const MOST: usize = 50;

impl Record<'_> {
    /// The resources that the record names, sorted, without repeats, at most 50: `resources`, then the identifiers of the
    /// request, then the places where data lies, then the identifiers of what was created.
    #[must_use]
    pub fn resources(&self) -> Vec<Resource> {
        self.named_in(&["requestParameters", "responseElements"])
    }

    /// Those that the caller named: an id that a service makes up in its response differs from call to call.
    #[must_use]
    pub fn targets(&self) -> Vec<Resource> {
        self.named_in(&["requestParameters"])
    }

    fn named_in(&self, trees: &[&str]) -> Vec<Resource> {
        let mut found = Vec::new();
        let mut add = |uid: &str, kind: &str| {
            if !uid.is_empty() && !is_hidden_literal(uid) && found.len() < MOST {
                found.push(Resource { uid: uid.to_owned(), kind: kind.to_owned() });
            }
        };
        for resource in self.at("resources").and_then(Value::as_array).into_iter().flatten() {
            let uid = ["ARN", "ARNPrefix", "arn"].iter().find_map(|member| resource.get(*member)?.as_str());
            let kind = resource.get("type").and_then(Value::as_str).unwrap_or("resource");
            add(uid.unwrap_or_default(), kind);
        }
        for tree in trees {
            let Some(Value::Object(members)) = self.at(tree) else { continue };
            for (name, value) in members {
                if let Value::String(uid) = value
                    && identifies(name, *tree == "responseElements")
                {
                    add(uid, name);
                }
            }
        }
        data_locations(self.at("requestParameters"), DEPTH, &mut add);
        found.sort();
        found.dedup_by(|a, b| a.uid == b.uid);
        found
    }
}

/// Whether a member's name says that its value names something. A response repeats names and states beside ARNs and ids.
fn identifies(name: &str, in_response: bool) -> bool {
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
    if in_response {
        return ends(&["Arn", "ARN"]) || name == "arn";
    }
    let named = ends(&["Identifier", "Id", "Arn", "ARN", "Name", "Uri"]) || name == "name" || name == "arn";
    named && !matches!(name, "clientToken" | "clientRequestToken" | "serviceName")
}

fn data_locations(value: Option<&Value>, depth: usize, add: &mut impl FnMut(&str, &str)) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Some(Value::Object(members)) => {
            for (name, value) in members {
                match value {
                    Value::String(uid) if DATA_LOCATIONS.contains(&name.as_str()) => add(uid, name),
                    value => data_locations(Some(value), depth, add),
                }
            }
        }
        Some(Value::Array(items)) => items.iter().for_each(|item| data_locations(Some(item), depth, add)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_training_data_is_among_the_resources() {
        let record = json!({
            "requestParameters": {
                "jobName": "tune", "customModelName": "m", "clientRequestToken": "t-1",
                "roleArn": "arn:aws:iam::111122223333:role/Tuning",
                "trainingDataConfig": {"s3Uri": "s3://other-bucket/train.jsonl"},
                "validationDataConfig": {"validators": [{"s3Uri": "s3://other-bucket/check.jsonl"}]}
            },
            "responseElements": {"jobArn": "arn:aws:bedrock:eu-central-1:111122223333:model-customization-job/x", "status": "x"}
        });
        let uids: Vec<String> = Record::new(&record).resources().into_iter().map(|resource| resource.uid).collect();
        assert_eq!(
            uids,
            [
                "arn:aws:bedrock:eu-central-1:111122223333:model-customization-job/x",
                "arn:aws:iam::111122223333:role/Tuning",
                "m",
                "s3://other-bucket/check.jsonl",
                "s3://other-bucket/train.jsonl",
                "tune"
            ]
        );
    }

    #[test]
    fn hidden_names_and_hostile_lists_are_no_resources() {
        let resources: Vec<Value> = (0..1_000).map(|n| json!({"ARN": format!("arn:{n}")})).collect();
        assert_eq!(Record::new(&json!({"resources": resources})).resources().len(), MOST);
        let record = json!({"requestParameters": {"name": "***", "guardrailIdentifier": "gr-1"}});
        assert_eq!(Record::new(&record).resources().len(), 1);
    }

    #[test]
    fn a_resource_that_is_named_twice_is_one() {
        let arn = "arn:aws:bedrock:eu-central-1:111122223333:guardrail/gr-1";
        let record = json!({"resources": [{"ARN": arn}], "requestParameters": {"guardrailIdentifier": arn}});
        assert_eq!(Record::new(&record).resources().len(), 1);
    }
}
