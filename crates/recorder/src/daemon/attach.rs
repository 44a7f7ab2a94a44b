//! Threads that look at new processes: whether they are Go, whether they are wanted, where their runtime
//! stands. What a process's user wrote is read by workers ([`ForeignReader`]), its executable and its memory:
//! here nothing of it is opened, and so this thread does not hang with it. Should it hang all the same, in
//! the kernel's own files of a process, another takes its place.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_goruntime::DiscoverError;
use lastgasp_inferior::{ImageError, LiveProcess, OpenError};
use lastgasp_observe::kernel::cgroup::Mounts;
use lastgasp_observe::kernel::container::Home;
use lastgasp_observe::kernel::files::{is_out_of_descriptors, means_out_of_descriptors};
use lastgasp_observe::kernel::limit::LimitUsage;
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::kernel::sys::pidfd_open;
use lastgasp_observe::target::discover::{Depth, GoExecutable, GoProcess, exists};
use lastgasp_observe::target::identity::{Identity, identity};
use lastgasp_observe::target::inspect::Located;
use lastgasp_observe::target::{AttachError, Target};

use super::attach_queue::Queue;
use super::binaries::{Binaries, Found, Known};
use super::settings::Settings;
use crate::guard::{guarded, spawn_vital};
use crate::own_process::run_before_others;
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
    /// What it is cannot be said now: whoever looked at it was lost, or others wait in front of it. It is
    /// looked at again then.
    Later(Instant),
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

/// So many look at a time. One is kept for whoever has nobody looked at (`attach_queue.rs`).
const THREADS: usize = 3;
/// So many more take the place of those that hang.
const MORE_THREADS: u64 = 12;
/// A look takes milliseconds, and a worker that looks seconds at most.
const HANGS: Duration = Duration::from_secs(15);
const NAME: &str = "attach";

impl Attachers {
    /// Starts them; `done` gets what they find.
    pub(crate) fn start(
        settings: &Arc<Mutex<Arc<Settings>>>,
        done: impl Fn(i32, Looked) + Clone + Send + 'static,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let threads = Self { queue: Arc::clone(&queue) };
        let binaries = Arc::new(Mutex::new(Binaries::default()));
        let start = move || Inspector::start(Arc::clone(&binaries));
        for _ in 0..THREADS {
            let (queue, settings, done, start) =
                (Arc::clone(&queue), Arc::clone(settings), done.clone(), start.clone());
            spawn_vital(NAME, 1 << 20, move || serve(&queue, &settings, start, done))?;
        }
        let settings = Arc::clone(settings);
        let more = AtomicU64::new(0);
        spawn_vital("attach-more", 128 << 10, move || {
            while !queue.is_over() {
                std::thread::sleep(Duration::from_millis(500));
                // Whoever hung and has come back goes on, one too many, which does no harm.
                if queue.hanging(HANGS) as u64 > more.load(Ordering::Relaxed)
                    && more.load(Ordering::Relaxed) < MORE_THREADS
                {
                    more.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(
                        event = "attach-hangs",
                        "a thread that looks at new processes hangs: another takes its place"
                    );
                    let (queue, settings, done, start) =
                        (Arc::clone(&queue), Arc::clone(&settings), done.clone(), start.clone());
                    let _ = spawn_vital(NAME, 1 << 20, move || serve(&queue, &settings, start, done));
                }
            }
        })?;
        Ok(threads)
    }

    /// Has a process looked at; `false` if too many wait already.
    pub(crate) fn look_at(&self, pid: i32, depth: Depth) -> bool {
        self.queue.push(pid, depth)
    }
}

#[cfg(test)]
impl Attachers {
    /// A queue that nobody serves.
    pub(crate) fn without_threads() -> Self {
        Self { queue: Arc::new(Queue::default()) }
    }

    /// Takes what stands in it.
    pub(crate) fn queued(&self) -> Vec<(i32, Depth)> {
        self.queue.drain()
    }
}

impl Drop for Attachers {
    fn drop(&mut self) {
        self.queue.end();
    }
}

/// Looks at one process after the other, until no more will come. One at which the look panics is refused,
/// and the next one is looked at.
fn serve<I: Inspect>(
    queue: &Queue,
    settings: &Mutex<Arc<Settings>>,
    start: impl Fn() -> I,
    done: impl Fn(i32, Looked),
) {
    // Who is found late may have died by then.
    run_before_others();
    let mut inspector = start();
    while let Some(job) = queue.next() {
        let (pid, depth) = (job.pid, job.depth);
        let settings = Arc::clone(&settings.lock().unwrap_or_else(PoisonError::into_inner));
        let began = Instant::now();
        let looked = guarded(NAME, || inspector.look(pid, depth, &settings)).unwrap_or_else(|panicked| {
            // What it keeps may be half changed.
            inspector = start();
            let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
            let service = String::from_utf8_lossy(&name).trim_end().to_owned();
            Looked::Refused { service, why: panicked.to_string() }
        });
        queue.done(&job);
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
    binaries: Arc<Mutex<Binaries>>,
    machine: Machine,
}

impl Inspector {
    fn start(binaries: Arc<Mutex<Binaries>>) -> Self {
        Self { mounts: Mounts::detect(), binaries, machine: Machine::detect() }
    }
}

impl Inspect for Inspector {
    fn look(&mut self, pid: i32, depth: Depth, settings: &Settings) -> Looked {
        let looked = self.look_as_it_can(pid, depth, settings);
        // Of what could not be opened nothing is known: it is looked at again.
        let in_vain = match &looked {
            Looked::Found(_) => is_out_of_descriptors(),
            Looked::NotYet | Looked::Refused { .. } | Looked::NoProcess | Looked::Later(_) => is_out_of_descriptors(),
            _ => false,
        };
        if in_vain { Looked::OutOfDescriptors } else { looked }
    }
}

impl Inspector {
    fn look_as_it_can(&mut self, pid: i32, depth: Depth, settings: &Settings) -> Looked {
        match is_process(pid) {
            Some(true) => {}
            Some(false) => return Looked::NoProcess,
            None => return Looked::OutOfDescriptors,
        }
        // Before a file is opened that is its owner's to write. Whether it is Go is not known then: it may
        // become what is wanted, by exec or in another group.
        let wanted = || {
            let who = identity(pid, &self.mounts, 0);
            settings.wants(&who, &settings.identities.home(pid, &who.cgroup))
        };
        let binary = match Binaries::look(&self.binaries, &*settings.foreign, pid, depth, wanted) {
            Found::Go(binary) => binary,
            Found::Other => return Looked::Other(depth),
            Found::NoProcess if is_process(pid) == Some(true) => return Looked::Other(depth),
            Found::NoProcess => return Looked::NoProcess,
            Found::Later(at) => return Looked::Later(at),
            Found::OutOfDescriptors => return Looked::OutOfDescriptors,
        };
        let Some(start_time) = lastgasp_inferior::start_time(pid) else {
            return if exists(pid) { Looked::OutOfDescriptors } else { Looked::NoProcess };
        };
        let who = identity(pid, &self.mounts, start_time);
        let home = settings.identities.home(pid, &who.cgroup);
        if !settings.wants(&who, &home) {
            return Looked::Excluded;
        }
        // Whose memory did not answer a moment ago is not asked at once.
        if let Some(again) = settings.foreign.silent_until(pid) {
            return Looked::Later(again);
        }
        match self.attach(pid, &binary, settings) {
            Ok(mut target) => {
                target.identity.container.clone_from(&home.container);
                target.census.switch(settings.census);
                self.machine.refresh(Duration::from_millis(100));
                let rss = target.process.rss().unwrap_or(0);
                let limit_usage = LimitUsage::of(pid, rss, None, None, &self.mounts, &self.machine);
                let mut watch = TargetWatch::new(target, limit_usage, &self.machine);
                lock(&watch.history).first_look(&mut watch.limit_usage);
                let executable = GoProcess { pid, start_time, executable: executable(&binary) };
                Looked::Found(Box::new(Attached { watch, home, executable }))
            }
            Err(e) => match settings.foreign.silent_until(pid) {
                Some(again) => Looked::Later(again),
                None => not_attached(pid, who, e),
            },
        }
    }

    fn attach(&self, pid: i32, binary: &Known, settings: &Settings) -> Result<Target, NotAttached> {
        let name = binary.name.clone().unwrap_or_else(|| format!("/proc/{pid}/exe"));
        let known = binary.go.as_ref().map_err(|why| NotAttached::Refused(why.clone()))?;
        let image = known.image(&name).map_err(|e| NotAttached::Failed(OpenError::Image(e).into()))?;
        let pidfd = pidfd_open(pid).map(Arc::new);
        let process =
            LiveProcess::open_known(pid, image, binary.bias, pidfd).map_err(|e| NotAttached::Failed(e.into()))?;
        let location = match &known.says.runtime {
            Located::At(location) => location,
            Located::NotYet(_) => return Err(NotAttached::NotYet),
            Located::Refused(why) => return Err(NotAttached::Refused(why.clone())),
        };
        let foreign = settings.foreign.memory(pid, process.mem_shared()).map_err(|e| failed(pid, e))?;
        let mut target =
            Target::attach_known(process, &known.says, location, &self.mounts, foreign).map_err(NotAttached::Failed)?;
        target.census.shares(Arc::clone(&known.constants));
        Ok(target)
    }
}

/// Why a process is not attached to.
enum NotAttached {
    /// Its runtime was not there.
    NotYet,
    /// It cannot be read: why, with the cure.
    Refused(String),
    /// It could not be opened, or its memory says nothing that could be.
    Failed(AttachError),
}

fn failed(pid: i32, error: std::io::Error) -> NotAttached {
    NotAttached::Failed(OpenError::Io { pid, what: "mem", error }.into())
}

fn not_attached(pid: i32, who: Identity, why: NotAttached) -> Looked {
    match why {
        NotAttached::NotYet | NotAttached::Failed(AttachError::Discover(DiscoverError::Unreadable { .. })) => {
            if lastgasp_inferior::start_time(pid).is_some() {
                Looked::NotYet
            } else {
                Looked::NoProcess
            }
        }
        NotAttached::Failed(e) if is_for_want_of_descriptors(&e) => Looked::OutOfDescriptors,
        NotAttached::Refused(_) | NotAttached::Failed(_) if lastgasp_inferior::start_time(pid).is_none() => {
            Looked::NoProcess
        }
        NotAttached::Refused(why) => Looked::Refused { service: who.service, why },
        NotAttached::Failed(e) => Looked::Refused { service: who.service, why: e.to_string() },
    }
}

/// What is told of its binary.
fn executable(binary: &Known) -> GoExecutable {
    let says = binary.go.as_ref().ok().map(|known| &known.says);
    GoExecutable {
        build_info: says.map(|says| says.build_info.clone()).unwrap_or_default(),
        stripped: says.is_some_and(|says| says.image.is_stripped()),
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
