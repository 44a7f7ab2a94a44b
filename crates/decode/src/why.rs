//! What keeps one object alive, by its address: asked of memory of one moment.

use lastgasp_goheap::{Heap, Ways};
use lastgasp_goruntime::{LabelSalt, Symbolizer, decode_all_goroutines};
use lastgasp_heapgraph::Holder;
use lastgasp_inferior::{BlockCache, Layered};
use lastgasp_observe::raw_capture::RawCapture;

use crate::heap_graph::WholeMemory;

/// Holders of one object that are told.
const MOST_HOLDERS: usize = 12;

/// An object, and what keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectAt {
    /// Where its slot begins.
    pub start: u64,
    /// Bytes of the slot.
    pub bytes: u64,
    /// Its type as `%T` spells it; empty where it is not known.
    pub type_name: String,
    /// Whether anything keeps it.
    pub is_live: bool,
    /// Objects that would be garbage without it, itself included.
    pub retained_objects: u64,
    /// Bytes of their slots.
    pub retained_bytes: u64,
    /// The shortest way to it in words of the source, the root first; empty of garbage.
    pub way: Vec<String>,
    /// The shortest ways by each of what points to it, 12 at most: those that differ in words.
    pub ways: Vec<Vec<String>>,
}

/// The object that an address points to or into; `None` where no object of the heap is.
///
/// # Errors
/// Why the heap could not be read as a graph, in plain words.
pub fn object_at(taken: &RawCapture, whole: WholeMemory<'_>, address: u64) -> Result<Option<ObjectAt>, String> {
    let rt = &taken.runtime;
    let mem = &taken.evidence.snapshot;
    let of_file = || taken.binary.constants(rt).map_err(|e| e.to_string());
    let constants = BlockCache::new(Layered { top: of_file()?.0, bottom: mem });
    let symbols = Symbolizer::new(&constants, &rt.module, rt.layout);
    let goroutines = decode_all_goroutines(rt, mem, &symbols, &taken.registers, &LabelSalt::default(), &mut Vec::new());
    let memory = Layered { top: whole.memory, bottom: of_file()?.0 };
    let mut gaps = Vec::new();
    let heap = Heap::read(taken, &memory, &goroutines.live, &mut gaps);
    let heap =
        heap.ok_or_else(|| gaps.iter().map(|g| format!("{}: {}", g.what, g.why)).collect::<Vec<_>>().join("; "))?;
    let graph = &heap.graph;
    let Some(object) = graph.layout().object_at(address) else { return Ok(None) };
    let ways = Ways::of(&heap);
    let way = ways.to_many(&[object]).into_iter().next().unwrap_or_default();
    let retained = heap.dominators.retained(graph, Holder::Object(object)).unwrap_or_default();
    let by: Vec<Vec<String>> = graph
        .holders(&[object], MOST_HOLDERS)
        .into_iter()
        .flatten()
        .map(|holder| match holder {
            Holder::Object(by) => ways.to_many(&[by]).into_iter().next().unwrap_or_default(),
            root => heap.root_name(root).map(|r| vec![format!("{} {}", r.kind.name(), r.name)]).unwrap_or_default(),
        })
        .collect();
    let mut differing: Vec<Vec<String>> = Vec::new();
    for words in by.into_iter().filter(|w| !w.is_empty()) {
        if !differing.contains(&words) {
            differing.push(words);
        }
    }
    Ok(Some(ObjectAt {
        start: graph.layout().address(object).unwrap_or(address),
        bytes: graph.layout().bytes(object),
        type_name: heap.type_of(object).map(|(_, name)| name.to_owned()).unwrap_or_default(),
        is_live: !way.is_empty(),
        retained_objects: retained.objects.into(),
        retained_bytes: retained.bytes,
        way,
        ways: differing,
    }))
}
