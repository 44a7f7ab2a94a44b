//! Finalizers, cleanups and weak pointers: those with one function are one root.

use lastgasp_goruntime::{Gap, HeapObjects, NotedRoot, RootNote, Symbolizer, due_roots, special_roots};
use lastgasp_heapgraph::RootId;
use lastgasp_inferior::{Addr, Memory};
use lastgasp_observe::raw_capture::RawCapture;
use rustc_hash::FxHashMap;

use super::{Holders, RootKind, RootName, RootPlace};
use crate::edges::Edges;
use crate::samples::Samples;

/// Functions that are told apart.
const MAX_FUNCTIONS: usize = 1 << 16;
/// Closures of theirs whose types are looked for.
const MAX_CLOSURES: usize = 1 << 20;

impl Holders {
    pub(super) fn add_notes(
        &mut self,
        taken: &RawCapture,
        mem: &dyn Memory,
        symbols: &Symbolizer<'_>,
        objects: &HeapObjects,
        edges: &Edges,
        gaps: &mut Vec<Gap>,
    ) {
        let rt = &taken.runtime;
        // By what it is and where the code of its function begins.
        let mut known: FxHashMap<(RootNote, Addr), RootId> = FxHashMap::default();
        let mut hold = |noted: NotedRoot| {
            if edges.layout.object_at(noted.to.0).is_none() {
                return;
            }
            if edges.layout.object_at(noted.func.0).is_some() && self.funcs.len() < MAX_CLOSURES {
                self.funcs.push(noted.func);
            }
            let code = if noted.func.is_null() { Addr::default() } else { mem.ptr(noted.func).unwrap_or_default() };
            let key = if known.len() < MAX_FUNCTIONS { (noted.note, code) } else { (noted.note, Addr::default()) };
            let root = *known.entry(key).or_insert_with(|| {
                let function = symbols.function_name(key.1);
                self.named.push(name(noted.note, function.as_deref().unwrap_or("a function that is not known")));
                self.roots.root(None)
            });
            let Some(object) = self.roots.hold(root, &edges.layout, noted.to.0) else { return };
            if edges.watched.has(object) {
                self.pointed.add((root, RootPlace::Note), noted.to);
            }
            if noted.note == RootNote::WeakHandle {
                self.weak.extend(edges.layout.object_at(noted.of.0).map(|of| (object, of)));
            }
        };
        let mut noted = Vec::new();
        self.samples = Samples::read(rt, mem, objects, &edges.layout, &mut noted, gaps);
        special_roots(rt, mem, objects, &noted, gaps, &mut hold);
        // They are few and soon gone: without them there is a graph still.
        if let Err(why) = due_roots(rt, mem, symbols, &mut hold) {
            self.not_read.push(format!("finalizers and cleanups that wait to be run ({why})"));
        }
    }
}

fn name(note: RootNote, function: &str) -> RootName {
    match note {
        RootNote::Finalizer => RootName::new(RootKind::Finalizer, function.to_owned()),
        RootNote::Cleanup => RootName::new(RootKind::Finalizer, format!("{function} (cleanup)")),
        RootNote::DueFinalizer | RootNote::DueCleanup => {
            RootName::new(RootKind::Finalizer, format!("{function} (waits to be run)"))
        }
        RootNote::WeakHandle => RootName::new(RootKind::Runtime, "weak pointers".to_owned()),
    }
}
