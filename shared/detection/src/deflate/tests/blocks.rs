//! Blocks that no encoder makes, bit by bit: codes of every length, and everything that may not be.

use super::*;

/// Bits after one another, as deflate has them.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    count: usize,
}

impl Writer {
    /// The lowest bit first.
    fn put(&mut self, value: usize, count: usize) {
        for bit in 0..count {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= u8::from(value >> bit & 1 == 1) << (self.count % 8);
            self.count += 1;
        }
    }

    fn put_zeros(&mut self, count: usize) {
        (0..count).for_each(|_| self.put(0, 1));
    }

    /// A code: the highest bit first.
    fn put_code(&mut self, (code, length): (usize, usize)) {
        (0..length).rev().for_each(|bit| self.put(code >> bit, 1));
    }

    /// The header of a block with these codes. Their lengths are written out, each with four bits, unless they are many zeros.
    fn put_codes(&mut self, is_last: bool, literals: &[usize], distances: &[usize]) {
        self.put(usize::from(is_last) | 2 << 1, 3);
        self.put(literals.len() - 257, 5);
        self.put(distances.len() - 1, 5);
        self.put(15, 4);
        // In the order in which they are written: 16, 17, 18, and then 0 and all others.
        for symbol in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] {
            self.put(usize::from(symbol < 16) * 4, 3);
        }
        literals.iter().chain(distances).for_each(|length| self.put_code((*length, 4)));
    }
}

/// The codes of symbols, by the lengths of their codes.
fn codes(lengths: &[usize]) -> Vec<(usize, usize)> {
    let mut codes = vec![(0, 0); lengths.len()];
    let mut next = 0;
    for length in 1..=15 {
        for (code, _) in codes.iter_mut().zip(lengths).filter(|(_, of)| **of == length) {
            *code = (next, length);
            next += 1;
        }
        next <<= 1;
    }
    codes
}

/// Lengths of a whole code for so many symbols, long ones as likely as short ones.
fn lengths(count: usize, random: &mut fastrand::Rng) -> Vec<usize> {
    let mut lengths = vec![1, 1];
    while lengths.len() < count {
        // Mostly the first one that is left: one branch of the tree grows long.
        let at = if random.u8(..) < 60 { 0 } else { random.usize(..lengths.len()) };
        if lengths[at] < 15 {
            lengths[at] += 1;
            lengths.push(lengths[at]);
        } else {
            lengths.rotate_left(1);
        }
    }
    lengths
}

/// A stream of blocks with random codes, which says everything that can be said in them, and its text.
fn stream(random: &mut fastrand::Rng) -> (Vec<u8>, Vec<u8>) {
    let (mut writer, mut text) = (Writer::default(), Vec::new());
    for is_last in [false, false, true] {
        let mut of_literals = vec![0; 286];
        let symbols = random.usize(2..286);
        for length in lengths(symbols, random) {
            let free: Vec<usize> = (0..286).filter(|symbol| of_literals[*symbol] == 0).collect();
            let end_has_code = of_literals[256] > 0;
            of_literals[if end_has_code { random.choice(free).unwrap() } else { 256 }] = length;
        }
        let place = random.usize(..286);
        of_literals.swap(256, place);
        if of_literals[256] == 0 {
            of_literals.swap(256, place);
        }
        let mut of_distances = vec![0; 30];
        let symbols = random.usize(2..=30);
        of_distances[..symbols].copy_from_slice(&lengths(symbols, random));
        random.shuffle(&mut of_distances);
        writer.put_codes(is_last, &of_literals, &of_distances);
        let (literals, distances) = (codes(&of_literals), codes(&of_distances));
        let known: Vec<usize> = (0..286).filter(|symbol| *symbol != 256 && of_literals[*symbol] > 0).collect();
        let known_distances: Vec<usize> = (0..30).filter(|symbol| of_distances[*symbol] > 0).collect();
        for _ in 0..random.usize(..3_000) {
            let Some(symbol) = random.choice(&known).copied() else { break };
            if symbol < 256 {
                writer.put_code(literals[symbol]);
                text.push(u8::try_from(symbol).unwrap());
                continue;
            }
            // The tables of RFC 1951, worked out another way than the decoder does.
            let length_extra = if symbol == 285 { 0 } else { (symbol - 257) / 4 };
            let length_extra = length_extra.saturating_sub(1);
            let length_base = if symbol == 285 {
                258
            } else {
                3 + (257..symbol).map(|below| 1 << ((below - 257) / 4_usize).saturating_sub(1)).sum::<usize>()
            };
            let distance_symbol = *random.choice(&known_distances).unwrap();
            let distance_extra = (distance_symbol / 2).saturating_sub(1);
            let distance_base =
                1 + (0..distance_symbol).map(|below| 1 << (below / 2_usize).saturating_sub(1)).sum::<usize>();
            let more = random.usize(..1 << length_extra);
            let further = random.usize(..1 << distance_extra);
            let (length, distance) = (length_base + more, distance_base + further);
            if distance > text.len() {
                continue;
            }
            writer.put_code(literals[symbol]);
            writer.put(more, length_extra);
            writer.put_code(distances[distance_symbol]);
            writer.put(further, distance_extra);
            (0..length).for_each(|_| text.push(text[text.len() - distance]));
        }
        writer.put_code(literals[256]);
    }
    (writer.bytes, text)
}

#[test]
fn codes_of_every_length_are_understood() {
    let mut random = fastrand::Rng::with_seed(11);
    for number in 0..300 {
        let (packed, text) = stream(&mut random);
        let (unpacked, end) = assert_same(&packed, &[usize::MAX, 3_000, random.usize(1..50)]);
        assert!(unpacked == text, "stream {number}");
        assert_eq!(end, End::After(packed.len()), "stream {number}");
    }
}

/// What is said before a block's text, and whether that may be.
#[test]
fn codes_that_cannot_be_are_refused() {
    // 256, 257 and 258 have these lengths, and distances those.
    for (name, end, of_lengths, of_distances, end_of_stream) in [
        ("two codes of one bit each", 1, vec![1], vec![1, 1], true),
        ("no distance", 1, vec![1], vec![0], true),
        ("a distance, the only one", 1, vec![1], vec![1], true),
        ("a distance, the only one, of two bits", 1, vec![1], vec![2], false),
        ("too few distances", 1, vec![1], vec![2, 2, 2], false),
        ("too many distances", 1, vec![1], vec![1, 1, 1], false),
        ("the end, and nothing else", 1, vec![], vec![0], true),
        ("the end, and nothing else, of two bits", 2, vec![], vec![0], false),
        ("no end", 0, vec![1, 1], vec![1, 1], false),
        ("too few lengths", 2, vec![2], vec![1, 1], false),
        ("too many lengths", 1, vec![1, 1], vec![1, 1], false),
        ("codes of fifteen bits", 15, (1..=15).collect(), vec![1, 1], true),
    ] {
        let mut literals = vec![0; 256];
        literals.push(end);
        literals.extend(of_lengths);
        let mut writer = Writer::default();
        writer.put_codes(true, &literals, &of_distances);
        writer.put_code(codes(&literals)[256]);
        writer.put_zeros(24);
        let (_, end) = assert_same(&writer.bytes, &[usize::MAX, 1]);
        assert_eq!(matches!(end, End::After(_)), end_of_stream, "{name}");
    }
}

#[test]
fn what_has_no_meaning_is_refused() {
    // Fixed codes: `a`, then a length or distance. Symbols up to 287 and distances up to 31 have codes that mean nothing.
    let fixed = codes(&[[8; 144].as_slice(), &[9; 112], &[7; 24], &[8; 8]].concat());
    for (name, symbol, distance, is_wrong) in [
        ("the byte before, three times", 257, 0, false),
        ("two bytes before the end of one", 257, 1, true),
        ("symbol 286", 286, 0, true),
        ("symbol 287", 287, 0, true),
        ("distance 30", 257, 30, true),
        ("distance 31", 257, 31, true),
    ] {
        let mut writer = Writer::default();
        writer.put(0b011, 3);
        writer.put_code(fixed[usize::from(b'a')]);
        writer.put_code(fixed[symbol]);
        writer.put_code((distance, 5));
        writer.put_code(fixed[256]);
        writer.put_zeros(200);
        let (text, end) = assert_same(&writer.bytes, &[usize::MAX, 1]);
        assert_eq!(end == End::Wrong, is_wrong, "{name}");
        assert_eq!(text, if is_wrong { "a" } else { "aaaa" }.as_bytes(), "{name}");
    }
    // A length before which a distance's only code of one bit is not that one.
    let mut writer = Writer::default();
    writer.put_codes(true, &[[1].as_slice(), &[0; 255], &[2, 2]].concat(), &[1]);
    for (count, is_wrong) in [(0, false), (1, true)] {
        let mut writer = Writer { bytes: writer.bytes.clone(), count: writer.count };
        writer.put(0, 1);
        writer.put_code((3, 2));
        writer.put(count, 1);
        writer.put_code((2, 2));
        writer.put_zeros(64);
        let (_, end) = assert_same(&writer.bytes, &[usize::MAX, 1]);
        assert_eq!(end == End::Wrong, is_wrong);
    }
}

#[test]
fn headers_that_cannot_be_are_refused() {
    let wrong = |name: &str, write: &dyn Fn(&mut Writer)| {
        let mut writer = Writer::default();
        write(&mut writer);
        writer.put_zeros(400);
        assert_eq!(assert_same(&writer.bytes, &[usize::MAX, 1]).1, End::Wrong, "{name}");
    };
    wrong("a block of the fourth kind", &|writer| writer.put(0b110, 3));
    wrong("a stored block that says two lengths", &|writer| writer.put(0x0005_fffb << 8, 40));
    for (name, literals, distances) in [("287 literals and lengths", 30, 0), ("31 distances", 0, 30)] {
        wrong(name, &|writer| {
            writer.put(0b101, 3);
            writer.put(literals, 5);
            writer.put(distances, 5);
        });
    }
    // Of the code for lengths: each is said with so many bits, in the order of their being written.
    let lengths = |name: &str, is_wrong: bool, of: &[usize], then: &[(usize, usize)]| {
        let mut writer = Writer::default();
        writer.put(0b101, 3);
        writer.put(0, 10);
        writer.put(of.len() - 4, 4);
        of.iter().for_each(|length| writer.put(*length, 3));
        then.iter().for_each(|(value, count)| writer.put(*value, *count));
        writer.put_zeros(400);
        let (_, end) = assert_same(&writer.bytes, &[usize::MAX, 1]);
        assert_eq!(end == End::Wrong, is_wrong, "{name}");
    };
    lengths("no code for lengths", true, &[0, 0, 0, 0], &[]);
    lengths("a single one", true, &[0, 0, 0, 1], &[]);
    lengths("too many", true, &[1, 1, 1, 0], &[]);
    // 16 has the code 0, and 18 has 1.
    lengths("the one before the first repeated", true, &[1, 0, 1, 0], &[(0, 3)]);
    lengths("more lengths than there are", true, &[0, 0, 1, 1], &[(1, 1), (127, 7), (1, 1), (127, 7)]);
    // 0 has the code 0, 1 has 10, and 18 has 11: 256 zeros, the end, and one distance.
    let of = [0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    lengths("an end alone", false, &of, &[(3, 2), (127, 7), (3, 2), (107, 7), (1, 2), (1, 2), (0, 1)]);
}

#[test]
fn blocks_that_say_nothing_end_nothing() {
    let mut writer = Writer::default();
    for _ in 0..1_000 {
        writer.put(0b010, 3);
        writer.put(0, 7);
        writer.put(0b000, 3);
        writer.put(0, (8 - writer.count % 8) % 8);
        writer.put(0xffff_0000, 32);
    }
    writer.put(0b011, 3);
    writer.put(0, 7);
    assert_eq!(assert_same(&writer.bytes, &[usize::MAX, 700, 1]), (Vec::new(), End::After(writer.bytes.len())));
}

/// A few bits are a block of no text, so that no limit on text would ever end a stream of them.
#[test]
fn blocks_without_text_end_somewhere_and_blocks_with_text_do_not() {
    const BLOCKS: usize = 200_000;
    let stream = |text: &[u8]| {
        let mut writer = Writer::default();
        for _ in 0..BLOCKS {
            writer.put(0b010, 3);
            // Of the fixed codes, those of the literals 0 to 143 have eight bits and begin with 0x30.
            text.iter().for_each(|byte| writer.put_code((usize::from(*byte) + 0x30, 8)));
            writer.put(0, 7);
        }
        writer.put(0b011, 3);
        writer.put(0, 7);
        writer.bytes
    };
    let (text, end) = ours(&stream(b""), 64 * 1024);
    assert_eq!((text.len(), end), (0, End::Wrong));
    let (text, end) = ours(&stream(&[b'a'; 256]), 64 * 1024);
    assert!(matches!(end, End::After(_)), "{end:?}");
    assert_eq!(text.len(), BLOCKS * 256);
}
