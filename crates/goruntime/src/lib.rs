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
//! - [`Symbolizer`]: program counters to function, file and line, inlining included.

mod arch;
mod binary;
mod bounds;
mod evidence;
mod gap;
mod goroutine;
mod heap;
pub mod layout;
mod ranges;
mod runtime;
mod version;

/// The make-believe process of the integration tests, for unit tests too: it names this crate as they do.
#[cfg(test)]
extern crate self as lastgasp_goruntime;
#[cfg(test)]
#[allow(dead_code, unreachable_pub)]
#[path = "../tests/synthetic/process.rs"]
mod synthetic;

pub use binary::buildinfo::{BuildInfo, Module, parse_buildinfo};
pub use binary::locate::Globals;
pub use binary::moduledata::ModuleData;
pub use binary::pclntab::{Frame, Symbolizer};
pub use binary::runtime_location::{RuntimeLocation, binary_key};
pub use evidence::{CopySource, Evidence, EvidencePlan, Extent, Room};
pub use gap::Gap;
pub use goroutine::{
    Ancestor, Call, CallSite, Goroutine, Goroutines, Label, LabelSalt, Status, decode_all_goroutines,
    decode_goroutines, is_system,
};
pub use heap::memprofile::{Bucket, Counts, MemProfile, MemRecord, decode_profile, unsample, variance};
pub use heap::memstats::MemStats;
pub use heap::rtype::type_name;
pub use heap::spans::{LargeObject, SpanClass, SpanTable};
pub use runtime::{DiscoverError, Runtime};
pub use version::GoVersion;
