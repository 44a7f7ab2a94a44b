//! Package variables, each a root.

use lastgasp_goruntime::{Gap, Globals, VariableSection, variable_pointers};
use lastgasp_heapgraph::RootId;
use lastgasp_inferior::{Addr, AddrRange, Memory};
use lastgasp_observe::raw_capture::RawCapture;

use super::{Holders, RootKind, RootName, is_of_runtime};
use crate::edges::Edges;

impl Holders {
    pub(super) fn add_variables(&mut self, taken: &RawCapture, mem: &dyn Memory, edges: &Edges, gaps: &mut Vec<Gap>) {
        let named = taken.binary.variables(taken.runtime.module.variables);
        let program = taken.runtime.build_info.path.rsplit('/').next().unwrap_or_default().to_owned();
        // The variable of before: pointers come by address.
        let mut last: Option<(AddrRange, RootId)> = None;
        variable_pointers(&taken.runtime, mem, gaps, |section, at, to| {
            if edges.layout.object_at(to.0).is_none() {
                return;
            }
            let root = match last {
                Some((range, root)) if range.contains(at) => root,
                _ => {
                    let index = named.partition_point(|v| v.range.start <= at).checked_sub(1);
                    let variable = index.and_then(|i| named.get(i)).filter(|v| v.range.contains(at));
                    let name = variable.and_then(|v| taken.binary.name_of(v));
                    let range = match (variable, &name) {
                        (Some(v), Some(_)) => v.range,
                        _ => AddrRange::sized(at, 8),
                    };
                    let name = name.or_else(|| of_runtime(&taken.runtime.globals, at).map(ToOwned::to_owned));
                    let name = name.unwrap_or_else(|| place(&program, section, at));
                    let kind = if is_of_runtime(&name) { RootKind::Runtime } else { RootKind::Global };
                    let root = self.roots.root(None);
                    self.named.push(RootName::new(kind, name));
                    last = Some((range, root));
                    root
                }
            };
            self.roots.hold(root, &edges.layout, to.0);
        });
    }
}

/// The runtime's own lists, which are known where there is no symbol table too.
fn of_runtime(known: &Globals, at: Addr) -> Option<&'static str> {
    /// `mheap` has some 70 kB; its pointers into the heap are few.
    const MHEAP: u64 = 64 << 10;
    match at {
        at if at == known.allgptr => Some("runtime.allgptr"),
        at if at == known.allm => Some("runtime.allm"),
        at if AddrRange::sized(known.mheap, MHEAP).contains(at) => Some("runtime.mheap_"),
        _ => None,
    }
}

/// Where a variable without a name stands: `service bss+0x1a40`.
fn place(program: &str, section: VariableSection, at: Addr) -> String {
    let offset = at.0.saturating_sub(section.range.start.0);
    let module = match section.module {
        0 => program.to_owned(),
        n => format!("module {n}"),
    };
    format!("{module} {}+{offset:#x}", section.name)
}
