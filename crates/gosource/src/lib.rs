//! Go source, read without a toolchain: packages and files (`project`), syntax and what it tells of types,
//! calls and paths (`syntax`), and rules for what the memory of services dies of (`rules`).
//!
//! Nothing of that runs the user's code or a toolchain, and nothing is sure that only types could tell: a
//! finding says what it rests on ([`Certainty`]). What does ask, when it is told to: `typed` the toolchain's
//! types, `escapes` the compiler's own words about allocations, `join`, which holds those and findings
//! against a profile or a capture, and `changed`, git.

mod baseline;
mod callers;
pub mod changed;
mod check;
pub mod escapes;
mod finding;
mod fingerprint;
pub mod join;
mod meaning;
pub mod profile_proto;
pub mod project;
mod rules;
mod suppress;
pub mod syntax;
pub mod typed;

pub use baseline::Baseline;
pub use check::{Checked, check, check_text};
pub use finding::{Certainty, Evidence, Finding, Level, Place, Related};
pub use rules::{catalogue, is_quiet, level_of};
