//! What was decided for a process, and the looks that the next decision is made of. The policy is pure: here
//! is where what it remembers stands between two steps.

use crate::decide::forecast::Point;
use crate::decide::policy::{Measured, Memory, Policy, Seen, State, Step};

/// Looks that the forecast is made of, and how many are kept before the older ones go.
const RECENT: usize = 200;

/// The decisions for one process.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    memory: Memory,
    /// The latest looks, oldest first, all against one and the same limit: what the forecast is made of.
    points: Vec<Point>,
    /// Whether the kernel tells of its group's growth (v1 thresholds); to be set by who knows.
    pub(crate) told: bool,
    brake_failed: bool,
}

/// A look, as far as decisions hang on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Bytes in use.
    pub(crate) point: Point,
    /// Bytes of the limit that will be reached first.
    pub(crate) limit: Option<u64>,
    /// Whether its address space is held.
    pub(crate) pinned: bool,
    /// The usage up to which growth is the collector's ordinary climb, if its gauges were read.
    pub(crate) collects_at: Option<u64>,
}

/// A decision, and what it was made by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided<'a> {
    /// Bytes that count against the limit.
    pub(crate) usage: u64,
    pub(crate) step: &'a Step,
    pub(crate) state: State,
    pub(crate) pinned: bool,
    /// Path of its memory cgroup.
    pub(crate) cgroup: &'a str,
    /// The limit that will be reached first, and where it stands.
    pub(crate) limit: Option<&'a (u64, String)>,
}

impl Decisions {
    /// How near the end is.
    pub(crate) fn state(&self) -> State {
        self.memory.state()
    }

    /// Strikes since it came under watch.
    pub(crate) fn all_strikes(&self) -> u32 {
        self.memory.all_strikes()
    }

    /// The latest look.
    pub(crate) fn last(&self) -> Option<Point> {
        self.points.last().copied()
    }

    /// Against another limit: what was seen before says nothing of the way to it.
    pub(crate) fn forget_points(&mut self) {
        self.points.clear();
    }

    /// Notes a look, and decides: gives what is to be remembered of that ([`Decisions::remember`]) and what
    /// is to be done.
    pub(crate) fn decide(&mut self, policy: &Policy, measured: Measured, look: Look) -> (Memory, Step) {
        let Look { point, limit, pinned, collects_at } = look;
        if self.points.len() >= 2 * RECENT {
            self.points.drain(..RECENT);
        }
        self.points.push(point);
        let points = self.points.get(self.points.len().saturating_sub(RECENT)..).unwrap_or_default();
        let (told, brake_failed) = (self.told, self.brake_failed);
        policy.step(measured, &self.memory, Seen { points, limit, pinned, told, collects_at, brake_failed })
    }

    /// What was decided is carried out.
    pub(crate) fn remember(&mut self, memory: Memory) {
        self.memory = memory;
        self.brake_failed = false;
    }

    /// The brake that was asked for could not be set.
    pub(crate) fn brake_failed(&mut self) {
        self.brake_failed = true;
    }
}
