//! What stands in the stacks of those that wait: the functions that parked a goroutine need it when they go
//! on. A word of the innermost frames is what is looked for if what it points to names it in turn.
//!
//! - A `sudog` of a semaphore (`semacquire1`), where the runtime's table was not read.
//! - A `pollDesc` (`netpollblock`): nothing else leads to it.
//! - A `sync.Cond` (`sync.(*Cond).Wait`), up to Go 1.25.

use std::collections::BTreeMap;

use lastgasp_inferior::{Addr, AddrRange, Memory};
use rustc_hash::{FxHashMap, FxHashSet};

use super::read_many::{each, word};
use super::sudogs::{MAX_SUDOGS, Sudog};
use crate::goroutine::g::RawG;
use crate::goroutine::parked::{WINDOW, may_lead_out};
use crate::runtime::Runtime;

/// Words that are looked at, of all stacks together.
const MAX_WORDS: usize = 32 << 20;

/// What a word is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sought {
    /// A `sudog` of a semaphore.
    Semaphore,
    /// A `pollDesc`.
    Poll,
    /// A `sync.Cond`.
    Cond,
}

/// Words of stacks that may be what is sought, with the index of the goroutine, in the order of the stack.
struct Words {
    of: Vec<u32>,
    at: Vec<Addr>,
}

impl Words {
    /// Those at which a word at an offset is what proves them, and no other. That word alone is read of all
    /// of them: there are thirty a stack.
    fn proved(self, mem: &dyn Memory, offset: u64, proves: impl Fn(u32, Addr) -> Option<u64>) -> Self {
        let places: Vec<Addr> = self.at.iter().map(|at| at.plus(offset)).collect();
        let mut out = Self { of: Vec::new(), at: Vec::new() };
        each(mem, &places, 8, |i, bytes| {
            let (Some(index), Some(at)) = (self.of.get(i), self.at.get(i)) else { return };
            if proves(*index, *at) == Some(word(bytes, 0)) {
                out.of.push(*index);
                out.at.push(*at);
            }
        });
        out
    }
}

/// The words of the innermost frames of some goroutines.
fn words(rt: &Runtime, mem: &dyn Memory, wanted: &[(u32, RawG)], is: Sought) -> Words {
    // Where the innermost frame of each begins; a stack that ends before has less.
    let mut windows: Vec<(u32, AddrRange, RawG)> = Vec::with_capacity(wanted.len());
    for (index, raw) in wanted {
        windows.extend(raw.used_stack(WINDOW).map(|w| (*index, w, *raw)));
    }
    let mut out = Words { of: Vec::new(), at: Vec::new() };
    let mut add = |(index, _, raw): &(u32, AddrRange, RawG), bytes: &[u8]| {
        let from = out.at.len();
        for at in bytes.chunks_exact(8).map(|w| Addr(word(w, 0))) {
            // A condition may be a package variable.
            let fits = may_lead_out(rt, raw, at) && (is == Sought::Cond || !rt.module.variables.contains(at));
            if fits && out.at.len() < MAX_WORDS && !out.at.get(from..).is_some_and(|before| before.contains(&at)) {
                out.of.push(*index);
                out.at.push(at);
            }
        }
    };
    let (whole, short): (Vec<_>, Vec<_>) = windows.into_iter().partition(|(_, w, _)| w.len() == WINDOW);
    let places: Vec<Addr> = whole.iter().map(|(_, w, _)| w.start).collect();
    each(mem, &places, WINDOW as usize, |i, bytes| {
        if let Some(of) = whole.get(i) {
            add(of, bytes);
        }
    });
    for of in &short {
        if let Ok(bytes) = mem.bytes(of.1.start, of.1.len() as usize, WINDOW as usize) {
            add(of, &bytes);
        }
    }
    out
}

/// Semaphores by goroutine.
pub(super) fn semaphores(rt: &Runtime, mem: &dyn Memory, wanted: &[(u32, Addr, RawG)]) -> FxHashMap<u32, Addr> {
    let (stacks, gs) = split(wanted);
    let is_own = |index: u32, _| gs.get(&index).map(|g| g.0);
    let words = words(rt, mem, &stacks, Sought::Semaphore).proved(mem, rt.layout.sudog.g, is_own);
    let mut out = FxHashMap::default();
    each(mem, &words.at, rt.layout.sudog.sizeof as usize, |i, bytes| {
        let (Some(index), sudog) = (words.of.get(i), Sudog::parse(rt, bytes)) else { return };
        let is_own = gs.get(index) == Some(&sudog.g) && sudog.channel.is_null();
        if is_own && !sudog.elem.is_null() && sudog.elem.0.is_multiple_of(4) {
            out.entry(*index).or_insert(sudog.elem);
        }
    });
    out
}

/// A descriptor that a goroutine waits for: where its `pollDesc` stands, and its bytes.
pub(super) fn descriptors(
    rt: &Runtime,
    mem: &dyn Memory,
    wanted: &[(u32, Addr, RawG)],
    mut visit: impl FnMut(u32, Addr, Addr, &[u8]),
) {
    let (stacks, gs) = split(wanted);
    let l = &rt.layout.poll_desc;
    let words = words(rt, mem, &stacks, Sought::Poll).proved(mem, l.self_, |_, at| Some(at.0));
    let mut found: FxHashSet<u32> = FxHashSet::default();
    each(mem, &words.at, l.sizeof as usize, |i, bytes| {
        let (Some(index), Some(at)) = (words.of.get(i), words.at.get(i)) else { return };
        let Some(g) = gs.get(index) else { return };
        let waits = [l.rg, l.wg].iter().any(|who| word(bytes, *who) == g.0);
        if waits && word(bytes, l.self_) == at.0 && found.insert(*index) {
            visit(*index, *g, *at, bytes);
        }
    });
}

/// Conditions by goroutine.
pub(super) fn conditions(rt: &Runtime, mem: &dyn Memory, wanted: &[(u32, Addr, RawG)]) -> FxHashMap<u32, Addr> {
    let l = &rt.layout.cond;
    let (Some(notify), Some(checker), Some(head)) = (l.notify, l.checker, l.head) else {
        return FxHashMap::default();
    };
    let (stacks, gs) = split(wanted);
    let words = words(rt, mem, &stacks, Sought::Cond).proved(mem, checker, |_, at| Some(at.plus(checker).0));
    // Its last word has its own address.
    let mut maybe: BTreeMap<Addr, Addr> = BTreeMap::new();
    each(mem, &words.at, checker as usize + 8, |i, bytes| {
        if let Some(at) = words.at.get(i).filter(|at| word(bytes, checker) == at.plus(checker).0) {
            maybe.insert(*at, Addr(word(bytes, notify + head)));
        }
    });
    // Who is in the list of which.
    let mut waits: FxHashSet<(Addr, Addr)> = FxHashSet::default();
    let mut left = MAX_SUDOGS;
    for (cond, first) in &maybe {
        each_in_list(rt, mem, *first, &mut left, |g| waits.extend([(*cond, g)]));
    }
    let mut out = FxHashMap::default();
    for (index, at) in words.of.iter().zip(&words.at) {
        if gs.get(index).is_some_and(|g| waits.contains(&(*at, *g))) {
            out.entry(*index).or_insert(*at);
        }
    }
    out
}

/// Who waits in which of the runtime's lists of conditions (`notifyList`): the list and where the `g` stands.
pub(super) fn notify_lists(
    rt: &Runtime,
    mem: &dyn Memory,
    lists: impl Iterator<Item = Addr>,
) -> FxHashSet<(Addr, Addr)> {
    let mut out = FxHashSet::default();
    let Some(head) = rt.layout.cond.head else { return out };
    let mut lists: Vec<Addr> = lists.collect();
    lists.sort_unstable();
    lists.dedup();
    let mut left = MAX_SUDOGS;
    for list in lists {
        let first = mem.ptr(list.plus(head)).unwrap_or_default();
        each_in_list(rt, mem, first, &mut left, |g| out.extend([(list, g)]));
    }
    out
}

/// Tells of each `g` that waits in a list of `sudog`s, at most `left` of them, one that comes again once.
fn each_in_list(rt: &Runtime, mem: &dyn Memory, first: Addr, left: &mut usize, mut tell: impl FnMut(Addr)) {
    let (mut at, mut seen) = (first, FxHashSet::default());
    while !at.is_null() && *left > 0 && seen.insert(at) {
        *left -= 1;
        let Some(sudog) = Sudog::read(rt, mem, at) else { break };
        tell(sudog.g);
        at = sudog.next;
    }
}

/// Goroutines by index: their stacks, and where their `g` stand.
fn split(wanted: &[(u32, Addr, RawG)]) -> (Vec<(u32, RawG)>, FxHashMap<u32, Addr>) {
    (wanted.iter().map(|(i, _, raw)| (*i, *raw)).collect(), wanted.iter().map(|(i, g, _)| (*i, *g)).collect())
}
