//! What is read of a machine and its processes. It acts on nothing: no process is stopped, and nothing is
//! written but a cache of our own.
//!
//! - [`kernel`]: memory cgroups, limits, the machine, ends of processes; knows no Go.
//! - [`census`]: collections of a process that are known, looked at again and again.
//! - [`target`]: Go processes, found and opened, with what is remembered of them.
//! - [`raw_capture`]: evidence as it was taken, of a process or of a core file ([`core`]); how still it stood
//!   meanwhile ([`stillness`]).
//!
//! ```
//! use lastgasp_goruntime::{Counts, MemStats};
//! use lastgasp_inferior::Addr;
//! use lastgasp_observe::target::baselines::{Baseline, BaselineHistory, SiteCounts};
//!
//! // Two looks at one allocation site, five seconds apart.
//! let mut history = BaselineHistory::default();
//! for (t_ms, objects) in [(0, 10), (5000, 90)] {
//!     let in_use = Counts { objects, bytes: objects * 64 };
//!     let site = SiteCounts { addr: Addr(0x7f00_0000), allocated: in_use, in_use };
//!     history.push(Baseline { t_ms, sites: vec![site], rate: 512 << 10, gauges: MemStats::default() });
//! }
//! let first = history.look(0).ok_or("no look")?;
//! assert_eq!((history.times(), first.sites[0].in_use.objects), (vec![0, 5000], 10));
//! # Ok::<(), &str>(())
//! ```

mod bare_capture;
pub mod census;
pub mod core;
pub mod kernel;
pub mod raw_capture;
pub mod stillness;
pub mod target;
