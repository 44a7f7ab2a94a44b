//! Processes that can be lost. What reads and reckons with bytes that others wrote may be led astray by them,
//! may take all memory there is, or never come back: here that costs one attempt at one target, and nobody
//! else anything (docs/adr/0006-workers-that-can-be-lost.md).
//!
//! A worker is our own binary, started anew. It is handed descriptors and an order, gives up all else before
//! it reads the first foreign byte, and answers on one line with messages that are bounded, checked, and
//! plain facts.
//!
//! - `graph`: the heap graph as a worker's task. `inspect`: what files of a process say; `read`: its memory,
//!   as it is asked for; `foreign`: both, for the daemon. `task`: which of these, `work`: who begins it.
//! - `decode`: the facts of a capture.
//! - `pool`: workers that wait.
//! - `frame`: messages on the line. `message`: what is said in them.
//! - `process`: a worker from outside; `serve`: from inside. `confine`: what it gives up; `limits`: what it
//!   may use; `hurry`: how it runs beside others.

mod confine;
mod decode;
mod foreign;
pub mod frame;
mod graph;
mod hurry;
mod inspect;
mod limits;
mod message;
mod pages;
mod pool;
mod process;
mod read;
mod serve;
mod task;
#[cfg(test)]
mod tests;
mod work;

pub use decode::NotDecoded;
pub use foreign::Workers;
pub use graph::{GraphAnswer, GraphWorker};
pub use limits::Limits;
pub use message::{Cost, Said, parse};
pub use process::{End, Heard, SUBCOMMAND, Worker, own_binary, stuck};
pub use read::parse_answer;
pub use task::{Room, Whose};
pub use work::become_worker;
