//! See the module of the same name in the library beside.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bedrock_audit_fuzz::deflate::check(bytes));
