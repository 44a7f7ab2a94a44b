//! The queue of processes that are to be looked at: bounded, and fair to whoever runs them. A tenant is a
//! user in a group: in containers nearly everybody is root, or has the number of a common base image, and it
//! is the group that tells them apart. But a user may make groups for himself, as many as he likes, and gets
//! nothing by that: what is spent on all of his counts together (of root, who is everybody, each group's
//! alone). The next one is of whoever the least time was spent on, and of his tenants too; one place is kept
//! for who has nobody looked at; and those whose processes have cost seconds share one place among them all.
//! So nobody waits for long behind others' executables on storage that does not answer, however many they
//! are.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_observe::kernel::cgroup::groups_number;
use lastgasp_observe::target::discover::Depth;

/// Places: looks at a time.
const PLACES: usize = 3;
/// Most processes that wait, of one tenant, of one user and of all.
const MAX_OF_ONE: usize = 2048;
const MAX_OF_USER: usize = 4096;
const MAX_WAITING: usize = 16_384;
/// Who has cost more than this lately shares one place with others of the kind.
const COSTLY: Duration = Duration::from_secs(2);
/// What was spent counts half after this time.
const HALF_LIFE: f64 = 20.0;
/// Most tenants of whom is known what they have cost.
const MAX_TENANTS: usize = 4096;

/// Who runs a process: a user, in a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tenant {
    uid: u32,
    group: u64,
}

/// Who answers for a tenant: the user, in whichever group; of root's the group alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    User(u32),
    RootIn(u64),
}

impl Tenant {
    /// Who runs that process.
    fn of(pid: i32) -> Self {
        let uid = std::fs::metadata(format!("/proc/{pid}")).map_or(0, |m| m.uid());
        Self { uid, group: groups_number(pid) }
    }

    fn owner(self) -> Owner {
        if self.uid == 0 { Owner::RootIn(self.group) } else { Owner::User(self.uid) }
    }

    /// All tenants of that user.
    fn of_user(uid: u32) -> std::ops::RangeInclusive<Self> {
        Self { uid, group: 0 }..=Self { uid, group: u64::MAX }
    }
}

/// A process that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) pid: i32,
    pub(crate) depth: Depth,
    tenant: Tenant,
    began: Instant,
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// No more will come.
    is_over: bool,
    waiting: BTreeMap<Tenant, VecDeque<(i32, Depth)>>,
    count: usize,
    spent: SpentOn<Tenant>,
    of_owners: SpentOn<Owner>,
    in_flight: Vec<Job>,
}

/// Time that was spent lately.
#[derive(Clone, Copy, Debug)]
struct Spent {
    seconds: f64,
    at: Instant,
}

impl Spent {
    fn at(self, now: Instant) -> f64 {
        self.seconds * 0.5f64.powf(now.duration_since(self.at).as_secs_f64() / HALF_LIFE)
    }
}

/// Time that was spent lately, by whom it was spent on.
#[derive(Debug)]
struct SpentOn<K>(BTreeMap<K, Spent>);

impl<K> Default for SpentOn<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Copy> SpentOn<K> {
    fn seconds(&self, on: K, now: Instant) -> f64 {
        self.0.get(&on).map_or(0.0, |spent| spent.at(now))
    }

    fn add(&mut self, on: K, more: Duration, now: Instant) {
        let seconds = self.seconds(on, now) + more.as_secs_f64();
        if self.0.len() >= MAX_TENANTS {
            self.0.retain(|_, spent| spent.at(now) > 0.05);
        }
        if self.0.len() < MAX_TENANTS {
            self.0.insert(on, Spent { seconds, at: now });
        }
    }
}

impl State {
    fn is_costly(&self, owner: Owner, now: Instant) -> bool {
        let waits = self.in_flight.iter().filter(|job| job.tenant.owner() == owner);
        let now_spent: f64 = waits.map(|job| now.duration_since(job.began).as_secs_f64()).sum();
        self.of_owners.seconds(owner, now) + now_spent > COSTLY.as_secs_f64()
    }

    /// Whether one more of that owner's may be looked at now.
    fn may(&self, owner: Owner, now: Instant) -> bool {
        if self.is_costly(owner, now) {
            return !self.in_flight.iter().any(|job| self.is_costly(job.tenant.owner(), now));
        }
        let of_owner = self.in_flight.iter().filter(|job| job.tenant.owner() == owner).count();
        of_owner == 0 || self.in_flight.len() + 1 < PLACES
    }

    fn next(&mut self, now: Instant) -> Option<Job> {
        let may = self.waiting.keys().copied().filter(|tenant| self.may(tenant.owner(), now));
        let spent = |tenant: Tenant| (self.of_owners.seconds(tenant.owner(), now), self.spent.seconds(tenant, now));
        let order = |(a, b): (f64, f64), (c, d): (f64, f64)| a.total_cmp(&c).then(b.total_cmp(&d));
        let tenant = may.min_by(|a, b| order(spent(*a), spent(*b)))?;
        let of_tenant = self.waiting.get_mut(&tenant)?;
        let (pid, depth) = of_tenant.pop_front()?;
        if of_tenant.is_empty() {
            self.waiting.remove(&tenant);
        }
        self.count -= 1;
        let job = Job { pid, depth, tenant, began: now };
        self.in_flight.push(job);
        Some(job)
    }

    fn push(&mut self, tenant: Tenant, pid: i32, depth: Depth) -> bool {
        let of_tenant = self.waiting.get(&tenant).map_or(0, VecDeque::len);
        if self.is_over || self.count >= MAX_WAITING || of_tenant >= MAX_OF_ONE {
            return false;
        }
        let of_user = || self.waiting.range(Tenant::of_user(tenant.uid)).map(|(_, all)| all.len()).sum::<usize>();
        if tenant.uid != 0 && of_user() >= MAX_OF_USER {
            return false;
        }
        self.waiting.entry(tenant).or_default().push_back((pid, depth));
        self.count += 1;
        true
    }

    fn done(&mut self, job: &Job, now: Instant) {
        self.in_flight.retain(|other| other != job);
        let took = now.duration_since(job.began);
        self.spent.add(job.tenant, took, now);
        self.of_owners.add(job.tenant.owner(), took, now);
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a process looked at; `false` if too many wait in front of it.
    pub(crate) fn push(&self, pid: i32, depth: Depth) -> bool {
        let tenant = Tenant::of(pid);
        let pushed = self.lock().push(tenant, pid, depth);
        self.more.notify_one();
        pushed
    }

    /// Waits for the next one; `None`: no more will come.
    pub(crate) fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.is_over {
                return None;
            }
            if let Some(job) = state.next(Instant::now()) {
                return Some(job);
            }
            // Who waits for a place to become free is woken by who leaves it; what was spent fades by itself.
            let most = if state.count > 0 { Duration::from_secs(1) } else { Duration::from_secs(3600) };
            state = self.more.wait_timeout(state, most).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// It was looked at.
    pub(crate) fn done(&self, job: &Job) {
        self.lock().done(job, Instant::now());
        self.more.notify_all();
    }

    /// How many looks have lasted for so long, and last.
    pub(crate) fn hanging(&self, long: Duration) -> usize {
        self.lock().in_flight.iter().filter(|job| job.began.elapsed() > long).count()
    }

    /// No more will come.
    pub(crate) fn end(&self) {
        self.lock().is_over = true;
        self.more.notify_all();
    }

    /// Whether no more will come.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// Takes what stands in it.
    #[cfg(test)]
    pub(crate) fn drain(&self) -> Vec<(i32, Depth)> {
        let mut state = self.lock();
        state.count = 0;
        std::mem::take(&mut state.waiting).into_values().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Tenant = Tenant { uid: 1000, group: 0 };
    const B: Tenant = Tenant { uid: 1001, group: 0 };
    const C: Tenant = Tenant { uid: 0, group: 7 };

    fn push(state: &mut State, tenant: Tenant, pids: std::ops::Range<i32>) -> usize {
        pids.filter(|pid| state.push(tenant, *pid, Depth::Executable)).count()
    }

    /// A thousand processes of one tenant stand in front, and each takes seconds: another's is the next.
    #[test]
    fn nobody_waits_behind_all_of_anothers() {
        let (mut state, t) = (State::default(), Instant::now());
        push(&mut state, A, 0..1000);
        let first = state.next(t).unwrap();
        state.done(&first, t + Duration::from_secs(1));
        push(&mut state, B, 5000..5002);
        assert_eq!(state.next(t + Duration::from_secs(1)).unwrap().pid, 5000);
    }

    /// One place is kept for who has nobody looked at.
    #[test]
    fn one_tenant_does_not_have_all_places() {
        let (mut state, t) = (State::default(), Instant::now());
        push(&mut state, A, 0..10);
        let taken: Vec<i32> = std::iter::from_fn(|| state.next(t)).map(|job| job.pid).collect();
        assert_eq!(taken, [0, 1]);
        push(&mut state, C, 70..80);
        assert_eq!(state.next(t).unwrap().pid, 70);
        assert_eq!(state.next(t), None, "all places are taken");
    }

    /// Whose looks hang share one place, whoever they are and however many.
    #[test]
    fn those_who_cost_seconds_share_one_place() {
        let (mut state, t) = (State::default(), Instant::now());
        push(&mut state, A, 0..10);
        push(&mut state, B, 20..30);
        let hang: Vec<Job> = std::iter::from_fn(|| state.next(t)).collect();
        let later = t + Duration::from_secs(3);
        hang.iter().for_each(|job| state.done(job, later));
        assert!(state.is_costly(A.owner(), later) && state.is_costly(B.owner(), later));
        let one: Vec<Job> = std::iter::from_fn(|| state.next(later)).collect();
        assert_eq!(one.len(), 1, "{one:?}");
        push(&mut state, C, 70..80);
        let calm: Vec<i32> = std::iter::from_fn(|| state.next(later)).map(|job| job.pid).collect();
        assert_eq!(calm, [70], "and one place is kept");
        // It is forgiven.
        let much_later = later + Duration::from_secs(300);
        assert!(!state.is_costly(A.owner(), much_later));
    }

    /// Two containers of one base image: the other one's only process does not wait behind the thousand of
    /// the one, though both have the same user.
    #[test]
    fn who_shares_a_number_does_not_wait_behind_all_of_that() {
        let (mut state, t) = (State::default(), Instant::now());
        let [one, other] = [1, 2].map(|group| Tenant { uid: 65_532, group });
        push(&mut state, one, 0..1000);
        let first = state.next(t).unwrap();
        let later = t + Duration::from_secs(7);
        state.done(&first, later);
        push(&mut state, other, 5000..5001);
        assert_eq!(state.next(later).unwrap().pid, 5000);
    }

    /// Nobody gets more places, or sooner, by the groups that he makes for his processes.
    #[test]
    fn groups_of_ones_own_are_no_other_tenants() {
        let (mut state, t) = (State::default(), Instant::now());
        for group in 0..100 {
            push(&mut state, Tenant { uid: 1000, group }, 0..10);
        }
        let calm: Vec<Job> = std::iter::from_fn(|| state.next(t)).collect();
        assert_eq!(calm.len(), 2, "one place is kept");
        let later = t + Duration::from_secs(3);
        calm.iter().for_each(|job| state.done(job, later));
        assert_eq!(std::iter::from_fn(|| state.next(later)).count(), 1, "they cost seconds");
        // Of a later number, and nobody has spent a moment on him.
        push(&mut state, Tenant { uid: 2000, group: 7 }, 5000..5002);
        let calm: Vec<i32> = std::iter::from_fn(|| state.next(later)).map(|job| job.pid).collect();
        assert_eq!(calm, [5000], "and one place is kept");
        let much = (0..100).map(|group| push(&mut state, Tenant { uid: 1001, group }, 0..100)).sum::<usize>();
        assert_eq!(much, MAX_OF_USER);
    }

    #[test]
    fn it_is_bounded_for_one_and_for_all() {
        let mut state = State::default();
        assert_eq!(push(&mut state, A, 0..100_000), MAX_OF_ONE);
        assert_eq!(push(&mut state, B, 0..1), 1);
        for uid in 2000..2100 {
            push(&mut state, Tenant { uid, group: 0 }, 0..MAX_OF_ONE as i32);
        }
        assert_eq!(state.count, MAX_WAITING);
    }
}
