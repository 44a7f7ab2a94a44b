//! Go source: what can be seen in it, and what the compiler and production say of it.

pub mod escapes;
pub mod join;
