//! Verdicts held against the truth: one verdict ([`compare`]), all of them ([`tally`], [`table`]), and the
//! same with feeds taken away ([`mask`]).

pub mod compare;
pub mod mask;
pub mod table;
pub mod tally;
pub mod what_if;
