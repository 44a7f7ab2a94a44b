//! Base64 that streams by (RFC 4648, both alphabets, padding optional): decoded piece by piece, so that a
//! value of megabytes is never whole in memory.

/// A decoder; what is no base64 makes it say so at the end.
#[derive(Debug, Default)]
pub(crate) struct Base64 {
    bits: u32,
    n: u32,
    ended: bool,
    is_bad: bool,
}

impl Base64 {
    /// Decodes more of it.
    pub(crate) fn push(&mut self, text: &[u8], mut out: impl FnMut(&[u8])) {
        let mut piece = [0; 768];
        let mut length = 0;
        for b in text {
            let six = match b {
                b'A'..=b'Z' => b - b'A',
                b'a'..=b'z' => b - b'a' + 26,
                b'0'..=b'9' => b - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                b'=' => {
                    self.ended = true;
                    continue;
                }
                b'\r' | b'\n' => continue,
                _ => {
                    self.is_bad = true;
                    continue;
                }
            };
            self.is_bad |= self.ended;
            self.bits = (self.bits << 6) | u32::from(six);
            self.n += 6;
            if self.n >= 8 {
                self.n -= 8;
                if let Some(to) = piece.get_mut(length) {
                    *to = (self.bits >> self.n) as u8;
                    length += 1;
                }
                self.bits &= (1 << self.n) - 1;
            }
            if length == piece.len() {
                out(&piece);
                length = 0;
            }
        }
        out(piece.get(..length).unwrap_or_default());
    }

    /// Whether all of it was base64.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_bad && self.n < 6
    }

    /// A short text that is at hand; `None` where it is none.
    pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
        let (mut all, mut decoder) = (Vec::new(), Self::default());
        decoder.push(text.as_bytes(), |bytes| all.extend_from_slice(bytes));
        decoder.is_whole().then_some(all)
    }

    /// Encodes a short text.
    pub(crate) fn encode(bytes: &[u8]) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
        for three in bytes.chunks(3) {
            let bits = three.iter().fold(0u32, |all, b| (all << 8) | u32::from(*b)) << (8 * (3 - three.len()));
            for i in 0..4 {
                let six = (bits >> (18 - 6 * i)) & 63;
                let known = ALPHABET.get(six as usize).filter(|_| i <= three.len());
                text.push(known.map_or('=', |b| char::from(*b)));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_standard() {
        let examples =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in examples {
            assert_eq!(Base64::encode(plain.as_bytes()), coded);
            assert_eq!(Base64::decode(coded).unwrap(), plain.as_bytes());
            assert_eq!(Base64::decode(coded.trim_end_matches('=')).unwrap(), plain.as_bytes());
        }
        assert!(
            Base64::decode("Z").is_none() && Base64::decode("Zg==Zg==").is_none() && Base64::decode("Z!==").is_none()
        );
    }

    proptest! {
        #[test]
        fn there_and_back_in_pieces(bytes in proptest::collection::vec(any::<u8>(), 0..3000), piece in 1usize..50) {
            let text = Base64::encode(&bytes);
            let (mut back, mut decoder) = (Vec::new(), Base64::default());
            for part in text.as_bytes().chunks(piece) {
                decoder.push(part, |b| back.extend_from_slice(b));
            }
            prop_assert!(decoder.is_whole());
            prop_assert_eq!(back, bytes);
        }
    }
}
