//! A whole make-believe service: two sites, a goroutine that waits, large objects. What tests need that take
//! a process out of its core.

use std::io;
use std::path::{Path, PathBuf};

use crate::flavour::Flavour;
use crate::heap::{Span, SpanState, Sweep, TypeSpec};
use crate::process::{FunctionSpec, Goroutine, Process, Record, Site};

const FUNCTIONS: &[FunctionSpec<'static>] = &[
    ("main.main", 10, 40, true, None),
    ("main.build", 20, 24, false, Some("main.inlined")),
    ("runtime.gopark", 40, 16, false, None),
    ("runtime.goexit", 50, 0, true, None),
    ("runtime.mallocgc", 60, 32, false, None),
];
const TYPES: &[TypeSpec<'static>] = &[("main.block", 32768, true)];
const LARGE: Span = Span {
    state: SpanState::InUse,
    size_class: 0,
    noscan: false,
    pages: 5,
    elem_size: 40_960,
    slots: 1,
    objects: 1,
    sweep: Sweep::Done,
    marked: 1,
    large_type: Some(0),
};

/// The service: of 10 objects of 64 bytes that main.build allocated for main.main 6 are in use, of 77 of 128
/// bytes for nobody 76; one goroutine is parked in main.main; two objects of 40,960 bytes, each a main.block.
#[must_use]
pub fn service(flavour: Flavour) -> Process {
    let sites = [
        Site { stack: vec![4, 1, 0, 3], size: 64, active: Record { allocs: 10, frees: 4 }, ..Site::default() },
        Site { stack: vec![1, 3], size: 128, active: Record { allocs: 77, frees: 1 }, ..Site::default() },
    ];
    // One: what stands between two of them is in no core of this process, and they are copied in one piece.
    let parked = Goroutine { goid: 1, status: 4, wait_reason: 2, stack: vec![2, 0], ..Goroutine::default() };
    let mut process = Process::build(flavour, FUNCTIONS, &sites, &[parked]);
    process.with_heap(flavour, &[LARGE, LARGE], TYPES);
    process.with_module(flavour);
    process
}

/// Writes the executable and the core of that service into a folder; gives their paths.
///
/// # Errors
/// What the system says.
pub fn write_service(flavour: Flavour, folder: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let process = service(flavour);
    let (exe, core) = (folder.join("synth"), folder.join("core"));
    std::fs::write(&exe, process.image(flavour, false))?;
    std::fs::write(&core, process.core())?;
    Ok((exe, core))
}
