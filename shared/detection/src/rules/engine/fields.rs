//! The few fields that a rule set reads, taken from a record's bytes in one pass: a record is never turned into a document
//! to be judged. Knows what CloudTrail hides, and nothing of rules.

use std::{borrow::Cow, cell::OnceCell, collections::HashMap, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use smallvec::SmallVec;

use super::{compile::ALL_REGEX_BYTES, lower};
use crate::{
    operations::Operations,
    record::{DERIVED, Derived, Held, is_hidden_literal},
};

/// Only what the caller sent and got can be hidden; elsewhere a user may well be called `***`.
pub(super) const TREES: [&str; 2] = ["requestParameters", "responseElements"];

/// The place of a field in [`Values`].
pub(super) type Slot = usize;

/// All fields that a rule set reads, as a tree over the members of a record.
#[derive(Debug)]
pub(super) struct Fields {
    nodes: Vec<Node>,
    slots: HashMap<String, Slot>,
    /// What is not written in a record, and worked out of it when a rule asks.
    derived: Vec<Source>,
    /// Bytes that the regular expressions of more rules may take.
    regex_room: usize,
}

/// A derived field, and what it is worked out of.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) field: Derived,
    pub(super) slot: Slot,
    members: Vec<Member>,
}

/// A member that a derived field is worked out of.
#[derive(Debug)]
struct Member {
    path: &'static str,
    /// The nodes on the way to it.
    way: Vec<usize>,
    slot: Slot,
}

#[derive(Debug, Default)]
struct Node {
    /// Few, and asked for every member of every record: comparing beats hashing.
    children: Vec<(String, usize)>,
    slot: Option<Slot>,
    /// Every slot here and below.
    below: Vec<Slot>,
}

impl Node {
    fn child(&self, name: &str) -> Option<usize> {
        self.children.iter().find(|(child, _)| child == name).map(|(_, at)| *at)
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], slots: HashMap::new(), derived: Vec::new(), regex_room: ALL_REGEX_BYTES }
    }
}

impl Fields {
    /// The slot of a field, which is a path of member names separated by dots.
    pub(super) fn slot(&mut self, field: &str) -> Slot {
        if let Some(slot) = self.slots.get(field) {
            return *slot;
        }
        let slot = self.slots.len();
        self.slots.insert(field.to_owned(), slot);
        if let Some((_, derived)) = DERIVED.iter().find(|(name, _)| *name == field) {
            // Never taken from the record itself, whatever it calls its members.
            let members = derived.members().iter().map(|path| {
                let slot = self.slot(path);
                Member { path, way: self.way(path), slot }
            });
            let members = members.collect();
            self.derived.push(Source { field: *derived, slot, members });
            return slot;
        }
        let (mut at, mut path) = (0, Vec::new());
        for name in field.split('.') {
            let next = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { break };
            at = match node.child(name) {
                Some(at) => at,
                None => {
                    node.children.push((name.to_owned(), next));
                    self.nodes.push(Node::default());
                    next
                }
            };
            path.push((name, at));
        }
        for (_, at) in &path {
            if let Some(node) = self.nodes.get_mut(*at) {
                node.below.push(slot);
            }
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.slot = Some(slot);
        }
        slot
    }

    /// What is left of the memory that all regular expressions may take.
    pub(super) fn regex_room(&mut self) -> &mut usize {
        &mut self.regex_room
    }

    /// The nodes on the way to a field that has a slot.
    fn way(&self, field: &str) -> Vec<usize> {
        let mut way = Vec::new();
        for name in field.split('.') {
            let node = self.nodes.get(way.last().copied().unwrap_or(0));
            way.extend(node.and_then(|node| node.child(name)));
        }
        way
    }

    /// The derived fields that some rule reads.
    pub(super) fn derived(&self) -> &[Source] {
        &self.derived
    }

    /// The slot of a field that some rule reads.
    pub(super) fn find(&self, field: &str) -> Option<Slot> {
        self.slots.get(field).copied()
    }

    /// Takes the fields out of a record.
    ///
    /// # Errors
    /// When the record is not JSON, or is nested deeper than 128 levels.
    pub(super) fn read<'de>(
        &self,
        record: &'de [u8],
        operations: &Operations,
    ) -> Result<Values<'de>, serde_json::Error> {
        let mut fields = Vec::with_capacity(OFTEN);
        fields.extend([Field::default(), Field { hidden: true, ..Field::default() }]);
        let mut values = Values {
            fields,
            places: vec![ABSENT; self.slots.len()],
            stands: vec![Stands::default(); self.nodes.len()],
        };
        for source in &self.derived {
            // Until it is worked out.
            values.hide(source.slot);
        }
        let walk = Walk { fields: self, at: 0, values: &mut values, hideable: false };
        // Asked once and for all whether it is UTF-8, and not for every string again.
        match std::str::from_utf8(record) {
            Ok(text) => walk.over(serde_json::Deserializer::from_str(text))?,
            Err(_) => walk.over(serde_json::Deserializer::from_slice(record))?,
        }
        self.miss_required(&mut values, operations);
        Ok(values)
    }

    /// A member that the operation requires and that is missing was there, and was hidden.
    fn miss_required(&self, values: &mut Values<'_>, operations: &Operations) {
        let name = |field: &str| match self.find(field).and_then(|slot| values.field(slot)?.scalars.first()) {
            Some(Scalar::Text(text)) => text.as_ref(),
            _ => "",
        };
        let Some(operation) = operations.get(name("eventSource"), name("eventName")) else { return };
        let child = |at: usize, name: &str| self.nodes.get(at)?.child(name);
        let Some(sent) = child(0, "requestParameters") else { return };
        for at in operation.required.iter().filter_map(|member| child(sent, member)) {
            if !values.stands.get(at).is_some_and(|stands| stands.something) {
                self.nodes.get(at).into_iter().flat_map(|node| &node.below).for_each(|slot| values.hide(*slot));
            }
        }
    }
}

/// The places of a field that is absent, and of one that is not visible.
const ABSENT: usize = 0;
const NOT_VISIBLE: usize = 1;

/// More fields than most records write.
const OFTEN: usize = 32;

/// What a record holds in the fields of a rule set.
#[derive(Debug)]
pub(super) struct Values<'de> {
    /// One that is absent, one that is not visible, and those that the record writes: few of all that rules read.
    fields: Vec<Field<'de>>,
    /// For each slot the place of its field among these.
    places: Vec<usize>,
    /// For each node of the tree.
    stands: Vec<Stands>,
}

/// What a record holds at a node of the tree of fields.
#[derive(Debug, Clone, Copy, Default)]
struct Stands {
    /// Something other than `null`.
    something: bool,
    /// How often it is written, each element of an array counted beside the array.
    times: u8,
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
    pub(super) fn field(&self, slot: Slot) -> Option<&Field<'de>> {
        self.fields.get(*self.places.get(slot)?)
    }

    fn field_mut(&mut self, slot: Slot) -> Option<&mut Field<'de>> {
        let place = self.places.get_mut(slot)?;
        if matches!(*place, ABSENT | NOT_VISIBLE) {
            let hidden = *place == NOT_VISIBLE;
            *place = self.fields.len();
            self.fields.push(Field { hidden, ..Field::default() });
        }
        self.fields.get_mut(*place)
    }

    fn hide(&mut self, slot: Slot) {
        match self.places.get_mut(slot) {
            Some(place) if *place == ABSENT => *place = NOT_VISIBLE,
            Some(place) => {
                if let Some(field) = self.fields.get_mut(*place) {
                    field.hidden = true;
                }
            }
            None => {}
        }
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

    /// Puts in what a derived field holds.
    pub(super) fn set(&mut self, slot: Slot, held: Held) {
        let Some(field) = self.field_mut(slot) else { return };
        (field.present, field.exists) = (!held.values.is_empty(), !held.values.is_empty());
        field.hidden = held.hidden;
        field.folded = OnceCell::new();
        field.scalars = held.values.into_iter().map(|text| Scalar::Text(Cow::Owned(text))).collect();
    }
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

/// Walks a record along the tree of fields and skips everything else.
struct Walk<'f, 'v, 'de> {
    fields: &'f Fields,
    at: usize,
    values: &'v mut Values<'de>,
    hideable: bool,
}

impl<'de> Walk<'_, '_, 'de> {
    fn over<R: serde_json::de::Read<'de>>(
        self,
        mut json: serde_json::Deserializer<R>,
    ) -> Result<(), serde_json::Error> {
        self.deserialize(&mut json)?;
        json.end()
    }

    fn node(&self) -> Option<&Node> {
        self.fields.nodes.get(self.at)
    }

    fn field(&mut self) -> Option<&mut Field<'de>> {
        let slot = self.node()?.slot?;
        self.values.field_mut(slot)
    }

    fn stands(&mut self, something: bool) {
        if let Some(stands) = self.values.stands.get_mut(self.at) {
            stands.something |= something;
            stands.times = stands.times.saturating_add(1);
        }
        if !something {
            return;
        }
        if let Some(field) = self.field() {
            (field.present, field.exists) = (true, true);
        }
    }

    fn scalar(mut self, scalar: Scalar<'de>) {
        self.stands(scalar != Scalar::Null);
        let scalar = match scalar {
            Scalar::Text(text) if self.hideable && is_hidden_literal(&text) => {
                self.hide_below();
                Scalar::Hidden(text)
            }
            scalar => scalar,
        };
        if let Some(field) = self.field() {
            field.present = true;
            field.scalars.push(scalar);
        }
    }

    fn hide_below(&mut self) {
        let fields = self.fields;
        for slot in fields.nodes.get(self.at).into_iter().flat_map(|node| &node.below) {
            self.values.hide(*slot);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// A member's name, borrowed from the record where it is written without escapes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
pub(super) struct Name<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl<'de> Visitor<'de> for Walk<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.stands(true);
        while let Some(Name(name)) = map.next_key()? {
            let child = self.node().and_then(|node| node.child(&name));
            if self.hideable && name == "omitted" {
                // As CloudTrail writes it, not a parameter that happens to have this name and another meaning.
                let omitted: Value = map.next_value()?;
                if omitted == Value::Bool(true) {
                    self.hide_below();
                }
                if let Some(at) = child {
                    let walk = Walk { fields: self.fields, at, values: self.values, hideable: true };
                    walk.deserialize(omitted).map_err(Error::custom)?;
                }
                continue;
            }
            match child {
                Some(at) => {
                    let hideable = self.hideable || (self.at == 0 && TREES.contains(&name.as_ref()));
                    map.next_value_seed(Walk { fields: self.fields, at, values: self.values, hideable })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        self.stands(true);
        let (fields, at, hideable) = (self.fields, self.at, self.hideable);
        while seq.next_element_seed(Walk { fields, at, values: self.values, hideable })?.is_some() {}
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.scalar(Scalar::Text(Cow::Borrowed(text)));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.scalar(Scalar::Text(Cow::Owned(text.to_owned())));
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(Scalar::Bool(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.scalar(Scalar::Number(value.into()));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(Scalar::Number(value.into()));
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.scalar(Number::from_f64(value).map_or(Scalar::Null, Scalar::Number));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar(Scalar::Null);
        Ok(())
    }
}
