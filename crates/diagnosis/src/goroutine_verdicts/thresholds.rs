//! Numbers of the verdicts, each with where it was measured, or that it was not.

/// Nanoseconds that a goroutine must have waited to be suspect where package variables lead to what it waits
/// for. Chosen: what a healthy pool waits for between two jobs is mostly shorter, and growth is asked for
/// too.
pub(super) const SUSPECT_AGE_NS: u64 = 30_000_000_000;
/// Nanoseconds that a wait for a lock must have lasted for signs of a double lock to count where somebody
/// can still unlock it. Chosen: a lock that is in use is given back sooner, and `defer mu.Unlock()` may
/// stand before `mu.Lock()`.
pub(super) const LOCK_AGE_NS: u64 = 1_000_000_000;
/// Goroutines of one kind from which on loops over a ticker, each with a state of its own that nobody else
/// leads to, are no background work of the program. Chosen: that is one of a kind.
pub(super) const ALONE_MANY: u64 = 2;
/// Nanoseconds after which a wait for the world without a deadline is a finding by itself. Chosen.
pub(super) const STALLED_AGE_NS: u64 = 60_000_000_000;
/// Goroutines of one kind from which on a pile that stalls is a finding whatever its age. Chosen.
pub(super) const STALLED_MANY: u64 = 100;
/// Goroutines by which a process must have grown along the flight ring, for a group to be growing. Chosen.
pub(super) const GREW_BY: u64 = 32;
/// Part of what a `go` statement's goroutines grew by that must fall in each half of the time. Chosen.
pub(super) const HALF_OF_GROWTH: f64 = 0.2;
/// Goroutines from which on a leak that grows is told of by itself. Chosen.
pub(super) const LEAK_LEAST: u64 = 100;
/// What a leak makes of memory's growth, least and most, for the time to be told when memory is full. Chosen:
/// the collector may let garbage stand that is as large as what is live, and stacks that were used before
/// cost nothing anew.
pub(super) const LEAK_OF_GROWTH: [f64; 2] = [0.5, 2.0];
/// Part of what a process grew by that a group must have, to be what grew. Chosen: most of it.
pub(super) const GROUP_OF_GROWTH: f64 = 0.5;
/// Goroutines from which on a pile is too many, growing or not. Chosen, as in `goroutine-growth`.
pub(super) const TOO_MANY: u64 = 1_000;
/// Goroutines of one kind that are named so without a ring that says whether they grow; no finding is made
/// of it. Chosen.
pub(super) const VERY_MANY: u64 = 10_000;
/// Part of a rise after which it has begun: the onset is the last sample before it. Chosen.
pub(super) const ONSET_PART: f64 = 0.1;
/// Goroutines that a rise must have to have an onset, and part of what there were. Chosen.
pub(super) const RISE_MIN: u64 = 100;
/// Milliseconds between two onsets that are one and the same: two looks of a calm watch. Chosen.
pub(super) const SAME_ONSET_MS: u64 = 250;
/// Part of the growth of memory that must have been made before goroutines piled up, for them to be its
/// consequence. Chosen: what came then made the smaller part at most.
pub(super) const GROWN_BEFORE: f64 = 0.5;
/// Milliseconds after its start within which what rises in a process came with its start. Chosen.
pub(super) const AFTER_START_MS: u64 = 60_000;
/// Milliseconds from a death to the start of the process that follows it. Chosen: ten minutes; crash loops of
/// Kubernetes wait for five at most.
pub(super) const AFTER_DEATH_MS: i64 = 600_000;
/// Steps of a chain of locks that are followed. Chosen: longer ones were not seen.
pub(super) const MAX_CHAIN: usize = 64;
/// Holders that are named of one lock. Chosen.
pub(super) const MAX_HOLDERS: usize = 8;
/// Groups that are told of. Chosen.
pub(super) const MAX_GROUPS: usize = 500;
