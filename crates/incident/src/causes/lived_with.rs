//! Who has lived with what was published: the watch sees a collection jump in processes that do not die. What
//! they hold as well as the dead did, for long, needs something else to kill. (Seen in lab/cluster: 230,184
//! ids were read by all instances and did no harm for twelve seconds; then half of them got a release that
//! copied the ids for every request, and the ids were named with 0.97.)

use lastgasp_diagnosis::units::{count, seconds};

use super::Scene;
use crate::evidence::{Change, ChangeKind, UnixMs};
use crate::jump::is_near;
use crate::statistics::robust::median;

/// A process must have lived with it for so many times as long as the dead took from the beginning of their
/// growth to their end, and for at least so long, to have lived with it.
const TIMES: i64 = 3;
const LEAST_MS: i64 = 5_000;
/// So many are looked at: of a fleet of thousands a part tells as much.
const MOST: usize = 64;
/// Until a process has read what was published.
const READ_MS: i64 = 120_000;

/// Part of the processes known to have had it that lived with it, and the words; `None` where of nobody is
/// known when it had it.
pub(super) fn part(scene: &Scene<'_>, change: &Change) -> Option<(f64, String)> {
    let elements = change.elements.filter(|n| *n > 0)?;
    let seen = scene.changes.iter().filter(|c| {
        let late = c.at_unix_ms.saturating_sub(change.at_unix_ms);
        c.kind == ChangeKind::Census
            && c.source == "watch"
            && c.elements.is_some_and(|n| is_near(n, elements))
            && (-2_000..=READ_MS).contains(&late)
    });
    let mut had: Vec<(i32, UnixMs)> = Vec::new();
    let enough = time_to_die(scene)?.saturating_mul(TIMES).max(LEAST_MS);
    let (mut lived, mut longest) = (0_u64, 0);
    for c in seen.take(MOST) {
        let is_its = |l: &&&crate::life::Life<'_>| {
            c.scope.instances.contains(&l.of.instance) && l.is_alive_at(c.at_unix_ms) && !l.of.instance.is_empty()
        };
        let Some(life) = scene.all.iter().find(is_its) else { continue };
        // One process may hold it in several places.
        let who = (life.of.pid, life.of.started_unix_ms);
        if had.contains(&who) {
            continue;
        }
        had.push(who);
        // Until it began to grow, or else ended, or the incident's last trouble.
        let grew = life.killed().and_then(|k| Some(life.growth_onset()?.earliest.min(k)));
        let until = grew.or(life.killed()).or(life.of.ended_unix_ms).unwrap_or(scene.between.1);
        let with_it = until.saturating_sub(c.at_unix_ms);
        if with_it >= enough {
            lived += 1;
            longest = longest.max(with_it);
        }
    }
    let all = had.len() as u64;
    (all > 0).then(|| {
        let text = format!(
            "{} of the {} processes in whose heaps it was seen to come had lived with it, for up to {}",
            count(lived),
            count(all),
            seconds(longest as f64 / 1e3)
        );
        (lived as f64 / all as f64, text)
    })
}

/// From the beginning of the growth to the kill, the middle of the dead.
fn time_to_die(scene: &Scene<'_>) -> Option<i64> {
    let took = scene.dead.iter().filter_map(|l| {
        let end = l.killed().unwrap_or(scene.between.1);
        Some(end.saturating_sub(l.growth_onset()?.latest).max(0) as f64)
    });
    median(&took.collect::<Vec<_>>()).map(|ms| ms as i64)
}
