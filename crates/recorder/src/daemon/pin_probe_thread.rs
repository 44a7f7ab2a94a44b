//! The probe of the pin, on a thread of its own beside the daemon. What was measured is kept in the store and
//! holds until the next boot: each probe is an OOM kill in the kernel's log, which a node's alerts may see,
//! and a daemon may be restarted often.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use lastgasp_observe::kernel::cgroup::Mounts;
use lastgasp_observe::kernel::owned_dir::open_owned_file;

use crate::act::pin_probe::{Probe, SUBCOMMAND};
use crate::decide::pin_window::PinWindow;
use crate::guard::{Panicked, guarded, spawn_guarded};

/// In the store: the boot, and the milliseconds for which memory could be read.
const REMEMBERED: &str = ".pin-window";

/// Name of the thread.
const NAME: &str = "pin-trial";

/// It goes on. Dropped, it is stopped, and what it made is gone when that returns.
#[derive(Debug)]
pub(crate) struct ProbeThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), Panicked>>>,
}

impl ProbeThread {
    /// Begins it, unless this boot's has been made; `done` gets what was found out.
    ///
    /// # Errors
    /// The system's error: no thread.
    pub(crate) fn start(store: PathBuf, done: impl FnOnce(PinWindow) + Send + 'static) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = spawn_guarded(NAME, 256 << 10, move || {
            if let Some(window) = guarded_window(|| window(&store, &stopped)) {
                done(window);
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

/// What `probe` found out; of one that panics, that it is not known.
fn guarded_window(probe: impl FnOnce() -> Option<PinWindow>) -> Option<PinWindow> {
    guarded(NAME, probe).unwrap_or_else(|panicked| Some(PinWindow::Unmeasured { why: panicked.to_string() }))
}

/// What was measured since this boot, or is measured now; `None` if that was stopped.
fn window(store: &Path, stop: &AtomicBool) -> Option<PinWindow> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    if let Some(window) = recall(store, boot.trim()) {
        tracing::debug!("the pin was tried at an earlier start, since this boot");
        return Some(window);
    }
    let mut victim = Command::new("/proc/self/exe");
    victim.arg(SUBCOMMAND);
    let window = Probe { mounts: &Mounts::detect(), store, victim, stop }.make()?;
    remember(store, boot.trim(), &window);
    Some(window)
}

/// What was measured since this boot. The store may be where anybody can write: what is not this user's own
/// file is no word of ours.
fn recall(store: &Path, boot: &str) -> Option<PinWindow> {
    let file = open_owned_file(&store.join(REMEMBERED))?;
    let mut text = String::new();
    file.take(128).read_to_string(&mut text).ok()?;
    let (of_boot, ms) = text.trim_end().split_once(' ')?;
    let ms = ms.parse().ok()?;
    (!boot.is_empty() && of_boot == boot).then_some(PinWindow::Measured(Duration::from_millis(ms)))
}

/// What could not be measured is tried again at the next start: its cause may be mended by then.
fn remember(store: &Path, boot: &str, window: &PinWindow) {
    let PinWindow::Measured(window) = window else { return };
    // Under another name first: half of it must not be read. What one that was killed has left goes.
    let (path, fresh) = (store.join(REMEMBERED), store.join(format!("{REMEMBERED}.new")));
    let _ = fs::remove_file(&fresh);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh);
    let kept = made.and_then(|mut file| {
        let written = writeln!(file, "{boot} {}", window.as_millis()).and_then(|()| fs::rename(&fresh, path));
        written.inspect_err(|_| drop(fs::remove_file(&fresh)))
    });
    if let Err(e) = kept {
        tracing::debug!("the trial's result is not kept: {e}");
    }
}

impl Drop for ProbeThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Nobody waits for ever for what a probe that panicked would have said.
    #[test]
    fn a_probe_that_panics_has_measured_nothing() {
        let window =
            guarded_window(|| Some([PinWindow::Refused { why: String::new() }][std::hint::black_box(1)].clone()));
        assert!(
            matches!(&window, Some(PinWindow::Unmeasured { why }) if why.starts_with("pin-trial panicked: index out"))
        );
        assert_eq!(guarded_window(|| None), None);
    }

    #[test]
    fn what_was_measured_holds_until_the_next_boot() {
        let store = tempfile::tempdir().unwrap();
        let window = PinWindow::Measured(Duration::from_millis(1987));
        assert_eq!(recall(store.path(), "a"), None);
        remember(store.path(), "a", &window);
        assert_eq!(recall(store.path(), "a"), Some(window));
        assert_eq!((recall(store.path(), "b"), recall(store.path(), "")), (None, None));
        remember(store.path(), "b", &PinWindow::Unmeasured { why: "no group could be made".into() });
        assert_eq!(recall(store.path(), "b"), None);
        for odd in ["", "b", "b x\n", "b -4\n", "b 99999999999999999999999\n"] {
            fs::write(store.path().join(REMEMBERED), odd).unwrap();
            // Whatever the umask of who runs this.
            fs::set_permissions(store.path().join(REMEMBERED), fs::Permissions::from_mode(0o600)).unwrap();
            assert_eq!(recall(store.path(), "b"), None, "{odd}");
        }
        assert_eq!(fs::read_dir(store.path()).unwrap().count(), 1);
        // Others could have written it; somebody leads us elsewhere.
        let (file, aside) = (store.path().join(REMEMBERED), store.path().join("aside"));
        fs::write(&file, "b 1987\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o622)).unwrap();
        assert_eq!(recall(store.path(), "b"), None);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(recall(store.path(), "b").is_some());
        fs::rename(&file, &aside).unwrap();
        std::os::unix::fs::symlink(&aside, &file).unwrap();
        assert_eq!(recall(store.path(), "b"), None);
    }
}
