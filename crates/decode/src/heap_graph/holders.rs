//! What holds objects from outside the heap, with its names: package variables by the symbol table, else by
//! where they stand; goroutines by the function of the program that they are in.

use lastgasp_diagnosis::facts::GraphRoot;
use lastgasp_goruntime::{
    Gap, Goroutine, HeapObjects, VariableSection, each_goroutine, is_system, stack_words, variable_pointers,
};
use lastgasp_heapgraph::{GroupId, Holder, RootId, Roots};
use lastgasp_inferior::{Addr, AddrRange, Memory};
use lastgasp_observe::raw_capture::RawCapture;
use rustc_hash::FxHashMap;

use super::edges::{Edges, Places};

/// Largest slot in which a `g` stands, in bytes: it has some 440.
const MAX_G: u64 = 4096;

/// Roots, with what is to be said of each.
#[derive(Default)]
pub(super) struct Holders {
    pub(super) roots: Roots,
    /// Those of goroutines are numbered from here on.
    goroutines_from: u32,
    /// Of each variable.
    variables: Vec<GraphRoot>,
    /// Of each group of goroutines.
    groups: Vec<GraphRoot>,
}

impl Holders {
    pub(super) fn read(
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

    pub(super) fn is_goroutine(&self, root: RootId) -> bool {
        root.0 >= self.goroutines_from
    }

    /// All that is named: each variable alone, goroutines by group.
    pub(super) fn all(&self) -> impl Iterator<Item = Holder> + use<> {
        let variables = (0..self.goroutines_from).map(|i| Holder::Root(RootId(i)));
        variables.chain((0..self.groups.len() as u32).map(|i| Holder::Group(GroupId(i))))
    }

    /// Their names, in the same order.
    pub(super) fn named(&self) -> impl Iterator<Item = GraphRoot> + '_ {
        self.variables.iter().chain(&self.groups).cloned()
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
                    let kind = if is_of_runtime(&name) { "runtime" } else { "global" };
                    let root = self.roots.root(None);
                    self.variables.push(GraphRoot { kind: kind.into(), name, ..GraphRoot::default() });
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
        let mut groups: FxHashMap<(&'static str, String), usize> = FxHashMap::default();
        let mut roots: FxHashMap<u64, RootId> = FxHashMap::default();
        let mut names: FxHashMap<*const lastgasp_goruntime::Call, (&'static str, String)> = FxHashMap::default();
        for g in goroutines {
            let name = || {
                if is_system(g) {
                    ("runtime", g.start_function.to_string())
                } else {
                    ("goroutine", function(g, module))
                }
            };
            // Those that do the same share one list of calls.
            let key =
                if g.stack.is_empty() { name() } else { names.entry(g.stack.as_ptr()).or_insert_with(name).clone() };
            let index = *groups.entry(key.clone()).or_insert_with(|| {
                self.roots.group();
                self.groups.push(GraphRoot { kind: key.0.into(), name: key.1, ..GraphRoot::default() });
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
pub(super) fn places_of_goroutines(taken: &RawCapture, mem: &dyn Memory, objects: &HeapObjects) -> Places {
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
