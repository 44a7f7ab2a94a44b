//! Types, asked of the user's own toolchain: what each call resolves to, what is ranged over, stored into,
//! sent. With that a finding that was read off the text is sure, or was a mistake and goes.
//!
//! - `type_printer/main.go`: a program of Go's standard library alone, which this binary carries.
//! - `ask`: it is written into a folder of its own and run by the toolchain that compiled the packages.
//! - `facts`: what it says, bounded. `confirm`: findings held against it.

mod ask;
mod confirm;
mod facts;

pub use ask::{Answer, types_of};
pub use confirm::{Judged, Verdict, confirm, judge};
pub use facts::{TypeFact, TypeFacts};
