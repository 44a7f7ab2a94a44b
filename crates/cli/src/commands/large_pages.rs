//! The heap of a large core is reckoned in large pages: glibc looks at whether to ask for them once, as a
//! program starts, so it is started once more.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use lastgasp_worker::LARGE_PAGES;

/// Bytes of a core from which on it is worth while: to be started takes some milliseconds.
const FROM: u64 = 512 << 20;

/// Starts this program anew in its own place, with large pages, where a core is large and that was not done
/// yet. To be called before anything was said. Where it cannot be done all goes on as it is.
pub(super) fn begin_anew_for(core: &Path) {
    let (name, value) = LARGE_PAGES;
    let bytes = std::fs::metadata(core).map_or(0, |m| m.len());
    // Who has set it himself knows why.
    if bytes < FROM || env::var_os(name).is_some() {
        return;
    }
    let mut args = env::args_os();
    let mut command = Command::new("/proc/self/exe");
    if let Some(own) = args.next() {
        command.arg0(own);
    }
    let _ = command.args(args).env(name, value).exec();
}
