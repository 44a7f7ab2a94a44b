//! Threads that look at new processes: whether they are Go, whether they are wanted, where their runtime
//! stands. Reading an executable can hang (a network file system that is gone), and so this is not the
//! supervisor's own work.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_goruntime::DiscoverError;
use lastgasp_inferior::{ImageError, OpenError};
use lastgasp_observe::kernel::cgroup::Mounts;
use lastgasp_observe::kernel::container::Home;
use lastgasp_observe::kernel::files::{is_out_of_descriptors, means_out_of_descriptors};
use lastgasp_observe::kernel::limit::LimitUsage;
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::target::discover::{Depth, Discoverer, GoProcess, Look, exists};
use lastgasp_observe::target::identity::identity;
use lastgasp_observe::target::runtime_cache::RuntimeCache;
use lastgasp_observe::target::{AttachError, Target};

use super::settings::Settings;
use crate::guard::{guarded, spawn_vital};
use crate::watch::history::lock;
use crate::watch::target_watch::TargetWatch;

/// What a look at a process gave.
#[derive(Debug)]
pub(crate) enum Looked {
    /// It can be watched.
    Found(Box<Attached>),
    /// It is Go, and its runtime has not started yet: look again.
    NotYet,
    /// It is Go, and not to be watched.
    Excluded,
    /// It is Go, and cannot be read.
    Refused {
        /// Its name.
        service: String,
        /// Why, with the cure.
        why: String,
    },
    /// It is not Go; its libraries were looked at, or not.
    Other(Depth),
    /// It is gone, or the number is that of a thread.
    NoProcess,
    /// What it is cannot be said now: this process is out of descriptors.
    OutOfDescriptors,
}

/// A process that can be watched.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) watch: TargetWatch,
    pub(crate) home: Home,
    pub(crate) executable: GoProcess,
}

/// The threads.
#[derive(Debug)]
pub(crate) struct Attachers {
    queue: Arc<Queue>,
}

/// Of a channel's receiver behind a lock each job would wake both: one for the job and one for the lock.
#[derive(Debug, Default)]
struct Queue {
    /// `None`: no more will come.
    jobs: Mutex<Option<VecDeque<(i32, Depth)>>>,
    more: Condvar,
}

/// So many, so that one that hangs does not blind us.
const THREADS: usize = 2;
const NAME: &str = "attach";

impl Attachers {
    /// Starts them; `done` gets what they find.
    pub(crate) fn start(
        settings: &Arc<Mutex<Arc<Settings>>>,
        done: impl Fn(i32, Looked) + Clone + Send + 'static,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue { jobs: Mutex::new(Some(VecDeque::new())), more: Condvar::new() });
        let threads = Self { queue: Arc::clone(&queue) };
        for _ in 0..THREADS {
            let (queue, settings, done) = (Arc::clone(&queue), Arc::clone(settings), done.clone());
            spawn_vital(NAME, 1 << 20, move || serve(&queue, &settings, Inspector::start, done))?;
        }
        Ok(threads)
    }

    /// Has a process looked at.
    pub(crate) fn look_at(&self, pid: i32, depth: Depth) {
        if let Some(jobs) = &mut *self.queue.jobs.lock().unwrap_or_else(PoisonError::into_inner) {
            jobs.push_back((pid, depth));
        }
        self.queue.more.notify_one();
    }
}

#[cfg(test)]
impl Attachers {
    /// A queue that nobody serves.
    pub(crate) fn without_threads() -> Self {
        Self { queue: Arc::new(Queue { jobs: Mutex::new(Some(VecDeque::new())), more: Condvar::new() }) }
    }

    /// Takes what stands in it.
    pub(crate) fn queued(&self) -> Vec<(i32, Depth)> {
        self.queue.jobs.lock().unwrap().as_mut().map(|jobs| jobs.drain(..).collect()).unwrap_or_default()
    }
}

impl Drop for Attachers {
    fn drop(&mut self) {
        *self.queue.jobs.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.queue.more.notify_all();
    }
}

impl Queue {
    /// Waits for the next one; `None`: no more will come.
    fn next(&self) -> Option<(i32, Depth)> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(job) = jobs.as_mut()?.pop_front() {
                return Some(job);
            }
            jobs = self.more.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Looks at one process after the other, until no more will come. One at which the look panics is refused,
/// and the next one is looked at.
fn serve<I: Inspect>(queue: &Queue, settings: &Mutex<Arc<Settings>>, start: fn() -> I, done: impl Fn(i32, Looked)) {
    let mut inspector = start();
    while let Some((pid, depth)) = queue.next() {
        let settings = Arc::clone(&settings.lock().unwrap_or_else(PoisonError::into_inner));
        let began = Instant::now();
        let looked = guarded(NAME, || inspector.look(pid, depth, &settings)).unwrap_or_else(|panicked| {
            // What it keeps may be half changed.
            inspector = start();
            let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
            let service = String::from_utf8_lossy(&name).trim_end().to_owned();
            Looked::Refused { service, why: panicked.to_string() }
        });
        if matches!(looked, Looked::NotYet | Looked::Found(_)) {
            let ready = matches!(looked, Looked::Found(_));
            tracing::debug!(pid, ready, took_ms = format!("{:.1}", began.elapsed().as_secs_f64() * 1e3), "looked at");
        }
        done(pid, looked);
    }
}

/// Whoever looks at a process.
trait Inspect {
    fn look(&mut self, pid: i32, depth: Depth, settings: &Settings) -> Looked;
}

/// What the looks of one thread have in common.
struct Inspector {
    mounts: Mounts,
    cache: RuntimeCache,
    discoverer: Discoverer,
    machine: Machine,
}

impl Inspector {
    fn start() -> Self {
        let (mounts, cache, discoverer) = (Mounts::detect(), RuntimeCache::of_user(), Discoverer::default());
        Self { mounts, cache, discoverer, machine: Machine::detect() }
    }
}

impl Inspect for Inspector {
    fn look(&mut self, pid: i32, depth: Depth, settings: &Settings) -> Looked {
        let looked = self.look_as_it_can(pid, depth, settings);
        // Of what could not be opened nothing is known: it is looked at again.
        let in_vain = match &looked {
            Looked::Found(attached) => !attached.watch.can_be_held() || is_out_of_descriptors(),
            Looked::NotYet | Looked::Refused { .. } | Looked::NoProcess => is_out_of_descriptors(),
            _ => false,
        };
        if in_vain { Looked::OutOfDescriptors } else { looked }
    }
}

impl Inspector {
    fn look_as_it_can(&mut self, pid: i32, depth: Depth, settings: &Settings) -> Looked {
        let Self { mounts, cache, discoverer, machine } = self;
        // Before a file is opened that is its owner's to write. Whether it is Go is not known then: it may
        // become what is wanted, by exec or in another group.
        let wanted = || {
            let who = identity(pid, mounts, 0);
            settings.wants(&who, &settings.identities.home(pid, &who.cgroup))
        };
        let look = discoverer.look(pid, depth, wanted);
        if matches!(look, Look::OutOfDescriptors) {
            return Looked::OutOfDescriptors;
        }
        match is_process(pid) {
            Some(true) => {}
            Some(false) => return Looked::NoProcess,
            None => return Looked::OutOfDescriptors,
        }
        let Look::Go(executable) = look else { return Looked::Other(depth) };
        let who = identity(pid, mounts, executable.start_time);
        let home = settings.identities.home(pid, &who.cgroup);
        if !settings.wants(&who, &home) {
            return Looked::Excluded;
        }
        match Target::attach(pid, mounts, cache) {
            Ok(mut target) => {
                target.identity.container.clone_from(&home.container);
                target.census.switch(settings.census);
                machine.refresh(Duration::from_millis(100));
                let rss = target.process.rss().unwrap_or(0);
                let limit_usage = LimitUsage::of(pid, rss, None, None, mounts, machine);
                let mut watch = TargetWatch::new(target, limit_usage, machine);
                lock(&watch.history).first_look(&mut watch.limit_usage);
                Looked::Found(Box::new(Attached { watch, home, executable }))
            }
            Err(e) if is_for_want_of_descriptors(&e) => Looked::OutOfDescriptors,
            Err(AttachError::Discover(DiscoverError::Unreadable { .. })) => Looked::NotYet,
            Err(e) if lastgasp_inferior::start_time(pid).is_some() => {
                Looked::Refused { service: who.service, why: e.to_string() }
            }
            Err(_) => Looked::NoProcess,
        }
    }
}

/// Whether that is why a process could not be attached to.
fn is_for_want_of_descriptors(e: &AttachError) -> bool {
    match e {
        AttachError::Open(OpenError::Io { error, .. } | OpenError::Image(ImageError::Io { error, .. })) => {
            means_out_of_descriptors(error)
        }
        // It is there, and what says so could not be opened.
        AttachError::Open(OpenError::NoProcess(pid)) => exists(*pid),
        _ => false,
    }
}

/// Whether there is such a process; `None` if that cannot be asked for want of descriptors. `/proc` answers
/// to the number of any of its threads, and new numbers are those of threads too.
fn is_process(pid: i32) -> Option<bool> {
    let status = match std::fs::read(format!("/proc/{pid}/status")) {
        Err(e) if means_out_of_descriptors(&e) => return None,
        status => status.unwrap_or_default(),
    };
    // Its name may be any bytes: one of 15 that the kernel has cut within a character too.
    let status = String::from_utf8_lossy(&status);
    Some(status.lines().find_map(|l| l.strip_prefix("Tgid:")?.trim().parse::<i32>().ok()) == Some(pid))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// Panics at process 2.
    struct Stumbles {
        looks: u32,
    }

    impl Inspect for Stumbles {
        fn look(&mut self, pid: i32, depth: Depth, _settings: &Settings) -> Looked {
            self.looks += 1;
            assert!(pid != 2, "look {}", self.looks);
            if self.looks == 1 { Looked::NotYet } else { Looked::Other(depth) }
        }
    }

    /// The process at which a look panics is refused; those after it are looked at, by a fresh inspector.
    #[test]
    fn a_panic_costs_one_look() {
        let attachers = Attachers::without_threads();
        for pid in [1, 3, 2, 4] {
            attachers.look_at(pid, Depth::Executable);
        }
        let queue = Arc::clone(&attachers.queue);
        let (tell, told) = channel();
        let settings = Mutex::new(Arc::new(Settings::default()));
        let served = std::thread::spawn(move || {
            serve(&queue, &settings, || Stumbles { looks: 0 }, |pid, looked| drop(tell.send((pid, looked))));
        });
        let next = || told.recv().unwrap();
        assert!(matches!(next(), (1, Looked::NotYet)));
        assert!(matches!(next(), (3, Looked::Other(_))));
        let (pid, looked) = next();
        assert!(matches!(&looked, Looked::Refused { why, .. } if why == "attach panicked: look 3"), "{pid} {looked:?}");
        assert!(matches!(next(), (4, Looked::NotYet)));
        drop(attachers);
        served.join().unwrap();
    }

    #[test]
    fn a_thread_is_no_process() {
        let own = std::process::id() as i32;
        let thread = std::thread::spawn(|| nix::unistd::gettid().as_raw()).join().unwrap();
        let (tell, told) = channel();
        let (done, wait) = channel::<()>();
        let living = std::thread::spawn(move || {
            tell.send(nix::unistd::gettid().as_raw()).unwrap();
            let _ = wait.recv();
        });
        assert_eq!(is_process(own), Some(true));
        for other in [told.recv().unwrap(), thread, i32::MAX] {
            assert_eq!(is_process(other), Some(false));
        }
        drop(done);
        living.join().unwrap();
    }
}
