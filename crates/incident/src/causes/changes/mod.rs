//! Changes against the incident: how near in time and scope each is, whose words its key has, whether its
//! size is the heap's. And the six questions of the notes, of which each has an answer.

mod checks;
mod same;
mod terms;

pub use checks::{Check, CheckState};
pub(crate) use checks::{checks, value};
pub(crate) use same::{is_version, joined, stands_for};
pub(crate) use terms::{time, weigh};
