//! Reads a delivered log from pieces of its object: unzip, then cut into records. Knows nothing of where the pieces come from.

use super::{
    inflate::Inflate,
    splitter::{Damage, RecordSink, Splitter},
};

/// How the bytes of a log are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As CloudTrail delivers: gzip, of one or several members.
    Gzip,
    /// Unpacked JSON, as people keep it on their own disks.
    Plain,
}

/// One delivered log, pushed in as its bytes arrive.
///
/// Memory does not grow with the log: a window of the decoder and one record of at most
/// [`MAX_RECORD_BYTES`](super::MAX_RECORD_BYTES) bytes.
pub struct LogReader<S: RecordSink> {
    /// `None` for a plain log.
    inflate: Option<Inflate>,
    splitter: Splitter<S>,
    gzip_error: Option<String>,
}

impl<S: RecordSink> LogReader<S> {
    /// `limit` is the most bytes that the log may unpack to. Records are handed to `sink` in the order of the file.
    #[must_use]
    pub fn new(sink: S, encoding: Encoding, limit: u64) -> Self {
        let inflate = (encoding == Encoding::Gzip).then(Inflate::new);
        Self { inflate, splitter: Splitter::new(sink, limit), gzip_error: None }
    }

    /// Takes the next bytes of the object. After damage it takes no more and answers `false`.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        if !self.is_damaged() {
            let splitter = &mut self.splitter;
            match &mut self.inflate {
                Some(inflate) => self.gzip_error = inflate.push(bytes, &mut |text| splitter.feed(text)).err(),
                None => {
                    splitter.feed(bytes);
                }
            }
        }
        !self.is_damaged()
    }

    fn is_damaged(&self) -> bool {
        self.gzip_error.is_some() || self.splitter.damage.is_some()
    }

    /// Whether the log is more than is read.
    pub(crate) fn is_excess(&self) -> bool {
        self.splitter.damage.as_ref().is_some_and(Damage::is_excess)
    }

    /// Ends the log: the sink, the unpacked size in bytes, and what was wrong, if anything was.
    ///
    /// Only call it on a complete object: a log that merely arrived short is not damaged.
    pub fn finish(mut self) -> (S, u64, Option<Damage>) {
        let splitter = &mut self.splitter;
        if self.gzip_error.is_none()
            && splitter.damage.is_none()
            && let Some(inflate) = &mut self.inflate
        {
            self.gzip_error = inflate.finish(&mut |text| splitter.feed(text)).err();
        }
        if self.gzip_error.is_none() {
            splitter.end();
        }
        let unpacked = splitter.taken();
        // Text that is wrong comes before packed data that is wrong.
        let damage = splitter.damage.take();
        let damage = damage.or_else(|| self.gzip_error.map(|detail| Damage::Gzip { unpacked, detail }));
        (self.splitter.sink, unpacked, damage)
    }
}

#[cfg(test)]
mod tests;
