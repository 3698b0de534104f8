//! A rule's detection in words. Knows Sigma's YAML and nothing of what a rule is about.

use yaml_serde::{Mapping, Value};

use super::markdown::{code, plain};

/// One list of bullets for each selection, and the condition over them.
pub(super) fn detection(detection: &Mapping) -> String {
    let mut words = String::new();
    for (name, selection) in detection {
        let Some(name) = name.as_str().filter(|name| !matches!(*name, "condition" | "timeframe")) else { continue };
        words.push_str(&format!("- {}: {}\n", code(name), opening(selection)));
        describe(selection, "  ", &mut words);
    }
    match detection.get("condition") {
        Some(Value::Sequence(conditions)) => {
            words.push_str("\nIt matches where one of these holds:\n\n");
            conditions.iter().for_each(|condition| words.push_str(&format!("- {}\n", code(&value(condition)))));
        }
        Some(condition) => words.push_str(&format!("\nIt matches where this holds: {}\n", code(&value(condition)))),
        None => {}
    }
    words
}

fn opening(selection: &Value) -> &'static str {
    match selection {
        Value::Sequence(parts) if parts.iter().any(Value::is_mapping) => "one of these holds",
        Value::Sequence(_) | Value::String(_) | Value::Number(_) => "these words are found anywhere in the record",
        Value::Mapping(items) if items.len() == 1 => "this holds",
        _ => "all of this holds",
    }
}

fn describe(selection: &Value, indent: &str, words: &mut String) {
    match selection {
        Value::Mapping(items) => {
            for (field, values) in items {
                words.push_str(&format!("{indent}- {}\n", item(&value(field), values)));
            }
        }
        Value::Sequence(parts) => {
            for part in parts {
                match part {
                    Value::Mapping(items) if items.len() != 1 => {
                        words.push_str(&format!("{indent}- all of this\n"));
                        describe(part, &format!("{indent}  "), words);
                    }
                    Value::Mapping(_) => describe(part, indent, words),
                    keyword => words.push_str(&format!("{indent}- {}\n", code(&value(keyword)))),
                }
            }
        }
        keyword => words.push_str(&format!("{indent}- {}\n", code(&value(keyword)))),
    }
}

/// `requestParameters.mode|contains: [a, b]` as a sentence.
fn item(field: &str, values: &Value) -> String {
    let mut parts = field.split('|');
    let field = parts.next().unwrap_or_default();
    let modifiers: Vec<&str> = parts.collect();
    let subject = if field.is_empty() { "any value".to_owned() } else { code(field) };
    let exists = |there: bool| values.as_bool() == Some(there);
    if modifiers == ["exists"] {
        return match values {
            _ if exists(true) => format!("{subject} is there"),
            _ if exists(false) => format!("{subject} is not there"),
            _ => format!("{subject} exists: {}", code(&value(values))),
        };
    }
    let (all, negated) = (modifiers.contains(&"all"), modifiers.contains(&"neq"));
    let verb: Vec<&str> = modifiers
        .iter()
        .filter(|modifier| !matches!(**modifier, "all" | "neq"))
        .map(|modifier| verb(modifier))
        .collect();
    let verb = match (verb.is_empty(), negated) {
        (true, false) => "is".to_owned(),
        (true, true) => "is not".to_owned(),
        (false, negated) => format!("{}{}", if negated { "not: " } else { "" }, verb.join(", ")),
    };
    let values: Vec<String> = match values {
        Value::Sequence(values) => values.iter().map(shown).collect(),
        one => vec![shown(one)],
    };
    let values = match values.split_last() {
        Some((last, before)) if !before.is_empty() => {
            format!("{} {} {last}", before.join(", "), if all { "and" } else { "or" })
        }
        _ => values.concat(),
    };
    format!("{subject} {verb} {values}")
}

fn verb(modifier: &str) -> &str {
    match modifier {
        "contains" => "contains",
        "startswith" => "begins with",
        "endswith" => "ends with",
        "re" => "matches the regular expression",
        "i" => "in any case",
        "m" => "line by line",
        "s" => "across lines",
        "cased" => "in exactly this case",
        "cidr" => "is an address of",
        "fieldref" => "is the value of the field",
        "expand" => "is in the list",
        "lt" => "is less than",
        "lte" => "is at most",
        "gt" => "is more than",
        "gte" => "is at least",
        other => other,
    }
}

fn shown(value_: &Value) -> String {
    match value_ {
        Value::Null => "absent or null".to_owned(),
        Value::String(text) if text.is_empty() => "empty text".to_owned(),
        other => code(&value(other)),
    }
}

/// A scalar as it is written; anything else as YAML in one line.
fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Null => "null".to_owned(),
        other => plain(&yaml_serde::to_string(other).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detection_is_told_in_words() {
        let yaml = "
selection:
    eventName: [A, B]
    requestParameters.x|contains|all: [p, q]
    requestParameters.y|exists: false
    requestParameters.z: null
either:
    - sourceIPAddress|cidr: 192.0.2.0/24
    - userAgent|startswith: curl
      derived.model|expand: '%models%'
words: ['a|b']
condition: selection and (either or words)
";
        let expected = "\
- `selection`: all of this holds
  - `eventName` is `A` or `B`
  - `requestParameters.x` contains `p` and `q`
  - `requestParameters.y` is not there
  - `requestParameters.z` is absent or null
- `either`: one of these holds
  - `sourceIPAddress` is an address of `192.0.2.0/24`
  - all of this
    - `userAgent` begins with `curl`
    - `derived.model` is in the list `%models%`
- `words`: these words are found anywhere in the record
  - `a|b`

It matches where this holds: `selection and (either or words)`
";
        assert_eq!(detection(&yaml_serde::from_str::<Mapping>(yaml).unwrap()), expected);
    }
}
