//! Processes that can be lost. What reads and reckons with bytes that others wrote may be led astray by them,
//! may take all memory there is, or never come back: here that costs one attempt at one target, and nobody
//! else anything (docs/adr/0006-workers-that-can-be-lost.md).
//!
//! A worker is our own binary, started anew. It is handed descriptors and an order, gives up all else before
//! it reads the first foreign byte, and answers on one line with messages that are bounded, checked, and
//! plain facts.
//!
//! - `graph`: the heap graph as a worker's task.
//! - `frame`: messages on the line. `message`: what is said in them.
//! - `process`: a worker from outside; `serve`: from inside. `confine`: what it gives up; `limits`: what it
//!   may use; `hurry`: how it runs beside others.

mod confine;
pub mod frame;
mod graph;
mod hurry;
mod limits;
mod message;
mod process;
mod serve;
#[cfg(test)]
mod tests;

pub use graph::{GraphAnswer, GraphWorker, Whose, become_worker};
pub use limits::Limits;
pub use message::{Cost, Said, parse};
pub use process::{End, Heard, SUBCOMMAND, Worker, own_binary};
