//! What a worker gives up before it reads the first foreign byte: rights, files, and all system calls but
//! those that reading, reckoning and answering need. In this order, since each step needs what the next takes
//! away.
//!
//! It can still read what it was handed, have memory within its limits, start threads, tell the time, answer
//! on its one line, and end. It cannot open, connect, start, trace or signal anything: whatever foreign bytes
//! make of it can say something wrong, and nothing else. What it says is checked by who hears it
//! (`message.rs`).

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};

use caps::{CapSet, Capability};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};

use crate::limits::Limits;

/// What a worker reads of a process beside its handed descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nothing.
    Descriptors,
    /// The memory of this process, which stands still, by `process_vm_readv`
    /// (docs/adr/0006-workers-that-can-be-lost.md).
    Process(i32),
    /// Descriptors that come one by one, each with a question.
    Questions,
}

/// Descriptors that it may have beside those that it was handed: standard streams, copies of the handed.
const MORE_DESCRIPTORS: u64 = 8;

/// Ends with whoever started us, and is the first to be killed where memory is short. Before anything is
/// read.
pub(crate) fn belong_to(parent: i32) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // Who had ended by then sends nothing any more.
    if nix::unistd::getppid().as_raw() != parent {
        return Err(io::Error::other("who started it has ended"));
    }
    // Whoever starts us may be one of the last to be killed, and that is inherited.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    Ok(())
}

/// Gives everything up. `kept` are the descriptors that stay open beside the standard streams; `written` are
/// those of them that it may write to.
pub(crate) fn confine(
    limits: &Limits,
    kept: &[BorrowedFd<'_>],
    written: &[BorrowedFd<'_>],
    reach: Reach,
) -> io::Result<()> {
    let keep: Vec<RawFd> = kept.iter().map(|fd| fd.as_raw_fd()).collect();
    close_others(&keep)?;
    let highest = keep.iter().copied().max().unwrap_or(2).max(2).unsigned_abs();
    limits.apply(u64::from(highest) + 1 + MORE_DESCRIPTORS)?;
    prctl::set_no_new_privs()?;
    give_up_rights(reach)?;
    // Nobody of the same user traces it, or opens its memory.
    prctl::set_dumpable(false)?;
    let (refused, allowed) = filters(written, reach).map_err(io::Error::other)?;
    for filter in [refused, allowed] {
        apply_filter_all_threads(&filter).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Closes what we have inherited from whoever started whoever started us.
fn close_others(keep: &[RawFd]) -> io::Result<()> {
    let listed = std::fs::read_dir("/proc/self/fd")?.flatten();
    let all: Vec<RawFd> = listed.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    for fd in all.into_iter().filter(|fd| *fd > 2 && !keep.contains(fd)) {
        // That of the listing itself is closed already.
        let _ = nix::unistd::close(fd);
    }
    Ok(())
}

/// Drops all capabilities but, for who reads a process by its number, that of reading it.
fn give_up_rights(reach: Reach) -> io::Result<()> {
    let had = caps::read(None, CapSet::Permitted).map_err(io::Error::other)?;
    let wanted = match reach {
        Reach::Descriptors | Reach::Questions => HashSet::new(),
        Reach::Process(_) => HashSet::from([Capability::CAP_SYS_PTRACE]),
    };
    let kept: HashSet<Capability> = had.intersection(&wanted).copied().collect();
    // Without the right to, the bounding set stays: nothing is executed any more that could gain by it.
    let _ = caps::clear(None, CapSet::Bounding);
    let _ = caps::clear(None, CapSet::Ambient);
    caps::clear(None, CapSet::Inheritable).map_err(io::Error::other)?;
    caps::set(None, CapSet::Effective, &kept).map_err(io::Error::other)?;
    caps::set(None, CapSet::Permitted, &kept).map_err(io::Error::other)
}

/// System calls without conditions.
const ALLOWED: &[libc::c_long] = &[
    // Handed descriptors.
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_readv,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_close,
    // Memory.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Threads of its own.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    // Time, chance, what it has cost.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    // The end.
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// System calls that libraries do without where the kernel has none: their arguments stand in memory, where a
/// filter cannot look.
const REFUSED: &[libc::c_long] = &[libc::SYS_clone3, libc::SYS_statx];

/// The filters: what is refused as if the kernel did not know it, and what is allowed at all. Whatever else
/// is called ends the process.
fn filters(written: &[BorrowedFd<'_>], reach: Reach) -> Result<(BpfProgram, BpfProgram), seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let any = |calls: &[libc::c_long]| -> BTreeMap<i64, Vec<SeccompRule>> {
        calls.iter().map(|call| (*call, Vec::new())).collect()
    };
    let enosys = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let refused = SeccompFilter::new(any(REFUSED), SeccompAction::Allow, enosys, arch)?;
    let mut rules = any(&[ALLOWED, REFUSED].concat());
    for (call, argument, op, value) in conditions(written, reach) {
        // Flags and numbers: the kernel looks at no more than 32 bits of them.
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, op, value)?;
        rules.entry(call).or_default().push(SeccompRule::new(vec![condition])?);
    }
    let allowed = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch)?;
    Ok((refused.try_into()?, allowed.try_into()?))
}

/// System calls that are allowed with one value of one argument; several lines of a call are alternatives.
fn conditions(written: &[BorrowedFd<'_>], reach: Reach) -> Vec<(i64, u8, SeccompCmpOp, u64)> {
    use SeccompCmpOp::{Eq, MaskedEq};
    let of = |n: i32| u64::from(n.unsigned_abs());
    let pid = u64::from(std::process::id());
    let mut all = vec![
        // Its last words.
        (libc::SYS_write, 0, Eq, 2),
        (libc::SYS_writev, 0, Eq, 2),
        // No memory is ever code.
        (libc::SYS_mmap, 2, MaskedEq(of(libc::PROT_EXEC)), 0),
        (libc::SYS_mprotect, 2, MaskedEq(of(libc::PROT_EXEC)), 0),
        // A thread, and no process.
        (libc::SYS_clone, 0, MaskedEq(of(libc::CLONE_THREAD)), of(libc::CLONE_THREAD)),
        // A name of a thread; a name of memory.
        (libc::SYS_prctl, 0, Eq, of(libc::PR_SET_NAME)),
        (libc::SYS_prctl, 0, Eq, of(libc::PR_SET_VMA)),
        // Itself: that is how a program aborts.
        (libc::SYS_tgkill, 0, Eq, pid),
        // A second number for a handed file, and how long that is. By a path too it tells no more.
        (libc::SYS_fcntl, 1, Eq, of(libc::F_DUPFD_CLOEXEC)),
        (libc::SYS_fcntl, 1, Eq, of(libc::F_GETFD)),
        (libc::SYS_newfstatat, 3, Eq, of(libc::AT_EMPTY_PATH)),
        // Its own place among others, which without any right it can only give up.
        (libc::SYS_setpriority, 1, Eq, 0),
    ];
    // Its line, and its session's place among others.
    all.extend(written.iter().map(|fd| (libc::SYS_write, 0, Eq, of(fd.as_raw_fd()))));
    match reach {
        Reach::Descriptors => {}
        Reach::Process(target) => all.push((libc::SYS_process_vm_readv, 0, Eq, of(target))),
        // Of its line.
        Reach::Questions => all.push((libc::SYS_recvmsg, 0, Eq, 0)),
    }
    all
}
