//! Cuts the JSON document of a delivered log into records as its bytes arrive. Knows nothing of what a record says.

use super::walk::{Names, ValueScan, is_blank, walk};

/// Most bytes that one record may have: twice what CloudTrail caps an event at in a trail's files (256 KB). What is larger is
/// no CloudTrail record, and is counted as unreadable instead of growing our memory: parsed, a hostile record takes two
/// hundred times its bytes.
pub const MAX_RECORD_BYTES: usize = 512 * 1024;

/// Most bytes of a key beside `Records`. Real logs have no other key at all.
const MAX_KEY_BYTES: usize = 64 * 1024;

/// A record that arrives in pieces is walked over anew with each, until it is longer than nearly all are, or a piece is
/// so short that this would not pay; then it is scanned byte by byte.
const MOST_WALKED_ANEW: usize = 64 * 1024;
const SHORTEST_WALKED: usize = 1024;
/// Bytes that are added to it at first: most records have fewer.
const ADDED: usize = 4 * 1024;

/// Takes the records that a [`LogReader`](super::LogReader) finds.
pub trait RecordSink {
    /// One member of `Records`: the bytes of one JSON value, which may still be malformed inside, and its two names, if it is
    /// an object that states them plainly.
    fn record(&mut self, bytes: &[u8], names: Option<Names<'_>>);
    /// A member of `Records` with more than [`MAX_RECORD_BYTES`] bytes. Its content was not kept.
    fn oversize_record(&mut self);
    /// There was so much to do that this is no log of CloudTrail's, and nothing more of it is read.
    fn gives_up(&self) -> bool {
        false
    }
}

/// Why a delivered log could not be read to its end. What came before has been read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The compressed data is wrong or ends early.
    #[error("it is not gzip, or the gzip data is damaged, after {unpacked} unpacked bytes ({detail})")]
    Gzip {
        /// Bytes unpacked before the damage.
        unpacked: u64,
        /// What the decoder said.
        detail: String,
    },
    /// The unpacked text is not the JSON document that CloudTrail writes.
    #[error("it is not a CloudTrail log: {detail}, at unpacked byte {at}")]
    Json {
        /// Offset in the unpacked text.
        at: u64,
        /// What was expected.
        detail: &'static str,
    },
    /// It holds more work than any log of CloudTrail's.
    #[error(
        "more of its records match rules, nearly match or cannot be read than any CloudTrail log has; it was read up to unpacked byte {at}"
    )]
    TooMany {
        /// Offset in the unpacked text.
        at: u64,
    },
    /// The log unpacks to more than the limit that was set.
    #[error("it unpacks to more than the limit of {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
}

impl Damage {
    /// One stable word for what is wrong, independent of where in the file it is.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Gzip { .. } => "gzip",
            Self::Json { .. } => "json",
            Self::TooMany { .. } => "too-many",
            Self::TooLarge { .. } => "too-large",
        }
    }

    /// Whether it is more than is read. It is not so because bytes were lost on the way, and no further ones undo it.
    #[must_use]
    pub fn is_excess(&self) -> bool {
        matches!(self, Self::TooMany { .. } | Self::TooLarge { .. })
    }
}

/// Where in the document we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    KeyOrEnd { first: bool },
    Key,
    Colon { is_records: bool },
    Value { is_records: bool },
    SkippedValue,
    AfterValue,
    RecordOrEnd { first: bool },
    Record,
    AfterRecord,
    End,
}

/// The document of a delivered log, fed in pieces of any size.
///
/// It follows quotes, escapes and depth exactly, so nothing inside a string or a nested object is ever taken for a record,
/// and it is iterative: nesting costs no stack. Memory is one record at most.
pub(super) struct Splitter<S> {
    pub(super) sink: S,
    pub(super) damage: Option<Damage>,
    limit: u64,
    taken: u64,
    place: Place,
    value: ValueScan,
    /// The part of the current key or record that came in earlier pieces.
    carried: Vec<u8>,
    /// What is carried is the beginning of an object, and has not been scanned.
    unscanned: bool,
    too_large: bool,
    saw_records: bool,
}

impl<S: RecordSink> Splitter<S> {
    pub(super) fn new(sink: S, limit: u64) -> Self {
        Self {
            sink,
            damage: None,
            limit,
            taken: 0,
            place: Place::Start,
            value: ValueScan::default(),
            carried: Vec::new(),
            unscanned: false,
            too_large: false,
            saw_records: false,
        }
    }

    /// Unpacked bytes taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Says that no more bytes follow.
    pub(super) fn end(&mut self) {
        if self.damage.is_none() && !(self.place == Place::End && self.saw_records) {
            let detail = match self.place {
                Place::End => "the document has no Records, where {\"Records\":[...]} was expected",
                Place::Start => "it is empty",
                _ => "the document ends early",
            };
            self.damage = Some(Damage::Json { at: self.taken, detail });
        }
    }

    /// Takes the next bytes. After damage it takes no more and answers `false`.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while self.damage.is_none() && !rest.is_empty() {
            let used = self.step(rest);
            self.taken += used as u64;
            rest = rest.get(used..).unwrap_or_default();
            if self.taken > self.limit {
                self.damage = Some(Damage::TooLarge { limit: self.limit });
            } else if self.damage.is_none() && self.sink.gives_up() {
                self.damage = Some(Damage::TooMany { at: self.taken });
            }
        }
        self.damage.is_none()
    }

    /// Takes at least one byte, or reports damage.
    fn step(&mut self, bytes: &[u8]) -> usize {
        if matches!(self.place, Place::Key | Place::SkippedValue | Place::Record) {
            return self.inside_value(bytes);
        }
        let blank = bytes.iter().take_while(|byte| is_blank(**byte)).count();
        let Some(&byte) = bytes.get(blank) else { return blank };
        let after = blank + 1;
        let (place, used) = match (self.place, byte) {
            (Place::Start, b'{') => (Place::KeyOrEnd { first: true }, after),
            (Place::KeyOrEnd { first: true } | Place::AfterValue, b'}') => (Place::End, after),
            (Place::KeyOrEnd { .. }, b'"') => (Place::Key, blank),
            (Place::Colon { is_records }, b':') => (Place::Value { is_records }, after),
            (Place::Value { is_records: true }, b'[') => {
                self.saw_records = true;
                (Place::RecordOrEnd { first: true }, after)
            }
            (Place::Value { is_records: false }, byte) if starts_value(byte) => (Place::SkippedValue, blank),
            (Place::AfterValue, b',') => (Place::KeyOrEnd { first: false }, after),
            (Place::RecordOrEnd { first: true } | Place::AfterRecord, b']') => (Place::AfterValue, after),
            (Place::AfterRecord, b',') => (Place::RecordOrEnd { first: false }, after),
            (Place::RecordOrEnd { .. }, byte) if starts_value(byte) => (Place::Record, blank),
            (place, _) => {
                let detail = match place {
                    Place::Start => "it does not begin with `{`",
                    Place::KeyOrEnd { .. } => "a key was expected",
                    Place::Colon { .. } => "`:` was expected after a key",
                    Place::Value { is_records: true } => "Records is not an array",
                    Place::RecordOrEnd { .. } => "a record was expected",
                    Place::AfterRecord => "`,` or `]` was expected after a record",
                    Place::End => "something follows the end of the document",
                    _ => "a JSON value was expected",
                };
                self.damage = Some(Damage::Json { at: self.taken + blank as u64, detail });
                return blank;
            }
        };
        self.place = place;
        if matches!(place, Place::Key | Place::SkippedValue | Place::Record) {
            self.value = ValueScan::default();
            self.carried.clear();
            self.unscanned = false;
            self.too_large = false;
            let begun = bytes.get(used..).unwrap_or_default();
            return used + if place == Place::Record { self.records(begun) } else { self.inside_value(begun) };
        }
        used
    }

    /// Takes the record that begins here, and those behind it with nothing but a comma between them, as CloudTrail
    /// writes them. Those that arrived in one piece, as nearly all do, are walked over once, and never copied.
    fn records(&mut self, bytes: &[u8]) -> usize {
        let mut used = 0;
        while let Some(walked) = bytes.get(used..).and_then(walk) {
            match bytes.get(used..used + walked.length) {
                Some(whole) if whole.len() <= MAX_RECORD_BYTES => self.sink.record(whole, walked.names),
                _ => self.sink.oversize_record(),
            }
            used += walked.length;
            self.place = Place::AfterRecord;
            let is_next = bytes.get(used..).is_some_and(|rest| rest.starts_with(b",{"));
            if !is_next || self.taken + used as u64 >= self.limit || self.sink.gives_up() {
                return used;
            }
            used += 1;
            self.place = Place::RecordOrEnd { first: false };
        }
        if used > 0 {
            return used;
        }
        self.unscanned = bytes.first() == Some(&b'{') && bytes.len() <= MOST_WALKED_ANEW;
        if self.unscanned {
            self.carried.extend_from_slice(bytes);
            return bytes.len();
        }
        self.inside_value(bytes)
    }

    /// Goes on in a record of which nothing has been scanned.
    fn walk_anew(&mut self, bytes: &[u8]) -> usize {
        let before = self.carried.len();
        let added = bytes.get(..before.max(ADDED)).unwrap_or(bytes);
        self.carried.extend_from_slice(added);
        let Some(walked) = walk(&self.carried) else { return added.len() };
        let used = walked.length.saturating_sub(before);
        self.sink.record(self.carried.get(..walked.length).unwrap_or_default(), walked.names);
        self.place = Place::AfterRecord;
        used
    }

    /// Goes on in a key, a skipped value or a record, and hands it over when it is complete.
    fn inside_value(&mut self, bytes: &[u8]) -> usize {
        if self.unscanned {
            if bytes.len() >= SHORTEST_WALKED && self.carried.len() <= MOST_WALKED_ANEW {
                return self.walk_anew(bytes);
            }
            self.unscanned = false;
            // It does not end there, or the walk would have found it.
            self.value.scan(&self.carried);
        }
        let end = self.value.scan(bytes);
        let used = end.unwrap_or(bytes.len());
        let piece = bytes.get(..used).unwrap_or_default();
        if self.place == Place::SkippedValue {
            if end.is_some() {
                self.place = Place::AfterValue;
            }
            return used;
        }
        let most = if self.place == Place::Key { MAX_KEY_BYTES } else { MAX_RECORD_BYTES };
        if self.carried.len() + piece.len() > most {
            self.carried = Vec::new();
            self.too_large = true;
        }
        if end.is_none() {
            if !self.too_large {
                self.carried.extend_from_slice(piece);
            }
            return used;
        }
        let whole = if self.carried.is_empty() {
            piece
        } else {
            self.carried.extend_from_slice(piece);
            &self.carried
        };
        if self.place == Place::Key {
            // Decoded before it is compared: a key may be written with escapes.
            let is_records =
                !self.too_large && serde_json::from_slice::<String>(whole).is_ok_and(|key| key == "Records");
            self.place = Place::Colon { is_records };
        } else {
            if self.too_large {
                self.sink.oversize_record();
            } else {
                self.sink.record(whole, walk(whole).and_then(|walked| walked.names));
            }
            self.place = Place::AfterRecord;
        }
        used
    }
}

fn starts_value(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
}
