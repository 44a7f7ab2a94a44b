//! The heap as the runtime accounts for it: its statistics, its memory profile, its span table, the types of
//! its objects.

pub(crate) mod free_pages;
pub(crate) mod memprofile;
pub(crate) mod memstats;
pub(crate) mod rtype;
pub(crate) mod spans;
