//! What the heap's graph says of a growth: how much of it is alive, and who holds it. Pure.
//!
//! The graph knows the end and not the beginning, so that all is reckoned against us: what was garbage may
//! have been so before the growth, and what a holder keeps it may always have kept.

use crate::facts::{GraphCensus, GraphFacts, GraphPath, GraphRoot};
use crate::finding::Evidence;
use crate::graph_certainty::{share_of_live, source};
use crate::graph_holder::GraphHolder;
use crate::shared_object::{SharedCrowd, SharedObject, one_of_all};
use crate::thresholds::heap_growth::{ALIVE, GARBAGE, HELD_BY_THEM, MIN_CALLS};
use crate::thresholds::unprofiled_heap::{
    HELD_BESIDE_GARBAGE, HELD_BY_ONE, LARGE_PART, MIN_ENTRIES, MIN_PART, MOST_OF_LIVE,
};
use crate::units::{bytes, count, plural};
use crate::way::way;

/// A growth of the heap, seen in its graph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reachability<'a> {
    graph: &'a GraphFacts,
    /// Bytes that the heap grew by.
    grown: u64,
    /// Who holds most of it, if one does for certain.
    pub(crate) holder: Option<HeldBy<'a>>,
    /// The object that keeps most of it, where no holder does alone, and the part of the growth, at least.
    shared: Option<(SharedObject<'a>, f64)>,
}

/// A collection that keeps most of a growth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct KeptCollection<'a> {
    /// What it is.
    pub(crate) of: &'a GraphCensus,
    /// Part of the growth that it keeps, at least.
    pub(crate) part: f64,
}

/// Who holds most of a growth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HeldBy<'a> {
    /// The holder, with what it keeps.
    pub(crate) holder: GraphHolder<'a>,
    /// Part of the growth that it holds, at least.
    pub(crate) part: f64,
}

impl<'a> Reachability<'a> {
    /// What the graph says of a heap that grew by so many bytes; `None` without a graph, or if it was not
    /// read of one moment.
    pub(crate) fn of(graph: Option<&'a GraphFacts>, grown: u64) -> Option<Self> {
        let graph = graph.filter(|g| g.of_one_moment && grown > 0 && g.live_bytes > 0)?;
        let part = |retained: u64| part(graph, grown, retained);
        // In a stripped program what is the runtime's is known by name alone.
        let is_own = |root: &GraphRoot| root.kind == "runtime" || root.name.starts_with("runtime.");
        let largest = GraphHolder::largest(graph).filter(|h| !is_own(h.root));
        let held_by = |holder: GraphHolder<'a>| HeldBy { part: part(holder.root.retained_bytes), holder };
        let is_most = |part: f64, retained: u64| explains(graph, part, retained);
        let holder = largest.map(held_by).filter(|held| is_most(held.part, held.root().retained_bytes));
        let shared = SharedObject::largest(graph).map(|s| (s, part(s.retained_bytes())));
        let shared = shared.filter(|(s, part)| holder.is_none() && is_most(*part, s.retained_bytes()));
        Some(Self { graph, grown, holder, shared })
    }

    /// Whether what came is alive; `None` where it is mixed.
    pub(crate) fn is_alive(&self) -> Option<bool> {
        let grown = self.grown as f64;
        if 1.0 - self.graph.garbage_bytes as f64 / grown >= ALIVE {
            return Some(true);
        }
        (self.graph.live_bytes as f64 / grown <= GARBAGE).then_some(false)
    }

    /// Bytes that are reachable.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.graph.live_bytes
    }

    /// The part of the heap that is alive.
    pub(crate) fn live_part(&self) -> f64 {
        let all = self.graph.live_bytes.saturating_add(self.graph.garbage_bytes);
        self.graph.live_bytes as f64 / all.max(1) as f64
    }

    /// `all references followed: 480 MB of the heap are reachable, 2.10 MB are garbage`.
    pub(crate) fn split(&self) -> String {
        let (live, garbage) = (bytes(self.graph.live_bytes), bytes(self.graph.garbage_bytes));
        format!("all references followed: {live} of the heap are reachable, {garbage} are garbage")
    }

    /// Who keeps what, of which type and by which way, as far as the references say it of most of the growth:
    /// by one holder, else by a way that several share, else by type alone.
    pub(crate) fn kept(&self) -> Option<Evidence> {
        let by_way = || {
            let path = self.most_way()?;
            Some(format!(
                "{} of what is live is kept by way of {}",
                bytes(path.bytes),
                way(&path.steps, &path.type_name)
            ))
        };
        let by_type = || {
            let of = self.graph.types.iter().rev().max_by_key(|t| t.bytes).filter(|t| self.is_most(t.bytes))?;
            Some(format!("{} of what is live is {} {}", bytes(of.bytes), count(of.objects), of.name))
        };
        let said = match self.keeper().filter(|_| self.holder.is_some()) {
            Some((text, ..)) => text,
            None => self
                .crowd()
                .map(|c| c.text())
                .or_else(by_way)
                .or_else(|| self.shared.map(|(s, _)| s.text()))
                .or_else(by_type)?,
        };
        let within = self.collection_text().map_or_else(String::new, |text| format!("; {text}"));
        Some(Evidence { text: format!("by the heap's references: {said}{within}"), source: source(self.graph) })
    }

    /// The one collection that keeps most of it: of several, each within the other, the innermost (seen from
    /// outside: of an interpreter the frame that ran was named, and not the script's map of 32,095 entries).
    pub(crate) fn collection(&self) -> Option<&'a GraphCensus> {
        let most =
            self.graph.census.iter().filter(|c| c.count == 1 && c.elements > 1 && self.is_most(c.retained_bytes));
        most.filter(|c| !is_of_the_runtime(&c.type_name)).min_by_key(|c| c.retained_bytes)
    }

    /// The same, where it is no channel, that has enough elements to want a bound, with the part of the
    /// growth that it keeps, at least.
    pub(crate) fn kept_collection(&self) -> Option<KeptCollection<'a>> {
        let of = self.collection().filter(|c| c.elements >= MIN_ENTRIES && c.kind != "chan")?;
        let named = !of.owner.is_empty() && !of.type_name.is_empty() && !is_of_a_server(&of.type_name);
        let part = self.part(of.retained_bytes);
        // What it had before the growth is none of it.
        let is_most = explains(self.graph, part, of.retained_bytes);
        (self.holder.is_none() && named && is_most).then_some(KeptCollection { of, part })
    }

    /// The same of the way by which the largest part of what is live is kept.
    pub(crate) fn bounding_largest_way(&self) -> Option<String> {
        let of_growth = |(path, _): &(&GraphPath, f64)| self.part(path.bytes) >= MIN_PART;
        self.largest_way().filter(of_growth).map(|(path, _)| bounding_way(path))
    }

    /// Part of the growth that who keeps so many bytes keeps of it, at least.
    pub(crate) fn part(&self, retained: u64) -> f64 {
        part(self.graph, self.grown, retained)
    }

    /// `one map[string]*main.session of 32,095 elements keeps 135 MB of it`.
    pub(crate) fn collection_text(&self) -> Option<String> {
        let c = self.collection().filter(|c| !c.type_name.is_empty())?;
        Some(format!(
            "one {} of {} keeps {} of it",
            c.type_name,
            plural(c.elements, "element"),
            bytes(c.retained_bytes)
        ))
    }

    /// The way by which most of it is kept, if there is one.
    fn most_way(&self) -> Option<&'a GraphPath> {
        self.graph.paths.iter().rev().max_by_key(|p| p.bytes).filter(|p| self.is_most(p.bytes))
    }

    /// The way by which the largest part of what is live is kept, where nobody keeps most of the growth, and
    /// that part; `None` of a small one.
    pub(crate) fn largest_way(&self) -> Option<(&'a GraphPath, f64)> {
        let path = self.graph.paths.iter().rev().max_by_key(|p| p.bytes).filter(|p| !p.steps.is_empty())?;
        let share = share_of_live(self.graph, path.bytes).min(1.0);
        (self.holder.is_none() && share >= LARGE_PART).then_some((path, share))
    }

    fn is_most(&self, bytes: u64) -> bool {
        bytes as f64 >= self.grown as f64 * HELD_BY_ONE || is_most_of_live(self.graph, self.part(bytes), bytes)
    }

    /// Objects, one for each of as many goroutines, that keep most of it and that several lead to.
    pub(crate) fn crowd(&self) -> Option<SharedCrowd<'a>> {
        let crowd = SharedCrowd::largest(self.graph).filter(|c| self.is_most(c.retained_bytes()))?;
        (self.holder.is_none() && crowd.led_to_by().next().is_some()).then_some(crowd)
    }

    /// Whether most of it is kept by ways that begin at no goroutine, and next to nothing by goroutines
    /// alone: then it stays when these end.
    pub(crate) fn is_apart_from_goroutines(&self) -> bool {
        let elsewhere = self.graph.paths.iter().filter(|p| goroutines_of(p).is_none());
        let elsewhere = elsewhere.map(|p| p.bytes).fold(0, u64::saturating_add);
        let roots = self.graph.roots.iter().filter(|r| r.kind == "goroutine");
        let alone = roots.map(|r| r.retained_bytes).fold(0, u64::saturating_add);
        self.is_most(elsewhere) && (alone as f64) < self.grown as f64 * HELD_BY_THEM
    }

    /// Whether all roots were read, so that what goroutines keep is known.
    pub(crate) fn is_whole(&self) -> bool {
        self.graph.roots_not_read.is_empty()
    }

    /// Part of the growth that goroutines in some functions keep, and that ways from them lead to, at most:
    /// what no way tells of may be theirs as well.
    pub(crate) fn part_of_goroutines(&self, is_of: impl Fn(&str) -> bool) -> f64 {
        let roots = self.graph.roots.iter().filter(|r| r.kind == "goroutine" && is_of(&r.name));
        let ways = self.graph.paths.iter().filter(|p| goroutines_of(p).is_some_and(&is_of));
        let roots = roots.map(|r| r.retained_bytes).fold(0, u64::saturating_add);
        let ways = ways.map(|p| p.bytes).fold(0, u64::saturating_add);
        let told = self.graph.paths.iter().map(|p| p.bytes).fold(0, u64::saturating_add);
        let ways = ways.saturating_add(self.graph.live_bytes.saturating_sub(told));
        roots.max(ways) as f64 / self.grown as f64
    }

    /// The function of goroutines by way of which most of it is kept, though others lead there too, and the
    /// bytes.
    pub(crate) fn way_from(&self) -> Option<(&'a str, u64)> {
        let path = self.most_way()?;
        Some((goroutines_of(path)?, path.bytes))
    }

    /// What keeps most of it and is shared, unless it has one for each of so many calls.
    pub(crate) fn shared_beside(&self, calls: u64) -> Option<&SharedObject<'a>> {
        self.shared.as_ref().map(|(s, _)| s).filter(|s| !s.has_one_for_each(calls))
    }

    /// Whether what keeps most of it, and is shared, has one for each of so many calls.
    pub(crate) fn is_list_of(&self, calls: u64) -> bool {
        self.shared.as_ref().is_some_and(|(s, _)| s.has_one_for_each(calls))
    }

    /// Who keeps most of it, in words, its name, and the part of the growth, at least: a holder, else an
    /// object that several lead to.
    pub(crate) fn keeper(&self) -> Option<(String, &'a str, f64)> {
        match (&self.holder, &self.shared) {
            (Some(held), _) => Some((held.in_full(), &held.root().name, held.part)),
            (None, Some((shared, part))) => Some((shared.text(), shared.name(), *part)),
            (None, None) => None,
        }
    }

    /// The one object that several lead to and that keeps most of it, unless it is a library's server, or
    /// most of it is each of a crowd's; and the part of the growth that it keeps, at least.
    pub(crate) fn shared_object(&self) -> Option<(SharedObject<'a>, f64)> {
        let shared = self.shared.filter(|_| self.crowd().is_none());
        shared.filter(|(shared, _)| !is_of_a_server(shared.name()))
    }

    /// The type of the one object that several lead to and that keeps most of it, unless it is a library's
    /// server.
    pub(crate) fn shared_name(&self) -> Option<&'a str> {
        self.shared.as_ref().map(|(shared, _)| shared.name()).filter(|name| !is_of_a_server(name))
    }

    /// What keeps most of it where no one root does: each of a crowd, or one object that several lead to.
    pub(crate) fn kept_by_several(&self) -> Option<String> {
        if self.holder.is_some() {
            return None;
        }
        let crowd = || self.crowd().filter(|c| !is_of_a_server(c.name())).map(|c| c.text());
        let shared = || self.shared_name().and(self.shared.as_ref()).map(|(s, _)| s.text());
        crowd().or_else(shared)
    }

    /// `Bound what main.collect keeps of it, or let go of it.`: of the holder, of what several lead to, or of
    /// each of a crowd.
    pub(crate) fn bounding(&self) -> Option<String> {
        if let Some(crowd) = self.crowd().filter(|crowd| !is_of_a_server(crowd.name())) {
            return Some(format!("Bound what each {} keeps, or let go of it: {}.", crowd.name(), crowd.text()));
        }
        let keeper = self.keeper().filter(|(_, name, _)| self.holder.is_some() || !is_of_a_server(name));
        let Some((text, name, _)) = keeper else {
            // No one object keeps it; the fields that lead there are the same for all of it.
            return Some(bounding_way(self.most_way()?));
        };
        let name = self.holder.as_ref().and_then(HeldBy::frame).unwrap_or(name);
        let in_pieces = self.holder.as_ref().map_or("", HeldBy::in_pieces);
        Some(format!("Bound what {name} keeps, or let go of it: {text}.{in_pieces}"))
    }

    /// The collection that keeps most of it, and the first step of the way to it, where no one root keeps it:
    /// `one map[string]main.customer of 41,339 elements keeps 203 MB of it, by way of goroutine in
    /// main.load`. With the function, if it is a goroutine's and a place in the program.
    pub(crate) fn shared_collection(&self) -> Option<(String, Option<&'a str>)> {
        let (text, path) = (self.collection_text().filter(|_| self.holder.is_none())?, self.most_way()?);
        let root = path.steps.first().filter(|root| !root.is_empty())?;
        // In `main.main` all is; what stands in a library's frame that library's callers have handed to it,
        // as a server its handlers.
        let is_a_place = |f: &&str| *f != "main.main" && !f.starts_with("main.main.");
        let own = path.steps.get(1).is_none_or(|step| !step.starts_with("[frame ") || step.starts_with("[frame main."));
        Some((format!("{text}, by way of {root}"), goroutines_of(path).filter(is_a_place).filter(|_| own)))
    }

    /// The holder, if it is a package variable.
    pub(crate) fn variable(&self) -> Option<&HeldBy<'a>> {
        self.holder.as_ref().filter(|held| held.root().kind == "global")
    }

    /// The holder, if it is goroutines in one function.
    pub(crate) fn goroutines(&self) -> Option<&HeldBy<'a>> {
        self.holder.as_ref().filter(|held| held.root().kind == "goroutine" && held.root().goroutines > 0)
    }

    /// The type of the one object by which those goroutines keep it, all of them together: none has a part of
    /// its own.
    pub(crate) fn one_of_all(&self) -> Option<&'a str> {
        one_of_all(self.graph, self.goroutines()?.root()).map(|one| one.name.as_str())
    }
}

/// What a goroutine keeps it most often has been asked for, or reads (seen blind: an export without a limit,
/// of five million rows).
const IN_PIECES: &str = " What it collects of what it is asked for, or reads, it may take in pieces (a page, a cursor, a stream) with a bound.";

/// Part of a growth that who keeps so many bytes at the end keeps of it, at least: it may have kept already
/// whatever there was before.
fn part(graph: &GraphFacts, grown: u64, retained: u64) -> f64 {
    let before = graph.live_bytes.saturating_add(graph.garbage_bytes).saturating_sub(grown);
    (retained.saturating_sub(before) as f64 / grown as f64).min(1.0)
}

/// Whether who keeps so many bytes, and that part of a growth at least, explains it.
fn explains(graph: &GraphFacts, part: f64, retained: u64) -> bool {
    part >= HELD_BY_ONE || is_most_of_live(graph, part, retained)
}

/// Whether somebody who keeps a good part of a growth keeps most of what is alive: GOGC lets as much garbage
/// lie as there is alive, so that who keeps all of it may have less than half of the growth (seen blind: a
/// journal's tail, 94 of 108 MB that were alive, and 49 % of the growth).
fn is_most_of_live(graph: &GraphFacts, part: f64, retained: u64) -> bool {
    part >= HELD_BESIDE_GARBAGE && share_of_live(graph, retained) >= MOST_OF_LIVE
}

/// Whether a list is one of the runtime's own. Some of these stand inside a larger structure of it, which
/// then seems to be theirs with all that it leads to (seen from outside: "one []*runtime.sudog of 11 elements
/// keeps 60.5 MB", of a processor whose timers did).
fn is_of_the_runtime(type_name: &str) -> bool {
    type_name.trim_start_matches(['[', ']', '*']).starts_with("runtime.")
}

/// Whether a type is one of a library's servers: all that handlers have is reached from there, and nobody can
/// bound it there (seen blind: a cache of products, of which "bound what http.routingNode keeps" was said).
fn is_of_a_server(type_name: &str) -> bool {
    const SERVERS: [&str; 8] = ["http.", "net.", "tls.", "rpc.", "grpc.", "context.", "reflect.", "runtime."];
    let name = type_name.trim_start_matches(['[', ']', '*']);
    SERVERS.iter().any(|package| name.starts_with(package))
}

fn bounding_way(path: &GraphPath) -> String {
    let (way, kept) = (way(&path.steps, &path.type_name), bytes(path.bytes));
    format!("Bound what is kept by way of {way}, or let go of it: {kept}.")
}

/// The function in whose frame a goroutine holds what a way leads to, where that is not the one that it is
/// named by.
pub(crate) fn frame_of(path: &GraphPath) -> Option<&str> {
    path.steps.get(1)?.strip_prefix("[frame ")?.strip_suffix(']')
}

/// Who a way begins at: the function in whose frame it stands, else that of the goroutines, else the root's
/// own name.
pub(crate) fn holder_of(path: &GraphPath) -> Option<&str> {
    let root = || path.steps.first().map(|root| root.split_once(' ').map_or(root.as_str(), |(_, name)| name));
    frame_of(path).or_else(|| goroutines_of(path)).or_else(root)
}

/// The function of the goroutines that a way begins at.
pub(crate) fn goroutines_of(path: &GraphPath) -> Option<&str> {
    let first = path.steps.first()?;
    let of = first.strip_prefix("goroutines in ").or_else(|| first.strip_prefix("goroutine in "))?;
    // What follows a function's name says in which frame it stands.
    Some(of.split(" [").next().unwrap_or(of))
}

impl<'a> HeldBy<'a> {
    /// The root.
    pub(crate) fn root(&self) -> &'a GraphRoot {
        self.holder.root
    }

    /// Of goroutines: the function in whose frame most of it is held, where it is another than the one that
    /// they are named after. (Seen from outside: seqkit, "bound what main.main keeps", of what the function
    /// that sorts held in a variable.)
    pub(crate) fn frame(&self) -> Option<&'a str> {
        let path = self.holder.path.filter(|p| p.bytes.saturating_mul(2) >= self.root().retained_bytes)?;
        frame_of(path)
    }

    /// `main.cache holds 478 MB of it in 12,000 objects`.
    pub(crate) fn text(&self) -> String {
        let root = self.root();
        let held = format!("{} of it in {}", bytes(root.retained_bytes), plural(root.objects, "object"));
        match root.goroutines {
            0 => format!("{} holds {held}", root.name),
            1 => format!("1 goroutine in {} holds {held}", root.name),
            n => format!("{} goroutines in {} hold {held}", count(n), root.name),
        }
    }

    /// What else may help where it is a goroutine, or a few.
    pub(crate) fn in_pieces(&self) -> &'static str {
        if (1..MIN_CALLS).contains(&self.root().goroutines) { IN_PIECES } else { "" }
    }

    /// The same with what it is, and by which way, as far as that is known.
    pub(crate) fn in_full(&self) -> String {
        let what = self.what().map_or_else(String::new, |what| format!(", {what}"));
        format!("{}{what}", self.text())
    }

    /// `mostly []main.Item, by way of global main.cache .entries -> []main.Item`, as far as it is known.
    pub(crate) fn what(&self) -> Option<String> {
        let mostly = self.holder.mostly().map(|kind| format!("mostly {kind}"));
        let way = self.holder.way().map(|way| format!("by way of {way}"));
        let known: Vec<String> = mostly.into_iter().chain(way).collect();
        (!known.is_empty()).then(|| known.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    fn root(kind: &str, name: &str, mb: u64, goroutines: u64) -> GraphRoot {
        GraphRoot {
            kind: kind.into(),
            name: name.into(),
            objects: 100,
            retained_bytes: mb * MB,
            goroutines,
            ..GraphRoot::default()
        }
    }

    fn graph(live: u64, garbage: u64, roots: Vec<GraphRoot>) -> GraphFacts {
        let (live_bytes, garbage_bytes) = (live * MB, garbage * MB);
        GraphFacts { of_one_moment: true, live_bytes, garbage_bytes, roots, ..GraphFacts::default() }
    }

    #[test]
    fn who_a_way_begins_at_is_known_by_its_own_name() {
        let of = |steps: &[&str]| {
            let steps = steps.iter().map(|s| (*s).to_owned()).collect();
            holder_of(&GraphPath { steps, ..GraphPath::default() }).map(str::to_owned)
        };
        assert_eq!(of(&["goroutines in main.work", ".queue"]).as_deref(), Some("main.work"));
        assert_eq!(of(&["goroutine in main.main", "[frame main.load]", ".m"]).as_deref(), Some("main.load"));
        assert_eq!(of(&["global main.cache", ".m"]).as_deref(), Some("main.cache"));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn the_frame_that_holds_most_is_known_from_the_way() {
        let mut g = graph(400, 0, vec![root("goroutine", "main.main", 390, 1)]);
        let steps = ["goroutine in main.main", "[frame main.sortAll]", "?"].map(str::to_owned).to_vec();
        g.paths = vec![GraphPath { steps, bytes: 300 * MB, ..GraphPath::default() }];
        let frame = |g: &GraphFacts| {
            let reach = Reachability::of(Some(g), 400 * MB).unwrap();
            reach.holder.unwrap().frame().map(str::to_owned)
        };
        assert_eq!(frame(&g).as_deref(), Some("main.sortAll"));
        g.paths[0].bytes = 100 * MB;
        assert_eq!(frame(&g), None, "most of it is held elsewhere");
    }

    #[test]
    fn what_goroutines_do_not_hold_stays_when_they_end() {
        let mut g = graph(400, 0, vec![root("goroutine", "main.work", 1, 8)]);
        let way =
            |from: &str| GraphPath { steps: vec![from.into(), ".m".into()], bytes: 150 * MB, ..GraphPath::default() };
        g.paths = vec![way("global main.timers"), way("global main.timers")];
        let is_apart = |g: &GraphFacts| Reachability::of(Some(g), 400 * MB).unwrap().is_apart_from_goroutines();
        assert!(is_apart(&g));
        g.paths[0] = way("goroutines in main.work");
        assert!(!is_apart(&g), "half of it by way of them");
        g.paths[0] = way("global main.timers");
        g.roots[0].retained_bytes = 80 * MB;
        assert!(!is_apart(&g), "they have a part of their own");
    }

    /// All handlers' data is kept by way of the server's own goroutine as well: that is no place to look.
    #[test]
    fn a_servers_loop_is_no_place() {
        let from = |steps: &[&str]| {
            let mut g = graph(400, 0, Vec::new());
            let steps = steps.iter().map(|s| (*s).to_owned()).collect();
            g.paths = vec![GraphPath { steps, bytes: 300 * MB, ..GraphPath::default() }];
            g.census = vec![GraphCensus {
                type_name: "map[string]main.item".into(),
                elements: 9_000,
                retained_bytes: 390 * MB,
                count: 1,
                ..GraphCensus::default()
            }];
            let (text, from) = Reachability::of(Some(&g), 400 * MB).unwrap().shared_collection().unwrap();
            assert!(text.starts_with("one map[string]main.item of 9,000 elements keeps 390 MB of it, by way of"));
            from.map(str::to_owned)
        };
        assert_eq!(from(&["goroutine in main.load", "[frame main.main]", ".m"]).as_deref(), Some("main.load"));
        assert_eq!(from(&["goroutine in svc.load", ".m"]).as_deref(), Some("svc.load"));
        assert_eq!(from(&["goroutine in main.main.gowrap1", "[frame net/http.(*Server).Serve]", ".Handler"]), None);
        assert_eq!(from(&["goroutine in svc.serve", "[frame net/http.(*Server).Serve]", ".Handler"]), None);
        assert_eq!(from(&["global main.cache", ".m"]), None);
    }

    #[test]
    fn who_keeps_it_is_to_be_bounded() {
        let g = graph(400, 0, vec![root("goroutine", "main.collect", 390, 1)]);
        let said = Reachability::of(Some(&g), 400 * MB).unwrap().bounding();
        let expected = "Bound what main.collect keeps, or let go of it: 1 goroutine in main.collect holds 390 MB of it";
        assert!(said.as_ref().is_some_and(|s| s.starts_with(expected)), "{said:?}");
        let nobody = graph(400, 0, vec![root("goroutine", "main.collect", 9, 1)]);
        assert_eq!(Reachability::of(Some(&nobody), 400 * MB).unwrap().bounding(), None);
        assert!(is_of_a_server("http.routingNode") && is_of_a_server("[]*grpc.service"));
        assert!(!is_of_a_server("main.cache") && !is_of_a_server("httpd.cache"));
    }

    #[test]
    fn the_runtimes_own_lists_are_nobodys_collection() {
        let mut g = graph(400, 0, Vec::new());
        let of = |type_name: &str| GraphCensus {
            type_name: type_name.into(),
            elements: 11,
            retained_bytes: 390 * MB,
            count: 1,
            ..GraphCensus::default()
        };
        g.census = vec![of("[]*runtime.sudog")];
        assert_eq!(Reachability::of(Some(&g), 400 * MB).unwrap().collection_text(), None);
        g.census = vec![of("[]*main.item")];
        assert!(Reachability::of(Some(&g), 400 * MB).unwrap().collection_text().is_some());
    }

    #[test]
    fn what_was_there_before_is_no_proof() {
        let g = graph(400, 100, vec![root("global", "main.cache", 380, 0)]);
        // Of 500 MB 450 came: whatever was garbage before, 350 of these are alive.
        let r = Reachability::of(Some(&g), 450 * MB).unwrap();
        assert_eq!((r.is_alive(), r.variable().map(|h| h.root().name.as_str())), (Some(true), Some("main.cache")));
        assert!((r.holder.unwrap().part - 330.0 / 450.0).abs() < 1e-9);
        // 100 came: they may be the garbage, and the cache may always have been so large.
        let r = Reachability::of(Some(&g), 100 * MB).unwrap();
        assert_eq!((r.is_alive(), r.holder), (None, None));
        // Nearly all is garbage.
        let g = graph(20, 480, vec![root("global", "main.cache", 19, 0)]);
        let r = Reachability::of(Some(&g), 480 * MB).unwrap();
        assert_eq!((r.is_alive(), r.holder), (Some(false), None));
    }

    #[test]
    fn what_is_kept_is_said_by_holder_else_by_way_else_by_type() {
        use crate::facts::GraphType;
        let mut g = graph(500, 10, vec![root("goroutine", "main.tab", 490, 158)]);
        g.types = vec![GraphType { name: "[]uint8".into(), objects: 9, bytes: 400 * MB, ..GraphType::default() }];
        let said = |g: &GraphFacts| Reachability::of(Some(g), 500 * MB).unwrap().kept().map(|e| e.text);
        assert!(said(&g).unwrap().contains("158 goroutines in main.tab hold 490 MB of it"));
        g.roots.clear();
        let by_type = "by the heap's references: 400 MB of what is live is 9 []uint8";
        assert_eq!(said(&g).as_deref(), Some(by_type));
        let steps = vec!["global main.p".to_owned(), ".queue".to_owned()];
        let goroutines = vec!["goroutines in main.(*pipe).send [frame main.copy]".to_owned(), ".data".to_owned()];
        g.paths = vec![GraphPath { steps: goroutines, bytes: 300 * MB, ..GraphPath::default() }];
        assert_eq!(Reachability::of(Some(&g), 500 * MB).unwrap().way_from().map(|w| w.0), Some("main.(*pipe).send"));
        assert_eq!(Reachability::of(Some(&g), 5000 * MB).unwrap().way_from(), None, "it is not most of it");
        g.paths = vec![GraphPath { steps, type_name: "main.event".into(), bytes: 300 * MB, ..GraphPath::default() }];
        assert!(
            said(&g).unwrap().ends_with("300 MB of what is live is kept by way of global main.p .queue -> main.event")
        );
        let map = |type_name: &str, elements, mb| GraphCensus {
            type_name: type_name.into(),
            elements,
            retained_bytes: mb * MB,
            count: 1,
            ..GraphCensus::default()
        };
        g.census =
            vec![map("map[string]main.scope", 9, 480), map("map[string]main.value", 32_095, 470), map("[]int", 7, 90)];
        let within = "; one map[string]main.value of 32,095 elements keeps 470 MB of it";
        assert!(said(&g).unwrap().ends_with(within), "{:?}", said(&g));
        g.census.clear();
        (g.paths[0].bytes, g.types[0].bytes) = (200 * MB, 200 * MB);
        assert_eq!(said(&g), None, "neither is most of it");
    }

    #[test]
    fn goroutines_and_variables_are_told_apart_and_moving_heaps_say_nothing() {
        let mut g = graph(500, 10, vec![root("goroutine", "main.tab", 490, 158), root("runtime", "x", 5, 0)]);
        let r = Reachability::of(Some(&g), 500 * MB).unwrap();
        assert!(r.variable().is_none());
        assert_eq!(r.goroutines().unwrap().text(), "158 goroutines in main.tab hold 490 MB of it in 100 objects");
        g.of_one_moment = false;
        assert_eq!(Reachability::of(Some(&g), 500 * MB), None);
        assert_eq!(Reachability::of(None, 500 * MB), None);
    }
}
