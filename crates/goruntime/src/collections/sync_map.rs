//! `sync.Map`. Source: `sync/map.go` up to Go 1.23 (a map that is read without a lock, one that is written
//! under it, values behind entries that both share), `internal/sync/hashtriemap.go` from 1.24 on (a trie of
//! sixteen children a node, entries at its leaves). Neither counts its elements: they are found by a walk.

use lastgasp_inferior::{Addr, Memory, Part, ReadCause, ReadError};

use super::budget::{Broken, ReadBudget};
use super::maps::{Entry, MapReader};
use super::words::{byte, word};
use crate::runtime::Runtime;
use crate::types::{MAP_SLOTS, MapForm, MapLayout};

/// Bytes of an interface.
const IFACE: u64 = 16;
/// Children of a node (`nChildren`).
const CHILDREN: u64 = 16;
/// Levels of the trie: four bits of a hash of 64 each.
const LEVELS: usize = 16;
/// Nodes that are read at once.
const BATCH: usize = 512;
/// Largest node that is believed.
const MAX_NODE: u64 = 512;

/// Tells `f` of each key and value, both interfaces of two words, of the `sync.Map` at an address, until it
/// gives `false`; gives how many were found.
///
/// # Errors
/// [`Broken`]: it could not be read to its end.
pub fn walk_sync_map(
    rt: &Runtime,
    mem: &dyn Memory,
    at: Addr,
    budget: &mut ReadBudget,
    f: &mut dyn FnMut(Entry<'_>) -> bool,
) -> Result<u64, Broken> {
    if rt.version.experiments().any(|x| x == "nosynchashtriemap") {
        return Err(Broken::Senseless("a sync.Map of GOEXPERIMENT=nosynchashtriemap, which is not read"));
    }
    if rt.layout.sync_trie.root.is_some() {
        walk_trie(rt, mem, at, budget, f)
    } else {
        walk_two_maps(rt, mem, at, budget, f)
    }
}

/// How `map[any]*entry` is laid out up to Go 1.23.
fn layout() -> MapLayout {
    let keys_at = MAP_SLOTS;
    let elems_at = keys_at + MAP_SLOTS * IFACE;
    MapLayout {
        key: Addr::NULL,
        elem: Addr::NULL,
        run: Addr::NULL,
        form: MapForm::Buckets,
        run_bytes: elems_at + MAP_SLOTS * 8 + 8,
        keys_at,
        key_stride: IFACE,
        elems_at,
        elem_stride: 8,
        indirect_key: false,
        indirect_elem: false,
    }
}

fn walk_two_maps(
    rt: &Runtime,
    mem: &dyn Memory,
    at: Addr,
    budget: &mut ReadBudget,
    f: &mut dyn FnMut(Entry<'_>) -> bool,
) -> Result<u64, Broken> {
    let l = &rt.layout.sync_map;
    let (Some(read), Some(dirty), Some(m), Some(amended), Some(entry_p)) =
        (l.read, l.dirty, l.read_only_m, l.read_only_amended, l.entry_p)
    else {
        return Err(Broken::Senseless("sync.Map of this release is not read"));
    };
    // Up to Go 1.19 `read` is an `atomic.Value`, an interface: the pointer is its second word.
    let read = if dirty - read == IFACE { read + 8 } else { read };
    let read_only = mem.ptr(at.plus(read))?;
    let of_read = if read_only.is_null() { Addr::NULL } else { mem.ptr(read_only.plus(m))? };
    let is_amended = !read_only.is_null() && mem.u8(read_only.plus(amended))? != 0;
    // The map that is written has all that lives, once it is there.
    let written = mem.ptr(at.plus(dirty))?;
    let map = if !written.is_null() && (is_amended || of_read.is_null()) { written } else { of_read };
    if map.is_null() {
        return Ok(0);
    }
    // Values stand behind entries: pointers are collected first, so that they are read many at once.
    let mut keys: Vec<(Addr, [u8; IFACE as usize], Addr)> = Vec::new();
    let mut inner = budget.twin();
    let walk = MapReader::new(rt, mem).walk(map, &layout(), (IFACE, 8), budget, |e| {
        let Ok(key) = e.key.try_into() else { return false };
        keys.push((e.key_at, key, Addr(word(e.elem, 0))));
        true
    });
    walk.broken.map_or(Ok(()), Err)?;
    let mut found = 0;
    for batch in keys.chunks(BATCH) {
        inner.budget.take(batch.len() as u64 * (8 + IFACE))?;
        let at: Vec<Addr> = batch.iter().map(|(_, _, entry)| entry.plus(entry_p)).collect();
        let pointers: Vec<Addr> = read_all(mem, &at, 8)?.chunks_exact(8).map(|b| Addr(word(b, 0))).collect();
        // A value that was deleted is nil.
        let live: Vec<_> = batch.iter().zip(pointers).filter(|(_, p)| !p.is_null()).collect();
        let places: Vec<Addr> = live.iter().map(|(_, p)| *p).collect();
        let values = read_all(mem, &places, IFACE as usize)?;
        for (((key_at, key, _), elem_at), elem) in live.into_iter().zip(values.chunks_exact(IFACE as usize)) {
            found += 1;
            if !f(Entry { key_at: *key_at, key, elem_at, elem }) {
                return Err(Broken::Stopped);
            }
        }
    }
    budget.join(inner);
    Ok(found)
}

/// So many bytes at each of these places, one behind the other.
fn read_all(mem: &dyn Memory, at: &[Addr], len: usize) -> Result<Vec<u8>, Broken> {
    let mut bytes = vec![0; at.len() * len];
    let mut parts: Vec<Part<'_>> =
        at.iter().zip(bytes.chunks_exact_mut(len)).map(|(addr, buf)| Part { addr: *addr, buf, ok: false }).collect();
    mem.read_parts(&mut parts);
    match parts.iter().find(|p| !p.ok) {
        Some(p) => Err(ReadError { addr: p.addr, len, cause: ReadCause::Absent }.into()),
        None => Ok(bytes),
    }
}

fn walk_trie(
    rt: &Runtime,
    mem: &dyn Memory,
    at: Addr,
    budget: &mut ReadBudget,
    f: &mut dyn FnMut(Entry<'_>) -> bool,
) -> Result<u64, Broken> {
    let l = &rt.layout.sync_trie;
    let (Some(root), Some(is_entry), Some(children), Some(overflow), Some(key_at), Some(value_at), Some(entry)) =
        (l.root, l.node_is_entry, l.children, l.overflow, l.key, l.value, l.entry_sizeof)
    else {
        return Err(Broken::Senseless("sync.Map of this release is not read"));
    };
    let Some(size) = usize::try_from(entry).ok().filter(|_| entry <= MAX_NODE) else {
        return Err(Broken::Senseless("sync.Map of this release is not read"));
    };
    let mut level: Vec<Addr> = Some(mem.ptr(at.plus(root))?).filter(|a| !a.is_null()).into_iter().collect();
    let (mut depth, mut found) = (0, 0);
    // Each level, and then chains of entries with equal hashes, which are as long as the budget.
    while !level.is_empty() {
        let (mut inner, mut chained) = (Vec::new(), Vec::new());
        for batch in level.chunks(BATCH) {
            // An inner node is larger than an entry: as much of either can be read.
            budget.take(batch.len() as u64 * entry)?;
            let nodes = read_all(mem, batch, size)?;
            for (node_at, node) in batch.iter().zip(nodes.chunks_exact(size)) {
                if byte(node, is_entry) == 0 {
                    inner.push(*node_at);
                    continue;
                }
                let value = |at: u64| node.get(at as usize..(at + IFACE) as usize);
                let (Some(key), Some(elem)) = (value(key_at), value(value_at)) else {
                    return Err(Broken::Senseless("sync.Map of this release is not read"));
                };
                found += 1;
                let entry = Entry { key_at: node_at.plus(key_at), key, elem_at: node_at.plus(value_at), elem };
                if !f(entry) {
                    return Err(Broken::Stopped);
                }
                chained.extend(Some(Addr(word(node, overflow))).filter(|a| !a.is_null()));
            }
        }
        if !inner.is_empty() && depth > LEVELS {
            return Err(Broken::Senseless("a sync.Map deeper than its hashes are long"));
        }
        let mut next = chained;
        for batch in inner.chunks(BATCH) {
            let len = CHILDREN * 8;
            budget.take(batch.len() as u64 * len)?;
            let places: Vec<Addr> = batch.iter().map(|a| a.plus(children)).collect();
            let pointers = read_all(mem, &places, len as usize)?;
            next.extend(pointers.chunks_exact(8).map(|b| Addr(word(b, 0))).filter(|a| !a.is_null()));
        }
        depth += 1;
        level = next;
    }
    Ok(found)
}
