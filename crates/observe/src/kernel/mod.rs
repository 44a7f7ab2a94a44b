//! What the kernel says of a machine, its cgroups and its processes.

pub mod cgroup;
pub mod container;
pub mod exit;
pub mod files;
pub mod limit;
mod limit_file;
pub mod machine;
pub mod neighbours;
pub mod owned_dir;
pub mod process_tree;
pub mod sockets;
pub mod sys;
