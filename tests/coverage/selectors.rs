//! What the trail of `template.yaml` records, and on which parameter of the template that depends.

use std::{collections::BTreeMap, fs};

use yaml_serde::Value;

use crate::samples::repository;

/// What is selected (`management`, `network activity of SOURCE`, a resource type), and what that hangs on.
pub(super) type Selected = BTreeMap<String, Switch>;

/// What a selector of the template hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Switch {
    Always,
    /// Off, unless this parameter switches it on.
    With(String),
    /// On, unless this parameter switches it off.
    Unless(String),
}

pub(super) fn read() -> Selected {
    let template: Value = yaml_serde::from_str(&fs::read_to_string(repository("template.yaml")).unwrap()).unwrap();
    let selectors = &template["Resources"]["Trail"]["Properties"]["AdvancedEventSelectors"];
    let mut selected = Selected::new();
    for selector in selectors.as_sequence().unwrap() {
        let (selector, switch) = match selector {
            Value::Tagged(tagged) if tagged.tag == "If" => {
                let parameter = parameter(&template["Conditions"], tagged.value[0].as_str().unwrap());
                let off = template["Parameters"][&parameter]["Default"] == "no";
                (&tagged.value[1], if off { Switch::With(parameter) } else { Switch::Unless(parameter) })
            }
            plain => (plain, Switch::Always),
        };
        // Of several for objects in S3, the first is about the bucket that every stack has.
        selected.entry(what(selector)).or_insert(switch);
    }
    selected
}

fn what(selector: &Value) -> String {
    let equals = |field: &str| {
        let fields = selector["FieldSelectors"].as_sequence().unwrap();
        let found = fields.iter().find(|selector| selector["Field"] == field)?;
        Some(found["Equals"][0].as_str()?.to_owned())
    };
    match equals("eventCategory").unwrap().as_str() {
        "Management" => "management".to_owned(),
        "NetworkActivity" => format!("network activity of {}", equals("eventSource").unwrap()),
        _ => equals("resources.type").unwrap(),
    }
}

/// The parameter that a condition asks for first, through other conditions.
fn parameter(conditions: &Value, condition: &str) -> String {
    let mut waiting = vec![&conditions[condition]];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Tagged(tagged)
                if tagged.tag == "Ref" && tagged.value.as_str().is_some_and(|it| !it.starts_with("AWS::")) =>
            {
                return tagged.value.as_str().unwrap().to_owned();
            }
            Value::Tagged(tagged) if tagged.tag == "Condition" => {
                waiting.push(&conditions[tagged.value.as_str().unwrap()]);
            }
            Value::Tagged(tagged) => waiting.push(&tagged.value),
            Value::Sequence(values) => waiting.extend(values),
            Value::Mapping(values) => waiting.extend(values.values()),
            _ => {}
        }
    }
    panic!("the condition {condition} asks for no parameter")
}

#[test]
fn the_template_is_understood() {
    let selected = read();
    let (with, unless) = (|name: &str| Switch::With(name.to_owned()), |name: &str| Switch::Unless(name.to_owned()));
    assert_eq!(selected["management"], Switch::Always);
    assert_eq!(selected["network activity of bedrock.amazonaws.com"], unless("NetworkActivityEvents"));
    assert_eq!(selected["AWS::S3::Object"], unless("BucketDataEvents"));
    assert_eq!(selected["AWS::Bedrock::AgentAlias"], Switch::Always);
    assert_eq!(selected["AWS::BedrockAgentCore::Gateway"], with("AgentCoreDataEvents"));
    assert_eq!(selected["AWS::Bedrock::PromptVersion"], with("OtherDataEvents"));
}
