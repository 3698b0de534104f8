//! The codes of a block, and how they are written before it. Knows nothing of what is said in them.

use super::{
    At, Deflate, Fault, Stop,
    code::Code,
    entry::{DISTANCES, LITERALS_AND_LENGTHS, PLAIN},
};

/// As many lengths of codes for literals and lengths as there can be, and then for distances.
const MOST: usize = 288 + 32;
/// The order in which the lengths of the codes for lengths are written.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The codes of a block.
pub(super) struct Codes {
    pub(super) literals: Code<2048>,
    pub(super) distances: Code<512>,
    /// In which the lengths of the others' codes are written.
    lengths: Code<128>,
    /// They are those that deflate itself knows.
    are_fixed: bool,
    /// Where two literals fit into one entry, they are in one.
    pub(super) are_paired: bool,
    /// The lengths that are read.
    read: [u8; MOST],
    literal_count: usize,
    distance_count: usize,
    length_count: usize,
}

impl Codes {
    pub(super) const fn new() -> Self {
        Self {
            literals: Code::new(),
            distances: Code::new(),
            lengths: Code::new(),
            are_fixed: false,
            are_paired: false,
            read: [0; MOST],
            literal_count: 0,
            distance_count: 0,
            length_count: 0,
        }
    }

    /// Makes them the fixed ones.
    pub(super) fn fix(&mut self) -> Result<(), Fault> {
        if self.are_fixed {
            return Ok(());
        }
        for (symbol, length) in self.read.iter_mut().enumerate() {
            *length = match symbol {
                0..144 | 280..288 => 8,
                144..256 => 9,
                256..280 => 7,
                _ => 5,
            };
        }
        (self.literal_count, self.distance_count) = (288, 32);
        self.build()?;
        // None of them are short enough to be paired.
        (self.are_fixed, self.are_paired) = (true, true);
        Ok(())
    }

    pub(super) fn pair(&mut self) {
        self.literals.pair_literals();
        self.are_paired = true;
    }

    fn build(&mut self) -> Result<(), Fault> {
        (self.are_fixed, self.are_paired) = (false, false);
        let (literals, rest) = self.read.split_at_checked(self.literal_count).unwrap_or_default();
        if literals.get(256).is_none_or(|length| *length == 0) {
            return Err("a block that does not end");
        }
        self.literals.build(literals, &LITERALS_AND_LENGTHS, true)?;
        self.distances.build(rest.get(..self.distance_count).unwrap_or_default(), &DISTANCES, true)
    }
}

impl Deflate {
    pub(super) fn codes_header(&mut self) -> Result<Option<Stop>, Fault> {
        let Some(counts) = self.bits.take(14) else { return Ok(Some(Stop::Input)) };
        let codes = &mut *self.codes;
        codes.literal_count = 257 + (counts & 31);
        codes.distance_count = 1 + (counts >> 5 & 31);
        codes.length_count = 4 + (counts >> 10);
        if codes.literal_count > 286 || codes.distance_count > 30 {
            return Err("codes for more symbols than there are");
        }
        codes.read.fill(0);
        self.at = At::LengthCodes(0);
        Ok(None)
    }

    /// From this one on.
    pub(super) fn length_codes(&mut self, next: usize) -> Result<Option<Stop>, Fault> {
        let codes = &mut *self.codes;
        for (number, symbol) in ORDER.iter().enumerate().take(codes.length_count).skip(next) {
            let Some(length) = self.bits.take(3) else {
                self.at = At::LengthCodes(number);
                return Ok(if number == next { Some(Stop::Input) } else { None });
            };
            if let Some(place) = codes.read.get_mut(*symbol) {
                *place = u8::try_from(length).unwrap_or_default();
            }
        }
        codes.lengths.build(codes.read.get(..ORDER.len()).unwrap_or_default(), &PLAIN, false)?;
        self.at = At::Codes(0);
        Ok(None)
    }

    /// From this one on.
    pub(super) fn code_lengths(&mut self, mut next: usize, input: &mut &[u8]) -> Result<Option<Stop>, Fault> {
        let codes = &mut *self.codes;
        let count = codes.literal_count + codes.distance_count;
        while next < count {
            self.bits.refill(input);
            let entry = codes.lengths.short(self.bits.word());
            let symbol = entry.symbol();
            let (least, extra) = match symbol {
                ..16 => (1, 0),
                16 => (3, 2),
                17 => (3, 3),
                _ => (11, 7),
            };
            if self.bits.count() < entry.used() + extra {
                self.at = At::Codes(next);
                return Ok(Some(Stop::Input));
            }
            self.bits.use_up(entry);
            let times = least + self.bits.take(extra).unwrap_or_default();
            let length = match symbol {
                ..16 => symbol,
                16 => match next.checked_sub(1).and_then(|last| codes.read.get(last)) {
                    Some(last) => *last,
                    None => return Err("the length of a code before the first repeated"),
                },
                _ => 0,
            };
            let Some(places) = codes.read.get_mut(..count).and_then(|read| read.get_mut(next..next + times)) else {
                return Err("lengths of more codes than there are");
            };
            places.fill(length);
            next += times;
        }
        codes.build()?;
        self.at = At::Symbols;
        Ok(None)
    }
}
