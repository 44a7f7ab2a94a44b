//! A full buffer whose consumer is there, and does not receive. The page: `slow-consumer.md`.

use crate::facts::WaitObject;
use crate::facts::WaitOperation;
use crate::rival::Rival;
use crate::units::count;

use super::super::thresholds::MAX_HOLDERS;
use super::super::verdict::{Holder, Sureness};
use super::super::wait_graph::holder;
use super::super::words;
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct SlowConsumer;

impl Cause for SlowConsumer {
    const INFO: RuleInfo = RuleInfo {
        code: "slow-consumer",
        title: "a full channel whose consumer is slow, or blocked itself",
        doc: include_str!("slow-consumer.md"),
    };
    const CURE: &'static str = "See what keeps the consumer of the channel that {place} sends on; bound what is sent to what it can take, and give the send a way out (select with a context).";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let wait = case.seen.only().filter(|w| w.operation == WaitOperation::Send)?;
        let o = scene.object(wait).filter(|o| o.capacity > 0 && o.length >= o.capacity)?;
        let consumers = consumers(scene, o);
        let first = consumers.first()?;
        let verb =
            if consumers.len() == 1 { "may be its consumer" } else { "is one of those that may be its consumers" };
        let clause = format!(
            "the buffer of {} is full; goroutine {} in {} {verb}, and {}{}",
            count(o.capacity),
            first.goroutine,
            first.function,
            first.does,
            behind(scene, first.goroutine).unwrap_or_default()
        );
        let rivals = vec![Rival::open(
            "a consumer that has left, and another one with the channel",
            "whether that function receives from it",
        )];
        Some(Judged::sure(clause).with(Sureness::Possible, rivals).held_by(consumers))
    }
}

/// Of a consumer that waits for a lock: who seems to hold that, and what it does.
fn behind(scene: &Scene<'_>, consumer: u64) -> Option<String> {
    let seen = scene.blocked_by_id(consumer)?;
    let (_, object) = seen.lock()?;
    let held =
        holder(scene, &seen, object).filter(|h| h.goroutine != consumer && h.sureness() == Sureness::Probable)?;
    let who = words::goroutine(scene, held.goroutine);
    Some(format!(", which {who} seems to hold; that one {}", words::does(scene, held.goroutine)))
}

/// Goroutines that have the channel and do not wait for it: those that are blocked first.
fn consumers(scene: &Scene<'_>, o: &WaitObject) -> Vec<Holder> {
    let mut ids: Vec<u64> = scene.others_with(o).filter(|id| scene.is_alive(*id)).collect();
    ids.sort_by_key(|id| (scene.blocked_by_id(*id).is_none(), *id));
    let as_holder = |id: u64| Holder {
        goroutine: id,
        function: scene.view(id).at.map(|f| f.function.clone()).unwrap_or_default(),
        does: words::does(scene, id),
        sign: "it has the channel, and does not send on it".to_owned(),
        sureness: Sureness::Possible,
    };
    ids.into_iter().take(MAX_HOLDERS).map(as_holder).collect()
}
