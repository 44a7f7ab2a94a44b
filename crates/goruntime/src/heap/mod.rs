//! The heap as the runtime accounts for it: its statistics, its memory profile, its span table, its objects
//! one by one, their types and what they point to.

pub(crate) mod bits;
pub(crate) mod free_pages;
pub(crate) mod gc_program;
pub(crate) mod memprofile;
pub(crate) mod memstats;
mod mspan;
pub(crate) mod objects;
pub(crate) mod packing;
pub(crate) mod pointer_masks;
pub(crate) mod pointers;
pub(crate) mod slots;
pub(crate) mod spans;
pub(crate) mod specials;
pub(crate) mod variables;
