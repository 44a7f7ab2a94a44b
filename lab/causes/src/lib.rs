//! Go programs whose goroutines wait for ever (`ways/`), each of which knows why, with their repaired twins and
//! with what waits in healthy programs; and what a report says of each goroutine held against the truth
//! (`expect.toml`, and what the programs print). `cargo xtask causes` plays all, the tests of the CLI a third.
//!
//! A play is one program, sick or repaired, at rest: it is captured alive with its heap, and on request as a core
//! file too. What is judged are the verdicts on goroutines, by number.

pub mod expect;
pub mod judge;
pub mod play;
pub mod said;
pub mod tally;
