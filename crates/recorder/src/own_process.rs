//! Our own process: its priority and its memory. System calls that nix has no safe form for.
#![allow(unsafe_code)]

/// Lets the calling thread, and those that it starts from now on, run before others (nice -10). Best effort:
/// without CAP_SYS_NICE nothing changes. Threads of a service in trouble outnumber ours by hundreds, and what
/// is late by a fifth of a second is too late.
pub fn run_before_others() {
    // SAFETY: a system call without pointers. On Linux 0 names the calling thread alone (setpriority(2), "C
    // library/kernel differences").
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -10) };
}

/// Ends that for the calling thread.
pub fn run_as_others() {
    // SAFETY: as above.
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 0) };
}

/// Has the allocator give large blocks back as soon as they are freed, and keep few heaps. glibc otherwise
/// keeps a heap for each thread, and after the first large block that is freed it takes blocks of that size
/// from heaps that only grow. That is too much of a daemon with many threads that lives long, and of the
/// graph of a large heap, each part of which frees what only it needed: of 16 million objects it kept 80 MB
/// to its end. To be called before threads are started.
pub fn keep_few_heaps() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no pointers; it is called before there are other threads.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 256 << 10);
    }
}

/// Gives back what the allocator keeps of freed memory. Each thread that copied or decoded a capture leaves
/// megabytes behind in an arena of its own: 130 MB after two minutes of captures. musl gives large blocks
/// back by itself.
pub fn give_back_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no pointers; it takes the allocator's own locks.
    let _ = unsafe { libc::malloc_trim(0) };
}
