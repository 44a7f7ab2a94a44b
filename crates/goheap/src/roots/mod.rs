//! What holds objects from outside the heap, with its names: package variables by the symbol table, else by
//! where they stand; goroutines by the function of the program that they are in.

use lastgasp_goruntime::{
    Gap, Goroutine, HeapObjects, VariableSection, each_goroutine, is_system, stack_words, variable_pointers,
};
use lastgasp_heapgraph::{Graph, GroupId, Holder, RootId, Roots};
use lastgasp_inferior::{Addr, AddrRange, Memory};
use lastgasp_observe::raw_capture::RawCapture;
use rustc_hash::FxHashMap;

use crate::edges::{Edges, Places};

/// Largest slot in which a `g` stands, in bytes: it has some 440.
const MAX_G: u64 = 4096;

/// What kind of root it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RootKind {
    /// A package variable.
    Global,
    /// Goroutines in one function of the program.
    Goroutine,
    /// A variable or goroutines of the runtime's own.
    Runtime,
}

impl RootKind {
    /// As the document has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Goroutine => "goroutine",
            Self::Runtime => "runtime",
        }
    }
}

/// What is to be said of a root, or of a group of goroutines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootName {
    /// What it is.
    pub kind: RootKind,
    /// The variable, as the symbol table has it, else its section and offset; the function.
    pub name: String,
    /// Number of goroutines; 0 of variables.
    pub goroutines: u64,
}

/// Roots, with what is to be said of each.
#[derive(Default)]
pub(crate) struct Holders {
    pub(crate) roots: Roots,
    /// Those of goroutines are numbered from here on.
    goroutines_from: u32,
    /// Of each variable.
    variables: Vec<RootName>,
    /// Of each group of goroutines.
    groups: Vec<RootName>,
}

impl Holders {
    pub(crate) fn read(
        taken: &RawCapture,
        mem: &dyn Memory,
        goroutines: &[Goroutine],
        edges: &Edges,
        gaps: &mut Vec<Gap>,
    ) -> Self {
        let mut out = Self::default();
        out.add_variables(taken, mem, edges, gaps);
        out.goroutines_from = out.roots.len() as u32;
        out.add_goroutines(taken, mem, goroutines, edges, gaps);
        out
    }

    pub(crate) fn is_goroutine(&self, root: RootId) -> bool {
        root.0 >= self.goroutines_from
    }

    /// All that is named: each variable alone, goroutines by group.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&RootName, Holder)> + '_ {
        let variables = self.variables.iter().zip((0..).map(|i| Holder::Root(RootId(i))));
        variables.chain(self.groups.iter().zip((0..).map(|i| Holder::Group(GroupId(i)))))
    }

    /// What a root or a group is called; a goroutine as its group.
    pub(crate) fn name(&self, graph: &Graph, holder: Holder) -> Option<&RootName> {
        match holder {
            Holder::Group(group) => self.groups.get(group.0 as usize),
            Holder::Root(root) if self.is_goroutine(root) => self.groups.get(graph.roots().group_of(root)?.0 as usize),
            Holder::Root(root) => self.variables.get(root.0 as usize),
            _ => None,
        }
    }

    fn add_variables(&mut self, taken: &RawCapture, mem: &dyn Memory, edges: &Edges, gaps: &mut Vec<Gap>) {
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
                    let name = name.unwrap_or_else(|| place(&program, section, at));
                    let kind = if is_of_runtime(&name) { RootKind::Runtime } else { RootKind::Global };
                    let root = self.roots.root(None);
                    self.variables.push(RootName { kind, name, goroutines: 0 });
                    last = Some((range, root));
                    root
                }
            };
            self.roots.hold(root, &edges.layout, to.0);
        });
    }

    fn add_goroutines(
        &mut self,
        taken: &RawCapture,
        mem: &dyn Memory,
        goroutines: &[Goroutine],
        edges: &Edges,
        gaps: &mut Vec<Gap>,
    ) {
        let module = &taken.runtime.build_info.module.path;
        let mut groups: FxHashMap<(RootKind, String), usize> = FxHashMap::default();
        let mut roots: FxHashMap<u64, RootId> = FxHashMap::default();
        let mut names: FxHashMap<*const lastgasp_goruntime::Call, (RootKind, String)> = FxHashMap::default();
        for g in goroutines {
            let name = || {
                if is_system(g) {
                    (RootKind::Runtime, g.start_function.to_string())
                } else {
                    (RootKind::Goroutine, function(g, module))
                }
            };
            // Those that do the same share one list of calls.
            let key =
                if g.stack.is_empty() { name() } else { names.entry(g.stack.as_ptr()).or_insert_with(name).clone() };
            let index = *groups.entry(key.clone()).or_insert_with(|| {
                self.roots.group();
                self.groups.push(RootName { kind: key.0, name: key.1, goroutines: 0 });
                self.groups.len() - 1
            });
            if let Some(group) = self.groups.get_mut(index) {
                group.goroutines += 1;
            }
            roots.insert(g.goid, self.roots.root(Some(GroupId(index as u32))));
        }
        let mut lost = 0u64;
        let all = &mut self.roots;
        let mut hold = |goid: u64, to: Addr| match roots.get(&goid) {
            Some(root) => drop(edges.layout.object_at(to.0).and_then(|_| all.hold(*root, &edges.layout, to.0))),
            None => lost += 1,
        };
        stack_words(&taken.runtime, mem, &taken.registers, gaps, &mut hold);
        edges.of_goroutines.iter().for_each(|(goid, to)| hold(*goid, *to));
        if lost > 0 {
            gaps.push(Gap::new(
                "heap graph",
                "goroutines that were not decoded: what they alone hold counts as garbage",
            ));
        }
    }
}

/// The objects in which the `g` of live goroutines stand.
pub(crate) fn places_of_goroutines(taken: &RawCapture, mem: &dyn Memory, objects: &HeapObjects) -> Places {
    let mut places = Places::default();
    each_goroutine(&taken.runtime, mem, |goid, at| {
        places.extend(objects.find(at).filter(|o| o.size <= MAX_G).map(|o| (o.start, goid)))
    });
    places
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

fn is_of_runtime(name: &str) -> bool {
    ["runtime.", "internal/runtime/", "runtime/internal/"].iter().any(|own| name.starts_with(own))
}

/// The function of the program that a goroutine is in: the innermost of its main module, else of any module
/// but the standard library, else but the runtime; where there is none, the first function.
fn function(g: &Goroutine, module: &str) -> String {
    let of_program = |f: &str| {
        let rest = f.strip_prefix(module).filter(|_| !module.is_empty());
        f.starts_with("main.") || rest.is_some_and(|rest| rest.starts_with(['/', '.']))
    };
    let is_foreign = |f: &str| f.split_once('/').is_some_and(|(host, _)| host.contains('.'));
    let calls = || g.stack.iter().map(|c| c.frame.function.as_str());
    let found = calls().find(|f| of_program(f)).or_else(|| calls().find(|f| is_foreign(f)));
    let found = found.or_else(|| calls().find(|f| !is_of_runtime(f)));
    found.map_or_else(|| g.start_function.to_string(), ToOwned::to_owned)
}
