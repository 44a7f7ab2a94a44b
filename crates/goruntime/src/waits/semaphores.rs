//! Who waits for which semaphore, by the runtime's own table. Source: `runtime/sema.go` (`semTable`,
//! `semaRoot`): 251 slots by the semaphore's address, each a tree of `sudog`s by address (`prev` the smaller
//! ones, `next` the larger), each of these the head of a list of those that wait for the same (`waitlink`).

use lastgasp_inferior::{Addr, BlockCache, Memory};
use rustc_hash::{FxHashMap, FxHashSet};

use super::sudogs::{MAX_SUDOGS, Sudog};
use crate::runtime::Runtime;

/// `semTabSize`.
const SLOTS: u64 = 251;
/// Size of a slot: a root and padding to a cache line.
const SLOT: u64 = 64;

/// Who waits for what.
#[derive(Debug, Default)]
pub(super) struct Semaphores {
    /// The semaphore by the address of the `g`.
    pub(super) of: FxHashMap<Addr, Addr>,
    /// Places of the table that make no sense.
    pub(super) broken: u64,
}

/// Walks the table.
pub(super) fn read(rt: &Runtime, mem: &dyn Memory, table: Addr) -> Semaphores {
    let mem = &BlockCache::new(mem);
    let mut out = Semaphores::default();
    let mut seen: FxHashSet<Addr> = FxHashSet::default();
    for slot in 0..SLOTS {
        let root = table.plus(slot * SLOT + rt.layout.sema_root.treap);
        let Ok(top) = mem.ptr(root) else {
            out.broken += 1;
            continue;
        };
        let mut trees = vec![top];
        while let Some(node) = trees.pop() {
            if node.is_null() {
                continue;
            }
            let found = (seen.len() < MAX_SUDOGS && seen.insert(node)).then(|| Sudog::read(rt, mem, node)).flatten();
            // It stands where its address belongs, or it is no semaphore's.
            let Some(sudog) = found.filter(|s| (s.elem.0 >> 3) % SLOTS == slot && s.channel.is_null()) else {
                out.broken += 1;
                continue;
            };
            trees.extend([sudog.prev, sudog.next]);
            out.of.insert(sudog.g, sudog.elem);
            let mut at = sudog.waitlink;
            while !at.is_null() {
                let found = (seen.len() < MAX_SUDOGS && seen.insert(at)).then(|| Sudog::read(rt, mem, at)).flatten();
                let Some(next) = found.filter(|s| s.elem == sudog.elem) else {
                    out.broken += 1;
                    break;
                };
                out.of.insert(next.g, next.elem);
                at = next.waitlink;
            }
        }
    }
    out
}
