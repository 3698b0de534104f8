//! Takes the fields out of any record at all, in one pass of `serde_json`: what the [fast way](super::extract) gives up on, and
//! what it is held against in tests. Knows nothing of rules.

use std::{borrow::Cow, fmt, mem};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use super::{
    fields::{Fields, Node, OMITTED},
    values::{Memory, Scalar, Values},
};

/// What the fields hold in a record. The memory is left where it was if they cannot be had.
///
/// # Errors
/// When the record is not JSON, or is nested deeper than 128 levels.
pub(super) fn parse<'de>(
    fields: &Fields,
    record: &'de [u8],
    memory: &mut Memory,
) -> Result<Values<'de>, serde_json::Error> {
    let mut values = Values::none(fields, mem::take(memory));
    let walk = Walk { fields, node: fields.root(), values: &mut values };
    // Asked once and for all whether it is UTF-8, and not for every string again.
    let parsed = match simdutf8::basic::from_utf8(record) {
        Ok(text) => walk.over(serde_json::Deserializer::from_str(text)),
        Err(_) => walk.over(serde_json::Deserializer::from_slice(record)),
    };
    match parsed {
        Ok(()) => Ok(values),
        Err(error) => {
            *memory = values.into_memory();
            Err(error)
        }
    }
}

/// Walks a record along the tree of fields and skips everything else.
struct Walk<'f, 'v, 'de> {
    fields: &'f Fields,
    node: &'f Node,
    values: &'v mut Values<'de>,
}

impl<'de> Walk<'_, '_, 'de> {
    fn over<R: serde_json::de::Read<'de>>(
        self,
        mut json: serde_json::Deserializer<R>,
    ) -> Result<(), serde_json::Error> {
        self.deserialize(&mut json)?;
        json.end()
    }

    fn scalar(self, scalar: Scalar<'de>) {
        self.values.holds(self.node, scalar);
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

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { fields, node, values } = self;
        values.opens(node);
        while let Some(Name(name)) = map.next_key()? {
            let child = fields.child(node, name.as_bytes());
            if node.hideable && name == OMITTED {
                // As CloudTrail writes it, not a parameter that happens to have this name and another meaning.
                let omitted: Value = map.next_value()?;
                if omitted == Value::Bool(true) {
                    values.hide_below(node);
                }
                if let Some(node) = child {
                    Walk { fields, node, values }.deserialize(omitted).map_err(Error::custom)?;
                }
                continue;
            }
            match child {
                Some(node) => map.next_value_seed(Walk { fields, node, values })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { fields, node, values } = self;
        values.opens(node);
        while seq.next_element_seed(Walk { fields, node, values })?.is_some() {}
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
