//! `cargo xtask layouts`: one table of offsets per Go minor, read from the DWARF of
//! `lab/programs/layout-probe` built with that toolchain.
//!
//! The generated files are data: the struct definitions that they fill stand in
//! `crates/goruntime/src/layout/structures.rs`, so that a field which a new Go release drops or renames fails
//! here or in the compiler and never at a user's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use gimli::{AttributeValue, EndianSlice, LittleEndian};
use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::toolchain::{RELEASES, Toolchain, of_table};
use object::{Object, ObjectSection};

/// (group in `Layout`, Rust type of the group, its fields).
type Group = (&'static str, &'static str, &'static [Field]);

/// (Rust field, Go path). A path is `struct.field`, or `struct` for its size; a trailing `#` asks for the
/// size of the field's integer type, a trailing `?` means that some releases lack it (an `Option`).
type Field = (&'static str, &'static str);

const GROUPS: &[Group] = &[
    (
        "bucket",
        "Bucket",
        &[
            ("sizeof", "runtime.bucket"),
            ("allnext", "runtime.bucket.allnext"),
            ("typ", "runtime.bucket.typ"),
            ("size", "runtime.bucket.size"),
            ("nstk", "runtime.bucket.nstk"),
        ],
    ),
    (
        "mem_record",
        "MemRecord",
        &[
            ("sizeof", "runtime.memRecord"),
            ("active", "runtime.memRecord.active"),
            ("future", "runtime.memRecord.future"),
            ("cycle_sizeof", "runtime.memRecordCycle"),
            ("allocs", "runtime.memRecordCycle.allocs"),
            ("frees", "runtime.memRecordCycle.frees"),
            ("alloc_bytes", "runtime.memRecordCycle.alloc_bytes?"),
            ("free_bytes", "runtime.memRecordCycle.free_bytes?"),
        ],
    ),
    (
        "g",
        "G",
        &[
            ("sizeof", "runtime.g"),
            ("stack_lo", "runtime.g.stack.lo"),
            ("stack_hi", "runtime.g.stack.hi"),
            ("m", "runtime.g.m"),
            ("sched_sp", "runtime.g.sched.sp"),
            ("sched_pc", "runtime.g.sched.pc"),
            ("sched_ctxt", "runtime.g.sched.ctxt"),
            ("syscallsp", "runtime.g.syscallsp"),
            ("syscallpc", "runtime.g.syscallpc"),
            ("atomicstatus", "runtime.g.atomicstatus"),
            ("goid", "runtime.g.goid"),
            ("waitsince", "runtime.g.waitsince"),
            ("waitreason", "runtime.g.waitreason"),
            ("lockedm", "runtime.g.lockedm"),
            ("parent_goid", "runtime.g.parentGoid?"),
            ("gopc", "runtime.g.gopc"),
            ("startpc", "runtime.g.startpc"),
            ("ancestors", "runtime.g.ancestors"),
            ("labels", "runtime.g.labels"),
            ("waiting", "runtime.g.waiting"),
            ("defers", "runtime.g._defer"),
            ("panics", "runtime.g._panic"),
            ("async_safe_point", "runtime.g.asyncSafePoint"),
            ("x_regs", "runtime.g.xRegs.state?"),
            ("x_regs_sizeof", "runtime.xRegState?"),
            ("timer", "runtime.g.timer"),
            ("sleep_when", "runtime.g.sleepWhen?"),
            ("bubble", "runtime.g.bubble|syncGroup?"),
        ],
    ),
    (
        "deferred",
        "Deferred",
        &[("heap", "runtime._defer.heap"), ("func", "runtime._defer.fn"), ("link", "runtime._defer.link")],
    ),
    (
        "sudog",
        "Sudog",
        &[
            ("sizeof", "runtime.sudog"),
            ("g", "runtime.sudog.g"),
            ("elem", "runtime.sudog.elem"),
            ("elem_traced", "runtime.sudog.elem.vu?"),
            ("next", "runtime.sudog.next"),
            ("prev", "runtime.sudog.prev"),
            ("is_select", "runtime.sudog.isSelect"),
            ("waitlink", "runtime.sudog.waitlink"),
            ("c", "runtime.sudog.c"),
            ("c_traced", "runtime.sudog.c.maybeTraceablePtr.vu?"),
        ],
    ),
    (
        "poll_desc",
        "PollDesc",
        &[
            ("sizeof", "runtime.pollDesc"),
            ("fd", "runtime.pollDesc.fd"),
            ("rg", "runtime.pollDesc.rg"),
            ("wg", "runtime.pollDesc.wg"),
            ("rd", "runtime.pollDesc.rd"),
            ("wd", "runtime.pollDesc.wd"),
            ("self_", "runtime.pollDesc.self"),
        ],
    ),
    ("sema_root", "SemaRoot", &[("treap", "runtime.semaRoot.treap")]),
    // From Go 1.24 on `sync.Mutex` is `internal/sync.Mutex`.
    (
        "mutex",
        "Mutex",
        &[
            ("state", "internal/sync.Mutex.state||sync.Mutex.state?"),
            ("sema", "internal/sync.Mutex.sema||sync.Mutex.sema?"),
        ],
    ),
    (
        "rw_mutex",
        "RwMutex",
        &[
            ("sizeof", "sync.RWMutex?"),
            ("w", "sync.RWMutex.w?"),
            ("writer_sem", "sync.RWMutex.writerSem?"),
            ("reader_sem", "sync.RWMutex.readerSem?"),
            ("reader_count", "sync.RWMutex.readerCount?"),
            ("reader_wait", "sync.RWMutex.readerWait?"),
        ],
    ),
    ("wait_group", "WaitGroup", &[("state", "sync.WaitGroup.state|state1?"), ("sema", "sync.WaitGroup.sema|state2?")]),
    (
        "cond",
        "Cond",
        &[("notify", "sync.Cond.notify?"), ("checker", "sync.Cond.checker?"), ("head", "sync.notifyList.head?")],
    ),
    (
        "p_timers",
        "PTimers",
        &[
            ("timers", "runtime.p.timers"),
            ("heap", "runtime.timers.heap?"),
            ("entry_sizeof", "runtime.timerWhen?"),
            ("entry_timer", "runtime.timerWhen.timer?"),
        ],
    ),
    (
        "timer",
        "Timer",
        &[
            ("sizeof", "runtime.timer"),
            ("when", "runtime.timer.when"),
            ("period", "runtime.timer.period"),
            ("func", "runtime.timer.f"),
            ("arg", "runtime.timer.arg"),
            ("owner", "runtime.timer.ts|pp"),
            ("status", "runtime.timer.status|state"),
            ("next_when", "runtime.timer.nextwhen?"),
        ],
    ),
    (
        "m",
        "M",
        &[
            ("sizeof", "runtime.m"),
            ("g0", "runtime.m.g0"),
            ("gsignal", "runtime.m.gsignal"),
            ("procid", "runtime.m.procid"),
            ("curg", "runtime.m.curg"),
            ("alllink", "runtime.m.alllink"),
            ("vdso_sp", "runtime.m.vdsoSP"),
            ("vdso_pc", "runtime.m.vdsoPC"),
        ],
    ),
    (
        "ancestor",
        "Ancestor",
        &[
            ("sizeof", "runtime.ancestorInfo"),
            ("pcs", "runtime.ancestorInfo.pcs"),
            ("goid", "runtime.ancestorInfo.goid"),
            ("gopc", "runtime.ancestorInfo.gopc"),
        ],
    ),
    // The map of Go up to 1.23, in which profiler labels stood (`map_noswiss.go` after that).
    (
        "hmap",
        "HMap",
        &[
            ("sizeof", "runtime.hmap?"),
            ("count", "runtime.hmap.count?"),
            ("flags", "runtime.hmap.flags?"),
            ("b", "runtime.hmap.B?"),
            ("hash0", "runtime.hmap.hash0?"),
            ("buckets", "runtime.hmap.buckets?"),
            ("oldbuckets", "runtime.hmap.oldbuckets?"),
        ],
    ),
    (
        "swiss_map",
        "SwissMap",
        &[
            ("sizeof", "internal/runtime/maps.Map?"),
            ("used", "internal/runtime/maps.Map.used?"),
            ("seed", "internal/runtime/maps.Map.seed?"),
            ("dir_ptr", "internal/runtime/maps.Map.dirPtr?"),
            ("dir_len", "internal/runtime/maps.Map.dirLen?"),
        ],
    ),
    (
        "swiss_table",
        "SwissTable",
        &[
            ("sizeof", "internal/runtime/maps.table?"),
            ("used", "internal/runtime/maps.table.used?"),
            ("capacity", "internal/runtime/maps.table.capacity?"),
            ("index", "internal/runtime/maps.table.index?"),
            ("groups_data", "internal/runtime/maps.table.groups.data?"),
            ("groups_length_mask", "internal/runtime/maps.table.groups.lengthMask?"),
        ],
    ),
    (
        "hchan",
        "HChan",
        &[
            ("sizeof", "runtime.hchan"),
            ("qcount", "runtime.hchan.qcount"),
            ("dataqsiz", "runtime.hchan.dataqsiz"),
            ("buf", "runtime.hchan.buf"),
            ("elemsize", "runtime.hchan.elemsize"),
            ("elemtype", "runtime.hchan.elemtype"),
            ("recvx", "runtime.hchan.recvx"),
            ("closed", "runtime.hchan.closed"),
            ("timer", "runtime.hchan.timer?"),
            ("recvq", "runtime.hchan.recvq.first"),
            ("sendq", "runtime.hchan.sendq.first"),
        ],
    ),
    // `sync.Map`: two maps up to Go 1.23, a trie (`internal/sync`) after that.
    (
        "sync_map",
        "SyncMap",
        &[
            ("sizeof", "sync.Map?"),
            ("read", "sync.Map.read?"),
            ("dirty", "sync.Map.dirty?"),
            ("read_only_m", "sync.readOnly.m?"),
            ("read_only_amended", "sync.readOnly.amended?"),
            ("entry_p", "sync.entry.p?"),
        ],
    ),
    (
        "sync_trie",
        "SyncTrie",
        &[
            ("root", "internal/sync.HashTrieMap[interface {},interface {}].root?"),
            ("node_is_entry", "internal/sync.node[interface {},interface {}].isEntry?"),
            ("children", "internal/sync.indirect[interface {},interface {}].children?"),
            ("indirect_sizeof", "internal/sync.indirect[interface {},interface {}]?"),
            ("overflow", "internal/sync.entry[go.shape.interface {},go.shape.interface {}].overflow?"),
            ("key", "internal/sync.entry[go.shape.interface {},go.shape.interface {}].key?"),
            ("value", "internal/sync.entry[go.shape.interface {},go.shape.interface {}].value?"),
            ("entry_sizeof", "internal/sync.entry[go.shape.interface {},go.shape.interface {}]?"),
        ],
    ),
    (
        "sync_pool",
        "SyncPool",
        &[
            ("sizeof", "sync.Pool?"),
            ("local", "sync.Pool.local?"),
            ("local_size", "sync.Pool.localSize?"),
            ("victim", "sync.Pool.victim?"),
            ("victim_size", "sync.Pool.victimSize?"),
            ("pool_local_sizeof", "sync.poolLocal?"),
            ("private", "sync.poolLocal.poolLocalInternal.private?"),
            ("shared_head", "sync.poolLocal.poolLocalInternal.shared.head?"),
            ("shared_tail", "sync.poolLocal.poolLocalInternal.shared.tail?"),
            ("chain_vals", "sync.poolChainElt.poolDequeue.vals?"),
            ("chain_head_tail", "sync.poolChainElt.poolDequeue.headTail?"),
            ("chain_next", "sync.poolChainElt.next?"),
        ],
    ),
    (
        "moduledata",
        "ModuleData",
        &[
            ("sizeof", "runtime.moduledata"),
            ("pc_header", "runtime.moduledata.pcHeader"),
            ("funcnametab", "runtime.moduledata.funcnametab"),
            ("cutab", "runtime.moduledata.cutab"),
            ("filetab", "runtime.moduledata.filetab"),
            ("pctab", "runtime.moduledata.pctab"),
            ("pclntable", "runtime.moduledata.pclntable"),
            ("ftab", "runtime.moduledata.ftab"),
            ("minpc", "runtime.moduledata.minpc"),
            ("maxpc", "runtime.moduledata.maxpc"),
            ("text", "runtime.moduledata.text"),
            ("etext", "runtime.moduledata.etext"),
            ("noptrdata", "runtime.moduledata.noptrdata"),
            ("data", "runtime.moduledata.data"),
            ("edata", "runtime.moduledata.edata"),
            ("bss", "runtime.moduledata.bss"),
            ("ebss", "runtime.moduledata.ebss"),
            ("enoptrbss", "runtime.moduledata.enoptrbss"),
            ("gofunc", "runtime.moduledata.gofunc"),
            ("rodata", "runtime.moduledata.rodata"),
            ("types", "runtime.moduledata.types"),
            ("etypes", "runtime.moduledata.etypes"),
            ("gcdatamask", "runtime.moduledata.gcdatamask"),
            ("gcbssmask", "runtime.moduledata.gcbssmask"),
            ("next", "runtime.moduledata.next"),
        ],
    ),
    (
        "func",
        "Func",
        &[
            ("sizeof", "runtime._func"),
            ("name_off", "runtime._func.nameOff|nameoff"),
            ("args", "runtime._func.args"),
            ("deferreturn", "runtime._func.deferreturn"),
            ("pcsp", "runtime._func.pcsp"),
            ("pcfile", "runtime._func.pcfile"),
            ("pcln", "runtime._func.pcln"),
            ("npcdata", "runtime._func.npcdata"),
            ("cu_offset", "runtime._func.cuOffset"),
            ("func_id", "runtime._func.funcID"),
            ("flag", "runtime._func.flag"),
            ("nfuncdata", "runtime._func.nfuncdata"),
        ],
    ),
    (
        "inlined_call",
        "InlinedCall",
        &[
            ("sizeof", "runtime.inlinedCall"),
            ("func_id", "runtime.inlinedCall.funcID"),
            ("name_off", "runtime.inlinedCall.nameOff|func_"),
            ("parent_pc", "runtime.inlinedCall.parentPc"),
        ],
    ),
    (
        "gc_controller",
        "GcController",
        &[
            ("gc_percent", "runtime.gcControllerState.gcPercent"),
            ("memory_limit", "runtime.gcControllerState.memoryLimit"),
            ("gc_percent_heap_goal", "runtime.gcControllerState.gcPercentHeapGoal"),
            ("heap_live", "runtime.gcControllerState.heapLive"),
            ("heap_marked", "runtime.gcControllerState.heapMarked"),
            ("heap_in_use", "runtime.gcControllerState.heapInUse"),
            ("heap_released", "runtime.gcControllerState.heapReleased"),
            ("heap_free", "runtime.gcControllerState.heapFree"),
            ("total_alloc", "runtime.gcControllerState.totalAlloc"),
            ("total_free", "runtime.gcControllerState.totalFree"),
            ("mapped_ready", "runtime.gcControllerState.mappedReady"),
        ],
    ),
    (
        "mstats",
        "MStats",
        &[
            ("stacks_sys", "runtime.mstats.stacks_sys"),
            ("mspan_sys", "runtime.mstats.mspan_sys"),
            ("mcache_sys", "runtime.mstats.mcache_sys"),
            ("buckhash_sys", "runtime.mstats.buckhash_sys"),
            ("gc_misc_sys", "runtime.mstats.gcMiscSys"),
            ("other_sys", "runtime.mstats.other_sys"),
            ("numgc", "runtime.mstats.numgc"),
            ("last_gc_nanotime", "runtime.mstats.last_gc_nanotime"),
            ("gc_cpu_fraction", "runtime.mstats.gc_cpu_fraction"),
        ],
    ),
    (
        "heap_stats",
        "HeapStats",
        &[
            ("stats", "runtime.mstats.heapStats.stats"),
            ("sizeof", "runtime.heapStatsDelta"),
            ("in_stacks", "runtime.heapStatsDelta.inStacks"),
            ("in_work_bufs", "runtime.heapStatsDelta.inWorkBufs"),
        ],
    ),
    (
        "mheap",
        "MHeap",
        &[
            ("sweepgen", "runtime.mheap.sweepgen"),
            ("allspans", "runtime.mheap.allspans"),
            ("arenas", "runtime.mheap.arenas"),
        ],
    ),
    // From Go 1.22 pointer maps stand with the objects; `heapArenaPtrScalar` is then empty.
    (
        "heap_arena",
        "HeapArena",
        &[
            ("bitmap", "runtime.heapArena.bitmap?"),
            ("no_more_ptrs", "runtime.heapArena.noMorePtrs?"),
            ("spans", "runtime.heapArena.spans"),
        ],
    ),
    (
        "mspan",
        "MSpan",
        &[
            ("sizeof", "runtime.mspan"),
            ("start_addr", "runtime.mspan.startAddr"),
            ("npages", "runtime.mspan.npages"),
            ("alloc_count", "runtime.mspan.allocCount"),
            ("spanclass", "runtime.mspan.spanclass"),
            ("state", "runtime.mspan.state"),
            ("elemsize", "runtime.mspan.elemsize"),
            ("nelems", "runtime.mspan.nelems"),
            ("nelems_sizeof", "runtime.mspan.nelems#"),
            ("sweepgen", "runtime.mspan.sweepgen"),
            ("freeindex", "runtime.mspan.freeindex"),
            ("alloc_bits", "runtime.mspan.allocBits"),
            ("gcmark_bits", "runtime.mspan.gcmarkBits"),
            ("user_arena", "runtime.mspan.isUserArenaChunk?"),
            ("large_type", "runtime.mspan.largeType?"),
            ("specials", "runtime.mspan.specials"),
        ],
    ),
    (
        "special",
        "Special",
        &[
            ("next", "runtime.special.next"),
            ("offset", "runtime.special.offset"),
            ("offset_sizeof", "runtime.special.offset#"),
            ("kind", "runtime.special.kind"),
            ("bucket", "runtime.specialprofile.b"),
        ],
    ),
    (
        "finalizers",
        "Finalizers",
        &[
            ("alllink", "runtime.finblock.alllink||runtime.finBlock.alllink"),
            ("cnt", "runtime.finblock.cnt||runtime.finBlock.cnt"),
            ("fin", "runtime.finblock.fin||runtime.finBlock.fin"),
            ("sizeof", "runtime.finalizer"),
            ("func", "runtime.finalizer.fn"),
            ("arg", "runtime.finalizer.arg"),
            ("fint", "runtime.finalizer.fint"),
            ("ot", "runtime.finalizer.ot"),
            ("special_func", "runtime.specialfinalizer.fn"),
        ],
    ),
    (
        "cleanups",
        "Cleanups",
        &[
            ("all", "runtime.cleanupQueue.all?"),
            ("alllink", "runtime.cleanupBlock.cleanupBlockHeader.alllink?"),
            ("n", "runtime.cleanupBlock.cleanupBlockHeader.n?"),
            ("cleanups", "runtime.cleanupBlock.cleanups?"),
            ("sizeof", "runtime.cleanupFn?"),
            ("special_func", "runtime.specialCleanup.fn||runtime.specialCleanup.cleanup?"),
            ("special_weak_handle", "runtime.specialWeakHandle.handle?"),
        ],
    ),
];

/// A module below `lab/programs` with nothing but the runtime in it. Its path has a dot: Go 1.20.0 takes one
/// without for its own.
pub(crate) const RUNTIME_ONLY: &str = "layout-probe/runtime-only";

/// struct name -> (size, field -> (offset, type name)).
type Structs = BTreeMap<String, (u64, BTreeMap<String, (u64, String)>)>;

/// Writes (or with `check`, compares) the tables of `minors` (all that are listed if empty).
pub(crate) fn run(minors: &[u16], check: bool) -> Result<()> {
    let root = repo_root();
    let folder = root.join("crates/goruntime/src/layout");
    let mut different = Vec::new();
    for (minor, from, _) in RELEASES.iter().filter(|(m, _, _)| minors.is_empty() || minors.contains(m)) {
        let toolchain = of_table(*minor, *from, &cache_dir())?;
        let text = table_of(&toolchain, "layout-probe")?;
        let patch = if *from > 0 { format!("_{from}") } else { String::new() };
        let file = folder.join(format!("go1_{minor}{patch}.rs"));
        if !check {
            std::fs::write(&file, text)?;
            println!("{} from {}", file.display(), toolchain.version);
        } else if data(&std::fs::read_to_string(&file)?) != data(&text) {
            different.push(format!("{} is not what {} says", file.display(), toolchain.version));
        }
    }
    if !different.is_empty() {
        bail!("{}", different.join("\n"));
    }
    Ok(())
}

/// The table that a toolchain's own build of a module below `lab/programs` yields, as a file's text.
pub(crate) fn table_of(toolchain: &Toolchain, module: &str) -> Result<String> {
    let probe = build(toolchain, Mode::PlainDwarf, &repo_root().join("lab/programs").join(module), ".")?;
    table(toolchain, &structs(&probe)?, &wait_reasons(toolchain)?, wrapper_func_id(toolchain)?)
}

/// Where two texts of [`table_of`] differ: `group.field: one and other`. A list of the first may go on behind
/// the other's end: what the other does not know it does not use.
pub(crate) fn differences(one: &str, other: &str) -> Vec<String> {
    let lines = |text: &str| -> BTreeMap<String, String> {
        let (mut group, mut out, mut entry) = (String::new(), BTreeMap::new(), 0);
        for line in text.lines().map(str::trim) {
            match line.split_once(": ") {
                _ if line.starts_with("//") || line.starts_with("source:") => {}
                Some((name, value)) if value.ends_with(['{', '[']) => {
                    name.clone_into(&mut group);
                    entry = 0;
                }
                Some((name, value)) => {
                    out.insert(format!("{group}.{name}"), value.trim_end_matches(',').to_owned());
                }
                // An entry of a list: its place is its name.
                None if line.starts_with('"') => {
                    out.insert(format!("{group}[{entry:02}]"), line.to_owned());
                    entry += 1;
                }
                None => {}
            }
        }
        out
    };
    let (one, other) = (lines(one), lines(other));
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let value = |of: &BTreeMap<String, String>, name: &str| of.get(name).cloned().unwrap_or_else(|| "none".into());
    names
        .into_iter()
        .filter(|n| one.get(*n) != other.get(*n) && (other.contains_key(*n) || !n.ends_with(']')))
        .map(|n| format!("{n}: {} and {}", value(&one, n), value(&other, n)))
        .collect()
}

/// Whether a difference (`group.field: one and other`) is one of a structure that is only believed where a
/// word of it points to itself (`pollDesc.self`), or where what it leads to points back (timers of a `P`): of
/// another layout nothing is read. The first moved within Go 1.23.
pub(crate) fn proves_itself(difference: &str) -> bool {
    ["poll_desc.", "p_timers."].iter().any(|group| difference.starts_with(group))
}

/// Whether a difference is one of a map that a release may have in two forms: which one a build has is told
/// by its experiments' names (`noswissmap`), and the other's fields are not read then.
pub(crate) fn is_of_one_form(difference: &str) -> bool {
    ["swiss_map.", "swiss_table."].iter().any(|group| difference.starts_with(group))
}

/// A table's numbers and names, without the lines that name the patch release (which may differ from machine
/// to machine) and without its formatting.
fn data(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|l| !l.starts_with("//") && !l.starts_with("source:"));
    lines.flat_map(str::chars).filter(|c| !c.is_whitespace() && *c != ',').collect()
}

fn table(toolchain: &Toolchain, structs: &Structs, reasons: &[String], wrapper: usize) -> Result<String> {
    let minor = toolchain.minor();
    let mut out = format!(
        "//! Go 1.{minor}: offsets in bytes, linux/amd64. Made by `cargo xtask layouts` from {}; do not edit.\n//! Definitions: the runtime's \
         `runtime2.go`, `mprof.go`, `mheap.go`, `symtab.go`, `mgcpacer.go`, `mstats.go`\n//! of that release.\n\nuse super::structures::*;\n\n/// The table.\npub(super) static LAYOUT: Layout = \
         Layout {{\n    minor: {minor},\n    from_patch: {},\n    source: \"{}\",\n",
        toolchain.version,
        toolchain.table_patch(),
        toolchain.version
    );
    for (group, kind, fields) in GROUPS {
        writeln!(out, "    {group}: {kind} {{")?;
        for (name, path) in *fields {
            let optional = path.ends_with('?');
            let path = path.trim_end_matches('?');
            match (lookup(structs, path), optional) {
                (Some(v), false) => writeln!(out, "        {name}: {v},")?,
                (Some(v), true) => writeln!(out, "        {name}: Some({v}),")?,
                (None, true) => writeln!(out, "        {name}: None,")?,
                (None, false) => bail!("{}: no {path} in DWARF", toolchain.version),
            }
        }
        writeln!(out, "    }},")?;
    }
    writeln!(out, "    wrapper_func_id: {wrapper},")?;
    writeln!(out, "    wait_reasons: &[")?;
    for r in reasons {
        writeln!(out, "        {r:?},")?;
    }
    writeln!(out, "    ],\n}};")?;
    Ok(out)
}

/// The offset that a path names; `a|b` in the last part are two spellings of one field, `a||b` two paths of
/// which the first that is there counts.
fn lookup(structs: &Structs, path: &str) -> Option<u64> {
    if path.contains("||") {
        return path.split("||").find_map(|path| lookup(structs, path));
    }
    if let Some(path) = path.strip_suffix('#') {
        return match kind_of(structs, path)?.as_str() {
            "uint8" | "bool" => Some(1),
            "uint16" => Some(2),
            "int32" | "uint32" => Some(4),
            "int" | "int64" | "uint64" | "uintptr" => Some(8),
            _ => None,
        };
    }
    if let Some((size, _)) = structs.get(path) {
        return Some(*size);
    }
    let (name, rest) = split_struct(structs, path)?;
    let mut owner = name.to_owned();
    let mut offset = 0;
    for part in rest.split('.') {
        let fields = &structs.get(&owner)?.1;
        let (at, kind) = part.split('|').find_map(|p| fields.get(p))?;
        offset += at;
        owner.clone_from(kind);
    }
    Some(offset)
}

/// The type of the field that a path names, which must be a field of the struct itself.
fn kind_of(structs: &Structs, path: &str) -> Option<String> {
    let (name, field) = split_struct(structs, path)?;
    structs.get(name)?.1.get(field).map(|(_, kind)| kind.clone())
}

fn split_struct<'a>(structs: &Structs, path: &'a str) -> Option<(&'a str, &'a str)> {
    path.match_indices('.').map(|(i, _)| (&path[..i], &path[i + 1..])).find(|(s, _)| structs.contains_key(*s))
}

/// All struct types of a binary's DWARF.
fn structs(binary: &Path) -> Result<Structs> {
    let bytes = std::fs::read(binary)?;
    let file = object::File::parse(&*bytes)?;
    let section = |id: gimli::SectionId| -> Result<EndianSlice<'_, LittleEndian>> {
        let data = match file.section_by_name(id.name()) {
            Some(s) => s.uncompressed_data()?,
            None => std::borrow::Cow::Borrowed(&[][..]),
        };
        // Sections live as long as this process: a chore that runs once per release.
        Ok(EndianSlice::new(Box::leak(data.into_owned().into_boxed_slice()), LittleEndian))
    };
    let dwarf = gimli::Dwarf::load(section)?;
    let mut out = Structs::new();
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        let unit = dwarf.unit(header)?;
        let name_of = |e: &gimli::DebuggingInformationEntry<_>| -> Result<Option<String>> {
            Ok(match e.attr_value(gimli::DW_AT_name) {
                Some(v) => Some(dwarf.attr_string(&unit, v)?.to_string_lossy().into_owned()),
                None => None,
            })
        };
        let mut tree = unit.entries_tree(None)?;
        let mut children = tree.root()?.children();
        while let Some(child) = children.next()? {
            if child.entry().tag() != gimli::DW_TAG_structure_type {
                continue;
            }
            let Some(name) = name_of(child.entry())? else { continue };
            let size = child.entry().attr_value(gimli::DW_AT_byte_size).and_then(|v| v.udata_value()).unwrap_or(0);
            let mut fields = BTreeMap::new();
            let mut members = child.children();
            while let Some(member) = members.next()? {
                let e = member.entry();
                let Some(field) = name_of(e)? else { continue };
                let at = e.attr_value(gimli::DW_AT_data_member_location).and_then(|v| v.udata_value()).unwrap_or(0);
                let kind = match e.attr_value(gimli::DW_AT_type) {
                    Some(AttributeValue::UnitRef(o)) => name_of(&unit.entry(o)?)?,
                    Some(AttributeValue::DebugInfoRef(o)) => match o.to_unit_offset(&unit.header) {
                        Some(o) => name_of(&unit.entry(o)?)?,
                        None => None,
                    },
                    _ => None,
                };
                fields.insert(field, (at, kind.unwrap_or_default()));
            }
            out.insert(name, (size, fields));
        }
    }
    Ok(out)
}

/// Text of a file of the release's own source.
fn source(toolchain: &Toolchain, file: &str) -> Result<String> {
    let file = toolchain.sources()?.join(file);
    std::fs::read_to_string(&file).with_context(|| file.display().to_string())
}

/// `abi.FuncIDWrapper` (before Go 1.21 `runtime.funcID_wrapper`): its place in the list of constants.
fn wrapper_func_id(toolchain: &Toolchain) -> Result<usize> {
    let (file, first, prefix, wrapper) = if toolchain.minor() >= 21 {
        ("internal/abi/symtab.go", "FuncIDNormal FuncID = iota", "FuncID", "FuncIDWrapper")
    } else {
        ("runtime/symtab.go", "funcID_normal funcID = iota", "funcID_", "funcID_wrapper")
    };
    let text = source(toolchain, file)?;
    let from = text.find(first).context(first)?;
    let names = text[from..].lines().filter_map(|l| l.split_whitespace().next()).filter(|n| n.starts_with(prefix));
    names.take_while(|n| *n != "FuncID").position(|n| n == wrapper).context(wrapper)
}

/// The strings of `waitReasonStrings`, in the order of the constants, from the release's own `runtime2.go`.
fn wait_reasons(toolchain: &Toolchain) -> Result<Vec<String>> {
    let text = source(toolchain, "runtime/runtime2.go")?;
    let block = |start: &str, end: &str| -> Result<&str> {
        let from = text.find(start).with_context(|| start.to_owned())?;
        let tail = &text[from..];
        Ok(&tail[..tail.find(end).context("end of block")?])
    };
    let names: Vec<&str> = block("waitReasonZero ", "\n)")?
        .lines()
        .filter_map(|l| l.split_whitespace().next())
        .filter(|n| n.starts_with("waitReason"))
        .collect();
    let strings = block("waitReasonStrings = ", "\n}")?;
    names
        .iter()
        .map(|n| {
            let line = strings
                .lines()
                .find(|l| l.trim().starts_with(&format!("{n}:")))
                .with_context(|| format!("string of {n}"))?;
            Ok(line.split('"').nth(1).unwrap_or("").to_owned())
        })
        .collect()
}
