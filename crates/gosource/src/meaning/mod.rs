//! What code means to the rules: locks, groups, channels, loops, what lives long, what is shared. Each tells
//! from one package's text, and says nothing where that does not tell.

pub(crate) mod answers;
pub(crate) mod asked_for_all;
pub(crate) mod bounded_here;
pub(crate) mod case;
pub(crate) mod channels;
pub(crate) mod comments;
pub(crate) mod errgroups;
pub(crate) mod failures;
pub(crate) mod fields;
pub(crate) mod first_ops;
pub(crate) mod fixed;
pub(crate) mod from_request;
pub(crate) mod groups;
pub(crate) mod held;
pub(crate) mod held_on_purpose;
pub(crate) mod kept_by_handler;
pub(crate) mod lifetimes;
pub(crate) mod locks;
pub(crate) mod long_waits;
pub(crate) mod loops;
pub(crate) mod makers;
pub(crate) mod pace;
pub(crate) mod places;
pub(crate) mod published;
pub(crate) mod replaced;
pub(crate) mod resources;
pub(crate) mod rooms;
pub(crate) mod scarce;
pub(crate) mod shared;
pub(crate) mod short_waits;
pub(crate) mod starts;
pub(crate) mod tamed;
pub(crate) mod waits;
pub(crate) mod who_runs;
pub(crate) mod who_takes;
