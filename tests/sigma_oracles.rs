//! Our evaluator against two others that know nothing of it: `rsigma-eval`, and pySigma with SQLite. Every difference that is
//! left is named in [`differs`], for the pairs of rule and record that it concerns, and explained in `docs/sigma.md`.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write as _,
    process::{Command, Stdio},
    sync::LazyLock,
    thread,
};

use detection::rules::{Origin, RuleFile, RuleSet};
use rsigma_eval::{CompiledRule, JsonEvent, compile_rule, evaluate_rule};
use rsigma_parser::{Detection, DetectionItem, Modifier, SigmaValue, SpecialChar, StringPart, parse_sigma_yaml};
use serde_json::{Map, Value, json};

use crate::samples::{BUILTIN, delete_guardrail, files, repository};

/// Seeded, so that every run asks the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }
}

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

const FIELDS: [&str; 6] = ["a", "b", "c.d", "c.e", "c.f.g", "t"];
const TEXTS: [&str; 13] = ["x", "X", "xy", "XyZ", "axb", "", "5", "10", "true", "a*b", r"a\b", "ÄXö", "192.0.2.7"];
const PATTERNS: [&str; 12] = ["x", "XY", "x*", "*y", "?y", "*x*b", r"a\*b", r"a\\b", r"a\b", "*", "äxÖ", ""];
const TIMES: [&str; 3] = ["2026-11-22T09:07:31Z", "2026-11-05T10:05:00Z", "2025-05-10T05:10:00Z"];

/// What a generated record may hold.
fn scalar(dice: &mut Dice) -> Value {
    match dice.roll(12) {
        0 => Value::Null,
        1 => json!(dice.one_in(2)),
        2 => json!(*dice.pick(&[5, 10, 15])),
        3 => json!(1.5),
        4 => json!(*dice.pick(&["192.0.2.77", "198.51.100.1", "2001:db8::1", "x\ny", "False"])),
        5 => json!(*dice.pick(&["eHk=", "eHl6", "YXh5", "YWF4eQ=="])),
        6 => json!(*dice.pick(&TIMES)),
        _ => json!(*dice.pick(&TEXTS)),
    }
}

/// `lists`: whether lists and objects are frequent.
fn value(dice: &mut Dice, lists: bool) -> Value {
    match dice.roll(if lists { 14 } else { 100 }) {
        0 => json!([scalar(dice), scalar(dice)]),
        1 => json!([scalar(dice)]),
        2 => json!([]),
        3 => json!({"d": "x"}),
        _ => scalar(dice),
    }
}

fn record(dice: &mut Dice, lists: bool) -> Value {
    let mut record = Map::new();
    let mut c = vec![];
    for _ in 0..=usize::from(lists && dice.one_in(5)) {
        let mut member = Map::new();
        for name in ["d", "e"] {
            if !dice.one_in(5) {
                member.insert(name.to_owned(), value(dice, lists));
            }
        }
        if !dice.one_in(4) {
            let g = json!({"g": value(dice, lists)});
            member.insert("f".to_owned(), if dice.one_in(6) { json!([g]) } else { g });
        }
        c.push(Value::Object(member));
    }
    let c = if c.len() == 1 { c.remove(0) } else { Value::Array(c) };
    record.insert("c".to_owned(), if dice.one_in(12) { scalar(dice) } else { c });
    for name in ["a", "b", "t"] {
        if !dice.one_in(6) {
            let time = name == "t" && !dice.one_in(4);
            record.insert(name.to_owned(), if time { json!(*dice.pick(&TIMES)) } else { value(dice, lists) });
        }
    }
    Value::Object(record)
}

/// A line with modifiers of every kind that Sigma has and that we take, and values for them.
fn line(dice: &mut Dice) -> Line {
    let field = *dice.pick(&FIELDS);
    let some =
        |dice: &mut Dice, of: &[Value]| -> Vec<Value> { (0..=dice.roll(2)).map(|_| dice.pick(of).clone()).collect() };
    let texts = |of: &[&str]| -> Vec<Value> { of.iter().map(|text| json!(text)).collect() };
    let patterns = texts(&PATTERNS);
    let (modifiers, values) = match dice.roll(20) {
        0..=3 => {
            let whole =
                [json!(5), json!(10), json!(true), json!(false), json!(1.5), Value::Null, json!("5"), json!("tRUE")];
            ("", some(dice, &[&patterns[..], &whole[..]].concat()))
        }
        4..=6 => {
            let plain = texts(&["x", "XY", "b", "1", "", r"a\b", "äx"]);
            let of = match dice.roll(20) {
                0 => vec![json!(5)],
                1..=3 => patterns,
                _ => plain,
            };
            (*dice.pick(&["contains", "startswith", "endswith"]), some(dice, &of))
        }
        7 => (
            *dice.pick(&["contains|all", "contains|all", "startswith|all"]),
            texts(&[*dice.pick(&["x", "a*", "X"]), *dice.pick(&["y", "*b", "xy"])]),
        ),
        8 => (*dice.pick(&["cased", "contains|cased", "startswith|cased"]), some(dice, &patterns)),
        9 => ("re", some(dice, &texts(&["x", "^x", "[xy]$", "^a.b$", "(5|10)", "^$", "y+z?"]))),
        10 => (*dice.pick(&["re|i", "re|m", "re|s", "re|i|m|s"]), some(dice, &texts(&["^X.Y$", "^y", "x.y", "B$"]))),
        11 => ("cidr", some(dice, &texts(&["192.0.2.0/24", "198.51.100.0/25", "2001:db8::/32", "192.0.2.7/32"]))),
        12 => ("exists", vec![json!(dice.one_in(2))]),
        13 => ("", vec![Value::Null]),
        14 => {
            let modifiers = ["fieldref", "fieldref|contains", "fieldref|startswith", "fieldref|endswith"];
            (*dice.pick(&modifiers), vec![json!(*dice.pick(&FIELDS))])
        }
        15 => (*dice.pick(&["lt", "lte", "gt", "gte"]), vec![json!(*dice.pick(&[5, 10]))]),
        16 => {
            (*dice.pick(&["base64", "base64|contains", "base64offset|contains"]), texts(&[*dice.pick(&["xy", "axy"])]))
        }
        17 => (*dice.pick(&["neq", "contains|neq"]), some(dice, &texts(&["x", "5", "true", "*y"]))),
        _ => {
            let part = *dice.pick(&["minute", "hour", "day", "month", "hour|gte", "day|lt"]);
            let of_times = Line {
                field: Some("t".to_owned()),
                modifiers: part.split('|').map(str::to_owned).collect(),
                values: some(dice, &[json!(5), json!(9), json!(10), json!(11)]),
            };
            return of_times;
        }
    };
    let modifiers = modifiers.split('|').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    Line { field: Some(field.to_owned()), modifiers, values }
}

fn condition(dice: &mut Dice, names: &[String], depth: usize) -> String {
    match dice.roll(if depth == 0 { 5 } else { 10 }) {
        0..=2 => dice.pick(names).clone(),
        3 => format!("not {}", dice.pick(names)),
        4 => (*dice.pick(&["1 of them", "all of them", "1 of s1*", "all of s*", "2 of them"])).to_owned(),
        n => {
            let [left, right] = [(); 2].map(|()| condition(dice, names, depth - 1));
            match n {
                5 => format!("{left} and {right}"),
                6 => format!("{left} or {right}"),
                7 => format!("not ({left} or {right})"),
                8 => format!("{left} and not {right}"),
                _ => format!("({left} and {right})"),
            }
        }
    }
}

fn generated(n: usize, dice: &mut Dice) -> Asked {
    let (mut detection, mut lines, mut names) = (Map::new(), Vec::new(), Vec::new());
    let map = |dice: &mut Dice, lines: &mut Vec<Line>| {
        let mut map = Map::new();
        for _ in 0..=usize::from(dice.one_in(3)) {
            let line = line(dice);
            let values = if let [one] = line.values.as_slice() { one.clone() } else { json!(line.values) };
            if !map.contains_key(&line.key()) {
                map.insert(line.key(), values);
                lines.push(line);
            }
        }
        Value::Object(map)
    };
    for n in 0..2 + dice.roll(3) {
        let name = if dice.one_in(8) { format!("_s{n}") } else { format!("s{n}") };
        let selection = match dice.roll(12) {
            0 => json!([map(dice, &mut lines), map(dice, &mut lines)]),
            1 if dice.one_in(2) => {
                let values: Vec<Value> =
                    (0..2).map(|_| json!(*dice.pick(&["x", "Y", "axb", "2026", "xy", "nowhere"]))).collect();
                let modifiers = if dice.one_in(2) { vec!["all".to_owned()] } else { Vec::new() };
                let selection = if modifiers.is_empty() { json!(values) } else { json!({"|all": values}) };
                lines.push(Line { field: None, modifiers, values });
                selection
            }
            _ => map(dice, &mut lines),
        };
        detection.insert(name.clone(), selection);
        names.push(name);
    }
    // `them` and `s*` leave names with an underscore out, and must find something.
    if names.iter().all(|name| name.starts_with('_')) || !names.iter().any(|name| name.starts_with("s1")) {
        detection.insert("s1".to_owned(), map(dice, &mut lines));
        names.push("s1".to_owned());
    }
    let first = condition(dice, &names, 2);
    let conditions = if dice.one_in(10) { json!([first, condition(dice, &names, 1)]) } else { json!(first) };
    detection.insert("condition".to_owned(), conditions);
    let text = json!({
        "title": format!("Generated {n}"),
        "logsource": {"product": "aws", "service": "cloudtrail"},
        "detection": detection,
        "level": "low",
    });
    Asked { text: text.to_string(), lines }
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
