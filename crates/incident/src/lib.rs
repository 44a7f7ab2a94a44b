//! The incident: many captures and the changes around them, told as one story with one verdict.
//!
//! Everything here is pure: no process, no disk, no clock. [`evidence`] is what an incident is told from; who
//! reads stores and feeds fills it, and [`incidents`] tells it: kills that belong together are one
//! [`Incident`].
//!
//! ```
//! use lastgasp_incident::evidence::Evidence;
//!
//! // A calm day is no incident.
//! assert!(lastgasp_incident::incidents(Evidence::default(), None).is_empty());
//! ```

mod causes;
mod clean;
mod climbs;
mod clock;
pub mod cohorts;
mod do_now;
pub mod evidence;
mod group;
mod jump;
mod life;
pub mod order;
pub mod series;
mod sized;
pub mod statistics;
mod summary;
mod told;
mod what_if;

pub use causes::changes::{Check, CheckState};
pub use causes::{Cause, Kind, Term};
pub use clean::clean;
pub use climbs::Climbs;
pub use clock::{clock, rfc3339};
pub use do_now::Act;
pub use life::{Life, lives, services};
pub use summary::summary;
pub use told::{Brief, CaptureRef, Curve, Incident, Moment, briefs, incidents, newest};
pub use what_if::{Measure, Numbers, WhatIf};
