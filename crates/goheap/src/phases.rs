//! How the time of a graph goes, part by part. Of a dead process memory is there for two seconds, and what a
//! machine that is busy leaves of them is seen here alone: a worker has no log.

use std::time::{Duration, Instant};

use tracing::debug;

/// One part of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// What was done.
    pub what: &'static str,
    /// How long it took.
    pub took: Duration,
}

/// The parts so far, in the order in which they were done.
#[derive(Clone, Debug)]
pub struct Phases {
    since: Instant,
    all: Vec<Phase>,
}

impl Default for Phases {
    fn default() -> Self {
        Self { since: Instant::now(), all: Vec::new() }
    }
}

impl Phases {
    /// Of a work that waited first.
    #[must_use]
    pub fn after(what: &'static str, took: Duration) -> Self {
        Self { since: Instant::now(), all: vec![Phase { what, took }] }
    }

    /// A part is over: it began when the one before it ended.
    pub fn end(&mut self, what: &'static str) {
        let took = self.since.elapsed();
        debug!(us = took.as_micros() as u64, "heap: {what}");
        self.all.push(Phase { what, took });
        self.since = Instant::now();
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Phase] {
        &self.all
    }
}
