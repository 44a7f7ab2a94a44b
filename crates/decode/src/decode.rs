//! From the bytes of a capture to facts: what is read of them, in which order, and what became of it.

use std::collections::HashSet;
use std::time::Instant;

use lastgasp_diagnosis::facts::{
    self, Capture, Code, Event, Facts, Gc, Goroutines, Module, Residency, Rss, SCHEMA, Sample, Target, Timeline, Vcs,
};
use lastgasp_goruntime::{
    BuildInfo, Gap, Goroutine, LabelSalt, MemStats, Symbolizer, decode_all_goroutines, decode_profile,
};
use lastgasp_inferior::{BlockCache, Layered, Memory};
use lastgasp_observe::raw_capture::{Phase, RawCapture};
use lastgasp_observe::target::baselines::Baseline;
use lastgasp_observe::target::timeline;

use crate::baseline;
use crate::census::census;
use crate::frames::{Frames, MAX_NAMES};
use crate::goroutine_list::list;
use crate::goroutine_looks::goroutine_looks;
use crate::goroutines::group;
use lastgasp_goheap::ReadBefore;

use crate::heap_graph::{WholeMemory, heap_graph};
use crate::last_look::last_look;
use crate::memory::{self, gc};
use crate::sites::sites;

/// What decoding gives: facts, and the clocks of when they were copied.
#[derive(Debug)]
pub struct Decoded {
    /// Facts, all that rules look at.
    pub facts: Facts,
    /// `CLOCK_MONOTONIC` of the copy.
    pub monotonic_ns: u64,
    /// Nanoseconds since 1970.
    pub unix_ns: i64,
}

/// Build and machine that take a raw capture: its bytes do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// `lastgasp --version`.
    pub lastgasp_version: String,
    /// `uname -r`.
    pub kernel: String,
}

/// Decodes a raw capture.
#[must_use]
pub fn decode(taken: &RawCapture, provenance: &Provenance) -> Decoded {
    decode_with_memory(taken, provenance, None)
}

/// As [`decode`]; where all memory of the same moment is at hand, with the heap as a graph.
#[must_use]
pub fn decode_with_memory(taken: &RawCapture, provenance: &Provenance, whole: Option<WholeMemory<'_>>) -> Decoded {
    let started = Instant::now();
    let mut gaps = taken.evidence.gaps.clone();
    let rt = &taken.runtime;
    let mem = &taken.evidence.snapshot;
    let constants: Box<dyn Memory> = match taken.binary.constants(rt) {
        Ok((file, _)) => Box::new(BlockCache::new(Layered { top: file, bottom: mem })),
        Err(e) => {
            gaps.push(Gap::new("symbols", e.to_string()));
            Box::new(mem)
        }
    };
    let symbols = Symbolizer::new(&*constants, &rt.module, rt.layout);
    let mut frames = Frames::default();
    let profile = decode_profile(rt, mem, &mut gaps);
    let gauges = MemStats::read(rt, mem).unwrap_or_else(|e| {
        gaps.push(Gap::new("gauges", e.to_string()));
        MemStats::default()
    });
    let goroutines = decode_all_goroutines(rt, mem, &symbols, &taken.registers, &LabelSalt::default(), &mut gaps);
    let mut timeline = timeline(taken);
    timeline.goroutines = goroutine_looks(&taken.timeline.goroutines, &symbols);
    let baseline = baseline::choose(&taken.baselines, &timeline, taken.limit.as_ref().map(|l| l.0), taken.t_ms);
    let baseline = baseline.as_ref();
    // Found in its first milliseconds, with a rate of 0 for the moment (seen with Go 1.19) and no samples:
    // nothing is mixed.
    let unborn = |b: &Baseline| b.rate == 0 && b.sites.is_empty();
    if let Some(then) = baseline.filter(|b| b.rate != profile.rate && !unborn(b)) {
        // Counts of both rates are mixed in each bucket, and nobody can tell them apart.
        let why =
            format!("the program changed MemProfileRate from {} to {} while it was watched", then.rate, profile.rate);
        gaps.push(Gap::new("exact un-sampling", why));
    }
    let monotonic_ns = taken.monotonic_ns.unwrap_or_else(|| latest_known(&gauges, &goroutines.live));
    let graph = whole
        .map(|whole| heap_graph(taken, whole, (&goroutines.live, ReadBefore::default(), Some(&profile)), &mut |_| {}));
    let graph = graph.and_then(|made| made.map_err(|why| gaps.push(Gap::new(facts::HEAP_GRAPH, why))).ok());
    let mut facts = Facts {
        schema: SCHEMA.into(),
        capture: capture(taken, provenance),
        target: target(taken),
        profile: sites(&profile, baseline, &taken.baselines, &symbols, &mut frames),
        last_look: last_look(taken, &symbols, &mut frames),
        goroutines: Goroutines {
            dead: goroutines.dead,
            unread: goroutines.unread,
            ..group(&goroutines.live, monotonic_ns, &mut frames)
        },
        gc: Gc { last_gc_ms_ago: last_gc_ms_ago(taken, &gauges), ..gc(&gauges) },
        rss: taken.usage.map(|(u, t)| Rss {
            as_of_ms: t,
            rss: u.rss,
            anon: u.anon,
            file: u.file,
            shmem: u.shmem,
            swap: u.swap,
            page_tables: u.page_tables,
        }),
        heap: taken.spans.as_ref().map(memory::heap),
        graph,
        census: census(taken, &symbols),
        residency: residency(taken),
        charge: taken.charge.map(memory::charge),
        gauges_at_rss: taken.gauges_at_usage.as_ref().map(gc),
        neighbours: taken.neighbours.as_ref().map(|(n, t_ms)| memory::neighbours(n, *t_ms)),
        timeline,
        feeds: Vec::new(),
        death: None,
        frames: Vec::new(),
    };
    // After the groups, whose order hangs on the frames' own.
    facts.goroutines.list = list(&goroutines.live, monotonic_ns, rt.module.pcs.start, &mut frames);
    if frames.full {
        let why = format!("more than {} MiB of them: the others are \"?\"", MAX_NAMES >> 20);
        gaps.push(Gap::new("names of functions", why));
    }
    facts.frames = frames.list;
    facts.make_keys();
    facts.join_census();
    if taken.is_of_the_flight_ring() {
        // That nothing was copied says why nothing can be decoded.
        gaps.clone_from(&taken.evidence.gaps);
    }
    // Copying and decoding stumble over the same.
    let mut said = HashSet::new();
    gaps.retain(|g| said.insert((g.what.clone(), g.why.clone())));
    facts.capture.gaps = gaps.into_iter().map(|g| facts::Gap::new(g.what, g.why)).collect();
    tracing::debug!(us = started.elapsed().as_micros() as u64, sites = facts.profile.sites.len(), "decoded");
    let unix_ns = taken.at.duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as i64);
    Decoded { facts, monotonic_ns, unix_ns }
}

/// Milliseconds since the end of the last collection; of a core file nobody knows them.
fn last_gc_ms_ago(taken: &RawCapture, gauges: &MemStats) -> Option<u64> {
    let now = taken.monotonic_ns.filter(|_| gauges.last_gc_ns > 0)?;
    Some(now.saturating_sub(gauges.last_gc_ns) / 1_000_000)
}

/// Latest time that the runtime itself has noted: what a core file has instead of a clock. Waits are then
/// counted up to the last GC.
fn latest_known(gauges: &MemStats, goroutines: &[Goroutine]) -> u64 {
    let waits = goroutines.iter().map(|g| g.wait_since_ns.unsigned_abs());
    waits.chain([gauges.last_gc_ns]).max().unwrap_or(0)
}

fn capture(taken: &RawCapture, provenance: &Provenance) -> Capture {
    // A core may have been written on another machine, and does not say on which kernel.
    let kernel = if taken.phase == Phase::Core { String::new() } else { provenance.kernel.clone() };
    let taken_at = jiff::Timestamp::try_from(taken.at).map(|t| format!("{t:.3}")).unwrap_or_default();
    Capture {
        phase: taken.phase.name().into(),
        reason: taken.reason.name().into(),
        taken_at,
        t_ms: taken.t_ms,
        stopped_ns: taken.stopped.as_nanos() as u64,
        bytes_copied: taken.bytes_copied,
        gaps: Vec::new(),
        lastgasp_version: provenance.lastgasp_version.clone(),
        kernel,
    }
}

/// Path of the main module; where the build was outside of any (as distributions build: by GOPATH), what the
/// path of the main package says of it. Without it a library of the same program would pass for its own code,
/// and the other way round (seen: gobgpd of Debian, whose culprit was `go-radix.recursiveWalk`).
fn module_path(info: &BuildInfo) -> String {
    if !info.module.path.is_empty() {
        return info.module.path.clone();
    }
    // Host, owner and repository; `gopkg.in/NAME.v1` and private hosts may have one less, and then have no
    // folder of commands below that either.
    let elements: Vec<&str> = info.path.split('/').take(3).collect();
    let has_host = elements.first().is_some_and(|host| host.contains('.'));
    if has_host { elements.join("/") } else { String::new() }
}

fn target(taken: &RawCapture) -> Target {
    let info = &taken.runtime.build_info;
    let setting = |k: &str| info.setting(k).unwrap_or_default().to_owned();
    let revision = setting("vcs.revision");
    let code = taken.runtime.module.pcs;
    Target {
        pid: taken.identity.pid,
        service: taken.identity.service.clone(),
        go_version: taken.runtime.version.text.clone(),
        layout: format!("go1.{} (from {})", taken.runtime.layout.minor, taken.runtime.layout.source),
        module: Module { path: module_path(info), version: info.module.version.clone() },
        vcs: (!revision.is_empty()).then(|| Vcs {
            revision,
            time: setting("vcs.time"),
            modified: setting("vcs.modified"),
        }),
        go_minor: taken.runtime.layout.minor,
        code: Some(Code { start: code.start.0, end: code.end.0 }),
        build_id: taken.binary.build_id.clone(),
        stripped: taken.binary.stripped,
        cgroup: taken.identity.cgroup.clone(),
        container: taken.identity.container.clone(),
        limit_bytes: taken.limit.as_ref().map(|l| l.0),
        limit_source: taken.limit.as_ref().map(|l| l.1.clone()),
        started_unix: taken.identity.started_unix,
        age_ms: taken.age.map(|a| a.as_millis() as u64),
        race: setting("-race") == "true",
    }
}

/// Without the span table nobody knows where the Go heap is.
fn residency(taken: &RawCapture) -> Option<Residency> {
    let arenas = &taken.spans.as_ref()?.table.arenas;
    let resident = memory::residency(taken.residency.as_ref()?, arenas, taken.runtime.module.variables);
    Some(Residency { as_of_ms: taken.residency_t_ms, ..resident })
}

fn timeline(taken: &RawCapture) -> Timeline {
    let sample = |s: &timeline::Sample| Sample {
        t_ms: s.t_ms,
        usage_bytes: s.usage,
        rss_bytes: s.rss,
        heap_live_bytes: s.heap_live,
        goroutines: s.goroutines,
        gc_cycles: s.gc_cycles,
    };
    Timeline {
        samples: taken.timeline.samples.iter().map(sample).collect(),
        events: taken
            .timeline
            .events
            .iter()
            .map(|e| Event { t_ms: e.t_ms, kind: e.kind.to_string(), text: e.text.clone() })
            .collect(),
        ..Timeline::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_outside_of_any_module_has_a_path_all_the_same() {
        let of = |path: &str| module_path(&BuildInfo { path: path.into(), ..BuildInfo::default() });
        assert_eq!(of("github.com/osrg/gobgp/cmd/gobgpd"), "github.com/osrg/gobgp");
        assert_eq!(of("git.example.com/svc"), "git.example.com/svc");
        assert_eq!((of("command-line-arguments").as_str(), of("").as_str()), ("", ""));
    }
}
