//! Words of a heap in few bytes: pages of 4 KiB, each by itself, so that any of them can be read alone.
//!
//! Most words of a heap are zero, small, near the same word of the object before, or near the pointer before
//! them. A word is kept as the shortest of three numbers: itself, its difference to the word one period
//! earlier (objects of one size stand side by side), and its difference to the last word that may have been a
//! pointer. Four bits say which it is and how long; of these too only those that are not as one period
//! earlier stand before the numbers of their page (they were nearly half of all bytes when all did). Nothing
//! is searched for and nothing branches on what the words are, so that this goes at the speed of memory: WKdm
//! (Wilson, Kaplan, "The Case for Compressed Caching in Virtual Memory Systems", 1999) with a period in place
//! of a dictionary.

/// Bytes of a page, whatever the kernel's is: a whole part of it.
pub(crate) const PAGE: usize = 4096;
/// Words of a page.
const WORDS: usize = PAGE / 8;
/// Bytes that say how the words of a page are kept.
const HEADS: usize = WORDS / 2;
/// Bytes that say which of these are not as one period earlier.
const CHANGED: usize = HEADS / 8;
/// Most bytes of a packed page.
pub(crate) const MOST: usize = CHANGED + HEADS + PAGE;
/// Bytes behind the last packed page that may be looked at, and are not used.
pub(crate) const BEHIND: usize = 8;
/// Words that are as large may be pointers.
const POINTERS_FROM: u64 = 1 << 32;

/// How a word is kept.
#[derive(Clone, Copy)]
enum Form {
    /// As it is.
    Itself,
    /// The difference to the word one period earlier.
    Period,
    /// The difference to the last that may be a pointer.
    Pointer,
}

/// The forms by their number, each with the bytes it takes.
const FORMS: [(Form, u8); 16] = [
    (Form::Itself, 0),
    (Form::Itself, 1),
    (Form::Itself, 2),
    (Form::Itself, 4),
    (Form::Itself, 8),
    (Form::Period, 0),
    (Form::Period, 1),
    (Form::Period, 2),
    (Form::Period, 3),
    (Form::Period, 4),
    (Form::Period, 5),
    (Form::Pointer, 1),
    (Form::Pointer, 2),
    (Form::Pointer, 3),
    (Form::Pointer, 4),
    (Form::Pointer, 5),
];

/// The numbers of the last form of a word itself, and of the last difference to a period earlier.
const LAST_ITSELF: usize = 4;
const LAST_PERIOD: usize = 10;

/// What no word is ever kept as.
const NEVER: u16 = u16::MAX;

/// For each form and number of bytes that are needed: bytes taken times 16, and the number of the form. The
/// least of three is the shortest. (Sixteen, so that no index needs to be held against the length.)
const COSTS: [[u16; 16]; 3] = {
    let mut costs = [[NEVER; 16]; 3];
    let mut number = FORMS.len();
    // From the last to the first: of those that hold it the shortest is written last.
    while number > 0 {
        number -= 1;
        let (form, bytes) = FORMS[number];
        let mut needed = 0;
        while needed <= bytes as usize {
            costs[form as usize][needed] = (bytes as u16) << 4 | number as u16;
            needed += 1;
        }
    }
    costs
};

/// Of each form the bits of its number.
const MASKS: [u64; 16] = {
    let mut masks = [0; 16];
    let mut number = 0;
    while number < FORMS.len() {
        let (_, bytes) = FORMS[number];
        masks[number] = if bytes == 8 { u64::MAX } else { (1 << (bytes * 8)) - 1 };
        number += 1;
    }
    masks
};

/// The words of a page, and before them as many zeros: the first ones have none before them.
type Padded = [u64; 2 * WORDS];

/// One of a table of a power of two.
#[inline(always)]
fn of<T: Copy, const N: usize>(table: &[T; N], at: usize) -> T {
    const { assert!(N.is_power_of_two()) };
    #[allow(clippy::indexing_slicing, reason = "the index is below N, which the compiler sees")]
    table[at & (N - 1)]
}

/// Differences of either sign as small numbers.
#[inline(always)]
fn folded(difference: u64) -> u64 {
    difference << 1 ^ ((difference as i64) >> 63) as u64
}

#[inline(always)]
fn unfolded(number: u64) -> u64 {
    number >> 1 ^ (number & 1).wrapping_neg()
}

#[inline(always)]
fn needed(number: u64) -> usize {
    ((71 - number.leading_zeros()) / 8) as usize
}

/// How far before a word the one stands that is a period earlier.
fn distance(period: usize) -> usize {
    period.clamp(1, WORDS)
}

/// How far before what says how a pair of words is kept that stands which is a period earlier, or two. Of
/// objects of which a page has few neighbours are more alike: arrays of pointers.
fn stride(period: usize) -> usize {
    match distance(period) {
        distance if distance >= WORDS / 4 => 1,
        distance if distance.is_multiple_of(2) => distance / 2,
        distance => distance,
    }
}

/// Packs a page of objects whose size is `period` words, 0 where they have none; gives how many bytes of
/// `room` it has taken: none for one that is all zero.
pub(crate) fn pack(page: &[u8; PAGE], period: usize, room: &mut [u8; MOST + BEHIND]) -> usize {
    let mut words: Padded = [0; 2 * WORDS];
    let mut any = 0;
    for (word, bytes) in words.iter_mut().skip(WORDS).zip(page.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
        any |= *word;
    }
    if any == 0 {
        return 0;
    }
    let distance = distance(period);
    let mut heads = [0u8; 2 * HEADS];
    let (mut at, mut pointer) = (CHANGED + HEADS, 0u64);
    let [of_itself, of_period, of_pointer] = &COSTS;
    let mut one = |i: usize| {
        let word = of(&words, WORDS + i);
        let by_period = folded(word.wrapping_sub(of(&words, WORDS + i - distance)));
        let by_pointer = folded(word.wrapping_sub(pointer));
        let least =
            of(of_itself, needed(word)).min(of(of_period, needed(by_period))).min(of(of_pointer, needed(by_pointer)));
        let number = usize::from(least & 15);
        let kept = if number <= LAST_ITSELF {
            word
        } else if number <= LAST_PERIOD {
            by_period
        } else {
            by_pointer
        };
        if let Some(place) = room.get_mut(at..at + 8) {
            place.copy_from_slice(&kept.to_le_bytes());
        }
        at += usize::from(least >> 4);
        pointer = if word >= POINTERS_FROM { word } else { pointer };
        number as u8
    };
    for (i, head) in heads.iter_mut().skip(HEADS).enumerate() {
        *head = one(2 * i) | one(2 * i + 1) << 4;
    }
    let stride = stride(period);
    let (mut changed, mut kept) = ([0u8; CHANGED], CHANGED);
    for (byte, flags) in changed.iter_mut().enumerate() {
        for bit in 0..8 {
            let i = HEADS + byte * 8 + bit;
            let difference = of(&heads, i) ^ of(&heads, i - stride);
            if let Some(place) = room.get_mut(kept) {
                *place = difference;
            }
            kept += usize::from(difference != 0);
            *flags |= u8::from(difference != 0) << bit;
        }
    }
    if let Some(place) = room.get_mut(..CHANGED) {
        place.copy_from_slice(&changed);
    }
    room.copy_within(CHANGED + HEADS..at, kept);
    kept + at - (CHANGED + HEADS)
}

/// A page that was packed with that period. `packed` begins with it; what comes behind is not looked at, but
/// for [`BEHIND`] bytes, without which the last words are lost.
pub(crate) fn unpack(packed: &[u8], period: usize, page: &mut [u8; PAGE]) {
    let Some((changed, rest)) = packed.split_first_chunk::<CHANGED>() else {
        page.fill(0);
        return;
    };
    let mut heads = [0u8; 2 * HEADS];
    let mut differences = rest.iter();
    for (word, flags) in changed.as_chunks::<8>().0.iter().enumerate() {
        let mut flags = u64::from_le_bytes(*flags);
        while flags != 0 {
            let i = HEADS + word * 64 + flags.trailing_zeros() as usize;
            if let (Some(head), Some(difference)) = (heads.get_mut(i), differences.next()) {
                *head = *difference;
            }
            flags &= flags - 1;
        }
    }
    let numbers = differences.as_slice();
    let stride = stride(period);
    for i in HEADS..2 * HEADS {
        let before = of(&heads, i - stride);
        if let Some(head) = heads.get_mut(i) {
            *head ^= before;
        }
    }
    let distance = distance(period);
    let mut words: Padded = [0; 2 * WORDS];
    let (mut at, mut pointer) = (0, 0u64);
    for i in 0..WORDS {
        let number = usize::from(of(&heads, HEADS + i / 2) >> (i % 2 * 4) & 15);
        let kept = numbers.get(at..).and_then(|n| n.first_chunk()).map_or(0, |n| u64::from_le_bytes(*n));
        let kept = kept & of(&MASKS, number);
        at += usize::from(of(&FORMS, number).1);
        let base = if number <= LAST_PERIOD { of(&words, WORDS + i - distance) } else { pointer };
        let word = if number <= LAST_ITSELF { kept } else { base.wrapping_add(unfolded(kept)) };
        if let Some(place) = words.get_mut(WORDS + i) {
            *place = word;
        }
        pointer = if word >= POINTERS_FROM { word } else { pointer };
    }
    for (bytes, word) in page.as_chunks_mut::<8>().0.iter_mut().zip(words.iter().skip(WORDS)) {
        *bytes = word.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page_of(words: &[u64]) -> [u8; PAGE] {
        let mut page = [0; PAGE];
        for (bytes, word) in page.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        page
    }

    fn there_and_back(page: &[u8; PAGE], period: usize) -> usize {
        let mut room = [0xaa; MOST + BEHIND];
        let len = pack(page, period, &mut room);
        assert!(len <= MOST);
        let mut back = [1; PAGE];
        if len == 0 {
            back.fill(0);
        } else {
            unpack(&room[..len + BEHIND], period, &mut back);
        }
        assert!(back == *page, "period {period}");
        len
    }

    #[test]
    fn objects_of_a_heap_take_little() {
        // As lab/programs/mixed has them: a number, a text, a shared category, a neighbour, counts.
        let record = |i: u64| [i, 0xc0_0012_3450 + i * 24, 11, 0xc0_0700_0000, 0xc0_0020_0000 + i * 64, i * 7, 0, 0];
        let words: Vec<u64> = (0..64).flat_map(record).collect();
        assert_eq!(there_and_back(&[0; PAGE], 8), 0);
        let (with, without) = (there_and_back(&page_of(&words), 8), there_and_back(&page_of(&words), 0));
        assert!(with < 420 && with < without && without < 1600, "{with} {without}");
        assert_eq!(there_and_back(&[0xff; PAGE], 0), CHANGED + 2 + 1, "all is as before it");
    }

    #[test]
    fn the_shortest_is_taken() {
        assert_eq!(COSTS[0][..9], [0, 1 << 4 | 1, 2 << 4 | 2, 4 << 4 | 3, 4 << 4 | 3, 132, 132, 132, 132]);
        for (number, (form, _)) in FORMS.iter().enumerate() {
            let (itself, period) = (number <= LAST_ITSELF, number <= LAST_PERIOD);
            assert_eq!((itself, period), (matches!(form, Form::Itself), !matches!(form, Form::Pointer)), "{number}");
        }
        assert_eq!((COSTS[1][0], COSTS[1][5], COSTS[1][6]), (5, 5 << 4 | 10, NEVER));
        assert_eq!((COSTS[2][0], COSTS[2][5], COSTS[2][8]), (1 << 4 | 11, 5 << 4 | 15, NEVER));
        assert_eq!([0, 1, 255, 256, u64::MAX].map(needed), [0, 1, 1, 2, 8]);
        for number in [0, 1, u64::MAX, 1 << 63, i64::MAX as u64] {
            assert_eq!(unfolded(folded(number)), number);
        }
    }

    proptest! {
        #[test]
        fn what_was_packed_is_read(
            words in prop::collection::vec(
                prop_oneof![Just(0), any::<u64>(), 0u64..300, 0xc0_0000_0000u64..0xc0_1000_0000, Just(u64::MAX), any::<u64>().prop_map(|w| w >> (w % 64))],
                0..=WORDS,
            ),
            period in 0usize..600,
        ) {
            there_and_back(&page_of(&words), period);
        }

        /// What stands in its place is read as something, and no more is asked of it.
        #[test]
        fn what_was_never_packed(bytes in prop::collection::vec(any::<u8>(), 0..MOST), period in 0usize..600) {
            unpack(&bytes, period, &mut [0; PAGE]);
        }
    }
}
