//! The few fields that a rule set reads, as a tree over the members of a record. Knows how CloudTrail hides what is there; nothing
//! of JSON, and nothing of rules.
//!
//! A record is never turned into a document to be judged: its fields are taken from its bytes in one pass.

use std::{collections::HashMap, mem};

use super::{
    compile::ALL_REGEX_BYTES,
    extract::extract,
    parse::parse,
    values::{Memory, Scalar, Values},
};
use crate::{
    operations::Operations,
    record::{DERIVED, Derived},
};

/// Only what the caller sent and got can be hidden; elsewhere a user may well be called `***`.
pub(super) const TREES: [&str; 2] = ["requestParameters", "responseElements"];

/// The member that says, with `true`, that CloudTrail has left out all that stood beside it.
pub(super) const OMITTED: &str = "omitted";

/// The place of a field among the nodes of [`Fields`], which is its place in [`Values`], too.
pub(super) type Slot = usize;

/// The slot of the [root](Fields::root), which has none.
pub(super) const ROOT: Slot = u32::MAX as Slot;

/// The slot of what no rule reads.
pub(super) const NOWHERE: Slot = ROOT - 1;

/// All fields that a rule set reads, as a tree over the members of a record.
#[derive(Debug)]
pub(super) struct Fields {
    /// The record itself, which is in no slot.
    root: Node,
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
    pub(super) members: Vec<Member>,
    /// What it holds where nothing stands in any of these slots.
    pub(super) usual: Option<(&'static str, Vec<Slot>)>,
}

/// A member that a derived field is worked out of.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) path: &'static str,
    /// The nodes on the way to it.
    pub(super) way: Vec<Slot>,
    pub(super) slot: Slot,
}

/// A member that some field leads to or through, or a derived field.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) slot: Slot,
    children: Children,
    /// A rule reads what stands here, and not only what is below.
    pub(super) is_read: bool,
    /// It is in one of the [trees](TREES) in which something can be hidden.
    pub(super) hideable: bool,
    /// Every slot here and below.
    pub(super) below: Vec<Slot>,
}

/// The nodes of members by their names, which every member of every record is looked up in: hashing in earnest would take longer
/// than all the rest. Names are a rule's, so nobody who writes records can make many of them fall together.
#[derive(Debug, Default)]
pub(super) struct Children {
    /// None at all, or [`Self::BUCKETS`].
    buckets: Vec<Vec<(String, Slot)>>,
}

impl Children {
    const BUCKETS: usize = 32;

    /// Names differ in their lengths, first or last letters.
    fn bucket(name: &[u8]) -> usize {
        match name {
            [first, .., last] => (name.len() + usize::from(*first) + 2 * usize::from(*last)) % Self::BUCKETS,
            _ => 0,
        }
    }

    #[inline]
    fn get(&self, name: &[u8]) -> Option<Slot> {
        let bucket = self.buckets.get(Self::bucket(name))?;
        bucket.iter().find(|(child, _)| child.as_bytes() == name).map(|(_, at)| *at)
    }

    fn insert(&mut self, name: &str, at: Slot) {
        self.buckets.resize(Self::BUCKETS, Vec::new());
        if let Some(bucket) = self.buckets.get_mut(Self::bucket(name.as_bytes())) {
            bucket.push((name.to_owned(), at));
        }
    }
}

/// What compiling asks of the fields.
pub(super) trait Slots {
    /// The slot of a field, which is a path of member names separated by dots.
    fn slot(&mut self, field: &str) -> Slot;

    /// What is left of the memory that all regular expressions may take.
    fn regex_room(&mut self) -> &mut usize;
}

impl Slots for Fields {
    fn slot(&mut self, field: &str) -> Slot {
        self.add(field)
    }

    fn regex_room(&mut self) -> &mut usize {
        &mut self.regex_room
    }
}

/// Fields to which none is added any more, because records may have been read with them.
pub(super) struct Settled<'f> {
    fields: &'f Fields,
    /// Built-in rules do not use up what rules from outside may take: what they take is known.
    regex_room: usize,
}

impl<'f> Settled<'f> {
    pub(super) fn of(fields: &'f Fields) -> Self {
        Self { fields, regex_room: ALL_REGEX_BYTES }
    }
}

impl Slots for Settled<'_> {
    fn slot(&mut self, field: &str) -> Slot {
        // A built-in rule brings all its fields with it, before any record is read.
        self.fields.find(field).unwrap_or(Slot::MAX)
    }

    fn regex_room(&mut self) -> &mut usize {
        &mut self.regex_room
    }
}

impl Default for Fields {
    fn default() -> Self {
        let root = Node { slot: ROOT, ..Node::default() };
        Self { root, nodes: Vec::new(), slots: HashMap::new(), derived: Vec::new(), regex_room: ALL_REGEX_BYTES }
    }
}

impl Fields {
    /// The slot of a field, which it gets now if it has none.
    pub(super) fn add(&mut self, field: &str) -> Slot {
        if let Some(slot) = self.slots.get(field) {
            return *slot;
        }
        if let Some((_, derived)) = DERIVED.iter().find(|(name, _)| *name == field) {
            // Never taken from the record itself, whatever it calls its members: no node leads here.
            let slot = self.nodes.len();
            self.nodes.push(Node { slot, is_read: true, ..Node::default() });
            self.slots.insert(field.to_owned(), slot);
            let members = derived.members().iter().map(|path| {
                let slot = self.add(path);
                Member { path, way: self.way(path), slot }
            });
            let members = members.collect();
            let usual =
                derived.usual().map(|(usual, unless)| (usual, unless.iter().map(|path| self.slot(path)).collect()));
            self.derived.push(Source { field: *derived, slot, members, usual });
            return slot;
        }
        let mut way: Vec<Slot> = Vec::new();
        for name in field.split('.') {
            way.push(self.grow(way.last().copied(), name));
        }
        let slot = way.last().copied().unwrap_or(Slot::MAX);
        self.slots.insert(field.to_owned(), slot);
        for at in way {
            if let Some(node) = self.nodes.get_mut(at) {
                node.below.push(slot);
                node.is_read |= at == slot;
            }
        }
        slot
    }

    /// The node of a member below another, or of the record's own, which is added if it is not there.
    fn grow(&mut self, above: Option<Slot>, name: &str) -> Slot {
        let next = self.nodes.len();
        let node = above.and_then(|above| self.nodes.get_mut(above)).unwrap_or(&mut self.root);
        if let Some(at) = node.children.get(name.as_bytes()) {
            return at;
        }
        node.children.insert(name, next);
        let hideable = node.hideable || (above.is_none() && TREES.contains(&name));
        self.nodes.push(Node { slot: next, hideable, ..Node::default() });
        next
    }

    /// The nodes on the way to a field that has a slot.
    fn way(&self, field: &str) -> Vec<Slot> {
        let (mut above, mut way) = (self.root(), Vec::new());
        for name in field.split('.') {
            let Some(node) = self.child(above, name.as_bytes()) else { break };
            way.push(node.slot);
            above = node;
        }
        way
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.nodes.len()
    }

    /// The node of the record itself.
    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    /// The node with this slot, if it has one.
    #[inline]
    pub(super) fn node(&self, slot: Slot) -> Option<&Node> {
        self.nodes.get(slot)
    }

    /// The node of a member below another, by its name.
    #[inline]
    pub(super) fn child(&self, above: &Node, name: &[u8]) -> Option<&Node> {
        self.nodes.get(above.children.get(name)?)
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
        memory: &mut Memory,
    ) -> Result<Values<'de>, serde_json::Error> {
        let mut values = match extract(self, record, mem::take(memory)) {
            Ok(values) => values,
            Err(left) => {
                *memory = left;
                parse(self, record, memory)?
            }
        };
        self.miss_required(&mut values, operations);
        Ok(values)
    }

    /// The same without the fast way.
    #[cfg(feature = "plain")]
    pub(super) fn read_plainly<'de>(
        &self,
        record: &'de [u8],
        operations: &Operations,
    ) -> Result<Values<'de>, serde_json::Error> {
        let mut values = parse(self, record, &mut Memory::default())?;
        self.miss_required(&mut values, operations);
        Ok(values)
    }

    /// A member that the operation requires and that is missing was there, and was hidden.
    fn miss_required(&self, values: &mut Values<'_>, operations: &Operations) {
        let root = self.root();
        let name =
            |member: &[u8]| match self.child(root, member).and_then(|node| values.field(node.slot)?.scalars.first()) {
                Some(Scalar::Text(text)) => text.as_ref(),
                _ => "",
            };
        let Some(operation) = operations.get(name(b"eventSource"), name(b"eventName")) else { return };
        let Some(sent) = self.child(root, b"requestParameters") else { return };
        for node in operation.required.iter().filter_map(|member| self.child(sent, member.as_bytes())) {
            if !values.is_something(node) {
                values.hide_below(node);
            }
        }
    }
}
