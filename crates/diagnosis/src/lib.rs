//! Facts to findings. Everything here is pure: the same facts give the same findings, whether they come from
//! a capture that was just taken or from a folder of last year.
//!
//! [`Facts`] is what a capture knows, [`Growth`] what grew since the baseline, [`window`] when; each rule in
//! `rules` looks at them and may give a [`Finding`]. [`diagnose`] ranks them into a [`Diagnosis`] whose first
//! finding is the verdict.

mod cause;
mod diagnose;
pub mod facts;
mod finding;
mod findings;
mod growth;
mod heap_summary;
mod ledger;
mod owner;
mod ruled_out;
mod rules;
mod subject;
mod thresholds;
pub mod units;
mod unknown;
mod what_if;
mod window;

pub use cause::cause;
pub use diagnose::{Diagnosis, diagnose};
pub use facts::Facts;
pub use finding::{ConfidenceFactor, Evidence, Finding, Level, Source};
pub use growth::{Culprit, Growth};
pub use heap_summary::heap_summary;
pub use ledger::{Slice, charge_ledger, ledger};
pub use owner::{Owner, is_standard_library};
pub use ruled_out::RuledOut;
pub use rules::{RuleInfo, catalogue};
pub use subject::Subject;
pub use unknown::nothing_found;
pub use what_if::LimitWhatIf;
pub use window::{Window, window};
