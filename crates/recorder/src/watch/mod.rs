//! One process, watched closely by a thread of its own.

pub(crate) mod history;
pub(crate) mod watch_loop;
