//! Package variables, each a root.

use lastgasp_goruntime::{Gap, Globals, VariableSection, variable_pointers};
use lastgasp_heapgraph::RootId;
use lastgasp_inferior::{Addr, AddrRange, Memory};
use lastgasp_observe::raw_capture::RawCapture;

use super::{ALL_PROCESSORS, Holders, RootKind, RootName, RootPlace, Stand};
use crate::edges::Edges;
use crate::functions::is_of_runtime;

impl Holders {
    pub(super) fn add_variables(&mut self, taken: &RawCapture, mem: &dyn Memory, edges: &Edges, gaps: &mut Vec<Gap>) {
        let named = taken.binary.variables(taken.runtime.module.variables);
        let program = taken.runtime.build_info.path.rsplit('/').next().unwrap_or_default().to_owned();
        let mut words: Vec<(VariableSection, Addr, Addr)> = Vec::new();
        variable_pointers(&taken.runtime, mem, gaps, |section, at, to| words.push((section, at, to)));
        let variable_at = |at: Addr| {
            let index = named.partition_point(|v| v.range.start <= at).checked_sub(1);
            index.and_then(|i| named.get(i)).filter(|v| v.range.contains(at))
        };
        let next_named = |at: Addr| named.get(named.partition_point(|v| v.range.start <= at)).map(|v| v.range.start);
        let temporaries = Temporaries::of(&words, |at| variable_at(at).is_some(), next_named);
        // The variable of before: pointers come by address.
        let mut last: Option<(AddrRange, RootId)> = None;
        for (section, at, to) in words.iter().copied() {
            if edges.layout.object_at(to.0).is_none() {
                continue;
            }
            let root = match last {
                Some((range, root)) if range.contains(at) => root,
                _ => {
                    let variable = variable_at(at);
                    let temporary = temporaries.around(at).filter(|_| variable.is_none());
                    let of = match temporary {
                        Some((_, by)) => variable_at(by),
                        None => variable,
                    };
                    let name = of.and_then(|v| taken.binary.name_of(v));
                    let range = match (temporary, variable, &name) {
                        (Some((range, _)), _, Some(_)) => range,
                        (None, Some(v), Some(_)) => v.range,
                        _ => AddrRange::sized(at, 8),
                    };
                    // Of a variable that is named this may be a field: a word that is not is said to be one.
                    let word = if name.is_none() { at } else { Addr(0) };
                    let name = name.or_else(|| of_runtime(&taken.runtime.globals, at).map(ToOwned::to_owned));
                    let name = name.unwrap_or_else(|| place(&program, section, at));
                    let kind = if is_of_runtime(&name) { RootKind::Runtime } else { RootKind::Global };
                    let root = self.roots.root(None);
                    let (variable, behind) = (of.map_or(at, |v| v.range.start), temporary.is_some());
                    self.stands.push(Stand { range, variable, behind });
                    self.named.push(RootName { at: word, ..RootName::new(kind, name) });
                    last = Some((range, root));
                    root
                }
            };
            if self.roots.hold(root, &edges.layout, to.0).is_some_and(|object| edges.watched.has(object)) {
                self.pointed.add((root, RootPlace::Variable(at)), to);
            }
        }
    }
}

impl Holders {
    /// Names those that only their type tells of: in a stripped program the timers' list is one (seen blind:
    /// "tablehold bss+0x3f0 holds 195 MB", of timers that the program had set).
    pub(crate) fn name_by_type<'t>(&mut self, of: impl Fn(Addr) -> Option<&'t str>) {
        for root in self.named.iter_mut().filter(|root| root.at != Addr(0)) {
            if let Some(name) = of(root.at).and_then(by_type) {
                // It stays a variable to who reckons who may wake whom: a moment's pointers of processors are
                // nobody's way (`crates/cli/tests/goroutine_leaks.rs`, tickers of Go 1.27 in a stripped
                // program).
                *root = RootName::new(root.kind, name.to_owned());
            }
        }
    }
}

/// What the linker sets aside for `var cache = &store{}`: the store stands in data, under no name that the
/// symbol table keeps, and the variable points to it.
struct Temporaries {
    /// Where each begins and ends, and the named word that points there; in order.
    all: Vec<(AddrRange, Addr)>,
}

impl Temporaries {
    /// Largest of them that is believed, in bytes: where one ends nobody says.
    const MAX: u64 = 4096;

    /// `next_named` gives the first variable with a name that begins behind an address: there one ends (seen
    /// from outside: inbucket, whose `web.manager`, 176 bytes behind a temporary of `net/http`, was told as a
    /// variable of `net/http`).
    fn of(
        words: &[(VariableSection, Addr, Addr)],
        is_named: impl Fn(Addr) -> bool,
        next_named: impl Fn(Addr) -> Option<Addr>,
    ) -> Self {
        let mut sections: Vec<AddrRange> = words.iter().map(|(section, ..)| section.range).collect();
        sections.dedup();
        let of_module = |to: Addr| sections.iter().any(|range| range.contains(to));
        let found = words.iter().filter(|(_, at, to)| of_module(*to) && !is_named(*to) && is_named(*at));
        let mut starts: Vec<(Addr, Addr)> = found.map(|(_, at, to)| (*to, *at)).collect();
        starts.sort_unstable();
        starts.dedup_by_key(|(start, _)| *start);
        let behind = starts.iter().skip(1).map(|(next, _)| Some(*next)).chain([None]);
        let all = starts.iter().zip(behind).map(|((start, by), next)| {
            let most = Addr(start.0.saturating_add(Self::MAX));
            let end = [next, next_named(*start)].into_iter().flatten().fold(most, Addr::min);
            (AddrRange { start: *start, end }, *by)
        });
        Self { all: all.collect() }
    }

    /// The one in which a word stands, as far as it is known, and the word that points to it.
    fn around(&self, at: Addr) -> Option<(AddrRange, Addr)> {
        let next = self.all.partition_point(|(range, _)| range.start <= at);
        self.all.get(next.checked_sub(1)?).copied().filter(|(range, _)| range.contains(at))
    }
}

/// The name of a variable of the runtime for which there is no symbol, by its type: where what it leads to
/// did not tell (`lists`).
fn by_type(type_name: &str) -> Option<&'static str> {
    (type_name == "[]*runtime.p").then_some(ALL_PROCESSORS)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_ends_where_the_next_begins() {
        let range = AddrRange { start: Addr(0x1000), end: Addr(0x9000) };
        let section = VariableSection { module: 0, name: "data", range };
        // `cache` stands at 0x1000 and points to 0x2000; `other` at 0x1008 and to 0x2040; 0x2048 has no name.
        let words = [(0x1000, 0x2000), (0x1008, 0x2040), (0x2008, 0xc000), (0x2048, 0x2000), (0x1010, 0xc000)];
        let words: Vec<_> = words.map(|(at, to)| (section, Addr(at), Addr(to))).to_vec();
        let none = |_| None;
        let all = Temporaries::of(&words, |at| at < Addr(0x2000), none);
        let around = |at| all.around(Addr(at)).map(|(range, by)| (range.start.0, range.end.0, by.0));
        assert_eq!(around(0x2008), Some((0x2000, 0x2040, 0x1000)));
        assert_eq!(around(0x2048), Some((0x2040, 0x3040, 0x1008)));
        assert_eq!((around(0x1ff8), around(0x3040)), (None, None));
        // A variable with a name stands behind it.
        let named = |at: Addr| [0x2010, 0x2048].into_iter().map(Addr).find(|named| *named > at);
        let all = Temporaries::of(&words, |at| at < Addr(0x2000), named);
        let around = |at| all.around(Addr(at)).map(|(range, by)| (range.start.0, range.end.0, by.0));
        assert_eq!((around(0x2008), around(0x2010)), (Some((0x2000, 0x2010, 0x1000)), None));
        assert_eq!((around(0x2040), around(0x2048)), (Some((0x2040, 0x2048, 0x1008)), None));
    }
}
