//! Experiments (`GOEXPERIMENT`) that move a field which we read, by minor. Made by
//! `cargo xtask layouts --experiments`; do not edit.

/// (minor, experiment as the version names it, the fields).
pub(super) static MOVING: &[(u16, &str, &[&str])] = &[
    (19, "staticlockranking", &["hchan.sizeof", "mheap.allspans", "mheap.arenas", "mheap.sweepgen", "mspan.sizeof", "mstats.buckhash_sys", "mstats.gc_cpu_fraction", "mstats.gc_misc_sys", "mstats.last_gc_nanotime", "mstats.mcache_sys", "mstats.mspan_sys", "mstats.numgc", "mstats.other_sys", "mstats.stacks_sys"]),
    (20, "staticlockranking", &["hchan.sizeof", "mheap.allspans", "mheap.arenas", "mheap.sweepgen", "mspan.sizeof", "mstats.buckhash_sys", "mstats.gc_cpu_fraction", "mstats.gc_misc_sys", "mstats.last_gc_nanotime", "mstats.mcache_sys", "mstats.mspan_sys", "mstats.numgc", "mstats.other_sys", "mstats.stacks_sys"]),
    (21, "staticlockranking", &["hchan.sizeof", "mheap.allspans", "mheap.arenas", "mheap.sweepgen", "mspan.sizeof", "mstats.buckhash_sys", "mstats.gc_cpu_fraction", "mstats.gc_misc_sys", "mstats.last_gc_nanotime", "mstats.mcache_sys", "mstats.mspan_sys", "mstats.numgc", "mstats.other_sys", "mstats.stacks_sys"]),
    (22, "staticlockranking", &["hchan.sizeof", "mheap.allspans", "mheap.arenas", "mheap.sweepgen", "mspan.large_type", "mspan.sizeof", "mstats.buckhash_sys", "mstats.gc_cpu_fraction", "mstats.gc_misc_sys", "mstats.last_gc_nanotime", "mstats.mcache_sys", "mstats.mspan_sys", "mstats.numgc", "mstats.other_sys", "mstats.stacks_sys"]),
    (22, "noexectracer2", &["m.sizeof", "m.vdso_pc", "m.vdso_sp"]),
    (23, "staticlockranking", &["hchan.sizeof", "mheap.allspans", "mheap.arenas", "mheap.sweepgen", "mspan.large_type", "mspan.sizeof", "mstats.buckhash_sys", "mstats.gc_cpu_fraction", "mstats.gc_misc_sys", "mstats.last_gc_nanotime", "mstats.mcache_sys", "mstats.mspan_sys", "mstats.numgc", "mstats.other_sys", "mstats.stacks_sys"]),
    (24, "staticlockranking", &["hchan.sizeof", "mheap.allspans", "mheap.arenas", "mheap.sweepgen", "mspan.large_type", "mspan.sizeof", "mstats.buckhash_sys", "mstats.gc_cpu_fraction", "mstats.gc_misc_sys", "mstats.last_gc_nanotime", "mstats.mcache_sys", "mstats.mspan_sys", "mstats.numgc", "mstats.other_sys", "mstats.stacks_sys"]),
    (24, "nospinbitmutex", &["m.sizeof", "m.vdso_pc", "m.vdso_sp"]),
    (25, "staticlockranking", &["hchan.sizeof", "mheap.allspans", "mheap.arenas", "mheap.sweepgen", "mspan.large_type", "mspan.sizeof", "mstats.buckhash_sys", "mstats.gc_cpu_fraction", "mstats.gc_misc_sys", "mstats.last_gc_nanotime", "mstats.mcache_sys", "mstats.mspan_sys", "mstats.numgc", "mstats.other_sys", "mstats.stacks_sys"]),
    (26, "staticlockranking", &["hchan.sizeof", "mheap.allspans", "mheap.arenas", "mheap.sweepgen", "mspan.large_type", "mspan.sizeof", "mstats.buckhash_sys", "mstats.gc_cpu_fraction", "mstats.gc_misc_sys", "mstats.last_gc_nanotime", "mstats.mcache_sys", "mstats.mspan_sys", "mstats.numgc", "mstats.other_sys", "mstats.stacks_sys"]),
    (27, "staticlockranking", &["hchan.sizeof", "mheap.allspans", "mheap.arenas", "mheap.sweepgen", "mspan.large_type", "mspan.sizeof", "mstats.buckhash_sys", "mstats.gc_cpu_fraction", "mstats.gc_misc_sys", "mstats.last_gc_nanotime", "mstats.mcache_sys", "mstats.mspan_sys", "mstats.numgc", "mstats.other_sys", "mstats.stacks_sys"]),
];
