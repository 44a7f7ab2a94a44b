//! Keys of stacks: the same place in the source has the same key in every capture, whatever its index there.
//!
//! FNV-1a of 64 bits. The key of a frame is that of function, a zero byte, file, a zero byte and the line as
//! four bytes, little-endian; the key of a stack is that of the keys of its frames, eight bytes each,
//! little-endian, innermost first; a group of goroutines adds the key of its `go` statement, if it has one.
//! Of the file the base name alone counts: its folder depends on where it was built and on `-trimpath`, and
//! the function names the package already, which is one folder.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::frame::Frame;

/// `offset basis` and `prime` of FNV-1a, 64 bits.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// Key of a stack or a frame; 16 hex digits in text. Zero: none was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub u64);

impl Key {
    /// The key of a frame, of a `go` statement say.
    #[must_use]
    pub fn of_frame(frame: &Frame) -> Self {
        let base = frame.file.rsplit('/').next().unwrap_or_default();
        let parts = [frame.function.as_bytes(), &[0], base.as_bytes(), &[0], &frame.line.to_le_bytes()];
        Self(parts.into_iter().fold(BASIS, fnv))
    }

    /// The key of a stack of frames, given their keys, innermost first.
    pub(super) fn of_stack(frames: impl IntoIterator<Item = Self>) -> Self {
        Self(frames.into_iter().fold(BASIS, |hash, key| fnv(hash, &key.0.to_le_bytes())))
    }
}

fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Key {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Hex;
        impl de::Visitor<'_> for Hex {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a hexadecimal number of 64 bits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Key, E> {
                text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        from.deserialize_str(Hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: &str, line: u32) -> Frame {
        Frame { function: function.into(), file: file.into(), line }
    }

    /// Vectors of the FNV page of its authors.
    #[test]
    fn it_is_fnv_1a() {
        for (text, hash) in [("", BASIS), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)] {
            assert_eq!(fnv(BASIS, text.as_bytes()), hash, "{text}");
        }
    }

    #[test]
    fn what_is_one_place() {
        let a = Key::of_frame(&frame("example.com/shop.(*Cart).Add", "/home/me/shop/cart.go", 7));
        for (why, other, same) in [
            ("another checkout", frame("example.com/shop.(*Cart).Add", "/build/1/cart.go", 7), true),
            ("-trimpath", frame("example.com/shop.(*Cart).Add", "example.com/shop@v1.2.3/cart.go", 7), true),
            ("no folder", frame("example.com/shop.(*Cart).Add", "cart.go", 7), true),
            ("another file of the package", frame("example.com/shop.(*Cart).Add", "/home/me/shop/add.go", 7), false),
            ("another line", frame("example.com/shop.(*Cart).Add", "/home/me/shop/cart.go", 8), false),
            ("a package of that name elsewhere", frame("example.com/old/shop.(*Cart).Add", "cart.go", 7), false),
            ("bytes that moved over", frame("example.com/shop.(*Cart).Addcart", ".go", 7), false),
        ] {
            assert_eq!(Key::of_frame(&other) == a, same, "{why}");
        }
        let b = Key::of_frame(&frame("main.main", "main.go", 1));
        let stacks = [vec![], vec![a], vec![a, a], vec![a, b], vec![b, a], vec![b]].map(Key::of_stack);
        let different: std::collections::BTreeSet<_> = stacks.iter().collect();
        assert_eq!(different.len(), stacks.len());
    }

    /// A key is for ever: what is kept elsewhere is compared with it.
    #[test]
    fn keys_do_not_change() {
        let main = Key::of_frame(&frame("main.main", "/src/main.go", 12));
        assert_eq!(main.to_string(), "9613a66d6b7c8298");
        assert_eq!(Key::of_stack([main]).to_string(), "71350ae506a7acdc");
    }

    #[test]
    fn as_text() {
        for (json, key) in [
            ("\"00000000000000ff\"", Some(Key(255))),
            ("\"ffffffffffffffff\"", Some(Key(u64::MAX))),
            ("\"fffffffffffffffff\"", None),
            ("\"xyz\"", None),
            ("\"\"", None),
            ("255", None),
        ] {
            assert_eq!(serde_json::from_str::<Key>(json).ok(), key, "{json}");
            if let Some(key) = key {
                assert_eq!(serde_json::to_string(&key).unwrap(), json);
            }
        }
    }
}
