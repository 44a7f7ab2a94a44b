//! `cargo xtask bench-watch`: what `lastgasp watch` is measured by, on real Go programs in real cgroups.
//! Results are kept in `benches/results/watch-*.txt`.
//!
//! Times are those that the daemon logs with each capture:
//! * *detected*: from the last look that did not show the danger to the begin of the stop. The crossing was
//!   somewhere in between, so this is an upper bound.
//! * *answered*: from the begin of the look that decided (after a kill: from waking by the end) to the begin
//!   of the stop, or of the copy; a lower bound of the same, since what happened before that look is not in
//!   it.
//! * *stopped*: from the begin of the stop to the end of the thaw.
//! * *evidence*: from the begin of the stop, or of the copy, to the fsynced folder.

mod account;
mod cost;
mod daemon;
mod figures;
pub(crate) mod hostile;
mod kills;
mod results;
mod served;
mod soak;
mod spread;
mod store;
mod storm;
mod victim;

use anyhow::Result;
use clap::Subcommand;

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Kill Go programs of many kinds and count those whose culprit is named by a complete capture
    Kills(kills::Options),
    /// Kill many within one second
    Storm(storm::Options),
    /// What the daemon costs while all is calm
    Cost(cost::Options),
    /// What it costs a served HTTP service
    Served(served::Options),
    /// Leaks, ramps and restarts for long: does the daemon grow, does it leave anything behind
    Soak(soak::Options),
}

pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Kills(options) => kills::run(options),
        Bench::Storm(options) => storm::run(options),
        Bench::Cost(options) => cost::run(options),
        Bench::Served(options) => served::run(options),
        Bench::Soak(options) => soak::run(options),
    }
}
