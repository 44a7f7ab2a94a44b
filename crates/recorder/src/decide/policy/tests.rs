use std::time::Duration;

use proptest::prelude::*;

use super::step::{
    Acts, BrakeAct, FLAT_SLEEP, MAX_STRIKES, Memory, PINNED_SLEEP, PinAct, Seen, Step, TOLD_SLEEP, millis,
};
use super::{Measured, Mode, Policy};
use crate::decide::forecast::Point;

const LIMIT: u64 = 1_600_000_000;

pub(super) fn policy() -> Policy {
    Policy::default()
}

const MEASURED: Measured = Measured { fastest: 3e9, pin_keeps: true };

fn keeping(pin_keeps: bool) -> Measured {
    Measured { pin_keeps, ..MEASURED }
}

/// The state machine with a target that does whatever it is told to.
struct Machine {
    policy: Policy,
    measured: Measured,
    memory: Memory,
    points: Vec<Point>,
    pinned: bool,
    told: bool,
    /// How far the collector lets it climb from each usage.
    collects_at: fn(u64) -> Option<u64>,
    brake_failed: bool,
}

impl Machine {
    fn of(policy: &Policy, measured: Measured) -> Self {
        let (memory, points) = (Memory::default(), Vec::new());
        let (policy, collects_at): (_, fn(u64) -> _) = (policy.clone(), |_| None);
        Self { policy, measured, memory, points, pinned: false, told: false, collects_at, brake_failed: false }
    }

    /// One look.
    fn look(&mut self, t_ms: u64, bytes: u64, limit: Option<u64>) -> Step {
        if self.points.len() > 400 {
            self.points.drain(..200);
        }
        self.points.push(Point { t_ms, bytes });
        let points = &self.points[self.points.len().saturating_sub(200)..];
        let (pinned, told, brake_failed) = (self.pinned, self.told, self.brake_failed);
        let collects_at = (self.collects_at)(bytes);
        let seen = Seen { points, limit, pinned, told, collects_at, brake_failed };
        let (memory, step) = self.policy.step(self.measured, &self.memory, seen);
        self.memory = memory;
        self.brake_failed = false;
        self.pinned = step.acts.pin.map_or(self.pinned, |act| act == PinAct::Hold);
        step
    }
}

/// Drives the machine along a curve, with its own sleeps as time, until the limit is reached.
pub(super) fn drive(policy: &Policy, limit: u64, curve: impl Fn(u64) -> u64, until_ms: u64) -> (Vec<(u64, Acts)>, u64) {
    drive_by(policy, limit, curve, until_ms, 0.0)
}

fn drive_keeping(pin_keeps: bool, curve: impl Fn(u64) -> u64, until_ms: u64) -> (Vec<(u64, Acts)>, u64) {
    drive_machine(&mut Machine::of(&policy(), keeping(pin_keeps)), LIMIT, curve, until_ms, 0.0)
}

/// As [`drive`], with looks no closer than so many milliseconds: a day has seventeen million of them
/// otherwise.
pub(super) fn drive_by(
    policy: &Policy,
    limit: u64,
    curve: impl Fn(u64) -> u64,
    until_ms: u64,
    least: f64,
) -> (Vec<(u64, Acts)>, u64) {
    drive_machine(&mut Machine::of(policy, MEASURED), limit, curve, until_ms, least)
}

fn drive_machine(
    machine: &mut Machine,
    limit: u64,
    curve: impl Fn(u64) -> u64,
    until_ms: u64,
    least: f64,
) -> (Vec<(u64, Acts)>, u64) {
    let (mut out, mut t) = (Vec::new(), 0.0);
    while t < until_ms as f64 {
        let bytes = curve(t as u64);
        if bytes >= limit {
            break;
        }
        let step = machine.look(t as u64, bytes, Some(limit));
        if step.acts != Acts::default() {
            out.push((t as u64, step.acts));
        }
        t += (step.sleep.as_secs_f64() * 1000.0).max(least);
    }
    (out, t as u64)
}

pub(super) fn first(acts: &[(u64, Acts)], of: impl Fn(&Acts) -> bool) -> Option<u64> {
    acts.iter().find(|(_, a)| of(a)).map(|(t, _)| *t)
}

pub(super) fn strikes(acts: &[(u64, Acts)]) -> Vec<u64> {
    acts.iter().filter(|(_, a)| a.strike).map(|(t, _)| *t).collect()
}

/// From calm to dead at every rate that a machine can have: pinned long before, struck in the last moments
/// where there is time for it.
#[test]
fn ramps_of_every_slope() {
    for rate in [5e7, 1e8, 4e8, 1e9, 2e9, 3e9] {
        let calm = 20_000;
        let curve = |t: u64| 300_000_000 + (t.saturating_sub(calm) as f64 * rate / 1000.0) as u64;
        let (acts, _) = drive(&policy(), LIMIT, curve, 100_000);
        let death = calm + ((LIMIT - 300_000_000) as f64 / rate * 1000.0) as u64;
        let pinned = first(&acts, |a| a.pin == Some(PinAct::Hold)).expect("pinned");
        assert!(pinned < death, "{rate:e}: pinned at {pinned}, death at {death}");
        let struck = strikes(&acts);
        assert!(!struck.is_empty(), "{rate:e}: no strike; death at {death}: {acts:?}");
        // In the last quarter of a second, or in the last fiftieth of the limit.
        let last = 310.0f64.max(LIMIT as f64 * 0.02 / rate * 1000.0 + 10.0) as u64;
        assert!(death - struck[0] <= last && struck.len() <= 3, "{rate:e}: struck at {struck:?}, death at {death}");
    }
}

#[test]
fn the_incident_grows_faster_and_faster() {
    // From 300 MB, doubling every 600 ms after a calm of 10 s.
    let curve = |t: u64| (3e8 * 2f64.powf(t.saturating_sub(10_000) as f64 / 600.0)) as u64;
    let (acts, end) = drive(&policy(), LIMIT, curve, 30_000);
    let struck = strikes(&acts);
    assert!(!struck.is_empty() && end - struck[0] < 320, "{struck:?} before {end}");
    assert!(first(&acts, |a| a.pin == Some(PinAct::Hold)).unwrap() < struck[0]);
}

/// A machine that could fill what is left in a second at any time: held all the time, and released when there
/// is room again.
#[test]
fn little_headroom_is_reason_enough_to_hold() {
    let curve = |t: u64| if t < 30_000 { 100_000_000 } else { 101_000_000 };
    let (acts, _) = drive(&policy(), 1_000_000_000, curve, 60_000);
    assert_eq!(acts.len(), 1);
    assert_eq!((acts[0].0, acts[0].1.pin), (0, Some(PinAct::Hold)));
    let roomy = 20_000_000_000;
    let curve = |t: u64| if (5_000..10_000).contains(&t) { 18_000_000_000 } else { 1_000_000_000 };
    let (acts, _) = drive(&policy(), roomy, curve, 60_000);
    let pins: Vec<PinAct> = acts.iter().filter_map(|(_, a)| a.pin).collect();
    assert_eq!(pins, [PinAct::Hold, PinAct::Release], "{acts:?}");
}

#[test]
fn over_a_limit_that_nobody_enforces_it_stops_striking() {
    let (mut machine, mut strikes) = (Machine::of(&policy(), MEASURED), 0);
    for t in 0..20_000u64 {
        strikes += u32::from(machine.look(t, 300_000_000 + t * 400_000, Some(LIMIT)).acts.strike);
    }
    assert_eq!(strikes, MAX_STRIKES);
}

/// A look at what the kill has left says that memory came back: the log once said `strikes=0` after two.
#[test]
fn strikes_are_counted_beyond_the_kill() {
    let (mut machine, mut strikes) = (Machine::of(&policy(), MEASURED), 0);
    for t in 0..5000u64 {
        strikes += u32::from(machine.look(t, (300_000_000 + t * 400_000).min(LIMIT), Some(LIMIT)).acts.strike);
    }
    machine.look(5001, 0, Some(LIMIT));
    assert!(strikes > 1 && machine.memory.all_strikes() == strikes, "{strikes} {:?}", machine.memory);
}

#[test]
fn a_small_step_of_a_healthy_service_does_nothing_but_hold() {
    let (acts, _) = drive(&policy(), LIMIT, |t| if t < 20_000 { 300_000_000 } else { 340_000_000 }, 60_000);
    assert!(acts.iter().all(|(_, a)| !a.strike && a.brake.is_none()), "{acts:?}");
}

/// A day of a garbage collector's saw-teeth between 55 and up to 96 % of the limit, jittered, of several
/// periods: one false strike a day at most.
#[test]
fn a_day_of_saw_teeth() {
    const DAY: u64 = 86_400_000;
    for (seed, period, low, high) in [(1u64, 3_000u64, 0.55, 0.9), (2, 20_000, 0.6, 0.95), (4, 5_000, 0.55, 0.96)] {
        let jitter =
            |n: u64| ((n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed) >> 33) % 1000) as f64 / 1000.0;
        let curve = |t: u64| {
            let peak = high - 0.04 * jitter(t / period);
            let share = low + (peak - low) * (t % period) as f64 / period as f64;
            (LIMIT as f64 * share) as u64
        };
        let (acts, end) = drive_by(&policy(), LIMIT, curve, DAY, 100.0);
        assert!(end >= DAY);
        let struck = strikes(&acts);
        assert!(struck.len() <= 1, "seed {seed}: struck at {struck:?}");
    }
}

/// A leak under saw-teeth: each top is a little higher than the last. It is struck near its end, each time
/// with half as much left, and not at every tooth.
#[test]
fn a_leak_under_saw_teeth() {
    let curve = |t: u64| {
        let floor = 500_000_000.0 + t as f64 * 1_000.0;
        (floor + (t % 4000) as f64 / 4000.0 * 300_000_000.0) as u64
    };
    let (acts, end) = drive_by(&policy(), LIMIT, curve, 3_600_000, 20.0);
    let struck = strikes(&acts);
    assert!(!struck.is_empty() && struck.len() <= 5, "{struck:?}");
    assert!(end - struck[struck.len() - 1] < 5_000, "{struck:?} before {end}");
}

#[test]
fn the_brake_is_for_seconds_and_not_again_for_long() {
    let braking = Policy { mode: Mode::Brake, ..policy() };
    // Slowed down at 95 % by the brake itself, and going on for a minute.
    let curve = |t: u64| (300_000_000 + t.saturating_sub(10_000) * 300_000).min(LIMIT / 100 * 95 + t * 100);
    let (acts, _) = drive(&braking, LIMIT, curve, 80_000);
    let brakes: Vec<(u64, BrakeAct)> = acts.iter().filter_map(|(t, a)| Some((*t, a.brake?))).collect();
    assert_eq!(brakes.iter().map(|t| t.1).collect::<Vec<_>>(), [BrakeAct::Set, BrakeAct::TakeBack], "{brakes:?}");
    assert!(brakes[1].0 - brakes[0].0 <= 5_100, "{brakes:?}");
    let (acts, _) = drive(&policy(), LIMIT, curve, 80_000);
    assert!(acts.iter().all(|(_, a)| a.brake.is_none()), "never without its mode");
}

/// A brake that could not be set is tried again soon, and not at every look; once it stands the long pause
/// begins.
#[test]
fn a_brake_that_is_refused_does_not_count() {
    let braking = Policy { mode: Mode::Brake, ..policy() };
    let (mut machine, mut tried) = (Machine::of(&braking, MEASURED), Vec::new());
    for t in (0..2_000u64).step_by(5) {
        let step = machine.look(t, LIMIT / 100 * 96 + t * 30_000, Some(LIMIT));
        if step.acts.brake == Some(BrakeAct::Set) {
            tried.push(t);
            machine.brake_failed = tried.len() < 3;
        }
    }
    assert_eq!(tried.len(), 3, "{tried:?}");
    assert!(tried.windows(2).all(|w| (500..=510).contains(&(w[1] - w[0]))), "{tried:?}");
}

/// Out of the calm, half of 128 MB is gone at one look: a second step would be seen of a dead process.
#[test]
fn one_step_is_enough_for_the_only_copy() {
    let limit = 128 << 20;
    let struck = |pin: bool, pin_keeps, newest: u64| {
        let policy = Policy { pin, ..policy() };
        let mut machine = Machine::of(&policy, keeping(pin_keeps));
        (0..10).for_each(|i| {
            machine.look(i * 20, 8 << 20, Some(limit));
        });
        let step = machine.look(200, newest << 20, Some(limit));
        (step.acts.strike, step.sleep)
    };
    for (pin, pin_keeps, alone) in [(true, true, false), (true, false, true), (false, true, true)] {
        assert_eq!(struck(pin, pin_keeps, 100).0, alone, "{pin} {pin_keeps}");
        assert!(!struck(pin, pin_keeps, 48).0, "there is room still");
        assert_eq!(struck(pin, pin_keeps, 48).1 == Duration::from_millis(2), alone, "but it is looked at closely");
    }
}

/// What is late by a look is late by a copy.
#[test]
fn looks_are_close_in_the_last_second() {
    let mut machine = Machine::of(&policy(), MEASURED);
    let at = |t: u64| LIMIT / 10 * 7 + t * 200_000;
    let sleeps: Vec<(u64, Duration)> =
        (0..2400).step_by(5).map(|t| (t, machine.look(t, at(t), Some(LIMIT)).sleep)).collect();
    let sleep = |t: u64| sleeps.iter().rfind(|(at, _)| *at <= t).unwrap().1;
    assert_eq!((sleep(1500), sleep(2300)), (Duration::from_millis(5), Duration::from_millis(2)));
}

/// Where the kernel wakes us as memory runs out, and what is held keeps the evidence, a look every two
/// seconds is enough; nowhere else.
#[test]
fn who_is_told_by_the_kernel_looks_less_often() {
    let sleep = |told, pin_keeps| {
        let policy = Policy { calm: Duration::from_secs(2), ..policy() };
        let mut machine = Machine { told, ..Machine::of(&policy, keeping(pin_keeps)) };
        machine.look(0, LIMIT / 2, Some(LIMIT));
        machine.look(0, LIMIT / 2, Some(LIMIT)).sleep
    };
    assert_eq!(sleep(true, true), TOLD_SLEEP);
    assert_eq!(sleep(false, true), PINNED_SLEEP);
    assert_eq!(sleep(true, false), sleep(false, false));
    assert!(sleep(true, false) < PINNED_SLEEP * 2);
    // With room for a second at the fastest growth it is not held, and will be when the kernel tells.
    let roomy = |told, pin_keeps| {
        let policy = Policy { calm: Duration::from_secs(2), ..policy() };
        let mut machine = Machine { told, ..Machine::of(&policy, keeping(pin_keeps)) };
        let step = machine.look(0, 100_000_000, Some(4_000_000_000));
        assert_eq!(step.acts.pin, None);
        step.sleep
    };
    assert_eq!(roomy(true, true), TOLD_SLEEP);
    assert!(roomy(false, true) < TOLD_SLEEP / 2 && roomy(true, false) == roomy(false, true));
}

/// Nobody tells of growth on cgroup v2: who has been flat for half a minute is looked at once a second, who
/// moves four times, and with a brake to set always.
#[test]
fn who_is_flat_is_looked_at_less_often() {
    let sleeps = |mode, curve: fn(u64) -> u64| {
        let policy = Policy { mode, calm: Duration::from_secs(2), ..policy() };
        let (mut machine, mut sleeps, mut t) = (Machine::of(&policy, MEASURED), Vec::new(), 0);
        while t < 120_000 {
            let step = machine.look(t, curve(t), Some(LIMIT));
            sleeps.push((t, step.sleep));
            t += millis(step.sleep);
        }
        sleeps
    };
    let at = |sleeps: &[(u64, Duration)], t: u64| sleeps.iter().rfind(|s| s.0 <= t).unwrap().1;
    let flat = sleeps(Mode::Freeze, |t| 400_000_000 + t % 7_000 * 1_000);
    assert_eq!((at(&flat, 20_000), at(&flat, 31_000), at(&flat, 119_000)), (PINNED_SLEEP, FLAT_SLEEP, FLAT_SLEEP));
    let moving = sleeps(Mode::Freeze, |t| 300_000_000 + t % 20_000 * 10_000);
    assert!(moving[1..].iter().all(|(_, sleep)| *sleep <= PINNED_SLEEP), "{moving:?}");
    let stepped = sleeps(Mode::Freeze, |t| if t < 60_000 { 300_000_000 } else { 450_000_000 });
    assert_eq!((at(&stepped, 59_000), at(&stepped, 70_000)), (FLAT_SLEEP, PINNED_SLEEP));
    let braking = sleeps(Mode::Brake, |_| 400_000_000);
    assert!(braking[1..].iter().all(|(_, sleep)| *sleep <= PINNED_SLEEP));
}

/// Where held memory does not outlive an OOM kill, holding it is no reason to look away, and the only copy is
/// made earlier.
#[test]
fn without_a_window_it_looks_as_often_as_without_the_pin() {
    let at = |pin_keeps, bytes| {
        let mut machine = Machine::of(&policy(), keeping(pin_keeps));
        assert_eq!(machine.look(0, bytes, Some(LIMIT)).acts.pin, Some(PinAct::Hold));
        machine.look(0, bytes, Some(LIMIT)).sleep
    };
    assert_eq!(at(true, LIMIT / 2), PINNED_SLEEP);
    let headroom = Duration::from_secs_f64((LIMIT / 2) as f64 / 3e9);
    assert!(at(false, LIMIT / 2) <= headroom / 2);
    let curve = |t: u64| 300_000_000 + t.saturating_sub(10_000) * 400_000;
    let [usual, early] = [true, false].map(|pin_keeps| {
        let (acts, end) = drive_keeping(pin_keeps, curve, 100_000);
        end - strikes(&acts)[0]
    });
    assert!(usual <= 260 && (400..=520).contains(&early), "struck {usual} and {early} ms before the end");
}

/// After a false strike the next waits for a much nearer end only where the dead can be read.
#[test]
fn a_false_strike_costs_the_next_one_only_where_the_pin_keeps() {
    let at = |percent: u64, t_ms| Point { t_ms, bytes: LIMIT / 100 * percent };
    let memory = Memory { struck: Some(at(80, 0)), ..Memory::default() };
    let again = |pin_keeps, percent| policy().may_strike_again(keeping(pin_keeps), &memory, at(percent, 10_000), LIMIT);
    assert!(!again(true, 91) && again(true, 98));
    assert!(!again(false, 84) && again(false, 86));
}

/// In one crisis the only copies follow each other more closely, each with a twentieth of the limit more.
#[test]
fn the_only_copies_follow_each_other_closely() {
    let curve = |t: u64| 300_000_000 + t.saturating_sub(10_000) * 4_000_000;
    let [held, only] = [true, false].map(|pin_keeps| {
        let (acts, end) = drive_keeping(pin_keeps, curve, 100_000);
        (strikes(&acts), end)
    });
    assert!(only.0.len() > held.0.len() && only.0.len() <= MAX_STRIKES as usize, "{held:?}, {only:?}");
    assert!(only.0.windows(2).all(|w| w[1] - w[0] >= 30) && only.1 - only.0.last().unwrap() < 60, "{only:?}");
}

/// Where the pin is asked for and cannot be had, look for look, it is no reason to look away.
#[test]
fn a_pin_that_fails_makes_no_sleep_longer() {
    let mut machine = Machine::of(&policy(), MEASURED);
    for _ in 0..3 {
        let step = machine.look(0, LIMIT / 2, Some(LIMIT));
        assert_eq!(step.acts.pin, Some(PinAct::Hold));
        assert!(step.sleep.as_secs_f64() <= (LIMIT / 2) as f64 / 3e9 / 2.0, "{:?}", step.sleep);
        machine.pinned = false;
    }
}

/// A process that is first seen a moment before its end is held and struck in the same look.
#[test]
fn first_seen_at_the_end() {
    let step = Machine::of(&policy(), MEASURED).look(0, LIMIT / 1000 * 995, Some(LIMIT));
    assert_eq!(step.acts, Acts { pin: Some(PinAct::Hold), brake: None, strike: true });
}

proptest! {
    /// Whatever the samples, the limits and the mode: the sleep is bounded, acts respect the mode and each
    /// other, no strike comes below the floor.
    #[test]
    fn invariants(
        values in proptest::collection::vec((0u64..2_000_000_000, 1u64..3000, prop_oneof![Just(None), Just(Some(LIMIT)), (1u64..3_000_000_000).prop_map(Some)]), 1..200),
        mode in prop_oneof![Just(Mode::Observe), Just(Mode::Freeze), Just(Mode::Brake)],
        pin: bool,
        pin_keeps: bool,
    ) {
        let policy = Policy { mode, pin, ..policy() };
        let (mut machine, mut t) = (Machine::of(&policy, keeping(pin_keeps)), 0);
        let (mut pinned, mut braked) = (false, None::<u64>);
        for (bytes, pause, limit) in &values {
            t += pause;
            let held = machine.pinned;
            let step = machine.look(t, *bytes, *limit);
            let unpinned_bound = limit.map_or(1.0, |l| (l.saturating_sub(*bytes) as f64 / MEASURED.fastest / 2.0).max(0.002));
            prop_assert!(step.sleep <= policy.calm);
            prop_assert!((held && machine.pinned && pin_keeps) || limit.is_none() || step.sleep.as_secs_f64() <= unpinned_bound + 1e-9);
            if let Some(on) = step.acts.pin.map(|act| act == PinAct::Hold) {
                prop_assert!(on != pinned && (pin || !on));
                pinned = on;
            }
            prop_assert_eq!(pinned, machine.pinned);
            if let Some(on) = step.acts.brake.map(|act| act == BrakeAct::Set) {
                prop_assert!(on != braked.is_some() && (mode == Mode::Brake || !on));
                braked = on.then_some(t);
            }
            // One look late at most.
            prop_assert!(limit.is_none() || braked.is_none_or(|since| t < since + 5000));
            prop_assert!(!step.acts.strike || (mode >= Mode::Freeze && limit.is_some_and(|l| *bytes as f64 > l as f64 * 0.7)));
        }
    }
}

/// GOMEMLIMIT at 200 MiB under a limit of 241 MB: a program that loads climbs there at any speed, and the
/// collector keeps it there. Without knowing of it that is a strike in vain at every start.
#[test]
fn a_climb_to_gomemlimit_is_no_reason_to_strike() {
    const TIGHT: u64 = 241_000_000;
    let gomemlimit = |bytes: u64| Some(bytes + 216_000_000 - bytes.min(216_000_000));
    for rate in [100e6, 200e6, 400e6, 900e6] {
        // It overshoots by a little, and is collected.
        let curve = |t: u64| ((20e6 + t.saturating_sub(500) as f64 * rate / 1000.0) as u64).min(210_000_000);
        let struck = |collects_at| {
            let machine = &mut Machine { collects_at, ..Machine::of(&policy(), MEASURED) };
            strikes(&drive_machine(machine, TIGHT, curve, 60_000, 0.0).0)
        };
        assert_eq!(struck(gomemlimit), [0_u64; 0], "{rate:e}");
        if rate > 150e6 {
            assert!(!struck(|_| None).is_empty(), "{rate:e}: nothing was shown");
        }
    }
}

/// What is alive goes on beyond it, and is struck before it is dead, and held in any case; who is not held,
/// or whose memory the kernel does not keep, is struck as early as ever.
#[test]
fn a_climb_that_goes_on_is_struck() {
    let collector = |bytes: u64| Some(bytes + 1_300_000_000u64.saturating_sub(bytes));
    for rate in [5e7, 1e8, 4e8, 1e9, 2e9] {
        let curve = |t: u64| 300_000_000 + (t.saturating_sub(5000) as f64 * rate / 1000.0) as u64;
        let drive = |collects_at, measured| {
            let machine = &mut Machine { collects_at, ..Machine::of(&policy(), measured) };
            let (acts, _) = drive_machine(machine, LIMIT, curve, 100_000, 0.0);
            assert!(first(&acts, |a| a.pin == Some(PinAct::Hold)).is_some());
            *strikes(&acts).first().unwrap_or_else(|| panic!("{rate:e}: not struck"))
        };
        let told: fn(u64) -> Option<u64> = collector;
        let untold: fn(u64) -> Option<u64> = |_| None;
        let (late, early) = (drive(told, MEASURED), drive(untold, MEASURED));
        let death = 5000 + (1.3e9 / rate * 1000.0) as u64;
        assert!(early <= late && late < death, "{rate:e}: {early} {late} {death}");
        assert_eq!(drive(told, keeping(false)), drive(untold, keeping(false)));
    }
    // A goal that is as near as the limit keeps nobody from striking.
    let curve = |t: u64| 300_000_000 + t * 400_000;
    let near = Machine { collects_at: |_| Some(LIMIT / 100 * 96), ..Machine::of(&policy(), MEASURED) };
    let of = |machine: Machine| strikes(&drive_machine(&mut { machine }, LIMIT, curve, 100_000, 0.0).0);
    assert_eq!(of(near), of(Machine::of(&policy(), MEASURED)));
}
