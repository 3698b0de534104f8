//! What the tests share with the bench and with fuzz targets.
//!
//! - [`dice`]: where choices come from: a seed, or the bytes of a fuzzer

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod dice;
