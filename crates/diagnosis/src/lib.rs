//! Facts to findings. Everything here is pure: the same facts give the same findings, whether they come from a capture that was just taken or from a
//! folder of last year.
//!
//! [`Facts`] is what a capture knows, [`Growth`] what grew since the baseline, [`window`] when; each rule in `rules` looks at them and may give a
//! [`Finding`]. [`diagnose`] ranks them into a [`Diagnosis`] whose first finding is the verdict.

pub mod facts;
mod growth;
mod holdings;
mod ledger;
mod owner;
mod rules;
pub mod units;
mod verdict;
mod window;

pub use facts::Facts;
pub use growth::{Culprit, Growth};
pub use holdings::holdings;
pub use ledger::{Slice, charge_ledger, ledger};
pub use owner::{Owner, is_standard_library};
pub use verdict::{Diagnosis, Evidence, Finding, Level, LimitWhatIf, NotIt, Source, Term, diagnose, nothing_found};
pub use window::{Window, window};
