//! Where sampled objects were allocated: the memory profile notes one in so many bytes, and its bucket has
//! the stack. Source: `runtime/mprof.go` (`setprofilebucket`), `runtime/mheap.go` (`specialprofile`).

use lastgasp_goruntime::{Frame, Symbolizer};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use lastgasp_heapgraph::ObjectId;

use crate::heap::Heap;

/// Frames of a stack that are looked at.
const MAX_FRAMES: u64 = 64;

/// The function that built something, with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BuiltAt {
    /// Function, as pprof writes it.
    pub function: String,
    /// `file:line`.
    pub place: String,
}

/// Sites of sampled objects.
pub(crate) struct Sites<'h> {
    heap: &'h Heap<'h>,
    symbols: Symbolizer<'h>,
    known: FxHashMap<Addr, Option<BuiltAt>>,
}

impl<'h> Sites<'h> {
    pub(crate) fn new(heap: &'h Heap<'h>) -> Self {
        let symbols = Symbolizer::new(heap.memory, &heap.runtime.module, heap.runtime.layout);
        Self { heap, symbols, known: FxHashMap::default() }
    }

    /// Where an object was allocated, if it was sampled: the innermost function that is not the runtime's.
    pub(crate) fn of(&mut self, object: ObjectId) -> Option<BuiltAt> {
        let bucket = self.heap.samples.bucket(object)?;
        if let Some(known) = self.known.get(&bucket) {
            return known.clone();
        }
        let found = self.read(bucket);
        self.known.insert(bucket, found.clone());
        found
    }

    fn read(&self, bucket: Addr) -> Option<BuiltAt> {
        let l = &self.heap.runtime.layout.bucket;
        let frames = self.heap.memory.u64(bucket.plus(l.nstk)).ok()?.min(MAX_FRAMES);
        for i in 0..frames {
            let pc = self.heap.memory.u64(bucket.plus(l.sizeof + i * 8)).ok()?;
            let own = self.symbols.frames(Addr(pc.checked_sub(1)?)).into_iter().find(|f| !is_of_runtime(f));
            if let Some(f) = own {
                return Some(BuiltAt { function: f.function, place: format!("{}:{}", f.file, f.line) });
            }
        }
        None
    }
}

fn is_of_runtime(f: &Frame) -> bool {
    ["runtime.", "internal/runtime/", "runtime/internal/", "internal/sync.", "sync."]
        .iter()
        .any(|own| f.function.starts_with(own))
}
