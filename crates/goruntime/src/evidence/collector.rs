//! What a collector is: it copies one kind of evidence.
//!
//! Adding one (channels, semaphores, poll descriptors, heap objects) takes:
//! 1. One file here with a unit struct that is a [`Collector`], and its tests: what it copies is enough to
//!    decode, its room suffices, and what it cannot read is a gap (`fixture.rs` has a process for them).
//! 2. One line in `list.rs`, at the place of its worth: what stands before it is copied first and cannot be
//!    crowded out by it.
//! 3. If it starts from pointers that another one comes across, a field in [`Leads`], filled there.
//! 4. A decoder that reads the same structures from the copy through `Memory`, so that what was not copied is
//!    a gap and not a guess.
//!
//! The heap's span table is none, deliberately. It yields sums and no bytes: to keep the bytes of a million
//! spans would cost more than to sum them up on the spot. And when it is read (in the stop, afterwards, not
//! at all) hangs on the phase, on the number of spans and on whether there is a profile, which is no prefix
//! of a list: `recorder/src/take/spans.rs` decides it. What it needs to find objects by address can become a
//! collector once somebody decodes that.

use std::ops::Add;

use lastgasp_inferior::{Addr, Memory, Snapshot, ThreadRegisters};
use rustc_hash::FxHashSet;

use super::extent::Extent;
use super::plan::EvidencePlan;
use crate::gap::Gap;
use crate::runtime::Runtime;

/// What is copied from.
#[derive(Clone, Copy)]
pub struct CopySource<'a> {
    /// Its runtime.
    pub runtime: &'a Runtime,
    /// What was known in calm times.
    pub plan: &'a EvidencePlan,
    /// Its memory.
    pub mem: &'a dyn Memory,
    /// Registers of its threads, as far as they were stopped: they tell how far the stacks of running
    /// goroutines reach, and which of the threads' own stacks they stand on.
    pub registers: &'a [ThreadRegisters],
}

/// Copies one kind of evidence.
///
/// Between stop and go nothing is decoded but the pointers that say where to copy from, and the room for the
/// copy is there before. What cannot be read is a gap with the collector's name, and never the end of the
/// copy. A foreign number bounds no loop by itself (`bounds.rs`).
pub(super) trait Collector: Sync {
    /// Name as gaps give it: `memory profile`, `goroutines`.
    fn name(&self) -> &'static str;

    /// The smallest extent that it belongs to.
    fn extent(&self) -> Extent;

    /// What it may need. Asked before the target stands still; `registers` are not there yet.
    fn room(&self, of: &CopySource<'_>) -> Room;

    /// The most that it may take in bytes, however much room those before it have left. All of it, unless it
    /// says otherwise: where evidence is short, what is worth more may take the room of what is worth less.
    fn share(&self) -> usize {
        usize::MAX
    }

    /// Copies.
    fn copy(&self, from: &CopySource<'_>, into: &mut Sink<'_>);
}

/// Room for a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Bytes.
    pub bytes: usize,
    /// Pieces of memory: a list that grows where they are more, so it errs upwards.
    pub pieces: usize,
}

impl Add for Room {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), pieces: self.pieces.saturating_add(other.pieces) }
    }
}

/// A copy in the making: its bytes, what could not be copied, and what those before came across.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    pub(super) snapshot: &'a mut Snapshot,
    pub(super) gaps: &'a mut Vec<Gap>,
    pub(super) leads: &'a mut Leads,
}

/// Pointers that a collector came across and that others follow.
#[derive(Debug, Default)]
pub(super) struct Leads {
    /// Label sets of goroutines.
    pub(super) labels: FxHashSet<Addr>,
    /// Lists of ancestors of goroutines.
    pub(super) ancestors: FxHashSet<Addr>,
}
