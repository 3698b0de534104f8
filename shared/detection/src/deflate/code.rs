//! A Huffman code as a table that tells what the next bits mean. Knows nothing of blocks, and not where bits come from.

use super::{
    Fault,
    entry::{Entry, Meanings, SYMBOLS},
};

/// The longest code of deflate, in bits.
const LONGEST: usize = 15;
/// All codes of this length: what the codes of a complete set take up, each by its length.
const SPACE: usize = 1 << LONGEST;

/// A code, of which those that are no longer than the table is wide are looked up at once. `SIZE` is a power of two.
pub(super) struct Code<const SIZE: usize> {
    table: [Entry; SIZE],
    /// What the symbols mean that have a code, in the order of their codes.
    sorted: [Entry; SYMBOLS],
    by_length: [OfLength; LONGEST + 1],
}

/// The codes of one length, as numbers of fifteen bits, the first bit the highest.
#[derive(Debug, Clone, Copy)]
struct OfLength {
    first: usize,
    /// What comes after the last.
    end: usize,
    /// The place of the first one's symbol among the sorted.
    at: usize,
}

impl<const SIZE: usize> Code<SIZE> {
    const WIDTH: u32 = SIZE.ilog2();

    pub(super) const fn new() -> Self {
        Self {
            table: [Entry::INVALID; SIZE],
            sorted: [Entry::INVALID; SYMBOLS],
            by_length: [OfLength { first: 0, end: 0, at: 0 }; LONGEST + 1],
        }
    }

    /// What the lowest bits mean, or that it takes [`long`](Self::long) to know.
    #[inline]
    #[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "what is left is below the size")]
    pub(super) const fn short(&self, bits: u64) -> Entry {
        self.table[bits as usize % SIZE]
    }

    /// What the lowest bits mean.
    pub(super) fn entry(&self, bits: u64) -> Entry {
        let entry = self.short(bits);
        if entry.is_long() { self.long(bits) } else { entry }
    }

    /// What the lowest bits mean if they are a code that is longer than the table is wide. One symbol in thousands has such a code.
    #[cold]
    pub(super) fn long(&self, bits: u64) -> Entry {
        self.search(bits, Self::WIDTH + 1)
    }

    /// What the first code among the lowest bits means, without the one with which it is paired.
    #[cold]
    pub(super) fn alone(&self, bits: u64) -> Entry {
        self.search(bits, 1)
    }

    fn search(&self, bits: u64, shortest: u32) -> Entry {
        let code = (bits.reverse_bits() >> (64 - LONGEST)) as usize;
        for (length, codes) in (0..).zip(&self.by_length).skip(shortest as usize) {
            if code < codes.end {
                let at = codes.at + (code.saturating_sub(codes.first) >> (LONGEST - length as usize));
                return self.sorted.get(at).map_or(Entry::INVALID, |entry| entry.with_code(length));
            }
        }
        Entry::INVALID
    }

    /// Takes the lengths of the codes of all symbols; 0 is none.
    ///
    /// # Errors
    /// There are more codes than can be, or fewer. Allowed are a single one of one bit, and none, where `may_be_few`.
    #[expect(
        clippy::indexing_slicing,
        reason = "lengths are at most 15, symbols at most 288, places are below the size"
    )]
    pub(super) fn build(&mut self, lengths: &[u8], meanings: &Meanings, may_be_few: bool) -> Result<(), Fault> {
        let mut counts = [0; LONGEST + 1];
        for length in lengths {
            counts[usize::from(*length) & LONGEST] += 1;
        }
        counts[0] = 0;
        // Where the symbols with codes of each length are among the sorted.
        let mut starts = [0; LONGEST + 2];
        let mut space = 0;
        for length in 1..=LONGEST {
            starts[length + 1] = starts[length] + counts[length];
            space += counts[length] << (LONGEST - length);
        }
        let codes = starts[LONGEST + 1];
        if space > SPACE {
            return Err("a code with more codes than there can be");
        }
        let is_few = codes == 0 || codes == 1 && counts[1] == 1;
        if space < SPACE && !(may_be_few && is_few) {
            return Err("a code with too few codes");
        }
        let mut nexts = starts;
        for (length, meaning) in lengths.iter().zip(meanings) {
            let next = &mut nexts[usize::from(*length) & LONGEST];
            if *length > 0 {
                self.sorted[*next] = *meaning;
                *next += 1;
            }
        }
        if is_few {
            self.table.fill(Entry::INVALID);
            let only = self.sorted[..codes].iter().map(|meaning| meaning.with_code(1));
            only.for_each(|only| self.table.iter_mut().step_by(2).for_each(|entry| *entry = only));
            return Ok(());
        }
        // Codes are numbers that become larger with their lengths, but their bits come highest first: places in the table are the
        // codes read backwards. What stands there for all shorter codes holds whatever the next bit is.
        let mut place = 0;
        for length in 1..=Self::WIDTH {
            let half = 1 << (length - 1);
            self.table.copy_within(..half, half);
            for meaning in &self.sorted[starts[length as usize]..starts[length as usize + 1]] {
                self.table[place % SIZE] = meaning.with_code(length);
                place = following(place, 2 * half);
            }
        }
        // Places that are left are what longer codes begin with.
        let has_longer = starts[Self::WIDTH as usize + 1] < codes;
        while has_longer && place < SIZE {
            self.table[place] = Entry::BEGIN_OF_LONG;
            place = following(place, SIZE);
        }
        let mut first = 0;
        for length in 1..=LONGEST {
            let end = first + (counts[length] << (LONGEST - length));
            self.by_length[length] = OfLength { first, end, at: starts[length] };
            first = end;
        }
        Ok(())
    }

    /// Makes one entry of two literals where their codes fit into the table together.
    #[expect(clippy::indexing_slicing, reason = "places are below the size, and as far apart as the codes are long")]
    pub(super) fn pair_literals(&mut self) {
        let single = self.table;
        let (mut place, mut shortest) = (0, Self::WIDTH);
        for length in 1..Self::WIDTH {
            let [from, to] = [length, length + 1].map(|length| self.by_length[length as usize].at);
            for symbol in &self.sorted[from..to] {
                if symbol.is_literal() {
                    shortest = shortest.min(length);
                    let (first, longest) = (symbol.with_code(length), Self::WIDTH - length);
                    if longest >= shortest {
                        let places = self.table[place..].iter_mut().step_by(1 << length);
                        places.zip(&single).for_each(|(entry, next)| *entry = first.and_then(*next, longest));
                    }
                }
                place = following(place, 1 << length);
            }
        }
    }
}

/// The place of the next code of the same length, if there are so many places: its bits, read backwards, are a number that is one
/// more. After the last one, where there is no place.
fn following(place: usize, places: usize) -> usize {
    let zeros = !place & (places - 1);
    match zeros.checked_ilog2() {
        Some(highest) => place & ((1 << highest) - 1) | 1 << highest,
        None => places,
    }
}
