//! One process, watched closely by a thread of its own.

pub(crate) mod actor;
pub(crate) mod decisions;
pub(crate) mod default_actor;
pub(crate) mod history;
mod live;
mod observed;
mod oom_notice;
pub(crate) mod stop_reason;
pub(crate) mod target_watch;
pub(crate) mod watch_loop;

#[cfg(test)]
mod loop_tests;
