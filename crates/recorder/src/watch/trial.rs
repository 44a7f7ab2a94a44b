//! The trial of the pin, on a thread of its own beside the daemon.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::cgroup::Mounts;
use crate::pin_test::{SUBCOMMAND, Trial};
use crate::pin_window::PinWindow;

/// It goes on. Dropped, it is stopped, and what it made is gone when that returns.
#[derive(Debug)]
pub(crate) struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Begins it; `done` gets what was found out.
    ///
    /// # Errors
    /// The system's error: no thread.
    pub(crate) fn start(store: PathBuf, done: impl FnOnce(PinWindow) + Send + 'static) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("pin-trial".into()).stack_size(256 << 10).spawn(move || {
            let mut victim = Command::new("/proc/self/exe");
            victim.arg(SUBCOMMAND);
            let trial = Trial { mounts: &Mounts::detect(), store: &store, victim, stop: &stopped };
            if let Some(window) = trial.make() {
                done(window);
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
