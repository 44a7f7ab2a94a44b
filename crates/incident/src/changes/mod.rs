//! Changes against the incident: how near in time and scope each is, whose words its key has, whether its size
//! is the heap's. And the six questions of the notes, of which each has an answer.

mod checks;
mod terms;

pub(crate) use checks::checks;
pub use checks::{Check, CheckState};
pub(crate) use terms::{time, weigh};
