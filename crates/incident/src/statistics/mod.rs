//! Statistics, each a pure function with its source and its textbook case as a test.
//!
//! [`cusum`] and [`pelt`] find where a series changes, [`survival`] compares who died when, [`fisher`],
//! [`two_rates`] and [`sign_test`] small counts, [`spearman`] and [`cosine`] likeness, [`robust`] middles
//! that one wild value does not move, [`normal`] what p-values are read from.

pub mod cosine;
pub mod cusum;
pub mod fisher;
pub mod normal;
pub mod pelt;
pub mod robust;
pub mod sign_test;
pub mod spearman;
pub mod survival;
pub mod two_rates;
