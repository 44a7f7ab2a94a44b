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
        // Codes of closures by whether they are those of `AddCleanup`.
        let mut wrappers: FxHashMap<Addr, bool> = FxHashMap::default();
        let mut hold = |noted: NotedRoot| {
            if edges.layout.object_at(noted.to.0).is_none() {
                return;
            }
            if edges.layout.object_at(noted.func.0).is_some() && self.funcs.len() < MAX_CLOSURES {
                self.funcs.push(noted.func);
            }
            let code = code_of(mem, noted.func);
            let code = match noted.note {
                RootNote::Cleanup | RootNote::DueCleanup => wrapped(mem, symbols, &mut wrappers, noted.func, code),
                _ => code,
            };
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

/// Where the code of a function value begins; nil of none.
fn code_of(mem: &dyn Memory, func: Addr) -> Addr {
    if func.is_null() { Addr::default() } else { mem.ptr(func).unwrap_or_default() }
}

/// The code of the function that a cleanup runs: in Go 1.24 a cleanup is a closure of `runtime.AddCleanup`
/// that captures the program's function and its argument (`runtime/mcleanup.go`), and all of one shape have
/// the same code. (Seen blind: "runtime.AddCleanup[go.shape.struct ...].func1 holds 137 MB of it".)
fn wrapped(
    mem: &dyn Memory,
    symbols: &Symbolizer<'_>,
    wrappers: &mut FxHashMap<Addr, bool>,
    func: Addr,
    code: Addr,
) -> Addr {
    let is_one = |at: Addr| symbols.function_name(at).is_some_and(|name| name.starts_with("runtime.AddCleanup["));
    if !*wrappers.entry(code).or_insert_with(|| is_one(code)) {
        return code;
    }
    // Behind the code, and the dictionary of a generic function.
    let captured = [8, 16].into_iter().filter_map(|offset| mem.ptr(func.plus(offset)).ok());
    let is_code = |at: &Addr| !at.is_null() && symbols.is_code(*at);
    captured.map(|inner| code_of(mem, inner)).find(is_code).unwrap_or(code)
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
