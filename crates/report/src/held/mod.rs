//! The heap's graph in lines for the terminal: who keeps it alive, what is there twice, the largest
//! collections, what is kept and not used.
//!
//! A few lines each, the largest first, each number with its unit; how far they can be trusted stands with
//! who keeps it alive.

mod census;
mod copies;
mod holders;
mod line;
mod waste;

pub(crate) use census::{census_line, census_lines};
pub(crate) use copies::{copies_line, copies_lines};
pub(crate) use holders::held_lines;
pub(crate) use waste::{waste_line, waste_lines};
