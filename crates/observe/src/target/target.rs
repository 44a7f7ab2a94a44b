//! A Go process under watch: opened, located, with a plan of what to copy and baselines from calmer times.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lastgasp_goruntime::{
    Bucket, CopySource, DiscoverError, Evidence, EvidencePlan, Extent, Gap, MemStats, Runtime, RuntimeLocation,
    decode_profile,
};
use lastgasp_inferior::{Addr, LiveProcess, Memory, OpenError, ThreadRegisters};
use thiserror::Error;

use crate::kernel::cgroup::Mounts;
use crate::target::baselines::{Baseline, BaselineHistory, SiteCounts};
use crate::target::census::{CensusHistory, QuickCensus};
use crate::target::discover::says_that_it_is_go;
use crate::target::goroutine_looks::GoroutineLooks;
use crate::target::identity::{Identity, identity};
use crate::target::inspect::{ForeignMemory, GoFile};
use crate::target::runtime_cache::RuntimeCache;

/// How long words that somebody else has read may be taken for what they are now (the reader in crate
/// worker).
const STALE: Duration = Duration::from_millis(4);
/// Most that one copy may hold: 100,000 goroutines and a profile of as many sites as programs have. What is
/// sized by the target stays far below.
pub const COPY_CAP: usize = 96 << 20;

/// Why a process cannot be watched.
#[derive(Debug, Error)]
pub enum AttachError {
    /// It could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is no Go process that we can read.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
}

/// A process under watch.
pub struct Target {
    /// The process.
    pub process: Arc<LiveProcess>,
    /// Who reads its memory while it is calm, and may be lost over it; `None`: this process does.
    pub foreign: Option<ForeignMemory>,
    /// Whether it is watched by a thread of its own, which waits for nobody and reads by itself.
    pub closely: bool,
    /// Its runtime.
    pub runtime: Runtime,
    /// What to copy.
    pub plan: EvidencePlan,
    /// Calmer times.
    pub baselines: BaselineHistory,
    /// Its collections at calmer times.
    pub census: QuickCensus,
    /// Who it is.
    pub identity: Identity,
    /// What could not be read so far.
    pub gaps: Vec<Gap>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Opens and locates `pid`, for a look at its gauges.
///
/// # Errors
/// [`AttachError`], each with its cure.
pub fn open(pid: i32, cache: &RuntimeCache) -> Result<(LiveProcess, Runtime), AttachError> {
    // The executable, or a library (`-buildmode=c-shared`) that a program of another language has loaded.
    let process = LiveProcess::open_wanted(pid, says_that_it_is_go)?;
    let runtime = cache.discover(process.image(), process.bias(), &process)?;
    Ok((process, runtime))
}

impl Target {
    /// Opens and locates `pid`, with a plan of what to copy.
    ///
    /// # Errors
    /// [`AttachError`], each with its cure.
    pub fn attach(pid: i32, mounts: &Mounts, cache: &RuntimeCache) -> Result<Self, AttachError> {
        let (process, runtime) = open(pid, cache)?;
        Ok(Self::of(process, runtime, mounts, None))
    }

    /// As [`Target::attach`], of a process whose binary somebody else has read: no byte of a file of its is
    /// read here, and its memory only through `reader`'s word.
    ///
    /// # Errors
    /// [`AttachError`].
    pub fn attach_known(
        process: LiveProcess,
        says: &GoFile,
        location: &RuntimeLocation,
        mounts: &Mounts,
        foreign: Option<ForeignMemory>,
    ) -> Result<Self, AttachError> {
        let runtime = {
            let mem: &dyn Memory = foreign.as_ref().map_or(&process as &dyn Memory, |f| &**f);
            Runtime::apply_known(process.image(), says.build_info.clone(), process.bias(), mem, location)?
        };
        Ok(Self::of(process, runtime, mounts, foreign))
    }

    fn of(process: LiveProcess, runtime: Runtime, mounts: &Mounts, foreign: Option<ForeignMemory>) -> Self {
        let identity = identity(process.pid(), mounts, process.start_time());
        let mut target = Self {
            process: Arc::new(process),
            foreign,
            closely: false,
            runtime,
            plan: EvidencePlan::default(),
            baselines: BaselineHistory::default(),
            census: QuickCensus::default(),
            identity,
            gaps: Vec::new(),
        };
        target.refresh();
        target
    }

    /// Its memory for who is in no hurry.
    fn calm_memory(&self) -> &dyn Memory {
        calm_memory(self.closely, self.foreign.as_ref(), &self.process)
    }

    /// Whether whoever asks in no hurry is to leave off, since somebody is in one.
    fn is_to_leave_off(&self) -> bool {
        !self.closely && self.foreign.as_ref().is_some_and(|f| f.is_hurried())
    }

    /// An address that can be read in any state of the process: its code.
    #[must_use]
    pub fn readable(&self) -> Addr {
        self.runtime.module.pcs.start
    }

    /// Bytes that a copy may need.
    #[must_use]
    pub fn room(&self, extent: Extent) -> u64 {
        Evidence::room(&self.source(&*self.process, &[]), extent, COPY_CAP).bytes as u64
    }

    /// What is copied from: its memory as `mem` gives it, and where its threads stand, if they were stopped.
    #[must_use]
    pub fn source<'a>(&'a self, mem: &'a dyn Memory, registers: &'a [ThreadRegisters]) -> CopySource<'a> {
        CopySource { runtime: &self.runtime, plan: &self.plan, mem, registers }
    }

    /// Brings the plan up to date.
    pub fn refresh(&mut self) {
        let mem = calm_memory(self.closely, self.foreign.as_ref(), &self.process);
        self.gaps = self.plan.update(&self.runtime, mem);
    }

    /// Notes the profile of this moment, without stopping the target: buckets never move, and a count that is
    /// torn is off by one allocation. One that is made meanwhile is in the list and not in the plan: then
    /// once more, by a new plan (a young program makes its first just as it is found, and whoever asks for
    /// its memory piece by piece takes a millisecond to read what is copied in one; without its first
    /// baseline nothing can be said of a death in the first seconds: `a_disk_that_does_not_answer`).
    pub fn note_baseline(&mut self, t_ms: u64) {
        const TRIES: u32 = 4;
        for attempt in 0..TRIES {
            if self.is_to_leave_off() {
                return;
            }
            if attempt > 0 {
                if self.foreign.is_some() && !self.closely {
                    std::thread::sleep(STALE);
                }
                self.refresh();
            }
            if self.note_whole_baseline(t_ms) {
                return;
            }
        }
    }

    /// Whether it was whole.
    fn note_whole_baseline(&mut self, t_ms: u64) -> bool {
        let source = self.source(self.calm_memory(), &[]);
        let mut copy = Evidence::with_untouched_room(&source, Extent::Profile, COPY_CAP);
        copy.copy(&source, Extent::Profile);
        copy.finish();
        let mut gaps = Vec::new();
        let profile = decode_profile(&self.runtime, &copy.snapshot, &mut gaps);
        let Ok(gauges) = MemStats::read(&self.runtime, &copy.snapshot) else { return false };
        if !gaps.is_empty() {
            return false;
        }
        let counts = |b: &Bucket| {
            let (allocated, in_use) = profile.current(b);
            SiteCounts { addr: b.addr, allocated, in_use }
        };
        let sites = profile.buckets.iter().map(counts).filter(|c| c.allocated.objects > 0).collect();
        self.baselines.push(Baseline { t_ms, sites, rate: profile.rate, gauges });
        self.baselines.keep_stacks(profile.buckets.iter().map(|b| (b.addr, b.stack.as_slice())));
        true
    }

    /// Looks at its goroutines, if that is worth its cost now; nothing is stopped.
    pub fn look_at_goroutines(&self, looks: &mut GoroutineLooks, t_ms: u64) {
        let mem = self.calm_memory();
        let slots = mem.u64(self.runtime.globals.allglen).unwrap_or(0);
        if looks.is_due(slots, t_ms) {
            looks.look(&self.runtime, mem, t_ms, || self.is_to_leave_off());
        }
    }

    /// Looks at the collections that are known, and searches on for others for about so long; nothing is
    /// stopped.
    pub fn note_census(&mut self, t_ms: u64, most: Duration) {
        let (closely, foreign) = (self.closely, self.foreign.as_ref());
        let left_off = || !closely && foreign.is_some_and(|f| f.is_hurried());
        if left_off() {
            return;
        }
        let mem = calm_memory(closely, foreign, &self.process);
        // As of the baseline that was noted a moment ago.
        let allocated = self.baselines.newest_gauges().map(|gauges| gauges.total_alloc);
        self.census.keep_up(&self.runtime, mem, (t_ms, allocated), most, left_off);
    }

    /// The collections that are known, with a look at this moment: at one that lives, or is dead and held.
    #[must_use]
    pub fn census_at_the_capture(&self, t_ms: u64) -> CensusHistory {
        self.census.at_the_capture(&self.runtime, &*self.process, t_ms)
    }

    /// Whether it keeps no memory profile now: to Go's runtime any rate that is not positive is off.
    #[must_use]
    pub fn is_unprofiled(&self) -> bool {
        self.process.u64(self.runtime.globals.mem_profile_rate).is_ok_and(|rate| rate.cast_signed() <= 0)
    }

    /// What the process's gauges say now, asked by who is in no hurry.
    #[must_use]
    pub fn calm_gauges(&self) -> Option<MemStats> {
        Evidence::memstats(&self.runtime, self.calm_memory()).ok()
    }

    /// What the process's gauges say now.
    #[must_use]
    pub fn gauges(&self) -> Option<MemStats> {
        Evidence::memstats(&self.runtime, &*self.process).ok()
    }

    /// Whether its memory can (still) be read.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.process.u8(self.readable()).is_ok()
    }
}

/// The memory of a process for who is in no hurry; whoever watches it closely waits for nobody.
fn calm_memory<'a>(closely: bool, foreign: Option<&'a ForeignMemory>, process: &'a LiveProcess) -> &'a dyn Memory {
    match foreign {
        Some(foreign) if !closely => &**foreign,
        _ => process,
    }
}
