//! `sync.Pool`: what is pooled, for each P one private object and a chain of rings, and the same of the
//! cycle before last (`victim`). Source: `sync/pool.go`, `sync/poolqueue.go`.

use lastgasp_inferior::{Addr, Memory};

use super::budget::{Broken, ReadBudget};
use super::words::word;
use crate::runtime::Runtime;

/// Most Ps that are believed: Linux has no more processors (`_MaxGomaxprocs` is not bounded today).
const MAX_PS: u64 = 1 << 13;
/// Rings of a chain: each is twice the one before, and the largest has 2^30 (`dequeueLimit`).
const MAX_RINGS: usize = 64;
/// Slots of a ring.
const MAX_RING: u64 = 1 << 30;
/// Slots of a ring that are read at once.
const CHUNK: u64 = 4096;
/// Bytes of an interface, which a slot is.
const IFACE: u64 = 16;

/// Tells `f` of each object in the pool at an address: its type and its data word. Gives their number.
///
/// # Errors
/// [`Broken`]: it could not be read to its end.
pub fn pooled_objects(
    rt: &Runtime,
    mem: &dyn Memory,
    at: Addr,
    budget: &mut ReadBudget,
    f: &mut dyn FnMut(Addr, Addr),
) -> Result<u64, Broken> {
    let l = &rt.layout.sync_pool;
    let lists = [(l.local, l.local_size), (l.victim, l.victim_size)];
    let mut found = 0;
    for (list, len) in lists {
        let (Some(list), Some(len), Some(stride), Some(private), Some(tail)) =
            (list, len, l.pool_local_sizeof, l.private, l.shared_tail)
        else {
            return Err(Broken::Senseless("sync.Pool of this release is not read"));
        };
        let (list, len) = (mem.ptr(at.plus(list))?, mem.u64(at.plus(len))?);
        if len > MAX_PS {
            return Err(Broken::Senseless("a pool of more processors than there are"));
        }
        for p in (0..len).map(|i| list.plus(i * stride)) {
            budget.take(IFACE + 8)?;
            let of = mem.ptr(p.plus(private))?;
            if !of.is_null() {
                found += 1;
                f(of, mem.ptr(p.plus(private + 8))?);
            }
            found += chain(rt, mem, mem.ptr(p.plus(tail))?, budget, f)?;
        }
    }
    Ok(found)
}

/// The rings from the oldest on.
fn chain(
    rt: &Runtime,
    mem: &dyn Memory,
    mut ring: Addr,
    budget: &mut ReadBudget,
    f: &mut dyn FnMut(Addr, Addr),
) -> Result<u64, Broken> {
    let l = &rt.layout.sync_pool;
    let (Some(vals), Some(next)) = (l.chain_vals, l.chain_next) else {
        return Err(Broken::Senseless("sync.Pool of this release is not read"));
    };
    let mut found = 0;
    for _ in 0..MAX_RINGS {
        if ring.is_null() {
            return Ok(found);
        }
        let (slots, len) = (mem.ptr(ring.plus(vals))?, mem.u64(ring.plus(vals + 8))?);
        if len > MAX_RING {
            return Err(Broken::Senseless("a pool with a ring of no believable size"));
        }
        for first in (0..len).step_by(CHUNK as usize) {
            let bytes = (len - first).min(CHUNK) * IFACE;
            budget.take(bytes)?;
            let read = mem.bytes(slots.plus(first * IFACE), bytes as usize, (CHUNK * IFACE) as usize)?;
            for slot in read.chunks_exact(IFACE as usize) {
                // A slot that is taken has a type.
                let of = Addr(word(slot, 0));
                if !of.is_null() {
                    found += 1;
                    f(of, Addr(word(slot, 8)));
                }
            }
        }
        ring = mem.ptr(ring.plus(next))?;
    }
    Err(Broken::Senseless("a pool with more rings than there can be"))
}
