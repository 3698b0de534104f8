//! Deterministic ids: the same parts give the same id on every machine, other parts never do.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A UUID (version 8: its content is ours) from parts. Each part's length is hashed with it, so that no two different
/// lists of parts run together.
pub(crate) fn uuid<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> String {
    Uuid::new_v8(first_16(&hash(parts))).to_string()
}

/// The first sixteen bytes of a hash of parts: enough to tell records apart, small enough to keep for every one.
pub(crate) fn fingerprint<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> [u8; 16] {
    first_16(&hash(parts))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for digit in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        text.extend(char::from_digit(digit.into(), 16));
    }
    text
}

fn hash<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.as_ref().len() as u64).to_be_bytes());
        hash.update(part.as_ref());
    }
    hash.finalize().into()
}

fn first_16(hash: &[u8; 32]) -> [u8; 16] {
    let mut first = [0; 16];
    first.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_two_digits() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(hex(&bytes), bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_eq!(uuid(["a", "b"]), uuid(["a", "b"]));
        assert_ne!(uuid(["a", "b"]), uuid(["ab", ""]));
        assert_ne!(uuid(["a", "b"]), uuid(["b", "a"]));
    }
}
