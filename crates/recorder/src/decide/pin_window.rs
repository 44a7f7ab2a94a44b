//! How long a dead process's memory can be read here, and what follows from that. Pure; measured by
//! [`crate::act::pin_probe`].

use std::fmt;
use std::time::Duration;

use lastgasp_observe::kernel::files::version;

/// What is known of the pin on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinWindow {
    /// So long a throw-away process's memory could be read after the kernel had killed it for memory. Longer
    /// than `LONGEST` is not waited for.
    Measured(Duration),
    /// How long the kernel leaves memory after an OOM kill could not be found out, and why; all else works as
    /// far as it was tried.
    Unmeasured {
        /// Why.
        why: String,
    },
    /// Memory cannot be held.
    Refused {
        /// Why, with the cure.
        why: String,
    },
}

/// The longest window that is waited for: what is held is let go after two seconds at most.
pub(crate) const LONGEST: Duration = Duration::from_secs(3);

/// Less than this is no window: a copy of a process on a busy machine may begin so late.
const SHORTEST: Duration = Duration::from_millis(100);

impl PinWindow {
    /// Whether evidence can be counted on after an OOM kill, however fast it came. `release` is the kernel's
    /// (`uname -r`): where nothing was measured it decides, since the OOM reaper waits for two seconds from
    /// Linux 5.18 on. Vendors have taken that into older kernels too, and one that was not measured is not
    /// trusted.
    #[must_use]
    pub(crate) fn keeps(&self, release: &str) -> bool {
        match self {
            Self::Measured(window) => *window >= SHORTEST,
            Self::Unmeasured { .. } => version(release) >= (5, 18),
            Self::Refused { .. } => false,
        }
    }
}

impl fmt::Display for PinWindow {
    /// One sentence, for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measured(window) if *window >= SHORTEST => {
                let least = if *window >= LONGEST { "at least " } else { "" };
                write!(f, "after an OOM kill memory can be read for {least}{:.2} s here", window.as_secs_f64())
            }
            Self::Measured(window) => write!(
                f,
                "after an OOM kill memory is gone within {} ms here (this kernel's OOM reaper does not wait: Linux before 5.18)",
                window.as_millis()
            ),
            Self::Unmeasured { why } => {
                write!(f, "how long memory can be read after an OOM kill here is not known: {why}")
            }
            Self::Refused { why } => write!(f, "memory cannot be held after a kill: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_on() {
        let measured = |ms| PinWindow::Measured(Duration::from_millis(ms));
        assert!(measured(2040).keeps("5.10.0") && measured(100).keeps("") && !measured(40).keeps("6.18.44"));
        let unmeasured = PinWindow::Unmeasured { why: String::new() };
        assert!(unmeasured.keeps("5.18.0-rc1") && unmeasured.keeps("6.1.0-13-cloud-amd64"));
        assert!(!unmeasured.keeps("5.15.0-91-generic") && !unmeasured.keeps("4.18.0") && !unmeasured.keeps(""));
        assert!(!PinWindow::Refused { why: String::new() }.keeps("6.18.44"));
    }

    #[test]
    fn sentences() {
        let said = |ms| PinWindow::Measured(Duration::from_millis(ms)).to_string();
        assert_eq!(said(2043), "after an OOM kill memory can be read for 2.04 s here");
        assert!(said(3000).contains("at least 3.00 s"));
        assert!(said(5).contains("gone within 5 ms"));
    }
}
