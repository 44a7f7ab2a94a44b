//! Exit codes: part of the contract (DESIGN, "The command line").

use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Fine.
    Fine,
    /// Findings at or over `--fail-on`.
    Findings,
    /// Wrong arguments, or nothing could be done.
    Usage,
    /// Written, with gaps that the capture names.
    Partial,
    /// `run`: what the command itself said.
    Command(u8),
}

impl From<Exit> for ExitCode {
    fn from(e: Exit) -> Self {
        match e {
            Exit::Fine => Self::SUCCESS,
            Exit::Findings => Self::from(1),
            Exit::Usage => Self::from(2),
            Exit::Partial => Self::from(3),
            Exit::Command(code) => Self::from(code),
        }
    }
}
