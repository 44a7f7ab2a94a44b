//! `cargo xtask real --deaths`: each program is made to die of memory by a load of its own kind under a tight
//! limit (`loads`), and what the report says of it is held against the truth (`deaths.toml`) by the judge of
//! lab/deaths. [`play`] gives what was said, `table` shows it.

mod loads;
mod play;
mod table;
mod truth;

pub use play::{Died, again, play};
pub use table::{failures, line, render};
pub use truth::{Death, Truth};
