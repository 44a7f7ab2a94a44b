//! Where copies go.

use lastgasp_inferior::Snapshot;

use crate::gap::Gap;

/// A copy in the making: its bytes, and what could not be copied.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    pub(super) snapshot: &'a mut Snapshot,
    pub(super) gaps: &'a mut Vec<Gap>,
}
