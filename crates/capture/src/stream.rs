//! A file of a capture that is written piece by piece, holes and all, its checksum made as it comes: for what
//! is too large to be had in memory.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use crc32fast::Hasher;

/// A file in the making. It is written from its start to its end, with two liberties: what is sought over is
/// a hole and reads as zeros; what was sought over at the very start is the head, and may be written last.
#[derive(Debug)]
pub struct Stream {
    file: File,
    /// Bytes so far, the head's and holes included.
    len: u64,
    /// Bytes of the head.
    head_len: u64,
    body: Hasher,
    head: Hasher,
    /// Bytes of the head that were written; `None` as long as the body is.
    in_head: Option<u64>,
}

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

impl Stream {
    pub(crate) fn new(file: File) -> Self {
        Self { file, len: 0, head_len: 0, body: Hasher::new(), head: Hasher::new(), in_head: None }
    }

    /// The file with its length and checksum.
    pub(crate) fn end(mut self) -> (File, u64, u32) {
        zeros(&mut self.head, self.head_len.saturating_sub(self.in_head.unwrap_or(0)));
        self.head.combine(&self.body);
        (self.file, self.len, self.head.finalize())
    }
}

fn zeros(hasher: &mut Hasher, mut count: u64) {
    while count > 0 {
        let n = count.min(ZEROS.len() as u64);
        hasher.update(ZEROS.get(..n as usize).unwrap_or_default());
        count -= n;
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.in_head.is_some_and(|at| at.saturating_add(buf.len() as u64) > self.head_len) {
            return Err(refused("more than the head's place"));
        }
        let n = self.file.write(buf)?;
        let written = buf.get(..n).unwrap_or_default();
        match &mut self.in_head {
            Some(at) => {
                self.head.update(written);
                *at += n as u64;
            }
            None => {
                self.body.update(written);
                self.len += n as u64;
            }
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Stream {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.len.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        match (target, self.in_head) {
            (Some(0), None) if self.len > 0 => self.in_head = Some(0),
            (Some(at), None) if at >= self.len => {
                if self.len == 0 {
                    self.head_len = at;
                } else {
                    zeros(&mut self.body, at - self.len);
                }
                self.len = at;
            }
            _ => return Err(refused("only forward, and back to the start once")),
        }
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// Length and checksum are those of what is read back, whatever was sought over.
    #[test]
    fn as_if_it_had_been_had_whole() {
        for (head, written) in [(64u64, true), (64, false), (0, false), (100_000, true)] {
            let mut s = Stream::new(tempfile::tempfile().unwrap());
            if head > 0 {
                s.seek(SeekFrom::Start(head)).unwrap();
            }
            s.write_all(b"body").unwrap();
            s.seek(SeekFrom::Current(200_000)).unwrap();
            s.write_all(b"more").unwrap();
            if written {
                s.seek(SeekFrom::Start(0)).unwrap();
                s.write_all(&[7; 40]).unwrap();
                assert!(s.write_all(&vec![1; head as usize]).is_err());
            }
            let (mut file, len, crc) = s.end();
            let mut all = Vec::new();
            file.seek(SeekFrom::Start(0)).unwrap();
            file.read_to_end(&mut all).unwrap();
            assert_eq!((all.len() as u64, crc32fast::hash(&all)), (len, crc), "{head} {written}");
            assert_eq!(len, head + 200_008);
        }
    }

    #[test]
    fn what_cannot_be_counted_is_refused() {
        let mut s = Stream::new(tempfile::tempfile().unwrap());
        s.write_all(b"body").unwrap();
        for to in [SeekFrom::Start(2), SeekFrom::Current(-1), SeekFrom::End(0)] {
            assert!(s.seek(to).is_err(), "{to:?}");
        }
    }
}
