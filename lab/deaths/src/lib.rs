//! Ways for a Go process to die of memory (`ways/`), and what a report says of each held against the truth
//! (`expect.toml`, `causes.toml`). `cargo xtask deaths` plays all, the tests of the CLI a third.
//!
//! A play is one program, with a memory profile or without, under `lastgasp run` until the kernel kills it.
//! What is judged is the JSON document of the capture that `run` itself calls the best: its verdict's site,
//! its cause, and whether it was sure of what is wrong.

pub mod expect;
pub mod judge;
pub mod play;
pub mod tally;
