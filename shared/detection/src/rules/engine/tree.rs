//! A rule's condition, and its three answers: it holds, it does not, and it could be either because something is hidden. Knows
//! nothing of how a record is read.

use std::{borrow::Cow, sync::Arc};

use super::{
    comparison::Comparisons,
    fields::Slot,
    reading::Reading,
    values::{Field, Scalar},
};

/// A rule's condition with its selections in their places.
#[derive(Debug)]
pub(super) enum Tree {
    All(All),
    Any(Vec<Tree>),
    AtLeast(u64, Vec<Tree>),
    Not(Box<Tree>),
    /// A selection, by its name.
    Named(String, Box<Tree>),
    /// Shared by whoever asks it for several rules at once.
    Item(Arc<Item>),
}

/// Parts that have to hold together.
#[derive(Debug)]
pub(super) struct All {
    /// As they are written.
    pub(super) parts: Vec<Tree>,
    /// Their places, in the order in which they are asked.
    order: Vec<usize>,
}

impl All {
    pub(super) fn of(parts: Vec<Tree>) -> Self {
        Self { order: (0..parts.len()).collect(), parts }
    }

    fn in_order(&self) -> impl Iterator<Item = &Tree> {
        self.order.iter().filter_map(|place| self.parts.get(*place))
    }
}

/// One line of a selection.
#[derive(Debug)]
pub(super) struct Item {
    /// As the rule writes it, for explanations.
    pub(super) written: String,
    /// The field; none for keywords, which look everywhere.
    pub(super) slot: Option<Slot>,
    pub(super) check: Check,
}

#[derive(Debug)]
pub(super) enum Check {
    /// Some value of the field satisfies one of these.
    AnyOf(Comparisons),
    Exists(bool),
    /// Some value of the field is (contains, ...) some value of the other.
    SameAs {
        other: Slot,
        how: How,
        cased: bool,
    },
}

/// How two fields are compared.
#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    Equals,
    Contains,
    StartsWith,
    EndsWith,
}

/// The answer of plain Sigma, and the answer as far as it is known: `None` where something hidden could turn it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) plain: bool,
    pub(super) known: Option<bool>,
}

impl Answer {
    pub(super) fn sure(plain: bool) -> Self {
        Self { plain, known: Some(plain) }
    }

    pub(super) fn not_visible() -> Self {
        Self { plain: false, known: None }
    }
}

impl Tree {
    /// Whether it reads a field for which this holds; no field is meant by keywords.
    pub(super) fn reads(&self, wanted: &dyn Fn(Option<Slot>) -> bool) -> bool {
        match self {
            Self::All(All { parts, .. }) | Self::Any(parts) | Self::AtLeast(_, parts) => {
                parts.iter().any(|part| part.reads(wanted))
            }
            Self::Not(part) | Self::Named(_, part) => part.reads(wanted),
            Self::Item(item) => match &item.check {
                Check::SameAs { other, .. } => wanted(item.slot) || wanted(Some(*other)),
                _ => wanted(item.slot),
            },
        }
    }

    /// Has parts asked last where the answer hardly ever is no: what all parts have to say does not depend on their order, and the
    /// first sure no is the last question.
    pub(super) fn ask_last(&mut self, is_late: &dyn Fn(Slot) -> bool) {
        match self {
            Self::All(All { parts, order }) => {
                parts.iter_mut().for_each(|part| part.ask_last(is_late));
                let reads_other = |slot: Option<Slot>| slot.is_none_or(|slot| !is_late(slot));
                order.sort_by_key(|place| parts.get(*place).is_some_and(|part| !part.reads(&reads_other)));
            }
            Self::Any(parts) | Self::AtLeast(_, parts) => parts.iter_mut().for_each(|part| part.ask_last(is_late)),
            Self::Not(part) | Self::Named(_, part) => part.ask_last(is_late),
            Self::Item(_) => {}
        }
    }

    pub(super) fn judge(&self, reading: &Reading<'_>) -> Answer {
        match self {
            Self::Item(item) => item.judge(reading),
            Self::Named(_, part) => part.judge(reading),
            Self::Not(part) => {
                let Answer { plain, known } = part.judge(reading);
                Answer { plain: !plain, known: known.map(|known| !known) }
            }
            Self::All(all) => {
                let (mut plain, mut known) = (true, Some(true));
                for part in all.in_order() {
                    let answer = part.judge(reading);
                    plain &= answer.plain;
                    known = match (known, answer.known) {
                        (Some(false), _) | (_, Some(false)) => Some(false),
                        (Some(true), Some(true)) => Some(true),
                        _ => None,
                    };
                    // Surely false: nothing that follows can change either answer.
                    if known == Some(false) && !plain {
                        break;
                    }
                }
                Answer { plain, known }
            }
            Self::Any(parts) => at_least(1, parts, reading),
            Self::AtLeast(wanted, parts) => at_least(*wanted, parts, reading),
        }
    }

    /// Says what keeps this part from being `wanted`.
    pub(super) fn explain(&self, reading: &Reading<'_>, wanted: bool, said: &mut Vec<String>) {
        if self.judge(reading).plain == wanted {
            return;
        }
        match self {
            Self::Not(part) => part.explain(reading, !wanted, said),
            Self::Named(name, part) => {
                let mut inside = Vec::new();
                part.explain(reading, wanted, &mut inside);
                said.extend(inside.into_iter().map(|line| format!("{name}: {line}")));
            }
            Self::All(All { parts, .. }) | Self::Any(parts) | Self::AtLeast(_, parts) => {
                parts.iter().for_each(|part| part.explain(reading, wanted, said));
            }
            Self::Item(item) => said.push(item.explain(reading)),
        }
    }
}

fn at_least(wanted: u64, parts: &[Tree], reading: &Reading<'_>) -> Answer {
    let (mut plain, mut surely, mut perhaps) = (0, 0, 0);
    for part in parts {
        let answer = part.judge(reading);
        plain += u64::from(answer.plain);
        match answer.known {
            Some(true) => surely += 1,
            Some(false) => {}
            None => perhaps += 1,
        }
        if surely >= wanted && plain >= wanted {
            break;
        }
    }
    let known = if surely >= wanted {
        Some(true)
    } else if surely + perhaps < wanted {
        Some(false)
    } else {
        None
    };
    Answer { plain: plain >= wanted, known }
}

impl Item {
    pub(super) fn judge(&self, reading: &Reading<'_>) -> Answer {
        self.judge_by(reading, Comparisons::hold)
    }

    /// `hold`: how it is found out whether a value of a field satisfies one of the comparisons.
    pub(super) fn judge_by(&self, reading: &Reading<'_>, hold: impl Fn(&Comparisons, &Field<'_>) -> bool) -> Answer {
        let Some(slot) = self.slot else {
            let Some(everything) = &reading.everything else { return Answer::not_visible() };
            let holds = matches!(&self.check, Check::AnyOf(comparisons) if hold(comparisons, &everything.values));
            return if holds || !everything.hidden { Answer::sure(holds) } else { Answer::not_visible() };
        };
        let Some(field) = reading.values.field(slot) else { return Answer::sure(false) };
        match &self.check {
            Check::Exists(wanted) => match (field.present, field.hidden) {
                // Sigma asks for the member and not for its value. What is written in place of one shows that there was one.
                (true, _) => Answer::sure(*wanted),
                (false, true) => Answer::not_visible(),
                (false, false) => Answer::sure(!*wanted),
            },
            Check::SameAs { other, how, cased } => {
                let Some(other) = reading.values.field(*other) else { return Answer::sure(false) };
                if same(field, other, *how, *cased) {
                    Answer::sure(true)
                } else if field.hidden || other.hidden {
                    Answer::not_visible()
                } else {
                    Answer::sure(false)
                }
            }
            Check::AnyOf(comparisons) => {
                let absent = !field.exists && field.scalars.is_empty();
                let holds = if absent && !field.hidden {
                    // A field that is absent is `null`.
                    comparisons.want_absence()
                } else if !field.exists && field.hidden {
                    // `null` stands there, or nothing, because the value is not shown.
                    false
                } else {
                    hold(comparisons, field)
                };
                if holds || !field.hidden { Answer::sure(holds) } else { Answer::not_visible() }
            }
        }
    }

    fn explain(&self, reading: &Reading<'_>) -> String {
        let Some(slot) = self.slot else { return format!("{} is not as it should be", self.written) };
        let found = match reading.values.field(slot) {
            Some(field) if field.hidden => "is not visible".to_owned(),
            Some(field) if !field.scalars.is_empty() => {
                let shown = |scalar: &Scalar<'_>| match scalar {
                    // In quotes, so that an empty one is seen, and one that says null is not taken for it.
                    Scalar::Text(text) => format!("\"{}\"", crate::text::neutral(text, 100)),
                    _ => scalar.text().map_or_else(|| "null".to_owned(), Cow::into_owned),
                };
                let shown: Vec<String> = field.scalars.iter().take(5).map(shown).collect();
                format!("holds {}", shown.join(", "))
            }
            Some(field) if field.exists => "is an object or an empty list".to_owned(),
            _ => "is absent".to_owned(),
        };
        format!("`{}`: the field {found}", self.written)
    }
}

/// Whether any value of one field equals (contains, ...) any value of the other, by text.
fn same(field: &Field<'_>, other: &Field<'_>, how: How, cased: bool) -> bool {
    let others: Vec<Cow<'_, str>> = texts(other, cased).collect();
    texts(field, cased).any(|text| {
        others.iter().any(|other| match how {
            How::Equals => text == *other,
            How::Contains => text.contains(other.as_ref()),
            How::StartsWith => text.starts_with(other.as_ref()),
            How::EndsWith => text.ends_with(other.as_ref()),
        })
    })
}

fn texts<'f>(field: &'f Field<'_>, cased: bool) -> impl Iterator<Item = Cow<'f, str>> {
    field.values().filter_map(move |(scalar, folded)| if cased { scalar.text() } else { folded.map(Cow::Borrowed) })
}
