//! Calls that goroutines have deferred and not made yet, with what is bound to each: `defer mu.Unlock()` is a
//! closure that has `mu`. Source: `runtime/panic.go` (`initOpenCodedDefers`; up to Go 1.21 `runOpenDeferFrame`),
//! `cmd/compile/internal/ssagen/ssa.go` (`emitOpenDeferInfo`).
//!
//! Functions with few `defer` statements, none of them in a loop, leave no record: a byte of the frame says
//! which of them were come by, and their closures stand in slots beside it (open-coded). All others leave a
//! record (`_defer`) that hangs on the goroutine.

use std::rc::Rc;

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

use crate::arch::{self, Act};
use crate::binary::pclntab::Symbolizer;
use crate::runtime::Runtime;

const FUNCDATA_OPEN_CODED_DEFER_INFO: u64 = 4;
/// `maxOpenDefers`: the bits of a byte.
const MAX_OPEN: u64 = 8;
/// Words of a closure that are looked at behind its code: what a deferred call is given.
pub(super) const MAX_BOUND: u64 = 6;
/// Bytes of a function's code that are looked through for what it calls.
const MAX_CODE: u64 = 1 << 10;
/// The release from which on closures stand in a row.
const IN_A_ROW_FROM: u16 = 22;

/// A word that is bound to a deferred call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeferredWord {
    /// The goroutine's number.
    pub goid: u64,
    /// Where the code of what is called begins.
    pub code: Addr,
    /// Its closure.
    pub closure: Addr,
    /// Where the word stands, behind the closure's first; of a closure in the heap perhaps behind its end.
    pub at: Addr,
    /// The word: it may be no pointer.
    pub to: Addr,
}

/// Where a function's frames say which of its deferred calls are due: bytes below the top of its variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenDefers {
    /// A bit for each.
    pub(super) bits: u64,
    /// Their closures.
    pub(super) closures: Vec<u64>,
}

/// Those of all functions, by entry.
#[derive(Default)]
pub(super) struct OpenDefersOf {
    known: FxHashMap<Addr, Option<Rc<OpenDefers>>>,
}

impl OpenDefersOf {
    pub(super) fn get(
        &mut self,
        rt: &Runtime,
        mem: &dyn Memory,
        symbols: &Symbolizer<'_>,
        entry: Addr,
    ) -> Option<Rc<OpenDefers>> {
        let read = || OpenDefers::read(rt, mem, symbols, entry).map(Rc::new);
        self.known.entry(entry).or_insert_with(read).clone()
    }
}

impl OpenDefers {
    fn read(rt: &Runtime, mem: &dyn Memory, symbols: &Symbolizer<'_>, entry: Addr) -> Option<Self> {
        let function = symbols.find(entry)?;
        let mut at = symbols.funcdata(function, FUNCDATA_OPEN_CODED_DEFER_INFO)?;
        let mut next = || {
            let (value, after) = varint(mem, at)?;
            at = after;
            Some(value)
        };
        let bits = next()?;
        let closures = if rt.version.minor >= IN_A_ROW_FROM {
            let first = next()?;
            (0..MAX_OPEN).map(|i| first.checked_sub(i * 8)).take_while(Option::is_some).flatten().collect()
        } else {
            let n = next()?;
            if n > MAX_OPEN {
                return None;
            }
            // They come from the last to the first.
            let mut all: Vec<u64> = (0..n).map(|_| next()).collect::<Option<_>>()?;
            all.reverse();
            all
        };
        Some(Self { bits, closures })
    }
}

/// `readvarintUnsafe`: its value, and where the next stands.
fn varint(mem: &dyn Memory, mut at: Addr) -> Option<(u64, Addr)> {
    let mut value = 0u64;
    for shift in [0, 7, 14, 21, 28] {
        let byte = mem.u8(at).ok()?;
        at = at.plus(1);
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, at));
        }
    }
    None
}

/// What a deferred call comes to, by the code of its closure: of a wrapper that the compiler made, and of a
/// function of the program that unlocks something, the method that is called (`sync.(*Mutex).Unlock`); else the
/// function itself.
#[must_use]
pub fn deferred_function(rt: &Runtime, mem: &dyn Memory, symbols: &Symbolizer<'_>, code: Addr) -> String {
    let Some(function) = symbols.find(code) else { return String::new() };
    let own = symbols.name(function).unwrap_or_default();
    let bytes = mem.bytes(function.entry, MAX_CODE as usize, MAX_CODE as usize).unwrap_or_default();
    let mut first = None;
    for step in (arch::of(rt.arch).steps)(&bytes, function.entry) {
        if symbols.find(step.at).is_none_or(|f| f.entry != function.entry) {
            break;
        }
        let Act::Call(target) = step.act else { continue };
        // What is inlined there stands before the function itself.
        let inlined = symbols.frames(step.at).into_iter().rev().map(|f| f.function).find(|name| *name != own);
        let called = inlined.or_else(|| symbols.function_name(target?)).filter(|name| !is_of_compiler(name));
        let Some(called) = called else { continue };
        if is_release(&called) {
            return called;
        }
        first.get_or_insert(called);
    }
    if is_wrapper(&own) { first.unwrap_or(own) } else { own }
}

/// Whether a call gives back what others wait for.
fn is_release(name: &str) -> bool {
    let method = name.rsplit('.').next().unwrap_or_default();
    name.contains("sync.(*") && (method.to_lowercase().ends_with("unlock") || method == "Done")
}

/// Functions that the compiler makes: `main.f.deferwrap1`, `main.f·dwrap·1`, `sync.(*Mutex).Unlock-fm`.
fn is_wrapper(name: &str) -> bool {
    name.contains("deferwrap") || name.contains("dwrap") || name.ends_with("-fm")
}

/// Calls that stand in no source.
fn is_of_compiler(name: &str) -> bool {
    ["runtime.morestack", "runtime.gcWriteBarrier", "runtime.panic", "runtime.fatal"]
        .iter()
        .any(|o| name.starts_with(o))
}

#[cfg(test)]
mod tests {
    use lastgasp_inferior::Snapshot;

    use super::*;

    #[test]
    fn numbers_of_seven_bits_a_byte() {
        let mut mem = Snapshot::default();
        mem.insert(Addr(0x1000), &[0x08, 0xac, 0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        mem.seal();
        assert_eq!(varint(&mem, Addr(0x1000)), Some((8, Addr(0x1001))));
        assert_eq!(varint(&mem, Addr(0x1001)), Some((300, Addr(0x1003))));
        assert_eq!(varint(&mem, Addr(0x1003)), None, "no offset is that long");
        assert_eq!(varint(&mem, Addr(0x2000)), None);
    }

    #[test]
    fn what_is_a_release_and_what_a_wrapper() {
        let releases = ["sync.(*Mutex).Unlock", "sync.(*RWMutex).RUnlock", "internal/sync.(*Mutex).Unlock"];
        assert!(releases.into_iter().all(is_release) && is_release("sync.(*WaitGroup).Done"));
        assert!(!is_release("main.(*lease).Unlock") && !is_release("sync.(*Mutex).Lock"));
        assert!(["main.f.deferwrap1", "main.f·dwrap·1", "sync.(*Mutex).Unlock-fm"].into_iter().all(is_wrapper));
        assert!(!is_wrapper("main.f.func1"));
    }
}
