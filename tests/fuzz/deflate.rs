//! Any bytes as deflated data, in pieces of any size: the text is the one that `flate2` makes of them, also before a fault, and
//! they are whole for us where they are for it, up to the same byte.

use detection::delivered_log::unpack;
use flate2::{Crc, Decompress, FlushDecompress, Status};

/// Longer texts are left out: deflate makes a thousand bytes of one.
const LIMIT: usize = 1 << 20;
/// Of a gzip file without a name.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// The first byte says in what pieces the others come.
pub fn check(bytes: &[u8]) {
    let [piece, packed @ ..] = bytes else { return };
    let mut text = vec![0; LIMIT];
    let mut decoder = Decompress::new(false);
    let status = decoder.decompress(packed, &mut text, FlushDecompress::None);
    let [taken, length] = [decoder.total_in(), decoder.total_out()].map(|count| usize::try_from(count).unwrap());
    if length == LIMIT {
        return;
    }
    text.truncate(length);
    let is_whole = matches!(status, Ok(Status::StreamEnd));
    // As gzip: what its trailer says must stand right behind the data.
    let mut gzip = HEADER.to_vec();
    gzip.extend(if is_whole { &packed[..taken] } else { packed });
    if is_whole {
        let mut crc = Crc::new();
        crc.update(&text);
        gzip.extend(crc.sum().to_le_bytes());
        gzip.extend(crc.amount().to_le_bytes());
    }
    for piece in [usize::MAX, usize::from(*piece).max(1)] {
        let mut unpacked = Vec::new();
        let outcome = unpack(&gzip, piece, |text| unpacked.extend_from_slice(text));
        assert_eq!(outcome.is_ok(), is_whole, "pieces of {piece}: {outcome:?}, {status:?}");
        assert!(unpacked == text, "pieces of {piece}: {} bytes, not the {length} of flate2", unpacked.len());
    }
}
