//! Goroutines of facts with what they name by index. Facts may come from anywhere: an index of nothing is
//! passed over.

use lastgasp_diagnosis::Facts;
use lastgasp_diagnosis::facts::{Ancestor, Frame, Goroutine, GoroutineList, Kind, Label, Place};

/// A call on a goroutine's stack. The order is that of equal counts in a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Call<'a> {
    pub(crate) frame: &'a Frame,
    /// The instruction, from where the code starts.
    pub(crate) pc: u64,
    pub(crate) offset: Option<u64>,
    pub(crate) inlined: bool,
    pub(crate) arguments: bool,
    pub(crate) elided: bool,
    system: bool,
}

/// A `go` statement, or where an ancestor stood.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallSite<'a> {
    pub(crate) frame: &'a Frame,
    /// The function that it was compiled into.
    pub(crate) function: &'a str,
    pub(crate) offset: Option<u64>,
}

/// The goroutines of facts.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    list: &'a GoroutineList,
    frames: &'a [Frame],
}

impl<'a> View<'a> {
    pub(crate) fn of(facts: &'a Facts) -> Self {
        Self { list: &facts.goroutines.list, frames: &facts.frames }
    }

    pub(crate) fn kind(self, g: &Goroutine) -> Option<&'a Kind> {
        self.list.kinds.get(g.kind as usize)
    }

    /// The calls of the stack of that index, innermost first.
    pub(crate) fn stack(self, index: u32) -> Vec<Call<'a>> {
        let calls = self.list.stacks.get(index as usize).map(|s| s.calls.as_slice()).unwrap_or_default();
        calls.iter().filter_map(|i| self.call(*i)).collect()
    }

    fn call(self, index: u32) -> Option<Call<'a>> {
        let c = self.list.calls.get(index as usize)?;
        let frame = self.frames.get(c.frame as usize)?;
        let (pc, offset) = (c.pc, c.offset);
        Some(Call { frame, pc, offset, inlined: c.inlined, arguments: c.arguments, elided: c.elided, system: c.system })
    }

    pub(crate) fn place(self, index: u32) -> Option<CallSite<'a>> {
        let Place { frame, function, offset } = self.list.places.get(index as usize)?;
        let frame = self.frames.get(*frame as usize)?;
        Some(CallSite { frame, function: function.as_ref().unwrap_or(&frame.function), offset: *offset })
    }

    /// The labels of the set of that index, by key.
    pub(crate) fn labels(self, index: u32) -> &'a [Label] {
        self.list.labels.get(index as usize).map(|s| s.labels.as_slice()).unwrap_or_default()
    }

    pub(crate) fn ancestors(self, g: &Goroutine) -> &'a [Ancestor] {
        self.list.ancestors.get(g.ancestors as usize).map(|a| a.ancestors.as_slice()).unwrap_or_default()
    }
}

#[cfg(test)]
pub(crate) mod example {
    use lastgasp_diagnosis::Facts;
    use lastgasp_diagnosis::facts::from_json;

    /// Seven goroutines: the first one; two that wait for ten minutes, one of them with a label; one on a
    /// thread whose stack was not to be had; one whose stack was left out of the copy; one whose stack ends
    /// early, with an ancestor; and one that names nothing.
    pub(crate) fn facts() -> Facts {
        from_json(include_bytes!("../tests/fixtures/goroutines.facts.json")).unwrap()
    }
}
