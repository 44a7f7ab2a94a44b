//! Go source, read without a toolchain: packages and files (`project`), syntax and what it tells of types,
//! calls and paths (`syntax`), and rules for what the memory of services dies of (`rules`).
//!
//! Nothing here runs the user's code or a toolchain, and nothing is sure that only types could tell: a
//! finding says what it rests on ([`Certainty`]).

mod baseline;
mod check;
mod finding;
mod meaning;
pub mod project;
mod rules;
mod suppress;
pub mod syntax;

pub use baseline::Baseline;
pub use check::{Checked, check, check_text};
pub use finding::{Certainty, Evidence, Finding, Level, Place, Related};
pub use rules::{catalogue, is_quiet, level_of};
