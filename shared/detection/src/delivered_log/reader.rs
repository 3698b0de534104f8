//! Reads a delivered log from pieces of its object: unzip, then cut into records. Knows nothing of where the pieces come from.

use std::io::Write as _;

use flate2::write::MultiGzDecoder;

use super::splitter::{Damage, RecordSink, Splitter};

/// How the bytes of a log are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As CloudTrail delivers: gzip, of one or several members.
    Gzip,
    /// Unpacked JSON, as people keep it on their own disks.
    Plain,
}

enum Unpack<S: RecordSink> {
    Gzip(Box<MultiGzDecoder<Splitter<S>>>),
    Plain(Splitter<S>),
}

/// One delivered log, pushed in as its bytes arrive.
///
/// Memory does not grow with the log: a window of the decoder and one record of at most
/// [`MAX_RECORD_BYTES`](super::MAX_RECORD_BYTES) bytes.
pub struct LogReader<S: RecordSink> {
    unpack: Unpack<S>,
    gzip_error: Option<String>,
}

impl<S: RecordSink> LogReader<S> {
    /// `limit` is the most bytes that the log may unpack to. Records are handed to `sink` in the order of the file.
    #[must_use]
    pub fn new(sink: S, encoding: Encoding, limit: u64) -> Self {
        let splitter = Splitter::new(sink, limit);
        let unpack = match encoding {
            Encoding::Gzip => Unpack::Gzip(Box::new(MultiGzDecoder::new(splitter))),
            Encoding::Plain => Unpack::Plain(splitter),
        };
        Self { unpack, gzip_error: None }
    }

    /// Takes the next bytes of the object. After damage it takes no more and answers `false`.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        match &mut self.unpack {
            Unpack::Plain(splitter) => splitter.feed(bytes),
            Unpack::Gzip(decoder) => {
                if self.gzip_error.is_none()
                    && let Err(error) = decoder.write_all(bytes)
                {
                    self.gzip_error = Some(error.to_string());
                }
            }
        }
        self.gzip_error.is_none() && self.splitter().damage.is_none()
    }

    /// Whether the log unpacks to more than the limit.
    pub(crate) fn is_too_large(&self) -> bool {
        matches!(self.splitter().damage, Some(Damage::TooLarge { .. }))
    }

    /// Ends the log: the sink, the unpacked size in bytes, and what was wrong, if anything was.
    ///
    /// Only call it on a complete object: a log that merely arrived short is not damaged. `None` for the sink cannot
    /// happen; it is `Option` because the decoder keeps its writer after an error.
    pub fn finish(mut self) -> (Option<S>, u64, Option<Damage>) {
        if let Unpack::Gzip(decoder) = &mut self.unpack {
            // After an error, too: it hands over what had been unpacked before the damage and waits in the decoder.
            if let Err(error) = decoder.try_finish() {
                self.gzip_error.get_or_insert_with(|| error.to_string());
            }
        }
        let gzip_error = self.gzip_error.take();
        let splitter = self.splitter_mut();
        if gzip_error.is_none() {
            splitter.end();
        }
        let unpacked = splitter.taken();
        // Where the splitter stopped the decoder, the decoder's complaint is only its echo.
        let damage = splitter.damage.take().or_else(|| gzip_error.map(|detail| Damage::Gzip { unpacked, detail }));
        (splitter.sink.take(), unpacked, damage)
    }

    fn splitter(&self) -> &Splitter<S> {
        match &self.unpack {
            Unpack::Gzip(decoder) => decoder.get_ref(),
            Unpack::Plain(splitter) => splitter,
        }
    }

    fn splitter_mut(&mut self) -> &mut Splitter<S> {
        match &mut self.unpack {
            Unpack::Gzip(decoder) => decoder.get_mut(),
            Unpack::Plain(splitter) => splitter,
        }
    }
}

#[cfg(test)]
mod tests;
