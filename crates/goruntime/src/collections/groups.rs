//! The map of Go from 1.24 on: a group of eight slots, or from the ninth element on a directory of tables,
//! each with its array of groups. Source: `internal/runtime/maps/map.go` (`Map`), `table.go` (`table`),
//! `group.go` (`groupReference`).
//!
//! A table that covers several places of the directory stands in all of them; it is counted at the one that
//! it names itself (`table.index`). A table that was split has left the directory.

use lastgasp_inferior::{Addr, Memory, Part, ReadCause, ReadError};

use super::budget::{Broken, ReadBudget};
use super::headers::HeaderReading;
use super::map_arrays::MapArrays;
use super::runs::{RunVisitor, Runs, each_run};
use super::words::word;
use crate::runtime::Runtime;
use crate::types::{MAP_SLOTS, MapForm, MapLayout, TABLE_SLOTS};

/// The control bit of a slot that is empty or deleted.
const FREE: u64 = 0x8080_8080_8080_8080;
/// Tables that are read at once.
const BATCH: usize = 256;
/// Bytes of a `table` that are read.
const TABLE: usize = 32;
/// Bytes of a `Map` that are read.
const HEADER: usize = 48;

/// A table's array.
struct Table {
    at: Addr,
    used: u64,
    groups: Runs,
}

type TablesVisitor<'a> = dyn FnMut(&[Table], &mut ReadBudget) -> Result<(), Broken> + 'a;

/// Tells of each table of a directory, in order; of a map without one, of its only group.
fn tables(
    rt: &Runtime,
    mem: &dyn Memory,
    at: Addr,
    [used_at, dir_ptr, dir_len]: [u64; 3],
    budget: &mut ReadBudget,
    f: &mut TablesVisitor<'_>,
) -> Result<Option<Addr>, Broken> {
    let t = &rt.layout.swiss_table;
    let (Some(table_used), Some(index_at), Some(data_at), Some(mask_at)) =
        (t.used, t.index, t.groups_data, t.groups_length_mask)
    else {
        return Err(Broken::Senseless("maps of this release are not read"));
    };
    let mut bytes = [0; HEADER];
    mem.read(at, &mut bytes)?;
    let (directory, len) = (Addr(word(&bytes, dir_ptr)), word(&bytes, dir_len));
    if directory.is_null() {
        return Ok(None);
    }
    if len == 0 {
        let used = word(&bytes, used_at);
        f(&[Table { at: Addr::NULL, used, groups: Runs { at: directory, count: 1 } }], budget)?;
        return Ok(None);
    }
    let mut last = Addr::NULL;
    for first in (0..len).step_by(BATCH) {
        let n = (len - first).min(BATCH as u64);
        budget.take(n * 8)?;
        let pointers = mem.bytes(directory.plus(first * 8), n as usize * 8, BATCH * 8)?;
        // A table stands in neighbouring places.
        let mut places: Vec<(u64, Addr)> = Vec::with_capacity(n as usize);
        for index in first..first + n {
            let table = Addr(word(&pointers, (index - first) * 8));
            if table != last {
                places.push((index, table));
            }
            last = table;
        }
        budget.take((places.len() * TABLE) as u64)?;
        let mut room = vec![0; places.len() * TABLE];
        let mut parts: Vec<Part<'_>> = places
            .iter()
            .zip(room.chunks_exact_mut(TABLE))
            .map(|((_, addr), buf)| Part { addr: *addr, buf, ok: false })
            .collect();
        mem.read_parts(&mut parts);
        let mut found = Vec::with_capacity(places.len());
        for ((index, at), part) in places.iter().zip(&parts) {
            if !part.ok {
                return Err(ReadError { addr: *at, len: TABLE, cause: ReadCause::Absent }.into());
            }
            if word(part.buf, index_at) != *index {
                return Err(Broken::Senseless("a table that stands in another place of the directory"));
            }
            let (data, mask) = (Addr(word(part.buf, data_at)), word(part.buf, mask_at));
            let count = mask.wrapping_add(1);
            if !count.is_power_of_two() || count > TABLE_SLOTS / MAP_SLOTS || data.is_null() {
                return Err(Broken::Senseless("a table of no believable size"));
            }
            let used = word(part.buf, table_used) & 0xffff;
            found.push(Table { at: *at, used, groups: Runs { at: data, count } });
        }
        f(&found, budget)?;
    }
    Ok(Some(directory))
}

/// What stands behind the map at an address.
pub(super) fn arrays(
    rt: &Runtime,
    mem: &dyn Memory,
    at: Addr,
    fields: [u64; 3],
    header: HeaderReading,
    budget: &mut ReadBudget,
) -> Result<MapArrays, Broken> {
    let mut out = MapArrays { elements: header.elements, ..MapArrays::default() };
    let directory = tables(rt, mem, at, fields, budget, &mut |found, _| {
        for t in found {
            out.counted += t.used;
            out.slots += t.groups.count * MAP_SLOTS;
            out.arrays.push(t.groups.at);
            out.tables.extend((!t.at.is_null()).then_some(t.at));
        }
        Ok(())
    })?;
    out.tables.extend(directory);
    Ok(out)
}

/// Tells `slots` of each group, with the slots that are taken.
#[expect(clippy::too_many_arguments, reason = "what a reader has, taken apart so that its buffers are free")]
pub(super) fn walk(
    rt: &Runtime,
    mem: &dyn Memory,
    buffer: &mut Vec<u8>,
    at: Addr,
    fields: [u64; 3],
    layout: &MapLayout,
    budget: &mut ReadBudget,
    slots: &mut RunVisitor<'_>,
) -> Result<(), Broken> {
    if layout.form != MapForm::Groups {
        return Err(Broken::Senseless("a type of maps of another kind"));
    }
    tables(rt, mem, at, fields, budget, &mut |found, budget| {
        let mut inner = budget.twin();
        let runs = found.iter().map(|t| t.groups);
        each_run(mem, buffer, runs, layout.run_bytes, budget, |at, run| {
            let full = !word(run, 0) & FREE;
            // The highest bit of each byte to a bit each.
            let taken = (full >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            if taken != 0 {
                slots(at, run, taken as u8, &mut inner.budget)?;
            }
            Ok(())
        })?;
        budget.join(inner);
        Ok(())
    })?;
    Ok(())
}
