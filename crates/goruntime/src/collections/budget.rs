//! How much of foreign collections is read at most, and why one was not read.

use lastgasp_inferior::ReadError;
use thiserror::Error;

/// What may still be read: shared by all collections that are read one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadBudget {
    /// Bytes.
    pub bytes: u64,
}

impl ReadBudget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        Self { bytes }
    }

    /// Another of the same size, for what is read on the way of a walk that takes of this one.
    pub(super) fn twin(&self) -> Twin {
        Twin { had: self.bytes, budget: *self }
    }

    /// Takes of it what a twin has spent.
    pub(super) fn join(&mut self, twin: Twin) {
        self.bytes = self.bytes.saturating_sub(twin.had - twin.budget.bytes);
    }

    /// Takes so many bytes of it, all or nothing.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), Broken> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Broken::Budget)?;
        Ok(())
    }
}

/// A budget that is spent beside the one that it is of: both together are twice as much at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Twin {
    had: u64,
    pub(super) budget: ReadBudget,
}

/// Why a collection was not read, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Broken {
    /// A read failed.
    #[error("{0}")]
    Unreadable(#[from] ReadError),
    /// What stands there is no such collection, or one that was caught while being changed.
    #[error("{0}")]
    Senseless(&'static str),
    /// The budget is at its end.
    #[error("the budget of bytes to read is at its end")]
    Budget,
    /// The caller had enough.
    #[error("stopped")]
    Stopped,
}
