//! Unpacks gzip that arrives in pieces, in a window that stays in the processor's cache. Knows nothing of what is packed.
//!
//! This is the seam behind which a decoder can be exchanged; `docs/speed.md` tells which were measured. One member with a plain
//! header, as CloudTrail writes it, is unpacked by `fdeflate`, which knows no gzip: header and trailer are read here. Anything
//! else (further members, rare header fields, what is no gzip at all) is `flate2`'s.

use std::io::{self, Write as _};

use fdeflate::Decompressor;
use flate2::write::MultiGzDecoder;

/// How far deflate looks back.
const HISTORY: usize = 32 * 1024;
/// Most bytes of unpacked text that are in memory at a time, its history among them.
const WINDOW: usize = 256 * 1024;
/// As many at first: half of CloudTrail's files unpack to less.
const FIRST_WINDOW: usize = 64 * 1024;
/// Fills what of the window is not written yet. No byte of UTF-8 has this value.
const UNWRITTEN: u8 = 0xff;
/// The decoder writes at most so many bytes past the place that it has reached.
const OVERRUN: usize = 16;
/// Longest header that is read here; only a file's name makes it longer than ten bytes.
const MAX_HEADER: usize = 1024;
/// What a member begins with: gzip, deflated.
const MEMBER: [u8; 3] = [0x1f, 0x8b, 8];
/// CRC-32 and length.
const TRAILER: usize = 8;
/// The decoder wants the four bytes of zlib's checksum, which are gzip's CRC-32 here, and may read three more.
const READ_AHEAD: usize = 3;
const TAIL: usize = 4 + READ_AHEAD;
/// Bytes that `flate2` is given at once. Unpacked they are a thousand times as many at most.
const PIECE: usize = 1024;
/// The zlib header that `fdeflate` expects where gzip's has been.
const ZLIB_HEADER: [u8; 2] = [0x78, 0x01];

/// A gzip file being unpacked. It only ever moves on from one place to the next.
pub(super) struct Inflate {
    at: At,
}

enum At {
    /// In the first member's header, of which this much has come.
    Header(Vec<u8>),
    Data(Box<Data>),
    Trailer(Trailer),
    MemberEnd,
    Unusual(Box<MultiGzDecoder<Vec<u8>>>),
}

impl At {
    fn unusual() -> Self {
        Self::Unusual(Box::new(MultiGzDecoder::new(Vec::new())))
    }
}

impl Inflate {
    pub(super) fn new() -> Self {
        Self { at: At::Header(Vec::new()) }
    }

    /// Takes the next packed bytes, and hands over what they unpack to until `take` answers `false`.
    ///
    /// # Errors
    /// What is wrong with the gzip data. What was unpacked before has been handed over.
    pub(super) fn push(&mut self, bytes: &[u8], take: &mut impl FnMut(&[u8]) -> bool) -> Result<(), String> {
        if bytes.is_empty() {
            return Ok(());
        }
        match &mut self.at {
            At::Header(header) => {
                header.extend_from_slice(bytes);
                let header = std::mem::take(header);
                match header_length(&header) {
                    HeaderLength::Incomplete => {
                        self.at = At::Header(header);
                        Ok(())
                    }
                    HeaderLength::Known(length) => {
                        self.at = At::Data(Box::new(Data::new()?));
                        self.push(header.get(length..).unwrap_or_default(), take)
                    }
                    HeaderLength::Unusual => {
                        self.at = At::unusual();
                        self.push(&header, take)
                    }
                }
            }
            At::Data(data) => {
                let used = data.unpack(bytes, take)?;
                if !data.decoder.is_done() {
                    return Ok(());
                }
                self.at = At::Trailer(data.trailer());
                self.push(bytes.get(used..).unwrap_or_default(), take)
            }
            At::Trailer(trailer) => {
                trailer.bytes.extend_from_slice(bytes);
                let Some(end) = trailer.end(false)? else { return Ok(()) };
                let behind = trailer.bytes.split_off(end);
                self.at = At::MemberEnd;
                self.push(&behind, take)
            }
            At::MemberEnd => {
                self.at = At::unusual();
                self.push(bytes, take)
            }
            At::Unusual(decoder) => {
                for piece in bytes.chunks(PIECE) {
                    if !hand_over(decoder, |decoder| decoder.write_all(piece), take)? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// Says that no more bytes follow.
    ///
    /// # Errors
    /// What is missing or wrong at the end.
    pub(super) fn finish(&mut self, take: &mut impl FnMut(&[u8]) -> bool) -> Result<(), String> {
        match &mut self.at {
            At::MemberEnd => Ok(()),
            At::Header(_) => Err("it ends before its header does".to_owned()),
            At::Data(_) => Err("it ends early".to_owned()),
            At::Trailer(trailer) => {
                let end = trailer.end(true)?.ok_or("it ends early")?;
                let behind = trailer.bytes.split_off(end);
                self.at = At::MemberEnd;
                self.push(&behind, take)?;
                self.finish(take)
            }
            At::Unusual(decoder) => hand_over(decoder, MultiGzDecoder::try_finish, take).map(|_| ()),
        }
    }
}

/// Does something with the decoder, and hands over what that unpacks; after an error, too.
fn hand_over(
    decoder: &mut MultiGzDecoder<Vec<u8>>,
    act: impl FnOnce(&mut MultiGzDecoder<Vec<u8>>) -> io::Result<()>,
    take: &mut impl FnMut(&[u8]) -> bool,
) -> Result<bool, String> {
    let acted = act(decoder);
    if acted.is_err() {
        // What was unpacked before the damage still waits in the decoder. The first error is the one to tell.
        decoder.try_finish().ok();
    }
    let wanted = take(decoder.get_ref());
    decoder.get_mut().clear();
    acted.map(|()| wanted).map_err(|error| error.to_string())
}

enum HeaderLength {
    Incomplete,
    Known(usize),
    Unusual,
}

/// The length of a header of ten fixed bytes and, where the fourth says so, a file's name.
fn header_length(bytes: &[u8]) -> HeaderLength {
    let known = bytes.iter().zip(MEMBER).all(|(byte, wanted)| *byte == wanted);
    match bytes.get(3) {
        _ if !known => HeaderLength::Unusual,
        Some(0) if bytes.len() >= 10 => HeaderLength::Known(10),
        Some(8) => match bytes.iter().take(MAX_HEADER).skip(10).position(|byte| *byte == 0) {
            Some(name) => HeaderLength::Known(10 + name + 1),
            None if bytes.len() < MAX_HEADER => HeaderLength::Incomplete,
            None => HeaderLength::Unusual,
        },
        Some(0) | None => HeaderLength::Incomplete,
        Some(_) => HeaderLength::Unusual,
    }
}

/// The packed data of a member.
struct Data {
    decoder: Decompressor,
    window: Vec<u8>,
    /// How much of the window is written.
    written: usize,
    crc: crc32fast::Hasher,
    /// Of the unpacked text, as gzip counts: modulo 2^32.
    length: u32,
    /// The last bytes that the decoder has taken.
    tail: Vec<u8>,
}

impl Data {
    fn new() -> Result<Self, String> {
        let mut decoder = Decompressor::new();
        decoder.ignore_adler32();
        let mut window = vec![UNWRITTEN; FIRST_WINDOW];
        decoder.read(&ZLIB_HEADER, &mut window, 0, false).map_err(|error| format!("{error:?}"))?;
        Ok(Self { decoder, window, written: 0, crc: crc32fast::Hasher::new(), length: 0, tail: Vec::new() })
    }

    /// How many of the packed bytes were used: all of them, unless the data ends or no more is wanted.
    fn unpack(&mut self, bytes: &[u8], take: &mut impl FnMut(&[u8]) -> bool) -> Result<usize, String> {
        let mut used = 0;
        loop {
            if self.written == self.window.len() && self.written < WINDOW {
                self.window.resize(2 * self.written, UNWRITTEN);
            } else if self.written == self.window.len() {
                self.window.copy_within(WINDOW - HISTORY.., 0);
                self.window.get_mut(HISTORY..).unwrap_or_default().fill(UNWRITTEN);
                self.written = HISTORY;
            }
            let rest = bytes.get(used..).unwrap_or_default();
            let (taken, made) = match self.decoder.read(rest, &mut self.window, self.written, false) {
                Ok(counts) => counts,
                Err(error) => {
                    take(self.surely_written());
                    return Err(format!("{error:?}"));
                }
            };
            used += taken;
            self.remember(rest.get(..taken).unwrap_or_default());
            let text = self.window.get(self.written..self.written + made).unwrap_or_default();
            self.crc.update(text);
            self.length = self.length.wrapping_add(u32::try_from(made).unwrap_or_default());
            self.written += made;
            if !take(text) || self.decoder.is_done() || self.written < self.window.len() {
                return Ok(used);
            }
        }
    }

    fn remember(&mut self, taken: &[u8]) {
        self.tail.extend_from_slice(taken.get(taken.len().saturating_sub(TAIL)..).unwrap_or_default());
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
    }

    /// What an error left behind: the decoder does not say how far it came.
    fn surely_written(&self) -> &[u8] {
        let rest = self.window.get(self.written..).unwrap_or_default();
        let end = rest.iter().rposition(|byte| *byte != UNWRITTEN).map_or(0, |last| last + 1);
        rest.get(..end.saturating_sub(OVERRUN)).unwrap_or_default()
    }

    fn trailer(&self) -> Trailer {
        let mut expected = [0; TRAILER];
        let fields = self.crc.clone().finalize().to_le_bytes().into_iter().chain(self.length.to_le_bytes());
        expected.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        Trailer { expected, bytes: self.tail.clone() }
    }
}

/// The end of a member.
struct Trailer {
    expected: [u8; TRAILER],
    /// From the last bytes on that the decoder has taken.
    bytes: Vec<u8>,
}

impl Trailer {
    /// Where in its bytes it ends; nothing if more must come. The decoder may have read up to [`READ_AHEAD`] bytes too many
    /// and does not say how many. Sixty-four bits that must be right tell the place. Where they are right at two places (those of
    /// an empty member are zeros, as is the byte before them), what follows decides: nothing, or another member.
    fn end(&self, is_all: bool) -> Result<Option<usize>, String> {
        if !is_all && self.bytes.len() < READ_AHEAD + TRAILER {
            return Ok(None);
        }
        let places = self.bytes.windows(TRAILER).take(READ_AHEAD + 1).enumerate();
        let ends: Vec<usize> =
            places.filter(|(_, place)| *place == self.expected).map(|(at, _)| at + TRAILER).collect();
        let is_followed = |end: &&usize| {
            let behind = self.bytes.get(**end..).unwrap_or_default();
            behind.iter().zip(MEMBER).all(|(byte, wanted)| *byte == wanted)
        };
        match ends.iter().find(is_followed).or(ends.first()) {
            Some(end) => Ok(Some(*end)),
            None if self.bytes.len() < READ_AHEAD + TRAILER => Ok(None),
            None => Err("its checksum or its length does not match".to_owned()),
        }
    }
}
