//! One step of the state machine, a pure function: what is remembered and what is seen go in, what is
//! remembered next and what is to be done come out. Nobody else changes what it remembers.

use std::time::Duration;

use super::thresholds::{Measured, Mode, Policy};
use crate::decide::forecast::{Forecast, Point, forecast};

/// How near the end is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// All calm.
    #[default]
    Watch,
    /// Over 60 % of the limit, or full within 30 s at this rate.
    Alert,
    /// Over 75 % of the limit, or full within 10 s.
    Armed,
}

/// What to do with the pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PinAct {
    /// Hold the address space, so that it can be read after a kill.
    Hold,
    /// Let go of it.
    Release,
}

/// What to do with the brake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BrakeAct {
    /// Set it.
    Set,
    /// Take it back.
    TakeBack,
}

/// What the recorder should do now; all of it, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acts {
    /// What to do with the pin.
    pub(crate) pin: Option<PinAct>,
    /// What to do with the brake.
    pub(crate) brake: Option<BrakeAct>,
    /// Stop the target and copy.
    pub(crate) strike: bool,
}

/// What is seen of a target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    /// The recent looks, oldest first, the present one last.
    pub(crate) points: &'a [Point],
    /// Bytes of the limit that will be reached first; `None`: not known, and so no forecast.
    pub(crate) limit: Option<u64>,
    /// Whether its address space is held.
    pub(crate) pinned: bool,
    /// Whether the kernel tells of its group's growth (v1 thresholds).
    pub(crate) told: bool,
    /// The usage up to which growth is the collector's ordinary climb ([`crate::decide::collector`]); `None`:
    /// not known.
    pub(crate) collects_at: Option<u64>,
    /// Whether the brake that the last step asked for could not be set.
    pub(crate) brake_failed: bool,
}

/// What the state machine remembers between two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    /// Present state.
    pub(super) state: State,
    /// Where usage was when it last moved by much: a sixteenth of what was left.
    pub(super) moved: Point,
    /// When there was last a reason for the pin, on the timeline's clock.
    pub(super) pin_ms: u64,
    /// When the state was last over `Watch`.
    pub(super) alert_ms: u64,
    /// The highest usage at which it was struck, and when it was struck last.
    pub(super) struck: Option<Point>,
    /// Strikes since it was last calm.
    pub(super) strikes: u32,
    /// Strikes since it came under watch.
    pub(super) all_strikes: u32,
    /// The highest usage that it has come back from by itself, and when: the top of a garbage collector's
    /// saw-tooth.
    pub(super) survived: Option<Point>,
    /// The highest usage since it last came back.
    pub(super) top: u64,
    /// When the brake was set, if it is.
    pub(super) braked_ms: Option<u64>,
    /// When it was last set.
    pub(super) last_brake_ms: Option<u64>,
    /// When it could not be set, if that was the last that was tried.
    pub(super) brake_failed_ms: Option<u64>,
}

/// One decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// What to do.
    pub(crate) acts: Acts,
    /// How long to sleep at most afterwards.
    pub(crate) sleep: Duration,
    /// How memory grows and when it is used up, if there are samples enough.
    pub(crate) forecast: Option<Forecast>,
}

impl Step {
    /// Seconds to the limit, likely; `None` if memory does not grow.
    #[must_use]
    pub(crate) fn time_to_oom(&self) -> Option<f64> {
        self.forecast.and_then(|f| f.seconds).map(|s| s.likely)
    }
}

/// A strike that was not followed by a kill is repeated only when usage has grown by this share of the limit,
/// or by half of what was left then.
const AGAIN_AFTER_GROWTH: f64 = 0.05;
/// And not more often than this until it has been calm: over a limit that nobody enforces, growth has no end.
pub(super) const MAX_STRIKES: u32 = 6;
/// In one crisis: evidence hardly changes in less, and what is held is read after the end.
const BETWEEN_STRIKES: Duration = Duration::from_millis(125);
/// Where nothing can be read after the end: a sprint is struck at its second step, when nothing points at the
/// culprit yet (seen: 64 MB filled in 40 ms), and a copy that was cut short must not have been the only one.
const BETWEEN_ONLY_COPIES: Duration = Duration::from_millis(30);
/// Otherwise it was a false one, and the next at that height is not before a day has gone by.
const AGAIN_AFTER: Duration = Duration::from_secs(24 * 3600);
/// The pin is released after so much calm.
const RELEASE_AFTER: Duration = Duration::from_secs(10);
/// The top of a saw-tooth is believed in for so long.
const SURVIVED_FOR: Duration = Duration::from_secs(3600);
/// A climb is the collector's own if that acts below this share of the limit.
const COLLECTED_BELOW: f64 = 0.95;
/// A brake is set when memory is used up within this time.
const BRAKE_WITHIN: f64 = 2.0;
/// One that could not be set is tried again after so long: what was in its way for a moment (a slow disk, a
/// file that others hold) must not cost the whole pause.
const BRAKE_AGAIN: Duration = Duration::from_millis(500);
/// With the pin on no evidence depends on a look: so long a sleep is never too long.
pub(super) const PINNED_SLEEP: Duration = Duration::from_millis(250);
/// And so long where usage has not moved for [`FLAT_AFTER`]: what explodes out of that within a second is
/// read after its end alone.
pub(super) const FLAT_SLEEP: Duration = Duration::from_secs(1);
const FLAT_AFTER: Duration = Duration::from_secs(30);
/// With the end so near looks are as close as they ever are: some hundred of them.
const NEAR_END_SECONDS: f64 = 0.6;
const SHORTEST_SLEEP: Duration = Duration::from_millis(2);
/// And so long where the kernel wakes us as its memory runs out.
pub(super) const TOLD_SLEEP: Duration = Duration::from_secs(2);

impl Policy {
    /// Decides from what is remembered and what is seen.
    pub(crate) fn step(&self, measured: Measured, memory: &Memory, seen: Seen<'_>) -> (Memory, Step) {
        let mut memory = *memory;
        if seen.brake_failed {
            // Nothing stands, and it does not count as one. It had rested long enough, else it would not have
            // been asked for.
            (memory.brake_failed_ms, memory.braked_ms, memory.last_brake_ms) = (memory.braked_ms, None, None);
        }
        let (Some(now), Some(limit)) = (seen.points.last(), seen.limit.filter(|l| *l > 0)) else {
            return (memory, Step { acts: Acts::default(), sleep: self.calm, forecast: None });
        };
        let share = now.bytes as f64 / limit as f64;
        let headroom = limit.saturating_sub(now.bytes);
        let forecast = forecast(seen.points, headroom);
        let tto = forecast.and_then(|f| f.seconds).map(|s| s.likely);
        let within = |s: f64| tto.is_some_and(|t| t < s);
        memory.state = if share > 0.75 || (within(10.0) && share > 0.4) {
            State::Armed
        } else if share > 0.6 || (within(30.0) && share > 0.3) {
            State::Alert
        } else {
            State::Watch
        };
        if memory.state > State::Watch {
            memory.alert_ms = now.t_ms;
        } else if now.t_ms > memory.alert_ms + millis(RELEASE_AFTER) {
            memory.strikes = 0;
        }
        memory.note_survival(*now, limit);
        let reach = headroom as f64 / measured.fastest;
        // A ramp may rest for a second while the GC marks, and a saw-tooth comes back: only a longer calm
        // releases the pin.
        if memory.state > State::Watch || reach < self.arm_reach.as_secs_f64() * 1.5 {
            memory.pin_ms = now.t_ms;
        }
        let acts = Acts {
            pin: self.pin_or_not(&memory, seen, now.t_ms, reach),
            brake: self.brake_or_not(&memory, now.t_ms, share, tto),
            strike: self.strikes(measured, &memory, seen, *now, tto, limit),
        };
        // What is only asked for now may fail: with that nobody sleeps longer.
        let held = seen.pinned && acts.pin != Some(PinAct::Release) && measured.pin_keeps;
        match acts.brake {
            // What is only asked for now may fail: `Seen::brake_failed`.
            Some(BrakeAct::Set) => {
                (memory.braked_ms, memory.last_brake_ms, memory.brake_failed_ms) =
                    (Some(now.t_ms), Some(now.t_ms), None);
            }
            Some(BrakeAct::TakeBack) => memory.braked_ms = None,
            None => {}
        }
        if acts.strike {
            let highest = memory.struck.map_or(0, |s| s.bytes).max(now.bytes);
            memory.struck = Some(Point { t_ms: now.t_ms, bytes: highest });
            memory.strikes += 1;
            memory.all_strikes = memory.all_strikes.saturating_add(1);
        }
        let flat = memory.is_flat(*now, headroom);
        // Who is not held since there is room for a second is held in time when the kernel tells of the
        // growth.
        let roomy = self.pin && measured.pin_keeps && reach >= self.arm_reach.as_secs_f64();
        let least = if seen.told && (held || roomy) {
            TOLD_SLEEP
        } else if !held {
            Duration::ZERO
        } else if flat && self.mode < Mode::Brake {
            FLAT_SLEEP
        } else {
            // A brake that comes too late is none, whatever is read afterwards.
            PINNED_SLEEP
        };
        let sleep = self.sleep(memory.state, least, reach, tto);
        (memory, Step { acts, sleep, forecast })
    }

    /// Never longer than the machine needs to fill half of what is left, or than `never_too_long`: where the
    /// pin keeps the evidence whatever happens meanwhile, or the kernel tells.
    fn sleep(&self, state: State, never_too_long: Duration, reach: f64, tto: Option<f64>) -> Duration {
        let wished = match (state, tto.is_some_and(|t| t < NEAR_END_SECONDS)) {
            (State::Watch, _) => self.calm,
            (State::Alert, false) => Duration::from_millis(20),
            (State::Armed, false) => Duration::from_millis(5),
            // What is late by a look is late by a copy.
            (_, true) => SHORTEST_SLEEP,
        };
        let bound = Duration::from_secs_f64((reach / 2.0).clamp(SHORTEST_SLEEP.as_secs_f64(), 2.0));
        wished.min(bound.max(never_too_long))
    }

    fn pin_or_not(&self, memory: &Memory, seen: Seen<'_>, t_ms: u64, reach: f64) -> Option<PinAct> {
        let reason = memory.state == State::Armed || reach < self.arm_reach.as_secs_f64();
        if !seen.pinned {
            return (self.pin && reason).then_some(PinAct::Hold);
        }
        (!self.pin || t_ms > memory.pin_ms + millis(RELEASE_AFTER)).then_some(PinAct::Release)
    }

    /// How long before the end the copy is made: where it is the only one there will be, it must not come too
    /// late.
    fn strike_within(&self, measured: Measured) -> f64 {
        self.strike_within.as_secs_f64() * if measured.pin_keeps { 1.0 } else { 2.0 }
    }

    fn brake_or_not(&self, memory: &Memory, t_ms: u64, share: f64, tto: Option<f64>) -> Option<BrakeAct> {
        if let Some(since) = memory.braked_ms {
            let over = t_ms >= since + millis(self.brake) || memory.state < State::Armed || self.mode < Mode::Brake;
            return over.then_some(BrakeAct::TakeBack);
        }
        let rested = memory.last_brake_ms.is_none_or(|last| t_ms >= last + millis(self.brake_pause))
            && memory.brake_failed_ms.is_none_or(|last| t_ms >= last + millis(BRAKE_AGAIN));
        let near = tto.is_some_and(|t| t < BRAKE_WITHIN) && share > self.strike_above;
        (self.mode == Mode::Brake && near && rested).then_some(BrakeAct::Set)
    }

    fn strikes(
        &self,
        measured: Measured,
        memory: &Memory,
        seen: Seen<'_>,
        now: Point,
        tto: Option<f64>,
        limit: u64,
    ) -> bool {
        let share = now.bytes as f64 / limit as f64;
        // A program that loads its data climbs to its goal, or to GOMEMLIMIT, and no further: seen at each
        // start of one with GOMEMLIMIT at 200 MiB under a limit of 241 MB. To wait for that is safe where the
        // pin keeps what the wait might miss, and where room is left to strike when the climb goes on.
        let kept = seen.pinned && measured.pin_keeps;
        let climbs = seen.collects_at.is_some_and(|at| now.bytes < at && (at as f64) < limit as f64 * COLLECTED_BELOW);
        let soon = tto.is_some_and(|t| t < self.strike_within(measured));
        let near = (soon && !(kept && climbs)) || share > 0.98;
        // What it has come back from by itself it will come back from again.
        let known = memory.survived.is_some_and(|top| now.bytes <= top.bytes);
        self.mode >= Mode::Freeze
            && near
            && !known
            && share > self.strike_above
            && self.may_strike_again(measured, memory, now, limit)
    }

    /// Whether a strike would show more than the last one.
    pub(super) fn may_strike_again(&self, measured: Measured, memory: &Memory, now: Point, limit: u64) -> bool {
        memory.struck.is_none_or(|last| {
            let large = limit as f64 * AGAIN_AFTER_GROWTH;
            let rest = limit.saturating_sub(last.bytes) as f64;
            let step = if memory.strikes > 0 || rest == 0.0 {
                large
            } else if self.pin && measured.pin_keeps {
                // It was calm since, and so that one was false: a saw-tooth, or a heap that finds its size
                // (seen with lab/programs/churn, whose first teeth are each 5 % higher than the last:
                // `recorded.rs`). The dead can be read, and so only a much nearer end is worth another stop.
                rest * 7.0 / 8.0
            } else {
                large.min(rest / 2.0)
            };
            let grown = now.bytes as f64 > last.bytes as f64 + step;
            let pause = if self.pin && measured.pin_keeps { BETWEEN_STRIKES } else { BETWEEN_ONLY_COPIES };
            let rested = memory.strikes == 0 || now.t_ms >= last.t_ms + millis(pause);
            (grown && rested && memory.strikes < MAX_STRIKES) || now.t_ms >= last.t_ms + millis(AGAIN_AFTER)
        })
    }
}

impl Memory {
    /// How near the end is.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Strikes since it came under watch: a look at what a kill has left is a calm look, after which those
    /// since it was calm are none.
    pub(crate) fn all_strikes(&self) -> u32 {
        self.all_strikes
    }

    fn is_flat(&mut self, now: Point, headroom: u64) -> bool {
        if now.bytes.abs_diff(self.moved.bytes) > headroom / 16 {
            self.moved = now;
        }
        now.t_ms >= self.moved.t_ms + millis(FLAT_AFTER)
    }

    fn note_survival(&mut self, now: Point, limit: u64) {
        self.top = self.top.max(now.bytes);
        if self.survived.is_some_and(|s| now.t_ms > s.t_ms + millis(SURVIVED_FOR)) {
            self.survived = None;
        }
        if now.bytes + limit / 20 < self.top {
            let highest = self.survived.map_or(0, |s| s.bytes).max(self.top);
            self.survived = Some(Point { t_ms: now.t_ms, bytes: highest });
            self.top = now.bytes;
            // And if it was struck on the way up, that was a false one.
            self.strikes = 0;
        }
    }
}

pub(super) fn millis(d: Duration) -> u64 {
    d.as_millis() as u64
}
