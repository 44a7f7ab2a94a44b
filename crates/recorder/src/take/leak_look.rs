//! A capture of a process whose goroutines seem to leak: with the graph of its heap, which whoever judges it
//! reads while it stands still. How that is read is not known here; it is somebody's who starts processes
//! that can be lost.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastgasp_inferior::LiveProcess;
use lastgasp_observe::raw_capture::RawCapture;

/// Reads the heap of a process that stands still.
pub trait HeapReader: Send {
    /// Begins, with the evidence of the same stop.
    ///
    /// # Errors
    /// The system's error, or it has ended.
    fn begin(&mut self, raw: &RawCapture) -> io::Result<()>;
    /// Waits until all that must be of one moment is read: whether it is, by then.
    fn has_read(&mut self, until: Instant) -> bool;
    /// For who knows what it is.
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send>;
}

/// Who starts readers.
pub trait HeapReaders: Send + Sync {
    /// One of a process, warm or soon so.
    ///
    /// # Errors
    /// The system's error.
    fn start(&self, process: &Arc<LiveProcess>) -> io::Result<Box<dyn HeapReader>>;
}

/// What looks for leaks may do.
#[derive(Clone)]
pub struct LeakRules {
    /// Who reads heaps.
    pub readers: Arc<dyn HeapReaders>,
    /// How long a process stands still for it at most.
    pub stop: Duration,
    /// How long a service is left alone after a leak of its was found.
    pub pause: Duration,
}

impl fmt::Debug for LeakRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeakRules").field("stop", &self.stop).field("pause", &self.pause).finish_non_exhaustive()
    }
}

/// A heap that is being read, for who judges the capture.
pub struct LeakLook {
    /// Who reads it.
    pub reader: Box<dyn HeapReader>,
    /// Why what it reads is not all of one moment, if so.
    pub moved: Option<String>,
}

impl fmt::Debug for LeakLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeakLook").field("moved", &self.moved).finish_non_exhaustive()
    }
}

/// To let a process go takes a moment too.
pub(crate) const LETTING_GO: Duration = Duration::from_millis(10);
