//! An incident before anybody has died: in whom memory climbs, and how long it takes at this pace.

use lastgasp_diagnosis::units::{bytes, count, seconds};

use crate::causes::Scene;
use crate::clock::clock;
use crate::evidence::UnixMs;

/// Instances whose memory climbs, as the watch saw them last, and which of them is the first to run out.
#[derive(Clone, Debug, PartialEq)]
pub struct Climbs {
    /// How many.
    pub instances: u64,
    /// The first to reach its limit, at the pace of each.
    pub first: String,
    /// Its limit in bytes.
    pub limit_bytes: u64,
    /// What it used when its climb began, and at the newest look.
    pub bytes: (u64, u64),
    /// How long its climb had lasted then, in seconds.
    pub seconds: f64,
    /// When that was.
    pub seen: UnixMs,
    /// Seconds from then until it reaches its limit.
    pub seconds_left: f64,
}

impl Climbs {
    /// Of a scene in which nobody has died; `None` where no memory climbs.
    pub(crate) fn of(scene: &Scene<'_>) -> Option<Self> {
        if !scene.is_alive() {
            return None;
        }
        let known = scene.dead.iter().filter_map(|l| {
            let (climb, limit) = (l.climb()?, l.of.limit_bytes?);
            Some((climb.seconds_left(limit)?, l.of.instance.clone(), climb, limit))
        });
        let mut known: Vec<_> = known.collect();
        known.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
        let instances = known.len() as u64;
        let (seconds_left, first, climb, limit_bytes) = known.into_iter().next()?;
        Some(Self {
            instances,
            first,
            limit_bytes,
            bytes: (climb.from_bytes, climb.to_bytes),
            seconds: climb.seconds(),
            seen: climb.seen_unix_ms,
            seconds_left,
        })
    }

    /// In words, of so many instances of a service.
    pub(crate) fn text(&self, service: &str, of: u64) -> String {
        format!(
            "nobody of {service} has died yet, and memory climbs in {} of {} instances: at this pace {} ({} -> {} \
             within {}, seen at {}) reaches its limit of {} in {}",
            count(self.instances),
            count(of.max(self.instances)),
            if self.first.is_empty() { "the first" } else { &self.first },
            bytes(self.bytes.0),
            bytes(self.bytes.1),
            seconds(self.seconds),
            clock(self.seen),
            bytes(self.limit_bytes),
            seconds(self.seconds_left)
        )
    }
}
