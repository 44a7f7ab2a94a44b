//! One object that several lead to, and that keeps most of what grew: by the tree of who keeps whom. What it
//! has many of is no copy that each call in flight has of its own. Pure.

use crate::facts::{GraphFacts, GraphLeader, GraphNode, GraphRoot};
use crate::owner::is_of_package_of;
use crate::thresholds::heap_growth::ONE_EACH;
use crate::units::{bytes, count, plural};

/// What a map of the runtime's is made of, which are not its entries.
const PARTS_OF_MAPS: [&str; 4] = ["[]*map.table[", "map.table[", "[]map.group[", "map.group["];
/// Steps into the tree that are looked at for entries.
const MOST_STEPS: usize = 16;
/// Part, as one in so many, of a crowd's objects that goroutines of a function may not lead to: some may just
/// have come or gone.
const ONE_IN: u64 = 10;

/// Such an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SharedObject<'a> {
    node: &'a GraphNode,
    /// The last single object of a named type down the tree that still keeps nearly all of it: a server leads
    /// to its handler, and that to the store which is meant.
    within: Option<&'a GraphNode>,
    /// How many of a kind it keeps, at least: where the tree below it first has several; 1 where it has not.
    entries: u64,
}

impl<'a> SharedObject<'a> {
    /// The object that no root alone keeps and that keeps most; `None` where several of its kind do.
    pub(crate) fn largest(graph: &'a GraphFacts) -> Option<Self> {
        let alone = |n: &&GraphNode| n.parent == Some(0) && n.kind == "object" && n.count == 1;
        let node = graph.tree.iter().filter(alone).rev().max_by_key(|n| n.retained_bytes)?;
        Some(Self { node, within: within(graph, node), entries: entries(graph, node) })
    }

    /// Bytes that it keeps.
    pub(crate) fn retained_bytes(&self) -> u64 {
        self.node.retained_bytes
    }

    /// Its type; of what keeps nearly all of it within, that one's.
    pub(crate) fn name(&self) -> &'a str {
        &self.within.unwrap_or(self.node).name
    }

    /// Whether a function is of the package of its type, or of what keeps nearly all of it within.
    pub(crate) fn is_of_package(&self, function: &str) -> bool {
        [Some(self.node), self.within].into_iter().flatten().any(|n| is_of_package_of(function, &n.name))
    }

    /// Whether it has about one for each of so many calls, as a list of those that are being answered has:
    /// then it keeps what is theirs.
    pub(crate) fn has_one_for_each(&self, calls: u64) -> bool {
        self.entries <= calls.saturating_mul(ONE_EACH) && calls <= self.entries.saturating_mul(ONE_EACH)
    }

    /// `one main.Broker, to which several lead, keeps 611 MB of it in 255,117 objects`.
    pub(crate) fn text(&self) -> String {
        let n = self.node;
        let (held, objects) = (bytes(n.retained_bytes), plural(n.objects, "object"));
        let within = match self.within {
            Some(within) => format!(", nearly all in one {}", within.name),
            None => String::new(),
        };
        format!("one {}, to which several lead, keeps {held} of it in {objects}{within}", n.name)
    }
}

/// Objects of one type that several lead to, one for each of as many goroutines, and that keep most of what
/// grew: a queue between who fills it and who empties it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SharedCrowd<'a> {
    node: &'a GraphNode,
}

impl<'a> SharedCrowd<'a> {
    /// Those that keep most, if there are more of them than one.
    pub(crate) fn largest(graph: &'a GraphFacts) -> Option<Self> {
        let shared = |n: &&GraphNode| n.parent == Some(0) && n.kind == "object" && n.count > 1;
        let node = graph.tree.iter().filter(shared).rev().max_by_key(|n| n.retained_bytes)?;
        Some(Self { node })
    }

    /// Bytes that they keep.
    pub(crate) fn retained_bytes(&self) -> u64 {
        self.node.retained_bytes
    }

    /// Their type.
    pub(crate) fn name(&self) -> &'a str {
        &self.node.name
    }

    /// How many they are.
    pub(crate) fn count(&self) -> u64 {
        self.node.count
    }

    /// Functions of goroutines of which about one leads to each of them, those of most first.
    pub(crate) fn led_to_by(&self) -> impl Iterator<Item = &'a str> {
        let node = self.node;
        let one_each = move |l: &&GraphLeader| {
            let most = |n: u64| n.saturating_mul(ONE_IN) >= node.count.saturating_mul(ONE_IN - 1);
            l.kind == "goroutine" && most(l.objects) && most(l.goroutines)
        };
        node.led_to_by.iter().filter(one_each).map(|l| l.name.as_str())
    }

    /// `24 main.relay keep 199 MB of it: a goroutine in main.drain leads to each, and one in main.fill`.
    pub(crate) fn text(&self) -> String {
        let who: Vec<String> = self.led_to_by().map(|f| format!("a goroutine in {f}")).collect();
        let n = self.node;
        format!(
            "{} {} keep {} of it; to each lead {}",
            count(n.count),
            n.name,
            bytes(n.retained_bytes),
            who.join(" and ")
        )
    }
}

/// The one object that goroutines in one function all lead to, and that keeps nearly all of what they keep
/// together: no part of it is any one's own (seen in `lab/deaths`, map-grows, when the server's own stack was
/// gone: 2,596 connections "hold" the one map that their handler fills).
pub(crate) fn one_of_all<'a>(graph: &'a GraphFacts, root: &GraphRoot) -> Option<&'a GraphNode> {
    let of_root = |n: &&GraphNode| n.kind == "goroutine" && n.name == root.name;
    let node = graph.tree.iter().find(of_root).filter(|_| root.goroutines > 1)?;
    let one = heaviest_below(graph, node).filter(|n| n.count == 1)?;
    (one.retained_bytes.saturating_mul(ONE_IN) >= root.retained_bytes.saturating_mul(ONE_IN - 1)).then_some(one)
}

fn within<'a>(graph: &'a GraphFacts, from: &'a GraphNode) -> Option<&'a GraphNode> {
    let (mut at, mut found) = (from, None);
    for _ in 0..MOST_STEPS {
        let child = heaviest_below(graph, at);
        let nearly_all = |n: &&GraphNode| n.retained_bytes.saturating_mul(ONE_IN) >= from.retained_bytes * (ONE_IN - 1);
        let Some(child) = child.filter(|n| n.count == 1).filter(nearly_all) else { break };
        // Containers and what is not known are no names, nor are pieces of the runtime's maps.
        let is_named =
            child.name.contains('.') && !child.name.starts_with(['[', '*', '(']) && !child.name.starts_with("map");
        if is_named {
            found = Some(child);
        }
        at = child;
    }
    found
}

/// How many there are where the heaviest way down the tree first has several of a kind.
fn entries(graph: &GraphFacts, from: &GraphNode) -> u64 {
    let mut at = from;
    // What is not known may be a part of a map as well.
    let mut unknown = 1;
    for _ in 0..MOST_STEPS {
        let Some(child) = heaviest_below(graph, at) else { break };
        if child.name.starts_with("unknown") {
            unknown = unknown.max(child.count);
        } else if child.count > 1 && !PARTS_OF_MAPS.iter().any(|part| child.name.starts_with(part)) {
            return child.count;
        }
        at = child;
    }
    unknown
}

/// The object right below a node of the tree that keeps most.
fn heaviest_below<'a>(graph: &'a GraphFacts, node: &GraphNode) -> Option<&'a GraphNode> {
    let at = graph.tree.iter().position(|n| std::ptr::eq(n, node)).and_then(|i| u32::try_from(i).ok())?;
    let is_child = |n: &&GraphNode| n.parent == Some(at) && n.kind == "object";
    graph.tree.iter().filter(is_child).rev().max_by_key(|n| n.retained_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(parent: Option<u32>, name: &str, count: u64, retained_bytes: u64) -> GraphNode {
        let kind = if parent.is_none() { "heap" } else { "object" };
        GraphNode {
            parent,
            name: name.into(),
            kind: kind.into(),
            count,
            retained_bytes,
            objects: 9,
            ..GraphNode::default()
        }
    }

    /// As `lab/deaths`, order-events has it: 73 calls in flight, and 19,864 topics that nobody takes away.
    #[test]
    fn what_it_has_many_of_is_not_of_the_calls() {
        let mut g = GraphFacts {
            tree: vec![
                node(None, "live heap", 1, 620),
                node(Some(0), "runtime.p", 2, 900),
                node(Some(0), "main.Broker", 1, 600),
                node(Some(2), "map[string]*main.topic", 1, 590),
                node(Some(3), "[]map.group[string]*main.topic", 64, 580),
                node(Some(4), "main.topic", 19_864, 570),
            ],
            ..GraphFacts::default()
        };
        let it = SharedObject::largest(&g).unwrap();
        assert_eq!((it.retained_bytes(), it.entries), (600, 19_864));
        assert_eq!(it.text(), "one main.Broker, to which several lead, keeps 600 B of it in 9 objects");
        assert!(!it.has_one_for_each(73));
        // A server leads to its handler, and that to the store.
        let mut served = GraphFacts {
            tree: vec![
                node(None, "live heap", 1, 620),
                node(Some(0), "http.Server", 1, 600),
                node(Some(1), "func()", 1, 599),
                node(Some(2), "s3mem.Backend", 1, 598),
                node(Some(3), "map[string]*s3mem.bucket", 1, 597),
                node(Some(4), "s3mem.bucket", 1, 590),
                node(Some(5), "skiplist.node", 2_000, 580),
            ],
            ..GraphFacts::default()
        };
        let said =
            "one http.Server, to which several lead, keeps 600 B of it in 9 objects, nearly all in one s3mem.bucket";
        assert_eq!(SharedObject::largest(&served).unwrap().text(), said);
        served.tree[3].retained_bytes = 300;
        assert_eq!(SharedObject::largest(&served).unwrap().name(), "http.Server");
        // Of a stripped program not all types are known.
        g.tree[4].name = "unknown".into();
        assert_eq!(SharedObject::largest(&g).unwrap().entries, 19_864);
        // A list of the calls in flight keeps what is theirs.
        g.tree[5].count = 80;
        assert!(SharedObject::largest(&g).unwrap().has_one_for_each(73));
        // One large thing that all share is nobody's copy.
        g.tree.truncate(4);
        assert!(!SharedObject::largest(&g).unwrap().has_one_for_each(73));
        g.tree.truncate(2);
        assert_eq!(SharedObject::largest(&g), None);
        assert_eq!(SharedObject::largest(&GraphFacts::default()), None);
    }

    /// `lab/deaths`, map-grows: connections whose server's own stack is gone all lead to one map.
    #[test]
    fn what_all_of_a_group_lead_to_is_no_ones_own() {
        let root = |goroutines| GraphRoot {
            kind: "goroutine".into(),
            name: "net/http.(*conn).serve".into(),
            goroutines,
            retained_bytes: 600,
            ..GraphRoot::default()
        };
        let group = GraphNode { kind: "goroutine".into(), ..node(Some(0), "net/http.(*conn).serve", 1, 600) };
        let of = |child: GraphNode, goroutines| {
            let tree = vec![node(None, "live heap", 1, 620), group.clone(), child];
            let graph = GraphFacts { tree, ..GraphFacts::default() };
            one_of_all(&graph, &root(goroutines)).map(|one| one.name.clone())
        };
        let map = node(Some(1), "map[string]*main.Histogram", 1, 590);
        assert_eq!(of(map.clone(), 2596).as_deref(), Some("map[string]*main.Histogram"));
        assert_eq!(of(map, 1), None, "one alone has it for itself");
        assert_eq!(of(node(Some(1), "[]uint8", 2596, 590), 2596), None, "one each");
        assert_eq!(of(node(Some(1), "main.cache", 1, 100), 2596), None, "most is elsewhere");
    }
}
