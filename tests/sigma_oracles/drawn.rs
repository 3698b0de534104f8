//! Rules and records drawn by lot.

use serde_json::{Map, Value, json};

use super::{Asked, Line};

/// Seeded, so that every run asks the same.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }

    pub(super) fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }
}

const FIELDS: [&str; 6] = ["a", "b", "c.d", "c.e", "c.f.g", "t"];
const TEXTS: [&str; 13] = ["x", "X", "xy", "XyZ", "axb", "", "5", "10", "true", "a*b", r"a\b", "ÄXö", "192.0.2.7"];
const PATTERNS: [&str; 12] = ["x", "XY", "x*", "*y", "?y", "*x*b", r"a\*b", r"a\\b", r"a\b", "*", "äxÖ", ""];
pub(super) const TIMES: [&str; 3] = ["2026-11-22T09:07:31Z", "2026-11-05T10:05:00Z", "2025-05-10T05:10:00Z"];

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

pub(super) fn record(dice: &mut Dice, lists: bool) -> Value {
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

pub(super) fn generated(n: usize, dice: &mut Dice) -> Asked {
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
