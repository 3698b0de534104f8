//! From Sigma's syntax tree to a tree of comparisons. What cannot be compiled exactly is a fault, with its remedy.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use regex::{Regex, RegexBuilder};
use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, Modifier, Quantifier, SigmaString, SigmaValue, SpecialChar,
    StringPart,
};

use super::{
    comparison::{Comparison, Comparisons, Order, Pattern, Symbol, TimePart},
    fields::Slots,
    tree::{All, Check, How, Item, Tree},
};
use crate::rules::{check::Fault, nearest::nearest};

/// Memory that one compiled regex may take, in bytes: a rule's author must not be able to exhaust the function's. The library
/// does not say how much one takes; that it takes at most so much is known by trying.
const REGEX_BYTES: [usize; 5] = [4 * 1024, 16 * 1024, 64 * 1024, 256 * 1024, 1024 * 1024];
/// Memory that all of them together may take.
pub(super) const ALL_REGEX_BYTES: usize = 24 * 1024 * 1024;

pub(super) fn compile(detections: &Detections, fields: &mut dyn Slots) -> Result<Tree, Fault> {
    // Several conditions are as many rules: it matches where any of them holds.
    let conditions = detections.conditions.iter().map(|condition| condition_tree(condition, detections, fields));
    Ok(Tree::Any(conditions.collect::<Result<_, _>>()?))
}

fn condition_tree(condition: &ConditionExpr, detections: &Detections, fields: &mut dyn Slots) -> Result<Tree, Fault> {
    let mut below = |parts: &[ConditionExpr]| -> Result<Vec<Tree>, Fault> {
        parts.iter().map(|part| condition_tree(part, detections, fields)).collect()
    };
    Ok(match condition {
        ConditionExpr::And(parts) => Tree::All(All::of(below(parts)?)),
        ConditionExpr::Or(parts) => Tree::Any(below(parts)?),
        ConditionExpr::Not(part) => Tree::Not(Box::new(condition_tree(part, detections, fields)?)),
        ConditionExpr::Identifier(name) => named(name, detections, fields)?,
        ConditionExpr::Selector { quantifier, pattern } => {
            let mut names: Vec<&String> =
                detections.named.keys().filter(|name| pattern.matches_detection_name(name)).collect();
            // The parser keeps them in a map; an explanation must not change from run to run.
            names.sort();
            if names.is_empty() {
                return Err(Fault::new(
                    "condition:",
                    format!("`{quantifier} of {pattern}` in its condition selects nothing"),
                    "name a selection that is there",
                ));
            }
            let parts = names.into_iter().map(|name| named(name, detections, fields)).collect::<Result<_, _>>()?;
            match quantifier {
                Quantifier::Any => Tree::Any(parts),
                Quantifier::All => Tree::All(All::of(parts)),
                Quantifier::Count(wanted) => Tree::AtLeast(*wanted, parts),
            }
        }
    })
}

fn named(name: &str, detections: &Detections, fields: &mut dyn Slots) -> Result<Tree, Fault> {
    let Some(detection) = detections.named.get(name) else {
        let remedy = match nearest(name, detections.named.keys().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "name a selection that is there".to_owned(),
        };
        return Err(Fault::new("condition:", format!("its condition names `{name}`, which is not there"), remedy));
    };
    Ok(Tree::Named(name.to_owned(), Box::new(detection_tree(name, detection, fields)?)))
}

fn detection_tree(name: &str, detection: &Detection, fields: &mut dyn Slots) -> Result<Tree, Fault> {
    let mut below = |parts: &[Detection]| -> Result<Vec<Tree>, Fault> {
        parts.iter().map(|part| detection_tree(name, part, fields)).collect()
    };
    Ok(match detection {
        Detection::AllOf(items) => {
            Tree::All(All::of(items.iter().map(|item| item_tree(name, item, fields)).collect::<Result<_, _>>()?))
        }
        Detection::AnyOf(parts) => Tree::Any(below(parts)?),
        Detection::And(parts) => Tree::All(All::of(below(parts)?)),
        Detection::Keywords(values) => {
            let comparisons = values.iter().map(keyword).collect::<Result<_, _>>()?;
            let written = format!("keywords {}", listed(values));
            Tree::Item(Arc::new(Item { written, slot: None, check: Check::AnyOf(Comparisons::of(comparisons)) }))
        }
        // Refused before; said again, so that nothing can pass silently.
        Detection::ArrayMatch { .. } | Detection::Conditional { .. } => {
            return Err(Fault::new(
                name,
                format!("`{name}` is written in a way that Sigma 2 does not define"),
                "rewrite it",
            ));
        }
    })
}

pub(super) fn item_tree(name: &str, item: &DetectionItem, fields: &mut dyn Slots) -> Result<Tree, Fault> {
    let field = item.field.name.as_deref().filter(|field| !field.is_empty());
    let modifiers = Modifiers::of(name, item)?;
    if modifiers.all && item.values.len() < 2 {
        return Err(modifiers.fault("uses `all` with a single value"));
    }
    let slot = field.map(|field| fields.slot(field));
    // One part a value, where each has to hold or each is about a field of its own; else one for all of them.
    let apart = modifiers.all || modifiers.kind == Kind::FieldRef;
    let parts: Vec<&[SigmaValue]> = if apart { item.values.chunks(1).collect() } else { vec![item.values.as_slice()] };
    let mut trees = Vec::new();
    for values in parts {
        let check = modifiers.check(values, slot.is_none(), fields)?;
        let written = format!("{}: {}", modifiers.written, listed(values));
        trees.push(Tree::Item(Arc::new(Item { written, slot, check })));
    }
    let tree = if modifiers.all { Tree::All(All::of(trees)) } else { Tree::Any(trees) };
    Ok(if modifiers.not { Tree::Not(Box::new(tree)) } else { tree })
}

fn listed(values: &[SigmaValue]) -> String {
    let shown = |value: &SigmaValue| match value {
        // In quotes where it would not be seen, or be taken for something else.
        SigmaValue::String(text) if matches!(text.original.as_str(), "" | "null") || text.original.contains(", ") => {
            format!("'{text}'")
        }
        value => value.to_string(),
    };
    let shown: Vec<String> = values.iter().take(5).map(shown).collect();
    let more = if values.len() > 5 { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// What kind of comparison the modifiers of an item ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Value,
    Regex,
    Cidr,
    /// Of a number, or of a part of a time.
    Order(Order),
    Exists,
    FieldRef,
}

struct Modifiers {
    written: String,
    near: String,
    kind: Kind,
    how: How,
    cased: bool,
    all: bool,
    /// `neq`.
    not: bool,
    time: Option<TimePart>,
    base64: Option<Base64>,
    /// `i`, `m`, `s`.
    flags: (bool, bool, bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base64 {
    Whole,
    AnyOffset,
}

impl Modifiers {
    fn of(name: &str, item: &DetectionItem) -> Result<Self, Fault> {
        let field = item.field.name.as_deref().unwrap_or_default();
        let words: Vec<String> = item.field.modifiers.iter().map(|modifier| word(*modifier)).collect();
        let written = [&[field.to_owned()], words.as_slice()].concat().join("|");
        let near = if field.is_empty() { name.to_owned() } else { written.clone() };
        let mut modifiers = Self {
            written,
            near,
            kind: Kind::Value,
            how: How::Equals,
            cased: false,
            all: false,
            not: false,
            time: None,
            base64: None,
            flags: (false, false, false),
        };
        let (mut kinds, mut hows, mut parts, mut encodings, mut flagged) = (0, 0, 0, 0, false);
        for modifier in &item.field.modifiers {
            let mut kind = |kind| {
                kinds += 1;
                modifiers.kind = kind;
            };
            let mut time = |part| {
                parts += 1;
                modifiers.time = Some(part);
            };
            match modifier {
                Modifier::Contains | Modifier::StartsWith | Modifier::EndsWith => {
                    hows += 1;
                    modifiers.how = match modifier {
                        Modifier::Contains => How::Contains,
                        Modifier::StartsWith => How::StartsWith,
                        _ => How::EndsWith,
                    };
                }
                Modifier::All => modifiers.all = true,
                Modifier::Cased => modifiers.cased = true,
                Modifier::Base64 | Modifier::Base64Offset => {
                    encodings += 1;
                    let whole = *modifier == Modifier::Base64;
                    modifiers.base64 = Some(if whole { Base64::Whole } else { Base64::AnyOffset });
                }
                Modifier::Neq => modifiers.not = true,
                Modifier::Minute => time(TimePart::Minute),
                Modifier::Hour => time(TimePart::Hour),
                Modifier::Day => time(TimePart::Day),
                Modifier::Month => time(TimePart::Month),
                Modifier::Year => time(TimePart::Year),
                Modifier::Re => kind(Kind::Regex),
                Modifier::Cidr => kind(Kind::Cidr),
                Modifier::Exists => kind(Kind::Exists),
                Modifier::FieldRef => kind(Kind::FieldRef),
                Modifier::Lt => kind(Kind::Order(Order::Less)),
                Modifier::Lte => kind(Kind::Order(Order::LessOrEqual)),
                Modifier::Gt => kind(Kind::Order(Order::Greater)),
                Modifier::Gte => kind(Kind::Order(Order::GreaterOrEqual)),
                Modifier::IgnoreCase => (flagged, modifiers.flags.0) = (true, true),
                Modifier::Multiline => (flagged, modifiers.flags.1) = (true, true),
                Modifier::DotAll => (flagged, modifiers.flags.2) = (true, true),
                other => return Err(modifiers.fault(&format!("uses `{}`, which means nothing here", word(*other)))),
            }
        }
        // A part of a time is a number, which is compared as such.
        if parts > 0 && kinds == 0 {
            modifiers.kind = Kind::Order(Order::Equal);
        }
        let kind = modifiers.kind;
        let clash = kinds > 1
            || hows > 1
            || parts > 1
            || encodings > 1
            || (parts > 0 && !matches!(kind, Kind::Order(_)))
            || (modifiers.not && kind == Kind::Exists)
            || (hows > 0 && !matches!(kind, Kind::Value | Kind::FieldRef))
            || (modifiers.cased && !matches!(kind, Kind::Value | Kind::FieldRef))
            || (modifiers.base64.is_some() && kind != Kind::Value)
            || (flagged && kind != Kind::Regex)
            || (modifiers.all && kind == Kind::Exists)
            || (field.is_empty() && !matches!(kind, Kind::Value | Kind::Regex));
        if clash {
            return Err(modifiers.fault("combines modifiers that do not go together"));
        }
        Ok(modifiers)
    }

    fn fault(&self, problem: &str) -> Fault {
        Fault::new(
            &self.near,
            format!("`{}` {problem}", self.written),
            "see docs/sigma.md for what each modifier takes",
        )
    }

    /// What these values of the rule ask of a field.
    fn check(&self, values: &[SigmaValue], keyword: bool, fields: &mut dyn Slots) -> Result<Check, Fault> {
        match self.kind {
            Kind::Exists => Ok(Check::Exists(self.one_boolean(values)?)),
            Kind::FieldRef => {
                let other = match values {
                    [SigmaValue::String(text)] => text.as_plain().filter(|name| !name.is_empty()),
                    _ => None,
                };
                let other = other.ok_or_else(|| self.fault("wants the name of another field, without wildcards"))?;
                Ok(Check::SameAs { other: fields.slot(&other), how: self.how, cased: self.cased })
            }
            _ => {
                let mut comparisons = Vec::new();
                for value in values {
                    comparisons.extend(self.comparisons(value, keyword, fields)?);
                }
                Ok(Check::AnyOf(Comparisons::of(comparisons)))
            }
        }
    }

    fn one_boolean(&self, values: &[SigmaValue]) -> Result<bool, Fault> {
        match values {
            [SigmaValue::Bool(value)] => Ok(*value),
            [SigmaValue::String(text)] if text.original.eq_ignore_ascii_case("true") => Ok(true),
            [SigmaValue::String(text)] if text.original.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(self.fault("wants `true` or `false`")),
        }
    }

    /// What one value of the rule is compared as.
    fn comparisons(&self, value: &SigmaValue, keyword: bool, fields: &mut dyn Slots) -> Result<Vec<Comparison>, Fault> {
        Ok(match self.kind {
            Kind::Regex => vec![Comparison::Regex(self.regex(value, fields.regex_room())?)],
            Kind::Cidr => {
                let network = match value {
                    SigmaValue::String(text) => text
                        .original
                        .parse()
                        .ok()
                        .or_else(|| text.original.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from)),
                    _ => None,
                };
                vec![Comparison::Cidr(
                    network.ok_or_else(|| self.fault(&format!("holds `{value}`, which is no network")))?,
                )]
            }
            Kind::Order(order) => {
                let number = match value {
                    SigmaValue::Integer(number) => number.to_string().parse().ok(),
                    SigmaValue::Float(number) => Some(*number),
                    SigmaValue::String(text) => text.original.trim().parse().ok(),
                    _ => None,
                };
                let number = number.filter(|number: &f64| number.is_finite());
                let number = number.ok_or_else(|| self.fault(&format!("holds `{value}`, which is no number")))?;
                vec![match self.time {
                    Some(part) => Comparison::Time(part, order, number),
                    None => Comparison::Order(order, number),
                }]
            }
            Kind::Exists | Kind::FieldRef => return Err(self.fault("compares no values")),
            Kind::Value if self.base64.is_some() => self.encoded(value)?,
            Kind::Value => match value {
                SigmaValue::String(text) => vec![self.pattern(symbols(text), keyword)],
                _ if keyword || !matches!(self.how, How::Equals) => match value {
                    SigmaValue::Null => return Err(self.fault("looks for `null` in a text")),
                    value => vec![self.pattern(value.to_string().chars().map(Symbol::Char).collect(), keyword)],
                },
                SigmaValue::Integer(number) => {
                    let text = number.to_string();
                    vec![Comparison::Number(text.parse().unwrap_or(f64::NAN), text)]
                }
                SigmaValue::Float(number) => vec![Comparison::Number(*number, number.to_string())],
                SigmaValue::Bool(value) => vec![Comparison::Bool(*value)],
                SigmaValue::Null => vec![Comparison::Null],
            },
        })
    }

    fn pattern(&self, mut symbols: Vec<Symbol>, keyword: bool) -> Comparison {
        // A keyword is looked for anywhere, and so is what may stand at any offset, unless the rule says where.
        let anywhere = keyword || self.base64 == Some(Base64::AnyOffset);
        let how = if anywhere && matches!(self.how, How::Equals) { How::Contains } else { self.how };
        if matches!(how, How::Contains | How::EndsWith) {
            symbols.insert(0, Symbol::Any);
        }
        if matches!(how, How::Contains | How::StartsWith) {
            symbols.push(Symbol::Any);
        }
        Comparison::Text(Pattern::new(&symbols, self.cased))
    }

    /// `room` is what is left for regular expressions.
    fn regex(&self, value: &SigmaValue, room: &mut usize) -> Result<Regex, Fault> {
        let SigmaValue::String(text) = value else { return Err(self.fault("wants a regular expression in quotes")) };
        let (i, m, s) = self.flags;
        let mut too_big = String::new();
        for bytes in REGEX_BYTES {
            let built = RegexBuilder::new(&text.original)
                .case_insensitive(i)
                .multi_line(m)
                .dot_matches_new_line(s)
                .size_limit(bytes)
                .dfa_size_limit(bytes)
                .build();
            match built {
                Ok(regex) => {
                    let Some(left) = room.checked_sub(bytes) else {
                        return Err(self.fault("holds more regular expressions than all rules together may have"));
                    };
                    *room = left;
                    return Ok(regex);
                }
                Err(error @ regex::Error::CompiledTooBig(_)) => too_big = error.to_string(),
                Err(error) => {
                    let reason = error.to_string();
                    let reason = reason.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
                    return Err(self.fault(&format!("holds a regular expression that cannot be used here ({reason})")));
                }
            }
        }
        Err(self.fault(&format!("holds a regular expression that cannot be used here ({too_big})")))
    }

    fn encoded(&self, value: &SigmaValue) -> Result<Vec<Comparison>, Fault> {
        let plain = match value {
            SigmaValue::String(text) => text.as_plain(),
            _ => None,
        };
        let plain = plain.ok_or_else(|| self.fault("encodes text, and text without wildcards alone"))?;
        let offsets: &[usize] = if self.base64 == Some(Base64::AnyOffset) { &[0, 1, 2] } else { &[] };
        if offsets.is_empty() {
            return Ok(vec![self.pattern(STANDARD.encode(plain).chars().map(Symbol::Char).collect(), false)]);
        }
        // Where the text begins inside a group of three bytes, the characters that share bits with its neighbours are cut.
        let encoded = offsets.iter().map(|offset| {
            let bytes = [b" ".repeat(*offset).as_slice(), plain.as_bytes()].concat();
            let whole = STANDARD.encode(&bytes);
            let start = [0, 2, 3].get(*offset).copied().unwrap_or(0);
            let end = whole.len() - [0, 3, 2].get(bytes.len() % 3).copied().unwrap_or(0);
            whole.get(start..end).unwrap_or_default().to_owned()
        });
        let encoded: Vec<String> = encoded.collect();
        if encoded.iter().any(String::is_empty) {
            return Err(self.fault("holds a text too short to be recognised at every offset"));
        }
        Ok(encoded.into_iter().map(|text| self.pattern(text.chars().map(Symbol::Char).collect(), false)).collect())
    }
}

fn keyword(value: &SigmaValue) -> Result<Comparison, Fault> {
    let mut symbols = match value {
        SigmaValue::String(text) => symbols(text),
        SigmaValue::Null => return Err(Fault::new("", "a keyword is `null`", "give it a text")),
        value => value.to_string().chars().map(Symbol::Char).collect(),
    };
    symbols.insert(0, Symbol::Any);
    symbols.push(Symbol::Any);
    Ok(Comparison::Text(Pattern::new(&symbols, false)))
}

/// A text of a list, as a value is compared with it.
pub(super) fn pattern(text: &SigmaString) -> Pattern {
    Pattern::new(&symbols(text), false)
}

fn symbols(text: &SigmaString) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    for part in &text.parts {
        match part {
            StringPart::Plain(plain) => symbols.extend(plain.chars().map(Symbol::Char)),
            StringPart::Special(SpecialChar::WildcardMulti) => symbols.push(Symbol::Any),
            StringPart::Special(SpecialChar::WildcardSingle) => symbols.push(Symbol::Single),
        }
    }
    symbols
}

/// A modifier as rules write it.
fn word(modifier: Modifier) -> String {
    match modifier {
        Modifier::IgnoreCase => "i".to_owned(),
        Modifier::Multiline => "m".to_owned(),
        Modifier::DotAll => "s".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}
