//! Memory with the part of a stack in front of it that is being walked: a stack is read at once and not word
//! by word.

use std::cell::RefCell;

use lastgasp_inferior::{Addr, AddrRange, Memory, Part, ReadError};

/// Bytes that are read at once: all of nearly any stack.
const WINDOW: u64 = 256 << 10;

pub(super) struct StackWindow<'a> {
    mem: &'a dyn Memory,
    held: RefCell<Held>,
}

#[derive(Default)]
struct Held {
    stack: AddrRange,
    start: Addr,
    bytes: Vec<u8>,
}

impl Held {
    fn get(&self, addr: Addr, buf: &mut [u8]) -> Option<()> {
        let at = usize::try_from(addr.0.checked_sub(self.start.0)?).ok()?;
        buf.copy_from_slice(self.bytes.get(at..at.checked_add(buf.len())?)?);
        Some(())
    }
}

impl Held {
    /// What to read for some bytes at an address: from there on, or where something further up was read
    /// before, up to there. Stacks are gone through in both directions.
    fn window(&self, addr: Addr, len: u64) -> Option<AddrRange> {
        let end = Addr(addr.0.checked_add(len).filter(|end| *end <= self.stack.end.0)?);
        if len > WINDOW {
            return None;
        }
        if !self.bytes.is_empty() && addr < self.start {
            return Some(AddrRange { start: self.stack.start.max(Addr(end.0.saturating_sub(WINDOW))), end });
        }
        Some(AddrRange { start: addr, end: self.stack.end.min(addr.plus(WINDOW)) })
    }
}

impl<'a> StackWindow<'a> {
    pub(super) fn new(mem: &'a dyn Memory) -> Self {
        Self { mem, held: RefCell::default() }
    }

    /// Another stack is walked from now on.
    pub(super) fn turn_to(&self, stack: AddrRange) {
        let mut held = self.held.borrow_mut();
        held.stack = stack;
        held.bytes.clear();
    }
}

impl Memory for StackWindow<'_> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let mut held = self.held.borrow_mut();
        if !held.stack.contains(addr) {
            return self.mem.read(addr, buf);
        }
        if held.get(addr, buf).is_some() {
            return Ok(());
        }
        let Some(window) = held.window(addr, buf.len() as u64) else { return self.mem.read(addr, buf) };
        held.start = window.start;
        held.bytes.resize(window.len() as usize, 0);
        if self.mem.read(window.start, &mut held.bytes).is_err() {
            held.bytes.clear();
            return self.mem.read(addr, buf);
        }
        match held.get(addr, buf) {
            Some(()) => Ok(()),
            None => self.mem.read(addr, buf),
        }
    }

    fn read_parts(&self, parts: &mut [Part<'_>]) {
        self.mem.read_parts(parts);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Memory of which each word is its own address.
    #[derive(Default)]
    struct Counting(Cell<u64>);

    impl Memory for Counting {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            self.0.set(self.0.get() + 1);
            for (word, at) in buf.chunks_mut(8).zip((addr.0..).step_by(8)) {
                word.copy_from_slice(&at.to_le_bytes()[..word.len()]);
            }
            Ok(())
        }
    }

    #[test]
    fn a_stack_is_read_at_once_in_either_direction() {
        let mem = Counting::default();
        let window = StackWindow::new(&mem);
        let stack = AddrRange::sized(Addr(0x10_0000), 4 << 20);
        window.turn_to(stack);
        let words = || (0..stack.len() / 8).map(|i| stack.start.plus(i * 8));
        assert!(words().all(|at| window.u64(at).unwrap() == at.0));
        assert!(words().rev().all(|at| window.u64(at).unwrap() == at.0));
        assert!(mem.0.get() <= 2 * (4 << 20) / WINDOW, "{} reads", mem.0.get());
        assert_eq!(window.u64(Addr(0x8)).unwrap(), 8, "what is no stack is read as it is");
        window.turn_to(AddrRange::sized(Addr(0x10_0000), 64));
        assert_eq!(window.u64(Addr(0x10_0038)).unwrap(), 0x10_0038);
        assert_eq!(window.u64(Addr(0x10_0040)).unwrap(), 0x10_0040, "behind its end");
    }
}
