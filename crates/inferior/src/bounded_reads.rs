//! Reads of an ELF file's headers, bounded in sum: whatever a file says of its own tables, opening it costs
//! this much memory at most. A sparse file of any user may state tables of gigabytes, and each of its pages
//! reads as zeros.

use std::cell::Cell;
use std::fs::File;
use std::ops::Range;

use object::{ReadCache, ReadRef};

/// Bytes that are read of one file in all: headers, section names, notes. An executable of 190 MB has 60 kB.
const MOST: u64 = 4 << 20;

/// A file's headers.
pub(crate) struct BoundedReads {
    cache: ReadCache<File>,
    left: Cell<u64>,
}

impl BoundedReads {
    /// Of that file.
    pub(crate) fn of(file: File) -> Self {
        Self { cache: ReadCache::new(file), left: Cell::new(MOST) }
    }

    fn take(&self, bytes: u64) -> Result<(), ()> {
        self.left.set(self.left.get().checked_sub(bytes).ok_or(())?);
        Ok(())
    }
}

impl<'a> ReadRef<'a> for &'a BoundedReads {
    fn len(self) -> Result<u64, ()> {
        (&self.cache).len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        self.take(size)?;
        (&self.cache).read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        // The cache itself stops after 4096 bytes.
        let found = (&self.cache).read_bytes_at_until(range, delimiter)?;
        self.take(found.len() as u64 + 1)?;
        Ok(found)
    }
}
