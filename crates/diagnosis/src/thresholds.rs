//! Thresholds of the rules, each with where it was measured, or that it was not. *The recorded incident* is
//! the one under `crates/report/tests`: 704 MB in 3.7 s, 159 calls in flight. Each stands in the page of its
//! rule with its value.

pub(crate) mod collector_headroom {
    /// Part of the limit that what is alive, with what is beside the heap, may be at most to fit. Chosen:
    /// with less than a fifth to spare the collector would run without end.
    pub(crate) const FITS: f64 = 0.8;
    /// Part by which marks may differ and still have found the same. Chosen, not measured.
    pub(crate) const SAME_MARK: f64 = 0.2;
    /// Factor by which the least that marks in the later half of the window find alive must grow, from the
    /// earlier of them to the later, to go on growing. Chosen; 1.2 and more where it was seen.
    pub(crate) const GROWS: f64 = 1.2;
    /// Marks there that it takes. Chosen: two halves of two.
    pub(crate) const GROWS_MARKS: usize = 4;
    /// Part by which a mark may have found less than the last and still show that what is alive stands; and
    /// three times as much more, since looks come late. Chosen: a leak that filled the heap at one speed
    /// would have brought ten times as much in the time that it takes.
    pub(crate) const STANDS: f64 = 0.02;
    /// Part of the time since the onset that those marks must go back. Chosen.
    pub(crate) const STANDS_FOR: f64 = 0.25;
    /// Marks in a row that it takes. Chosen; 10 where it was seen.
    pub(crate) const STANDS_MARKS: usize = 5;
}

pub(crate) mod collector_off {
    /// Part of the heap that must be garbage, beside what another rule says, for a setting of the collector
    /// to be worth a word there. Chosen, not measured; 0.5 where it was seen.
    pub(crate) const GARBAGE_BESIDE: f64 = 0.2;
}

pub(crate) mod collection_jumped {
    /// Factor by which its elements must have grown. Chosen, not measured; 312 to 230,000 in the incident of
    /// the notes.
    pub(crate) const FACTOR: u64 = 10;
    /// Elements that it must have now. Chosen: a program that starts fills many small ones.
    pub(crate) const MIN_ELEMENTS: u64 = 10_000;
    /// Looks at which it must have stood where it was, for the jump to be one. Chosen, not measured.
    pub(crate) const STOOD: usize = 3;
    /// Part by which elements may differ between such looks. Chosen, not measured.
    pub(crate) const SAME: f64 = 0.1;
}

pub(crate) mod collection_only_grows {
    /// Looks that there must be. Chosen: fewer are no trend.
    pub(crate) const MIN_LOOKS: usize = 6;
    /// Elements that it must have now. Chosen, not measured.
    pub(crate) const MIN_ELEMENTS: u64 = 1_000;
    /// Factor by which it must have grown over the looks. Chosen, not measured.
    pub(crate) const MIN_FACTOR: f64 = 1.5;
    /// Part of the steps between looks in which it must have grown. Chosen: more often than not.
    pub(crate) const RISING: f64 = 0.5;
    /// Part of its growth in one step, from which on it has jumped. Chosen: more than in all others.
    pub(crate) const ONE_STEP: f64 = 0.5;
    /// Growth of the later half of the looks against that of the earlier, by time, from which on it does not
    /// slow down. Chosen, not measured.
    pub(crate) const AS_FAST: f64 = 0.7;
}

pub(crate) mod copies_of_one_content {
    /// Bytes of a slice of bytes up to which it may be the buffer of a connection or a reader. Chosen: Go's
    /// own have 4 to 32 KiB.
    pub(crate) const BUFFER: u64 = 65_536;
    /// Part of the live bytes that one copy would save. Chosen, not measured.
    pub(crate) const MIN_SHARE: f64 = 0.1;
    /// Copies from which on one that is being changed would show. Chosen, not measured.
    pub(crate) const MANY: u64 = 8;
    /// Holders that are named. Chosen: what a reader looks at.
    pub(crate) const MAX_HOLDERS: usize = 3;
    /// Groups of copies that the evidence has beside the largest. Chosen: what a reader looks at.
    pub(crate) const MAX_OTHERS: usize = 2;
}

pub(crate) mod deep_stacks {
    /// Bytes of a stack from which on it is deep. Chosen: Go starts with 2 KiB to 8 KiB, and a handler of a
    /// server seldom needs more than 32 KiB.
    pub(crate) const EACH: u64 = 256 * 1024;
    /// Share of the growth that must be stacks. Chosen: stacks are copied as they double, so that for a
    /// moment both are there and only one is counted.
    pub(crate) const MIN_SHARE: f64 = 0.25;
    /// Part of all stacks that must be of deep ones. Chosen: more than all the rest.
    pub(crate) const MOST_OF_ALL: f64 = 0.5;
}

pub(crate) mod goroutine_growth {
    /// Goroutines from which on they may be a pile, where their stacks are a good part of the growth. Chosen,
    /// not measured: the recorded incident has 325, and their stacks are none of it.
    pub(crate) const MIN_GOROUTINES: u64 = 500;
    /// Share of the growth that must be new stacks. Chosen, not measured.
    pub(crate) const MIN_SHARE: f64 = 0.25;
    /// Share of the growth below which stacks are ruled out. Chosen; the recorded incident has 0.003.
    pub(crate) const RULED_OUT_SHARE: f64 = 0.1;
    /// Part of all goroutines, as one in so many, from which on the calls in flight are told apart from a
    /// pile. Chosen; the recorded incident has one in 2.
    pub(crate) const IN_FLIGHT_ONE_IN: u64 = 3;
    /// Part, as one in so many, by which two groups may differ and still be as many. Chosen: a few may just
    /// be on their way.
    pub(crate) const AS_MANY_ONE_IN: u64 = 20;
}

pub(crate) mod heap_growth {
    /// Part of the live heap that a queue must keep, for those that have it at hand to be looked at. Chosen:
    /// more than all the rest.
    pub(crate) const QUEUE: f64 = 0.5;
    /// Part of the growth's time that one of them must have waited for something else, to be held up. Chosen;
    /// 0.98 and more where the growth began with the wait (a client without a timeout, a peer that did not
    /// read), 0.6 where the queue was filled before.
    pub(crate) const HELD_UP: f64 = 0.5;
    /// Times as many, or as few, as calls in flight, within which what a shared object has many of is one for
    /// each call. Chosen: a few of them may just have come or gone.
    pub(crate) const ONE_EACH: u64 = 3;
    /// Times that a function stands in the recorded stack of a site, where a recursion keeps what each level
    /// allocates. Chosen: Go records 32 frames up to 1.22, 128 from then on, and several functions may call
    /// each other in turn.
    pub(crate) const MIN_TIMES: u64 = 8;
    /// Bytes of the stack of a goroutine that is inside of such a recursion. Chosen: who walks a tree stands
    /// as deep as that is high.
    pub(crate) const MIN_STACK: u64 = 128 << 10;
    /// What others in the group hold, as part of the growth, from which on it may be theirs. Chosen.
    pub(crate) const NEIGHBOURS: f64 = 0.25;
    /// Share of the growth from which on one function is named. Chosen: no other can then have as much.
    pub(crate) const MAJORITY: f64 = 0.5;
    /// Part of what a function has below it that one which it calls must have, to be named in its place.
    /// Chosen; 0.88 and 0.99 in the two that were seen (etcd, jaeger), where the next further in had 0.76.
    pub(crate) const NEARLY_ALL: f64 = 0.85;
    /// Part of the process's growth that the sites which grew must explain. Chosen; medians of 0.98 to 1.02
    /// in 60 played incidents (`benches/results/incident.txt`).
    pub(crate) const MIN_EXPLAINED: f64 = 1.0 / 3.0;
    /// Growth since the baseline against growth since the onset, from which on the two are not the same.
    /// Chosen, not measured.
    pub(crate) const MAX_BASELINE_GROWTH: f64 = 1.5;
    /// Part of the limit from which on the end is near. Chosen, not measured.
    pub(crate) const NEAR_LIMIT: f64 = 0.7;
    /// Seconds of growth from which on it is called a leak. Chosen, not measured.
    pub(crate) const LEAK_SECONDS: f64 = 300.0;
    /// Seconds of growth up to which it may be that of calls in flight: what grows for longer than calls live
    /// is no call's. Chosen; 3.7 in the recorded incident.
    pub(crate) const MAX_CALL_SECONDS: f64 = 60.0;
    /// Calls in flight from which on the growth may be theirs. Chosen; 159 in the recorded incident.
    pub(crate) const MIN_CALLS: u64 = 8;
    /// Bytes that each call must hold. Chosen; 4.46 MB in the recorded incident.
    pub(crate) const MIN_BYTES_PER_CALL: u64 = 100_000;
    /// Share of the growth, from which on the named function's share takes nothing from the confidence.
    /// Chosen, not measured.
    pub(crate) const CERTAIN_SHARE: f64 = 0.9;
    /// Part of what is below the named function, by one of its calls, from which on it is no mere wrapper.
    /// Chosen; 0.53 below the closure around all of a server's handlers.
    pub(crate) const CERTAIN_WAY: f64 = 0.75;
    /// Part of the process's growth, from which on what the profile explains takes nothing from the
    /// confidence. Chosen, not measured.
    pub(crate) const CERTAIN_EXPLAINED: f64 = 0.8;
    /// Factor of the confidence where the capture has gaps. Chosen, not measured.
    pub(crate) const INCOMPLETE: f64 = 0.9;
    /// Part of the growth, by the runtime's gauges, that must be Go heap. Chosen: more than half of it is
    /// hardly ever known, as pages are touched late.
    pub(crate) const MIN_SHARE: f64 = 0.4;
    /// Part of all goroutines on the way to the culprit, from which on a function is the one whose calls are
    /// counted. Chosen, not measured.
    pub(crate) const PART_OF_ALL: f64 = 0.6;
    /// Part of a growth, as one in so many, that a pause before it must be as long as to be a rest and no
    /// wait for a processor. Chosen; one in 18 in a start-up on a crowded machine, one in 5 in the lab's
    /// leaks.
    pub(crate) const MAX_PAUSE: f64 = 8.0;
    /// Seconds of rest that are one before any growth. Chosen, not measured.
    pub(crate) const LONG_REST_SECONDS: f64 = 10.0;
    /// Collections in the growth from which on what they found alive is believed: during one alone all that
    /// is allocated counts as alive. Chosen by how Go marks.
    pub(crate) const MIN_MARKS: usize = 2;
    /// Part of the growth that the last mark must have found alive. Chosen; 0.9 and more in the leaks of
    /// `lab/deaths`.
    pub(crate) const ALIVE: f64 = 0.6;
    /// Part of a heap that is alive by its references, from which on it is not garbage that fills it. Chosen:
    /// more than all the rest.
    pub(crate) const MIXED: f64 = 0.5;
    /// Part of it up to which the growth is garbage. Chosen, not measured.
    pub(crate) const GARBAGE: f64 = 0.3;
    /// Part of the culprit's growth that the published profile must have for it to have survived. Chosen; 0.2
    /// to 0.28 in the recorded incidents, and 0.00 in every garbage.
    pub(crate) const SURVIVED: f64 = 0.15;
    /// Part of the growth that goroutines alone hold, below which it is not that of calls, if others are seen
    /// to keep most of it. Chosen; 0.00 where workers left contexts behind, 0.5 and more where calls hold it.
    pub(crate) const HELD_BY_THEM: f64 = 0.1;
    /// Growth of what is alive against what is allocated, by time, up to which a heap only breathes. Chosen;
    /// a leak has about 1.
    pub(crate) const FLAT: f64 = 0.4;
    /// Part of what was allocated since the baseline that must have been freed to speak against a leak.
    /// Chosen; 0.15 to 0.31 in the recorded incidents, 0.00 in every recorded leak.
    pub(crate) const FREED: f64 = 0.05;
    /// Bytes that a call holds by itself, from which on that is a lot, whatever it waits for. Chosen.
    pub(crate) const LARGE_PER_CALL: u64 = 1_000_000;
    /// Bytes that must have been allocated before the baseline for their mean size to be compared. Chosen:
    /// two samples, in the mean.
    pub(crate) const MIN_BEFORE: u64 = 1_000_000;
    /// Factor by which allocations are larger than before the baseline, from which on the data has grown.
    /// Chosen; 2.7 to 4.8 in the recorded incidents.
    pub(crate) const LARGER: f64 = 2.0;
    /// Seconds that twice the limit would have to buy for the limit to be a suspect. Chosen; 4.7 in the
    /// recorded incident.
    pub(crate) const LIMIT_SECONDS: f64 = 600.0;
    /// Part of the memory below which idle pages of the Go heap are ruled out. Chosen; 0.005 in the recorded
    /// incident.
    pub(crate) const RULED_OUT_IDLE: f64 = 0.1;
}

pub(crate) mod huge_object {
    /// Part of the growth, as one in so many, that an object must have to be one of a few. Chosen.
    pub(crate) const EACH_ONE_IN: u64 = 10;
    /// Objects that are a few. Chosen: a buffer that grows by a quarter leaves that many large ones behind.
    pub(crate) const MOST: usize = 6;
    /// Part of the growth that they must be together. Chosen: more than all the rest.
    pub(crate) const MIN_SHARE: f64 = 0.5;
    /// Factor by which a buffer that is copied grows at least; Go's slices take a quarter more from some size
    /// on (`runtime.nextslicecap`), rounded to size classes.
    pub(crate) const GROWS_BY_AT_LEAST: f64 = 1.1;
    /// The same at most: doubling, rounded up.
    pub(crate) const GROWS_BY_AT_MOST: f64 = 2.3;
}

pub(crate) mod map_too_big {
    /// Part of the live bytes that it wastes. Chosen, not measured.
    pub(crate) const MIN_SHARE: f64 = 0.05;
    /// Elements at an earlier look against what there is room for, from which on it was full then. Chosen.
    pub(crate) const WAS_FULL: f64 = 0.5;
}

pub(crate) mod one_root_holds_most {
    /// Part of the live bytes that it must hold. Chosen: more than all others together.
    pub(crate) const MOST: f64 = 0.5;
    /// Part of the growth that must have come with it, for it to be no old possession. Chosen: more than all
    /// the rest.
    pub(crate) const NEW: f64 = 0.5;
}

pub(crate) mod others_in_group {
    /// Share of the growth that must be of others. Chosen: more than the process's own.
    pub(crate) const MIN_SHARE: f64 = 0.5;
    /// Bytes that must be. Chosen: two readings of the same memory may differ by as much.
    pub(crate) const MIN_BYTES: u64 = 16_000_000;
    /// Names that are told. Chosen: what a reader looks at.
    pub(crate) const MAX_NAMED: usize = 3;
    /// Process numbers that are told of each. Chosen.
    pub(crate) const MAX_PIDS: usize = 3;
    /// Part of what is used at the end below which what came in the window was the last straw, whoever had
    /// it. Chosen, not measured; 0.18 where it was seen.
    pub(crate) const SMALL: f64 = 0.25;
    /// Part of what was there before that must have come while somebody looked on, for that. Chosen: half.
    pub(crate) const CAME_BEFORE: f64 = 0.5;
}

pub(crate) mod outside_heap {
    /// Share of the growth that must be outside. Chosen: more than all the rest.
    pub(crate) const MIN_SHARE: f64 = 0.5;
    /// Bytes that must be outside. Chosen, not measured: RSS and gauges are read a moment apart, and a fast
    /// heap grows by as much between two looks.
    pub(crate) const MIN_BYTES: u64 = 64_000_000;
    /// Part of the RSS below which memory outside is ruled out. Chosen; 0 in the recorded incident.
    pub(crate) const RULED_OUT_SHARE: f64 = 0.1;
    /// Milliseconds between two readings that are of one moment. Chosen: a heap grows by a gigabyte a second
    /// at most, as a rule.
    pub(crate) const SAME_MOMENT_MS: u64 = 50;
}

pub(crate) mod slice_retention {
    /// Part of the live bytes that is kept and not used. Chosen, not measured.
    pub(crate) const MIN_SHARE: f64 = 0.05;
    /// Part of the live bytes whose type must be known, for no other to use the rest unseen. Chosen, not
    /// measured.
    pub(crate) const KNOWN_TYPES: f64 = 0.95;
    /// Slices of one owner, of whose room next to nothing is used, from which on nobody makes room ahead for
    /// each. Chosen, not measured.
    pub(crate) const MANY: u64 = 64;
    /// Part of their arrays that counts as next to nothing. Chosen, not measured.
    pub(crate) const HARDLY: f64 = 0.01;
    /// Owners that the evidence has beside the largest. Chosen: what a reader looks at.
    pub(crate) const MAX_OTHERS: usize = 3;
}

pub(crate) mod stands_at_limit {
    /// Part of the limit from which on it stands there. Chosen, not measured.
    pub(crate) const AT_LIMIT: f64 = 0.9;
    /// Slices of the memory that are told. Chosen: what a reader looks at.
    pub(crate) const MAX_SLICES: usize = 3;
    /// Part of what is in use that one function must have allocated to be named. Chosen.
    pub(crate) const MOST: f64 = 0.3;
    /// Part of the memory, as one in so many, that it must be. Chosen, not measured.
    pub(crate) const HELD_ONE_IN: u64 = 10;
}

pub(crate) mod finalizers_wait {
    /// Share of the live heap that must wait to be finalized, or come to it with the next collection. Chosen:
    /// more than all the rest.
    pub(crate) const MIN_SHARE: f64 = 0.5;
    /// Times as much as waits that may be what comes to it with the next collection. Chosen: a heap may
    /// double between two collections.
    pub(crate) const MAX_NEXT: u64 = 3;
    /// Milliseconds for which the goroutine that runs finalizers must have waited to stand. Chosen, not
    /// measured.
    pub(crate) const STANDS_MS: u64 = 1000;
}

pub(crate) mod touched_late {
    /// Part of the growth that must have been reserved before and not resident. Chosen: more than all the
    /// rest.
    pub(crate) const MIN_RESERVED: f64 = 0.5;
    /// Milliseconds for which it must have been reserved before it is touched. Chosen, not measured.
    pub(crate) const LONG_BEFORE_MS: u64 = 500;
    /// Part of the growth that may be new: heap, stacks, others. Chosen, not measured.
    pub(crate) const MAX_NEW: f64 = 0.3;
}

pub(crate) mod unexplained_growth {
    /// Confidence. Chosen.
    pub(crate) const MAX_CONFIDENCE: f64 = 0.4;
    /// Part of the growth from which on a part of it is named. Chosen.
    pub(crate) const MIN_PART: f64 = 0.1;
}

pub(crate) mod unprofiled_heap {
    /// Elements from which on a collection is one that wants a bound. Chosen: a list of handlers leads to all
    /// that a server has, and is no matter of number.
    pub(crate) const MIN_ENTRIES: u64 = 100;
    /// Timers from which on it is they that keep what they lead to. Chosen: a scheduler has a few.
    pub(crate) const MIN_TIMERS: u64 = 100;
    /// Functions that make a type, up to which they are named. Chosen: what a reader looks at.
    pub(crate) const MOST_MAKERS: usize = 3;
    /// Part of what is live from which on a way by which it is kept is told, where nobody keeps most of a
    /// growth. Chosen: a third of it is worth a look.
    pub(crate) const LARGE_PART: f64 = 0.33;
    /// Part of the growth, at least, that must be kept by that way for the sentence to be about it. Chosen:
    /// of a growth of saw-teeth the most is garbage.
    pub(crate) const MIN_PART: f64 = 0.2;
    /// Functions that call one of a library, up to which they are named. Chosen likewise.
    pub(crate) const MOST_CALLERS: usize = 4;
    /// Part of a holder's objects, as one in so many, that are of a type which says where they come from.
    /// Chosen: what comes with each of many is one of a few objects of it.
    pub(crate) const COMES_WITH_ONE_IN: u64 = 8;
    /// Part of the growth, as the least it can be, from which on a holder that the heap's references lead to
    /// explains it. Chosen: more than all others together.
    pub(crate) const HELD_BY_ONE: f64 = 0.5;
    /// The same of who keeps nearly all that is alive, beside garbage that GOGC lets lie. Chosen.
    pub(crate) const HELD_BESIDE_GARBAGE: f64 = 0.4;
    /// Part of what is alive that is nearly all. Chosen.
    pub(crate) const MOST_OF_LIVE: f64 = 0.75;
    /// Goroutines waiting in one place from which on that place is a suspect. Chosen, not measured.
    pub(crate) const MIN_WAITING: u64 = 10;
    /// Suspects that are named. Chosen: what a reader looks at.
    pub(crate) const MAX_SUSPECTS: usize = 5;
    /// Part of the growth, as one in so many, from which on what the heap holds is worth a line. Chosen, not
    /// measured.
    pub(crate) const HELD_ONE_IN: u64 = 10;
    /// Lines of what the heap holds. Chosen: what a reader looks at.
    pub(crate) const MAX_HELD: usize = 4;
    /// Factor of the confidence where nobody is suspected: the sentence then names no place. Chosen.
    pub(crate) const NO_SUSPECT: f64 = 0.4;
    /// Factor of the confidence where goroutines pile up beside a heap of which nobody knows who keeps it.
    /// Chosen: either may be the matter.
    pub(crate) const BESIDE_A_PILE: f64 = 0.5;
    /// Weight of a suspect below which what keeps the growth is told without one. Chosen: one of many.
    pub(crate) const MIN_WEIGHT: f64 = 0.1;
    /// Weight of those that were in an allocation. Chosen, not measured.
    pub(crate) const ALLOCATING: f64 = 0.6;
    /// Weight of those that were at work. Chosen, not measured.
    pub(crate) const AT_WORK: f64 = 0.5;
    /// Weight of those that wait and came with the growth. Chosen, not measured.
    pub(crate) const WAITING: f64 = 0.5;
    /// Part that those who are held up must have of those who read beside them, and these of those, to be of
    /// the same connections. Chosen: some have just come or gone.
    pub(crate) const AS_MANY: f64 = 0.8;
}

pub(crate) mod waiting_calls {
    /// Part of the calls in flight that must wait for the same; or be at work, for the other rule. Chosen,
    /// not measured.
    pub(crate) const MOST_CALLS: f64 = 0.6;
    /// The same part where the heap has one large object for each of those that wait. Chosen, not measured.
    pub(crate) const SOME_CALLS: f64 = 0.3;
    /// Goroutines that must have come with the growth, for each that waits. Chosen: who was there before has
    /// nothing to do with it.
    pub(crate) const MIN_NEW: f64 = 0.5;
    /// Goroutines that came in the window, for each that waits, below which as many stood there before it.
    /// Chosen.
    pub(crate) const FEW_NEW: f64 = 0.1;
    /// Part by which what a queue has many of may differ from those that wait, and still be one for each.
    /// Chosen: both are counted, at one moment.
    pub(crate) const AS_MANY: f64 = 0.1;
    /// Objects of the culprit for each that waits. Chosen; 0.99 to 1.05 in the recorded ones.
    pub(crate) const MIN_OBJECTS: f64 = 0.8;
    /// Objects of one size for each that waits, at most, for them to be what those hold. Chosen, not
    /// measured.
    pub(crate) const AT_MOST_EACH: u64 = 20;
    /// Goroutines from which on a pile that the program has started itself is known by its number. Chosen: a
    /// program has a dozen that wait in the background.
    pub(crate) const MANY: u64 = 50;
    /// Bytes of the culprit for each that waits, from which on they may be who holds it. Chosen, not
    /// measured.
    pub(crate) const MIN_HELD: u64 = 1_000;
    /// Goroutines that are named as possible holders of a lock. Chosen: what a reader looks at.
    pub(crate) const MAX_HOLDERS: usize = 3;
}
