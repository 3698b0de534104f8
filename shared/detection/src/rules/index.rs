//! Which rules could match a record: by its eventSource and eventName, else by a text that it must hold. A sound
//! over-approximation: a rule that allows neither meets every record, and texts are compared with case folded, as Sigma does.

use std::collections::BTreeSet;

use memchr::memchr;
use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, Modifier, Quantifier, SelectorPattern, SigmaValue, StringPart,
    detection_name_matches,
};
use rustc_hash::FxHashMap;

use super::{engine::lower, literals::Literals};
use crate::delivered_log::Names;

/// Longest name that is looked up without asking further. The longest of AWS's have about half of that.
const LONGEST_NAME: usize = 128;
/// Who called: nearly all that is looked for is below it, and it is a third of a record.
const IDENTITY: &str = "userIdentity.";
/// Shorter texts stand in nearly every record.
const SHORTEST_LITERAL: usize = 4;

/// How many rules are looked up in which way, which is what they cost: see [`RuleSet::reach`](super::RuleSet::reach).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    /// By literal names of the source, the call or both: they cost nothing with any other record.
    pub by_name: usize,
    /// By a text that a record must hold: every record is searched for it, and parsed only if it is there.
    pub by_literal: usize,
    /// By nothing: with a single one of these, every record of a log is parsed.
    pub every_record: usize,
}

/// The only values that a field can have where a rule matches, or texts of which a record then holds one; `None` where the rule
/// leaves it open.
pub(super) type Only = Option<BTreeSet<String>>;

/// Every list of rules is of positions, and sorted.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_source: FxHashMap<Box<[u8]>, OfSource>,
    by_name: FxHashMap<Box<[u8]>, Vec<usize>>,
    by_literal: Vec<usize>,
    always: Vec<usize>,
    /// Texts below `userIdentity`, and anywhere.
    of_identity: Searched,
    of_record: Searched,
    reach: Reach,
}

/// Texts of which any is looked for.
#[derive(Debug, Default)]
struct Searched {
    texts: BTreeSet<String>,
    search: Option<Literals>,
}

#[derive(Debug, Default)]
struct OfSource {
    any_name: Vec<usize>,
    by_name: FxHashMap<Box<[u8]>, Vec<usize>>,
}

impl Index {
    /// Adds the rule at `position` of the rule set.
    pub(super) fn add(&mut self, position: usize, detections: &Detections) {
        let (sources, names) = (only(detections, "eventSource"), only(detections, "eventName"));
        if sources.is_some() || names.is_some() {
            self.reach.by_name += 1;
        }
        match (sources, names) {
            (Some(sources), names) => {
                for source in sources {
                    let of_source = self.by_source.entry(key(&source)).or_default();
                    match &names {
                        Some(names) => names.iter().for_each(|name| {
                            of_source.by_name.entry(key(name)).or_default().push(position);
                        }),
                        None => of_source.any_name.push(position),
                    }
                }
            }
            (None, Some(names)) => {
                names.iter().for_each(|name| self.by_name.entry(key(name)).or_default().push(position));
            }
            (None, None) => {
                let (place, texts) = match literals(detections, |field| field.starts_with(IDENTITY)) {
                    Some(texts) => (&mut self.of_identity, Some(texts)),
                    None => (&mut self.of_record, literals(detections, |_| true)),
                };
                match texts {
                    Some(texts) => {
                        self.by_literal.push(position);
                        place.texts.extend(texts);
                    }
                    None => self.always.push(position),
                }
            }
        }
    }

    /// Says that all rules have been added.
    pub(super) fn complete(&mut self) {
        for searched in [&mut self.of_identity, &mut self.of_record] {
            if !searched.texts.is_empty() {
                searched.search = Literals::new(&searched.texts);
                if searched.search.is_none() {
                    // More text than a search can hold.
                    self.always.append(&mut self.by_literal);
                }
            }
        }
        self.always.sort_unstable();
        (self.reach.by_literal, self.reach.every_record) = (self.by_literal.len(), self.always.len());
    }

    pub(super) fn reach(&self) -> Reach {
        self.reach
    }

    /// Whether any rule could match, or could fail to decide. Allocates nothing: it is asked about every record.
    pub(super) fn could_match(&self, names: Names<'_>, record: &[u8]) -> bool {
        if !self.always.is_empty() {
            return true;
        }
        let (mut source, mut name) = ([0; LONGEST_NAME], [0; LONGEST_NAME]);
        let Some(source) = folded(names.event_source, &mut source) else { return true };
        let Some(name) = folded(names.event_name, &mut name) else { return true };
        let of_source = self.by_source.get(source);
        of_source.is_some_and(|of_source| !of_source.any_name.is_empty() || of_source.by_name.contains_key(name))
            || self.by_name.contains_key(name)
            || self.may_hold_literal(names, record)
    }

    /// Escapes hide a text from a search, and beyond ASCII other characters may fold to a letter of it: what has either may hold
    /// anything. A member whose own name is written with escapes never comes here: such a record has no plain names.
    fn may_hold_literal(&self, names: Names<'_>, record: &[u8]) -> bool {
        [(&self.of_identity, names.identity), (&self.of_record, record)].into_iter().any(|(searched, bytes)| {
            let escapes = || names.has_escapes && memchr(b'\\', bytes).is_some();
            searched.search.as_ref().is_some_and(|search| escapes() || !bytes.is_ascii() || search.is_in(bytes))
        })
    }

    pub(super) fn candidates(&self, event_source: &str, event_name: &str) -> Vec<usize> {
        let (source, name) = (lower(event_source), lower(event_name));
        let mut found = [self.always.as_slice(), &self.by_literal].concat();
        if let Some(of_source) = self.by_source.get(source.as_bytes()) {
            found.extend(&of_source.any_name);
            found.extend(of_source.by_name.get(name.as_bytes()).into_iter().flatten());
        }
        found.extend(self.by_name.get(name.as_bytes()).into_iter().flatten());
        found.sort_unstable();
        found
    }
}

/// An ASCII name with its case folded.
fn folded<'b>(name: &str, buffer: &'b mut [u8; LONGEST_NAME]) -> Option<&'b [u8]> {
    let buffer = buffer.get_mut(..name.len())?;
    buffer.copy_from_slice(name.as_bytes());
    buffer.make_ascii_lowercase();
    Some(buffer)
}

/// As bytes, so that what is looked up need not be proven to be text once more.
fn key(name: &str) -> Box<[u8]> {
    name.as_bytes().into()
}

/// Whether nothing that a rule asks for can be looked up.
#[cfg(feature = "lint")]
pub(super) fn meets_every_record(detections: &Detections) -> bool {
    let named = |field| only(detections, field).is_some();
    !named("eventSource") && !named("eventName") && literals(detections, |_| true).is_none()
}

/// What every match of a rule needs, derived from its condition.
struct Needs<'d> {
    detections: &'d Detections,
    /// What one line of a selection needs.
    of_line: &'d dyn Fn(&DetectionItem) -> Only,
    /// Of several that are needed at once, the one with the lowest cost is used.
    cost: fn(&BTreeSet<String>) -> usize,
}

/// The only values that `field` can have where the rule matches.
pub(super) fn only(detections: &Detections, field: &str) -> Only {
    let of_line = |item: &DetectionItem| {
        let literal = item.field.modifiers.iter().all(|modifier| *modifier == Modifier::Cased);
        if item.field.name.as_deref() != Some(field) || !literal {
            return None;
        }
        let plain = item.values.iter().map(|value| match value {
            SigmaValue::String(text) => text.as_plain().map(|text| lower(&text).into_owned()),
            _ => None,
        });
        plain.collect()
    };
    Needs { detections, of_line: &of_line, cost: BTreeSet::len }.of_rule()
}

/// Texts of which a record that the rule matches, or cannot decide, holds at least one in one of these fields: if it has no escapes
/// and only ASCII.
fn literals(detections: &Detections, of_field: impl Fn(&str) -> bool) -> Only {
    let of_line =
        |item: &DetectionItem| literals_of_line(item).filter(|_| item.field.name.as_deref().is_some_and(&of_field));
    let cost = |literals: &BTreeSet<String>| usize::MAX - literals.iter().map(String::len).min().unwrap_or(0);
    Needs { detections, of_line: &of_line, cost }.of_rule()
}

fn literals_of_line(item: &DetectionItem) -> Only {
    let field = item.field.name.as_deref().filter(|field| !field.is_empty())?;
    let mut path = field.split('.');
    // What can be hidden leaves a rule undecided without holding anything; what is derived stands in no record.
    if matches!(path.next(), Some("requestParameters" | "responseElements" | "derived")) {
        return None;
    }
    let holds = |modifier: &Modifier| match modifier {
        Modifier::Exists => matches!(item.values.as_slice(), [SigmaValue::Bool(true)]),
        Modifier::Contains | Modifier::StartsWith | Modifier::EndsWith | Modifier::Cased | Modifier::All => true,
        Modifier::Re | Modifier::IgnoreCase | Modifier::Multiline | Modifier::DotAll | Modifier::Cidr => true,
        Modifier::Lt | Modifier::Lte | Modifier::Gt | Modifier::Gte => true,
        _ => false,
    };
    // `null` holds where there is nothing.
    if !item.field.modifiers.iter().all(holds) || item.values.contains(&SigmaValue::Null) {
        return None;
    }
    let is_text = item.field.modifiers.iter().all(|modifier| {
        matches!(
            modifier,
            Modifier::Contains | Modifier::StartsWith | Modifier::EndsWith | Modifier::Cased | Modifier::All
        )
    });
    let texts: Only = if is_text { item.values.iter().map(literal).collect() } else { None };
    // Else the member itself must be there, under its name.
    texts.or_else(|| Some(BTreeSet::from([format!("\"{}\"", path.next_back()?.to_ascii_lowercase())])))
}

/// The longest part of a value without wildcards, in lower case.
fn literal(value: &SigmaValue) -> Option<String> {
    let SigmaValue::String(text) = value else { return None };
    let plain = text.parts.iter().filter_map(|part| match part {
        StringPart::Plain(plain) => Some(lower(plain).into_owned()),
        StringPart::Special(_) => None,
    });
    let longest = plain.max_by_key(String::len)?;
    // A number may be written in several ways, and is compared by one of them.
    let like_a_number = longest.bytes().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte));
    (longest.len() >= SHORTEST_LITERAL && !like_a_number).then_some(longest)
}

impl Needs<'_> {
    fn of_rule(&self) -> Only {
        // A rule with several conditions matches where any of them holds.
        any(self.detections.conditions.iter().map(|condition| self.of_condition(condition)))
    }

    fn of_condition(&self, condition: &ConditionExpr) -> Only {
        let below = |condition| self.of_condition(condition);
        match condition {
            ConditionExpr::And(parts) => self.all(parts.iter().map(below)),
            ConditionExpr::Or(parts) => any(parts.iter().map(below)),
            // What must not be says nothing about what is.
            ConditionExpr::Not(_) => None,
            ConditionExpr::Identifier(name) => self.of_detection(self.detections.named.get(name)?),
            ConditionExpr::Selector { quantifier, pattern } => {
                let named = self.detections.named.iter();
                let meant = named
                    .filter(|(name, _)| match pattern {
                        SelectorPattern::Them => !name.starts_with('_'),
                        SelectorPattern::Pattern(pattern) => detection_name_matches(pattern, name),
                    })
                    .map(|(_, detection)| self.of_detection(detection));
                match quantifier {
                    Quantifier::All => self.all(meant),
                    Quantifier::Any => any(meant),
                    Quantifier::Count(0) => None,
                    Quantifier::Count(_) => any(meant),
                }
            }
        }
    }

    fn of_detection(&self, detection: &Detection) -> Only {
        match detection {
            Detection::AllOf(items) => self.all(items.iter().map(self.of_line)),
            Detection::AnyOf(parts) => any(parts.iter().map(|part| self.of_detection(part))),
            Detection::And(parts) => self.all(parts.iter().map(|part| self.of_detection(part))),
            _ => None,
        }
    }

    /// Where all hold, any one that limits the values limits them.
    fn all(&self, parts: impl Iterator<Item = Only>) -> Only {
        parts.flatten().min_by_key(self.cost)
    }
}

/// Where one of several holds, the values are limited only if every one limits them.
fn any(parts: impl Iterator<Item = Only>) -> Only {
    let parts: Vec<BTreeSet<String>> = parts.collect::<Option<_>>()?;
    // Nothing to choose from: the engine decides what that means, so it must be asked.
    if parts.is_empty() { None } else { Some(parts.into_iter().flatten().collect()) }
}
