//! What the tests share with the bench and with fuzz targets: trails to audit, and the plain way to hold the fast one against.
//!
//! - [`dice`]: where choices come from: a seed, or the bytes of a fuzzer
//! - [`hostile`]: logs such as nobody should write, with their records known
//! - [`plainly`]: the same log audited both ways, and where the two differ

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod dice;
pub mod hostile;
pub mod plainly;
