//! The runtime's structures, as far as their fields are needed: what a table fills. All numbers are byte
//! offsets, or sizes in bytes where the name ends in `sizeof`; `Option` marks what some releases lack.

/// Everything the product needs to know about one Go minor.
#[derive(Debug)]
pub struct Layout {
    /// 22 for Go 1.22.
    pub minor: u16,
    /// The first patch release that the table holds for; the last is the one before the next table's.
    pub from_patch: u16,
    /// The release that the table was made from.
    pub source: &'static str,
    /// One allocation stack of a profile (`mprof.go`).
    pub bucket: Bucket,
    /// The counters of a memory profile bucket, behind its stack (`mprof.go`).
    pub mem_record: MemRecord,
    /// A goroutine (`runtime2.go`).
    pub g: G,
    /// What a `defer` statement left to be done (`runtime2.go`).
    pub deferred: Deferred,
    /// A goroutine among those that wait for an object (`runtime2.go`).
    pub sudog: Sudog,
    /// A descriptor that the network poller watches (`netpoll.go`).
    pub poll_desc: PollDesc,
    /// Who waits for semaphores (`sema.go`).
    pub sema_root: SemaRoot,
    /// `sync.Mutex` (`sync/mutex.go`, `internal/sync/mutex.go`).
    pub mutex: Mutex,
    /// `sync.RWMutex` (`sync/rwmutex.go`).
    pub rw_mutex: RwMutex,
    /// `sync.WaitGroup` (`sync/waitgroup.go`).
    pub wait_group: WaitGroup,
    /// `sync.Cond` (`sync/cond.go`).
    pub cond: Cond,
    /// What a processor (`P`) keeps of timers (`runtime2.go`, `time.go`).
    pub p_timers: PTimers,
    /// A timer (`time.go`).
    pub timer: Timer,
    /// A thread (`runtime2.go`).
    pub m: M,
    /// What is kept of a goroutine's forebears (`runtime2.go`).
    pub ancestor: Ancestor,
    /// The map of Go up to 1.23 (`map.go`).
    pub hmap: HMap,
    /// The map of Go from 1.24 on (`internal/runtime/maps/map.go`).
    pub swiss_map: SwissMap,
    /// A table of such a map (`internal/runtime/maps/table.go`).
    pub swiss_table: SwissTable,
    /// A channel (`chan.go`).
    pub hchan: HChan,
    /// `sync.Map` as two maps, up to Go 1.23 (`sync/map.go`).
    pub sync_map: SyncMap,
    /// What `sync.Map` is from Go 1.24 on (`internal/sync/hashtriemap.go`).
    pub sync_trie: SyncTrie,
    /// `sync.Pool` (`sync/pool.go`, `sync/poolqueue.go`).
    pub sync_pool: SyncPool,
    /// What the linker tells the runtime about one module (`symtab.go`).
    pub moduledata: ModuleData,
    /// Function metadata in pclntab (`runtime2.go`).
    pub func: Func,
    /// A node of a function's inline tree (`symtabinl.go`).
    pub inlined_call: InlinedCall,
    /// The pacer's state, `gcControllerState` (`mgcpacer.go`).
    pub gc_controller: GcController,
    /// `memstats` (`mstats.go`).
    pub mstats: MStats,
    /// The three parts of `memstats.heapStats`, which sum to the whole (`mstats.go`).
    pub heap_stats: HeapStats,
    /// The heap (`mheap.go`).
    pub mheap: MHeap,
    /// 64 MiB of the heap's addresses (`mheap.go`).
    pub heap_arena: HeapArena,
    /// A run of pages (`mheap.go`).
    pub mspan: MSpan,
    /// Finalizers, set (`mheap.go`) and due (`mfinal.go`).
    pub finalizers: Finalizers,
    /// Cleanups and weak handles, set (`mheap.go`) and due (`mcleanup.go`).
    pub cleanups: Cleanups,
    /// What is noted of an object beside it (`mheap.go`).
    pub special: Special,
    /// `abi.FuncIDWrapper`: marks functions that the compiler made and tracebacks hide.
    pub wrapper_func_id: u8,
    /// The texts of `waitReason`, by number.
    pub wait_reasons: &'static [&'static str],
}

/// One allocation stack of a profile (`mprof.go`).
#[derive(Debug)]
pub struct Bucket {
    /// Size of `runtime.bucket`.
    pub sizeof: u64,
    /// Offset of `runtime.bucket.allnext`.
    pub allnext: u64,
    /// Offset of `runtime.bucket.typ`.
    pub typ: u64,
    /// Offset of `runtime.bucket.size`.
    pub size: u64,
    /// Offset of `runtime.bucket.nstk`.
    pub nstk: u64,
}

/// The counters of a memory profile bucket, behind its stack (`mprof.go`).
#[derive(Debug)]
pub struct MemRecord {
    /// Size of `runtime.memRecord`.
    pub sizeof: u64,
    /// Offset of `runtime.memRecord.active`.
    pub active: u64,
    /// Offset of `runtime.memRecord.future`.
    pub future: u64,
    /// Size of `runtime.memRecordCycle`.
    pub cycle_sizeof: u64,
    /// Offset of `runtime.memRecordCycle.allocs`.
    pub allocs: u64,
    /// Offset of `runtime.memRecordCycle.frees`.
    pub frees: u64,
    /// Offset of `runtime.memRecordCycle.alloc_bytes`.
    pub alloc_bytes: Option<u64>,
    /// Offset of `runtime.memRecordCycle.free_bytes`.
    pub free_bytes: Option<u64>,
}

/// A goroutine (`runtime2.go`).
#[derive(Debug)]
pub struct G {
    /// Size of `runtime.g`.
    pub sizeof: u64,
    /// Offset of `runtime.g.stack.lo`.
    pub stack_lo: u64,
    /// Offset of `runtime.g.stack.hi`.
    pub stack_hi: u64,
    /// Offset of `runtime.g.m`.
    pub m: u64,
    /// Offset of `runtime.g.sched.sp`.
    pub sched_sp: u64,
    /// Offset of `runtime.g.sched.pc`.
    pub sched_pc: u64,
    /// Offset of `runtime.g.sched.ctxt`, the closure that it goes on in.
    pub sched_ctxt: u64,
    /// Offset of `runtime.g.syscallsp`.
    pub syscallsp: u64,
    /// Offset of `runtime.g.syscallpc`.
    pub syscallpc: u64,
    /// Offset of `runtime.g.atomicstatus`.
    pub atomicstatus: u64,
    /// Offset of `runtime.g.goid`.
    pub goid: u64,
    /// Offset of `runtime.g.waitsince`.
    pub waitsince: u64,
    /// Offset of `runtime.g.waitreason`.
    pub waitreason: u64,
    /// Offset of `runtime.g.lockedm`.
    pub lockedm: u64,
    /// Offset of `runtime.g.parentGoid`.
    pub parent_goid: Option<u64>,
    /// Offset of `runtime.g.gopc`.
    pub gopc: u64,
    /// Offset of `runtime.g.startpc`.
    pub startpc: u64,
    /// Offset of `runtime.g.ancestors`.
    pub ancestors: u64,
    /// Offset of `runtime.g.labels`.
    pub labels: u64,
    /// Offset of `runtime.g.waiting`.
    pub waiting: u64,
    /// Offset of `runtime.g._defer`.
    pub defers: u64,
    /// Offset of `runtime.g._panic`.
    pub panics: u64,
    /// Offset of `runtime.g.asyncSafePoint`.
    pub async_safe_point: u64,
    /// Offset of `runtime.g.xRegs.state`, the vector registers of one that was preempted (from Go 1.26).
    pub x_regs: Option<u64>,
    /// Size of `runtime.xRegState`.
    pub x_regs_sizeof: Option<u64>,
    /// Offset of `runtime.g.timer`, which wakes it from `time.Sleep`.
    pub timer: u64,
    /// Offset of `runtime.g.sleepWhen`: when it wakes from `time.Sleep` (from Go 1.23).
    pub sleep_when: Option<u64>,
    /// Offset of `runtime.g.bubble`, of Go 1.24 `syncGroup`: the `synctest` bubble that it lives in.
    pub bubble: Option<u64>,
}

/// What a `defer` statement left to be done (`runtime2.go`, `_defer`).
#[derive(Debug)]
pub struct Deferred {
    /// Offset of `runtime._defer.heap`, whether it stands in the heap and not on the stack.
    pub heap: u64,
    /// Offset of `runtime._defer.fn`.
    pub func: u64,
    /// Offset of `runtime._defer.link`.
    pub link: u64,
}

/// A goroutine in a list of those that wait for one object (`runtime2.go`): a channel, or a semaphore.
#[derive(Debug)]
pub struct Sudog {
    /// Size of `runtime.sudog`.
    pub sizeof: u64,
    /// Offset of `runtime.sudog.g`.
    pub g: u64,
    /// Offset of `runtime.sudog.elem`; of a semaphore its address.
    pub elem: u64,
    /// Offset of `runtime.sudog.elem.vu`, the same address where a collection may have hidden the other.
    pub elem_traced: Option<u64>,
    /// Offset of `runtime.sudog.next`: the next in a channel's queue; in a tree of semaphores the larger ones.
    pub next: u64,
    /// Offset of `runtime.sudog.prev`: the one before; in a tree of semaphores the smaller ones.
    pub prev: u64,
    /// Offset of `runtime.sudog.isSelect`.
    pub is_select: u64,
    /// Offset of `runtime.sudog.waitlink`: the next of the same goroutine, or of the same semaphore.
    pub waitlink: u64,
    /// Offset of `runtime.sudog.c`.
    pub c: u64,
    /// Offset of `runtime.sudog.c.vu`.
    pub c_traced: Option<u64>,
}

/// A descriptor that the network poller watches (`netpoll.go`). It moved within Go 1.23 (1.23.1 has 264
/// bytes, 1.23.4 280), and experiments move it: one is only believed where `self` points to it.
#[derive(Debug)]
pub struct PollDesc {
    /// Size of `runtime.pollDesc`.
    pub sizeof: u64,
    /// Offset of `runtime.pollDesc.fd`.
    pub fd: u64,
    /// Offset of `runtime.pollDesc.rg`, who waits to read.
    pub rg: u64,
    /// Offset of `runtime.pollDesc.wg`, who waits to write.
    pub wg: u64,
    /// Offset of `runtime.pollDesc.rd`: deadline of reads, 0 for none, negative if it is over.
    pub rd: u64,
    /// Offset of `runtime.pollDesc.wd`.
    pub wd: u64,
    /// Offset of `runtime.pollDesc.self`, which points to the descriptor itself.
    pub self_: u64,
}

/// Who waits for the semaphores of one slot of `semtable` (`sema.go`): a tree of `sudog`s, one for each
/// semaphore, with lists of those that wait for the same.
#[derive(Debug)]
pub struct SemaRoot {
    /// Offset of `runtime.semaRoot.treap`.
    pub treap: u64,
}

/// `sync.Mutex`: from Go 1.24 on what `internal/sync.Mutex` is.
#[derive(Debug)]
pub struct Mutex {
    /// Offset of `sync.Mutex.state`.
    pub state: Option<u64>,
    /// Offset of `sync.Mutex.sema`.
    pub sema: Option<u64>,
}

/// `sync.RWMutex` (`sync/rwmutex.go`).
#[derive(Debug)]
pub struct RwMutex {
    /// Size of `sync.RWMutex`.
    pub sizeof: Option<u64>,
    /// Offset of `sync.RWMutex.w`: writers hold it.
    pub w: Option<u64>,
    /// Offset of `sync.RWMutex.writerSem`.
    pub writer_sem: Option<u64>,
    /// Offset of `sync.RWMutex.readerSem`.
    pub reader_sem: Option<u64>,
    /// Offset of `sync.RWMutex.readerCount`.
    pub reader_count: Option<u64>,
    /// Offset of `sync.RWMutex.readerWait`.
    pub reader_wait: Option<u64>,
}

/// `sync.WaitGroup` (`sync/waitgroup.go`).
#[derive(Debug)]
pub struct WaitGroup {
    /// Offset of `sync.WaitGroup.state`, of Go 1.19 `state1`: the counter in the upper half, those that wait
    /// in the lower.
    pub state: Option<u64>,
    /// Offset of `sync.WaitGroup.sema`, of Go 1.19 `state2`.
    pub sema: Option<u64>,
}

/// `sync.Cond` (`sync/cond.go`), and the list of those that wait for it (`sema.go`).
#[derive(Debug)]
pub struct Cond {
    /// Offset of `sync.Cond.notify`.
    pub notify: Option<u64>,
    /// Offset of `sync.Cond.checker`, which has its own address once the condition was used.
    pub checker: Option<u64>,
    /// Offset of `sync.notifyList.head`, which is the runtime's list.
    pub head: Option<u64>,
}

/// What a processor (`P`) keeps of timers (`runtime2.go`, `time.go`). Experiments move it: a timer is only
/// believed that names its processor in turn.
#[derive(Debug)]
pub struct PTimers {
    /// Offset of `runtime.p.timers`.
    pub timers: u64,
    /// Offset of `runtime.timers.heap` in that: from Go 1.23; before, it was the heap itself.
    pub heap: Option<u64>,
    /// Size of an entry of the heap, `runtime.timerWhen`: from Go 1.23; before, a pointer.
    pub entry_sizeof: Option<u64>,
    /// Offset of `runtime.timerWhen.timer`.
    pub entry_timer: Option<u64>,
}

/// A timer (`time.go`).
#[derive(Debug)]
pub struct Timer {
    /// Size of `runtime.timer`.
    pub sizeof: u64,
    /// Offset of `runtime.timer.when`, nanoseconds of the runtime's clock.
    pub when: u64,
    /// Offset of `runtime.timer.period`.
    pub period: u64,
    /// Offset of `runtime.timer.f`: the function that is called.
    pub func: u64,
    /// Offset of `runtime.timer.arg`: an interface.
    pub arg: u64,
    /// Offset of `runtime.timer.ts`, up to Go 1.22 `pp`: whose heap it is in.
    pub owner: u64,
    /// Offset of `runtime.timer.state`, a byte of bits, up to Go 1.22 `status`, a number of four bytes.
    pub status: u64,
    /// Offset of `runtime.timer.nextwhen`: when one fires that was moved (up to Go 1.22).
    pub next_when: Option<u64>,
}

/// A thread (`runtime2.go`).
#[derive(Debug)]
pub struct M {
    /// Size of `runtime.m`.
    pub sizeof: u64,
    /// Offset of `runtime.m.g0`.
    pub g0: u64,
    /// Offset of `runtime.m.gsignal`.
    pub gsignal: u64,
    /// Offset of `runtime.m.procid`.
    pub procid: u64,
    /// Offset of `runtime.m.curg`.
    pub curg: u64,
    /// Offset of `runtime.m.alllink`.
    pub alllink: u64,
    /// Offset of `runtime.m.vdsoSP`.
    pub vdso_sp: u64,
    /// Offset of `runtime.m.vdsoPC`.
    pub vdso_pc: u64,
}

/// A goroutine that led to another, kept under `GODEBUG=tracebackancestors=N` (`runtime2.go`,
/// `ancestorInfo`).
#[derive(Debug)]
pub struct Ancestor {
    /// Size of `runtime.ancestorInfo`.
    pub sizeof: u64,
    /// Offset of `runtime.ancestorInfo.pcs`.
    pub pcs: u64,
    /// Offset of `runtime.ancestorInfo.goid`.
    pub goid: u64,
    /// Offset of `runtime.ancestorInfo.gopc`.
    pub gopc: u64,
}

/// The map of Go up to 1.23 (`map.go`), in which profiler labels stood too.
#[derive(Debug)]
pub struct HMap {
    /// Size of `runtime.hmap`.
    pub sizeof: Option<u64>,
    /// Offset of `runtime.hmap.count`.
    pub count: Option<u64>,
    /// Offset of `runtime.hmap.flags`.
    pub flags: Option<u64>,
    /// Offset of `runtime.hmap.B`.
    pub b: Option<u64>,
    /// Offset of `runtime.hmap.hash0`: four random bytes of each map.
    pub hash0: Option<u64>,
    /// Offset of `runtime.hmap.buckets`.
    pub buckets: Option<u64>,
    /// Offset of `runtime.hmap.oldbuckets`.
    pub oldbuckets: Option<u64>,
}

/// The map of Go from 1.24 on, `internal/runtime/maps.Map` (`map.go`).
#[derive(Debug)]
pub struct SwissMap {
    /// Size of `maps.Map`.
    pub sizeof: Option<u64>,
    /// Offset of `maps.Map.used`.
    pub used: Option<u64>,
    /// Offset of `maps.Map.seed`: eight random bytes of each map.
    pub seed: Option<u64>,
    /// Offset of `maps.Map.dirPtr`: the only group, or the directory.
    pub dir_ptr: Option<u64>,
    /// Offset of `maps.Map.dirLen`: 0 for a map of one group.
    pub dir_len: Option<u64>,
}

/// A table of a Swiss map, `internal/runtime/maps.table` (`table.go`).
#[derive(Debug)]
pub struct SwissTable {
    /// Size of `maps.table`.
    pub sizeof: Option<u64>,
    /// Offset of `maps.table.used`.
    pub used: Option<u64>,
    /// Offset of `maps.table.capacity`.
    pub capacity: Option<u64>,
    /// Offset of `maps.table.index`: the first place of the table in the directory; -1 of one that was split.
    pub index: Option<u64>,
    /// Offset of `maps.table.groups.data`.
    pub groups_data: Option<u64>,
    /// Offset of `maps.table.groups.lengthMask`: one less than the number of groups.
    pub groups_length_mask: Option<u64>,
}

/// A channel (`chan.go`).
#[derive(Debug)]
pub struct HChan {
    /// Size of `runtime.hchan`.
    pub sizeof: u64,
    /// Offset of `runtime.hchan.qcount`.
    pub qcount: u64,
    /// Offset of `runtime.hchan.dataqsiz`.
    pub dataqsiz: u64,
    /// Offset of `runtime.hchan.buf`.
    pub buf: u64,
    /// Offset of `runtime.hchan.elemsize`.
    pub elemsize: u64,
    /// Offset of `runtime.hchan.elemtype`.
    pub elemtype: u64,
    /// Offset of `runtime.hchan.recvx`: the element that is received next.
    pub recvx: u64,
    /// Offset of `runtime.hchan.closed`.
    pub closed: u64,
    /// Offset of `runtime.hchan.timer`, of a channel on which a timer sends (from Go 1.23).
    pub timer: Option<u64>,
    /// Offset of `runtime.hchan.recvq.first`.
    pub recvq: u64,
    /// Offset of `runtime.hchan.sendq.first`.
    pub sendq: u64,
}

/// `sync.Map` (`sync/map.go`): two maps up to Go 1.23.
#[derive(Debug)]
pub struct SyncMap {
    /// Size of `sync.Map`.
    pub sizeof: Option<u64>,
    /// Offset of `sync.Map.read`: an interface in Go 1.19, then a pointer.
    pub read: Option<u64>,
    /// Offset of `sync.Map.dirty`.
    pub dirty: Option<u64>,
    /// Offset of `sync.readOnly.m`.
    pub read_only_m: Option<u64>,
    /// Offset of `sync.readOnly.amended`.
    pub read_only_amended: Option<u64>,
    /// Offset of `sync.entry.p`.
    pub entry_p: Option<u64>,
}

/// The trie that a `sync.Map` is from Go 1.24 on, `internal/sync.HashTrieMap[any, any]` (`hashtriemap.go`).
#[derive(Debug)]
pub struct SyncTrie {
    /// Offset of `HashTrieMap.root`.
    pub root: Option<u64>,
    /// Offset of `node.isEntry`.
    pub node_is_entry: Option<u64>,
    /// Offset of `indirect.children`.
    pub children: Option<u64>,
    /// Size of `indirect`.
    pub indirect_sizeof: Option<u64>,
    /// Offset of `entry.overflow`.
    pub overflow: Option<u64>,
    /// Offset of `entry.key`.
    pub key: Option<u64>,
    /// Offset of `entry.value`.
    pub value: Option<u64>,
    /// Size of `entry`.
    pub entry_sizeof: Option<u64>,
}

/// `sync.Pool` (`sync/pool.go`) and its queues (`sync/poolqueue.go`).
#[derive(Debug)]
pub struct SyncPool {
    /// Size of `sync.Pool`.
    pub sizeof: Option<u64>,
    /// Offset of `sync.Pool.local`.
    pub local: Option<u64>,
    /// Offset of `sync.Pool.localSize`.
    pub local_size: Option<u64>,
    /// Offset of `sync.Pool.victim`.
    pub victim: Option<u64>,
    /// Offset of `sync.Pool.victimSize`.
    pub victim_size: Option<u64>,
    /// Size of `sync.poolLocal`.
    pub pool_local_sizeof: Option<u64>,
    /// Offset of `sync.poolLocal.private`.
    pub private: Option<u64>,
    /// Offset of `sync.poolLocal.shared.head`.
    pub shared_head: Option<u64>,
    /// Offset of `sync.poolLocal.shared.tail`.
    pub shared_tail: Option<u64>,
    /// Offset of `sync.poolChainElt.vals`.
    pub chain_vals: Option<u64>,
    /// Offset of `sync.poolChainElt.headTail`.
    pub chain_head_tail: Option<u64>,
    /// Offset of `sync.poolChainElt.next`.
    pub chain_next: Option<u64>,
}

/// What the linker tells the runtime about one module (`symtab.go`).
#[derive(Debug)]
pub struct ModuleData {
    /// Size of `runtime.moduledata`.
    pub sizeof: u64,
    /// Offset of `runtime.moduledata.pcHeader`.
    pub pc_header: u64,
    /// Offset of `runtime.moduledata.funcnametab`.
    pub funcnametab: u64,
    /// Offset of `runtime.moduledata.cutab`.
    pub cutab: u64,
    /// Offset of `runtime.moduledata.filetab`.
    pub filetab: u64,
    /// Offset of `runtime.moduledata.pctab`.
    pub pctab: u64,
    /// Offset of `runtime.moduledata.pclntable`.
    pub pclntable: u64,
    /// Offset of `runtime.moduledata.ftab`.
    pub ftab: u64,
    /// Offset of `runtime.moduledata.minpc`.
    pub minpc: u64,
    /// Offset of `runtime.moduledata.maxpc`.
    pub maxpc: u64,
    /// Offset of `runtime.moduledata.text`.
    pub text: u64,
    /// Offset of `runtime.moduledata.etext`.
    pub etext: u64,
    /// Offset of `runtime.moduledata.noptrdata`.
    pub noptrdata: u64,
    /// Offset of `runtime.moduledata.data`.
    pub data: u64,
    /// Offset of `runtime.moduledata.edata`.
    pub edata: u64,
    /// Offset of `runtime.moduledata.bss`.
    pub bss: u64,
    /// Offset of `runtime.moduledata.ebss`.
    pub ebss: u64,
    /// Offset of `runtime.moduledata.enoptrbss`.
    pub enoptrbss: u64,
    /// Offset of `runtime.moduledata.gofunc`.
    pub gofunc: u64,
    /// Offset of `runtime.moduledata.rodata`.
    pub rodata: u64,
    /// Offset of `runtime.moduledata.types`.
    pub types: u64,
    /// Offset of `runtime.moduledata.etypes`.
    pub etypes: u64,
    /// Offset of `runtime.moduledata.gcdatamask`.
    pub gcdatamask: u64,
    /// Offset of `runtime.moduledata.gcbssmask`.
    pub gcbssmask: u64,
    /// Offset of `runtime.moduledata.next`.
    pub next: u64,
}

/// Function metadata in pclntab (`runtime2.go`).
#[derive(Debug)]
pub struct Func {
    /// Size of `runtime._func`.
    pub sizeof: u64,
    /// Offset of `runtime._func.nameOff` or `nameoff`.
    pub name_off: u64,
    /// Offset of `runtime._func.args`.
    pub args: u64,
    /// Offset of `runtime._func.deferreturn`.
    pub deferreturn: u64,
    /// Offset of `runtime._func.pcsp`.
    pub pcsp: u64,
    /// Offset of `runtime._func.pcfile`.
    pub pcfile: u64,
    /// Offset of `runtime._func.pcln`.
    pub pcln: u64,
    /// Offset of `runtime._func.npcdata`.
    pub npcdata: u64,
    /// Offset of `runtime._func.cuOffset`.
    pub cu_offset: u64,
    /// Offset of `runtime._func.funcID`.
    pub func_id: u64,
    /// Offset of `runtime._func.flag`.
    pub flag: u64,
    /// Offset of `runtime._func.nfuncdata`.
    pub nfuncdata: u64,
}

/// A node of a function's inline tree (`symtabinl.go`).
#[derive(Debug)]
pub struct InlinedCall {
    /// Size of `runtime.inlinedCall`.
    pub sizeof: u64,
    /// Offset of `runtime.inlinedCall.funcID`.
    pub func_id: u64,
    /// Offset of `runtime.inlinedCall.nameOff` or `func_`.
    pub name_off: u64,
    /// Offset of `runtime.inlinedCall.parentPc`.
    pub parent_pc: u64,
}

/// The pacer's state, `gcControllerState` (`mgcpacer.go`).
#[derive(Debug)]
pub struct GcController {
    /// Offset of `runtime.gcControllerState.gcPercent`.
    pub gc_percent: u64,
    /// Offset of `runtime.gcControllerState.memoryLimit`.
    pub memory_limit: u64,
    /// Offset of `runtime.gcControllerState.gcPercentHeapGoal`.
    pub gc_percent_heap_goal: u64,
    /// Offset of `runtime.gcControllerState.heapLive`.
    pub heap_live: u64,
    /// Offset of `runtime.gcControllerState.heapMarked`.
    pub heap_marked: u64,
    /// Offset of `runtime.gcControllerState.heapInUse`.
    pub heap_in_use: u64,
    /// Offset of `runtime.gcControllerState.heapReleased`.
    pub heap_released: u64,
    /// Offset of `runtime.gcControllerState.heapFree`.
    pub heap_free: u64,
    /// Offset of `runtime.gcControllerState.totalAlloc`.
    pub total_alloc: u64,
    /// Offset of `runtime.gcControllerState.totalFree`.
    pub total_free: u64,
    /// Offset of `runtime.gcControllerState.mappedReady`.
    pub mapped_ready: u64,
}

/// `memstats` (`mstats.go`).
#[derive(Debug)]
pub struct MStats {
    /// Offset of `runtime.mstats.stacks_sys`.
    pub stacks_sys: u64,
    /// Offset of `runtime.mstats.mspan_sys`.
    pub mspan_sys: u64,
    /// Offset of `runtime.mstats.mcache_sys`.
    pub mcache_sys: u64,
    /// Offset of `runtime.mstats.buckhash_sys`.
    pub buckhash_sys: u64,
    /// Offset of `runtime.mstats.gcMiscSys`.
    pub gc_misc_sys: u64,
    /// Offset of `runtime.mstats.other_sys`.
    pub other_sys: u64,
    /// Offset of `runtime.mstats.numgc`.
    pub numgc: u64,
    /// Offset of `runtime.mstats.last_gc_nanotime`.
    pub last_gc_nanotime: u64,
    /// Offset of `runtime.mstats.gc_cpu_fraction`.
    pub gc_cpu_fraction: u64,
}

/// The three parts of `memstats.heapStats`, which sum to the whole (`mstats.go`).
#[derive(Debug)]
pub struct HeapStats {
    /// Offset of `runtime.mstats.heapStats.stats`.
    pub stats: u64,
    /// Size of `runtime.heapStatsDelta`.
    pub sizeof: u64,
    /// Offset of `runtime.heapStatsDelta.inStacks`.
    pub in_stacks: u64,
    /// Offset of `runtime.heapStatsDelta.inWorkBufs`.
    pub in_work_bufs: u64,
}

/// The heap (`mheap.go`).
#[derive(Debug)]
pub struct MHeap {
    /// Offset of `runtime.mheap.sweepgen`.
    pub sweepgen: u64,
    /// Offset of `runtime.mheap.allspans`.
    pub allspans: u64,
    /// Offset of `runtime.mheap.arenas`.
    pub arenas: u64,
}

/// What the heap keeps of 64 MiB of its addresses (`mheap.go`).
#[derive(Debug)]
pub struct HeapArena {
    /// Offset of `runtime.heapArena.bitmap` (up to Go 1.21): two bits a word in Go 1.19, then one.
    pub bitmap: Option<u64>,
    /// Offset of `runtime.heapArena.noMorePtrs` (Go 1.20 and 1.21).
    pub no_more_ptrs: Option<u64>,
    /// Offset of `runtime.heapArena.spans`: the `mspan` of each page.
    pub spans: u64,
}

/// A run of pages (`mheap.go`).
#[derive(Debug)]
pub struct MSpan {
    /// Size of `runtime.mspan`.
    pub sizeof: u64,
    /// Offset of `runtime.mspan.startAddr`.
    pub start_addr: u64,
    /// Offset of `runtime.mspan.npages`.
    pub npages: u64,
    /// Offset of `runtime.mspan.allocCount`.
    pub alloc_count: u64,
    /// Offset of `runtime.mspan.spanclass`.
    pub spanclass: u64,
    /// Offset of `runtime.mspan.state`.
    pub state: u64,
    /// Offset of `runtime.mspan.elemsize`.
    pub elemsize: u64,
    /// Offset of `runtime.mspan.nelems`.
    pub nelems: u64,
    /// Size of the type of `runtime.mspan.nelems` and `freeindex`: 8 up to Go 1.21, then 2.
    pub nelems_sizeof: u64,
    /// Offset of `runtime.mspan.sweepgen`.
    pub sweepgen: u64,
    /// Offset of `runtime.mspan.freeindex`.
    pub freeindex: u64,
    /// Offset of `runtime.mspan.allocBits`.
    pub alloc_bits: u64,
    /// Offset of `runtime.mspan.gcmarkBits`.
    pub gcmark_bits: u64,
    /// Offset of `runtime.mspan.isUserArenaChunk` (from Go 1.20).
    pub user_arena: Option<u64>,
    /// Offset of `runtime.mspan.largeType` (from Go 1.22).
    pub large_type: Option<u64>,
    /// Offset of `runtime.mspan.specials`.
    pub specials: u64,
}

/// What is noted of an object beside it, in a list by span (`mheap.go`).
#[derive(Debug)]
pub struct Special {
    /// Offset of `runtime.special.next`.
    pub next: u64,
    /// Offset of `runtime.special.offset`: bytes from the span's start to the object.
    pub offset: u64,
    /// Size of its type: 2 up to Go 1.23, then 8.
    pub offset_sizeof: u64,
    /// Offset of `runtime.special.kind`, a byte.
    pub kind: u64,
    /// Offset of `runtime.specialprofile.b`: the allocation stack of a sampled object.
    pub bucket: u64,
}

/// Finalizers: those that are set stand among the specials of a span (`mheap.go`, `specialfinalizer`), those
/// that are due in blocks (`mfinal.go`, `finblock`; from Go 1.25 `finBlock`).
#[derive(Debug)]
pub struct Finalizers {
    /// Offset of `runtime.finblock.alllink`.
    pub alllink: u64,
    /// Offset of `runtime.finblock.cnt`.
    pub cnt: u64,
    /// Offset of `runtime.finblock.fin`.
    pub fin: u64,
    /// Size of `runtime.finalizer`.
    pub sizeof: u64,
    /// Offset of `runtime.finalizer.fn`.
    pub func: u64,
    /// Offset of `runtime.finalizer.arg`.
    pub arg: u64,
    /// Offset of `runtime.finalizer.fint`.
    pub fint: u64,
    /// Offset of `runtime.finalizer.ot`.
    pub ot: u64,
    /// Offset of `runtime.specialfinalizer.fn`.
    pub special_func: u64,
}

/// Cleanups (from Go 1.24): those that are set stand among the specials of a span, those that are due from Go
/// 1.25 on in blocks (`mcleanup.go`); before, among the finalizers.
#[derive(Debug)]
pub struct Cleanups {
    /// Offset of `runtime.cleanupQueue.all`.
    pub all: Option<u64>,
    /// Offset of `runtime.cleanupBlock.alllink`.
    pub alllink: Option<u64>,
    /// Offset of `runtime.cleanupBlock.n`.
    pub n: Option<u64>,
    /// Offset of `runtime.cleanupBlock.cleanups`.
    pub cleanups: Option<u64>,
    /// Size of `runtime.cleanupFn`, all of whose words are pointers (from Go 1.26; before, one pointer).
    pub sizeof: Option<u64>,
    /// Offset of `runtime.specialCleanup.cleanup`, up to Go 1.25 of `fn`.
    pub special_func: Option<u64>,
    /// Offset of `runtime.specialWeakHandle.handle` (from Go 1.23).
    pub special_weak_handle: Option<u64>,
}
