//! Channels that goroutines wait for: what is in them, and who waits on both sides. Source: `runtime/chan.go`
//! (`hchan`, `waitq`), `runtime/time.go` (`hchan.timer`).

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::{FxHashMap, FxHashSet};

use super::found::{Channel, ChannelTimer};
use super::read_many::{each, half, word};
use super::sudogs::{Lists, MAX_SUDOGS, Sudog};
use super::timers::{self, Timers};
use crate::collections::ChanHeader;
use crate::runtime::Runtime;
use crate::types::TypeReader;

/// On which side of a channel a `sudog` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// In its queue of receivers.
    Receives,
    /// In its queue of senders.
    Sends,
}

/// Channels by address, and where `sudog`s stand.
#[derive(Debug, Default)]
pub(super) struct Channels {
    pub(super) all: FxHashMap<Addr, Channel>,
    pub(super) sides: FxHashMap<Addr, Side>,
    /// Queues that lead to what is no `sudog` of the channel.
    pub(super) broken: u64,
    /// Channels that could not be read, or are none.
    pub(super) unread: u64,
}

/// What is read of one before its queues are followed.
struct Head {
    at: Addr,
    channel: Channel,
    receivers: Addr,
    senders: Addr,
    timer: Addr,
}

/// Reads the channels that the lists name.
pub(super) fn read(rt: &Runtime, mem: &dyn Memory, lists: &Lists, timers: &Timers) -> Channels {
    let mut places: Vec<Addr> = lists.all.values().map(|(_, s)| s.channel).filter(|c| !c.is_null()).collect();
    places.sort_unstable();
    places.dedup();
    let mut out = Channels::default();
    let l = &rt.layout.hchan;
    let mut types = TypeReader::new(rt, mem);
    let mut heads = Vec::new();
    each(mem, &places, l.sizeof as usize, |i, bytes| {
        let Some((at, header)) = places.get(i).copied().zip(ChanHeader::of(rt, bytes)) else { return };
        let element = types.get(header.elem_type).filter(|t| t.size == header.elem_bytes);
        let channel = Channel {
            is_read: true,
            len: header.len,
            cap: header.cap,
            closed: half(bytes, l.closed) != 0,
            element_type: element.map(|t| t.name.clone()).unwrap_or_default(),
            timer: None,
            receivers: 0,
            senders: 0,
        };
        let [receivers, senders] = [l.recvq, l.sendq].map(|queue| Addr(word(bytes, queue)));
        let timer = l.timer.map_or(Addr(0), |t| Addr(word(bytes, t)));
        heads.push(Head { at, channel, receivers, senders, timer });
    });
    out.unread = (places.len() - heads.len()) as u64;
    add_timers(rt, mem, &mut heads, timers);
    let mut left = MAX_SUDOGS;
    for head in heads {
        let mut channel = head.channel;
        channel.receivers = queue(rt, mem, (head.at, head.receivers, Side::Receives), lists, &mut out, &mut left);
        channel.senders = queue(rt, mem, (head.at, head.senders, Side::Sends), lists, &mut out, &mut left);
        out.all.insert(head.at, channel);
    }
    // Of what was not read the address is known all the same.
    for at in places {
        out.all.entry(at).or_default();
    }
    out
}

/// Those on which timers send: named by the channel from Go 1.23 on, else by the timer that is set.
fn add_timers(rt: &Runtime, mem: &dyn Memory, heads: &mut [Head], timers: &Timers) {
    let named: Vec<(usize, Addr)> =
        heads.iter().enumerate().filter(|(_, h)| !h.timer.is_null()).map(|(i, h)| (i, h.timer)).collect();
    let places: Vec<Addr> = named.iter().map(|(_, at)| *at).collect();
    each(mem, &places, rt.layout.timer.sizeof as usize, |i, bytes| {
        let head = named.get(i).and_then(|(head, _)| heads.get_mut(*head));
        let Some((head, at)) = head.zip(places.get(i)) else { return };
        let timer = timers::parse(rt, *at, bytes);
        // It sends on the channel that names it.
        if timer.arg == head.at {
            let when_ns = (timer.when_ns > 0).then_some(timer.when_ns);
            head.channel.timer = Some(ChannelTimer { when_ns, period_ns: timer.period_ns });
        }
    });
    for head in heads.iter_mut().filter(|h| h.channel.timer.is_none()) {
        head.channel.timer = timers.of_channel(head.at);
    }
}

/// Goroutines in a queue of a channel: those that are blocked, each once. One that was woken by another case
/// of its `select` stands in the queues of the others until it runs.
fn queue(
    rt: &Runtime,
    mem: &dyn Memory,
    (channel, first, side): (Addr, Addr, Side),
    lists: &Lists,
    out: &mut Channels,
    left: &mut usize,
) -> u64 {
    let (mut at, mut before) = (first, Addr(0));
    let mut waiting = FxHashSet::default();
    while !at.is_null() {
        if *left == 0 {
            out.broken += 1;
            break;
        }
        *left -= 1;
        let known = lists.all.get(&at).map(|(_, s)| *s);
        let Some(sudog) = known.or_else(|| Sudog::read(rt, mem, at)) else {
            out.broken += 1;
            break;
        };
        // Each names the one before: a circle does not.
        if sudog.channel != channel || sudog.prev != before {
            out.broken += 1;
            break;
        }
        if known.is_some() {
            out.sides.insert(at, side);
            waiting.insert(sudog.g);
        }
        (before, at) = (at, sudog.next);
    }
    waiting.len() as u64
}
