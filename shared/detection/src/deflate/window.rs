//! Unpacked text, its end at least, and room for more. Knows nothing of how it is packed.

/// How far deflate looks back, in bytes.
pub(crate) const HISTORY: usize = 32 * 1024;
/// With less room than this nothing is unpacked: a match of 258 bytes, the literals of a turn before it, and what is written too
/// much because it is written by the chunk.
pub(super) const ROOM: usize = 384;
/// Bytes that are copied at a time. Most matches are one chunk: how long they are cannot be foretold, and a processor that guesses
/// wrong loses more than copying too much costs.
const CHUNK: usize = 64;

/// Bytes that are written from the beginning on.
pub(crate) struct Window {
    bytes: Vec<u8>,
    written: usize,
}

impl Window {
    /// With so many bytes, all of which are room.
    pub(crate) fn new(size: usize) -> Self {
        Self { bytes: vec![0; size], written: 0 }
    }

    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes of it are text.
    pub(crate) fn written(&self) -> usize {
        self.written
    }

    /// The text from there on.
    pub(crate) fn text(&self, from: usize) -> &[u8] {
        self.bytes.get(from..self.written).unwrap_or_default()
    }

    /// Forgets all text.
    pub(crate) fn clear(&mut self) {
        self.written = 0;
    }

    /// Becomes twice as large.
    pub(crate) fn grow(&mut self) {
        self.bytes.resize(2 * self.bytes.len(), 0);
    }

    /// Makes room by forgetting what deflate does not look back to.
    pub(crate) fn slide(&mut self) {
        let kept = self.written.min(HISTORY);
        self.bytes.copy_within(self.written - kept..self.written, 0);
        self.written = kept;
    }

    /// The text alone.
    pub(crate) fn into_text(mut self) -> Vec<u8> {
        self.bytes.truncate(self.written);
        self.bytes
    }

    pub(super) fn is_full(&self) -> bool {
        self.room() < ROOM
    }

    pub(super) fn room(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Adds as much of this as there is room for, and answers how much that is.
    pub(super) fn append(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        if let Some(place) = self.bytes.get_mut(self.written..self.written + count)
            && let Some(bytes) = bytes.get(..count)
        {
            place.copy_from_slice(bytes);
        }
        self.written += count;
        count
    }

    /// Adds what begins so many bytes before the end and may go on behind it. Nothing if that is before the beginning.
    pub(super) fn repeat(&mut self, distance: usize, length: usize) -> Option<()> {
        self.written = repeat(&mut self.bytes, self.written, distance, length)?;
        Some(())
    }

    /// All bytes, and how many of them are text, for who writes them himself.
    pub(super) fn parts(&mut self) -> (&mut [u8], &mut usize) {
        (&mut self.bytes, &mut self.written)
    }
}

/// Writes to this place so many bytes from `distance` before it on, and answers where they end: nothing if they would begin before
/// the beginning. Writes up to a chunk more, for which there must be room.
#[inline]
pub(super) fn repeat(bytes: &mut [u8], at: usize, distance: usize, length: usize) -> Option<usize> {
    let from = at.checked_sub(distance)?;
    if distance < CHUNK {
        return repeat_overlapping(bytes, from, at, length);
    }
    let (text, room) = bytes.split_at_mut_checked(at)?;
    *room.first_chunk_mut::<CHUNK>()? = *text.get(from..)?.first_chunk()?;
    if length > CHUNK {
        return copy_chunks(bytes, from + CHUNK, at + CHUNK, at + length);
    }
    Some(at + length)
}

/// What repeats itself every three bytes does so every six as well, and so on until a chunk can be copied.
#[cold]
fn repeat_overlapping(bytes: &mut [u8], from: usize, at: usize, length: usize) -> Option<usize> {
    let (mut to, mut period) = (at, at - from);
    while period < CHUNK {
        copy_chunk(bytes, from, to)?;
        to += period;
        period *= 2;
    }
    copy_chunks(bytes, from, to, at + length)
}

#[inline]
fn copy_chunks(bytes: &mut [u8], mut from: usize, mut to: usize, end: usize) -> Option<usize> {
    while to < end {
        copy_chunk(bytes, from, to)?;
        from += CHUNK;
        to += CHUNK;
    }
    Some(end)
}

#[inline]
fn copy_chunk(bytes: &mut [u8], from: usize, to: usize) -> Option<()> {
    let chunk = *bytes.get(from..)?.first_chunk::<CHUNK>()?;
    *bytes.get_mut(to..)?.first_chunk_mut()? = chunk;
    Some(())
}
