//! Where a generator's choices come from: a seed, or bytes that a fuzzer mutates. Knows nothing of what is chosen.

/// Choices, the same ones for the same seed or the same bytes.
pub struct Dice<'a> {
    source: Source<'a>,
}

enum Source<'a> {
    Seed(u64),
    Bytes(&'a [u8]),
}

impl<'a> Dice<'a> {
    /// As many choices as are asked for.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        Self { source: Source::Seed(seed) }
    }

    /// The choices that these bytes make; after the last one, always the first thing of all.
    #[must_use]
    pub fn of_bytes(bytes: &'a [u8]) -> Self {
        Self { source: Source::Bytes(bytes) }
    }

    /// A number below `sides`, or 0.
    pub fn below(&mut self, sides: usize) -> usize {
        let thrown = match &mut self.source {
            Source::Seed(state) => {
                // SplitMix64.
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut mixed = *state;
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                usize::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap()
            }
            Source::Bytes(bytes) => {
                // One byte where one is enough, so that a fuzzer's bytes mean something.
                let wanted = if sides <= 256 { 1 } else { 4 };
                let (taken, rest) = bytes.split_at(wanted.min(bytes.len()));
                *bytes = rest;
                taken.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
            }
        };
        thrown % sides.max(1)
    }

    /// Whether one of `sides` came up.
    pub fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == sides - 1
    }

    /// One of these.
    pub fn of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())]
    }
}
