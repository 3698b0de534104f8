//! Unpacks deflate (RFC 1951) that arrives in pieces. Knows nothing of gzip or zlib around it, and not whose bytes these are.
//!
//! - [`window`]: the text that is unpacked
//! - [`bits`]: what is packed, bit by bit
//! - [`entry`]: what bits mean; [`code`]: a Huffman code, which tells it
//! - [`codes`]: those of a block, and how they are read
//! - [`symbols`]: a block's text; nearly all time is spent there
//!
//! What a stream may say and what not is as in zlib. A test holds the two against each other.

mod bits;
mod code;
mod codes;
mod entry;
mod symbols;
mod window;

use bits::Bits;
use codes::Codes;
pub(crate) use window::Window;

/// What is wrong with packed data.
pub(crate) type Fault = &'static str;

/// What a block must hold on the average, in bytes of text: to read its codes takes as long as to unpack some thousand bytes. Those
/// that encoders make hold thousands, unless somebody flushes them for every line.
const LEAST_OF_BLOCK: usize = 256;
/// What is taken to have been unpacked before the first.
const AHEAD_OF_BLOCKS: usize = 32 << 20;

/// Why unpacking stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// All input is taken.
    Input,
    /// The window is full.
    Room,
    /// The data has ended.
    End,
}

/// Deflated data being unpacked. It is to be asked no more after a fault.
pub(crate) struct Deflate {
    at: At,
    is_last_block: bool,
    bits: Bits,
    codes: Box<Codes>,
    /// Bytes of text for which there was no block yet. A few bits may be a block of no text, so what is packed may be nothing but
    /// blocks, and no limit on text would ever end it.
    ahead: usize,
}

/// Where in the data.
#[derive(Clone, Copy)]
enum At {
    BlockHeader,
    StoredHeader,
    /// In a block that is not packed, of which so many bytes are left.
    Stored(usize),
    CodesHeader,
    /// So many lengths are read of the code in which the lengths of all others are written.
    LengthCodes(usize),
    /// So many lengths of codes are read.
    Codes(usize),
    Symbols,
    End,
}

/// The text of all the data at once.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn unpack(mut packed: &[u8]) -> Result<Vec<u8>, Fault> {
    let (mut deflate, mut window) = (Deflate::new(), Window::new(4 * packed.len() + 1024));
    loop {
        match deflate.unpack(&mut packed, &mut window)? {
            Stop::Input => return Err("it ends early"),
            Stop::Room => window.grow(),
            Stop::End => return Ok(window.into_text()),
        }
    }
}

impl Deflate {
    pub(crate) fn new() -> Self {
        Self {
            at: At::BlockHeader,
            is_last_block: false,
            bits: Bits::default(),
            codes: Box::new(Codes::new()),
            ahead: AHEAD_OF_BLOCKS,
        }
    }

    /// Begins with other data of the same file, which has no more blocks than one.
    pub(crate) fn restart(&mut self) {
        self.at = At::BlockHeader;
        self.is_last_block = false;
        self.bits = Bits::default();
    }

    /// Unpacks until there is no more input or no more room; what it takes is no longer in `input` afterwards.
    ///
    /// # Errors
    /// What is wrong with the data. All text before that has been written.
    pub(crate) fn unpack(&mut self, input: &mut &[u8], window: &mut Window) -> Result<Stop, Fault> {
        let before = window.written();
        let stop = self.unpack_on(input, window);
        self.ahead += window.written() - before;
        stop
    }

    fn unpack_on(&mut self, input: &mut &[u8], window: &mut Window) -> Result<Stop, Fault> {
        loop {
            self.bits.refill(input);
            let stop = match self.at {
                At::BlockHeader => self.block_header()?,
                At::StoredHeader => self.stored_header()?,
                At::Stored(left) => self.stored(left, input, window),
                At::CodesHeader => self.codes_header()?,
                At::LengthCodes(read) => self.length_codes(read)?,
                At::Codes(read) => self.code_lengths(read, input)?,
                At::Symbols => {
                    let stop = self.symbols(input, window)?;
                    if stop.is_none() {
                        self.block_ends();
                    }
                    stop
                }
                At::End => Some(Stop::End),
            };
            if let Some(stop) = stop {
                return Ok(stop);
            }
        }
    }

    /// After the end of the data: whole bytes that were taken from the input and are not its own, seven at most.
    pub(crate) fn unused(&mut self) -> impl Iterator<Item = u8> {
        self.bits.align();
        std::iter::from_fn(|| self.bits.take_byte())
    }

    fn block_ends(&mut self) {
        self.at = if self.is_last_block { At::End } else { At::BlockHeader };
    }

    fn block_header(&mut self) -> Result<Option<Stop>, Fault> {
        let Some(header) = self.bits.take(3) else { return Ok(Some(Stop::Input)) };
        self.ahead = self.ahead.checked_sub(LEAST_OF_BLOCK).ok_or("blocks of hardly any text, very many of them")?;
        self.is_last_block = header & 1 == 1;
        self.at = match header >> 1 {
            0 => At::StoredHeader,
            1 => {
                self.codes.fix()?;
                At::Symbols
            }
            2 => At::CodesHeader,
            _ => return Err("a block of no known kind"),
        };
        Ok(None)
    }

    fn stored_header(&mut self) -> Result<Option<Stop>, Fault> {
        let rest = self.bits.count() % 8;
        if self.bits.count() < rest + 32 {
            return Ok(Some(Stop::Input));
        }
        self.bits.align();
        let (length, inverted) = (self.bits.take(16).unwrap_or_default(), self.bits.take(16).unwrap_or_default());
        if length != inverted ^ 0xffff {
            return Err("a stored block that says two lengths");
        }
        self.at = At::Stored(length);
        Ok(None)
    }

    fn stored(&mut self, mut left: usize, input: &mut &[u8], window: &mut Window) -> Option<Stop> {
        // Bytes that were taken as bits come first.
        while left > 0
            && window.room() > 0
            && let Some(byte) = self.bits.take_byte()
        {
            left -= window.append(&[byte]);
        }
        if self.bits.count() == 0 {
            // What stands there uncounted is about to be taken as bytes.
            self.bits = Bits::default();
            let taken = window.append(input.get(..left.min(input.len())).unwrap_or_default());
            *input = input.get(taken..).unwrap_or_default();
            left -= taken;
        }
        self.at = At::Stored(left);
        if left == 0 {
            self.block_ends();
            None
        } else if window.room() == 0 {
            Some(Stop::Room)
        } else {
            Some(Stop::Input)
        }
    }
}

#[cfg(test)]
mod tests;
