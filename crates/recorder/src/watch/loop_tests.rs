//! The watch loop end to end, on recorded and made curves, with a target and an actor that are not there and
//! a clock that only its sleeps move.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use lastgasp_observe::kernel::limit::LimitUsage;
use lastgasp_observe::raw_capture::{Phase, RawCapture, Reason};
use lastgasp_observe::target::Target;
use lastgasp_observe::target::timeline::Sample;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

use super::actor::{Actor, Sleeper, Woken};
use super::decisions::{Decided, Decisions};
use super::observed::{Limit, Observed, Pace, Taking};
use super::stop_reason::{ExitReport, StopReason};
use super::watch_loop::{Rules, after_death, watch_loop};
use crate::act::stop::STOP_TIMEOUT_OF_THE_ONLY_COPY;
use crate::decide::policy::{BrakeAct, Exit, Measured, Mode, Policy, State, Step};
use crate::take::CaptureContext;

const PID: i32 = 4711;
const LIMIT: u64 = 1_000_000_000;
const MEASURED: Measured = Measured { fastest: 3e9, pin_keeps: true };

/// How the process ends, and when.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Lives,
    /// Killed for memory when it reaches its limit.
    OomKill,
    Exits(u64),
    Killed(u64),
    Execs(u64),
}

/// What the target is like and what befalls it: shared by the fake target, and the actor that sleeps.
struct World {
    began: Instant,
    ms: Cell<u64>,
    usage: Box<dyn Fn(u64) -> u64>,
    limit: Cell<Option<u64>>,
    lowered: Option<(u64, u64)>,
    fate: Fate,
    until_calm: Option<Duration>,
    called_away: Option<u64>,
    larger_one_from: Option<u64>,
    refuses_pin: bool,
    refuses_brake: bool,
    in_vain: bool,
    machine_is_low: bool,
    has_pidfd: bool,
    pidfd: File,
    gone_at_once: bool,
    /// What has happened, with its time.
    log: RefCell<Vec<(u64, String)>>,
}

impl World {
    fn of(usage: impl Fn(u64) -> u64 + 'static) -> Self {
        Self {
            began: Instant::now(),
            ms: Cell::new(0),
            usage: Box::new(usage),
            limit: Cell::new(Some(LIMIT)),
            lowered: None,
            fate: Fate::Lives,
            until_calm: Some(Duration::from_secs(15)),
            called_away: None,
            larger_one_from: None,
            refuses_pin: false,
            refuses_brake: false,
            in_vain: false,
            machine_is_low: false,
            has_pidfd: true,
            pidfd: File::open("/dev/null").unwrap(),
            gone_at_once: false,
            log: RefCell::default(),
        }
    }

    fn say(&self, what: impl Into<String>) {
        self.log.borrow_mut().push((self.ms.get(), what.into()));
    }

    /// When it ends, if that is before then.
    fn ends_before(&self, then: u64) -> Option<u64> {
        match self.fate {
            Fate::Lives | Fate::Execs(_) => None,
            Fate::Exits(at) | Fate::Killed(at) => (at <= then).then_some(at),
            Fate::OomKill => (self.ms.get()..=then).find(|t| (self.usage)(*t) >= LIMIT),
        }
    }

    /// Watches it to the end of the loop.
    fn watch(self, policy: &Policy, measured: Measured) -> Watched {
        let world = Rc::new(self);
        let (mut target, mut actor) = (Fake::of(&world), FakeActor(Rc::clone(&world)));
        let reason = watch_loop(&mut target, Rules { policy, measured }, &mut actor, world.until_calm);
        let (held, ended_at) = (target.held, world.ms.get());
        Watched { reason, log: world.log.take(), held, ended_at }
    }

    fn watch_by_default(self) -> Watched {
        self.watch(&Policy::default(), MEASURED)
    }
}

struct Watched {
    reason: StopReason,
    log: Vec<(u64, String)>,
    held: bool,
    ended_at: u64,
}

impl Watched {
    /// When that happened first.
    fn first(&self, what: &str) -> Option<u64> {
        self.log.iter().find(|(_, w)| w.starts_with(what)).map(|(t, _)| *t)
    }

    fn count(&self, what: &str) -> usize {
        self.log.iter().filter(|(_, w)| w.starts_with(what)).count()
    }

    /// What happened, one after the other, without what is said twice in a row.
    fn story(&self) -> Vec<&str> {
        let mut story: Vec<&str> = self.log.iter().map(|(_, w)| w.as_str()).collect();
        story.dedup();
        story
    }

    fn exit(&self) -> &ExitReport {
        let StopReason::Ended(report) = &self.reason else { panic!("{:?}", self.reason) };
        report
    }
}

struct Fake {
    world: Rc<World>,
    decisions: Decisions,
    held: bool,
}

impl Fake {
    fn of(world: &Rc<World>) -> Self {
        Self { world: Rc::clone(world), decisions: Decisions::default(), held: false }
    }
}

impl Observed for Fake {
    fn pid(&self) -> i32 {
        PID
    }

    fn now(&self) -> Instant {
        self.world.began + Duration::from_millis(self.world.ms.get())
    }

    fn decisions(&mut self) -> &mut Decisions {
        &mut self.decisions
    }

    fn decided<'a>(&'a self, usage: u64, step: &'a Step) -> Decided<'a> {
        let state = self.decisions.state();
        Decided { usage, step, state, pinned: self.held, cgroup: "/g", limit: None }
    }

    fn refresh_limits(&mut self, _older_than: Duration) -> bool {
        let now = self.world.ms.get();
        if let Some((_, lower)) =
            self.world.lowered.filter(|(at, to)| now >= *at && self.world.limit.get() != Some(*to))
        {
            self.world.limit.set(Some(lower));
            self.decisions.forget_points();
        }
        true
    }

    fn is_replaced(&self) -> bool {
        matches!(self.world.fate, Fate::Execs(at) if self.world.ms.get() >= at)
    }

    fn sample(&mut self, _state: State) -> Option<Sample> {
        let t_ms = self.world.ms.get();
        (self.world.ends_before(t_ms).is_none()).then(|| Sample {
            t_ms,
            usage: (self.world.usage)(t_ms),
            ..Sample::default()
        })
    }

    fn collects_at(&self) -> Option<u64> {
        None
    }

    fn keep_up(&mut self, pace: Pace, _state: State) {
        if pace == Pace::Steady {
            self.world.say("steady");
        }
    }

    fn limit(&self) -> Option<Limit> {
        self.world.limit.get().map(|bytes| Limit { bytes, of_group: true })
    }

    fn exit(&self) -> Option<BorrowedFd<'_>> {
        // Any descriptor: nobody polls it.
        self.world.has_pidfd.then(|| self.world.pidfd.as_fd())
    }

    fn is_alive(&self) -> bool {
        self.world.ends_before(self.world.ms.get()).is_none()
    }

    fn end(&mut self) -> (Option<WaitStatus>, Exit) {
        let killed = WaitStatus::Signaled(Pid::from_raw(PID), Signal::SIGKILL, false);
        let oom = self.world.fate == Fate::OomKill;
        let by_sigkill = !matches!(self.world.fate, Fate::Exits(_));
        let exit = Exit {
            by_sigkill: Some(by_sigkill),
            own_kills: oom,
            group_lost: u64::from(oom),
            group_ooms: oom && !self.world.machine_is_low,
            machine_kills: oom,
            likely_memory: false,
            machine_low_on_memory: self.world.machine_is_low,
        };
        (Some(if by_sigkill { killed } else { WaitStatus::Exited(Pid::from_raw(PID), 0) }), exit)
    }

    fn is_readable(&self) -> bool {
        !self.world.gone_at_once
    }

    fn last_sample(&mut self, usage: Option<u64>) {
        self.world.say(format!("last sample {usage:?}"));
    }

    fn note(&mut self, kind: &'static str, text: String) {
        self.world.say(format!("{kind}: {text}"));
    }

    fn hold(&mut self) -> Result<(), String> {
        if self.world.refuses_pin {
            return Err("userfaultfd is not to be had".into());
        }
        self.held = true;
        Ok(())
    }

    fn release(&mut self) {
        self.held = false;
    }

    fn is_held(&self) -> bool {
        self.held
    }

    fn take(&mut self, _actor: &mut dyn Actor, taking: Taking) -> Result<(), String> {
        let Taking { phase, reason, patience, until } = taking;
        let left = until - self.now();
        assert!(left <= Duration::from_secs(5) && !left.is_zero(), "{left:?}");
        if phase == Phase::PostKill {
            assert!(self.held, "what is read of the dead is held");
        }
        let only = if patience == Some(STOP_TIMEOUT_OF_THE_ONLY_COPY) { ", the only copy" } else { "" };
        self.world.say(format!("taken: {phase:?} {reason:?}{only}"));
        if self.world.in_vain { Err("too late: it was dead before it was copied".into()) } else { Ok(()) }
    }

    fn leave_what_is_known(&mut self, _actor: &mut dyn Actor, reason: Reason, why: &str) {
        self.world.say(format!("left: {reason:?}: {why}"));
    }

    fn brake(&mut self, _actor: &mut dyn Actor, act: BrakeAct) -> Result<bool, String> {
        self.world.say(format!("asked for: {act:?}"));
        if self.world.refuses_brake { Err("somebody else brakes here".into()) } else { Ok(true) }
    }
}

struct FakeActor(Rc<World>);

impl Sleeper for FakeActor {
    fn sleep(&mut self, exit: Option<BorrowedFd<'_>>, at_most: Duration) -> Woken {
        // Time goes on, whatever is asked for.
        let then = self.0.ms.get() + (at_most.as_millis() as u64).max(1);
        if let Some(ends) = self.0.ends_before(then) {
            if exit.is_some() {
                self.0.ms.set(ends.max(self.0.ms.get()));
                return Woken::Exited;
            }
        } else if let Some(at) = self.0.called_away.filter(|at| *at <= then) {
            self.0.ms.set(at);
            return Woken::CalledAway;
        }
        self.0.ms.set(then);
        Woken::Due
    }
}

impl Actor for FakeActor {
    fn take(&mut self, _target: &Target, _context: CaptureContext<'_>, _until: Instant) -> Result<(), String> {
        unreachable!("the fake target takes")
    }

    fn hand_on(&mut self, _raw: RawCapture) {
        unreachable!("the fake target leaves what is known")
    }

    fn brake(&mut self, _act: BrakeAct, _limit_usage: &LimitUsage) -> Result<bool, String> {
        unreachable!("the fake target brakes")
    }

    fn seen(&mut self, sample: &Sample, decided: &Decided<'_>) {
        assert_eq!(sample.usage, decided.usage);
        self.0.say(format!("{:?}", decided.state));
    }

    fn looks_elsewhere(&mut self, _sample: &Sample, pid: i32) -> bool {
        assert_eq!(pid, PID);
        self.0.larger_one_from.is_some_and(|from| self.0.ms.get() >= from)
    }

    fn note(&mut self, note: String) {
        self.0.say(format!("said: {note}"));
    }
}

/// Calm for ten seconds, then to the limit in three.
fn ramp(t: u64) -> u64 {
    300_000_000 + t.saturating_sub(10_000) * 240_000
}

#[test]
fn from_calm_to_the_grave() {
    let watched = World { fate: Fate::OomKill, ..World::of(ramp) }.watch_by_default();
    let report = watched.exit();
    assert!(report.oom && report.killed && report.unread.is_none() && !watched.held);
    let first = |what: &str| watched.first(what).unwrap_or_else(|| panic!("{what}: {:?}", watched.story()));
    // What is left could be filled within a second from the beginning.
    assert!(first("arm: address space pinned") < first("Alert") && first("Alert") < first("Armed"));
    assert!(first("Armed") < first("taken: PreKill Forecast") && first("steady") > 1_000);
    let (struck, died) = (first("taken: PreKill"), first("oom-kill: killed by the kernel: out of memory"));
    assert!(died - struck <= 300 && watched.ended_at == died, "struck at {struck}, died at {died}");
    assert!(watched.first("steady").is_some_and(|t| t < 10_000), "baselines are for the calm before");
    // Whose group ran out of memory had used all of it.
    let end = &watched.log[watched.log.len() - 2..];
    assert_eq!(end[0].1, format!("last sample {:?}", Some(LIMIT)));
    assert_eq!(end[1].1, "taken: PostKill OomKill");
}

/// The curves of real programs, to their real ends.
#[test]
fn recorded_lives_are_struck_and_read() {
    for (name, text) in [
        ("incident", include_str!("../decide/policy/curves/incident.txt")),
        ("leak", include_str!("../decide/policy/curves/leak.txt")),
        ("ramp", include_str!("../decide/policy/curves/ramp.txt")),
    ] {
        let rows: Vec<(u64, u64)> = text
            .lines()
            .filter(|l| !l.starts_with('#'))
            .map(|l| {
                let (t, kib) = l.split_once(' ').unwrap();
                (t.parse().unwrap(), kib.parse::<u64>().unwrap() << 10)
            })
            .collect();
        let (end, peak) = (rows.last().unwrap().0, rows.iter().map(|r| r.1).max().unwrap());
        let at = move |t: u64| rows[rows.partition_point(|(at, _)| *at <= t).saturating_sub(1)].1 * LIMIT / (peak + 1);
        let watched = World { fate: Fate::Killed(end), until_calm: None, ..World::of(at) }.watch_by_default();
        assert!(watched.exit().killed && watched.exit().unread.is_none(), "{name}");
        assert!(watched.first("arm").unwrap() < watched.first("taken: PreKill").unwrap(), "{name}");
        assert!(watched.log.last().unwrap().1 == "taken: PostKill Killed", "{name}: {:?}", watched.log.last());
    }
}

#[test]
fn who_is_calm_again_is_let_go_and_stays_held_only_as_long_as_the_policy_wants() {
    // Ten gigabytes of room: held only while it stands high.
    let roomy = |t: u64| if t < 5_000 { 9_000_000_000 } else { 1_000_000_000 };
    let world = World::of(roomy);
    world.limit.set(Some(10_000_000_000));
    let watched = world.watch_by_default();
    assert_eq!(watched.reason, StopReason::Calm);
    let (back, released) = (5_000, watched.first("disarm: address space released").unwrap());
    assert!((10_000..=10_600).contains(&(released - back)), "released at {released}");
    assert!((15_000..=15_600).contains(&(watched.ended_at - back)), "let go at {}", watched.ended_at);
    assert!(!watched.held);
}

#[test]
fn who_is_called_away_leaves_at_once_and_goes_on_holding() {
    let watched = World { called_away: Some(12_345), ..World::of(|_| 800_000_000) }.watch_by_default();
    assert_eq!((&watched.reason, watched.ended_at, watched.held), (&StopReason::CalledAway, 12_345, true));
    // A launcher, and then the service that it starts.
    let watched = World { larger_one_from: Some(3_000), ..World::of(|_| 1_000_000) }.watch_by_default();
    assert_eq!(watched.reason, StopReason::CalledAway);
    assert!((3_000..=4_300).contains(&watched.ended_at), "{}", watched.ended_at);
    // In danger nobody looks around.
    let busy = World { larger_one_from: Some(0), called_away: Some(9_000), ..World::of(|_| 800_000_000) };
    assert_eq!(busy.watch_by_default().ended_at, 9_000);
}

/// The old program's memory would stay charged as long as it is held.
#[test]
fn another_program_by_exec_is_let_go() {
    let watched = World { fate: Fate::Execs(2_000), ..World::of(|_| 800_000_000) }.watch_by_default();
    assert_eq!((&watched.reason, watched.held), (&StopReason::Replaced, false));
    assert_eq!(watched.log.last().unwrap().1, "exit: became another program");
    assert_eq!(watched.count("taken"), 0);
}

#[test]
fn who_ends_by_itself_is_not_read() {
    for has_pidfd in [true, false] {
        let watched = World { fate: Fate::Exits(3_000), has_pidfd, ..World::of(|_| 800_000_000) }.watch_by_default();
        assert_eq!(
            watched.exit(),
            &ExitReport { status: watched.exit().status, died: watched.exit().died, ..ExitReport::default() }
        );
        assert_eq!(watched.log.last().unwrap().1, "exit: ended by itself");
        assert!(watched.ended_at < 3_300 && !watched.held && watched.count("taken") == 0);
    }
}

#[test]
fn a_kill_by_somebody_is_read_too() {
    let watched = World { fate: Fate::Killed(3_000), ..World::of(|_| 500_000_000) }.watch_by_default();
    assert!(watched.exit().killed && !watched.exit().oom && watched.exit().unread.is_none());
    // It had not used all of its limit.
    assert_eq!(watched.count("last sample Some(500000000)"), 1);
    assert_eq!(watched.log.last().unwrap().1, "taken: PostKill Killed");
}

/// A strike that was too late is said in the timeline, and the dead are read all the same.
#[test]
fn a_strike_in_vain() {
    let watched = World { fate: Fate::OomKill, in_vain: true, ..World::of(ramp) }.watch_by_default();
    assert!(watched.count("freeze: too late: it was dead") >= 1);
    assert_eq!(watched.exit().unread.as_deref(), Some("too late: it was dead before it was copied"));
    let left = "left: OomKill: too late: it was dead before it was copied";
    assert_eq!((watched.count(left), watched.log.last().unwrap().1.as_str()), (1, left));
}

/// Killed out of the calm with nothing held, as where somebody lowers a limit below what is used: what is
/// known is left. Nobody is written about who was killed out of the calm by somebody.
#[test]
fn no_death_of_memory_is_without_a_folder() {
    for (fate, count) in [(Fate::OomKill, 1), (Fate::Killed(3_000), 0)] {
        let world = Rc::new(World { fate, ..World::of(|_| LIMIT) });
        let (mut target, mut actor) = (Fake::of(&world), FakeActor(Rc::clone(&world)));
        let rules = Rules { policy: &Policy::default(), measured: MEASURED };
        after_death(&mut target, world.began, rules, &mut actor);
        let left = "left: OomKill: killed without the pin: nothing could be read afterwards";
        assert_eq!(world.log.borrow().iter().filter(|(_, w)| w.as_str() == left).count(), count);
    }
}

#[test]
fn without_the_pin_the_copy_before_the_end_is_the_only_one() {
    let world = World { fate: Fate::OomKill, refuses_pin: true, ..World::of(ramp) };
    let watched = world.watch_by_default();
    assert!(watched.count("said: not armed: userfaultfd is not to be had") > 10, "asked for again and again");
    assert!(watched.count("taken: PreKill Forecast, the only copy") >= 1 && watched.count("taken: PostKill") == 0);
    assert!(watched.exit().unread.as_deref().is_some_and(|why| why.starts_with("killed without the pin")));
    // As where memory is held, and this kernel keeps nothing of it.
    let world = World { fate: Fate::OomKill, gone_at_once: true, ..World::of(ramp) };
    let watched = world.watch(&Policy::default(), Measured { pin_keeps: false, ..MEASURED });
    assert!(watched.count("taken: PreKill Forecast, the only copy") >= 1);
    assert_eq!(watched.exit().unread.as_deref(), Some("killed, and its memory was gone at once"));
    // Nobody asked for the pin: nothing is missing.
    let world = World { fate: Fate::OomKill, ..World::of(ramp) };
    let watched = world.watch(&Policy { pin: false, ..Policy::default() }, MEASURED);
    assert!(watched.exit().oom && watched.exit().unread.is_none() && watched.count("arm") == 0);
    assert_eq!(watched.count("left: OomKill: killed, and its memory was not held (pin.enabled)"), 1);
}

/// A limit that is lowered while all is calm is seen at the next look, and what was seen before is no slope.
#[test]
fn a_limit_that_is_lowered_meanwhile() {
    let watched = World { lowered: Some((5_000, 400_000_000)), called_away: Some(8_000), ..World::of(|_| 390_000_000) }
        .watch_by_default();
    assert_eq!(watched.count("taken"), 0, "it does not grow, and stands below 98 %");
    assert!((5_000..=5_300).contains(&watched.first("Armed").unwrap()), "{:?}", watched.first("Armed"));
    let watched = World { lowered: Some((5_000, 392_000_000)), called_away: Some(8_000), ..World::of(|_| 390_000_000) }
        .watch_by_default();
    assert!((5_000..=5_300).contains(&watched.first("taken: PreKill Forecast").unwrap()));
}

/// Gigabytes of the dead, held, would hurt everybody.
#[test]
fn where_the_whole_machine_is_out_of_memory_it_is_let_go_at_once() {
    let world = Rc::new(World { fate: Fate::OomKill, machine_is_low: true, ..World::of(ramp) });
    let (mut target, mut actor) = (Fake::of(&world), FakeActor(Rc::clone(&world)));
    target.held = true;
    let rules = Rules { policy: &Policy::default(), measured: MEASURED };
    let report = after_death(&mut target, world.began, rules, &mut actor);
    assert!(report.oom && report.unread.is_some_and(|why| why.contains("let go at once")) && !target.held);
    assert!(world.log.borrow().iter().all(|(_, w)| !w.starts_with("taken")));
    assert!(world.log.borrow().iter().any(|(_, w)| w.starts_with("left: OomKill: killed because the whole machine")));
}

#[test]
fn a_brake_is_asked_for_again_when_it_was_refused_and_taken_back_when_it_stood() {
    let braking = Policy { mode: Mode::Brake, ..Policy::default() };
    // Slowed down at 95 %, and going on for a while.
    let slowed = |t: u64| ramp(t).min(950_000_000 + t * 100);
    let world = World { called_away: Some(40_000), ..World::of(slowed) };
    let watched = world.watch(&braking, MEASURED);
    assert_eq!(
        (watched.count("asked for: Set"), watched.count("asked for: TakeBack")),
        (1, 1),
        "{:?}",
        watched.story()
    );
    let stood = watched.first("brake: tripwire taken back").unwrap() - watched.first("brake: tripwire set").unwrap();
    assert!(stood <= 5_100, "{stood} ms");
    let world = World { refuses_brake: true, fate: Fate::OomKill, ..World::of(ramp) };
    let watched = world.watch(&braking, MEASURED);
    let tries = watched.count("said: no brake: somebody else brakes here");
    assert!(tries >= 2 && tries == watched.count("asked for: Set") && watched.count("asked for: TakeBack") == 0);
}

/// What is never to be done in the mode that only looks.
#[test]
fn an_observer_stops_nothing() {
    let world = World { fate: Fate::OomKill, ..World::of(ramp) };
    let watched = world.watch(&Policy { mode: Mode::Observe, ..Policy::default() }, MEASURED);
    assert_eq!(watched.count("taken: PreKill"), 0);
    assert_eq!(watched.log.last().unwrap().1, "taken: PostKill OomKill");
}
