//! 64 bytes as bit masks, one bit a byte: what of them are quotes, braces, backslashes. Knows nothing of JSON.
//!
//! The one place with `unsafe` in it, and only for this: code for AVX2 may be called where the processor has AVX2, which the
//! compiler cannot know and which is asked right before. It takes nearly half of the walk over a log away on x86-64 (3,300
//! instructions a record and not 6,200). Elsewhere, and on older processors, the masks come from the crate `wide`: NEON on arm64,
//! SSE2 on x86-64. A test holds both against each other and against a loop over bytes.

use wide::u8x16;

/// Bytes that are looked at together: one bit each in a `u64`.
pub(crate) const BLOCK: usize = 64;

/// Which of 64 bytes are what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Masks {
    pub(crate) quotes: u64,
    /// `{` and `[`.
    pub(crate) opens: u64,
    /// `}` and `]`.
    pub(crate) closes: u64,
    /// The letters `S`, `N` and `d`.
    pub(crate) letters: u64,
    /// What JSON forbids in a string: below a blank.
    pub(crate) controls: u64,
    /// Any is a backslash, or not of ASCII. Which one is asked for seldom.
    pub(crate) has_others: bool,
}

/// The letters that a walk asks for, which differ in their low four bits.
const LETTERS: [u8; 3] = *b"SNd";
/// Each at the place that its low four bits say; elsewhere what has other low bits, and so is equal to no byte that is sent there.
const BY_LOW_BITS: [u8; 16] = *b"\x01\0\0Sd\0\0\0\0\0\0\0\0\0N\0";

/// The bit in which a bracket differs from a brace.
const BRACKET: u8 = b'{' ^ b'[';

const LAST_CONTROL: u8 = b' ' - 1;

/// What works over blocks, given how a block becomes masks, and how every bit becomes the parity of itself and those below.
pub(crate) trait OverBlocks {
    type Output;
    fn run(self, masks: impl Fn(&[u8; BLOCK]) -> Masks, parities: impl Fn(u64) -> u64) -> Self::Output;
}

/// Runs it with the fastest masks that this processor has.
#[inline]
pub(crate) fn with_masks<W: OverBlocks>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if avx2::is_here() {
        #[expect(
            unsafe_code,
            reason = "the processor has just been asked for every feature that this is compiled for"
        )]
        return unsafe { avx2::run(work) };
    }
    work.run(portable, portable_parities)
}

#[inline]
fn portable(block: &[u8; BLOCK]) -> Masks {
    let (parts, _) = block.as_chunks::<16>();
    let mut others = u8x16::splat(0);
    for part in parts {
        let part = u8x16::new(*part);
        others |= part.simd_eq(u8x16::splat(b'\\')) | part & u8x16::splat(0x80);
    }
    Masks {
        quotes: any_of(block, 0, *b"\""),
        opens: any_of(block, BRACKET, *b"{"),
        closes: any_of(block, BRACKET, *b"}"),
        letters: any_of(block, 0, LETTERS),
        controls: controls(block),
        has_others: others != u8x16::splat(0),
    }
}

/// Which of 64 bytes are backslashes.
pub(crate) fn backslashes(block: &[u8; BLOCK]) -> u64 {
    any_of(block, 0, *b"\\")
}

/// Which of them, with these bits set, are one of these bytes.
#[inline]
fn any_of<const COUNT: usize>(block: &[u8; BLOCK], set: u8, of: [u8; COUNT]) -> u64 {
    let (parts, _) = block.as_chunks::<16>();
    let mut mask = 0;
    for (number, part) in parts.iter().enumerate() {
        let part = u8x16::new(*part) | u8x16::splat(set);
        let found = of.into_iter().fold(u8x16::splat(0), |found, byte| found | part.simd_eq(u8x16::splat(byte)));
        mask |= u64::from(found.to_bitmask()) << (16 * number);
    }
    mask
}

#[inline]
fn controls(block: &[u8; BLOCK]) -> u64 {
    let (parts, _) = block.as_chunks::<16>();
    let mut mask = 0;
    for (number, part) in parts.iter().enumerate() {
        let part = u8x16::new(*part);
        let found = part.min(u8x16::splat(LAST_CONTROL)).simd_eq(part);
        mask |= u64::from(found.to_bitmask()) << (16 * number);
    }
    mask
}

#[inline]
fn portable_parities(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::{
        is_x86_feature_detected,
        x86_64::{
            __m256i, _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_set1_epi8, _mm256_cmpeq_epi8,
            _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_shuffle_epi8,
        },
    };

    use bytemuck::must_cast;

    use super::{BLOCK, BRACKET, BY_LOW_BITS, LAST_CONTROL, Masks, OverBlocks};

    pub(super) fn is_here() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("popcnt")
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq,popcnt")]
    pub(super) fn run<W: OverBlocks>(work: W) -> W::Output {
        work.run(|block| masks(block), |bits| parities(bits))
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq,popcnt")]
    #[inline]
    fn masks(block: &[u8; BLOCK]) -> Masks {
        let [low, high]: [__m256i; 2] = must_cast(*block);
        let bracket = _mm256_set1_epi8(BRACKET.cast_signed());
        let (low_braces, high_braces) = (_mm256_or_si256(low, bracket), _mm256_or_si256(high, bracket));
        let backslash = _mm256_set1_epi8(b'\\'.cast_signed());
        let backslashes = _mm256_or_si256(_mm256_cmpeq_epi8(low, backslash), _mm256_cmpeq_epi8(high, backslash));
        // What is not of ASCII has its highest bit set.
        let others = _mm256_or_si256(backslashes, _mm256_or_si256(low, high));
        Masks {
            quotes: equal(low, high, b'"'),
            opens: equal(low_braces, high_braces, b'{'),
            closes: equal(low_braces, high_braces, b'}'),
            letters: letters(low, high),
            controls: controls(low, high),
            has_others: _mm256_movemask_epi8(others) != 0,
        }
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq,popcnt")]
    #[inline]
    fn equal(low: __m256i, high: __m256i, to: u8) -> u64 {
        let to = _mm256_set1_epi8(to.cast_signed());
        bits(_mm256_cmpeq_epi8(low, to), _mm256_cmpeq_epi8(high, to))
    }

    /// One comparison asks for all of them: with the letter that has the same low four bits as each byte.
    #[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq,popcnt")]
    #[inline]
    fn letters(low: __m256i, high: __m256i) -> u64 {
        let table = must_cast([BY_LOW_BITS; 2]);
        let alike = (_mm256_shuffle_epi8(table, low), _mm256_shuffle_epi8(table, high));
        bits(_mm256_cmpeq_epi8(low, alike.0), _mm256_cmpeq_epi8(high, alike.1))
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq,popcnt")]
    #[inline]
    fn controls(low: __m256i, high: __m256i) -> u64 {
        let last = _mm256_set1_epi8(LAST_CONTROL.cast_signed());
        bits(_mm256_cmpeq_epi8(_mm256_min_epu8(low, last), low), _mm256_cmpeq_epi8(_mm256_min_epu8(high, last), high))
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq,popcnt")]
    #[inline]
    fn bits(low: __m256i, high: __m256i) -> u64 {
        let (low, high) = (_mm256_movemask_epi8(low).cast_unsigned(), _mm256_movemask_epi8(high).cast_unsigned());
        u64::from(low) | u64::from(high) << 32
    }

    /// Multiplying by all ones without carries adds to every bit all those below.
    #[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq,popcnt")]
    #[inline]
    fn parities(bits: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_cvtsi64_si128(bits.cast_signed()), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product).cast_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Both<'a>(&'a [u8; BLOCK], u64);

    impl OverBlocks for Both<'_> {
        type Output = (Masks, u64);
        fn run(self, masks: impl Fn(&[u8; BLOCK]) -> Masks, parities: impl Fn(u64) -> u64) -> Self::Output {
            (masks(self.0), parities(self.1))
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// On a processor with AVX2, both; elsewhere, what there is.
        #[test]
        fn masks_are_those_of_a_loop(
            block in prop::array::uniform32(prop::sample::select(&br#""\{}[]SNdsnDYy_ :,z"#[..])),
            more in prop::array::uniform32(any::<u8>()),
            bits in any::<u64>(),
        ) {
            let mut whole = [0; BLOCK];
            whole.iter_mut().zip(block.into_iter().chain(more)).for_each(|(byte, from)| *byte = from);
            let mask = |wanted: &[u8]| {
                whole.iter().enumerate().filter(|(_, byte)| wanted.contains(byte)).fold(0, |mask, (at, _)| mask | 1_u64 << at)
            };
            let expected = Masks {
                quotes: mask(b"\""),
                opens: mask(b"{["),
                closes: mask(b"}]"),
                letters: mask(&LETTERS),
                controls: whole.iter().enumerate().filter(|(_, byte)| **byte < b' ').fold(0, |mask, (at, _)| mask | 1_u64 << at),
                has_others: whole.contains(&b'\\') || !whole.is_ascii(),
            };
            let mut parity = false;
            let parities = (0..64).fold(0, |all, bit| {
                parity ^= bits >> bit & 1 == 1;
                all | u64::from(parity) << bit
            });
            prop_assert_eq!(with_masks(Both(&whole, bits)), (expected, parities));
            prop_assert_eq!((portable(&whole), portable_parities(bits)), (expected, parities));
            prop_assert_eq!(backslashes(&whole), mask(b"\\"));
        }
    }
}
