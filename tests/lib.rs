//! Empty on purpose: cargo wants a target beside the test binary.
