//! The next bits of what is packed. Knows nothing of what they mean.

use super::entry::Entry;

/// So many bytes must be ahead of a turn of [`Bits::refill_from`]; it takes no more than seven.
pub(super) const WORD: usize = 8;

/// Bits that were taken from the input and are not used yet: at most 63.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bits {
    /// The next one is the lowest. Above those that count there may be some of the input's next bits, which will be put to the
    /// very same place again.
    word: u64,
    /// How many count. Only the lowest byte says so: in the others is what subtracting whole entries leaves there.
    count: u32,
}

impl Bits {
    /// How many there are.
    pub(super) fn count(self) -> u32 {
        self.count & 63
    }

    /// All of them, the next one lowest, and what may be above them.
    #[inline]
    pub(super) fn word(self) -> u64 {
        self.word
    }

    /// Takes bytes from the input as long as there are some and a whole one has room: then there are 56 bits or more.
    pub(super) fn refill(&mut self, input: &mut &[u8]) {
        self.count = self.count();
        while self.count < 56
            && let Some((byte, rest)) = input.split_first()
        {
            self.word |= u64::from(*byte) << self.count;
            self.count += 8;
            *input = rest;
        }
    }

    /// The same from bytes that are there for sure. How many it takes: seven at most.
    #[inline]
    pub(super) fn refill_from(&mut self, ahead: [u8; WORD]) -> usize {
        self.word |= u64::from_le_bytes(ahead).wrapping_shl(self.count);
        let taken = 7 - (self.count >> 3 & 7);
        self.count |= 56;
        taken as usize
    }

    /// Whether there are enough for a distance without another look at the input.
    #[inline]
    pub(super) fn hold_a_distance(self) -> bool {
        self.count & 0xff >= 28
    }

    /// The next bits, if there are so many.
    pub(super) fn take(&mut self, count: u32) -> Option<usize> {
        if count > self.count() {
            return None;
        }
        let bits = self.word & !(u64::MAX << count);
        self.word >>= count;
        self.count = self.count() - count;
        usize::try_from(bits).ok()
    }

    /// Takes the bits of an entry, of which there are enough.
    #[inline]
    pub(super) fn use_up(&mut self, entry: Entry) {
        // Shifts look at the lowest six bits.
        self.word = self.word.wrapping_shr(entry.used_and_more());
        self.count = self.count.wrapping_sub(entry.used_and_more());
    }

    /// Drops the rest of a byte that was begun.
    pub(super) fn align(&mut self) {
        self.take(self.count() % 8);
    }

    /// Takes a whole byte, if there is one.
    pub(super) fn take_byte(&mut self) -> Option<u8> {
        self.take(8).and_then(|byte| u8::try_from(byte).ok())
    }
}
