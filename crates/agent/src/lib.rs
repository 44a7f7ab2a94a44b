//! The daemon's services: what becomes of evidence (`capture_writers`, `graphs` of the dead, their
//! `destination`: the store, `webhook`), what it says of itself (`http`, `metrics`, `status`, `self_stats`,
//! [`log`]), and how its configuration reaches all of them ([`config`], `settings`, `services`). The watching
//! itself is `lastgasp_recorder`'s.

mod capture_writers;
mod changes;
pub mod config;
mod destination;
pub mod event_add;
#[doc(hidden)]
pub mod foreign;
mod graph_limits;
mod graphs;
mod http;
mod in_flight;
mod leaks;
pub mod log;
mod metrics;
mod metrics_in;
mod own_store;
mod permits;
mod provenance;
mod recent_captures;
mod self_stats;
mod services;
mod settings;
mod status;
mod vital_threads;
mod webhook;

pub use capture_writers::CaptureWriters;
pub use own_store::OwnStore;
pub use provenance::provenance;
pub use services::Services;
pub use settings::{settings, start_workers};
