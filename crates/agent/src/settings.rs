//! The configuration as the recorder and the archive understand it.

use std::sync::{Arc, OnceLock};

use lastgasp_capture::retention::Quota;
use lastgasp_decode::{Decoded, decode};
use lastgasp_observe::raw_capture::RawCapture;
use lastgasp_observe::target::inspect::{ForeignReader, InThisProcess};
use lastgasp_recorder::GraphRules;
use lastgasp_recorder::daemon::{BrakeRules, Settings, Subject};
use lastgasp_recorder::policy::Policy;
use lastgasp_store::Rules;
use lastgasp_store::events::EventLimits;
use lastgasp_worker::{Limits, NotDecoded, Workers};

use crate::config::Config;
use crate::leaks;
use crate::provenance::provenance;

/// Settings of the recorder.
#[must_use]
pub fn settings(config: &Config) -> Settings {
    let (include, exclude) = (config.include.clone(), config.exclude.clone());
    let defaults = Settings::default();
    Settings {
        policy: Policy {
            mode: config.watch.mode.into(),
            pin: config.pin.enabled,
            arm_reach: config.pin.reach.0,
            hold: config.pin.hold.0,
            strike_within: config.strike.within.0,
            strike_above: config.strike.above,
            brake: config.brake.longest.0,
            brake_pause: config.brake.pause.0,
            calm: config.watch.look.0,
        },
        store: config.store.path.clone(),
        wanted: Arc::new(move |s: &Subject<'_>| (include.is_empty() || include.fits(s)) && !exclude.fits(s)),
        identities: defaults.identities,
        foreign: foreign(),
        calm_sample: config.watch.sample.0,
        census: config.watch.census,
        brake: BrakeRules {
            over_others: config.brake.over_others,
            v1_oom_kill_disable: config.brake.v1_oom_kill_disable,
        },
        pin_probe: config.pin.trial,
        memory: config.limits.memory.0,
        concurrent_stops: config.strike.at_a_time,
        graph: config.graph.of_the_dead.then_some(GraphRules { pause: config.graph.pause.0 }),
        leaks: leaks::rules(&config.leaks, graph_limits_of(config)),
    }
}

/// Who reads what is foreign: the same workers whatever the configuration becomes.
static WORKERS: OnceLock<Arc<Workers>> = OnceLock::new();

/// Starts the workers that read what anybody may have made, files that processes run and memory of calm ones:
/// processes of our own binary (`worker`). Until then, and where not even a thread for them can be had, this
/// process reads it.
pub fn start_workers() {
    match Workers::start() {
        Ok(workers) => drop(WORKERS.set(Arc::new(workers))),
        Err(e) => {
            tracing::error!("no workers can be started ({e}): what others wrote is read by the daemon itself");
        }
    }
}

fn foreign() -> Arc<dyn ForeignReader> {
    match WORKERS.get() {
        Some(workers) => Arc::clone(workers) as Arc<dyn ForeignReader>,
        None => Arc::new(InThisProcess),
    }
}

/// Decodes a capture: by a worker, where there is one.
///
/// # Errors
/// A worker was lost over it: how.
pub(crate) fn decode_foreign(raw: &RawCapture) -> Result<Decoded, String> {
    let by = provenance();
    // Of whom nothing was copied there is nothing to be led astray by.
    if raw.evidence.snapshot.is_empty() {
        return Ok(decode(raw, &by));
    }
    match WORKERS.get().map(|workers| workers.decode(raw, &by)) {
        Some(Ok(decoded)) => Ok(decoded),
        Some(Err(NotDecoded::Lost(why))) => Err(why),
        Some(Err(NotDecoded::NoWorker(why))) => {
            tracing::warn!(pid = raw.identity.pid, "a capture is decoded by the daemon itself: no worker ({why})");
            Ok(decode(raw, &by))
        }
        None => Ok(decode(raw, &by)),
    }
}

/// Rules of the archive.
pub(crate) fn rules(config: &Config) -> Rules {
    let store = &config.store;
    Rules {
        quota: Quota { bytes: store.max_bytes.0, captures: store.max_captures },
        full_per_cause: store.full_per_cause,
        cause_window_ms: i64::try_from(store.cause_window.0.as_millis()).unwrap_or(i64::MAX),
    }
}

/// What a heap graph may use.
pub(crate) fn graph_limits_of(config: &Config) -> Limits {
    Limits::of_a_graph(config.graph.memory.0, config.graph.time.0)
}

/// How much is kept of events.
pub(crate) fn event_limits(config: &Config) -> EventLimits {
    EventLimits { bytes: config.events.max_bytes.0, age: config.events.max_age.0 }
}
