//! What bits mean, and what the symbols of deflate's codes do (RFC 1951, 3.2.5). Knows nothing of which bits these are.

/// As many symbols as the largest code has.
pub(super) const SYMBOLS: usize = 288;

/// What some bits mean, in 32 of its own, so that the common cases are told apart by one bit each:
///
/// - 0 to 7: how many bits are used up, by the code and the bits that belong to it
/// - 8 to 11: how many of them are the code, or how many literals these are
/// - 12 to 15: [`LITERAL`], [`LONG`], [`END`], [`EXCEPTIONAL`]
/// - 16 to 31: one or two literals, or the number to which the bits behind the code are added
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(u32);

const ONE_LITERAL: u32 = 1 << 8;
const LITERAL: u32 = 1 << 12;
const LONG: u32 = 1 << 13;
/// The end of the block.
const END: u32 = 1 << 14;
/// Neither a literal nor a number.
const EXCEPTIONAL: u32 = 1 << 15;

impl Entry {
    /// These are only the first bits of a code that is longer than the table is wide.
    pub(super) const BEGIN_OF_LONG: Self = Self(EXCEPTIONAL | LONG);
    /// No symbol has this code.
    pub(super) const INVALID: Self = Self(EXCEPTIONAL);

    #[expect(clippy::cast_possible_truncation, reason = "no symbol has more than nine bits")]
    const fn literal(symbol: usize) -> Self {
        Self((symbol as u32) << 16 | LITERAL | ONE_LITERAL)
    }

    /// So much, and what the bits behind the code say, which are so many.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "bases have fifteen bits at most, extra bits are thirteen at most"
    )]
    const fn at_least(base: usize, extra: usize) -> Self {
        Self((base as u32) << 16 | extra as u32)
    }

    #[inline]
    pub(super) const fn is_literal(self) -> bool {
        self.0 & LITERAL != 0
    }

    #[inline]
    pub(super) const fn is_exceptional(self) -> bool {
        self.0 & EXCEPTIONAL != 0
    }

    #[inline]
    pub(super) const fn is_long(self) -> bool {
        self.0 & LONG != 0
    }

    #[inline]
    pub(super) const fn is_end(self) -> bool {
        self.0 & END != 0
    }

    /// How many bits are used up.
    #[inline]
    pub(super) const fn used(self) -> u32 {
        self.0 & 0xff
    }

    /// The same in the lowest byte, and whatever in the others: enough for who looks at no other.
    #[inline]
    pub(super) const fn used_and_more(self) -> u32 {
        self.0
    }

    /// The literals: if it is one, the other is 0.
    #[inline]
    pub(super) const fn literals(self) -> [u8; 2] {
        let [_, _, first, second] = self.0.to_le_bytes();
        [first, second]
    }

    /// How many literals these are.
    #[inline]
    pub(super) const fn literal_count(self) -> usize {
        (self.0 >> 8 & 3) as usize
    }

    /// The first literal.
    #[inline]
    pub(super) const fn symbol(self) -> u8 {
        let [first, _] = self.literals();
        first
    }

    /// The number that these bits stand for: what is behind the code is added.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "that many are thirteen bits at most")]
    pub(super) const fn number(self, bits: u64) -> usize {
        let with_code = bits & !u64::MAX.wrapping_shl(self.0);
        // The two bits above the code's length are zeros in a number.
        (self.0 >> 16) as usize + with_code.wrapping_shr(self.0 >> 8) as usize
    }

    /// What it means, with a code of so many bits.
    pub(super) const fn with_code(self, length: u32) -> Self {
        if self.is_literal() { Self(self.0 + length) } else { Self(self.0 + (length << 8 | length)) }
    }

    /// This literal, and the next one as well, if it is one and no longer than that.
    #[inline]
    pub(super) const fn and_then(self, next: Self, longest: u32) -> Self {
        let fits = (next.0 & (LITERAL | 0xff)) ^ LITERAL <= longest;
        let more = next.used() + ONE_LITERAL + ((next.symbol() as u32) << 24);
        Self(self.0 + if fits { more } else { 0 })
    }
}

/// What the symbols of a code mean.
pub(super) type Meanings = [Entry; SYMBOLS];

/// Only themselves.
#[expect(clippy::indexing_slicing, reason = "at compile time an index that is too large is an error")]
pub(super) const PLAIN: Meanings = {
    let mut meanings = [Entry::INVALID; SYMBOLS];
    let mut symbol = 0;
    while symbol < 256 {
        meanings[symbol] = Entry::literal(symbol);
        symbol += 1;
    }
    meanings
};

/// Literals, the end of the block, and lengths.
#[expect(clippy::indexing_slicing, reason = "at compile time an index that is too large is an error")]
pub(super) const LITERALS_AND_LENGTHS: Meanings = {
    let mut meanings = PLAIN;
    meanings[256] = Entry(EXCEPTIONAL | END);
    let (mut symbol, mut base) = (257, 3);
    while symbol < 285 {
        let extra = if symbol < 265 { 0 } else { (symbol - 261) / 4 };
        meanings[symbol] = Entry::at_least(base, extra);
        base += 1 << extra;
        symbol += 1;
    }
    meanings[285] = Entry::at_least(258, 0);
    meanings
};

/// Distances.
#[expect(clippy::indexing_slicing, reason = "at compile time an index that is too large is an error")]
pub(super) const DISTANCES: Meanings = {
    let mut meanings = [Entry::INVALID; SYMBOLS];
    let (mut symbol, mut base) = (0, 1);
    while symbol < 30 {
        let extra = if symbol < 4 { 0 } else { symbol / 2 - 1 };
        meanings[symbol] = Entry::at_least(base, extra);
        base += 1 << extra;
        symbol += 1;
    }
    meanings
};
