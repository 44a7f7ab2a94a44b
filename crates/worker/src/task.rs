//! What a worker can be told to do: one of these, once, or as long as it is asked. Plain data: who does it is
//! `work`.

use lastgasp_inferior::ImageFacts;
use lastgasp_observe::target::inspect::Files;
use serde::{Deserialize, Serialize};

/// A worker's task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AnyTask {
    /// The graph of a heap.
    Graph(GraphTask),
    /// The facts of a capture.
    Decode(DecodeTask),
    /// What files of that process say.
    Inspect(i32, Files),
    /// Memory, as it is asked for.
    Read,
}

/// Whose heap it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// A process that stands still: it is read by its number.
    Live(i32),
    /// A process that runs on, which is read by its number: nothing of it is of one moment.
    Running(i32),
    /// A dead process that is held: it has no number any more.
    Dead,
}

/// How a process that stands still is copied: by what it may cost. One that is not is read where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Room {
    /// It is not.
    #[default]
    None,
    /// As it is, in so many bytes.
    Copied(u64),
    /// Packed, in so many bytes at most, and without most of what holds no pointers.
    Packed(u64),
}

/// What a worker is told beside the descriptors, which are in this order: memory, evidence, executable, and
/// of a process that is copied its memory map and its page map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GraphTask {
    pub(crate) whose: Whose,
    /// What is added to the executable's addresses.
    pub(crate) bias: u64,
    /// Bytes of a dead process's memory that are remembered as they are read.
    pub(crate) remembered: u64,
    /// Bytes of a dead process's heap that are copied at most, before anything is made of it.
    pub(crate) heap: u64,
    /// How a process that stands still is copied.
    pub(crate) room: Room,
    /// The headers of its executable.
    pub(crate) image: ImageFacts,
}

/// What a worker is told beside the descriptors: evidence, executable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DecodeTask {
    /// What is added to the executable's addresses.
    pub(crate) bias: u64,
    /// Its headers.
    pub(crate) image: ImageFacts,
    pub(crate) lastgasp_version: String,
    pub(crate) kernel: String,
}
