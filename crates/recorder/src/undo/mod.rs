//! Undoing what was done, also after our own death: by a watchdog process, or by the journal at the next
//! start.

pub(crate) mod cgroup_file;
pub(crate) mod cgroup_limit;
pub mod journal;
pub(crate) mod profile_rate;
pub mod watchdog;
