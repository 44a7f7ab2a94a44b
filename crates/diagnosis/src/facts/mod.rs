//! What a capture knows, in a form that outlives the process: no addresses, no user data. Stored in the
//! capture as `facts.json`, which is lastgasp's own working copy; the standard files beside it are for
//! everybody else.

mod bounded;
mod capture;
mod feeds;
mod goroutines;
mod memory;
mod profile;
mod timeline;

use serde::{Deserialize, Serialize};

use bounded::{MAX_FEW, at_most};
pub use capture::{Capture, Target};
pub use feeds::Feed;
pub use goroutines::{Goroutines, Group};
pub use memory::{Charge, Gc, Heap, HeapClass, LargeObjects, Residency, Rss};
pub use profile::{Amount, Frame, Profile, Site};
pub use timeline::{Event, Sample, Timeline};

/// Version of this form.
pub const SCHEMA: &str = "lastgasp.facts/1";

/// Everything that a capture knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Name and version of this form: [`SCHEMA`].
    pub schema: String,
    /// Circumstances of the capture.
    pub capture: Capture,
    /// The process that was captured.
    pub target: Target,
    /// Frames, named by their index elsewhere.
    pub frames: Vec<Frame>,
    /// The memory profile.
    pub profile: Profile,
    /// Goroutines, but the runtime's own.
    pub goroutines: Goroutines,
    /// The runtime's gauges.
    pub gc: Gc,
    /// The heap by its span table; absent if it was not read.
    pub heap: Option<Heap>,
    /// Memory of the process as the kernel counts it; absent if it was never seen alive.
    pub rss: Option<Rss>,
    /// What of its mappings is resident; absent for the dead.
    pub residency: Option<Residency>,
    /// What is charged to its memory cgroup; absent where there is none.
    pub charge: Option<Charge>,
    /// The timeline of the watch.
    pub timeline: Timeline,
    /// Feeds of changes that were connected; empty: none.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>", skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<Feed>,
}

impl Facts {
    /// What there was at the baseline: gauges, RSS and usage of the sample next to it. `None` without a
    /// baseline.
    #[must_use]
    pub fn at_baseline(&self) -> Option<(Gc, Sample)> {
        let t = self.profile.baseline_t_ms?;
        let sample = self.timeline.samples.iter().min_by_key(|s| s.t_ms.abs_diff(t)).copied().unwrap_or_default();
        Some((self.profile.baseline_gc?, sample))
    }

    /// From the baseline to the capture; `None` without a baseline, or if no time went by.
    #[must_use]
    pub fn seconds_since_baseline(&self) -> Option<f64> {
        let ms = self.capture.t_ms.checked_sub(self.profile.baseline_t_ms?)?;
        (ms > 0).then_some(ms as f64 / 1e3)
    }
}

/// Reads facts: at most some 200 bytes of memory for each site, and about four times the text.
///
/// # Errors
/// What is wrong with the text, and in which line and column.
pub fn from_json(text: &[u8]) -> Result<Facts, serde_json::Error> {
    serde_json::from_slice(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_longer_than_any_capture_is_refused() {
        let facts = Facts { schema: SCHEMA.into(), ..Facts::default() };
        assert_eq!(from_json(&serde_json::to_vec(&facts).unwrap()).unwrap(), facts);
        // Three bytes each, some fifty in memory.
        let events = |n: usize| format!(r#"{{"timeline":{{"events":[{}{{}}]}}}}"#, "{},".repeat(n - 1));
        assert_eq!(from_json(events(MAX_FEW).as_bytes()).unwrap().timeline.events.len(), MAX_FEW);
        let e = from_json(events(MAX_FEW + 1).as_bytes()).unwrap_err().to_string();
        assert!(e.contains("at most 65536 elements") && e.contains("column"), "{e}");
    }
}
