//! What each fuzz target does with its input. `fuzz/fuzz_targets` calls these under libFuzzer,
//! `tests/replay.rs` with the kept corpus.
//!
//! Two kinds of input: bytes that are read as they come (a file, a text), and orders to damage a make-believe
//! process that is whole otherwise, so that what lies deep is reached too: see `damage.rs`.

mod changes;
mod code;
mod damage;
mod files;
mod go_source;
mod heap_targets;
mod process_targets;
mod saved;
mod source;
mod stored;
mod worker;

/// The process of the tests in `goruntime`, and the runtime that discovery finds in it.
#[allow(missing_docs, unreachable_pub, clippy::unwrap_used)]
#[path = "../../../crates/goruntime/tests/synthetic/process.rs"]
pub mod process;

pub use changes::{answers, changes};
pub use code::code;
pub use damage::{Orders, flavour_of};
pub use files::{attach, core, elf, modules};
pub use go_source::gosource;
pub use heap_targets::{collections, graph, types};
pub use process_targets::{buckets, goroutines, pclntab, pointers, spans};
pub use saved::raw;
pub use source::{escapes, pprof};
pub use stored::{facts, locations, maps};
pub use worker::worker;

/// A target: its name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target by name, sorted; `fuzz/fuzz_targets` has a file for each.
pub const ALL: &[Target] = &[
    ("answers", answers),
    ("attach", attach),
    ("buckets", buckets),
    ("changes", changes),
    ("code", code),
    ("collections", collections),
    ("core", core),
    ("elf", elf),
    ("escapes", escapes),
    ("facts", facts),
    ("goroutines", goroutines),
    ("gosource", gosource),
    ("graph", graph),
    ("locations", locations),
    ("maps", maps),
    ("modules", modules),
    ("pclntab", pclntab),
    ("pointers", pointers),
    ("pprof", pprof),
    ("raw", raw),
    ("spans", spans),
    ("types", types),
    ("worker", worker),
];
