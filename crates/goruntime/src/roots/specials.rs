//! What finalizers, cleanups and weak pointers hold. Source: `runtime/mgcmark.go` (`markrootSpans`).
//!
//! An object with a finalizer is no root, else it would never be collected; all that it points to is, for the
//! finalizer will want to see it, and so is the finalizer's closure.

use lastgasp_inferior::{Addr, Memory};

use crate::gap::Gap;
use crate::heap::objects::HeapObjects;
use crate::heap::pointers::{PointerReader, PointerVisitor};
use crate::heap::specials::{Special, SpecialKind};
use crate::runtime::Runtime;

/// What kind of note of the runtime's holds an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RootNote {
    /// A finalizer that is set: its closure, and what the object points to.
    Finalizer,
    /// A cleanup that is set: its closure and argument.
    Cleanup,
    /// What a weak pointer is made of.
    WeakHandle,
    /// A finalizer that waits to be run: its closure, and the object.
    DueFinalizer,
    /// A cleanup that waits to be run.
    DueCleanup,
}

impl RootNote {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Finalizer => "finalizer",
            Self::Cleanup => "cleanup",
            Self::WeakHandle => "weak handle",
            Self::DueFinalizer => "finalizer that waits to be run",
            Self::DueCleanup => "cleanup that waits to be run",
        }
    }
}

/// A pointer that a note holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotedRoot {
    /// What it is.
    pub note: RootNote,
    /// Of which object: its address; null of what is due.
    pub of: Addr,
    /// The function that is to be run, its closure; null where there is none.
    pub func: Addr,
    /// The pointer.
    pub to: Addr,
}

/// Calls `visit` for every pointer that the records of `specials` hold, nil left out.
pub fn special_roots(
    rt: &Runtime,
    mem: &dyn Memory,
    objects: &HeapObjects,
    specials: &[Special],
    gaps: &mut Vec<Gap>,
    mut visit: impl FnMut(NotedRoot),
) {
    let mut lost = 0u64;
    // Closures of finalizers by object; objects come in order.
    let mut finalized: Vec<(u32, usize, Addr)> = Vec::new();
    let (finalizers, cleanups) = (&rt.layout.finalizers, &rt.layout.cleanups);
    for special in specials {
        let (note, offset, words) = match special.kind {
            SpecialKind::Finalizer => (RootNote::Finalizer, Some(finalizers.special_func), 1),
            SpecialKind::Cleanup => (RootNote::Cleanup, cleanups.special_func, cleanups.sizeof.unwrap_or(8) / 8),
            SpecialKind::WeakHandle => (RootNote::WeakHandle, cleanups.special_weak_handle, 1),
            _ => continue,
        };
        let of = special.object(objects).unwrap_or_default();
        let read = offset.and_then(|at| (0..words.min(8)).map(|i| mem.ptr(special.at.plus(at + i * 8)).ok()).collect());
        let Some(words): Option<Vec<Addr>> = read else {
            lost += 1;
            continue;
        };
        let func = words.iter().copied().find(|_| note != RootNote::WeakHandle).unwrap_or_default();
        // From Go 1.26 on an adapter stands before the function itself.
        let func = words.get(1).copied().unwrap_or(func);
        for to in words.into_iter().filter(|to| !to.is_null()) {
            visit(NotedRoot { note, of, func, to });
        }
        if note == RootNote::Finalizer
            && let Some(object) = objects.find(of)
        {
            finalized.push((object.number, object.span, func));
        }
    }
    if lost > 0 {
        gaps.push(Gap::new("specials", format!("{lost} finalizers, cleanups and weak handles could not be read")));
    }
    let mut reader = PointerReader::new(rt, mem, objects);
    for of_span in finalized.chunk_by(|a, b| a.1 == b.1) {
        let Some((_, span, _)) = of_span.first() else { continue };
        let start = objects.spans().get(*span).map(|s| s.start).unwrap_or_default();
        let mut found = Found { of_span, objects, start, visit: &mut visit };
        reader.read(*span..*span + 1, &mut found);
    }
    reader.finish(gaps);
}

/// Tells of the pointers of some objects of a span.
struct Found<'a, F> {
    of_span: &'a [(u32, usize, Addr)],
    objects: &'a HeapObjects,
    start: Addr,
    visit: &'a mut F,
}

impl<F: FnMut(NotedRoot)> PointerVisitor for Found<'_, F> {
    fn pointer(&mut self, object: u32, _: u64, to: Addr) {
        if let Ok(i) = self.of_span.binary_search_by_key(&object, |(number, _, _)| *number) {
            let func = self.of_span.get(i).map(|(_, _, func)| *func).unwrap_or_default();
            let of = self.objects.get(object).map_or(self.start, |o| o.start);
            (self.visit)(NotedRoot { note: RootNote::Finalizer, of, func, to });
        }
    }
}
