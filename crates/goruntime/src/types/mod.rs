//! Types as the program itself knows them, no debug information needed: every type that is ever put into an
//! interface, allocated or made a map of has a descriptor (`abi.Type`) in the binary. Source:
//! `internal/abi/type.go`, `runtime/type.go`; before Go 1.21 the same as `runtime._type`.
//!
//! - [`TypeReader`]: from a descriptor's address to a [`GoType`], checked and remembered.
//! - [`MapLayout`]: where keys and values stand in the arrays behind a map.
//! - [`Word`]: what a word of a typed object is, and so what the object that it points to is.
//! - `variables`: types of package variables, where there is debug information.
//! - [`AllocSites`]: what a sampled allocation was of, as the code that made it says.
//! - [`CodeTypes`]: what package variables and the variables of functions are, as the program's code says.
//! - [`Modules`]: where descriptors and interface tables may stand at all.
//!
//! A descriptor is believed when all that it says fits together: its kind has the size that it states, its
//! name is one, its fields lie within it. Those of the program's modules stand in their `types` sections;
//! those that reflection makes up at run time (`reflect.SliceOf`, `reflect.StructOf`) stand in the heap and
//! are checked alike.

mod alloc_site;
mod code;
mod descriptor;
mod go_type;
mod kind;
mod map_layout;
mod modules;
mod named;
mod names;
mod reader;
#[cfg(test)]
mod tests;
#[cfg(feature = "dwarf")]
mod variables;
mod words;

pub use alloc_site::{AllocSites, SiteType};
pub use code::{CallId, CodeTypes, FrameSaid, FrameTypes, LibraryCall, Makers, Makes, Said, StackCalls, WordPath};
pub use go_type::{ChanDir, Field, GoType, Shape};
pub use kind::Kind;
pub(crate) use map_layout::TABLE_SLOTS;
pub use map_layout::{MAP_SLOTS, MapForm, MapLayout};
pub use modules::Modules;
pub use names::type_name;
pub use reader::TypeReader;
#[cfg(feature = "dwarf")]
pub use variables::{TypedVariable, typed_variables};
pub use words::Word;
