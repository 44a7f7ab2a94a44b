//! The policy's thresholds, as they are configured, and beside them what was measured of the machine.

use std::time::Duration;

/// What may be done to a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// It is read, and its memory held after a kill; it is never stopped.
    Observe,
    /// It may be stopped for the time of a copy.
    #[default]
    Freeze,
    /// Its group's growth may be braked for seconds too.
    Brake,
}

impl Mode {
    /// As it is written in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Freeze => "freeze",
            Self::Brake => "brake",
        }
    }
}

/// Thresholds.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// What may be done to a target.
    pub mode: Mode,
    /// Whether the address space may be held after a kill.
    pub pin: bool,
    /// Hold it whenever the machine could fill what is left within this time, however calm all is: holding
    /// costs nothing.
    pub arm_reach: Duration,
    /// How long a dead process's memory is held at most.
    pub hold: Duration,
    /// Strike when memory is used up within this time; twice this where this machine's kernel leaves nothing
    /// to read after the kill.
    pub strike_within: Duration,
    /// Never strike below this share of the limit.
    pub strike_above: f64,
    /// How long a brake stands at most.
    pub brake: Duration,
    /// And not again for so long.
    pub brake_pause: Duration,
    /// The longest sleep while all is calm.
    pub calm: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Freeze,
            pin: true,
            arm_reach: Duration::from_secs(1),
            hold: Duration::from_millis(1800),
            strike_within: Duration::from_millis(250),
            strike_above: 0.7,
            brake: Duration::from_secs(5),
            brake_pause: Duration::from_secs(600),
            calm: Duration::from_millis(250),
        }
    }
}

/// Facts of the machine that were measured, not configured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    /// The fastest growth this machine can produce, bytes per second: bounds the sleep.
    pub(crate) fastest: f64,
    /// Whether what is held can be counted on after an OOM kill ([`crate::decide::pin_window`]). Where not,
    /// it is held all the same, for kills of other kinds.
    pub(crate) pin_keeps: bool,
}

impl Default for Measured {
    /// As long as nothing was measured: as fast as many processors fill memory (1.5 GB/s each), and a kernel
    /// that leaves the dead for two seconds.
    fn default() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { fastest: 1.5e9 * cpus as f64, pin_keeps: true }
    }
}
