//! What is unpacked, held against `flate2`, which is zlib: what six encoders make of many texts, streams that no encoder makes,
//! and every way to damage some of them. Both must give the same text, also before a fault, and take the same bytes.

mod blocks;

use flate2::{Compression, FlushDecompress, Status, write::DeflateEncoder};
use libdeflater::{CompressionLvl, Compressor};
use std::io::Write as _;
use zlib_rs::{DeflateConfig, Strategy, compress_bound, compress_slice};

use super::*;

/// What became of a stream: its text, and how many bytes of it were taken if it is whole; else whether it is wrong or short.
#[derive(Debug, PartialEq, Eq)]
enum End {
    After(usize),
    Short,
    Wrong,
}

fn theirs(packed: &[u8]) -> (Vec<u8>, End) {
    let mut decoder = flate2::Decompress::new(false);
    let mut text = vec![0; 1 << 16];
    loop {
        let (taken, written) = (usize::try_from(decoder.total_in()), usize::try_from(decoder.total_out()));
        let (taken, written) = (taken.unwrap(), written.unwrap());
        let room = text.len() - written;
        let status = decoder.decompress(&packed[taken..], &mut text[written..], FlushDecompress::None);
        let now = usize::try_from(decoder.total_out()).unwrap();
        let end = match status {
            Ok(Status::StreamEnd) => End::After(usize::try_from(decoder.total_in()).unwrap()),
            Err(_) => End::Wrong,
            Ok(_) if now - written < room => End::Short,
            Ok(_) => {
                text.resize(2 * text.len(), 0);
                continue;
            }
        };
        text.truncate(now);
        return (text, end);
    }
}

/// In pieces of this size, through a window that slides.
fn ours(packed: &[u8], piece: usize) -> (Vec<u8>, End) {
    let (mut deflate, mut window, mut text) = (Deflate::new(), Window::new(64 * 1024), Vec::new());
    let mut taken = 0;
    for mut input in packed.chunks(piece) {
        loop {
            let (before, given) = (window.written(), input.len());
            let stop = deflate.unpack(&mut input, &mut window);
            text.extend_from_slice(window.text(before));
            taken += given - input.len();
            match stop {
                Ok(Stop::Input) => {
                    assert!(input.is_empty());
                    break;
                }
                Ok(Stop::Room) => window.slide(),
                Ok(Stop::End) => return (text, End::After(taken - deflate.unused().count())),
                Err(_) => return (text, End::Wrong),
            }
        }
    }
    (text, End::Short)
}

#[track_caller]
fn assert_same(packed: &[u8], pieces: &[usize]) -> (Vec<u8>, End) {
    let expected = theirs(packed);
    for piece in pieces {
        let (text, end) = ours(packed, *piece);
        assert_eq!((text.len(), &end), (expected.0.len(), &expected.1), "pieces of {piece}");
        assert!(text == expected.0, "pieces of {piece}");
    }
    expected
}

fn zlib(text: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib_with(text: &[u8], strategy: Strategy, mem_level: i32) -> Vec<u8> {
    let mut packed = vec![0; compress_bound(text.len()) + 64];
    let config = DeflateConfig { level: 6, window_bits: -15, mem_level, strategy, ..DeflateConfig::default() };
    let (packed, _) = compress_slice(&mut packed, text, config);
    packed.to_vec()
}

fn libdeflate(text: &[u8], level: i32) -> Vec<u8> {
    let mut encoder = Compressor::new(CompressionLvl::new(level).unwrap());
    let mut packed = vec![0; encoder.deflate_compress_bound(text.len())];
    let length = encoder.deflate_compress(text, &mut packed).unwrap();
    packed.truncate(length);
    packed
}

/// What all encoders make of a text.
fn packed_in_all_ways(text: &[u8]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = (0..=9).map(|level| zlib(text, level)).collect();
    all.extend((0..=12).map(|level| libdeflate(text, level)));
    for strategy in [Strategy::Filtered, Strategy::HuffmanOnly, Strategy::Rle, Strategy::Fixed] {
        all.push(zlib_with(text, strategy, 8));
    }
    // A block for every few hundred symbols.
    all.push(zlib_with(text, Strategy::Default, 1));
    all
}

fn records(count: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    let records: Vec<String> = (0..count)
        .map(|number| {
            let id = random.u128(..);
            let action = random.choice(["GetObject", "Decrypt", "AssumeRole", "InvokeModel"]).unwrap();
            format!(
                r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","accountId":"111122223333"}},"eventName":"{action}","requestID":"{id:032x}","n":{number},"errorMessage":"{}"}}"#,
                "é".repeat(random.usize(..40))
            )
        })
        .collect();
    format!(r#"{{"Records":[{}]}}"#, records.join(",")).into_bytes()
}

/// Texts of every kind that takes another way through the decoder.
fn texts() -> Vec<Vec<u8>> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut texts = vec![Vec::new(), b"a".to_vec(), b"ab".to_vec(), vec![b' '; 300_000], records(3), records(900)];
    texts.push((0..100_000).map(|_| random.u8(..)).collect());
    texts.push((0..100_000).map(|_| random.u8(..8)).collect());
    // Every byte value, some a thousand times as often as others: codes of all lengths.
    texts.push((0..200_000).map(|_| random.u8(..) >> random.u8(..8) >> random.u8(..2)).collect());
    // What repeats itself after every short distance.
    for period in (1..140).step_by(3) {
        let pattern: Vec<u8> = (0..period).map(|_| random.u8(..)).collect();
        texts.push(pattern.iter().copied().cycle().take(700).collect());
    }
    // Random bytes that come again, some from as far back as can be.
    let mut text: Vec<u8> = (0..32_768).map(|_| random.u8(..)).collect();
    for _ in 0..3_000 {
        let length = random.usize(3..300).min(text.len());
        let from = text.len() - random.usize(length..=32_768.min(text.len()));
        text.extend_from_within(from..from + length);
    }
    texts.push(text);
    texts
}

#[test]
fn whatever_an_encoder_makes_is_unpacked() {
    for (number, text) in texts().iter().enumerate() {
        for (way, packed) in packed_in_all_ways(text).iter().enumerate() {
            let (unpacked, end) = assert_same(packed, &[usize::MAX, 65_536, 1_000, 17, 1]);
            assert!(unpacked == *text, "text {number}, way {way}");
            assert_eq!(end, End::After(packed.len()), "text {number}, way {way}");
            assert!(unpack(packed).as_ref() == Ok(text), "text {number}, way {way}");
        }
    }
}

#[test]
fn the_size_of_the_pieces_does_not_matter() {
    let text = records(40);
    for packed in packed_in_all_ways(&text) {
        let pieces: Vec<usize> = (1..=packed.len()).step_by(1 + packed.len() / 500).collect();
        assert_same(&packed, &pieces);
    }
}

#[test]
fn what_follows_the_data_is_not_taken() {
    for packed in packed_in_all_ways(&records(2)) {
        for more in 1..20 {
            let (_, end) = assert_same(&[packed.as_slice(), &[0xa5; 20][..more]].concat(), &[usize::MAX, 100, 7, 1]);
            assert_eq!(end, End::After(packed.len()));
        }
    }
}

#[test]
fn a_stream_that_is_cut_anywhere_is_short() {
    for packed in packed_in_all_ways(&records(3)) {
        for length in 0..packed.len() {
            let (_, end) = assert_same(&packed[..length], &[usize::MAX, 5]);
            assert_eq!(end, End::Short, "{length}");
        }
    }
}

/// Whatever single bit is wrong: what is a fault for zlib is one for us, and nothing else.
#[test]
fn a_stream_with_any_bit_flipped_is_unpacked_as_zlib_does() {
    for text in [records(1), b"aaaaaaaaaaaaaaaaaaaaabcabcabcabcabcabc".to_vec(), Vec::new()] {
        for packed in packed_in_all_ways(&text) {
            for bit in 0..8 * packed.len() {
                let mut packed = packed.clone();
                packed[bit / 8] ^= 1 << (bit % 8);
                assert_same(&packed, &[usize::MAX, 1]);
            }
        }
    }
}

/// The same with a larger one, at random and in several places.
#[test]
fn a_stream_with_random_bytes_in_it_is_unpacked_as_zlib_does() {
    let mut random = fastrand::Rng::with_seed(3);
    for packed in packed_in_all_ways(&records(300)) {
        for _ in 0..60 {
            let mut packed = packed.clone();
            for _ in 0..random.usize(1..4) {
                let place = random.usize(..packed.len());
                packed[place] = random.u8(..);
            }
            assert_same(&packed, &[usize::MAX, random.usize(1..2_000)]);
        }
    }
}

#[test]
fn random_bytes_are_unpacked_as_zlib_does() {
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..20_000 {
        let mut packed: Vec<u8> = (0..random.usize(1..200)).map(|_| random.u8(..)).collect();
        // Each kind of block equally often, and the last one or not.
        packed[0] = packed[0] & !7 | random.u8(..6);
        assert_same(&packed, &[usize::MAX, random.usize(1..9)]);
    }
}
