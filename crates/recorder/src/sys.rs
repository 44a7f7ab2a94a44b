//! System calls that nix has no safe form for. With [`crate::pin`] the only `unsafe` of the product.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

/// A descriptor that becomes readable when the process has ended (Linux 5.3 and newer).
#[must_use]
pub fn pidfd_open(pid: i32) -> Option<OwnedFd> {
    // SAFETY: a system call without pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the kernel has just given us this descriptor.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Lets the calling thread, and those that it starts from now on, run before others (nice -10). Best effort: without CAP_SYS_NICE nothing changes. Threads of a
/// service in trouble outnumber ours by hundreds, and what is late by a fifth of a second is too late.
pub fn run_before_others() {
    // SAFETY: a system call without pointers. On Linux 0 names the calling thread alone (setpriority(2), "C library/kernel differences").
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -10) };
}

/// Has the allocator give large blocks back as soon as they are freed, and keep few heaps. For a daemon with many threads that lives long: glibc otherwise keeps a heap
/// for each thread, and after the first large block that is freed it takes blocks of that size from heaps that only grow. To be called before threads are started.
pub fn keep_few_heaps() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no pointers; it is called before there are other threads.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 256 << 10);
    }
}

/// Gives back what the allocator keeps of freed memory. Each thread that copied or decoded a capture leaves megabytes behind in an arena of its own: 130 MB after
/// two minutes of captures. musl gives large blocks back by itself.
pub fn give_back_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no pointers; it takes the allocator's own locks.
    let _ = unsafe { libc::malloc_trim(0) };
}

/// How a traced thread stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceStop {
    /// Still on its way.
    NotYet,
    /// In a stop of the tracer's making, or a group stop: nothing to hand on.
    Trap,
    /// About to be delivered this signal, which a detach must hand on. Any number: Go's runtime and libc use real-time signals that nix cannot name.
    Signal(i32),
    /// It has ended.
    Gone,
}

/// Whether a traced thread has stopped. Consumes stops only, never an exit: the status of a child that dies meanwhile stays for its parent to reap.
pub(crate) fn trace_stop(tid: i32) -> TraceStop {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let Ok(id) = libc::id_t::try_from(tid) else {
        return TraceStop::Gone;
    };
    // SAFETY: `info` is a siginfo_t of ours that the call fills.
    let r = unsafe { libc::waitid(libc::P_PID, id, info.as_mut_ptr(), libc::WSTOPPED | libc::WNOHANG | libc::__WALL) };
    if r != 0 {
        return TraceStop::Gone;
    }
    // SAFETY: zeroed at first and filled by the call: for WNOHANG without an event si_pid stays 0.
    let (pid, status) = unsafe {
        let info = info.assume_init();
        (info.si_pid(), info.si_status())
    };
    match (pid, status >> 8, status & 0xff) {
        (0, ..) => TraceStop::NotYet,
        // A seized thread has but two kinds of stop: those with an event, and signal deliveries without.
        (_, 0, signal) => TraceStop::Signal(signal),
        _ => TraceStop::Trap,
    }
}

/// Lets a stopped thread go, delivering `signal` (0: none).
pub(crate) fn trace_detach(tid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: PTRACE_DETACH takes no pointer; `data` is the signal.
    let r = unsafe { libc::ptrace(libc::PTRACE_DETACH, tid, 0, signal) };
    if r == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What `PIDFD_GET_INFO` gives (`linux/pidfd.h`, 64 bytes in its first version).
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    pids_and_ids: [u32; 11],
    exit_code: i32,
}

/// The request, in a module since nix's macro makes it public and gives it no documentation.
mod request {
    #![allow(missing_docs, unreachable_pub)]
    use super::PidfdInfo;

    nix::ioctl_readwrite!(pidfd_get_info, 0xff, 11, PidfdInfo);
}

/// The wait status of a process that has ended and was reaped by its parent, who need not be us (Linux 6.15 and newer).
#[must_use]
pub(crate) fn reaped_status(pidfd: BorrowedFd<'_>) -> Option<i32> {
    const EXIT: u64 = 1 << 3;
    let mut info = PidfdInfo { mask: EXIT, ..PidfdInfo::default() };
    // SAFETY: an open pidfd and the struct that this ioctl reads and writes, of the size that the request names.
    unsafe { request::pidfd_get_info(pidfd.as_raw_fd(), &raw mut info) }.ok()?;
    (info.mask & EXIT != 0).then_some(info.exit_code)
}

/// A socket on which the kernel tells of processes (`Documentation/driver-api/connector.rst`), bound to that group; non-blocking.
///
/// # Errors
/// The system's error: needs CAP_NET_ADMIN and the machine's own network and process namespaces.
pub(crate) fn process_events_socket() -> io::Result<OwnedFd> {
    const NETLINK_CONNECTOR: libc::c_int = 11;
    const CN_IDX_PROC: u32 = 1;
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: a system call without pointers.
    let fd = unsafe { libc::socket(libc::PF_NETLINK, kind, NETLINK_CONNECTOR) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: all zeroes is a sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address.nl_groups = CN_IDX_PROC;
    let length = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
    // SAFETY: `address` is a sockaddr_nl of ours of that length.
    if unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(fd)
}
