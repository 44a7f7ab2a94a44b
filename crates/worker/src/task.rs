//! What a worker can be told to do: one of these, once, or as long as it is asked.

use lastgasp_observe::target::inspect::Files;
use serde::{Deserialize, Serialize};

use crate::message::Order;
use crate::serve::first_order;
use crate::{decode, graph, inspect, read};

/// A worker's task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AnyTask {
    /// The graph of a heap.
    Graph(graph::Task),
    /// The facts of a capture.
    Decode(decode::Task),
    /// What files of that process say.
    Inspect(i32, Files),
    /// Memory, as it is asked for.
    Read,
}

/// Becomes a worker: what the hidden subcommand does.
///
/// # Errors
/// There was no order on standard input.
pub fn become_worker() -> Result<(), String> {
    let (Order { parent, limits, task }, handed) = first_order()?;
    match task {
        AnyTask::Graph(task) => graph::obey_graph(Order { parent, limits, task }, handed),
        AnyTask::Decode(task) => decode::obey_decode(Order { parent, limits, task }, handed),
        AnyTask::Inspect(pid, files) => inspect::obey_inspect(Order { parent, limits, task: (pid, files) }),
        AnyTask::Read => read::obey_read(Order { parent, limits, task: () }),
    }
}
