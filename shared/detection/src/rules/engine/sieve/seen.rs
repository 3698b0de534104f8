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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn what_one_group_found_in_a_value_is_not_taken_for_what_another_finds() {
        // One more than there are places: two of them share one.
        let group = |_| Group::of(0, None, Vec::new(), &Places::default());
        let groups: Vec<Group> = (0..=PLACES).map(group).collect();
        let mut by_place = HashMap::new();
        let shared = groups.iter().find_map(|group| Some((by_place.insert(place(group, "a"), group)?, group)));
        let (one, other) = shared.unwrap();
        let mut seen = Seen::default();
        assert_eq!(seen.get(one, "a", || Some(Places::first(1))), Some(Places::first(1)));
        assert_eq!(seen.get(one, "a", || None), Some(Places::first(1)), "it is remembered");
        assert_eq!(seen.get(other, "a", || Some(Places::first(2))), Some(Places::first(2)));
        assert_eq!(seen.get(one, "a", || None), None, "the last one has the place");
    }
}
