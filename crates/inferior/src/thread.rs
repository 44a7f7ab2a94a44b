//! Threads of a live process, and where they stand.

use std::path::Path;

use nix::libc::user_regs_struct;

use crate::addr::Addr;
use crate::arch::{self, GeneralRegisters};

/// Where a stopped thread stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadRegisters {
    /// Thread id, in the numbers of our own PID namespace; of a core, as the kernel wrote it.
    pub tid: i32,
    /// Stack pointer: whichever stack of the thread is in use.
    pub sp: Addr,
    /// Program counter: the next instruction.
    pub pc: Addr,
    /// What its other general registers hold, in no particular order, as many as the processor has; `None`
    /// where they were not to be had.
    pub general: Option<GeneralRegisters>,
}

impl ThreadRegisters {
    /// Of a thread of which only the stack pointer and the program counter are known.
    #[must_use]
    pub fn at(tid: i32, sp: Addr, pc: Addr) -> Self {
        Self { tid, sp, pc, general: None }
    }

    /// From what ptrace gives for a stopped thread.
    #[must_use]
    pub fn of(tid: i32, regs: &user_regs_struct) -> Self {
        let (pc, sp) = arch::user_registers(regs);
        Self { tid, sp, pc, general: Some(arch::general_registers(regs)) }
    }
}

/// The thread ids of a process, sorted; empty if it is gone.
#[must_use]
pub fn thread_ids(pid: i32) -> Vec<i32> {
    let mut ids: Vec<i32> = std::fs::read_dir(format!("/proc/{pid}/task"))
        .map(|d| d.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok()).collect())
        .unwrap_or_default();
    ids.sort_unstable();
    ids
}

/// SP and PC of a thread that is not running, from `/proc/PID/task/TID/syscall` (kernel: `lib/syscall.c`):
/// `-1 SP PC` when it was stopped in user mode, `NR ARG*6 SP PC` inside a system call, `running` while it
/// runs.
#[must_use]
pub fn thread_registers(pid: i32, tid: i32) -> Option<ThreadRegisters> {
    let text = std::fs::read_to_string(Path::new(&format!("/proc/{pid}/task/{tid}/syscall"))).ok()?;
    parse_syscall(tid, &text)
}

fn parse_syscall(tid: i32, text: &str) -> Option<ThreadRegisters> {
    let mut last = text.split_whitespace().rev();
    let hex = |s: &str| u64::from_str_radix(s.strip_prefix("0x")?, 16).ok().map(Addr);
    let pc = hex(last.next()?)?;
    let sp = hex(last.next()?)?;
    Some(ThreadRegisters::at(tid, sp, pc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_shapes() {
        let r = parse_syscall(7, "-1 0xc000059f58 0x47b1a3\n").unwrap();
        assert_eq!((r.sp, r.pc), (Addr(0xc0_0005_9f58), Addr(0x47_b1a3)));
        let r = parse_syscall(7, "202 0x1 0x80 0x0 0x0 0x0 0x0 0x7ffe1 0x47b2\n").unwrap();
        assert_eq!((r.sp, r.pc), (Addr(0x7_ffe1), Addr(0x47b2)));
        assert_eq!(parse_syscall(7, "running\n"), None);
    }
}
