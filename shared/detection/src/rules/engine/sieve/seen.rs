//! What was found in values that were there before. A log has few programs, roles and models, and names them in every record. Knows
//! no field.

use std::{hash::Hasher as _, ops::Range};

use rustc_hash::FxHasher;

use super::{group::Group, places::Places};

/// Values that are remembered. Two of them may have the same place, and then the last one has it.
const PLACES: usize = 512;
/// The longest value that is remembered, in bytes.
const MOST_BYTES: usize = 256;
/// Bytes of all values. Beyond these, all are forgotten, and it begins anew.
const MOST_BYTES_OF_ALL: usize = 128 * 1024;

/// Values of one log, and whose needs they meet.
#[derive(Debug, Default)]
pub(crate) struct Seen<'r> {
    values: Vec<Option<Value<'r>>>,
    /// One after the other: most values of a small log come once, and memory of their own would cost each more than it saves.
    texts: Vec<u8>,
}

#[derive(Debug)]
struct Value<'r> {
    group: &'r Group,
    text: Range<usize>,
    met: Places,
}

impl<'r> Seen<'r> {
    /// Whose texts are in this value, which is found out and remembered where it is not known. Says no where that is given up.
    pub(super) fn get(
        &mut self,
        group: &'r Group,
        text: &str,
        look: impl FnOnce() -> Option<Places>,
    ) -> Option<Places> {
        if text.len() > MOST_BYTES {
            return look();
        }
        let place = place(group, text);
        if let Some(Some(value)) = self.values.get(place)
            && std::ptr::eq(value.group, group)
            && self.texts.get(value.text.clone()) == Some(text.as_bytes())
        {
            return Some(value.met);
        }
        let met = look()?;
        if self.texts.len() + text.len() > MOST_BYTES_OF_ALL {
            self.values.clear();
            self.texts.clear();
        }
        self.values.resize_with(PLACES, || None);
        if let Some(value) = self.values.get_mut(place) {
            let start = self.texts.len();
            self.texts.extend_from_slice(text.as_bytes());
            *value = Some(Value { group, text: start..self.texts.len(), met });
        }
        Some(met)
    }
}

fn place(group: &Group, text: &str) -> usize {
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    hasher.write_usize(std::ptr::from_ref(group).addr());
    usize::try_from(hasher.finish()).unwrap_or_default() % PLACES
}
