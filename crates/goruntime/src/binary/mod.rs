//! What a Go executable says of itself: build information, module data, function and line tables, and where
//! the runtime's variables stand. The same for every process that runs it.

pub(crate) mod buildinfo;
pub(crate) mod functab;
pub(crate) mod garble;
pub(crate) mod gccgo;
pub(crate) mod locate;
pub(crate) mod moduledata;
pub(crate) mod pclntab;
pub(crate) mod runtime_location;
