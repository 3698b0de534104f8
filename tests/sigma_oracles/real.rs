//! SigmaHQ's rules and ours, and records made of what they ask for.

use std::{collections::BTreeMap, fs, sync::LazyLock};

use rsigma_parser::{Detection, DetectionItem, Modifier, SigmaValue, SpecialChar, StringPart, parse_sigma_yaml};
use serde_json::{Value, json};

use super::{Asked, Judge, Line, by_pysigma, by_rsigma, compare, drawn::Dice, ours, rule_set};
use crate::samples::{BUILTIN, delete_guardrail, files, repository};

/// A text that the pattern matches.
fn example(dice: &mut Dice, parts: &[StringPart]) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            StringPart::Plain(plain) => text.push_str(plain),
            StringPart::Special(SpecialChar::WildcardMulti) => text.push_str(dice.pick::<&str>(&["", "x", "-any-"])),
            StringPart::Special(SpecialChar::WildcardSingle) => text.push('x'),
        }
    }
    text
}

/// A value that satisfies this line of a rule, as far as that can be told from its literals.
fn satisfying(dice: &mut Dice, item: &DetectionItem) -> Option<Value> {
    let mut wanted = Vec::new();
    for value in &item.values {
        wanted.push(match value {
            SigmaValue::String(text) if item.field.has_modifier(Modifier::Re) => {
                json!(text.original.replace(['^', '$', '\\'], ""))
            }
            SigmaValue::String(text) => json!(example(dice, &text.parts)),
            SigmaValue::Integer(number) => json!(number),
            SigmaValue::Float(number) => json!(number),
            SigmaValue::Bool(value) => json!(value),
            SigmaValue::Null => Value::Null,
        });
    }
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    let one = if item.field.has_modifier(Modifier::All) {
        json!(wanted.iter().map(text).collect::<Vec<_>>().join(" "))
    } else {
        dice.pick(&wanted).clone()
    };
    let around = |before: &str, after: &str| Some(json!(format!("{before}{}{after}", text(&one))));
    if item.field.has_modifier(Modifier::Exists) {
        (one == json!(true)).then(|| json!("something"))
    } else if item.field.has_modifier(Modifier::Contains) {
        around("arn:", "/x")
    } else if item.field.has_modifier(Modifier::StartsWith) {
        around("", "-x")
    } else if item.field.has_modifier(Modifier::EndsWith) {
        around("x-", "")
    } else if item.field.has_modifier(Modifier::Cidr) {
        Some(json!(text(&one).split('/').next()))
    } else {
        Some(one)
    }
}

fn put(record: &mut Value, path: &[&str], value: Option<Value>) {
    let [name, rest @ ..] = path else { return };
    if !record.is_object() {
        *record = json!({});
    }
    let members = record.as_object_mut().unwrap();
    match (rest, value) {
        ([], Some(value)) => {
            members.insert((*name).to_owned(), value);
        }
        ([], None) => {
            members.remove(*name);
        }
        (rest, value) => put(members.entry(*name).or_insert(Value::Null), rest, value),
    }
}

fn satisfy(dice: &mut Dice, detection: &Detection, record: &mut Value) {
    match detection {
        Detection::AllOf(items) => {
            for item in items {
                if let Some(field) = &item.field.name {
                    let value = satisfying(dice, item);
                    put(record, &field.split('.').collect::<Vec<_>>(), value);
                }
            }
        }
        Detection::AnyOf(parts) => {
            let part = dice.pick(parts);
            satisfy(dice, part, record);
        }
        Detection::And(parts) => parts.iter().for_each(|part| satisfy(dice, part, record)),
        Detection::Keywords(values) => {
            if let SigmaValue::String(text) = dice.pick(values) {
                put(record, &["userAgent"], Some(json!(example(dice, &text.parts))));
            }
        }
        _ => {}
    }
}

/// One of the ways in which records differ from what a rule's author thought of.
fn disturb(dice: &mut Dice, fields: &[String], record: &mut Value) {
    let field = dice.pick(fields).clone();
    let path: Vec<&str> = field.split('.').collect();
    let here = record.pointer(&format!("/{}", path.join("/"))).cloned();
    let text = here.as_ref().and_then(Value::as_str).map(str::to_owned);
    let value = match (dice.roll(9), here, text) {
        (0, _, _) => None,
        (1, _, _) => Some(Value::Null),
        (2, Some(here), _) => Some(json!([here])),
        (3, Some(here), _) => Some(json!(["other", here])),
        (4, _, Some(text)) => Some(json!(text.to_uppercase())),
        (5, _, Some(text)) => Some(json!(format!("{text}x"))),
        (6, _, _) if path.len() > 1 => Some(json!("HIDDEN_DUE_TO_SECURITY_REASONS")),
        (7, _, _) => Some(json!({"something": "else"})),
        _ => {
            let error = *dice.pick(&["AccessDenied", "ValidationException", "Client.UnauthorizedOperation"]);
            put(record, &["errorCode"], Some(json!(error)));
            return;
        }
    };
    put(record, &path, value);
}

/// What is hidden is, to plain Sigma, a text that no rule asks for: a comparison with it is false, and it exists.
fn hide(value: &mut Value) {
    match value {
        Value::String(text) if text == "HIDDEN_DUE_TO_SECURITY_REASONS" => *text = "¤".to_owned(),
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(members) => members.values_mut().for_each(hide),
        _ => {}
    }
}

fn lines_in(detection: &Detection, lines: &mut Vec<Line>) {
    match detection {
        Detection::AllOf(items) => {
            for item in items {
                let values = item.values.iter().map(|value| match value {
                    SigmaValue::String(text) => json!(text.original),
                    SigmaValue::Integer(number) => json!(number),
                    SigmaValue::Float(number) => json!(number),
                    SigmaValue::Bool(value) => json!(value),
                    SigmaValue::Null => Value::Null,
                });
                let modifiers = item.field.modifiers.iter().map(|modifier| format!("{modifier:?}").to_lowercase());
                let (field, modifiers) = (item.field.name.clone(), modifiers.collect());
                lines.push(Line { field, modifiers, values: values.collect() });
            }
        }
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().for_each(|part| lines_in(part, lines)),
        _ => {}
    }
}

/// SigmaHQ's rules and ours, and 10,000 records made of what they ask for.
struct Real {
    rules: Vec<Asked>,
    records: Vec<Value>,
    /// Our verdicts.
    ours: Vec<Vec<bool>>,
}

static REAL: LazyLock<Option<Real>> = LazyLock::new(|| {
    if !repository("../shared/sigma").is_dir() {
        println!("skipped: SigmaHQ's rules do not lie beside this repository");
        return None;
    }
    let published = files("../shared/sigma", ".yml");
    let built_in = BUILTIN.rules().iter().map(|rule| repository(&rule.path));
    let (mut rules, mut parsed) = (Vec::new(), Vec::new());
    for path in published.iter().cloned().chain(built_in) {
        let text = fs::read_to_string(path).unwrap();
        // Nobody else knows our lists and derived fields; `lists` and each rule's proof say what these mean.
        if text.contains("|expand") || text.contains("derived.") {
            continue;
        }
        let sigma = parse_sigma_yaml(&text).unwrap().rules.remove(0);
        let mut lines = Vec::new();
        // Sorted, because the parser keeps them in a map: every run must ask the same.
        let named: BTreeMap<_, _> = sigma.detection.named.iter().collect();
        named.values().for_each(|detection| lines_in(detection, &mut lines));
        rules.push(Asked { text, lines });
        parsed.push(sigma);
    }
    let mut dice = Dice(57);
    let mut records = Vec::new();
    for n in 0..10_000 {
        let (rule, sigma) = (&rules[records.len() % rules.len()], &parsed[records.len() % rules.len()]);
        let mut record = delete_guardrail(n, &json!({"requestParameters": {}}));
        let named: BTreeMap<_, _> = sigma.detection.named.iter().collect();
        for (name, detection) in named {
            // What a rule leaves out is there now and then, and what it asks for is not.
            let there = if name.contains("filter") { dice.one_in(5) } else { !dice.one_in(12) };
            if there {
                satisfy(&mut dice, detection, &mut record);
            }
        }
        let fields: Vec<String> = rule.lines.iter().filter_map(|line| line.field.clone()).collect();
        for _ in 0..dice.roll(3) {
            disturb(&mut dice, &fields, &mut record);
        }
        records.push(record);
    }
    let ours = ours(&rule_set(&rules), &records);
    records.iter_mut().for_each(hide);
    let fired = |ours: &[Vec<bool>]| ours.iter().filter(|verdicts| verdicts.contains(&true)).count();
    let (of_published, of_built_in) = (fired(&ours[..published.len()]), fired(&ours[published.len()..]));
    println!("{of_published} of {} published and {of_built_in} built-in rules fired", published.len());
    assert!(of_published >= 50 && of_published + of_built_in >= rules.len() * 9 / 10, "too few rules fired");
    Some(Real { rules, records, ours })
});

fn means_something_real(real: &Real, (compared, matched): (usize, usize), least: usize) {
    assert!(compared * 100 >= real.rules.len() * real.records.len() * least, "only {compared} pairs were compared");
    assert!(matched * 4 > real.records.len(), "only {matched} match");
}

#[test]
fn real_rules_are_judged_as_rsigma_does() {
    let Some(real) = REAL.as_ref() else { return };
    let (theirs, refused) = by_rsigma(&real.rules, &real.records);
    assert!(refused.is_empty(), "{refused:?}");
    means_something_real(real, compare(Judge::Rsigma, &real.rules, &real.records, &real.ours, &theirs), 99);
}

#[test]
fn real_rules_are_judged_as_pysigma_does() {
    let Some(real) = REAL.as_ref() else { return };
    let Some((theirs, refused)) = by_pysigma(&real.rules, &real.records) else { return };
    assert!(refused.is_empty(), "{refused:?}");
    means_something_real(real, compare(Judge::PySigma, &real.rules, &real.records, &real.ours, &theirs), 80);
}
