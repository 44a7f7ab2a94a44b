//! Frames: functions, files and lines.

use serde::{Deserialize, Serialize};

/// A logical frame: a call as the source has it, inlined ones included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Frame {
    /// Function, as pprof names it.
    pub function: String,
    /// Source file, as the binary has it.
    pub file: String,
    /// Line in that file; 0 if it is not known.
    pub line: u32,
}
