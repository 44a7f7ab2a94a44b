//! The state machine watch -> alert -> armed -> strike, as a pure function: samples in, actions out. Numbers: docs/adr/0003-when-to-strike.md.

use std::time::Duration;

use crate::forecast::{Point, Rate, rate, time_to_oom};

/// How near the end is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// All calm: a look every quarter of a second at most.
    #[default]
    Watch,
    /// Over 60 % of the limit, or full within 30 s at this rate.
    Alert,
    /// Over 75 % of the limit, or full within 10 s: the pin is on.
    Armed,
}

/// What the recorder should do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing but sleep.
    None,
    /// Hold the address space, so that it can be read after a kill.
    Arm,
    /// Let go of it.
    Disarm,
    /// Stop the target and copy.
    Strike,
}

/// Thresholds.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Whether the target may be stopped.
    pub freeze: bool,
    /// Whether the address space may be held after a kill.
    pub pin: bool,
    /// Strike when memory is used up within this time.
    pub strike_within: Duration,
    /// Never strike below this share of the limit.
    pub strike_above: f64,
    /// The fastest growth this machine can produce, bytes per second: bounds the sleep.
    pub fastest: f64,
}

impl Default for Policy {
    fn default() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            freeze: true,
            pin: true,
            strike_within: Duration::from_millis(250),
            strike_above: 0.7,
            fastest: 1.5e9 * cpus as f64,
        }
    }
}

/// What the machine remembers between samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Present state.
    pub state: State,
    /// Whether the pin is on.
    pub pinned: bool,
    /// When the state was last over `Watch`, on the timeline's clock.
    pub alert_ms: u64,
    /// Usage at the last strike, and when.
    pub struck: Option<Point>,
    /// Strikes since it was last calm.
    pub strikes: u32,
}

/// One decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// What to do.
    pub action: Action,
    /// How long to sleep at most afterwards.
    pub sleep: Duration,
    /// Growth, if there are samples enough.
    pub rate: Option<Rate>,
    /// Seconds to the limit at the upper rate.
    pub time_to_oom: Option<f64>,
}

/// A strike that was not followed by a kill is repeated only when usage has grown by this share of the limit, or after the pause.
const AGAIN_AFTER_GROWTH: f64 = 0.05;
/// And not more often than this until it has been calm: over a limit that nobody enforces, growth has no end.
const MOST_STRIKES: u32 = 6;
const AGAIN_AFTER: Duration = Duration::from_secs(600);
/// The pin costs nothing while it is on; it is released after so much calm.
const RELEASE_AFTER: Duration = Duration::from_secs(10);

impl Policy {
    /// Decides from the recent points (oldest first) and the limit (`None`: no limit known, and so no forecast).
    pub fn step(&self, memory: &mut Memory, points: &[Point], limit: Option<u64>) -> Step {
        let calm = Duration::from_millis(250);
        let (Some(now), Some(limit)) = (points.last(), limit.filter(|l| *l > 0)) else {
            return Step { action: Action::None, sleep: calm, rate: None, time_to_oom: None };
        };
        let share = now.bytes as f64 / limit as f64;
        let headroom = limit.saturating_sub(now.bytes);
        let rate = rate(points, Duration::from_millis(500));
        let tto = rate.and_then(|r| time_to_oom(headroom, r.median));
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
        } else if now.t_ms > memory.alert_ms + RELEASE_AFTER.as_millis() as u64 {
            memory.strikes = 0;
        }
        let sleep = match memory.state {
            State::Watch => calm,
            State::Alert => Duration::from_millis(20),
            State::Armed => Duration::from_millis(5),
        };
        // Never sleep longer than the machine needs to fill half of what is left.
        let sleep = sleep.min(Duration::from_secs_f64((headroom as f64 / self.fastest / 2.0).clamp(0.002, 1.0)));
        let action = self.action(memory, *now, share, tto, limit);
        match action {
            Action::Arm => memory.pinned = true,
            Action::Disarm => memory.pinned = false,
            Action::Strike => {
                memory.struck = Some(*now);
                memory.strikes += 1;
            }
            Action::None => {}
        }
        Step { action, sleep, rate, time_to_oom: tto }
    }

    fn action(&self, memory: &Memory, now: Point, share: f64, tto: Option<f64>, limit: u64) -> Action {
        if self.pin && !memory.pinned && memory.state == State::Armed {
            return Action::Arm;
        }
        let near = tto.is_some_and(|t| t < self.strike_within.as_secs_f64()) || share > 0.98;
        if self.freeze && near && share > self.strike_above && may_strike_again(memory, now, limit) {
            return Action::Strike;
        }
        // A ramp may rest for a second while the GC marks, and a saw-tooth comes back: only a longer calm releases the pin.
        if memory.pinned && now.t_ms > memory.alert_ms + RELEASE_AFTER.as_millis() as u64 {
            return Action::Disarm;
        }
        Action::None
    }
}

fn may_strike_again(memory: &Memory, now: Point, limit: u64) -> bool {
    memory.struck.is_none_or(|last| {
        let grown = now.bytes as f64 > last.bytes as f64 + limit as f64 * AGAIN_AFTER_GROWTH;
        (grown && memory.strikes < MOST_STRIKES) || now.t_ms >= last.t_ms + AGAIN_AFTER.as_millis() as u64
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: u64 = 1_600_000_000;

    fn drive(policy: &Policy, curve: impl Fn(u64) -> u64, seconds: u64) -> Vec<(u64, Action)> {
        let (mut memory, mut points, mut out, mut t) = (Memory::default(), Vec::new(), Vec::new(), 0.0);
        while t < seconds as f64 * 1000.0 {
            let bytes = curve(t as u64);
            if bytes >= LIMIT {
                break;
            }
            points.push(Point { t_ms: t as u64, bytes });
            let step = policy.step(&mut memory, &points, Some(LIMIT));
            if step.action != Action::None {
                out.push((t as u64, step.action));
            }
            t += step.sleep.as_secs_f64() * 1000.0;
        }
        out
    }

    #[test]
    fn the_incident_is_pinned_then_struck_in_the_last_quarter_second() {
        // Calm for 20 s, then 0.4 GB/s.
        let policy = Policy { fastest: 3e9, ..Policy::default() };
        let got = drive(&policy, |t| 300_000_000 + t.saturating_sub(20_000) * 400_000, 60);
        let actions: Vec<Action> = got.iter().map(|a| a.1).collect();
        assert_eq!(actions.first(), Some(&Action::Arm));
        let strike = got.iter().find(|a| a.1 == Action::Strike).expect("a strike").0;
        let death = 20_000 + (LIMIT - 300_000_000) / 400_000;
        assert!(death - strike <= 260, "struck at {strike}, death at {death}");
    }

    #[test]
    fn over_a_limit_that_nobody_enforces_it_stops_striking() {
        let policy = Policy { fastest: 3e9, ..Policy::default() };
        let (mut memory, mut points, mut strikes) = (Memory::default(), Vec::new(), 0);
        for t in 0..20_000u64 {
            points.push(Point { t_ms: t, bytes: 300_000_000 + t * 400_000 });
            strikes += u32::from(policy.step(&mut memory, &points, Some(LIMIT)).action == Action::Strike);
        }
        assert_eq!(strikes, MOST_STRIKES);
    }

    #[test]
    fn a_small_step_of_a_healthy_service_does_nothing() {
        let policy = Policy { fastest: 3e9, ..Policy::default() };
        let got = drive(&policy, |t| if t < 20_000 { 300_000_000 } else { 340_000_000 }, 60);
        assert_eq!(got, []);
    }

    #[test]
    fn saw_tooth_up_to_two_thirds_of_the_limit_is_never_struck() {
        let policy = Policy { fastest: 3e9, ..Policy::default() };
        let got = drive(&policy, |t| 500_000_000 + (t % 3000) * 190_000, 60);
        assert!(got.iter().all(|a| a.1 != Action::Strike), "{got:?}");
    }

    proptest! {
        /// Whatever the samples: the sleep is bounded, pin and strike respect their switches, and no strike comes below the floor.
        #[test]
        fn invariants(values in proptest::collection::vec(0u64..2_000_000_000, 1..200), freeze: bool, pin: bool) {
            let policy = Policy { freeze, pin, fastest: 3e9, ..Policy::default() };
            let (mut memory, mut points) = (Memory::default(), Vec::new());
            for (i, bytes) in values.iter().enumerate() {
                points.push(Point { t_ms: i as u64 * 10, bytes: *bytes });
                let before = memory.pinned;
                let step = policy.step(&mut memory, &points, Some(LIMIT));
                prop_assert!(step.sleep <= Duration::from_millis(250));
                match step.action {
                    Action::Strike => prop_assert!(freeze && *bytes as f64 > LIMIT as f64 * 0.7),
                    Action::Arm => prop_assert!(pin && !before),
                    Action::Disarm => prop_assert!(before),
                    Action::None => {}
                }
            }
        }
    }
}
