//! Bytes to the Go runtime's own structures, for every supported Go version.
//!
//! Nothing here knows an operating system: all bytes come through [`lastgasp_inferior::Memory`], so that the same decoder reads a live process, a copy
//! taken while it stood still, and a make-believe one in a test. Nothing here panics on foreign bytes: decoders give a value and its [`Gap`]s, every walk
//! over foreign pointers is bounded, and an unknown Go minor is refused by name.
//!
//! - [`Runtime::discover`]: from an executable and its memory to the version, the layout table, the module data and the addresses of the runtime's
//!   variables, in stripped binaries too.
//! - [`Evidence`]: what to copy while the target stands still, and the copying.
//! - [`MemProfile`], [`Goroutine`], [`Gauges`]: what the copies say.
//! - [`SpanTable`]: the heap by size class, and its largest objects with their types, profile or no profile.
//! - [`Symbolizer`]: program counters to function, file and line, inlining included.

mod arch;
mod buildinfo;
mod evidence;
mod functab;
mod gauges;
mod goroutine;
pub mod layout;
mod locate;
mod located;
mod memprofile;
mod moduledata;
mod obfuscated;
mod pclntab;
mod runtime;
mod spans;
mod types;
mod unwind;

pub use buildinfo::{BuildInfo, GoVersion, Module, parse_buildinfo};
pub use evidence::{Evidence, EvidencePlan};
pub use gauges::Gauges;
pub use goroutine::{
    Ancestor, Call, CallSite, Goroutine, Goroutines, Label, LabelSalt, Status, decode_all_goroutines,
    decode_goroutines, is_system,
};
pub use locate::Globals;
pub use located::{Located, binary_key};
pub use memprofile::{Bucket, Counts, MemProfile, MemRecord, decode_profile, unsample, variance};
pub use moduledata::ModuleData;
pub use pclntab::{Frame, Symbolizer, for_print};
pub use runtime::{DiscoverError, Runtime};
pub use spans::{LargeObject, SpanClass, SpanTable};
pub use types::type_name;

/// Something that could not be read or made no sense, and why. Analyses go on without it and say so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// What is missing.
    pub what: String,
    /// Why.
    pub why: String,
}

impl Gap {
    /// A gap.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}
