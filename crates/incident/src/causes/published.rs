//! Configurations and published data: by feeds, and by what jumped in the heaps, which needs none.

use lastgasp_diagnosis::units::{bytes, count, percent, seconds};

use super::filled::{Filled, copies_text, largest_were_not_known};
use super::names::{census_key, hot_name};
use super::weights::{
    BASE_CHANGE, DOES_NOT_FILL, FILLS, JUMP, JUMP_EVERYWHERE, JUMP_FIRST, JUMP_IS_THE_GROWTH, JUMP_LATE, LIVED_WITH_IT,
    NEARLY_SIZE, NO_JUMP, NOT_WHEN_IT_JUMPED, OTHER_SIZE, SIZE, SIZED, WAS_READ, WHEN_IT_JUMPED,
};
use super::{Cause, Kind, Scene};
use crate::causes::changes::weigh;
use crate::clock::clock;
use crate::evidence::{Change, ChangeKind};
use crate::jump::{Jump, is_near};

/// From a publication to the look that sees it: a service asks for its configuration now and then, and looks
/// are minutes apart where all is calm.
const SLACK_MS: i64 = 120_000;
/// Part of the growth below which a collection has nothing to do with it.
const UNRELATED: f64 = 0.05;
/// Changes that are weighed, those nearest to the onset.
const MAX: usize = 64;

pub(super) fn causes(scene: &Scene<'_>) -> Vec<Cause> {
    let most = scene.jumps.first();
    let mut out = Vec::new();
    let mut told = false;
    let is_config = |c: &&(usize, &&Change)| {
        scene.stands(c.0)
            && match c.1.kind {
                ChangeKind::Config | ChangeKind::Admin => true,
                ChangeKind::Environment => !super::is_of_the_collector(&c.1.key),
                _ => false,
            }
    };
    let all: Vec<(usize, &&Change)> = scene.changes.iter().enumerate().collect();
    let mut mine: Vec<&(usize, &&Change)> = all.iter().filter(|c| is_config(c)).collect();
    mine.sort_by_key(|(_, c)| scene.before_onset(c.at_unix_ms).unsigned_abs());
    for (index, change) in mine.into_iter().take(MAX) {
        // Of several that jumped it may be another than the one that explains most (seen blind in
        // lab/cluster: a list that all share, published seconds before the prices that each call copies, and
        // held against the jump of these).
        let own = change.elements.and_then(|n| scene.jumps.iter().find(|j| is_near(n, j.after)));
        let jump = own.or(most);
        let is_most = own.is_none_or(|own| most.is_some_and(|m| is_near(m.after, own.after)));
        let mut cause = Cause::new(Kind::Config, change.key.clone(), BASE_CHANGE);
        weigh(scene, change, &mut cause);
        let match_of = jump.map_or(Match::No, |j| of_jump(scene, j, Some(change), &mut cause));
        let explains = matches!(match_of, Match::Yes | Match::Nearly);
        // Beside what jumped and is the growth only what fills the heaps as well is a rival: as many elements
        // are there of whatever was published. (Seen in lab/cluster: 1,400 ids told of, and 480,000 ten
        // seconds later that nobody told of; copies of the 1,400 were in the heaps still.)
        let is_other = most.is_some_and(|j| j.of_growth >= 0.3);
        let by_bytes = jump.is_none() && super::filled::by_bytes(scene, change, &mut cause);
        let filled = Filled::of(scene, change)
            .filter(|_| match_of == Match::No && scene.before_onset(change.at_unix_ms) >= -2_000)
            .filter(|f| !is_other || f.fills() == Some(true));
        if let Some(f) = &filled {
            cause.terms.retain(|t| t.name != "size");
            let n = count(change.elements.unwrap_or(0));
            let text = format!("{}; how many there were before was not looked at", f.text());
            let (size, fills) = match f.fills() {
                Some(true) => (SIZE, FILLS),
                Some(false) => (WAS_READ, DOES_NOT_FILL),
                None => (SIZE / 2.0, JUMP / 2.0),
            };
            cause.term("size", size, format!("{n} elements published, as many in the heap"));
            cause.term("in the heaps", fills, text);
        } else if jump.is_none() && largest_were_not_known(scene) {
            cause.term(
                "in the heaps",
                0.0,
                "unknown: the largest collections were first looked at when they were large",
            );
        } else if by_bytes {
            let text = "no collection jumped: it is large by what stands in it, and not by how many there are";
            cause.term("in the heaps", 0.0, text);
        } else if jump.is_none() && scene.looked_at > 0 {
            cause.term(
                "in the heaps",
                NO_JUMP,
                format!("the collections of {} heaps were looked at, and none jumped", scene.looked_at),
            );
        } else if jump.is_none() {
            cause.term("in the heaps", 0.0, "unknown: no heap's collections were looked at before it grew");
        }
        told |= is_most && matches!(match_of, Match::Yes | Match::Read);
        let lived_with = super::lived_with::part(scene, change).filter(|(part, _)| *part > 0.0);
        if let Some((part, text)) = &lived_with {
            cause.term("lived with it", LIVED_WITH_IT * part, text.clone());
        }
        super::seen::against_others_in_the_group(scene, &mut cause);
        let by_itself = lived_with.is_none_or(|(part, _)| part < 0.5);
        cause.at = Some(scene.first_told(change));
        cause.change = Some(*index);
        let fills = filled.as_ref().is_some_and(|f| f.fills() == Some(true)) && jump.is_none();
        cause.decisive = by_itself && (match_of == Match::Yes && jump.is_some_and(|j| is_decisive(j)) || fills);
        cause.sentence = sentence_of(scene, change, jump.filter(|_| explains));
        if let Some(f) = &filled {
            cause.sentence.push_str(&format!("; in the heaps {}", f.text()));
        }
        cause.undo = undo(change);
        out.push(cause);
    }
    // What was told of with nearly as many may be another list: then data that nobody told of is its rival.
    if let Some(j) = most.filter(|_| !told) {
        let key = key_of(j);
        let mut cause = Cause::new(Kind::Config, key.clone(), BASE_CHANGE);
        of_jump(scene, j, None, &mut cause);
        cause.at = Some(when(scene, j));
        cause.decisive = is_decisive(j);
        cause.sentence = format!("data of {key} was replaced: {}", in_heaps(scene, j));
        cause.undo = format!(
            "find who publishes {key} ({} elements now, {} before) and put back what was there before {}",
            count(j.after),
            count(j.before),
            clock(j.latest)
        );
        out.push(cause);
    }
    out
}

/// When it jumped, as well as looks and what followed can tell: just before memory grew, where that is
/// between two looks, and else in the middle of them.
fn when(scene: &Scene<'_>, j: &Jump<'_>) -> crate::evidence::UnixMs {
    let within = scene.onset_is_known && (j.earliest..=j.latest).contains(&scene.onset);
    if within { scene.onset.saturating_sub(1000).max(j.earliest) } else { j.earliest / 2 + j.latest / 2 }
}

/// The name of a jump without a feed.
fn key_of(j: &Jump<'_>) -> String {
    let c = j.best.capture;
    let hot = [c.calls.function.as_str(), c.growth.caller.as_str(), c.growth.culprit.as_str()];
    let on_the_way = hot.into_iter().find(|f| !f.is_empty()).unwrap_or_default();
    let owners = c.census.iter().filter(|k| is_near(k.elements, j.after)).map(|k| k.owner.as_str());
    let mut also: Vec<&str> = owners.collect();
    also.push(on_the_way);
    let own = census_key(&j.best.collection.owner, &also);
    // A function that only carries it is a worse name than the one that is hot with it.
    let named = j.best.collection.is_global || j.best.collection.owner.contains(" .");
    if on_the_way.is_empty() {
        return own;
    }
    let hot = hot_name(on_the_way);
    if !named {
        return hot;
    }
    // Of a table that holds many configurations the code that reads it says which: for people both.
    let words = super::key_words(&own);
    let told = hot.is_empty() || super::key_overlap(&super::key_words(&hot), &words) > 0.0;
    if told { own } else { format!("{own} (read in {hot})") }
}

/// Whether a change is what jumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    Yes,
    /// About as many elements, and nothing else in common.
    Nearly,
    /// It is what jumped, and that has nothing to do with the growth.
    Read,
    No,
}

/// Two numbers of elements are the same list's: by a header line, a duplicate or two they may differ.
fn is_exactly(a: u64, b: u64) -> bool {
    a.abs_diff(b) <= (a.max(b) / 10_000).max(2)
}

/// What the heaps say of a jump, and of a change that may be it; whether the change explains the jump.
fn of_jump(scene: &Scene<'_>, j: &Jump<'_>, change: Option<&&Change>, cause: &mut Cause) -> Match {
    // A change with another number of elements, or of another time, is not what jumped: what the heaps say is
    // then no evidence for it.
    let named = change.is_some_and(|c| super::key_overlap(&scene.key_words(&c.key), &scene.code_words) > 0.0);
    let (mut is_it, mut nearly) = (true, false);
    if let Some(c) = change {
        if let Some(n) = c.elements.filter(|n| *n > 0) {
            let same = is_near(n, j.after);
            is_it &= same;
            // Of a list of about that size under a name that the code does not have, published as another one
            // of exactly that size was read (seen in lab/cluster: 229,900 told of, 230,184 in the heaps).
            nearly = same && !named && !is_exactly(n, j.after);
            let text = format!("{} elements published, {} in the heap", count(n), count(j.after));
            let log_odds = if nearly {
                NEARLY_SIZE
            } else if same {
                SIZE
            } else {
                OTHER_SIZE
            };
            cause.term("size", log_odds, text);
        } else {
            cause.term("size", 0.0, "how many elements were published was not said");
        }
        let (from, to) = (j.earliest.saturating_sub(SLACK_MS), j.latest.saturating_add(2_000));
        let then = (from..=to).contains(&c.at_unix_ms);
        is_it &= then;
        // After a look that saw it: only if two clocks differ.
        let by_clocks = then && c.at_unix_ms > j.latest;
        cause.term(
            "when it jumped",
            if by_clocks {
                0.0
            } else if then {
                WHEN_IT_JUMPED
            } else {
                NOT_WHEN_IT_JUMPED
            },
            format!("the collection jumped between {} and {}", clock(j.earliest), clock(j.latest)),
        );
        // Of two at that time, neither with a number, the words decide.
        is_it &= named || c.elements.is_some_and(|n| is_near(n, j.after));
    }
    if !is_it {
        return Match::No;
    }
    let part = j.of_growth;
    // Of no word of the hot code, and next to nothing of the growth, in heaps that were looked through: it
    // was read, and then when it was published: neither its size nor that time speaks for it. (Seen in
    // lab/cluster: 60,000 elements came in the second in which a neighbour filled the node; and eight seconds
    // before requests began to hold 8 MB each, for another reason.)
    // A name counts for nothing where another list that jumped is the growth.
    let other_is_it = scene.jumps.first().is_some_and(|most| most.of_growth >= 0.3 && !is_near(most.after, j.after));
    let is_little = part < UNRELATED && j.best.capture.heap.reachable_bytes.is_some();
    let unrelated = change.is_some() && (other_is_it && part < 0.3 || !named && is_little);
    if unrelated {
        cause.terms.retain(|t| t.name != "size" && t.name != "when it jumped");
        let n = count(j.after);
        cause.term("size", WAS_READ, format!("{n} elements published, as many in the heap"));
        let text = format!("{}; that is {} of the growth", in_heaps(scene, j), percent(part));
        cause.term("in the heaps", DOES_NOT_FILL, text);
        return Match::Read;
    }
    let base = match (nearly, part >= 0.3) {
        (true, _) => JUMP / 2.0,
        (false, true) => JUMP_IS_THE_GROWTH,
        (false, false) => JUMP,
    };
    cause.term("in the heaps", base, in_heaps(scene, j));
    if let Some(sized) = j.sized.as_ref().filter(|s| part < 0.3 && s.part >= 0.3) {
        cause.term("as large", SIZED, sized.text());
    }
    if j.lives as f64 >= 0.8 * j.of as f64 {
        cause.term("everywhere", JUMP_EVERYWHERE, format!("in {} of {} heaps that were looked at", j.lives, j.of));
    }
    if j.of_known > 0 {
        let (log_odds, text) = if j.before_memory * 2 > j.of_known {
            (JUMP_FIRST, format!("before memory grew in {} of {} processes", j.before_memory, j.of_known))
        } else if j.may_be_before * 2 > j.of_known {
            let text = format!(
                "between two looks around the moment when memory began to grow, in {} of {} processes",
                j.may_be_before, j.of_known
            );
            (JUMP_FIRST / 2.0, text)
        } else {
            (
                JUMP_LATE,
                format!(
                    "after memory had begun to grow in {} of {} processes",
                    j.of_known - j.may_be_before,
                    j.of_known
                ),
            )
        };
        cause.term("order", log_odds, text);
    }
    if nearly { Match::Nearly } else { Match::Yes }
}

/// Rivals are excluded: what was published is what memory is full of, and it came first.
fn is_decisive(j: &Jump<'_>) -> bool {
    j.of_growth >= 0.3 && j.of_known > 0 && j.may_be_before * 2 > j.of_known
}

fn in_heaps(scene: &Scene<'_>, j: &Jump<'_>) -> String {
    let mut out = format!(
        "{} went from {} to {} elements between {} and {} in {} of {} heaps that were looked at",
        j.best.collection.owner,
        count(j.before),
        count(j.after),
        clock(j.earliest),
        clock(j.latest),
        j.lives,
        j.of
    );
    if let Some(copies) = &j.copies {
        out.push_str(&copies_text(copies, j.of_growth));
    }
    let lead = scene.grew_from.saturating_sub(j.latest);
    if lead > 1000 {
        out.push_str(&format!("; {} before memory grew", seconds(lead as f64 / 1e3)));
    }
    out
}

fn sentence_of(scene: &Scene<'_>, change: &Change, jump: Option<&Jump<'_>>) -> String {
    let by = if change.by.is_empty() { change.source.as_str() } else { change.by.as_str() };
    let what = if change.kind == ChangeKind::Admin { "data" } else { "config" };
    let size = match (change.elements_before.or(jump.map(|j| j.before)), change.elements.or(jump.map(|j| j.after))) {
        (Some(a), Some(b)) => format!(", {} -> {} elements", count(a), count(b)),
        (None, Some(b)) => format!(", {} elements", count(b)),
        _ => change.size_bytes.map_or_else(String::new, |n| format!(", {}", bytes(n))),
    };
    let at = clock(change.at_unix_ms);
    let held = jump.map_or_else(String::new, |j| format!("; in the heaps {}", in_heaps(scene, j)));
    format!("{what} {} was published by {by} at {at}{size}{held}", change.key)
}

/// What undoes a published change.
pub(super) fn undo(change: &Change) -> String {
    let to = match (change.from.as_str(), change.elements_before) {
        ("", Some(n)) => format!("to what it was before ({} elements)", count(n)),
        ("", None) => "to what it was before".to_owned(),
        (from, _) => format!("to {from}"),
    };
    format!("revert config {} {to}", change.key)
}
