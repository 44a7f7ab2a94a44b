//! Go source, read without a toolchain: packages and files (`project`), syntax and what it tells of types,
//! calls and paths (`syntax`), and rules for what the memory of services dies of (`rules`).
//!
//! Nothing of that runs the user's code or a toolchain, and nothing is sure that only types could tell: a
//! finding says what it rests on ([`Certainty`]). What does ask a toolchain, when it is told to: `escapes`,
//! the compiler's own words about allocations, and `join`, which holds them against a profile.

pub mod changed;
pub mod escapes;
mod finding;
pub mod join;
pub mod project;
pub mod typed;

pub use finding::{Certainty, Evidence, Finding, Level, Place, Related};
