//! What a record holds in the few fields that a rule set reads. Knows how CloudTrail writes what it hides; nothing of JSON, and
//! nothing of rules.

use std::{borrow::Cow, cell::OnceCell};

use serde_json::{Map, Number, Value};
use smallvec::SmallVec;

use super::{
    fields::{Fields, Node, Slot, Source},
    passages::{Event, Passages},
};
use crate::{record::is_hidden_literal, rules::fold::lower};

/// The places of a field that is absent, and of one that is not visible.
const ABSENT: u32 = 0;
const NOT_VISIBLE: u32 = 1;

/// More fields than most records write.
const OFTEN: usize = 32;

/// What a record holds in the fields of a rule set.
#[derive(Debug)]
pub(super) struct Values<'de> {
    /// One that is absent, one that is not visible, and those that the record writes: few of all that rules read.
    fields: Vec<Field<'de>>,
    /// For each node of the tree of fields.
    stands: Vec<Stands>,
    /// Only carried along.
    pub(super) passages: Option<Box<Passages>>,
}

/// The memory that values lie in, used again from record to record of one rule set: to ask for it and to give it back takes as long
/// as to read a dozen fields.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    fields: Vec<Field<'static>>,
    stands: Vec<Stands>,
    /// What is known of the records so far.
    pub(super) passages: Option<Box<Passages>>,
}

/// What a record holds at a node of the tree of fields.
#[derive(Debug, Clone, Copy, Default)]
struct Stands {
    /// The place of its field, if a rule reads one here.
    place: u32,
    /// Something other than `null`.
    something: bool,
    /// How often it is written, each element of an array counted beside the array.
    times: u8,
}

impl Stands {
    fn counts(&mut self, something: bool) {
        self.something |= something;
        self.times = self.times.saturating_add(1);
    }

    /// Whether nothing was kept of it yet; then whether something hidden may have stood there.
    fn is_new(self) -> Option<bool> {
        matches!(self.place, ABSENT | NOT_VISIBLE).then_some(self.place == NOT_VISIBLE)
    }
}

/// What a record holds in one field.
#[derive(Debug, Default)]
pub(super) struct Field<'de> {
    /// All values: several where the way to them leads through an array, which is rare.
    pub(super) scalars: SmallVec<[Scalar<'de>; 1]>,
    /// The member is written, if only with `null`.
    pub(super) present: bool,
    /// Something other than `null` stands here.
    pub(super) exists: bool,
    /// Something stood here, or may have stood here, that CloudTrail does not show.
    pub(super) hidden: bool,
    /// For each value its text with case folded, once a rule has asked: many ask for the same.
    folded: OnceCell<SmallVec<[Option<Cow<'de, str>>; 1]>>,
}

impl<'de> Field<'de> {
    pub(super) fn of(scalars: Vec<Scalar<'de>>) -> Self {
        Self { scalars: scalars.into(), ..Self::default() }
    }

    /// All values, each with its text with case folded, if it is one.
    pub(super) fn values(&self) -> impl Iterator<Item = (&Scalar<'de>, Option<&str>)> {
        let folded = self.folded.get_or_init(|| self.scalars.iter().map(Scalar::folded).collect());
        self.scalars.iter().zip(folded.iter().map(Option::as_deref))
    }
}

impl<'de> Values<'de> {
    /// Of a record of which nothing has been read.
    pub(super) fn none(fields: &Fields, memory: Memory) -> Self {
        let mut none = Self { fields: emptied(memory.fields), stands: memory.stands, passages: memory.passages };
        none.stands.clear();
        none.stands.resize(fields.slots(), Stands::default());
        none.fields.reserve(OFTEN);
        none.fields.extend([Field::default(), Field { hidden: true, ..Field::default() }]);
        for source in fields.derived() {
            // Until it is worked out.
            none.hide(source.slot);
        }
        none
    }

    pub(super) fn into_memory(self) -> Memory {
        Memory { fields: emptied(self.fields), stands: self.stands, passages: self.passages }
    }

    pub(super) fn field(&self, slot: Slot) -> Option<&Field<'de>> {
        self.fields.get(self.stands.get(slot)?.place as usize)
    }

    fn field_mut(&mut self, slot: Slot) -> Option<&mut Field<'de>> {
        let stands = self.stands.get_mut(slot)?;
        if let Some(hidden) = stands.is_new() {
            stands.place = u32::try_from(self.fields.len()).ok()?;
            self.fields.push(Field { hidden, ..Field::default() });
        }
        self.fields.get_mut(stands.place as usize)
    }

    /// What stands there beside texts and numbers. Answers whether that says anything of a field.
    #[inline]
    pub(super) fn happens(&mut self, fields: &Fields, event: Event) -> bool {
        let (Event::Opens(slot) | Event::Bool(slot, _) | Event::Null(slot)) = event;
        let Some(node) = fields.node(slot) else { return false };
        match event {
            Event::Opens(_) => self.opens(node),
            Event::Bool(_, value) => self.keep(node, Scalar::Bool(value)),
            Event::Null(_) => self.keep(node, Scalar::Null),
        }
        true
    }

    /// An object or an array begins at this node.
    pub(super) fn opens(&mut self, node: &Node) {
        self.counts(node, true);
        if !node.is_read {
            return;
        }
        if let Some(field) = self.field_mut(node.slot) {
            (field.present, field.exists) = (true, true);
        }
    }

    /// A value stands at this node.
    pub(super) fn holds(&mut self, node: &Node, scalar: Scalar<'de>) {
        match scalar {
            Scalar::Text(Cow::Borrowed(text)) => self.holds_text(node, text),
            Scalar::Text(text) if node.hideable && is_hidden_literal(&text) => self.holds_hidden(node, text),
            scalar => self.keep(node, scalar),
        }
    }

    /// A text of the record stands at this node: the same, for most values.
    #[inline]
    pub(super) fn holds_text(&mut self, node: &Node, text: &'de str) {
        if node.hideable && is_hidden_literal(text) {
            self.holds_hidden(node, Cow::Borrowed(text));
            return;
        }
        let Some(stands) = self.stands.get_mut(node.slot) else { return };
        stands.counts(true);
        if !node.is_read {
            return;
        }
        let Some(hidden) = stands.is_new() else {
            self.keep_another(node, Scalar::Text(Cow::Borrowed(text)));
            return;
        };
        let Ok(place) = u32::try_from(self.fields.len()) else { return };
        stands.place = place;
        // Made where it is to stay: copying one is half of what it takes to keep it.
        self.fields.resize_with(place as usize + 1, || Field {
            scalars: SmallVec::from_buf([Scalar::Text(Cow::Borrowed(text))]),
            present: true,
            exists: true,
            hidden,
            folded: OnceCell::new(),
        });
    }

    #[cold]
    fn holds_hidden(&mut self, node: &Node, text: Cow<'de, str>) {
        self.hide_below(node);
        self.keep(node, Scalar::Hidden(text));
    }

    fn keep(&mut self, node: &Node, scalar: Scalar<'de>) {
        self.counts(node, !matches!(scalar, Scalar::Null));
        if node.is_read {
            self.keep_another(node, scalar);
        }
    }

    fn keep_another(&mut self, node: &Node, scalar: Scalar<'de>) {
        if let Some(field) = self.field_mut(node.slot) {
            field.present = true;
            field.exists |= !matches!(scalar, Scalar::Null);
            field.scalars.push(scalar);
        }
    }

    fn counts(&mut self, node: &Node, something: bool) {
        if let Some(stands) = self.stands.get_mut(node.slot) {
            stands.counts(something);
        }
    }

    /// What is read at this node, and below it, may have stood there.
    pub(super) fn hide_below(&mut self, node: &Node) {
        for slot in &node.below {
            self.hide(*slot);
        }
    }

    fn hide(&mut self, slot: Slot) {
        let Some(stands) = self.stands.get_mut(slot) else { return };
        if stands.place == ABSENT {
            stands.place = NOT_VISIBLE;
        } else if let Some(field) = self.fields.get_mut(stands.place as usize) {
            field.hidden = true;
        }
    }

    /// Whether something other than `null` stands at a node.
    pub(super) fn is_something(&self, node: &Node) -> bool {
        self.stands.get(node.slot).is_some_and(|stands| stands.something)
    }

    /// A document of the members that a derived field is worked out of. None where one is written twice or in an array: which of
    /// them counts is to be found out from the record as a whole.
    pub(super) fn excerpt(&self, source: &Source) -> Option<Map<String, Value>> {
        let mut excerpt = Map::new();
        for member in &source.members {
            if member.way.iter().any(|at| self.stands.get(*at).is_some_and(|stands| stands.times > 1)) {
                return None;
            }
            if let Some(scalar) = self.field(member.slot).and_then(|field| field.scalars.first()) {
                put(&mut excerpt, member.path, scalar.value());
            }
        }
        Some(excerpt)
    }

    /// What a derived field holds in nearly all records, if this is one of them.
    pub(super) fn usual(&self, source: &Source) -> Option<&'static str> {
        let (usual, unless) = source.usual.as_ref()?;
        let holds = |slot: &Slot| self.field(*slot).is_some_and(|field| !field.scalars.is_empty());
        (!unless.iter().any(holds)).then_some(*usual)
    }

    /// Puts in what a derived field holds.
    pub(super) fn set(&mut self, slot: Slot, texts: impl IntoIterator<Item = Cow<'de, str>>, hidden: bool) {
        let Some(field) = self.field_mut(slot) else { return };
        field.scalars = texts.into_iter().map(Scalar::Text).collect();
        (field.present, field.exists) = (!field.scalars.is_empty(), !field.scalars.is_empty());
        field.hidden = hidden;
        field.folded = OnceCell::new();
    }
}

/// The same memory without the fields in it, for a record that lives longer or less long.
fn emptied<'new>(fields: Vec<Field<'_>>) -> Vec<Field<'new>> {
    fields.into_iter().map_while(|_| None).collect()
}

/// Puts in a value at a path of names.
fn put(document: &mut Map<String, Value>, path: &str, value: Value) {
    let Some((name, below)) = path.split_once('.') else {
        document.insert(path.to_owned(), value);
        return;
    };
    if let Value::Object(members) = document.entry(name).or_insert_with(|| Value::Object(Map::new())) {
        put(members, below, value);
    }
}

/// One value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'de> {
    Text(Cow<'de, str>),
    Number(Number),
    Bool(bool),
    Null,
    /// What a service wrote in place of a value.
    Hidden(Cow<'de, str>),
}

impl<'de> Scalar<'de> {
    fn folded(&self) -> Option<Cow<'de, str>> {
        match self {
            Self::Text(Cow::Borrowed(text)) => Some(lower(text)),
            scalar => scalar.text().map(|text| Cow::Owned(lower(&text).into_owned())),
        }
    }

    /// The value as text, as CloudTrail would write it in quotes; nothing for `null` and for what is hidden.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Bool(true) => Some(Cow::Borrowed("true")),
            Self::Bool(false) => Some(Cow::Borrowed("false")),
            Self::Null | Self::Hidden(_) => None,
        }
    }

    /// The value as it is written in the record.
    fn value(&self) -> Value {
        match self {
            Self::Text(text) | Self::Hidden(text) => Value::String(text.clone().into_owned()),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Bool(value) => Value::Bool(*value),
            Self::Null => Value::Null,
        }
    }
}
