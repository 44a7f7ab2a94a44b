//! Findings to terminal, HTML, JSON and pprof. With `cli` the only crate that formats for people.
//!
//! ```
//! use lastgasp_diagnosis::{Facts, diagnose};
//! use lastgasp_report::{document, page, terminal};
//!
//! let facts = Facts::default();
//! let diagnosis = diagnose(&facts);
//! assert!(terminal(&facts, &diagnosis).starts_with("VERDICT  no finding"));
//! let document = document(&facts, &diagnosis, None);
//! assert_eq!(document["verdict"]["level"], "none");
//! assert!(page(&document).contains("<html"));
//! ```

mod blocked;
mod death_sentence;
mod diff;
mod document;
mod explain;
mod goroutine_profile;
mod goroutine_view;
mod goroutines;
mod held;
mod html;
pub mod incident;
mod memory;
mod pprof;
mod printable;
mod printed_name;
mod retained_profile;
mod source;
mod started_at;
mod text;
mod why;

pub use blocked::{asked_goroutine, why_goroutine_json, why_goroutine_text};
pub use death_sentence::death_sentence;
pub use diff::{diff_json, diff_text};
pub use document::{census_file, death, document, goroutines_file, types_file};
pub use explain::{UnknownCode, explain, explain_all};
pub use goroutine_profile::goroutine_profile;
pub use goroutines::traceback;
pub use html::page;
pub use pprof::{heap_profile, published_profile};
pub use printable::printable;
pub use printed_name::printed_name;
pub use retained_profile::retained_profile;
pub use source::{
    BesideFindings, CheckView, EscapesOf, Linked, Look, beside_json, beside_text, check_github, check_json,
    check_sarif, check_text, escapes_json, escapes_text,
};
pub use started_at::started_at;
pub use text::terminal;
pub use why::{what_can_be_asked, why_json, why_text};
