//! As many blocked goroutines as a capture tells one by one.

use lastgasp_diagnosis::facts::BlockedGoroutines;

/// Goroutines that are told: those of the lowest numbers, which are the oldest.
const MOST: usize = 100_000;

/// Leaves out those beyond, and what only they wait for.
pub(crate) fn keep_most(facts: &mut BlockedGoroutines) {
    keep(facts, MOST);
}

fn keep(facts: &mut BlockedGoroutines, most: usize) {
    if facts.each.len() <= most {
        return;
    }
    facts.each.truncate(most);
    let mut kept = vec![false; facts.objects.len()];
    for object in facts.each.iter().flat_map(|g| g.waits.iter().filter_map(|w| w.object)) {
        if let Some(kept) = kept.get_mut(object as usize) {
            *kept = true;
        }
    }
    let mut count = 0u32;
    let number = |kept: &bool| {
        let own = count;
        count += u32::from(*kept);
        kept.then_some(own)
    };
    let place: Vec<Option<u32>> = kept.iter().map(number).collect();
    let mut kept = kept.into_iter();
    facts.objects.retain(|_| kept.next().unwrap_or_default());
    let of = |object: u32| place.get(object as usize).copied().flatten();
    for g in &mut facts.each {
        for wait in &mut g.waits {
            wait.object = wait.object.and_then(of);
        }
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::facts::{BlockedGoroutine, Wait, WaitObject};

    use super::*;

    #[test]
    fn the_oldest_and_what_they_wait_for() {
        let g = |id, objects: &[u32]| BlockedGoroutine {
            id,
            waits: objects.iter().map(|o| Wait { object: Some(*o), ..Wait::default() }).collect(),
            ..BlockedGoroutine::default()
        };
        let objects = (0..5).map(|address| WaitObject { address, ..WaitObject::default() }).collect();
        let each = vec![g(1, &[4, 0]), g(2, &[4, 99, 2]), g(3, &[1, 3])];
        let mut facts = BlockedGoroutines { each, objects, total: 3, ..BlockedGoroutines::default() };
        let whole = facts.clone();
        keep(&mut facts, 3);
        assert_eq!(facts, whole);
        keep(&mut facts, 2);
        let at: Vec<u64> = facts.objects.iter().map(|o| o.address).collect();
        assert_eq!((at, facts.total), (vec![0, 2, 4], 3));
        let waits: Vec<Vec<Option<u32>>> =
            facts.each.iter().map(|g| g.waits.iter().map(|w| w.object).collect()).collect();
        assert_eq!(waits, [vec![Some(2), Some(0)], vec![Some(2), None, Some(1)]]);
    }
}
