//! Our evaluator against two others that know nothing of it: `rsigma-eval`, and pySigma with SQLite. Every difference that is
//! left is named in [`differs`], for the pairs of rule and record that it concerns, and explained in `docs/sigma.md`.
//!
//! - [`drawn`]: rules and records drawn by lot
//! - [`real`]: rules that people use

mod drawn;
mod real;

use std::{
    collections::BTreeMap,
    env,
    io::Write as _,
    process::{Command, Stdio},
    thread,
};

use detection::rules::{Origin, RuleFile, RuleSet};
use rsigma_eval::{CompiledRule, JsonEvent, compile_rule, evaluate_rule};
use rsigma_parser::parse_sigma_yaml;
use serde_json::{Value, json};

use drawn::{Dice, TIMES, generated, record};

use crate::samples::repository;

/// One line of a selection: a field (none for keywords), its modifiers, its values.
#[derive(Debug)]
struct Line {
    field: Option<String>,
    modifiers: Vec<String>,
    values: Vec<Value>,
}

impl Line {
    fn has(&self, modifier: &str) -> bool {
        self.modifiers.iter().any(|has| has == modifier)
    }

    fn key(&self) -> String {
        let field = self.field.clone().unwrap_or_default();
        [&[field], self.modifiers.as_slice()].concat().join("|")
    }
}

/// A rule, and the lines that it is made of.
struct Asked {
    text: String,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judge {
    Rsigma,
    PySigma,
}

/// All values at a path; a path leads through every member of an array.
fn at<'v>(value: &'v Value, path: &[&str], found: &mut Vec<&'v Value>) {
    match (value, path) {
        (Value::Array(items), _) => items.iter().for_each(|item| at(item, path, found)),
        (value, []) => found.push(value),
        (Value::Object(members), [name, rest @ ..]) => {
            if let Some(member) = members.get(*name) {
                at(member, rest, found);
            }
        }
        _ => {}
    }
}

fn values_of<'v>(record: &'v Value, field: &str) -> Vec<&'v Value> {
    let mut found = Vec::new();
    at(record, &field.split('.').collect::<Vec<_>>(), &mut found);
    found
}

/// Why this judge may answer otherwise than we do for this line and record; `docs/sigma.md` says more on each.
fn differs(judge: Judge, line: &Line, record: &Value) -> Option<&'static str> {
    let Some(field) = &line.field else {
        let wildcards = line.values.iter().any(|value| value.as_str().is_some_and(|text| text.contains(['*', '?'])));
        return match judge {
            Judge::Rsigma if line.has("all") => Some("rsigma wants all keywords in one value"),
            Judge::Rsigma if wildcards => Some("rsigma wants a keyword with wildcards to be the whole value"),
            Judge::PySigma if wildcards => Some("SQLite looks for keywords across values"),
            _ => None,
        };
    };
    let found = values_of(record, field);
    let texts = || found.iter().filter_map(|value| value.as_str());
    let asks_null = line.values.contains(&Value::Null);
    if line.has("exists") && !found.is_empty() && found.iter().all(|value| value.is_null()) {
        return Some("to both, a member that is null does not exist");
    }
    match judge {
        Judge::Rsigma => {
            let wildcards = |value: &Value| value.as_str().is_some_and(|text| text.contains(['*', '?']));
            let anchored = line.has("startswith") || line.has("endswith");
            if anchored && texts().next().is_some() && line.values.iter().any(wildcards) {
                return Some("rsigma takes the wrong anchor with wildcards");
            }
            if line.has("base64offset") && texts().next().is_some() {
                return Some("rsigma cuts base64 at the wrong place");
            }
            if line.has("neq") && found.is_empty() {
                return Some("rsigma's neq wants the field to be there");
            }
            if asks_null && line.values.len() > 1 && found.is_empty() {
                return Some("rsigma knows no absent field in a list of values");
            }
            if asks_null && found.len() > 1 && found.iter().any(|value| value.is_null()) {
                return Some("rsigma finds no null in an array");
            }
            if asks_null && found.len() == 1 && found[0].is_null() {
                return Some("rsigma finds no null in an array");
            }
            if line.has("fieldref") {
                let odd = |field: &str| match record.pointer(&format!("/{}", field.replace('.', "/"))) {
                    Some(value) => value.is_null() || value.is_array() || value.is_object(),
                    None => !values_of(record, field).is_empty(),
                };
                if odd(field) || odd(line.values[0].as_str().unwrap()) {
                    return Some("rsigma compares fields as they are: lists, objects and null with each other");
                }
            }
            if texts().any(|text| text.contains('\n')) {
                return Some("rsigma's wildcards end at a line's end");
            }
        }
        Judge::PySigma => {
            let words = texts().any(|text| text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"));
            if words && line.values.iter().any(Value::is_boolean) {
                return Some("SQLite does not fold the words of a boolean");
            }
            let ordered = ["lt", "lte", "gt", "gte"].iter().any(|word| line.has(word));
            let time = ["minute", "hour", "day", "month"].iter().any(|word| line.has(word));
            let number = |value: &&Value| match value {
                Value::String(text) => text.parse::<f64>().is_ok(),
                value => !value.is_boolean(),
            };
            if ordered && !time && !found.iter().all(number) {
                return Some("to SQLite, text that is no number is one");
            }
            if time && found.iter().any(|value| !value.as_str().is_some_and(|text| TIMES.contains(&text))) {
                return Some("to SQLite, numbers are times");
            }
            if !line.has("cased") && texts().any(|text| !text.is_ascii()) {
                return Some("SQLite folds the case of ASCII alone");
            }
        }
    }
    None
}

fn rule_set(rules: &[Asked]) -> RuleSet {
    let files = rules.iter().enumerate().map(|(n, rule)| RuleFile {
        path: n.to_string(),
        text: rule.text.clone(),
        origin: Origin::Outside,
    });
    let loaded = RuleSet::load_only(files);
    assert_eq!(loaded.refused, []);
    assert_eq!(loaded.rule_set.rules().len(), rules.len());
    loaded.rule_set
}

/// What every rule says of every record, in our judgement.
fn ours(rule_set: &RuleSet, records: &[Value]) -> Vec<Vec<bool>> {
    let mut verdicts = vec![Vec::new(); rule_set.rules().len()];
    for record in records {
        let bytes = record.to_string();
        let mut question = rule_set.read(bytes.as_bytes()).unwrap();
        for (position, verdicts) in verdicts.iter_mut().enumerate() {
            verdicts.push(question.ask(position).matches);
        }
    }
    verdicts
}

/// What a judge says: `None` where it cannot be asked. Rules that it does not take, by its reason.
type Judged = (Vec<Vec<Option<bool>>>, BTreeMap<String, usize>);

fn by_rsigma(rules: &[Asked], records: &[Value]) -> Judged {
    let mut refused = BTreeMap::new();
    let compiled: Vec<Option<CompiledRule>> = rules
        .iter()
        .map(|rule| {
            let parsed = parse_sigma_yaml(&rule.text).unwrap().rules.remove(0);
            compile_rule(&parsed).map_err(|error| *refused.entry(error.to_string()).or_insert(0) += 1).ok()
        })
        .collect();
    let events: Vec<JsonEvent<'_>> = records.iter().map(JsonEvent::borrow).collect();
    let judged = |rules: &[Option<CompiledRule>]| -> Vec<Vec<Option<bool>>> {
        let one = |rule: &Option<CompiledRule>, event| rule.as_ref().map(|rule| evaluate_rule(rule, event).is_some());
        rules.iter().map(|rule| events.iter().map(|event| one(rule, event)).collect()).collect()
    };
    let verdicts = thread::scope(|scope| {
        let halves = compiled.chunks(compiled.len().div_ceil(2)).map(|half| scope.spawn(|| judged(half)));
        let halves: Vec<_> = halves.collect();
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    (verdicts, refused)
}

fn by_pysigma(rules: &[Asked], records: &[Value]) -> Option<Judged> {
    let Some(python) = env::var_os("BEDROCK_AUDIT_SIGMA_PYTHON") else {
        println!(
            "skipped: BEDROCK_AUDIT_SIGMA_PYTHON names no Python with tests/sigma/requirements.txt (`make test` sets it)"
        );
        return None;
    };
    let mut input = String::new();
    for rule in rules {
        input.push_str(&format!("{}\n", json!({"rule": rule.text})));
    }
    for record in records {
        input.push_str(&format!("{}\n", json!({"record": record})));
    }
    let script = repository("tests/sigma/judge_with_pysigma.py");
    let mut child = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "the judge failed");
    let (mut verdicts, mut refused) = (Vec::new(), BTreeMap::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let said: Value = serde_json::from_str(line).unwrap();
        match said["verdicts"].as_str() {
            Some(said) => verdicts.push(
                said.chars()
                    .map(|c| match c {
                        '1' => Some(true),
                        '0' => Some(false),
                        _ => None,
                    })
                    .collect(),
            ),
            None => {
                *refused.entry(said["refused"].as_str().unwrap().to_owned()).or_insert(0) += 1;
                verdicts.push(vec![None; records.len()]);
            }
        }
    }
    assert_eq!(verdicts.len(), rules.len());
    Some((verdicts, refused))
}

/// Compares all verdicts, and gives back how many pairs were compared and on how many of them the rule matched.
fn compare(
    judge: Judge,
    rules: &[Asked],
    records: &[Value],
    ours: &[Vec<bool>],
    theirs: &[Vec<Option<bool>>],
) -> (usize, usize) {
    let (mut compared, mut matched, mut left_out) = (0, 0, BTreeMap::new());
    let mut unexplained: Vec<String> = Vec::new();
    for ((rule, ours), theirs) in rules.iter().zip(ours).zip(theirs) {
        for ((record, ours), theirs) in records.iter().zip(ours).zip(theirs) {
            let Some(theirs) = theirs else {
                *left_out.entry("it cannot be asked").or_insert(0) += 1;
                continue;
            };
            if let Some(reason) = rule.lines.iter().find_map(|line| differs(judge, line, record)) {
                *left_out.entry(reason).or_insert(0) += 1;
                continue;
            }
            compared += 1;
            matched += usize::from(*ours);
            if ours != theirs {
                unexplained.push(format!("{}\n{record}\nwe say {ours}", rule.text));
            }
        }
    }
    println!("{judge:?}: {compared} compared, {matched} matched, left out: {left_out:?}");
    unexplained.sort_by_key(String::len);
    let shortest = unexplained.iter().take(10).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(unexplained.is_empty(), "{judge:?} says otherwise in {} cases:\n{shortest}", unexplained.len());
    (compared, matched)
}

/// Neither answer may be rare, and few pairs may be left out: else the test would mean little.
fn means_something(pairs: usize, (compared, matched): (usize, usize), least: usize) {
    assert!(compared * 100 >= pairs * least, "only {compared} of {pairs} pairs were compared");
    assert!(matched * 10 >= compared, "only {matched} of {compared} match");
    assert!((compared - matched) * 10 >= compared, "{matched} of {compared} match");
}

fn generated_rules_and_records(lists: bool) -> (Vec<Asked>, Vec<Value>) {
    let mut dice = Dice(2026);
    ((0..1000).map(|n| generated(n, &mut dice)).collect(), (0..200).map(|_| record(&mut dice, lists)).collect())
}

#[test]
fn generated_rules_are_judged_as_rsigma_does() {
    let (rules, records) = generated_rules_and_records(true);
    let (theirs, refused) = by_rsigma(&rules, &records);
    // A part of a time with an order, which pySigma takes.
    assert!(refused.keys().all(|reason| reason.contains("at most one operator")), "{refused:?}");
    let ours = ours(&rule_set(&rules), &records);
    let counts = compare(Judge::Rsigma, &rules, &records, &ours, &theirs);
    means_something(rules.len() * records.len(), counts, 50);
}

#[test]
fn generated_rules_are_judged_as_pysigma_does() {
    let (rules, records) = generated_rules_and_records(false);
    let Some((theirs, refused)) = by_pysigma(&rules, &records) else { return };
    // `2 of them`, which rsigma takes; and a number as a part of a text.
    let known = |reason: &str| reason.contains("found 'of'") || reason.contains("incompatible to value type of '5'");
    let others: Vec<&String> = refused.keys().filter(|reason| !known(reason)).collect();
    assert!(others.is_empty(), "{others:?}");
    let ours = ours(&rule_set(&rules), &records);
    let counts = compare(Judge::PySigma, &rules, &records, &ours, &theirs);
    means_something(rules.len() * records.len(), counts, 50);
}
