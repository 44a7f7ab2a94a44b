//! Goroutines that pile up and are not leaked: more come than go. The page: `too-many-goroutines.md`.

use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// Its code.
pub(crate) const TOO_MANY: &str = "too-many-goroutines";

/// The cause.
pub(in super::super) struct TooManyGoroutines;

impl Cause for TooManyGoroutines {
    const INFO: RuleInfo = RuleInfo {
        code: TOO_MANY,
        title: "goroutines pile up: more are started than end",
        doc: include_str!("too-many-goroutines.md"),
    };
    const CURE: &'static str = "Bound how many goroutines may be in {place} at a time (a semaphore, a pool, errgroup.SetLimit), and shed what comes beyond.";

    /// It is of a group and not of a goroutine: see `groups`.
    fn check(_: &Scene<'_>, _: &Case<'_>) -> Option<Judged> {
        None
    }
}
