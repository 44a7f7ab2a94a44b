//! What a process allocated, joined to what its source and its compiler say of the same lines.
//!
//! - `evidence`: allocation stacks, of a capture's facts or of a pprof profile (`pprof`).
//! - `names`: functions as the linker and the compiler spell them. `places`: files of the one and the other,
//!   with and without `-trimpath`, in the module cache, in vendor, in the standard library.
//! - `source`: the line itself, and whether it can be the one that the profile means.
//! - `explain`: a stack's reason, through calls that were inlined. `advice`: what to do about it, and what
//!   that would save. `outdated`: what the notes say that a newer compiler does better.
//! - `joined`: all of it in one, ranked as the profile ranks.
//! - `seen`: findings of rules, held against a capture. `linked`: findings of a capture that
//!   are about the same. `cure_diff`: a cure as a difference to read. `excerpt`: the lines around both.

mod advice;
mod cure_diff;
mod evidence;
mod excerpt;
mod explain;
mod joined;
mod line_words;
mod linked;
mod names;
mod outdated;
mod places;
mod pprof;
mod seen;
mod source;

pub use advice::{Advice, Cure};
pub use cure_diff::cure_diff;
pub use evidence::{Allocated, Stack};
pub use excerpt::{Excerpt, excerpts};
pub use explain::{Explained, Unexplained};
pub use joined::{Coverage, Joined, JoinedSite, Question, Reasoned, join};
pub use linked::link;
pub use names::Function;
pub use places::{Line, Places};
pub use pprof::PprofError;
pub use seen::{Sight, see};
pub use source::{Mismatch, Sources};
