//! Copying goroutines, their stacks, labels and ancestors.

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashSet;

use super::sink::Sink;
use crate::bounds::{RECONSTRUCT_WINDOW, STACK_BOUND, STACKS_BOUND};
use crate::gap::Gap;
use crate::goroutine::g::{RawG, pointers, sorted};
use crate::goroutine::stack_sampling::{Candidate, choose};
use crate::goroutine::{ancestors, labels};
use crate::ranges::merge;
use crate::runtime::Runtime;

/// Most label sets and ancestor lists that are copied, each: they are found by pointers, one read after the
/// other.
const MAX_POINTED: usize = 1000;

/// All goroutines with their stacks, labels and ancestors.
pub(super) fn copy_goroutines(into: &mut Sink<'_>, rt: &Runtime, mem: &dyn Memory) {
    let (array, pointers) = pointers(rt, mem, into.gaps);
    into.snapshot.copy(mem, array.start, array.len() as usize);
    let size = rt.layout.g.sizeof as usize;
    // Decoding says what is left out here.
    let sorted = sorted(pointers, rt.layout.g.sizeof);
    let gs = merge(sorted.iter().map(|a| (*a, size)).collect());
    let mark = into.snapshot.mark();
    let mut failed = into.snapshot.copy_all(mem, &gs);
    let mut stacks = Vec::with_capacity(sorted.len());
    let (mut labelled, mut descended) = (FxHashSet::default(), FxHashSet::default());
    // What was just copied tells where the stacks stand. Both lists are sorted by address.
    let mut next = sorted.iter().peekable();
    for (start, bytes) in into.snapshot.pieces_since(mark) {
        while let Some(at) = next.peek().copied().copied().filter(|a| a.0 < start.0 + bytes.len() as u64) {
            next.next();
            let skip = at.0.saturating_sub(start.0) as usize;
            let Some(raw) = bytes.get(skip..skip + size).and_then(|b| RawG::parse(rt, b)) else { continue };
            let bound = if raw.resume().is_some() { STACK_BOUND } else { RECONSTRUCT_WINDOW };
            if let Some(used) = raw.used_stack(bound) {
                stacks.push(Candidate { kind: raw.kind(), start: used.start, len: used.len() as usize });
                labelled.extend(Some(raw.labels).filter(|a| !a.is_null()));
                descended.extend(Some(raw.ancestors).filter(|a| !a.is_null()));
            }
        }
    }
    failed += into.snapshot.copy_all(mem, &choose(&stacks, STACKS_BOUND));
    if failed > 0 {
        into.gaps.push(Gap::new("goroutines", format!("{failed} pieces could not be read")));
    }
    copy_pointed(into, mem, "label sets", labelled, |at, visit| labels::extents(rt, mem, at, visit));
    copy_pointed(into, mem, "lists of ancestors", descended, |at, visit| ancestors::extents(rt, mem, at, visit));
}

/// What stands behind pointers of goroutines, `walk` telling its extents.
fn copy_pointed(
    into: &mut Sink<'_>,
    mem: &dyn Memory,
    what: &str,
    at: FxHashSet<Addr>,
    walk: impl Fn(Addr, &mut dyn FnMut(Addr, u64)),
) {
    let mut sorted: Vec<Addr> = at.into_iter().collect();
    sorted.sort_unstable();
    if sorted.len() > MAX_POINTED {
        let why = format!("more than {MAX_POINTED}: not copied, so that the target need not stand still for them");
        into.gaps.push(Gap::new(format!("{} {what}", sorted.len() - MAX_POINTED), why));
        sorted.truncate(MAX_POINTED);
    }
    let mut ranges = Vec::new();
    for at in sorted {
        walk(at, &mut |start, len| ranges.extend((len > 0).then_some((start, len as usize))));
    }
    // What could not be copied cannot be decoded, which says so.
    into.snapshot.copy_all(mem, &merge(ranges));
}
