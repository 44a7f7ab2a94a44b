//! Holding an address space beyond the end of its process.

#[allow(clippy::module_inception)] // Its file is named after what it has.
mod pin;

pub(crate) use pin::{Pages, Pin, THREAD, provide};
