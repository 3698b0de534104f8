//! One comparison of a value, as Sigma's modifiers define them. Knows nothing of fields or conditions.

use std::{borrow::Cow, cmp::Ordering, net::IpAddr};

use ipnet::IpNet;
use memchr::memmem::Finder;
use regex::Regex;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::values::{Field, Scalar};
use crate::rules::fold::{fold, lower};

/// What a value is held against.
#[derive(Debug)]
pub(super) enum Comparison {
    /// Text with wildcards.
    Text(Pattern),
    /// `re`.
    Regex(Regex),
    /// `cidr`.
    Cidr(IpNet),
    /// `lt`, `lte`, `gt`, `gte`.
    Order(Order, f64),
    /// `minute`, `hour`, `day`, `month`, `year`, of a time as it is written.
    Time(TimePart, Order, f64),
    /// A number, compared by value with a number and by its digits with text.
    Number(f64, String),
    /// A boolean, which CloudTrail writes as such or as text.
    Bool(bool),
    /// `null`.
    Null,
}

/// What a value must be, or hold, to satisfy a comparison.
#[derive(Debug)]
pub(super) enum Needed<'c> {
    /// This text, which has its case folded, in the value with its case folded.
    Text(Cow<'c, str>, Place),
    /// There must be a value other than `null`.
    Value,
    Nothing,
}

/// Where a text stands in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The value is this text.
    Whole,
    Start,
    End,
    Inside,
}

impl Place {
    pub(super) fn holds(self, value: &str, text: &str) -> bool {
        match self {
            Self::Whole => value == text,
            Self::Start => value.starts_with(text),
            Self::End => value.ends_with(text),
            Self::Inside => value.contains(text),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds(self, number: f64, than: f64) -> bool {
        match self {
            Self::Equal => number == than,
            Self::Less => number < than,
            Self::LessOrEqual => number <= than,
            Self::Greater => number > than,
            Self::GreaterOrEqual => number >= than,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimePart {
    Minute,
    Hour,
    Day,
    Month,
    Year,
}

impl TimePart {
    /// The part of an RFC 3339 time. In the offset that it is written with: Sigma converts no time zones.
    fn of(self, text: &str) -> Option<f64> {
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        Some(match self {
            Self::Minute => time.minute().into(),
            Self::Hour => time.hour().into(),
            Self::Day => time.day().into(),
            Self::Month => u8::from(time.month()).into(),
            Self::Year => time.year().into(),
        })
    }
}

/// Comparisons of which one is to hold.
#[derive(Debug)]
pub(super) struct Comparisons {
    /// First the plain texts whose case does not count, in order: a list of names is not gone through for every record.
    comparisons: Vec<Comparison>,
    plain: usize,
}

impl Comparisons {
    pub(super) fn of(mut comparisons: Vec<Comparison>) -> Self {
        // Those that are no plain text come last.
        comparisons.sort_by(|a, b| match (a.plain(), b.plain()) {
            (Some(a), Some(b)) => by_length(a, b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        });
        let plain = comparisons.iter().take_while(|comparison| comparison.plain().is_some()).count();
        Self { comparisons, plain }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Comparison> {
        self.comparisons.iter()
    }

    /// Whether they are the same as others of the same modifiers.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.comparisons.len() == other.comparisons.len()
            && self.iter().zip(other.iter()).all(|(one, other)| one.is_same(other))
    }

    /// Whether one of them asks for a value's absence.
    pub(super) fn want_absence(&self) -> bool {
        self.iter().any(|comparison| matches!(comparison, Comparison::Null))
    }

    /// Whether some value satisfies one of them.
    pub(super) fn hold(&self, field: &Field<'_>) -> bool {
        let (plain, others) = self.comparisons.split_at_checked(self.plain).unwrap_or_default();
        field.values().any(|(scalar, folded)| {
            let is_plain = match folded {
                Some(folded) => {
                    plain.binary_search_by(|wanted| by_length(wanted.plain().unwrap_or_default(), folded)).is_ok()
                }
                None => plain.iter().any(|comparison| comparison.holds(scalar, None)),
            };
            is_plain || others.iter().any(|comparison| comparison.holds(scalar, folded))
        })
    }
}

/// Texts of another length, which are nearly all, are told apart without being read.
fn by_length(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl Comparison {
    /// The text, where it is to be equal to one whatever the case.
    fn plain(&self) -> Option<&str> {
        match self {
            Self::Text(Pattern { cased: false, pieces }) => match pieces.as_slice() {
                [Piece::Plain(text, _)] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether it is the same as another of the same modifiers.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one.is_same(other),
            (Self::Regex(one), Self::Regex(other)) => one.as_str() == other.as_str(),
            (Self::Cidr(one), Self::Cidr(other)) => one == other,
            (Self::Order(one, than), Self::Order(other, other_than)) => one == other && than == other_than,
            (Self::Time(one, order, than), Self::Time(other, other_order, other_than)) => {
                one == other && order == other_order && than == other_than
            }
            (Self::Number(_, one), Self::Number(_, other)) => one == other,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Null, Self::Null) => true,
            _ => false,
        }
    }

    /// What no value that satisfies it can do without.
    pub(super) fn needed(&self) -> Needed<'_> {
        match self {
            Self::Text(pattern) => pattern.needed(),
            Self::Bool(wanted) => Needed::Text(Cow::Borrowed(if *wanted { "true" } else { "false" }), Place::Whole),
            Self::Regex(_) | Self::Cidr(_) | Self::Order(..) | Self::Time(..) | Self::Number(..) => Needed::Value,
            Self::Null => Needed::Nothing,
        }
    }

    /// Whether a value satisfies it, which is given once more as a text with its case folded, if it is one.
    pub(super) fn holds(&self, value: &Scalar<'_>, folded: Option<&str>) -> bool {
        match (self, value) {
            (Self::Null, value) => *value == Scalar::Null,
            // A rule may ask for the very words that a service writes in place of a value, or for any value, which there was;
            // `contains: a` means neither.
            (Self::Text(pattern), Scalar::Hidden(text)) => pattern.asks_for(text) || pattern.takes_anything(),
            (_, Scalar::Null | Scalar::Hidden(_)) => false,
            (Self::Text(pattern), _) if !pattern.cased => folded.is_some_and(|text| pattern.matches_folded(text)),
            (Self::Text(pattern), value) => value.text().is_some_and(|text| pattern.matches_folded(&text)),
            (Self::Regex(regex), value) => value.text().is_some_and(|text| regex.is_match(&text)),
            (Self::Cidr(network), Scalar::Text(text)) => {
                text.parse::<IpAddr>().is_ok_and(|address| network.contains(&address))
            }
            (Self::Order(order, than), value) => number(value).is_some_and(|number| order.holds(number, *than)),
            (Self::Time(part, order, than), Scalar::Text(text)) => {
                part.of(text).is_some_and(|number| order.holds(number, *than))
            }
            // Whole numbers by their digits: a 64-bit float cannot tell large ones apart.
            (Self::Number(wanted, text), Scalar::Number(number)) => {
                let whole = !number.is_f64() && text.parse::<i64>().is_ok();
                if whole { number.to_string() == *text } else { number.as_f64() == Some(*wanted) }
            }
            (Self::Number(_, wanted), Scalar::Text(text)) => text == wanted,
            (Self::Bool(wanted), Scalar::Bool(value)) => value == wanted,
            (Self::Bool(wanted), Scalar::Text(text)) => {
                text.eq_ignore_ascii_case(if *wanted { "true" } else { "false" })
            }
            _ => false,
        }
    }
}

fn number(value: &Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Number(number) => number.as_f64(),
        Scalar::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// Text with Sigma's wildcards: `*` for any characters, `?` for exactly one.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    cased: bool,
    /// The texts between the `*`s, each of characters and `?` (as `None`).
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
enum Piece {
    /// The text, and what finds it.
    Plain(String, Box<Finder<'static>>),
    WithSingles(Vec<Option<char>>),
}

/// A character of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    Char(char),
    Single,
    Any,
}

impl Pattern {
    pub(super) fn new(symbols: &[Symbol], cased: bool) -> Self {
        let pieces = symbols.split(|symbol| *symbol == Symbol::Any).map(|piece| {
            let chars = piece.iter().map(|symbol| match symbol {
                Symbol::Char(c) => Some(if cased { *c } else { fold(*c) }),
                _ => None,
            });
            let chars: Vec<Option<char>> = chars.collect();
            match chars.iter().copied().collect::<Option<String>>() {
                Some(plain) => {
                    let finder = Finder::new(&plain).into_owned();
                    Piece::Plain(plain, Box::new(finder))
                }
                None => Piece::WithSingles(chars),
            }
        });
        Self { cased, pieces: pieces.collect() }
    }

    /// Whether it asks for this very text, at most with `*` around it.
    fn asks_for(&self, text: &str) -> bool {
        let mut pieces =
            self.pieces.iter().filter(|piece| !matches!(piece, Piece::Plain(plain, _) if plain.is_empty()));
        let text = if self.cased { Cow::Borrowed(text) } else { lower(text) };
        matches!((pieces.next(), pieces.next()), (Some(Piece::Plain(plain, _)), None) if *plain == text)
    }

    /// The characters of its longest text between wildcards; nothing where it has no wildcards.
    pub(super) fn longest_text(&self) -> Option<usize> {
        let longest = |piece: &Piece| match piece {
            Piece::Plain(plain, _) => plain.chars().count(),
            Piece::WithSingles(chars) => chars.split(Option::is_none).map(<[_]>::len).max().unwrap_or_default(),
        };
        let is_plain = matches!(self.pieces.as_slice(), [Piece::Plain(..)]);
        if is_plain { None } else { self.pieces.iter().map(longest).max() }
    }

    fn is_same(&self, other: &Self) -> bool {
        let same = |(one, other): (&Piece, &Piece)| match (one, other) {
            (Piece::Plain(one, _), Piece::Plain(other, _)) => one == other,
            (Piece::WithSingles(one), Piece::WithSingles(other)) => one == other,
            _ => false,
        };
        self.cased == other.cased
            && self.pieces.len() == other.pieces.len()
            && self.pieces.iter().zip(&other.pieces).all(same)
    }

    /// Its longest text between wildcards.
    fn needed(&self) -> Needed<'_> {
        let last = self.pieces.len().saturating_sub(1);
        let texts = self.pieces.iter().enumerate().filter_map(|(number, piece)| match piece {
            Piece::Plain(text, _) => Some((number, text)),
            Piece::WithSingles(_) => None,
        });
        let Some((number, text)) = texts.max_by_key(|(_, text)| text.len()) else { return Needed::Value };
        let place = match number {
            0 if last == 0 => Place::Whole,
            0 => Place::Start,
            number if number == last => Place::End,
            _ => Place::Inside,
        };
        if text.is_empty() && place != Place::Whole {
            return Needed::Value;
        }
        Needed::Text(if self.cased { lower(text) } else { Cow::Borrowed(text) }, place)
    }

    /// Whether it is nothing but `*`.
    fn takes_anything(&self) -> bool {
        self.pieces.len() > 1
            && self.pieces.iter().all(|piece| matches!(piece, Piece::Plain(plain, _) if plain.is_empty()))
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        if self.cased { self.matches_folded(text) } else { self.matches_folded(&lower(text)) }
    }

    fn matches_folded(&self, text: &str) -> bool {
        let Some((first, rest)) = self.pieces.split_first() else { return text.is_empty() };
        let Some((last, middle)) = rest.split_last() else { return first.at_start(text) == Some(text.len()) };
        let Some(mut at) = first.at_start(text) else { return false };
        // The leftmost place for each piece leaves the most room for those after it, so nothing is ever tried again.
        for piece in middle {
            match text.get(at..).and_then(|rest| piece.find(rest)) {
                Some(end) => at += end,
                None => return false,
            }
        }
        text.get(at..).is_some_and(|rest| last.at_end(rest))
    }
}

impl Piece {
    /// Where the piece ends if the text begins with it.
    fn at_start(&self, text: &str) -> Option<usize> {
        match self {
            Self::Plain(plain, _) => text.starts_with(plain.as_str()).then_some(plain.len()),
            Self::WithSingles(wanted) => {
                let mut chars = text.chars();
                for wanted in wanted {
                    let c = chars.next()?;
                    if wanted.is_some_and(|wanted| wanted != c) {
                        return None;
                    }
                }
                Some(text.len() - chars.as_str().len())
            }
        }
    }

    /// Where the leftmost occurrence ends.
    fn find(&self, text: &str) -> Option<usize> {
        match self {
            Self::Plain(plain, finder) => finder.find(text.as_bytes()).map(|at| at + plain.len()),
            Self::WithSingles(_) => text
                .char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .find_map(|at| self.at_start(text.get(at..)?).map(|length| at + length)),
        }
    }

    fn at_end(&self, text: &str) -> bool {
        match self {
            Self::Plain(plain, _) => text.ends_with(plain.as_str()),
            Self::WithSingles(wanted) => {
                let mut chars = text.chars().rev();
                wanted.iter().rev().all(|wanted| chars.next().is_some_and(|c| wanted.is_none_or(|wanted| wanted == c)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str, cased: bool) -> Pattern {
        let symbols: Vec<Symbol> = text
            .chars()
            .map(|c| match c {
                '*' => Symbol::Any,
                '?' => Symbol::Single,
                c => Symbol::Char(c),
            })
            .collect();
        Pattern::new(&symbols, cased)
    }

    /// Every pattern against every text of a small alphabet, held against the same question asked of a regex.
    #[test]
    fn wildcards_are_those_of_a_regex() {
        let all = |alphabet: &[char], most: u32| -> Vec<String> {
            let mut words = vec![String::new()];
            let mut last = words.clone();
            for _ in 0..most {
                last = last.iter().flat_map(|word| alphabet.iter().map(move |c| format!("{word}{c}"))).collect();
                words.extend(last.iter().cloned());
            }
            words
        };
        let texts = all(&['a', 'b', 'ü'], 5);
        for wanted in all(&['a', 'b', '*', '?'], 4) {
            let symbol = |c: char| match c {
                '*' => "(?s:.*)".to_owned(),
                '?' => "(?s:.)".to_owned(),
                c => c.to_string(),
            };
            let regex = format!("^{}$", wanted.chars().map(symbol).collect::<String>());
            let regex = Regex::new(&regex).unwrap();
            let pattern = pattern(&wanted, true);
            for text in &texts {
                assert_eq!(pattern.matches(text), regex.is_match(text), "{wanted} against {text}");
            }
        }
    }

    #[test]
    fn case_is_folded_unless_it_counts() {
        assert!(pattern("DELETEGuardrail", false).matches("deleteGUARDRAIL"));
        assert!(!pattern("DELETEGuardrail", true).matches("deleteGUARDRAIL"));
        assert!(pattern("*ÄB?", false).matches("xäBc"));
        assert!(pattern("ΌΔΟΣ", false).matches("ΌΔΟΣ") && pattern("?b", false).matches("İB"));
        assert!(pattern("", false).matches("") && !pattern("", false).matches("x"));
    }

    #[test]
    fn ascii_is_folded_many_bytes_at_a_time_as_it_is_by_one() {
        let all: String = (0..128_u8).map(char::from).collect();
        for from in 0..128 {
            for length in [0, 1, 7, 8, 9, 16, 23] {
                let Some(text) = all.get(from..from + length) else { continue };
                assert_eq!(lower(text), text.to_ascii_lowercase(), "{text:?}");
            }
        }
        assert_eq!(lower(&all), all.to_ascii_lowercase());
        assert!(matches!(lower("nothing to fold, 1@[`{"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_hostile_pattern_costs_no_time() {
        let text = "a".repeat(50_000);
        assert!(!pattern("*a*a*a*a*a*a*a*a*b", false).matches(&text));
    }
}
