//! A delivered log: which objects are one, and how its bytes become records. Knows nothing of rules or of S3.

mod key;
mod reader;
mod splitter;

pub use key::{ObjectKind, classify};
pub use reader::{Encoding, LogReader};
pub use splitter::{Damage, MAX_RECORD_BYTES, RecordSink};
