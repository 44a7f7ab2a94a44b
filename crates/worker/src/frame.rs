//! Messages on the line between two of our processes: a mark, a length, a checksum, bytes. Whoever is at the
//! other end may be anybody by then, so that a length is a bound of what is waited for and never the size of
//! an allocation.

use thiserror::Error;

/// What a message begins with; the last byte is the form's version.
const MARK: [u8; 4] = *b"LGW\x01";
/// Mark, length, CRC-32.
const HEAD: usize = 12;
/// Longest message, in bytes: the facts of a heap graph are some hundred kilobytes; those of a hundred
/// thousand blocked goroutines, each at something of its own, 30 MB.
pub const MAX_MESSAGE: usize = 64 << 20;
/// Most descriptors that are handed with an order, and that come back with answers.
pub(crate) const MAX_HANDED: usize = 5;
pub(crate) const MAX_RECEIVED: usize = 16;

/// Why what was said is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Broken {
    /// It does not begin as one.
    #[error("what it said is no message")]
    NoMessage,
    /// It is longer than any.
    #[error("a message of {0} bytes is over the bound of {MAX_MESSAGE}")]
    TooLong(usize),
    /// It is not what was sent.
    #[error("the checksum of its message is another one")]
    Damaged,
}

/// A message as it is sent; `None` of what is over the bound.
#[must_use]
pub fn framed(bytes: &[u8]) -> Option<Vec<u8>> {
    let len = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= MAX_MESSAGE)?;
    let head = [MARK, len.to_le_bytes(), crc32fast::hash(bytes).to_le_bytes()];
    Some([head.as_flattened(), bytes].concat())
}

/// What has come so far.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
}

impl Inbox {
    /// More has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message.
    ///
    /// # Errors
    /// [`Broken`]: nothing that comes after it can be believed.
    pub fn take(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        let known = self.bytes.len().min(MARK.len());
        if self.bytes.get(..known) != MARK.get(..known) {
            return Err(Broken::NoMessage);
        }
        let word = |at: usize| self.bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        let (Some(len), Some(sum)) = (word(4), word(8)) else { return Ok(None) };
        let len = len as usize;
        if len > MAX_MESSAGE {
            return Err(Broken::TooLong(len));
        }
        if self.bytes.len() < HEAD + len {
            return Ok(None);
        }
        let rest = self.bytes.split_off(HEAD + len);
        let mut message = std::mem::replace(&mut self.bytes, rest);
        message.drain(..HEAD);
        if crc32fast::hash(&message) == sum { Ok(Some(message)) } else { Err(Broken::Damaged) }
    }

    /// Whether a message has begun and not ended.
    #[must_use]
    pub fn is_in_the_middle(&self) -> bool {
        !self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_come_in_pieces_and_one_after_the_other() {
        let (a, b) = (framed(b"first").unwrap(), framed(b"").unwrap());
        let mut inbox = Inbox::default();
        let mut got = Vec::new();
        for byte in [a, b].concat() {
            inbox.push(&[byte]);
            got.extend(inbox.take().unwrap());
        }
        assert_eq!(got, [b"first".to_vec(), Vec::new()]);
        assert!(!inbox.is_in_the_middle());
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let mut damaged = framed(b"hello").unwrap();
        *damaged.last_mut().unwrap() ^= 1;
        let mut long = framed(b"").unwrap();
        long[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        for (bytes, why) in [
            (damaged, Broken::Damaged),
            (long, Broken::TooLong(u32::MAX as usize)),
            (b"LGX".to_vec(), Broken::NoMessage),
            (b"memory allocation of 8 bytes failed".to_vec(), Broken::NoMessage),
        ] {
            let mut inbox = Inbox::default();
            inbox.push(&bytes);
            assert_eq!(inbox.take(), Err(why));
        }
        assert_eq!(framed(&vec![0; MAX_MESSAGE + 1]), None);
    }

    proptest! {
        /// No bytes whatever panic, or are taken for more than they are.
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), marked in any::<bool>()) {
            let mut inbox = Inbox::default();
            if marked {
                inbox.push(&MARK);
            }
            inbox.push(&bytes);
            while let Ok(Some(message)) = inbox.take() {
                prop_assert!(message.len() <= bytes.len());
            }
        }
    }
}
