//! Unpacks gzip that arrives in pieces, in a window that stays in the processor's cache. Knows nothing of what is packed.
//!
//! Members with a plain header, as CloudTrail writes them, are unpacked by our own [`Deflate`]; `docs/speed.md` tells what else was
//! measured. From the first one on that has another (rare header fields, what is no gzip at all), a file is `flate2`'s.

use std::io::{self, Write as _};

use flate2::write::MultiGzDecoder;

use crate::deflate::{Deflate, Stop, Window};

/// Most bytes of unpacked text that are in memory at a time, its history among them. With twice as many a large file is no faster,
/// and one of middle size is slower: memory that is new to the process has to be asked for, page by page.
const WINDOW: usize = 128 * 1024;
/// As many at first: half of CloudTrail's files unpack to less.
const FIRST_WINDOW: usize = 64 * 1024;
/// Longest header that is read here; only a file's name makes it longer than ten bytes.
const MAX_HEADER: usize = 1024;
/// What a member begins with: gzip, deflated.
const MEMBER: [u8; 3] = [0x1f, 0x8b, 8];
/// CRC-32 and length.
const TRAILER: usize = 8;
/// Bytes that `flate2` is given at once. Unpacked they are a thousand times as many at most.
const PIECE: usize = 1024;

/// A gzip file being unpacked.
pub(super) struct Inflate {
    at: At,
    member: Member,
    /// A member has come to its end.
    is_any_whole: bool,
}

enum At {
    /// In a member's header, of which this much has come.
    Header(Vec<u8>),
    Data,
    /// In its trailer, of which this much has come.
    Trailer(Vec<u8>),
    Unusual(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Inflate {
    pub(super) fn new() -> Self {
        Self { at: At::Header(Vec::new()), member: Member::new(), is_any_whole: false }
    }

    /// Takes the next packed bytes, and hands over what they unpack to until `take` answers `false`.
    ///
    /// # Errors
    /// What is wrong with the gzip data. What was unpacked before has been handed over.
    pub(super) fn push(&mut self, mut bytes: &[u8], take: &mut impl FnMut(&[u8]) -> bool) -> Result<(), String> {
        while !bytes.is_empty() {
            match &mut self.at {
                At::Header(header) => {
                    let before = header.len();
                    let taken = bytes.len().min(MAX_HEADER - before);
                    header.extend_from_slice(bytes.get(..taken).unwrap_or_default());
                    match header_length(header) {
                        HeaderLength::Incomplete => return Ok(()),
                        HeaderLength::Known(length) => {
                            bytes = bytes.get(length - before..).unwrap_or_default();
                            self.member.restart();
                            self.at = At::Data;
                        }
                        HeaderLength::Unusual => {
                            header.truncate(before);
                            let header = std::mem::take(header);
                            self.at = At::Unusual(Box::new(MultiGzDecoder::new(Vec::new())));
                            self.push(&header, take)?;
                        }
                    }
                }
                At::Data => {
                    if self.member.unpack(&mut bytes, take)? == Stop::End {
                        self.at = At::Trailer(self.member.deflate.unused().collect());
                    }
                }
                At::Trailer(trailer) => {
                    let (rest, behind) = bytes.split_at(bytes.len().min(TRAILER - trailer.len()));
                    trailer.extend_from_slice(rest);
                    bytes = behind;
                    if trailer.len() == TRAILER {
                        if !self.member.ends_with(trailer) {
                            return Err("its checksum or its length does not match".to_owned());
                        }
                        self.is_any_whole = true;
                        self.at = At::Header(Vec::new());
                    }
                }
                At::Unusual(decoder) => {
                    for piece in bytes.chunks(PIECE) {
                        if !hand_over(decoder, |decoder| decoder.write_all(piece), take)? {
                            break;
                        }
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Says that no more bytes follow.
    ///
    /// # Errors
    /// What is missing or wrong at the end.
    pub(super) fn finish(&mut self, take: &mut impl FnMut(&[u8]) -> bool) -> Result<(), String> {
        match &mut self.at {
            At::Header(header) if header.is_empty() && self.is_any_whole => Ok(()),
            At::Header(_) => Err("it ends before its header does".to_owned()),
            At::Data | At::Trailer(_) => Err("it ends early".to_owned()),
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

/// The packed data of a member, and what its trailer must say.
struct Member {
    deflate: Deflate,
    window: Window,
    crc: crc32fast::Hasher,
    /// Of the unpacked text, as gzip counts: modulo 2^32.
    length: u32,
}

impl Member {
    fn new() -> Self {
        Self { deflate: Deflate::new(), window: Window::new(FIRST_WINDOW), crc: crc32fast::Hasher::new(), length: 0 }
    }

    /// The next one.
    fn restart(&mut self) {
        self.deflate.restart();
        self.window.clear();
        self.crc.reset();
        self.length = 0;
    }

    /// Takes bytes until they end or the data does. If no more is wanted, none are left.
    fn unpack(&mut self, bytes: &mut &[u8], take: &mut impl FnMut(&[u8]) -> bool) -> Result<Stop, String> {
        loop {
            let before = self.window.written();
            let stop = self.deflate.unpack(bytes, &mut self.window);
            let text = self.window.text(before);
            self.crc.update(text);
            self.length = self.length.wrapping_add(u32::try_from(text.len()).unwrap_or_default());
            let is_wanted = take(text);
            match stop? {
                Stop::Room if !is_wanted => {
                    *bytes = &[];
                    return Ok(Stop::Room);
                }
                Stop::Room if self.window.size() < WINDOW => self.window.grow(),
                Stop::Room => self.window.slide(),
                stop => return Ok(stop),
            }
        }
    }

    fn ends_with(&self, trailer: &[u8]) -> bool {
        let expected = [self.crc.clone().finalize().to_le_bytes(), self.length.to_le_bytes()];
        trailer == expected.as_flattened()
    }
}
