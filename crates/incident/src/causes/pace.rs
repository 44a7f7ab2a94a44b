//! How fast the place of the growth allocates, against how often it is asked: more bytes a second are more
//! requests, other data or other code; as many as before that pile up are calls that last longer.

use super::weights::{FITS, KEEPS_PACE, OUTPACES, PACE, STEADY};
use super::{Cause, Scene};
use crate::order::Relation;

/// Up to so many times as fast is as fast as before: the process's life before, which the pace is measured
/// against, has its quiet start in it.
const AS_BEFORE: f64 = 1.5;
/// How much more than [`PACE`] it must be where nobody counts requests: retries alone can make it ten.
const UNCOUNTED: f64 = 10.0;

/// Whether the place of the growth allocates as fast as before, and what it makes piles up.
pub(super) fn lasts_longer(scene: &Scene<'_>) -> bool {
    scene.pace().is_some_and(|pace| pace < AS_BEFORE)
}

/// Of traffic: whether the place of the growth allocates so much faster than requests rose that they alone
/// are not what is new (seen in lab/cluster: an export that one caller asks for beside traffic that swings by
/// two, and traffic was named).
pub(super) fn of_requests(scene: &Scene<'_>, cause: &mut Cause, levels: Option<(f64, f64)>, is_storm: bool) -> bool {
    let Some(pace) = scene.pace() else { return false };
    // Of what nobody had asked before there is no rise.
    if levels.is_some_and(|(a, _)| a <= 0.0) && !lasts_longer(scene) {
        return false;
    }
    let Some((a, b)) = levels.filter(|(a, _)| *a > 0.0) else {
        if lasts_longer(scene) {
            cause.term("pace", STEADY / 2.0, as_before(pace));
            return false;
        }
        // Whoever it is that asks, and whether again: not so much more often (seen blind in lab/cluster: one
        // caller that asks for three million rows at once, as rarely as before; each death was tried again,
        // and "more requests than it can hold" came first). What is tried again while it waits piles up by
        // itself.
        let outpaces = asked(scene).filter(|rise| !is_storm && pace > rise * PACE);
        if let Some(rise) = outpaces {
            let text = format!(
                "the place of the growth allocates {} times as fast as before, it is asked {} times as often",
                times(pace),
                times(rise)
            );
            cause.term("pace", OUTPACES, text);
        }
        return outpaces.is_some();
    };
    let rise = (b / a).max(1.0);
    let text = format!(
        "requests rose to {} times as many, the place of the growth allocates {} times as fast as before",
        times(rise),
        times(pace)
    );
    let outpaces = pace > rise * PACE;
    cause.term("pace", if outpaces { OUTPACES } else { KEEPS_PACE }, text);
    outpaces
}

/// Of a dependency that is slow or fails: it lets calls last longer, and be tried again; they allocate no
/// more each. Whether the place of the growth outpaces that. (Seen in lab/cluster: a dependency a little
/// slower from the start, told as changed, and something large that each call began to build: 2,900 times
/// the pace.)
pub(super) fn of_waiting(scene: &Scene<'_>, cause: &mut Cause) -> bool {
    let Some(pace) = scene.pace() else { return false };
    if lasts_longer(scene) {
        cause.term("pace", KEEPS_PACE, as_before(pace));
        return false;
    }
    let asked = asked(scene);
    let outpaces = pace > asked.map_or(PACE * UNCOUNTED, |rise| rise * PACE);
    if outpaces {
        let often = match asked {
            Some(rise) if rise > AS_BEFORE => format!("it is asked {} times as often", times(rise)),
            Some(_) => "it is asked as often as before".to_owned(),
            None => "how often it is asked is not known".to_owned(),
        };
        let text = format!("the place of the growth allocates {} times as fast as before, {often}", times(pace));
        cause.term("pace", OUTPACES, text);
    }
    outpaces
}

/// Of a path that is said to be new: it allocates faster than before, or it is not what is new. Whether it
/// does so by far, however often it is asked. Beside something that jumped in the heaps it says nothing: that
/// is allocated by who reads it (seen in lab/cluster: 151,000 ids, copied by each request).
pub(super) fn of_path(scene: &Scene<'_>, cause: &mut Cause) -> bool {
    let Some(pace) = scene.pace() else { return false };
    if lasts_longer(scene) {
        cause.term("pace", -FITS, as_before(pace));
        return false;
    }
    let more = asked(scene).filter(|rise| pace > rise * PACE && scene.jumps.is_empty());
    let Some(rise) = more else { return false };
    let by_far = pace > rise * PACE * UNCOUNTED;
    let text =
        format!("it allocates {} times as fast as before, and is asked {} times as often", times(pace), times(rise));
    cause.term("pace", if by_far { FITS } else { KEEPS_PACE }, text);
    by_far
}

/// How many times as often a process of the service is asked as before, retries among it; `None` where nobody
/// counts.
fn asked(scene: &Scene<'_>) -> Option<f64> {
    let known = |o: &&crate::order::Onset| o.relation != Relation::Unknown || o.levels.is_some();
    let all = ["attempts", "first attempts"].into_iter().filter_map(|name| scene.series(name)).filter(known);
    let rises = all.filter_map(|o| o.levels).map(|(a, b)| if a > 0.0 { b / a } else { 1.0 });
    let share = scene.left.map_or(1.0, super::capacity::Left::times);
    rises.reduce(f64::max).map(|rise| rise.max(1.0) * share)
}

fn as_before(pace: f64) -> String {
    format!("the place of the growth allocates {} times as fast as before: calls last longer", times(pace))
}

fn times(n: f64) -> String {
    if n < 100.0 { format!("{n:.1}") } else { format!("{n:.0}") }
}
