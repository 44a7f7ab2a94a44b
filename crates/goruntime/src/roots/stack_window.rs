//! Memory with the part of a stack in front of it that is being walked: a stack is read at once and not word
//! by word.

use std::cell::RefCell;

use lastgasp_inferior::{Addr, AddrRange, Memory, Part, ReadError};

/// Bytes that are read at once.
const WINDOW: u64 = 32 << 10;

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
        let len = WINDOW.min(held.stack.end.0 - addr.0) as usize;
        if buf.len() > len {
            return self.mem.read(addr, buf);
        }
        held.start = addr;
        held.bytes.resize(len, 0);
        if self.mem.read(addr, &mut held.bytes).is_err() {
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
