//! Timers that are set. Source: `runtime/time.go`: every processor (`P`) has a heap of them. From Go 1.23 on
//! a channel's timer stands there only while somebody waits for the channel.

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

use super::found::{ChannelTimer, PendingTimer};
use super::read_many::{each, half, word};
use crate::binary::pclntab::Symbolizer;
use crate::runtime::Runtime;

/// Most processors: `GOMAXPROCS` of any machine.
const MAX_PROCESSORS: u64 = 1 << 14;
/// Most timers that are followed.
const MAX_TIMERS: usize = 4 << 20;

/// `timerDeleted`, `timerRemoving`, `timerRemoved` and `timerNoStatus` of Go up to 1.22: none of them fires.
const NOT_SET: [u32; 4] = [0, 3, 4, 5];
/// `timerModifiedEarlier` and `timerModifiedLater` of those: what they fire at stands elsewhere.
const MOVED: [u32; 2] = [7, 8];

/// The timers of a process.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// In the order of the heaps.
    pub(super) all: Vec<PendingTimer>,
    /// Where the heaps stand.
    pub(super) heaps: Vec<Addr>,
    /// Those that send on a channel, by channel.
    by_channel: FxHashMap<Addr, ChannelTimer>,
}

impl Timers {
    /// The timer that sends on a channel.
    pub(super) fn of_channel(&self, channel: Addr) -> Option<ChannelTimer> {
        self.by_channel.get(&channel).copied()
    }

    /// Reads the heaps of all processors, whose list stands at `allp`; and says why they are not all.
    pub(super) fn read(
        rt: &Runtime,
        mem: &dyn Memory,
        symbols: &Symbolizer<'_>,
        allp: Result<Addr, String>,
    ) -> (Self, Option<String>) {
        let mut out = Self::default();
        let why = allp.and_then(|allp| out.gather(rt, mem, allp)).err();
        out.index(symbols, mem);
        (out, why)
    }

    fn gather(&mut self, rt: &Runtime, mem: &dyn Memory, allp: Addr) -> Result<(), String> {
        let l = &rt.layout.p_timers;
        let offset = l.timers + l.heap.unwrap_or(0);
        let text = |e: lastgasp_inferior::ReadError| e.to_string();
        let count = mem.u64(allp.plus(8)).map_err(text)?;
        if count == 0 || count > MAX_PROCESSORS {
            return Err(format!("allp says {count} processors"));
        }
        let list = mem.bytes(mem.ptr(allp).map_err(text)?, count as usize * 8, MAX_PROCESSORS as usize * 8);
        let list = list.map_err(text)?;
        let (mut places, mut owners) = (Vec::new(), Vec::new());
        let (mut unread, mut most) = (0u64, MAX_TIMERS);
        for p in list.chunks_exact(8).map(|w| Addr(word(w, 0))).filter(|p| !p.is_null()) {
            let header = mem.bytes(p.plus(offset), 24, 24).map_err(text)?;
            let [first, len, cap] = [0, 8, 16].map(|at| word(&header, at));
            if len > cap || cap > MAX_TIMERS as u64 || len as usize > most {
                return Err(format!("a heap of {len} timers"));
            }
            most -= len as usize;
            self.heaps.extend(Some(Addr(first)).filter(|_| first != 0));
            let size = l.entry_sizeof.unwrap_or(8);
            let Ok(entries) = mem.bytes(Addr(first), (len * size) as usize, MAX_TIMERS * 16) else {
                unread += len;
                continue;
            };
            let timers = entries.chunks_exact(size as usize).map(|e| Addr(word(e, l.entry_timer.unwrap_or(0))));
            // The place of one that has just been taken out is cleared before the heap ends in front of it.
            let timers = timers.filter(|at| !at.is_null());
            // Of the heap itself from Go 1.23 on, else of the processor.
            let owner = if l.heap.is_some() { p.plus(l.timers) } else { p };
            places.extend(timers);
            owners.resize(places.len(), owner);
        }
        let (mut read, mut foreign) = (0, 0u64);
        each(mem, &places, extent(rt), |i, bytes| {
            read += 1;
            let (Some(at), Some(owner)) = (places.get(i), owners.get(i)) else { return };
            // One that is on its way in or out has no owner for a moment.
            if ![owner.0, 0].contains(&word(bytes, rt.layout.timer.owner)) {
                foreign += 1;
                return;
            }
            self.all.extend(set(rt, *at, bytes));
        });
        unread += (places.len() - read) as u64;
        match (unread, foreign) {
            (0, 0) => Ok(()),
            (0, n) => Err(format!("{n} timers do not name the heap that they are in")),
            (n, _) => Err(format!("{n} timers could not be read")),
        }
    }

    /// Finds those that send on a channel, by the function that they call: where a module is older than Go
    /// 1.23 that is all that tells (`asynctimerchan`).
    fn index(&mut self, symbols: &Symbolizer<'_>, mem: &dyn Memory) {
        let mut sends: FxHashMap<Addr, bool> = FxHashMap::default();
        for timer in &mut self.all {
            // What a function value points to begins with its code.
            let is_send = *sends.entry(timer.closure).or_insert_with(|| {
                let entry = mem.ptr(timer.closure).ok();
                entry.and_then(|pc| symbols.function_name(pc)).is_some_and(|name| name == "time.sendTime")
            });
            if is_send {
                timer.sends = true;
                let found = ChannelTimer { when_ns: Some(timer.when_ns), period_ns: timer.period_ns };
                self.by_channel.insert(timer.arg, found);
            }
        }
    }
}

/// Bytes of a timer that hold all that is read of it.
pub(super) fn extent(rt: &Runtime) -> usize {
    let l = &rt.layout.timer;
    let last = [l.when, l.period, l.func, l.arg + 8, l.owner, l.status, l.next_when.unwrap_or(0)];
    last.into_iter().max().unwrap_or(0) as usize + 8
}

/// A timer that fires some day.
fn set(rt: &Runtime, at: Addr, bytes: &[u8]) -> Option<PendingTimer> {
    let l = &rt.layout.timer;
    let timer = parse(rt, at, bytes);
    let Some(next_when) = l.next_when else {
        return (timer.when_ns > 0).then_some(timer);
    };
    let status = half(bytes, l.status);
    if NOT_SET.contains(&status) {
        return None;
    }
    let moved = MOVED.contains(&status).then(|| word(bytes, next_when).cast_signed());
    Some(PendingTimer { when_ns: moved.unwrap_or(timer.when_ns), ..timer })
}

/// The fields of a timer, whether it is set or not.
pub(super) fn parse(rt: &Runtime, at: Addr, bytes: &[u8]) -> PendingTimer {
    let l = &rt.layout.timer;
    PendingTimer {
        at,
        when_ns: word(bytes, l.when).cast_signed(),
        period_ns: word(bytes, l.period).cast_signed(),
        closure: Addr(word(bytes, l.func)),
        arg_type: Addr(word(bytes, l.arg)),
        arg: Addr(word(bytes, l.arg + 8)),
        sends: false,
    }
}
