//! Everything that a capture knows, in one.

use serde::{Deserialize, Serialize};

use super::bounded::{MAX_FEW, at_most};
use super::capture::{Capture, Target};
use super::death::Death;
use super::feeds::Feed;
use super::frame::Frame;
use super::goroutines::Goroutines;
use super::graph::{GraphCensus, GraphFacts};
use super::key::Key;
use super::last_look::LastLook;
use super::memory::{Charge, Gc, Heap, Residency, Rss};
use super::neighbours::Neighbours;
use super::profile::Profile;
use super::timeline::{Sample, Timeline};

/// Name and version of this form.
pub const SCHEMA: &str = "lastgasp.facts/2";

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
    /// The profile as it was last looked at, where nothing of a dead process could be copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_look: Option<LastLook>,
    /// Goroutines, but the runtime's own.
    pub goroutines: Goroutines,
    /// The runtime's gauges.
    pub gc: Gc,
    /// The heap by its span table; absent if it was not read.
    pub heap: Option<Heap>,
    /// The heap as a graph: who keeps what; absent where it was not made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph: Option<GraphFacts>,
    /// Collections that the flight ring knows, by their headers alone: those that grew by the largest factor
    /// first. Of these what they take is not known, and of most the type is not.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>", skip_serializing_if = "Vec::is_empty")]
    pub census: Vec<GraphCensus>,
    /// Memory of the process as the kernel counts it; absent if it was never seen alive.
    pub rss: Option<Rss>,
    /// What of its mappings is resident; absent for the dead.
    pub residency: Option<Residency>,
    /// What is charged to its memory cgroup; absent where there is none.
    pub charge: Option<Charge>,
    /// The runtime's gauges at the moment of the reading of `rss`, where that is another than the copy's:
    /// what is compared with the RSS is these. Absent where they were not read; then `gc` is all there is.
    pub gauges_at_rss: Option<Gc>,
    /// Other processes that count against the same limit; absent if they were not looked for.
    pub neighbours: Option<Neighbours>,
    /// The timeline of the watch.
    pub timeline: Timeline,
    /// Feeds of changes that were connected; empty: none.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>", skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<Feed>,
    /// The death that they tell of; absent if it is not known that the target died. Stored nowhere.
    #[serde(skip)]
    pub death: Option<Death>,
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

    /// Milliseconds that the process had lived when it was copied. Captures of before have its start in whole
    /// seconds alone: it is then as exact as that. `None` if it is not known.
    #[must_use]
    pub fn age_ms(&self) -> Option<u64> {
        let started = i64::try_from(self.target.started_unix).ok().filter(|s| *s > 0);
        let by_date = || {
            let taken: jiff::Timestamp = self.capture.taken_at.parse().ok()?;
            let ms = taken.as_millisecond().checked_sub(started?.checked_mul(1000)?)?;
            u64::try_from(ms).ok()
        };
        self.target.age_ms.or_else(by_date)
    }

    /// The same at another moment of the timeline: how old the process was when it began to grow, say. A
    /// young one may still have been loading what it needs.
    #[must_use]
    pub fn age_at(&self, t_ms: u64) -> Option<u64> {
        let age = self.age_ms()?;
        match self.capture.t_ms.checked_sub(t_ms) {
            Some(before) => age.checked_sub(before),
            None => age.checked_add(t_ms - self.capture.t_ms),
        }
    }

    /// Milliseconds since 1970 of a moment on the timeline's clock; `None` if the capture does not say when
    /// it was taken.
    #[must_use]
    pub fn unix_ms(&self, t_ms: u64) -> Option<i64> {
        let taken: jiff::Timestamp = self.capture.taken_at.parse().ok()?;
        let ago = i64::try_from(self.capture.t_ms).ok()?.checked_sub(i64::try_from(t_ms).ok()?)?;
        taken.as_millisecond().checked_sub(ago)
    }

    /// Whether nothing of a dead process could be copied: what is known is the watch before.
    #[must_use]
    pub fn nothing_was_copied(&self) -> bool {
        self.capture.bytes_copied == 0 && !self.gc.is_known() && self.capture.gaps.iter().any(|g| g.what == "evidence")
    }

    /// Makes the keys of sites and groups.
    pub fn make_keys(&mut self) {
        let frames: Vec<Key> = self.frames.iter().map(Key::of_frame).collect();
        let of = |i: &u32| frames.get(*i as usize).copied();
        for site in &mut self.profile.sites {
            site.key = Key::of_stack(site.stack.iter().filter_map(of));
        }
        for group in &mut self.goroutines.groups {
            group.key = Key::of_stack(group.stack.iter().chain(&group.created_by).filter_map(of));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::goroutines::Group;
    use super::super::profile::Site;
    use super::*;

    #[test]
    fn ages_by_the_process_and_by_the_date() {
        let mut facts = Facts::default();
        assert_eq!((facts.age_ms(), facts.age_at(0)), (None, None));
        facts.capture.taken_at = "2023-11-14T22:13:25.250Z".into();
        (facts.target.started_unix, facts.capture.t_ms) = (1_700_000_000, 3000);
        assert_eq!((facts.age_ms(), facts.age_at(1000), facts.age_at(3500)), (Some(5250), Some(3250), Some(5750)));
        facts.target.age_ms = Some(4800);
        assert_eq!(facts.age_ms(), Some(4800), "to the millisecond");
        facts.target.age_ms = Some(1000);
        assert_eq!(facts.age_at(1000), None, "before it was there");
        (facts.target.age_ms, facts.target.started_unix) = (None, u64::MAX);
        assert_eq!(facts.age_ms(), None);
    }

    #[test]
    fn keys_are_of_what_a_reader_sees() {
        let frame = |function: &str| Frame { function: function.into(), file: "/src/a.go".into(), line: 1 };
        let site = |stack: &[u32]| Site { stack: stack.to_vec(), ..Site::default() };
        let group = |stack: &[u32], created_by| Group { stack: stack.to_vec(), created_by, ..Group::default() };
        let mut facts = Facts { frames: vec![frame("f"), frame("g"), frame("f")], ..Facts::default() };
        facts.profile.sites = vec![site(&[0, 1]), site(&[2, 1]), site(&[1, 0]), site(&[0, 1, 99])];
        facts.goroutines.groups =
            vec![group(&[0, 1], None), group(&[0], Some(1)), group(&[0], None), group(&[0], Some(0))];
        facts.make_keys();
        let sites: Vec<Key> = facts.profile.sites.iter().map(|s| s.key).collect();
        let groups: Vec<Key> = facts.goroutines.groups.iter().map(|g| g.key).collect();
        assert_eq!((sites[0], sites[0]), (sites[1], sites[3]), "indices do not matter, nor those of nothing");
        assert_ne!(sites[0], sites[2]);
        assert_eq!((groups[0], groups[0]), (sites[0], groups[1]), "the go statement is as a caller");
        assert!(groups[2] != groups[0] && groups[3] != groups[1] && groups[3] != groups[2], "{groups:?}");
    }
}
