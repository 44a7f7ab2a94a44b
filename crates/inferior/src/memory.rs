//! The seam: bytes at an address.

use std::cell::{RefCell, RefMut};

use thiserror::Error;

use crate::addr::Addr;

/// Why bytes could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadCause {
    /// No such memory (not mapped, not in the file, not copied).
    Absent,
    /// The process has ended and its memory is gone.
    Gone,
    /// The kernel refused.
    Denied,
    /// A caller's bound was exceeded.
    TooLarge,
    /// A caller's time was over.
    TooLate,
    /// Another error number of the kernel.
    Os(i32),
}

/// A read that failed, with what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("cannot read {len} bytes at {addr}: {}", match .cause {
    ReadCause::Absent => "no such memory".to_owned(),
    ReadCause::Gone => "the process has ended".to_owned(),
    ReadCause::Denied => "permission denied (needs CAP_SYS_PTRACE: run as root, or as the target's user)".to_owned(),
    ReadCause::TooLarge => "over the bound for this structure".to_owned(),
    ReadCause::TooLate => "no time was left".to_owned(),
    ReadCause::Os(n) => format!("error {n}"),
})]
pub struct ReadError {
    /// First address asked.
    pub addr: Addr,
    /// How many bytes were asked for.
    pub len: usize,
    /// What stopped the read.
    pub cause: ReadCause,
}

/// One piece of a scattered read.
#[derive(Debug)]
pub struct Part<'a> {
    /// First address to read.
    pub addr: Addr,
    /// Where to; filled only if `ok` is set afterwards.
    pub buf: &'a mut [u8],
    /// Whether all of it was read.
    pub ok: bool,
}

/// An address space that can be read. Reads are all or nothing.
pub trait Memory {
    /// Fills `buf` from `addr`.
    ///
    /// # Errors
    /// [`ReadError`] if any byte of it cannot be read; `buf` is then in no defined state.
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError>;

    /// Many reads in as few kernel calls as possible; each part tells whether it succeeded.
    fn read_parts(&self, parts: &mut [Part<'_>]) {
        for p in parts {
            p.ok = self.read(p.addr, p.buf).is_ok();
        }
    }

    /// Itself, if several threads may read it at a time.
    fn shared(&self) -> Option<&(dyn Memory + Sync)> {
        None
    }

    /// Whether all that is asked for from now on would come too late, and fail: who reckons with what was
    /// read in order to read more leaves that off. (`take/deadline.rs` of the recorder: a target stands still
    /// meanwhile.)
    fn is_late(&self) -> bool {
        false
    }

    /// `len` bytes, refused if more than `bound` (a length that comes from foreign memory must never size an
    /// allocation by itself).
    ///
    /// # Errors
    /// As [`Memory::read`]; [`ReadCause::TooLarge`] over the bound.
    fn bytes(&self, addr: Addr, len: usize, bound: usize) -> Result<Vec<u8>, ReadError> {
        if len > bound {
            return Err(ReadError { addr, len, cause: ReadCause::TooLarge });
        }
        let mut v = vec![0; len];
        self.read(addr, &mut v)?;
        Ok(v)
    }

    /// The byte at `addr`.
    ///
    /// # Errors
    /// As [`Memory::read`].
    fn u8(&self, addr: Addr) -> Result<u8, ReadError> {
        let mut b = [0; 1];
        self.read(addr, &mut b)?;
        Ok(u8::from_le_bytes(b))
    }

    /// The little-endian u32 at `addr`.
    ///
    /// # Errors
    /// As [`Memory::read`].
    fn u32(&self, addr: Addr) -> Result<u32, ReadError> {
        let mut b = [0; 4];
        self.read(addr, &mut b)?;
        Ok(u32::from_le_bytes(b))
    }

    /// The little-endian u64 at `addr`.
    ///
    /// # Errors
    /// As [`Memory::read`].
    fn u64(&self, addr: Addr) -> Result<u64, ReadError> {
        let mut b = [0; 8];
        self.read(addr, &mut b)?;
        Ok(u64::from_le_bytes(b))
    }

    /// The pointer at `addr`: 8 bytes, little-endian.
    ///
    /// # Errors
    /// As [`Memory::read`].
    fn ptr(&self, addr: Addr) -> Result<Addr, ReadError> {
        self.u64(addr).map(Addr)
    }
}

impl<M: Memory + ?Sized> Memory for &M {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        (**self).read(addr, buf)
    }

    fn read_parts(&self, parts: &mut [Part<'_>]) {
        (**self).read_parts(parts);
    }

    fn shared(&self) -> Option<&(dyn Memory + Sync)> {
        (**self).shared()
    }

    fn is_late(&self) -> bool {
        (**self).is_late()
    }
}

impl<M: Memory + ?Sized> Memory for Box<M> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        (**self).read(addr, buf)
    }

    fn read_parts(&self, parts: &mut [Part<'_>]) {
        (**self).read_parts(parts);
    }

    fn shared(&self) -> Option<&(dyn Memory + Sync)> {
        (**self).shared()
    }

    fn is_late(&self) -> bool {
        (**self).is_late()
    }
}

/// Two address spaces, one over the other: what `top` does not hold is asked of `bottom`.
#[derive(Debug)]
pub struct Layered<T, B> {
    /// The space that is asked first.
    pub top: T,
    /// Asked where `top` fails.
    pub bottom: B,
}

impl<T: Memory, B: Memory> Memory for Layered<T, B> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        self.top.read(addr, buf).or_else(|_| self.bottom.read(addr, buf))
    }

    fn read_parts(&self, parts: &mut [Part<'_>]) {
        self.top.read_parts(parts);
        for p in parts.iter_mut().filter(|p| !p.ok) {
            p.ok = self.bottom.read(p.addr, p.buf).is_ok();
        }
    }
}

/// Keeps blocks of memory that does not change (pclntab, text, a process that stands still), so that a walk
/// from word to word costs one kernel call per block and not per word. Bounded: a block has one place, and
/// what comes there takes it. What is larger than a block is read by itself.
#[derive(Debug)]
pub struct BlockCache<M> {
    inner: M,
    /// By number, modulo their count; empty until the first read.
    blocks: RefCell<Vec<Block>>,
}

/// A block, or a place for one.
#[derive(Clone, Debug)]
struct Block {
    /// Where it begins; of a place alone where none does.
    base: u64,
    /// Whether it could be read.
    is_read: bool,
    /// Whether anybody has asked for a byte of it.
    is_wanted: bool,
    bytes: Box<[u8]>,
}

const BLOCK: u64 = 4096;
const BLOCKS: usize = 2048;

impl<M: Memory> BlockCache<M> {
    /// A cache of at most 8 MiB over `inner`.
    pub fn new(inner: M) -> Self {
        Self { inner, blocks: RefCell::new(Vec::new()) }
    }

    /// Reads the blocks in which these addresses lie, all at once: for who knows what he will ask for, of
    /// memory that costs more to ask than to read.
    pub fn read_ahead(&self, addresses: &[Addr]) {
        let mut blocks = self.places();
        let mut bases: Vec<u64> = addresses.iter().map(|at| at.0 / BLOCK * BLOCK).collect();
        bases.sort_unstable();
        bases.dedup();
        let is_held = |base: u64| blocks.get((base / BLOCK) as usize % BLOCKS).is_some_and(|b| b.base == base);
        bases.retain(|base| !is_held(*base));
        bases.truncate(BLOCKS);
        if bases.is_empty() {
            return;
        }
        let mut read: Vec<Box<[u8]>> = bases.iter().map(|_| vec![0; BLOCK as usize].into_boxed_slice()).collect();
        let mut parts: Vec<Part<'_>> = bases
            .iter()
            .zip(&mut read)
            .map(|(base, buf)| Part { addr: Addr(*base), buf: buf.as_mut(), ok: false })
            .collect();
        self.inner.read_parts(&mut parts);
        let were_read: Vec<bool> = parts.iter().map(|part| part.ok).collect();
        for ((base, bytes), is_read) in bases.into_iter().zip(read).zip(were_read) {
            // What could not be read ahead is tried again by itself: all of it may have come too late.
            if let (true, Some(place)) = (is_read, blocks.get_mut((base / BLOCK) as usize % BLOCKS)) {
                *place = Block { base, is_read, is_wanted: false, bytes };
            }
        }
    }

    /// Where the blocks begin that are held and of which a byte was asked for, in their order.
    #[must_use]
    pub fn wanted(&self) -> Vec<Addr> {
        let mut all: Vec<Addr> =
            self.blocks.borrow().iter().filter(|b| b.is_wanted && b.is_read).map(|b| Addr(b.base)).collect();
        all.sort_unstable();
        all
    }

    /// The places for blocks, made when they are first needed.
    fn places(&self) -> RefMut<'_, Vec<Block>> {
        let mut blocks = self.blocks.borrow_mut();
        if blocks.is_empty() {
            let empty = Block { base: u64::MAX, is_read: false, is_wanted: false, bytes: Box::default() };
            blocks.resize(BLOCKS, empty);
        }
        blocks
    }
}

impl<M: Memory> Memory for BlockCache<M> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        if buf.len() > BLOCK as usize {
            return self.inner.read(addr, buf);
        }
        let mut done = 0usize;
        let mut blocks = self.places();
        while done < buf.len() {
            let at = addr.plus(done as u64);
            let base = at.0 / BLOCK * BLOCK;
            let skip = (at.0 - base) as usize;
            let want = (buf.len() - done).min(BLOCK as usize - skip);
            let Some(block) = blocks.get_mut((base / BLOCK) as usize % BLOCKS) else { break };
            if block.base != base {
                if block.bytes.is_empty() {
                    block.bytes = vec![0; BLOCK as usize].into_boxed_slice();
                }
                block.base = base;
                block.is_read = self.inner.read(Addr(base), &mut block.bytes).is_ok();
            }
            block.is_wanted = true;
            let Some(out) = buf.get_mut(done..done + want) else {
                break;
            };
            match block.bytes.get(skip..skip + want).filter(|_| block.is_read) {
                Some(b) => out.copy_from_slice(b),
                // The block sticks out over the end of a mapping: ask for the bytes alone.
                None => self.inner.read(at, out)?,
            }
            done += want;
        }
        Ok(())
    }

    fn read_parts(&self, parts: &mut [Part<'_>]) {
        self.inner.read_parts(parts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory up to an address, which counts how often it is asked.
    struct Asked {
        end: u64,
        times: std::cell::Cell<usize>,
    }

    impl Memory for Asked {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            let mut parts = [Part { addr, buf, ok: false }];
            self.read_parts(&mut parts);
            let [Part { ok, buf, .. }] = parts;
            if ok { Ok(()) } else { Err(ReadError { addr, len: buf.len(), cause: ReadCause::Absent }) }
        }

        fn read_parts(&self, parts: &mut [Part<'_>]) {
            self.times.set(self.times.get() + 1);
            for part in parts {
                part.ok = part.addr.0 + part.buf.len() as u64 <= self.end;
                part.buf.fill((part.addr.0 / BLOCK) as u8);
            }
        }
    }

    #[test]
    fn blocks_are_read_ahead_all_at_once() {
        let memory = Asked { end: 10 * BLOCK + 100, times: 0.into() };
        let cache = BlockCache::new(&memory);
        let at = |n: u64| Addr(n * BLOCK + 8);
        // Two of one block, and one that sticks out over the end.
        cache.read_ahead(&[at(3), Addr(3 * BLOCK), at(5), at(10), at(2)]);
        assert_eq!((memory.times.get(), cache.wanted()), (1, Vec::new()));
        assert_eq!((cache.u8(at(3)), cache.u8(at(2)), memory.times.get()), (Ok(3), Ok(2), 1));
        assert_eq!(cache.u8(at(10)), Ok(10), "it is asked for by itself");
        assert_eq!(memory.times.get(), 3);
        assert_eq!(cache.u8(at(7)), Ok(7));
        assert_eq!(cache.wanted(), [Addr(2 * BLOCK), Addr(3 * BLOCK), Addr(7 * BLOCK)], "5 was not wanted");
        cache.read_ahead(&[at(3), at(7)]);
        assert_eq!(memory.times.get(), 4, "both were there");
        // More than there are places.
        let many: Vec<Addr> = (0..3 * BLOCKS as u64).map(at).collect();
        cache.read_ahead(&many);
        assert_eq!(cache.u8(at(5)), Ok(5));
    }
}
