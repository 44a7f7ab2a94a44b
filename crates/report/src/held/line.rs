//! What is worth a line, and how it calls a type.

use lastgasp_diagnosis::facts::GraphFacts;

/// Part of the live bytes below which nothing gets a line.
const WORTH_A_LINE: f64 = 0.01;

/// Whether so many bytes are worth a line.
pub(super) fn is_worth_a_line(g: &GraphFacts, bytes: u64) -> bool {
    bytes > 0 && bytes as f64 >= WORTH_A_LINE * g.live_bytes as f64
}

/// `unknown type`, where it is not known.
pub(super) fn kind_of(type_name: &str) -> &str {
    if type_name.is_empty() { "unknown type" } else { type_name }
}
