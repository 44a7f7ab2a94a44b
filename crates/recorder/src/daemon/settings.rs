//! What the daemon is told: plain values, checked by whoever reads the configuration.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lastgasp_observe::kernel::container::Home;
use lastgasp_observe::target::identity::{CgroupPath, Identity, IdentitySource};
use lastgasp_observe::target::inspect::{ForeignReader, InThisProcess};

use crate::decide::graph_turn::GraphRules;
use crate::decide::policy::Policy;
use crate::take::leak_look::LeakRules;

/// Whether a process is to be watched.
pub type Wanted = Arc<dyn Fn(&Subject<'_>) -> bool + Send + Sync>;

/// A process, as far as includes and excludes ask.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Name of its executable.
    pub service: &'a str,
    /// Its container's id.
    pub container: Option<&'a str>,
    /// Its pod's uid.
    pub pod: Option<&'a str>,
    /// Path of its memory cgroup.
    pub cgroup: &'a str,
}

/// What the daemon is told.
#[derive(Clone)]
pub struct Settings {
    /// What may be done to a target, and when.
    pub policy: Policy,
    /// Where the journal stands.
    pub store: PathBuf,
    /// Whom to watch.
    pub wanted: Wanted,
    /// Who knows in which container and pod a process runs.
    pub identities: Arc<dyn IdentitySource>,
    /// Who reads what anybody may have made: files that processes run, memory of calm ones.
    pub foreign: Arc<dyn ForeignReader>,
    /// How often a calm target's gauges are sampled.
    pub calm_sample: Duration,
    /// Whether collections are counted at the same time.
    pub census: bool,
    /// What braking may do, where it may.
    pub brake: BrakeRules,
    /// Whether the pin is tried at the first start since boot, with an OOM kill of a throw-away process
    /// (`pin_probe.rs`).
    pub pin_probe: bool,
    /// Bytes of evidence in flight.
    pub memory: u64,
    /// How many targets are stopped at a time.
    pub concurrent_stops: usize,
    /// Whether the dead are held for a graph of their heap.
    pub graph: Option<GraphRules>,
    /// Whether a process whose goroutines seem to leak is looked at, and how.
    pub leaks: Option<LeakRules>,
}

/// What braking may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrakeRules {
    /// Also where somebody else has set a `memory.high` (Kubernetes' MemoryQoS).
    pub over_others: bool,
    /// On cgroup v1, where there is no `memory.high`: have the group wait at its limit instead of being
    /// killed.
    pub v1_oom_kill_disable: bool,
}

impl Settings {
    /// Whether that process is to be watched.
    pub(crate) fn wants(&self, who: &Identity, home: &Home) -> bool {
        (self.wanted)(&Subject {
            service: &who.service,
            container: home.container.as_deref(),
            pod: home.pod.as_deref(),
            cgroup: &who.cgroup,
        })
    }
}

impl Default for Settings {
    /// Everything is watched, and stopped for a copy; the journal stands in the present folder.
    fn default() -> Self {
        Self {
            policy: Policy { calm: Duration::from_secs(2), ..Policy::default() },
            store: PathBuf::from("."),
            wanted: Arc::new(|_| true),
            identities: Arc::new(CgroupPath),
            foreign: Arc::new(InThisProcess),
            calm_sample: Duration::from_secs(5),
            census: true,
            brake: BrakeRules::default(),
            pin_probe: true,
            memory: 64 << 20,
            concurrent_stops: 2,
            graph: Some(GraphRules::default()),
            leaks: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("policy", &self.policy).finish_non_exhaustive()
    }
}
