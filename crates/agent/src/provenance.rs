//! What captures say of the machine and the build that took them.

use lastgasp_decode::Provenance;
use nix::sys::utsname::uname;

/// Provenance of what this process captures.
#[must_use]
pub fn provenance() -> Provenance {
    Provenance {
        lastgasp_version: env!("CARGO_PKG_VERSION").into(),
        kernel: uname().map(|u| u.release().to_string_lossy().into_owned()).unwrap_or_default(),
    }
}
