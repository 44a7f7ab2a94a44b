//! What is found in source, for people and programs.
//!
//! - `escapes`: allocation sites with the compiler's reasons.

mod escapes;

pub use escapes::{EscapesOf, escapes_json, escapes_text};
