//! The wait-for graph of locks, for people to look at: who waits for which lock, and who seems to hold it. A
//! goroutine waits for one lock at most, so that each has one way out of it.

use std::collections::BTreeMap;

use super::scene::Scene;
use super::verdict::{GoroutineVerdict, Sureness, VerdictGroup};
use super::wait_graph::{Chain, End, holder};
use super::words;

/// Goroutines and locks of the graph that are told, the gravest groups first.
const MOST: usize = 60;

/// A goroutine of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitNode {
    /// `goid`.
    pub goroutine: u64,
    /// The function of the program that it is in; empty where it is not known.
    pub function: String,
    /// What it does.
    pub does: String,
    /// Others that wait like it, and are not drawn by themselves.
    pub alike: u64,
    /// Whether it is part of a ring.
    pub in_ring: bool,
}

/// A goroutine that waits for a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitEdge {
    /// Who waits.
    pub from: u64,
    /// The lock, in words.
    pub lock: String,
    /// Where it stands.
    pub address: u64,
    /// Who seems to hold it; absent where that cannot be known.
    pub to: Option<u64>,
    /// How sure that is.
    pub sureness: Sureness,
}

/// The graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitFor {
    /// Goroutines, by number.
    pub nodes: Vec<WaitNode>,
    /// What each waits for, by number.
    pub edges: Vec<WaitEdge>,
}

impl WaitFor {
    pub(super) fn of(scene: &Scene<'_>, each: &[GoroutineVerdict], groups: &[VerdictGroup]) -> Self {
        let (mut nodes, mut edges) = (BTreeMap::new(), BTreeMap::new());
        for group in groups {
            let Some(seen) = each.get(group.first).and_then(|v| scene.seen(v.blocked)) else { continue };
            let Some(chain) = Chain::of(scene, &seen) else { continue };
            if nodes.len() + chain.links.len() > MOST {
                break;
            }
            add(scene, &chain, &mut nodes, &mut edges);
            if let Some(n) = nodes.get_mut(&seen.g.id) {
                n.alike = n.alike.max(group.count.saturating_sub(1));
            }
        }
        Self { nodes: nodes.into_values().collect(), edges: edges.into_values().collect() }
    }
}

fn add(scene: &Scene<'_>, chain: &Chain, nodes: &mut BTreeMap<u64, WaitNode>, edges: &mut BTreeMap<u64, WaitEdge>) {
    let mut node = |id: u64, in_ring: bool| {
        let n = nodes.entry(id).or_insert_with(|| WaitNode {
            goroutine: id,
            function: scene.view(id).at.map(|f| f.function.clone()).unwrap_or_default(),
            does: words::does(scene, id),
            alike: 0,
            in_ring,
        });
        n.in_ring |= in_ring;
    };
    for (i, link) in chain.links.iter().enumerate() {
        node(link.goroutine, chain.ring().contains(link));
        let to = match (chain.links.get(i + 1), chain.end) {
            (Some(next), _) => Some(next.goroutine),
            (None, End::Ring(at)) => chain.links.get(at).map(|l| l.goroutine),
            (None, End::Blocked(id) | End::Runs(id)) => Some(id),
            (None, End::Unknown(_)) => None,
        };
        if let Some(id) = to {
            node(id, false);
        }
        let held = scene.blocked_by_id(link.goroutine).and_then(|s| holder(scene, &s, link.object));
        let object = scene.blocked.objects.get(link.object);
        edges.insert(
            link.goroutine,
            WaitEdge {
                from: link.goroutine,
                lock: object.map_or_else(String::new, words::object),
                address: object.map_or(0, |o| o.address),
                to,
                sureness: held.map_or(Sureness::Possible, super::holds::Holds::sureness),
            },
        );
    }
}
