//! The heap as the runtime accounts for it: its statistics, its memory profile, its span table, its objects
//! one by one, their types and what they point to.

pub(crate) mod free_pages;
pub(crate) mod memprofile;
pub(crate) mod memstats;
pub(crate) mod mspan;
pub(crate) mod objects;
pub(crate) mod pointer_masks;
pub(crate) mod pointers;
pub(crate) mod rtype;
pub(crate) mod spans;
