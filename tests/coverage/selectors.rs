//! What the trail of `template.yaml` records, and on which parameter of the template that depends.

use std::{collections::BTreeMap, fs};

use yaml_serde::Value;

use crate::samples::repository;

/// By what is selected (`management`, `network activity of SOURCE`, a resource type), the parameter that switches it on;
/// nothing where it is always on.
pub(super) type Selected = BTreeMap<String, Option<String>>;

pub(super) fn read() -> Selected {
    let template: Value = yaml_serde::from_str(&fs::read_to_string(repository("template.yaml")).unwrap()).unwrap();
    let selectors = &template["Resources"]["Trail"]["Properties"]["AdvancedEventSelectors"];
    let mut selected = Selected::new();
    for selector in selectors.as_sequence().unwrap() {
        let (selector, parameter) = match selector {
            Value::Tagged(tagged) if tagged.tag == "If" => {
                let condition = tagged.value[0].as_str().unwrap();
                (&tagged.value[1], Some(parameter(&template["Conditions"], condition)))
            }
            plain => (plain, None),
        };
        selected.insert(what(selector), parameter);
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
    assert_eq!(selected["management"], None);
    assert_eq!(selected["network activity of bedrock.amazonaws.com"], None);
    assert_eq!(selected["AWS::Bedrock::AgentAlias"], None);
    assert_eq!(selected["AWS::BedrockAgentCore::Gateway"].as_deref(), Some("AgentCoreDataEvents"));
    assert_eq!(selected["AWS::Bedrock::PromptVersion"].as_deref(), Some("OtherDataEvents"));
}
