//! Facts to findings. Everything here is pure: the same facts give the same findings, whether they come from
//! a capture that was just taken or from a folder of last year.
//!
//! [`Facts`] is what a capture knows, [`Growth`] what grew since the baseline, [`window`] when; each rule in
//! `rules` looks at them and may give a [`Finding`]. [`diagnose`] ranks them into a [`Diagnosis`] whose first
//! finding is the verdict.
//!
//! ```
//! use lastgasp_diagnosis::{Facts, Level, catalogue, diagnose};
//!
//! // A capture in which nothing is known: nothing is found, and that is said.
//! let diagnosis = diagnose(&Facts::default());
//! assert_eq!(diagnosis.level(), Level::None);
//! assert!(diagnosis.unknown.iter().any(|u| u.starts_with("what grew")));
//!
//! // What could be found.
//! assert!(catalogue().any(|rule| rule.code == "heap-growth"));
//! ```

mod at_limit;
mod buffers;
mod calls;
mod cause;
mod collector;
mod command;
mod diagnose;
mod diff;
pub mod facts;
mod feeds;
mod finding;
mod findings;
mod garbage_beside;
mod generation;
mod goroutine_summary;
mod goroutine_verdicts;
mod graph_certainty;
mod graph_holder;
mod growth;
mod heap_cause;
mod heap_summary;
mod heap_use;
mod held_up;
mod holder;
mod hollow_maps;
mod in_c;
mod joined;
mod kept;
mod large_objects;
mod last_straw;
mod ledger;
mod library_waits;
mod made;
mod of_connections;
mod owner;
mod partition;
mod pieces;
mod pprof_view;
mod reachability;
mod reads;
mod recursion;
mod rival;
mod rule_info;
mod ruled_out;
mod rules;
mod sentence;
mod shapes;
mod shared_object;
mod site_certainty;
mod site_table;
mod subject;
mod suspects;
mod thresholds;
mod timeline_summary;
mod timers;
pub mod units;
mod unknown;
mod wait_cures;
mod waits;
mod way;
mod what_if;
mod what_to_bound;
mod why;
mod window;

pub use at_limit::{AtLimit, at_limit};
pub use buffers::may_be_buffers;
pub use cause::cause;
pub use diagnose::{Diagnosis, diagnose};
pub use diff::{Change, Diff, State};
pub use facts::Facts;
pub use feeds::{FeedState, feeds};
pub use finding::{ConfidenceFactor, Evidence, Finding, Level, Source, UNTESTED};
pub use goroutine_summary::GoroutineSummary;
pub use goroutine_verdicts::{
    Across, Along, GoroutineVerdict, GoroutineVerdicts, Holder, Leak, Onsets, Order, OverTime, Spot, Sureness, Tier,
    Tiers, VerdictGroup, WaitEdge, WaitFor, WaitNode, causes,
};
pub use growth::{Culprit, Growth};
pub use heap_summary::{heap_source, heap_summary};
pub use heap_use::HeapUse;
pub use joined::{CaptureOf, diagnose_death, join};
pub use ledger::{Slice, charge_ledger, ledger};
pub use pprof_view::{CulpritView, PprofView, pprof_view};
pub use rival::{Rival, Told};
pub use rule_info::RuleInfo;
pub use ruled_out::RuledOut;
pub use rules::catalogue;
pub use site_table::{SiteRates, SiteRow, SiteSums, SiteTable};
pub use subject::Subject;
pub use timeline_summary::{events, thinned};
pub use unknown::{RETENTION, nothing_found};
pub use waits::starts_a_collection;
pub use way::way;
pub use what_if::LimitWhatIf;
pub use why::Why;
pub use window::{Window, window};
