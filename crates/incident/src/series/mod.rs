//! Series of an incident and where they change: [`shift`] finds the change of one series, [`traffic`] is what
//! balancers and callers count, as one picture.

pub mod shift;
pub mod traffic;
