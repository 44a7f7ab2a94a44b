//! Copying what goroutines wait on, after the stop: they wait still. One whose wait is over by then is known
//! by what it does not find.

use lastgasp_inferior::{Addr, Memory, Part, Snapshot};
use rustc_hash::FxHashSet;

use crate::goroutine::g::{RawG, pointers};
use crate::goroutine::parked::{candidates, window};
use crate::goroutine::stack_sampling::{Candidate, choose};
use crate::goroutine::waits_on::{WaitKind, next};
use crate::runtime::Runtime;

/// Most goroutines of each kind of wait that are followed; of more a sample: what is rare whole, and of what
/// is many as many as there is room for, evenly.
const MAX_OF_A_KIND: usize = 4096;
/// Most cases of `select`s that are followed one behind the other.
const MAX_DEEP: usize = 8;
/// Pieces that are read at once.
const AT_ONCE: usize = 4096;

/// What is looked for: where it may stand, and for which goroutine.
struct Probe {
    at: Addr,
    g: Addr,
    kind: WaitKind,
}

/// Adds to a sealed copy what its goroutines wait on, read from `mem`.
pub(super) fn copy(rt: &Runtime, copy: &mut Snapshot, mem: &dyn Memory) {
    let mut found = Vec::new();
    let mut probes = probes(rt, copy);
    for _ in 0..MAX_DEEP {
        let list = proved(rt, mem, &probes);
        // Of a `select` the next case.
        probes = follow(rt, mem, list, &mut found);
        if probes.is_empty() {
            break;
        }
    }
    if !found.is_empty() {
        for (at, bytes) in found {
            copy.insert(at, &bytes);
        }
        copy.seal();
    }
}

/// Where what the goroutines of the copy wait on may stand.
fn probes(rt: &Runtime, copy: &Snapshot) -> Vec<Probe> {
    let size = rt.layout.g.sizeof as usize;
    let all = pointers(rt, copy, &mut Vec::new()).1;
    let waiting = all.into_iter().filter_map(|g| {
        let raw = RawG::parse(rt, &copy.bytes(g, size, 1 << 12).ok()?)?;
        Some((g, raw, WaitKind::of(rt, &raw)?))
    });
    let waiting: Vec<(Addr, RawG, WaitKind)> = waiting.collect();
    let mut chosen = FxHashSet::default();
    for of_kind in [WaitKind::Channel, WaitKind::Semaphore, WaitKind::Poll] {
        let all = waiting.iter().filter(|(_, _, kind)| *kind == of_kind);
        let all: Vec<Candidate> = all.map(|(g, raw, _)| Candidate { kind: raw.kind(), start: *g, len: 1 }).collect();
        chosen.extend(choose(&all, MAX_OF_A_KIND).into_iter().map(|(g, _)| g));
    }
    let mut out = Vec::new();
    for (g, raw, kind) in waiting.into_iter().filter(|(g, _, _)| chosen.contains(g)) {
        if kind == WaitKind::Channel {
            out.extend((!raw.waiting.is_null()).then_some(Probe { at: raw.waiting, g, kind }));
            continue;
        }
        let words = window(&raw).and_then(|(at, len)| copy.bytes(at, len, 1 << 12).ok()).unwrap_or_default();
        let mut at: Vec<Addr> = candidates(rt, &raw, &words).collect();
        at.sort_unstable();
        at.dedup();
        out.extend(at.into_iter().map(|at| Probe { at, g, kind }));
    }
    out
}

/// Those that are what is looked for.
fn proved<'a>(rt: &Runtime, mem: &dyn Memory, probes: &'a [Probe]) -> Vec<&'a Probe> {
    let mut out = Vec::new();
    for some in probes.chunks(AT_ONCE) {
        let mut words = vec![[0; 8]; some.len()];
        let place = |p: &Probe| p.at.plus(p.kind.proof(rt));
        let parts = some.iter().zip(&mut words).map(|(p, w)| Part { addr: place(p), buf: w.as_mut_slice(), ok: false });
        let mut parts: Vec<Part<'_>> = parts.collect();
        mem.read_parts(&mut parts);
        let ok: Vec<bool> = parts.iter().map(|p| p.ok).collect();
        let proves =
            |(p, (w, ok)): &(&Probe, (&[u8; 8], bool))| *ok && u64::from_le_bytes(**w) == p.kind.proves(p.at, p.g);
        out.extend(some.iter().zip(words.iter().zip(ok)).filter(proves).map(|(p, _)| p));
    }
    out
}

/// Reads them, and gives what stands behind them in lists.
fn follow(rt: &Runtime, mem: &dyn Memory, list: Vec<&Probe>, found: &mut Vec<(Addr, Vec<u8>)>) -> Vec<Probe> {
    let mut behind = Vec::new();
    for some in list.chunks(AT_ONCE) {
        let mut buffers: Vec<Vec<u8>> = some.iter().map(|p| vec![0; p.kind.size(rt)]).collect();
        let parts = some.iter().zip(&mut buffers).map(|(p, b)| Part { addr: p.at, buf: b.as_mut_slice(), ok: false });
        let mut parts: Vec<Part<'_>> = parts.collect();
        mem.read_parts(&mut parts);
        let ok: Vec<bool> = parts.iter().map(|p| p.ok).collect();
        for ((p, bytes), _) in some.iter().zip(buffers).zip(ok).filter(|(_, ok)| *ok) {
            if p.kind == WaitKind::Channel {
                let at = next(rt, &bytes);
                behind.extend((!at.is_null()).then_some(Probe { at, g: p.g, kind: p.kind }));
            }
            found.push((p.at, bytes));
        }
    }
    behind
}
