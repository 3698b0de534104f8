//! A set of places in a short list, as bits. Knows nothing of what stands there.

use std::{array, iter};

const WORDS: usize = 2;

/// Places from 0 to [`Places::MOST`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Places([u64; WORDS]);

impl Places {
    /// How many there are; what is put beyond them is not there.
    pub(super) const MOST: usize = 64 * WORDS;

    /// The first so many.
    pub(super) fn first(count: usize) -> Self {
        Self(array::from_fn(|word| match count.saturating_sub(64 * word) {
            0 => 0,
            here @ 1..64 => (1 << here) - 1,
            _ => u64::MAX,
        }))
    }

    pub(super) fn put(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    pub(super) fn has(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word & (1 << (place % 64)) != 0)
    }

    pub(super) fn add(&mut self, others: &Self) {
        self.with(others, |word, other| word | other);
    }

    pub(super) fn remove(&mut self, others: &Self) {
        self.with(others, |word, other| word & !other);
    }

    pub(super) fn and(mut self, others: &Self) -> Self {
        self.with(others, |word, other| word & other);
        self
    }

    fn with(&mut self, others: &Self, both: impl Fn(u64, u64) -> u64) {
        for (word, other) in self.0.iter_mut().zip(others.0) {
            *word = both(*word, other);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Every one of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(number, word)| {
            let mut left = *word;
            iter::from_fn(move || {
                let place = 64 * number + usize::try_from(left.trailing_zeros()).ok()?;
                (left != 0).then(|| {
                    left &= left - 1;
                    place
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart_at_every_edge_of_a_word() {
        for count in [0, 1, 63, 64, 65, 127, 128, 129, 300] {
            let places = Places::first(count);
            let wanted: Vec<usize> = (0..count.min(Places::MOST)).collect();
            assert_eq!(places.iter().collect::<Vec<_>>(), wanted, "{count}");
            assert_eq!((places.count() as usize, places.is_empty()), (wanted.len(), count == 0));
            assert!(wanted.iter().all(|place| places.has(*place)) && !places.has(count));
            let mut rest = Places::first(Places::MOST);
            rest.remove(&places);
            assert_eq!(rest.iter().collect::<Vec<_>>(), (wanted.len()..Places::MOST).collect::<Vec<_>>(), "{count}");
            assert!(rest.and(&places).is_empty());
        }
        let (mut some, mut more) = (Places::default(), Places::default());
        [0, 64, 100].into_iter().for_each(|place| some.put(place));
        [3, 64, 127, Places::MOST, 1_000].into_iter().for_each(|place| more.put(place));
        assert_eq!(some.and(&more).iter().collect::<Vec<_>>(), [64]);
        some.add(&more);
        assert_eq!(some.iter().collect::<Vec<_>>(), [0, 3, 64, 100, 127]);
    }
}
