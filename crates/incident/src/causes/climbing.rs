//! Memory that climbs, and nobody has died of it and no capture was taken: what the watch has then is the
//! course of memory, of the Go heap and of goroutines, and what others count. It tells kinds apart, and names
//! no code.

use lastgasp_diagnosis::units::{bytes, count, percent, seconds};

use super::weights::{BASE_OTHER, FINDS_OTHER, FITS};
use super::{Cause, Kind, Scene};
use crate::evidence::Climb;
use crate::order::{Onset, Relation};
use crate::statistics::robust::median;

/// Below this part of the growth it is not the heap that grows; from that on it is the heap alone.
const NOT_THE_HEAP: f64 = 0.3;
const THE_HEAP: f64 = 0.6;
/// Calls are counted as many more from so many times on.
const MORE: f64 = 1.3;
/// What it says that traffic, which is counted, did not rise.
const NOT_ASKED_MORE: f64 = 0.5;
/// A climb of this length is of no load that came, and piles up till calls are given up.
const LONG_SECONDS: f64 = 180.0;

/// Kinds that the course of memory speaks for; none where a capture says more, or somebody has died.
pub(super) fn causes(scene: &Scene<'_>) -> Vec<Cause> {
    let climbs: Vec<Climb> = scene.dead.iter().filter_map(|l| l.climb()).collect();
    let Some(longest) = climbs.iter().max_by_key(|c| c.to_bytes.saturating_sub(c.from_bytes)) else {
        return Vec::new();
    };
    if !scene.captures.is_empty() || !scene.is_alive() {
        return Vec::new();
    }
    let parts: Vec<f64> = climbs.iter().filter_map(Climb::of_heap).collect();
    let of_heap = median(&parts);
    let rose = climbs.iter().filter(|c| c.goroutines_rose()).count() * 2 > climbs.len();
    let mut out = Vec::new();
    match of_heap {
        Some(part) if part < NOT_THE_HEAP => {
            let mut cause = Cause::new(Kind::OffHeap, "outside the Go heap", BASE_OTHER);
            let text = format!("the Go heap is {} of what grew (the middle of {})", percent(part), parts.len());
            cause.term("climb", FITS * 1.5, text);
            cause.sentence = format!("memory outside the Go heap grows steadily: {}", course(longest));
            cause.undo = "restart instances one by one to gain time; then find who maps it".into();
            out.push(cause);
        }
        Some(part) => {
            let mut cause = Cause::new(Kind::Leak, "the Go heap", BASE_OTHER);
            let weight = if part >= THE_HEAP { FITS * 1.5 } else { FITS };
            let text = format!(
                "the Go heap is {} of what grew, without resting (the middle of {})",
                percent(part),
                parts.len()
            );
            cause.term("climb", weight, text);
            if rose {
                cause.term("goroutines", FINDS_OTHER, goroutines(longest));
            }
            asked(scene, &mut cause);
            cause.sentence = format!("the Go heap grows steadily, as a leak does: {}", course(longest));
            cause.undo = "restart instances one by one to gain time; then fix what keeps it".into();
            out.push(cause);
        }
        None => {}
    }
    if rose {
        let mut cause = Cause::new(Kind::GoroutineLeak, "goroutines", BASE_OTHER);
        cause.term("climb", FITS * 1.5, goroutines(longest));
        asked(scene, &mut cause);
        if let Some(o) = scene.order.iter().find(|o| is_slow(scene, o)) {
            cause.term("what they wait for", FINDS_OTHER, o.text.clone());
        }
        cause.sentence = format!("goroutines come and do not go: {}", goroutines(longest));
        cause.undo = "restart instances one by one to gain time; a capture tells what they wait for".into();
        out.push(cause);
    }
    for cause in &mut out {
        cause.at = Some(longest.onset().middle());
        if longest.seconds() >= LONG_SECONDS {
            cause.term("pace", FITS / 2.0, format!("it has gone on for {}", seconds(longest.seconds())));
        }
    }
    out
}

/// More calls, where somebody counts them, explain more memory; as many as ever do not.
fn asked(scene: &Scene<'_>, cause: &mut Cause) {
    let known = ["first attempts", "attempts"].into_iter().filter_map(|name| scene.series(name));
    let known: Vec<&Onset> = known.filter(|o| o.relation != Relation::Unknown || o.levels.is_some()).collect();
    let more = known
        .iter()
        .find(|o| o.relation.may_be_first() || (o.is_more() && o.levels.is_some_and(|(was, now)| now > was * MORE)));
    match (more, known.first()) {
        (Some(o), _) => cause.term("traffic", FINDS_OTHER, o.text.clone()),
        (None, Some(o)) => cause.term("traffic", NOT_ASKED_MORE, o.text.clone()),
        (None, None) => {}
    }
}

/// Whether a dependency was slow or failed before memory grew, or with it: then calls wait for it.
fn is_slow(scene: &Scene<'_>, o: &Onset) -> bool {
    let of_dependency = o.series.starts_with("latency of ") || o.series.starts_with("errors of ");
    (of_dependency || super::outside::answers_later(scene, o)) && o.relation.may_be_first()
}

fn course(c: &Climb) -> String {
    format!("{} -> {} within {}", bytes(c.from_bytes), bytes(c.to_bytes), seconds(c.seconds()))
}

fn goroutines(c: &Climb) -> String {
    format!("{} -> {} goroutines as memory grew", count(c.goroutines_from), count(c.goroutines_to))
}
