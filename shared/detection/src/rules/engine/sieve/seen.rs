//! What was found in values that were there before. A log has few programs, roles and models, and names them in every record. Knows
//! no field.

use std::hash::Hasher as _;

use rustc_hash::FxHasher;

use super::{group::Group, places::Places};

/// Values that are remembered. Two of them may have the same place, and then the last one has it.
const PLACES: usize = 1024;
/// The longest value that is remembered, in bytes.
const MOST_BYTES: usize = 256;

/// Values of one log, and whose needs they meet.
#[derive(Debug, Default)]
pub(crate) struct Seen<'r>(Vec<Option<Box<Value<'r>>>>);

#[derive(Debug)]
struct Value<'r> {
    group: &'r Group,
    text: Box<str>,
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
        if let Some(Some(value)) = self.0.get(place)
            && std::ptr::eq(value.group, group)
            && *value.text == *text
        {
            return Some(value.met);
        }
        let met = look()?;
        self.0.resize_with(PLACES, || None);
        if let Some(value) = self.0.get_mut(place) {
            *value = Some(Box::new(Value { group, text: text.into(), met }));
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
