//! Where functions lock: told by their code. Who waits for a mutex in a function that has locked something in
//! a line above may wait for itself (`mu.Lock(); mu.Lock()`), and one whose functions lock nothing else
//! cannot, but by a loop. Where it has unlocked something since (`all.Lock(); m := of[key]; all.Unlock();
//! m.Lock()`), that was it, or an `if` lies between.
//!
//! `Lock` is mostly inlined: what is called then is what it comes to where the mutex is not free
//! (`lockSlow`), and the table of inlined calls tells of which line it is.

use std::sync::Arc;

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

use crate::arch::{self, Act};
use crate::binary::pclntab::Symbolizer;
use crate::goroutine::Call;
use crate::runtime::Runtime;

/// Functions of one stack that are looked at: those that wait, and who has called them.
const MOST_CALLS: usize = 32;
/// Functions of a process that are looked at.
const MOST_FUNCTIONS: usize = 1 << 12;
/// Bytes of a function's code that are looked at.
const MOST_CODE: usize = 64 << 10;

/// A call that locks or unlocks.
struct Site {
    /// The function, as Go names it: one that is inlined there is another.
    function: String,
    line: u32,
    /// Whether it locks.
    locks: bool,
}

/// What the code of a stack's functions says.
#[derive(Clone, Debug, Default)]
pub(super) struct Above {
    /// Functions, innermost first, that lock in a line above the one in which they stand.
    pub(super) lock: Vec<Arc<str>>,
    /// Those of them that unlock something in a line between.
    pub(super) unlock: Vec<Arc<str>>,
    /// Whether the code of all could be read.
    pub(super) is_read: bool,
}

/// Finds where functions lock.
pub(super) struct LockSites<'a, 'b> {
    rt: &'a Runtime,
    mem: &'a dyn Memory,
    symbols: &'a Symbolizer<'b>,
    /// By entry; `None` where the code could not be read.
    known: FxHashMap<Addr, Option<Vec<Site>>>,
    /// By the stack: alike goroutines share one.
    of_stacks: FxHashMap<*const Call, Above>,
}

impl<'a, 'b> LockSites<'a, 'b> {
    pub(super) fn new(rt: &'a Runtime, mem: &'a dyn Memory, symbols: &'a Symbolizer<'b>) -> Self {
        Self { rt, mem, symbols, known: FxHashMap::default(), of_stacks: FxHashMap::default() }
    }

    /// What the code of a stack's functions says.
    pub(super) fn above(&mut self, stack: &[Call]) -> Above {
        if let Some(known) = self.of_stacks.get(&stack.as_ptr()) {
            return known.clone();
        }
        let mut out = Above { is_read: !stack.is_empty(), ..Above::default() };
        let own = stack.iter().filter(|c| !c.system && !is_of_locks(&c.frame.function)).take(MOST_CALLS);
        for call in own {
            let Some(sites) = self.sites(call.pc) else {
                out.is_read = false;
                continue;
            };
            let above = || sites.iter().filter(|s| s.function == call.frame.function && s.line < call.frame.line);
            let name: Arc<str> = Arc::from(call.frame.function.as_str());
            if !above().any(|s| s.locks) || out.lock.contains(&name) {
                continue;
            }
            if above().max_by_key(|s| s.line).is_some_and(|last| !last.locks) {
                out.unlock.push(Arc::clone(&name));
            }
            out.lock.push(name);
        }
        self.of_stacks.insert(stack.as_ptr(), out.clone());
        out
    }

    fn sites(&mut self, pc: Addr) -> Option<&[Site]> {
        let function = self.symbols.find(Addr(pc.0.saturating_sub(1)))?;
        if self.known.len() >= MOST_FUNCTIONS && !self.known.contains_key(&function.entry) {
            return None;
        }
        let (rt, mem, symbols) = (self.rt, self.mem, self.symbols);
        let read = || -> Option<Vec<Site>> {
            let len = length(symbols, function.entry)?;
            let code = mem.bytes(function.entry, len, MOST_CODE).ok()?;
            let mut out = Vec::new();
            for step in (arch::of(rt.arch).steps)(&code, function.entry) {
                let Act::Call(Some(target)) = step.act else { continue };
                let Some(locks) = symbols.function_name(target).and_then(|name| locks(&name)) else { continue };
                let by = symbols.frames(step.at).into_iter().find(|frame| !is_of_locks(&frame.function));
                out.extend(by.map(|frame| Site { function: frame.function, line: frame.line, locks }));
            }
            Some(out)
        };
        self.known.entry(function.entry).or_insert_with(read).as_deref()
    }
}

/// Bytes of a function's code; `None` of one that is too long.
fn length(symbols: &Symbolizer<'_>, entry: Addr) -> Option<usize> {
    let is_in = |len: &usize| symbols.find(entry.plus(*len as u64)).is_some_and(|f| f.entry == entry);
    let (mut low, mut high) = (0, 16);
    while is_in(&high) {
        (low, high) = (high, high * 2);
        if high > MOST_CODE {
            return None;
        }
    }
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if is_in(&middle) { low = middle } else { high = middle }
    }
    Some(high)
}

/// Whether a function locks a mutex, of either kind, or unlocks one; `None` of all others.
fn locks(name: &str) -> Option<bool> {
    // A method of the program that is called so does nothing else.
    let method = name.rsplit('.').next().unwrap_or_default().to_lowercase();
    match &*method {
        "lock" | "rlock" | "lockslow" | "runtime_semacquirerwmutexr" => Some(true),
        "unlock" | "runlock" | "unlockslow" | "runlockslow" => Some(false),
        _ => None,
    }
}

/// Whether a function is of the locks themselves, or of the wait.
fn is_of_locks(name: &str) -> bool {
    let name = name.strip_prefix("internal/").unwrap_or(name);
    ["sync.(*Mutex).", "sync.(*RWMutex).", "sync.(*rlocker).", "sync.runtime_", "runtime."]
        .iter()
        .any(|own| name.starts_with(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_locks_and_what_is_of_a_lock() {
        for name in ["sync.(*Mutex).Lock", "internal/sync.(*Mutex).lockSlow", "sync.(*RWMutex).RLock"] {
            assert!(locks(name) == Some(true) && is_of_locks(name), "{name}");
        }
        assert!(locks("main.(*cache).lock") == Some(true) && !is_of_locks("main.(*cache).lock"));
        assert_eq!(locks("internal/sync.(*Mutex).unlockSlow"), Some(false));
        assert_eq!(locks("sync.(*Mutex).TryLock"), None);
    }
}
