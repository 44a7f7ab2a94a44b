//! Thresholds of the rules, each with where it was measured, or that it was not. *The recorded incident* is
//! the one under `crates/report/tests`: 704 MB in 3.7 s, 159 calls in flight. Each stands in the page of its
//! rule with its value.

pub(crate) mod goroutine_growth {
    /// Goroutines from which on they may be a pile. Chosen, not measured: the recorded incident has 325 and
    /// none of them is the fault.
    pub(crate) const MIN_GOROUTINES: u64 = 1_000;
    /// Share of the growth that must be new stacks. Chosen, not measured.
    pub(crate) const MIN_SHARE: f64 = 0.25;
    /// Share of the growth below which stacks are ruled out. Chosen; the recorded incident has 0.003.
    pub(crate) const RULED_OUT_SHARE: f64 = 0.1;
    /// Part of all goroutines, as one in so many, from which on the calls in flight are told apart from a
    /// pile. Chosen; the recorded incident has one in 2.
    pub(crate) const IN_FLIGHT_ONE_IN: u64 = 3;
}

pub(crate) mod heap_growth {
    /// Share of the growth from which on one function is named. Chosen: no other can then have as much.
    pub(crate) const MAJORITY: f64 = 0.5;
    /// Part of the process's growth that the sites which grew must explain. Chosen; medians of 0.98 to 1.02
    /// in 60 played incidents (`benches/results/incident.txt`).
    pub(crate) const MIN_EXPLAINED: f64 = 1.0 / 3.0;
    /// Growth since the baseline against growth since the onset, from which on the two are not the same.
    /// Chosen, not measured.
    pub(crate) const MAX_BASELINE_GROWTH: f64 = 1.5;
    /// Part of the limit from which on the end is near. Chosen, not measured.
    pub(crate) const NEAR_LIMIT: f64 = 0.7;
    /// Seconds of growth from which on it is called a leak. Chosen, not measured.
    pub(crate) const LEAK_SECONDS: f64 = 300.0;
    /// Seconds of growth up to which it may be that of calls in flight: what grows for longer than calls live
    /// is no call's. Chosen; 3.7 in the recorded incident.
    pub(crate) const MAX_CALL_SECONDS: f64 = 60.0;
    /// Calls in flight from which on the growth may be theirs. Chosen; 159 in the recorded incident.
    pub(crate) const MIN_CALLS: u64 = 8;
    /// Bytes that each call must hold. Chosen; 4.46 MB in the recorded incident.
    pub(crate) const MIN_BYTES_PER_CALL: u64 = 100_000;
    /// Share of the growth, from which on the named function's share takes nothing from the confidence.
    /// Chosen, not measured.
    pub(crate) const CERTAIN_SHARE: f64 = 0.9;
    /// Part of the process's growth, from which on what the profile explains takes nothing from the
    /// confidence. Chosen, not measured.
    pub(crate) const CERTAIN_EXPLAINED: f64 = 0.8;
    /// Factor of the confidence where the capture has gaps. Chosen, not measured.
    pub(crate) const INCOMPLETE: f64 = 0.9;
    /// Seconds that twice the limit would have to buy for the limit to be a suspect. Chosen; 4.7 in the
    /// recorded incident.
    pub(crate) const LIMIT_SECONDS: f64 = 600.0;
    /// Part of the memory below which idle pages of the Go heap are ruled out. Chosen; 0.005 in the recorded
    /// incident.
    pub(crate) const RULED_OUT_IDLE: f64 = 0.1;
}

pub(crate) mod outside_heap {
    /// Share of the growth that must be outside. Chosen: more than all the rest.
    pub(crate) const MIN_SHARE: f64 = 0.5;
    /// Bytes that must be outside. Chosen, not measured: RSS and gauges are read a moment apart, and a fast
    /// heap grows by as much between two looks.
    pub(crate) const MIN_BYTES: u64 = 64_000_000;
    /// Part of the RSS below which memory outside is ruled out. Chosen; 0 in the recorded incident.
    pub(crate) const RULED_OUT_SHARE: f64 = 0.1;
}

pub(crate) mod unprofiled_heap {
    /// Share of the growth that must be Go heap. Chosen: more than all the rest.
    pub(crate) const MIN_SHARE: f64 = 0.5;
    /// Goroutines waiting in one place from which on that place is a suspect. Chosen, not measured.
    pub(crate) const MIN_WAITING: u64 = 10;
    /// Suspects that are named. Chosen: what a reader looks at.
    pub(crate) const MAX_SUSPECTS: usize = 5;
    /// Part of the growth, as one in so many, from which on what the heap holds is worth a line. Chosen, not
    /// measured.
    pub(crate) const HELD_ONE_IN: u64 = 10;
    /// Lines of what the heap holds. Chosen: what a reader looks at.
    pub(crate) const MAX_HELD: usize = 4;
    /// Factor of the confidence of a suspect by its goroutines. Chosen, not measured.
    pub(crate) const SUSPECT: f64 = 0.5;
}
