//! Goroutines: alike ones together, and one by one.

use serde::{Deserialize, Serialize};

use super::bounded::{MAX_SITES, at_most};
use super::goroutine_list::GoroutineList;
use super::goroutine_state::GoroutineState;
use super::key::Key;

/// The goroutines of the target, but the runtime's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Goroutines {
    /// Number of goroutines, without the runtime's own.
    pub total: u64,
    /// Of them on a thread.
    pub running: u64,
    /// Structures of goroutines that have ended: there were once as many more.
    pub dead: u64,
    /// Structures that could not be read: of these goroutines nothing is known, and there may be as many
    /// more.
    pub unread: u64,
    /// Bytes of all stacks, the runtime's own goroutines included.
    pub stack_bytes: u64,
    /// Of them without what large stacks (64 KiB and more) do not use now, which may never have been touched:
    /// a stack that is full is copied to one of twice its size. 0 if it is not known.
    pub stack_used_bytes: u64,
    /// Goroutines with the same stack, state and creator, the largest group first.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SITES>")]
    pub groups: Vec<Group>,
    /// One by one; empty in `lastgasp.facts/1`.
    pub list: GoroutineList,
}

/// A group of goroutines that do the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    /// Key of its stack and its `go` statement: the same in every capture of a build. Groups that differ in
    /// their state alone have the same.
    pub key: Key,
    /// Number of goroutines.
    pub count: u64,
    /// Status.
    pub state: GoroutineState,
    /// Reason why they wait, as Go names it; empty if they do not.
    pub wait_reason: String,
    /// Indices into `frames`, innermost first. Of a recursion (see `repeats`) each frame is here once, those
    /// of the recursion in the order of their names.
    pub stack: Vec<u32>,
    /// The `go` statement, an index into `frames`.
    pub created_by: Option<u32>,
    /// Whether a stack was reconstructed without registers.
    pub approximate: bool,
    /// Bytes of their stacks, as they are reserved.
    pub stack_bytes: u64,
    /// Frames of the deepest of them; 0 if it is not known.
    pub depth: u64,
    /// Whether `depth` is an estimate: not all of that stack was copied, and the rest is taken to be made of
    /// frames like those that were.
    pub depth_estimated: bool,
    /// The function that repeats most in their stacks; absent if they do not recurse.
    pub repeats: Option<Repeat>,
    /// Milliseconds that the one waits that has waited longest; 0 if it is not known: no collection has seen
    /// it waiting, but for the first of all, which notes nothing. A wait is noted with the end of the
    /// collection before it began, so it is shorter by the time between two collections at most.
    pub oldest_wait_ms: u64,
    /// Median of their waits in milliseconds, of those that are known; 0 if none is.
    pub waited_ms_median: u64,
    /// What they wait on; absent if it is not known, or they do not wait for a lock or a channel.
    pub waits_on: Option<WaitsOn>,
    /// Of those in `IO wait` the number that wait without a deadline; absent if it could not be read. Of more
    /// than 4,096 by a sample.
    pub no_deadline: Option<u64>,
}

/// A function that stands 16 times and more in a stack: recursion. Of mutual recursion the most frequent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Repeat {
    /// Its most frequent frame, an index into `frames`.
    pub frame: u32,
    /// Times that the function stands in one stack, counted in what was copied of it: the deepest may have
    /// many more (`depth`).
    pub times: u64,
}

/// Objects that goroutines wait on: semaphores (of mutexes, wait groups), channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WaitsOn {
    /// Number of different ones that were seen; of a `select` all of its channels.
    pub objects: u64,
    /// Number of goroutines of the group that wait on the one that most of them wait on: exact if `known` is
    /// the number of the group, else as many of all as there are of those (1 where no two of those do).
    pub most: u64,
    /// Number of goroutines of the group of which it is known what they wait on: of more than 4,096 of a kind
    /// of wait a sample is looked at.
    pub known: u64,
}

impl Goroutines {
    /// Gives the frames that are named other indices: for a list in which those of others come first.
    pub(crate) fn renumber(&mut self, by: u32) {
        let all = self
            .groups
            .iter_mut()
            .flat_map(|g| g.stack.iter_mut().chain(&mut g.created_by).chain(g.repeats.as_mut().map(|r| &mut r.frame)));
        let list = &mut self.list;
        let calls = list.calls.iter_mut().map(|c| &mut c.frame);
        let places = list.places.iter_mut().map(|p| &mut p.frame);
        for index in all.chain(calls).chain(places) {
            *index = index.saturating_add(by);
        }
    }
}

impl Group {
    /// The reason why they wait, or else their state.
    #[must_use]
    pub fn why(&self) -> &str {
        if self.wait_reason.is_empty() { self.state.name() } else { &self.wait_reason }
    }
}
