//! A record as rules see it: the fields that are read at once, and what is read only when a rule asks. Knows no condition.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Value, value::RawValue};

use super::{
    OwnLists,
    fields::{Source, TREES},
    parse::Name,
    values::{Field, Memory, Scalar, Values},
};
use crate::{
    operations::Operations,
    record::{DERIVED, Held, Record, document, is_hidden_literal},
};

/// A record as the rules see it.
#[derive(Debug)]
pub(in crate::rules) struct Reading<'de> {
    pub(super) values: Values<'de>,
    pub(super) record: &'de [u8],
    pub(super) operations: &'de Operations,
    /// The whole record, once a rule has wanted it; none within if it cannot be had.
    document: Option<Option<Value>>,
    /// Of the record what the derived fields want that are worked out of a request, once a rule has wanted one.
    request: Option<Option<Value>>,
    /// For keywords; read when the first rule asks.
    pub(super) everything: Option<Everything>,
    /// Which derived fields are filled in.
    derived: [bool; DERIVED.len()],
}

/// Every value of a record, wherever it stands.
#[derive(Debug)]
pub(super) struct Everything {
    pub(super) values: Field<'static>,
    /// The record does not show all that the caller sent and got.
    pub(super) hidden: bool,
}

impl<'de> Reading<'de> {
    /// A record whose fields have been taken out.
    pub(super) fn of(values: Values<'de>, record: &'de [u8], operations: &'de Operations) -> Self {
        let derived = [false; DERIVED.len()];
        Self { values, record, operations, document: None, request: None, everything: None, derived }
    }
}

impl Reading<'_> {
    pub(in crate::rules) fn into_memory(self) -> Memory {
        self.values.into_memory()
    }

    pub(super) fn read_everything(&mut self) {
        if self.everything.is_none() {
            let operations = self.operations;
            let everything = match self.document() {
                Some(record) => Everything::of(record, operations),
                // What cannot be searched may hold anything: never a quiet "no".
                None => Everything { values: Field::default(), hidden: true },
            };
            self.everything = Some(everything);
        }
    }

    pub(super) fn derive(&mut self, source: &Source, own: &OwnLists) {
        if self.derived.get(source.field as usize) == Some(&false) {
            if let Some(usual) = self.values.usual(source) {
                self.is_derived(source);
                self.values.set(source.slot, [Cow::Borrowed(usual)], false);
                return;
            }
            let held = self.worked_out(source, own);
            self.set(source, held);
        }
    }

    pub(super) fn set(&mut self, source: &Source, held: Held) {
        self.is_derived(source);
        self.values.set(source.slot, held.values.into_iter().map(Cow::Owned), held.hidden);
    }

    fn is_derived(&mut self, source: &Source) {
        if let Some(is_there) = self.derived.get_mut(source.field as usize) {
            *is_there = true;
        }
    }

    /// Out of as little of the record as will do, else out of all of it.
    fn worked_out(&mut self, source: &Source, own: &OwnLists) -> Held {
        let (field, operations) = (source.field, self.operations);
        let of_record = |record: &Value| field.of(&Record::new(record), misses_required(record, operations), own);
        if field.wants_request() {
            if let Some(request) = self.request(source) {
                return of_record(request);
            }
        } else if let Some(excerpt) = self.values.excerpt(source) {
            return field.of(&Record::new(&Value::Object(excerpt)), false, own);
        }
        self.document().map_or(Held { values: Vec::new(), hidden: true }, of_record)
    }

    /// The same for every derived field that wants it.
    fn request(&mut self, source: &Source) -> Option<&Value> {
        let (values, record) = (&self.values, self.record);
        let read = || {
            let mut excerpt = values.excerpt(source)?;
            if let Some(sent) = sent(record)? {
                excerpt.insert("requestParameters".to_owned(), sent);
            }
            Some(Value::Object(excerpt))
        };
        self.request.get_or_insert_with(read).as_ref()
    }

    fn document(&mut self) -> Option<&Value> {
        self.document.get_or_insert_with(|| document(self.record).ok()).as_ref()
    }
}

/// `requestParameters`, if they are there. None where they cannot be held as a value.
fn sent(record: &[u8]) -> Option<Option<Value>> {
    let members: BTreeMap<Name<'_>, &RawValue> = serde_json::from_slice(record).ok()?;
    let sent = members.get(&Name(Cow::Borrowed("requestParameters")));
    sent.map(|sent| serde_json::from_str(sent.get()).ok()).map_or(Some(None), |sent| sent.map(Some))
}

impl Everything {
    /// Iterative, although `serde_json` limits the depth: a record's author decides how deep it is.
    fn of(record: &Value, operations: &Operations) -> Self {
        let (mut scalars, mut hidden) = (Vec::new(), misses_required(record, operations));
        let mut open = vec![(record, false)];
        if let Value::Object(members) = record {
            open = members.iter().map(|(name, value)| (value, TREES.contains(&name.as_str()))).collect();
        }
        while let Some((value, hideable)) = open.pop() {
            match value {
                Value::Object(members) => {
                    hidden |= hideable && members.get("omitted") == Some(&Value::Bool(true));
                    open.extend(members.values().map(|value| (value, hideable)));
                }
                Value::Array(items) => open.extend(items.iter().map(|value| (value, hideable))),
                Value::String(text) if hideable && is_hidden_literal(text) => {
                    hidden = true;
                    scalars.push(Scalar::Hidden(Cow::Owned(text.clone())));
                }
                Value::String(text) => scalars.push(Scalar::Text(Cow::Owned(text.clone()))),
                Value::Number(number) => scalars.push(Scalar::Number(number.clone())),
                Value::Bool(value) => scalars.push(Scalar::Bool(*value)),
                Value::Null => {}
            }
        }
        Self { values: Field::of(scalars), hidden }
    }
}

/// Whether something that the operation requires is missing from the record.
pub(super) fn misses_required(record: &Value, operations: &Operations) -> bool {
    let name = |field: &str| record.get(field).and_then(Value::as_str).unwrap_or_default();
    let Some(operation) = operations.get(name("eventSource"), name("eventName")) else { return false };
    let sent = record.get("requestParameters");
    operation.required.iter().any(|member| sent.and_then(|sent| sent.get(member)).is_none_or(Value::is_null))
}
