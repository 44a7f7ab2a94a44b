//! What is done to a process or a cgroup; each act has its undo in [`crate::undo`].

pub(crate) mod brake;
#[cfg(test)]
mod limit_tests;
pub mod own_cgroup;
pub mod pin_probe;
pub mod profiling;
mod ptrace;
pub mod stop;
