//! 64 bytes as bit masks, one bit a byte: what of them are quotes, backslashes, braces. Knows nothing of JSON.
//!
//! The one place with `unsafe` in it, and only for this: code for AVX2 may be called where the processor has AVX2, which the
//! compiler cannot know and which is asked right before. It takes a third of the walk over a log away on x86-64 (2,900
//! instructions a record and not 4,100). Elsewhere, and on older processors, the masks come from the crate `wide`: NEON on arm64,
//! SSE2 on x86-64. A test holds both against each other and against a loop over bytes.

use wide::u8x16;

/// Bytes that are looked at together: one bit each in a `u64`.
pub(super) const BLOCK: usize = 64;

/// Which of 64 bytes are what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Masks {
    pub(super) quotes: u64,
    pub(super) backslashes: u64,
    /// Braces and brackets; `Y`, `y`, `_` and DEL, too.
    pub(super) braces: u64,
    /// The letter `e`.
    pub(super) es: u64,
}

/// Set in every byte, these bits make one of `{`, `}`, `[`, `]`.
const BRACE_BITS: u8 = (b'{' ^ b'}') | (b'{' ^ b'[');
const BRACE: u8 = b'{' | BRACE_BITS;

/// What works over blocks, given how a block becomes masks, and how every bit becomes the parity of itself and those below.
pub(super) trait OverBlocks {
    type Output;
    fn run(self, masks: impl Fn(&[u8; BLOCK]) -> Masks, parities: impl Fn(u64) -> u64) -> Self::Output;
}

/// Runs it with the fastest masks that this processor has.
#[inline]
pub(super) fn with_masks<W: OverBlocks>(work: W) -> W::Output {
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
    let equal = |set: u8, to: u8| {
        let mut mask = 0;
        for (number, part) in parts.iter().enumerate() {
            let found = (u8x16::new(*part) | u8x16::splat(set)).simd_eq(u8x16::splat(to));
            mask |= u64::from(found.to_bitmask()) << (16 * number);
        }
        mask
    };
    Masks { quotes: equal(0, b'"'), backslashes: equal(0, b'\\'), braces: equal(BRACE_BITS, BRACE), es: equal(0, b'e') }
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
            _mm256_movemask_epi8, _mm256_or_si256, _mm256_set_epi64x, _mm256_set1_epi8,
        },
    };

    use super::{BLOCK, BRACE, BRACE_BITS, Masks, OverBlocks};

    pub(super) fn is_here() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("pclmulqdq")
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq")]
    pub(super) fn run<W: OverBlocks>(work: W) -> W::Output {
        work.run(|block| masks(block), |bits| parities(bits))
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq")]
    #[inline]
    fn masks(block: &[u8; BLOCK]) -> Masks {
        let (words, _) = block.as_chunks::<8>();
        let word = |number: usize| words.get(number).map_or(0, |word| i64::from_le_bytes(*word));
        let low = _mm256_set_epi64x(word(3), word(2), word(1), word(0));
        let high = _mm256_set_epi64x(word(7), word(6), word(5), word(4));
        let set = _mm256_set1_epi8(BRACE_BITS.cast_signed());
        Masks {
            quotes: equal(low, high, b'"'),
            backslashes: equal(low, high, b'\\'),
            braces: equal(_mm256_or_si256(low, set), _mm256_or_si256(high, set), BRACE),
            es: equal(low, high, b'e'),
        }
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq")]
    #[inline]
    fn equal(low: __m256i, high: __m256i, to: u8) -> u64 {
        let to = _mm256_set1_epi8(to.cast_signed());
        let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, to)).cast_unsigned();
        let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, to)).cast_unsigned();
        u64::from(low) | u64::from(high) << 32
    }

    /// Multiplying by all ones without carries adds to every bit all those below.
    #[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq")]
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
            block in prop::array::uniform32(prop::sample::select(&br#""\{}[]eYy_ :,z"#[..])),
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
                backslashes: mask(b"\\"),
                braces: mask(b"{}[]Yy_\x7f"),
                es: mask(b"e"),
            };
            let mut parity = false;
            let parities = (0..64).fold(0, |all, bit| {
                parity ^= bits >> bit & 1 == 1;
                all | u64::from(parity) << bit
            });
            prop_assert_eq!(with_masks(Both(&whole, bits)), (expected, parities));
            prop_assert_eq!((portable(&whole), portable_parities(bits)), (expected, parities));
        }
    }
}
