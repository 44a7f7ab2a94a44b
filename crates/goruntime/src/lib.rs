//! Bytes to the Go runtime's own structures, for every supported Go version.
//!
//! Nothing here knows an operating system: all bytes come through [`lastgasp_inferior::Memory`], so that the
//! same decoder reads a live process, a copy taken while it stood still, and a make-believe one in a test.
//! Nothing here panics on foreign bytes: decoders give a value and its [`Gap`]s, every walk over foreign
//! pointers is bounded, and an unknown Go minor is refused by name.
//!
//! - [`Runtime::discover`]: from an executable and its memory to the version, the layout table, the module
//!   data and the addresses of the runtime's variables, in stripped binaries too.
//! - [`Evidence`]: what to copy while the target stands still, and the copying.
//! - [`MemProfile`], [`Goroutine`], [`MemStats`]: what the copies say.
//! - [`SpanTable`]: the heap by size class, and its largest objects with their types, profile or no profile.
//! - [`HeapObjects`], [`PointerReader`]: the heap's objects one by one, and what each of them points to.
//! - [`types`]: the program's types without debug information, what the words of a value are.
//! - [`variable_pointers`], [`StackReader`], [`special_roots`], [`due_roots`]: what keeps objects from
//!   outside the heap, each by its owner.
//! - [`waits`]: what every blocked goroutine waits for, and the state of that.
//! - [`Symbolizer`]: program counters to function, file and line, inlining included.
//!
//! A make-believe process with one allocation site, found by its executable and copied as a live one would
//! be:
//!
//! ```
//! use std::io::Write as _;
//!
//! use lastgasp_goruntime::{CopySource, Evidence, EvidencePlan, Extent, Runtime, decode_profile};
//! use lastgasp_inferior::{ElfImage, Layered};
//! use lastgasp_synth::{Flavour, Goroutine, Process, Record, Site};
//!
//! let functions = [("runtime.mallocgc", 60, 32, false, None), ("main.main", 10, 40, true, None)];
//! let active = Record { allocs: 10, frees: 4 };
//! let site = Site { stack: vec![0, 1], size: 64, active, ..Site::default() };
//! let waiting = Goroutine { goid: 1, status: 4, stack: vec![1], ..Goroutine::default() };
//! let mut process = Process::build(Flavour::Go27, &functions, &[site], &[waiting]);
//! # use lastgasp_synth::{Span, SpanState, Sweep};
//! # let span = Span {
//! #     state: SpanState::InUse,
//! #     size_class: 5,
//! #     noscan: true,
//! #     pages: 1,
//! #     elem_size: 64,
//! #     slots: 124,
//! #     objects: 6,
//! #     sweep: Sweep::Done,
//! #     marked: 0,
//! #     large_type: None,
//! # };
//! process.with_heap(Flavour::Go27, &[span], &[]);
//! process.with_module(Flavour::Go27);
//! let mut file = tempfile::tempfile()?;
//! file.write_all(&process.image(Flavour::Go27, false))?;
//!
//! // Its version, its layouts, where its variables stand.
//! let image = ElfImage::open(file, "synth")?;
//! let mem = Layered { top: &process, bottom: image.memory(0, &[])? };
//! let runtime = Runtime::discover(&image, 0, &mem)?;
//! assert_eq!(runtime.version.minor, 27);
//!
//! // In calm times: where the buckets are. In a crisis: a copy, into room that is there already.
//! let mut plan = EvidencePlan::default();
//! plan.update(&runtime, &mem);
//! let source = CopySource { runtime: &runtime, plan: &plan, mem: &mem, registers: &[] };
//! let mut copy = Evidence::with_room(&source, Extent::Profile, 1 << 20);
//! copy.copy(&source, Extent::Profile);
//! copy.finish();
//!
//! // Afterwards: what it says.
//! let profile = decode_profile(&runtime, &copy.snapshot, &mut copy.gaps);
//! assert_eq!(profile.current(&profile.buckets[0]).1.objects, 6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arch;
mod binary;
mod bounds;
pub mod collections;
mod evidence;
mod gap;
mod goroutine;
mod heap;
pub mod layout;
mod named_in_code;
mod profile_bucket;
pub mod quick_census;
mod ranges;
mod roots;
mod runtime;
pub mod types;
mod version;
pub mod waits;

/// The make-believe process of the integration tests names this crate as they do (`evidence/fixture.rs`).
#[cfg(test)]
extern crate self as lastgasp_goruntime;

pub use binary::buildinfo::{BuildInfo, Module, parse_buildinfo};
pub use binary::locate::Globals;
pub use binary::moduledata::ModuleData;
pub use binary::pclntab::{Frame, Symbolizer};
pub use binary::runtime_location::{RuntimeLocation, binary_key};
pub use evidence::{CopySource, Evidence, EvidencePlan, Extent, Room};
pub use gap::Gap;
pub use goroutine::{
    Ancestor, Call, CallSite, Depth, Goroutine, Goroutines, GoroutinesBySite, Label, LabelSalt, Status, WaitsOn,
    count_goroutines, created_by, decode_all_goroutines, decode_goroutines, each_goroutine, goroutines_by_site,
    is_system,
};
pub use heap::free_pages::{free_pages, used_pages};
pub use heap::memprofile::{Bucket, Counts, MemProfile, MemRecord, decode_profile, unsample, variance};
pub use heap::memstats::MemStats;
pub use heap::objects::{HeapObjects, Mark, Object, ObjectSpan, PointerMap};
pub use heap::packing::TellingHeads;
pub use heap::pointer_masks::{PointerMask, PointerMasks};
pub use heap::pointers::{Near, PointerReader, PointerVisitor};
pub use heap::slots::{Slot, SlotFinder};
pub use heap::spans::{LargeObject, SpanClass, SpanTable};
pub use heap::specials::{Special, SpecialKind, each_special, specials};
pub use heap::variables::{VariableSection, variable_pointers};
pub use roots::{
    DeferredWord, NotedRoot, RootNote, StackPlace, StackReader, StackRoot, StackTally, Unsure, deferred_function,
    due_roots, scheduler_words, special_roots,
};
pub use runtime::{DiscoverError, Runtime};
pub use types::{GoType, TypeReader, type_name};
pub use version::GoVersion;
