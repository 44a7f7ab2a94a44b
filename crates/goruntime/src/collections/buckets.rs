//! The map of Go up to 1.23, and of 1.24 and 1.25 built with `noswissmap`: an array of 2^B buckets of eight,
//! each with a chain of more behind it. Source: `runtime/map.go`.
//!
//! A map that grows has two arrays: what stands in a bucket of the old one that is not yet moved is nowhere
//! else, and of one that is moved nothing counts. (`tests/collections.rs`, maps caught while growing.)

use lastgasp_inferior::{Addr, Memory};

use super::budget::{Broken, ReadBudget};
use super::headers::HeaderReading;
use super::map_arrays::{MAX_OVERFLOW_KEPT, MapArrays};
use super::runs::{RunVisitor, Runs, each_run};
use super::words::word;
use crate::types::{MAP_SLOTS, MapLayout};

/// `minTopHash`: a byte of a slot's hash that is not less marks it as taken.
const MIN_TOP_HASH: u8 = 5;
/// `evacuatedX`, `evacuatedY`, `evacuatedEmpty`: the bucket has been moved to the new array.
const EVACUATED: std::ops::RangeInclusive<u8> = 2..=4;
/// `sameSizeGrow`: the old array has as many buckets as the new one.
const SAME_SIZE_GROW: u8 = 8;
/// Bytes of an `hmap` that are read.
const HEADER: usize = 48;
/// Overflow buckets that are followed: eight for each of the array, and these. (Go moves a map to a new
/// array when it has about one for each.)
const MORE_OVERFLOW: u64 = 1 << 16;

/// Where the arrays of a map stand.
struct Arrays {
    new: Runs,
    old: Option<Runs>,
}

fn read(mem: &dyn Memory, at: Addr, fields: [u64; 5]) -> Result<Arrays, Broken> {
    let [_, b, buckets, old_buckets, flags] = fields;
    let mut bytes = [0; HEADER];
    mem.read(at, &mut bytes)?;
    let byte = |at: u64| bytes.get(at as usize).copied().unwrap_or(0);
    let (b, flags) = (u32::from(byte(b)), byte(flags));
    let count = 1u64.checked_shl(b).ok_or(Broken::Senseless("a map of too many buckets"))?;
    let (new, old) = (Addr(word(&bytes, buckets)), Addr(word(&bytes, old_buckets)));
    let count = if new.is_null() { 0 } else { count };
    let old_count = if flags & SAME_SIZE_GROW != 0 { count } else { count / 2 };
    let old = (!old.is_null()).then_some(Runs { at: old, count: old_count });
    Ok(Arrays { new: Runs { at: new, count }, old })
}

/// What stands behind the map at an address.
pub(super) fn arrays(mem: &dyn Memory, at: Addr, fields: [u64; 5], header: HeaderReading) -> Result<MapArrays, Broken> {
    let found = read(mem, at, fields)?;
    let arrays = std::iter::once(found.new).chain(found.old).filter(|r| r.count > 0).map(|r| r.at);
    Ok(MapArrays {
        elements: header.elements,
        counted: header.elements,
        slots: found.new.count * MAP_SLOTS,
        arrays: arrays.collect(),
        tables: Vec::new(),
        is_growing: found.old.is_some(),
    })
}

/// Tells `slots` of each bucket that counts, with the slots that are taken.
#[expect(clippy::too_many_arguments, reason = "what a reader has, taken apart so that its buffers are free")]
pub(super) fn walk(
    mem: &dyn Memory,
    buffer: &mut Vec<u8>,
    at: Addr,
    fields: [u64; 5],
    layout: &MapLayout,
    budget: &mut ReadBudget,
    overflow: &mut Vec<Addr>,
    slots: &mut RunVisitor<'_>,
) -> Result<(), Broken> {
    let found = read(mem, at, fields)?;
    let next_at = layout.overflow_offset().ok_or(Broken::Senseless("a type of maps of another kind"))?;
    let bound = found.new.count.saturating_mul(8).saturating_add(MORE_OVERFLOW);
    let mut passed = 0u64;
    for (runs, is_old) in [(Some(found.new), false), (found.old, true)] {
        let mut todo: Vec<Runs> = runs.into_iter().collect();
        let mut first = true;
        while !todo.is_empty() {
            let mut chains = Vec::new();
            let mut inner = budget.twin();
            each_run(mem, buffer, todo.drain(..), layout.run_bytes, budget, |at, run| {
                let top = word(run, 0).to_le_bytes();
                if is_old && first && top.first().is_some_and(|t| EVACUATED.contains(t)) {
                    return Ok(());
                }
                let taken = (0u32..).zip(top).filter(|(_, t)| *t >= MIN_TOP_HASH).fold(0, |bits, (i, _)| bits | 1 << i);
                if taken != 0 {
                    slots(at, run, taken, &mut inner.budget)?;
                }
                let next = Addr(word(run, next_at));
                if !next.is_null() {
                    chains.push(Runs { at: next, count: 1 });
                }
                if !first {
                    passed += 1;
                    if overflow.len() < MAX_OVERFLOW_KEPT {
                        overflow.push(at);
                    }
                }
                if passed + chains.len() as u64 > bound {
                    return Err(Broken::Senseless("a chain of buckets without end"));
                }
                Ok(())
            })?;
            budget.join(inner);
            (todo, first) = (chains, false);
        }
    }
    Ok(())
}
