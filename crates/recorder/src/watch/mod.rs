//! One process, watched closely by a thread of its own.

pub(crate) mod actor;
pub(crate) mod history;
pub(crate) mod target_watch;
mod watch_loop;
