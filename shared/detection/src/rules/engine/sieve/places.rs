//! A set of places in a short list, as bits. Knows nothing of what stands there.

use std::iter;

/// Places from 0 to [`Places::MOST`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Places(u128);

impl Places {
    /// How many there are; what is put beyond them is not there.
    pub(super) const MOST: usize = 128;

    /// The first so many.
    pub(super) fn first(count: usize) -> Self {
        Self(if count < Self::MOST { (1 << count) - 1 } else { u128::MAX })
    }

    pub(super) fn put(&mut self, place: usize) {
        self.0 |= bit(place);
    }

    pub(super) fn has(&self, place: usize) -> bool {
        self.0 & bit(place) != 0
    }

    pub(super) fn add(&mut self, others: &Self) {
        self.0 |= others.0;
    }

    pub(super) fn remove(&mut self, others: &Self) {
        self.0 &= !others.0;
    }

    pub(super) fn and(self, others: &Self) -> Self {
        Self(self.0 & others.0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0 == 0
    }

    pub(super) fn count(&self) -> u32 {
        self.0.count_ones()
    }

    /// Every one of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        iter::from_fn(move || {
            let place = usize::try_from(left.trailing_zeros()).ok()?;
            (left != 0).then(|| {
                left &= left - 1;
                place
            })
        })
    }
}

fn bit(place: usize) -> u128 {
    if place < Places::MOST { 1 << place } else { 0 }
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
