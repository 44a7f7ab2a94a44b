//! Headers of slices and strings. Source: `runtime/slice.go` (`slice`), `runtime/string.go` (`stringStruct`);
//! pointer first, then length, then capacity, the same in every release and in what reflection names
//! `SliceHeader` and `StringHeader`.

use lastgasp_inferior::Addr;

use super::words::word;

/// Lengths and capacities from here on are no slice's: the address space ends at 2^47.
const MAX_LEN: u64 = 1 << 47;

/// A slice as it stands in memory, 24 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SliceHeader {
    /// Its first element, anywhere in an array.
    pub array: Addr,
    /// Elements.
    pub len: u64,
    /// Elements up to the end of what may be written without another array.
    pub cap: u64,
}

impl SliceHeader {
    /// Bytes of one.
    pub const BYTES: usize = 24;

    /// From its bytes; `None` where no slice can have them.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..Self::BYTES)?;
        let it = Self { array: Addr(word(bytes, 0)), len: word(bytes, 8), cap: word(bytes, 16) };
        let is_sane = it.len <= it.cap && it.cap < MAX_LEN && (!it.array.is_null() || it.cap == 0);
        is_sane.then_some(it)
    }
}

/// A string as it stands in memory, 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StringHeader {
    /// Its first byte.
    pub data: Addr,
    /// Bytes.
    pub len: u64,
}

impl StringHeader {
    /// Bytes of one.
    pub const BYTES: usize = 16;

    /// From its bytes; `None` where no string can have them.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..Self::BYTES)?;
        let it = Self { data: Addr(word(bytes, 0)), len: word(bytes, 8) };
        (it.len < MAX_LEN && (!it.data.is_null() || it.len == 0)).then_some(it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|w| w.to_le_bytes()).collect()
    }

    #[test]
    fn what_cannot_be_a_slice_or_a_string_is_none() {
        assert_eq!(SliceHeader::of(&bytes(&[0xc000, 3, 8])), Some(SliceHeader { array: Addr(0xc000), len: 3, cap: 8 }));
        assert_eq!(SliceHeader::of(&bytes(&[0, 0, 0])), Some(SliceHeader::default()));
        for odd in [[0xc000, 9, 8], [0, 1, 1], [0xc000, 1, u64::MAX]] {
            assert_eq!(SliceHeader::of(&bytes(&odd)), None, "{odd:?}");
        }
        assert_eq!(SliceHeader::of(&[0; 23]), None);
        assert_eq!(StringHeader::of(&bytes(&[0xc000, 3])), Some(StringHeader { data: Addr(0xc000), len: 3 }));
        assert_eq!((StringHeader::of(&bytes(&[0, 3])), StringHeader::of(&bytes(&[7, u64::MAX]))), (None, None));
    }
}
