//! What an incident is told from: plain data with a stable form on disk.
//!
//! All times are milliseconds since 1970 by the clock of whoever wrote them ([`UnixMs`]); what arrives from
//! elsewhere has the time of its receipt by our clock beside it, so that a skewed clock can be seen. Every
//! field is optional on reading, an unknown name is kept as it was read.
//!
//! - [`Change`] a change in the world: a release, a configuration, data that a platform published.
//! - [`Generation`] one life of one process: who it was, from when to when, how it ended; and its [`Climb`],
//!   while its memory grows steadily.
//! - [`MetricSeries`] what balancers and callers count.
//! - [`FeedState`] who tells of changes and metrics, and where that has holes.
//! - [`CaptureSummary`] what an incident needs of one capture.
//! - [`Evidence`] all of it, and [`Loader`], who brings it.

mod between;
mod capture;
mod change;
mod climb;
mod collection;
mod ending;
mod feed;
mod generation;
mod kind;
mod loader;
mod metric;

pub use between::Between;
pub use capture::{
    CallsSummary, CaptureSummary, FindingSummary, GrowthSummary, HeapNumbers, LimitBuys, NotIt, OnsetSummary, SitePart,
    WindowSummary,
};
pub use change::{Change, Scope};
pub use climb::Climb;
pub use collection::{CollectionLook, CollectionSummary, CopiesSummary};
pub use ending::Ending;
pub use feed::{FeedState, Hole};
pub use generation::{Build, Generation, Place};
pub use kind::{ChangeKind, MetricRole};
pub use loader::{Evidence, Loader, Query};
pub use metric::{MetricPoint, MetricSeries, MetricSubject};

/// Milliseconds since 1970, UTC.
pub type UnixMs = i64;
