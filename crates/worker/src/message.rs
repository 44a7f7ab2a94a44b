//! What is said on the line, as JSON in frames: the order that a worker begins with, and what it answers. An
//! answer comes in parts, the later one in the place of the one before: where a budget ends, the last whole
//! part is what was known by then.

use std::io::{self, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::frame::framed;
use crate::limits::Limits;

/// What a worker is to do; the descriptors for it come with the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order<T> {
    /// Number of who gives it.
    pub(crate) parent: i32,
    pub(crate) limits: Limits,
    pub(crate) task: T,
}

/// What it has cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Microseconds of processors.
    pub processor_us: u64,
    /// Most bytes of memory that it had.
    pub peak_bytes: u64,
}

impl Cost {
    /// Of the calling process.
    pub(crate) fn so_far() -> Self {
        use nix::sys::resource::{UsageWho, getrusage};
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Self::default() };
        let us = |t: nix::sys::time::TimeVal| t.tv_sec().unsigned_abs() * 1_000_000 + t.tv_usec().unsigned_abs();
        Self {
            processor_us: us(usage.user_time()) + us(usage.system_time()),
            peak_bytes: usage.max_rss().unsigned_abs() * 1024,
        }
    }
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "says", rename_all = "kebab-case")]
pub enum Said<A> {
    /// It has given up all that it does not need, and waits for the word to begin.
    Ready,
    /// All that can be done before the word to begin is done.
    Warm,
    /// The process was not copied: it is too large, or grew. It is read where it is.
    NotCopied,
    /// Files are opened, and come with this message: which of those that were asked for. Nothing of them was
    /// read.
    Opened {
        /// In their order.
        files: Vec<bool>,
    },
    /// What it does now, for people.
    Doing {
        /// `reads pointers`.
        what: String,
    },
    /// All that had to be of one moment is read: the target may run on.
    HasRead,
    /// What is known so far.
    Part {
        /// All of it.
        answer: A,
    },
    /// The whole answer. Nothing comes after it.
    Whole {
        /// All of it.
        answer: A,
        /// What it has cost.
        cost: Cost,
    },
    /// It cannot be done. Nothing comes after it.
    Refused {
        /// The reason.
        why: String,
    },
}

/// A message as JSON.
pub(crate) fn send<T: Serialize>(mut to: impl Write, message: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    let framed = framed(&bytes).ok_or_else(|| io::Error::other("a message is over the bound"))?;
    to.write_all(&framed)
}

/// A message, from JSON of whoever is at the other end.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes)
}
