//! The quick census, from and to its stored form.

use lastgasp_goruntime::collections::HeaderKind;
use lastgasp_goruntime::quick_census::{Anchor, Hop, MAX_HOPS, QuickReading, StackAnchor, Way};
use lastgasp_inferior::Addr;

use super::stored::{StoredAnchor, StoredCensus, StoredChange, StoredCollection, StoredHop, StoredReading};
use crate::target::census::{CensusHistory, KnownCollection, MAX_CENSUS_LOOKS, MAX_COLLECTIONS};

/// Names of what is known so.
const KINDS: [(HeaderKind, &str); 2] = [(HeaderKind::Map, "map"), (HeaderKind::Slice, "slice")];

/// The census of a capture; `None` where nothing is known.
pub(super) fn census(history: &CensusHistory) -> Option<StoredCensus> {
    (!history.collections.is_empty()).then(|| StoredCensus {
        t_ms: history.t_ms,
        times: history.times.clone(),
        collections: history.collections.iter().map(collection).collect(),
    })
}

fn collection(c: &KnownCollection) -> StoredCollection {
    let name = KINDS.iter().find(|(kind, _)| *kind == c.way.kind).map_or("", |(_, name)| name);
    let anchor = match c.way.anchor {
        Anchor::Variable(at) => StoredAnchor { variable: at.0, ..StoredAnchor::default() },
        Anchor::Stack(s) => StoredAnchor {
            variable: 0,
            g: s.g.0,
            goid: s.goid,
            word: s.word,
            pc_word: s.pc_word,
            pc: s.pc.0,
            object: s.object.0,
        },
    };
    StoredCollection {
        kind: name.into(),
        anchor,
        hops: c.way.hops.iter().map(|h| StoredHop { offset: h.offset, tag: h.tag }).collect(),
        changes: c.changes().iter().map(|(t_ms, elements)| StoredChange { t_ms: *t_ms, elements: *elements }).collect(),
        now: c.now.map(|r| StoredReading {
            elements: r.elements,
            capacity: r.capacity,
            header: r.header.0,
            array: r.array.0,
        }),
    }
}

/// Back. What is not known here is left out, and what is too much too.
pub(super) fn restore_census(stored: Option<&StoredCensus>) -> CensusHistory {
    let Some(stored) = stored else { return CensusHistory::default() };
    CensusHistory {
        times: stored.times.iter().copied().take(MAX_CENSUS_LOOKS).collect(),
        collections: stored.collections.iter().take(MAX_COLLECTIONS).filter_map(restore).collect(),
        t_ms: stored.t_ms,
    }
}

fn restore(c: &StoredCollection) -> Option<KnownCollection> {
    let kind = KINDS.iter().find(|(_, name)| *name == c.kind)?.0;
    let a = &c.anchor;
    let anchor = match a.variable {
        0 => Anchor::Stack(StackAnchor {
            g: Addr(a.g),
            goid: a.goid,
            word: a.word,
            pc_word: a.pc_word,
            pc: Addr(a.pc),
            object: Addr(a.object),
        }),
        at => Anchor::Variable(Addr(at)),
    };
    let hops = c.hops.iter().take(MAX_HOPS).map(|h| Hop { offset: h.offset, tag: h.tag }).collect();
    let changes = c.changes.iter().take(2 * MAX_CENSUS_LOOKS).map(|s| (s.t_ms, s.elements)).collect();
    let now = c.now.as_ref().map(|r| QuickReading {
        elements: r.elements,
        capacity: r.capacity,
        header: Addr(r.header),
        array: Addr(r.array),
    });
    Some(KnownCollection::new(Way { anchor, hops, kind }, changes, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_census_comes_back() {
        let stack = StackAnchor {
            g: Addr(1),
            goid: 18,
            word: 64,
            pc_word: 96,
            pc: Addr(0x40_1000),
            object: Addr(0xc000_0000_0100),
        };
        let way = |anchor, kind| Way { anchor, hops: vec![Hop { offset: 8, tag: 0x50_0000 }], kind };
        let now = QuickReading {
            elements: 230_000,
            capacity: 230_000,
            header: Addr(0xc000_0000_0200),
            array: Addr(0xc000_0010_0000),
        };
        let history = CensusHistory {
            times: vec![0, 5000, 10_000],
            collections: vec![
                KnownCollection::new(
                    way(Anchor::Stack(stack), HeaderKind::Slice),
                    vec![(0, 312), (10_000, 230_000)],
                    Some(now),
                ),
                KnownCollection::new(
                    way(Anchor::Variable(Addr(0x60_0000)), HeaderKind::Map),
                    vec![(5000, u64::MAX)],
                    None,
                ),
            ],
            t_ms: 12_000,
        };
        let stored = census(&history).unwrap();
        let text = serde_json::to_string(&stored).unwrap();
        let again: StoredCensus = serde_json::from_str(&text).unwrap();
        assert_eq!(restore_census(Some(&again)), history);
        assert_eq!(restore_census(None), CensusHistory::default());
        assert!(census(&CensusHistory::default()).is_none());
    }
}
