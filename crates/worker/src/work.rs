//! A worker's beginning: it hears what it is to do, and does that.

use crate::decode::obey_decode;
use crate::graph::obey_graph;
use crate::inspect::obey_inspect;
use crate::message::Order;
use crate::read::obey_read;
use crate::serve::first_order;
use crate::task::AnyTask;

/// Becomes a worker: what the hidden subcommand does.
///
/// # Errors
/// There was no order on standard input.
pub fn become_worker() -> Result<(), String> {
    let (Order { parent, limits, task }, handed) = first_order()?;
    match task {
        AnyTask::Graph(task) => obey_graph(Order { parent, limits, task }, handed),
        AnyTask::Decode(task) => obey_decode(Order { parent, limits, task }, handed),
        AnyTask::Inspect(pid, files) => obey_inspect(Order { parent, limits, task: (pid, files) }),
        AnyTask::Read => obey_read(Order { parent, limits, task: () }),
    }
}
