//! A delivered log: which objects are one, and how its bytes become records. Knows nothing of rules or of S3.

mod inflate;
mod key;
pub(crate) mod masks;
mod reader;
mod splitter;
mod walk;

pub use key::{ObjectKind, classify};
pub use reader::{Encoding, LogReader};
pub use splitter::{Damage, MAX_RECORD_BYTES, RecordSink};
pub use walk::Names;

/// Unpacks a whole gzip file as [`LogReader`] does, and does nothing with it: what is left when all that is ours is taken away.
/// For the bench alone.
///
/// # Errors
/// What is wrong with the gzip data.
#[cfg(feature = "plain")]
pub fn unpack(packed: &[u8], piece: usize, mut take: impl FnMut(&[u8])) -> Result<(), String> {
    let mut inflate = inflate::Inflate::new();
    let mut take = |text: &[u8]| {
        take(text);
        true
    };
    for piece in packed.chunks(piece.max(1)) {
        inflate.push(piece, &mut take)?;
    }
    inflate.finish(&mut take)
}
