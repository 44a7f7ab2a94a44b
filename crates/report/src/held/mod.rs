//! The heap's graph in lines for the terminal: who keeps it alive, what is there twice, the largest
//! collections, what is kept and not used.
//!
//! A few lines each, the largest first, each number with its unit; how far they can be trusted stands with
//! who keeps it alive.

mod census;
mod copies;
mod holders;
mod waste;

pub(crate) use census::{census_line, census_lines};
pub(crate) use copies::{copies_line, copies_lines};
pub(crate) use holders::held_lines;
pub(crate) use waste::{waste_line, waste_lines};

use lastgasp_diagnosis::facts::GraphFacts;

/// Part of the live bytes below which nothing gets a line.
const WORTH_A_LINE: f64 = 0.01;

/// Whether so many bytes are worth a line.
fn is_worth_a_line(g: &GraphFacts, bytes: u64) -> bool {
    bytes > 0 && bytes as f64 >= WORTH_A_LINE * g.live_bytes as f64
}

/// `unknown type`, where it is not known.
fn kind_of(type_name: &str) -> &str {
    if type_name.is_empty() { "unknown type" } else { type_name }
}
